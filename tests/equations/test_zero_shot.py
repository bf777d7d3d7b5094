"""Zero-shot CLIP against Eq. (1), written out once more in the plainest way."""

import numpy as np
import pytest
import torch

from clip_min.data import Dataset
from prompts import zero_shot as zero_shot_file
from prompts.runs.store import make_method
from tests.helpers import NAMES, make, pictures


def text_feature(clip, text):
    """One text → its feature [E] as an array of length 1."""
    w = clip.encode_text(clip.tokenizer([text], clip.context_length))[0].double().numpy()
    return w / np.linalg.norm(w)


def test_zero_shot_is_the_softmax_over_cosines_written_out(clip):
    """CoOp Eq. (1) = UPT Eq. (1): p(y=i|x) = exp(cos(w_i, f)/tau) / sum_j exp(cos(w_j, f)/tau)."""
    method = make(clip, "zero_shot", template="a {} texture.")
    images, tau = pictures(clip), np.exp(-clip.logit_scale.item())
    words = [text_feature(clip, f"a {name.replace('_', ' ')} texture.") for name in NAMES]
    for image, ours in zip(images, method(images).softmax(dim=-1)):
        f = clip.encode_image(image[None])[0].double().numpy()
        cosines = [w @ f / np.linalg.norm(f) for w in words]
        total = sum(np.exp(c / tau) for c in cosines)
        assert np.allclose(ours.numpy(), [np.exp(c / tau) / total for c in cosines], atol=1e-5)


def test_an_ensemble_is_normalised_averaged_and_normalised(clip):
    """CoOp, Sec. 3.3, prompt ensembling: the seven published templates and the data set's own."""
    templates = [
        "itap of a {}.",
        "a bad photo of the {}.",
        "a origami {}.",
        "a photo of the large {}.",
        "a {} in a video game.",
        "art of the {}.",
        "a photo of the small {}.",
        "a centered satellite photo of {}.",
    ]
    method = make(clip, "zero_shot", template=templates[-1], templates="ensemble")
    for name, ours in zip(NAMES, method.weights):
        texts = [template.format(name.replace("_", " ")) for template in templates]
        mean = np.mean([text_feature(clip, text) for text in texts], axis=0)
        assert np.allclose(ours.numpy(), mean / np.linalg.norm(mean), atol=1e-5)


def test_an_ensemble_of_one_template_is_that_template(clip, monkeypatch):
    monkeypatch.setattr(zero_shot_file, "ENSEMBLE", ("a {} texture.",) * 7)
    alone = make(clip, "zero_shot", template="a {} texture.")
    together = make(clip, "zero_shot", template="a {} texture.", templates="ensemble")
    assert torch.allclose(alone.weights, together.weights, atol=1e-6)
    assert not torch.allclose(alone.weights, make(clip, "zero_shot").weights, atol=1e-3)


def test_zero_shot_refuses_an_unknown_choice_of_templates(golden_clip):
    with pytest.raises(ValueError, match="dataset.*seven.*ensemble.*not 'foo'"):
        make(golden_clip, "zero_shot", templates="foo")


def test_on_imagenet_the_ensemble_is_the_seven_alone(golden_clip):
    """CoOp, Sec. 3.3: the seven were chosen on ImageNet, and its own template is not among them."""
    names = ("imagenet", "imagenet_a", "dtd")
    sets = [Dataset(name, ["cat", "dog"], ["a photo of a {}."], [], [], []) for name in names]
    options = dict(templates="ensemble")
    made = [make_method("zero_shot", golden_clip, each, options).templates for each in sets]
    assert [len(templates) for templates in made] == [7, 7, 8] and made[0] == made[2][:7]
