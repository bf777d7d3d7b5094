"""VPT: Visual Prompt Tuning on CLIP, as the UPT paper compares with.

Jia, Tang, Chen, Cardie, Belongie, Hariharan, Lim, "Visual Prompt Tuning",
ECCV 2022, arXiv:2203.12119; on CLIP: Zang, Li, Zhou, Huang, Loy,
"Unified Vision and Language Prompt Learning", arXiv:2210.07225, Sec. 2.

The counterpart of CoOp in the image tower: n learned vectors stand between the class token and the
patches, and every patch can look at them. VPT-shallow gives prompts to the first layer only, and
what comes out in their place goes on through the tower. VPT-deep gives every layer prompts of its
own, and what comes out in their place is thrown away. The text stays hand-written.

| Eq.     | paper | code                         | shape                          |
| ------- | ----- | ---------------------------- | ------------------------------ |
| UPT (1) | w_i   | class_weights                | [K, E]                         |
| UPT (1) | z     | image_features               | [B, E]                         |
| UPT (3) | l_i   | visual.transformer.layers    |                                |
| UPT (3) | c, Z  | x[:, :1], x[:, -patches:]    | [B, 1, D_v], [B, S, D_v]       |
| UPT (4) | V^i   | V[i]                         | [n, D_v]                       |

Differs from the paper / the published code:
- Prompts enter at the layer's input, after `ln_pre`, as UPT's Eq. (4) says. Code published by
  others on CLIP puts the first layer's before `ln_pre`: before_ln_pre=True.
- Prompts start from a normal distribution with deviation 0.02; Jia et al. draw them uniformly, in a
  range that goes with the patch size and the width.

    python train.py --method vpt            (measured times and accuracies: notes/results.md)
"""

import torch
import torch.nn.functional as F
from torch import nn

from clip_min.model import CLS, cosines
from clip_min.prompting.names import readable_names
from clip_min.prompting.options import check_choice, check_count, number_of_layers
from clip_min.prompting.options import check_vision_transformer
from clip_min.prompting.recipe import Recipe
from clip_min.prompting.words import word_vectors

# UPT Appendix B; the epochs are CoOp's (arXiv:2109.01134, Sec. 3.1), on whose code UPT is built.
PAPER = Recipe(lr=0.002, epochs={1: 50, 2: 100, 4: 100, 8: 200, 16: 200}, batch_size=32,
               imagenet_epochs=50)
# For the tiny CLIP, chosen on the validation pictures of the miniature sets (notes/results.md).
TINY = Recipe(lr=0.02, epochs={1: 8, 2: 16, 4: 16, 8: 32, 16: 32}, batch_size=32,
              crop_scale=(0.85, 1.0), flip=False, max_norm=5.0)


class VPT(nn.Module):
    """Learned prompts in the vision transformer of a frozen CLIP.

    n_ctx: prompts at each layer (n). depth: number of layers that get prompts: 1 is VPT-shallow,
    "deep" all of them. before_ln_pre: the first layer's prompts pass through `ln_pre`.
    template: the hand-written prompt, with {} for the class name.
    """
    image_tower_is_frozen = False
    has_class_weights = True

    def __init__(self, clip, classnames, template="a photo of a {}.", n_ctx=4, depth="deep",
                 before_ln_pre=False):
        super().__init__()
        check_vision_transformer(clip, "VPT")
        check_choice("before_ln_pre", before_ln_pre, (True, False))
        check_count("n_ctx", n_ctx)
        self.clip, self.template, self.before_ln_pre = clip, template, before_ln_pre
        depth = number_of_layers(depth, len(clip.visual.transformer.resblocks))
        self.V = nn.Parameter(0.02 * torch.randn(depth, n_ctx, len(clip.visual.ln_post.weight)))
        self.set_classes(classnames)

    def encode_image(self, images):
        """images [B, 3, H, W] → z [B, E], not normalised."""
        visual = self.clip.visual
        x = visual.embed(images)  # [B, 1+S, D_v]: [CLS] and the patches
        B, patches = len(x), x.shape[1] - 1
        for i, layer in enumerate(visual.transformer.layers(rows=CLS)):
            if i < len(self.V):
                # UPT Eq. (4): [c, _, Z] = l_i([c, V^i, Z]); what came out at V's place is dropped
                V = visual.ln_pre(self.V[i]) if i == 0 and self.before_ln_pre else self.V[i]
                x = torch.cat([x[:, :1], V.expand(B, -1, -1), x[:, -patches:]], dim=1)
            x = layer(x)  # [B, 1+n+S, D_v]. UPT Eq. (3): [c, Z] = l_i([c, Z])
        return visual.pool(x)

    def set_classes(self, classnames):
        """K class names → w of the hand-written prompt, kept as `weights` [K, E] of length 1."""
        w = word_vectors(self.clip, readable_names(classnames), [self.template])
        self.register_buffer("weights", F.normalize(w, dim=-1), persistent=False)
        self.to(self.clip.positional_embedding.device)

    def class_weights(self):
        """→ w [K, E], of length 1."""
        return self.weights

    def classify(self, image_features):
        """z [B, E] → logits [B, K]."""
        # UPT Eq. (1): p(y=i|x) = exp(cos(w_i, z)/tau) / sum_j exp(cos(w_j, z)/tau)
        return self.clip.logit_scale.exp() * cosines(image_features, self.class_weights())

    def forward(self, images):
        """images [B, 3, H, W] → logits [B, K]."""
        return self.classify(self.encode_image(images))
