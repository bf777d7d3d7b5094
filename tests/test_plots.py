"""The papers' pictures from rows of results.jsonl: whole SVG, all of it inside the canvas, curves
where they belong.
"""

import itertools
import xml.etree.ElementTree as ET

import pytest
from PIL import Image

from clip_min.data import ELEVEN
from prompts.reports import colours, plots
from prompts.reports.outputs import check_output
from tests.scripts import make_row, zero_shot

TAG = "{http://www.w3.org/2000/svg}"
TWO = ("toy-objects", "toy-flowers")


def few_shot_rows(datasets=TWO, shots=(1, 2, 4, 8, 16), methods=("coop", "upt"), seeds=(1, 2)):
    yield from (zero_shot(dataset) for dataset in datasets)
    for dataset, n, method, seed in itertools.product(datasets, shots, methods, seeds):
        yield make_row(method, dataset, 40.0 + n + 5 * seed + len(dataset), seed, n)


def base_to_new_rows(methods=("coop", "cocoop"), datasets=TWO, seeds=(1, 2)):
    for dataset, classes in itertools.product(datasets, ("base", "new")):
        yield zero_shot(dataset, classes=classes)
        for method, seed in itertools.product(methods, seeds):
            accuracy = (80.0 if classes == "base" else 60.0) + seed
            yield make_row(method, dataset, accuracy, seed, classes=classes, trained_classes="base")


def parse(svg):
    """SVG text → legend and panels, {kind: elements}; all points as (x, y) on the canvas; its
    (width, height).
    """
    root = ET.fromstring(svg)
    panels, points = [], []
    for group in [root, *root.findall(f"{TAG}g")]:
        x_0, y_0 = map(float, group.get("transform", "translate(0 0)")[10:-1].split())
        found = {}
        for element in group:
            kind = element.tag.removeprefix(TAG)
            found.setdefault(kind, []).append(element)
            pairs = [("x1", "y1"), ("x2", "y2"), ("cx", "cy"), ("x", "y")]
            places = [(element.get(x), element.get(y)) for x, y in pairs if element.get(x)]
            places += [place.split(",") for place in element.get("points", "").split()]
            x, y = float(element.get("x", 0)), float(element.get("y", 0))
            if kind == "text":  # about 7 pixels for a letter
                length = 7 * len(element.text)
                start = x - dict(middle=0.5, end=1).get(element.get("text-anchor"), 0) * length
                places += [(start, y), (start + length, y)]
            if kind == "rect" and element.get("x"):
                size = float(element.get("width")), float(element.get("height"))
                assert min(size) >= 0
                places.append((x + size[0], y + size[1]))
            points += [(x_0 + float(x), y_0 + float(y)) for x, y in places]
        panels.append(found)
    return panels, points, (float(root.get("width")), float(root.get("height")))


def y_axis(panel):
    """A panel's ticks → {text: y}."""
    labels = [text for text in panel["text"] if text.get("text-anchor") == "end"]
    return {text.text: float(text.get("y")) - 4 for text in labels}


def names_in(legend):
    return [text.text for text in legend["text"]]


def test_every_picture_is_whole_svg_and_all_of_it_lies_inside_the_canvas():
    one, many = ["toy-objects"], ["coop", "vpt", "joint", "shared", "mlp", "upt"]
    odd = dict(ctx_init="<a & b>", class_specific=True)
    base = dict(classes="base", trained_classes="base", accuracy=99.9)
    for rows, name in [
        (few_shot_rows(), "few-shot"),
        (few_shot_rows(one, shots=[16], methods=["upt"], seeds=[1]), "few-shot"),
        (few_shot_rows(one, shots=[3, 32]), "few-shot"),
        (few_shot_rows(ELEVEN, methods=many), "few-shot"),
        ([make_row(options=odd, accuracy=100.0)], "few-shot"),
        ([make_row(), make_row("upt", model="ViT-B/16", accuracy=0.0),
          make_row("vpt", "photos/" * 20)], "few-shot"),
        (base_to_new_rows(), "base-to-new"),
        (base_to_new_rows(many, ELEVEN), "base-to-new"),
        ([make_row(shots=n, **base) for n in (1, 16)], "base-to-new"),
    ]:
        _, points, (width, height) = parse(plots.draw(list(rows), name))
        assert min(x for x, _ in points) >= 0 and max(x for x, _ in points) <= width
        assert min(y for _, y in points) >= 0 and max(y for _, y in points) <= height


def test_few_shot_has_a_panel_for_the_average_and_one_for_each_set_with_a_curve_for_each_method():
    (legend, *panels), _, _ = parse(plots.draw(list(few_shot_rows()), "few-shot"))
    titles = [panel["text"][0].text for panel in panels]
    assert titles == ["average of 2 toy sets", "toy-objects", "toy-flowers"]
    for panel in panels:
        assert [len(panel[kind]) for kind in ("polyline", "circle", "polygon")] == [2, 2 * 5, 1]
        colours = [curve.get("stroke") for curve in panel["polyline"]]
        assert len(set(colours)) == 2
        whiskers = [line for line in panel["line"] if line.get("stroke") in colours]
        assert len(whiskers) == 2 * 5
        assert all(float(line.get("y1")) > float(line.get("y2")) for line in whiskers)
    assert names_in(legend) == ["zero-shot", "coop", "upt"]


def test_what_has_a_single_number_of_shots_is_left_out_where_others_have_curves():
    single = make_row("vpt", accuracy=70.0)
    (legend, *_), _, _ = parse(plots.draw([*few_shot_rows(), single], "few-shot"))
    assert names_in(legend) == ["zero-shot", "coop", "upt"]
    (legend, *_), _, _ = parse(plots.draw([single], "few-shot"))
    assert names_in(legend) == ["vpt"]


def test_shots_are_spaced_by_their_logarithm_and_zero_shot_stands_before_them():
    (_, panel), _, _ = parse(
        plots.draw(list(few_shot_rows(["toy-objects"], methods=["upt"])), "few-shot")
    )
    x = [float(point.split(",")[0]) for point in panel["polyline"][0].get("points").split()]
    steps = [b - a for a, b in itertools.pairwise(x)]
    assert steps == pytest.approx([steps[0]] * 4, abs=0.11)
    star = [float(point.split(",")[0]) for point in panel["polygon"][0].get("points").split()]
    assert x[0] - sum(star) / len(star) == pytest.approx(steps[0], abs=0.11)
    (dashed,) = [line for line in panel["line"] if line.get("stroke-dasharray")]
    assert float(dashed.get("x1")) < min(star) and float(dashed.get("x2")) > x[-1]


def test_a_higher_accuracy_stands_higher_and_exactly_where_the_axis_says():
    rows = [make_row(accuracy=a, shots=n) for n, a in ((1, 50.0), (2, 60.0), (4, 55.0))]
    (_, panel), _, _ = parse(plots.draw(rows, "few-shot"))
    y = [float(point.split(",")[1]) for point in panel["polyline"][0].get("points").split()]
    assert y[0] > y[2] > y[1] and y[2] == pytest.approx((y[0] + y[1]) / 2, abs=0.11)
    ticks = y_axis(panel)
    assert ticks["50"] == pytest.approx(y[0], abs=0.11) and ticks["60"] == pytest.approx(
        y[1], abs=0.11
    )


def test_base_to_new_has_bars_for_base_new_and_h_that_begin_at_zero_and_lines_for_zero_shot():
    (legend, *panels), _, _ = parse(plots.draw(list(base_to_new_rows()), "base-to-new"))
    assert [panel["text"][0].text for panel in panels] == [
        "average of 2 toy sets",
        "toy-objects",
        "toy-flowers",
    ]
    for panel in panels:
        ticks = y_axis(panel)
        bars = panel["rect"]
        assert len(bars) == 3 * 2
        assert {round(float(bar.get("y")) + float(bar.get("height")), 0) for bar in bars} == {
            round(ticks["0"], 0)
        }
        pixels = (ticks["0"] - ticks["80"]) / 80
        heights = [float(bar.get("height")) / pixels for bar in bars]
        assert heights == pytest.approx(
            [81.5] * 2 + [61.5] * 2 + [2 * 81.5 * 61.5 / 143] * 2, abs=0.2
        )
        assert len([line for line in panel["line"] if line.get("stroke-dasharray")]) == 3
        black = [line for line in panel["line"] if line.get("stroke") == "black"]
        whiskers = [line for line in black if not line.get("stroke-dasharray")]
        assert len(whiskers) == 2 * 2  # H has none
    assert names_in(legend) == ["zero-shot", "coop", "cocoop"]


def test_all_panels_have_the_same_range_and_name_their_axes_with_the_unit():
    for rows, name, x_axis in [(few_shot_rows(), "few-shot", "shots: pictures per class"),
                               (base_to_new_rows(), "base-to-new", "classes (H: harmonic mean)")]:
        lower = {TWO[0]: 0, TWO[1]: 30}
        rows = [{**row, "accuracy": row["accuracy"] - lower[row["dataset"]]} for row in rows]
        svg = plots.draw(rows, name)
        (_, *panels), _, (width, height) = parse(svg)
        assert ET.fromstring(svg).get("viewBox") == f"0 0 {width:.0f} {height:.0f}"
        assert len(panels) == 3
        first, *others = map(y_axis, panels)
        assert len(first) >= 3 and all(other == first for other in others)
        for panel in panels:
            words = [text.text for text in panel["text"]]
            assert words.count("accuracy, %") == words.count(x_axis) == 1


def test_a_method_has_its_own_colour_in_every_plot_and_its_variants_are_lighter():
    (_, panel), _, _ = parse(plots.draw(list(few_shot_rows(["toy-objects"])), "few-shot"))
    rows = base_to_new_rows(["coop"], ["toy-objects"])
    (_, bars), _, _ = parse(plots.draw(list(rows), "base-to-new"))
    assert [curve.get("stroke") for curve in panel["polyline"]] == [
        colours.METHODS[method] for method in ("coop", "upt")]
    assert {bar.get("fill") for bar in bars["rect"]} == {colours.METHODS["coop"]}
    slow = [make_row(shots=n, lr=9.0) for n in (1, 2)]
    (_, panel), _, _ = parse(plots.draw([*few_shot_rows(["toy-objects"]), *slow], "few-shot"))
    own = colours.METHODS["coop"]
    strokes = [curve.get("stroke") for curve in panel["polyline"]]
    assert len(set(strokes)) == 3 and {own, colours.lighter(own, 1 / 3)} < set(strokes)


def test_names_cannot_break_the_svg():
    """XML has no place for most control characters, not even escaped ones."""
    name, start = "a\x1b[2J\x00\uffff<b>&\n", "</text><script/>\x07\udce9"
    row = make_row(dataset=name, options=dict(ctx_init=start, class_specific=True))
    (legend, panel), _, _ = parse(plots.draw([row], "few-shot"))
    assert panel["text"][0].text == r"a\x1b[2J\x00\uffff<b>&\n"
    assert names_in(legend) == [r"coop class_specific=True ctx_init=</text><script/>\x07\udce9"]
    assert "script" not in {kind for kind in (*legend, *panel)}


def test_rows_that_do_not_count_are_not_drawn_and_said_in_a_note():
    old, new = dict(pictures="p1"), dict(pictures="p2")
    rows = [make_row("upt", accuracy=0.0, **old), make_row("coop", accuracy=60.0, **new)]
    with pytest.warns(UserWarning, match="1 older row left out, because the pictures"):
        (legend, _), _, _ = parse(plots.draw(rows, "few-shot"))
    assert names_in(legend) == ["coop"]


def test_ticks_are_round_and_not_too_many():
    for low, high, most, ticks in [
        (51.3, 68.0, 7, [50, 55, 60, 65, 70]),
        (50.0, 50.0, 7, [50, 51]),
        (0, 100, 11, [*range(0, 101, 10)]),
        (13.0, 81.0, 11, [*range(10, 91, 10)]),
        (13.0, 81.0, 7, [0, 20, 40, 60, 80, 100]),
        (0, 70, 8, [*range(0, 71, 10)]),
        (0, 70, 7, [0, 20, 40, 60, 80]),
    ]:
        assert plots.nice_ticks(low, high, most) == ticks


def test_a_choice_restricts_the_picture_too():
    choice = dict(datasets=["toy-objects"], methods=["upt"], shots=[2, 4])
    (legend, *panels), _, _ = parse(plots.draw([*few_shot_rows()], "few-shot", **choice))
    assert names_in(legend) == ["upt"]
    assert [len(panel["circle"]) for panel in panels] == [2]


def test_another_name_and_an_empty_picture_are_refused():
    with pytest.raises(ValueError, match="choose few-shot or base-to-new"):
        plots.draw(list(few_shot_rows()), "cross-dataset")
    with pytest.raises(ValueError, match="run `python train.py .* --protocol base-to-new`"):
        plots.draw(list(few_shot_rows()), "base-to-new")


def test_an_output_replaces_neither_an_input_nor_a_file_of_another_kind(tmp_path):
    photo, svg, results = (tmp_path / name for name in ("a.png", "a.svg", "results.jsonl"))
    Image.new("RGB", (3, 3)).save(photo)
    svg.write_text(plots.draw([make_row()], "few-shot"))
    results.write_text("{}\n")
    (tmp_path / "folder.svg").mkdir()
    for path, suffix in [(svg, ".svg"), (photo, ".png"), (tmp_path / "new.SVG", ".svg")]:
        check_output(path, suffix, inputs=[results, "toy-objects/test/apple/12"])
    for path, suffix, inputs, words in [
        (results, ".svg", [], "results.jsonl does not end in .svg"),
        (tmp_path / "folder.svg", ".svg", [], "folder.svg is a folder: give the name of a file"),
        (photo, ".png", [results, tmp_path / "." / "a.png"], "a.png is one of the inputs"),
        (results.rename(tmp_path / "b.svg"), ".svg", [], "b.svg is there already and is"),
        (svg.rename(tmp_path / "b.png"), ".png", [], "b.png is there already and is"),
    ]:
        with pytest.raises(ValueError, match=words):
            check_output(path, suffix, inputs)
