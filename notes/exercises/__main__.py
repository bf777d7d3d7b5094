"""The exercises on the command line. Run it in the folder of this repository.

    python -m notes.exercises                  list them
    python -m notes.exercises 7                show number 7 and put its starter into ./exercise-07/
    python -m notes.exercises check 7          is my file right? If not: what is wrong, in words
    python -m notes.exercises solution 7       show the project's own lines

`check` ends with status 0 if the answer is right, 1 if it is not, and 2 if it cannot be checked.
"""

import argparse
from pathlib import Path

from notes.exercises import cut
from notes.exercises.checks import CHECKS
from notes.exercises.judge import run_check
from notes.exercises.tasks import EXERCISES
from prompts.experiments.flags import run_script


def main():
    """List the exercises, show one, check an answer, or show the project's lines."""
    parser = argparse.ArgumentParser(
        prog="python -m notes.exercises",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("words", nargs="*", metavar="[check | solution] NUMBER")
    where = "folder of your file (default: exercise-NUMBER, here)"
    parser.add_argument("--folder", type=Path, help=where)
    flags = parser.parse_args()
    if not flags.words:
        return list_all()
    *command, word = flags.words
    if command not in ([], ["check"], ["solution"]):
        raise ValueError(
            f"`{' '.join(flags.words)}` is not a command: write a number, `check` and a number, or "
            "`solution` and a number."
        )
    if not word.isdecimal() or int(word) not in EXERCISES:
        raise ValueError(
            f"There is no exercise {word!r}: choose a number from 1 to {len(EXERCISES)}."
        )
    number = int(word)
    path = (flags.folder or Path(f"exercise-{number:02}")) / Path(EXERCISES[number].file).name
    if command == ["solution"]:
        print(cut.solution(EXERCISES[number]))
    elif command == ["check"]:
        return check(number, path)
    else:
        show(number, path)


def list_all():
    """Print one line for each exercise."""
    for number, exercise in EXERCISES.items():
        print(f"{number:2}  {exercise.title:46} {exercise.minutes:3} min  {exercise.file}")
    print("\n`python -m notes.exercises 1` begins with the first one.")


def show(number, path):
    """Print the task, and write the starter unless the file is there."""
    exercise = EXERCISES[number]
    print(f"Exercise {number}: {exercise.title} ({exercise.minutes} minutes)")
    if exercise.needs:
        print(f"Do first: {', '.join(map(str, exercise.needs))}")
    print(f"\n{exercise.task.strip()}\n")
    if path.exists():
        print(f"Your file {path} is there already and stays as it is. Delete it to begin again.")
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(cut.starter(number, exercise), encoding="utf-8")
        print(f"Your file: {path} (cut from {exercise.file})")
    is_usual = path.parent == Path(f"exercise-{number:02}")
    folder = "" if is_usual else f" --folder {path.parent}"
    print(f"Check it:  python -m notes.exercises check {number}{folder}")


def check(number, path):
    """Print whether the file at this path is right → exit status: 0 if it is, else 1."""
    if not path.is_file():
        raise ValueError(
            f"There is no file {path}: `python -m notes.exercises {number}` makes it, and --folder "
            "says where to look."
        )
    wrong = run_check(CHECKS[number], path)
    if wrong is None:
        print(f"Exercise {number} is right.")
        return 0
    print(f"Not yet: {wrong}")
    if "still blank" not in wrong:
        print(f"Hint: {EXERCISES[number].hint}")
    return 1


if __name__ == "__main__":
    run_script(main)
