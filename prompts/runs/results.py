"""The rows of results.jsonl: which are there, which are missing, and a new one."""

import json
import shlex
import sys

import clip_min
from clip_min.files import append_line
from prompts.runs.parallel import RANK
from prompts.runs.identity import OF_INPUTS, why_new
from prompts.reports.rows import MEASURED, problem_of
from prompts.runs.store import saved_prompt


def identity_of(row, without=()):
    """All of a row that says which evaluation it is, `without` some keys."""
    left_out = {*MEASURED, *without}
    return {key: value for key, value in row.items() if key not in left_out}


class Results:
    """The rows of results.jsonl. Another process may add to the file; `find` reads what is new."""

    def __init__(self, path):
        self.path, self.rows, self.read_bytes = path, [], 0

    def refresh(self):
        """Read the lines that were added since the last time, without those that are not rows."""
        if not self.path.exists():
            return
        with open(self.path, "rb") as file:
            file.seek(self.read_bytes)
            new = file.read()
        whole, end, _ = new.rpartition(b"\n")
        self.read_bytes += len(whole) + len(end)
        for line in whole.split(b"\n"):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):  # cut short by a kill, or not text
                continue
            if problem_of(row) is None:
                self.rows.append(row)

    def find(self, wanted, without=()):
        """The last row with the identity `wanted`, or None; keys in `without` do not count."""
        self.refresh()
        wanted = identity_of(wanted, without)
        for row in reversed(self.rows):
            if identity_of(row, without) == wanted:
                return row
        return None

    def missing(self, run):
        """What is not there of a run → list of (Dataset, row), as `run.rows` has them."""
        return [(target, row) for target, row in run.rows if self.find(row) is None]

    def is_finished(self, run, missing):
        """Whether nothing is left to do: all rows are there, and what was learned, too."""
        if missing:
            return False
        has_failed = any("failed" in self.find(row) for _, row in run.rows)
        return has_failed or not run.learns or saved_prompt(run) is not None

    def record_failure(self, run, error):
        """A run that diverged: its missing rows say so, and the same command does not repeat it."""
        print(f"  failed: {error}", file=sys.stderr)
        if RANK == 0:
            for _, row in self.missing(run):
                self.record(row, failed=str(error))

    def why_new(self, wanted):
        """Why `wanted` has no row although one of the same setting is there; "" if none is."""
        older = self.find(wanted, without=OF_INPUTS)
        return why_new(older, wanted) if older else ""

    def record(self, row, **more):
        """Add one evaluation, with the command and the version that made it."""
        command = shlex.join(["python", *sys.argv])
        line = {**row, **more, "command": command, "version": clip_min.__version__}
        append_line(self.path, json.dumps(line))
