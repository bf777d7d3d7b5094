"""The papers' two kinds of plots, as SVG text: `python eval.py --plot NAME FILE.svg`.

    rows → lines (lines.py) → panels: {title: {label: cells}} → curves or bars → SVG text

few-shot: accuracy against the number of shots (CoOp Fig. 3, UPT Fig. 4). base-to-new: bars for the
base classes, the new ones and their harmonic mean H (the figures of CoCoOp's Table 1). A panel for
the average and one for each data set, all with the same range of accuracies, and one legend.
"""

import functools
import math
import statistics
import warnings
from dataclasses import dataclass
from xml.sax.saxutils import escape

from clip_min.files import printable
from prompts import METHODS
from prompts.reports.lines import Choice, lines_of, remarks_on_rows
from prompts.reports.rows import newest, usable
from prompts.reports.tables import harmonic_mean

NAMES = ("few-shot", "base-to-new")
COLOURS = (
    "#2a6fb0",
    "#d9772b",
    "#3a8f4a",
    "#8a4fa3",
    "#c03a3a",
    "#7a5c3e",
    "#d070a8",
    "#777777",
    "#a5a12a",
    "#2aa5a5",
    "#1d3557",
    "#f2b134",
)
COLUMNS = 3
# Of a panel and its margins, in pixels.
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 250, 260, 36, 12, 40, 36
LETTER = 7  # about the width of one, in pixels
# Corners of a star around (0, 0), as multiples of its radius: every second one is further in.
STAR = [
    (
        (1 - 0.6 * (i % 2)) * math.sin(math.pi * i / 5),
        -(1 - 0.6 * (i % 2)) * math.cos(math.pi * i / 5),
    )
    for i in range(10)
]


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


def draw(rows, name, **chosen):
    """Rows of results.jsonl, "few-shot" or "base-to-new", and the fields of `lines.Choice` → SVG
    text.

    Raises ValueError for another name, and if there is nothing to draw, with the command that
    changes it.
    """
    if name not in NAMES:
        raise ValueError(f"There is no plot {name!r}: choose {' or '.join(NAMES)}.")
    present = chosen.pop("present", None)
    counted, choice = newest(usable(rows), present), Choice(**chosen)
    for remark in remarks_on_rows(counted, name, choice):
        warnings.warn(remark, stacklevel=2)
    lines = lines_of(counted, name, choice)
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
    height = math.ceil(len(panels) / COLUMNS) * HEIGHT
    return svg(body, legend(styles, width, height), width)


def svg(panels, legend, width):
    """Elements of the panels, what `legend` gives, the panels' width → the whole SVG text."""
    entries, legend_width, height = legend
    width = max(width, legend_width)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
            '<rect width="100%" height="100%" fill="white"/>',
            *panels,
            *entries,
            "</svg>\n",
        ]
    )


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
    """Lines without those of labels that have one number of shots only, if any label has more.
    Zero-shot stays.
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
    """Lines → {label: Style}, in the order of the legend."""
    styles, learners = {}, 0
    order = sorted(
        lines, key=lambda line: (list(METHODS).index(line.method), line.label, line.shots)
    )
    for line in order:
        label = line_name(lines, line)
        if label in styles:
            continue
        if line.method == "zero_shot":
            styles[label] = Style("#999999" if styles else "black", True)
        else:
            styles[label] = Style(COLOURS[learners % len(COLOURS)], False)
            learners += 1
    return styles


def line_name(lines, line):
    """A line's label in the legend, with model and shots where the picture has several."""
    several_models = len({other.model for other in lines}) > 1
    several_shots = len({other.shots for other in lines if other.method != "zero_shot"}) > 1
    name = line.label.replace("zero_shot", "zero-shot").replace("linear_probe", "linear probe")
    if several_shots and line.method != "zero_shot":
        name += f", {line.shots} shots"
    return f"{line.model} {name}" if several_models else name


def curves(cells, styles, ticks):
    """One few-shot panel: {label: {number of shots: {seed: accuracy}}} → elements of SVG."""
    shots = sorted({n for by_shots in cells.values() for n in by_shots})
    x, y = places_of(shots), functools.partial(y_of, ticks=ticks)
    parts = [text(x[n], HEIGHT - BOTTOM + 14, n, 'text-anchor="middle"') for n in shots]
    parts.append(x_name("shots: pictures per class"))
    for label, by_shots in cells.items():
        points = [(x[n], *mean_and_deviation(by_shots[n])) for n in sorted(by_shots)]
        if styles[label].is_zero_shot:
            level = y(points[0][1])
            parts.append(line(LEFT, level, WIDTH - RIGHT, level, styles[label].stroke))
            corners = joined([(x[0] + 5 * dx, level + 5 * dy) for dx, dy in STAR])
            parts.append(f'<polygon points="{corners}" fill="{styles[label].colour}"/>')
        else:
            parts += curve(
                [(x_n, y(mean), y(mean - d), y(mean + d)) for x_n, mean, d in points],
                styles[label].colour,
            )
    return parts


def curve(points, colour):
    """[(x, y of the mean, y of mean - std, y of mean + std)] → a line with dots and whiskers."""
    path = joined([(x, y) for x, y, _, _ in points])
    parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>']
    for x, y, low, high in points:
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>')
        if low != high:
            parts.append(line(x, low, x, high, f'stroke="{colour}"'))
    return parts


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
    parts = [x_name("classes (H: harmonic mean)")]
    for i, group in enumerate(("base", "new", "H")):
        start = LEFT + (i + 0.1) * group_width
        parts.append(
            text(start + 0.4 * group_width, HEIGHT - BOTTOM + 14, group, 'text-anchor="middle"')
        )
        for j, label in enumerate(learners):
            value = value_of(cells[label], group)
            if value:
                place = start + j * bar_width, bar_width
                parts += bar(
                    place, [y_of(v, ticks) for v in value], y_of(0, ticks), styles[label].colour
                )
        for label in cells:
            value = value_of(cells[label], group)
            if styles[label].is_zero_shot and value:
                level = y_of(value[0], ticks)
                ends = start - 0.04 * group_width, start + 0.84 * group_width
                parts.append(line(ends[0], level, ends[1], level, styles[label].stroke))
    return parts


def bar(place, levels, bottom, colour):
    """place: left end and width. levels: y of the mean, of mean - std and of mean + std."""
    left, width = place
    top, low, high = levels
    parts = [
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{bottom - top:.1f}" '
        f'fill="{colour}"/>'
    ]
    if low != high:
        middle = left + width / 2
        parts.append(line(middle, min(low, bottom), middle, high, 'stroke="black"'))
    return parts


def value_of(by_classes, group):
    """{"base" or "new": {seed: accuracy}} and "base", "new" or "H" → mean, mean - deviation, mean +
    deviation.

    None if it was not measured. H has no deviation: it is that of the means.
    """
    if group == "H":
        h = harmonic_mean(by_classes)
        return (h, h, h) if h else None
    if group not in by_classes:
        return None
    mean, deviation = mean_and_deviation(by_classes[group])
    return mean, mean - deviation, mean + deviation


# Axes


def ticks_of(panels, lowest=None):
    """The ticks that all panels share, from `lowest` or the lowest accuracy to the highest one."""
    spreads = [
        mean_and_deviation(runs)
        for cells in panels.values()
        for columns in cells.values()
        for runs in columns.values()
    ]
    low = min(mean - deviation for mean, deviation in spreads) if lowest is None else lowest
    return nice_ticks(low, max(mean + deviation for mean, deviation in spreads), most=11)


def nice_ticks(low, high, most=7):
    """Round numbers from one at or below `low` to one at or above `high`, at most `most` of them.

    >>> nice_ticks(51.3, 68.0)
    [50, 55, 60, 65, 70]
    """
    for step in (1, 2, 5, 10, 20, 50, 100):
        first, last = math.floor(low / step), math.ceil(high / step)
        if last - first < most:
            break
    return [n * step for n in range(first, max(last, first + 1) + 1)]


def y_of(accuracy, ticks):
    """An accuracy in per cent → its place in a panel, in pixels from the top."""
    return (
        HEIGHT - BOTTOM - (accuracy - ticks[0]) / (ticks[-1] - ticks[0]) * (HEIGHT - TOP - BOTTOM)
    )


def axis(ticks):
    """Grey lines at the ticks, with their numbers at the left and the name of the axis above
    them.
    """
    parts = [text(LEFT - 30, TOP - 10, "accuracy, %")]
    for tick in ticks:
        y = y_of(tick, ticks)
        parts.append(line(LEFT, y, WIDTH - RIGHT, y, 'stroke="#ddd"'))
        parts.append(text(LEFT - 5, y + 4, tick, 'text-anchor="end"'))
    return parts


def x_name(words):
    """The name of the horizontal axis, below its middle."""
    return text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 28, words, 'text-anchor="middle"')


def mean_and_deviation(runs):
    """{seed: accuracy} → mean and standard deviation (ddof 0)."""
    return statistics.mean(runs.values()), statistics.pstdev(runs.values())


# Elements of SVG


def line(x_1, y_1, x_2, y_2, style):
    """A straight line; style: attributes of SVG, such as 'stroke="black"'."""
    return f'<line x1="{x_1:.1f}" y1="{y_1:.1f}" x2="{x_2:.1f}" y2="{y_2:.1f}" {style}/>'


def text(x, y, words, style=""):
    """Any words at a place; what XML does not allow or the eye cannot see is escaped."""
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(printable(words))}</text>'


def joined(points):
    """[(x, y)] → the text that SVG's `points` takes."""
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
