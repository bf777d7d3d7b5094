"""Every exercise: its starter fails at its blank, its solution passes, and no other file tells it.

The other files test_exercises_*.py hold wrong answers, and other right ones, for each check.
"""

import ast
import contextlib
import io
import re
import signal
import sys
import textwrap

import pytest
import torch
import torch.nn.functional as F

from clip_min.tokenizer import Tokenizer, save_merges
from notes.exercises import cut, page
from notes.exercises.__main__ import main
from notes.exercises.checks import CHECKS
from notes.exercises.checks.inputs import odd_clip
from notes.exercises.judge import run_check
from notes.exercises.sheets import SHEETS
from notes.exercises.student_copy import answers_of
from notes.exercises.tasks import EXERCISES
from notes.exercises.variants import SEEDS, VARIANTS, exercise_of
from prompts.runs.script import run_script
from prompts.runs.store import learned_parameters
from tests.answers import check_text
from tests.helpers import NAMES, ROOT, pictures

HUNTS = [number for number, exercise in EXERCISES.items() if exercise.planted]
TRAINED = 22  # its check trains: test_exercises_contest.py
TELLS = 4  # the project's line calls `cosines`, and the exercise is to write that
PLANTED = [(number, seed) for number in HUNTS for seed in range(SEEDS)]
BY_HAND = """
f = F.normalize(image_features, dim=-1)
return self.clip.logit_scale.exp() * f @ self.weights.T
"""


def starter(number, seed=0):
    """The text of a starter, as the command line writes it."""
    return cut.starter(number, exercise_of(number, seed)[0], EXERCISES)


def solution(number):
    """The text of a file that is right."""
    source = cut.read(EXERCISES[number].file)
    return cut.replace(source, "ZeroShot.classify", BY_HAND) if number == TELLS else source


def command(monkeypatch, *words):
    """The command line's status, and what it printed."""
    monkeypatch.setattr(sys, "argv", ["notes.exercises", *map(str, words)])
    out, error = io.StringIO(), io.StringIO()
    out.reconfigure = error.reconfigure = lambda **_: None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("prompts.runs.script.keep_freed_memory", lambda: None)
            try:
                run_script(main)
                status = 0
            except SystemExit as end:
                status = end.code or 0
    return status, out.getvalue() + error.getvalue()


# Blanks and planted mistakes


def test_the_solution_passes_and_without_one_of_its_blanks_it_fails_there(tmp_path):
    """What a starter hides of other exercises is computed by the project's own functions."""
    for number, exercise in EXERCISES.items():
        hidden = cut.hidden(solution(number), exercise, EXERCISES)
        if number != TRAINED:
            assert check_text(number, hidden, tmp_path) is None, number
        for place in exercise.blanks:
            text = cut.replace(hidden, place, 'raise NotImplementedError("mine")')
            told = check_text(number, text, tmp_path)
            assert told.startswith("still blank. mine (line"), (number, place, told)


def test_each_starter_fails_at_its_first_blank_or_by_its_planted_mistake(tmp_path):
    for number in EXERCISES:
        for seed in range(SEEDS if number in HUNTS else 1):
            told = check_text(number, starter(number, seed), tmp_path)
            if number in HUNTS:
                assert told and "your code stopped" not in told, (number, seed, told)
            else:
                assert re.match(f"still blank. Exercise {number}: write .*line", told), told


def test_each_place_holds_what_it_is_meant_to_hold():
    held = {
        6: ("tokenizer.encode", "torch.where"), 8: (".repeat(", "pool_text", "flatten(0, -2)"),
        10: ("sample_per_class(dataset.val", "by_label"), 11: ("E // 16", "pi[:, None]"),
        12: ("tree.position",), 14: ("scaled_dot_product_attention", "self.dropout(self.ffn"),
        15: ("self.theta(self.U)",), 17: ("math.ceil", "dataclasses.replace"),
        19: ("cosines(",), 20: ("deeper=T[1:]",), 21: ("self.class_weights(self.context(x))",),
        22: ("self.T = nn.Parameter", "self.V = nn.Parameter", "return self.T, self.V"),
        23: ("torch.eye", "eos = ", "register_buffer(name"), 25: ("self.mean, self.std",)}
    for number, parts in held.items():
        source = cut.read(EXERCISES[number].file)
        lines = source.splitlines()
        text = "\n".join("\n".join(lines[slice(*cut.span(source, place))])
                         for place in cut.places_of(EXERCISES[number]))
        assert all(part in text for part in parts), (number, text)
    joint = starter(22)
    assert "check_choice" in joint and "self.V = nn.Parameter(0.02" not in joint
    blanks = {number: starter(number).count(f'NotImplementedError("Exercise {number}: write ')
              for number in EXERCISES}
    assert blanks == {number: len(exercise.blanks) for number, exercise in EXERCISES.items()}


def test_no_starter_and_no_page_shows_the_answer_of_another_exercise():
    answers = {number: answers_of(number) for number in EXERCISES}
    assert all(answers[number] for number in EXERCISES if number not in (TRAINED, TELLS))
    for shown in EXERCISES:
        for seed in range(SEEDS):
            text = ast.unparse(ast.parse(starter(shown, seed))) + page.text_of(shown, seed)
            told = [(number, line) for number, lines in answers.items() for line in lines
                    if number != shown and line in text]
            assert told == [], (shown, seed)
    assert "flatten(2).transpose" not in starter(2) and "given.causal_mask" in starter(7)
    assert "class CoOp(given.CoOp):" in starter(19) and "def __init__" not in starter(19)


def test_a_starter_differs_from_the_project_only_in_its_places():
    for number, exercise in EXERCISES.items():
        source = cut.read(exercise.file)
        names = cut.hidden_functions(source, exercise, EXERCISES)
        if any(name.endswith("__init__") for name in names):
            continue  # a class inherits its constructor: other lines, too
        taken = [cut.span(source, place) for place in (*cut.places_of(exercise), *names)]
        kept = [line for i, line in enumerate(source.splitlines())
                if not any(first <= i < end for first, end in taken)]
        first, *lines = starter(number).splitlines()
        assert first.startswith(f"# Exercise {number}: ")
        rest = iter(lines)
        assert all(line in rest for line in kept), number  # in this order


def test_comments_and_line_breaks_of_the_project_may_change():
    """A file is written anew from what Python sees in it, and all places are found again."""
    for number, exercise in EXERCISES.items():
        source = cut.read(exercise.file)
        rewritten = ast.unparse(ast.parse(source))
        for place in cut.places_of(exercise):
            if place[1].startswith("#"):
                continue  # a comment is what this place is found by
            found, known = (
                ast.dump(ast.parse(textwrap.dedent("\n".join(
                    text.splitlines()[slice(*cut.span(text, place))]))))
                for text in (rewritten, source))
            assert found == known, (number, place)


def test_a_place_that_is_not_there_once_is_refused():
    source = "def f(x):\n    # here\n    y = x\n    y += 1\n    g(x)\n    return y\n"
    assert cut.span(source, ("f", "y += 1")) == (3, 4) and cut.span(source, "f") == (2, 6)
    assert cut.span(source, ("f", "g")) == (4, 5) and cut.span(source, ("f", "# here")) == (2, 6)
    assert cut.span(source, ("f", "y = x", "g(x)")) == (2, 5)
    for place in ("g", ("f", "y"), ("f", "raise"), ("f", "# there"), ("f", "g", "y = x")):
        with pytest.raises(ValueError, match="must follow the change"):
            cut.span(source, place)


def test_a_planted_bug_is_silent_the_loss_of_a_few_pictures_falls():
    for number, name in {15: "UPT", 19: "CoOp", 20: "UPT", 21: "CoCoOp"}.items():
        for seed in range(SEEDS):
            space, clip = {"__name__": "planted"}, odd_clip()
            exec(starter(number, seed), space)
            torch.manual_seed(0)
            method, images = space[name](clip, NAMES), pictures(clip, 4)
            parameters, losses = list(learned_parameters(method).values()), []
            optimiser = torch.optim.SGD(parameters, space["TINY"].lr)
            for _ in range(12):
                losses.append(F.cross_entropy(method(images), torch.arange(4)))
                optimiser.zero_grad()
                losses[-1].backward()
                torch.nn.utils.clip_grad_norm_(parameters, 5.0)
                optimiser.step()
            assert losses[-1] < 0.98 * losses[0], (number, seed)


# Another year


def test_another_year_gets_other_questions_and_other_mistakes():
    for number in EXERCISES:
        found = {(each.task, each.planted) for each, _ in
                 (exercise_of(number, seed) for seed in range(SEEDS))}
        assert len(found) == (SEEDS if number in VARIANTS else 1)
    for seed in (-1, SEEDS):
        with pytest.raises(ValueError, match="choose 0, 1 or 2"):
            exercise_of(2, seed)


def test_a_page_of_another_year_asks_with_other_words_everywhere():
    for number, variants in VARIANTS.items():
        usual = page.text_of(number, 0)
        for seed, variant in enumerate(variants, start=1):
            other = page.text_of(number, seed)
            for old, new in variant.words.items():
                assert old in usual and old not in other and new in other, (number, old)
    assert "   90     50" in page.text_of(18, 1) and "9    epoch" not in page.text_of(9, 1)


def test_the_answers_of_variants_are_computed(tmp_path):
    """The answers of exercise 1, 11 and 18 by the project's own code."""
    for variant in VARIANTS[1]:
        merges, word = variant.words.values()
        pairs = [tuple(pair.split(", ")) for pair in merges.strip("()").split("), (")]
        save_merges(pairs, tmp_path / "merges.txt")
        symbols = Tokenizer(tmp_path / "merges.txt").merge(word.strip('"'))
        assert variant.answer.startswith(f"{' '.join(symbols)}:")
    for variant, (E, D, M) in zip(VARIANTS[11], [(768, 768, 16), (640, 512, 8)], strict=True):
        count = M * D + E * (E // 16) + E // 16 + E // 16 * D + D
        assert variant.answer.startswith(f"{count:,}:")
    for variant in VARIANTS[18]:
        for b, n in re.findall(r"(\d+) and (\d+)", next(iter(variant.words.values()))):
            H = 2 * int(b) * int(n) / (int(b) + int(n))
            assert f"{b} and {n} give {H:.1f}" in variant.answer


# What the check says of a file that does not run


def test_a_crash_is_told_with_its_line(tmp_path):
    for line, words in (("return 1 / 0", "ZeroDivisionError.*line 2: return 1 / 0"),
                        ("return None", "is a `return` missing"),
                        ("sys.exit(3)", "SystemExit: 3"),
                        ("return (", "Python cannot read your file.*line 2"),
                        ("raise EOFError", "waits for input.*line 2"),
                        ("return float(lr.rates)", "AttributeError.*line 2")):
        text = f"def learning_rate(lr, epoch, epochs):\n    {line}\nimport sys\n"
        assert re.search(words, check_text(9, text, tmp_path))
    assert "has no `learning_rate`" in check_text(9, "x = 1\n", tmp_path)
    (tmp_path / "answer.py").write_bytes(b"\xff")
    assert "not UTF-8" in run_check(CHECKS[9], tmp_path / "answer.py")


def test_an_endless_loop_is_ended(tmp_path):
    path = tmp_path / "answer.py"
    path.write_text("def learning_rate(lr, epoch, epochs):\n    while True:\n        lr += 1\n")
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in a job in the background
    try:
        assert "did not end within 0.2 s" in run_check(CHECKS[9], path, seconds=0.2)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, usual)


# The command line


def test_the_command_lists_gives_a_starter_once_checks_hints_and_solves(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    status, text = command(monkeypatch)
    assert status == 0 and all(each.title in text and each.file in text
                               for each in EXERCISES.values())
    status, text = command(monkeypatch, "check", 9)
    assert status == 2 and "python -m notes.exercises 9" in text
    status, text = command(monkeypatch, 9)
    path = tmp_path / "exercise-09" / "train.py"
    assert status == 0 and path.read_text(encoding="utf-8") == starter(9)
    assert "warm-up" in text and "check 9" in text
    status, text = command(monkeypatch, "check", 9)
    assert status == 1 and "still blank" in text and "hint" not in text
    path.write_text(cut.replace(cut.read("train.py"), "learning_rate", "return lr"), "utf-8")
    status, text = command(monkeypatch, "check", 9)
    assert status == 1 and "Not yet: Epoch 0 " in text and "hint 9" in text
    assert EXERCISES[9].hint not in text
    assert command(monkeypatch, "hint", 9) == (0, f"{EXERCISES[9].hint}\n")
    path.write_text("# mine\n")
    status, text = command(monkeypatch, 9)
    assert status == 0 and "stays as it is" in text and path.read_text() == "# mine\n"
    path.write_text(cut.read("train.py"), encoding="utf-8")
    assert command(monkeypatch, "check", 9) == (0, "Exercise 9 is right.\n")
    status, text = command(monkeypatch, "solution", 9)
    assert status == 0 and "math.cos(math.pi * (epoch - 1) / epochs)" in text
    assert "train.py:" in text and EXERCISES[9].why in text
    status, text = command(monkeypatch, 7, "--folder", "mine")
    assert status == 0 and (tmp_path / "mine/exercise-07/model.py").read_text("utf-8") == starter(7)
    assert "check 7 --folder mine" in text


def test_the_solution_of_a_hunt_shows_both_lines_and_of_a_blank_its_lines():
    for number, exercise in EXERCISES.items():
        text, source = cut.solution(exercise), cut.read(exercise.file)
        assert exercise.why and text.endswith(exercise.why)
        assert all(line in text for line in exercise.planted[1:])
        for place in cut.places_of(exercise):
            assert source.splitlines()[cut.span(source, place)[0]] in text


def test_a_file_that_is_another_exercises_or_imports_the_answer_is_refused(tmp_path):
    path = tmp_path / "answer.py"

    def reason(number, text):
        path.write_text(text, encoding="utf-8")
        return cut.why_not(number, EXERCISES[number], path, EXERCISES)

    for number in EXERCISES:
        assert reason(number, starter(number)) == "" == reason(number, "import math\nx = (")
    assert "file of exercise 3" in reason(7, starter(3))
    assert "file of exercise 3" in reason(7, starter(3).partition("\n")[2])
    solved = cut.replace(starter(3), "VisionTransformer.embed", "return 0").partition("\n")[2]
    assert "imports clip_min.model" in reason(7, solved)
    for line in ("from clip_min.model import causal_mask as theirs", "import clip_min",
                 "from prompts.cocoop import causal_mask", "import clip_min.model as theirs",
                 "from clip_min import model", "from prompts.coop import *"):
        text = cut.replace(starter(2), "causal_mask", f"{line}\nreturn 0")
        assert "you are asked to write" in reason(2, text), line
    for line in ("import itertools", "from clip_min import load_clip", "from torch import nn"):
        assert reason(2, cut.replace(starter(2), "causal_mask", f"{line}\nreturn 0")) == "", line


def test_bad_input_ends_with_status_2_and_one_sentence(monkeypatch):
    for words in ("0", "27", "seven", "check", "check 99", "help 7", "7 check", "hint",
                  "handout all", "student-copy", "7 --class .", "check --class nowhere",
                  "check all --folder nowhere", "7 --variant 3", "student-copy new --variant 3",
                  "check all --jobs 0"):
        status, text = command(monkeypatch, *words.split())
        last = text.splitlines()[-1]
        assert status == 2 and last.startswith("error: ") and text.count("error") == 1, words


def test_every_exercise_comes_after_what_it_needs_and_stands_on_the_teachers_page():
    text = (ROOT / "notes" / "exercises" / "teachers.md").read_text(encoding="utf-8")
    for number, exercise in EXERCISES.items():
        assert all(n < number or n == 23 for n in exercise.needs)
        needs = ", ".join(map(str, exercise.needs)) or "–"
        assert f"| {number} | {exercise.title} | {needs} | {exercise.minutes} |" in text
        assert exercise.task.strip() and exercise.hint and CHECKS[number] and SHEETS[number]
