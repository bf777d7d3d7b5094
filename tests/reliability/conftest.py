"""What several tests run on."""

import warnings

import pytest

from clip_min.tokenizer import save_merges
from clip_min.world import benchmarks
from prompts.experiments import flags
from tests.reliability.weight_files import MERGES, small_weights


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
