"""How the project is built: imports point down, rooms are listed, files can be read."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in (".", "clip_min", "prompts", "notes", "tests")
    for path in (ROOT / folder).glob("*.py" if folder == "." else "**/*.py")
)
PACKAGES = [file for file in FILES if file.endswith("__init__.py") and "/" in file]
METHODS = {"coop", "cocoop", "joint", "linear_probe", "upt", "vpt", "zero_shot"}
MOST_ARGUMENTS = 5  # of a function; `self` and the constructors of modules are not counted

# Painters: what they draw is told by a place, a size and a colour, as in Pillow's own functions.
PAINTERS = [f"clip_min/world/{kind}.py" for kind in ("satellite", "scenes", "textures")]


def tree_of(file):
    """A path below the project's folder → the parsed file."""
    return ast.parse((ROOT / file).read_text(encoding="utf-8"))


def modules_imported(node):
    """A parsed file → the full names of all that it imports, "clip_min.data.few_shot" and so on."""
    for each in ast.walk(node):
        if isinstance(each, ast.Import):
            yield from (alias.name for alias in each.names)
        elif isinstance(each, ast.ImportFrom):
            yield from (f"{each.module}.{alias.name}" for alias in each.names)


def must_not_import(file):
    """A file → a pattern of the names that lie above it, or beside it where that is not allowed."""
    above = r"(notes|tests|train|eval)\b"
    method = re.fullmatch(r"prompts/(\w+)\.py", file)
    if file.startswith("clip_min/"):
        of_data = r"|clip_min\.data\b" if file.startswith("clip_min/world/") else ""
        return rf"{above}|prompts\b{of_data}"
    if method and method[1] in METHODS:
        return rf"{above}|prompts\b"
    if file.startswith("prompts/"):
        of_experiments = r"|prompts\.experiments\b" if method else ""
        return above + of_experiments
    if file in ("train.py", "eval.py"):
        return r"(notes|tests)\b"
    return r"eval\b" if file.startswith("notes/") else r"never\b"


every_file = pytest.mark.parametrize("file", FILES)


@every_file
def test_imports_point_down_only(file):
    forbidden = re.compile(must_not_import(file))
    assert [name for name in modules_imported(tree_of(file)) if forbidden.match(name)] == []


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_method_imports_torch_clip_min_and_the_standard_library(name):
    found = {imported.split(".")[0] for imported in modules_imported(tree_of(f"prompts/{name}.py"))}
    assert found <= {"torch", "clip_min", "math", "functools"}


def test_the_folder_of_the_methods_holds_nothing_else():
    found = {Path(file).stem for file in FILES if re.fullmatch(r"prompts/\w+\.py", file)}
    assert found == {"__init__", *METHODS}


@every_file
def test_no_import_is_hidden_in_a_function(file):
    """There it would hide a circle of imports."""
    hidden = set()
    for function in ast.walk(tree_of(file)):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            hidden |= {name for name in modules_imported(function) if is_ours(name)}
    assert hidden == set()


def is_ours(name):
    """Whether this is a module of the project."""
    return name.split(".")[0] in ("clip_min", "prompts", "notes", "tests", "train", "eval")


def rooms_of(package):
    """A package → its Python files and folders; tests and commands explain themselves."""
    folder = (ROOT / package).parent
    files = {path.name for path in folder.glob("*.py") if not path.name.startswith("test_")}
    folders = {f"{path.parent.name}/" for path in folder.glob("*/*.py")}
    return (files | folders) - {"__init__.py", "__main__.py", "conftest.py"}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_lists_its_rooms(package):
    text = ast.get_docstring(tree_of(package)) or ""
    missing = {room for room in rooms_of(package) if room not in text}
    assert missing == set()


@every_file
def test_lines_have_at_most_100_characters(file):
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    long = [number for number, line in enumerate(lines, start=1) if len(line) > 100]
    assert long == []


@every_file
def test_no_line_is_kept_from_the_formatter(file):
    comments = re.findall("# fmt" + ": (?:skip|off)", (ROOT / file).read_text(encoding="utf-8"))
    assert comments == []


@every_file
def test_no_walrus_stands_in_the_arguments_of_a_call(file):
    found = []
    for call in ast.walk(tree_of(file)):
        if isinstance(call, ast.Call):
            values = [*call.args, *(keyword.value for keyword in call.keywords)]
            inner = [node for value in values for node in ast.walk(value)]
            found += [node.lineno for node in inner if isinstance(node, ast.NamedExpr)]
    assert found == []


@every_file
def test_a_function_takes_at_most_five_arguments(file):
    """More means that a small dataclass is missing. A constructor has one for each option."""
    if file.startswith("tests/") or file in PAINTERS:
        return
    many = []
    for function in ast.walk(tree_of(file)):
        if isinstance(function, ast.FunctionDef) and function.name != "__init__":
            arguments = function.args
            names = [each.arg for each in (*arguments.args, *arguments.kwonlyargs)]
            if len(names) - (names[:1] == ["self"]) > MOST_ARGUMENTS:
                many.append(function.name)
    assert many == []
