"""One way to write the seven steps of notes/first/README.md."""

import torch
import torch.nn.functional as F
from torch import nn


def class_vectors(clip, names, template):
    """Step 1: K class names, a sentence with {} → their vectors [K, E] of length 1."""
    tokens = clip.tokenizer([template.format(name) for name in names], clip.context_length)
    return F.normalize(clip.encode_text(tokens), dim=-1)


def splice(clip, names, context):
    """Step 2: K class names, context [M, D] → x [K, L, D] and the place of each [EOS] [K]."""
    embedding, rows = clip.token_embedding.weight, []
    for name in names:
        words = [*clip.tokenizer.encode(f"{name}."), clip.tokenizer.eot]
        rows.append(torch.cat([embedding[[clip.tokenizer.sot]], context, embedding[words]]))
    eos = torch.tensor([len(row) - 1 for row in rows])
    return nn.utils.rnn.pad_sequence(rows, batch_first=True), eos


def text_tower(clip, x, eos):
    """Step 3: x [K, L, D], eos [K] → class vectors [K, E] of length 1."""
    x = x + clip.positional_embedding[: x.shape[1]]
    mask = torch.ones(x.shape[1], x.shape[1]).tril().bool()
    for block in clip.transformer.resblocks:
        x = block(x, mask)
    return F.normalize(clip.ln_final(x[range(len(x)), eos]) @ clip.text_projection, dim=-1)


def learn(clip, names, context, batches):
    """Step 4: a context [M, D], batches of (features [B, E], labels [B]) → it, learned."""
    context = nn.Parameter(context.clone())
    optimiser = torch.optim.SGD([context], lr=0.02, momentum=0.9)
    for features, labels in batches:
        w = text_tower(clip, *splice(clip, names, context))
        logits = clip.logit_scale.exp() * F.normalize(features, dim=-1) @ w.T  # [B, K]
        optimiser.zero_grad()
        F.cross_entropy(logits, labels).backward()
        optimiser.step()
    return context.detach()


class MetaNet(nn.Module):
    """Step 5: a feature [B, E] → a vector [B, D]."""

    def __init__(self, E, D):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(E, E // 16), nn.ReLU(), nn.Linear(E // 16, D))

    def forward(self, features):
        """features [B, E] → [B, D]."""
        return self.layers(features)


def conditional(meta_net, context, features):
    """Step 5: context [M, D], features [B, E] → a context for each picture [B, M, D]."""
    return context + meta_net(F.normalize(features, dim=-1))[:, None]


def image_tower(clip, images, V):
    """Step 6: images [B, 3, S, S], prompts V [layers, n, D_v] → features [B, E]."""
    x = clip.visual.embed(images)
    for prompts, block in zip(V, clip.visual.transformer.resblocks):
        n = len(prompts)
        x = block(torch.cat([x[:, :1], prompts.expand(len(x), -1, -1), x[:, 1:]], dim=1))
        x = torch.cat([x[:, :1], x[:, 1 + n :]], dim=1)
    return clip.visual.pool(x)


class Theta(nn.Module):
    """Step 7: UPT Eq. (5): U' = SA(LN U) + LN(U), U-hat = FFN(LN(U')) + LN(U')."""

    def __init__(self, width):
        super().__init__()
        self.in_proj, self.out_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.ffn = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, U):
        """U [layers, 2n, D] → the same shape."""
        normed = self.ln_1(U)
        q, k, v = self.in_proj(normed).chunk(3, dim=-1)
        weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1)
        U = self.out_proj(weights @ v) + normed
        return self.ffn(self.ln_2(U)) + self.ln_2(U)
