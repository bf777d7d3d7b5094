"""Do variances predict which method gains? (UPT Fig. 1(d, e), Eqs. (6) to (8))

Var_v and Var_t against gains, set by set. The paper finds that CoOp gains less where pictures of a
class vary much (d), and VPT more where class names lie far apart (e). Both are measured on
zero-shot CLIP (prompts/reports/variance.py); gains are those of gain.py.
"""

import math

from clip_min import load_clip
from clip_min.data import load_dataset
from clip_min.world.benchmarks import EIGHT
from notes.figures.drawing import circle, class_weights, document, zero_shot
from notes.figures.gain import gains
from prompts.runs.evaluation import image_features
from prompts.reports.plots import COLOURS, line, nice_ticks, text
from prompts.runs.protocols import setup_of
from prompts.reports.variance import inter_class_variance, intra_class_variance

METHODS = ("coop", "vpt", "upt")
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = (
    290,
    260,
    40,
    16,
    50,
    52,
)  # of a panel and its margins, in pixels
PADDING = 12  # between the first and last tick and the panel's sides
NAMES = ("Var_v: pictures within a class", "Var_t: class names")  # squared lengths, no unit


def variances(names, flags):
    """Data sets → {name: (Var_v, Var_t)} of zero-shot CLIP on the test pictures."""
    clip, result = load_clip(flags.model), {}
    for name in names:
        dataset = load_dataset(name, flags.data_root, setup_of(flags.paper).template)
        method = zero_shot(dataset, clip)
        z, labels = image_features(method, dataset.test)
        result[name] = (
            intra_class_variance(z, labels),
            inter_class_variance(class_weights(method)),
        )  # UPT Eqs. (6)-(8)
    return result


def correlation(x, y):
    """Pearson's r of two lists of numbers; nan if one of them is constant.

    >>> correlation([1, 2, 3], [2, 4, 6]), correlation([1, 2, 3], [3, 2, 1])
    (1.0, -1.0)
    """
    x, y = ([value - sum(values) / len(values) for value in values] for values in (x, y))
    size = math.sqrt(sum(a * a for a in x) * sum(b * b for b in y))
    return round(sum(a * b for a, b in zip(x, y)) / size, 12) if size else math.nan


def draw(panels):
    """[(title, axis's name, {data set: (variance, gain)})] → SVG text: a row of panels an axis."""
    columns, parts = len(panels) // 2, []
    names = list(dict.fromkeys(name for *_, points in panels for name in points))
    colour_of = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    gain_ticks = nice_ticks(
        min(0, *(g for *_, p in panels for _, g in p.values())),
        max(g for *_, p in panels for _, g in p.values()),
    )
    for i, (title, axis, points) in enumerate(panels):
        place = i % columns * WIDTH, i // columns * HEIGHT
        parts += draw_panel(place, (title, axis, points), gain_ticks, colour_of)
    each = columns * WIDTH // len(names)
    for i, name in enumerate(names):
        parts.append(circle(LEFT + i * each, 2 * HEIGHT + 8, 4, f'fill="{colour_of[name]}"'))
        parts.append(text(LEFT + i * each + 8, 2 * HEIGHT + 12, name.removeprefix("toy-")))
    return document(columns * WIDTH, 2 * HEIGHT + 24, parts)


def draw_panel(place, panel, gain_ticks, colour_of):
    """place: left and top. panel: title, name of the axis, points → SVG elements."""
    (left, top), (title, axis, points) = place, panel
    values = [100 * variance for variance, _ in points.values()]
    ticks = [tick / 100 for tick in nice_ticks(min(values), max(values))]
    inside = WIDTH - LEFT - RIGHT - 2 * PADDING  # no dot stands on the edge

    def x(value):
        share = (value - ticks[0]) / (ticks[-1] - ticks[0])
        return left + LEFT + PADDING + share * inside

    def y(value):
        share = (value - gain_ticks[0]) / (gain_ticks[-1] - gain_ticks[0])
        return top + HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    ends, middle = (left + LEFT, left + WIDTH - RIGHT), left + (WIDTH + LEFT - RIGHT) / 2
    parts = [
        text(left + 8, top + 18, title, 'font-weight="bold" font-size="12"'),
        text(left + 8, top + 36, "gain over zero-shot CLIP, points"),
        text(middle, top + HEIGHT - 14, axis, 'text-anchor="middle"'),
    ]
    for tick in gain_ticks:
        grey = "#888" if tick == 0 else "#ddd"
        parts.append(line(ends[0], y(tick), ends[1], y(tick), f'stroke="{grey}"'))
        parts.append(text(left + LEFT - 6, y(tick) + 4, minus(tick), 'text-anchor="end"'))
    for tick in ticks:
        foot = top + HEIGHT - BOTTOM + 17
        parts.append(text(x(tick), foot, f"{tick:.2f}", 'text-anchor="middle"'))
    for name, (variance, gain) in points.items():
        parts.append(circle(x(variance), y(gain), 4, f'fill="{colour_of[name]}"'))
    return parts


def minus(number):
    """A number as text, with the minus sign of print.

    >>> minus(-5), minus(5)
    ('−5', '5')
    """
    return str(number).replace("-", "−")


def figure(inputs, flags):
    """No input → {file name: SVG}; prints the correlations."""
    names = flags.dataset or EIGHT
    gained = {
        method: {name: mean for name, mean, *_ in gains(flags, method)} for method in METHODS
    }
    measured, panels = variances(names, flags), []
    for i, axis in enumerate(NAMES):
        for method in METHODS:
            points = {
                name: (measured[name][i], gained[method][name])
                for name in names
                if name in gained[method]
            }
            r = correlation(*zip(*points.values()))
            largest = max(points, key=lambda name: points[name][1])  # how much one set makes of r
            without = correlation(
                *zip(*(point for name, point in points.items() if name != largest))
            )
            title = minus(f"{method}, 16 shots: r = {r:+.2f} over {len(points)} sets")
            panels.append((title, axis, points))
            print(
                f"{method:5} gain against {axis}: r = {r:+.2f} over {len(points)} sets, "
                f"{without:+.2f} without {largest}"
            )
    return {"variance.svg": draw(panels).encode()}
