"""KgCoOp: Knowledge-guided Context Optimization.

Yao, Zhang, Xu, "Visual-Language Prompt Tuning with Knowledge-guided Context Optimization",
CVPR 2023, arXiv:2303.13283.

CoOp's class vectors leave those of hand-written words, and the further they go, the worse they are
for classes that were not seen. KgCoOp is CoOp with a spring: a second term of the loss pulls the
class vector of the learned prompt back to the one of the words. The vectors of the words are
computed once, so a step costs what it costs in CoOp. lambda says how stiff the spring is.

| Eq.       | paper        | code                | shape    |
| --------- | ------------ | ------------------- | -------- |
| CoOp (2)  | v_1 … v_M    | ctx                 | [M, D_t] |
| Sec. 3.2  | w_i          | class_weights       | [K, E]   |
| Sec. 3.2  | w_i^clip     | words               | [K, E]   |
| Sec. 3.2  | L_kg         | distance            | a number |
| Sec. 3.2  | lambda       | strength            | a number |

Differs from the paper / the published code:
- The paper's L_kg (as others retell it) is a mean of squared distances, the code's a mean of
  1 - cos, half of it. Both have lambda = 8. Here it is the code's; strength=16 gives the paper's.
- The words are the data set's own prompt, as CoOp has it. The published code has another one for
  DTD: --template "a photo of a {}, a type of texture."
- The published code can start from "a photo of a" or at random only; here ctx_init is any words.
- It has a switch for the place of the class name and does not read it. Here the name is at the end.
- Learned numbers are fp32, in the published code fp16. Unused layers of that code are left out.

    python train.py --method kgcoop --protocol base-to-new         (measured: notes/promptsrc.md)
"""

import torch
import torch.nn.functional as F
from torch import nn

from clip_min.model import cosines
from clip_min.prompting.options import check_weight, initial_context
from clip_min.prompting.recipe import Recipe
from clip_min.prompting.tree import encode_trees, grow_trees, splice
from clip_min.prompting.words import word_vectors

# The published configuration vit_b16_ep100_ctxv1 and script run.sh.
PAPER = Recipe(lr=0.002, epochs=100, batch_size=128)
# For the tiny CLIP, chosen on the validation pictures of three miniature sets (notes/kgcoop.md).
TINY = Recipe(lr=0.02, epochs=100, batch_size=32, crop_scale=(0.85, 1.0), flip=False)


class KgCoOp(nn.Module):
    """Learned context vectors before the class name, held near hand-written words.

    template: the hand-written prompt, with {} for the class name. strength: lambda; 0 is CoOp.
    n_ctx: number M of vectors. Default: as many as `ctx_init` has tokens, else 4.
    ctx_init: words to start from; None: random.
    An n_ctx that the default words do not fit means a random start.
    """
    image_tower_is_frozen = True  # so its features can be computed once and kept
    has_class_weights = True

    def __init__(self, clip, classnames, template="a photo of a {}.", n_ctx=None,
                 ctx_init="a photo of a", strength=8.0):
        super().__init__()
        check_weight("strength", strength)
        self.clip, self.template, self.strength = clip, template, strength
        ctx = initial_context(clip, n_ctx, ctx_init, 4, default_words="a photo of a")
        self.ctx = nn.Parameter(ctx)  # [M, D_t]
        self.set_classes(classnames)

    def encode_image(self, images):
        """images [B, 3, H, W] → x [B, E], not normalised."""
        return self.clip.encode_image(images)

    def set_classes(self, classnames):
        """K class names → their prompts, as `trees`, and w^clip, kept as `words` [K, E].

        Raises ValueError for a name that is too long.
        """
        self.trees = grow_trees(splice(self.clip, classnames, len(self.ctx)))
        words = word_vectors(self.clip, classnames, [self.template])  # [K, E], without gradients
        self.register_buffer("words", words, persistent=False)
        self.to(self.clip.positional_embedding.device)

    def class_weights(self):
        """→ w [K, E], not normalised."""
        return encode_trees(self.clip, self.trees, self.ctx[None])[0]  # [1, K, E] → [K, E]

    def classify(self, image_features):
        """x [B, E] → logits [B, K]."""
        return self.clip.logit_scale.exp() * cosines(image_features, self.class_weights())

    def loss(self, inputs, labels):
        """Pictures [B, 3, H, W] or their features [B, E], labels [B] → logits [B, K], loss."""
        x = inputs if inputs.ndim == 2 else self.encode_image(inputs)  # [B, E]
        w = self.class_weights()  # [K, E]
        logits = self.clip.logit_scale.exp() * cosines(x, w)
        # KgCoOp Sec. 3.2: L = L_ce + lambda L_kg
        return logits, F.cross_entropy(logits, labels) + self.strength * distance(w, self.words)

    def forward(self, images):
        """images [B, 3, H, W] → logits [B, K]."""
        return self.classify(self.encode_image(images))


def distance(w, words):
    """w, w^clip [K, E] → mean over the classes of 1 - cos(w_i, w_i^clip): 0 if they agree.

    KgCoOp Sec. 3.2, as published: half of the mean of |w_i - w_i^clip|^2 of vectors of length 1.

    >>> distance(torch.eye(2), torch.eye(2)).item(), distance(torch.eye(2), -torch.eye(2)).item()
    (0.0, 2.0)
    """
    w, words = F.normalize(w.float(), dim=-1), F.normalize(words, dim=-1)
    return 1 - (w * words).sum(dim=-1).mean()  # [K, E] → [K] → a number
