"""Joint, shared and MLP: the three simpler designs that UPT is compared with.

Zang, Li, Zhou, Huang, Loy, "Unified Vision and Language Prompt Learning", arXiv:2210.07225, Fig. 5, Table 2.

All of them prompt both towers, and differ in where the prompts come from. "joint": text prompts as in CoOp and
visual prompts as in VPT-deep, side by side, that know nothing of each other. "shared": the same vectors are used
in both towers. "mlp": as in UPT, one set of vectors is transformed and cut in two, but two MLP layers take the
place of the transformer layer theta, so that no prompt sees another one.

| Eq. | paper            | code                         | shape                          |
| --- | ---------------- | ---------------------------- | ------------------------------ |
| (1) | w_i, z, tau      | weights[i], image_features   | [K, E], [B, E]                 |
| (2) | t_1 … t_m, CLASS | T, class_tokens              | [1 or depth, n, D_t], [K, S]   |
| (3) | c, Z             | x[:, :1], x[:, 1:]           | [B, 1, D_v], [B, patches, D_v] |
| (4) | V^i              | V[i]                         | [depth, n, D_v]                |
| Fig. 5 (a) | T, V      | self.T, self.V               | [1, n, D_t], [depth, n, D_v]   |
| Fig. 5 (b) | U         | self.U                       | [depth, n, D_t]                |
| Fig. 5 (c) | U, MLP    | self.U, self.mlp             | [depth, 2n, D_t]               |

Differs from the paper, which gives these designs a figure and one sentence each:
- joint: CoOp's context goes into the first text layer only, as in CoOp; visual prompts go into all layers. The
  context starts from the words "a photo of a", as CoOp's does in CoCoOp's experiments (arXiv:2203.05557, Sec. 4), if
  n_ctx is their number of tokens, and at random otherwise.
- shared, mlp: prompts go into every layer of both towers, as in UPT; a learned linear map D_t → D_v
  takes them to the image tower, whose width differs.
- mlp: Linear, ReLU, Linear, all D_t wide, the sizes of the FFN in upt.py. No residual, no LayerNorm.

    python train.py --method joint shared mlp       (measured times and accuracies: notes/results.md)
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
    lr=0.02, epochs={1: 20, 2: 20, 4: 20, 8: 20, 16: 20}, batch_size=32,
    crop_scale=(0.85, 1.0), flip=False, max_norm=5.0,
)


class Joint(nn.Module):
    """Learned prompts in both towers, from one of three sources.

    design: "joint", "shared" or "mlp". n_ctx: prompts for each tower at each layer (n). depth: number of
    layers that get prompts, or "deep" for all that both towers have. template: unused, the prompts stand in its place.
    """

    image_tower_is_frozen = False

    def __init__(self, design, clip, classnames, template=None, n_ctx=4, depth="deep"):
        super().__init__()
        if not hasattr(clip.visual, "transformer"):
            raise ValueError(f"{design} puts prompts between patches, which a ResNet does not have: use a vision "
                             "transformer, such as --model ViT-B/16, or --method coop.")  # fmt: skip
        layers = min(len(clip.transformer.resblocks), len(clip.visual.transformer.resblocks))
        depth = layers if depth == "deep" else depth
        if type(depth) is not int or depth not in range(1, layers + 1):
            raise ValueError(f'depth must be "deep" or a whole number from 1 to {layers}, not {depth!r}.')
        most = clip.context_length - 4  # room for [SOS], a name, the full stop and [EOS]
        if type(n_ctx) is not int or n_ctx not in range(1, most + 1):
            raise ValueError(f"n_ctx must be a whole number from 1 to {most}, not {n_ctx!r}.")
        self.clip, self.design, self.n_ctx = clip, design, n_ctx
        D_t, D_v = len(clip.ln_final.weight), len(clip.visual.ln_post.weight)
        if design == "joint":
            words = clip.token_embedding.weight[clip.tokenizer.encode("a photo of a")]
            start = words if len(words) == n_ctx else 0.02 * torch.randn(n_ctx, D_t)
            self.T = nn.Parameter(start[None].clone())
            self.V = nn.Parameter(0.02 * torch.randn(depth, n_ctx, D_v))
        elif design == "shared":
            self.U = nn.Parameter(0.02 * torch.randn(depth, n_ctx, D_t))
            self.to_visual = nn.Linear(D_t, D_v)
        elif design == "mlp":
            self.U = nn.Parameter(0.02 * torch.randn(depth, 2 * n_ctx, D_t))
            self.mlp = nn.Sequential(nn.Linear(D_t, D_t), nn.ReLU(), nn.Linear(D_t, D_t))
            self.to_visual = nn.Linear(D_t, D_v)
        else:
            raise ValueError(f'design must be "joint", "shared" or "mlp", not {design!r}.')
        self.set_classes(classnames)
        self.to(clip.positional_embedding.device)

    def prompts(self):
        """→ text prompts T [1 or depth, n, D_t] and visual prompts V [depth, n, D_v]."""
        if self.design == "joint":
            return self.T, self.V  # UPT Fig. 5 (a)
        if self.design == "shared":
            return self.U, self.to_visual(self.U)  # UPT Fig. 5 (b)
        U_t, U_v = self.mlp(self.U).split(self.n_ctx, dim=1)  # UPT Fig. 5 (c)
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
