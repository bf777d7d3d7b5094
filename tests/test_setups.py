"""train.py --paper, and methods with options of their own: what is run is what the papers ran."""

import json
import sys
import types

import pytest
from PIL import Image

from clip_min.data import BENCHMARKS
from clip_min.data.folders import PARTS
from prompts.runs.features import Compute
from prompts.runs.job import parse_train
from prompts.runs.plan import Trial as Choice, plan, recipe_of_run
from tests.scripts import refusal, rows, train

pytestmark = pytest.mark.usefixtures("few_pictures")

WORDS = "a photo of a"


@pytest.fixture
def parse(monkeypatch):
    """The words of a command line → its flags."""

    def parse(*arguments):
        monkeypatch.setattr(sys, "argv", ["train.py", *map(str, arguments)])
        return parse_train("")

    return parse


def planned(flags):
    """Flags → the runs that they ask for."""
    return plan(flags, Compute(features=None))


@pytest.mark.parametrize(
    "paper, model, protocol, shots",
    [
        ("coop", "RN50", "few-shot", [1, 2, 4, 8, 16]),  # CoOp, Sec. 3.1
        ("cocoop", "ViT-B/16", "base-to-new", [16]),  # CoCoOp, Sec. 4
        ("upt", "ViT-B/16", "few-shot", [1, 2, 4, 8, 16]),  # UPT, Sec. 3.1 and Appendix B
    ],
)
def test_a_paper_sets_its_clip_protocol_data_sets_shots_and_seeds(
    parse, paper, model, protocol, shots
):
    flags = parse("--paper", paper)
    assert (flags.model, flags.protocol, flags.shots) == ([model], protocol, shots)
    assert flags.seed == [1, 2, 3] and len(flags.dataset) == 11
    assert paper in flags.method


def test_a_protocol_of_one_source_starts_from_imagenet_with_16_shots(parse):
    """CoOp, Sec. 3.2; CoCoOp, Secs. 4.2 and 4.3; UPT, Sec. 3.2."""
    for paper in ("coop", "cocoop", "upt"):
        flags = parse("--paper", paper, "--protocol", "domain-generalization")
        assert (flags.dataset, flags.shots) == (["imagenet"], [16])


def test_with_the_tiny_clip_the_data_sets_are_the_miniature_ones(parse):
    assert len(parse("--paper", "coop", "--model", "tiny").dataset) == 8
    transfer = ("--protocol", "cross-dataset")
    assert parse("--paper", "cocoop", "--model", "tiny", *transfer).dataset == ["toy-objects"]


def test_a_flag_that_is_given_wins_and_the_line_says_what_was_set(parse, capsys):
    given = ("--shots", 4, "--seed", 7, "--dataset", "dtd", "--method", "vpt", "--model", "RN101")
    flags = parse("--paper", "upt", *given)
    assert (flags.shots, flags.seed, flags.dataset, flags.model) == ([4], [7], ["dtd"], ["RN101"])
    (line,) = capsys.readouterr().out.splitlines()
    assert line == (
        '--paper upt: --protocol few-shot; zero_shot and vpt with "a photo of a {}."; '
        "recipes: PAPER in prompts/"
    )
    parse("--paper", "coop", "--dataset", "dtd")
    (line,) = capsys.readouterr().out.splitlines()
    assert "--model RN50" in line and "--shots 1 2 4 8 16 --seed 1 2 3" in line
    assert "--dataset" not in line


def test_without_a_paper_nothing_is_printed_and_the_usual_values_hold(parse, capsys):
    flags = parse()
    assert (flags.method, flags.model, flags.shots, flags.seed) == (["upt"], ["tiny"], [16], [1])
    assert (flags.protocol, flags.dataset) == ("few-shot", ["toy-satellite"])
    assert capsys.readouterr().out == ""


def options_of(parse, words, *arguments):
    """A word of --method and more → the options with ViT-B/16, and what the recipe has not."""
    flags = parse("--method", words, *arguments)
    (variant,) = flags.variants
    clip, dataset = types.SimpleNamespace(name="ViT-B/16"), types.SimpleNamespace(name="dtd")
    _, options, changes = recipe_of_run(Choice(*variant, 16, 1), clip, dataset, flags)
    return options, changes


def test_coop_starts_at_random_in_its_own_paper_and_from_words_in_the_other_two(parse):
    """CoOp, Sec. 3.1; CoCoOp, Sec. 4, "Training Details"; UPT, Appendix B."""
    assert options_of(parse, "coop", "--paper", "coop") == ({}, {})
    for paper in ("cocoop", "upt"):
        expected = {"ctx_init": WORDS}
        assert options_of(parse, "coop", "--paper", paper) == (expected, expected)
        assert options_of(parse, "upt", "--paper", paper) == ({}, {})


def test_own_options_win_over_hp_and_hp_over_the_papers(parse):
    paper = ("--paper", "cocoop")
    assert options_of(parse, "coop", *paper, "--hp", "ctx_init=a")[0] == {"ctx_init": "a"}
    assert options_of(parse, "coop:ctx_init=b", "--hp", "ctx_init=a")[0] == {"ctx_init": "b"}
    many = {"n_ctx": 60}  # CoCoOp, Table 5: that many have no words to start from
    assert options_of(parse, "coop:n_ctx=60", *paper) == (many, many)


def test_zero_shot_clip_and_vpt_have_upts_prompt_and_the_others_their_data_sets_own(parse):
    """UPT, Appendix B. A run that does not read the prompt is the same run as without --paper."""
    arguments = ("--model", "tiny", "--shots", 1, "--seed", 1, "--dataset", "toy-satellite")
    runs = planned(parse("--paper", "upt", *arguments))
    templates = {run.name: run.dataset.templates for run in runs}
    own = ["a centered satellite photo of {}."]
    upts = ["a photo of a {}."]
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


def test_variants_of_a_method_are_runs_of_their_own_with_the_options_of_hp(parse):
    """CoOp, Tables 1 to 3, in one command."""
    method = ("--method", "coop", "coop", "coop:n_ctx=2", "zero_shot:templates=seven")
    runs = planned(parse(*method, "--hp", "class_specific=True"))
    assert [run.options for run in runs[:2]] == [{}, {"templates": "seven"}]
    assert [run.options for run in runs[2:]] == [
        {"ctx_init": WORDS, "class_specific": True},
        {"class_specific": True, "n_ctx": 2},
    ]
    assert len({run.folder for run in runs[2:]}) == 2
    hp = planned(parse("--method", "coop", "--hp", "class_specific=True", "n_ctx=2"))
    assert hp[-1].setting == runs[-1].setting  # written either way, it is the same run


@pytest.mark.parametrize("lacks", ["", "train", "test", "classes"])
def test_a_benchmark_that_is_not_whole_is_marked_in_its_runs_and_rows(
    parse, tmp_path, monkeypatch, lacks
):
    """So that no figure of a paper stands beside its accuracies."""
    split = {
        part: [[f"{name}/{part}.jpg", "abcd".index(name), name] for name in "abcd"]
        for part in PARTS
    }
    for path, *_ in [row for part in PARTS for row in split[part]]:
        (tmp_path / "eurosat/2750" / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 9)).save(tmp_path / "eurosat/2750" / path)
    (tmp_path / "eurosat/split_zhou_EuroSAT.json").write_text(json.dumps(split))
    pictures = tuple(5 if part == lacks else 4 for part in PARTS)
    small = BENCHMARKS["eurosat"]._replace(classes=4 + (lacks == "classes"), pictures=pictures)
    monkeypatch.setitem(BENCHMARKS, "eurosat", small)
    data = ("--dataset", "eurosat", "--data-root", tmp_path, "--method", "coop", "--shots", 1)
    *_, run = planned(parse(*data))
    assert ("not_whole" in run.setting) == (lacks in ("train", "classes"))
    assert ("not_whole" in run.rows[0][1]) == bool(lacks)
    *_, run = planned(parse(*data, "--protocol", "base-to-new"))
    assert ["not_whole" in row for _, row in run.rows] == [lacks in ("train", "classes")] * 2


def test_zero_shot_variants_alone_are_all_evaluated_and_told_apart(tmp_path, capsys):
    method = ("--method", "zero_shot", "zero_shot:templates=seven")
    assert train(tmp_path, *method, "--dataset", "toy-satellite") == 0
    assert [row["options"] for row in rows(tmp_path)] == [{}, {"templates": "seven"}]
    summary = capsys.readouterr().out
    assert "  zero-shot    " in summary and "  zero-shot templates=seven " in summary


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--method", "cop:n_ctx=4"], ["no method 'cop'", "coop"]),
        (["--method", "coop:n_ctx"], ["name=value", "'n_ctx'"]),
        (["--method", "coop:nctx=4"], ["coop does not have the option 'nctx'"]),
        (["--method", "zero_shot:n_ctx=4"], ["zero_shot does not have the option 'n_ctx'"]),
    ],
    ids=str,
)
def test_a_wrong_variant_is_refused_in_one_sentence(tmp_path, capsys, arguments, words):
    sentence = refusal(capsys, train(tmp_path / "runs", *arguments))
    assert all(word in sentence for word in words), sentence


def test_a_paper_that_is_not_there_is_refused(capsys, parse):
    with pytest.raises(SystemExit) as end:
        parse("--paper", "maple")
    assert end.value.code == 2 and "coop" in capsys.readouterr().err
