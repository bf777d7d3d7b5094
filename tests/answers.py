"""Students' answers: the project's files with some statements replaced, given to their checks."""

import pytest

from notes.exercises import cut
from notes.exercises.checks import CHECKS
from notes.exercises.judge import run_check
from notes.exercises.tasks import EXERCISES


def check_text(number, text, folder):
    """The text of a student's file → what its check says, None if it is right."""
    path = folder / "answer.py"
    path.write_text(text, encoding="utf-8")
    return run_check(CHECKS[number], path)


def check_answer(number, places, folder):
    """{place: what a student wrote there} → what the check says, None if it is right."""
    text = cut.read(EXERCISES[number].file)
    for place, code in places.items():
        text = cut.replace(text, place, code)
    return check_text(number, text, folder)


def names(answers):
    """Answers → a name for each, for pytest: the exercise and how many came before."""
    return [f"{answer[0]}-{i}" for i, answer in enumerate(answers)]


def assert_wrong(answer, folder):
    """(number, {place: code}, a word of the sentence): the check says what is wrong."""
    number, places, word = answer
    told = check_answer(number, places, folder)
    assert told is not None, "a wrong answer passes"
    assert word and word in told, told
    assert "your code stopped" not in told or "stopped" in word, told


def assert_right(answer, folder):
    """(number, {place: code}): another way to write it, which is right as well."""
    number, places = answer
    assert check_answer(number, places, folder) is None


def both_tests(wrong, right):
    """Lists of wrong and of right answers → the two tests of them."""

    @pytest.mark.parametrize("answer", wrong, ids=names(wrong))
    def a_wrong_answer_is_told(answer, tmp_path):
        assert_wrong(answer, tmp_path)

    @pytest.mark.parametrize("answer", right, ids=names(right))
    def another_right_answer_passes(answer, tmp_path):
        assert_right(answer, tmp_path)

    return a_wrong_answer_is_told, another_right_answer_passes
