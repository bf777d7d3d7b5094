"""results.jsonl: one row, a JSON object in a line, for each evaluation.

What is in a row (prompts/runs/identity.py says which entries identify it):

    method, options, model, sha256       what was evaluated: options as a dict
    trained_on, trained_classes          what it learned on; null for zero-shot CLIP
    shots, seed, lr, epochs, …           how it learned
    dataset, classes, split              what it was evaluated on
    code, clip, trained_pictures, pictures, evaluated_with    the inputs
    template, gelu, evaluated_in, own_split, not_whole        only where they are not the usual
    accuracy (per cent), or failed (why the run diverged)
    loss, seconds, trainable_parameters, device, command, version

A row may be odd: written by hand, by another version, cut short by a full disk. `problem_of` says
why it does not count.
"""

import json
import shlex
import sys
import time

import clip_min
from clip_min.files import append_line, printable
from prompts import METHODS
from prompts.runs.evaluation import evaluate
from prompts.runs.identity import key_of, kind_of, why_new
from prompts.runs.parallel import RANK
from prompts.runs.store import count_parameters, saved_prompt

# What a row has to hold, beside options, shots, seed, and "accuracy" or "failed".
WORDS = ("method", "model", "dataset", "classes")
WORDS_OR_NULL = ("trained_on", "trained_classes")
WORDS_OR_MISSING = ("sha256", "split", "template")


class Results:
    """The rows of results.jsonl. Another process may add to the file; `find` reads what is new.

    path: of the file. by_key, newest: {key: its last row}, {kind: its last row}.
    """

    def __init__(self, path):
        self.path, self.read_bytes = path, 0
        self.by_key, self.newest = {}, {}

    def refresh(self):
        """Read the lines that were added since the last time, without those that are not rows."""
        if not self.path.exists():
            self.read_bytes = 0  # somebody has removed it: what comes is new
            return
        if self.path.stat().st_size < self.read_bytes:
            self.read_bytes = 0
        with open(self.path, "rb") as file:
            file.seek(self.read_bytes)
            new = file.read()
        whole, end, _ = new.rpartition(b"\n")
        self.read_bytes += len(whole) + len(end)
        for line in whole.split(b"\n"):
            row = parsed(line)
            if problem_of(row) is None:
                self.remember(row)

    def remember(self, row):
        """Take in one row, the newest of its kind."""
        self.by_key[key_of(row)] = row
        self.newest[kind_of(row)] = row

    def find(self, wanted):
        """The last row with the key of `wanted`, or None."""
        self.refresh()
        return self.by_key.get(key_of(wanted))

    def missing(self, run):
        """What is not there of a run → list of (Dataset, row), as `run.rows` has them."""
        return [(target, row) for target, row in run.rows if self.find(row) is None]

    def is_finished(self, run, missing):
        """Whether nothing is left to do: all rows are there, and what was learned, too."""
        if missing:
            return False
        has_failed = any("failed" in self.find(row) for _, row in run.rows)
        return has_failed or not run.learns or saved_prompt(run) is not None

    def make_newest(self, run):
        """Add a run's rows again where one of the same kind was added since: tables and plots take
        the row that a command has shown last."""
        for _, wanted in run.rows:
            row = self.find(wanted)
            if row and RANK == 0 and key_of(self.newest[kind_of(row)]) != key_of(row):
                append_line(self.path, json.dumps(row))
                self.remember(row)

    def why_new(self, wanted):
        """Why `wanted` has no row although one of its kind is there; "" if none is."""
        older = self.newest.get(kind_of(wanted))
        return why_new(older, wanted) if older else ""

    def record(self, row, **more):
        """Add one evaluation, with the command and the version that made it."""
        command = shlex.join(["python", *sys.argv])
        line = {**row, **more, "command": command, "version": clip_min.__version__}
        append_line(self.path, json.dumps(line))
        self.remember(line)  # the file may be gone before it is read again

    def record_failure(self, run, error):
        """A run that diverged: its missing rows say so, and the same command does not repeat it."""
        print(f"  failed: {error}", file=sys.stderr)
        if RANK == 0:
            for _, row in self.missing(run):
                self.record(row, failed=str(error))

    def evaluate(self, row, method, items, compute, **facts):
        """Evaluate a method on Items, and add the row → accuracy in per cent."""
        start = time.monotonic()
        accuracy = evaluate(method, items, compute)
        facts.setdefault("seconds", round(time.monotonic() - start, 1))
        facts.update(trainable_parameters=count_parameters(method), device=str(compute.device))
        self.record(row, accuracy=accuracy, **facts)
        return accuracy


def parsed(line):
    """One line, bytes → what JSON makes of it; its text if it is not JSON."""
    text = line.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace").strip()
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def problem_of(row):
    """What `parsed` gives → why it is not a row, as half a sentence; None if it is one."""
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
    for key in ("code", "clip", "evaluated_with"):
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
