"""What a command line asks for: a Job, the papers' protocols and setups, runs and their folders."""

import dataclasses
import json
import types
from collections import Counter

import pytest
from PIL import Image

import eval as eval_script
import train as train_script
from clip_min.data import BENCHMARKS, SHIFTED, few_shot, load_dataset
from clip_min.data.folders import PARTS
from clip_min.world import benchmarks
from prompts.runs import batches, plan, results
from prompts.runs.features import Compute
from prompts.runs.job import option, parse_train, variant
from prompts.runs.plan import Trial, recipe_of_run
from prompts.runs.protocols import PROTOCOLS, SETUPS
from prompts.runs.run import folder_name
from tests.scripts import call, prompts, refusal, rows, train

pytestmark = pytest.mark.usefixtures("few_pictures")

WORDS = "a photo of a"
COOP = ("--method", "coop", "--shots", 1)


def parse(*words):
    """The words of a command line → its Job."""
    return parse_train("", [str(word) for word in words])


def planned(job):
    """A Job → the runs that it asks for."""
    return plan.plan(job, Compute(features=None))


# A job


def test_a_job_is_parsed_once_and_never_changed():
    job = parse("--method", "coop", "--seed", 2, 2, 1, "--dataset", "toy", "--lr", "0.5")
    assert (job.seed, len(job.dataset), job.changes) == ((2, 1), 8, {"lr": 0.5})
    with pytest.raises(dataclasses.FrozenInstanceError):
        job.seed = (3,)


def test_options_are_read_as_numbers_or_words():
    words = ("n_ctx=8", "dropout=0.1", "depth=deep", "x=-1", "y=a=b", "z=", "t=True", "n=None",
             "c=1,2", "b=b'x'", "w=a photo of a")
    assert dict(map(option, words)) == dict(
        n_ctx=8, dropout=0.1, depth="deep", x=-1, y="a=b", z="", t=True, n=None, c="1,2",
        b="b'x'", w=WORDS)
    assert variant("coop:n_ctx=4,class_specific=True") == (
        "coop", {"n_ctx": 4, "class_specific": True})


def test_a_paper_sets_its_clip_protocol_data_sets_shots_and_seeds(capsys):
    """CoOp, Sec. 3.1; CoCoOp, Sec. 4; UPT, Sec. 3.1 and Appendix B."""
    expected = {"coop": ("RN50", "few-shot", (1, 2, 4, 8, 16)),
                "cocoop": ("ViT-B/16", "base-to-new", (16,)),
                "upt": ("ViT-B/16", "few-shot", (1, 2, 4, 8, 16))}
    assert expected.keys() <= SETUPS.keys()
    for paper in SETUPS:
        job = parse("--paper", paper)
        found = (*job.model, job.protocol, job.shots)
        assert found == expected.get(paper, ("ViT-B/16", "base-to-new", (16,)))
        assert job.seed == (1, 2, 3) and len(job.dataset) == 11
        assert paper in [name for name, _ in job.variants]
        job = parse("--paper", paper, "--protocol", "domain-generalization")
        assert (job.dataset, job.shots) == (("imagenet",), (16,))
        assert len(parse("--paper", paper, "--model", "tiny").dataset) == 8
        job = parse("--paper", paper, "--model", "tiny", "--protocol", "cross-dataset")
        assert job.dataset == ("toy-objects",)


def test_a_flag_that_is_given_wins_and_the_line_says_what_was_set(capsys):
    given = ("--shots", 4, "--seed", 7, "--dataset", "dtd", "--method", "vpt", "--model", "RN101")
    job = parse("--paper", "upt", *given)
    assert (job.shots, job.seed, job.dataset, job.model) == ((4,), (7,), ("dtd",), ("RN101",))
    (line,) = capsys.readouterr().out.splitlines()
    assert line == ('--paper upt: --protocol few-shot; zero_shot and vpt with "a photo of a {}."; '
                    "recipes: PAPER in prompts/")
    parse("--paper", "coop", "--dataset", "dtd")
    (line,) = capsys.readouterr().out.splitlines()
    assert "--model RN50" in line and "--shots 1 2 4 8 16 --seed 1 2 3" in line
    assert "--dataset" not in line


def test_without_a_paper_nothing_is_printed_and_the_usual_values_hold(capsys):
    job = parse()
    assert (job.variants, job.model) == ((("upt", {}),), ("tiny",))
    assert (job.shots, job.seed) == ((16,), (1,))
    assert (job.protocol, job.dataset) == ("few-shot", ("toy-satellite",))
    assert capsys.readouterr().out == ""


# Recipes and options


def options_of(words, *arguments):
    """A word of --method and more → the options with ViT-B/16, and what the recipe has not."""
    job = parse("--method", words, *arguments)
    clip, dataset = types.SimpleNamespace(name="ViT-B/16"), types.SimpleNamespace(name="dtd")
    _, options, changes = recipe_of_run(Trial(*job.variants[0], 16, 1), clip, dataset, job)
    return options, changes


def test_coop_starts_at_random_in_its_own_paper_and_from_words_in_the_other_two():
    """CoOp, Sec. 3.1; CoCoOp, Sec. 4, "Training Details"; UPT, Appendix B."""
    assert options_of("coop", "--paper", "coop") == ({}, {})
    for paper in ("cocoop", "upt"):
        expected = {"ctx_init": WORDS}
        assert options_of("coop", "--paper", paper) == (expected, expected)
        assert options_of("upt", "--paper", paper) == ({}, {})


def test_own_options_win_over_hp_and_hp_over_the_papers():
    paper = ("--paper", "cocoop")
    assert options_of("coop", *paper, "--hp", "ctx_init=a")[0] == {"ctx_init": "a"}
    assert options_of("coop:ctx_init=b", "--hp", "ctx_init=a")[0] == {"ctx_init": "b"}
    many = {"n_ctx": 60}  # CoCoOp, Table 5: that many have no words to start from
    assert options_of("coop:n_ctx=60", *paper) == (many, many)


def test_a_recipe_of_a_protocol_is_that_protocols():
    few, base = (options_of("promptsrc", "--model", "ViT-B/16", "--protocol", protocol)[0]
                 for protocol in ("few-shot", "base-to-new"))
    assert few["mean"] == 30 and "mean" not in base


def test_zero_shot_clip_and_vpt_have_upts_prompt_and_the_others_their_data_sets_own():
    """UPT, Appendix B. A run that does not read the prompt is the same run as without --paper."""
    arguments = ("--model", "tiny", "--shots", 1, "--seed", 1, "--dataset", "toy-satellite")
    runs = planned(parse("--paper", "upt", *arguments))
    templates = {run.name: run.dataset.templates for run in runs}
    own, upts = ["a centered satellite photo of {}."], ["a photo of a {}."]
    assert templates == dict(zero_shot=upts, coop=own, vpt=upts, upt=own)
    assert all(run.targets[0][0].templates == templates[run.name] for run in runs)
    usual = {run.name: run for run in planned(parse("--method", *templates, *arguments))}
    for run in runs:
        is_worded = run.name in ("zero_shot", "vpt")
        assert (run.setting == usual[run.name].setting) == (not is_worded)
        assert run.setting.get("template") == (templates[run.name][0] if is_worded else None)
        if run.name != "zero_shot":
            assert (run.folder == usual[run.name].folder) == (not is_worded)
    given = planned(parse("--paper", "upt", *arguments, "--template", "the {}."))
    assert all(run.dataset.templates == ["the {}."] for run in given)


def test_variants_of_a_method_are_runs_of_their_own_with_the_options_of_hp(tmp_path, capsys):
    """CoOp, Tables 1 to 3, in one command."""
    method = ("--method", "coop", "coop", "coop:n_ctx=2", "zero_shot:templates=seven")
    runs = planned(parse(*method, "--hp", "class_specific=True"))
    assert [run.options for run in runs] == [
        {}, {"templates": "seven"}, {"ctx_init": WORDS, "class_specific": True},
        {"class_specific": True, "n_ctx": 2}]
    assert len({run.folder for run in runs[2:]}) == 2
    hp = planned(parse("--method", "coop", "--hp", "class_specific=True", "n_ctx=2"))
    assert hp[-1].setting == runs[-1].setting  # written either way, it is the same run
    method = ("--method", "zero_shot", "zero_shot:templates=seven")
    assert train(tmp_path, *method, "--dataset", "toy-satellite") == 0
    assert [row["options"] for row in rows(tmp_path)] == [{}, {"templates": "seven"}]
    summary = capsys.readouterr().out
    assert "  zero-shot    " in summary and "  zero-shot templates=seven " in summary


# Protocols


@pytest.fixture
def no_work(monkeypatch):
    """Nothing is trained and every accuracy is 50 %."""
    monkeypatch.setattr(train_script, "train", lambda *_: [])
    monkeypatch.setattr(results, "evaluate", lambda *_: 50.0)


def evaluations(out):
    """(method, trained on, trained classes, evaluated on, classes) of each row."""
    keys = ("method", "trained_on", "trained_classes", "dataset", "classes")
    return [tuple(row[key] for key in keys) for row in rows(out)]


def test_base_to_new_learns_on_half_the_classes_and_evaluates_on_each_half(tmp_path, no_work):
    """CoCoOp, Sec. 4.1."""
    assert train(tmp_path, *COOP, "--protocol", "base-to-new") == 0
    name = "toy-satellite"
    zero_shot = [("zero_shot", None, None, name, classes) for classes in ("base", "new")]
    learned = [("coop", name, "base", name, classes) for classes in ("base", "new")]
    assert evaluations(tmp_path) == zero_shot + learned
    (prompt,) = prompts(tmp_path).values()
    assert prompt["classnames"] == load_dataset(name).classnames[:6]


def test_class_incremental_evaluates_the_same_prompt_on_all_classes_together(
        tmp_path, no_work, monkeypatch):
    """CoCoOp, Sec. 4.4."""
    assert train(tmp_path, *COOP, "--protocol", "base-to-new") == 0
    monkeypatch.setattr(train_script, "train", lambda *_: pytest.fail("it was learned again"))
    assert train(tmp_path, *COOP, "--protocol", "class-incremental") == 0
    assert evaluations(tmp_path)[-2:] == [
        ("zero_shot", None, None, "toy-satellite", "all"),
        ("coop", "toy-satellite", "base", "toy-satellite", "all")]


def test_a_prompt_goes_from_the_source_to_all_targets(tmp_path, no_work):
    """CoCoOp, Sec. 4.2; CoOp, Sec. 3.2."""
    shifted = [f"toy-objects-{kind}" for kind in ("v2", "sketch", "a", "r")]
    for protocol, names in (("cross-dataset", benchmarks.EIGHT),
                            ("domain-generalization", ["toy-objects", *shifted])):
        assert train(tmp_path / protocol, *COOP, "--protocol", protocol) == 0
        assert evaluations(tmp_path / protocol) == [
            *(("zero_shot", None, None, name, "all") for name in names),
            *(("coop", "toy-objects", "all", name, "all") for name in names)]
    assert {name for name, protocol in PROTOCOLS.items() if protocol.transfer} == {
        "cross-dataset", "domain-generalization"}


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
        made_imagenet, tmp_path, monkeypatch):
    """CoOp, Table 1. ImageNet-A and -R have some of the classes; there is no validation part."""
    seen, image_features = [], train_script.image_features

    def record(method, items, compute):
        seen.append(items)
        return image_features(method, items, compute)

    monkeypatch.setattr(train_script, "image_features", record)
    command = ["--method", "linear_probe", "coop", "--shots", 3, "--epochs", 1, "--model", "tiny"]
    command += ["--dataset", "imagenet", "--data-root", made_imagenet]
    assert train(tmp_path / "runs", *command, "--protocol", "domain-generalization") == 0
    accuracies = {row["dataset"]: row["accuracy"] for row in rows(tmp_path / "runs")
                  if row["method"] == "linear_probe"}
    assert accuracies == dict.fromkeys(["imagenet", *SHIFTED["imagenet"]], 100.0)
    searched_on, few = seen
    dataset = load_dataset("imagenet", made_imagenet)
    assert set(few) == set(few_shot(dataset, 3, 1)[0])  # the pictures that CoOp learns from
    assert set(searched_on) <= set(dataset.train) - set(few)
    assert Counter(item.label for item in searched_on) == {0: 3, 1: 3, 2: 3, 3: 3}


@pytest.mark.filterwarnings("ignore:imagenet is")
def test_shifted_sets_have_classes_of_their_own_and_what_is_not_there_is_left_out(
        made_imagenet, tmp_path, monkeypatch):
    """CoOp, Sec. 3.2: ImageNet-A and -R are scored among their own classes."""
    (made_imagenet / "imagenet-rendition").rename(made_imagenet / "elsewhere")
    asked = []
    monkeypatch.setattr(results, "evaluate",
                        lambda method, items, *_: asked.append((method, items)) or 50.0)
    command = (*COOP, "--epochs", 1, "--dataset", "imagenet", "--data-root", made_imagenet)
    with pytest.warns(UserWarning, match="imagenet_r is left out"):
        assert train(tmp_path / "runs", *command, "--protocol", "domain-generalization") == 0
    assert [row[3] for row in evaluations(tmp_path / "runs") if row[0] == "coop"] == [
        "imagenet", "imagenetv2", "imagenet_sketch", "imagenet_a"]
    prompt, items = asked[-1]
    assert prompt.names == ["crane", "owl"] and {item.label for item in items} == {0, 1}


def test_a_benchmark_split_by_our_own_rule_is_marked_in_every_row_and_table(
        tmp_path, no_work, capsys):
    for name in ("Forest", "River"):
        folder = tmp_path / "eurosat" / "2750" / name
        folder.mkdir(parents=True)
        for i in range(6):
            Image.new("RGB", (9, 9)).save(folder / f"{name}_{i}.jpg")
    arguments = ("--dataset", "eurosat", "--data-root", tmp_path, *COOP)
    with pytest.warns(UserWarning, match="not comparable"):
        assert train(tmp_path / "runs", *arguments) == 0
    assert [row["own_split"] for row in rows(tmp_path / "runs")] == [True, True]
    (prompt,) = prompts(tmp_path / "runs").values()
    assert prompt["own_split"] is True
    capsys.readouterr()
    assert call(eval_script, "--table", "few-shot", "--out", tmp_path / "runs") == 0
    assert "not comparable with the papers" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore:eurosat is")
@pytest.mark.filterwarnings("ignore:eurosat. fewer")
def test_a_benchmark_that_is_not_whole_is_marked_in_its_runs_and_rows(tmp_path, monkeypatch):
    """So that no figure of a paper stands beside its accuracies."""
    split = {part: [[f"{name}/{part}.jpg", "abcd".index(name), name] for name in "abcd"]
             for part in PARTS}
    for path, *_ in [row for part in PARTS for row in split[part]]:
        (tmp_path / "eurosat/2750" / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 9)).save(tmp_path / "eurosat/2750" / path)
    (tmp_path / "eurosat/split_zhou_EuroSAT.json").write_text(json.dumps(split))
    whole, data = BENCHMARKS["eurosat"], ("--dataset", "eurosat", "--data-root", tmp_path, *COOP)
    for lacks in ("", "train", "test", "classes"):
        pictures = tuple(5 if part == lacks else 4 for part in PARTS)
        small = whole._replace(classes=4 + (lacks == "classes"), pictures=pictures)
        monkeypatch.setitem(BENCHMARKS, "eurosat", small)
        *_, run = planned(parse(*data))
        assert ("not_whole" in run.setting) == (lacks in ("train", "classes"))
        assert ("not_whole" in run.rows[0][1]) == bool(lacks)
        *_, run = planned(parse(*data, "--protocol", "base-to-new"))
        assert ["not_whole" in row for _, row in run.rows] == [lacks in ("train", "classes")] * 2


# What cannot be


CANNOT = [
    ("--protocol base-to-new --classes new", "--protocol+base-to-new --classes"),
    ("--protocol base-to-new --method linear_probe", "linear+probe other+classes"),
    ("--protocol cross-dataset --method coop --hp class_specific=True", "other+classes"),
    ("--protocol domain-generalization --dataset toy-flowers", "toy-flowers toy-objects"),
    ("--jobs 0", "--jobs at+least+1"),
    ("--method cop:n_ctx=4", "no+method+'cop' coop"),
    ("--method coop:n_ctx", "name=value 'n_ctx'"),
    ("--method coop:nctx=4", "coop+does+not+have+the+option+'nctx'"),
    ("--method zero_shot:n_ctx=4", "zero_shot+does+not+have+the+option+'n_ctx'"),
    ("--paper clip", "--paper coop"),
]


def test_what_cannot_be_is_refused_before_anything_is_computed(tmp_path, capsys):
    for arguments, words in CANNOT:
        sentence = refusal(capsys, train(tmp_path / "runs", "--shots", 1, *arguments.split()))
        assert all(word.replace("+", " ") in sentence for word in words.split()), sentence
        assert not (tmp_path / "runs").exists()


def test_different_words_never_share_a_folder():
    pairs = [("my/cats", "my-cats"), ("lr=1e+30", "lr=1e-30"), ("a b", "a-b"), ("a_b", "a b"),
             ("x.", "x"), ("-a", "a"), *[[f"{seed}-{'x' * 300}" for seed in (1, 2)]]]
    for one, other in pairs:
        assert folder_name(one) != folder_name(other) and len(folder_name(one)) <= 100


def test_a_batch_that_cannot_be_shared_out_is_refused(tmp_path, monkeypatch, capsys):
    """CoCoOp's paper takes batches of one picture."""
    monkeypatch.setattr(plan, "PROCESSES", 2)
    for method, size in (("upt", 5), ("cocoop", 1)):
        arguments = ("--method", method, "--shots", 1, "--batch-size", size)
        assert f"batch of {size}" in refusal(capsys, train(tmp_path / "runs", *arguments))
    assert not (tmp_path / "runs").exists()
    monkeypatch.setattr(batches, "PROCESSES", 3)
    with pytest.raises(ValueError, match="2 training pictures cannot be shared out over 3"):
        batches.training_batches(None, [1, 2], None, 1)
