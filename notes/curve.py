"""Draws how the tiny CLIP's pre-training went: the loss, and accuracy along it.

    python notes/curve.py notes/pretraining.jsonl notes/pretraining.svg
    python notes/curve.py --condense runs/results.jsonl >> notes/pretraining.jsonl

The file holds one line per hundred steps, from the log of `python -m clip_min.world.pretrain`. The
second command adds one line for each file of weights that zero-shot CLIP and the linear probe were
measured with: the mean over the data sets, from rows that train.py wrote. Loss is in nats, counted
from guessing (0 = chance).
"""

import json
import sys
from pathlib import Path

WIDTH, PANEL, MARGIN, HEAD = 640, 220, 50, 50  # pixels; HEAD: the words above a panel
STAGE_COLOURS = ("#2a6fb0", "#d9772b", "#3a8f4a")
METHODS = {  # name and colour of a curve
    "zero_shot": ("zero-shot", "#8a3fa0"),
    "linear_probe": ("linear probe, 16 shots", "#555555"),
}


def condense(rows):
    """Rows of results.jsonl → a dict for each file of weights: each method's mean accuracy."""
    accuracies = {}
    for row in rows:
        weights = Path(row["model"]).stem  # such as web-100k, or web for the end of the stage
        by_set = accuracies.setdefault(weights, {}).setdefault(row["method"], {})
        by_set[row["dataset"]] = row["accuracy"]
    lines = []
    for weights, methods in accuracies.items():
        line = dict(weights=weights)
        for name, by_set in methods.items():
            line[name] = round(sum(by_set.values()) / len(by_set), 1)
        lines.append(line)
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


class Panel:
    """A part of the picture with lines across it; `x` and `y` turn pairs and values into pixels.

    Above it stand the name of its upright axis and a legend.
    """

    def __init__(self, top, values, most, name):
        self.top, self.low, self.high, self.most = top, min(values), max(values), most
        self.parts, self.next_entry = [], MARGIN
        self.text(8, top - 30, name, "black")
        for value in values:
            y = self.y(value)
            ends = f'x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{y}" y2="{y}"'
            self.parts.append(f'<line {ends} stroke="#ddd"/>')
            self.text(MARGIN - 8, y + 4, value, anchor="end")

    def x(self, pairs):
        """Pairs seen → pixels from the left."""
        return MARGIN + (WIDTH - 2 * MARGIN) * pairs / self.most

    def y(self, value):
        """A value → pixels from the top."""
        return self.top + PANEL * (self.high - value) / (self.high - self.low)

    def text(self, x, y, words, colour="#555", anchor="start"):
        """Words at this place."""
        at = f'x="{x:.1f}" y="{y:.1f}"'
        self.parts.append(f'<text {at} text-anchor="{anchor}" fill="{colour}">{words}</text>')

    def line(self, points, colour):
        """A curve through (pairs, value) points."""
        corners = " ".join(f"{self.x(pairs):.1f},{self.y(value):.1f}" for pairs, value in points)
        style = f'fill="none" stroke="{colour}" stroke-width="2"'
        self.parts.append(f'<polyline points="{corners}" {style}/>')

    def entry(self, words, colour):
        """One more entry of the legend, to the right of those before it."""
        x, y = self.next_entry, self.top - 10
        ends = f'x1="{x}" x2="{x + 20}" y1="{y - 4}" y2="{y - 4}"'
        self.parts.append(f'<line {ends} stroke="{colour}" stroke-width="3"/>')
        self.text(x + 26, y, words, colour)
        self.next_entry += 60 + 7 * len(words)  # a letter is about 7 pixels wide

    def dots(self, points, colour):
        """A dot at each (pairs, value)."""
        for pairs, value in points:
            at = f'cx="{self.x(pairs):.1f}" cy="{self.y(value):.1f}"'
            self.parts.append(f'<circle {at} r="3" fill="{colour}"/>')


def curve(lines):
    """Log lines and accuracy lines → an SVG picture, each stage in a colour of its own."""
    measured = [line for line in lines if "weights" in line]
    stages = stages_of([line for line in lines if "step" in line])
    most = max(points[-1][0] for points in stages.values())
    lowest = min(loss for points in stages.values() for _, loss in points)
    losses = Panel(HEAD, range(int(lowest) - 1, 1), most, "loss, nats (0: guessing)")
    for colour, (name, points) in zip(STAGE_COLOURS, stages.items()):
        losses.line(points, colour)
        losses.entry(name, colour)
    panels = [losses]
    if measured:
        top = 2 * HEAD + PANEL + 8
        accuracies = Panel(top, range(0, 101, 20), most, "accuracy on the eight miniature sets, %")
        for method, points in points_of(measured, stages).items():
            name, colour = METHODS[method]
            accuracies.line(points, colour)
            accuracies.dots(points, colour)
            accuracies.entry(name, colour)
        panels.append(accuracies)
    bottom = panels[-1].top + PANEL
    for pairs in range(0, most + 1, 200_000):
        losses.text(losses.x(pairs), bottom + 16, pairs // 1000, anchor="middle")
    words = "pictures with captions seen, in thousands"
    losses.text(WIDTH / 2, bottom + 34, words, anchor="middle")
    height = bottom + 44
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    font = 'font-family="sans-serif" font-size="12"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>'
    paper = '<rect width="100%" height="100%" fill="white"/>'
    return "\n".join([head, paper, *(part for panel in panels for part in panel.parts), "</svg>\n"])


def read_lines(path):
    """A file of one JSON object per line → their list."""
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    if sys.argv[1] == "--condense":
        for condensed in condense(read_lines(sys.argv[2])):
            print(json.dumps(condensed))
    else:
        log, picture = sys.argv[1:]
        Path(picture).write_text(curve(read_lines(log)), encoding="utf-8")
