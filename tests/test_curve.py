"""The picture of the pre-training, from made-up logs: whole SVG, with named axes and a legend."""

from xml.etree import ElementTree

import pytest

from notes.curve import condense, curve

TAG = "{http://www.w3.org/2000/svg}"


def log():
    """Two stages of three lines, and accuracies after the first stage and within the second."""
    lines = []
    for stage, loss in (("web", -1.0), ("close-ups", -2.5)):
        for step in (1, 2, 3):
            line = dict(step=step, stage=stage, pairs=100_000 * step)
            lines.append(line | dict(loss_below_chance=loss - step / 5))
    return lines + [
        dict(weights="web", zero_shot=20.0, linear_probe=30.0),
        dict(weights="close-ups-100k", zero_shot=40.0, linear_probe=50.0),
    ]


@pytest.mark.parametrize("lines", [log(), log()[:6]], ids=["with accuracies", "loss only"])
def test_the_picture_scales_and_all_of_it_lies_inside(lines):
    root = ElementTree.fromstring(curve(lines))
    width, height = float(root.get("width")), float(root.get("height"))
    assert root.get("viewBox") == f"0 0 {width:.0f} {height:.0f}"
    places = []
    for element in root.iter():
        for x, y in (("x", "y"), ("x1", "y1"), ("x2", "y2"), ("cx", "cy")):
            if element.get(x):
                places.append((element.get(x), element.get(y)))
        places += [place.split(",") for place in element.get("points", "").split()]
    assert len(places) > 20
    assert all(0 <= float(x) <= width and 0 <= float(y) <= height for x, y in places)


def test_axes_have_names_with_units_and_the_legend_names_every_curve():
    words = [element.text for element in ElementTree.fromstring(curve(log())).iter(f"{TAG}text")]
    assert "loss, nats (0: guessing)" in words
    assert "accuracy on the eight miniature sets, %" in words
    assert "pictures with captions seen, in thousands" in words
    assert {"web", "close-ups", "zero-shot", "linear probe, 16 shots"} <= set(words)


def test_accuracies_of_a_file_of_weights_are_averaged_over_the_data_sets():
    rows = [
        dict(model=f"weights/{file}.pt", method=method, dataset=dataset, accuracy=accuracy)
        for file, method, dataset, accuracy in (
            ("web", "zero_shot", "toy-objects", 20.0),
            ("web", "zero_shot", "toy-flowers", 30.0),
            ("web", "linear_probe", "toy-objects", 50.0),
        )
    ]
    assert condense(rows) == [dict(weights="web", zero_shot=25.0, linear_probe=50.0)]
