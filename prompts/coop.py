"""CoOp: Context Optimization.

Zhou, Yang, Loy, Liu, "Learning to Prompt for Vision-Language Models", IJCV 2022, arXiv:2109.01134.

Hand-written prompts depend on wording: "a photo of a [CLASS]." may be several points better or worse than
its neighbours. CoOp replaces the words around the class name by M vectors [V]_1 … [V]_M in the space
of word embeddings and learns them from a few pictures per class, through the frozen text tower.
The context is shared by all classes (unified) or each class has its own (class-specific, CSC).

| Eq.      | paper            | code                   | shape                            |
| -------- | ---------------- | ---------------------- | -------------------------------- |
| (1), (3) | f, tau           | image_features,        | [B, E]                           |
|          |                  | 1 / logit_scale.exp    | a number                         |
| (2), (4) | [V]_1 … [V]_M    | ctx                    | [M, D_t], or [K, M, D_t] for CSC |
| (2), (4) | [CLASS]          | tokens, elsewhere      | [K, L]                           |
| (2), (4) | t                | prompts()[i]           | [L, D_t]                         |
| (3)      | g(t_i)           | class_weights()[i]     | [K, E]                           |

Differs from the paper / the published code:
- `ctx_init` is counted in tokens; the published code counts words, which cuts a context in mid-word
  where a word has several tokens. It also drops class-specific contexts there without a word; here each class
  begins from the same words.
- "front", [CLASS][V]_1 … [V]_M, is in the published code and not in the paper.
- With an odd M, "middle" puts M // 2 vectors before the name, as the published code does.

    python train.py --method coop           (measured times and accuracies: notes/results.md)
"""

import torch
import torch.nn.functional as F
from torch import nn

from clip_min.data import readable_names
from clip_min.recipe import Recipe

# CoOp Sec. 3.1, "Training Details"; the crops are the published configuration's.
PAPER = Recipe(
    lr=0.002, epochs={1: 50, 2: 100, 4: 100, 8: 200, 16: 200}, imagenet_epochs=50, batch_size=32
)
# For the tiny CLIP, chosen on the validation pictures of the miniature sets (notes/results.md).
TINY = Recipe(
    lr=0.02, epochs={1: 50, 2: 50, 4: 50, 8: 50, 16: 50}, batch_size=32,
    crop_scale=(0.85, 1.0), flip=False, options={"ctx_init": "a photo of a"},
)


class CoOp(nn.Module):
    """Learned context vectors around the class name.

    n_ctx: their number M. Default: as many as `ctx_init` has tokens, else 16, or 4 if CLIP reads fewer than 77 tokens.
    class_token_position: "end", "middle" or "front". class_specific: each class has its own (CSC).
    ctx_init: words to start from; None: random. template: unused, the context stands in its place (all methods
    are built alike).
    """

    image_tower_is_frozen = True  # so its features can be computed once and kept

    def __init__(
        self, clip, classnames, template=None, n_ctx=None, class_token_position="end", class_specific=False,
        ctx_init=None,
    ):  # fmt: skip
        super().__init__()
        if class_token_position not in ("end", "middle", "front"):
            raise ValueError(f'class_token_position must be "end", "middle" or "front", not {class_token_position!r}.')
        if class_specific not in (True, False):
            raise ValueError(f"class_specific must be True or False, not {class_specific!r}.")
        self.clip, self.position, self.class_specific = clip, class_token_position, class_specific
        ctx = initial_context(clip, n_ctx, ctx_init, default=16 if clip.context_length >= 77 else 4)  # [M, D_t]
        if class_specific:
            ctx = ctx.repeat(len(classnames), 1, 1)  # [K, M, D_t]
            ctx = ctx if ctx_init else 0.02 * torch.randn_like(ctx)
        self.ctx, self.names = nn.Parameter(ctx), None
        self.set_classes(classnames)

    def encode_image(self, images):
        """images [B, 3, H, W] → f [B, E], not normalised."""
        return self.clip.encode_image(images)

    def set_classes(self, classnames):
        """K class names → their `tokens` [K, 77], where the context goes, and `eos` [K], the place of [EOS].

        Raises ValueError for a name that is too long, and for other names than the first ones if the context is
        class-specific.
        """
        names = readable_names(classnames)
        if self.class_specific and self.names not in (None, names):
            raise ValueError(
                "A class-specific context (class_specific=True) belongs to the classes that it was learned for: "
                "learn a unified one for other classes."
            )
        self.names = names
        tokenizer, M, device = self.clip.tokenizer, self.ctx.shape[-2], self.ctx.device
        before = {"end": M, "middle": M // 2, "front": 0}[self.position]  # context vectors before the name
        self.tokens = torch.zeros(len(names), self.clip.context_length, dtype=torch.long, device=device)  # [K, L]
        self.is_context = torch.zeros_like(self.tokens, dtype=torch.bool)
        self.eos = torch.zeros(len(names), dtype=torch.long, device=device)
        for i, name in enumerate(names):
            name_length, text = len(tokenizer.encode(name)), tokenizer.encode(f"{name}.")
            length = 1 + M + len(text) + 1
            if length > self.clip.context_length:
                raise ValueError(f"The class name {name!r} makes a prompt of {length} tokens with {M} context vectors, "
                                 f"and {self.clip.context_length} is the most: shorten it or lower n_ctx.")  # fmt: skip
            gap, rest = [0] * before, [0] * (M - before)  # to be filled with the context
            ids = [tokenizer.sot, *gap, *text[:name_length], *rest, *text[name_length:], tokenizer.eot]
            self.tokens[i, :length] = torch.tensor(ids)
            self.is_context[i, 1 : 1 + before] = True
            self.is_context[i, 1 + before + name_length : 1 + name_length + M] = True
            self.eos[i] = length - 1
        self.shared = 1 if self.class_specific else 1 + before  # tokens that begin every class's prompt

    def prompts(self, length):
        """→ t [K, length, D_t]: word embeddings, with the context vectors in their places."""
        words = self.clip.token_embedding(self.tokens[:, :length])  # [K, L, D_t]
        context = self.ctx.expand(len(words), -1, -1)  # [K, M, D_t]
        # CoOp Eq. (2): t = [V]_1 … [V]_M [CLASS]; CoOp Eq. (4): t = [V]_1 … [V]_M/2 [CLASS] [V]_M/2+1 … [V]_M
        return words.masked_scatter(self.is_context[:, :length, None], context)  # fills the places in order

    def plain_class_weights(self):
        """g(t) [K, E], not normalised, as the published code has it: every prompt padded to 77 tokens."""
        x = self.prompts(self.clip.context_length) + self.clip.positional_embedding  # [K, 77, D_t]
        for block in self.clip.transformer.resblocks:
            x = block(x)
        return self.clip.pool_text(x[torch.arange(len(x)), self.eos])

    def class_weights(self):
        """The same g(t) [K, E], an order of magnitude faster.

        Exact, because no token sees what follows it (the causal mask). So padding behind [EOS] changes nothing, and
        what all prompts begin with, [SOS] and the context before the name, comes out the same for all classes:
        it is computed once, as a prefix that every class's own tokens look at. Of the last block only [EOS] is read.
        """
        longest = self.eos.max() + 1
        x = self.prompts(longest) + self.clip.positional_embedding[:longest]  # [K, longest, D_t]
        prefix, x = x[:1, : self.shared], x[:, self.shared :]  # [1, P, D_t], [K, S, D_t]
        *blocks, last = self.clip.transformer.resblocks
        for block in blocks:
            x, prefix = block(x, prefix), block(prefix)
        return self.clip.pool_text(last(x, prefix, row=self.eos - self.shared).squeeze(1))

    def classify(self, image_features):
        """f [B, E] → logits [B, K]."""
        weights = F.normalize(self.class_weights(), dim=-1)  # [K, E]
        # CoOp Eq. (3), CoCoOp Eq. (2): p(y=i|x) = exp(cos(g(t_i), f)/tau) / sum_j exp(cos(g(t_j), f)/tau)
        return self.clip.logit_scale.exp() * F.normalize(image_features, dim=-1) @ weights.T

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
