"""Tables of many files: `check all` for one student, `check --class FOLDER` for a class.

Each check runs in a process of its own, with a time limit, so that one file can neither stop the
others nor change their checks. The process still runs the student's code with your rights.
"""

import csv
import json
import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

try:
    import resource
except ImportError:  # on Windows
    resource = None

from clip_min.files import printable
from notes.exercises import cut
from notes.exercises.checks import CHECKS
from notes.exercises.judge import run_check
from notes.exercises.tasks import EXERCISES

WARNING = ("note: this runs the students' code on this machine, with your rights. Use an account "
           "or a machine on which it can do no harm.")
CPU_IS_USED_UP = getattr(signal, "SIGXCPU", 24)
SIGNS = {"right": "+", "not yet": "-", "blank": "o", "no file": "."}


class Verdict(NamedTuple):
    """word: one of SIGNS. sentence: what is wrong."""

    word: str
    sentence: str = ""


def verdict_of(number, folder, seconds):
    """A number, and the folder that holds exercise-NUMBER → Verdict, from a process of its own."""
    path = folder / f"exercise-{number:02}" / Path(EXERCISES[number].file).name
    if not path.is_file():
        return Verdict("no file")
    reason = cut.why_not(number, EXERCISES[number], path, EXERCISES)
    if reason:
        return Verdict("not yet", f"{reason}.")
    told = told_by_process(number, path, seconds)
    if told is None:
        return Verdict("right")
    return Verdict("blank" if told.startswith("still blank") else "not yet", told)


def told_by_process(number, path, seconds):
    """What the check of a file says, None if it is right.

    The process answers behind a word that the file's code does not get to see, so that printing
    "right" or ending early with status 0 is not an answer.
    """
    secret = secrets.token_hex(16)
    limit = 10 * seconds + 120  # by the clock, with the start of PyTorch on a busy machine
    words = [str(number), str(path.absolute()), str(seconds)]
    command = [sys.executable, "-m", "notes.exercises.classroom", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    try:
        process = subprocess.run(command, input=f"{secret}\n", stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL, timeout=limit, cwd=cut.ROOT,
                                 env=environment, encoding="utf-8", errors="replace")
    except subprocess.TimeoutExpired:
        return f"it did not end within {limit} s by the clock, and could not be interrupted."
    if process.returncode == -CPU_IS_USED_UP:
        return f"it did not end within {seconds} s, and could not be interrupted."
    for line in process.stdout.splitlines():
        if line.startswith(secret):
            return json.loads(line.removeprefix(secret))
    return f"the check was ended by the file itself (exit status {process.returncode})."


def answer_one():
    """The process's part: check one file, and print the secret word and what the check says.

    What the file itself prints is thrown away, however much it is.
    """
    number, path, seconds = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    secret = sys.stdin.readline().strip()
    answer = os.dup(1)  # the standard output; what is printed from here on goes to os.devnull
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if resource:  # for a loop that catches the interruption, too
        resource.setrlimit(resource.RLIMIT_CPU, (seconds + 30, seconds + 60))
    told = run_check(CHECKS[number], path, seconds)
    os.write(answer, f"{secret}{json.dumps(told)}\n".encode())
    os._exit(0)  # a thread of the file may still be at work


# One student


def check_all(folder, seconds):
    """Print a table of all exercises → exit status: 0 if every file that is there is right.

    Raises ValueError if there is none.
    """
    words = []
    for number, exercise in EXERCISES.items():
        verdict = verdict_of(number, folder, seconds)
        words.append(verdict.word)
        told = f": {verdict.sentence}" if verdict.word == "not yet" else ""
        print(f"{number:2}  {exercise.title:46} {printable(verdict.word + told)}")
    there = [word for word in words if word != "no file"]
    if not there:
        raise ValueError(f"There is no exercise-NUMBER folder in {printable(folder)}.")
    print(f"\n{words.count('right')} right of {len(there)} files, and {len(EXERCISES)} exercises.")
    return int(words.count("right") < len(there))


# A class


def check_class(folder, numbers, flags):
    """Print the table of a class, and write it as CSV if flags.csv is a path → exit status 0.

    folder: it holds a folder of each student, with folders exercise-01, exercise-02, … in it.
    Raises ValueError if it holds none.
    """
    students = sorted(path for path in folder.glob("*") if path.is_dir()) if folder.is_dir() else []
    if not students:
        raise ValueError(f"There is no folder of a student in {printable(folder)}.")
    print(WARNING, file=sys.stderr)
    numbers = [n for n in numbers if any(folder.glob(f"*/exercise-{n:02}"))] or numbers
    width = max(len(printable(student.name)) for student in students)
    print(" " * width, *(f"{number:2}" for number in numbers), " right")
    rows = []
    for student in students:
        verdicts = [verdict_of(number, student, flags.seconds) for number in numbers]
        words = [verdict.word for verdict in verdicts]
        signs = (f" {SIGNS[word]}" for word in words)
        name = printable(student.name)
        print(name.ljust(width), *signs, f"{words.count('right'):6}")
        rows.append([name, *words, words.count("right")])
    print(", ".join(f"{sign} {word}" for word, sign in SIGNS.items()))
    if flags.csv:
        with open(flags.csv, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["student", *numbers, "right"], *rows])
    return 0


if __name__ == "__main__":
    answer_one()
