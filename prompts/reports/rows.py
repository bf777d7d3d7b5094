"""Which rows of results.jsonl count.

    read_rows → one entry for each line → usable → newest → the rows of tables and plots

train.py and eval.py add one row for each evaluation and never change an older one. So a row may be
odd (written by hand, by another version, cut short by a full disk), or stale: the code or the
pictures have changed since. Neither may become a figure in a table.
"""

import json
import warnings
from dataclasses import dataclass

from clip_min.files import printable
from prompts import METHODS
from prompts.runs.identity import OF_INPUTS

MEASURED = {  # what a row holds beside its identity
    "accuracy",
    "failed",
    "loss",
    "seconds",
    "trainable_parameters",
    "device",
    "command",
    "version",
}
# Tables compare rows without these; train.py compares `code` and the digests, too (results.py).
NOT_COMPARED = MEASURED | {*OF_INPUTS, "evaluated_with"}
# What a row has to hold, beside options, shots, seed, and "accuracy" or "failed".
WORDS = ("method", "model", "dataset", "classes")
WORDS_OR_NULL = ("trained_on", "trained_classes")
WORDS_OR_MISSING = ("sha256", "split", "template")


@dataclass
class Counted:
    """What `newest` gives: rows that count, and those of older pictures and of diverged runs."""

    rows: list
    outdated: list
    failed: list


def read_rows(path):
    """results.jsonl, a Path → a list with one entry for each line; [] without a file.

    A line that is not JSON is kept as text, so that the place in the list is the number of the
    line.
    """
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [parsed(line.decode("utf-8", errors="replace").strip()) for line in lines]


def parsed(line):
    """One line of text → what JSON makes of it, or the line itself."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return line


def usable(rows):
    """The entries that are rows of an evaluation or of a run that diverged → a list of dicts, in
    order.

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
        warnings.warn(
            f"Line {number} of the results is skipped, because {problem}{more}.", stacklevel=2
        )
    return good


def problem_of(row):
    """An entry of `read_rows` → why it is not a row, as half a sentence; None if it is one."""
    if not isinstance(row, dict):
        return "it is not a JSON object"
    for key in WORDS:
        if not isinstance(row.get(key), str):
            return f"its {key} is not a word"
    if row["method"] not in METHODS:
        return f"there is no method {printable(row['method'])}"
    for key in WORDS_OR_NULL:
        if key not in row or not isinstance(row[key], str | None):
            return f"its {key} is not a word"
    for key in WORDS_OR_MISSING:
        if not isinstance(row.get(key), str | None):
            return f"its {key} is not a word"
    if not isinstance(row.get("options"), dict):
        return "its options are not a JSON object"
    is_zero_shot = row["method"] == "zero_shot"
    is_published = row["trained_on"] is None and not is_zero_shot  # by CoOp's code: shots unknown
    for key in ("shots", "seed"):
        value = row.get(key, 0 if is_zero_shot else None)
        if not is_count(value) and not (is_published and value is None):
            return f"its {key} is not a number"
    for key in ("code", "evaluated_with"):
        if not isinstance(row.get(key, {}), dict):
            return f"its {key} is not a JSON object"
    has_failed = isinstance(row.get("failed"), str)
    if has_failed or ("failed" not in row and is_percentage(row.get("accuracy"))):
        return None
    return "its accuracy is not a number from 0 to 100"


def is_count(value):
    """Whether it is a whole number, 0 or more."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_percentage(value):
    """Whether it is a number from 0 to 100; nan is not."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 <= value <= 100


def newest(rows):
    """Usable rows → `Counted`. None of its three lists holds an older row of a run that was
    repeated.

    Of rows that differ only in `NOT_COMPARED`, the last one counts. A row whose pictures are not
    those of the last row on the same data set (same template, classes and split) is outdated: it
    was measured on something else.
    """
    latest = {identity(row): row for row in rows}
    pictures = {evaluated_on(row): row.get("pictures") for row in rows}  # of the last row of each
    counted = Counted([], [], [])
    for row in rows:
        if latest[identity(row)] is not row:
            continue
        if row.get("pictures") != pictures[evaluated_on(row)]:
            counted.outdated.append(row)
        elif isinstance(row.get("failed"), str):
            counted.failed.append(row)
        else:
            counted.rows.append(row)
    return counted


def identity(row):
    """All that says which run and which evaluation a row is, as text."""
    return json.dumps({key: row[key] for key in row.keys() - NOT_COMPARED}, sort_keys=True)


def evaluated_on(row):
    """Rows that agree in this must agree in their pictures. A digest has the templates in it."""
    return row["dataset"], row["classes"], row.get("split"), row.get("template")
