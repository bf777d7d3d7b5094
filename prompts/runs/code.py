"""The code that a result depends on, as digests: what a reader edits must give a new result.

Whole folders count, never a list of files: all of clip_min/ and prompts/runs/, and train.py. To
them comes the method's file, and every file of the project that it imports. Comments, docstrings
and file layout do not count.
"""

import ast
import functools
import hashlib
import sys
from pathlib import Path

from prompts import METHODS

ROOT = Path(__file__).parents[2]
FOLDERS = ("clip_min", "prompts/runs")


def code_of(name):
    """A method's name → {place: 8 hexadecimal digits} of all code that its results depend on."""
    method = METHODS[name]
    file = Path(sys.modules[method.__module__].__file__)
    code = {folder: digest_of_code(*python_files(folder)) for folder in FOLDERS}
    code["train.py"] = digest_of_code(ROOT / "train.py")
    for each in sorted(files_imported(file)):
        code[each.relative_to(ROOT).as_posix()] = digest_of_code(each)
    where = file.relative_to(ROOT).as_posix() if file.is_relative_to(ROOT) else file.name
    return {**code, where: f"{digest_of_code(file)} {method.__qualname__}"}


def python_files(folder):
    """A folder of the project → all Python files in it, sorted."""
    return sorted((ROOT / folder).rglob("*.py"))


def files_imported(file):
    """A method's file → what it imports of the project, also through others, outside FOLDERS."""
    found, unread = {file}, [file]
    while unread:
        for name in names_imported(unread.pop()):
            path = file_of_module(name)
            if path and path not in found and not is_in_folders(path):
                found.add(path)
                unread.append(path)
    return found - {file}


def is_in_folders(path):
    """Whether a file counts anyway."""
    return any(path.is_relative_to(ROOT / folder) for folder in FOLDERS)


def names_imported(file):
    """A Python file → full names of all that it imports: "prompts.helper", "prompts.helper.f"."""
    package = file.relative_to(ROOT).parts[:-1] if file.is_relative_to(ROOT) else ()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join([*start, *filter(None, [node.module])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def file_of_module(name):
    """The full name of a module of the project → its file; None for all others."""
    path = ROOT.joinpath(*name.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None


def digest_of_code(*files):
    """Python files → 8 hexadecimal digits that change with their code and their names, not with
    comments or docstrings, nor from one version of Python to the next."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name} {digest_of_text(file.read_bytes())}\n".encode())
    return digest.hexdigest()[:8]


@functools.cache
def digest_of_text(text):
    """The bytes of a Python file → the SHA-256 of its code."""
    return hashlib.sha256(repr(outline(ast.parse(text))).encode()).hexdigest()


def outline(node):
    """A parsed file → its code as nested lists."""
    if isinstance(node, list):
        return [outline(each) for each in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    parts = [type(node).__name__]
    for name, value in ast.iter_fields(node):
        if name == "body" and isinstance(value, list) and is_docstring(value[0] if value else None):
            value = value[1:]
        if value is not None and value != []:
            parts += [name, outline(value)]
    return parts


def is_docstring(node):
    """Whether a statement is a text that nothing is done with."""
    text = node.value if isinstance(node, ast.Expr) else None
    return isinstance(text, ast.Constant) and isinstance(text.value, str)
