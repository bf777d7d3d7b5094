"""What the tests of the scripts run on."""

import warnings

import pytest

from clip_min.world import benchmarks
from prompts.experiments import flags


@pytest.fixture(scope="module")
def few_pictures():
    """A world of a few pictures; what a script changes in its process is undone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(benchmarks, "PICTURES", {"train": 3, "val": 4, "test": 2})
        patch.setattr(flags, "keep_freed_memory", lambda: None)  # it changes the whole process,
        patch.setattr(
            warnings, "formatwarning", warnings.formatwarning
        )  # and so does this: undone afterwards
        yield
