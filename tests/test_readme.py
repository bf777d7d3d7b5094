"""What README.md and notes/README.md print beside their first commands is what these commands
print.
"""

import json
import re
import subprocess
import sys

import pytest

from clip_min.files import read_json_lines
from prompts.reports import tables
from tests.beside import beside
from tests.helpers import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8").split("## The methods")[0]
EVENING = (ROOT / "notes" / "README.md").read_text(encoding="utf-8").split("## One week")[0]
BAND = 3  # points: another machine rounds otherwise, and training magnifies it


def run(*command):
    """A script and its arguments → what it prints."""
    words = [sys.executable, *map(str, command)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def summary(text):
    """The lines "  upt   77.50 %  (+16.81)" of a text → [("upt", 77.5)]."""
    found = re.findall(
        r"^ +(zero-shot|coop|upt) +(\d+\.\d+) %(?: +\([+-]\d+\.\d+\))?$", text, re.MULTILINE
    )
    return [(name, float(accuracy)) for name, accuracy in found]


@beside
def measured(folder):
    """The first commands of both, in one sweep: {"upt": accuracy, ...}."""
    return dict(summary(run("train.py", "--method", "coop", "upt", "--out", folder)))


@pytest.mark.parametrize(
    "text, shown", [(README, 2), (EVENING, 4)], ids=["README.md", "notes/README.md"]
)
def test_the_first_commands_print_what_stands_beside_them(measured, text, shown):
    printed = summary(text)
    assert len(printed) == shown
    for name, accuracy in printed:
        assert accuracy == pytest.approx(
            measured[name], abs=0.2 if name == "zero-shot" else BAND
        ), name


def test_the_first_predictions_are_those_in_the_notes(tmp_path):
    command = re.search(
        r"^ +python eval.py --images (.*) --classnames \"(.*)\"$", EVENING, re.MULTILINE
    )
    pictures, classnames = command[1].split(), command[2]
    printed = run(
        "eval.py", "--images", *pictures, "--classnames", classnames, "--json", "--out", tmp_path
    )
    first = json.loads(printed.splitlines()[0])
    beside = re.findall(r"^ +(\d+\.\d) %  (\w+)$", EVENING, re.MULTILINE)
    classes = [prediction["class"] for prediction in first["predictions"]]
    assert [name for _, name in beside] == classes
    for (percent, _), prediction in zip(beside, first["predictions"], strict=True):
        assert float(percent) == pytest.approx(100 * prediction["probability"], abs=1)


def test_the_table_of_the_third_day_is_what_the_committed_rows_give():
    """They hold the same runs; learning them again takes a minute."""
    rows = read_json_lines(ROOT / "notes" / "results.jsonl")
    rows = [row for row in rows if row["dataset"] == "toy-flowers" and row["seed"] in (0, 1)]
    rows = [row for row in rows if row["method"] in ("zero_shot", "coop", "cocoop")]
    printed = tables.report(rows, "base-to-new").splitlines()
    week = (ROOT / "notes" / "README.md").read_text(encoding="utf-8").split("## One week")[1]
    found = re.search(r"^ +dataset .*\n(?: +toy-flowers .*\n)+", week, re.MULTILINE)
    beside = found[0].splitlines()
    assert len(beside) == 4
    assert [line.split() for line in beside] == [line.split() for line in printed]
