"""What the tests of the prompt methods share: a small CLIP's figures, and the towers written out plainly."""

import copy
import json
from pathlib import Path

import torch

from clip_min.model import CLIP, VisionTransformer
from clip_min.tokenizer import Tokenizer, save_merges
from prompts import METHODS

ROOT = Path(__file__).parents[1]
GOLDEN = json.loads((ROOT / "tests" / "golden" / "clip.json").read_text())
VPT = json.loads((ROOT / "tests" / "golden" / "vpt.json").read_text())
LEARNERS = json.loads((ROOT / "tests" / "golden" / "prompt_learners.json").read_text())
NAMES = ["cat", "yellow_rose", "annual crop land", "dog"]


def letters_tokenizer(folder, openai_ids):
    """No merges, so every letter is a token; `openai_ids`: [SOS] and [EOS] are those of a 49,408-word CLIP."""
    save_merges([], folder / "merges.txt")
    tokenizer = Tokenizer(folder / "merges.txt")
    if openai_ids:
        tokenizer.sot, tokenizer.eot = 49406, 49407
    return tokenizer


def pictures(clip, number=3):
    return torch.randn(number, 3, clip.image_size, clip.image_size, generator=torch.Generator().manual_seed(0))


def make(clip, name="upt", **options):
    torch.manual_seed(0)
    return METHODS[name](clip, NAMES, **options).eval()


def learned(method):
    return {name: p for name, p in method.named_parameters() if p.requires_grad}


def difference(ours, theirs):
    """Largest absolute difference, relative to the largest absolute value."""
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def plain_image_features(clip, images, V):
    """VPT as the textbook has it: insert prompts, run the layer, throw away what came out in their place."""
    visual, (depth, n, _) = clip.visual, V.shape
    x = visual.embed(images)
    for i, block in enumerate(visual.transformer.resblocks):
        if i < depth:
            x = torch.cat([x[:, :1], V[i].repeat(len(images), 1, 1), x[:, 1:]], dim=1)
        x = block(x)
        if i + 1 < depth:  # the next layer brings its own
            x = torch.cat([x[:, :1], x[:, 1 + n :]], dim=1)
    return visual.pool(x[:, 0])


def plain_class_weights(clip, names, T):
    """Every class a whole sequence, padded to the context length, through every block; as CoOp's code does it."""
    depth, n, _ = T.shape
    tokens = clip.tokenizer(["x " * n + name.replace("_", " ") + "." for name in names], clip.context_length)
    x, eos = clip.token_embedding(tokens), tokens.argmax(dim=-1)
    for i, block in enumerate(clip.transformer.resblocks):
        if i < depth:
            x = torch.cat([x[:, :1], T[i].repeat(len(names), 1, 1), x[:, 1 + n :]], dim=1)
        if i == 0:
            x = x + clip.positional_embedding
        x = block(x)
    return clip.pool_text(x[torch.arange(len(names)), eos])


def published_tokenizer(tokenizer):
    """A copy of the tokenizer that knows the class names' ids in OpenAI's vocabulary, which is not part of this."""
    ids = dict(zip((name.replace("_", " ") for name in LEARNERS["classnames"]), LEARNERS["class_token_ids"]))
    full_stop = 269  # "." at the end of a word
    ids |= {f"{name}.": [*known, full_stop] for name, known in ids.items()}
    ids["a photo of a"] = [320, 1125, 539, 320]
    published = copy.copy(tokenizer)
    published.encode = ids.__getitem__
    return published


def full_size_clip(tokenizer):
    """A text tower as wide as ViT-B/16's: 512, 77 tokens."""
    visual = VisionTransformer(image_size=16, patch_size=16, width=64, layers=1, embed_dim=512)
    clip = CLIP(visual, 16, embed_dim=512, vocab_size=514, context_length=77, width=512, layers=1)
    clip.requires_grad_(False).tokenizer = tokenizer
    return clip
