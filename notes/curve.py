"""Draws how the tiny CLIP's pre-training went: the loss, and accuracy along it.

    python -m notes.curve notes/pretraining.jsonl notes/pretraining.svg
    python -m notes.curve --condense runs/results.jsonl >> notes/pretraining.jsonl

The file holds one line per hundred steps, from the log of `python -m clip_min.world.pretrain`. The
second command adds one line for each file of weights that zero-shot CLIP and the linear probe were
measured with: the mean over the data sets, from rows that train.py wrote. Loss is in nats (with the
natural logarithm), counted from guessing (0 = chance).
"""

import json
import sys
from pathlib import Path

from clip_min.files import read_json_lines
from notes.figures.charts import Area, Panel, legend
from prompts.reports import colours
from prompts.reports.svg import Axis, centred, curve, document

WIDTH, HEIGHT, MARGIN, HEAD = 640, 220, 50, 62  # pixels; HEAD: the words above a panel
STAGE_COLOURS = ("#2a6fb0", "#d9772b", "#3a8f4a")
METHODS = {"zero_shot": "zero-shot", "linear_probe": "linear probe, 16 shots"}


def condense(rows):
    """Rows of results.jsonl → a dict for each file of weights: each method's mean accuracy."""
    accuracies = {}
    for row in rows:
        weights = Path(row["model"]).stem  # such as web-100k, or web for the end of the stage
        by_set = accuracies.setdefault(weights, {}).setdefault(row["method"], {})
        by_set[row["dataset"]] = row["accuracy"]
    lines = []
    for weights, methods in accuracies.items():
        means = {name: round(sum(by_set.values()) / len(by_set), 1)
                 for name, by_set in methods.items()}
        lines.append(dict(weights=weights, **means))
    return lines


def stages_of(lines):
    """Log lines → {stage: [(pairs seen in all, loss), …]}, in order."""
    stages, before, last_step, name = {}, 0, 0, ""
    for line in lines:
        if line["step"] <= last_step:  # another stage begins
            before = stages[name][-1][0]
        last_step, name = line["step"], line.get("stage", f"after {before:,} pairs")
        stages.setdefault(name, []).append((before + line["pairs"], line["loss_below_chance"]))
    return stages


def points_of(measured, stages):
    """Accuracy lines → {method: [(pairs seen in all, accuracy), …]}, in order."""
    begins, before = {}, 0
    for name, points in stages.items():
        begins[name], before = before, points[-1][0]
    curves = {method: [] for method in METHODS}
    for line in measured:
        if line["weights"] in stages:
            pairs = stages[line["weights"]][-1][0]
        else:
            stage, thousands = line["weights"].rsplit("-", 1)
            pairs = begins[stage] + 1000 * int(thousands.rstrip("k"))
        for method in METHODS:
            curves[method].append((pairs, line[method]))
    return {method: sorted(points) for method, points in curves.items()}


def draw(lines):
    """Log lines and accuracy lines → an SVG picture, each stage in a colour of its own."""
    measured = [line for line in lines if "weights" in line]
    stages = stages_of([line for line in lines if "step" in line])
    losses = [loss for points in stages.values() for _, loss in points]
    most = max(points[-1][0] for points in stages.values())
    panels = [("loss, nats (0: guessing)", range(int(min(losses)) - 1, 1), [
        (name, colour, points) for colour, (name, points) in zip(STAGE_COLOURS, stages.items())])]
    if measured:
        found = points_of(measured, stages)
        panels.append(("accuracy on the eight miniature sets, %", range(0, 101, 20), [
            (METHODS[name], colours.METHODS[name], points) for name, points in found.items()]))
    parts = []
    for i, (name, ticks, curves) in enumerate(panels):
        top = HEAD + i * (HEAD + HEIGHT)
        panel = Panel(Area(MARGIN, top, WIDTH - MARGIN, top + HEIGHT), "")
        panel.upright(ticks, name)
        thousands = range(0, most + 1, 200_000)
        panel.x = Axis([0, most], MARGIN, WIDTH - MARGIN)
        panel.across(thousands, "", [pairs // 1000 for pairs in thousands])
        for _, colour, points in curves:
            places = [(panel.x(pairs), panel.y(value)) for pairs, value in points]
            panel.parts.append(curve(places, colour))
            if i:
                for pairs, value in points:
                    panel.dot(pairs, value, colour)
        of_curves = {words: colour for words, colour, _ in curves}
        parts += panel.parts + legend(of_curves, MARGIN + 250, top - 14, 110, 4)
    bottom = len(panels) * (HEAD + HEIGHT)
    words = "pictures with captions seen, in thousands"
    parts.append(centred(WIDTH / 2, bottom + 34, words))
    return document(WIDTH, bottom + 44, parts, letters=12)


def main():
    """The picture, or the lines to add to its file."""
    if sys.argv[1] == "--condense":
        for condensed in condense(read_json_lines(Path(sys.argv[2]))):
            print(json.dumps(condensed))
    else:
        log, picture = sys.argv[1:]
        Path(picture).write_text(draw(read_json_lines(Path(log))), encoding="utf-8")


if __name__ == "__main__":
    main()
