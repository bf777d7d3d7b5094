"""The exercises on the command line. Run it in the folder of this repository.

    python -m notes.exercises                  list them
    python -m notes.exercises 7                show number 7 and put its starter into exercise-07/
    python -m notes.exercises check 7          is my file right? If not: what is wrong, in words
    python -m notes.exercises hint 7           a hint, when you want one
    python -m notes.exercises check all        a table of all my files
    python -m notes.exercises solution 7       the project's own lines

For teachers (notes/exercises/teachers.md):

    python -m notes.exercises 19 --variant 1   another mistake, or other numbers, for another year
    python -m notes.exercises handout 7        exercise-07/page.md: a page to print
    python -m notes.exercises student-copy FOLDER              a copy without the answers
    python -m notes.exercises check --class FOLDER --jobs 2    a table of a class; with --csv FILE,
                     --json FILE, --junit FILE or --gradescope PATH written to files, too

`check` ends with status 0 if all is right, 1 if something is not, and 2 if it cannot be checked.
"""

import argparse
from pathlib import Path

from clip_min.files import printable
from notes.exercises import classroom, cut, page, student_copy
from notes.exercises.checks import CHECKS
from notes.exercises.judge import run_check
from notes.exercises.tasks import EXERCISES
from notes.exercises.variants import exercise_of
from prompts.runs.script import run_script


def main():
    """List the exercises, or do what the first word says → the exit status."""
    flags = parse_flags()
    if not flags.words:
        return check_class(flags) if flags.class_folder else list_all()
    command, *rest = flags.words if flags.words[0] in COMMANDS else ["show", *flags.words]
    if flags.class_folder and command != "check":
        raise ValueError("--class belongs to `check`: `check --class FOLDER`.")
    return COMMANDS[command](flags, rest)


def parse_flags():
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m notes.exercises", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="[COMMAND] NUMBER")
    where = "folder that holds your exercise-NUMBER folders (default: this one)"
    parser.add_argument("--folder", type=Path, default=Path("."), help=where)
    parser.add_argument("--variant", type=int, default=0, metavar="SEED", help="0 (default), 1, 2")
    one = "folder with a folder of each student"
    parser.add_argument("--class", dest="class_folder", type=Path, metavar="FOLDER", help=one)
    for name, kind in (("--csv", "FILE"), ("--json", "FILE"), ("--junit", "FILE"),
                       ("--gradescope", "PATH")):
        parser.add_argument(name, type=Path, metavar=kind,
                            help="of `check all` or --class: write the table, too")
    of_one = "of one check of `all` or --class (default: %(default)s)"
    parser.add_argument("--jobs", type=int, default=1, help="checks at the same time (default: 1)")
    parser.add_argument("--seconds", type=int, default=180, help=f"time limit {of_one}")
    parser.add_argument("--memory", type=int, default=4096, metavar="MB",
                        help=f"memory {of_one}, where the system can limit it")
    flags = parser.parse_args()
    for name in ("jobs", "seconds", "memory"):
        if getattr(flags, name) < 1:
            raise ValueError(f"--{name} must be a whole number of at least 1.")
    return flags


def number_of(words):
    """What follows a command → the number of an exercise; ValueError if it is none."""
    if len(words) != 1 or not words[0].isdecimal() or int(words[0]) not in EXERCISES:
        given = " ".join(words)
        raise ValueError(f"There is no exercise {given!r}: choose a number from 1 to "
                         f"{len(EXERCISES)}, alone or behind one of the words "
                         f"{', '.join(list(COMMANDS)[1:])}.")
    return int(words[0])


def file_of(number, folder):
    """A number and the folder of all exercises → where the student's file is."""
    return folder / f"exercise-{number:02}" / Path(EXERCISES[number].file).name


def list_all():
    """Print one line for each exercise."""
    for number, exercise in EXERCISES.items():
        print(f"{number:2}  {exercise.title:46} {exercise.minutes:3} min  {exercise.file}")
    print("\n`python -m notes.exercises 1` begins with the first one.")


def show(flags, words):
    """Print the task, and write the starter unless the file is there."""
    number = number_of(words)
    exercise, _ = exercise_of(number, flags.variant)
    path = file_of(number, flags.folder)
    print(f"Exercise {number}: {exercise.title} ({exercise.minutes} minutes)")
    if exercise.needs:
        print(f"Do first: {', '.join(map(str, exercise.needs))}")
    print(f"\n{exercise.task.strip()}\n")
    if path.exists():
        print(f"Your file {printable(path)} is there already and stays as it is. Delete it to "
              "begin again.")
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(cut.starter(number, exercise, EXERCISES), encoding="utf-8")
        print(f"Your file: {printable(path)} (cut from {exercise.file})")
    print(f"Check it:  python -m notes.exercises check {number}{with_folder(flags)}")


def with_folder(flags):
    """The words of the command line for another folder than this one."""
    return "" if flags.folder == Path(".") else f" --folder {printable(flags.folder)}"


def check(flags, words):
    """Print whether one file, all files, or those of a class are right → the exit status."""
    if flags.class_folder:
        return check_class(flags, [number_of([word]) for word in words])
    if words == ["all"]:
        return classroom.check_all(flags)
    number = number_of(words)
    path = classroom.file_of(number, flags.folder)
    if path is None:
        raise ValueError(f"There is no file {file_of(number, flags.folder)}: `python -m "
                         f"notes.exercises {number}` makes it, and --folder says in which folder "
                         "exercise-NUMBER lies.")
    reason = cut.why_not(number, EXERCISES[number], path, EXERCISES)
    if reason:
        raise ValueError(f"{path} cannot be the answer to exercise {number}: {reason}.")
    wrong = run_check(CHECKS[number], path)
    if wrong is None:
        print(f"Exercise {number} is right.")
        return 0
    print(f"Not yet: {wrong}")
    if not wrong.startswith("still blank"):
        print(f"A hint:  python -m notes.exercises hint {number}")
    return 1


def check_class(flags, numbers=()):
    """Print the table of a class → the exit status."""
    return classroom.check_class(flags.class_folder, numbers or list(EXERCISES), flags)


def hint(flags, words):
    """Print the hint of an exercise."""
    print(EXERCISES[number_of(words)].hint)


def solution(flags, words):
    """Print the project's own lines, and the answer to a variant's question."""
    exercise, variant = exercise_of(number_of(words), flags.variant)
    print(cut.solution(exercise))
    if variant.answer:
        print(f"\nAnswer to the question: {variant.answer}")


def handout(flags, words):
    """Write the page of an exercise, and its figure beside it."""
    number = number_of(words)
    path = page.write(number, flags.variant, file_of(number, flags.folder).parent)
    print(f"Print {printable(path)}.")


def copy(flags, words):
    """Write a student's copy of the project."""
    if len(words) != 1:
        raise ValueError("Name one new folder: `student-copy FOLDER`.")
    student_copy.write(Path(words[0]), flags.variant)
    print(f"{printable(words[0])} is a copy of the project without the exercises' answers.")


COMMANDS = {"show": show, "check": check, "hint": hint, "solution": solution, "handout": handout,
            "student-copy": copy}


if __name__ == "__main__":
    run_script(main)
