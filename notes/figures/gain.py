"""What learning gains over hand-written prompts on each data set, largest first (CoOp Fig. 4).

gain = accuracy at 16 shots - accuracy of zero-shot CLIP with the data set's own prompt, in points
"""

import statistics

from notes.figures.drawing import document, rect
from prompts import METHODS
from prompts.experiments.plots import COLOURS, line, nice_ticks, text
from prompts.experiments.tables import collect

WIDTH, LEFT, RIGHT, BAR, TOP = (
    290,
    74,
    40,
    20,
    34,
)  # of a panel and its margins; a bar with its space, in pixels


def gains(rows, method, model="tiny"):
    """Rows of results.jsonl and a method → [(data set, mean gain, deviation, seeds)].

    Rows of the method's own recipe count. The largest gain comes first. It is taken seed by seed;
    the deviation over the seeds has ddof 0. Raises ValueError if there is no row.
    """
    lines = collect(rows, "few-shot", methods=["zero_shot", method], models=[model], shots=[16])
    zero_shot = {
        line.dataset: found["cells"][0][0]
        for line, found in lines.items()
        if line.label == "zero_shot"
    }
    result = []
    for line_, found in lines.items():
        runs = found["cells"].get(16)
        if (
            line_.label == method
            and runs
            and line_.dataset in zero_shot
            and not line_.dataset.startswith("average")
        ):
            each = [accuracy - zero_shot[line_.dataset] for accuracy in runs.values()]
            result.append(
                (line_.dataset, statistics.mean(each), statistics.pstdev(each), len(each))
            )
    if not result:
        raise ValueError(
            f"There are no 16-shot results of {method} with its own recipe beside zero-shot CLIP: "
            "run "
            f"`python train.py --method {method} --dataset toy`."
        )
    return sorted(result, key=lambda gain: (-gain[1], gain[0]))


def draw(panels):
    """{method: what `gains` gives} → SVG text, one panel for each method, all on one scale."""
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
        parts.append(
            text(
                middle, bottom + 30, "points above zero-shot CLIP, 16 shots", 'text-anchor="middle"'
            )
        )
    return document(len(panels) * WIDTH, bottom + 40, parts)


def figure(inputs, flags):
    """Methods' names (none: coop, vpt, upt) → {file name: SVG}."""
    for name in inputs:
        if name not in METHODS:
            raise ValueError(f"gain takes names of methods ({', '.join(METHODS)}), not {name!r}.")
    panels = {method: gains(flags.rows, method) for method in inputs or ["coop", "vpt", "upt"]}
    for method, found in panels.items():
        print(
            f"{method:6}",
            ", ".join(f"{dataset} {round(mean, 1) + 0:+.1f}" for dataset, mean, *_ in found),
        )
    return {"gain.svg": draw(panels).encode()}
