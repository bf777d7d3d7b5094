"""CLIP's two towers, written from scratch.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision",
ICML 2021, arXiv:2103.00020 (the vision tower: Dosovitskiy et al., arXiv:2010.11929; the
attention: Vaswani et al., arXiv:1706.03762).

    tokens [N, L]       ─ embed ─ resblocks ─ pool at [EOS] ─> text features  [N, E] ┐
                                                                                     ├ cosine / tau
    images [B, 3, H, W] ─ embed ─ resblocks ─ pool at [CLS] ─> image features [B, E] ┘

Each tower is `embed → blocks → pool`. A prompt method that puts its own tokens inside a tower
writes the loop over the blocks in its own file; a block knows `x` and a mask, and no prompts.
Parameter names are OpenAI's, so an official state dict loads with `strict=True`.

Only [CLS] and [EOS] are read after the last block, so it need not compute the other tokens. This
one saving is the argument `rows` below, for R rows; a first reader can pass over it: ALL is all.

B pictures, N texts, L tokens (words, or [CLS] and patches), S patches, H heads, D width (text or
vision), E joint width.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode

from clip_min.preprocess import Preprocess
from clip_min.resnet import ModifiedResNet

HEAD_WIDTH = 64  # CLIP's heads are 64 wide in both towers, whatever the tower's width
ALL = slice(None)  # every row
CLS = slice(0, 1)  # the row of the class token


class QuickGELU(nn.Module):
    """x · sigmoid(1.702 x), the approximation of GELU that OpenAI's weights were trained with."""

    def forward(self, x):
        """x of any shape → the same shape."""
        return F.silu(1.702 * x) / 1.702  # the same function: silu(y) = y · sigmoid(y)


class Attention(nn.Module):
    """Multi-head attention: softmax(Q Kᵀ / sqrt(d)) V for each head (arXiv:1706.03762, Eq. 1)."""

    def __init__(self, width):
        super().__init__()
        self.heads = width // HEAD_WIDTH
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))  # rows: W_q, W_k, W_v
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x, mask=None, rows=ALL):
        """x [B, L, D] → [B, L, D]: each token asks (q), and all tokens answer (k, v).

        mask [L, L]: True where a row's token may look at a column's token; None: everywhere.
        rows: only these tokens ask → [B, R, D].
        """
        D = x.shape[-1]
        W_q, W_kv = self.in_proj_weight.split([D, 2 * D])
        b_q, b_kv = self.in_proj_bias.split([D, 2 * D])
        q = F.linear(x[:, rows], W_q, b_q)  # [B, L, D]
        k, v = F.linear(x, W_kv, b_kv).chunk(2, dim=-1)  # [B, L, D] each
        q, k, v = (y.unflatten(-1, (self.heads, -1)).transpose(1, 2) for y in (q, k, v))
        mask = None if mask is None else mask[rows]
        x = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)  # [B, H, L, 64]
        return self.out_proj(x.transpose(1, 2).flatten(2))  # [B, L, D]


class ResidualAttentionBlock(nn.Module):
    """One pre-LayerNorm transformer layer: x + attention(LN(x)), then x + MLP(LN(x))."""

    def __init__(self, width, gelu):
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = Attention(width)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential()
        self.mlp.add_module("c_fc", nn.Linear(width, 4 * width))
        self.mlp.add_module("gelu", gelu())
        self.mlp.add_module("c_proj", nn.Linear(4 * width, width))

    def forward(self, x, mask=None, rows=ALL):
        """x [B, L, D] → [B, L, D]; `mask` and `rows` are those of `Attention.forward`."""
        x = x[:, rows] + self.attn(self.ln_1(x), mask, rows)
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    """A stack of residual blocks."""

    def __init__(self, width, layers, gelu):
        super().__init__()
        blocks = [ResidualAttentionBlock(width, gelu) for _ in range(layers)]
        self.resblocks = nn.ModuleList(blocks)

    def forward(self, x, mask=None, rows=ALL):
        """x [B, L, D] → [B, L, D], or the `rows` [B, R, D] of it."""
        for layer in self.layers(rows):
            x = layer(x, mask)
        return x

    def layers(self, rows=ALL):
        """→ its blocks, as functions of x and mask; the last one gives only these `rows`."""
        *blocks, last = self.resblocks

        def last_layer(x, mask=None):
            return last(x, mask, rows)

        return [*blocks, last_layer]


def causal_mask(length, device=None):
    """→ [length, length]: a token (row) sees itself and what stands before it (columns).

    >>> causal_mask(3).int().tolist()
    [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    """
    position = torch.arange(length, device=device)
    return position <= position[:, None]


class VisionTransformer(nn.Module):
    """CLIP's image tower (arXiv:2010.11929, with a LayerNorm before the first block)."""

    def __init__(self, image_size, patch_size, width, layers, embed_dim, gelu=QuickGELU):
        super().__init__()
        patches = (image_size // patch_size) ** 2
        self.conv1 = nn.Conv2d(3, width, patch_size, stride=patch_size, bias=False)
        self.class_embedding = nn.Parameter(torch.empty(width))
        self.positional_embedding = nn.Parameter(torch.empty(1 + patches, width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = Transformer(width, layers, gelu)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(torch.empty(width, embed_dim))

    def embed(self, images):
        """images [B, 3, H, W] → [B, 1+S, D]: the class token and one token per patch."""
        x = self.conv1(images).flatten(2).transpose(1, 2)  # [B, S, D]
        class_token = self.class_embedding.expand(len(x), 1, -1)  # [B, 1, D]
        x = torch.cat([class_token, x], dim=1) + self.positional_embedding  # [B, 1+S, D]
        return self.ln_pre(x)

    def pool(self, x):
        """x [B, L, D] after the last block, [CLS] first → image features [B, E], not normalised."""
        return self.ln_post(x[:, 0]) @ self.proj

    def forward(self, images):
        """images [B, 3, H, W] → image features [B, E]."""
        return self.pool(self.transformer(self.embed(images), rows=CLS))


class CLIP(nn.Module):
    """The image tower `visual`, the text tower (all other modules), and log(1/tau)."""

    def __init__(self, visual, image_size, embed_dim, vocab_size, context_length, width, layers,
                 gelu=QuickGELU):
        super().__init__()
        self.image_size = image_size
        self.context_length, self.vocab_size = context_length, vocab_size
        self.preprocess = Preprocess(image_size)
        self.visual = visual
        self.token_embedding = nn.Embedding(vocab_size, width)
        self.positional_embedding = nn.Parameter(torch.empty(context_length, width))
        self.transformer = Transformer(width, layers, gelu)
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.empty(width, embed_dim))
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def embed_text(self, tokens):
        """tokens [N, L] → [N, L, D]."""
        return self.token_embedding(tokens) + self.positional_embedding[: tokens.shape[1]]

    def pool_text(self, x):
        """x [..., D] at [EOS], after the last block → text features [..., E], not normalised."""
        return self.ln_final(x) @ self.text_projection

    def encode_text(self, tokens):
        """tokens [N, L] → text features [N, E], not normalised.

        [EOS] has the largest id. What follows it is padding that no earlier token can see, so
        cutting all texts to the longest one changes nothing.
        """
        eos = tokens.argmax(dim=-1)  # [N], the place of [EOS] in each text
        length = int(eos.max()) + 1
        x = self.embed_text(tokens[:, :length])  # [N, length, D]
        x = self.transformer(x, causal_mask(length, x.device))
        return self.pool_text(x[torch.arange(len(x), device=x.device), eos])

    def encode_image(self, images):
        """images [B, 3, H, W] → image features [B, E], not normalised."""
        return self.visual(images)

    def forward(self, images, tokens):
        """images [B, 3, H, W], tokens [N, L] → logits [B, N] = cos(image, text) / tau."""
        # CoOp Eq. (1)
        image_features, text_features = self.encode_image(images), self.encode_text(tokens)
        return self.logit_scale.exp() * cosines(image_features, text_features)


def cosines(image_features, class_weights):
    """image_features [B, E], class_weights [K, E] or [B, K, E] → their cosines [B, K].

    Always in fp32: 1 / tau is 100, and bf16 has too few digits to tell such logits apart.

    >>> cosines(torch.tensor([[0.0, 5.0]]), torch.tensor([[2.0, 0.0], [0.0, 2.0]])).tolist()
    [[0.0, 1.0]]
    """
    with torch.autocast(image_features.device.type, enabled=False):
        image_features = F.normalize(image_features.float(), dim=-1)
        class_weights = F.normalize(class_weights.float(), dim=-1)
        return (image_features[:, None] @ class_weights.mT).squeeze(1)  # [B, 1, K] → [B, K]


class NoRandomStart(TorchFunctionMode):
    """Inside it, an embedding draws no random numbers.

    Drawing them on the device "meta" makes torch import its compiler, which takes two seconds.
    """

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is nn.init.normal_:
            return kwargs["tensor"]
        return function(*args, **(kwargs or {}))


def build_clip(state_dict, gelu="quick"):
    """A frozen CLIP that holds these weights (OpenAI's names); sizes come from the shapes.

    gelu: "quick" for OpenAI's weights, "exact" for those trained with the exact GELU.
    Raises KeyError or RuntimeError if keys are missing or shapes do not fit together.
    """
    shape = {name: tuple(tensor.shape) for name, tensor in state_dict.items()}
    gelu = {"quick": QuickGELU, "exact": nn.GELU}[gelu]
    text_width, embed_dim = shape["text_projection"]
    vocab_size = shape["token_embedding.weight"][0]
    context_length = shape["positional_embedding"][0]
    text_layers = count_blocks(shape, "transformer.resblocks.")
    with torch.device("meta"), NoRandomStart():  # sizes only: the weights are put in place below
        if "visual.proj" in shape:
            width, _, patch_size, _ = shape["visual.conv1.weight"]
            image_size = patch_size * math.isqrt(shape["visual.positional_embedding"][0] - 1)
            layers = count_blocks(shape, "visual.transformer.resblocks.")
            visual = VisionTransformer(image_size, patch_size, width, layers, embed_dim, gelu)
        else:
            width = shape["visual.layer1.0.conv1.weight"][0]
            image_size = 32 * math.isqrt(shape["visual.attnpool.positional_embedding"][0] - 1)
            layers = [count_blocks(shape, f"visual.layer{stage}.") for stage in (1, 2, 3, 4)]
            visual = ModifiedResNet(image_size, layers, width, embed_dim)
        sizes = (image_size, embed_dim, vocab_size, context_length, text_width, text_layers)
        clip = CLIP(visual, *sizes, gelu)
    clip.load_state_dict(state_dict, strict=True, assign=True)
    return clip.float().eval().requires_grad_(False)


def count_blocks(names, prefix):
    """How many different numbers follow `prefix` in the parameter names.

    >>> count_blocks(["layer1.0.bn1.bias", "layer1.1.bn1.bias", "layer2.0.bn1.bias"], "layer1.")
    2
    """
    return len({name[len(prefix) :].split(".")[0] for name in names if name.startswith(prefix)})
