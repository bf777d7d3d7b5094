"""CLIPs that many tests use."""

import pytest

from clip_min import load_clip
from clip_min.model import build_clip
from tests.golden.weights import golden_state_dict
from tests.helpers import GOLDEN, letters_tokenizer


@pytest.fixture(scope="session")
def golden_clip(tmp_path_factory):
    """The small vision transformer of the golden figures, with a tokenizer that needs no vocabulary file."""
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
