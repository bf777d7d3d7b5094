"""notes/reproduce.md: every miniature command runs, shortened, and every real one is understood."""

import glob
import inspect
import re
import shlex
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

import eval as eval_script
import train as train_script
from clip_min.world import benchmarks
from notes.figures import __main__ as figures_script
from prompts import METHODS, linear_probe
from prompts.runs.job import parse_eval, parse_train
from prompts.reports.papers import read_rows
from tests.beside import beside
from tests.helpers import ROOT
from tests.scripts import call

NOTE = (ROOT / "notes" / "reproduce.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ((?:CoOp|CoCoOp|UPT) .*) \|$", NOTE, re.MULTILINE)
ROWS = [row.split(" | ") for row in ROWS]
EXPECTED = {
    "CoOp": [*(f"Table {n}" for n in range(1, 8)), *(f"Fig. {n}" for n in (1, 3, 4, 5, 6, 7))],
    "CoCoOp": [*(f"Table {n}" for n in range(1, 6)), *(f"Fig. {n}" for n in (1, 3, 4))],
    "UPT": ["Table 1", "Table 2", "Fig. 1", "Fig. 2", "Fig. 4", "Fig. 6", "Eqs. (6) to (8)"],
}
SCRIPTS = {"train.py": train_script, "eval.py": eval_script, "notes.figures": figures_script}
# Two small sets stand for the eight, and what few pictures there are for all numbers of shots.
SHORTER = ["--seed", "1", "--shots", "16"]
TWO_SETS = ["--dataset", "toy-satellite", "toy-actions"]


def commands(cell):
    """A cell of the note → its commands as lists of words, without `python`."""
    spans = re.findall(r"`python ([^`]*)`", cell)
    return [[word for word in shlex.split(span) if word != "-m"] for span in spans]


def names_of(cell):
    """ "CoOp Figs. 5(a), 6" → ("CoOp", ["Fig. 5", "Fig. 6"])."""
    paper, _, what = cell.partition(" ")
    if what.startswith("Eqs."):
        return paper, [what]
    kind = "Table" if what.startswith("Table") else "Fig."
    return paper, [f"{kind} {number}" for number in re.findall(r"\d+", what)]


def test_every_table_and_figure_of_the_three_papers_has_its_row():
    found = {paper: set() for paper in EXPECTED}
    for cell, *_ in ROWS:
        paper, names = names_of(cell)
        found[paper] |= set(names)
    assert found == {paper: set(names) for paper, names in EXPECTED.items()}
    for row in read_rows():  # and so has every table that our own tables show figures of
        if row["paper"] not in found:
            continue  # the three later papers: their averages are from their repositories
        numbers = re.findall(r"\d+", row["table"]) if "text" not in row["table"] else []
        assert {f"Table {number}" for number in numbers} <= found[row["paper"]]


def test_every_row_has_commands_and_says_where_its_result_stands():
    for what, real, miniature, result in ROWS:
        assert commands(real) and commands(miniature), what
        links = re.findall(r"\]\(([\w.]+)#([\w-]+)\)", result)
        assert links or "not yet measured" in result, what
        for page, anchor in links:
            text = (ROOT / "notes" / page).read_text(encoding="utf-8")
            headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
            assert anchor in [anchor_of(heading) for heading in headings], (what, anchor)


def anchor_of(heading):
    """A heading → the anchor that GitHub gives it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


# The commands for the real data


def parse(words, monkeypatch):
    """The words of a command → what its script's parser makes of them; None if it has none."""
    if words[0] == "train.py":
        return parse_train("", words[1:])
    if words[0] == "eval.py":
        return parse_eval("", words[1:])
    if words[0] == "notes.figures":
        monkeypatch.setattr(sys, "argv", words)
        return figures_script.parse_flags()
    assert words == ["clip_min.data", "DATA"]
    return None


def test_a_command_for_the_real_data_is_understood_and_its_options_exist(monkeypatch):
    for words in [words for row in ROWS for words in commands(row[1])]:
        flags = parse(words, monkeypatch)
        if words[0] == "train.py":
            assert flags.data_root == "DATA" and "tiny" not in flags.model
            assert not any(name.startswith("toy") for name in flags.dataset)
            for name, options in flags.variants:
                assert options.keys() <= inspect.signature(METHODS[name]).parameters.keys()


def test_the_miniature_command_is_the_same_experiment(monkeypatch):
    """It differs in CLIP and data sets, and in numbers that the tiny CLIP is too small for."""
    pairs = [zip(commands(row[1]), commands(row[2]), strict=True) for row in ROWS]
    for real, small in [pair for each in pairs for pair in each]:
        if real[0] != "clip_min.data":
            assert real[0] == small[0]
        if real[0] != "train.py":
            continue
        real_flags, small_flags = parse(real, monkeypatch), parse(small, monkeypatch)
        assert small_flags.model == ("tiny",) and small_flags.data_root is None
        assert all(name.startswith("toy") for name in small_flags.dataset)
        for name in ("paper", "protocol", "shots", "seed", "classes", "options"):
            assert getattr(real_flags, name) == getattr(small_flags, name), name
        kinds = [{(name, *sorted(options)) for name, options in flags.variants}
                 for flags in (real_flags, small_flags)]
        assert kinds[0] - {("coop",), ("coop", "class_token_position")} <= kinds[1]


# The commands for the miniature


def shortened(words, out):
    """A miniature command → the same with one seed, few data sets, and everything below `out`."""
    words = [word for each in words for word in files_of(each, out)]
    is_train = words[0] == "train.py"
    is_transfer = {"cross-dataset", "domain-generalization"} & set(words)
    takes_eight = is_train and not is_transfer and "--dataset" not in words
    if takes_eight or "toy" in words or "variance" in words:
        words += TWO_SETS
    out = out / "figures" if words[0] == "notes.figures" else out
    return [*words, *(SHORTER if is_train else []), "--out", str(out)]


def files_of(word, out):
    """A word of a command, "runs/" being `out` → itself, or the files that bash finds for it."""
    if not word.startswith("runs/"):
        return [word]
    choices = [part.split(",") for part in re.findall(r"{([^}]*)}", word)]
    template = re.sub(r"{[^}]*}", "{}", str(out / word.removeprefix("runs/")))
    found = []
    for chosen in product(*choices):
        path = template.format(*chosen)
        found += sorted(glob.glob(path)) if path.endswith("prompt.pt") else [path]
    return found


def make_everything_short():
    """A world of few pictures; one epoch of one view for every method, as their own recipe, so
    that labels stay as they are; the linear probe does not search its C.
    """
    benchmarks.PICTURES = {"train": 3, "val": 4, "test": 2}
    linear_probe.search_C = lambda accuracy: 1.0
    for file in {inspect.getmodule(method) for method in METHODS.values()}:
        if file.TINY is None:
            continue
        file.TINY = file.TINY.with_changes(epochs=1, views=1)


def run_all(out):
    """Every miniature command, shortened, in the order of the note; prints what failed."""
    make_everything_short()
    for what, _, miniature, _ in ROWS:
        for words in commands(miniature):
            arguments = shortened(words, Path(out))
            if call(SCRIPTS[words[0]], *arguments[1:]):
                sys.exit(f"{what}: {' '.join(arguments)}")


@beside
def miniature_commands(folder):
    """The exit status of a process that runs them all, and what it said on stderr."""
    code = f"from tests.test_reproduce import run_all; run_all({str(folder)!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stderr


def test_every_miniature_command_runs_in_the_order_of_the_note(miniature_commands):
    status, errors = miniature_commands
    assert status == 0, errors
