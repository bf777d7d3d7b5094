"""MaPLe: Multi-modal Prompt Learning.

Khattak, Rasheed, Maaz, Khan, Khan, "MaPLe: Multi-modal Prompt Learning",
CVPR 2023, arXiv:2210.03117.

Prompts in one tower leave the other one as it was. Prompts in both that know nothing of each other
go their own ways. In MaPLe each of the first J layers has text prompts of its own, and a linear map
of that layer, the coupling function, makes the visual prompts from them. So gradients of both
towers meet in the text prompts.

| Eq.        | paper          | code                      | shape                         |
| ---------- | -------------- | ------------------------- | ----------------------------- |
| (1), (2)   | P_0 … P_J-1    | P                         | [J, n, D_t]                   |
| (1), (2)   | W_i, L_i       | trees, encode_trees       |                               |
| (3)        | z              | class_weights             | [K, E]                        |
| Sec. 3.2.2 | c, E, V_i      | x[:, :own], layer         | [B, 1+S, D_v]                 |
| Sec. 3.2.3 | F_k            | coupling                  | D_t → D_v                     |
| Sec. 3.2.3 | P-tilde_k      | visual_prompts            | [J, n, D_v]                   |
| Sec. 3.1   | p(y given x)   | classify                  | [B, K]                        |

Differs from the paper / the published code; where the paper is silent, the code is followed:
- With n = 2 and "a photo of a", "a photo" is learned, and "of a" stays as words before the name
  (paper, App. B, and code). With n > 4 the start is random and no words stay (code).
- Visual prompts have no position; those of the first layer pass `ln_pre`, the others do not (code).
- F_1 … F_J-1 start equal, as copies of one layer, and F_0 apart (code).
- The code takes a depth beyond the last layer, whose prompts nothing reads; here it is an error.
- Learned numbers are fp32; in the code P_0 and F_0 are fp16.

    python train.py --method maple --protocol base-to-new          (measured: notes/promptsrc.md)
"""

import torch
from torch import nn

from clip_min.model import CLS, cosines
from clip_min.prompting import options
from clip_min.prompting.recipe import Recipe
from clip_min.prompting.tree import encode_trees, grow_trees, splice_words

# Sec. 4.1, "Implementation Details"; the published configurations vit_b16_c2_ep5_batch4_2ctx*.
ON_IMAGENET = dict(lr=0.0026, epochs=2, options={"depth": 3})
PAPER = Recipe(lr=0.0035, epochs=5, batch_size=4, by_protocol={
    "cross-dataset": ON_IMAGENET, "domain-generalization": ON_IMAGENET})
# For the tiny CLIP, chosen on the validation pictures of three miniature sets (notes/maple.md).
TINY = Recipe(lr=0.0035, epochs=5, batch_size=4, crop_scale=(0.85, 1.0), flip=False)


class MaPLe(nn.Module):
    """Text prompts in the first layers of a frozen CLIP, and visual prompts made from them.

    n_ctx: prompts at each layer (n, the paper's b). depth: layers with prompts (J); default: 9, or
    all that both towers have. ctx_init: words whose first n tokens P_0 starts from, if n is 4 or
    less; None: random. template: unused.
    """
    image_tower_is_frozen = False
    has_class_weights = True

    def __init__(self, clip, classnames, template=None, n_ctx=2, depth=None,
                 ctx_init="a photo of a"):
        super().__init__()
        depth, _ = options.prompted_layers(clip, "MaPLe", n_ctx, depth, "deep")
        P, self.words = options.initial_prompts(clip, depth, n_ctx, ctx_init)
        self.clip, self.P = clip, nn.Parameter(P)
        D_t, D_v = len(clip.ln_final.weight), len(clip.visual.ln_post.weight)
        self.coupling = nn.ModuleList(nn.Linear(D_t, D_v) for _ in P)
        for F_k in self.coupling[2:]:  # as published, all but the first start as copies of one
            F_k.load_state_dict(self.coupling[1].state_dict())
        self.set_classes(classnames)

    def encode_image(self, images):
        """images [B, 3, H, W] → x [B, E], not normalised."""
        visual, V = self.clip.visual, self.visual_prompts()  # V [J, n, D_v]
        x = visual.embed(images)  # [B, 1+S, D_v]: c and E, the class token and the patches
        B, own, _ = x.shape
        for i, layer in enumerate(visual.transformer.layers(rows=CLS)):
            if i < len(V):
                # MaPLe Sec. 3.2.3: [c, E, _] = V_i([c, E, F_i-1(P_i-1)]), layers counted from 1
                prompts = visual.ln_pre(V[i]) if i == 0 else V[i]
                x = torch.cat([x[:, :own], prompts.expand(B, -1, -1)], dim=1)
            x = layer(x)  # [B, 1+S+n, D_v]; behind layer J the prompts flow on
        return visual.pool(x)

    def set_classes(self, classnames):
        """K class names → their prompts, as `trees`.

        Raises ValueError for a name that is too long.
        """
        n_ctx = self.P.shape[1]
        self.trees = grow_trees(splice_words(self.clip, classnames, n_ctx, self.words))
        self.to(self.clip.positional_embedding.device)

    def visual_prompts(self):
        """→ P-tilde [J, n, D_v]."""
        # MaPLe Sec. 3.2.3: P-tilde_k = F_k(P_k)
        return torch.stack([F_k(P_k) for F_k, P_k in zip(self.coupling, self.P)])

    def class_weights(self):
        """→ z [K, E], not normalised."""
        # MaPLe Eq. (1): [_, W_i] = L_i([P_i-1, W_i-1]), i = 1 … J; MaPLe Eq. (2): [P_j, W_j] =
        # L_j([P_j-1, W_j-1]), j = J+1 … K; MaPLe Eq. (3): z = TextProj(w_K^N), at [EOS]
        return encode_trees(self.clip, self.trees, self.P[:1], deeper=self.P[1:])[0]  # [K, E]

    def classify(self, image_features):
        """x [B, E] → logits [B, K]."""
        # MaPLe Sec. 3.1: p(y=i|x) = exp(cos(x, z_i)/tau) / sum_j exp(cos(x, z_j)/tau)
        return self.clip.logit_scale.exp() * cosines(image_features, self.class_weights())

    def forward(self, images):
        """images [B, 3, H, W] → logits [B, K]."""
        return self.classify(self.encode_image(images))
