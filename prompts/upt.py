"""Unified Prompt Tuning (UPT).

Zang, Li, Zhou, Huang, Loy, "Unified Vision and Language Prompt Learning", arXiv:2210.07225.

Text prompts alone cannot pull apart pictures that vary within a class; visual prompts alone cannot
pull apart class names that lie close together. UPT learns one set of prompts U for both towers. A
small transformer layer theta lets the prompts look at each other; its output is then cut in two,
one half for the text tower and one for the vision tower, at each of their first `depth` layers.

| Eq. | paper            | code                          | shape                         |
| --- | ---------------- | ----------------------------- | ----------------------------- |
| (1) | w_i, z, tau      | weights[i], image_features    | [K, E], [B, E]                |
| (2) | t_1 … t_m, CLASS | text_prompts, class_tokens    | [depth, n, D_t], [K, S]       |
| (3) | l_i              | visual.transformer.resblocks  |                               |
| (3) | c, Z             | x[:, :1], x[:, 1:]            | [B, 1, D_v], [B, patches, D_v]|
| (4) | V^i              | visual_prompts[i]             | [depth, n, D_v]               |
| (5) | U, U', U-hat     | self.U; theta's steps, output | [depth, 2n, D_t]              |
| (5) | SA, FFN, LN      | theta.in_proj …, ffn, ln_1, 2 |                               |

Differs from the paper, where it is silent (notes/upt.md tells how others closed these gaps):
- Which LN is which: ln_1 in the first line of Eq. (5), ln_2 for both LN(U') of the second.
- Sizes are those of the author's later release: one head, FFN D_t → D_t → D_t with ReLU, one linear
  map D_t → D_v for the visual half. The release prompts the first layer only and uses dropout 0.1;
  here prompts go into every layer (the paper's layer-wise U^i) and dropout is off.
- With dropout, each tower's prompts are drawn with a mask of their own in every step.
- The prompts of the first text layer get positions, as in CoOp; those of later layers replace hidden
  states and do not. Visual prompts enter after `ln_pre`, at the layer's input, as Eq. (4) says.
- attention="released" is the release's layer: LayerNorm after the residual sum, and an attention in
  which each prompt sees itself alone (its tensor is laid out for another order of axes).

    python train.py --method upt            (measured times and accuracies: README.md)
"""

import torch
import torch.nn.functional as F
from torch import nn

from clip_min.data import readable_names
from clip_min.recipe import Recipe

# UPT Appendix B; the epochs are CoOp's (arXiv:2109.01134, Sec. 3.1), on whose code UPT is built.
PAPER = Recipe(
    lr=0.002, epochs={1: 50, 2: 100, 4: 100, 8: 200, 16: 200}, imagenet_epochs=50, batch_size=32
)
# For the tiny CLIP, chosen on the validation pictures of the miniature sets (notes/results.md).
TINY = Recipe(
    lr=0.01, epochs={1: 5, 2: 10, 4: 10, 8: 20, 16: 20}, batch_size=32,
    crop_scale=(0.85, 1.0), flip=False, max_norm=5.0,
)


class UPT(nn.Module):
    """Learned prompts in both towers of a frozen CLIP with a vision transformer.

    n_ctx: prompts for each tower at each layer (n; U holds 2n). depth: number of layers that get
    prompts, or "deep" for all that both towers have. heads, dropout: of theta. template: unused, the
    prompts stand in its place (all methods are built alike).
    """

    image_tower_is_frozen = False

    def __init__(
        self, clip, classnames, template=None, n_ctx=4, depth="deep", heads=1, dropout=0.0, attention="paper"
    ):
        super().__init__()
        if not hasattr(clip.visual, "transformer"):
            raise ValueError("UPT puts prompts between patches, which a ResNet does not have: use a vision "
                             "transformer, such as --model ViT-B/16, or --method coop.")  # fmt: skip
        layers = min(len(clip.transformer.resblocks), len(clip.visual.transformer.resblocks))
        depth = layers if depth == "deep" else depth
        if type(depth) is not int or depth not in range(1, layers + 1):
            raise ValueError(f'depth must be "deep" or a whole number from 1 to {layers}, not {depth!r}.')
        most = clip.context_length - 4  # room for [SOS], a name, the full stop and [EOS]
        if type(n_ctx) is not int or n_ctx not in range(1, most + 1):
            raise ValueError(f"n_ctx must be a whole number from 1 to {most}, not {n_ctx!r}.")
        self.clip, self.n_ctx = clip, n_ctx
        D_t, D_v = len(clip.ln_final.weight), len(clip.visual.ln_post.weight)
        self.U = nn.Parameter(0.02 * torch.randn(depth, 2 * n_ctx, D_t))
        self.theta = Theta(D_t, heads, dropout, attention)
        self.to_visual = nn.Linear(D_t, D_v)
        self.set_classes(classnames)
        self.to(clip.positional_embedding.device)

    def prompts(self):
        """U → text prompts [depth, n, D_t] and visual prompts [depth, n, D_v]."""
        U_hat = self.theta(self.U)  # [depth, 2n, D_t]
        U_t, U_v = U_hat.split(self.n_ctx, dim=1)  # [depth, n, D_t] each
        return U_t, self.to_visual(U_v)

    def encode_image(self, images):
        """images [B, 3, H, W] → z [B, E], not normalised."""
        visual, (_, V) = self.clip.visual, self.prompts()  # V [depth, n, D_v]
        x = visual.embed(images)  # [B, 1+S, D_v]: [CLS] and the patches
        B, patches = len(x), x.shape[1] - 1
        first = torch.zeros(B, dtype=torch.long, device=x.device)  # the position of [CLS]
        last = visual.transformer.resblocks[-1]
        for i, block in enumerate(visual.transformer.resblocks):
            if i < len(V):  # UPT Eq. (4): [c, _, Z] = l_i([c, V^i, Z]); what came out at V's place is dropped
                x = torch.cat([x[:, :1], V[i].expand(B, -1, -1), x[:, -patches:]], dim=1)  # [B, 1+n+S, D_v]
            # UPT Eq. (3): [c, Z] = l_i([c, Z]). Only [CLS] is read after the last layer.
            x = block(x, row=first if block is last else None)
        return visual.pool(x.squeeze(1))

    def set_classes(self, classnames):
        """K class names → `class_tokens` [K, S], the ids of "name." and [EOS], and `eos` [K], its place."""
        tokenizer, device = self.clip.tokenizer, self.clip.positional_embedding.device
        room = self.clip.context_length - 1 - self.n_ctx  # [SOS] and the prompts come first
        tokens = tokenizer([f"{name}." for name in readable_names(classnames)], 1 + room).to(device)
        self.eos = tokens.argmax(dim=-1) - 1  # [K]
        self.class_tokens = tokens[:, 1 : self.eos.max() + 2]  # [K, S], without [SOS]

    def class_weights(self):
        """The K classes → w [K, E], not normalised.

        All classes begin with [SOS] and the same prompts. Under the causal mask no token sees what follows
        it, so these are computed once, as a prefix [1, 1+n, D_t] that every class's own tokens look at.
        """
        clip, (T, _) = self.clip, self.prompts()  # T [depth, n, D_t]
        P = 1 + self.n_ctx
        sos = clip.token_embedding.weight[clip.tokenizer.sot]
        positions = clip.positional_embedding
        # UPT Eq. (2): [t_1, …, t_m, CLASS]
        prefix = (torch.cat([sos[None], T[0]]) + positions[:P]).unsqueeze(0)  # [1, 1+n, D_t]
        x = clip.token_embedding(self.class_tokens) + positions[P : P + self.class_tokens.shape[1]]  # [K, S, D_t]
        last = clip.transformer.resblocks[-1]
        for i, block in enumerate(clip.transformer.resblocks):
            if 0 < i < len(T):  # the text tower's Eq. (4): this layer's prompts replace what came out
                prefix = torch.cat([prefix[:, :1], T[i][None]], dim=1)
            if block is last:  # only [EOS] is read after it
                x = block(x, prefix, row=self.eos)  # [K, 1, D_t]
            else:
                x, prefix = block(x, prefix), block(prefix)
        return clip.pool_text(x.squeeze(1))

    def classify(self, image_features):
        """z [B, E] → logits [B, K]."""
        weights = F.normalize(self.class_weights(), dim=-1)  # [K, E]
        # UPT Eq. (1): p(y=i|x) = exp(cos(w_i, z)/tau) / sum_j exp(cos(w_j, z)/tau)
        return self.clip.logit_scale.exp() * F.normalize(image_features, dim=-1) @ weights.T

    def forward(self, images):
        """images [B, 3, H, W] → logits [B, K]."""
        return self.classify(self.encode_image(images))


class Theta(nn.Module):
    """The lightweight transformer layer of UPT Eq. (5), shared by all layers' prompts."""

    def __init__(self, width, heads, dropout, attention):
        super().__init__()
        if attention not in ("paper", "released"):
            raise ValueError(f'attention must be "paper" or "released", not {attention!r}.')
        if heads < 1 or width % heads:
            raise ValueError(f"heads must divide the text width {width}, which {heads!r} does not.")
        self.heads, self.attention = heads, attention
        self.in_proj, self.out_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.ffn = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
        self.dropout = nn.Dropout(dropout)

    def self_attention(self, U):
        """SA: U [depth, 2n, D] → [depth, 2n, D]; each prompt looks at all prompts of its layer."""
        q, k, v = self.in_proj(U).chunk(3, dim=-1)  # [depth, 2n, D] each
        if self.attention == "released":  # a softmax over one prompt, itself: the weight is 1
            return self.out_proj(v)
        q, k, v = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (q, k, v))  # [depth, H, 2n, D/H]
        return self.out_proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))

    def forward(self, U):
        """U [depth, 2n, D] → U-hat [depth, 2n, D]."""
        if self.attention == "released":
            U = self.ln_1(U + self.dropout(self.self_attention(U)))
            return U + self.dropout(self.ffn(self.ln_2(U)))
        # UPT Eq. (5): U' = SA(U) + LN(U);  U-hat = FFN(LN(U')) + LN(U')
        U = self.dropout(self.self_attention(U)) + self.ln_1(U)
        normed = self.ln_2(U)
        return self.dropout(self.ffn(normed)) + normed
