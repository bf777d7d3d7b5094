"""CLIPs that many tests use, and the start of what runs beside the tests."""

import os
import signal
import warnings

import pytest
import torch

from clip_min import load_clip
from clip_min.data.names import note_once
from clip_min.model import build_clip
from clip_min.tokenizer import save_merges
from clip_min.world import benchmarks
from prompts.runs import script as flags
from tests import beside
from tests.golden.weights import golden_state_dict
from tests.helpers import GOLDEN, letters_tokenizer
from tests.weight_files import MERGES, small_weights

torch.set_num_threads(1)  # models this small are slower with two
os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start


def pytest_collection_finish(session):
    """Programs that take long start now."""
    if not session.config.option.collectonly:
        for item in session.items:
            beside.start(getattr(item, "fixturenames", ()))


def pytest_sessionfinish():
    """What has not started by now is not waited for."""
    beside.ONE_AFTER_THE_OTHER.shutdown(wait=False, cancel_futures=True)


@pytest.fixture(scope="session")
def golden_clip(tmp_path_factory):
    """The golden figures' small vision transformer; its tokenizer needs no vocabulary file."""
    clip = build_clip(golden_state_dict(GOLDEN["vit"]["shapes"]))
    clip.tokenizer = letters_tokenizer(tmp_path_factory.mktemp("merges"), openai_ids=True)
    return clip


@pytest.fixture(scope="session")
def golden_resnet(golden_clip):
    """The small ResNet of the golden figures."""
    clip = build_clip(golden_state_dict(GOLDEN["rn"]["shapes"]))
    clip.tokenizer = golden_clip.tokenizer
    return clip


@pytest.fixture(scope="session", params=["golden", "tiny"])
def clip(request, golden_clip):
    return golden_clip if request.param == "golden" else load_clip("tiny")


@pytest.fixture(autouse=True)
def default_end():
    """SIGTERM ends a process, as before a script was called in this one.

    A script answers it in Python. The workers of a pool inherit that, and one that the signal
    reaches just before it waits for a lock waits for ever.
    """
    yield
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def nothing_was_noted():
    """A note that is given once in a process is given once in a test."""
    note_once.cache_clear()


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


def pytest_ignore_collect(collection_path, config):
    """The attacks are run when they are asked for: `pytest tests/hostile`."""
    if collection_path.name == "hostile" and not any("hostile" in each for each in config.args):
        return True
    return None
