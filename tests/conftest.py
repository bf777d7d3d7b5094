"""CLIPs that many tests use, and the start of what runs beside the tests."""

import os

import pytest
import torch

from clip_min import load_clip
from clip_min.model import build_clip
from tests import beside
from tests.golden.weights import golden_state_dict
from tests.helpers import GOLDEN, letters_tokenizer

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
