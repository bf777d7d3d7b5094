"""From rows of results.jsonl to the lines of a table or a plot: `collect`.

    rows → usable, newest (rows.py) → select → line_of → with_averages → {Line: its accuracies}

A line holds the accuracies of one method on one data set, seed by seed.
"""

import json
import statistics
from dataclasses import dataclass, replace

from clip_min.data import ELEVEN, SHIFTED
from clip_min.files import printable
from clip_min.world.benchmarks import EIGHT
from prompts import METHODS, recipe_of
from prompts.reports import papers
from prompts.reports.rows import newest, usable
from prompts.runs.protocols import PROTOCOLS, TRANSFER

NAMES = tuple(PROTOCOLS)
ORDER = (*ELEVEN, *SHIFTED["imagenet"], *EIGHT, *SHIFTED["toy-objects"])


@dataclass(frozen=True)
class Choice:
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


def collect(rows, name, **chosen):
    """Rows of results.jsonl → {Line: dict}, in the order of the table, averages last.

    The dict has cells: {column: {seed: accuracy}}; a column is a number of shots, the classes
    "base" and "new", or "accuracy". settings: see `papers.settings_of`. unlike: see
    `unlike_the_papers`. codes: {column: the versions of the code that its accuracies come from}.
    Arguments and errors: see `tables.table`.
    """
    return lines_of(newest(usable(rows)), name, Choice(**chosen))


def lines_of(counted, name, choice):
    """`rows.Counted` → what `collect` gives."""
    if name not in PROTOCOLS:
        known = f"{', '.join(NAMES[:-1])} or {NAMES[-1]}"
        raise ValueError(f"There is no table {name!r}: choose {known}.")
    selected = select(counted.rows, name, choice)
    clips = {clip_of(row) for _, row in selected}
    lines = {}
    for source, row in selected:
        if choice.methods and row["method"] not in choice.methods:
            continue  # zero-shot CLIP, which `select` has put beside them
        line = line_of(row, name, source, clips)
        found = lines.setdefault(line, new_line(row))
        column = column_of(row, name)
        found["cells"].setdefault(column, {})[row.get("seed", 0)] = row["accuracy"]
        found["codes"].setdefault(column, set()).add(json.dumps(row.get("code"), sort_keys=True))
        found["unlike"] = found["unlike"] or unlike_the_papers(row)
    if not lines:
        remarks = remarks_on_rows(counted, name, choice)
        raise ValueError(" ".join([nothing_to_show(name, choice), *remarks]))
    return with_averages({line: lines[line] for line in sorted(lines, key=place_of)})


def select(rows, name, choice):
    """The rows of a table → list of (what was learned on, row). Zero-shot CLIP comes last.

    Zero-shot CLIP stands beside what was learned, on the same data sets and, in a TRANSFER table,
    for each source.
    """
    learned = [(row["trained_on"], row) for row in rows if was_learned_for(row, name, choice)]
    if name in TRANSFER:  # a run that was never evaluated on a target has no place there
        reached = {run_of(row) for source, row in learned if row["dataset"] != source}
        learned = [(source, row) for source, row in learned if run_of(row) in reached]
    sources = {}  # (CLIP, data set) -> what was learned on; a dict for its order
    for source, row in learned:
        sources.setdefault((clip_of(row), row["dataset"]), {})[source] = True
    zero_shot = [
        (source, row)
        for row in rows
        if is_zero_shot_for(row, choice)
        for source in sources.get((clip_of(row), row["dataset"]), {})
        if belongs(row, name, source)
    ]
    return learned + zero_shot


def was_learned_for(row, name, choice):
    """Whether the row is of a learned method that the table shows under this choice."""
    if row["method"] == "zero_shot" or row["trained_on"] is None or row.get("split") != "test":
        return False
    chosen = (
        (not choice.models or row["model"] in choice.models)
        and (not choice.datasets or row["trained_on"] in choice.datasets)
        and (not choice.shots or row["shots"] in choice.shots)
    )
    return chosen and belongs(row, name, row["trained_on"])


def is_zero_shot_for(row, choice):
    """Whether the row is of zero-shot CLIP, with a model that was chosen."""
    model_is_chosen = not choice.models or row["model"] in choice.models
    return row["method"] == "zero_shot" and row.get("split") == "test" and model_is_chosen


def belongs(row, name, source):
    """Whether a row stands in the table beside what was learned on `source`."""
    protocol = PROTOCOLS[name]
    learned_on, evaluated_on = protocol.learned_on, protocol.evaluated_on
    shifted = SHIFTED.get(source, ())
    if name == "cross-dataset":
        there = row["dataset"] not in shifted
    elif name == "domain-generalization":
        there = row["dataset"] == source or row["dataset"] in shifted
    else:
        there = row["dataset"] == source
    trained = (row["trained_on"], row["trained_classes"])
    learned = row["method"] == "zero_shot" or trained == (source, learned_on)
    return there and learned and row["classes"] in evaluated_on


def line_of(row, name, source, clips):
    """The Line of a row. clips: all in the table, for two of one name get their weights' digits."""
    model = row["model"]
    if len([clip for clip in clips if clip[0] == model]) > 1:
        model += f" {row.get('sha256') or 'unknown':.8}"
    return Line(
        model=model,
        source=source if name in TRANSFER else "",
        dataset=row["dataset"],
        method=row["method"],
        label=label_of(row),
        shots=0 if name == "few-shot" else row.get("shots", 0),
    )


def new_line(row):
    """What a line of `collect` holds before the first accuracy."""
    settings = papers.settings_of(row, differences(row)[1])
    return {"cells": {}, "codes": {}, "settings": settings, "unlike": ""}


def unlike_the_papers(row):
    """A row → in what its pictures differ from the papers', in two words; "" if in nothing."""
    if row.get("own_split"):
        return "own split"
    return "not whole" if row.get("not_whole") else ""


def column_of(row, name):
    """The column of `collect` in which the row's accuracy stands."""
    if name == "few-shot":
        return row.get("shots", 0)
    return row["classes"] if name == "base-to-new" else "accuracy"


def clip_of(row):
    """What tells one CLIP from another: its name and the digits of its weights."""
    return row["model"], row.get("sha256")


def run_of(row):
    """All that tells a run from others but its seed."""
    return clip_of(row), row["trained_on"], label_of(row), row["shots"]


def place_of(line):
    """A Line → its place in the order. In a TRANSFER table the source comes before its targets."""
    return (
        line.model,
        place_of_dataset(line.source),
        line.dataset != line.source,
        place_of_dataset(line.dataset),
        list(METHODS).index(line.method),
        line.label,
        line.shots,
    )


def place_of_dataset(name):
    """The benchmarks as the papers order them, then folders by their name."""
    return (ORDER.index(name), "") if name in ORDER else (len(ORDER), name)


def nothing_to_show(name, choice):
    """The sentence that says which command would fill the table."""
    learners = [method for method in choice.methods or [] if method != "zero_shot"]
    datasets = choice.datasets or ["toy-objects" if name in TRANSFER else "toy"]
    command = ["--method", *(learners or ["coop", "upt"]), "--dataset", *datasets]
    if choice.models:
        command += ["--model", *choice.models]
    if choice.shots:
        command += ["--shots", *map(str, choice.shots)]
    of_what = f" of {', '.join(choice.methods)}" if choice.methods else ""
    return (
        f"There are no {name} results{of_what}: run "
        f"`python train.py {' '.join(command)} --protocol {name}`."
    )


# How a row differs from its method's recipe


# How a row is learned and evaluated if it does not say otherwise.
AS_USUAL = {"precision": "fp32", "evaluated_in": None, "template": None, "gelu": None}


def usual_training(row, recipe):
    """How the row's method is trained by its recipe, with the keys of a row."""
    usual = {}
    if recipe:
        usual = {
            "lr": recipe.lr,
            "epochs": recipe.epochs_for(row["trained_on"], row["shots"]),
            "batch_size": recipe.batch_size,
            "crop_scale": list(recipe.crop_scale),
            "flip": recipe.flip,
            "max_norm": recipe.max_norm,
            "views": recipe.views,
        }
    return usual | AS_USUAL


def differences(row):
    """What differs from the method's recipe → two dicts: options, and how it was trained.

    A key that a row does not have is as in the recipe.
    """
    recipe = recipe_of(row["method"], row["model"])
    wanted, options = recipe.options if recipe else {}, row["options"]
    names = [
        name
        for name in sorted(wanted | options)
        if name not in wanted or name not in options or wanted[name] != options[name]
    ]
    usual = usual_training(row, recipe)
    training = {key: row[key] for key, value in usual.items() if row.get(key, value) != value}
    return {name: options.get(name) for name in names}, training


def label_of(row):
    """The method and all that differs from its recipe: "coop", "upt lr=0.1"."""
    options, training = differences(row)
    changes = [f"{key}={value}" for key, value in (options | training).items()]
    return " ".join([row["method"], *changes])


# Rows that do not count


def remarks_on_rows(counted, name, choice):
    """What does not count in this table → list of sentences, at most one for each reason."""
    remarks = []
    older = [row for row in counted.older if concerns(row, name, choice)]
    if older:
        last = older[-1]
        remarks.append(
            f"{of_number(len(older), 'row')} older than the present code, CLIP or pictures "
            f"(last: {printable(label_of(last))} on {printable(last['dataset'])}): run the commands again."
        )
    outdated = [row for row in counted.outdated if concerns(row, name, choice)]
    if outdated:
        last = outdated[-1]
        remarks.append(
            f"{of_number(len(outdated), 'older row')} left out, because the pictures, class names "
            f"or templates have changed since (last: {printable(label_of(last))} on "
            f"{printable(last['dataset'])})."
        )
    failed = [row for row in counted.failed if concerns(row, name, choice)]
    if failed:
        last = failed[-1]
        where = f"{label_of(last)} on {last['dataset']}, "
        where += f"{last.get('shots')} shots, seed {last.get('seed')}"
        remarks.append(
            f"{of_number(len(failed), 'run')} that diverged left out (last: {printable(where)}: "
            f"{printable(last['failed'])})."
        )
    return remarks


def concerns(row, name, choice):
    """Whether a row that does not count would otherwise stand in the table."""
    if choice.methods and row["method"] not in choice.methods:
        return False
    if row["method"] == "zero_shot":
        chosen = not choice.datasets or row["dataset"] in choice.datasets
        return is_zero_shot_for(row, choice) and chosen and belongs(row, name, row["dataset"])
    return was_learned_for(row, name, choice)


def of_number(number, noun):
    """A count and what is counted, in one or more.

    >>> of_number(1, "row"), of_number(2, "row")
    ('1 row', '2 rows')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


# Averages


def with_averages(lines):
    """Lines → the same, and after each model's (and source's) lines those of their average.

    Miniature and real data sets have averages of their own. They are taken seed by seed, over the
    seeds that every data set has, for methods that have every data set. In a TRANSFER table the
    average is that of the targets. For ImageNet's shifted versions a second one takes ImageNet in,
    too (UPT, Table 1).
    """
    blocks = {}
    for line in lines:
        is_toy = line.dataset.startswith("toy-")
        blocks.setdefault((line.model, line.source, is_toy), []).append(line)
    result = {}
    for block in blocks.values():
        for line in block:
            result[line] = lines[line]
        datasets = list(
            dict.fromkeys(line.dataset for line in block if line.dataset != line.source)
        )
        if len(datasets) < 2:
            continue
        averages = {average_name(block[0], len(datasets)): datasets}
        if block[0].source == "imagenet" and set(datasets) <= {*SHIFTED["imagenet"]}:
            averages[f"average of {len(datasets) + 1}"] = ["imagenet", *datasets]
        for name, averaged in averages.items():
            for line in [line for line in block if line.dataset == averaged[0]]:
                parts = [lines.get(replace(line, dataset=dataset)) for dataset in averaged]
                if None in parts:
                    continue
                average = average_of(parts, averaged)
                if average["cells"]:
                    result[replace(line, dataset=name)] = average
    return result


def average_name(line, number):
    """One of the lines to average, and the number of data sets → "average of 8 toy sets"."""
    is_toy = line.dataset.startswith("toy-")
    if line.source:
        return f"average of {number} toy targets" if is_toy else f"average of {number} targets"
    return f"average of {number} toy sets" if is_toy else f"average of {number}"


def average_of(parts, datasets):
    """The lines of one method on all these data sets → the line of their average."""
    cells, codes = {}, {}
    for column in parts[0]["cells"]:
        runs = [part["cells"].get(column, {}) for part in parts]
        seeds = set.intersection(*map(set, runs))
        if seeds:
            cells[column] = {
                seed: statistics.mean(run[seed] for run in runs) for seed in sorted(seeds)
            }
    settings = {part["settings"] for part in parts}
    if not set(datasets) <= {*ELEVEN, *SHIFTED["imagenet"]}:
        agreed = papers.OTHER_DATA_SETS
    else:
        agreed = settings.pop() if len(settings) == 1 else papers.UNLIKE
    unlike = next((part["unlike"] for part in parts if part["unlike"]), "")
    return {"cells": cells, "codes": codes, "settings": agreed, "unlike": unlike}
