"""The papers' tables from rows of results.jsonl: which rows count where, and beside which of the
papers' figures.
"""

import csv
import doctest
import io
from dataclasses import replace
from pathlib import Path

import pytest

from clip_min.data import ELEVEN, SHIFTED
from clip_min.files import read_json_lines
from prompts import METHODS
from prompts.reports import lines, papers, plots, tables
from tests.scripts import make_row, zero_shot


def as_dicts(rows, name, **choice):
    header, body = tables.table(rows, name, **choice)
    return [dict(zip(header, row)) for row in body if len(row) > 1]


def find(lines, **wanted):
    (line,) = [line for line in lines if wanted.items() <= line.items()]
    return line


def test_few_shot_has_a_column_for_each_number_of_shots_and_zero_shot_beside():
    rows = [
        make_row(seed=s, shots=n, accuracy=50.0 + s + n)
        for s, n in [(1, 1), (2, 1), (1, 16), (2, 16), (3, 16)]
    ]
    elsewhere = [zero_shot("toy-flowers"), zero_shot(model="ViT-B/16"), zero_shot(sha256="b2")]
    header, body = tables.table([*rows, zero_shot(), *elsewhere], "few-shot")
    assert header == ["dataset", "method", "0 shots", "1 shot", "16 shots", "seeds", "paper"]
    assert body == [
        ["toy-objects", "zero_shot", "40.0", "", "", "1", ""],
        ["toy-objects", "coop", "", "52.5 ± 0.5", "68.0 ± 0.8", "2-3", ""],
    ]


def test_the_last_of_several_rows_for_a_run_counts():
    assert (
        as_dicts([make_row(accuracy=1.0), make_row(accuracy=70.0)], "few-shot")[0]["16 shots"]
        == "70.0"
    )


@pytest.mark.parametrize(
    "other",
    [
        dict(split="val"),
        dict(trained_classes="base"),
        dict(classes="new"),
        dict(trained_on="toy-flowers"),
        dict(trained_on=None, seed=None),  # of the published code
    ],
)
def test_rows_of_other_splits_classes_and_protocols_are_not_few_shot(other):
    (line,) = as_dicts([make_row(), make_row(accuracy=0.0, **dict(seed=2) | other)], "few-shot")
    assert (line["16 shots"], line["seeds"]) == ("50.0", "1")


@pytest.mark.parametrize(
    "method, change, label",
    [
        (
            "coop",
            dict(options=dict(ctx_init="a photo of a", class_specific=True)),
            "coop class_specific=True",
        ),
        ("coop", dict(options={}), "coop ctx_init=None"),
        ("upt", dict(lr=0.1), "upt lr=0.1"),
        ("upt", dict(epochs=7), "upt epochs=7"),
        ("upt", dict(batch_size=4), "upt batch_size=4"),
        ("upt", dict(crop_scale=[0.5, 1.0]), "upt crop_scale=[0.5, 1.0]"),
        ("upt", dict(flip=True), "upt flip=True"),
        ("upt", dict(max_norm=None), "upt max_norm=None"),
        ("coop", dict(views=0), "coop views=0"),
        ("coop", dict(precision="fp16"), "coop precision=fp16"),
        ("coop", dict(gelu="exact"), "coop gelu=exact"),
        ("vpt", dict(template="{}."), "vpt template={}."),
        ("linear_probe", dict(options=dict(C=1.0)), "linear_probe C=1.0"),
        ("cocoop", dict(options=dict(ctx_init=None)), "cocoop ctx_init=None"),
        ("zero_shot", dict(options=dict(templates="ensemble")), "zero_shot templates=ensemble"),
    ],
)
def test_another_option_or_recipe_is_a_line_of_its_own_and_says_how_it_differs(
    method, change, label
):
    make = zero_shot if method == "zero_shot" else lambda **more: make_row(method, **more)
    lines = as_dicts([make_row("upt"), make(**change), make()], "few-shot")
    assert [line["method"] for line in lines if line["method"].startswith(method)] == [
        method,
        label,
    ]


def test_the_recipe_of_a_number_of_shots_between_two_of_it_is_that_of_the_next(monkeypatch):
    recipe = replace(lines.recipe_of("upt", "tiny"), epochs={1: 5, 4: 6})
    monkeypatch.setattr(lines, "recipe_of", lambda method, model: recipe)
    for shots, epochs in ((1, 5), (3, 6), (4, 6), (16, 6)):
        row = make_row("upt", shots=shots, epochs=epochs)
        assert lines.label_of(row) == "upt"
        assert lines.label_of(row | dict(epochs=7)) == "upt epochs=7"


@pytest.mark.parametrize("method", METHODS)
def test_a_recipe_has_the_names_that_rows_are_compared_by(method):
    recipes = [lines.recipe_of(method, model) for model in ("tiny", "ViT-B/16")]
    if method in ("zero_shot", "linear_probe"):
        assert recipes == [None, None]
    else:
        usual = [lines.usual_training(make_row(method), recipe) for recipe in recipes]
        assert (
            {"lr", "epochs", "batch_size", "crop_scale", "flip", "max_norm"}
            <= usual[0].keys()
            == usual[1].keys()
        )


def test_two_sets_of_weights_under_one_name_are_never_mixed():
    lines = as_dicts(
        [make_row(), make_row(seed=2, sha256="b2"), make_row(model="ViT-B/16")], "few-shot"
    )
    assert [(line["model"], line["seeds"]) for line in lines] == [
        ("ViT-B/16", "1"),
        ("tiny a1", "1"),
        ("tiny b2", "1"),
    ]
    assert (
        as_dicts([make_row(), make_row(model="ViT-B/16")], "few-shot", models=["tiny"])[0].get(
            "model"
        )
        is None
    )


def test_an_average_is_over_the_seeds_that_every_set_has_and_only_for_methods_with_every_set():
    rows = [
        make_row(dataset=d, seed=s, accuracy=a)
        for d, s, a in [
            ("toy-flowers", 1, 60.0),
            ("toy-flowers", 2, 64.0),
            ("toy-flowers", 3, 10.0),
            ("toy-objects", 1, 50.0),
            ("toy-objects", 2, 52.0),
        ]
    ]
    lines = as_dicts([*rows, make_row("upt")], "few-shot")
    assert [(line["dataset"], line["method"]) for line in lines] == [
        ("toy-objects", "coop"),
        ("toy-objects", "upt"),
        ("toy-flowers", "coop"),
        ("average of 2 toy sets", "coop"),
    ]
    assert (lines[-1]["16 shots"], lines[-1]["seeds"]) == ("56.5 ± 1.5", "2")  # of 55 and 58


def test_there_is_no_average_without_a_seed_that_every_set_has():
    rows = [make_row(seed=1), make_row(dataset="toy-flowers", seed=2)]
    assert {line["dataset"] for line in as_dicts(rows, "few-shot")} == {
        "toy-objects",
        "toy-flowers",
    }


def test_base_to_new_has_the_harmonic_mean_of_the_means():
    """H = 2 b n / (b + n), CoCoOp, Sec. 4.1."""
    rows = [
        make_row(classes=c, trained_classes="base", seed=s, accuracy=a)
        for c, s, a in [
            ("base", 1, 82.0),
            ("base", 2, 84.0),
            ("new", 1, 60.0),
            ("new", 2, 66.0),
            ("all", 1, 1.0),
        ]
    ]
    rows += [
        make_row(accuracy=2.0),
        zero_shot(classes="base"),
        zero_shot(classes="new", accuracy=60.0),
        zero_shot(),
    ]
    header, body = tables.table(rows, "base-to-new")
    assert header == ["dataset", "method", "shots", "base", "new", "H", "seeds", "paper"]
    assert body == [
        ["toy-objects", "zero_shot", "0", "40.0", "60.0", "48.0", "1", ""],
        ["toy-objects", "coop", "16", "83.0 ± 1.0", "63.0 ± 3.0", "71.6", "2", ""],
    ]
    assert tables.table(rows, "class-incremental")[1] == [
        ["toy-objects", "zero_shot", "0", "40.0", "1", ""],
        ["toy-objects", "coop", "16", "1.0", "1", ""],
    ]


def test_the_papers_harmonic_means_are_those_of_their_base_and_new():
    rows = list(csv.DictReader(Path(papers.__file__).with_name("papers.csv").open()))
    cells = {}
    for row in rows:
        cells.setdefault((row["table"], row["method"], row["dataset"]), {})[row["metric"]] = {
            0: float(row["value"])
        }
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
    fewer = [
        row
        for row in rows
        if row["method"] == "zero_shot" or row["dataset"] in ("toy-objects", targets[0])
    ]
    assert {line["dataset"] for line in as_dicts(fewer, "domain-generalization")} == {
        "toy-objects",
        targets[0],
    }
    header, body = tables.table(rows, "domain-generalization")
    assert header == ["source", "dataset", "method", "shots", "accuracy", "seeds", "paper"]
    assert [row[1:3] for row in body] == [
        [d, m]
        for d in ("toy-objects", *targets, "average of 4 toy targets")
        for m in ("zero_shot", "coop")
    ]
    assert [row[4] for row in body[-2:]] == ["31.5", "61.5"]  # without the source


def test_cross_dataset_leaves_the_shifted_versions_out_and_puts_the_source_first():
    rows = [*transfer_rows("toy-satellite", ["toy-glyphs", "toy-objects"])]
    rows += [*transfer_rows("toy-objects", ["toy-glyphs", *SHIFTED["toy-objects"]])]
    rows += [
        make_row(trained_on=None)
    ]  # a prompt of the published code, which does not say where it was learned
    lines = as_dicts(rows, "cross-dataset", methods=["coop"])
    assert [(line["source"], line["dataset"]) for line in lines] == [
        ("toy-objects", "toy-objects"),
        ("toy-objects", "toy-glyphs"),
        ("toy-satellite", "toy-satellite"),
        ("toy-satellite", "toy-objects"),
        ("toy-satellite", "toy-glyphs"),
        ("toy-satellite", "average of 2 toy targets"),
    ]
    assert {
        line["source"] for line in as_dicts(rows, "cross-dataset", datasets=["toy-satellite"])
    } == {"toy-satellite"}


def test_choices_restrict_the_table_and_the_order_is_that_of_the_methods():
    rows = [
        make_row(m, shots=n) for m in reversed(METHODS) if m != "zero_shot" for n in (1, 16)
    ] + [zero_shot()]
    assert [line["method"] for line in as_dicts(rows, "few-shot")] == list(METHODS)
    chosen = as_dicts(
        rows, "few-shot", methods=["coop", "zero_shot"], shots=[1], datasets=["toy-objects"]
    )
    assert [line["method"] for line in chosen] == [
        "zero_shot",
        "coop",
    ] and "16 shots" not in chosen[0]


@pytest.mark.parametrize(
    "choice, command",
    [
        ({}, "python train.py --method coop upt --dataset toy --protocol few-shot"),
        (
            dict(methods=["zero_shot", "vpt"], datasets=["dtd"], models=["RN50"], shots=[1, 2]),
            "python train.py --method vpt --dataset dtd --model RN50 --shots 1 2 "
            "--protocol few-shot",
        ),
    ],
)
def test_an_empty_table_is_refused_with_the_command_that_fills_it(choice, command):
    with pytest.raises(ValueError, match="There are no few-shot results") as error:
        others = [make_row() | dict(method="of another version"), {"a line": "of something else"}]
        with pytest.warns(UserWarning, match="no method of another version"):
            tables.table([zero_shot(), *others], "few-shot", **choice)
    assert f"`{command}`." in str(error.value)


def test_an_unknown_table_is_refused_with_the_five_names():
    with pytest.raises(
        ValueError,
        match="choose few-shot, base-to-new, class-incremental, cross-dataset or domain-",
    ):
        tables.table([], "fewshot")


VIT = dict(model="ViT-B/16")
WORDS = dict(options=dict(ctx_init="a photo of a"))


@pytest.mark.parametrize(
    "row, cell",
    [
        (make_row("upt", "eurosat", **VIT), "90.5 (UPT T2)"),
        (make_row("upt", "eurosat", **VIT, views=0, precision="fp16"), "90.5 (UPT T2)"),
        (make_row("upt", "eurosat", **VIT, options=dict(n_ctx=4, depth="deep")), "90.5 (UPT T2)"),
        (make_row("upt", "eurosat", **VIT, options=dict(n_ctx=8)), "other options"),
        (make_row("upt", "eurosat", **VIT, lr=0.1), "other training"),
        (make_row("upt", "eurosat", **VIT, gelu="exact"), "other training"),
        (make_row("upt", "eurosat", shots=8, **VIT), "16 shots only"),
        (make_row("upt", "eurosat", shots=8, **VIT, lr=0.1), "16 shots only"),
        (make_row("upt", "eurosat", model="ViT-B/32"), "ViT-B/16 only"),
        (make_row("upt", "eurosat"), "ViT-B/16 only"),
        (make_row("upt", "toy-satellite"), ""),
        (make_row("upt", "my/folder", **VIT), ""),
        (
            make_row("coop", "imagenet", model="ViT-L/14", epochs=50),
            "RN50, RN101, ViT-B/32, ViT-B/16 only",
        ),
        (make_row("coop", "eurosat", **VIT, **WORDS), "78.8 (UPT T2)"),  # M = 4
        (make_row("coop", "eurosat", **VIT), "other options"),  # M = 16
        (make_row("coop", "imagenet", **VIT, epochs=50), "70.1 (CoOp v1 T7)"),
        (
            make_row("coop", "imagenet", **VIT, epochs=50, options=dict(n_ctx=16)),
            "70.1 (CoOp v1 T7)",
        ),
        (make_row("coop", "imagenet", model="RN50", epochs=50), "60.5 (CoOp v1 T2)"),
        (make_row("coop", "imagenet", **VIT), "other training"),  # 200 epochs
        (make_row("vpt", "sun397", **VIT), "71.6 (UPT T2)"),
        (make_row("vpt", "sun397", **VIT, options=dict(depth=1)), "68.1 (UPT T2)"),
        (make_row("vpt", "eurosat", **VIT), "other template"),  # of its own
        (make_row("vpt", "eurosat", **VIT, template="a photo of a {}."), "91.5 (UPT T2)"),
    ],
)
def test_a_papers_figure_stands_only_beside_a_run_with_its_settings(row, cell):
    assert as_dicts([row], "few-shot")[0]["paper"] == cell


def test_zero_shot_clip_has_the_figures_of_its_templates():
    others = [make_row("coop", "imagenet", **VIT), zero_shot("imagenet", **VIT)]
    lines = as_dicts(
        [*others, zero_shot("imagenet", **VIT, options=dict(templates="ensemble"))], "few-shot"
    )
    assert [line["paper"] for line in lines] == [
        "64.7 (CoOp v1 T7)",
        "67.3 (CoOp v1 T7)",
        "other training",
    ]
    for template, cell in (("{}.", "other template"), ("a photo of a {}.", "64.7 (CoOp v1 T7)")):
        other = zero_shot("imagenet", **VIT, template=template)  # the second one is ImageNet's own
        assert as_dicts([*others, other], "few-shot")[1]["paper"] == cell


def test_figures_that_several_papers_give_are_named_once_with_all_of_them():
    rows = [
        make_row("coop", d, trained_on="imagenet", **VIT, epochs=50, **WORDS)
        for d in ("imagenet", "imagenet_r")
    ]
    rows += [zero_shot(d, **VIT) for d in ("imagenet", "imagenet_r")]
    line = find(
        as_dicts(rows, "domain-generalization"),
        dataset="imagenet_r",
        method="coop ctx_init=a photo of a",
    )
    assert line["paper"] == "75.2 (CoCoOp T3, UPT T1)"
    zero = find(as_dicts(rows, "domain-generalization"), dataset="imagenet_r", method="zero_shot")
    assert zero["paper"] == "72.5 (CoOp v1 T6); 74.0 (CoCoOp T3)"
    average = find(
        as_dicts(rows, "domain-generalization", methods=["coop"]),
        method=line["method"],
        dataset="imagenet",
    )
    assert average["paper"] == "71.5 (CoCoOp T3, UPT T1)"


def test_where_a_figure_of_coops_preprint_stands_a_remark_says_how_it_was_measured():
    """64.7 and 66.7 are the same experiment with different pipelines."""
    rows = [
        make_row("coop", d, trained_on="imagenet", **VIT, epochs=50)
        for d in ("imagenet", "imagenet_r")
    ]
    rows += [zero_shot(d, **VIT) for d in ("imagenet", "imagenet_r")]
    header, body = tables.table(rows, "domain-generalization")
    assert "64.7 (CoOp v1 T6); 66.7 (CoCoOp T3)" in [row[-1] for row in body]
    assert body[-1][0].startswith("CoOp v1: the preprint of September 2021.") and len(body[-1]) == 1
    assert [
        row for row in tables.table([make_row("upt", "dtd", **VIT)], "few-shot")[1] if len(row) == 1
    ] == []


def test_a_remark_says_what_an_empty_cell_of_the_papers_means_but_not_for_miniature_sets():
    def remarks(*rows):
        return [row[0] for row in tables.table(list(rows), "few-shot")[1] if len(row) == 1]

    of_a_paper, of_none = make_row("upt", "dtd", **VIT), make_row("cocoop", "dtd", **VIT)
    assert remarks(of_a_paper) == remarks(make_row("upt"), zero_shot()) == []
    assert remarks(of_a_paper, of_none) == [
        "paper, an empty cell: none of the three papers has this figure."
    ]


def test_the_averages_over_the_shifted_versions_with_and_without_imagenet_have_upts_figures():
    datasets = ("imagenet", *SHIFTED["imagenet"])
    rows = [make_row("upt", d, trained_on="imagenet", epochs=50, **VIT) for d in datasets]
    recipe = lines.recipe_of("upt", "ViT-B/16")
    rows = [row | dict(epochs=recipe.epochs_for("imagenet", 16)) for row in rows]
    for row, accuracy in zip(rows, (70, 60, 50, 40, 30), strict=True):
        row["accuracy"] = accuracy
    table = as_dicts(rows, "domain-generalization")
    averages = [(line["dataset"], line["accuracy"], line["paper"]) for line in table[5:]]
    assert averages == [
        ("average of 4 targets", "45.0", "60.0 (UPT T1)"),
        ("average of 5", "50.0", "62.5 (UPT T1)"),
    ]
    fewer = as_dicts(rows[:-1], "domain-generalization")[4:]
    assert [(line["dataset"], line["paper"]) for line in fewer] == [
        ("average of 3 targets", ""),
        ("average of 4", ""),
    ]


def test_coop_with_as_many_parameters_as_cocoop_has_the_figures_of_cocoops_table_5():
    row = make_row(
        "coop", "imagenet", trained_classes="base", epochs=50, options=dict(n_ctx=60), **VIT
    )
    line = as_dicts([row | dict(classes=c) for c in ("base", "new")], "base-to-new")[0]
    assert line["paper"] == "76.2 / 65.3 / 70.3 (CoCoOp T5)"


def test_base_new_and_harmonic_mean_of_a_paper_stand_together():
    rows = [
        make_row("cocoop", "eurosat", trained_classes="base", classes=c, **VIT)
        for c in ("base", "new")
    ]
    assert as_dicts(rows, "base-to-new")[0]["paper"] == "87.5 / 60.0 / 71.2 (CoCoOp T1)"


def test_the_papers_averages_stand_beside_averages_of_the_same_data_sets():
    few = [make_row("upt", d, epochs=50 if d == "imagenet" else 200, **VIT) for d in ELEVEN]
    assert as_dicts(few, "few-shot")[-1]["paper"] == "81.4 (UPT T2)"
    folders = [make_row("upt", f"folder-{i}", **VIT) for i in range(11)]
    line = as_dicts(folders, "few-shot")[-1]
    assert (line["dataset"], line["paper"]) == ("average of 11", "other data sets")
    own_templates = [
        make_row("vpt", d, epochs=50 if d == "imagenet" else 200, **VIT) for d in ELEVEN
    ]
    assert as_dicts(own_templates, "few-shot")[-1]["paper"] == "other settings"
    one_template = [row | dict(template="a photo of a {}.") for row in own_templates]
    assert as_dicts(one_template, "few-shot")[-1]["paper"] == "79.4 (UPT T2)"
    cross = [make_row("cocoop", d, trained_on="imagenet", **VIT) for d in ELEVEN]
    assert as_dicts(cross, "cross-dataset")[-1]["paper"] == "65.7 (CoCoOp T2)"
    from_pets = [make_row("cocoop", d, trained_on="oxford_pets", **VIT) for d in ELEVEN]
    assert {line["paper"] for line in as_dicts(from_pets, "cross-dataset")} == {""}


@pytest.mark.parametrize("unlike", ["own split", "not whole"])
def test_pictures_unlike_the_papers_have_a_footnote_instead_of_their_figures(unlike):
    mark = {unlike.replace(" ", "_"): True}
    rows = [make_row("upt", "caltech101", **mark, **VIT), make_row("upt", "dtd", **VIT)]
    header, body = tables.table(rows, "few-shot")
    assert [row[-1] for row in body] == [
        unlike,
        "70.7 (UPT T2)",
        unlike,
        f"{unlike}: not comparable with the papers' figures",
    ]
    assert len(body[-1]) == 1
    assert tables.as_text(header, body).endswith("\n\n" + body[-1][0])
    assert tables.as_markdown(header, body).endswith("\n\n" + body[-1][0])
    assert "not comparable" not in tables.as_csv(header, body)


# --- what does not count ---


def remarks(rows, name="few-shot", **choice):
    return [row[0] for row in tables.table(rows, name, **choice)[1] if len(row) == 1]


NEW = dict(code={"coop.py": "c2"}, pictures="p2")
OLD = dict(code={"coop.py": "c1"}, pictures="p1")


def test_a_row_of_older_code_or_other_pictures_is_never_shown():
    rows = [
        make_row(accuracy=10.0, **OLD),
        make_row(accuracy=60.0, **NEW),
        make_row(seed=2, accuracy=70.0, **NEW),
    ]
    assert as_dicts(rows, "few-shot")[0]["16 shots"] == "65.0 ± 5.0" and remarks(rows) == []
    rows = [zero_shot(accuracy=10.0, **OLD), make_row("upt", accuracy=10.0, **OLD), *rows]
    assert [line["method"] for line in as_dicts(rows, "few-shot")] == ["coop"]
    (remark,) = remarks(rows)
    assert remark == (
        "2 older rows left out, because the pictures, class names or templates have changed since "
        "(last: upt on toy-objects)."
    )


def test_a_table_counts_only_the_older_rows_that_would_stand_in_it():
    old = [
        make_row("upt", **OLD),
        make_row("vpt", classes="base", trained_classes="base", **OLD),
        make_row("vpt", split="val", **OLD),
        make_row("vpt", "toy-flowers", **OLD),
        make_row("vpt", model="RN50", **OLD),
        make_row("vpt", shots=1, **OLD),
        zero_shot("toy-flowers", **OLD),
    ]
    new = [
        make_row(dataset=d, classes=c, split=s, **NEW)
        for d in ("toy-objects", "toy-flowers")
        for c in ("all", "base")
        for s in ("test", "val")
    ]
    (remark,) = remarks([*old, *new], datasets=["toy-objects"], models=["tiny"], shots=[16])
    assert remark.startswith("1 older row left out") and "upt on toy-objects" in remark
    assert (
        remarks(
            [*old, *new], datasets=["toy-objects"], models=["tiny"], shots=[16], methods=["coop"]
        )
        == []
    )
    (remark,) = remarks([*old, *new])
    assert remark.startswith("5 older rows left out")


def failed_row(**changes):
    row = make_row(**changes)
    del row["accuracy"]
    return row | dict(failed="The loss is not finite.")


def test_a_run_that_diverged_is_named_below_the_table():
    rows = [make_row(), failed_row(seed=2), failed_row(method="upt", lr=9.0, seed=3, shots=4)]
    assert as_dicts(rows, "few-shot")[0]["seeds"] == "1" and len(as_dicts(rows, "few-shot")) == 1
    assert remarks(rows) == [
        "2 runs that diverged left out (last: upt lr=9.0 on toy-objects, 4 shots, seed 3: "
        "The loss is not finite.)."
    ]
    assert remarks(rows, methods=["coop"])[0].startswith(
        "1 run that diverged left out (last: coop on toy-objects, 16"
    )
    with pytest.raises(
        ValueError, match="There are no few-shot results: run `.*`. 1 run that diverged left out"
    ):
        tables.table([failed_row()], "few-shot")


def test_seeds_of_different_code_are_named_below_the_table():
    new = NEW | dict(code={"coop.py": "c3"})
    rows = [
        make_row(seed=1, **NEW),
        make_row(seed=2, **new),
        make_row("upt", seed=1, **NEW),
        zero_shot(**new),
    ]
    assert remarks(rows) == [
        "In 1 line the code was changed between two seeds (first: coop on toy-objects): "
        "run all seeds again."
    ]
    assert remarks([*rows, make_row(seed=1, **new)]) == []
    shots = [make_row(seed=1, shots=1, **NEW), make_row(seed=1, shots=16, **new)]
    assert remarks(shots) == []  # different columns


def test_an_odd_row_is_skipped_with_a_note():
    with pytest.warns(
        UserWarning, match="Line 1 of the results is skipped, because it is not a JSON object"
    ):
        assert len(as_dicts([None, make_row()], "few-shot")) == 1


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "key", [*make_row(), "own_split", "template", "code", "pictures", "failed"]
)
def test_whatever_a_row_holds_a_table_is_printed_or_refused_in_one_sentence(key):
    odd = [None, [], {}, [1, [2]], {"a": [1]}, "x\x1b", "", 1.5, -1, True, float("nan"), 10**30]
    for base in (make_row(), zero_shot(), make_row("upt", "imagenet", **VIT)):
        for value in odd:
            rows = [base | {key: value}, make_row(seed=2), zero_shot(), make_row(classes="base")]
            for name in tables.NAMES:
                for draw in (tables.report, plots.draw):
                    try:
                        assert draw(rows, name).replace("\n", "").isprintable()
                    except ValueError as error:
                        assert str(error).startswith("There ")


def test_names_with_control_characters_and_bars_cannot_break_a_table():
    rows = [make_row(dataset="a\x1b[2J|b\nc", options=dict(ctx_init="x\x07"))]
    header, body = tables.table(rows, "few-shot")
    assert body[0][:2] == [r"a\x1b[2J|b\nc", r"coop ctx_init=x\x07"]
    assert (
        tables.as_markdown(header, body)
        .splitlines()[2]
        .startswith(r"| a\x1b[2J\|b\nc | coop ctx_init=x\x07 | 50.0 |")
    )
    failed = failed_row(options={}, dataset="b\x1b") | dict(failed="nan\x1b[2J")
    older = make_row("upt", dataset="c\x1b", **OLD)
    everything = [*rows, failed, older, make_row(dataset="c\x1b", **NEW)]
    for text in (
        tables.report(everything, "few-shot", form) for form in ("text", "markdown", "csv")
    ):
        assert text.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    "form, write",
    [("text", tables.as_text), ("markdown", tables.as_markdown), ("csv", tables.as_csv)],
)
def test_a_report_is_the_table_in_one_of_three_formats(form, write):
    rows = [make_row(), make_row("upt"), zero_shot()]
    assert tables.report(rows, "few-shot", form, methods=["upt"]) == write(
        *tables.table(rows, "few-shot", methods=["upt"])
    )
    assert tables.report(rows, "few-shot") == tables.as_text(*tables.table(rows, "few-shot"))


# --- formats ---


def test_text_is_aligned_and_markdown_has_a_cell_for_every_column():
    header, body = tables.table(
        [make_row(), make_row(seed=2, accuracy=51.0), zero_shot()], "few-shot"
    )
    assert tables.as_text(header, body).splitlines() == [
        "dataset      method     0 shots  16 shots    seeds  paper",
        "toy-objects  zero_shot  40.0                 1",
        "toy-objects  coop                50.5 ± 0.5  2",
    ]
    lines = tables.as_markdown(header, body).splitlines()
    assert lines[1:3] == [
        "| --- | --- | --- | --- | --- | --- |",
        "| toy-objects | zero_shot | 40.0 |  | 1 |  |",
    ]


def test_csv_has_mean_deviation_and_seeds_in_columns_of_their_own():
    runs = [dict(seed=1, accuracy=51.0), dict(seed=2, accuracy=52.0)]
    rows = [
        make_row(classes=c, trained_classes="base", **run) for c in ("base", "new") for run in runs
    ]
    (line,) = csv.DictReader(io.StringIO(tables.as_csv(*tables.table(rows, "base-to-new"))))
    assert line == {
        "dataset": "toy-objects",
        "method": "coop",
        "shots": "16",
        "base": "51.5",
        "base std": "0.5",
        "new": "51.5",
        "new std": "0.5",
        "H": "51.5",
        "seeds": "2",
        "paper": "",
    }


def test_the_examples_are_true():
    for module, examples in ((tables, 2), (papers, 2), (lines, 1)):
        result = doctest.testmod(module)
        assert (result.attempted, result.failed) == (examples, 0), module


def test_papers_csv_is_the_transcription_of_the_papers_tables():
    shared = Path(__file__).parents[2] / "shared" / "papers" / "tables.csv"
    if not shared.exists():
        pytest.skip("the transcription of the papers' tables is not beside the repository")
    with shared.open(encoding="utf-8", newline="") as file:
        transcribed = list(csv.DictReader(file))
    keys = ("paper", "backbone", "setting", "method", "dataset", "metric", "value")
    ours = {tuple(row[key] for key in keys): row["table"] for row in papers.read_rows()}
    assert len(transcribed) == 365
    for row in transcribed:
        table = ours[
            tuple(row[key] for key in keys)
        ]  # "6" or "1", where the transcription has "1 and 6"
        assert table == row["table"] or set(table.split(" and ")) <= set(
            row["table"].split(" and ")
        )


def figures(**wanted):
    """{(method, data set, metric): value} of the lines of papers.csv that have all of `wanted`."""
    rows = [row for row in papers.read_rows() if wanted.items() <= row.items()]
    return {(row["method"], row["dataset"], row["metric"]): float(row["value"]) for row in rows}


def test_papers_csv_names_a_version_for_each_paper_and_no_figure_twice():
    rows = papers.read_rows()
    assert {row["paper"]: row["version"] for row in rows} == {
        "CoOp": "2109.01134v1",
        "CoCoOp": "2203.05557",
        "UPT": "2210.07225",
    }
    places = [tuple(value for key, value in row.items() if key != "value") for row in rows]
    assert len(places) == len(set(places))
    assert all(float(row["value"]) == float(row["value"]) for row in rows)


def test_backbones_other_than_rn50_stand_in_coops_tables_6_and_7():
    tables_of = {}
    for row in papers.read_rows():
        if row["paper"] == "CoOp" and row["setting"] in ("domain-generalization", "16-shot"):
            tables_of.setdefault(row["backbone"], set()).add(row["table"])
    rn50 = tables_of.pop("RN50")
    assert rn50 == {"1", "1 and 6", "2 and 7", "3", "text 3.1"}
    assert tables_of == dict.fromkeys(["RN101", "ViT-B/32", "ViT-B/16"], {"6", "7"})


def test_cocoops_gains_over_coop_are_the_differences_of_its_table_2():
    rows = figures(paper="CoCoOp", table="2")
    gains = {key: value for key, value in rows.items() if key[2] == "accuracy gain"}
    assert len(gains) == 12
    for (_, dataset, _), gain in gains.items():
        difference = rows["CoCoOp", dataset, "accuracy"] - rows["CoOp", dataset, "accuracy"]
        assert gain == pytest.approx(difference, abs=0.006)


def test_the_gains_stated_in_the_text_are_the_differences_of_the_tables():
    table_1, text = figures(paper="CoCoOp", table="1"), figures(paper="CoCoOp", table="text 4.1")
    for classes in ("base", "new"):
        pair = [table_1[method, "StanfordCars", classes] for method in ("CoCoOp", "CoOp")]
        gain = text["CoCoOp minus CoOp", "StanfordCars", f"{classes} gain"]
        assert gain == pytest.approx(pair[0] - pair[1], abs=0.006)
    coop = figures(paper="CoOp", table="2 and 7")
    gain = (
        coop["CoOp", "ImageNet", "accuracy"]
        - coop["zero-shot (prompt engineering)", "ImageNet", "accuracy"]
    )
    stated = figures(paper="CoOp", table="text 3.1")[
        "CoOp minus zero-shot", "ImageNet", "accuracy gain"
    ]
    assert stated == pytest.approx(gain, abs=0.006)


def test_upts_averages_are_those_of_its_table_1_but_for_one_that_the_paper_prints_otherwise():
    rows = figures(paper="UPT", table="1")
    for method in ("CoOp", "CoCoOp", "VPT-shallow", "VPT-deep", "UPT"):
        names = ("ImageNet", "ImageNetV2", "ImageNet-Sketch", "ImageNet-A", "ImageNet-R")
        source, *targets = (rows[method, name, "accuracy"] for name in names)
        assert rows[method, "average of 4 targets", "accuracy"] == pytest.approx(
            sum(targets) / 4, abs=0.006
        )
        mean = (source + sum(targets)) / 5
        printed = rows[method, "average of 5", "accuracy"]
        assert printed == pytest.approx(mean, abs=0.035 if method == "VPT-shallow" else 0.007)


def test_coops_nearest_words_are_those_that_could_be_read():
    """16 vectors on 5 data sets; the paper has five N/A, and eight cells were lost with the layout
    of the page.
    """
    words = figures(paper="CoOp", table="4")
    assert (
        len(words) == 67
        and words["CoOp M=16", "OxfordPets", "distance of vector 3 to fluffy"] == 1.6099
    )


def test_miniature_and_real_data_sets_have_averages_of_their_own():
    names = ("toy-flowers", "toy-scenes", "eurosat", "dtd")
    rows = [
        make_row(dataset=name, trained_on=name, accuracy=10.0 * i) for i, name in enumerate(names)
    ]
    _, body = tables.table(rows, "few-shot")
    assert [line[:3] for line in body if line[0].startswith("average")] == [
        ["average of 2", "coop", "25.0"],
        ["average of 2 toy sets", "coop", "5.0"],
    ]


NOTES = Path(__file__).parents[1] / "notes"


@pytest.mark.parametrize("name", tables.NAMES)
def test_the_tables_in_the_notes_are_what_the_committed_rows_give(name):
    printed = tables.as_markdown(*tables.table(read_json_lines(NOTES / "results.jsonl"), name))
    assert printed in (NOTES / "results.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", plots.NAMES)
def test_the_plots_in_the_notes_are_what_the_committed_rows_give(name):
    assert (
        plots.draw(read_json_lines(NOTES / "results.jsonl"), name)
        == (NOTES / f"{name}.svg").read_text()
    )


def test_a_prompt_that_is_evaluated_in_another_precision_has_a_line_of_its_own():
    """Its figure must not take the place of the run's own, which stands in the same file."""
    rows = [make_row(accuracy=50.0), make_row(accuracy=40.0, evaluated_in="bf16"), zero_shot()]
    lines = [line for line in as_dicts(rows, "few-shot") if line["method"].startswith("coop")]
    shown = {line["method"]: line["16 shots"] for line in lines}
    assert shown == {"coop": "50.0", "coop evaluated_in=bf16": "40.0"}
