"""Each wrong answer of tests/golden/answers is told in fitting words, each right one passes."""

import pytest

from notes.exercises.tasks import EXERCISES
from tests.answers import ROOMS, check_answer, read_answers
from tests.test_exercises import TRAINED

CRASH = "your code stopped"  # is no fitting word, unless the answer does stop


@pytest.mark.parametrize("room", ROOMS)
def test_wrong_answers_are_told_in_words_and_right_ones_pass(room, tmp_path):
    failed = []
    for answer in read_answers(room):
        told = check_answer(answer, tmp_path)
        if answer.words is None:
            is_fine = told is None
        else:
            is_fine = told is not None and answer.words in told
            is_fine = is_fine and (CRASH not in told or "stopped" in answer.words)
        if not is_fine:
            failed.append((answer, told))
    assert failed == []


def test_every_exercise_has_wrong_and_right_answers():
    every = [answer for room in ROOMS for answer in read_answers(room)]
    for number in EXERCISES:
        own = [answer.words is None for answer in every if answer.number == number]
        assert number == TRAINED or (own.count(False) >= 2 and own.count(True) >= 1), number
