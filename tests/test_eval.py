"""eval.py: a learned prompt where it was trained and elsewhere, zero-shot CLIP, tables,
predictions, bad files."""

import json
import os
import re
import shutil
import subprocess
import sys
from xml.etree import ElementTree

import pytest
import torch
from PIL import Image

import eval as eval_script
import train as train_script
from clip_min import load_clip
from clip_min.data import PictureSet, load_dataset
from clip_min.files import load_tensors, save_tensors
from clip_min.preprocess import preprocess, read_picture
from clip_min.weights.checkpoint import TINY
from clip_min.world import benchmarks
from prompts import METHODS
from prompts.coop import CoOp
from prompts.runs import store
from prompts.reports.variance import inter_class_variance, intra_class_variance
from tests.scripts import ROOT, call, refusal, rows

pytestmark = pytest.mark.usefixtures("few_pictures")


@pytest.fixture(scope="module")
def trained(few_pictures, tmp_path_factory):
    """A folder with a prompt learned on all classes and one learned on the base classes."""
    out = tmp_path_factory.mktemp("trained")
    for classes in ("all", "base"):
        arguments = (
            "--method",
            "upt",
            "--shots",
            1,
            "--epochs",
            2,
            "--classes",
            classes,
            "--out",
            out,
        )
        assert call(train_script, *arguments) == 0
    return out


@pytest.fixture(scope="module")
def prompt_file(trained):
    (path,) = (path for path in trained.rglob("prompt.pt") if "base" not in path.parent.name)
    return path


@pytest.fixture(scope="module")
def base_prompt_file(trained):
    (path,) = (path for path in trained.rglob("prompt.pt") if "base" in path.parent.name)
    return path


def evaluate(out, *arguments):
    return call(eval_script, *arguments, "--out", out)


def recorded(folder, method, classes):
    """The accuracy that train.py recorded."""
    (row,) = (row for row in rows(folder) if (row["method"], row["classes"]) == (method, classes))
    return row["accuracy"]


def accuracy_by_hand(prompt_file, dataset, labels):
    """The prompt among the classes with these labels only, all their test pictures at once."""
    prompt, dataset, clip = (
        torch.load(prompt_file, weights_only=True),
        load_dataset(dataset),
        load_clip("tiny"),
    )
    method = METHODS[prompt["method"]](
        clip, [dataset.classnames[label] for label in labels], **prompt["options"]
    )
    assert method.load_state_dict(prompt["learned"], strict=False).unexpected_keys == []
    items = [item for item in dataset.test if item.label in labels]
    images = torch.stack([image for image, _ in PictureSet(items, clip.preprocess)])
    with torch.no_grad():
        guesses = method.eval()(images).argmax(dim=-1).tolist()
    hits = sum(labels[guess] == item.label for guess, item in zip(guesses, items))
    return pytest.approx(100 * hits / len(items), abs=1e-3)


# What it measures


def test_a_prompt_reaches_exactly_the_accuracy_that_train_recorded(
    trained, prompt_file, tmp_path, capsys
):
    assert evaluate(tmp_path, prompt_file) == 0
    (row,) = rows(tmp_path)
    assert row["accuracy"] == recorded(trained, "upt", "all")
    assert row["accuracy"] == accuracy_by_hand(prompt_file, "toy-satellite", range(12))
    expected = dict(
        method="upt",
        model="tiny",
        dataset="toy-satellite",
        classes="all",
        shots=1,
        seed=1,
        epochs=2,
    )
    assert {key: row[key] for key in expected} == expected
    assert (row["trained_on"], row["trained_classes"]) == ("toy-satellite", "all")
    assert row["command"].startswith("python eval.py ") and row["version"]
    assert f"{row['accuracy']:6.2f} %" in capsys.readouterr().out


@pytest.mark.parametrize(
    "classes, labels", [("base", range(6)), ("new", range(6, 12)), ("all", range(12))]
)
def test_a_prompt_learned_on_the_base_classes_works_on_any_half(
    trained, base_prompt_file, tmp_path, classes, labels
):
    """CoCoOp, Sec. 4.1: each half of the classes is scored among its own."""
    assert evaluate(tmp_path, base_prompt_file, "--classes", classes) == 0
    (row,) = rows(tmp_path)
    assert row["accuracy"] == accuracy_by_hand(base_prompt_file, "toy-satellite", labels)
    assert (row["classes"], row["trained_classes"]) == (classes, "base")
    if classes == "base":
        assert row["accuracy"] == recorded(trained, "upt", "base")


def test_a_prompt_works_on_the_classes_of_other_data_sets(prompt_file, tmp_path):
    datasets = ("toy-actions", "toy-objects-sketch")  # the second one has no training pictures
    assert evaluate(tmp_path, prompt_file, "--dataset", *datasets) == 0
    learned, zero_shot = rows(tmp_path)[:2], rows(tmp_path)[2:]
    assert [row["dataset"] for row in zero_shot] == list(datasets)
    for row, dataset in zip(learned, datasets, strict=True):
        labels = range(len(load_dataset(dataset).classnames))
        assert row["accuracy"] == accuracy_by_hand(prompt_file, dataset, labels)
        assert (row["dataset"], row["trained_on"]) == (dataset, "toy-satellite")


def test_without_a_prompt_it_is_zero_shot_clip(trained, tmp_path):
    for classes in ("all", "base"):
        assert evaluate(tmp_path / classes, "--dataset", "toy-satellite", "--classes", classes) == 0
        (row,) = rows(tmp_path / classes)
        assert row["method"] == "zero_shot" and row["accuracy"] == recorded(
            trained, "zero_shot", classes
        )


def test_options_reach_zero_shot_clip(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(eval_script, "evaluate", lambda method, *_: made.append(method) or 50.0)
    assert evaluate(tmp_path, "--dataset", "toy-satellite", "--hp", "templates=ensemble") == 0
    assert (
        len(made[0].templates) == 8 and made[0].templates[-1] == "a centered satellite photo of {}."
    )
    assert rows(tmp_path)[0]["options"] == dict(templates="ensemble")


def test_with_no_argument_at_all_it_is_zero_shot_clip_on_the_eight_data_sets(tmp_path, monkeypatch):
    monkeypatch.setattr(eval_script, "evaluate", lambda *_: 50.0)
    assert evaluate(tmp_path) == 0
    assert [row["dataset"] for row in rows(tmp_path)] == list(benchmarks.EIGHT) and len(
        benchmarks.EIGHT
    ) == 8


def test_the_text_is_encoded_once_however_many_pictures_there_are(tmp_path, monkeypatch):
    monkeypatch.setattr(
        benchmarks, "PICTURES", {"train": 3, "val": 4, "test": 30}
    )  # 360: more than one batch
    assert (
        call(train_script, "--method", "coop", "--shots", 1, "--epochs", 1, "--out", tmp_path) == 0
    )
    (path,), calls, class_weights = tmp_path.rglob("prompt.pt"), [], CoOp.class_weights
    monkeypatch.setattr(
        CoOp, "class_weights", lambda method: calls.append(1) or class_weights(method)
    )
    assert evaluate(tmp_path, path) == 0
    assert len(calls) == 1


def test_the_variances_need_texts_that_are_the_same_for_every_picture(tmp_path, capsys):
    assert (
        call(train_script, "--method", "cocoop", "--shots", 1, "--epochs", 1, "--out", tmp_path)
        == 0
    )
    (path,) = tmp_path.rglob("prompt.pt")
    assert "--variance" in refusal(capsys, evaluate(tmp_path, path, "--variance"))


def test_every_evaluation_appends_one_line(trained, prompt_file, base_prompt_file, tmp_path):
    shutil.copy(trained / "results.jsonl", tmp_path)
    before = (tmp_path / "results.jsonl").read_bytes()
    arguments = (prompt_file, base_prompt_file, "--dataset", "toy-satellite", "toy-textures")
    assert evaluate(tmp_path, *arguments) == 0
    assert (tmp_path / "results.jsonl").read_bytes().startswith(before)
    new = rows(tmp_path)[len(before.splitlines()) :]
    expected = [
        (trained_classes, dataset)
        for trained_classes in ("all", "base")
        for dataset in arguments[3:]
    ]
    expected.append((None, "toy-textures"))  # zero-shot CLIP, once
    assert [(row["trained_classes"], row["dataset"]) for row in new] == expected


def test_zero_shot_clip_stands_beside_a_prompt_that_was_learned_on_another_data_set(
    prompt_file, tmp_path, capsys
):
    assert evaluate(tmp_path, prompt_file, "--dataset", "toy-satellite", "toy-scenes") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["toy-satellite", "toy-scenes", "toy-scenes"]
    assert lines[2].endswith("zero_shot")
    assert evaluate(tmp_path / "alone", "--dataset", "toy-scenes") == 0
    assert capsys.readouterr().out.splitlines() == [lines[2]]


def test_the_two_variances_are_printed(prompt_file, tmp_path, capsys):
    """UPT Eqs. (6) to (8), of zero-shot CLIP and of a prompt."""
    clip, dataset = load_clip("tiny"), load_dataset("toy-satellite")
    pairs = list(PictureSet(dataset.test, clip.preprocess))
    images, labels = (
        torch.stack([image for image, _ in pairs]),
        torch.tensor([label for _, label in pairs]),
    )
    texts = clip.tokenizer(
        [f"a centered satellite photo of {name}." for name in dataset.classnames], 32
    )
    within = intra_class_variance(clip.encode_image(images), labels)
    between = inter_class_variance(clip.encode_text(texts))
    for prompts in ((), (prompt_file,)):
        assert evaluate(tmp_path, *prompts, "--dataset", "toy-satellite", "--variance") == 0
        printed = re.search(
            r"Var_v (\d\.\d{4})  Var_t (\d\.\d{4})$", capsys.readouterr().out.strip()
        )
        var_v, var_t = map(float, printed.groups())
        right = abs(var_v - within) < 1e-4 and abs(var_t - between) < 1e-4
        assert (
            right == (not prompts) and 0 < var_v < 1 and 0 < var_t < 1
        )  # a prompt moves both towers


# What goes wrong


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["nowhere/prompt.pt"], ["nowhere/prompt.pt"]),
        (["--method", "upt"], ["upt", "learned first", "prompt file"]),
        (["--method", "zeroshot"], ["'zeroshot'", "Did you mean zero_shot?"]),
        (["--dataset", "toy-action"], ["'toy-action'", "Did you mean toy-actions"]),
        (["--dataset", "dtd"], ["dtd", "--data-root"]),
        (["--hp", "templates=foo"], ["templates", "'foo'"]),
        (["--hp", "n_ctx=4"], ["zero_shot", "n_ctx"]),
        (["--hp", "n_ctx"], ["name=value", "'n_ctx'"]),
    ],
    ids=str,
)
def test_bad_input_ends_in_one_clear_sentence_and_nothing_is_written(
    tmp_path, capsys, arguments, words
):
    sentence = refusal(capsys, evaluate(tmp_path / "runs", *arguments))
    assert all(word in sentence for word in words), sentence
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "arguments", [("--method", "coop"), ("--method", "zero_shot"), ("--hp", "n_ctx=8")], ids=str
)
def test_a_prompt_file_of_another_method_or_with_other_options_is_refused(
    prompt_file, tmp_path, capsys, arguments
):
    sentence = refusal(capsys, evaluate(tmp_path / "runs", prompt_file, *arguments))
    assert (
        "holds a prompt of upt" in sentence
        and str(prompt_file) in sentence
        and not (tmp_path / "runs").exists()
    )


def test_a_prompt_made_with_another_backbone_is_refused(prompt_file, tmp_path, capsys):
    weights = torch.load(TINY, weights_only=True)
    weights["logit_scale"] = weights["logit_scale"] + 0.1  # all sizes fit, one number differs
    save_tensors(tmp_path / "other.pt", weights)
    shutil.copy(TINY.with_name("merges.txt"), tmp_path)
    sentence = refusal(
        capsys, evaluate(tmp_path / "runs", prompt_file, "--model", tmp_path / "other.pt")
    )
    assert "tiny" in sentence and str(tmp_path / "other.pt") in sentence and "--model" in sentence
    assert not (tmp_path / "runs").exists()
    shutil.copy(
        TINY, tmp_path / "same.pt"
    )  # the same weights under another name are the same backbone
    assert evaluate(tmp_path / "runs", prompt_file, "--model", tmp_path / "same.pt") == 0


@pytest.mark.parametrize("kind", ["cut in half", "text", "empty", "weights", "a list", "a folder"])
def test_a_file_that_is_no_prompt_file_is_refused_by_name(prompt_file, tmp_path, capsys, kind):
    path, data = tmp_path / "prompt.pt", prompt_file.read_bytes()
    contents = {
        "cut in half": data[: len(data) // 2],
        "text": b"no prompt",
        "empty": b"",
        "weights": TINY.read_bytes(),
    }
    if kind in contents:
        path.write_bytes(contents[kind])
    elif kind == "a list":
        torch.save([1, 2], path)
    else:
        path.mkdir()
    assert str(path) in refusal(capsys, evaluate(tmp_path / "runs", path))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "change",
    [
        dict(method="hypnosis"),
        dict(method="coop"),
        dict(options=dict(hypnosis=True)),
        dict(options=dict(n_ctx=5)),
        dict(learned={}),
        dict(dataset=None),
        dict(options=None),
        dict(classes=None),
        dict(classnames=None),
    ],
    ids=str,
)
def test_a_prompt_file_whose_parts_do_not_fit_together_is_refused(
    prompt_file, tmp_path, capsys, change
):
    """None stands for a part that is missing."""
    prompt = torch.load(prompt_file, weights_only=True) | change
    save_tensors(
        tmp_path / "prompt.pt", {key: value for key, value in prompt.items() if value is not None}
    )
    refusal(capsys, evaluate(tmp_path / "runs", tmp_path / "prompt.pt"))
    assert not (tmp_path / "runs").exists()


def test_a_prompt_file_cannot_bring_code(prompt_file, tmp_path, capsys):
    mark, path = tmp_path / "mark", tmp_path / "prompt.pt"

    class Payload:
        def __reduce__(self):
            return os.mkdir, (str(mark),)

    save_tensors(path, torch.load(prompt_file, weights_only=True) | dict(learned=Payload()))
    assert str(path) in refusal(capsys, evaluate(tmp_path / "runs", path))
    assert not mark.exists() and not (tmp_path / "runs").exists()
    torch.load(path, weights_only=False)  # the careless way does run it
    assert mark.exists()


def test_the_command_itself_ends_in_a_sentence_and_status_2(tmp_path):
    command = [sys.executable, "eval.py", "nowhere.pt", "--out", tmp_path / "runs"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr == "error: There is no prompt file nowhere.pt.\n"
        and not (tmp_path / "runs").exists()
    )


# Tables and plots


def test_a_table_stands_beside_the_results_in_three_formats(trained, capsys):
    accuracy, zero_shot = recorded(trained, "upt", "all"), recorded(trained, "zero_shot", "all")
    for form, first in (
        ("text", "dataset"),
        ("markdown", "| dataset |"),
        ("csv", "dataset,method,0 shots"),
    ):
        assert evaluate(trained, "--table", "few-shot", "--format", form) == 0
        printed = capsys.readouterr().out
        assert (
            printed.startswith(first)
            and f"{accuracy:.1f}" in printed
            and f"{zero_shot:.1f}" in printed
        )


def test_a_plot_is_written_whole(trained, tmp_path, capsys):
    path = tmp_path / "curves.svg"
    assert evaluate(trained, "--plot", "few-shot", path) == 0
    assert ElementTree.parse(path).getroot().tag.endswith("svg") and list(tmp_path.iterdir()) == [
        path
    ]


# One's own pictures


def test_the_classes_of_ones_own_pictures_as_text_json_and_a_picture(tmp_path, capsys):
    picture = tmp_path / "mine.jpg"
    benchmarks.draw("toy-satellite/test/river/1").resize((90, 60)).save(picture)
    arguments = (
        "--images",
        picture,
        "--classnames",
        "river,forest, lake",
        "--template",
        "a photo of {}.",
    )
    assert evaluate(tmp_path, *arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(picture) and len(lines) == 4
    assert evaluate(tmp_path, *arguments, "--json", "--picture", tmp_path / "out.png") == 0
    row = json.loads(capsys.readouterr().out)
    assert row["picture"] == str(picture) and Image.open(tmp_path / "out.png").width > 300
    clip = load_clip("tiny")
    texts = clip.tokenizer([f"a photo of {name}." for name in ("river", "forest", "lake")], 32)
    image = preprocess(read_picture(picture), clip.image_size)[None]
    f, w = (
        torch.nn.functional.normalize(x, dim=-1)
        for x in (clip.encode_image(image), clip.encode_text(texts))
    )
    expected = dict(
        zip(
            ("river", "forest", "lake"),
            (clip.logit_scale.exp() * f @ w.T).softmax(dim=-1)[0].tolist(),
        )
    )
    found = {prediction["class"]: prediction["probability"] for prediction in row["predictions"]}
    assert found == pytest.approx(expected, abs=1e-5)
    assert not (tmp_path / "results.jsonl").exists()


def test_a_prompt_names_its_own_classes_for_pictures(prompt_file, tmp_path, capsys):
    assert evaluate(tmp_path, prompt_file, "--images", "toy-satellite/test/river/1", "--json") == 0
    names = [
        prediction["class"] for prediction in json.loads(capsys.readouterr().out)["predictions"]
    ]
    assert len(names) == 5 and set(names) <= set(load_dataset("toy-satellite").classnames)


# Prompts of the published code


@pytest.mark.parametrize("class_specific", [False, True])
def test_a_prompt_of_the_published_code_is_evaluated_like_our_own(tmp_path, class_specific, capsys):
    options = ("--hp", f"class_specific={class_specific}", "n_ctx=4", "ctx_init=None")
    arguments = ("--method", "coop", "--shots", 1, "--epochs", 2, *options, "--out", tmp_path)
    assert call(train_script, *arguments) == 0
    (path,), clip = tmp_path.rglob("prompt.pt"), load_clip("tiny")
    ctx, names = load_tensors(path)["learned"]["ctx"], load_dataset("toy-satellite").classnames
    tokens = clip.tokenizer([f"{'x ' * 4}{name}." for name in names], clip.context_length)
    embedded = clip.token_embedding(tokens).detach()
    state = dict(ctx=ctx, token_prefix=embedded[:, :1], token_suffix=embedded[:, 5:])
    torch.save(dict(state_dict=state, epoch=2), tmp_path / "model.pth.tar-2")
    capsys.readouterr()
    assert "--dataset" in refusal(
        capsys, evaluate(tmp_path / "again", tmp_path / "model.pth.tar-2")
    )
    published = (tmp_path / "model.pth.tar-2", "--method", "coop", "--dataset", "toy-satellite")
    assert evaluate(tmp_path / "again", *published) == 0
    ours, theirs = rows(tmp_path)[-1], rows(tmp_path / "again")[-1]
    assert (theirs["accuracy"], theirs["dataset"]) == (ours["accuracy"], "toy-satellite")
    assert theirs["options"]["class_specific"] == class_specific and theirs["trained_on"] is None
    assert evaluate(tmp_path / "again", *published, "--gelu", "exact") == 0
    assert (theirs.get("gelu"), rows(tmp_path / "again")[-1]["gelu"]) == (None, "exact")


# A folder of one's own


@pytest.fixture
def own_folder(tmp_path):
    """Two classes, whose names the tokenizer does not give back as they are written."""
    for part in ("train", "test"):
        for name, kind in (("T-shirt", "shirt"), ("Cup", "cup")):
            folder = tmp_path / "mine" / part / name
            folder.mkdir(parents=True)
            for i in range(3):
                benchmarks.draw(f"toy-objects/{part}/{kind}/{i}").save(folder / f"{i}.png")
    return tmp_path / "mine"


def test_a_template_is_part_of_what_was_learned(own_folder, tmp_path):
    """VPT's text is the template, so that another one would give other figures."""
    arguments = (
        "--dataset",
        own_folder,
        "--method",
        "vpt",
        "--shots",
        2,
        "--epochs",
        2,
        "--template",
        "my {} at home",
    )
    assert call(train_script, *arguments, "--out", tmp_path / "runs") == 0
    (path,), learned = (tmp_path / "runs").rglob("prompt.pt"), rows(tmp_path / "runs")[-1]
    assert load_tensors(path)["text_template"] == learned["template"] == "my {} at home"
    made, build_method = [], store.build_method
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            store, "build_method", lambda *x: made.append(x[2].templates) or build_method(*x)
        )
        assert evaluate(tmp_path / "again", path) == 0
        assert evaluate(tmp_path / "again", path, "--template", "{}!") == 0
        assert evaluate(tmp_path / "again", path, "--images", own_folder / "test" / "Cup") == 0
    assert made == [["my {} at home"], ["{}!"], ["my {} at home"]]
    assert [row["template"] for row in rows(tmp_path / "again")] == ["my {} at home", "{}!"]


def test_a_published_class_specific_prompt_fits_classes_however_they_are_spelt(
    own_folder, tmp_path
):
    clip, names = load_clip("tiny"), ["Cup", "T-shirt"]
    tokens = clip.tokenizer([f"x x {name}." for name in names], clip.context_length)
    embedded = clip.token_embedding(tokens).detach()
    state = dict(
        ctx=torch.zeros(2, 2, 128), token_prefix=embedded[:, :1], token_suffix=embedded[:, 3:]
    )
    torch.save(dict(state_dict=state), tmp_path / "model.pth.tar-50")
    assert evaluate(tmp_path, tmp_path / "model.pth.tar-50", "--dataset", own_folder) == 0
    assert rows(tmp_path)[0]["options"]["class_specific"] is True


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--table", "few-shot"], ["results.jsonl", "train.py", "--protocol few-shot"]),
        (["--table", "fewshot"], ["'fewshot'", "few-shot", "base-to-new"]),
        (["--plot", "pie", "pie.svg"], ["'pie'", "few-shot"]),
        (["--images", "nowhere.jpg", "--classnames", "a,b"], ["nowhere.jpg"]),
        (
            ["--images", "README.md", "--classnames", "a,b"],
            ["README.md", "Cannot read the picture"],
        ),
        (["--images", "toy-objects/test/apple/1"], ["--classnames"]),
        (["--images", "toy-objects/test/apple/1", "--classnames", "apple"], ["two classes"]),
        (["--images", "toy-objects/test/apple/1", "--classnames", "apple,,cup"], ["empty name"]),
        (
            ["--images", "toy-objects/test/apple/1", "--classnames", "a,b", "--picture", "out.jpg"],
            ["out.png"],
        ),
        (["--classnames", "a,b"], ["--images"]),
        (["--dataset", "toy-objects", "--template", "a photo"], ["template", "'a photo'"]),
        (["--dataset", "toy-objects-v2", "--split", "val"], ["no val pictures"]),
    ],
    ids=str,
)
def test_a_table_or_prediction_that_cannot_be_is_refused_in_one_sentence(
    tmp_path, capsys, arguments, words
):
    sentence = refusal(capsys, evaluate(tmp_path / "runs", *arguments))
    assert all(word in sentence for word in words), sentence
    assert not (tmp_path / "runs").exists()


# What is accepted, and what one bad file does


def test_a_prompt_behind_the_data_sets_and_the_folder_of_a_run_are_accepted(prompt_file, tmp_path):
    assert evaluate(tmp_path, "--dataset", "toy-satellite", prompt_file) == 0
    assert evaluate(tmp_path, prompt_file.parent) == 0
    assert evaluate(tmp_path, "--dataset", "toy-satellite", prompt_file.parent) == 0
    found = [(row["method"], row["accuracy"]) for row in rows(tmp_path)]
    assert len(found) == 3 and len(set(found)) == 1 and found[0][0] != "zero_shot"


def test_one_bad_picture_is_left_out_with_a_note_and_status_1(tmp_path, capsys):
    for i, name in enumerate(("a.png", "b.png", "c.png")):
        Image.new("RGB", (50, 40), (0, 99, 80 * i)).save(tmp_path / name)
    (tmp_path / "b.png").write_bytes(b"no picture")
    (tmp_path / "._a.png").write_bytes(b"a Mac's second file")
    arguments = ("--images", tmp_path, "--classnames", "cat,dog", "--json")
    with pytest.warns(UserWarning, match=r"b\.png"):
        assert evaluate(tmp_path / "runs", *arguments) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [os.path.basename(line["picture"]) for line in lines] == ["a.png", "c.png"]


def test_images_leave_nothing_behind(tmp_path, monkeypatch):
    Image.new("RGB", (50, 40)).save(tmp_path / "a.png")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert call(eval_script, "--images", "../a.png", "--classnames", "cat,dog") == 0
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.parametrize("damage", ["nan", "shape", "list", "types", "names"])
def test_an_odd_prompt_file_ends_in_one_sentence_with_its_name(
    prompt_file, tmp_path, capsys, damage
):
    prompt = torch.load(prompt_file, weights_only=True)
    learned = dict(prompt["learned"])
    name = next(iter(learned))
    if damage == "nan":
        learned[name] = torch.full_like(learned[name], float("nan"))
    elif damage == "shape":
        learned[name] = learned[name][:1, :1]
    elif damage == "types":
        learned[name] = 3
    prompt["learned"] = learned
    if damage == "names":
        prompt["classnames"] = [1, 2]
    path = tmp_path / "odd.pt"
    torch.save([prompt] if damage == "list" else prompt, path)
    assert "odd.pt" in refusal(capsys, evaluate(tmp_path / "runs", path))
    assert not (tmp_path / "runs" / "results.jsonl").exists()


def test_an_error_in_a_worker_process_is_one_sentence(tmp_path, capsys):
    folder = tmp_path / "mine"
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            (folder / part / name).mkdir(parents=True)
            Image.new("RGB", (50, 40)).save(folder / part / name / "1.png")
    (folder / "test" / "dog" / "1.png").write_bytes(b"no picture")
    arguments = ("--dataset", f"{folder}/", "--workers", 2)
    sentence = refusal(capsys, evaluate(tmp_path / "runs", *arguments))
    assert "Cannot read the picture" in sentence and "Traceback" not in sentence


def test_two_names_that_clip_reads_alike_bring_one_note(tmp_path):
    Image.new("RGB", (50, 40)).save(tmp_path / "a.png")
    arguments = ("--images", tmp_path / "a.png", "--classnames", "cat,Cat,dog")
    with pytest.warns(UserWarning, match="the classes 'cat' and 'Cat' have the same name") as notes:
        assert evaluate(tmp_path / "runs", *arguments) == 0
    assert len(notes) == 1


@pytest.mark.parametrize("template", ["no braces", "{{}}", "{}{}", "{name}", "{} {0}"])
def test_a_template_for_own_pictures_is_checked(tmp_path, capsys, template):
    Image.new("RGB", (50, 40)).save(tmp_path / "a.png")
    arguments = ("--images", tmp_path / "a.png", "--classnames", "cat,dog", "--template", template)
    assert "template" in refusal(capsys, evaluate(tmp_path / "runs", *arguments))


# A result says how it was evaluated


def test_a_prompt_is_evaluated_with_the_gelu_that_it_was_learned_with(tmp_path, capsys):
    arguments = ("--method", "coop", "--shots", 1, "--epochs", 2, "--gelu", "exact")
    assert call(train_script, *arguments, "--out", tmp_path) == 0
    (path,), learned = tmp_path.rglob("prompt.pt"), rows(tmp_path)[-1]
    assert evaluate(tmp_path, path) == 0
    again = rows(tmp_path)[-1]
    assert (again["gelu"], again["accuracy"]) == ("exact", learned["accuracy"])
    capsys.readouterr()
    assert "--gelu" in refusal(capsys, evaluate(tmp_path, path, "--gelu", "quick"))


def test_another_precision_is_not_taken_for_the_runs_own(prompt_file, tmp_path):
    assert evaluate(tmp_path, prompt_file, "--precision", "bf16") == 0
    (row,) = rows(tmp_path)
    assert (row["precision"], row["evaluated_in"]) == ("fp32", "bf16")


def test_all_prompts_and_data_sets_are_read_before_anything_is_recorded(
    prompt_file, tmp_path, capsys
):
    for arguments in (
        ("--dataset", "toy-satellite", tmp_path / "none.pt"),
        (prompt_file, tmp_path / "none.pt"),
        ("--dataset", "toy-satellite", "toy-nowhere"),
    ):
        refusal(capsys, evaluate(tmp_path / "runs", *arguments))
        assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "more, word",
    [
        (("--dataset", "toy"), "--dataset"),
        (("--classes", "new"), "--classes"),
        (("--variance",), "--variance"),
    ],
)
def test_flags_that_pictures_do_not_take_are_refused(tmp_path, capsys, more, word):
    arguments = ("--images", "toy-objects/test/apple/1", "--classnames", "cat,dog", *more)
    assert word in refusal(capsys, evaluate(tmp_path, *arguments))


def test_a_prompt_behind_the_pictures_is_a_prompt(prompt_file, tmp_path, capsys):
    assert evaluate(tmp_path, "--images", "toy-satellite/test/forest/1", prompt_file, "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["predictions"]) == 5


@pytest.mark.parametrize("path", ["toy-objects/foo/apple/1", "toy-objects/../apple/1"])
def test_a_drawn_picture_has_a_part_and_a_number(tmp_path, capsys, path):
    arguments = ("--images", path, "--classnames", "cat,dog")
    assert "can be drawn" in refusal(capsys, evaluate(tmp_path, *arguments))


def test_a_file_whose_name_begins_like_a_drawn_one_is_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (50, 40)).save("toy-cat.jpg")
    arguments = ("--images", "toy-cat.jpg", "--classnames", "cat,dog", "--json")
    assert call(eval_script, *arguments) == 0 and "toy-cat.jpg" in capsys.readouterr().out


def test_escapes_in_a_folders_name_do_not_reach_the_terminal(tmp_path, capsys):
    folder = tmp_path / "my\x1b[31mdir"
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            (folder / part / name).mkdir(parents=True)
            Image.new("RGB", (50, 40)).save(folder / part / name / "1.png")
    arguments = ("--dataset", f"{folder}/", "--out", tmp_path / "runs")
    assert call(train_script, "--method", "coop", "--shots", 1, "--epochs", 1, *arguments) == 0
    assert call(train_script, "--method", "coop", "--shots", 1, "--epochs", 1, *arguments) == 0
    assert call(eval_script, *arguments) == 0
    printed = capsys.readouterr()
    assert "\x1b" not in printed.out + printed.err and r"my\x1b[31mdir" in printed.out


@pytest.mark.parametrize(
    "changes",
    [
        dict(options=None),
        dict(options=dict(n_ctx=torch.ones(1))),
        dict(dataset=3),
        dict(method=["upt"]),
        dict(shots={1}),
        dict(lr=b"1"),
        dict(trained_pictures=torch.ones(1)),
    ],
    ids=str,
)
def test_odd_values_in_a_prompt_file_are_refused_before_anything_runs(
    prompt_file, tmp_path, capsys, changes
):
    path = tmp_path / "odd.pt"
    torch.save({**torch.load(prompt_file, weights_only=True), **changes}, path)
    assert "odd.pt" in refusal(capsys, evaluate(tmp_path / "runs", path))


def test_infinite_logits_are_one_sentence(prompt_file, tmp_path, capsys):
    prompt = torch.load(prompt_file, weights_only=True)
    prompt["learned"] = {name: 0 * x + 3e38 for name, x in prompt["learned"].items()}
    torch.save(prompt, tmp_path / "huge.pt")
    assert "not finite" in refusal(capsys, evaluate(tmp_path / "runs", tmp_path / "huge.pt"))
