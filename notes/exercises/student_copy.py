"""A copy of the project for students, without the answers: `student-copy FOLDER`.

The project works in it as it does here: training, evaluation, and the checks. But the files from
which exercises are cut, and those that tell answers, are packed: nobody reads them by accident. It
is no secret: who wants to unpack them can, and the project's own repository has them all.
"""

import base64
import shutil
import zlib

from notes.exercises import cut, page
from notes.exercises.tasks import EXERCISES
from notes.exercises.variants import exercise_of

PARTS = ("clip_min", "prompts", "notes", "tests/golden")
SINGLE = ("README.md", "LICENSE", "requirements.txt", "train.py", "eval.py", "tests/__init__.py")
HERE = "notes/exercises"
ANSWERS = ("tasks.py", "variants.py", "plain_towers.py", "checks/*.py")  # below this folder
NOT_FOR_STUDENTS = ("teachers.md", "plans.md", "sample-report.md")

PACKED = (cut.PACKED + ''' Your exercise-NUMBER folder has it to read."""

import base64
import zlib

TEXT = """
{}
"""
exec(compile(zlib.decompress(base64.b85decode(TEXT.replace("\\n", ""))), __file__, "exec"))
''')


def write(folder, seed=0):
    """A new folder and a variant's seed → the copy. Raises ValueError if the folder is there."""
    if folder.exists():
        raise ValueError(f"{folder} is there already: name a new folder.")
    ignored = shutil.ignore_patterns("__pycache__", "exercise-*", "starters")
    for part in PARTS:
        shutil.copytree(cut.ROOT / part, folder / part, ignore=ignored)
    for file in SINGLE:
        shutil.copy(cut.ROOT / file, folder / file)
    exercises = folder / HERE
    for number in EXERCISES:
        write_exercise(number, seed, folder)
    for name in NOT_FOR_STUDENTS:
        (exercises / name).unlink(missing_ok=True)
    packed = {folder / exercise.file for exercise in EXERCISES.values()}
    for pattern in ANSWERS:
        packed.update(exercises.glob(pattern))
    for path in packed - {exercises / "checks" / "__init__.py"}:
        path.write_text(pack(path.read_text(encoding="utf-8")), encoding="utf-8")


def write_exercise(number, seed, folder):
    """The page of an exercise in its folder, and its starter where `show` finds it."""
    exercise, _ = exercise_of(number, seed)
    page.write(number, seed, folder / f"exercise-{number:02}")
    starter = folder / cut.READY.relative_to(cut.ROOT) / f"{number:02}.py"
    starter.parent.mkdir(exist_ok=True)
    starter.write_text(cut.starter(number, exercise, EXERCISES), encoding="utf-8")


def pack(source):
    """The text of a Python file → one that does the same, and cannot be read.

    >>> "secret" in pack("secret = 1")
    False
    """
    text = base64.b85encode(zlib.compress(source.encode())).decode()
    lines = [text[i : i + 96] for i in range(0, len(text), 96)]
    return PACKED.format("\n".join(lines))
