"""`python -m clip_min.data DATA`: what lies on a disk, what is missing, what is damaged."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from clip_min import data, preprocess
from clip_min.data import survey
from clip_min.data.__main__ import main
from clip_min.preprocess import read_picture

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A root folder with a small EuroSAT, which is as in the paper."""
    rows = {
        part: [
            [f"{name}/{part} {i}.jpg", label, name]
            for label, name in enumerate("ab")
            for i in range(2)
        ]
        for part in ("train", "val", "test")
    }
    folder = tmp_path / "eurosat"
    for path, label, _ in rows["train"] + rows["val"] + rows["test"]:
        (folder / "2750" / path).parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((40, 30), 60).save(folder / "2750" / path)
    (folder / "split_zhou_EuroSAT.json").write_text(json.dumps(rows))
    small = data.BENCHMARKS["eurosat"]._replace(classes=2, pictures=(4, 4, 4))
    monkeypatch.setitem(data.BENCHMARKS, "eurosat", small)
    return tmp_path


def look(capsys, *arguments):
    """The exit status and the printed lines."""
    status = main([str(argument) for argument in arguments])
    return status, capsys.readouterr().out.splitlines()


def test_a_whole_benchmark_is_as_in_the_paper_and_the_others_are_said_to_be_absent(root, capsys):
    status, lines = look(capsys, root)
    assert status == 0 and len(lines) == 1 + 15 + 1
    row = next(line for line in lines if line.startswith("eurosat"))
    assert row.split() == ["eurosat", "2/2", "4/4", "4/4", "4/4", "as", "in", "the", "paper"]
    assert "12 pictures opened, 0 of them bad" in lines[lines.index(row) + 1]
    assert "dtd             not there; from https://www.robots.ox.ac.uk/~vgg/data/dtd" in lines


def test_only_the_named_benchmarks_are_looked_at(root, capsys):
    status, lines = look(capsys, root, "dtd", "eurosat")
    assert (
        status == 0
        and len(lines) == 4
        and lines[1].startswith("dtd ")
        and lines[2].startswith("eurosat ")
    )


def test_missing_empty_and_truncated_pictures_are_named(root, capsys):
    folder = root / "eurosat/2750"
    (folder / "a/test 0.jpg").unlink()
    (folder / "a/test 1.jpg").write_bytes(b"")
    (folder / "b/val 0.jpg").write_bytes((folder / "b/val 1.jpg").read_bytes()[:-100])
    (folder / "b/val 1.jpg").write_text("<html>")
    status, lines = look(capsys, root, "eurosat")
    problems = [line.strip() for line in lines if "Cannot read" in line]
    assert status == 1 and len(problems) == 4 and "4 of them bad" in lines[-1]
    for problem in problems[1:]:  # what training would say
        with pytest.raises(ValueError) as caught:
            read_picture(problem.split("picture ")[1].split(": ")[0])
        assert problem == str(caught.value)
    status, lines = look(capsys, root, "eurosat", "--quick")
    assert status == 1 and "12 pictures looked for, 2 of them bad" in lines[-1]


def test_at_most_twenty_pictures_are_named_unless_all_are_asked_for(root, capsys, monkeypatch):
    monkeypatch.setattr(survey, "SHOWN", 3)
    for path in (root / "eurosat/2750").rglob("*.jpg"):
        path.write_bytes(b"")
    lines = look(capsys, root, "eurosat")[1]
    assert sum("Cannot read" in line for line in lines) == 3 and "... and 9 more" in lines[-2]
    assert sum("Cannot read" in line for line in look(capsys, root, "eurosat", "--all")[1]) == 12


def test_other_counts_than_the_papers_differ(root, capsys, monkeypatch):
    monkeypatch.setitem(
        data.BENCHMARKS, "eurosat", data.BENCHMARKS["eurosat"]._replace(pictures=(4, 4, 5))
    )
    status, lines = look(capsys, root, "eurosat")
    assert status == 1 and "4/5   differs from the paper" in lines[1]


def test_one_bad_benchmark_does_not_stop_the_others(root, capsys):
    (root / "oxford_pets/images").mkdir(parents=True)
    (root / "imagenet/images").mkdir(parents=True)
    status, lines = look(capsys, root)
    text = "\n".join(lines)
    assert status == 1 and "as in the paper" in text
    assert (
        "split_zhou_OxfordPets.json is not there" in text
        and "classnames.txt with ImageNet's class names is not there" in text
    )
    assert "from https://image-net.org; split files: https://github.com/KaiyangZhou/CoOp" in text


def test_an_own_split_is_announced_and_never_written(root, capsys):
    (root / "eurosat/split_zhou_EuroSAT.json").unlink()
    status, lines = look(capsys, root, "eurosat")
    assert status == 0 and "an own split would be made" in lines[2]
    assert sorted(os.listdir(root / "eurosat")) == ["2750"]
    with pytest.warns(UserWarning, match="not comparable"):
        data.load_dataset("eurosat", root)
    assert "an own split is used" in look(capsys, root, "eurosat")[1][2]
    (root / "eurosat/2750/c").mkdir()
    for i in range(2):
        (root / f"eurosat/2750/c/{i}.jpg").write_bytes(
            (root / "eurosat/2750/a/val 0.jpg").read_bytes()
        )
    (root / "eurosat/split_own_EuroSAT.json").unlink()
    assert look(capsys, root, "eurosat")[0] == 1  # three classes are not the paper's two


def test_a_folder_with_nothing_to_look_at_has_status_2(root, capsys):
    status, lines = look(capsys, root / "eurosat")
    assert status == 2 and "holds none of them" in lines[-1]
    for arguments in ([root / "nowhere"], [root, "eurosatt"]):
        with pytest.raises(SystemExit) as caught:
            look(capsys, *arguments)
        assert caught.value.code == 2
    assert "there is no benchmark 'eurosatt'" in capsys.readouterr().err


def test_the_command_runs_without_a_runtime_warning_and_prints_names_that_are_not_utf_8(tmp_path):
    images = tmp_path / "dtd/images/banded"
    images.mkdir(parents=True)
    try:
        (images / os.fsdecode(b"caf\xe9.jpg")).touch()
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    (tmp_path / "dtd/split_zhou_DescribableTextures.json").write_text(
        json.dumps(
            {
                "train": [["banded/caf\udce9.jpg", 0, "banded"], ["dotted/1.jpg", 1, "dotted"]],
                "val": [],
                "test": [],
            }
        )
    )
    done = subprocess.run(
        [sys.executable, "-m", "clip_min.data", tmp_path, "dtd"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert (
        done.returncode == 1
        and "RuntimeWarning" not in done.stderr
        and "Traceback" not in done.stderr
    )
    assert (
        r"caf\udce9.jpg: the file is empty" in done.stdout
        and "dotted/1.jpg: there is no such file" in done.stdout
    )


def test_names_with_control_characters_are_printed_escaped(root, capsys):
    folder = root / "eurosat"
    rows = json.loads((folder / "split_zhou_EuroSAT.json").read_text())
    rows["test"][0][0] = "a/\x1b[31mred\n.jpg"
    (folder / "split_zhou_EuroSAT.json").write_text(json.dumps(rows))
    lines = look(capsys, root, "eurosat")[1]
    assert all(line.isprintable() for line in lines)
    assert any(r"a/\x1b[31mred\n.jpg: there is no such file" in line for line in lines)


def test_other_names_of_benchmarks_and_their_folders_are_understood(root, capsys):
    (root / "eurosat").rename(root / "EuroSAT_RGB")
    (root / "EuroSAT_RGB/2750").rename(root / "EuroSAT_RGB/EuroSAT_RGB")
    status, lines = look(capsys, root, "eurosat", "oxford_flowers")
    assert status == 0 and "as in the paper" in lines[1]
    assert lines[-1].startswith("flowers102      not there")
    assert len(look(capsys, root, "eleven")[1]) == 1 + 11 + 1


def test_a_picture_that_is_not_a_picture_starts_no_program_and_is_named(root, capsys):
    folder = root / "eurosat/2750/a"
    (folder / "test 0.jpg").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n"
    )
    Image.effect_noise((9, 9), 60).save(folder / "test 1.jpg", "TGA")
    status, lines = look(capsys, root, "eurosat")
    assert status == 1 and "2 of them bad" in lines[-1]
    assert sum("cannot identify image file" in line for line in lines) == 2


def test_a_picture_of_too_many_pixels_is_named(root, capsys, monkeypatch):
    picture = root / "eurosat/2750/a/test 0.jpg"
    monkeypatch.setattr(survey, "MAX_PIXELS", 40 * 30)
    monkeypatch.setattr(preprocess, "MAX_PIXELS", 40 * 30)
    Image.effect_noise((40, 31), 60).save(picture)
    assert survey.problem_of(str(picture)).endswith("40 x 31 pixels are too many.")
    assert survey.problem_of(str(picture.with_name("test 1.jpg"))) == ""
