"""PromptSRC: Prompting with Self-regulating Constraints.

Khattak, Wasim, Naseer, Khan, Yang, Khan, "Self-regulating Prompts: Foundational Model Adaptation
without Forgetting", ICCV 2023, arXiv:2307.06948.

Prompts in both towers, learned side by side, fit the classes that they see and lose the others.
PromptSRC pulls features and predictions back to those of the frozen CLIP, whose text features are
means over 60 sentences. In the end it uses a weighted mean of the prompts of all epochs.

| Eq.           | paper              | code                             | shape             |
| ------------- | ------------------ | -------------------------------- | ----------------- |
| Sec. 3.1      | P_t, P_v           | T, V                             | [depth, n, D_t/v] |
| (1), (4), (5) | L_CE, lambda_1, _2 | loss, image_weight, text_weight  | numbers           |
| (2)           | f_p, g_p, f, g     | f_p, g_p, f, g                   | [B or K, E]       |
| (3)           | D_KL               | kl                               | a number          |
| (6), (7)      | w_i, P^GPA         | gaussian_weights, T_mean, V_mean | [epochs]; as T, V |

Differs from the paper / the published code; where these two differ, the code is followed:
- (2): the paper sums over a feature's numbers; the code takes means, of features of length 1.
- (3): the paper has D_KL(prompted, frozen), the code D_KL(frozen, prompted) / K.
- (6): sigma^2 of the paper is the deviation in the code, which averages frozen weights as well.
- The paper's prompts stand before the words and before [CLS], the code's T as in maple.py.

    python train.py --method promptsrc --protocol base-to-new      (measured: notes/promptsrc.md)
"""

import torch
import torch.nn.functional as F
from torch import nn

from clip_min.model import CLS, cosines
from clip_min.prompting import options
from clip_min.prompting.recipe import Recipe
from clip_min.prompting.tree import encode_trees, grow_trees, splice_words
from clip_min.prompting.words import SIXTY, word_vectors

# PromptSRC Sec. 4.1, "Implementation details", App. A, and the published configurations.
ON_IMAGENET = dict(options={"depth": 3, "text_depth": 3, "mean": 6, "deviation": 10})
PAPER = Recipe(lr=0.0025, epochs=20, batch_size=4, by_protocol={
    "few-shot": dict(epochs=50, options={"mean": 30, "deviation": 30}),
    "cross-dataset": ON_IMAGENET, "domain-generalization": ON_IMAGENET})
# For the tiny CLIP, chosen on the validation pictures of three miniature sets (notes/promptsrc.md).
TINY = Recipe(lr=0.01, epochs=20, batch_size=16, crop_scale=(0.85, 1.0), flip=False)


class PromptSRC(nn.Module):
    """Learned prompts in the first layers of both towers, held near the frozen CLIP.

    n_ctx, n_visual: text and visual prompts of a layer. depth, text_depth: prompted layers of the
    image and the text tower; None: 9, or all. ctx_init: see MaPLe. templates: the sentences of g,
    "sixty", or "dataset" for `template` alone. mean, deviation: see gaussian_weights.
    """
    image_tower_is_frozen, has_class_weights = False, True

    def __init__(self, clip, classnames, template="a photo of a {}.", n_ctx=4, n_visual=4,
                 depth=None, text_depth=None, ctx_init="a photo of a", templates="sixty",
                 image_weight=10.0, text_weight=25.0, logits_weight=1.0, mean=15, deviation=1):
        super().__init__()
        depth, text_depth = options.layers_of_towers(clip, "PromptSRC", n_visual, depth, text_depth)
        options.check_positive("deviation", deviation)
        options.check_choice("templates", templates, ("sixty", "dataset"))
        self.templates = SIXTY if templates == "sixty" else (template,)
        self.loss_weights = options.checked_weights(
            image_weight=image_weight, text_weight=text_weight, logits_weight=logits_weight)
        self.clip, self.mean, self.deviation = clip, mean, deviation
        T, self.words = options.initial_prompts(clip, text_depth, n_ctx, ctx_init)
        V = 0.02 * torch.randn(depth, n_visual, len(clip.visual.ln_post.weight))
        self.T, self.V = nn.Parameter(T), nn.Parameter(V)
        self.T_mean, self.V_mean = nn.Buffer(torch.zeros_like(T)), nn.Buffer(torch.zeros_like(V))
        self.set_classes(classnames)

    def encode_image(self, images):
        """images [B, 3, H, W] → f_p [B, E], not normalised."""
        visual = self.clip.visual
        x = visual.embed(images)  # [B, 1+S, D_v]: [CLS] and the patches
        B, own, _ = x.shape
        for i, layer in enumerate(visual.transformer.layers(rows=CLS)):
            if i < len(self.V):
                V = visual.ln_pre(self.V[i]) if i == 0 else self.V[i]
                x = torch.cat([x[:, :own], V.expand(B, -1, -1)], dim=1)
            x = layer(x)  # [B, 1+S+n, D_v]
        return visual.pool(x)

    def set_classes(self, classnames):
        """K class names → their prompts, as `trees`; g [K, E] follows when a loss asks for it."""
        self.trees = grow_trees(splice_words(self.clip, classnames, len(self.T[0]), self.words))
        self.classnames = classnames
        self.register_buffer("g", None, persistent=False)
        self.to(self.clip.positional_embedding.device)

    def class_weights(self):
        """→ g_p [K, E], not normalised."""
        return encode_trees(self.clip, self.trees, self.T[:1], deeper=self.T[1:])[0]

    def classify(self, image_features):
        """f_p [B, E] → logits [B, K]."""
        return self.clip.logit_scale.exp() * cosines(image_features, self.class_weights())

    def loss(self, images, labels):
        """images [B, 3, H, W], labels [B] → logits [B, K], L_final."""
        if self.g is None:  # PromptSRC Sec. 3.2.3: g = 1/N sum_i g^i over N sentences, no gradients
            self.g = word_vectors(self.clip, self.classnames, self.templates)
        features = self.encode_image(images), self.class_weights(), self.clip.visual(images), self.g
        f_p, g_p, f, g = (F.normalize(x.float(), dim=-1) for x in features)
        scale = self.clip.logit_scale.exp()
        logits, frozen = scale * cosines(f_p, g_p), scale * cosines(f, g)  # [B, K] each
        image, text = (f_p - f).abs().mean(), (g_p - g).abs().mean()  # PromptSRC Eq. (2)
        p, q = logits.log_softmax(dim=-1), frozen.log_softmax(dim=-1)
        kl = (q.exp() * (q - p)).mean()  # PromptSRC Eq. (3): D_KL(frozen, prompted) / K
        scl = sum(w * x for w, x in zip(self.loss_weights, (image, text, kl)))  # PromptSRC Eq. (4)
        return logits, F.cross_entropy(logits, labels) + scl  # PromptSRC Eq. (1), PromptSRC Eq. (5)

    @torch.no_grad()
    def after_epoch(self, epoch, epochs):
        """Add the prompts of this epoch, 0, 1, …, to their mean; after the last, use the mean."""
        w = gaussian_weights(epochs, self.mean, self.deviation)[epoch].item()
        for prompts, mean in [(self.T, self.T_mean), (self.V, self.V_mean)]:
            mean.mul_(epoch > 0).add_(w * prompts)  # PromptSRC Eq. (7): sum_i w_i P_i
            if epoch + 1 == epochs:
                prompts.copy_(mean)

    def forward(self, images):
        """images [B, 3, H, W] → logits [B, K]."""
        return self.classify(self.encode_image(images))


def gaussian_weights(epochs, mean, deviation):
    """PromptSRC Eq. (6): → w [epochs], exp(-((i - mean)/deviation)^2 / 2) / sum, i = 1, 2, …"""
    i = torch.arange(1, epochs + 1, dtype=torch.float64)
    return torch.softmax(-(((i - mean) / deviation) ** 2) / 2, dim=0)
