"""Every public name has a docstring, and the examples in the docstrings are true."""

import ast
import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import clip_min
import notes
import prompts

ROOT = Path(__file__).parents[1]
MODULES = [
    module.name
    for package in (clip_min, prompts, notes)
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
    if not module.name.endswith("__main__")
]
FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.py", "clip_min/**/*.py", "prompts/**/*.py", "notes/**/*.py")
    for path in ROOT.glob(pattern)
)
def public_names(node, prefix=""):
    """A parsed file → (name, node) of its public functions and classes, and of their methods."""
    for child in node.body:
        is_named = isinstance(child, (ast.FunctionDef, ast.ClassDef))
        if is_named and not child.name.startswith("_"):
            yield prefix + child.name, child
            if isinstance(child, ast.ClassDef):
                yield from public_names(child, f"{child.name}.")


@pytest.mark.parametrize("file", FILES)
def test_every_public_function_and_class_has_a_docstring(file):
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{file} does not say what it is."
    without = [name for name, node in public_names(tree) if not ast.get_docstring(node)]
    assert without == []


@pytest.mark.parametrize("name", MODULES)
def test_every_example_gives_what_it_says(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    modules = [importlib.import_module(name) for name in MODULES]
    examples = [case for module in modules for case in finder.find(module) if case.examples]
    assert len(examples) > 15
