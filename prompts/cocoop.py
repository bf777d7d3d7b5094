"""CoCoOp: Conditional Context Optimization.

Zhou, Yang, Loy, Liu, "Conditional Prompt Learning for Vision-Language Models", CVPR 2022, arXiv:2203.05557.

CoOp's context fits the classes that it was learned on, and does worse than hand-written words on classes it
has not seen. CoCoOp lets the picture have a say: a small network, the Meta-Net, turns the picture's
feature into one vector pi that is added to every context vector. The prompts, and with them the
class vectors, are then different for every picture.

| Eq. | paper            | code                          | shape           |
| --- | ---------------- | ----------------------------- | --------------- |
| (1) | w_i, x, tau      | see zero_shot.py              |                 |
| (2) | t_i              | see coop.py                   |                 |
| (3) | h_theta          | meta_net                      | E → E/16 → D_t  |
| (3) | pi               | meta_net(…)                   | [B, D_t]        |
| (3) | v_m, v_m(x)      | ctx, context(image_features)  | [M, D_t], [B, M, D_t] |
| (3) | c_i              | class_tokens                  | [K, S]          |
| (3) | g(t_i(x))        | class_weights(context)        | [B, K, E]       |

Differs from the paper / the published code:
- Batches may hold more than one picture. The recipe keeps the paper's batch size of 1 for the real
  backbones.
- The Meta-Net reads the normalised image feature, as in the published code (the paper does not say).
- `ctx_init` is counted in tokens, not in words.
- The paper's 34,816 parameters (Table 5) are the context and the two weight matrices; with the biases, which
  the published code has too, there are 35,360.

    python train.py --method cocoop         (measured times and accuracies: notes/results.md)
"""

import torch
import torch.nn.functional as F
from torch import nn

from clip_min.data import readable_names
from clip_min.recipe import Recipe

# CoCoOp Sec. 4, "Training Details"; the crops are the published configuration's.
PAPER = Recipe(lr=0.002, epochs={1: 10, 2: 10, 4: 10, 8: 10, 16: 10}, batch_size=1)
# For the tiny CLIP, chosen on the validation pictures of the miniature sets (notes/results.md).
TINY = Recipe(
    lr=0.05, epochs={1: 10, 2: 10, 4: 10, 8: 10, 16: 10}, batch_size=8,
    crop_scale=(0.85, 1.0), flip=False, max_norm=5.0,
)

PROMPTS_AT_ONCE = 4096  # pictures times classes in one pass: bounds the memory of an evaluation


class CoCoOp(nn.Module):
    """A context that depends on the picture.

    n_ctx: number M of context vectors (as many as `ctx_init` has tokens, or 4). ctx_init: words to start from; None:
    random. template: unused, the context stands in its place (all methods are built alike).
    """

    image_tower_is_frozen = True  # so its features can be computed once and kept

    def __init__(self, clip, classnames, template=None, n_ctx=None, ctx_init="a photo of a"):
        super().__init__()
        self.clip = clip
        self.ctx = nn.Parameter(initial_context(clip, n_ctx, ctx_init, default=4))  # [M, D_t]
        E, D_t = clip.text_projection.shape[1], self.ctx.shape[1]
        self.meta_net = nn.Sequential()
        self.meta_net.add_module("linear1", nn.Linear(E, E // 16))
        self.meta_net.add_module("relu", nn.ReLU())
        self.meta_net.add_module("linear2", nn.Linear(E // 16, D_t))
        self.to(self.ctx.device)
        self.set_classes(classnames)

    def encode_image(self, images):
        """images [B, 3, H, W] → x [B, E], not normalised."""
        return self.clip.encode_image(images)

    def set_classes(self, classnames):
        """K class names → `class_tokens` [K, S], the ids of "name." and [EOS], and `eos` [K], its place."""
        tokenizer, room = self.clip.tokenizer, self.clip.context_length - 1 - len(self.ctx)  # without [SOS] and context
        tokens = tokenizer([f"{name}." for name in readable_names(classnames)], 1 + room).to(self.ctx.device)
        self.eos = tokens.argmax(dim=-1) - 1  # [K]
        self.class_tokens = tokens[:, 1:]  # [K, S], without [SOS]

    def context(self, image_features):
        """x [B, E] → v(x) [B, M, D_t]."""
        pi = self.meta_net(F.normalize(image_features, dim=-1))  # [B, D_t]
        return self.ctx + pi[:, None]  # CoCoOp Eq. (3): v_m(x) = v_m + pi

    def plain_class_weights(self, context):
        """v(x) [B, M, D_t] → g(t(x)) [B, K, E], not normalised, as the published code has it.

        Picture by picture, every prompt padded to 77 tokens.
        """
        clip, K = self.clip, len(self.class_tokens)
        sos = clip.token_embedding.weight[clip.tokenizer.sot].expand(K, 1, -1)  # [K, 1, D_t]
        weights = []
        for v in context:
            # CoCoOp Eq. (3): t_i(x) = {v_1(x), …, v_M(x), c_i}
            x = torch.cat([sos, v.expand(K, -1, -1), clip.token_embedding(self.class_tokens)], dim=1)  # [K, 77, D_t]
            x = x + clip.positional_embedding
            for block in clip.transformer.resblocks:
                x = block(x)
            weights.append(clip.pool_text(x[torch.arange(K), 1 + len(v) + self.eos]))  # [K, E]
        return torch.stack(weights)

    def class_weights(self, context):
        """The same g(t(x)) [B, K, E], an order of magnitude faster, and with all pictures in one pass.

        Exact, because no token sees what follows it: [SOS] and the context come out the same for all classes,
        so they are computed once for each picture, as a prefix that its K classes' own tokens look at, and
        the padding behind [EOS] is left out. Of the last block only [EOS] is read.
        """
        clip, K, (B, M, D) = self.clip, len(self.class_tokens), context.shape
        longest, positions = self.eos.max() + 1, clip.positional_embedding
        sos = clip.token_embedding.weight[clip.tokenizer.sot].expand(B, 1, D)
        prefix = torch.cat([sos, context], dim=1) + positions[: 1 + M]  # [B, P, D_t]
        x = clip.token_embedding(self.class_tokens[:, :longest]) + positions[1 + M : 1 + M + longest]  # [K, S, D_t]
        x = x.repeat(B, 1, 1)  # [B·K, S, D_t]: the first picture's classes, then the second's
        *blocks, last = clip.transformer.resblocks
        for block in blocks:
            x, prefix = block(x, prefix), block(prefix)
        weights = clip.pool_text(last(x, prefix, row=self.eos.repeat(B)).squeeze(1))  # [B·K, E]
        return weights.unflatten(0, (B, K))

    def classify(self, image_features):
        """x [B, E] → logits [B, K]."""
        logits = []
        for x in image_features.split(max(1, PROMPTS_AT_ONCE // len(self.class_tokens))):
            weights = F.normalize(self.class_weights(self.context(x)), dim=-1)  # [B, K, E]
            # CoCoOp Eq. (3): p(y|x) = exp(cos(x, g(t_y(x)))/tau) / sum_i exp(cos(x, g(t_i(x)))/tau)
            cosines = (weights @ F.normalize(x, dim=-1)[..., None]).squeeze(-1)  # [B, K, E] · [B, E, 1] → [B, K]
            logits.append(self.clip.logit_scale.exp() * cosines)
        return torch.cat(logits)

    def forward(self, images):
        """images [B, 3, H, W] → logits [B, K]."""
        return self.classify(self.encode_image(images))


def initial_context(clip, n_ctx, ctx_init, default):
    """→ M context vectors [M, D_t]: the embeddings of the words `ctx_init`, or random with deviation 0.02.

    Raises ValueError if `n_ctx` is not the number of tokens of `ctx_init`, or leaves no room for a class name.
    """
    embedding = clip.token_embedding.weight
    if ctx_init is not None:
        ids = clip.tokenizer.encode(str(ctx_init).replace("_", " "))
        if not ids or n_ctx not in (None, len(ids)):
            raise ValueError(f"ctx_init={ctx_init!r} has {len(ids)} tokens, which contradicts n_ctx={n_ctx!r}: "
                             "give one, or ctx_init=None for a random start.")  # fmt: skip
        n_ctx = len(ids)
    n_ctx = default if n_ctx is None else n_ctx
    most = clip.context_length - 4  # room for [SOS], a name, the full stop and [EOS]
    if type(n_ctx) is not int or n_ctx not in range(1, most + 1):
        raise ValueError(f"n_ctx must be a whole number from 1 to {most}, not {n_ctx!r}.")
    if ctx_init is not None:
        return embedding[ids].clone()
    return 0.02 * torch.randn(n_ctx, embedding.shape[1], device=embedding.device)
