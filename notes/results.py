"""Tables and curves of the miniature study: `python -m notes.results RESULTS.jsonl`.

Reads the rows that train.py and eval.py write, prints Markdown tables (mean over the seeds and, for the mean of
all sets, ± its standard deviation over the seeds), and draws notes/few-shot.svg.
"""

import statistics
import sys
from collections import defaultdict
from pathlib import Path

from clip_min.files import read_json_lines
from clip_min.world.benchmarks import EIGHT

METHODS = ("zero_shot", "linear_probe", "coop", "cocoop", "vpt", "joint", "shared", "mlp", "upt")
CURVES = {"linear_probe": "#888888", "coop": "#d9772b", "vpt": "#3a8f4a", "upt": "#2a6fb0"}  # colours
SHOTS = (1, 2, 4, 8, 16)


def read(path):
    """Rows of one kind of run → {(label, data set, classes, shots): {seed: accuracy}}.

    The label is the method, with "CSC" where the context is class-specific. What counts for the new classes was learned
    on the base classes. Rows with other options than the recipe's are left out.
    """
    table = defaultdict(dict)
    for row in read_json_lines(path):
        options = {k: v for k, v in row["options"].items() if (k, v) != ("ctx_init", "a photo of a")}
        label = row["method"] + (" CSC" if options.pop("class_specific", False) else "")
        learned_on = (row.get("trained_on", row["dataset"]), row.get("trained_classes", row["classes"]))
        wanted = "base" if row["classes"] == "new" and row["method"] != "zero_shot" else row["classes"]
        if options or row["model"] != "tiny" or row.get("views", 16) != 16 or row.get("split") == "val":
            continue
        if learned_on == (row["dataset"], wanted):
            table[label, row["dataset"], row["classes"], row["shots"]][row["seed"]] = row["accuracy"]
    return table


def spread(values):
    """[75.0, 76.0] → "75.50 ± 0.50"; a single one without a deviation.

    >>> spread([75.0, 76.0])
    '75.5 ± 0.5'
    """
    return f"{statistics.mean(values):.1f}" + (f" ± {statistics.pstdev(values):.1f}" if len(values) > 1 else "")


def mean_of_sets(table, label, classes, shots, sets=EIGHT):
    """The mean accuracy of all sets, one value for each seed that every set has; [] if there is none."""
    runs = [table.get((label, name, classes, shots), {}) for name in sets]
    seeds = set.intersection(*(set(run) for run in runs))
    return [statistics.mean(run[seed] for run in runs) for seed in sorted(seeds)]


def few_shot_table(table, shots):
    """Every method's accuracy on every set at this number of shots, as Markdown."""
    lines = ["| method | " + " | ".join(name.removeprefix("toy-") for name in EIGHT) + " | mean | seeds |"]
    lines.append("| --- " * (len(EIGHT) + 3) + "|")
    for label in [*METHODS, "coop CSC"]:
        n = 0 if label == "zero_shot" else shots
        runs = [list(table.get((label, name, "all", n), {}).values()) for name in EIGHT]
        if any(runs):
            cells = [f"{statistics.mean(run):.1f}" if run else "" for run in runs]
            means = mean_of_sets(table, label, "all", n)
            seeds = "1" if n == 0 else str(min(len(run) for run in runs))
            lines.append(f"| {label} | " + " | ".join(cells) + f" | {spread(means) if means else ''} | {seeds} |")
    return "\n".join(lines)


def shots_table(table):
    """The mean of the eight sets against the number of shots, as Markdown."""
    lines = ["| method | " + " | ".join(f"{n} shots" for n in SHOTS) + " |", "| --- " * (len(SHOTS) + 1) + "|"]
    for label in [*CURVES, "coop CSC"]:
        means = [mean_of_sets(table, label, "all", n) for n in SHOTS]
        lines.append(f"| {label} | " + " | ".join(spread(m) if m else "" for m in means) + " |")
    return "\n".join(lines)


def base_to_new_table(table):
    """Base, new and their harmonic mean, the mean over the eight sets, as Markdown."""
    lines = ["| method | base | new | harmonic mean |", "| --- | --- | --- | --- |"]
    for label in ("zero_shot", "coop", "cocoop", "vpt", "upt"):
        n = 0 if label == "zero_shot" else 16
        base, new = (mean_of_sets(table, label, classes, n) for classes in ("base", "new"))
        if base and new:
            harmonic = [2 * b * w / (b + w) for b, w in zip(base, new)]
            lines.append(f"| {label} | {spread(base)} | {spread(new)} | {spread(harmonic)} |")
    return "\n".join(lines)


def line(x_1, x_2, y, style):
    """A horizontal line as SVG text."""
    return f'<line x1="{x_1:.1f}" x2="{x_2:.1f}" y1="{y:.1f}" y2="{y:.1f}" {style}/>'


def draw(table):
    """The papers' few-shot curves (CoOp Fig. 3, UPT Fig. 4): the mean and the eight sets → SVG text."""
    width, height, left, bottom = 200, 150, 34, 26  # of one panel, in pixels
    panels = [("mean of the eight", EIGHT), *((name, (name,)) for name in EIGHT)]
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{3 * width + 20}" height="{3 * height + 50}" '
             'font-family="sans-serif" font-size="10"><rect width="100%" height="100%" fill="white"/>']  # fmt: skip
    for i, (title, sets) in enumerate(panels):
        means = {label: {n: m for n in SHOTS if (m := mean_of_sets(table, label, "all", n, sets))} for label in CURVES}
        (zero_shot,) = mean_of_sets(table, "zero_shot", "all", 0, sets)
        values = [statistics.mean(m) for by_shots in means.values() for m in by_shots.values()] + [zero_shot]
        low, high = 10 * (min(values) // 10), 10 * (max(values) // 10 + 1)
        x_0, y_0 = (i % 3) * width + left, (i // 3 + 1) * height - bottom + 10  # the panel's lower left corner

        def x(position):
            return x_0 + position * (width - left - 14) / (len(SHOTS) - 1)

        def y(accuracy):
            return y_0 - (accuracy - low) / (high - low) * (height - bottom - 18)

        parts.append(f'<text x="{x_0}" y="{y(high) - 6:.1f}" font-weight="bold">{title}</text>')
        for accuracy in (low, (low + high) / 2, high):
            parts.append(line(x_0, x(4), y(accuracy), 'stroke="#ddd"'))
            parts.append(f'<text x="{x_0 - 4}" y="{y(accuracy) + 3:.1f}" text-anchor="end">{accuracy:g}</text>')
        for position, n in enumerate(SHOTS):
            parts.append(f'<text x="{x(position):.1f}" y="{y_0 + 12}" text-anchor="middle">{n}</text>')
        parts.append(line(x_0, x(4), y(zero_shot), 'stroke="black" stroke-dasharray="3 3"'))
        for label, by_shots in means.items():
            points = " ".join(f"{x(SHOTS.index(n)):.1f},{y(statistics.mean(m)):.1f}" for n, m in by_shots.items())
            parts.append(f'<polyline points="{points}" fill="none" stroke="{CURVES[label]}" stroke-width="2"/>')
    for i, (label, colour) in enumerate([*CURVES.items(), ("zero-shot (dashed)", "black")]):
        name = label.replace("_", " ")
        parts.append(f'<text x="{left + i * 110}" y="{3 * height + 36}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>\n"])


def main():
    table = read(Path(sys.argv[1]))
    print("## 16 shots\n\n" + few_shot_table(table, 16))
    print("\n## 1 to 16 shots, mean of the eight sets\n\n" + shots_table(table))
    print("\n## Base to new, 16 shots, mean of the eight sets\n\n" + base_to_new_table(table))
    Path(__file__).with_name("few-shot.svg").write_text(draw(table), encoding="utf-8")


if __name__ == "__main__":
    main()
