"""What the tests of the prompt methods share: figures, a tokenizer, pictures, small functions."""

import copy
import json
from pathlib import Path

import torch

from clip_min.model import CLIP, VisionTransformer
from clip_min.tokenizer import Tokenizer, save_merges
from notes.exercises.plain_towers import plain_class_weights, plain_image_features  # noqa: F401
from prompts import METHODS
from tests.golden.weights import golden_tensor

ROOT = Path(__file__).parents[1]
GOLDEN = json.loads((ROOT / "tests" / "golden" / "clip.json").read_text())
VPT = json.loads((ROOT / "tests" / "golden" / "vpt.json").read_text())
LEARNERS = json.loads((ROOT / "tests" / "golden" / "prompt_learners.json").read_text())
AFTER = json.loads((ROOT / "tests" / "golden" / "after.json").read_text())
NAMES = ["cat", "yellow_rose", "annual crop land", "dog"]


def letters_tokenizer(folder, openai_ids):
    """No merges, so every letter is a token. openai_ids: [SOS], [EOS] as in a 49,408-word CLIP."""
    save_merges([], folder / "merges.txt")
    tokenizer = Tokenizer(folder / "merges.txt")
    if openai_ids:
        tokenizer.sot, tokenizer.eot = 49406, 49407
    return tokenizer


def pictures(clip, number=3):
    """The same random pictures [number, 3, S, S] every time."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(number, 3, clip.image_size, clip.image_size, generator=generator)


def make(clip, name="upt", **options):
    """A method on `NAMES`, with the random start of seed 0, in evaluation mode."""
    torch.manual_seed(0)
    return METHODS[name](clip, NAMES, **options).eval()


def learned(method):
    """{name: parameter} of what training changes."""
    return {name: p for name, p in method.named_parameters() if p.requires_grad}


def difference(ours, theirs):
    """Largest absolute difference, relative to the largest absolute value."""
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def published_tokenizer(tokenizer):
    """A copy of the tokenizer that knows the class names' ids in OpenAI's vocabulary."""
    names = [name.replace("_", " ") for name in LEARNERS["classnames"]]
    ids = {"a photo of a": [320, 1125, 539, 320]}
    for name, known in zip(names, LEARNERS["class_token_ids"]):
        ids[name] = known
        ids[f"{name}."] = [*known, 269]  # 269 is "." at the end of a word
    published = copy.copy(tokenizer)
    published.encode = ids.__getitem__
    return published


def tokenizer_of_after(tokenizer):
    """A copy of the tokenizer that knows the texts of after.json as OpenAI's does."""
    published = copy.copy(tokenizer)
    published.encode = AFTER["token_ids"].__getitem__
    return published


def golden_images():
    """The pictures [3, 3, 32, 32] of the golden figures."""
    image = GOLDEN["vit"]["image"]
    return golden_tensor(image["name"], image["shape"], kind="image")


def full_size_clip(tokenizer):
    """A text tower as wide as ViT-B/16's: 512, 77 tokens."""
    visual = VisionTransformer(image_size=16, patch_size=16, width=64, layers=1, embed_dim=512)
    sizes = dict(embed_dim=512, vocab_size=514, context_length=77, width=512, layers=1)
    clip = CLIP(visual, 16, **sizes)
    clip.requires_grad_(False).tokenizer = tokenizer
    return clip
