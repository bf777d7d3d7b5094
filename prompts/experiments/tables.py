"""The five tables of the papers from the rows of results.jsonl: `python eval.py --table NAME`.

    rows → collect → {Line: what was measured} → table → header and body → as_text, as_markdown or as_csv

Each table has a line for each data set and method, and a last column for the papers' own figures (papers.py).
"""

import csv
import dataclasses
import io
import itertools
import statistics
from collections import namedtuple

from clip_min.data import ELEVEN, SHIFTED
from clip_min.world.benchmarks import EIGHT
from prompts.experiments import papers
from prompts import FILES, METHODS
from prompts.experiments.plan import VIEWS, epochs_of

PROTOCOLS = {  # name of a table: classes learned on, classes evaluated on
    "few-shot": ("all", ["all"]),
    "base-to-new": ("base", ["base", "new"]),
    "class-incremental": ("base", ["all"]),
    "cross-dataset": ("all", ["all"]),
    "domain-generalization": ("all", ["all"]),
}
NAMES = tuple(PROTOCOLS)
TRANSFER = ("cross-dataset", "domain-generalization")  # learned on a source, evaluated on it and on its targets
ORDER = (*ELEVEN, *SHIFTED["imagenet"], *EIGHT, *SHIFTED["toy-objects"])
NEEDED = {"method", "options", "model", "trained_on", "trained_classes", "dataset", "classes", "accuracy"}
OWN_SPLIT = "own split"
WORDS_AND_COUNTS = ("model", "source", "dataset", "method", "shots", "H", "seeds", "paper")  # without a deviation

# What one line of a table is about. `source`: what was learned on, in a TRANSFER table, else "". `shots`: 0 in the
# few-shot table, where they are columns. `label`: the method, and all in which it differs from its recipe.
Line = namedtuple("Line", "model source dataset method label shots")


def table(rows, name, datasets=None, methods=None, models=None, shots=None):
    """Rows of results.jsonl and one of NAMES → header, a list of str, and body, a list of lists of str.

    A cell of accuracies is "57.2 ± 0.4", mean and standard deviation over the seeds, in per cent, or "57.2" for one
    seed. A row of one cell is a footnote. What is given restricts the table: `datasets` to what was learned on.
    Raises ValueError for another name, and if there is nothing to show, with the command that changes it.
    """
    lines = collect(rows, name, datasets, methods, models, shots)
    columns = sorted({column for found in lines.values() for column in found["cells"]})
    several = len({line.model for line in lines}) > 1
    header = ["model"] * several + ["source"] * (name in TRANSFER) + ["dataset", "method"]
    header += ["shots"] * (name != "few-shot")
    header += [f"{n} shot{'s' * (n != 1)}" for n in columns] if name == "few-shot" else columns
    header += ["H"] * (name == "base-to-new") + ["seeds", "paper"]
    body = []
    for line, found in lines.items():
        cells = found["cells"]
        row = [line.model] * several + [line.source] * (name in TRANSFER) + [line.dataset, line.label]
        row += [str(line.shots)] * (name != "few-shot")
        row += [spread(cells[column].values()) if column in cells else "" for column in columns]
        row += [f"{h:.1f}" if (h := harmonic_mean(cells)) else ""] * (name == "base-to-new")
        counts = sorted({len(runs) for runs in cells.values()})
        row += ["-".join(map(str, counts[:1] + counts[1:][-1:])), paper_cell(name, line, found)]
        body.append(row)
    if any(found["own_split"] for found in lines.values()):
        body.append([f"{OWN_SPLIT}: not comparable with the papers' figures"])
    return header, body


def collect(rows, name, datasets=None, methods=None, models=None, shots=None):
    """The table's lines in its order, averages last → {Line: dict(cells, settings, own_split)}.

    cells: {column: {seed: accuracy}}; a column is a number of shots, the classes "base" and "new", or "accuracy".
    settings: see `papers.settings_of`. Arguments and errors: see `table`. Of two rows for the same run the last counts.
    """
    if name not in PROTOCOLS:
        raise ValueError(f"There is no table {name!r}: choose {', '.join(NAMES[:-1])} or {NAMES[-1]}.")
    rows = [row for row in rows if NEEDED <= row.keys() and row["method"] in METHODS]
    rows = [row for row in rows if row.get("split") == "test" and (not models or row["model"] in models)]
    chosen = [
        (row["trained_on"], row) for row in rows
        if row["method"] != "zero_shot" and row["trained_on"] and belongs(row, name, row["trained_on"])
        and (not datasets or row["trained_on"] in datasets) and (not shots or row["shots"] in shots)
    ]  # fmt: skip
    if name in TRANSFER:  # a run that was never evaluated on a target has no place there
        reached = {run_of(row) for source, row in chosen if row["dataset"] != source}
        chosen = [(source, row) for source, row in chosen if run_of(row) in reached]
    # Zero-shot CLIP stands beside what was learned, on the same data sets and, in a TRANSFER table, for each source.
    beside = dict.fromkeys((clip_of(row), source, row["dataset"]) for source, row in chosen)
    for row in rows:
        sources = {s for clip, s, dataset in beside if (clip, dataset) == (clip_of(row), row["dataset"])}
        chosen += [(s, row) for s in sources if row["method"] == "zero_shot" and belongs(row, name, s)]
    lines = {}
    clips = {clip_of(row) for _, row in chosen}
    for source, row in chosen:
        if methods and row["method"] not in methods:
            continue
        same_name = [clip for clip in clips if clip[0] == row["model"]]  # other weights under it: tell them apart
        model = row["model"] + (f" {row.get('sha256') or 'unknown':.8}" if len(same_name) > 1 else "")
        n = row.get("shots", 0)
        line = Line(model, source if name in TRANSFER else "", row["dataset"], row["method"], label_of(row),
                    0 if name == "few-shot" else n)  # fmt: skip
        settings = papers.settings_of(row, differences(row)[1])
        found = lines.setdefault(line, dict(cells={}, settings=settings, own_split=False))
        column = n if name == "few-shot" else row["classes"] if name == "base-to-new" else "accuracy"
        found["cells"].setdefault(column, {})[row.get("seed", 0)] = row["accuracy"]
        found["own_split"] |= row.get("own_split", False)
    if not lines:
        learners = [method for method in methods or [] if method != "zero_shot"]
        command = ["--method", *(learners or ["coop", "upt"]), "--dataset"]
        command += datasets or ["toy-objects" if name in TRANSFER else "toy"]
        command += ["--model", *models] if models else []
        command += ["--shots", *map(str, shots)] if shots else []
        raise ValueError(f"There are no {name} results{' of ' + ', '.join(methods) if methods else ''}: run "
                         f"`python train.py {' '.join(command)} --protocol {name}`.")  # fmt: skip
    place = {dataset: (i, "") for i, dataset in enumerate(ORDER)}
    order = sorted(lines, key=lambda line: (
        line.model, place.get(line.source, (len(ORDER), line.source)), line.dataset != line.source,
        place.get(line.dataset, (len(ORDER), line.dataset)), list(METHODS).index(line.method), line.label, line.shots,
    ))  # fmt: skip
    return with_averages({line: lines[line] for line in order})


def belongs(row, name, source):
    """Whether a row stands in the table, among what was learned on `source`. Zero-shot CLIP was learned on nothing."""
    learned_on, evaluated_on = PROTOCOLS[name]
    shifted = SHIFTED.get(source, ())
    if name == "cross-dataset":
        there = row["dataset"] not in shifted
    else:
        there = row["dataset"] == source or name == "domain-generalization" and row["dataset"] in shifted
    learned = row["method"] == "zero_shot" or (row["trained_on"], row["trained_classes"]) == (source, learned_on)
    return there and learned and row["classes"] in evaluated_on


def clip_of(row):
    return row["model"], row.get("sha256")


def run_of(row):
    """All that tells a run from others but its seed."""
    return clip_of(row), row["trained_on"], label_of(row), row["shots"]


def recipe_of(row):
    """The recipe that the row's method has for its CLIP and its number of shots, with the keys of a row."""
    recipe = FILES[row["method"]].TINY if row["model"] == "tiny" else FILES[row["method"]].PAPER
    if recipe is None:
        return dict(options={})
    recipe = dataclasses.asdict(recipe)
    changed = dict(epochs=epochs_of(recipe, row["trained_on"], row["shots"]), crop_scale=list(recipe["crop_scale"]))
    return {key: value for key, value in recipe.items() if key != "imagenet_epochs"} | changed


def differences(row):
    """What differs from the method's recipe → two dicts: options, and how it was trained.

    A key that a row does not have is as in the recipe.
    """
    recipe = recipe_of(row)
    wanted, options = recipe.pop("options"), row["options"]
    usual = recipe | (dict(views=VIEWS) if recipe else {}) | dict(precision="fp32", template=None)
    other_options = {k: options.get(k) for k in sorted(wanted | options) if options.get(k, ...) != wanted.get(k, ...)}
    return other_options, {k: row[k] for k, value in usual.items() if row.get(k, value) != value}


def label_of(row):
    """The method and all that differs from its recipe: "coop", "coop class_specific=True", "upt lr=0.1"."""
    options, training = differences(row)
    return " ".join([row["method"], *(f"{key}={value}" for key, value in (options | training).items())])


def with_averages(lines):
    """After each model's (and source's) lines, those of their average over the data sets, or over the targets.

    Miniature and real data sets have averages of their own. They are taken seed by seed, over the seeds that every
    data set has, for methods that have every data set.
    """
    blocks = {}
    for line in lines:
        blocks.setdefault((line.model, line.source, line.dataset.startswith("toy-")), []).append(line)
    result = {}
    for block in blocks.values():
        result |= {line: lines[line] for line in block}
        sets = dict.fromkeys(line.dataset for line in block if line.dataset != line.source)
        toy = block[0].dataset.startswith("toy-")
        kind = ("toy targets" if toy else "targets") if block[0].source else "toy sets" if toy else ""
        name = f"average of {len(sets)} {kind}".rstrip()
        for line in [line for line in block if line.dataset == list(sets)[0]] if len(sets) > 1 else []:
            parts = [lines.get(line._replace(dataset=dataset)) for dataset in sets]
            if None in parts:
                continue
            cells = {}
            for column in parts[0]["cells"]:
                runs = [part["cells"].get(column, {}) for part in parts]
                if seeds := set.intersection(*map(set, runs)):
                    cells[column] = {seed: statistics.mean(run[seed] for run in runs) for seed in sorted(seeds)}
            settings = {part["settings"] for part in parts}
            settings = settings.pop() if len(settings) == 1 and sets.keys() <= set(ELEVEN) else None
            if cells:
                own_split = any(part["own_split"] for part in parts)
                result[line._replace(dataset=name)] = dict(cells=cells, settings=settings, own_split=own_split)
    return result


def spread(values):
    """Accuracies → "75.5 ± 0.5", mean and standard deviation (ddof 0); a single one without a deviation.

    >>> spread([75.0, 76.0])
    '75.5 ± 0.5'
    """
    values = list(values)
    return f"{statistics.mean(values):.1f}" + (f" ± {statistics.pstdev(values):.1f}" if len(values) > 1 else "")


def harmonic_mean(cells):
    """H = 2 b n / (b + n) of the means b and n over the seeds (CoCoOp, Table 1), or None if one of them is missing."""
    if not {"base", "new"} <= cells.keys():
        return None
    b, n = (statistics.mean(cells[classes].values()) for classes in ("base", "new"))
    return 2 * b * n / (b + n) if b + n else 0.0


def paper_cell(name, line, found):
    """The papers' figures for a line of the table, or why there can be none; "" where they report none."""
    if found["own_split"]:
        return OWN_SPLIT
    at_16 = 16 in found["cells"] if name == "few-shot" else line.shots == 16
    if not (at_16 or line.method == "zero_shot") or line.source not in ("", "imagenet"):
        return ""
    return papers.figure(name, line.model, line.method, found["settings"], line.dataset)


def as_text(header, body):
    """A table in aligned columns."""
    rows = [row for row in body if len(row) > 1]
    widths = [max(map(len, column)) for column in zip(header, *rows)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in [header, *rows]]
    return "\n".join([*lines, *(f"\n{row[0]}" for row in body if len(row) == 1)])


def as_markdown(header, body):
    rows = [header, ["---"] * len(header), *(row for row in body if len(row) > 1)]
    return "\n".join(["| " + " | ".join(row) + " |" for row in rows] + [f"\n{row[0]}" for row in body if len(row) == 1])


def as_csv(header, body):
    """A table for a program: mean and deviation in columns of their own ("16 shots", "16 shots std"), no footnotes."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    measured = [name not in WORDS_AND_COUNTS for name in header]
    pairs = [(name, f"{name} std") if two else (name,) for name, two in zip(header, measured)]
    writer.writerow(itertools.chain(*pairs))
    for row in body:
        if len(row) > 1:
            pairs = [cell.partition(" ± ")[::2] if two else (cell,) for cell, two in zip(row, measured)]
            writer.writerow(itertools.chain(*pairs))
    return file.getvalue().rstrip("\n")
