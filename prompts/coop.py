"""CoOp: Context Optimization.

Zhou, Yang, Loy, Liu, "Learning to Prompt for Vision-Language Models",
IJCV 2022, arXiv:2109.01134.

Hand-written prompts depend on wording: "a photo of a [CLASS]." may be several per cent better or
worse than its neighbours. CoOp replaces the words around the class name by M learned vectors
[V]_1 … [V]_M in the space of word embeddings. A few pictures per class teach them, through the
frozen text tower. All classes share the context (unified), or each has its own (CSC).

| Eq.      | paper         | code            | shape                            |
| -------- | ------------- | --------------- | -------------------------------- |
| (1), (3) | f             | image_features  | [B, E]                           |
| (1), (3) | 1/tau         | logit_scale.exp | a number                         |
| (2), (4) | [V]_1 … [V]_M | ctx             | [M, D_t], or [K, M, D_t] for CSC |
| (2), (4) | [CLASS]       | names           | K class names                    |
| (2), (4) | t             | symbols, embed  | [K, L], [K, L, D_t]              |
| (3)      | g(t_i)        | class_weights   | [K, E]                           |

Differs from the paper / the published code:
- `ctx_init` is counted in tokens, not in words, which would cut a context in mid-word.
- With `ctx_init`, each class's own context begins from these words; the published code ignores CSC.
- "front", [CLASS][V]_1 … [V]_M, is in the published code and not in the paper.
- With an odd M, "middle" puts M // 2 vectors before the name, as the published code does.

    python train.py --method coop           (measured times and accuracies: notes/results.md)
"""

import torch
from torch import nn

from clip_min.model import causal_mask, cosines
from clip_min.prompting.names import readable_names
from clip_min.prompting.options import check_choice, initial_context
from clip_min.prompting.recipe import Recipe
from clip_min.prompting.tree import embed, encode_trees, grow_trees, pad, splice

# CoOp Sec. 3.1, "Training Details"; the crops are the published configuration's.
PAPER = Recipe(lr=0.002, epochs={1: 50, 2: 100, 4: 100, 8: 200, 16: 200}, batch_size=32,
               imagenet_epochs=50)
# For the tiny CLIP, chosen on the validation pictures of the miniature sets (notes/results.md).
TINY = Recipe(lr=0.02, epochs={1: 50, 2: 100, 4: 100, 8: 200, 16: 200}, batch_size=32,
              crop_scale=(0.85, 1.0), flip=False, options={"ctx_init": "a photo of a"})


class CoOp(nn.Module):
    """Learned context vectors around the class name.

    n_ctx: their number M. Default: the tokens of `ctx_init`, else 16 (4 where that is too long).
    ctx_init: words to start from; None: random. template: unused.
    class_token_position: "end", "middle" or "front". class_specific: each class has a context.
    """
    image_tower_is_frozen = True  # so its features can be computed once and kept
    has_class_weights = True

    def __init__(self, clip, classnames, template=None, n_ctx=None, class_token_position="end",
                 class_specific=False, ctx_init=None):
        super().__init__()
        check_choice("class_token_position", class_token_position, ("end", "middle", "front"))
        check_choice("class_specific", class_specific, (True, False))
        self.clip = clip
        self.position, self.class_specific, self.names = class_token_position, class_specific, None
        ctx = initial_context(clip, n_ctx, ctx_init, 16 if clip.context_length >= 77 else 4)
        if class_specific:
            ctx = ctx.repeat(len(classnames), 1, 1)  # [K, M, D_t]
            ctx = ctx if ctx_init else 0.02 * torch.randn(ctx.shape)  # unequal from the start
        self.ctx = nn.Parameter(ctx)  # [M, D_t]
        self.set_classes(classnames)

    def encode_image(self, images):
        """images [B, 3, H, W] → f [B, E], not normalised."""
        return self.clip.encode_image(images)

    def set_classes(self, classnames):
        """K class names → their prompts: `symbols` [K, L] and `eos` [K], and the same as trees.

        Raises ValueError for a name that is too long.
        With class-specific contexts, it raises ValueError for other classes than the first ones.
        """
        names = readable_names(classnames)
        if self.class_specific and self.names not in (None, names):
            raise ValueError(
                "A class-specific context (class_specific=True) belongs to the classes that it was "
                "learned for: learn a unified one for other classes."
            )
        self.names = names
        n_ctx = self.ctx.shape[-2]
        prompts = splice(self.clip, names, n_ctx, self.position, self.class_specific)
        symbols, eos = pad(prompts, self.clip.context_length)
        self.register_buffer("symbols", symbols, persistent=False)
        self.register_buffer("eos", eos, persistent=False)
        self.trees = grow_trees(prompts)
        self.to(self.clip.positional_embedding.device)

    def plain_class_weights(self):
        """g(t) [K, E], not normalised, as published: every prompt is padded to L tokens (77)."""
        clip, v = self.clip, self.ctx.flatten(0, -2)  # [M, D_t], or [K·M, D_t]
        # CoOp Eq. (2): t = [V]_1 … [V]_M [CLASS]; CoOp Eq. (4): t = … [V]_M/2 [CLASS] … [V]_M
        x = embed(clip, self.symbols, v) + clip.positional_embedding  # [K, L, D_t]
        x = clip.transformer(x, causal_mask(x.shape[1], x.device))
        return clip.pool_text(x[torch.arange(len(x)), self.eos])

    def class_weights(self):
        """The same g(t) [K, E], 3 to 21 times faster (see notes/speed.md)."""
        context = self.ctx.flatten(0, -2)[None]  # [1, M, D_t], or [1, K·M, D_t]
        return encode_trees(self.clip, self.trees, context)[0]  # [K, E]

    def classify(self, image_features):
        """f [B, E] → logits [B, K]."""
        # CoOp Eq. (3), and CoCoOp Eq. (2):
        # p(y=i|x) = exp(cos(g(t_i), f)/tau) / sum_j exp(cos(g(t_j), f)/tau)
        return self.clip.logit_scale.exp() * cosines(image_features, self.class_weights())

    def forward(self, images):
        """images [B, 3, H, W] → logits [B, K]."""
        return self.classify(self.encode_image(images))
