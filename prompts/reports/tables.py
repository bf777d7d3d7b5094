"""The papers' tables from the rows of results.jsonl: `python eval.py --table NAME`.

    rows → newest (rows.py) → collect: {Line: its rows and cells} → table → text (layout.py)

A line is one method on one data set, or its average over all of them. It keeps the rows that it was
made of, so that a remark below the table can say in what they differ. The last column has the
papers' own figures (papers.py).
"""

import dataclasses
import json
import statistics
from dataclasses import dataclass

from clip_min.data import BENCHMARKS, ELEVEN, SHIFTED
from clip_min.world.benchmarks import EIGHT
from prompts import METHODS, recipe_of
from prompts.reports import papers
from prompts.reports.layout import Table, as_csv, as_markdown, as_text
from prompts.reports.rows import newest, usable
from prompts.runs.protocols import PROTOCOLS, TRANSFER

NAMES = tuple(PROTOCOLS)
ORDER = (*ELEVEN, *SHIFTED["imagenet"], *EIGHT, *SHIFTED["toy-objects"])
OF_TRAINING = ("lr", "epochs", "batch_size", "crop_scale", "flip", "max_norm", "views")
# How a row is learned and evaluated if it does not say otherwise.
AS_USUAL = {"precision": "fp32", "evaluated_in": None, "template": None, "gelu": None}
# Keys in which all rows of a line should agree, and how a remark calls them.
SAME_IN_A_LINE = {
    "code": "code",
    "evaluated_with": "code",
    "clip": "files beside CLIP's weights",
    "trained_pictures": "training pictures",
}


@dataclass(frozen=True)
class Filter:
    """What a table is restricted to; None: not restricted. `datasets`: what was learned on."""

    datasets: list | None = None
    methods: list | None = None
    models: list | None = None
    shots: list | None = None


@dataclass(frozen=True)
class Line:
    """What one line of a table is about.

    source: what was learned on, in a TRANSFER table, else "". label: the method, and all in which
    it differs from its recipe. shots: 0 in the few-shot table, where they are columns.
    """

    model: str
    source: str
    dataset: str
    method: str
    label: str
    shots: int


def report(rows, name, format="text", **chosen):
    """Rows of results.jsonl → the table of this name as "text", "markdown" or "csv".

    chosen and errors: see `table`.
    """
    writers = {"text": as_text, "markdown": as_markdown, "csv": as_csv}
    return writers[format](table(rows, name, **chosen))


def table(rows, name, present=None, **chosen):
    """Rows of results.jsonl and one of NAMES → Table.

    present: see `rows.newest`. chosen: the fields of `Filter`. Raises ValueError for another name,
    and if there is nothing to show, with the command that changes it.
    """
    counted, only = newest(usable(rows), present), Filter(**chosen)
    lines = lines_of(counted, name, only)
    measured = sorted({column for found in lines.values() for column in found["cells"]})
    models = ["model"] if len({line.model for line in lines}) > 1 else []
    source = ["source"] if name in TRANSFER else []
    shots = [] if name == "few-shot" else ["shots"]
    h = ["H"] if name == "base-to-new" else []
    names = [column_name(column) for column in measured]
    columns = [*models, *source, "dataset", "method", *shots, *names, *h, "seeds", "paper"]
    body = [texts_of(name, line, found) for line, found in lines.items()]
    remarks = [*remarks_on_lines(lines, body), *remarks_on_rows(counted, name, only)]
    papers_named = " ".join(cells["paper"] for cells in body)
    remarks += [words for version, words in papers.VERSIONS.items() if version in papers_named]
    return Table(columns, names, body, remarks)


# Which rows stand in a table, and in which line


def collect(rows, name, **chosen):
    """Rows of results.jsonl → {Line: dict}, in the order of the table, averages last.

    The dict has rows: those of the line; cells: {column: {seed: accuracy}}. A column is a number of
    shots, the classes "base" and "new", or "accuracy". Arguments and errors: see `table`.
    """
    return lines_of(newest(usable(rows)), name, Filter(**chosen))


def lines_of(counted, name, only):
    """`rows.Counted`, a table's name and a Filter → what `collect` gives."""
    if name not in PROTOCOLS:
        known = f"{', '.join(NAMES[:-1])} or {NAMES[-1]}"
        raise ValueError(f"There is no table {name!r}: choose {known}.")
    selected = select(counted.rows, name, only)
    clips = {clip_of(row) for _, row in selected}
    rows_of = {}
    for source, row in selected:
        if not only.methods or row["method"] in only.methods:  # `select` adds zero-shot CLIP
            rows_of.setdefault(line_of(row, name, source, clips), []).append(row)
    if not rows_of:
        remarks = remarks_on_rows(counted, name, only)
        raise ValueError(" ".join([nothing_to_show(name, only), *remarks]))
    lines = {}
    in_order = {line: rows_of[line] for line in sorted(rows_of, key=place_of)}
    for line, rows in with_averages(in_order).items():
        cells = cells_of(rows, name)
        if cells:
            lines[line] = {"rows": rows, "cells": cells}
    return lines


def select(rows, name, only):
    """The rows of a table → list of (what was learned on, row). Zero-shot CLIP comes last.

    It stands beside what was learned, on the same data sets and, in a TRANSFER table, for each
    source.
    """
    learned, hand_written = [], []
    for row in rows:
        if row["method"] == "zero_shot":
            hand_written.append(row)
        elif concerns(row, name, only):
            learned.append((row["trained_on"], row))
    if name in TRANSFER:  # a run that was never evaluated on a target has no place there
        reached = {run_of(row) for source, row in learned if row["dataset"] != source}
        learned = [(source, row) for source, row in learned if run_of(row) in reached]
    sources = {}  # (CLIP, data set) → what was learned on; a dict for its order
    for source, row in learned:
        sources.setdefault((clip_of(row), row["dataset"]), {})[source] = True
    beside = []
    for row in hand_written:
        for source in sources.get((clip_of(row), row["dataset"]), {}):
            if belongs(row, name, source):
                beside.append((source, row))
    return learned + beside


def concerns(row, name, only):
    """Whether a row stands in the table under this Filter, whatever its method."""
    is_zero_shot = row["method"] == "zero_shot"
    source = row["dataset"] if is_zero_shot else row["trained_on"]
    if source is None:  # learned by a paper's own code, which does not say where
        return False
    return (
        belongs(row, name, source)
        and (not only.models or row["model"] in only.models)
        and (not only.datasets or source in only.datasets)
        and (not only.shots or is_zero_shot or row["shots"] in only.shots)
    )


def belongs(row, name, source):
    """Whether a row stands in the table beside what was learned on `source`."""
    protocol, shifted = PROTOCOLS[name], SHIFTED.get(source, ())
    targets = {
        "": row["dataset"] == source,
        "others": row["dataset"] not in shifted,
        "shifted": row["dataset"] in (source, *shifted),
    }
    trained = (row["trained_on"], row["trained_classes"])
    is_learned_so = row["method"] == "zero_shot" or trained == (source, protocol.learned_on)
    is_evaluated_so = row.get("split") == "test" and row["classes"] in protocol.evaluated_on
    return targets[protocol.transfer] and is_learned_so and is_evaluated_so


def line_of(row, name, source, clips):
    """The Line of a row. clips: all in the table; two of one name get their weights' digits."""
    model = row["model"]
    if len([clip for clip in clips if clip[0] == model]) > 1:
        model += f" {row.get('sha256') or 'unknown':.8}"
    source = source if name in TRANSFER else ""
    shots = 0 if name == "few-shot" else row.get("shots", 0)
    return Line(model, source, row["dataset"], row["method"], label_of(row, name), shots)


def clip_of(row):
    """What tells one CLIP from another: its name and the digits of its weights."""
    return row["model"], row.get("sha256")


def run_of(row):
    """All that tells a run from others but its seed."""
    return clip_of(row), row["trained_on"], label_of(row), row["shots"]


def place_of(line):
    """A Line → its place in the order. In a TRANSFER table the source comes before its targets."""
    source, dataset = place_of_dataset(line.source), place_of_dataset(line.dataset)
    method = list(METHODS).index(line.method)
    return line.model, source, line.dataset != line.source, dataset, method, line.label, line.shots


def place_of_dataset(name):
    """The benchmarks as the papers order them, then folders by their name."""
    return (ORDER.index(name), "") if name in ORDER else (len(ORDER), name)


def nothing_to_show(name, only):
    """The sentence that says which command would fill the table."""
    learners = [method for method in only.methods or [] if method != "zero_shot"]
    datasets = only.datasets or ["toy-objects" if name in TRANSFER else "toy"]
    command = ["--method", *(learners or ["coop", "upt"]), "--dataset", *datasets]
    if only.models:
        command += ["--model", *only.models]
    if only.shots:
        command += ["--shots", *map(str, only.shots)]
    of_what = f" of {', '.join(only.methods)}" if only.methods else ""
    command = f"python train.py {' '.join(command)} --protocol {name}"
    return f"There are no {name} results{of_what}: run `{command}`."


# How a row differs from its method's recipe


def differences(row, protocol=None):
    """What differs from the method's recipe → two dicts: options, and how it was trained.

    A key that a row does not have is as in the recipe. protocol: a table's name; some recipes
    differ there.
    """
    recipe, usual = recipe_of(row["method"], row["model"]), {}
    if recipe:
        recipe = recipe.in_protocol(protocol)
        usual = dataclasses.asdict(recipe)
        usual["epochs"] = recipe.epochs_for(row["trained_on"], row["shots"])
        usual = {key: usual[key] for key in OF_TRAINING}
        usual["crop_scale"] = list(recipe.crop_scale)  # as JSON has it
    usual |= AS_USUAL
    training = {key: row[key] for key, value in usual.items() if row.get(key, value) != value}
    wanted, options = recipe.options if recipe else {}, row["options"]
    changed = {}
    for name in sorted(wanted | options):
        if name not in wanted or name not in options or wanted[name] != options[name]:
            changed[name] = options.get(name)
    return changed, training


def label_of(row, protocol=None):
    """The method and all that differs from its recipe: "coop", "upt lr=0.1"."""
    options, training = differences(row, protocol)
    changes = [f"{key}={value}" for key, value in (options | training).items()]
    return " ".join([row["method"], *changes])


# Accuracies


def cells_of(rows, name):
    """The rows of a line → {column: {seed: accuracy}}.

    Rows of several data sets give their average, seed by seed, over the seeds that every data set
    has.
    """
    columns = {}
    for row in rows:
        seeds_of = columns.setdefault(column_of(row, name), {})
        seeds_of.setdefault(row["dataset"], {})[row.get("seed", 0)] = row["accuracy"]
    number, cells = len({row["dataset"] for row in rows}), {}
    for column, seeds_of in columns.items():
        runs = list(seeds_of.values())
        seeds = set.intersection(*map(set, runs)) if len(runs) == number else set()
        if seeds:
            cells[column] = {
                seed: statistics.mean(run[seed] for run in runs) for seed in sorted(seeds)
            }
    return cells


def column_of(row, name):
    """The column of `collect` in which the row's accuracy stands."""
    if name == "few-shot":
        return row.get("shots", 0)
    return row["classes"] if name == "base-to-new" else "accuracy"


def with_averages(rows_of):
    """{Line: rows} → the same, and after each model's (and source's) lines those of their average.

    Miniature and real data sets have averages of their own, for methods that have every data set.
    In a TRANSFER table the average is that of the targets. For ImageNet's shifted versions a second
    one takes ImageNet in, too (UPT, Table 1).
    """
    blocks = {}
    for line in rows_of:
        is_toy = line.dataset.startswith("toy-")
        blocks.setdefault((line.model, line.source, is_toy), []).append(line)
    result = {}
    for (_, source, is_toy), block in blocks.items():
        for line in block:
            result[line] = rows_of[line]
        datasets = list(dict.fromkeys(line.dataset for line in block if line.dataset != source))
        number = len(datasets)
        if number < 2:
            continue
        words = ["toy"] * is_toy + ["targets" if source else "sets"] * bool(source or is_toy)
        averages = {" ".join([f"average of {number}", *words]): datasets}
        if source == "imagenet" and set(datasets) <= {*SHIFTED["imagenet"]}:
            averages[f"average of {number + 1}"] = ["imagenet", *datasets]
        for name, averaged in averages.items():
            for line in [line for line in block if line.dataset == averaged[0]]:
                parts = [dataclasses.replace(line, dataset=dataset) for dataset in averaged]
                if all(part in rows_of for part in parts):
                    all_rows = [row for part in parts for row in rows_of[part]]
                    result[dataclasses.replace(line, dataset=name)] = all_rows
    return result


def spread(accuracies):
    """Accuracies → mean and standard deviation (ddof 0); a single one has no deviation: None.

    >>> spread([75.0, 76.0]), spread([75.0])
    ((75.5, 0.5), (75.0, None))
    """
    values = list(accuracies)
    return statistics.mean(values), statistics.pstdev(values) if len(values) > 1 else None


def harmonic_mean(cells):
    """H = 2 b n / (b + n) of the means b and n over the seeds, or None if one is missing.

    Source: CoCoOp, Table 1.
    """
    if not {"base", "new"} <= cells.keys():
        return None
    b, n = (statistics.mean(cells[classes].values()) for classes in ("base", "new"))
    return 2 * b * n / (b + n) if b + n else 0.0


# From lines to what is printed


def texts_of(name, line, found):
    """One line of a table → {column: text, or mean and deviation}."""
    cells = found["cells"]
    counts = sorted({len(runs) for runs in cells.values()})
    texts = {"model": line.model, "source": line.source, "dataset": line.dataset}
    texts |= {"method": line.label, "shots": str(line.shots)}
    texts |= {column_name(column): spread(runs.values()) for column, runs in cells.items()}
    h = harmonic_mean(cells)
    texts["H"] = f"{h:.1f}" if h else ""
    texts["seeds"] = str(counts[0]) if len(counts) == 1 else f"{counts[0]}-{counts[-1]}"
    texts["paper"] = paper_cell(name, line, found)
    return texts


def column_name(column):
    """A column of `collect` → its name in the header: 1 → "1 shot"."""
    return column if isinstance(column, str) else of_number(column, "shot")


def of_number(number, noun):
    """A count and what is counted, in one or more.

    >>> of_number(1, "row"), of_number(2, "row")
    ('1 row', '2 rows')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def paper_cell(name, line, found):
    """The papers' figures for a line of the table, or why there are none of this method."""
    unlike = unlike_the_papers(found["rows"])
    if unlike:
        return unlike
    if line.source not in ("", "imagenet"):
        return ""
    settings = {papers.settings_of(row, differences(row, name)[1]) for row in found["rows"]}
    agreed = settings.pop() if len(settings) == 1 else papers.UNLIKE
    datasets = {row["dataset"] for row in found["rows"]}
    if len(datasets) > 1 and not datasets <= {*ELEVEN, *SHIFTED["imagenet"]}:
        agreed = papers.OTHER_DATA_SETS
    asked = papers.Asked(name, line.model, line.method, agreed, line.dataset)
    cell = papers.figure(asked) or papers.why_none(asked)
    has_16_shots = 16 in found["cells"] if name == "few-shot" else line.shots == 16
    if cell and not has_16_shots and line.method != "zero_shot":
        return "16 shots only"
    return cell


def unlike_the_papers(rows):
    """Rows of a line → in what their pictures differ from the papers', in two words; or ""."""
    if any(row.get("own_split") for row in rows):
        return "own split"
    return "not whole" if any(row.get("not_whole") for row in rows) else ""


# Remarks below a table


def remarks_on_lines(lines, body):
    """What a reader must know about the figures → list of sentences."""
    unlike = sorted({unlike_the_papers(found["rows"]) for found in lines.values()} - {""})
    remarks = [f"{words}: not comparable with the papers' figures" for words in unlike]
    mixed = {line: mixed_in(found["rows"]) for line, found in lines.items()}
    mixed = {line: words for line, words in mixed.items() if words}
    if mixed:
        first, of_what = next(iter(mixed)), dict.fromkeys(sum(mixed.values(), []))
        remarks.append(
            f"In {of_number(len(mixed), 'line')} the figures do not all have the same "
            f"{' and the same '.join(of_what)} (first: {first.label} on {first.dataset}): "
            "run all of a line again."
        )
    for line, cells in zip(lines, body, strict=True):
        is_of_the_papers = line.dataset in BENCHMARKS and line.source in ("", "imagenet")
        if is_of_the_papers and not cells["paper"]:
            return [*remarks, "paper, an empty cell: none of the papers has this figure."]
    return remarks


def mixed_in(rows):
    """All rows of a line, of all columns and seeds → list of the things in which they differ.

    Training pictures are compared for each data set that was learned on.
    """
    found = {}
    for key, words in SAME_IN_A_LINE.items():
        values = {}
        for row in rows:
            group = row["trained_on"] if key == "trained_pictures" else ""
            values.setdefault(group, set()).add(json.dumps(row.get(key), sort_keys=True))
        if any(len(different) > 1 for different in values.values()):
            found[words] = True
    return list(found)


def remarks_on_rows(counted, name, only):
    """What is older, and what does not count in this table → list of sentences."""
    methods = only.methods or METHODS
    groups = [
        [row for row in group if row["method"] in methods and concerns(row, name, only)]
        for group in (counted.older, counted.outdated, counted.failed)
    ]
    older, outdated, failed = groups
    last = []
    for group in groups:
        last += [f"{label_of(row, name)} on {row['dataset']}" for row in group[-1:]] or [""]
    remarks = []
    if older:
        remarks.append(
            f"{of_number(len(older), 'row')} older than the present code, CLIP or pictures "
            f"(last: {last[0]}): run the commands again."
        )
    if outdated:
        remarks.append(
            f"{of_number(len(outdated), 'older row')} left out, because the pictures, class names "
            f"or templates have changed since (last: {last[1]})."
        )
    if failed:
        shots, seed = failed[-1].get("shots"), failed[-1].get("seed")
        remarks.append(
            f"{of_number(len(failed), 'run')} that diverged left out (last: {last[2]}, "
            f"{of_number(shots, 'shot')}, seed {seed}: {failed[-1]['failed']})."
        )
    return remarks
