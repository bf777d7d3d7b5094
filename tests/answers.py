"""Students' answers: the project's files with some statements replaced, given to their checks."""

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


def both_tests(wrong, right):
    """Lists of answers → the two tests of them, each of which lists all answers that fail it.

    wrong: [(number, {place: code}, words of the sentence)]. right: [(number, {place: code})].
    """

    def each_wrong_answer_is_told_in_words(tmp_path):
        failed = []
        for i, (number, places, words) in enumerate(wrong):
            told = check_answer(number, places, tmp_path)
            crashed = told is not None and "your code stopped" in told and "stopped" not in words
            if told is None or words not in told or crashed:
                failed.append((i, number, places, words, told))
        assert failed == []

    def each_other_right_answer_passes(tmp_path):
        found = [(i, number, places, check_answer(number, places, tmp_path))
                 for i, (number, places) in enumerate(right)]
        assert [each for each in found if each[-1] is not None] == []

    return each_wrong_answer_is_told_in_words, each_other_right_answer_passes
