"""Do variances predict which method gains? (UPT Fig. 1(d, e), Eqs. (6) to (8))

Var_v and Var_t against gains, set by set. The paper finds that CoOp gains less where pictures of a
class vary much (d), and VPT more where class names lie far apart (e). Both are measured on
zero-shot CLIP (prompts/reports/variance.py); gains are those of gain.py.
"""

import math

from clip_min import load_clip
from clip_min.data import load_dataset
from clip_min.world.benchmarks import EIGHT
from notes.figures.charts import Area, Panel, legend, minus, short
from notes.figures.drawing import class_weights, zero_shot
from notes.figures.gain import gains
from prompts.reports import colours
from prompts.reports.svg import document, nice_ticks, text
from prompts.reports.variance import inter_class_variance, intra_class_variance
from prompts.runs.evaluation import image_features
from prompts.runs.protocols import setup_of

METHODS = ("coop", "vpt", "upt")
ROWS = {"coop": "CoOp", "vpt": "VPT", "upt": "UPT", "vpt - coop": "VPT less CoOp"}
NAMES = ("Var_v: pictures within a class", "Var_t: class names")  # squared lengths, no unit
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 300, 210, 42, 18, 52, 44  # of a panel, in pixels
HEAD = 46  # pixels for what the whole picture says


def variances(names, flags):
    """Data sets → {name: (Var_v, Var_t)} of zero-shot CLIP on the test pictures."""
    clip, result = load_clip(flags.model), {}
    for name in names:
        dataset = load_dataset(name, flags.data_root, setup_of(flags.paper).template)
        method = zero_shot(dataset, clip)
        z, labels = image_features(method, dataset.test)
        # UPT Eqs. (6) to (8)
        result[name] = intra_class_variance(z, labels), inter_class_variance(class_weights(method))
    return result


def correlation(x, y):
    """Pearson's r of two lists of numbers; nan if one of them is constant.

    >>> correlation([1, 2, 3], [2, 4, 6]), correlation([1, 2, 3], [3, 2, 1])
    (1.0, -1.0)
    """
    x, y = ([value - sum(values) / len(values) for value in values] for values in (x, y))
    size = math.sqrt(sum(a * a for a in x) * sum(b * b for b in y))
    return round(sum(a * b for a, b in zip(x, y)) / size, 12) if size else math.nan


def with_difference(gained):
    """{method: {data set: gain}} → the same with "vpt - coop", how far VPT is above CoOp."""
    both = gained["vpt"].keys() & gained["coop"].keys()
    return gained | {"vpt - coop": {name: gained["vpt"][name] - gained["coop"][name]
                                    for name in gained["vpt"] if name in both}}


def message(r):
    """r of VPT's gain and Var_v → two lines: what the picture says beside the paper."""
    if r < 0:
        return ("The more the pictures of a class vary, the less VPT gains here.",
                "UPT's paper finds the opposite: that VPT does well where they vary.")
    return ("The more the pictures of a class vary, the more VPT gains here,",
            "as UPT's paper finds.")


def draw(points, headline):
    """{row of ROWS: ({data set: (Var_v, gain)}, {data set: (Var_t, gain)})} → SVG text."""
    gains_in_all = [gain for key in METHODS for found in points[key] for _, gain in found.values()]
    gain_ticks = nice_ticks(min(0, *gains_in_all), max(gains_in_all))
    names = list(dict.fromkeys(name for pair in points.values() for p in pair for name in p))
    colour_of = colours.of_datasets(names)
    parts = [text(12, 20 + 16 * i, words, 'font-size="13" font-weight="bold"')
             for i, words in enumerate(headline)]
    for row, (key, pair) in enumerate(points.items()):
        for column, (axis, found) in enumerate(zip(NAMES, pair, strict=True)):
            r = f"{correlation(*zip(*found.values())):+.2f}"
            left, top = column * WIDTH, HEAD + row * HEIGHT
            area = Area(left + LEFT, top + TOP, left + WIDTH - RIGHT, top + HEIGHT - BOTTOM)
            panel = Panel(area, f"{ROWS[key]}: r = {minus(r)} over {len(found)} sets", 32)
            if key in METHODS:
                panel.upright(gain_ticks, "gain over zero-shot CLIP at 16 shots, points")
            else:
                own = [gain for each in pair for _, gain in each.values()]
                ticks = nice_ticks(min(own), max(0, *own))
                panel.upright(ticks, "gain of VPT less that of CoOp, points")
            values = [100 * variance for variance, _ in found.values()]
            x_ticks = nice_ticks(min(values), max(values))
            panel.across(x_ticks, axis, [f"{tick / 100:.2f}" for tick in x_ticks])
            for name, (variance, gain) in found.items():
                panel.dot(100 * variance, gain, colour_of[name], 4.5)
            parts += panel.parts
    foot = HEAD + len(points) * HEIGHT + 14
    named = {short(name): colour for name, colour in colour_of.items()}
    parts += legend(named, LEFT, foot, 140, 4)
    return document(2 * WIDTH, foot + 16 * ((len(names) - 1) // 4) + 12, parts)


def figure(inputs, flags):
    """No input → {file name: SVG}; prints the correlations."""
    names = flags.dataset or EIGHT
    gained = with_difference({method: {gain.dataset: gain.mean for gain in gains(flags, method)}
                              for method in METHODS})
    measured, points = variances(names, flags), {}
    for key in ROWS:
        known = [name for name in names if name in gained[key]]
        points[key] = [{name: (measured[name][i], gained[key][name]) for name in known}
                       for i in range(len(NAMES))]
        for axis, found in zip(NAMES, points[key], strict=True):
            r = correlation(*zip(*found.values()))
            largest = max(found, key=lambda name: found[name][1])  # how much one set makes of r
            others = [point for name, point in found.items() if name != largest]
            print(f"{key:10} gain against {axis}: r = {r:+.2f} over {len(found)} sets, "
                  f"{correlation(*zip(*others)):+.2f} without {largest}")
    headline = message(correlation(*zip(*points["vpt"][0].values())))
    return {"variance.svg": draw(points, headline).encode()}
