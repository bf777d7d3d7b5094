"""Students' answers: the project's files with some statements replaced, given to their checks.

They are kept in tests/golden/answers, one file for each room of exercises:

    == 4 wrong | without `dim` | a note       exercise 4; words of what the check says
    @ ZeroShot.classify                       a place, as notes/exercises/cut.py says; its parts
    f = image_features / ...                  are parted by " | ". Below it what stands there.
    == 4 right                                another way to write it, which is right as well
"""

from typing import NamedTuple

from notes.exercises import cut
from notes.exercises.checks import CHECKS
from notes.exercises.cut import ROOT
from notes.exercises.judge import run_check
from notes.exercises.tasks import EXERCISES

FOLDER = ROOT / "tests" / "golden" / "answers"
ROOMS = ("clip", "coop", "cocoop", "upt", "protocol", "bugs")


class Answer(NamedTuple):
    """words: of the sentence; None if the answer is right. places: {place: lines}."""

    number: int
    words: str | None
    places: dict


def read_answers(room):
    """The name of a file in FOLDER, without ".txt" → [Answer]."""
    found = []
    for line in (FOLDER / f"{room}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("== "):
            (number, kind), *words = line[3:].partition(" | ")[0].split(), *line.split(" | ")[1:]
            found.append(Answer(int(number), words[0] if kind == "wrong" else None, {}))
        elif line.startswith("@ "):
            place = tuple(line[2:].split(" | "))
            place = place if len(place) > 1 else place[0]
            found[-1].places[place] = []
        else:
            found[-1].places[place].append(line)
    return found


def check_text(number, text, folder):
    """The text of a student's file → what its check says, None if it is right."""
    path = folder / "answer.py"
    path.write_text(text, encoding="utf-8")
    return run_check(CHECKS[number], path)


def check_answer(answer, folder):
    """An Answer → what the check of its number says, None if it is right."""
    text = cut.read(EXERCISES[answer.number].file)
    for place, lines in answer.places.items():
        text = cut.replace(text, place, "\n".join(lines))
    return check_text(answer.number, text, folder)
