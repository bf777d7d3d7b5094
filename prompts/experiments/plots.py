"""The papers' two kinds of pictures, as SVG text, from results.jsonl: `python eval.py --plot NAME FILE.svg`.

few-shot: accuracy against the number of shots (CoOp Fig. 3, UPT Fig. 4). base-to-new: bars for the base classes, the
new ones and their harmonic mean H (the figures of CoCoOp's Table 1). A panel for the average and one for each data set.
"""

import functools
import math
import statistics
from xml.sax.saxutils import escape

from prompts.experiments.tables import collect, harmonic_mean
from prompts import METHODS

NAMES = ("few-shot", "base-to-new")
COLOURS = ("#2a6fb0", "#d9772b", "#3a8f4a", "#8a4fa3", "#c03a3a", "#7a5c3e", "#d070a8", "#777777", "#a5a12a", "#2aa5a5",
           "#1d3557", "#f2b134")  # fmt: skip
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 240, 190, 36, 12, 26, 36  # of a panel and its margins, in pixels
STAR = [(math.sin(math.pi * i / 5), -math.cos(math.pi * i / 5)) for i in range(10)]  # every second point further in


def draw(rows, name, datasets=None, methods=None, models=None, shots=None):
    """Rows of results.jsonl, "few-shot" or "base-to-new", and a choice (see `tables.table`) → SVG text.

    Raises ValueError for another name, and if there is nothing to draw, with the command that changes it.
    """
    if name not in NAMES:
        raise ValueError(f"There is no plot {name!r}: choose {' or '.join(NAMES)}.")
    lines = collect(rows, name, datasets, methods, models, shots)
    if name == "few-shot":
        lines = with_curves(lines)
    panels = panels_of(lines)
    order = sorted(lines, key=lambda line: (list(METHODS).index(line.method), line.label, line.shots))
    zero_shot = {line_name(lines, line): line.method == "zero_shot" for line in order}  # whether a label is
    labels, learners = list(zero_shot), [label for label in zero_shot if not zero_shot[label]]
    colours = {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(learners)}
    colours |= {label: "black" if i == 0 else "#999999" for i, label in enumerate(labels) if zero_shot[label]}
    columns, body = min(3, len(panels)), []
    for i, (title, cells) in enumerate(panels.items()):
        parts = curves(cells, zero_shot, colours) if name == "few-shot" else bars(cells, zero_shot, colours)
        body.append(f'<g transform="translate({i % columns * WIDTH} {i // columns * HEIGHT})">')
        body += [text(LEFT, TOP - 10, title[-28:], 'font-weight="bold"'), *parts, "</g>"]
    legend_width = max(len(label) for label in labels) * 7 + 40
    width = max(columns * WIDTH, legend_width + LEFT)
    each_row = (width - LEFT) // legend_width
    top = math.ceil(len(panels) / columns) * HEIGHT
    for i, label in enumerate(labels):
        x, y = LEFT + i % each_row * legend_width, top + 16 + i // each_row * 18
        style = 'stroke-dasharray="4 3"' if zero_shot[label] else 'stroke-width="3"'
        body += [line(x, y - 4, x + 22, y - 4, f'stroke="{colours[label]}" {style}'), text(x + 28, y, label)]
    height = top + 24 + (len(labels) - 1) // each_row * 18
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
    head += 'font-family="sans-serif" font-size="11">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *body, "</svg>\n"])


def with_curves(lines):
    """Lines without those of labels that have one number of shots only, if any label has more. Zero-shot stays."""
    shots = {}
    for line, found in lines.items():
        shots.setdefault(line_name(lines, line), set()).update(found["cells"])
    most = max(map(len, shots.values()))
    few = {name for name in shots if len(shots[name]) == 1 < most}
    return {line: lines[line] for line in lines if line.method == "zero_shot" or line_name(lines, line) not in few}


def panels_of(lines):
    """Lines → {title: {label: cells}}, the average over the data sets first."""
    panels = {}
    for line in lines:
        panels.setdefault(line.dataset, {})[line_name(lines, line)] = lines[line]["cells"]
    return dict(sorted(panels.items(), key=lambda panel: not panel[0].startswith("average of ")))  # a stable sort


def line_name(lines, line):
    """A line's label in the legend: with the model and the number of shots where the picture has several."""
    several_models = len({other.model for other in lines}) > 1
    several_shots = len({other.shots for other in lines if other.method != "zero_shot"}) > 1
    name = line.label.replace("zero_shot", "zero-shot").replace("linear_probe", "linear probe")
    name += f", {line.shots} shots" if several_shots and line.method != "zero_shot" else ""
    return f"{line.model} {name}" if several_models else name


def curves(cells, zero_shot, colours):
    """One few-shot panel: {label: {number of shots: {seed: accuracy}}} → parts of SVG."""
    shots = sorted({n for by_shots in cells.values() for n in by_shots})
    places = {n: math.log2(n) for n in shots if n}
    if 0 in shots:  # zero-shot CLIP stands one step to the left of the fewest shots
        places[0] = min(places.values(), default=0) - 1
    first, steps = min(places.values()), max(1, max(places.values()) - min(places.values()))
    spreads = [mean_and_deviation(runs) for by_shots in cells.values() for runs in by_shots.values()]
    ticks = nice_ticks(min(m - s for m, s in spreads), max(m + s for m, s in spreads))

    def x(n):
        return LEFT + 8 + (places[n] - first) / steps * (WIDTH - LEFT - RIGHT - 16)

    y = functools.partial(y_of, ticks=ticks)
    parts = axis(ticks)
    parts += [text(x(n), HEIGHT - BOTTOM + 14, n, 'text-anchor="middle"') for n in shots]
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 27, "shots", 'text-anchor="middle"'))
    for label, by_shots in cells.items():
        colour = colours[label]
        points = [(x(n), *mean_and_deviation(by_shots[n])) for n in sorted(by_shots)]
        if zero_shot[label]:
            level = y(points[0][1])
            parts.append(line(LEFT, level, WIDTH - RIGHT, level, f'stroke="{colour}" stroke-dasharray="4 3"'))
            star = [(x(0) + (5 - 3 * (i % 2)) * dx, level + (5 - 3 * (i % 2)) * dy) for i, (dx, dy) in enumerate(STAR)]
            parts.append(f'<polygon points="{joined(star)}" fill="{colour}"/>')
            continue
        curve = joined([(place, y(mean)) for place, mean, _ in points])
        parts.append(f'<polyline points="{curve}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for place, mean, deviation in points:
            parts.append(f'<circle cx="{place:.1f}" cy="{y(mean):.1f}" r="2.5" fill="{colour}"/>')
            whisker = place, y(mean - deviation), place, y(mean + deviation)
            parts += [line(*whisker, f'stroke="{colour}"')] * (deviation > 0)
    return parts


def bars(cells, zero_shot, colours):
    """One base-to-new panel: {label: {"base" or "new": {seed: accuracy}}} → parts of SVG."""
    values = {}  # (group, label) -> mean and deviation
    for label, by_classes in cells.items():
        values |= {(classes, label): mean_and_deviation(runs) for classes, runs in by_classes.items()}
        if h := harmonic_mean(by_classes):
            values["H", label] = h, 0
    learners = [label for label in cells if not zero_shot[label]]
    ticks = nice_ticks(0, max(mean + deviation for mean, deviation in values.values()))  # bars begin at 0
    group_width = (WIDTH - LEFT - RIGHT) / 3
    bar_width = 0.8 * group_width / max(1, len(learners))
    parts = axis(ticks)
    for i, group in enumerate(("base", "new", "H")):
        start = LEFT + (i + 0.1) * group_width
        parts.append(text(start + 0.4 * group_width, HEIGHT - BOTTOM + 14, group, 'text-anchor="middle"'))
        for j, label in enumerate(learners):
            if (group, label) in values:
                mean, deviation = values[group, label]
                top, middle = y_of(mean, ticks), start + (j + 0.5) * bar_width
                box = f'x="{start + j * bar_width:.1f}" y="{top:.1f}" width="{bar_width:.1f}"'
                parts.append(f'<rect {box} height="{y_of(0, ticks) - top:.1f}" fill="{colours[label]}"/>')
                whisker = middle, y_of(max(0, mean - deviation), ticks), middle, y_of(mean + deviation, ticks)
                parts += [line(*whisker, 'stroke="black"')] * (deviation > 0)
        for label in (label for label in cells if zero_shot[label] and (group, label) in values):
            level, style = y_of(values[group, label][0], ticks), f'stroke="{colours[label]}" stroke-dasharray="4 3"'
            parts.append(line(start - 0.04 * group_width, level, start + 0.84 * group_width, level, style))
    return parts


def nice_ticks(low, high):
    """Round numbers from one at or below `low` to one at or above `high`, at most seven.

    >>> nice_ticks(51.3, 68.0)
    [50, 55, 60, 65, 70]
    """
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100) if math.ceil(high / step) - math.floor(low / step) <= 6)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [n * step for n in range(first, max(last, first + 1) + 1)]


def y_of(accuracy, ticks):
    return HEIGHT - BOTTOM - (accuracy - ticks[0]) / (ticks[-1] - ticks[0]) * (HEIGHT - TOP - BOTTOM)


def axis(ticks):
    """Grey lines at the ticks, with their numbers at the left."""
    grid = [line(LEFT, y_of(tick, ticks), WIDTH - RIGHT, y_of(tick, ticks), 'stroke="#ddd"') for tick in ticks]
    return grid + [text(LEFT - 5, y_of(tick, ticks) + 4, tick, 'text-anchor="end"') for tick in ticks]


def mean_and_deviation(runs):
    return statistics.mean(runs.values()), statistics.pstdev(runs.values())


def line(x_1, y_1, x_2, y_2, style):
    return f'<line x1="{x_1:.1f}" y1="{y_1:.1f}" x2="{x_2:.1f}" y2="{y_2:.1f}" {style}/>'


def text(x, y, words, style=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(str(words))}</text>'


def joined(points):
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
