"""What learning gains over hand-written prompts on each data set, largest first (CoOp Fig. 4).

gain = accuracy at 16 shots - accuracy of zero-shot CLIP with the data set's own prompt, in points

In `new-classes` it is one method's accuracy less another's (CoCoOp Fig. 3).
"""

import statistics

from notes.figures.drawing import document, label_in, rect
from prompts import METHODS
from prompts.reports.plots import COLOURS, line, nice_ticks, text
from prompts.reports.tables import collect

WIDTH, LEFT, RIGHT, BAR, TOP = (
    290,
    74,
    40,
    20,
    34,
)  # of a panel and its margins; a bar with its space, in pixels


def gains(flags, method):
    """The flags of the command and a method → [(data set, mean gain, deviation, seeds)].

    Rows of the method's own recipe count, or of the paper that the flags name. The largest gain
    comes first. It is taken seed by seed; the deviation over the seeds has ddof 0. Raises
    ValueError if there is no row.
    """
    learned = accuracies(flags, "few-shot", method, 16)
    zero_shot = accuracies(flags, "few-shot", "zero_shot", 0)
    before = {
        name: dict.fromkeys(learned.get(name, {}), runs[0]) for name, runs in zero_shot.items()
    }
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
    for line_, found in collect(flags.rows, protocol, **chosen).items():
        is_average = line_.dataset.startswith("average")
        if line_.label == label and column in found["cells"] and not is_average:
            result[line_.dataset] = found["cells"][column]
    return result


def differences(after, before):
    """Two of {data set: {seed: accuracy}} → [(data set, mean, deviation, seeds)] of after - before,
    over the seeds that both have, the largest mean first.
    """
    result = []
    for name in after.keys() & before.keys():
        seeds = after[name].keys() & before[name].keys()
        each = [after[name][seed] - before[name][seed] for seed in sorted(seeds)]
        if each:
            result.append((name, statistics.mean(each), statistics.pstdev(each), len(each)))
    return sorted(result, key=lambda gain: (-gain[1], gain[0]))


def draw(panels, caption="points above zero-shot CLIP, 16 shots"):
    """{title: what `differences` gives} → SVG text, one panel for each title, all on one scale."""
    everything = [gain for found in panels.values() for gain in found]
    ticks = nice_ticks(
        min(0, *(m - s for _, m, s, _ in everything)), max(m + s for _, m, s, _ in everything)
    )
    bottom, parts = TOP + max(map(len, panels.values())) * BAR + 6, []
    for i, (method, found) in enumerate(panels.items()):

        def x(value):
            return (
                i * WIDTH
                + LEFT
                + (value - ticks[0]) / (ticks[-1] - ticks[0]) * (WIDTH - LEFT - RIGHT)
            )

        seeds = sorted({n for *_, n in found})
        counted = f"{'-'.join(map(str, seeds))} seed{'s' if seeds != [1] else ''}"
        parts.append(
            text(i * WIDTH + LEFT, 18, f"{method}, {counted}", 'font-weight="bold" font-size="12"')
        )
        for tick in ticks:
            parts.append(
                line(
                    x(tick), TOP - 4, x(tick), bottom, f'stroke="{"#888" if tick == 0 else "#ddd"}"'
                )
            )
            parts.append(text(x(tick), bottom + 14, tick, 'text-anchor="middle"'))
        for j, (dataset, mean, deviation, _) in enumerate(found):
            y = TOP + j * BAR
            parts.append(
                text(
                    i * WIDTH + LEFT - 6,
                    y + 12,
                    dataset.removeprefix("toy-")[-14:],
                    'text-anchor="end"',
                )
            )
            fill = COLOURS[0] if mean >= 0 else COLOURS[4]
            parts.append(
                rect(min(x(0), x(mean)), y + 2, abs(x(mean) - x(0)), BAR - 6, f'fill="{fill}"')
            )
            parts += [
                line(x(mean - deviation), y + 9, x(mean + deviation), y + 9, 'stroke="black"')
            ] * (deviation > 0)
            words = f"{round(mean, 1) + 0:+.1f}"  # + 0: no "-0.0"
            parts.append(text(max(x(0), x(mean + deviation)) + 4, y + 13, words))
        middle = i * WIDTH + (LEFT + WIDTH - RIGHT) / 2
        parts.append(text(middle, bottom + 30, caption, 'text-anchor="middle"'))
    return document(len(panels) * WIDTH, bottom + 40, parts)


def figure(inputs, flags):
    """Methods' names (none: coop, vpt, upt) → {file name: SVG}."""
    for name in inputs:
        if name not in METHODS:
            raise ValueError(f"gain takes names of methods ({', '.join(METHODS)}), not {name!r}.")
    panels = {method: gains(flags, method) for method in inputs or ["coop", "vpt", "upt"]}
    print_panels(panels)
    return {"gain.svg": draw(panels).encode()}


def new_classes(inputs, flags):
    """Two methods' names (none: cocoop and coop) → {file name: SVG}: the first against the second,
    on new and on base classes.
    """
    if len(inputs) not in (0, 2) or not set(inputs) <= METHODS.keys():
        raise ValueError(f"new-classes takes two methods ({', '.join(METHODS)}), or none.")
    first, second = inputs or ("cocoop", "coop")
    panels = {}
    for classes in ("new", "base"):
        after, before = (
            accuracies(flags, "base-to-new", method, classes) for method in (first, second)
        )
        panels[f"{classes} classes"] = differences(after, before)
    if not all(panels.values()):
        raise ValueError(
            f"There are no base-to-new results of {first} and {second} on the same data set: run "
            f"`python train.py --method {first} {second} --dataset toy --protocol base-to-new`."
        )
    print_panels(panels)
    return {"new-classes.svg": draw(panels, f"points of {first} above {second}").encode()}


def print_panels(panels):
    """A line for each panel: its title, and the mean of each data set."""
    for title, found in panels.items():
        means = [f"{dataset} {round(mean, 1) + 0:+.1f}" for dataset, mean, *_ in found]
        print(f"{title:6}", ", ".join(means))
