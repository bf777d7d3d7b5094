"""What learning gains over hand-written prompts on each data set, largest first (CoOp Fig. 4).

gain = accuracy at 16 shots - accuracy of zero-shot CLIP with the data set's own prompt, in points

In `new-classes` it is one method's accuracy less another's (CoCoOp Fig. 3).
"""

import statistics
from typing import NamedTuple

from notes.figures.charts import Area, Panel, short
from notes.figures.drawing import label_in
from prompts import METHODS
from prompts.reports import colours
from prompts.reports.svg import document, line, nice_ticks, rect, text, to_the_left
from prompts.reports.tables import collect

WIDTH, LEFT, RIGHT, BAR, TOP = 290, 74, 40, 20, 34  # of a panel; a bar with its space; pixels


class Gain(NamedTuple):
    """One bar: percentage points, mean and standard deviation (ddof 0) over so many seeds."""

    dataset: str
    mean: float
    deviation: float
    seeds: int


def gains(flags, method):
    """The flags of the command and a method → list of Gain over zero-shot CLIP, seed by seed.

    Rows of the method's own recipe count, or of the paper that the flags name. Raises ValueError if
    there is no row.
    """
    learned = accuracies(flags, "few-shot", method, 16)
    zero_shot = accuracies(flags, "few-shot", "zero_shot", 0)
    before = {name: dict.fromkeys(learned.get(name, {}), runs[0])
              for name, runs in zero_shot.items()}
    result = differences(learned, before)
    if not result:
        raise ValueError(
            f"There are no 16-shot results of {method} with its own recipe beside zero-shot CLIP: "
            f"run `python train.py --method {method} --dataset toy`."
        )
    return result


def accuracies(flags, protocol, method, column):
    """→ {data set: {seed: accuracy}} in one column of a table, averages left out.

    Raises ValueError if the table is empty.
    """
    label = label_in(flags.paper, method, flags.model)
    chosen = dict(datasets=flags.dataset, models=[flags.model], shots=[16])
    result = {}
    for found_line, found in collect(flags.rows, protocol, **chosen).items():
        is_average = found_line.dataset.startswith("average")
        if found_line.label == label and column in found["cells"] and not is_average:
            result[found_line.dataset] = found["cells"][column]
    return result


def differences(after, before):
    """Two of {data set: {seed: accuracy}} → list of Gain: after - before, over the seeds that both
    have, the largest mean first.
    """
    result = []
    for name in after.keys() & before.keys():
        seeds = after[name].keys() & before[name].keys()
        each = [after[name][seed] - before[name][seed] for seed in sorted(seeds)]
        if each:
            result.append(Gain(name, statistics.mean(each), statistics.pstdev(each), len(each)))
    return sorted(result, key=lambda gain: (-gain.mean, gain.dataset))


def draw(panels, colour_of, caption="points above zero-shot CLIP, 16 shots"):
    """{title: list of Gain} → SVG text, one panel for each title, all on one scale.

    colour_of: {title: (of a gain, of a loss)}.
    """
    everything = [gain for found in panels.values() for gain in found]
    ticks = nice_ticks(min(0, *(gain.mean - gain.deviation for gain in everything)),
                       max(gain.mean + gain.deviation for gain in everything))
    bottom, parts = TOP + max(map(len, panels.values())) * BAR + 6, []
    for i, (title, found) in enumerate(panels.items()):
        seeds = sorted({gain.seeds for gain in found})
        counted = f"{'-'.join(map(str, seeds))} seed{'s' if seeds != [1] else ''}"
        area = Area(i * WIDTH + LEFT, TOP, (i + 1) * WIDTH - RIGHT, bottom)
        panel = Panel(area, f"{title}, {counted}", above=16)
        panel.across(ticks, caption, has_lines=True)
        for j, gain in enumerate(found):
            panel.parts += bar(panel, TOP + j * BAR, gain, colour_of[title][gain.mean < 0])
        parts += panel.parts
    return document(len(panels) * WIDTH, bottom + 40, parts)


def bar(panel, y, gain, colour):
    """One Gain as a bar below y: its data set's name, the bar, a whisker, the number."""
    x, mean, deviation = panel.x, gain.mean, gain.deviation
    parts = [to_the_left(panel.area.left - 6, y + 12, short(gain.dataset)),
             rect(min(x(0), x(mean)), y + 2, abs(x(mean) - x(0)), BAR - 6, f'fill="{colour}"')]
    if deviation > 0:
        ends = x(mean - deviation), x(mean + deviation)
        parts.append(line(ends[0], y + 9, ends[1], y + 9, 'stroke="black" stroke-width="1.5"'))
    place = max(x(0), x(mean + deviation)) + 4
    return [*parts, text(place, y + 13, signed(mean))]


def signed(number):
    """A number with its sign and one digit; 0 has no minus.

    >>> signed(-0.04), signed(2.25)
    ('+0.0', '+2.2')
    """
    return f"{round(number, 1) + 0:+.1f}"


def figure(inputs, flags):
    """Methods' names (none: coop, vpt, upt) → {file name: SVG}."""
    for name in inputs:
        if name not in METHODS:
            raise ValueError(f"gain takes names of methods ({', '.join(METHODS)}), not {name!r}.")
    panels = {method: gains(flags, method) for method in inputs or ["coop", "vpt", "upt"]}
    print_panels(panels)
    pairs = {name: (colours.METHODS[name], colours.lighter(colours.METHODS[name], 0.5))
             for name in panels}
    return {"gain.svg": draw(panels, pairs).encode()}


def new_classes(inputs, flags):
    """Two methods' names (none: cocoop and coop) → {file name: SVG}: the first against the second,
    on new and on base classes. A bar has the colour of the better one.
    """
    if len(inputs) not in (0, 2) or not set(inputs) <= METHODS.keys():
        raise ValueError(f"new-classes takes two methods ({', '.join(METHODS)}), or none.")
    first, second = inputs or ("cocoop", "coop")
    panels = {}
    for classes in ("new", "base"):
        after, before = (accuracies(flags, "base-to-new", method, classes)
                         for method in (first, second))
        panels[f"{classes} classes"] = differences(after, before)
    if not all(panels.values()):
        raise ValueError(
            f"There are no base-to-new results of {first} and {second} on the same data set: run "
            f"`python train.py --method {first} {second} --dataset toy --protocol base-to-new`."
        )
    print_panels(panels)
    pairs = dict.fromkeys(panels, (colours.METHODS[first], colours.METHODS[second]))
    svg = draw(panels, pairs, f"points of {first} above {second}")
    return {"new-classes.svg": svg.encode()}


def print_panels(panels):
    """A line for each panel: its title, and the mean of each data set."""
    for title, found in panels.items():
        print(f"{title:6}", ", ".join(f"{gain.dataset} {signed(gain.mean)}" for gain in found))
