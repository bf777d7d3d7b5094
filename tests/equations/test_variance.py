"""The variances that UPT is motivated by, against Eqs. (6) to (8) written out."""

import numpy as np
import pytest
import torch

from prompts.reports import variance
from prompts.reports.variance import inter_class_variance, intra_class_variance


def test_the_variance_within_classes_is_its_equations_written_out():
    """UPT Eqs. (6) and (7), on features of length 1."""
    features = np.random.RandomState(0).standard_normal((7, 5))
    labels = [2, 0, 2, 1, 0, 2, 1]
    unit = [f / np.sqrt((f**2).sum()) for f in features]
    variances = []
    for c in (0, 1, 2):
        X_c = [f for f, label in zip(unit, labels) if label == c]
        mean = sum(X_c) / len(X_c)
        variances.append(sum(((f - mean) ** 2).sum() for f in X_c) / len(X_c))
    ours = intra_class_variance(torch.tensor(features), torch.tensor(labels))
    assert abs(ours - sum(variances) / 3) < 1e-9


def test_the_variance_between_classes_is_its_equation_written_out():
    """UPT Eq. (8), on class vectors of length 1."""
    weights = np.random.RandomState(1).standard_normal((4, 5))
    unit = [w / np.sqrt((w**2).sum()) for w in weights]
    mean = sum(unit) / 4
    expected = sum(((w - mean) ** 2).sum() for w in unit) / 4
    assert abs(inter_class_variance(torch.tensor(weights)) - expected) < 1e-9


def test_equal_pictures_have_no_variance_and_opposite_classes_the_largest():
    """UPT Eqs. (6) to (8): 0, and 1 where the class vectors are w and -w."""
    feature = torch.randn(4)
    assert intra_class_variance(torch.stack([feature, 3 * feature]), torch.tensor([0, 0])) < 1e-12
    assert abs(inter_class_variance(torch.stack([feature, -2 * feature])) - 1) < 1e-6


def test_a_method_gives_its_class_vectors_by_class_weights_and_by_no_other_name(monkeypatch):
    """A method may keep a teacher's vectors under any name."""

    class Method(torch.nn.Module):
        has_class_weights, weights = True, torch.tensor([[1.0, 0.0], [1.0, 0.0]])

        def class_weights(self):
            return torch.tensor([[1.0, 0.0], [-2.0, 0.0]])

    features = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]), torch.tensor([0, 0, 1])
    monkeypatch.setattr(variance, "image_features", lambda method, items, compute: features)
    assert variance.variances(Method(), []) == "  Var_v 0.2500  Var_t 1.0000"
    Method.has_class_weights = False
    with pytest.raises(ValueError, match="which Method does not have: leave it out"):
        variance.variances(Method(), [])
