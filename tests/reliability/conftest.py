"""What several tests run on."""

import signal
import warnings

import pytest

from clip_min.tokenizer import save_merges
from clip_min.world import benchmarks
from prompts.experiments import flags
from tests.reliability.weight_files import MERGES, small_weights


@pytest.fixture(autouse=True)
def default_end():
    """SIGTERM ends a process, as before a script was called in this one.

    A script answers it in Python. The workers of a pool inherit that, and one that the signal
    reaches just before it waits for a lock waits for ever.
    """
    yield
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


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


@pytest.fixture(scope="module")
def vit():
    """The small vision transformer's tensors, under OpenAI's names."""
    return small_weights("vit")


@pytest.fixture
def folder(tmp_path):
    """An empty folder with the merges of the small models."""
    save_merges(MERGES, tmp_path / "merges.txt")
    return tmp_path
