"""Every exercise: the starter fails its check, the solution passes, mistakes are told in words."""

import ast
import contextlib
import io
import re
import sys
import textwrap

import pytest
import torch
import torch.nn.functional as F

from clip_min import load_clip
from notes.exercises import cut
from notes.exercises.__main__ import main
from notes.exercises.checks import CHECKS
from notes.exercises.judge import run_check
from notes.exercises.tasks import EXERCISES
from prompts.experiments.flags import run_script
from prompts.experiments.store import learned_parameters
from tests.helpers import NAMES, ROOT, pictures

HUNTS = [number for number, exercise in EXERCISES.items() if exercise.planted]
numbers = pytest.mark.parametrize("number", EXERCISES)


def check_text(number, text, folder):
    path = folder / "answer.py"
    path.write_text(text, encoding="utf-8")
    return run_check(CHECKS[number], path)


def command(monkeypatch, *words):
    """The command line's status, and what it printed."""
    monkeypatch.setattr(sys, "argv", ["notes.exercises", *map(str, words)])
    out, error = io.StringIO(), io.StringIO()
    out.reconfigure = error.reconfigure = lambda **_: None
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(error),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("prompts.experiments.flags.keep_freed_memory", lambda: None)
        try:
            run_script(main)
            status = 0
        except SystemExit as end:
            status = end.code or 0
    return status, out.getvalue() + error.getvalue()


@numbers
def test_the_starter_fails_its_check(number, tmp_path):
    wrong = check_text(number, cut.starter(number, EXERCISES[number]), tmp_path)
    if number not in HUNTS:
        assert (
            wrong.startswith("still blank")
            and f"Exercise {number}: write" in wrong
            and "line" in wrong
        )
    else:
        assert wrong and "your code stopped" not in wrong


@numbers
def test_our_solution_passes(number, tmp_path):
    assert check_text(number, cut.read(EXERCISES[number].file), tmp_path) is None


@pytest.mark.parametrize(
    "number, i", [(n, i) for n, e in EXERCISES.items() for i in range(len(e.mistakes))]
)
def test_a_typical_mistake_is_told_in_words(number, i, tmp_path):
    place, wrong_lines, word = EXERCISES[number].mistakes[i]
    wrong = check_text(number, cut.mistake(EXERCISES[number], place, wrong_lines), tmp_path)
    assert wrong and word in wrong and "your code stopped" not in wrong


@numbers
def test_the_starter_differs_from_the_project_only_in_its_places(number):
    exercise = EXERCISES[number]
    ours = cut.read(exercise.file).splitlines()
    theirs = cut.starter(number, exercise).splitlines()
    places = [exercise.planted[0]] if exercise.planted else exercise.blanks
    taken = [cut.span(cut.read(exercise.file), place) for place in places]
    kept = [
        line for i, line in enumerate(ours) if not any(first <= i < end for first, end in taken)
    ]
    new = [line for line in theirs if f'NotImplementedError("Exercise {number}: write ' in line]
    if exercise.planted:
        first, length = taken[0][0], len(theirs) - len(kept)
        assert theirs[:first] + theirs[first + length :] == kept and theirs != ours
    else:
        assert [line for line in theirs if line not in new] == kept
        assert len(new) == len(exercise.blanks)


@numbers
def test_comments_and_line_breaks_of_the_project_may_change(number):
    """A file is written anew from what Python sees in it, and all places are found again."""
    exercise = EXERCISES[number]
    rewritten = ast.unparse(ast.parse(cut.read(exercise.file)))
    places = [*exercise.blanks, *exercise.planted[:1], *(m.place for m in exercise.mistakes)]
    for place in places:
        lines = rewritten.splitlines()
        first, end = cut.span(rewritten, place)
        known = cut.read(exercise.file).splitlines()[
            slice(*cut.span(cut.read(exercise.file), place))
        ]
        found, known = ("\n".join(part) for part in (lines[first:end], known))
        assert ast.dump(ast.parse(textwrap.dedent(found))) == ast.dump(
            ast.parse(textwrap.dedent(known))
        )


@numbers
def test_every_exercise_has_two_mistakes_and_comes_after_what_it_needs(number):
    exercise = EXERCISES[number]
    assert len(exercise.mistakes) == 2 and all(n < number for n in exercise.needs)
    assert (
        exercise.task.strip() and exercise.hint and bool(exercise.blanks) != bool(exercise.planted)
    )


@pytest.mark.parametrize("number, name", [(15, "UPT"), (19, "CoOp"), (20, "UPT"), (21, "CoCoOp")])
def test_a_planted_bug_still_trains(number, name, tmp_path):
    """Silent: the loss of a few pictures falls."""
    space = {"__name__": "planted"}
    exec(cut.starter(number, EXERCISES[number]), space)
    torch.manual_seed(0)
    clip = load_clip("tiny")
    method, images, labels = space[name](clip, NAMES), pictures(clip, 4), torch.arange(4)
    parameters, losses = list(learned_parameters(method).values()), []
    optimiser = torch.optim.SGD(parameters, space["TINY"].lr)
    for _ in range(15):
        losses.append(F.cross_entropy(method(images), labels))
        optimiser.zero_grad()
        losses[-1].backward()
        torch.nn.utils.clip_grad_norm_(parameters, 5.0)
        optimiser.step()
    assert losses[-1] < 0.9 * losses[0]


def test_there_are_at_least_sixteen_and_hunts_among_them():
    assert len(EXERCISES) >= 16 and len(HUNTS) >= 3


def test_a_place_that_is_not_there_once_is_refused():
    source = "def f(x):\n    y = x\n    y += 1\n    return y\n"
    assert cut.span(source, ("f", "y 2")) == (2, 3) and cut.span(source, "f") == (1, 4)
    for place in ("g", ("f", "y"), ("f", "y 3"), ("f", "raise")):
        with pytest.raises(ValueError, match="must follow the change"):
            cut.span(source, place)


@pytest.mark.parametrize(
    "line, words",
    [
        ("return 1 / 0", "ZeroDivisionError.*line 2: return 1 / 0"),
        ("return None", "is a `return` missing"),
        ("sys.exit(3)", "SystemExit: 3"),
        ("return (", "Python cannot read your file.*line 2"),
    ],
)
def test_a_crash_is_told_with_its_line(line, words, tmp_path):
    wrong = check_text(
        9, f"def learning_rate(lr, epoch, epochs):\n    {line}\nimport sys\n", tmp_path
    )
    assert re.search(words, wrong)


def test_an_endless_loop_is_ended(tmp_path):
    path = tmp_path / "answer.py"
    path.write_text("def learning_rate(lr, epoch, epochs):\n    while True:\n        lr += 1\n")
    assert "did not end within 0.2 s" in run_check(CHECKS[9], path, seconds=0.2)


def test_the_list_names_them_all(monkeypatch):
    status, text = command(monkeypatch)
    assert status == 0 and all(
        exercise.title in text and exercise.file in text for exercise in EXERCISES.values()
    )


def test_the_command_gives_a_starter_once_and_checks_and_solves(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    status, text = command(monkeypatch, "check", 9)
    assert status == 2 and "python -m notes.exercises 9" in text
    status, text = command(monkeypatch, 9)
    path = tmp_path / "exercise-09" / "train.py"
    assert status == 0 and path.read_text(encoding="utf-8") == cut.starter(9, EXERCISES[9])
    assert "warm-up" in text and "check 9" in text
    status, text = command(monkeypatch, "check", 9)
    assert status == 1 and "still blank" in text and "Hint" not in text
    path.write_text("# mine\n")
    status, text = command(monkeypatch, 9)
    assert status == 0 and "stays as it is" in text and path.read_text() == "# mine\n"
    path.write_text(cut.mistake(EXERCISES[9], *EXERCISES[9].mistakes[0][:2]), encoding="utf-8")
    status, text = command(monkeypatch, "check", 9)
    assert status == 1 and "Not yet: Epoch 1 " in text and "Hint: " in text
    path.write_text(cut.read("train.py"), encoding="utf-8")
    assert command(monkeypatch, "check", 9) == (0, "Exercise 9 is right.\n")
    status, text = command(monkeypatch, "solution", 9)
    assert (
        status == 0 and "math.cos(math.pi * (epoch - 1) / epochs)" in text and "train.py:" in text
    )


def test_another_folder_may_hold_the_file(monkeypatch, tmp_path):
    status, text = command(monkeypatch, 16, "--folder", tmp_path / "mine")
    assert (
        status == 0
        and (tmp_path / "mine" / "variance.py").exists()
        and f"--folder {tmp_path / 'mine'}" in text
    )


@pytest.mark.parametrize(
    "words", [["0"], ["23"], ["seven"], ["check"], ["check", "99"], ["help", "7"], ["7", "check"]]
)
def test_bad_input_ends_with_status_2_and_one_sentence(monkeypatch, words):
    status, text = command(monkeypatch, *words)
    assert status == 2 and text.startswith("error: ") and text.count("\n") == 1


@numbers
def test_the_solution_of_a_hunt_shows_both_lines_and_of_a_blank_its_lines(number):
    text, exercise = cut.solution(EXERCISES[number]), EXERCISES[number]
    assert exercise.file in text
    if exercise.planted:
        assert exercise.planted[1] in text
    else:
        for place in exercise.blanks:
            first, _ = cut.span(cut.read(exercise.file), place)
            assert cut.read(exercise.file).splitlines()[first] in text


def test_the_teachers_page_has_every_number_title_and_time():
    page = (ROOT / "notes" / "exercises" / "teachers.md").read_text(encoding="utf-8")
    for number, exercise in EXERCISES.items():
        needs = ", ".join(map(str, exercise.needs)) or "–"
        assert f"| {number} | {exercise.title} | {needs} | {exercise.minutes} |" in page
