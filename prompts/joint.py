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

    python train.py --method joint shared mlp      (measured times and accuracies: notes/results.md)
"""

import torch
from torch import nn

from clip_min.model import CLS, cosines
from clip_min.prompting.options import check_choice, prompted_layers
from clip_min.prompting.tree import encode_trees, grow_trees, splice
from clip_min.prompting.recipe import Recipe

# UPT Appendix B; the epochs are CoOp's (arXiv:2109.01134, Sec. 3.1), on whose code UPT is built.
PAPER = Recipe(lr=0.002, epochs={1: 50, 2: 100, 4: 100, 8: 200, 16: 200}, batch_size=32,
               imagenet_epochs=50)
# For the tiny CLIP, chosen on the validation pictures of the miniature sets (notes/results.md).
TINY = Recipe(lr=0.02, epochs={1: 8, 2: 16, 4: 16, 8: 32, 16: 32}, batch_size=32,
              crop_scale=(0.85, 1.0), flip=False, max_norm=5.0)


class Joint(nn.Module):
    """Learned prompts in both towers, from one of three sources.

    design: "joint", "shared" or "mlp". n_ctx: prompts for each tower at each layer (n). depth:
    number of layers that get prompts; "deep": all that both towers have. text_depth: of the text
    tower; 1: at its input only, as joint always has it. template: unused.
    """
    image_tower_is_frozen = False

    def __init__(self, design, clip, classnames, template=None, n_ctx=4, depth="deep",
                 text_depth="deep"):
        super().__init__()
        check_choice("design", design, ("joint", "shared", "mlp"))
        if design == "joint":
            check_choice("text_depth", text_depth, ("deep", 1))
        depth, text_depth = prompted_layers(clip, design, n_ctx, depth, text_depth)
        self.clip, self.design, self.n_ctx, self.text_depth = clip, design, n_ctx, text_depth
        D_t, D_v = len(clip.ln_final.weight), len(clip.visual.ln_post.weight)
        if design == "joint":
            words = clip.token_embedding.weight[clip.tokenizer.encode("a photo of a")]
            start = words if len(words) == n_ctx else 0.02 * torch.randn(n_ctx, D_t)
            self.T = nn.Parameter(start[None].clone())
            self.V = nn.Parameter(0.02 * torch.randn(depth, n_ctx, D_v))
        elif design == "shared":
            self.U = nn.Parameter(0.02 * torch.randn(depth, n_ctx, D_t))
            self.to_visual = nn.Linear(D_t, D_v)
        else:
            self.U = nn.Parameter(0.02 * torch.randn(depth, 2 * n_ctx, D_t))
            self.mlp = nn.Sequential(nn.Linear(D_t, D_t), nn.ReLU(), nn.Linear(D_t, D_t))
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
        """→ text prompts T [1 or text_depth, n, D_t] and visual prompts V [depth, n, D_v]."""
        if self.design == "joint":
            return self.T, self.V  # UPT Fig. 5 (a)
        if self.design == "shared":
            return self.U[: self.text_depth], self.to_visual(self.U)  # UPT Fig. 5 (b)
        U_t, U_v = self.mlp(self.U).split(self.n_ctx, dim=1)  # UPT Fig. 5 (c)
        return U_t[: self.text_depth], self.to_visual(U_v)

    def class_weights(self):
        """→ w [K, E], not normalised."""
        T, _ = self.prompts()  # [1 or text_depth, n, D_t]
        # UPT Eq. (2): [t_1, …, t_m, CLASS]; T^2, T^3, … stand there in the next layers
        return encode_trees(self.clip, self.trees, T[:1], deeper=T[1:]).squeeze(0)  # [1, K, E]

    def classify(self, image_features):
        """z [B, E] → logits [B, K]."""
        # UPT Eq. (1): p(y=i|x) = exp(cos(w_i, z)/tau) / sum_j exp(cos(w_j, z)/tau)
        return self.clip.logit_scale.exp() * cosines(image_features, self.class_weights())

    def forward(self, images):
        """images [B, 3, H, W] → logits [B, K]."""
        return self.classify(self.encode_image(images))
