"""The check of the exercise on results that older code left behind: 26."""

import ast
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from notes.exercises.cut import ROOT
from notes.exercises.judge import need, of_type

BEFORE = "def f(x):\n    y = x + 1\n    return y\n"
CLASS = "class C:\n    a = 1\n"
SECOND = BEFORE.replace("f(", "g(")
SAME = {"a comment": "def f(x):\n    y = x + 1  # one more\n    return y\n",
        "a docstring": 'def f(x):\n    """One more."""\n    y = x + 1\n    return y\n',
        "an empty line": "def f(x):\n    y = x + 1\n\n    return y\n",
        "a docstring of the file": f'"""A file."""\n\n{BEFORE}',
        "a docstring of a class": f'{BEFORE}\nclass C:\n    """One."""\n\n    a = 1\n'}
OTHER = {"a number (1 became 2)": BEFORE.replace("1", "2"),
         "a sign (+ became -)": BEFORE.replace("+", "-"),
         "a name (y became z)": BEFORE.replace("y", "z"), "a string": f'{BEFORE}\nNAME = "a"\n',
         "that string (a became b)": f'{BEFORE}\nNAME = "b"\n',
         "the first line of a function": BEFORE.replace("y = x + 1", "y = x + 3"),
         "the last line of a function": BEFORE.replace("return y", "return x"),
         "a line at the top of a function without a docstring": "def f(x):\n    return x\n",
         "the order of two lines": "def f(x):\n    return y\n    y = x + 1\n",
         "a second function": f"{BEFORE}\n\n{SECOND}",
         "the first of two functions": f"{BEFORE.replace('1', '4')}\n\n{SECOND}",
         "a line in an inner class": f"{BEFORE}\n{CLASS}",
         "that line (1 became 2)": f"{BEFORE}\nclass C:\n    a = 2\n",
         "the kind of a number (1 became 1.0)": BEFORE.replace("1", "1.0"),
         "a number that became a string": BEFORE.replace("1", '"1"'),
         "a capital letter": BEFORE.replace("y", "Y"),
         "spaces in a string": f'{BEFORE}\nNAME = "a  b"\n',
         "one of these spaces": f'{BEFORE}\nNAME = "a b"\n',
         "what follows # in a string": f'{BEFORE}\nNAME = "#a"\n',
         "that letter behind # (a became b)": f'{BEFORE}\nNAME = "#b"\n',
         "a default value": BEFORE.replace("(x)", "(x=1)"),
         "that value (1 became 2)": BEFORE.replace("(x)", "(x=2)"),
         "a decorator": f"@cache\n{BEFORE}", "an import": f"import a\n{BEFORE}",
         "that import (a became b)": f"import b\n{BEFORE}",
         "a condition": "def f(x):\n    if x:\n        y = x + 1\n    return y\n",
         "the indentation of a line": "def f(x):\n    if x:\n        y = x + 1\n        return y\n",
         "the end of a long file": f"{BEFORE * 50}\nNAME = 1\n",
         "that end (1 became 2)": f"{BEFORE * 50}\nNAME = 2\n"}


def stale_result(student):
    """26: the digests of one and of two small files, edited in many ways; a second process."""
    with tempfile.TemporaryDirectory() as folder:
        digests = Digests(student, Path(folder))
        digest = digests.of(BEFORE)
        need(len(digest) == 8, f"A digest has 8 digits, and not {len(digest)}: {digest}.")
        need(digest == digests.of(BEFORE), "The same code twice gave two digests.")
        seen = {digest: "the code as it was"}
        for what, text in OTHER.items():
            other = digests.of(text)
            need(other not in seen,
                 f"Another digest is wanted for {what}; it is that of {seen.get(other)}. A result "
                 "of the old code would be taken for one of the new code.")
            seen[other] = what
        (Path(folder) / "other.py").write_text(BEFORE, encoding="utf-8")
        need(student.digest_of_code(Path(folder) / "other.py") != digest,
             "A file got another name, and the digest is the same: names count, too.")
        first, last = OTHER["a number (1 became 2)"], OTHER["a sign (+ became -)"]
        both = digests.of(BEFORE, BEFORE)
        for place, texts in (("first", (first, BEFORE)), ("last", (BEFORE, last))):
            need(digests.of(*texts) != both,
                 f"Of two files, the {place} one was edited, and the digest is the same.")
        need(digests.of(first, last) != digests.of(last, first), "The order of files counts.")
        for what, text in SAME.items():
            before = f"{BEFORE}\n{CLASS}" if "class" in what else BEFORE
            need(digests.of(text) == digests.of(before),
                 f"{what} was added, and the digest changed: a run would be repeated.")
        ask_a_second_process(student, Path(folder), digest)


UNSTABLE = {"hash", "id", "set", "frozenset"}  # what they give depends on the process


def ask_a_second_process(student, folder, digest):
    """Raises Wrong if Python gives other digests when it is started again."""
    path = Path(student.__file__)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [each for each in tree.body if getattr(each, "name", "") != "files_imported"]
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    if not names & UNSTABLE and not any(isinstance(node, (ast.Set, ast.SetComp)) for node
                                        in ast.walk(tree)):
        return  # it would take seconds
    again = folder / "0.py"  # the name that it had before
    again.write_text(BEFORE, encoding="utf-8")
    code = ("import sys; from pathlib import Path; from notes.exercises.judge import load; "
            "print(load(Path(sys.argv[1])).digest_of_code(Path(sys.argv[2])))")
    for seed in "12":  # of `hash`
        process = subprocess.run([sys.executable, "-c", code, path, again], cwd=ROOT,
                                 encoding="utf-8", env={**os.environ, "PYTHONHASHSEED": seed},
                                 capture_output=True, timeout=120)
        got = process.stdout.strip()
        need(got == digest,
             f"When Python starts again, the same code has another digest: {got}, and {digest} "
             "before. `hash` and the order of a set are new in each process, so no result would "
             "ever be found again.")


class Digests:
    """Writes texts to new files, and asks the student's digest_of_code for their digest."""

    def __init__(self, student, folder):
        self.student, self.folder, self.number = student, folder, 0

    def of(self, *texts):
        """Texts of Python files → their digest."""
        files = []
        self.number += 1  # a new folder each time, and the same names: names count
        folder = self.folder / str(self.number)
        folder.mkdir()
        for i, text in enumerate(texts):
            files.append(folder / f"{i}.py")
            files[-1].write_text(text, encoding="utf-8")
        return of_type(self.student.digest_of_code(*files), str, "digest_of_code")
