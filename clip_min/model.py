"""CLIP's two towers, written from scratch.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision",
ICML 2021, arXiv:2103.00020 (the vision tower: Dosovitskiy et al., arXiv:2010.11929; the
attention: Vaswani et al., arXiv:1706.03762).

    tokens [N, L]       ─ embed ─ resblocks ─ pool at [EOS] ─> text features  [N, E] ┐
                                                                                     ├ cosine / tau
    images [B, 3, H, W] ─ embed ─ resblocks ─ pool at [CLS] ─> image features [B, E] ┘

Each tower is `embed → blocks → pool`. A prompt method that puts its own tokens inside a tower
writes the loop over the blocks in its own file; nothing here knows of prompts. Parameter names
are OpenAI's, so an official state dict loads with `strict=True`.

B pictures, N texts, L tokens, S patches, H heads, D width (text or vision), E joint width.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from clip_min.preprocess import Preprocess
from clip_min.resnet import ModifiedResNet

HEAD_WIDTH = 64  # CLIP's heads are 64 wide in both towers, whatever the tower's width


class QuickGELU(nn.Module):
    """x · sigmoid(1.702 x), the approximation of GELU that OpenAI's weights were trained with."""

    def forward(self, x):
        return F.silu(1.702 * x) / 1.702  # the same function: silu(y) = y · sigmoid(y)


class Attention(nn.Module):
    """Multi-head attention: softmax(Q Kᵀ / sqrt(d)) V for each head (arXiv:1706.03762, Eq. 1)."""

    def __init__(self, width, causal):
        super().__init__()
        self.heads, self.causal = width // HEAD_WIDTH, causal
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))  # rows: W_q, W_k, W_v
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def split_heads(self, x):
        """[B, S, n·D] → n tensors [B, H, S, 64]."""
        B, S, _ = x.shape
        return x.view(B, S, -1, self.heads, HEAD_WIDTH).permute(2, 0, 3, 1, 4)

    def forward(self, x, prefix=None, row=None):
        """x [B, S, D] → [B, S, D]; see `ResidualAttentionBlock.forward` for `prefix` and `row`."""
        B, S, D = x.shape
        query = x if row is None else x[torch.arange(B, device=x.device), row].unsqueeze(1)  # [B, 1, D]
        W_q, W_kv = self.in_proj_weight.split([D, 2 * D])
        b_q, b_kv = self.in_proj_bias.split([D, 2 * D])
        (q,) = self.split_heads(F.linear(query, W_q, b_q))  # [B, H, S or 1, 64]
        k, v = self.split_heads(F.linear(x, W_kv, b_kv))  # [B, H, S, 64] each
        mask = self.mask(S, row, x.device)
        if prefix is None:
            x = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        else:
            x = attend_to_prefix_and_self(q, k, v, *self.split_heads(F.linear(prefix, W_kv, b_kv)), mask)
        return self.out_proj(x.transpose(1, 2).flatten(2))  # [B, H, S, 64] → [B, S, D]

    def mask(self, S, row, device):
        """True where a query may look at its own sequence: [1, 1, S, S], or [B, 1, 1, S] for `row`.

        None (look everywhere) without causality.
        """
        if not self.causal:
            return None
        position = torch.arange(S, device=device)
        query_position = position[None] if row is None else row[:, None]  # [1, S] or [B, 1]
        return (position <= query_position[..., None])[:, None]


def attend_to_prefix_and_self(q, k, v, k_prefix, v_prefix, mask):
    """softmax([Q K_prefixᵀ, Q Kᵀ] / sqrt(d)) [V_prefix; V]: one attention over the prefix and the own sequence.

    q [B, H, Q, 64], k, v [B, H, S, 64], mask [B or 1, 1, Q, S]; k_prefix, v_prefix [G, H, P, 64], each
    shared by n = B / G neighbours → [B, H, Q, 64]. All n sequences meet their prefix in one matrix
    product; its keys and values are not copied for each of them, which would take most of the memory.
    """
    G, P, S = len(k_prefix), k_prefix.shape[2], k.shape[2]
    mask = torch.ones(1, 1, 1, S, dtype=torch.bool, device=q.device) if mask is None else mask
    mask = mask.expand(len(q), -1, -1, -1)
    q, k, v, mask = (x.unflatten(0, (G, -1)).transpose(1, 2) for x in (q, k, v, mask))  # [G, H, n, S, 64]
    q = q / math.sqrt(HEAD_WIDTH)
    at_prefix = (q.flatten(2, 3) @ k_prefix.mT).unflatten(2, q.shape[2:4])  # [G, H, n, Q, P]
    at_self = (q @ k.mT).masked_fill(~mask, -torch.inf)  # [G, H, n, Q, S]
    to_prefix, to_self = torch.cat([at_prefix, at_self], dim=-1).softmax(dim=-1).split([P, S], dim=-1)
    from_prefix = (to_prefix.flatten(2, 3) @ v_prefix).unflatten(2, q.shape[2:4])  # [G, H, n, Q, 64]
    return (from_prefix + to_self @ v).transpose(1, 2).flatten(0, 1)  # [B, H, Q, 64]


class ResidualAttentionBlock(nn.Module):
    """One pre-LayerNorm transformer layer: x + attention(LN(x)), then x + MLP(LN(x))."""

    def __init__(self, width, causal, gelu):
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = Attention(width, causal)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential()
        self.mlp.add_module("c_fc", nn.Linear(width, 4 * width))
        self.mlp.add_module("gelu", gelu())
        self.mlp.add_module("c_proj", nn.Linear(4 * width, width))

    def forward(self, x, prefix=None, row=None):
        """x [B, S, D] → [B, S, D].

        prefix [1, P, D] or [B / n, P, D]: this layer's input for tokens that stand before x and are
            shared (by all B sequences, or by n neighbours). x looks at them; they are not returned.
        row [B]: compute only that position of each sequence → [B, 1, D].
        """
        residual = x if row is None else x[torch.arange(len(x), device=x.device), row].unsqueeze(1)
        prefix = None if prefix is None else self.ln_1(prefix)
        x = residual + self.attn(self.ln_1(x), prefix, row)
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    """A stack of residual blocks."""

    def __init__(self, width, layers, causal, gelu):
        super().__init__()
        self.resblocks = nn.ModuleList(ResidualAttentionBlock(width, causal, gelu) for _ in range(layers))

    def forward(self, x, row):
        """x [B, S, D], row [B] → [B, D]: position `row` of each sequence after the last block.

        Nothing reads the last block's other positions, so it does not compute them.
        """
        for block in self.resblocks[:-1]:
            x = block(x)
        return self.resblocks[-1](x, row=row).squeeze(1)


class VisionTransformer(nn.Module):
    """CLIP's image tower (arXiv:2010.11929, with a LayerNorm before the first block)."""

    def __init__(self, image_size, patch_size, width, layers, embed_dim, gelu=QuickGELU):
        super().__init__()
        patches = (image_size // patch_size) ** 2
        self.conv1 = nn.Conv2d(3, width, patch_size, stride=patch_size, bias=False)
        self.class_embedding = nn.Parameter(torch.empty(width))
        self.positional_embedding = nn.Parameter(torch.empty(1 + patches, width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = Transformer(width, layers, causal=False, gelu=gelu)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(torch.empty(width, embed_dim))

    def embed(self, images):
        """images [B, 3, H, W] → [B, 1+S, D]: the class token and one token per patch."""
        x = self.conv1(images).flatten(2).transpose(1, 2)  # [B, S, D]
        class_token = self.class_embedding.expand(len(x), 1, -1)  # [B, 1, D]
        x = torch.cat([class_token, x], dim=1) + self.positional_embedding  # [B, 1+S, D]
        return self.ln_pre(x)

    def pool(self, class_token):
        """class_token [B, D], the last block's first row → image features [B, E], not normalised."""
        return self.ln_post(class_token) @ self.proj

    def forward(self, images):
        """images [B, 3, H, W] → image features [B, E]."""
        x = self.embed(images)  # [B, 1+S, D]
        x = self.transformer(x, row=torch.zeros(len(x), dtype=torch.long, device=x.device))  # [B, D]
        return self.pool(x)


class CLIP(nn.Module):
    """The image tower `visual`, the text tower (the other modules), and the logit scale log(1/tau)."""

    def __init__(self, visual, image_size, embed_dim, vocab_size, context_length, width, layers, gelu=QuickGELU):
        super().__init__()
        self.image_size, self.context_length, self.vocab_size = image_size, context_length, vocab_size
        self.preprocess = Preprocess(image_size)
        self.visual = visual
        self.token_embedding = nn.Embedding(vocab_size, width)
        self.positional_embedding = nn.Parameter(torch.empty(context_length, width))
        self.transformer = Transformer(width, layers, causal=True, gelu=gelu)
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.empty(width, embed_dim))
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def embed_text(self, tokens):
        """tokens [N, L] → [N, L, D]."""
        return self.token_embedding(tokens) + self.positional_embedding[: tokens.shape[1]]

    def pool_text(self, eos):
        """eos [N, D], the last block's row at [EOS] → text features [N, E], not normalised."""
        return self.ln_final(eos) @ self.text_projection

    def encode_text(self, tokens):
        """tokens [N, L] → text features [N, E], not normalised.

        [EOS] has the largest id. What follows it is padding that no earlier token can see, so
        cutting all texts to the longest one changes nothing.
        """
        eos = tokens.argmax(dim=-1)  # [N]
        tokens = tokens[:, : eos.max() + 1]
        return self.pool_text(self.transformer(self.embed_text(tokens), row=eos))

    def encode_image(self, images):
        """images [B, 3, H, W] → image features [B, E], not normalised."""
        return self.visual(images)

    def forward(self, images, tokens):
        """images [B, 3, H, W], tokens [N, L] → logits [B, N] = cos(image, text) / tau (CoOp Eq. (1))."""
        image_features = F.normalize(self.encode_image(images), dim=-1)
        text_features = F.normalize(self.encode_text(tokens), dim=-1)
        return self.logit_scale.exp() * image_features @ text_features.T


def build_clip(state_dict, gelu="quick"):
    """A frozen CLIP holding these weights (OpenAI's names, see `checkpoint.py`); sizes come from the shapes.

    gelu: "quick" for OpenAI's weights, "exact" for those trained with the exact GELU.
    Raises KeyError or RuntimeError if keys are missing or shapes do not fit together.
    """
    shape = {name: tuple(tensor.shape) for name, tensor in state_dict.items()}
    gelu = {"quick": QuickGELU, "exact": nn.GELU}[gelu]
    width, embed_dim = shape["text_projection"]
    with torch.device("meta"):  # sizes only: the weights are put in place below
        if "visual.proj" in shape:
            vision_width, _, patch_size, _ = shape["visual.conv1.weight"]
            image_size = patch_size * math.isqrt(shape["visual.positional_embedding"][0] - 1)
            layers = count_blocks(shape, "visual.transformer.resblocks.")
            visual = VisionTransformer(image_size, patch_size, vision_width, layers, embed_dim, gelu)
        else:
            image_size = 32 * math.isqrt(shape["visual.attnpool.positional_embedding"][0] - 1)
            layers = [count_blocks(shape, f"visual.layer{stage}.") for stage in (1, 2, 3, 4)]
            visual = ModifiedResNet(image_size, layers, shape["visual.layer1.0.conv1.weight"][0], embed_dim)
        context_length, vocab_size = shape["positional_embedding"][0], shape["token_embedding.weight"][0]
        layers = count_blocks(shape, "transformer.resblocks.")
        clip = CLIP(visual, image_size, embed_dim, vocab_size, context_length, width, layers, gelu)
    clip.load_state_dict(state_dict, strict=True, assign=True)
    return clip.float().eval().requires_grad_(False)


def count_blocks(names, prefix):
    """How many different numbers follow `prefix` in the parameter names.

    >>> count_blocks(["layer1.0.bn1.bias", "layer1.1.bn1.bias", "layer2.0.bn1.bias"], "layer1.")
    2
    """
    return len({name[len(prefix) :].split(".")[0] for name in names if name.startswith(prefix)})
