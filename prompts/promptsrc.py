"""PromptSRC: Prompting with Self-regulating Constraints.

Khattak, Wasim, Naseer, Khan, Yang, Khan, "Self-regulating Prompts: Foundational Model Adaptation
without Forgetting", ICCV 2023, arXiv:2307.06948.

Deep prompts in both towers that know nothing of each other fit the classes that they see, and lose
the others. PromptSRC holds them near the frozen CLIP: features and predictions may not go far from
those without prompts; the frozen text features are means over 60 sentences; and what is used in the
end is a weighted mean of the prompts of all epochs.

| Eq.      | paper         | code                             | shape                               |
| -------- | ------------- | -------------------------------- | ----------------------------------- |
| Sec. 3.1 | P_t, P_v      | T, V                             | [depth, n, D_t], [depth, n, D_v]    |
| (1), (5) | L_CE, L_final | loss                             | a number                            |
| (2)      | f_p, f        | f_p, f                           | [B, E]                              |
| (2)      | g_p, g        | g_p, g                           | [K, E]                              |
| (3)      | D_KL          | kl                               | a number                            |
| (4)      | lambda_1, _2  | image_weight, text_weight        | numbers                             |
| (6), (7) | w_i, P^GPA    | gaussian_weights, T_mean, V_mean | [epochs], as T and V                |

Differs from the paper / the published code; where these two differ, the code is followed:
- (2): the paper has sums over the numbers of a feature, the code means, of features of length 1.
- (3): the paper has D_KL(prompted, frozen), the code D_KL(frozen, prompted) / K.
- (6): what the paper calls sigma^2 (1, 10, 30, 5) is the standard deviation in the code.
- The paper's prompts stand before "a photo of a" and before [CLS]; the code's in place of these
  words, and after the patches.
- The code averages frozen weights as well, and learns in fp16; here it is fp32.

    python train.py --method promptsrc --protocol base-to-new         (accuracy: not yet measured)
"""

import torch
import torch.nn.functional as F
from torch import nn

from clip_min.model import CLS, cosines
from clip_min.prompting import options
from clip_min.prompting.names import readable_names
from clip_min.prompting.recipe import Recipe
from clip_min.prompting.templates import SIXTY
from clip_min.prompting.tree import encode_trees, grow_trees, splice_words
from clip_min.prompting.words import word_vectors

# PromptSRC Sec. 4.1, "Implementation details"; batch, mean, deviation: the published configurations.
ON_IMAGENET = dict(options={"depth": 3, "text_depth": 3, "mean": 6, "deviation": 10})
PAPER = Recipe(lr=0.0025, epochs=20, batch_size=4, by_protocol={
    "few-shot": dict(epochs=50, options={"mean": 30, "deviation": 30}),
    "cross-dataset": ON_IMAGENET, "domain-generalization": ON_IMAGENET})
# For the tiny CLIP, chosen on the validation pictures of three miniature sets (notes/promptsrc.md).
TINY = Recipe(lr=0.0025, epochs=20, batch_size=4, crop_scale=(0.85, 1.0), flip=False)


class PromptSRC(nn.Module):
    """Learned prompts in the first layers of both towers of a frozen CLIP, held near what it knows.

    n_ctx, n_visual: text and visual prompts at each layer. depth, text_depth: layers of the image
    and of the text tower that have them; default: 9, or all there are. ctx_init: words to start T
    from, if n_ctx is 4 or less; None: random. templates: the sentences of g, "sixty" or "dataset",
    which is `template`. mean, deviation: of the Gaussian over the epochs.
    """
    image_tower_is_frozen = False

    def __init__(self, clip, classnames, template="a photo of a {}.", n_ctx=4, n_visual=4,
                 depth=None, text_depth=None, ctx_init="a photo of a", templates="sixty",
                 image_weight=10.0, text_weight=25.0, logits_weight=1.0, mean=15, deviation=1):
        super().__init__()
        options.check_vision_transformer(clip, "PromptSRC")
        options.check_choice("templates", templates, ("sixty", "dataset"))
        options.check_positive("deviation", deviation)
        self.clip, self.mean, self.deviation = clip, mean, deviation
        self.loss_weights = torch.tensor([image_weight, text_weight, logits_weight])
        self.templates = SIXTY if templates == "sixty" else (template,)
        depth = options.number_of_layers(depth, len(clip.visual.transformer.resblocks))
        text_depth = options.number_of_layers(text_depth, len(clip.transformer.resblocks))
        T, self.words = options.initial_prompts(clip, text_depth, n_ctx, ctx_init)
        V = 0.02 * torch.randn(depth, n_visual, len(clip.visual.ln_post.weight))
        for name, prompts in {"T": T, "V": V}.items():
            self.register_parameter(name, nn.Parameter(prompts))
            self.register_buffer(f"{name}_mean", torch.zeros_like(prompts))
        self.set_classes(classnames)

    def encode_image(self, images):
        """images [B, 3, H, W] → f_p [B, E], not normalised."""
        visual = self.clip.visual
        x = visual.embed(images)  # [B, 1+S, D_v]: [CLS] and the patches
        B, own, _ = x.shape
        for i, layer in enumerate(visual.transformer.layers(rows=CLS)):
            if i < len(self.V):
                prompts = visual.ln_pre(self.V[i]) if i == 0 else self.V[i]
                x = torch.cat([x[:, :own], prompts.expand(B, -1, -1)], dim=1)
            x = layer(x)  # [B, 1+S+n, D_v]
        return visual.pool(x)

    def set_classes(self, classnames):
        """K class names → their prompts, as `trees`, and g, kept as a buffer [K, E]."""
        names, n_ctx = readable_names(classnames), self.T.shape[1]
        self.trees = grow_trees(splice_words(self.clip, names, n_ctx, self.words))
        # PromptSRC Sec. 3.2.3: g = 1/N sum_i g^i over N sentences, not normalised before
        g = word_vectors(self.clip, names, self.templates)
        self.register_buffer("g", g, persistent=False)
        self.to(self.clip.positional_embedding.device)

    def class_weights(self):
        """→ g_p [K, E], not normalised."""
        return encode_trees(self.clip, self.trees, self.T[:1], deeper=self.T[1:])[0]

    def classify(self, image_features):
        """f_p [B, E] → logits [B, K]."""
        return self.clip.logit_scale.exp() * cosines(image_features, self.class_weights())

    def loss(self, images, labels):
        """images [B, 3, H, W], labels [B] → logits [B, K], loss."""
        f_p, g_p = unit(self.encode_image(images)), unit(self.class_weights())
        f, g = unit(self.clip.encode_image(images)), unit(self.g)  # without prompts
        scale = self.clip.logit_scale.exp()
        logits, frozen = scale * f_p @ g_p.T, scale * f @ g.T  # [B, K] each
        p, p_frozen = logits.log_softmax(dim=-1), frozen.log_softmax(dim=-1)
        # PromptSRC Eq. (2): L_SCL-image = |f_p - f|, L_SCL-text = |g_p - g|
        image, text = (f_p - f).abs().mean(), (g_p - g).abs().mean()
        # PromptSRC Eq. (3): L_SCL-logits = D_KL(frozen, prompted) / K
        kl = (p_frozen.exp() * (p_frozen - p)).mean()
        # PromptSRC Eqs. (4), (5): L_final = L_CE + lambda_1 L_image + lambda_2 L_text + L_logits
        a, b, c = self.loss_weights
        return logits, F.cross_entropy(logits, labels) + a * image + b * text + c * kl

    @torch.no_grad()
    def after_epoch(self, epoch, epochs):
        """Add the prompts of this epoch, 0, 1, …, to their mean; after the last, use the mean."""
        w = gaussian_weights(epochs, self.mean, self.deviation)[epoch].item()
        for prompts, mean in [(self.T, self.T_mean), (self.V, self.V_mean)]:
            # PromptSRC Eqs. (6), (7): P^GPA = sum_i w_i P_i, where sum_i w_i = 1
            mean.mul_(epoch > 0).add_(w * prompts)
            if epoch + 1 == epochs:
                prompts.copy_(mean)

    def forward(self, images):
        """images [B, 3, H, W] → logits [B, K]."""
        return self.classify(self.encode_image(images))


def unit(features):
    """[N, E] → the same directions, length 1, fp32."""
    return F.normalize(features.float(), dim=-1)


def gaussian_weights(epochs, mean, deviation):
    """→ weights [epochs] of the epochs 1, 2, …: exp(-((i - mean)/deviation)^2 / 2) / their sum.

    >>> [round(w, 3) for w in gaussian_weights(3, mean=2, deviation=1).tolist()]
    [0.274, 0.452, 0.274]
    """
    i = torch.arange(1, epochs + 1, dtype=torch.float64)
    return torch.softmax(-(((i - mean) / deviation) ** 2) / 2, dim=0)
