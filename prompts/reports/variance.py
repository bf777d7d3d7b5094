"""How much pictures vary within a class, and class names between classes.

Zang et al., "Unified Vision and Language Prompt Learning", arXiv:2210.07225, Appendix A, Eqs. (6)
to (8) and Fig. 1(d, e): text prompts gain little where the first is high, visual prompts where the
second is low. `python eval.py --dataset toy --variance` prints both.

The paper leaves open whether features are normalised and how a squared vector becomes a number.
Here features have length 1, as in the classifier of Eq. (1), and squares are summed over the E
numbers.
"""

import torch
import torch.nn.functional as F

from prompts.runs.evaluation import image_features
from prompts.runs.features import Compute


def intra_class_variance(image_features, labels):
    """image_features [N, E], labels [N] → Var_v, the mean of the spreads within the classes."""
    z = F.normalize(image_features, dim=-1)
    classes = labels.unique()
    total = 0.0
    for c in classes:
        X_c = z[labels == c]
        # UPT Eq. (6): var_c = 1/|X_c| · sum over x in X_c of (f(x) - mean f)^2
        var_c = (X_c - X_c.mean(dim=0)).square().sum(dim=-1).mean()
        total = total + var_c
    # UPT Eq. (7): Var_v = 1/k · sum_c var_c
    return (total / len(classes)).item()


def inter_class_variance(class_weights):
    """class_weights [K, E] → Var_t, the spread of the class vectors around their mean."""
    w = F.normalize(class_weights, dim=-1)
    # UPT Eq. (8): Var_t = 1/k · sum_c (w_c - mean w)^2
    return (w - w.mean(dim=0)).square().sum(dim=-1).mean().item()


@torch.no_grad()
def variances(method, items, compute=Compute()):
    """A method and Items → "  Var_v 0.2331  Var_t 0.1187", UPT Eqs. (6) to (8).

    Raises ValueError for a method without class vectors that are the same for every picture.
    """
    if not method.has_class_weights:
        raise ValueError("--variance needs class vectors that are the same for every picture, "
                         f"which {type(method).__name__} does not have: leave it out.")
    features, labels = image_features(method.eval(), items, compute)
    var_v = intra_class_variance(features, labels)
    return f"  Var_v {var_v:.4f}  Var_t {inter_class_variance(method.class_weights()):.4f}"
