"""Which rows stand where in the papers' tables, beside which of the papers' figures, and what is
said about rows that are older, mixed, odd, or do not count.
"""

import csv
import functools
import io
import math
from pathlib import Path

import pytest

from clip_min.data import ELEVEN, SHIFTED
from clip_min.files import read_json_lines
from prompts import METHODS, recipe_of
from prompts.reports import papers, plots, tables
from tests.scripts import make_row, zero_shot

NOTES = Path(__file__).parents[1] / "notes"
VIT = dict(model="ViT-B/16")
WORDS = dict(options=dict(ctx_init="a photo of a"))
NEW = dict(code={"coop.py": "c2"}, pictures="p2")
OLD = dict(code={"coop.py": "c1"}, pictures="p1")


def lines_of(rows, name, **choice):
    """A table as a program reads it: list of {column: text}."""
    return list(csv.DictReader(io.StringIO(tables.report(rows, name, "csv", **choice))))


def printed(rows, name, **choice):
    """A table as it is printed, without its remarks: list of lists of words between two spaces."""
    text = tables.report(rows, name, **choice).split("\n\n")[0]
    return [line.split("  ") for line in text.splitlines()]


def remarks(rows, name="few-shot", **choice):
    return tables.table(rows, name, **choice).remarks


def paper_cells(rows, name, **choice):
    return [line["paper"] for line in lines_of(rows, name, **choice)]


# What stands where


def test_few_shot_has_a_column_for_each_number_of_shots_and_zero_shot_beside():
    seeds = [(1, 1), (2, 1), (1, 16), (2, 16), (3, 16)]
    rows = [make_row(seed=s, shots=n, accuracy=50.0 + s + n) for s, n in seeds]
    elsewhere = [zero_shot("toy-flowers"), zero_shot(model="ViT-B/16"), zero_shot(sha256="b2")]
    assert tables.report([*rows, zero_shot(), *elsewhere], "few-shot").splitlines() == [
        "dataset      method     0 shots  1 shot      16 shots    seeds  paper",
        "toy-objects  zero_shot  40.0                             1",
        "toy-objects  coop                52.5 ± 0.5  68.0 ± 0.8  2-3",
    ]


def test_the_last_of_several_rows_for_a_run_counts():
    rows = [make_row(accuracy=1.0), make_row(accuracy=70.0)]
    assert lines_of(rows, "few-shot")[0]["16 shots"] == "70.0"


def test_rows_of_other_splits_classes_and_protocols_are_not_few_shot():
    published = dict(trained_on=None, seed=None)
    others = [dict(split="val"), dict(trained_classes="base"), dict(classes="new"),
              dict(trained_on="toy-flowers"), published]
    for other in others:
        rows = [make_row(), make_row(accuracy=0.0, **{"seed": 2, **other})]
        (line,) = lines_of(rows, "few-shot")
        assert (line["16 shots"], line["seeds"]) == ("50.0", "1"), other


def test_another_option_or_recipe_is_a_line_of_its_own_and_says_how_it_differs():
    specific = dict(options=dict(ctx_init="a photo of a", class_specific=True))
    for method, change, label in [
        ("coop", specific, "coop class_specific=True"),
        ("coop", dict(options={}), "coop ctx_init=None"),
        ("upt", dict(lr=0.1), "upt lr=0.1"),
        ("upt", dict(epochs=7), "upt epochs=7"),
        ("upt", dict(batch_size=4), "upt batch_size=4"),
        ("upt", dict(crop_scale=[0.5, 1.0]), "upt crop_scale=[0.5, 1.0]"),
        ("upt", dict(flip=True), "upt flip=True"),
        ("upt", dict(max_norm=None), "upt max_norm=None"),
        ("coop", dict(views=0), "coop views=0"),
        ("coop", dict(precision="fp16"), "coop precision=fp16"),
        ("coop", dict(evaluated_in="bf16"), "coop evaluated_in=bf16"),
        ("coop", dict(gelu="exact"), "coop gelu=exact"),
        ("vpt", dict(template="{}."), "vpt template={}."),
        ("linear_probe", dict(options=dict(C=1.0)), "linear_probe C=1.0"),
        ("cocoop", dict(options=dict(ctx_init=None)), "cocoop ctx_init=None"),
        ("zero_shot", dict(options=dict(templates="ensemble")), "zero_shot templates=ensemble"),
    ]:
        make = zero_shot if method == "zero_shot" else functools.partial(make_row, method)
        lines = lines_of([make_row("upt"), make(**change), make()], "few-shot")
        labels = [line["method"] for line in lines]
        assert [found for found in labels if found.startswith(method)] == [method, label]


def test_a_row_of_the_recipe_differs_in_nothing():
    for method in METHODS:
        for model in ("tiny", "ViT-B/16"):
            assert tables.differences(make_row(method, model=model)) == ({}, {})
    recipe = recipe_of("upt", "tiny").with_changes(epochs={1: 5, 4: 6})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "recipe_of", lambda method, model: recipe)
        for shots, epochs in ((1, 5), (3, 6), (4, 6), (16, 6)):  # those of the next number listed
            row = make_row("upt", shots=shots, epochs=epochs)
            assert tables.label_of(row) == "upt"
            assert tables.label_of(row | dict(epochs=7)) == "upt epochs=7"
        there = {"cross-dataset": dict(epochs=9)}
        patch.setattr(tables, "recipe_of", lambda *_: recipe.with_changes(by_protocol=there))
        row = make_row("upt", epochs=9)
        assert tables.label_of(row, "cross-dataset") == "upt"
        assert tables.label_of(row, "few-shot") == "upt epochs=9"


def test_two_sets_of_weights_under_one_name_are_never_mixed():
    rows = [make_row(), make_row(seed=2, sha256="b2"), make_row(model="ViT-B/16")]
    lines = lines_of(rows, "few-shot")
    models = ["ViT-B/16", "tiny a1", "tiny b2"]
    assert [(line["model"], line["seeds"]) for line in lines] == [(name, "1") for name in models]
    (line,) = lines_of([make_row(), make_row(model="ViT-B/16")], "few-shot", models=["tiny"])
    assert "model" not in line


def test_an_average_is_over_the_seeds_that_every_set_has_and_only_for_methods_with_every_set():
    runs = [("toy-flowers", 1, 60.0), ("toy-flowers", 2, 64.0), ("toy-flowers", 3, 10.0),
            ("toy-objects", 1, 50.0), ("toy-objects", 2, 52.0)]
    rows = [make_row(dataset=d, seed=s, accuracy=a) for d, s, a in runs]
    lines = lines_of([*rows, make_row("upt")], "few-shot")
    assert [(line["dataset"], line["method"]) for line in lines] == [
        ("toy-objects", "coop"), ("toy-objects", "upt"), ("toy-flowers", "coop"),
        ("average of 2 toy sets", "coop")]
    average = [lines[-1][column] for column in ("16 shots", "16 shots std", "seeds")]
    assert average == ["56.5", "1.5", "2"]  # of 55 and 58
    one_shot = lines_of([*rows, make_row(shots=1)], "few-shot")
    assert one_shot[-1]["1 shot"] == "" and one_shot[0]["1 shot"] == "50.0"
    apart = [make_row(seed=1), make_row(dataset="toy-flowers", seed=2)]
    assert len(lines_of(apart, "few-shot")) == 2


def test_miniature_and_real_data_sets_have_averages_of_their_own():
    names = ("toy-flowers", "toy-scenes", "eurosat", "dtd")
    rows = [make_row(dataset=name, accuracy=10.0 * i) for i, name in enumerate(names)]
    averages = [(line["dataset"], line["16 shots"]) for line in lines_of(rows, "few-shot")
                if line["dataset"].startswith("average")]
    assert averages == [("average of 2", "25.0"), ("average of 2 toy sets", "5.0")]


def test_base_to_new_has_the_harmonic_mean_of_the_means():
    """H = 2 b n / (b + n), CoCoOp, Sec. 4.1."""
    runs = [("base", 1, 82.0), ("base", 2, 84.0), ("new", 1, 60.0), ("new", 2, 66.0)]
    runs.append(("all", 1, 1.0))
    rows = [make_row(classes=c, trained_classes="base", seed=s, accuracy=a) for c, s, a in runs]
    rows += [make_row(accuracy=2.0), zero_shot(classes="base"), zero_shot(),
             zero_shot(classes="new", accuracy=60.0)]
    assert tables.report(rows, "base-to-new").splitlines() == [
        "dataset      method     shots  base        new         H     seeds  paper",
        "toy-objects  zero_shot  0      40.0        60.0        48.0  1",
        "toy-objects  coop       16     83.0 ± 1.0  63.0 ± 3.0  71.6  2",
    ]
    assert [line["accuracy"] for line in lines_of(rows, "class-incremental")] == ["40.0", "1.0"]


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
    lines = lines_of(rows, "domain-generalization")
    names = ("toy-objects", *targets, "average of 4 toy targets")
    expected = [(name, method) for name in names for method in ("zero_shot", "coop")]
    assert [(line["dataset"], line["method"]) for line in lines] == expected
    assert {line["source"] for line in lines} == {"toy-objects"}
    assert [line["accuracy"] for line in lines[-2:]] == ["31.5", "61.5"]  # without the source
    few = [row for row in rows if row["dataset"] in ("toy-objects", targets[0])]
    shown = lines_of(few + [zero_shot(targets[1])], "domain-generalization")
    assert {line["dataset"] for line in shown} == {"toy-objects", targets[0]}


def test_cross_dataset_leaves_the_shifted_versions_out_and_puts_the_source_first():
    rows = [*transfer_rows("toy-satellite", ["toy-glyphs", "toy-objects"])]
    rows += [*transfer_rows("toy-objects", ["toy-glyphs", *SHIFTED["toy-objects"]])]
    rows += [make_row(trained_on=None)]  # published prompts do not say where they were learned
    lines = lines_of(rows, "cross-dataset", methods=["coop"])
    assert [(line["source"], line["dataset"]) for line in lines] == [
        ("toy-objects", "toy-objects"), ("toy-objects", "toy-glyphs"),
        ("toy-satellite", "toy-satellite"), ("toy-satellite", "toy-objects"),
        ("toy-satellite", "toy-glyphs"), ("toy-satellite", "average of 2 toy targets")]
    chosen = lines_of(rows, "cross-dataset", datasets=["toy-satellite"])
    assert {line["source"] for line in chosen} == {"toy-satellite"}


def test_choices_restrict_the_table_and_the_order_is_that_of_the_methods():
    learners = [method for method in reversed(METHODS) if method != "zero_shot"]
    rows = [make_row(method, shots=n) for method in learners for n in (1, 16)] + [zero_shot()]
    assert [line["method"] for line in lines_of(rows, "few-shot")] == list(METHODS)
    chosen = dict(methods=["coop", "zero_shot"], shots=[1], datasets=["toy-objects"])
    lines = lines_of(rows, "few-shot", **chosen)
    assert [line["method"] for line in lines] == ["zero_shot", "coop"]
    assert "16 shots" not in lines[0]


def test_an_empty_table_is_refused_with_the_command_that_fills_it():
    chosen = dict(methods=["zero_shot", "vpt"], datasets=["dtd"], models=["RN50"], shots=[1, 2])
    command = "--method vpt --dataset dtd --model RN50 --shots 1 2 --protocol few-shot"
    for choice, flags in [({}, "--method coop upt --dataset toy --protocol few-shot"),
                          (chosen, command)]:
        with pytest.raises(ValueError, match="There are no few-shot results") as error:
            tables.table([zero_shot()], "few-shot", **choice)
        assert str(error.value).endswith(f"run `python train.py {flags}`.")
    with pytest.raises(ValueError, match="choose few-shot, base-to-new, .* or domain-"):
        tables.table([], "fewshot")


# The papers' figures beside ours


def test_a_papers_figure_stands_only_beside_a_run_with_its_settings():
    upt = dict(method="upt", dataset="eurosat", **VIT)
    vpt = dict(method="vpt", dataset="eurosat", **VIT)
    coop = dict(method="coop", dataset="imagenet", epochs=50, **VIT)
    for row, cell in [
        (upt, "90.5 (UPT T2)"),
        (upt | dict(views=0, precision="fp16"), "90.5 (UPT T2)"),
        (upt | dict(options=dict(n_ctx=4, depth="deep")), "90.5 (UPT T2)"),
        (upt | dict(options=dict(n_ctx=8)), "other options"),
        (upt | dict(lr=0.1), "other training"),
        (upt | dict(gelu="exact"), "other training"),
        (upt | dict(shots=8), "16 shots only"),
        (upt | dict(shots=8, lr=0.1), "16 shots only"),
        (upt | dict(model="ViT-B/32"), "ViT-B/16 only"),
        (upt | dict(model="tiny"), "ViT-B/16 only"),
        (upt | dict(dataset="toy-satellite"), ""),
        (upt | dict(dataset="my/folder"), ""),
        (coop | dict(model="ViT-L/14"), "RN50, RN101, ViT-B/32, ViT-B/16 only"),
        (dict(method="coop", dataset="eurosat", **VIT, **WORDS), "78.8 (UPT T2)"),  # M = 4
        (dict(method="coop", dataset="eurosat", **VIT), "other options"),  # M = 16
        (coop, "70.1 (CoOp v1 T7)"),
        (coop | dict(options=dict(n_ctx=16)), "70.1 (CoOp v1 T7)"),
        (coop | dict(model="RN50"), "60.5 (CoOp v1 T2)"),
        (coop | dict(epochs=200), "other training"),
        (vpt | dict(dataset="sun397"), "71.6 (UPT T2)"),
        (vpt | dict(dataset="sun397", options=dict(depth=1)), "68.1 (UPT T2)"),
        (vpt, "other template"),  # of its own
        (vpt | dict(template="a photo of a {}."), "91.5 (UPT T2)"),
    ]:
        assert paper_cells([make_row(**row)], "few-shot") == [cell], row


def test_zero_shot_clip_has_the_figures_of_its_templates():
    rows = [make_row("coop", "imagenet", **VIT), zero_shot("imagenet", **VIT)]
    ensemble = zero_shot("imagenet", **VIT, options=dict(templates="ensemble"))
    cells = ["64.7 (CoOp v1 T7)", "67.3 (CoOp v1 T7)", "other training"]
    assert paper_cells([*rows, ensemble], "few-shot") == cells
    for template, cell in (("{}.", "other template"), ("a photo of a {}.", "64.7 (CoOp v1 T7)")):
        other = zero_shot("imagenet", **VIT, template=template)  # the second is ImageNet's own
        assert paper_cells([*rows, other], "few-shot")[1] == cell


def test_base_new_and_h_of_a_paper_stand_together():
    for method, dataset, more, cell in [
        ("cocoop", "eurosat", {}, "87.5 / 60.0 / 71.2 (CoCoOp T1)"),
        # as many parameters as CoCoOp
        ("coop", "imagenet", dict(epochs=50, options=dict(n_ctx=60)),
         "76.2 / 65.3 / 70.3 (CoCoOp T5)"),
    ]:
        row = make_row(method, dataset, trained_classes="base", **VIT, **more)
        rows = [row | dict(classes=classes) for classes in ("base", "new")]
        assert paper_cells(rows, "base-to-new") == [cell]


def test_figures_that_several_papers_give_are_named_once_with_all_of_them():
    """64.7 and 66.7 are the same experiment with different pipelines; a remark says so."""
    name, more = "domain-generalization", dict(trained_on="imagenet", epochs=50, **VIT)
    rows = [make_row("coop", d, **more, **WORDS) for d in ("imagenet", "imagenet_r")]
    rows += [zero_shot(d, **VIT) for d in ("imagenet", "imagenet_r")]
    assert paper_cells(rows, name) == [
        "64.7 (CoOp v1 T6); 66.7 (CoCoOp T3)", "71.5 (CoCoOp T3, UPT T1)",
        "72.5 (CoOp v1 T6); 74.0 (CoCoOp T3)", "75.2 (CoCoOp T3, UPT T1)"]
    assert remarks(rows, name)[-1].startswith("CoOp v1: the preprint of September 2021.")
    assert remarks([make_row("upt", "dtd", **VIT)]) == []


def test_a_remark_says_what_an_empty_cell_of_the_papers_means_but_not_for_miniature_sets():
    of_a_paper, of_none = make_row("upt", "dtd", **VIT), make_row("cocoop", "dtd", **VIT)
    assert remarks([of_a_paper]) == remarks([make_row("upt"), zero_shot()]) == []
    assert remarks([of_a_paper, of_none]) == [
        "paper, an empty cell: none of the papers has this figure."]


def test_the_papers_averages_stand_beside_averages_of_the_same_data_sets():
    def few(method, **more):
        return [make_row(method, d, epochs=50 if d == "imagenet" else 200, **VIT, **more)
                for d in ELEVEN]

    assert paper_cells(few("upt"), "few-shot")[-1] == "81.4 (UPT T2)"
    assert paper_cells(few("vpt"), "few-shot")[-1] == "other settings"  # each set's own template
    assert paper_cells(few("vpt", template="a photo of a {}."), "few-shot")[-1] == "79.4 (UPT T2)"
    folders = [make_row("upt", f"folder-{i}", **VIT) for i in range(11)]
    line = lines_of(folders, "few-shot")[-1]
    assert (line["dataset"], line["paper"]) == ("average of 11", "other data sets")
    cross = [make_row("cocoop", d, trained_on="imagenet", **VIT) for d in ELEVEN]
    assert paper_cells(cross, "cross-dataset")[-1] == "65.7 (CoCoOp T2)"
    from_pets = [row | dict(trained_on="oxford_pets") for row in cross]
    assert set(paper_cells(from_pets, "cross-dataset")) == {""}


def test_the_averages_over_the_shifted_versions_with_and_without_imagenet_have_upts_figures():
    datasets = ("imagenet", *SHIFTED["imagenet"])
    epochs = recipe_of("upt", "ViT-B/16").epochs_for("imagenet", 16)
    rows = [make_row("upt", d, accuracy, trained_on="imagenet", **VIT, epochs=epochs)
            for d, accuracy in zip(datasets, (70.0, 60.0, 50.0, 40.0, 30.0), strict=True)]
    name = "domain-generalization"
    averages = [(line["dataset"], line["accuracy"], line["paper"])
                for line in lines_of(rows, name)[5:]]
    assert averages == [("average of 4 targets", "45.0", "60.0 (UPT T1)"),
                        ("average of 5", "50.0", "62.5 (UPT T1)")]
    fewer = [(line["dataset"], line["paper"]) for line in lines_of(rows[:-1], name)[4:]]
    assert fewer == [("average of 3 targets", ""), ("average of 4", "")]


def test_pictures_unlike_the_papers_have_a_footnote_instead_of_their_figures():
    for unlike in ("own split", "not whole"):
        mark = {unlike.replace(" ", "_"): True}
        rows = [make_row("upt", "caltech101", **mark, **VIT), make_row("upt", "dtd", **VIT)]
        assert paper_cells(rows, "few-shot") == [unlike, "70.7 (UPT T2)", unlike]
        footnote = f"{unlike}: not comparable with the papers' figures"
        assert remarks(rows) == [footnote]
        for format in ("text", "markdown"):
            assert tables.report(rows, "few-shot", format).endswith(f"\n\n{footnote}")
        assert "not comparable" not in tables.report(rows, "few-shot", "csv")


# Rows that are older, mixed, or do not count


def test_rows_of_other_pictures_are_left_out_and_counted_where_they_would_stand():
    rows = [make_row(accuracy=10.0, **OLD), make_row(accuracy=60.0, **NEW)]
    assert lines_of(rows, "few-shot")[0]["16 shots"] == "60.0" and remarks(rows) == []
    rows += [zero_shot(accuracy=10.0, **OLD), make_row("upt", accuracy=10.0, **OLD), rows[1]]
    assert [line["method"] for line in lines_of(rows, "few-shot")] == ["coop"]
    assert remarks(rows) == [
        "2 older rows left out, because the pictures, class names or templates have changed since "
        "(last: upt on toy-objects)."]
    base = dict(classes="base", trained_classes="base")
    others = [base, dict(split="val"), dict(dataset="toy-flowers"), dict(model="RN50")]
    others.append(dict(shots=1))
    old = [make_row("upt", **OLD), *(make_row("vpt", **OLD, **other) for other in others)]
    old.append(zero_shot("toy-flowers", **OLD))
    new = [make_row(dataset=d, classes=c, split=s, **NEW) for d in ("toy-objects", "toy-flowers")
           for c in ("all", "base") for s in ("test", "val")]
    chosen = dict(datasets=["toy-objects"], models=["tiny"], shots=[16])
    (remark,) = remarks([*old, *new], **chosen)
    assert remark.startswith("1 older row left out") and "upt on toy-objects" in remark
    assert remarks([*old, *new], methods=["coop"], **chosen) == []
    assert remarks([*old, *new])[0].startswith("5 older rows left out")
    hand_written = [zero_shot(**OLD), make_row(**NEW)]  # zero-shot CLIP has no shots to choose
    assert remarks(hand_written, shots=[16])[0].startswith("1 older row left out")


def test_rows_that_the_present_inputs_would_not_give_are_shown_with_a_remark():
    def present(row):
        return {"code": NEW["code"]}

    rows = [make_row(**NEW), make_row("upt", code={"upt.py": "before"}, pictures="p2")]
    assert len(tables.table(rows, "few-shot", present).body) == 2
    assert remarks(rows, present=present) == [
        "1 row older than the present code, CLIP or pictures (last: upt on toy-objects): "
        "run the commands again."]
    assert remarks(rows, present=present, methods=["coop"]) == []


def test_a_line_whose_rows_differ_in_code_clip_or_training_pictures_is_named():
    """Over all its rows: seeds, columns and the parts of an average."""
    def remark(words, line="1 line", first="coop on toy-objects"):
        return [f"In {line} the figures do not all have the same {words} (first: {first}): "
                "run all of a line again."]

    one, two = make_row(seed=1, **NEW), make_row(seed=2, **NEW)
    other = dict(code={"coop.py": "c3"})
    alike = [one, make_row("upt", seed=1, code={"upt.py": "u"}, pictures="p2"), zero_shot(**NEW)]
    assert remarks([two, *alike]) == []
    assert remarks([two | other, *alike]) == remark("code")
    one_shot = make_row(seed=1, shots=1, pictures="p2", **other)
    assert remarks([one_shot, *alike]) == remark("code")  # in another column
    half = dict(trained_classes="base", classes="base")
    base_to_new = [one | half, one | half | dict(classes="new", evaluated_with=other)]
    assert remarks(base_to_new, "base-to-new")[:1] == remark("code")
    other_clip = two | dict(clip={"mean": "m2"})
    assert remarks([other_clip, *alike]) == remark("files beside CLIP's weights")
    learned_on = one | dict(trained_pictures="t1"), two | dict(trained_pictures="t2")
    assert remarks([*learned_on, *alike[1:]]) == remark("training pictures")
    flowers = make_row(dataset="toy-flowers", **NEW)
    assert remarks([one | dict(trained_pictures="t1"), flowers | dict(trained_pictures="t2")]) == []
    mixed_average = [one, flowers | other]
    assert remarks(mixed_average) == remark("code", first="coop on average of 2 toy sets")
    both = [*learned_on, flowers | other]
    assert remarks(both) == remark("training pictures and the same code", "2 lines")


def failed_row(**changes):
    row = make_row(**changes)
    del row["accuracy"]
    return row | dict(failed="The loss is not finite.")


def test_a_run_that_diverged_is_named_below_the_table():
    rows = [make_row(), failed_row(seed=2), failed_row(method="upt", lr=9.0, seed=3, shots=1)]
    assert [line["seeds"] for line in lines_of(rows, "few-shot")] == ["1"]
    assert remarks(rows) == [
        "2 runs that diverged left out (last: upt lr=9.0 on toy-objects, 1 shot, seed 3: "
        "The loss is not finite.)."]
    assert remarks(rows, methods=["coop"])[0].startswith(
        "1 run that diverged left out (last: coop on toy-objects, 16 shots")
    with pytest.raises(ValueError, match="There are no few-shot .*`. 1 run that diverged left out"):
        tables.table([failed_row()], "few-shot")


def test_an_odd_row_is_skipped_with_a_note():
    with pytest.warns(UserWarning, match="Line 1 of the results is skipped, because it is not a J"):
        assert len(lines_of([None, make_row()], "few-shot")) == 1


@pytest.mark.filterwarnings("ignore")
def test_whatever_a_row_holds_a_table_is_printed_or_refused_in_one_sentence():
    odd = [None, [], {}, [1, [2]], {"a": [1]}, "x\x1b", "", 1.5, -1, True, float("nan"), 10**30]
    bases = make_row(), zero_shot(), make_row("upt", "imagenet", **VIT)
    draws = [(tables.report, name) for name in tables.NAMES]
    draws += [(plots.draw, name) for name in plots.NAMES]
    for key in [*make_row(), "own_split", "template", "code", "clip", "pictures", "failed"]:
        for value in odd:
            rows = [base | {key: value} for base in bases]
            rows += [make_row(seed=2), zero_shot(), make_row(classes="base")]
            for draw, name in draws:
                try:
                    assert draw(rows, name).replace("\n", "").isprintable()
                except ValueError as error:
                    assert str(error).startswith("There ")


# As text


def test_the_three_formats_are_aligned_text_markdown_and_csv_with_deviations_of_their_own():
    rows = [make_row(), make_row(seed=2, accuracy=51.0), zero_shot()]
    assert tables.report(rows, "few-shot").splitlines()[1:] == [
        "toy-objects  zero_shot  40.0                 1",
        "toy-objects  coop                50.5 ± 0.5  2"]
    assert tables.report(rows, "few-shot", "markdown").splitlines()[1:3] == [
        "| --- | --- | --- | --- | --- | --- |", "| toy-objects | zero_shot | 40.0 |  | 1 |  |"]
    assert tables.report(rows, "few-shot", "csv").splitlines() == [
        "dataset,method,0 shots,0 shots std,16 shots,16 shots std,seeds,paper",
        "toy-objects,zero_shot,40.0,,,,1,", "toy-objects,coop,,,50.5,0.5,2,"]
    both = [make_row(classes=c, trained_classes="base") for c in ("base", "new")]
    assert tables.report(both, "base-to-new", "csv").splitlines() == [
        "dataset,method,shots,base,base std,new,new std,H,seeds,paper",
        "toy-objects,coop,16,50.0,,50.0,,50.0,1,"]


def test_names_with_control_characters_and_bars_cannot_break_a_table():
    odd = make_row(dataset="a\x1b[2J|b\nc", options=dict(ctx_init="x\x07"))
    line = tables.report([odd], "few-shot", "markdown").splitlines()[2]
    assert line.startswith(r"| a\x1b[2J\|b\nc | coop ctx_init=x\x07 | 50.0 |")
    failed = failed_row(options={}, dataset="b\x1b") | dict(failed="nan\x1b[2J")
    older = make_row("upt", dataset="c\x1b", **OLD)
    everything = [odd, failed, older, make_row(dataset="c\x1b", **NEW)]
    for format in ("text", "markdown", "csv"):
        assert tables.report(everything, "few-shot", format).replace("\n", "").isprintable()
    assert len(remarks(everything)) == 2


def test_the_tables_and_plots_in_the_notes_are_what_the_committed_rows_give():
    rows = read_json_lines(NOTES / "results.jsonl")
    notes = (NOTES / "results.md").read_text(encoding="utf-8")
    for name in tables.NAMES:
        assert tables.report(rows, name, "markdown") in notes, name
    for name in plots.NAMES:
        assert plots.draw(rows, name) == (NOTES / f"{name}.svg").read_text(encoding="utf-8"), name


# papers.csv


def figures(**wanted):
    """{(method, data set, metric): value} of the lines of papers.csv that have all of `wanted`."""
    rows = [row for row in papers.read_rows() if wanted.items() <= row.items()]
    return {(row["method"], row["dataset"], row["metric"]): float(row["value"]) for row in rows}


def test_papers_csv_is_the_transcription_of_the_papers_tables():
    shared = Path(__file__).parents[2] / "shared" / "papers" / "tables.csv"
    if not shared.exists():
        pytest.skip("the transcription of the papers' tables is not beside the repository")
    with shared.open(encoding="utf-8", newline="") as file:
        transcribed = list(csv.DictReader(file))
    keys = ("paper", "backbone", "setting", "method", "dataset", "metric", "value")
    ours = {tuple(row[key] for key in keys): row["table"] for row in papers.read_rows()}
    assert len(transcribed) == 365
    for row in transcribed:  # "6" or "1", where the transcription has "1 and 6"
        table = ours[tuple(row[key] for key in keys)]
        assert table == row["table"] or {*table.split(" and ")} <= {*row["table"].split(" and ")}


def test_papers_csv_names_a_version_for_each_paper_and_no_figure_twice():
    rows = papers.read_rows()
    assert {row["paper"]: row["version"] for row in rows} == {
        "CoOp": "2109.01134v1", "CoCoOp": "2203.05557", "UPT": "2210.07225",
        "KgCoOp": "c43ccc3", "MaPLe": "69bce21", "PromptSRC": "bb95c77"}
    places = [tuple(value for key, value in row.items() if key != "value") for row in rows]
    assert len(places) == len(set(places))
    assert all(math.isfinite(float(row["value"])) for row in rows)


def test_the_papers_harmonic_means_are_those_of_their_base_and_new():
    cells = {}
    for row in papers.read_rows():
        place = row["paper"], row["table"], row["method"], row["dataset"]
        cells.setdefault(place, {})[row["metric"]] = {0: float(row["value"])}
    triples = [cell for cell in cells.values() if "harmonic-mean" in cell]
    assert len(triples) == 46
    for cell in triples:
        assert tables.harmonic_mean(cell) == pytest.approx(cell["harmonic-mean"][0], abs=0.011)


def test_the_averages_of_the_later_papers_are_known_to_the_table():
    """MaPLe's abstract: 3.45 more than CoCoOp on new classes, 2.72 more in H."""
    cocoop, maple = figures(paper="CoCoOp", table="1"), figures(paper="MaPLe", table="README")
    for metric, gain in (("new", 3.45), ("harmonic-mean", 2.72)):
        pair = [found[name, "average of 11", metric]
                for found, name in ((maple, "MaPLe"), (cocoop, "CoCoOp"))]
        assert pair[0] - pair[1] == pytest.approx(gain, abs=0.001)
    for method, figure in (("kgcoop", "80.7 / 73.6 / 77.0 (KgCoOp README)"),
                           ("maple", "82.3 / 75.1 / 78.5 (MaPLe README)"),
                           ("promptsrc", "84.3 / 76.1 / 80.0 (PromptSRC README)")):
        settings = papers.Settings("{}")
        asked = papers.Asked("base-to-new", "ViT-B/16", method, settings, "average of 11")
        assert papers.figure(asked) == figure


def test_backbones_other_than_rn50_stand_in_coops_tables_6_and_7():
    tables_of = {}
    for row in papers.read_rows():
        if row["paper"] == "CoOp" and row["setting"] in ("domain-generalization", "16-shot"):
            tables_of.setdefault(row["backbone"], set()).add(row["table"])
    assert tables_of.pop("RN50") == {"1", "1 and 6", "2 and 7", "3", "text 3.1"}
    assert tables_of == dict.fromkeys(["RN101", "ViT-B/32", "ViT-B/16"], {"6", "7"})


def test_the_gains_that_the_papers_state_are_the_differences_of_their_tables():
    rows, checked = figures(paper="CoCoOp", table="2"), 0
    for (_, dataset, metric), gain in rows.items():
        if metric == "accuracy gain":
            pair = [rows[method, dataset, "accuracy"] for method in ("CoCoOp", "CoOp")]
            assert gain == pytest.approx(pair[0] - pair[1], abs=0.006)
            checked += 1
    assert checked == 12
    table_1, text = figures(paper="CoCoOp", table="1"), figures(paper="CoCoOp", table="text 4.1")
    for classes in ("base", "new"):
        pair = [table_1[method, "StanfordCars", classes] for method in ("CoCoOp", "CoOp")]
        gain = text["CoCoOp minus CoOp", "StanfordCars", f"{classes} gain"]
        assert gain == pytest.approx(pair[0] - pair[1], abs=0.006)
    coop, text = figures(paper="CoOp", table="2 and 7"), figures(paper="CoOp", table="text 3.1")
    names = ("CoOp", "zero-shot (prompt engineering)")
    pair = [coop[method, "ImageNet", "accuracy"] for method in names]
    stated = text["CoOp minus zero-shot", "ImageNet", "accuracy gain"]
    assert stated == pytest.approx(pair[0] - pair[1], abs=0.006)


def test_upts_averages_are_those_of_its_table_1_but_for_one_that_the_paper_prints_otherwise():
    rows = figures(paper="UPT", table="1")
    for method in ("CoOp", "CoCoOp", "VPT-shallow", "VPT-deep", "UPT"):
        names = ("ImageNet", "ImageNetV2", "ImageNet-Sketch", "ImageNet-A", "ImageNet-R")
        source, *targets = (rows[method, name, "accuracy"] for name in names)
        four, five = (rows[method, f"average of {n}", "accuracy"] for n in ("4 targets", "5"))
        assert four == pytest.approx(sum(targets) / 4, abs=0.006)
        within = 0.035 if method == "VPT-shallow" else 0.007
        assert five == pytest.approx((source + sum(targets)) / 5, abs=within)


def test_coops_nearest_words_are_those_that_could_be_read():
    """16 vectors on 5 data sets; the paper has five N/A, and eight cells were lost with the layout
    of the page.
    """
    words = figures(paper="CoOp", table="4")
    assert len(words) == 67
    assert words["CoOp M=16", "OxfordPets", "distance of vector 3 to fluffy"] == 1.6099
