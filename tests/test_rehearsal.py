"""The rehearsal of the real experiments, with small CLIPs on a small EuroSAT."""

import json

import pytest
import torch
from PIL import Image

import eval as eval_script
import train as train_script
from clip_min import load_clip
from clip_min.weights.pickles import is_torchscript
from notes import rehearsal
from notes.random_weights import random_clip, weights_file
from prompts import METHODS
from prompts.runs import script as command_line
from tests.scripts import call, refusal

SCRIPTS = {"train.py": train_script, "eval.py": eval_script}
CLASSES = ["forest", "river"]


@pytest.fixture
def data_root(tmp_path):
    """A small EuroSAT: 20 pictures of each class and part."""
    rows = {part: [] for part in ("train", "val", "test")}
    for part, label in [(part, label) for part in rows for label in (0, 1)]:
        for i in range(20):
            path = f"{CLASSES[label]}/{part}{i}.png"
            file = tmp_path / "data/eurosat/2750" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), (9 * i, 200 * label, 0)).save(file)
            rows[part].append([path, label, CLASSES[label]])
    (tmp_path / "data/eurosat/split_zhou_EuroSAT.json").write_text(json.dumps(rows))
    return tmp_path / "data"


@pytest.fixture
def in_this_process(monkeypatch):
    """What the rehearsal starts as processes of their own, without the seconds that each takes."""

    def run(script, *arguments):
        assert call(SCRIPTS[script], *arguments) == 0

    monkeypatch.setattr(rehearsal, "call", run)
    monkeypatch.setattr(rehearsal, "in_fresh_process", rehearsal.measure)
    for module in (rehearsal, command_line):
        monkeypatch.setattr(module, "keep_freed_memory", lambda: None)  # of the whole process


def test_every_method_goes_through_the_command_line_and_six_are_timed(
    data_root, tmp_path, in_this_process, capsys
):
    flags = ["--data-root", data_root, "--out", tmp_path / "out", "--steps", 1, "--small"]
    assert call(rehearsal, *flags, "--model", "RN50", "ViT-B/16") == 0
    out = capsys.readouterr().out
    of_vit = out[out.index("ViT-B-16.pt") :]
    for name in METHODS:
        if name != "zero_shot":
            assert f"{name}, eurosat, 1 shot, seed 1 (run" in of_vit, name
    rows = [line.strip("| ").split(" | ") for line in out.splitlines() if line.startswith("| ")]
    rows = [row for row in rows if row[0] in ("RN50", "ViT-B/16")]
    frozen = ["zero_shot", "linear_probe", "coop", "cocoop"]
    assert [row[1] for row in rows] == [*frozen, *frozen, "vpt", "upt"]
    steps = {row[1]: row[4] for row in rows if row[0] == "ViT-B/16"}  # 32 pictures
    assert [steps[name] for name in ("coop", "cocoop", "vpt")] == ["200", "320", "200"]


def test_a_run_is_computed_from_its_steps_and_pictures():
    tower = dict(picture_s=0.1, gb=1.0)
    found = dict(load_s=10.0, seen=1000, tested=100, steps=50, step_s=2.0, gb=0.5)
    found |= dict(classes_s=20.0, classify_s=0.3)
    row = rehearsal.row_of("ViT-B/32", "cocoop", found, tower)
    hours = (10 + 1000 * 0.1 + 50 * 2 + 20 + 100 * 0.3) / 3600
    assert row == f"| ViT-B/32 | cocoop | 0.400 | 2.00 | 50 | {hours:.2f} | 1.0 |"
    own = rehearsal.row_of("ViT-B/32", "vpt", found | dict(picture_s=0.2), tower)
    assert own.startswith("| ViT-B/32 | vpt | 0.500 |") and own.endswith(" 0.5 |")


def test_the_shapes_are_the_official_ones():
    """The numbers of parameters are those of OpenAI's models."""
    official = {"RN50": 102_007_137, "ViT-B/32": 151_277_313, "ViT-B/16": 149_620_737}
    with torch.device("meta"):
        for name, parameters in official.items():
            assert sum(p.numel() for p in random_clip(name).parameters()) == parameters


def test_the_weights_lie_in_openais_layout_and_are_written_once(tmp_path):
    path = weights_file(tmp_path, "RN50", small=True)
    assert is_torchscript(path) and path.name == "RN50.pt"
    clip = load_clip(path)
    assert clip.image_size == 32 and clip.tokenizer.encode("a river")
    assert clip.encode_image(torch.randn(1, 3, 32, 32)).isfinite().all()
    written = path.stat().st_mtime_ns
    assert weights_file(tmp_path, "RN50", small=True).stat().st_mtime_ns == written


def test_bad_input_is_one_sentence(tmp_path, capsys):
    flags = ["--data-root", tmp_path, "--out", tmp_path / "out"]
    assert "eurosat is not there" in refusal(capsys, call(rehearsal, *flags))
    for flag in ("--steps", "--pictures"):
        assert "must be at least 1" in refusal(capsys, call(rehearsal, *flags, flag, 0))
