"""eval.py: a learned prompt where it was trained and elsewhere, zero-shot CLIP, tables,
predictions, bad files."""

import json
import os
import re
import shutil
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
from clip_min.weights.locate import TINY
from clip_min.world import benchmarks
from prompts import METHODS
from prompts.coop import CoOp
from prompts.reports.variance import inter_class_variance, intra_class_variance
from prompts.runs import results, store
from tests.scripts import call, refusal, rows

pytestmark = pytest.mark.usefixtures("few_pictures")

UPT = ("--method", "upt", "--shots", 1, "--epochs", 2)
APPLE = ("--images", "toy-objects/test/apple/1")


@pytest.fixture(scope="module")
def trained(few_pictures, tmp_path_factory):
    """A folder with a prompt learned on all classes and one learned on the base classes."""
    out = tmp_path_factory.mktemp("trained")
    for classes in ("all", "base"):
        assert call(train_script, *UPT, "--classes", classes, "--out", out) == 0
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
    prompt, dataset = torch.load(prompt_file, weights_only=True), load_dataset(dataset)
    clip, names = load_clip("tiny"), [dataset.classnames[label] for label in labels]
    method = METHODS[prompt["method"]](clip, names, **prompt["options"])
    assert method.load_state_dict(prompt["learned"], strict=False).unexpected_keys == []
    items = [item for item in dataset.test if item.label in labels]
    images = torch.stack([image for image, _ in PictureSet(items, clip.preprocess)])
    with torch.no_grad():
        guesses = method.eval()(images).argmax(dim=-1).tolist()
    hits = sum(labels[guess] == item.label for guess, item in zip(guesses, items))
    return pytest.approx(100 * hits / len(items), abs=1e-3)


# What it measures


def test_a_prompt_reaches_exactly_the_accuracy_that_train_recorded(
        trained, prompt_file, tmp_path, capsys):
    assert evaluate(tmp_path, prompt_file) == 0
    (row,) = rows(tmp_path)
    assert row["accuracy"] == recorded(trained, "upt", "all")
    assert row["accuracy"] == accuracy_by_hand(prompt_file, "toy-satellite", range(12))
    expected = dict(method="upt", model="tiny", dataset="toy-satellite", classes="all", shots=1,
                    seed=1, epochs=2, trained_on="toy-satellite", trained_classes="all")
    assert {key: row[key] for key in expected} == expected
    assert row["command"].startswith("python eval.py ") and row["version"]
    assert f"{row['accuracy']:6.2f} %" in capsys.readouterr().out


def test_a_prompt_learned_on_the_base_classes_works_on_any_half(
        trained, base_prompt_file, tmp_path):
    """CoCoOp, Sec. 4.1: each half of the classes is scored among its own."""
    for classes, labels in (("base", range(6)), ("new", range(6, 12)), ("all", range(12))):
        assert evaluate(tmp_path, base_prompt_file, "--classes", classes) == 0
        row = rows(tmp_path)[-1]
        assert row["accuracy"] == accuracy_by_hand(base_prompt_file, "toy-satellite", labels)
        assert (row["classes"], row["trained_classes"]) == (classes, "base")
    assert rows(tmp_path)[0]["accuracy"] == recorded(trained, "upt", "base")


def test_a_prompt_works_on_the_classes_of_other_data_sets_beside_zero_shot_clip(
        prompt_file, tmp_path, capsys):
    datasets = ("toy-actions", "toy-objects-sketch")  # the second one has no training pictures
    assert evaluate(tmp_path, prompt_file, "--dataset", "toy-satellite", *datasets) == 0
    lines = capsys.readouterr().out.splitlines()
    learned, zero_shot = rows(tmp_path)[1:3], rows(tmp_path)[3:]
    assert [row["dataset"] for row in zero_shot] == list(datasets)
    for row, dataset in zip(learned, datasets, strict=True):
        labels = range(len(load_dataset(dataset).classnames))
        assert row["accuracy"] == accuracy_by_hand(prompt_file, dataset, labels)
        assert (row["dataset"], row["trained_on"]) == (dataset, "toy-satellite")
    assert evaluate(tmp_path / "alone", "--dataset", *datasets) == 0
    assert capsys.readouterr().out.splitlines() == lines[3:]


def test_without_a_prompt_it_is_zero_shot_clip(trained, tmp_path):
    for classes in ("all", "base"):
        assert evaluate(tmp_path / classes, "--dataset", "toy-satellite", "--classes", classes) == 0
        (row,) = rows(tmp_path / classes)
        assert row["method"] == "zero_shot"
        assert row["accuracy"] == recorded(trained, "zero_shot", classes)


def test_with_no_argument_at_all_it_evaluates_the_eight_sets_and_options_reach_it(
        tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(results, "evaluate", lambda method, *_: made.append(method) or 50.0)
    assert evaluate(tmp_path) == 0
    assert [row["dataset"] for row in rows(tmp_path)] == list(benchmarks.EIGHT)
    assert evaluate(tmp_path, "--dataset", "toy-satellite", "--hp", "templates=ensemble") == 0
    assert len(made[-1].templates) == 8
    assert made[-1].templates[-1] == "a centered satellite photo of {}."
    assert rows(tmp_path)[-1]["options"] == dict(templates="ensemble")


def test_the_text_is_encoded_once_however_many_pictures_there_are(tmp_path, monkeypatch):
    more = {"train": 3, "val": 4, "test": 30}  # 360: more than one batch
    monkeypatch.setattr(benchmarks, "PICTURES", more)
    coop = ("--method", "coop", "--shots", 1, "--epochs", 1)
    assert call(train_script, *coop, "--out", tmp_path) == 0
    (path,), calls, class_weights = tmp_path.rglob("prompt.pt"), [], CoOp.class_weights
    monkeypatch.setattr(CoOp, "class_weights",
                        lambda method: calls.append(1) or class_weights(method))
    assert evaluate(tmp_path, path) == 0 and len(calls) == 1


def test_every_evaluation_appends_one_line(trained, prompt_file, base_prompt_file, tmp_path):
    shutil.copy(trained / "results.jsonl", tmp_path)
    before = (tmp_path / "results.jsonl").read_bytes()
    datasets = ("toy-satellite", "toy-textures")
    assert evaluate(tmp_path, prompt_file, base_prompt_file, "--dataset", *datasets) == 0
    assert (tmp_path / "results.jsonl").read_bytes().startswith(before)
    new = rows(tmp_path)[len(before.splitlines()) :]
    expected = [(classes, dataset) for classes in ("all", "base") for dataset in datasets]
    expected.append((None, "toy-textures"))  # zero-shot CLIP, once
    assert [(row["trained_classes"], row["dataset"]) for row in new] == expected


def test_the_two_variances_are_printed(prompt_file, tmp_path, capsys):
    """UPT Eqs. (6) to (8), of zero-shot CLIP and of a prompt, which moves both towers."""
    clip, dataset = load_clip("tiny"), load_dataset("toy-satellite")
    pairs = list(PictureSet(dataset.test, clip.preprocess))
    images = torch.stack([image for image, _ in pairs])
    labels = torch.tensor([label for _, label in pairs])
    sentences = [f"a centered satellite photo of {name}." for name in dataset.classnames]
    within = intra_class_variance(clip.encode_image(images), labels)
    between = inter_class_variance(clip.encode_text(clip.tokenizer(sentences, 32)))
    for prompts in ((), (prompt_file,)):
        assert evaluate(tmp_path, *prompts, "--dataset", "toy-satellite", "--variance") == 0
        printed = capsys.readouterr().out.strip()
        found = re.search(r"Var_v (\d\.\d{4})  Var_t (\d\.\d{4})$", printed)
        var_v, var_t = map(float, found.groups())
        right = abs(var_v - within) < 1e-4 and abs(var_t - between) < 1e-4
        assert right == (not prompts) and 0 < var_v < 1 and 0 < var_t < 1


def test_the_variances_need_texts_that_are_the_same_for_every_picture(tmp_path, capsys):
    cocoop = ("--method", "cocoop", "--shots", 1, "--epochs", 1)
    assert call(train_script, *cocoop, "--out", tmp_path) == 0
    (path,) = tmp_path.rglob("prompt.pt")
    assert "--variance" in refusal(capsys, evaluate(tmp_path, path, "--variance"))


# A result says how it was evaluated


def test_a_prompt_is_evaluated_with_the_gelu_that_it_was_learned_with(tmp_path, capsys):
    arguments = ("--method", "coop", "--shots", 1, "--epochs", 2, "--gelu", "exact")
    assert call(train_script, *arguments, "--out", tmp_path) == 0
    (path,), learned = tmp_path.rglob("prompt.pt"), rows(tmp_path)[-1]
    assert evaluate(tmp_path, path) == 0
    again = rows(tmp_path)[-1]
    assert (again["gelu"], again["accuracy"]) == ("exact", learned["accuracy"])
    assert "--gelu" in refusal(capsys, evaluate(tmp_path, path, "--gelu", "quick"))


def test_another_precision_is_not_taken_for_the_runs_own(prompt_file, tmp_path):
    assert evaluate(tmp_path, prompt_file, "--precision", "bf16") == 0
    (row,) = rows(tmp_path)
    assert (row["precision"], row["evaluated_in"]) == ("fp32", "bf16")


def test_a_prompt_behind_the_data_sets_and_the_folder_of_a_run_are_accepted(prompt_file, tmp_path):
    assert evaluate(tmp_path, "--dataset", "toy-satellite", prompt_file) == 0
    assert evaluate(tmp_path, prompt_file.parent) == 0
    assert evaluate(tmp_path, "--dataset", "toy-satellite", prompt_file.parent) == 0
    found = [(row["method"], row["accuracy"]) for row in rows(tmp_path)]
    assert len(found) == 3 and len(set(found)) == 1 and found[0][0] != "zero_shot"


# Tables, plots and outputs


def test_tables_and_plots_are_those_of_the_results(trained, tmp_path, capsys):
    for kind in ("text", "markdown", "csv"):
        assert evaluate(trained, "--table", "few-shot", "--format", kind) == 0
        printed = capsys.readouterr().out
        assert f"{recorded(trained, 'upt', 'all'):.1f}" in printed and "zero_shot" in printed
        assert "older" not in printed
    plot = tmp_path / "plot.svg"
    assert evaluate(trained, "--plot", "few-shot", plot) == 0
    assert ElementTree.parse(plot).getroot().tag.endswith("svg")


def test_an_output_never_replaces_an_input_or_a_file_of_another_kind(
        trained, prompt_file, tmp_path, capsys):
    picture, text = tmp_path / "a.png", tmp_path / "notes.svg"
    Image.new("RGB", (50, 40)).save(picture)
    text.write_text("These are notes.")
    classes = ("--classnames", "cat,dog")
    for arguments in (("--images", picture, *classes, "--picture", picture),
                      ("--images", tmp_path, *classes, "--picture", picture),
                      ("--images", picture, *classes, "--picture", tmp_path / "b.jpg"),
                      ("--plot", "few-shot", trained / "results.jsonl"),
                      ("--plot", "few-shot", prompt_file),
                      ("--plot", "few-shot", text),
                      ("--plot", "few-shot", tmp_path)):
        kept = {path: path.read_bytes() for path in (picture, text, prompt_file)}
        assert ".part" not in refusal(capsys, evaluate(trained, *arguments)), arguments
        assert {path: path.read_bytes() for path in kept} == kept
    assert (trained / "results.jsonl").read_text().startswith("{")


# Pictures of one's own


def test_the_probabilities_of_pictures_are_those_of_the_equation(tmp_path, capsys):
    picture, names = tmp_path / "a.png", ("river", "forest", "lake")
    benchmarks.draw("toy-satellite/test/river/1").save(picture)
    arguments = ("--images", picture, "--classnames", ",".join(names))
    assert evaluate(tmp_path, *arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(picture) and len(lines) == 4
    assert evaluate(tmp_path, *arguments, "--json", "--picture", tmp_path / "out.png") == 0
    row = json.loads(capsys.readouterr().out)
    assert row["picture"] == str(picture) and Image.open(tmp_path / "out.png").width > 300
    clip = load_clip("tiny")
    texts = clip.tokenizer([f"a photo of a {name}." for name in names], 32)
    image = preprocess(read_picture(picture), clip.image_size)[None]
    f = torch.nn.functional.normalize(clip.encode_image(image), dim=-1)
    w = torch.nn.functional.normalize(clip.encode_text(texts), dim=-1)
    expected = (clip.logit_scale.exp() * f @ w.T).softmax(dim=-1)[0].tolist()
    found = {each["class"]: each["probability"] for each in row["predictions"]}
    assert found == pytest.approx(dict(zip(names, expected)), abs=1e-5)
    assert not (tmp_path / "results.jsonl").exists()


def test_a_prompt_names_its_own_classes_wherever_it_stands(prompt_file, tmp_path, capsys):
    picture = "toy-satellite/test/river/1"
    for arguments in ((prompt_file, "--images", picture), ("--images", picture, prompt_file)):
        assert evaluate(tmp_path, *arguments, "--json") == 0
        found = json.loads(capsys.readouterr().out)["predictions"]
        names = [prediction["class"] for prediction in found]
        assert len(names) == 5 and set(names) <= set(load_dataset("toy-satellite").classnames)


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
    assert not (tmp_path / "runs").exists()


def test_a_file_whose_name_begins_like_a_drawn_one_is_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (50, 40)).save("toy-cat.jpg")
    arguments = ("--images", "toy-cat.jpg", "--classnames", "cat,dog", "--json")
    assert call(eval_script, *arguments) == 0 and "toy-cat.jpg" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["toy-cat.jpg"]


def test_two_names_that_clip_reads_alike_bring_one_note(tmp_path):
    arguments = (*APPLE, "--classnames", "cat,Cat,dog")
    with pytest.warns(UserWarning, match="the classes 'cat' and 'Cat' have the same name") as notes:
        assert evaluate(tmp_path / "runs", *arguments) == 0
    assert len(notes) == 1


# Prompts of the published code, and folders of one's own


def published(path, clip, names, ctx):
    """Write a prompt as CoOp's published code does."""
    M = ctx.shape[-2]
    tokens = clip.tokenizer([f"{'x ' * M}{name}." for name in names], clip.context_length)
    embedded = clip.token_embedding(tokens).detach()
    state = dict(ctx=ctx, token_prefix=embedded[:, :1], token_suffix=embedded[:, 1 + M :])
    torch.save(dict(state_dict=state, epoch=2), path)


def test_a_prompt_of_the_published_code_is_evaluated_like_our_own(tmp_path, capsys):
    for class_specific in (False, True):
        out, file = tmp_path / str(class_specific), tmp_path / f"{class_specific}.pth.tar-2"
        options = ("--hp", f"class_specific={class_specific}", "n_ctx=4", "ctx_init=None")
        arguments = ("--method", "coop", "--shots", 1, "--epochs", 2, *options, "--out", out)
        assert call(train_script, *arguments) == 0
        (path,), names = out.rglob("prompt.pt"), load_dataset("toy-satellite").classnames
        published(file, load_clip("tiny"), names, load_tensors(path)["learned"]["ctx"])
        capsys.readouterr()
        assert "--dataset" in refusal(capsys, evaluate(out / "again", file))
        command = (file, "--method", "coop", "--dataset", "toy-satellite")
        assert evaluate(out / "again", *command) == 0
        ours, theirs = rows(out)[-1], rows(out / "again")[-1]
        assert (theirs["accuracy"], theirs["dataset"]) == (ours["accuracy"], "toy-satellite")
        assert theirs["options"]["class_specific"] == class_specific
        assert theirs["trained_on"] is None
        assert evaluate(out / "again", *command, "--gelu", "exact") == 0
        assert (theirs.get("gelu"), rows(out / "again")[-1]["gelu"]) == (None, "exact")


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


def test_a_published_class_specific_prompt_fits_classes_however_they_are_spelt(
        own_folder, tmp_path):
    path = tmp_path / "model.pth.tar-50"
    published(path, load_clip("tiny"), ["Cup", "T-shirt"], torch.zeros(2, 2, 128))
    assert evaluate(tmp_path, path, "--dataset", own_folder) == 0
    assert rows(tmp_path)[0]["options"]["class_specific"] is True


def test_a_template_is_part_of_what_was_learned(own_folder, tmp_path, monkeypatch):
    """VPT's text is the template, so that another one would give other figures."""
    arguments = ("--method", "vpt", "--shots", 2, "--epochs", 2, "--template", "my {} at home")
    runs = tmp_path / "runs"
    assert call(train_script, *arguments, "--dataset", own_folder, "--out", runs) == 0
    (path,), learned = runs.rglob("prompt.pt"), rows(runs)[-1]
    assert load_tensors(path)["text_template"] == learned["template"] == "my {} at home"
    made, method_of_prompt = [], store.method_of_prompt

    def spy(prompt, clip, dataset):
        made.append(dataset.templates)
        return method_of_prompt(prompt, clip, dataset)

    monkeypatch.setattr(store, "method_of_prompt", spy)
    assert evaluate(tmp_path / "again", path) == 0
    assert evaluate(tmp_path / "again", path, "--template", "{}!") == 0
    assert evaluate(tmp_path / "again", path, "--images", own_folder / "test" / "Cup") == 0
    assert made == [["my {} at home"], ["{}!"], ["my {} at home"]]
    assert [row["template"] for row in rows(tmp_path / "again")] == ["my {} at home", "{}!"]


# What goes wrong


BAD_INPUT = [
    ("nowhere/prompt.pt", "nowhere/prompt.pt"),
    ("--method upt", "upt learned+first prompt+file"),
    ("--method zeroshot", "'zeroshot' Did+you+mean+zero_shot?"),
    ("--dataset toy-action", "'toy-action' Did+you+mean+toy-actions"),
    ("--dataset dtd", "dtd --data-root"),
    ("--hp templates=foo", "templates 'foo'"),
    ("--hp n_ctx=4", "zero_shot n_ctx"),
    ("--hp n_ctx", "name=value 'n_ctx'"),
    ("--table few-shot", "results.jsonl train.py --protocol+few-shot"),
    ("--table fewshot", "'fewshot' few-shot base-to-new"),
    ("--plot pie pie.svg", "'pie' few-shot"),
    ("--images nowhere.jpg --classnames a,b", "nowhere.jpg"),
    ("--images README.md --classnames a,b", "README.md Cannot+read+the+picture"),
    ("--images", "--images"),
    ("--images toy-objects/test/apple/1", "--classnames"),
    ("--images toy-objects/test/apple/1 --classnames apple", "two+classes"),
    ("--images toy-objects/test/apple/1 --classnames apple,,cup", "empty+name"),
    ("--images toy-objects/foo/apple/1 --classnames a,b", "can+be+drawn"),
    ("--images toy-objects/../apple/1 --classnames a,b", "can+be+drawn"),
    ("--images toy-objects/test/apple/1 --classnames a,b --dataset toy", "--dataset"),
    ("--images toy-objects/test/apple/1 --classnames a,b --classes new", "--classes"),
    ("--images toy-objects/test/apple/1 --classnames a,b --variance", "--variance"),
    ("--images toy-objects/test/apple/1 --classnames a,b --template {}{}", "template"),
    ("--images toy-objects/test/apple/1 --classnames a,b --template {name}", "template"),
    ("--classnames a,b", "--images"),
    ("--dataset toy-objects --template photo", "template 'photo'"),
    ("--dataset toy-objects-v2 --split val", "no+val+pictures"),
    ("--dataset toy-satellite none.pt", "none.pt"),
    ("--dataset toy-satellite toy-nowhere", "toy-nowhere"),
]


def test_bad_input_ends_in_one_clear_sentence_and_nothing_is_written(tmp_path, capsys):
    for arguments, words in BAD_INPUT:
        sentence = refusal(capsys, evaluate(tmp_path / "runs", *arguments.split()))
        assert all(word.replace("+", " ") in sentence for word in words.split()), sentence
        assert not (tmp_path / "runs").exists(), arguments


def test_a_prompt_file_of_another_method_or_with_other_options_is_refused(
        prompt_file, tmp_path, capsys):
    for arguments in (("--method", "coop"), ("--method", "zero_shot"), ("--hp", "n_ctx=8")):
        sentence = refusal(capsys, evaluate(tmp_path / "runs", prompt_file, *arguments))
        assert "holds a prompt of upt" in sentence and str(prompt_file) in sentence
        assert not (tmp_path / "runs").exists()


def test_a_prompt_made_with_another_backbone_is_refused(prompt_file, tmp_path, capsys):
    weights, other, same = torch.load(TINY, weights_only=True), *(
        tmp_path / name for name in ("other.pt", "same.pt"))
    weights["logit_scale"] = weights["logit_scale"] + 0.1  # all sizes fit, one number differs
    save_tensors(other, weights)
    shutil.copy(TINY.with_name("merges.txt"), tmp_path)
    sentence = refusal(capsys, evaluate(tmp_path / "runs", prompt_file, "--model", other))
    assert "tiny" in sentence and str(other) in sentence and "--model" in sentence
    assert not (tmp_path / "runs").exists()
    shutil.copy(TINY, same)  # the same weights under another name are the same backbone
    assert evaluate(tmp_path / "runs", prompt_file, "--model", same) == 0


def test_a_file_that_is_not_a_prompt_file_is_refused_by_name_and_never_run(
        prompt_file, tmp_path, capsys):
    whole, mark, path = prompt_file.read_bytes(), tmp_path / "mark", tmp_path / "odd.pt"
    prompt = torch.load(prompt_file, weights_only=True)
    name, tensor = next(iter(prompt["learned"].items()))

    class Payload:
        def __reduce__(self):
            return os.mkdir, (str(mark),)

    def with_learned(value):
        return dict(prompt, learned={**prompt["learned"], name: value})

    odd = [whole[: len(whole) // 2], b"no prompt", b"", TINY.read_bytes(), [1, 2], [prompt]]
    odd += [{**prompt, **changes} for changes in (
        dict(method="hypnosis"), dict(method="coop"), dict(method=["upt"]),
        dict(options=dict(hypnosis=True)), dict(options=dict(n_ctx=5)), dict(options=None),
        dict(options=dict(n_ctx=torch.ones(1))), dict(learned={}), dict(learned=Payload()),
        dict(dataset=3), dict(classnames=[1, 2]), dict(shots={1}), dict(lr=b"1"),
        dict(trained_pictures=torch.ones(1)))]
    odd += [{key: value for key, value in prompt.items() if key != missing}
            for missing in ("dataset", "options", "classes", "classnames")]
    odd += [with_learned(torch.full_like(tensor, float("nan"))), with_learned(tensor[:1, :1]),
            with_learned(3)]
    for i, content in enumerate(odd):
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            save_tensors(path, content)
        sentence = refusal(capsys, evaluate(tmp_path / "runs", path))
        assert not (tmp_path / "runs").exists() and not mark.exists(), i
        assert "odd.pt" in sentence or "option" in sentence, (i, sentence)
    save_tensors(path, dict(prompt, learned=Payload()))
    torch.load(path, weights_only=False)  # the careless way does run it
    assert mark.exists()


def test_infinite_logits_are_one_sentence(prompt_file, tmp_path, capsys):
    prompt = torch.load(prompt_file, weights_only=True)
    prompt["learned"] = {name: 0 * x + 3e38 for name, x in prompt["learned"].items()}
    torch.save(prompt, tmp_path / "huge.pt")
    assert "not finite" in refusal(capsys, evaluate(tmp_path / "runs", tmp_path / "huge.pt"))


def draw_two_classes(folder):
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            (folder / part / name).mkdir(parents=True)
            Image.new("RGB", (50, 40)).save(folder / part / name / "1.png")
    return folder


def test_an_error_in_a_worker_process_is_one_sentence(tmp_path, capsys):
    folder = draw_two_classes(tmp_path / "mine")
    (folder / "test" / "dog" / "1.png").write_bytes(b"no picture")
    arguments = ("--dataset", f"{folder}/", "--workers", 2)
    sentence = refusal(capsys, evaluate(tmp_path / "runs", *arguments))
    assert "Cannot read the picture" in sentence and "Traceback" not in sentence


def test_escapes_in_a_folders_name_do_not_reach_the_terminal(tmp_path, capsys):
    folder = draw_two_classes(tmp_path / "my\x1b[31mdir")
    arguments = ("--dataset", f"{folder}/", "--out", tmp_path / "runs")
    train = ("--method", "coop", "--shots", 1, "--epochs", 1, *arguments)
    for _ in range(2):
        assert call(train_script, *train) == 0
    assert call(eval_script, *arguments) == 0
    assert call(eval_script, "--table", "few-shot", "--out", tmp_path / "runs") == 0
    (folder / "test" / "dog" / "1.png").write_bytes(b"no picture")
    call(eval_script, *arguments)
    printed = capsys.readouterr()
    assert "\x1b" not in printed.out + printed.err
    assert r"my\x1b[31mdir" in printed.out and r"my\x1b[31mdir" in printed.err
