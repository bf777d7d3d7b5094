"""Tables of a class as files: CSV, JSON, JUnit XML, and Gradescope's results.json.

    --csv FILE         opens in a spreadsheet; a line for each student, as soon as it is known
    --json FILE        {student: {exercise: {"word": ..., "sentence": ...}}}
    --junit FILE       JUnit XML: a suite for each student, a case for each exercise
    --gradescope PATH  of one student (`check all`): results.json; of a class: a folder of them

A file that cannot be written is noticed before the first check. What is known by then is written
even if the run is ended. Gradescope's points are those of points.csv, which a teacher can edit.
"""

import csv
import json
import re
from pathlib import Path
from xml.etree import ElementTree

from notes.exercises.tasks import EXERCISES

POINTS = Path(__file__).parent / "points.csv"


def writers(flags, numbers, one_student=False):
    """The command line's flags and the exercises → what writes each file that is asked for.

    Raises ValueError if one of them cannot be written.
    """
    kinds = [(flags.csv, CSV), (flags.json, JSON), (flags.junit, JUnit),
             (flags.gradescope, Gradescope if one_student else GradescopeOfAClass)]
    found = []
    for path, kind in kinds:
        if path is not None:
            try:
                found.append(kind(path, numbers))
            except OSError as error:
                raise ValueError(f"{path} cannot be written: {error.strerror}.") from error
    return found


def harmless(text):
    """A cell of a spreadsheet that is not taken for a formula, whatever a student's name is.

    >>> harmless("=1+1"), harmless("Ada")
    ("'=1+1", 'Ada')
    """
    return f"'{text}" if re.match(r"[=+\-@\t\r\n]", text) else text


class CSV:
    """A line for each student: the words, how many are right, and what is wrong."""

    def __init__(self, path, numbers):
        self.file = open(path, "w", newline="", encoding="utf-8-sig", errors="replace")
        self.write(["student", *numbers, "right", "what is wrong"])

    def write(self, cells):
        """Cells of one line → the line in the file, at once."""
        csv.writer(self.file).writerow([harmless(str(cell)) for cell in cells])
        self.file.flush()

    def add(self, student, verdicts):
        """A student's name and {exercise: Verdict}: write the line."""
        words = [verdict.word for verdict in verdicts.values()]
        wrong = " | ".join(f"{number}: {verdict.sentence}" for number,
                           verdict in verdicts.items() if verdict.word == "not yet")
        self.write([student, *words, words.count("right"), wrong])

    def close(self):
        """Nothing more comes."""
        self.file.close()


class JSON:
    """All of it, for a program to read."""

    def __init__(self, path, numbers):
        self.file, self.found = open(path, "w", encoding="utf-8", errors="replace"), {}

    def add(self, student, verdicts):
        """A student's name and {exercise: Verdict}: keep them."""
        self.found[student] = {str(number): verdict._asdict() for number,
                               verdict in verdicts.items()}

    def close(self):
        """Write what was kept."""
        with self.file:
            json.dump(self.found, self.file, indent=1, ensure_ascii=True)


class JUnit:
    """What test reports of many programs can show."""

    def __init__(self, path, numbers):
        self.file, self.suites = open(path, "wb"), ElementTree.Element("testsuites")

    def add(self, student, verdicts):
        """A student's name and {exercise: Verdict}: keep them as a suite."""
        words = [verdict.word for verdict in verdicts.values()]
        counts = {"tests": len(words), "skipped": words.count("no file"),
                  "failures": words.count("not yet") + words.count("blank")}
        suite = ElementTree.SubElement(self.suites, "testsuite", name=legal(student),
                                       **{name: str(count) for name, count in counts.items()})
        for number, (word, sentence) in verdicts.items():
            name = f"exercise {number}: {EXERCISES[number].title}"
            case = ElementTree.SubElement(suite, "testcase", classname=legal(student), name=name)
            if word == "no file":
                ElementTree.SubElement(case, "skipped")
            elif word != "right":
                ElementTree.SubElement(case, "failure", message=legal(sentence), type=word)

    def close(self):
        """Write what was kept."""
        with self.file:
            ElementTree.ElementTree(self.suites).write(self.file, "utf-8", xml_declaration=True)


def legal(text):
    """A text without the characters that XML does not allow."""
    return re.sub(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", text)


class Gradescope:
    """One student's results.json, in the form of Gradescope's autograder specification."""

    def __init__(self, path, numbers):
        self.file, self.points = open(path, "w", encoding="utf-8"), read_points()

    def add(self, student, verdicts):
        """A student's name, which Gradescope knows, and {exercise: Verdict}: write the file."""
        tests = []
        for number, (word, sentence) in verdicts.items():
            points, is_right = self.points[number], word == "right"
            tests.append({"number": str(number), "name": EXERCISES[number].title,
                          "max_score": points, "score": points if is_right else 0,
                          "status": "passed" if is_right else "failed",
                          "output": word if not sentence else f"{word}: {sentence}"})
        score = sum(test["score"] for test in tests)
        json.dump({"score": score, "tests": tests}, self.file, indent=1)

    def close(self):
        """Nothing more comes."""
        self.file.close()


class GradescopeOfAClass:
    """A folder with such a file for each student."""

    def __init__(self, path, numbers):
        self.folder = path
        path.mkdir(parents=True, exist_ok=True)

    def add(self, student, verdicts):
        """A student's name and {exercise: Verdict}: write the student's file."""
        one = Gradescope(self.folder / f"{student}.json", list(verdicts))
        one.add(student, verdicts)
        one.close()

    def close(self):
        """Nothing more comes."""


def read_points():
    """points.csv → {exercise: points}; ValueError if a line of it cannot be read."""
    points = dict.fromkeys(EXERCISES, 0)
    with open(POINTS, encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            try:
                number, value = int(row["exercise"]), float(row["points"])
            except (KeyError, TypeError, ValueError):
                raise ValueError(f"{POINTS.name} has a line that is not `exercise,points`: "
                                 f"{','.join(map(str, row.values()))}.") from None
            points[number] = int(value) if value.is_integer() else value
    return points
