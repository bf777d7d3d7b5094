"""A copy of the project for students, without the answers: `student-copy FOLDER`.

The project works in it as it does here: training, evaluation, and the checks. But files that hold
an answer are packed: nobody reads them by accident. It is no secret: who wants to unpack them can,
and the project's own repository has them all. In notes, code that is an answer is taken out, and a
link to what the copy does not have becomes plain words.
"""

import ast
import base64
import re
import shutil
import zlib

from notes.exercises import cut, page
from notes.exercises.tasks import EXERCISES
from notes.exercises.variants import exercise_of

PARTS = ("clip_min", "prompts", "notes", "tests/golden")
SINGLE = ("README.md", "LICENSE", "requirements.txt", "train.py", "eval.py", "tests/__init__.py")
HERE = "notes/exercises"
ANSWERS = ("tasks.py", "variants.py", "plain_towers.py", "checks/*.py")  # below this folder
NOT_FOR_STUDENTS = ("teachers.md", "plans.md", "exam.md", "sample-report.md", "points.csv")
OPEN = 22  # many ways are right: its lines are nobody's answer
SHORT = 30  # characters: a shorter statement is in many files

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
    exercise_of(1, seed)  # is there such a variant?
    ignored = shutil.ignore_patterns("__pycache__", "exercise-*", "starters", "answers")
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
    answers = [answer for number in EXERCISES for answer in answers_of(number)]
    for path in folder.glob("**/*.py"):
        if path.parent.name != "starters" and has_answer(path.read_text("utf-8"), answers):
            packed.add(path)
    for path in packed - {exercises / "checks" / "__init__.py"}:
        path.write_text(pack(path.read_text(encoding="utf-8")), encoding="utf-8")
    for path in folder.glob("**/*.md"):
        path.write_text(for_students(path, answers), encoding="utf-8")


def write_exercise(number, seed, folder):
    """The page of an exercise in its folder, and its starter where `show` finds it."""
    exercise, _ = exercise_of(number, seed)
    page.write(number, seed, folder / f"exercise-{number:02}")
    starter = folder / cut.READY.relative_to(cut.ROOT) / f"{number:02}.py"
    starter.parent.mkdir(exist_ok=True)
    starter.write_text(cut.starter(number, exercise, EXERCISES), encoding="utf-8")


def answers_of(number):
    """A number → the statements that are its answer, as Python writes them; none for number 22."""
    if number == OPEN:
        return []
    exercise = EXERCISES[number]
    source, found = cut.read(exercise.file), []
    for place in cut.places_of(exercise):
        first, end = cut.span(source, place)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.stmt) and first < node.lineno <= end:
                simple = not getattr(node, "body", None)
                found += [ast.unparse(node)] if simple else []
    return [each for each in found if len(each) >= SHORT and each[0] not in "\"'"]


def has_answer(text, answers):
    """Whether one of these statements is in a text: Python as it is written anew, or a note."""
    try:
        text = ast.unparse(ast.parse(text))
    except SyntaxError:
        pass
    return any(answer in text for answer in answers)


def for_students(path, answers):
    """A note of the copy → its text without code that is an answer, and without dead links."""
    blocks = re.split(r"(\n(?:    .*\n|\n)+)", path.read_text(encoding="utf-8"))
    kept = ["\n    (an exercise asks for these lines)\n\n" if is_code(block)
            and has_parts(block, answers) else block for block in blocks]

    def link(found):
        target = found[2].partition("#")[0]
        is_dead = target and "://" not in target and not (path.parent / target).exists()
        return found[1] if is_dead else found[0]

    return re.sub(r"(?<!!)\[([^\]\n]+)\]\(([\w./#-]+)\)", link, "".join(kept))


def is_code(block):
    """Whether a part of a note is indented, as code is."""
    return block.strip("\n").startswith("    ")


def has_parts(block, answers):
    """Whether a line of code in a note is an answer's, or begins as one does."""
    lines = [re.sub(r"\s+#.*", "", line).strip() for line in block.splitlines()]
    return any(len(line) >= SHORT and (line in answer or answer in line) for line in lines
               for answer in answers)


def pack(source):
    """The text of a Python file → one that does the same, and cannot be read.

    >>> "secret" in pack("secret = 1")
    False
    """
    text = base64.b85encode(zlib.compress(source.encode())).decode()
    lines = [text[i : i + 96] for i in range(0, len(text), 96)]
    return PACKED.format("\n".join(lines))
