"""CoCoOp: Conditional Context Optimization.

Zhou, Yang, Loy, Liu, "Conditional Prompt Learning for Vision-Language Models",
CVPR 2022, arXiv:2203.05557.

CoOp's context fits the classes that it was learned on, and does worse than hand-written words on
classes that it has not seen. In CoCoOp the context depends on the picture: a small network, the
Meta-Net, turns the picture's feature into one vector pi, which is added to every context vector.
The prompts, and with them the class vectors, are then different for every picture.

| Eq.      | paper         | code            | shape                            |
| -------- | ------------- | --------------- | -------------------------------- |
| (1), (3) | x             | image_features  | [B, E]                           |
| (1), (3) | 1/tau         | logit_scale.exp | a number                         |
| (3)      | h_theta       | meta_net        | E → E/16 → D_t                   |
| (3)      | pi            | pi              | [B, D_t]                         |
| (3)      | v_m, v_m(x)   | ctx, context    | [M, D_t], [B, M, D_t]            |
| (2), (3) | c_i           | names           | K class names                    |
| (2), (3) | t_i           | symbols, embed  | [K, L], [K, L, D_t]              |
| (3)      | g(t_i(x))     | class_weights   | [B, K, E]                        |

Differs from the paper / the published code:
- `ctx_init` is counted in tokens, not in words, which would cut a context in mid-word.
- Batches may hold more than one picture. The paper's recipe keeps its batch size of 1.
- The Meta-Net reads the normalised image feature, as in the published code; the paper is silent.
- The paper's 34,816 parameters (Table 5) are the context and the two weight matrices; with the
  biases, which the published code has too, there are 35,360.

    python train.py --method cocoop         (measured times and accuracies: notes/results.md)
"""

import torch
import torch.nn.functional as F
from torch import nn

from clip_min.model import causal_mask, cosines
from clip_min.prompting.names import readable_names
from clip_min.prompting.options import initial_context
from clip_min.prompting.recipe import Recipe
from clip_min.prompting.tree import embed, encode_trees, grow_trees, pad, splice

# CoCoOp Sec. 4, "Training Details"; the crops are the published configuration's.
PAPER = Recipe(lr=0.002, epochs={1: 10, 2: 10, 4: 10, 8: 10, 16: 10}, batch_size=1)
# For the tiny CLIP, chosen on the validation pictures of the miniature sets (notes/results.md).
TINY = Recipe(lr=0.05, epochs={1: 10, 2: 10, 4: 10, 8: 10, 16: 10}, batch_size=8,
              crop_scale=(0.85, 1.0), flip=False, max_norm=5.0)

PROMPTS_AT_ONCE = 4096  # pictures times classes in one pass: bounds the memory of an evaluation


class CoCoOp(nn.Module):
    """Learned context vectors before the class name, and a Meta-Net that moves them.

    n_ctx: their number M. Default: as many as `ctx_init` has tokens, else 4.
    ctx_init: words to start from; None: random. template: unused.
    An n_ctx that the default words do not fit means a random start.
    """
    image_tower_is_frozen = True  # so its features can be computed once and kept
    has_class_weights = False  # each picture has its own

    def __init__(self, clip, classnames, template=None, n_ctx=None, ctx_init="a photo of a"):
        super().__init__()
        self.clip = clip
        ctx = initial_context(clip, n_ctx, ctx_init, 4, default_words="a photo of a")
        E, D_t = clip.text_projection.shape[1], ctx.shape[1]
        self.meta_net = nn.Sequential()
        self.meta_net.add_module("linear1", nn.Linear(E, E // 16))
        self.meta_net.add_module("relu", nn.ReLU())
        self.meta_net.add_module("linear2", nn.Linear(E // 16, D_t))
        self.ctx = nn.Parameter(ctx)  # [M, D_t]
        self.set_classes(classnames)

    def encode_image(self, images):
        """images [B, 3, H, W] → x [B, E], not normalised."""
        return self.clip.encode_image(images)

    def set_classes(self, classnames):
        """K class names → their prompts: `symbols` [K, L] and `eos` [K], and the same as trees.

        Raises ValueError for a name that is too long.
        """
        names = readable_names(classnames)
        n_ctx = self.ctx.shape[-2]
        prompts = splice(self.clip, names, n_ctx)
        symbols, eos = pad(prompts, self.clip.context_length)
        self.register_buffer("symbols", symbols, persistent=False)
        self.register_buffer("eos", eos, persistent=False)
        self.trees = grow_trees(prompts)
        self.to(self.clip.positional_embedding.device)

    def context(self, image_features):
        """x [B, E] → v(x) [B, M, D_t]."""
        pi = self.meta_net(F.normalize(image_features, dim=-1))  # [B, D_t]
        return self.ctx + pi[:, None]  # CoCoOp Eq. (3): v_m(x) = v_m + pi

    def plain_class_weights(self, context):
        """v(x) [B, M, D_t] → g(t(x)) [B, K, E], as published: picture by picture, padded to L."""
        clip, weights = self.clip, []
        for v in context:
            # CoCoOp Eq. (3): t_i(x) = {v_1(x), …, v_M(x), c_i}
            x = embed(clip, self.symbols, v) + clip.positional_embedding  # [K, L, D_t]
            x = clip.transformer(x, causal_mask(x.shape[1], x.device))
            weights.append(clip.pool_text(x[torch.arange(len(x)), self.eos]))
        return torch.stack(weights)

    def class_weights(self, context):
        """The same g(t(x)) [B, K, E], 14 to 15 times faster (see notes/speed.md)."""
        return encode_trees(self.clip, self.trees, context)

    def classify(self, image_features):
        """x [B, E] → logits [B, K]."""
        # CoCoOp Eq. (3):
        # p(y|x) = exp(cos(x, g(t_y(x)))/tau) / sum_i exp(cos(x, g(t_i(x)))/tau)
        parts = image_features.split(max(1, PROMPTS_AT_ONCE // len(self.eos)))
        found = [cosines(x, self.class_weights(self.context(x))) for x in parts]
        return self.clip.logit_scale.exp() * torch.cat(found)

    def forward(self, images):
        """images [B, 3, H, W] → logits [B, K]."""
        return self.classify(self.encode_image(images))
