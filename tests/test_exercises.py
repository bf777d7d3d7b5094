"""Every exercise: the starter fails its check, the solution passes, mistakes are told in words.

The other files test_exercises_*.py hold more wrong answers, and other right ones.
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

from clip_min import load_clip
from clip_min.tokenizer import Tokenizer, save_merges
from notes.exercises import cut
from notes.exercises.__main__ import main
from notes.exercises.checks import CHECKS
from notes.exercises.judge import run_check
from notes.exercises.tasks import EXERCISES
from notes.exercises.variants import VARIANTS, exercise_of
from prompts.runs.script import run_script
from prompts.runs.store import learned_parameters
from tests.helpers import NAMES, ROOT, pictures
from tests.answers import check_text

FILLED = [number for number, exercise in EXERCISES.items() if exercise.blanks]
HUNTS = [number for number in EXERCISES if number not in FILLED]
TRAINED = 22  # its check trains: test_exercises_contest.py
PLANTED = [(number, seed) for number in HUNTS for seed in range(1 + len(VARIANTS.get(number, ())))]
numbers = pytest.mark.parametrize("number", EXERCISES)


def starter(number, seed=0):
    """The text of a starter, as the command line writes it."""
    return cut.starter(number, exercise_of(number, seed)[0], EXERCISES)


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
        patch.setattr("prompts.runs.job.keep_freed_memory", lambda: None)
        try:
            run_script(main)
            status = 0
        except SystemExit as end:
            status = end.code or 0
    return status, out.getvalue() + error.getvalue()


@pytest.mark.parametrize("number", FILLED)
def test_the_starter_fails_its_check(number, tmp_path):
    wrong = check_text(number, starter(number), tmp_path)
    assert wrong.startswith("still blank") and f"Exercise {number}: write" in wrong
    assert "line" in wrong


@pytest.mark.parametrize("number, seed", PLANTED)
def test_a_planted_mistake_fails_its_check_in_every_variant(number, seed, tmp_path):
    wrong = check_text(number, starter(number, seed), tmp_path)
    assert wrong and "your code stopped" not in wrong


@pytest.mark.parametrize("number", [number for number in EXERCISES if number != TRAINED])
def test_our_solution_passes(number, tmp_path):
    assert check_text(number, cut.read(EXERCISES[number].file), tmp_path) is None


@pytest.mark.parametrize(
    "number", [n for n, each in EXERCISES.items() if cut.hidden_functions(each, EXERCISES)]
)
def test_a_starter_with_our_lines_passes(number, tmp_path):
    """What it hides of other exercises is computed by the project's own functions."""
    exercise = EXERCISES[number]
    text = cut.hidden(cut.read(exercise.file), exercise, EXERCISES)
    assert check_text(number, text, tmp_path) is None


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
    source = cut.read(exercise.file)
    places = [*exercise.planted[:1], *exercise.blanks]
    places += cut.hidden_functions(exercise, EXERCISES)
    taken = [cut.span(source, place) for place in places]
    kept = [
        line
        for i, line in enumerate(source.splitlines())
        if not any(first <= i < end for first, end in taken)
    ]
    first, *lines = starter(number).splitlines()
    assert first.startswith(f"# Exercise {number}: ")
    rest = iter(lines)
    assert all(line in rest for line in kept)  # in this order
    blanks = [line for line in lines if f'NotImplementedError("Exercise {number}: write ' in line]
    assert len(blanks) == len(exercise.blanks)
    assert lines != source.splitlines()


def test_a_starter_does_not_show_what_other_exercises_ask_for():
    mask, text, patches = starter(2), starter(7), starter(3)
    assert (
        "tokens.argmax(dim=-1)" not in mask
        and "return given.CLIP.encode_text(self, tokens)" in mask
    )
    assert "position <= position" not in text and "given.causal_mask(length, device)" in text
    assert "flatten(2).transpose(1, 2)  # [B, S, D]" not in mask and "self.conv1" in mask
    assert "tokens.argmax(dim=-1)" not in patches and "given" not in starter(15)


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
    assert exercise.task.strip() and exercise.hint and (exercise.blanks or exercise.planted)


METHOD = {15: "UPT", 19: "CoOp", 20: "UPT", 21: "CoCoOp"}


@pytest.mark.parametrize("number, seed", [pair for pair in PLANTED if pair[0] in METHOD])
def test_a_planted_bug_still_trains(number, seed):
    """Silent: the loss of a few pictures falls."""
    space, name = {"__name__": "planted"}, METHOD[number]
    exec(starter(number, seed), space)
    torch.manual_seed(0)
    clip = load_clip("tiny")
    method, images, labels = space[name](clip, NAMES), pictures(clip, 4), torch.arange(4)
    parameters, losses = list(learned_parameters(method).values()), []
    optimiser = torch.optim.SGD(parameters, space["TINY"].lr)
    for _ in range(40):
        losses.append(F.cross_entropy(method(images), labels))
        optimiser.zero_grad()
        losses[-1].backward()
        torch.nn.utils.clip_grad_norm_(parameters, 5.0)
        optimiser.step()
    assert losses[-1] < 0.98 * losses[0]


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
        ("raise EOFError", "waits for input.*line 2"),
        ("return float(lr.rates)", "AttributeError.*line 2"),
    ],
)
def test_a_crash_is_told_with_its_line(line, words, tmp_path):
    wrong = check_text(
        9, f"def learning_rate(lr, epoch, epochs):\n    {line}\nimport sys\n", tmp_path
    )
    assert re.search(words, wrong)


def test_a_file_without_the_function_and_one_that_is_not_text_are_told(tmp_path):
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
    assert status == 0 and path.read_text(encoding="utf-8") == starter(9)
    assert "warm-up" in text and "check 9" in text
    status, text = command(monkeypatch, "check", 9)
    assert status == 1 and "still blank" in text and "hint" not in text
    path.write_text("# mine\n")
    status, text = command(monkeypatch, 9)
    assert status == 0 and "stays as it is" in text and path.read_text() == "# mine\n"
    path.write_text(cut.read("train.py"), encoding="utf-8")
    assert command(monkeypatch, "check", 9) == (0, "Exercise 9 is right.\n")
    status, text = command(monkeypatch, "solution", 9)
    assert status == 0 and "math.cos(math.pi * (epoch - 1) / epochs)" in text
    assert "train.py:" in text


def test_a_hint_comes_when_it_is_asked_for(monkeypatch, tmp_path):
    path = tmp_path / "exercise-09" / "train.py"
    path.parent.mkdir()
    path.write_text(cut.mistake(EXERCISES[9], *EXERCISES[9].mistakes[0][:2]), encoding="utf-8")
    status, text = command(monkeypatch, "check", 9, "--folder", tmp_path)
    assert status == 1 and "Not yet: Epoch 1 " in text
    assert EXERCISES[9].hint not in text and "hint 9" in text
    assert command(monkeypatch, "hint", 9) == (0, f"{EXERCISES[9].hint}\n")


def test_another_folder_holds_each_exercise_in_a_folder_of_its_own(monkeypatch, tmp_path):
    for number in (2, 7):
        status, text = command(monkeypatch, number, "--folder", tmp_path / "handout")
        path = tmp_path / "handout" / f"exercise-{number:02}" / "model.py"
        assert status == 0 and path.read_text(encoding="utf-8") == starter(number)
        assert f"check {number} --folder {tmp_path / 'handout'}" in text


def test_a_file_of_another_exercise_is_refused(monkeypatch, tmp_path):
    """Three exercises are cut from model.py, and an untouched file is right but for its blank."""
    path = tmp_path / "exercise-07" / "model.py"
    path.parent.mkdir()
    for text in (starter(3), starter(3).partition("\n")[2]):
        path.write_text(text, encoding="utf-8")
        status, told = command(monkeypatch, "check", 7, "--folder", tmp_path)
        assert status == 2 and "file of exercise 3" in told and told.count("\n") == 1
    solved = cut.replace(starter(3), "VisionTransformer.embed", "return 0").partition("\n")[2]
    path.write_text(solved, encoding="utf-8")
    status, told = command(monkeypatch, "check", 7, "--folder", tmp_path)
    assert status == 2 and "imports clip_min/model.py" in told


def test_a_file_that_asks_the_project_for_the_answer_is_refused(monkeypatch, tmp_path):
    path = tmp_path / "exercise-02" / "model.py"
    path.parent.mkdir()
    code = "from clip_min.model import causal_mask as theirs\nreturn theirs(length, device)"
    path.write_text(cut.replace(starter(2), "causal_mask", code), encoding="utf-8")
    status, told = command(monkeypatch, "check", 2, "--folder", tmp_path)
    assert status == 2 and "whose lines you are asked to write" in told


@pytest.mark.parametrize(
    "words",
    [
        ["0"],
        ["27"],
        ["seven"],
        ["check"],
        ["check", "99"],
        ["help", "7"],
        ["7", "check"],
        ["hint"],
        ["handout", "all"],
        ["student-copy"],
        ["7", "--class", "."],
        ["check", "--class", "nowhere"],
        ["check", "all", "--folder", "nowhere"],
    ],
)
def test_bad_input_ends_with_status_2_and_one_sentence(monkeypatch, words):
    monkeypatch.setattr(
        "notes.exercises.classroom.told_by_process", lambda *_: pytest.fail("nothing to check")
    )
    status, text = command(monkeypatch, *words)
    last = text.splitlines()[-1]
    assert status == 2 and last.startswith("error: ") and text.count("error") == 1


def test_another_year_gets_other_questions_and_other_mistakes():
    for number, variants in VARIANTS.items():
        seeds = range(1 + len(variants))
        found = {exercise_of(number, seed)[0] for seed in seeds}
        assert len({(each.task, each.planted) for each in found}) == len(seeds)
        assert exercise_of(number, len(seeds)) == exercise_of(number, 0)
        for variant in variants:
            assert all(words in EXERCISES[number].task for words in variant.words)
    assert exercise_of(2, 5)[0] == EXERCISES[2]
    starters = {starter(19, seed) for seed in range(3)}
    assert len(starters) == 3


def test_the_answers_of_variants_are_computed(tmp_path):
    """The answers of exercise 1, 11 and 18 by the project's own code."""
    for variant in VARIANTS[1]:
        merges, word = (list(variant.words.values())[i] for i in (0, 1))
        pairs = [tuple(pair.split(", ")) for pair in merges.strip("()").split("), (")]
        save_merges(pairs, tmp_path / "merges.txt")
        symbols = Tokenizer(tmp_path / "merges.txt").merge(word.strip('"'))
        assert variant.answer.startswith(f"{' '.join(symbols)}:")
    for variant, (E, D, M) in zip(VARIANTS[11], [(768, 768, 16), (640, 512, 8)], strict=True):
        count = M * D + E * (E // 16) + E // 16 + E // 16 * D + D
        assert variant.answer.startswith(f"{count:,}:")
    for variant in VARIANTS[18]:
        question = " ".join(variant.words.values())
        for b, n in re.findall(r"(\d+) and (\d+)", question):
            H = 2 * int(b) * int(n) / (int(b) + int(n))
            assert f"{b} and {n} give {H:.1f}" in variant.answer


@numbers
def test_the_solution_of_a_hunt_shows_both_lines_and_of_a_blank_its_lines(number):
    text, exercise = cut.solution(EXERCISES[number]), EXERCISES[number]
    assert exercise.file in text
    if exercise.planted:
        assert exercise.planted[1] in text
    for place in (*exercise.planted[:1], *exercise.blanks):
        first, _ = cut.span(cut.read(exercise.file), place)
        assert cut.read(exercise.file).splitlines()[first] in text


def test_the_teachers_page_has_every_number_title_and_time():
    page = (ROOT / "notes" / "exercises" / "teachers.md").read_text(encoding="utf-8")
    for number, exercise in EXERCISES.items():
        needs = ", ".join(map(str, exercise.needs)) or "–"
        assert f"| {number} | {exercise.title} | {needs} | {exercise.minutes} |" in page
