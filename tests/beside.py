"""Fixtures that a second thread computes while the other tests run.

They wait for programs in processes of their own, so they keep the second core busy. conftest.py
starts those that the chosen tests use, one after the other, before the first test.
"""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ONE_AFTER_THE_OTHER = ThreadPoolExecutor(max_workers=1)
FOLDER = tempfile.TemporaryDirectory(prefix="beside-", ignore_cleanup_errors=True)
FUNCTIONS, FUTURES = {}, {}  # by the name of the fixture


def beside(function):
    """function(empty folder) → a fixture of its name: what it returns, or its exception."""
    name = function.__name__
    FUNCTIONS[name] = function

    @pytest.fixture(scope="session", name=name)
    def value():
        return FUTURES[name].result()

    return value


def start(names):
    """Start those of these fixtures that are computed beside the tests, each once."""
    for name in names:
        if name in FUNCTIONS and name not in FUTURES:
            folder = Path(FOLDER.name) / name
            folder.mkdir()
            FUTURES[name] = ONE_AFTER_THE_OTHER.submit(FUNCTIONS[name], folder)
