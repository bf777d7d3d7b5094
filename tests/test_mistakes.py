"""The mistakes of notes/mistakes.py: each changes what it says, then all is as before."""

import copy
import functools

import torch

import train
from clip_min import load_clip
from notes import mistakes
from prompts.runs.store import make_method
from tests.helpers import pictures

CASES = [(group, row) for group, rows in mistakes.ROWS.items() for row in rows]


class Names:
    """What a method reads of a data set."""

    name, classnames, templates = "a few", ["cat", "yellow rose", "dog"], ["a photo of a {}."]


@functools.cache
def clip_tiny():
    return load_clip("tiny")


def logits_of(group, row):
    """The logits of three pictures, of a method with the mistake of a row."""
    torch.manual_seed(0)
    method = make_method(group, copy.deepcopy(clip_tiny()), Names, row.options)
    method.classnames = Names.classnames
    row.change(method)
    with torch.no_grad():
        return method(pictures(method.clip))


def test_a_changed_method_still_classifies_and_differs_from_the_right_one():
    for group, row in CASES:
        logits = logits_of(group, row)
        assert logits.isfinite().all() and logits.shape == (3, 3), row.what
        right = logits_of(group, mistakes.Row("right", options=row.options))
        assert torch.equal(logits, right) == (row.change is mistakes.unchanged), row.what


def test_training_is_changed_only_while_it_is_measured():
    with mistakes.no_warm_up():
        assert train.learning_rate(0.002, 0, 10) == 0.002
    assert train.learning_rate(0.002, 0, 10) == 1e-5
    with mistakes.no_weight_decay():
        optimiser = torch.optim.SGD([torch.zeros(1)], 0.1, momentum=0.9, weight_decay=5e-4)
        assert optimiser.param_groups[0]["weight_decay"] == 0
    assert torch.optim.SGD is mistakes.SGD


def test_wide_pictures_lose_their_borders_when_cropped_and_their_shape_when_squashed():
    clip = load_clip("tiny")
    size = clip.preprocess.size
    picture = mistakes.Image.effect_noise((40, 40), 60).convert("RGB")
    wide = mistakes.widened(picture)
    assert wide.size == (60, 40) and mistakes.band(picture).size == (40, 27)
    cropped = mistakes.cropped(wide, clip.preprocess)
    assert torch.equal(cropped, mistakes.cropped(picture, clip.preprocess))
    squashed = mistakes.squashed(wide, clip.preprocess)
    assert squashed.shape == (3, size, size) and not torch.equal(squashed, cropped)
