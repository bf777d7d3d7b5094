"""Protocols: what is learned, and what the prompt is evaluated on. Sweeps: test_sweeps.py."""

from collections import Counter

import pytest
from PIL import Image

import eval as eval_script
import train as train_script
from clip_min.data import SHIFTED, few_shot, load_dataset
from clip_min.world import benchmarks
from prompts.runs import batches, plan, run as runs
from tests.scripts import (
    call,
    prompts,
    refusal,
    rows,
    train,
)

pytestmark = pytest.mark.usefixtures("few_pictures")


def evaluations(out):
    """(method, trained on, trained classes, evaluated on, classes) of each row."""
    return [
        tuple(r[k] for k in ("method", "trained_on", "trained_classes", "dataset", "classes"))
        for r in rows(out)
    ]


# Protocols


@pytest.fixture
def no_work(monkeypatch):
    """Nothing is trained and every accuracy is 50 %."""
    monkeypatch.setattr(train_script, "train", lambda *_: [])
    monkeypatch.setattr(train_script, "evaluate", lambda *_: 50.0)


def test_base_to_new_learns_on_half_the_classes_and_evaluates_on_each_half(tmp_path, no_work):
    """CoCoOp, Sec. 4.1."""
    assert train(tmp_path, "--method", "coop", "--shots", 1, "--protocol", "base-to-new") == 0
    name = "toy-satellite"
    learned = [("coop", name, "base", name, classes) for classes in ("base", "new")]
    assert (
        evaluations(tmp_path)
        == [("zero_shot", None, None, name, c) for c in ("base", "new")] + learned
    )
    (prompt,) = prompts(tmp_path).values()
    assert prompt["classnames"] == load_dataset(name).classnames[:6]


def test_class_incremental_evaluates_the_same_prompt_on_all_classes_together(
    tmp_path, no_work, monkeypatch
):
    """CoCoOp, Sec. 4.4."""
    assert train(tmp_path, "--method", "coop", "--shots", 1, "--protocol", "base-to-new") == 0
    monkeypatch.setattr(train_script, "train", lambda *_: pytest.fail("it was learned again"))
    assert train(tmp_path, "--method", "coop", "--shots", 1, "--protocol", "class-incremental") == 0
    name = "toy-satellite"
    assert evaluations(tmp_path)[-2:] == [
        ("zero_shot", None, None, name, "all"),
        ("coop", name, "base", name, "all"),
    ]


@pytest.mark.parametrize(
    "protocol, names",
    [
        ("cross-dataset", benchmarks.EIGHT),
        (
            "domain-generalization",
            ["toy-objects", *(f"toy-objects-{kind}" for kind in ("v2", "sketch", "a", "r"))],
        ),
    ],
)
def test_a_prompt_goes_from_the_source_to_all_targets(tmp_path, no_work, protocol, names):
    """CoCoOp, Sec. 4.2; CoOp, Sec. 3.2."""
    assert train(tmp_path, "--method", "coop", "--shots", 1, "--protocol", protocol) == 0
    learned = [("coop", "toy-objects", "all", name, "all") for name in names]
    assert (
        evaluations(tmp_path)
        == [("zero_shot", None, None, name, "all") for name in names] + learned
    )


def test_a_prompt_learned_on_imagenet_is_asked_for_the_shifted_sets_own_classes(
    tmp_path, monkeypatch, capsys
):
    """CoOp, Sec. 3.2: ImageNet-A and -R are scored among their own classes. What is not on disk
    is left out."""
    names = dict(n01="cat", n02="dog", n03="fish", n04="bird")
    (tmp_path / "imagenet").mkdir()
    (tmp_path / "imagenet" / "classnames.txt").write_text(
        "".join(f"{k} {v}\n" for k, v in names.items())
    )
    folders = [f"imagenet/images/{part}/{wnid}" for part in ("train", "val") for wnid in names]
    folders += [f"imagenet-adversarial/imagenet-a/{wnid}" for wnid in ("n02", "n04")]
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
        Image.new("RGB", (9, 9), "green").save(tmp_path / folder / "1.png")
    asked = []
    monkeypatch.setattr(
        train_script, "evaluate", lambda method, items, *_: asked.append((method, items)) or 50.0
    )
    arguments = (
        "--method",
        "coop",
        "--dataset",
        "imagenet",
        "--shots",
        1,
        "--epochs",
        1,
        "--data-root",
        tmp_path,
    )
    with pytest.warns(UserWarning) as notes:
        assert train(tmp_path / "runs", *arguments, "--protocol", "domain-generalization") == 0
    assert [
        name
        for name in SHIFTED["imagenet"]
        if any(f"{name} is left out" in str(n.message) for n in notes)
    ] == ["imagenetv2", "imagenet_sketch", "imagenet_r"]
    learned = [("coop", "imagenet", "all", name, "all") for name in ("imagenet", "imagenet_a")]
    assert evaluations(tmp_path / "runs")[2:] == learned
    (_, all_items), (prompt, items) = asked[2:]
    assert [item.label for item in all_items] == [0, 1, 2, 3] and [
        item.label for item in items
    ] == [0, 1]
    assert prompt.names == ["dog", "bird"]


def test_a_benchmark_split_by_our_own_rule_is_marked_in_every_row_and_table(
    tmp_path, no_work, capsys
):
    for name in ("Forest", "River"):
        folder = tmp_path / "eurosat" / "2750" / name
        folder.mkdir(parents=True)
        for i in range(6):
            Image.new("RGB", (9, 9)).save(folder / f"{name}_{i}.jpg")
    arguments = ("--dataset", "eurosat", "--data-root", tmp_path, "--method", "coop", "--shots", 1)
    with pytest.warns(UserWarning, match="not comparable"):
        assert train(tmp_path / "runs", *arguments) == 0
    assert [row["own_split"] for row in rows(tmp_path / "runs")] == [True, True]
    (prompt,) = prompts(tmp_path / "runs").values()
    assert prompt["own_split"] is True
    capsys.readouterr()
    assert call(eval_script, "--table", "few-shot", "--out", tmp_path / "runs") == 0
    assert "not comparable with the papers" in capsys.readouterr().out


@pytest.fixture
def made_imagenet(tmp_path):
    """A root folder with an ImageNet of four classes, each of one colour, and its shifted sets."""
    colours = {"n01": (230, 20, 20), "n02": (20, 200, 20), "n03": (20, 20, 220), "n04": (0, 0, 0)}
    names = ["n01 tench", "n02 crane", "n03 cock", "n04 owl"]
    (tmp_path / "imagenet").mkdir()
    (tmp_path / "imagenet/classnames.txt").write_text("\n".join(names))
    version_2 = "imagenetv2/imagenetv2-matched-frequency-format-val"
    places = {  # a folder of class folders: its classes, and how many pictures of each
        "imagenet/images/train": ("n01 n02 n03 n04", 9),
        "imagenet/images/val": ("n01 n02 n03 n04", 2),
        "imagenet-sketch/images": ("n01 n02 n03 n04", 1),
        "imagenet-adversarial/imagenet-a": ("n02 n04", 2),
        "imagenet-rendition/imagenet-r": ("n03 n04", 1),
        version_2: ("n01 n02 n03 n04", 1),
    }
    for place, (classes, count) in places.items():
        for wnid in classes.split():
            folder = tmp_path / place / (str(int(wnid[1:]) - 1) if place == version_2 else wnid)
            folder.mkdir(parents=True)
            for number in range(count):
                colour = tuple(min(part + 5 * number, 255) for part in colours[wnid])
                Image.new("RGB", (40, 40), colour).save(folder / f"{number}.png")
    return tmp_path


@pytest.mark.filterwarnings("ignore:imagenet")
def test_the_linear_probe_runs_on_imagenet_and_on_what_it_is_shifted_to(
    made_imagenet, tmp_path, monkeypatch
):
    """CoOp, Table 1. ImageNet-A and -R have some of the classes; there is no validation part."""
    seen, image_features = [], train_script.image_features

    def record(method, items, compute):
        seen.append(items)
        return image_features(method, items, compute)

    monkeypatch.setattr(train_script, "image_features", record)
    command = ["--method", "linear_probe", "coop", "--shots", 3, "--epochs", 1, "--model", "tiny"]
    command += ["--dataset", "imagenet", "--data-root", made_imagenet]
    assert train(tmp_path / "runs", *command, "--protocol", "domain-generalization") == 0
    accuracies = {
        row["dataset"]: row["accuracy"]
        for row in rows(tmp_path / "runs")
        if row["method"] == "linear_probe"
    }
    assert accuracies == dict.fromkeys(["imagenet", *SHIFTED["imagenet"]], 100.0)
    searched_on, few = seen
    dataset = load_dataset("imagenet", made_imagenet)
    assert set(few) == set(few_shot(dataset, 3, 1)[0])  # the pictures that CoOp learns from
    assert set(searched_on) <= set(dataset.train) - set(few)
    assert Counter(item.label for item in searched_on) == {0: 3, 1: 3, 2: 3, 3: 3}


def test_eval_writes_the_same_row_for_the_same_evaluation(tmp_path):
    """So that a table does not depend on which script evaluated."""
    protocol = ("--protocol", "base-to-new", "--method", "coop")
    assert train(tmp_path, "--shots", 1, "--epochs", 1, *protocol) == 0
    (path,) = tmp_path.rglob("prompt.pt")
    whole = rows(tmp_path)
    (tmp_path / "results.jsonl").unlink()
    assert call(eval_script, path, "--classes", "new", "--out", tmp_path) == 0
    (row,) = rows(tmp_path)
    differs = {key for key in row.keys() | whole[-1].keys() if row.get(key) != whole[-1].get(key)}
    assert differs <= {"seconds", "command", "loss"}


@pytest.mark.parametrize(
    "arguments, words",
    [
        (
            ["--protocol", "base-to-new", "--classes", "new"],
            ["--protocol base-to-new", "--classes"],
        ),
        (
            ["--protocol", "base-to-new", "--method", "linear_probe"],
            ["linear probe", "other classes"],
        ),
        (
            ["--protocol", "cross-dataset", "--method", "coop", "--hp", "class_specific=True"],
            ["other classes"],
        ),
        (
            ["--protocol", "domain-generalization", "--dataset", "toy-flowers"],
            ["toy-flowers", "toy-objects"],
        ),
        (["--jobs", "0"], ["--jobs", "at least 1"]),
    ],
    ids=str,
)
def test_what_a_protocol_cannot_do_is_refused_before_anything_is_computed(
    tmp_path, capsys, arguments, words
):
    sentence = refusal(capsys, train(tmp_path / "runs", "--shots", 1, *arguments))
    assert all(word in sentence for word in words), sentence
    assert not (tmp_path / "runs").exists()


def test_runs_with_long_options_have_folders_of_their_own():
    one, other = (runs.folder_name(f"shots16-seed{seed}-{'x' * 300}") for seed in (1, 2))
    assert one != other and len(one) <= 100


@pytest.mark.parametrize(
    "one, other",
    [
        ("my/cats", "my-cats"),
        ("lr=1e+30", "lr=1e-30"),
        ("a b", "a-b"),
        ("a_b", "a b"),
        ("x.", "x"),
        ("-a", "a"),
    ],
)
def test_different_words_never_share_a_folder(one, other):
    assert runs.folder_name(one) != runs.folder_name(other)


# Processes that share a batch


def test_fewer_pictures_than_processes_are_refused(monkeypatch):
    monkeypatch.setattr(batches, "PROCESSES", 3)
    with pytest.raises(
        ValueError, match="2 training pictures cannot be shared out over 3 processes"
    ):
        batches.training_batches(None, [1, 2], None, 1)


def test_a_batch_that_cannot_be_shared_out_is_refused(tmp_path, monkeypatch, capsys):
    """CoCoOp's paper takes batches of one picture."""
    monkeypatch.setattr(plan, "PROCESSES", 2)
    for method, size in (("upt", 5), ("cocoop", 1)):
        arguments = ("--method", method, "--shots", 1, "--batch-size", size)
        assert f"batch of {size}" in refusal(capsys, train(tmp_path / "runs", *arguments))
    assert not (tmp_path / "runs").exists()
