"""How the project is built: imports point down, rooms are listed, files can be read.

Each test names all offenders at once.
"""

import ast
import doctest
import importlib
import re
import subprocess
import sys

from prompts import METHODS
from tests.helpers import ROOT

FOLDERS = ("clip_min", "prompts", "notes", "tests")
PATHS = [*ROOT.glob("*.py")]
for folder in FOLDERS:
    PATHS += (ROOT / folder).rglob("*.py")
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in PATHS}
TREES = {file: ast.parse(text) for file, text in TEXTS.items()}
PRODUCT = [file for file in TREES if not file.startswith("tests/")]
METHOD_FILES = {f"{method.__module__.replace('.', '/')}.py" for method in METHODS.values()}
MOST_ARGUMENTS = 5  # of a function; `self` and the constructors of modules are not counted
# Painters: what they draw is told by a place, a size and a colour, as in Pillow's own functions.
PAINTERS = [f"clip_min/world/{kind}.py" for kind in ("satellite", "scenes", "textures")]


def imported(node):
    """A parsed file → the full names of all that it imports, "clip_min.data.few_shot" and so on."""
    for each in ast.walk(node):
        if isinstance(each, ast.Import):
            yield from (alias.name for alias in each.names)
        elif isinstance(each, ast.ImportFrom):
            yield from (f"{each.module}.{alias.name}" for alias in each.names)


def must_not_import(file):
    """A file → a pattern of the names that lie above it, or beside it where that is not allowed."""
    above = r"(notes|tests|train|eval)\b"
    if file.startswith("clip_min/world/"):
        return rf"{above}|prompts\b|clip_min\.data\b"
    if file.startswith("clip_min/") or file in METHOD_FILES:
        return rf"{above}|prompts\b"
    if file.startswith("prompts/runs/"):
        return rf"{above}|prompts\.reports\b"
    if file == "prompts/__init__.py":
        return rf"{above}|prompts\.(runs|reports)\b"
    if file.startswith("prompts/"):
        return above
    return {"train.py": r"(notes|tests)\b", "eval.py": r"(notes|tests)\b"}.get(
        file, r"eval\b" if file.startswith("notes/") else r"never\b")


def test_imports_point_down_only_and_none_is_hidden_in_a_function():
    """In a function it would hide a circle of imports."""
    found = []
    for file, tree in TREES.items():
        forbidden = re.compile(must_not_import(file))
        found += [(file, name) for name in imported(tree) if forbidden.match(name)]
        for function in ast.walk(tree):
            if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                names = [name.split(".")[0] for name in imported(function)]
                found += [(file, function.name) for name in names
                          if name in (*FOLDERS, "train", "eval")]
    assert found == [], found


def test_a_method_is_one_file_that_imports_torch_clip_min_and_the_standard_library():
    allowed = {"torch", "clip_min", "math", "functools"}
    found = [(file, name) for file in METHOD_FILES for name in imported(TREES[file])
             if name.split(".")[0] not in allowed]
    files = {file for file in TREES if re.fullmatch(r"prompts/\w+\.py", file)}
    assert found == [] and files == {"prompts/__init__.py", *METHOD_FILES}


def test_a_method_reads_neither_the_world_nor_the_data_sets():
    """What a student imports first is small: `import prompts.coop`."""
    code = "import sys, prompts.coop; print(*[name for name in sys.modules if 'clip_min' in name])"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.split()
    assert "clip_min.model" in loaded and len(loaded) <= 27
    assert [name for name in loaded if name.startswith(("clip_min.world", "clip_min.data"))] == []


def test_a_package_lists_its_rooms():
    missing = []
    for file, tree in TREES.items():
        folder = (ROOT / file).parent
        if not file.endswith("/__init__.py"):
            continue
        rooms = {path.name for path in folder.glob("*.py") if not path.name.startswith("test_")}
        rooms |= {f"{path.parent.name}/" for path in folder.glob("*/*.py")}
        rooms -= {"__init__.py", "__main__.py", "conftest.py"}
        text = ast.get_docstring(tree) or ""
        missing += [(file, room) for room in sorted(rooms) if room not in text]
    assert missing == [], missing


def arguments_of(function):
    """A parsed function → the names of its arguments, without `self`."""
    names = [each.arg for each in (*function.args.args, *function.args.kwonlyargs)]
    return names[1:] if names[:1] == ["self"] else names


def test_files_can_be_read():
    """Lines have at most 100 characters, none is kept from the formatter, no call holds a walrus,
    and a function takes at most five arguments: more means that a small dataclass is missing."""
    found = []
    for file, text in TEXTS.items():
        lines = enumerate(text.splitlines(), start=1)
        found += [(file, number, "long") for number, line in lines if len(line) > 100]
        if re.search("# fmt" + ": (?:skip|off)", text):
            found.append((file, "fmt"))
        for node in ast.walk(TREES[file]):
            if isinstance(node, ast.Call):
                values = [*node.args, *(keyword.value for keyword in node.keywords)]
                found += [(file, inner.lineno, "walrus") for value in values
                          for inner in ast.walk(value) if isinstance(inner, ast.NamedExpr)]
            is_counted = file in PRODUCT and file not in PAINTERS
            if is_counted and isinstance(node, ast.FunctionDef) and node.name != "__init__":
                if len(arguments_of(node)) > MOST_ARGUMENTS:
                    found.append((file, node.name, "arguments"))
    assert found == [], found


def public_names(node, prefix=""):
    """A parsed file → (name, node) of its public functions and classes, and of their methods."""
    for child in node.body:
        is_named = isinstance(child, (ast.FunctionDef, ast.ClassDef))
        if is_named and not child.name.startswith("_"):
            yield prefix + child.name, child
            if isinstance(child, ast.ClassDef):
                yield from public_names(child, f"{child.name}.")


def test_every_file_public_function_and_class_says_what_it_is():
    found = [file for file, tree in TREES.items() if not ast.get_docstring(tree)]
    for file in PRODUCT:
        found += [(file, name) for name, node in public_names(TREES[file])
                  if not ast.get_docstring(node)]
    assert found == [], found


def test_every_example_in_a_docstring_gives_what_it_says():
    examples, failed = 0, []
    for file in PRODUCT:
        name = file.removesuffix("/__init__.py").removesuffix(".py").replace("/", ".")
        if ">>>" not in TEXTS[file] or name.endswith("__main__"):
            continue
        found = doctest.testmod(importlib.import_module(name))
        examples += found.attempted
        failed += [name] if found.failed else []
    assert failed == [] and examples > 60
