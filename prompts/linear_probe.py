"""The linear probe: the baseline that looks at pictures only.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision",
ICML 2021, arXiv:2103.00020, Sec. 3.2 and Appendix A.3; the second baseline of CoOp
(arXiv:2109.01134, Sec. 3.1).

CLIP's image tower stays as it is, and a logistic regression tells the classes apart by the image
features alone. The class names are never read, so the few training pictures must teach everything
that a prompt method already has from the text tower. How large the weights may grow is one number,
C, which is searched on the validation pictures.

| Eq. | paper               | code           | shape    |
| --- | ------------------- | -------------- | -------- |
| -   | the image's feature | image_features | [B, E]   |
| -   | W, the weights      | weight         | [K, E]   |
| -   | b, the intercepts   | bias           | [K]      |
| -   | lambda              | 1 / C          | a number |

Differs from the paper / the published code:
- The features are those that the prompt methods use, [.., E], as in CoOp's code; CLIP's appendix
  takes the vision transformer's features before their projection to E.
- The search is that of CoOp's code; CLIP's appendix halves its interval to 8 values per decade and
  adds the validation pictures to the training pictures afterwards.
- The solver is torch's L-BFGS in double precision on centred features, with a stricter tolerance
  than scikit-learn's default. Where C is so large that scikit-learn stops early, weights differ.
- A class without training pictures is refused; scikit-learn would leave it out and never predict it.

    python train.py --method linear_probe   (measured times and accuracies: notes/results.md)
"""

import functools
import math

import torch
import torch.nn.functional as F
from torch import nn

from clip_min.data import readable_names

PAPER = TINY = None  # no learning rate: the optimum of a convex function


class LinearProbe(nn.Module):
    """Logistic regression on the features of a frozen CLIP; all zeros until `fit` is called.

    C: how little the weights are held back; None searches it in every `fit`. template: unused, no text
    is read (all methods are built alike).
    """

    image_tower_is_frozen = True  # a picture's feature never changes: compute it once and keep it

    def __init__(self, clip, classnames, template=None, C=None):
        super().__init__()
        if C is not None and (isinstance(C, bool) or not isinstance(C, (int, float)) or not 0 < C < math.inf):
            raise ValueError(f"C must be a positive number, or left out to be searched, not {C!r}.")
        self.clip, self.C, self.searches = clip, C, C is None
        self.classnames = readable_names(classnames)
        K, E, device = len(self.classnames), clip.text_projection.shape[1], clip.text_projection.device
        self.weight = nn.Parameter(torch.zeros(K, E, device=device))
        self.bias = nn.Parameter(torch.zeros(K, device=device))

    def encode_image(self, images):
        """images [B, 3, H, W] → features [B, E], not normalised."""
        return self.clip.encode_image(images)

    def set_classes(self, classnames):
        """Takes the class names that the probe was built with, in their order; ValueError for any others."""
        if readable_names(classnames) != self.classnames:
            raise ValueError(
                f"A linear probe knows only the {len(self.classnames)} classes that it was fitted on, in their order "
                f"({', '.join(self.classnames[:3])}, ...): for other classes use zero_shot or a prompt method."
            )

    def fit(self, features, labels, val_features=None, val_labels=None):
        """Training pictures' features [N, E] and labels [N], and validation pictures' → `weight`, `bias` and `C`.

        Raises ValueError for a class without training pictures, and for a search without validation pictures.
        """
        K = len(self.classnames)
        counts = torch.bincount(labels, minlength=K)  # [K]
        if not counts.all():
            name = self.classnames[counts.argmin()]
            raise ValueError(f"A linear probe learns from pictures alone, and class {name!r} has none to train on.")
        solve = functools.cache(lambda C: logistic_regression(features, labels, K, C))  # no C is solved twice
        if self.searches:
            if val_labels is None or len(val_labels) == 0:
                raise ValueError("There are no validation pictures to search C on: give it, for example --hp C=1.")

            def hits(C):
                weight, bias = solve(C)
                predicted = (val_features.to(weight) @ weight.T + bias).argmax(dim=-1)  # [N_val]
                return (predicted == val_labels.to(predicted)).sum().item()

            self.C = search_C(hits)
        weight, bias = solve(self.C)
        with torch.no_grad():
            self.weight.copy_(weight)
            self.bias.copy_(bias)

    def classify(self, image_features):
        """features [B, E], not normalised → logits [B, K]: W f + b."""
        return image_features @ self.weight.T + self.bias

    def forward(self, images):
        """images [B, 3, H, W] → logits [B, K]."""
        return self.classify(self.encode_image(images))


def logistic_regression(features, labels, K, C):
    """features [N, E], labels [N] → the weight [K, E] and bias [K], in double precision on the CPU, that minimise

        C * sum_i cross_entropy(W f_i + b, y_i) + ||W||^2 / 2

    The same function as scikit-learn's LogisticRegression(C); b is not held back. CLIP, Appendix A.3: L-BFGS,
    at most 1,000 iterations. Below, W = [-1, 1] solves it by hand: each picture pulls with C / (1 + e^2) = 1/2.

    >>> weight, bias = logistic_regression(torch.tensor([[-1.0], [1.0]]), torch.tensor([0, 1]), 2, (1 + math.e**2) / 2)
    >>> weight.flatten().round(decimals=3).tolist()
    [-1.0, 1.0]
    """
    N, E = features.shape
    features, labels = features.detach().cpu().double(), labels.cpu()
    mean = features.mean(dim=0)  # [E]
    centred = features - mean  # what all pictures share goes into b, and L-BFGS needs fewer iterations
    weight = torch.zeros(K, E, dtype=torch.double, requires_grad=True)
    bias = torch.zeros(K, dtype=torch.double, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weight, bias], max_iter=1000, history_size=10, line_search_fn="strong_wolfe",
        tolerance_grad=1e-6, tolerance_change=0,
    )  # fmt: skip

    def objective():
        """The function above divided by C N, so that one tolerance suits every C."""
        optimiser.zero_grad()
        loss = F.cross_entropy(centred @ weight.T + bias, labels) + weight.square().sum() / (2 * C * N)
        loss.backward()
        return loss

    optimiser.step(objective)
    return weight.detach(), (bias - weight @ mean).detach()  # W (f - mean) + b = W f + (b - W mean)


def search_C(accuracy):
    """A function C → accuracy on the validation pictures → the C that CoOp's published search ends at.

    First 10^6, 10^4, ..., 10^-6, of which the earliest best is the peak; then 8 bisections of the interval
    from peak / 10 to peak * 10: the worse end, or of equals the right one, moves to the geometric middle.
    C is the end that stays in the last of them.

    >>> math.log10(search_C(lambda C: -abs(math.log10(C) - 3.5)))
    3.5
    """
    # Exponents of 10: their halves are exact, so a C that comes up again is the same number.
    peak = max((6, 4, 2, 0, -2, -4, -6), key=lambda exponent: accuracy(10.0**exponent))
    left, right = peak - 1, peak + 1
    for _ in range(8):
        middle = (left + right) / 2
        if accuracy(10.0**left) < accuracy(10.0**right):
            left, best = middle, right
        else:
            right, best = middle, left
    return 10.0**best
