"""The exercises on the command line. Run it in the folder of this repository.

    python -m notes.exercises                  list them
    python -m notes.exercises 7                show number 7 and put its starter into ./exercise-07/
    python -m notes.exercises check 7          is my file right? If not: what is wrong, in words
    python -m notes.exercises solution 7       show the project's own lines

`check` ends with status 0 if the answer is right, 1 if it is not, and 2 if it cannot be checked.
"""

import argparse
import sys
from pathlib import Path

from notes.exercises import cut
from notes.exercises.checks import run_check
from notes.exercises.tasks import EXERCISES
from prompts.experiments.flags import run_script


def main():
    parser = argparse.ArgumentParser(prog="python -m notes.exercises", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("words", nargs="*", metavar="[check | solution] NUMBER")
    parser.add_argument("--folder", type=Path, help="where your file lies (default: exercise-NUMBER, here)")
    flags = parser.parse_args()
    *command, word = flags.words or ["list"]
    if flags.words and (command not in ([], ["check"], ["solution"])):
        raise ValueError(f"`{' '.join(flags.words)}` is no command: write a number, `check` and a number, or "
                         "`solution` and a number.")  # fmt: skip
    if not flags.words:
        return list_all()
    if not word.isdecimal() or int(word) not in EXERCISES:
        raise ValueError(f"There is no exercise {word!r}: choose a number from 1 to {len(EXERCISES)}.")
    number = int(word)
    exercise = EXERCISES[number]
    path = (flags.folder or Path(f"exercise-{number:02}")) / Path(exercise.file).name
    if command == ["solution"]:
        print(cut.solution(exercise))
    elif command == ["check"]:
        check(number, exercise, path)
    else:
        show(number, exercise, path)


def list_all():
    for number, exercise in EXERCISES.items():
        print(f"{number:2}  {exercise.title:58} {exercise.minutes:3} min  {exercise.file}")
    print("\n`python -m notes.exercises 1` begins with the first one.")


def show(number, exercise, path):
    """Print the task, and write the starter unless the file is there."""
    after = f"\nDo first: {', '.join(map(str, exercise.needs))}" if exercise.needs else ""
    print(f"Exercise {number}: {exercise.title} ({exercise.minutes} minutes){after}\n\n{exercise.task.strip()}\n")
    if path.exists():
        print(f"Your file {path} is there already and stays as it is. Delete it to begin again.")
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(cut.starter(number, exercise), encoding="utf-8")
        print(f"Your file: {path} (cut from {exercise.file})")
    folder = "" if path.parent.name == f"exercise-{number:02}" and len(path.parts) == 2 else f" --folder {path.parent}"
    print(f"Check it:  python -m notes.exercises check {number}{folder}")


def check(number, exercise, path):
    if not path.is_file():
        raise ValueError(f"There is no file {path}: `python -m notes.exercises {number}` makes it, and --folder says "
                         "where to look.")  # fmt: skip
    wrong = run_check(number, path)
    if wrong is None:
        print(f"Exercise {number} is right.")
        return
    print(f"Not yet: {wrong}")
    if "still blank" not in wrong:
        print(f"Hint: {exercise.hint}")
    sys.exit(1)


if __name__ == "__main__":
    run_script(main)
