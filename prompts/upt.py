"""Unified Prompt Tuning (UPT).

Zang, Li, Zhou, Huang, Loy, "Unified Vision and Language Prompt Learning", arXiv:2210.07225.

Text prompts alone cannot separate pictures that vary within a class, visual prompts alone cannot
separate similar class names. UPT learns one set of prompts U. A small transformer layer theta lets
them look at each other; then they are cut in two, a half for each tower, layer by layer.

| Eq. | paper             | code                                  | shape                     |
| --- | ----------------- | ------------------------------------- | ------------------------- |
| (1) | w_i, z            | class_weights, image_features         | [K, E], [B, E]            |
| (2) | t_1 … t_m, CLASS  | T[:1], trees                          | [1, n, D_t]               |
| (3) | c, Z, l_i         | x[:, :1], x[:, -patches:], layer      | [B, 1, D_v], [B, S, D_v]  |
| (4) | V^i               | V[i]                                  | [n, D_v]                  |
| (5) | U, U', U-hat      | U, U1, U_hat                          | [depth, 2n, D_t]          |
| (5) | SA, FFN, LN       | self_attention, ffn, ln_1, ln_2       | the same                  |

Differs from the paper, where it is silent (notes/upt.md tells how others closed these gaps):
- Sizes of theta, map D_t → D_v: the author's later release. Visual prompts enter after `ln_pre`.
- attention="normed" reads Eq. (5)'s SA(U), which hardly mixes prompts ("literal"), as SA(LN U).

    python train.py --method upt            (measured times and accuracies: README.md)
"""

import torch
from torch import nn

from clip_min.model import CLS, cosines
from clip_min.prompting.options import check_choice, check_heads, check_positive, check_share
from clip_min.prompting.options import prompted_layers
from clip_min.prompting.recipe import Recipe
from clip_min.prompting.tree import encode_trees, grow_trees, splice

# UPT Appendix B; the epochs are CoOp's (arXiv:2109.01134, Sec. 3.1), on whose code UPT is built.
PAPER = Recipe(lr=0.002, epochs={1: 50, 2: 100, 4: 100, 8: 200, 16: 200}, batch_size=32,
               imagenet_epochs=50)
# For the tiny CLIP, chosen on the validation pictures of the miniature sets (notes/results.md).
TINY = Recipe(lr=0.03, epochs={1: 8, 2: 16, 4: 16, 8: 32, 16: 32}, batch_size=32,
              crop_scale=(0.85, 1.0), flip=False, max_norm=5.0)


class UPT(nn.Module):
    """Learned prompts in both towers of a frozen CLIP with a vision transformer.

    n_ctx: prompts for each tower at each layer (U holds 2n). depth: layers with prompts; "deep":
    all that both towers have. text_depth: those of the text tower; 1: its input only. start: of U,
    a standard deviation. heads, dropout, attention: of theta. template: unused.
    """
    image_tower_is_frozen = False
    has_class_weights = True

    def __init__(self, clip, classnames, template=None, n_ctx=4, depth="deep", text_depth="deep",
                 start=0.02, heads=1, dropout=0.0, attention="normed"):
        super().__init__()
        depth, text_depth = prompted_layers(clip, "UPT", n_ctx, depth, text_depth)
        check_positive("start", start)
        self.clip, self.n_ctx, self.text_depth = clip, n_ctx, text_depth
        D_t, D_v = len(clip.ln_final.weight), len(clip.visual.ln_post.weight)
        self.U = nn.Parameter(start * torch.randn(depth, 2 * n_ctx, D_t))
        self.theta = Theta(D_t, heads, dropout, attention)
        self.to_visual = nn.Linear(D_t, D_v)
        self.set_classes(classnames)

    def encode_image(self, images):
        """images [B, 3, H, W] → z [B, E], not normalised."""
        visual, (_, V) = self.clip.visual, self.prompts()  # V [depth, n, D_v]
        x = visual.embed(images)  # [B, 1+S, D_v]: [CLS] and the patches
        B, patches = len(x), x.shape[1] - 1
        for i, layer in enumerate(visual.transformer.layers(rows=CLS)):
            if i < len(V):
                # UPT Eq. (4): [c, _, Z] = l_i([c, V^i, Z]); what came out at V's place is dropped
                x = torch.cat([x[:, :1], V[i].expand(B, -1, -1), x[:, -patches:]], dim=1)
            x = layer(x)  # [B, 1+n+S, D_v]. UPT Eq. (3): [c, Z] = l_i([c, Z])
        return visual.pool(x)

    def set_classes(self, classnames):
        """K class names → their prompts, as `trees`."""
        self.trees = grow_trees(splice(self.clip, classnames, self.n_ctx))
        self.to(self.clip.positional_embedding.device)

    def prompts(self):
        """→ text prompts T [text_depth, n, D_t] and visual prompts V [depth, n, D_v]."""
        U_t, U_v = self.theta(self.U).split(self.n_ctx, dim=1)  # [depth, n, D_t] each
        return U_t[: self.text_depth], self.to_visual(U_v)

    def class_weights(self):
        """→ w [K, E], not normalised, of UPT Eq. (2)'s [t_1, …, t_m, CLASS]."""
        T, _ = self.prompts()  # [text_depth, n, D_t]: each layer's t_1, …, t_m
        return encode_trees(self.clip, self.trees, T[:1], deeper=T[1:]).squeeze(0)  # [1, K, E]

    def classify(self, image_features):
        """z [B, E] → logits [B, K]."""
        # UPT Eq. (1): p(y=i|x) = exp(cos(w_i, z)/tau) / sum_j exp(cos(w_j, z)/tau)
        return self.clip.logit_scale.exp() * cosines(image_features, self.class_weights())

    def forward(self, images):
        """images [B, 3, H, W] → logits [B, K]."""
        return self.classify(self.encode_image(images))


class Theta(nn.Module):
    """The transformer layer of UPT Eq. (5), for all layers. attention="released": see upt.md."""

    def __init__(self, width, heads, dropout, attention):
        super().__init__()
        check_choice("attention", attention, ("literal", "normed", "released"))
        check_heads(heads, width)
        check_share("dropout", dropout)
        self.heads, self.attention, self.dropout = heads, attention, nn.Dropout(dropout)
        self.in_proj, self.out_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.ffn = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))

    def self_attention(self, U):
        """SA: U [depth, 2n, D] → the same shape; each prompt looks at all prompts of its layer."""
        q, k, v = self.in_proj(U).chunk(3, dim=-1)  # [depth, 2n, D] each
        q, k, v = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (q, k, v))
        mixed = nn.functional.scaled_dot_product_attention(q, k, v)  # [depth, H, 2n, D/H]
        if self.attention == "released":  # a softmax over one prompt, itself: the weight is 1
            mixed = v
        return self.out_proj(mixed.transpose(1, 2).flatten(2))

    def forward(self, U):
        """U [depth, 2n, D] → U-hat [depth, 2n, D]."""
        if self.attention != "released":
            # UPT Eq. (5): U' = SA(U) + LN(U), here SA(LN U);  U-hat = FFN(LN(U')) + LN(U')
            LN_U = self.ln_1(U)
            seen = U if self.attention == "literal" else LN_U
            U1 = self.dropout(self.self_attention(seen)) + LN_U
            LN_U1 = self.ln_2(U1)
            U_hat = self.dropout(self.ffn(LN_U1)) + LN_U1
        else:
            U1 = self.ln_1(U + self.dropout(self.self_attention(U)))
            U_hat = U1 + self.dropout(self.ffn(self.ln_2(U1)))
        return U_hat
