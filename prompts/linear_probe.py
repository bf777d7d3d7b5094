"""The linear probe: the baseline that looks at pictures only.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision",
ICML 2021, arXiv:2103.00020, Sec. 3.2, App. A.3; a baseline of CoOp (arXiv:2109.01134, Sec. 3.1).

CLIP's image tower stays as it is, and a logistic regression tells the classes apart by the image
features alone. Class names are not used, so the few training pictures must teach all that a prompt
method has from the text tower. How large the weights may grow is one number, C.

| Eq. | paper               | code           | shape    |
| --- | ------------------- | -------------- | -------- |
| -   | the image's feature | image_features | [B, E]   |
| -   | W, the weights      | weight         | [K, E]   |
| -   | b, the intercepts   | bias           | [K]      |
| -   | lambda              | 1 / C          | a number |

Differs from the paper / the published code:
- The features [.., E] and the search for C are those of CoOp's code. CLIP's appendix takes features
  before their projection to E, searches 8 values per decade, and trains on validation pictures too.
- ImageNet has no validation pictures. Here C is searched on training pictures that are not among
  the shots (`with_validation` in runs/plan.py). CoOp's code searches on test pictures.
- torch's L-BFGS in double precision, with a smaller tolerance: scikit-learn may stop earlier.

    python train.py --method linear_probe   (measured times and accuracies: notes/results.md)
"""

import math
from functools import cache, partial

import torch
import torch.nn.functional as F
from torch import nn

from clip_min.prompting.names import readable_names

PAPER, TINY = None, None  # no learning rate: the optimum of a convex function


class LinearProbe(nn.Module):
    """Logistic regression on the features of a frozen CLIP; all zeros until `fit` is called.

    C: inverse strength of the penalty on weights; None: searched in every `fit`. template: unused.
    """
    image_tower_is_frozen = True  # so its features can be computed once and kept
    has_class_weights = False  # no text feature describes a class

    def __init__(self, clip, classnames, template=None, C=None):
        super().__init__()
        if C is not None and (type(C) not in (int, float) or not 0 < C < math.inf):
            raise ValueError(f"C must be a positive number, or left out to be searched, not {C!r}.")
        self.clip, self.C, self.searches = clip, C, C is None
        self.classnames, self.columns = readable_names(classnames), slice(None)
        K, E = len(self.classnames), clip.text_projection.shape[1]
        self.weight, self.bias = nn.Parameter(torch.zeros(K, E)), nn.Parameter(torch.zeros(K))
        self.to(clip.text_projection.device)

    def encode_image(self, images):
        """images [B, 3, H, W] → features [B, E], not normalised."""
        return self.clip.encode_image(images)

    def set_classes(self, classnames):
        """Some of the probe's classes, such as ImageNet-A's 200; ValueError for any others."""
        names, own = readable_names(classnames), self.classnames
        if not set(names) <= set(own):
            raise ValueError("A linear probe knows only the classes that it was fitted on: use "
                             "zero_shot or a prompt method for other classes.")
        self.columns = slice(None) if names == own else [own.index(name) for name in names]

    def fit(self, features, labels, val_features=None, val_labels=None):
        """Features [N, E], labels [N] of training and validation pictures → `weight`, `bias`, `C`.

        Raises ValueError for a class without training pictures, and for no pictures to search on.
        """
        counts = torch.bincount(labels, minlength=len(self.classnames))  # [K]
        name = self.classnames[counts.argmin()]
        if not counts.all():
            raise ValueError(f"There are no training pictures of the class {name!r}.")
        if self.searches and (val_labels is None or len(val_labels) == 0):
            raise ValueError("There are no validation pictures to search C on: give --hp C=1, say.")
        solve = cache(partial(logistic_regression, features, labels, len(counts)))

        def hits(C):
            weight, bias = solve(C)  # no C is solved twice
            logits = val_features.cpu().double() @ weight.T + bias  # [N_val, K]
            return (logits.argmax(dim=-1) == val_labels.cpu()).sum().item()

        self.C = search_C(hits) if self.searches else self.C
        self.weight.data, self.bias.data = (x.to(self.weight) for x in solve(self.C))
        return {"C": self.C}

    def classify(self, image_features):
        """features [B, E] → logits [B, K]: W f + b, in fp32 also under autocast."""
        with torch.autocast(image_features.device.type, enabled=False):
            return F.linear(image_features.float(), self.weight, self.bias)[:, self.columns]

    def forward(self, images):
        """images [B, 3, H, W] → logits [B, K]."""
        return self.classify(self.encode_image(images))


def logistic_regression(features, labels, K, C):
    """features [N, E], labels [N] → weight [K, E], bias [K], in fp64 on the CPU, that minimise

        C * sum_i cross_entropy(W f_i + b, y_i) + ||W||^2 / 2

    as scikit-learn's LogisticRegression(C); b is not penalised. CLIP, Appendix A.3: L-BFGS, at most
    1,000 iterations. In the example W = [-1, 1], where each picture pulls with C / (1 + e^2) = 1/2.

    >>> features, labels = torch.tensor([[-1.0], [1.0]]), torch.tensor([0, 1])
    >>> logistic_regression(features, labels, 2, (1 + math.e**2) / 2)[0].round(decimals=3).tolist()
    [[-1.0], [1.0]]
    """
    N, E = features.shape
    features, labels = features.detach().cpu().double(), labels.cpu()  # MPS has no fp64
    mean = features.mean(dim=0)  # [E]
    centred = features - mean  # what all pictures share goes into b: fewer iterations
    weight = torch.zeros(K, E, dtype=torch.double, requires_grad=True)
    bias = torch.zeros(K, dtype=torch.double, requires_grad=True)
    options = dict(max_iter=1000, history_size=10, tolerance_grad=1e-6, tolerance_change=0)
    optimiser = torch.optim.LBFGS([weight, bias], line_search_fn="strong_wolfe", **options)

    def objective():
        optimiser.zero_grad()
        loss = F.cross_entropy(centred @ weight.T + bias, labels)
        loss += weight.square().sum() / (2 * C * N)  # all divided by C N: one tolerance suits it
        loss.backward()
        return loss

    optimiser.step(objective)
    return weight.detach(), (bias - weight @ mean).detach()  # W (f - mean) + b = W f + (b - W mean)


def search_C(accuracy):
    """A function from C to accuracy on validation pictures → the C of CoOp's published search.

    Of 10^6, 10^4, ..., 10^-6 the first best is the peak, and peak / 10 to peak * 10 the interval.
    Eight times, the end with the lower accuracy (if equal, the right one) moves to the middle, on a
    log scale. C is the end that stays in the last step.

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
