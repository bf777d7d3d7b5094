"""The papers' two kinds of plots, as SVG text: `python eval.py --plot NAME FILE.svg`.

    rows → lines (tables.py) → panels: {title: {label: cells}} → curves or bars → SVG text

few-shot: accuracy against the number of shots (CoOp Fig. 3, UPT Fig. 4). base-to-new: bars for the
base classes, the new ones and their harmonic mean H (the figures of CoCoOp's Table 1). A panel for
the average and one for each data set, all with the same range of accuracies, and one legend.
"""

import functools
import math
import warnings
from dataclasses import dataclass

from clip_min.files import printable
from prompts import METHODS
from prompts.reports import colours
from prompts.reports.rows import newest, usable
from prompts.reports.svg import document, joined, line, nice_ticks, text
from prompts.reports.tables import Filter, harmonic_mean, lines_of, of_number, remarks_on_rows
from prompts.reports.tables import spread

NAMES = ("few-shot", "base-to-new")
COLUMNS = 3
# Of a panel and its margins, in pixels.
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 250, 260, 36, 12, 40, 36
LETTER = 7  # about the width of one, in pixels


@dataclass(frozen=True)
class Style:
    """How one label of the legend is drawn: zero-shot CLIP dashed, a learned method solid."""

    colour: str
    is_zero_shot: bool

    @property
    def stroke(self):
        """The SVG attributes of the line."""
        width = 'stroke-dasharray="4 3"' if self.is_zero_shot else 'stroke-width="3"'
        return f'stroke="{self.colour}" {width}'


def draw(rows, name, present=None, **chosen):
    """Rows of results.jsonl and one of NAMES → SVG text.

    present: see `rows.newest`. chosen: the fields of `tables.Filter`. Raises ValueError for another
    name, and if there is nothing to draw, with the command that changes it.
    """
    if name not in NAMES:
        raise ValueError(f"There is no plot {name!r}: choose {' or '.join(NAMES)}.")
    counted, only = newest(usable(rows), present), Filter(**chosen)
    for remark in remarks_on_rows(counted, name, only):
        warnings.warn(remark, stacklevel=2)
    lines = lines_of(counted, name, only)
    if name == "few-shot":
        lines = with_curves(lines)
    panels, styles = panels_of(lines), styles_of(lines)
    ticks = ticks_of(panels, lowest=None if name == "few-shot" else 0)
    draw_panel = curves if name == "few-shot" else bars
    body = []
    for i, (title, cells) in enumerate(panels.items()):
        left, top = i % COLUMNS * WIDTH, i // COLUMNS * HEIGHT
        body.append(f'<g transform="translate({left} {top})">')
        body.append(text(LEFT, 16, printable(title)[-28:], 'font-weight="bold"'))
        body += [*axis(ticks), *draw_panel(cells, styles, ticks), "</g>"]
    width = min(COLUMNS, len(panels)) * WIDTH
    entries, legend_width, height = legend(styles, width, math.ceil(len(panels) / COLUMNS) * HEIGHT)
    return document(max(width, legend_width), height, [*body, *entries])


def legend(styles, width, top):
    """{label: Style} → elements below `top`, in as many columns as fit, their width and end."""
    column = max(len(printable(label)) for label in styles) * LETTER + 40
    columns = max(1, (width - LEFT) // column)
    entries = []
    for i, (label, style) in enumerate(styles.items()):
        x, y = LEFT + i % columns * column, top + 16 + i // columns * 18
        entries += [line(x, y - 4, x + 22, y - 4, style.stroke), text(x + 28, y, label)]
    return entries, LEFT + column, top + 24 + (len(styles) - 1) // columns * 18


# What is drawn


def with_curves(lines):
    """Lines without those of labels with one number of shots, if another label has more of them.

    Zero-shot CLIP stays.
    """
    shots = {}
    for line, found in lines.items():
        shots.setdefault(line_name(lines, line), set()).update(found["cells"])
    most = max(map(len, shots.values()))
    few = {name for name in shots if len(shots[name]) == 1 < most}
    result = {}
    for line, found in lines.items():
        if line.method == "zero_shot" or line_name(lines, line) not in few:
            result[line] = found
    return result


def panels_of(lines):
    """Lines → {title: {label: cells}}, the average over the data sets first."""
    panels = {}
    for line in lines:
        panels.setdefault(line.dataset, {})[line_name(lines, line)] = lines[line]["cells"]
    titles = sorted(panels, key=lambda title: not title.startswith("average of "))  # a stable sort
    return {title: panels[title] for title in titles}


def styles_of(lines):
    """Lines → {label: Style}, in the order of the legend.

    A method has its own colour in every plot. A second label of the same method is lighter.
    """
    places = {method: place for place, method in enumerate(METHODS)}
    styles, seen = {}, []
    for line in sorted(lines, key=lambda line: (places[line.method], line.label, line.shots)):
        label = line_name(lines, line)
        if label not in styles:
            before = seen.count(line.method)
            colour = colours.METHODS.get(line.method, "#777777")  # a method of one's own
            colour = colours.lighter(colour, before / (before + 2))
            styles[label] = Style(colour, line.method == "zero_shot")
            seen.append(line.method)
    return styles


def line_name(lines, line):
    """A line's label in the legend, with model and shots where the picture has several."""
    several_models = len({other.model for other in lines}) > 1
    several_shots = len({other.shots for other in lines if other.method != "zero_shot"}) > 1
    name = line.label.replace("zero_shot", "zero-shot").replace("linear_probe", "linear probe")
    if several_shots and line.method != "zero_shot":
        name += f", {of_number(line.shots, 'shot')}"
    return f"{line.model} {name}" if several_models else name


def curves(cells, styles, ticks):
    """One few-shot panel: {label: {number of shots: {seed: accuracy}}} → elements of SVG."""
    shots = sorted({n for by_shots in cells.values() for n in by_shots})
    x, y = places_of(shots), functools.partial(y_of, ticks=ticks)
    parts = [text(x[n], HEIGHT - BOTTOM + 14, n, 'text-anchor="middle"') for n in shots]
    parts.append(x_name("shots: pictures per class"))
    for label, by_shots in cells.items():
        colour = styles[label].colour
        points = [(x[n], *map(y, levels_of(by_shots[n]))) for n in sorted(by_shots)]
        if styles[label].is_zero_shot:
            level = points[0][1]
            parts.append(line(LEFT, level, WIDTH - RIGHT, level, styles[label].stroke))
            parts.append(f'<polygon points="{star(x[0], level)}" fill="{colour}"/>')
            continue
        path = joined([(place, level) for place, level, _, _ in points])
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for place, level, low, high in points:
            parts.append(f'<circle cx="{place:.1f}" cy="{level:.1f}" r="2.5" fill="{colour}"/>')
            if low != high:
                parts.append(line(place, low, place, high, f'stroke="{colour}"'))
    return parts


def star(x, y):
    """The ten corners of a star around (x, y), 5 pixels large, every second one further in."""
    corners = []
    for i in range(10):
        radius, angle = 5 * (1 - 0.6 * (i % 2)), math.pi * i / 5
        corners.append((x + radius * math.sin(angle), y - radius * math.cos(angle)))
    return joined(corners)


def places_of(shots):
    """Numbers of shots → {number: x}, by their logarithm; 0 stands one step before the fewest."""
    steps = {n: math.log2(n) for n in shots if n}
    if 0 in shots:
        steps[0] = min(steps.values(), default=0) - 1
    first, last = min(steps.values()), max(steps.values())
    room = WIDTH - LEFT - RIGHT - 16
    return {n: LEFT + 8 + (step - first) / max(1, last - first) * room for n, step in steps.items()}


def bars(cells, styles, ticks):
    """One base-to-new panel: {label: {"base" or "new": {seed: accuracy}}} → elements of SVG."""
    learners = [label for label in cells if not styles[label].is_zero_shot]
    group_width = (WIDTH - LEFT - RIGHT) / 3
    bar_width = 0.8 * group_width / max(1, len(learners))
    parts, bottom = [x_name("classes (H: harmonic mean)")], y_of(0, ticks)
    for i, group in enumerate(("base", "new", "H")):
        start = LEFT + (i + 0.1) * group_width
        middle = start + 0.4 * group_width
        parts.append(text(middle, HEIGHT - BOTTOM + 14, group, 'text-anchor="middle"'))
        levels = {}
        for label, by_classes in cells.items():
            h = harmonic_mean(by_classes) if group == "H" else None
            runs = {0: h} if h else by_classes.get(group)  # H has no deviation
            if runs:
                levels[label] = [y_of(accuracy, ticks) for accuracy in levels_of(runs)]
        for j, label in enumerate(learners):
            if label in levels:
                place = start + j * bar_width, bar_width
                parts += bar(place, levels[label], bottom, styles[label].colour)
        for label in levels:
            if styles[label].is_zero_shot:
                level, left = levels[label][0], start - 0.04 * group_width
                parts.append(
                    line(left, level, left + 0.88 * group_width, level, styles[label].stroke)
                )
    return parts


def bar(place, levels, bottom, colour):
    """place: left end and width. levels: y of the mean, of mean - std and of mean + std."""
    (left, width), (top, low, high) = place, levels
    parts = [
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{bottom - top:.1f}" '
        f'fill="{colour}"/>'
    ]
    if low != high:
        middle = left + width / 2
        parts.append(line(middle, min(low, bottom), middle, high, 'stroke="black"'))
    return parts


def levels_of(runs):
    """{seed: accuracy} → mean, mean - deviation, mean + deviation."""
    mean, deviation = spread(runs.values())
    return mean, mean - (deviation or 0), mean + (deviation or 0)


# Axes


def ticks_of(panels, lowest=None):
    """The ticks that all panels share, from `lowest` or the lowest accuracy to the highest one."""
    levels = []
    for cells in panels.values():
        for columns in cells.values():
            levels += [level for runs in columns.values() for level in levels_of(runs)]
    return nice_ticks(min(levels) if lowest is None else lowest, max(levels), most=11)


def y_of(accuracy, ticks):
    """An accuracy in per cent → its place in a panel, in pixels from the top."""
    share = (accuracy - ticks[0]) / (ticks[-1] - ticks[0])
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def axis(ticks):
    """Grey lines at the ticks, their numbers at the left, and the name of the axis above them."""
    parts = [text(LEFT - 30, TOP - 10, "accuracy, %")]
    for tick in ticks:
        y = y_of(tick, ticks)
        parts.append(line(LEFT, y, WIDTH - RIGHT, y, 'stroke="#ddd"'))
        parts.append(text(LEFT - 5, y + 4, tick, 'text-anchor="end"'))
    return parts


def x_name(words):
    """The name of the horizontal axis, below its middle."""
    return text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 28, words, 'text-anchor="middle"')
