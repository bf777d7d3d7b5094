"""The CLIPs, names, pictures and figures that checks compare with."""

import contextlib
import functools
import json

import torch
import torch.nn.functional as F

from clip_min import load_clip
from clip_min.model import build_clip
from notes.exercises.cut import ROOT
from tests.golden.weights import golden_state_dict, golden_tensor

NAMES = ["cat", "annual crop land", "yellow_rose", "dog"]
FEW = ["red car", "tea"]  # another number of classes


@functools.cache
def tiny():
    """The tiny CLIP: all widths are 128."""
    return load_clip("tiny")


@functools.cache
def odd_clip():
    """A random CLIP with the tiny one's words, in which all widths differ.

    Text: 2 layers, 192 wide, 24 tokens. Pictures: 3 layers, 64 wide, 3 x 3 patches. E = 96.
    """
    shapes = {
        "positional_embedding": [24, 192],
        "text_projection": [192, 96],
        "logit_scale": [],
        "visual.class_embedding": [64],
        "visual.positional_embedding": [10, 64],
        "visual.proj": [64, 96],
        "visual.conv1.weight": [64, 3, 8, 8],
        "token_embedding.weight": [tiny().vocab_size, 192],
        **norm("visual.ln_pre", 64),
        **norm("visual.ln_post", 64),
        **norm("ln_final", 192),
    }
    for i in range(3):
        shapes.update(block(f"visual.transformer.resblocks.{i}", 64))
    for i in range(2):
        shapes.update(block(f"transformer.resblocks.{i}", 192))
    clip = build_clip(golden_state_dict(shapes))
    clip.tokenizer = tiny().tokenizer
    return clip


def norm(name, width):
    """The shapes of a LayerNorm's parameters."""
    return {f"{name}.weight": [width], f"{name}.bias": [width]}


def block(name, width):
    """The shapes of a residual block's parameters."""
    return {
        f"{name}.attn.in_proj_weight": [3 * width, width],
        f"{name}.attn.in_proj_bias": [3 * width],
        f"{name}.attn.out_proj.weight": [width, width],
        f"{name}.attn.out_proj.bias": [width],
        f"{name}.mlp.c_fc.weight": [4 * width, width],
        f"{name}.mlp.c_fc.bias": [4 * width],
        f"{name}.mlp.c_proj.weight": [width, 4 * width],
        f"{name}.mlp.c_proj.bias": [width],
        **norm(f"{name}.ln_1", width),
        **norm(f"{name}.ln_2", width),
    }


@functools.cache
def golden(name):
    """The figures of the published code in tests/golden/NAME.json."""
    return json.loads((ROOT / "tests" / "golden" / f"{name}.json").read_text())


@functools.cache
def golden_weights():
    """The weights of the small CLIP whose features by the published code are in tests/golden."""
    return golden_state_dict(golden("clip")["vit"]["shapes"])


@functools.cache
def golden_clip():
    """This small CLIP."""
    clip = build_clip(golden_weights())
    clip.tokenizer = tiny().tokenizer
    return clip


def golden_pictures():
    """The pictures of tests/golden/clip.json."""
    image = golden("clip")["vit"]["image"]
    return golden_tensor(image["name"], image["shape"], kind="image")


def pictures(clip, number=3):
    """Random pictures [number, 3, S, S], the same ones every time."""
    size = (number, 3, clip.image_size, clip.image_size)
    return torch.randn(size, generator=torch.Generator().manual_seed(0))


def unequal_features(B, E):
    """Random image features [B, E]: short and long ones, unsorted, B up to 9."""
    lengths = torch.tensor([9.0, 0.2, 3.0, 40.0, 0.5, 1.0, 0.05, 20.0, 2.0])
    return lengths[:B, None] * F.normalize(torch.randn(B, E), dim=-1)


def widths(clip):
    """→ E, D_t and D_v of a CLIP with a vision transformer."""
    return clip.text_projection.shape[1], len(clip.ln_final.weight), len(clip.visual.ln_post.weight)


@contextlib.contextmanager
def tokens_read(blocks):
    """→ a list that gets (number of the block, sequences, tokens of each) at each of its calls."""
    calls = []
    hooks = [block.register_forward_pre_hook(lambda _, inputs,
                                             i=i: calls.append((i, *inputs[0].shape[:2]))) for i,
             block in enumerate(blocks)]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()
