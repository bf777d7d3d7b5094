"""The papers' tables from rows of results.jsonl: which rows count where, and beside which of the papers' figures."""

import csv
import doctest
import io
from pathlib import Path

import pytest

from clip_min.data import ELEVEN, SHIFTED
from clip_min.files import read_json_lines
from prompts.experiments import papers, plots, tables
from prompts import FILES, METHODS
from tests.reliability.helpers import make_row, zero_shot


def as_dicts(rows, name, **choice):
    header, body = tables.table(rows, name, **choice)
    return [dict(zip(header, row)) for row in body if len(row) > 1]


def find(lines, **wanted):
    (line,) = [line for line in lines if wanted.items() <= line.items()]
    return line


def test_few_shot_has_a_column_for_each_number_of_shots_and_zero_shot_beside():
    rows = [make_row(seed=s, shots=n, accuracy=50.0 + s + n) for s, n in [(1, 1), (2, 1), (1, 16), (2, 16), (3, 16)]]
    elsewhere = [zero_shot("toy-flowers"), zero_shot(model="ViT-B/16"), zero_shot(sha256="b2")]
    header, body = tables.table([*rows, zero_shot(), *elsewhere], "few-shot")
    assert header == ["dataset", "method", "0 shots", "1 shot", "16 shots", "seeds", "paper"]
    assert body == [
        ["toy-objects", "zero_shot", "40.0", "", "", "1", ""],
        ["toy-objects", "coop", "", "52.5 ± 0.5", "68.0 ± 0.8", "2-3", ""],
    ]


def test_the_last_of_several_rows_for_a_run_counts():
    assert as_dicts([make_row(accuracy=1.0), make_row(accuracy=70.0)], "few-shot")[0]["16 shots"] == "70.0"


@pytest.mark.parametrize("other", [
    dict(split="val"), dict(trained_classes="base"), dict(classes="new"), dict(trained_on="toy-flowers"),
    dict(trained_on=None, seed=None),  # of the published code
])  # fmt: skip
def test_rows_of_other_splits_classes_and_protocols_are_not_few_shot(other):
    (line,) = as_dicts([make_row(), make_row(accuracy=0.0, **dict(seed=2) | other)], "few-shot")
    assert (line["16 shots"], line["seeds"]) == ("50.0", "1")


@pytest.mark.parametrize("method, change, label", [
    ("coop", dict(options=dict(ctx_init="a photo of a", class_specific=True)), "coop class_specific=True"),
    ("coop", dict(options={}), "coop ctx_init=None"),
    ("upt", dict(lr=0.1), "upt lr=0.1"),
    ("upt", dict(epochs=7), "upt epochs=7"),
    ("upt", dict(batch_size=4), "upt batch_size=4"),
    ("upt", dict(crop_scale=[0.5, 1.0]), "upt crop_scale=[0.5, 1.0]"),
    ("upt", dict(flip=True), "upt flip=True"),
    ("upt", dict(max_norm=None), "upt max_norm=None"),
    ("coop", dict(views=0), "coop views=0"),
    ("coop", dict(precision="fp16"), "coop precision=fp16"),
    ("vpt", dict(template="{}."), "vpt template={}."),
    ("linear_probe", dict(options=dict(C=1.0)), "linear_probe C=1.0"),
    ("cocoop", dict(options=dict(ctx_init=None)), "cocoop ctx_init=None"),
    ("zero_shot", dict(options=dict(templates="ensemble")), "zero_shot templates=ensemble"),
])  # fmt: skip
def test_another_option_or_recipe_is_a_line_of_its_own_and_says_how_it_differs(method, change, label):
    make = zero_shot if method == "zero_shot" else lambda **more: make_row(method, **more)
    lines = as_dicts([make_row("upt"), make(**change), make()], "few-shot")
    assert [line["method"] for line in lines if line["method"].startswith(method)] == [method, label]


def test_the_recipe_of_a_number_of_shots_between_two_of_it_is_that_of_the_next(monkeypatch):
    monkeypatch.setattr(FILES["upt"], "TINY", FILES["upt"].TINY | dict(epochs={1: 5, 4: 6}))
    for shots, epochs in ((1, 5), (3, 6), (4, 6), (16, 6)):
        recipe = dict(lr=0.01, options={}, trained_on="toy-objects")
        assert tables.recipe_of(recipe | dict(method="upt", model="tiny", shots=shots))["epochs"] == epochs


def test_two_sets_of_weights_under_one_name_are_never_mixed():
    lines = as_dicts([make_row(), make_row(seed=2, sha256="b2"), make_row(model="ViT-B/16")], "few-shot")
    assert [(line["model"], line["seeds"]) for line in lines] == [("ViT-B/16", "1"), ("tiny a1", "1"), ("tiny b2", "1")]
    assert as_dicts([make_row(), make_row(model="ViT-B/16")], "few-shot", models=["tiny"])[0].get("model") is None


def test_an_average_is_over_the_seeds_that_every_set_has_and_only_for_methods_with_every_set():
    rows = [make_row(dataset=d, seed=s, accuracy=a) for d, s, a in [
        ("toy-flowers", 1, 60.0), ("toy-flowers", 2, 64.0), ("toy-flowers", 3, 10.0),
        ("toy-objects", 1, 50.0), ("toy-objects", 2, 52.0),
    ]]  # fmt: skip
    lines = as_dicts([*rows, make_row("upt")], "few-shot")
    assert [(line["dataset"], line["method"]) for line in lines] == [
        ("toy-objects", "coop"), ("toy-objects", "upt"), ("toy-flowers", "coop"), ("average of 2 toy sets", "coop"),
    ]  # fmt: skip
    assert (lines[-1]["16 shots"], lines[-1]["seeds"]) == ("56.5 ± 1.5", "2")  # of 55 and 58


def test_base_to_new_has_the_harmonic_mean_of_the_means():
    """H = 2 b n / (b + n), CoCoOp, Sec. 4.1."""
    rows = [make_row(classes=c, trained_classes="base", seed=s, accuracy=a) for c, s, a in [
        ("base", 1, 82.0), ("base", 2, 84.0), ("new", 1, 60.0), ("new", 2, 66.0), ("all", 1, 1.0),
    ]]  # fmt: skip
    rows += [make_row(accuracy=2.0), zero_shot(classes="base"), zero_shot(classes="new", accuracy=60.0), zero_shot()]
    header, body = tables.table(rows, "base-to-new")
    assert header == ["dataset", "method", "shots", "base", "new", "H", "seeds", "paper"]
    assert body == [
        ["toy-objects", "zero_shot", "0", "40.0", "60.0", "48.0", "1", ""],
        ["toy-objects", "coop", "16", "83.0 ± 1.0", "63.0 ± 3.0", "71.6", "2", ""],
    ]
    assert tables.table(rows, "class-incremental")[1] == [
        ["toy-objects", "zero_shot", "0", "40.0", "1", ""], ["toy-objects", "coop", "16", "1.0", "1", ""],
    ]  # fmt: skip


def test_the_papers_harmonic_means_are_those_of_their_base_and_new():
    rows = list(csv.DictReader(Path(papers.__file__).with_name("papers.csv").open()))
    cells = {}
    for row in rows:
        cells.setdefault((row["table"], row["method"], row["dataset"]), {})[row["metric"]] = {0: float(row["value"])}
    triples = [cell for cell in cells.values() if "harmonic-mean" in cell]
    assert len(triples) == 39
    for cell in triples:
        assert tables.harmonic_mean(cell) == pytest.approx(cell["harmonic-mean"][0], abs=0.011)


def transfer_rows(source, targets):
    yield zero_shot(source)
    yield make_row(dataset=source, accuracy=70.0)
    yield make_row("upt", dataset=source)  # never evaluated elsewhere
    for i, target in enumerate(targets):
        yield zero_shot(target, 30.0 + i)
        yield make_row(dataset=target, trained_on=source, accuracy=60.0 + i)


def test_domain_generalization_has_the_source_then_its_shifted_versions_then_their_average():
    targets = SHIFTED["toy-objects"]
    rows = [*transfer_rows("toy-objects", [*targets, "toy-flowers"]), zero_shot("toy-glyphs")]
    fewer = [row for row in rows if row["method"] == "zero_shot" or row["dataset"] in ("toy-objects", targets[0])]
    assert {line["dataset"] for line in as_dicts(fewer, "domain-generalization")} == {"toy-objects", targets[0]}
    header, body = tables.table(rows, "domain-generalization")
    assert header == ["source", "dataset", "method", "shots", "accuracy", "seeds", "paper"]
    assert [row[1:3] for row in body] == [
        [d, m] for d in ("toy-objects", *targets, "average of 4 toy targets") for m in ("zero_shot", "coop")
    ]
    assert [row[4] for row in body[-2:]] == ["31.5", "61.5"]  # without the source


def test_cross_dataset_leaves_the_shifted_versions_out_and_puts_the_source_first():
    rows = [*transfer_rows("toy-satellite", ["toy-glyphs", "toy-objects"])]
    rows += [*transfer_rows("toy-objects", ["toy-glyphs", *SHIFTED["toy-objects"]])]
    rows += [make_row(trained_on=None)]  # a prompt of the published code, which does not say where it was learned
    lines = as_dicts(rows, "cross-dataset", methods=["coop"])
    assert [(line["source"], line["dataset"]) for line in lines] == [
        ("toy-objects", "toy-objects"), ("toy-objects", "toy-glyphs"), ("toy-satellite", "toy-satellite"),
        ("toy-satellite", "toy-objects"), ("toy-satellite", "toy-glyphs"),
        ("toy-satellite", "average of 2 toy targets"),
    ]  # fmt: skip
    assert {line["source"] for line in as_dicts(rows, "cross-dataset", datasets=["toy-satellite"])} == {"toy-satellite"}


def test_choices_restrict_the_table_and_the_order_is_that_of_the_methods():
    rows = [make_row(m, shots=n) for m in reversed(METHODS) if m != "zero_shot" for n in (1, 16)] + [zero_shot()]
    assert [line["method"] for line in as_dicts(rows, "few-shot")] == list(METHODS)
    chosen = as_dicts(rows, "few-shot", methods=["coop", "zero_shot"], shots=[1], datasets=["toy-objects"])
    assert [line["method"] for line in chosen] == ["zero_shot", "coop"] and "16 shots" not in chosen[0]


@pytest.mark.parametrize("choice, command", [
    ({}, "python train.py --method coop upt --dataset toy --protocol few-shot"),
    (dict(methods=["zero_shot", "vpt"], datasets=["dtd"], models=["RN50"], shots=[1, 2]),
     "python train.py --method vpt --dataset dtd --model RN50 --shots 1 2 --protocol few-shot"),
])  # fmt: skip
def test_an_empty_table_is_refused_with_the_command_that_fills_it(choice, command):
    with pytest.raises(ValueError, match="There are no few-shot results") as error:
        others = [make_row() | dict(method="of another version"), {"a line": "of something else"}]
        tables.table([zero_shot(), *others], "few-shot", **choice)
    assert f"`{command}`." in str(error.value)


def test_an_unknown_table_is_refused_with_the_five_names():
    with pytest.raises(ValueError, match="choose few-shot, base-to-new, class-incremental, cross-dataset or domain-"):
        tables.table([], "fewshot")


VIT = dict(model="ViT-B/16")
WORDS = dict(options=dict(ctx_init="a photo of a"))


@pytest.mark.parametrize("row, cell", [
    (make_row("upt", "eurosat", **VIT), "90.5 (UPT T2)"),
    (make_row("upt", "eurosat", **VIT, views=0, precision="fp16"), "90.5 (UPT T2)"),
    (make_row("upt", "eurosat", **VIT, options=dict(n_ctx=4, depth="deep")), "90.5 (UPT T2)"),
    (make_row("upt", "eurosat", **VIT, options=dict(n_ctx=8)), ""),
    (make_row("upt", "eurosat", **VIT, lr=0.1), ""),
    (make_row("upt", "eurosat", shots=8, **VIT), ""),
    (make_row("upt", "eurosat", model="ViT-B/32"), ""),
    (make_row("upt", "eurosat"), ""),
    (make_row("coop", "eurosat", **VIT, **WORDS), "78.8 (UPT T2)"),  # M = 4
    (make_row("coop", "eurosat", **VIT), ""),  # M = 16
    (make_row("coop", "imagenet", **VIT, epochs=50), "70.1 (CoOp T2)"),
    (make_row("coop", "imagenet", **VIT, epochs=50, options=dict(n_ctx=16)), "70.1 (CoOp T2)"),
    (make_row("coop", "imagenet", **VIT), ""),  # 200 epochs
    (make_row("vpt", "sun397", **VIT), "71.6 (UPT T2)"),
    (make_row("vpt", "sun397", **VIT, options=dict(depth=1)), "68.1 (UPT T2)"),
    (make_row("vpt", "eurosat", **VIT), ""),  # a template of its own
    (make_row("vpt", "eurosat", **VIT, template="a photo of a {}."), "91.5 (UPT T2)"),
])  # fmt: skip
def test_a_papers_figure_stands_only_beside_a_run_with_its_settings(row, cell):
    assert as_dicts([row], "few-shot")[0]["paper"] == cell


def test_zero_shot_clip_has_the_figures_of_its_templates():
    others = [make_row("coop", "imagenet", **VIT), zero_shot("imagenet", **VIT)]
    lines = as_dicts([*others, zero_shot("imagenet", **VIT, options=dict(templates="ensemble"))], "few-shot")
    assert [line["paper"] for line in lines] == ["64.7 (CoOp T2)", "67.3 (CoOp T2)", ""]
    assert as_dicts([*others, zero_shot("imagenet", **VIT, template="{}.")], "few-shot")[1]["paper"] == ""


def test_figures_that_several_papers_give_are_named_once_with_all_of_them():
    rows = [make_row("coop", d, trained_on="imagenet", **VIT, epochs=50, **WORDS) for d in ("imagenet", "imagenet_r")]
    rows += [zero_shot(d, **VIT) for d in ("imagenet", "imagenet_r")]
    line = find(as_dicts(rows, "domain-generalization"), dataset="imagenet_r", method="coop ctx_init=a photo of a")
    assert line["paper"] == "75.2 (CoCoOp T3, UPT T1)"
    zero = find(as_dicts(rows, "domain-generalization"), dataset="imagenet_r", method="zero_shot")
    assert zero["paper"] == "72.5 (CoOp T1); 74.0 (CoCoOp T3)"


def test_base_new_and_harmonic_mean_of_a_paper_stand_together():
    rows = [make_row("cocoop", "eurosat", trained_classes="base", classes=c, **VIT) for c in ("base", "new")]
    assert as_dicts(rows, "base-to-new")[0]["paper"] == "87.5 / 60.0 / 71.2 (CoCoOp T1)"


def test_the_papers_averages_stand_beside_averages_of_the_same_data_sets():
    few = [make_row("upt", d, epochs=50 if d == "imagenet" else 200, **VIT) for d in ELEVEN]
    assert as_dicts(few, "few-shot")[-1]["paper"] == "81.4 (UPT T2)"
    folders = [make_row("upt", f"folder-{i}", **VIT) for i in range(11)]
    line = as_dicts(folders, "few-shot")[-1]
    assert (line["dataset"], line["paper"]) == ("average of 11", "")
    cross = [make_row("cocoop", d, trained_on="imagenet", **VIT) for d in ELEVEN]
    assert as_dicts(cross, "cross-dataset")[-1]["paper"] == "65.7 (CoCoOp T2)"
    from_pets = [make_row("cocoop", d, trained_on="oxford_pets", **VIT) for d in ELEVEN]
    assert {line["paper"] for line in as_dicts(from_pets, "cross-dataset")} == {""}


def test_a_split_of_our_own_has_a_footnote_instead_of_the_papers_figures():
    rows = [make_row("upt", "caltech101", own_split=True, **VIT), make_row("upt", "dtd", **VIT)]
    header, body = tables.table(rows, "few-shot")
    assert [row[-1] for row in body] == ["own split", "70.7 (UPT T2)", "own split",
                                         "own split: not comparable with the papers' figures"]  # fmt: skip
    assert len(body[-1]) == 1
    assert tables.as_text(header, body).endswith("\n\n" + body[-1][0])
    assert tables.as_markdown(header, body).endswith("\n\n" + body[-1][0])
    assert "not comparable" not in tables.as_csv(header, body)


def test_text_is_aligned_and_markdown_has_a_cell_for_every_column():
    header, body = tables.table([make_row(), make_row(seed=2, accuracy=51.0), zero_shot()], "few-shot")
    assert tables.as_text(header, body).splitlines() == [
        "dataset      method     0 shots  16 shots    seeds  paper",
        "toy-objects  zero_shot  40.0                 1",
        "toy-objects  coop                50.5 ± 0.5  2",
    ]
    lines = tables.as_markdown(header, body).splitlines()
    assert lines[1:3] == ["| --- | --- | --- | --- | --- | --- |", "| toy-objects | zero_shot | 40.0 |  | 1 |  |"]


def test_csv_has_mean_deviation_and_seeds_in_columns_of_their_own():
    runs = [dict(seed=1, accuracy=51.0), dict(seed=2, accuracy=52.0)]
    rows = [make_row(classes=c, trained_classes="base", **run) for c in ("base", "new") for run in runs]
    (line,) = csv.DictReader(io.StringIO(tables.as_csv(*tables.table(rows, "base-to-new"))))
    assert line == {"dataset": "toy-objects", "method": "coop", "shots": "16", "base": "51.5", "base std": "0.5",
                    "new": "51.5", "new std": "0.5", "H": "51.5", "seeds": "2", "paper": ""}  # fmt: skip


def test_the_examples_are_true():
    assert doctest.testmod(tables).attempted == doctest.testmod(papers).attempted == 1
    assert doctest.testmod(tables).failed == doctest.testmod(papers).failed == 0


def test_papers_csv_is_the_transcription_of_the_papers_tables():
    shared = Path(__file__).parents[3] / "shared" / "papers" / "tables.csv"
    if not shared.exists():
        pytest.skip("the transcription of the papers' tables is not beside the repository")
    assert shared.read_text().splitlines() == Path(papers.__file__).with_name("papers.csv").read_text().splitlines()


def test_miniature_and_real_data_sets_have_averages_of_their_own():
    names = ("toy-flowers", "toy-scenes", "eurosat", "dtd")
    rows = [make_row(dataset=name, trained_on=name, accuracy=10.0 * i) for i, name in enumerate(names)]
    _, body = tables.table(rows, "few-shot")
    assert [line[:3] for line in body if line[0].startswith("average")] == [
        ["average of 2", "coop", "25.0"], ["average of 2 toy sets", "coop", "5.0"]]  # fmt: skip


NOTES = Path(__file__).parents[2] / "notes"


@pytest.mark.parametrize("name", tables.NAMES)
def test_the_tables_in_the_notes_are_what_the_committed_rows_give(name):
    printed = tables.as_markdown(*tables.table(read_json_lines(NOTES / "results.jsonl"), name))
    assert printed in (NOTES / "results.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", plots.NAMES)
def test_the_plots_in_the_notes_are_what_the_committed_rows_give(name):
    assert plots.draw(read_json_lines(NOTES / "results.jsonl"), name) == (NOTES / f"{name}.svg").read_text()
