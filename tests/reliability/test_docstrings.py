"""The examples in the docstrings are true."""

import doctest
import importlib
import pkgutil

import pytest

import clip_min
import prompts

MODULES = [
    module.name
    for package in (clip_min, prompts)
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
    if not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_every_example_gives_what_it_says(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    examples = [
        case
        for name in MODULES
        for case in finder.find(importlib.import_module(name))
        if case.examples
    ]
    assert len(examples) > 15
