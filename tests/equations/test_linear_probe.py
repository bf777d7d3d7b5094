"""The linear probe against scikit-learn, its objective, and searches worked by hand."""

import json
import math
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from clip_min import load_clip
from prompts import linear_probe
from prompts.linear_probe import LinearProbe, logistic_regression, search_C

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "protocol.json").read_text())[
    "linear_probe"
]
FEATURES, LABELS = (
    torch.tensor(GOLDEN["features"]),
    torch.tensor(GOLDEN["labels"]),
)  # [60, 12], [60]
NAMES = ["cat", "yellow_rose", "annual crop land", "dog"]


def make(C=None, names=NAMES, width=12):
    """A probe on a CLIP of which it needs only the joint width."""
    return LinearProbe(types.SimpleNamespace(text_projection=torch.zeros(1, width)), names, C=C)


def fitted(C=1.0):
    probe = make(C)
    probe.fit(FEATURES, LABELS)
    return probe


# The regression


@pytest.mark.parametrize("fit", GOLDEN["fits"], ids=lambda fit: f"C={fit['C']:g}")
def test_the_weights_are_those_of_scikit_learn(fit):
    """Its LogisticRegression is what CLIP (Appendix A.3) and CoOp's code use."""
    weight, bias = logistic_regression(FEATURES, LABELS, 4, fit["C"])
    assert np.abs(weight.numpy() - fit["coef"]).max() < 1e-3
    assert np.abs(bias.numpy() - fit["intercept"]).max() < 1e-3


def gradient(weight, bias, C):
    """Of C * sum_i -log softmax(W f_i + b)[y_i] + ||W||^2 / 2, by W and by b, written out."""
    by_weight, by_bias = weight.copy(), np.zeros_like(bias)
    for f, y in zip(FEATURES.double().numpy(), LABELS.tolist()):
        exponentials = np.exp(weight @ f + bias)
        error = exponentials / exponentials.sum()
        error[y] -= 1
        by_weight += C * np.outer(error, f)
        by_bias += C * error
    return by_weight, by_bias


@pytest.mark.parametrize("C", [1e-6, 1e-3, 1.0, 30.0, 1e3, 1e6])
def test_at_the_solution_the_gradient_written_out_is_zero(C):
    """With b not held back; as a share of what the C * N pictures could pull at most."""
    weight, bias = logistic_regression(FEATURES, LABELS, 4, C)
    for part in gradient(weight.numpy(), bias.numpy(), C):
        assert np.abs(part).max() < 1e-5 * C * len(LABELS)


def test_weak_and_strong_regularisation_show_in_the_weights():
    """C is the weight of the pictures: a tiny C leaves nearly nothing of W; W grows with C."""
    norms = [
        logistic_regression(FEATURES, LABELS, 4, C)[0].norm() for C in (1e-6, 1e-4, 1e-2, 1.0, 1e2)
    ]
    assert norms == sorted(norms) and norms[0] < 1e-3 and norms[-1] > 1


def test_without_weights_the_bias_gives_each_class_its_share():
    """With C = 1e-6 only b is left: softmax(b) is how often each class was seen."""
    bias = logistic_regression(FEATURES, LABELS, 4, 1e-6)[1]
    assert torch.allclose(bias.softmax(dim=0), LABELS.bincount().double() / 60, atol=1e-3)


def test_a_problem_of_two_pictures_has_its_solution_by_hand():
    """Pictures at -1 and 1: W = [-a, a], a = 2 C / (1 + e^2a); a = 1 for C = (1 + e^2) / 2."""
    weight, bias = logistic_regression(
        torch.tensor([[-1.0], [1.0]]), torch.tensor([0, 1]), 2, (1 + math.exp(2)) / 2
    )
    assert np.allclose(weight.numpy(), [[-1], [1]], atol=1e-5) and np.allclose(
        bias.numpy(), 0, atol=1e-5
    )


def test_moving_all_pictures_together_moves_the_bias_alone():
    """b is not held back, so it takes up whatever all features share, however large that is."""
    shift = torch.full((12,), 50.0)
    weight, bias = logistic_regression(FEATURES, LABELS, 4, 1.0)
    moved_weight, moved_bias = logistic_regression(FEATURES + shift, LABELS, 4, 1.0)
    assert torch.allclose(moved_weight, weight, atol=1e-4)
    assert torch.allclose(moved_bias, bias - weight @ shift.double(), atol=1e-2)


def test_the_same_pictures_give_the_same_weights_bit_for_bit():
    first, second = (logistic_regression(FEATURES, LABELS, 4, 10.0) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second))


# The search for C (CoOp's published code; CLIP, Appendix A.3)


def exponents_tried(accuracy):
    """A function of log10 C → what the search ends at, and all that it asked for (log10)."""
    tried = []

    def of_C(C):
        tried.append(math.log10(C))
        return accuracy(math.log10(C))

    best = math.log10(search_C(of_C))
    return best, list(dict.fromkeys(tried))


def test_a_search_worked_by_hand():
    """An accuracy that falls off on both sides of 10^2.3: its peak on the grid is 10^2."""
    best, tried = exponents_tried(lambda e: -abs(e - 2.3))
    ends = [
        (1, 3),  # the right end is better and stays, the left end goes to the middle
        (2, 3),  # the left end is better
        (2, 2.5),  # right
        (2.25, 2.5),  # left
        (2.25, 2.375),  # left
        (2.25, 2.3125),  # right
        (2.28125, 2.3125),  # right
        (2.296875, 2.3125),  # left: the end
    ]
    grid = [6, 4, 2, 0, -2, -4, -6]
    expected = dict.fromkeys(grid + [e for pair in ends for e in pair])
    assert np.allclose(best, 2.296875, atol=1e-9) and np.allclose(tried, list(expected), atol=1e-9)


@pytest.mark.parametrize(
    "accuracy, best",
    [
        (
            lambda e: 0.5,
            5,
        ),  # all alike: the first of the grid, 10^6, and in every step the left end
        (
            lambda e: e in (2, -2),
            2,
        ),  # the earlier of two peaks; the middle of the first step, an end ever after
        (lambda e: e, 7),  # more is better: the right end, 10^7, in every step
        (lambda e: -e, -7),  # less is better: the left end, 10^-7
        (
            lambda e: e <= 0.6,
            -1,
        ),  # a peak at 10^0; its right end is worse at first, then no better than the left
    ],
)
def test_ties_go_to_the_earlier_C_of_the_grid_and_to_the_left_end(accuracy, best):
    assert exponents_tried(lambda e: accuracy(round(e, 9)))[0] == pytest.approx(best)


def test_no_C_is_solved_twice_and_the_weights_are_those_of_the_best(monkeypatch):
    """On made solutions: class 1, which all validation pictures have, is predicted if C < 4."""
    tried = []

    def solution(features, labels, K, C):
        tried.append(C)
        return torch.full((K, 12), C, dtype=torch.double), 1e9 * torch.eye(K, dtype=torch.double)[
            int(C < 4)
        ]

    monkeypatch.setattr(linear_probe, "logistic_regression", solution)
    probe = make()
    probe.fit(FEATURES, LABELS, FEATURES[:5], torch.ones(5, dtype=torch.long))
    assert (
        len(tried) == len(set(tried)) == 15
    )  # 7 of the grid, 2 ends, 7 middles, of which the first is the peak
    assert probe.C == pytest.approx(0.1) and torch.allclose(probe.weight, torch.tensor(0.1))
    assert probe.bias.argmax() == 1


def test_the_search_counts_the_hits_on_the_validation_pictures(monkeypatch):
    """The share of validation pictures whose largest written-out logit is their class's."""
    counted = {}

    def search(accuracy):
        counted.update({C: accuracy(C) for C in (1e-4, 1e-2, 1.0)})
        return 1.0

    monkeypatch.setattr(linear_probe, "search_C", search)
    probe = make()
    probe.fit(FEATURES[:40], LABELS[:40], FEATURES[40:], LABELS[40:])
    for C, hits in counted.items():
        weight, bias = logistic_regression(FEATURES[:40], LABELS[:40], 4, C)
        logits = FEATURES[40:].double().numpy() @ weight.numpy().T + bias.numpy()
        assert hits == (logits.argmax(axis=1) == LABELS[40:].numpy()).sum()
    assert len(set(counted.values())) > 1


def test_each_fit_searches_again_unless_C_was_given(monkeypatch):
    found = iter([10.0, 100.0])
    monkeypatch.setattr(linear_probe, "search_C", lambda accuracy: next(found))
    probe, given = make(), make(1.0)
    for expected in (10.0, 100.0):
        probe.fit(FEATURES, LABELS, FEATURES, LABELS)
        given.fit(FEATURES, LABELS, FEATURES, LABELS)
        assert (probe.C, given.C) == (expected, 1.0)
    assert probe.weight.norm() > given.weight.norm() > 0


# The method


def test_the_prediction_is_the_largest_of_the_logits_written_out():
    """logit_k = sum_e W_ke f_e + b_k, on features as they are."""
    probe = fitted()
    W, b = probe.weight.detach().double().numpy(), probe.bias.detach().double().numpy()
    logits = probe.classify(FEATURES)
    for f, ours in zip(FEATURES.double().numpy(), logits.detach().numpy()):
        expected = [sum(W[k, e] * f[e] for e in range(12)) + b[k] for k in range(4)]
        assert np.allclose(ours, expected, atol=1e-4) and ours.argmax() == np.argmax(expected)
    assert (logits.argmax(dim=-1) == LABELS).float().mean() > 0.5


def test_the_features_are_not_normalised():
    """Twice the feature is twice the logit above the bias; the features' length counts."""
    probe = fitted()
    logits, doubled = probe.classify(FEATURES), probe.classify(2 * FEATURES)
    assert torch.allclose(doubled - probe.bias, 2 * (logits - probe.bias), atol=1e-4)
    lengths = torch.linspace(0.5, 2, 60)[:, None]
    weight = logistic_regression(lengths * FEATURES, LABELS, 4, 1.0)[0]
    assert (weight - probe.weight).abs().max() > 0.01


def test_a_probe_on_clip_is_zero_until_it_is_fitted_and_leaves_clip_alone():
    clip = load_clip("tiny")
    images = torch.randn(
        8, 3, clip.image_size, clip.image_size, generator=torch.Generator().manual_seed(0)
    )
    before = {key: value.clone() for key, value in clip.state_dict().items()}
    probe = LinearProbe(clip, NAMES, "a photo of a {}.", C=1.0)
    features = probe.encode_image(images)
    assert probe.image_tower_is_frozen and torch.equal(features, clip.encode_image(images))
    assert probe.weight.shape == (4, clip.text_projection.shape[1]) and not probe(images).any()
    labels = torch.arange(8) % 4
    probe.fit(features, labels)
    assert torch.equal(probe(images).argmax(dim=-1), labels)  # eight pictures are learned by heart
    assert torch.equal(probe(images), probe.classify(features))
    assert all(torch.equal(value, before[key]) for key, value in clip.state_dict().items())
    assert {name for name, p in probe.named_parameters() if p.requires_grad} == {"weight", "bias"}


# Refusals


def test_some_of_its_classes_are_some_of_its_logits_by_name():
    """As for ImageNet-A and -R, which have 200 of ImageNet's 1,000 classes."""
    probe = fitted()
    logits = probe.classify(FEATURES)
    probe.set_classes(["dog", " yellow rose"])
    assert torch.equal(probe.classify(FEATURES), logits[:, [3, 1]])
    probe.set_classes(["cat", "yellow rose ", "annual_crop_land", "dog"])  # all of them again
    assert torch.equal(probe.classify(FEATURES), logits)


def test_classes_that_share_a_name_keep_their_own_logits():
    probe = make(1.0, names=["cat", "crane", "crane", "dog"])
    probe.fit(FEATURES, LABELS)
    logits = probe.classify(FEATURES)
    probe.set_classes(["cat", "crane", "crane", "dog"])
    assert torch.equal(probe.classify(FEATURES), logits)
    probe.set_classes(["crane", "cat"])  # which of the two is meant, the name does not say
    assert torch.equal(probe.classify(FEATURES), logits[:, [1, 0]])


def test_other_classes_than_those_it_was_fitted_on_are_refused():
    probe = fitted()
    for names in (
        ["dog", "cow"],
        NAMES + ["cow"],
        ["cat", "yellow rose", "annual crop land", "cow"],
    ):
        with pytest.raises(
            ValueError, match="only the classes that it was fitted on.*zero_shot"
        ) as error:
            probe.set_classes(names)
        assert "\n" not in str(error.value)
    assert torch.equal(probe.weight, fitted().weight)


@pytest.mark.parametrize(
    "C", [0, -1, -0.5, math.inf, math.nan, True, False, "1", "search", [1.0]], ids=repr
)
def test_a_C_that_is_no_positive_number_is_refused_in_one_sentence(C):
    with pytest.raises(ValueError, match="C must be a positive number.*, not ") as error:
        make(C)
    assert repr(C) in str(error.value) and "\n" not in str(error.value)
    assert make(1).C == 1 and make(1e-6).C == 1e-6


@pytest.mark.parametrize(
    "val", [(), (torch.zeros(0, 12), torch.zeros(0, dtype=torch.long))], ids=["none", "empty"]
)
def test_without_validation_pictures_C_must_be_given(val):
    with pytest.raises(ValueError, match="no validation pictures.*--hp C="):
        make().fit(FEATURES, LABELS, *val)
    probe = make(1.0)
    probe.fit(FEATURES, LABELS, *val)
    assert probe.weight.any()


def test_a_class_without_training_pictures_is_refused_by_name():
    """Its bias would fall without end."""
    some = LABELS != 1
    with pytest.raises(ValueError, match="no training pictures of the class 'yellow rose'"):
        make(1.0).fit(FEATURES[some], LABELS[some])
    with pytest.raises(ValueError, match="no training pictures of the class 'cow'"):
        make(1.0, names=NAMES + ["cow"]).fit(FEATURES, LABELS)


def test_empty_and_single_class_names_are_refused():
    for names, word in ((["cat", ""], "empty"), (["cat", " _"], "empty"), (["cat"], "two classes")):
        with pytest.raises(ValueError, match=word):
            make(names=names)
