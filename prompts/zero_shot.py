"""Zero-shot CLIP: the baseline that every prompt method starts from.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision",
ICML 2021, arXiv:2103.00020, Sec. 3.1; written as Eq. (1) in CoOp (arXiv:2109.01134), CoCoOp
(arXiv:2203.05557) and UPT (arXiv:2210.07225).

A class is described by a hand-written sentence with its name filled in. The text tower turns the
sentence into a vector w, and a picture gets the class whose w has the largest cosine with the
picture's feature f. Several sentences for each class can be averaged into one w (ensembling).

| Eq.      | paper            | code            | shape    |
| -------- | ---------------- | --------------- | -------- |
| CoOp (1) | f (UPT: z)       | image_features  | [B, E]   |
| CoOp (1) | w_i              | class_weights   | [K, E]   |
| CoOp (1) | 1/tau            | logit_scale.exp | a number |
| CoOp (1) | p(y = i given x) | classify        | [B, K]   |

Differs from the paper / the published code:
- On ImageNet's variants CoOp's code averages eight templates, the seven below and the set's own;
  here they have seven, as ImageNet has.
- UPT gives tau = 100 as an example; it is logit_scale.exp() = 1 / tau that is 100.

    python train.py --method zero_shot --dataset toy
"""

import torch
import torch.nn.functional as F
from torch import nn

from clip_min.model import cosines
from clip_min.prompting.names import readable_names
from clip_min.prompting.options import check_choice
from clip_min.prompting.words import word_vectors

PAPER, TINY = None, None  # nothing to train

# The seven templates that CLIP's authors selected on ImageNet (CoOp, Sec. 3.3).
ENSEMBLE = (
    "itap of a {}.",
    "a bad photo of the {}.",
    "a origami {}.",
    "a photo of the large {}.",
    "a {} in a video game.",
    "art of the {}.",
    "a photo of the small {}.",
)


class ZeroShot(nn.Module):
    """CLIP with hand-written prompts; nothing is learned.

    template: the data set's own, with {} for the class name. templates: "dataset" uses that one;
    "seven" averages the seven above; "ensemble" averages these and that one (train.py and eval.py
    take "seven" for it on ImageNet, as the paper does).
    """
    image_tower_is_frozen = True  # so its features can be computed once and kept
    has_class_weights = True

    def __init__(self, clip, classnames, template="a photo of a {}.", templates="dataset"):
        super().__init__()
        choices = {"dataset": (template,), "seven": ENSEMBLE, "ensemble": (*ENSEMBLE, template)}
        check_choice("templates", templates, tuple(choices))
        self.clip, self.templates = clip, choices[templates]
        self.set_classes(classnames)

    def encode_image(self, images):
        """images [B, 3, H, W] → f [B, E], not normalised."""
        return self.clip.encode_image(images)

    def set_classes(self, classnames):
        """K class names → w, kept as `weights` [K, E] of length 1."""
        names, features = readable_names(classnames), []
        for template in self.templates:
            features.append(F.normalize(word_vectors(self.clip, names, [template]), dim=-1))
        mean = torch.stack(features).mean(dim=0)  # [number of templates, K, E] → [K, E]
        self.register_buffer("weights", F.normalize(mean, dim=-1), persistent=False)

    def class_weights(self):
        """→ w [K, E], of length 1."""
        return self.weights

    def classify(self, image_features):
        """f [B, E] → logits [B, K], whose softmax is p(y|x)."""
        # CoOp Eq. (1), CoCoOp Eq. (1), UPT Eq. (1):
        # p(y=i|x) = exp(cos(w_i, f)/tau) / sum_j exp(cos(w_j, f)/tau)
        return self.clip.logit_scale.exp() * cosines(image_features, self.class_weights())

    def forward(self, images):
        """images [B, 3, H, W] → logits [B, K]."""
        return self.classify(self.encode_image(images))
