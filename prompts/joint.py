"""Joint, shared and MLP: the three simpler designs that UPT is compared with.

Zang, Li, Zhou, Huang, Loy, "Unified Vision and Language Prompt Learning", arXiv:2210.07225,
Fig. 5 and Table 2.

All of them prompt both towers, and differ in where the prompts come from. "joint": text prompts as
in CoOp and visual prompts as in VPT-deep, side by side, that know nothing of each other. "shared":
the same vectors are used in both towers. "mlp": as in UPT, one set of vectors is transformed and
cut in two, but two MLP layers take the place of the transformer layer theta, so that no prompt sees
another one.

| Eq.        | paper            | code                             | shape                        |
| ---------- | ---------------- | -------------------------------- | ---------------------------- |
| (1)        | w_i, z           | class_weights, image_features    | [K, E], [B, E]               |
| (2)        | t_1 … t_m, CLASS | T[:1], trees                     | [1, n, D_t]                  |
| (3)        | c, Z, l_i        | x[:, :1], x[:, -patches:], layer | [B, 1, D_v], [B, S, D_v]     |
| (4)        | V^i              | V[i]                             | [n, D_v]                     |
| Fig. 5 (a) | T, V             | T, V                             | [1, n, D_t], [depth, n, D_v] |
| Fig. 5 (b) | U                | U                                | [depth, n, D_t]              |
| Fig. 5 (c) | U, MLP           | U, mlp                           | [depth, 2n, D_t]             |

Differs from the paper, which gives these designs a figure and a few sentences each:
- joint: CoOp's context goes into the first text layer only, as in CoOp; visual prompts go into all
  layers. The context starts from the words "a photo of a", as CoOp's does in CoCoOp's experiments
  (arXiv:2203.05557, Sec. 4), if n_ctx is their number of tokens, and at random otherwise.
- shared, mlp: prompts go into every layer of both towers, as in UPT; a learned linear map D_t → D_v
  takes them to the image tower, whose width differs.
- mlp: Linear, ReLU, Linear, all D_t wide, as the FFN in upt.py. No residual, no LayerNorm.

The file is longer than others because it holds three methods. They differ in `__init__` and
`prompts`; what all of them do with their prompts is written once, in the functions at the end.

    python train.py --method joint shared mlp      (measured times and accuracies: notes/results.md)
"""

import torch
from torch import nn

from clip_min.model import CLS, cosines
from clip_min.prompting.options import check_choice, prompted_layers
from clip_min.prompting.recipe import Recipe
from clip_min.prompting.tree import encode_trees, grow_trees, splice

# UPT Appendix B; the epochs are CoOp's (arXiv:2109.01134, Sec. 3.1), on whose code UPT is built.
PAPER = Recipe(lr=0.002, epochs={1: 50, 2: 100, 4: 100, 8: 200, 16: 200}, batch_size=32,
               imagenet_epochs=50)
# For the tiny CLIP, chosen on the validation pictures of the miniature sets (notes/results.md).
TINY = Recipe(lr=0.02, epochs={1: 8, 2: 16, 4: 16, 8: 32, 16: 32}, batch_size=32,
              crop_scale=(0.85, 1.0), flip=False, max_norm=5.0)


class Joint(nn.Module):
    """UPT Fig. 5 (a): text prompts T and visual prompts V, learned side by side.

    n_ctx: prompts for each tower at each layer (n). depth: number of layers of the image tower that
    get prompts; "deep": all that both towers have. text_depth: always 1. template: unused.
    """
    image_tower_is_frozen = False
    has_class_weights = True

    def __init__(self, clip, classnames, template=None, n_ctx=4, depth="deep", text_depth="deep"):
        super().__init__()
        check_choice("text_depth", text_depth, ("deep", 1))
        depth, _ = prompted_layers(clip, "joint", n_ctx, depth, text_depth)
        self.clip, self.n_ctx = clip, n_ctx
        D_t, D_v = len(clip.ln_final.weight), len(clip.visual.ln_post.weight)
        words = clip.token_embedding.weight[clip.tokenizer.encode("a photo of a")]
        start = words if len(words) == n_ctx else 0.02 * torch.randn(n_ctx, D_t)
        self.T = nn.Parameter(start[None].clone())
        self.V = nn.Parameter(0.02 * torch.randn(depth, n_ctx, D_v))
        self.set_classes(classnames)

    def encode_image(self, images):
        """images [B, 3, H, W] → z [B, E], not normalised."""
        return prompted_image_features(self.clip, images, self.prompts()[1])

    def set_classes(self, classnames):
        """K class names → their prompts, as `trees`."""
        self.trees = grow_trees(splice(self.clip, classnames, self.n_ctx))
        self.to(self.clip.positional_embedding.device)

    def prompts(self):
        """→ text prompts T [1, n, D_t] and visual prompts V [depth, n, D_v]."""
        return self.T, self.V

    def class_weights(self):
        """→ w [K, E], not normalised."""
        return prompted_class_weights(self.clip, self.trees, self.prompts()[0])

    def classify(self, image_features):
        """z [B, E] → logits [B, K]."""
        # UPT Eq. (1): p(y=i|x) = exp(cos(w_i, z)/tau) / sum_j exp(cos(w_j, z)/tau)
        return self.clip.logit_scale.exp() * cosines(image_features, self.class_weights())

    def forward(self, images):
        """images [B, 3, H, W] → logits [B, K]."""
        return self.classify(self.encode_image(images))


class Shared(nn.Module):
    """UPT Fig. 5 (b): one set of prompts U, the same in both towers.

    n_ctx, depth, template: see `Joint`. text_depth: layers of the text tower that get prompts; 1:
    at its input only; "deep": as many as `depth`.
    """
    image_tower_is_frozen = False
    has_class_weights = True

    def __init__(self, clip, classnames, template=None, n_ctx=4, depth="deep", text_depth="deep"):
        super().__init__()
        depth, text_depth = prompted_layers(clip, "shared", n_ctx, depth, text_depth)
        self.clip, self.n_ctx, self.text_depth = clip, n_ctx, text_depth
        D_t, D_v = len(clip.ln_final.weight), len(clip.visual.ln_post.weight)
        self.U = nn.Parameter(0.02 * torch.randn(depth, n_ctx, D_t))
        self.to_visual = nn.Linear(D_t, D_v)
        self.set_classes(classnames)

    def encode_image(self, images):
        """images [B, 3, H, W] → z [B, E], not normalised."""
        return prompted_image_features(self.clip, images, self.prompts()[1])

    def set_classes(self, classnames):
        """K class names → their prompts, as `trees`."""
        self.trees = grow_trees(splice(self.clip, classnames, self.n_ctx))
        self.to(self.clip.positional_embedding.device)

    def prompts(self):
        """→ text prompts T [text_depth, n, D_t] and visual prompts V [depth, n, D_v]."""
        return self.U[: self.text_depth], self.to_visual(self.U)

    def class_weights(self):
        """→ w [K, E], not normalised."""
        return prompted_class_weights(self.clip, self.trees, self.prompts()[0])

    def classify(self, image_features):
        """z [B, E] → logits [B, K], UPT Eq. (1)."""
        return self.clip.logit_scale.exp() * cosines(image_features, self.class_weights())

    def forward(self, images):
        """images [B, 3, H, W] → logits [B, K]."""
        return self.classify(self.encode_image(images))


class MLP(nn.Module):
    """UPT Fig. 5 (c): one set of prompts U, transformed by two layers and cut in two.

    Its options are those of `Shared`.
    """
    image_tower_is_frozen = False
    has_class_weights = True

    def __init__(self, clip, classnames, template=None, n_ctx=4, depth="deep", text_depth="deep"):
        super().__init__()
        depth, text_depth = prompted_layers(clip, "mlp", n_ctx, depth, text_depth)
        self.clip, self.n_ctx, self.text_depth = clip, n_ctx, text_depth
        D_t, D_v = len(clip.ln_final.weight), len(clip.visual.ln_post.weight)
        self.U = nn.Parameter(0.02 * torch.randn(depth, 2 * n_ctx, D_t))
        self.mlp = nn.Sequential(nn.Linear(D_t, D_t), nn.ReLU(), nn.Linear(D_t, D_t))
        self.to_visual = nn.Linear(D_t, D_v)
        self.set_classes(classnames)

    def encode_image(self, images):
        """images [B, 3, H, W] → z [B, E], not normalised."""
        return prompted_image_features(self.clip, images, self.prompts()[1])

    def set_classes(self, classnames):
        """K class names → their prompts, as `trees`."""
        self.trees = grow_trees(splice(self.clip, classnames, self.n_ctx))
        self.to(self.clip.positional_embedding.device)

    def prompts(self):
        """→ text prompts T [text_depth, n, D_t] and visual prompts V [depth, n, D_v]."""
        U_t, U_v = self.mlp(self.U).split(self.n_ctx, dim=1)  # [depth, n, D_t] each
        return U_t[: self.text_depth], self.to_visual(U_v)

    def class_weights(self):
        """→ w [K, E], not normalised."""
        return prompted_class_weights(self.clip, self.trees, self.prompts()[0])

    def classify(self, image_features):
        """z [B, E] → logits [B, K], UPT Eq. (1)."""
        return self.clip.logit_scale.exp() * cosines(image_features, self.class_weights())

    def forward(self, images):
        """images [B, 3, H, W] → logits [B, K]."""
        return self.classify(self.encode_image(images))


def prompted_image_features(clip, images, V):
    """images [B, 3, H, W], visual prompts V [depth, n, D_v] → z [B, E], not normalised."""
    visual = clip.visual
    x = visual.embed(images)  # [B, 1+S, D_v]: [CLS] and the patches
    B, patches = len(x), x.shape[1] - 1
    for i, layer in enumerate(visual.transformer.layers(rows=CLS)):
        if i < len(V):
            # UPT Eq. (4): [c, _, Z] = l_i([c, V^i, Z]); what came out at V's place is dropped
            x = torch.cat([x[:, :1], V[i].expand(B, -1, -1), x[:, -patches:]], dim=1)
        x = layer(x)  # [B, 1+n+S, D_v]. UPT Eq. (3): [c, Z] = l_i([c, Z])
    return visual.pool(x)


def prompted_class_weights(clip, trees, T):
    """Prompts as trees, text prompts T [depth, n, D_t] → w [K, E], not normalised."""
    # UPT Eq. (2): [t_1, …, t_m, CLASS]; T^2, T^3, … stand there in the next layers
    return encode_trees(clip, trees, T[:1], deeper=T[1:]).squeeze(0)  # [1, K, E] → [K, E]
