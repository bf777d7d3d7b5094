"""Checks of many files: `check all` for one student, `check --class FOLDER` for a class.

PyTorch is imported once. Each check is a process of its own, which begins as a copy of this one
where the system can do that (not on Windows: there it takes seconds more). So one file can neither
stop the others nor change what they find. It has limits of time and memory, and whatever it has
started ends with it. It still runs the student's code with your rights.
"""

import json
import multiprocessing
import multiprocessing.connection
import os
import re
import secrets
import signal
import sys
import time
from pathlib import Path
from typing import NamedTuple

try:
    import resource
except ImportError:  # on Windows
    resource = None

from clip_min.files import printable
from notes.exercises import cut, reports
from notes.exercises.checks import CHECKS
from notes.exercises.checks.inputs import odd_clip, tiny
from notes.exercises.judge import run_check
from notes.exercises.tasks import EXERCISES

WARNING = ("note: this runs the students' code on this machine, with your rights. Use an account "
           "or a machine on which it can do no harm.")
SIGNS = {"right": "+", "not yet": "-", "blank": "o", "no file": "."}
NO_STUDENTS = r"\.|__|exercise-|page|starters$"  # how folders begin that are no student's
MEGABYTE = 2**20
CONTEXT = multiprocessing.get_context("fork" if hasattr(os, "fork") else "spawn")


class Verdict(NamedTuple):
    """word: one of SIGNS. sentence: what is wrong."""

    word: str
    sentence: str = ""


class Limits(NamedTuple):
    """Of one check: seconds of computing; megabytes beyond what PyTorch itself takes."""

    seconds: float = 180
    memory: int = 4096


# Where the files are


def file_of(number, folder):
    """A number and a student's folder → the file, or None.

    The folder of an exercise may be called exercise-2, Exercise-09 or exercise_02, and may lie in
    one more folder, as archives have it.
    """
    name = Path(EXERCISES[number].file).name
    for path in (*sorted(folder.glob("*")), *sorted(folder.glob("*/*"))):
        if re.fullmatch(rf"exercise[-_ ]?0*{number}", path.name, re.I) and (path / name).is_file():
            return path / name
    return None


def students_of(folder):
    """The folder of a class → {name: folder} of the students, in the order of their names.

    Moodle calls folders "Ada Lovelace_12345_assignsubmission_file_": the name is what comes first.
    Two students of the same name keep the whole name of their folders.
    """
    paths = sorted(path for path in folder.glob("*") if path.is_dir()) if folder.is_dir() else []
    found = {}
    for path in paths:
        if re.match(NO_STUDENTS, path.name, re.I):
            continue
        name = re.sub(r"_\d+_assignsubmission.*", "", path.name)
        found[path.name if name in found else name] = path
    return found


# One check


class Check:
    """One file's check in a process of its own: `connection` is ready when it has ended."""

    def __init__(self, number, path, limits):
        self.number, self.limits, self.verdict = number, limits, None
        self.secret = secrets.token_hex(16)
        self.connection, other = CONTEXT.Pipe(duplex=False)
        arguments = (other, self.secret, number, path.absolute(), limits)
        self.process = CONTEXT.Process(target=answer_one, args=arguments)
        self.process.start()
        other.close()
        # by the clock, with the start of PyTorch on a busy machine
        self.clock = 10 * limits.seconds + 120
        self.end = time.monotonic() + self.clock

    def finish(self):
        """→ the Verdict, when the process has answered, has ended, or is over time."""
        told = self.answer() if self.connection.poll() else (
            f"it did not end within {self.clock:g} s by the clock, and could not be interrupted.")
        self.kill()
        if told is None:
            return Verdict("right")
        return Verdict("blank" if told.startswith("still blank") else "not yet", told)

    def answer(self):
        """What the process says: the sentence of the check, None if the file is right."""
        try:
            secret, told = json.loads(self.connection.recv_bytes(MEGABYTE))
            if secret == self.secret:
                return told
        except (EOFError, OSError, ValueError, TypeError):
            pass
        self.process.join(10)
        if self.process.exitcode == -getattr(signal, "SIGXCPU", 24):
            return f"it did not end within {self.limits.seconds:g} s, and could not be interrupted."
        return f"the check was ended by the file itself (exit status {self.process.exitcode})."

    def kill(self):
        """End the process, and whatever it has started."""
        if hasattr(os, "killpg"):
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass  # it has ended, or has not yet begun
        self.process.kill()
        self.process.join()
        self.connection.close()


def answer_one(connection, secret, number, path, limits):
    """The process's part: check one file, and send the secret word and what the check says.

    What the file itself prints is thrown away, however much it is.
    """
    if hasattr(os, "setsid"):
        os.setsid()  # a group of its own, which ends with it
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    sys.stdin = open(os.devnull, encoding="utf-8")
    set_limits(limits)
    reason = cut.why_not(number, EXERCISES[number], path, EXERCISES)
    told = f"{reason}." if reason else run_check(CHECKS[number], path, limits.seconds)
    if told and re.search("MemoryError|can't allocate memory", told):
        told = f"it wants more memory than {limits.memory} MB: is something much too large? {told}"
    connection.send_bytes(json.dumps([secret, told and told[:2000]]).encode())
    os._exit(0)  # a thread of the file may still be at work


def set_limits(limits):
    """Limit the memory of this process, and its time for a loop that catches the interruption."""
    if resource is None:
        return
    seconds = int(limits.seconds) + 30
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 30))
    try:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        most = used + limits.memory * MEGABYTE
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    except (OSError, ValueError):
        pass  # no /proc: not Linux


def verdicts_of(files, limits, jobs=1):
    """[(key, number, path or None)] → (key, Verdict), in the order in which they are found."""
    tiny(), odd_clip()  # before the processes begin, so that each of them has both
    waiting, running = [each for each in files if each[2]], {}
    yield from ((key, Verdict("no file")) for key, _, path in files if path is None)
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                key, number, path = waiting.pop(0)
                running[key] = Check(number, path, limits)
            until = min(check.end for check in running.values()) - time.monotonic()
            connections = [check.connection for check in running.values()]
            ready = multiprocessing.connection.wait(connections, max(0, until))
            for key, check in list(running.items()):
                if check.connection in ready or time.monotonic() > check.end:
                    del running[key]
                    yield key, check.finish()
    finally:
        for check in running.values():  # Ctrl-C
            check.kill()


# One student


def check_all(flags):
    """Print a table of all exercises → exit status: 0 if every file that is there is right.

    Raises ValueError if there is none.
    """
    folder = flags.folder
    writers = reports.writers(flags, list(EXERCISES), one_student=True)
    files = [(number, number, file_of(number, folder)) for number in EXERCISES]
    if not any(path for _, _, path in files):
        raise ValueError(f"There is no exercise-NUMBER folder in {printable(folder)}.")
    found = dict(verdicts_of(files, Limits(flags.seconds, flags.memory), flags.jobs))
    for number, exercise in EXERCISES.items():
        word, sentence = found[number]
        told = f"{word}: {sentence}" if word == "not yet" else word
        print(f"{number:2}  {exercise.title:46} {printable(told)}")
    words = [verdict.word for verdict in found.values()]
    there = len(words) - words.count("no file")
    print(f"\n{words.count('right')} right of {there} files, and {len(EXERCISES)} exercises.")
    for writer in writers:
        writer.add(folder.resolve().name, found)
        writer.close()
    return int(words.count("right") < there)


# A class


def check_class(folder, numbers, flags):
    """Print the table of a class, and write the files that flags ask for → exit status.

    folder: it holds a folder of each student, with folders exercise-01, exercise-02, … in it. The
    status is 0 if every file that is there is right, and 1 otherwise. A student's line is printed,
    and written into the CSV, as soon as it is known. Raises ValueError if there is no student, or
    if a file cannot be written.
    """
    students = students_of(folder)
    if not students:
        raise ValueError(f"There is no folder of a student in {printable(folder)}.")
    files = [((name, number), number, file_of(number, path)) for name,
             path in students.items() for number in numbers]
    there = {number for _, number, path in files if path}
    numbers = [number for number in numbers if number in there] or list(numbers)
    files = [each for each in files if each[1] in numbers]
    writers = reports.writers(flags, numbers)
    print(WARNING, file=sys.stderr)
    width = max(len(printable(name)) for name in students)
    print(" " * width, *(f"{number:2}" for number in numbers), " right")
    found, names, all_right = {name: {} for name in students}, list(students), True
    try:
        for (name, number), verdict in verdicts_of(files, Limits(flags.seconds, flags.memory),
                                                   flags.jobs):
            found[name][number] = verdict
            all_right &= verdict.word in ("right", "no file")
            while names and len(found[names[0]]) == len(numbers):
                student = names.pop(0)
                row = {number: found[student][number] for number in numbers}
                tell_row(student, row, width)
                for writer in writers:
                    writer.add(student, row)
    finally:
        for writer in writers:
            writer.close()
    print(", ".join(f"{sign} {word}" for word, sign in SIGNS.items()))
    return int(not all_right)


def tell_row(student, row, width):
    """Print one student's line, and a sentence for each file that is not yet right."""
    words = [verdict.word for verdict in row.values()]
    signs = (f" {SIGNS[word]}" for word in words)
    print(printable(student).ljust(width), *signs, f"{words.count('right'):6}", flush=True)
    for number, (word, sentence) in row.items():
        if word == "not yet":
            print(f"{'':{width}}  {number}: {printable(sentence)}")
