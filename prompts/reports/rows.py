"""Which rows of results.jsonl count.

    read_rows → one entry for each line → usable → newest → the rows of tables and plots

train.py and eval.py add rows and never change an older one. Of the rows of one kind, which differ
in their inputs only (code, CLIP, pictures), the one counts that the present inputs would give. If
there is none, the last one counts, and a remark says that it is older. Rows on other pictures than
the rest of their data set do not count.
"""

import os
import warnings
from dataclasses import dataclass, field

from clip_min import load_clip
from clip_min.data import load_dataset, split_classes
from prompts.runs.identity import code_of, digest_of_training, kind_of
from prompts.runs.results import parsed, problem_of


@dataclass
class Counted:
    """What `newest` gives: rows that count, those of them that are older than the present inputs,
    and, left out, rows on other pictures and rows of runs that diverged."""

    rows: list = field(default_factory=list)
    older: list = field(default_factory=list)
    outdated: list = field(default_factory=list)
    failed: list = field(default_factory=list)


def read_rows(path):
    """results.jsonl, a Path → a list with one entry for each line; [] without a file.

    A line that is not JSON is kept as text, so that the place in the list is the number of the
    line.
    """
    return [parsed(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def usable(rows):
    """The entries that are rows of an evaluation or of a run that diverged → a list of dicts.

    What is skipped is counted in one warning, with the numbers of the lines. Empty lines are
    skipped without it.
    """
    good, skipped = [], []
    for number, row in enumerate(rows, start=1):
        problem = problem_of(row)
        if problem is None:
            good.append(row)
        elif row != "":
            skipped.append((number, problem))
    if skipped:
        number, problem = skipped[0]
        more = f" (and {len(skipped) - 1} more lines)" if len(skipped) > 1 else ""
        warnings.warn(f"Line {number} of the results is skipped, because {problem}{more}.",
                      stacklevel=2)
    return good


def newest(rows, present=None):
    """Usable rows → `Counted`, of each kind one row.

    present: says what the inputs of a row are now, `Present().inputs`; None: only the last rows of
    each kind count.
    """
    present = present or (lambda row: {})
    kinds, pictures = {}, {}  # kind → its row; what is evaluated on → the digest of its pictures
    for row in rows:
        kind = kind_of(row)
        if kind not in kinds or is_present(row, present) >= is_present(kinds[kind], present):
            kinds[kind] = row
        pictures[evaluated_on(row)] = row.get("pictures")
    for row in rows:
        there = present(row).get("pictures")
        if there is not None and row.get("pictures") == there:
            pictures[evaluated_on(row)] = there
    counted = Counted()
    for row in kinds.values():
        if row.get("pictures") != pictures[evaluated_on(row)]:
            counted.outdated.append(row)
        elif isinstance(row.get("failed"), str):
            counted.failed.append(row)
        else:
            counted.rows.append(row)
            if not is_present(row, present):
                counted.older.append(row)
    return counted


def is_present(row, present):
    """Whether the inputs of a row are those of now, as far as it is known what these are."""
    return "evaluated_with" not in row and all(
        row.get(name) == value for name, value in present(row).items())


def evaluated_on(row):
    """Rows that agree in this must agree in their pictures. A digest has the templates in it."""
    return row["dataset"], row["classes"], row.get("split"), row.get("template")


class Present:
    """What the inputs of rows are now. data_root: of the benchmarks; None: they are not looked at.

    What cannot be known is left out: pictures that are not on this disk, CLIPs that would have to
    be downloaded.
    """

    def __init__(self, data_root=None):
        self.data_root, self.found = data_root, {}

    def once(self, function, *arguments):
        """function(*arguments), computed once; None where it raises ValueError."""
        key = (function.__name__, *arguments)
        if key not in self.found:
            try:
                self.found[key] = function(*arguments)
            except ValueError:
                self.found[key] = None
        return self.found[key]

    def inputs(self, row):
        """A row → {input: what it is now}."""
        template = row.get("template")
        now = dict(code=self.once(code_of, row["method"]))
        if row["model"] == "tiny" or os.path.exists(row["model"]):
            now["clip"] = self.once(self.reading, row["model"], row.get("gelu", "auto"))
        pictures = (row["dataset"], template, row["classes"], row.get("split"))
        now["pictures"] = self.once(self.pictures, *pictures)
        if row["trained_on"] is not None:
            now["trained_pictures"] = self.once(self.trained_pictures, row["trained_on"], template)
        return {name: value for name, value in now.items() if value is not None}

    def reading(self, model, gelu):
        """A CLIP on this disk → what counts beside its weights."""
        return load_clip(model, gelu=gelu).reading

    def pictures(self, name, template, classes, split):
        """→ the digest of the pictures that are evaluated on."""
        dataset = load_dataset(name, self.data_root, template)
        return split_classes(dataset, classes).digest(split or "test")

    def trained_pictures(self, name, template):
        """→ the digest of the pictures that few shots are drawn from."""
        return digest_of_training(load_dataset(name, self.data_root, template))
