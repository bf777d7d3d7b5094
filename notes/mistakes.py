"""What well-known mistakes change: each is made in one piece, and measured beside the right way.

    python -m notes.mistakes                        all of them, seed 1, as Markdown
    python -m notes.mistakes coop --seed 1 2 3      of "zero_shot", "coop", "joint", "upt"

notes/mistakes.md explains the tables. Tiny CLIP, test pictures, 16 shots, train() of train.py with
the recipes of prompts/. A row "right" is without any mistake. The change is the mean of (this row -
the row "right" above it) over the data sets and seeds.
"""

import argparse
import contextlib
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable
from unittest.mock import patch

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

import train
from clip_min import load_clip
from clip_min.data import few_shot, load_dataset, open_picture
from clip_min.model import causal_mask
from prompts import recipe_of
from prompts.runs.batches import training_batches
from prompts.runs.evaluation import evaluate
from prompts.runs.features import Compute
from prompts.runs.job import expand, nearest
from prompts.runs.script import run_script
from prompts.runs.store import make_method

SHOTS = 16
WORDS = "a blurry photograph of a"  # 5 words, 9 tokens of the tiny CLIP


# The mistakes in a method: each function changes a method that was just built.


def unchanged(method):
    """The right way."""


def exact_gelu(method):
    """GELU in the place of OpenAI's x · sigmoid(1.702 x)."""
    for tower in (method.clip.transformer, method.clip.visual.transformer):
        for block in tower.resblocks:
            block.mlp.gelu = torch.nn.GELU()
    method.set_classes(method.classnames)


def first_padding(eos, length):
    """Positions of [EOS] [K] → the position behind each."""
    return eos + 1


def last_position(eos, length):
    """Positions of [EOS] [K] → the last of all positions."""
    return torch.full_like(eos, length - 1)


def read_texts_at(place):
    """`first_padding` or `last_position` → the mistake of zero-shot CLIP that reads texts there."""

    def change(method):
        clip = method.clip

        def encode_text(tokens):
            x = clip.transformer(clip.embed_text(tokens), causal_mask(clip.context_length))
            eos = place(tokens.argmax(dim=-1), clip.context_length)
            return clip.pool_text(x[torch.arange(len(x)), eos])

        clip.encode_text = encode_text
        method.set_classes(method.classnames)

    return change


def read_prompts_at(place):
    """The same for CoOp, whose published form has padding."""

    def change(method):
        method.eos = place(method.eos, method.clip.context_length)
        method.class_weights = method.plain_class_weights

    return change


def words_counted(method):
    """As many tokens as there are words; the tokens that are left over are lost."""
    ids = method.clip.tokenizer.encode(WORDS)[: len(WORDS.split())]
    method.ctx.data = method.clip.token_embedding.weight[ids].clone()


def random_start(method):
    """Joint's text prompts start from CoOp's random numbers, not from words."""
    method.T.data = 0.02 * torch.randn_like(method.T)


def long_random_start(method):
    """They start at random, and as long as UPT's prompts are after LayerNorm: √D."""
    method.T.data = F.layer_norm(torch.randn_like(method.T), method.T.shape[-1:])


def no_mixing(method):
    """Each prompt sees itself alone: the attention's weight is 1."""
    theta = method.theta

    def self_attention(seen):
        return theta.out_proj(theta.in_proj(seen).chunk(3, dim=-1)[2])

    theta.self_attention = self_attention


# The mistakes in training: each function takes the place of one that train() calls.


def without_warm_up(lr, epoch, epochs):
    """A cosine from the first epoch on."""
    return lr * (1 + math.cos(math.pi * epoch / epochs)) / 2


SGD = torch.optim.SGD


def without_decay(parameters, lr, momentum, weight_decay):
    """SGD that forgets its weight decay."""
    return SGD(parameters, lr, momentum)


def no_warm_up():
    """While this context is open, train() has no warm-up."""
    return patch.object(train, "learning_rate", without_warm_up)


def no_weight_decay():
    """While this context is open, train() has no weight decay."""
    return patch.object(torch.optim, "SGD", without_decay)


# Pictures of another shape


def widened(picture):
    """A square → a picture of 3:2, its mirrored borders left and right: 40 x 40 → 60 x 40."""
    padding = ((0, 0), (picture.width // 4,) * 2, (0, 0))
    return Image.fromarray(np.pad(np.asarray(picture), padding, mode="reflect"))


def band(picture):
    """A square → the middle two thirds of its rows: 40 x 40 → 40 x 27."""
    top = picture.height // 6
    return picture.crop((0, top, picture.width, picture.height - top - 1))


def same(picture):
    """A picture as it is."""
    return picture


def cropped(picture, preprocess):
    """The right way: resize the shorter side and cut out the middle."""
    return preprocess(picture)


def squashed(picture, preprocess):
    """Both sides are resized, so that a picture that is not a square changes its proportions."""
    size = (preprocess.size, preprocess.size)
    return preprocess.to_tensor(picture.resize(size, Image.BICUBIC))


# Measuring


@dataclass
class Row:
    """One line of a table: what is changed, and in which piece."""

    what: str
    change: Callable = unchanged  # of the method
    options: dict = field(default_factory=dict)  # of the method
    training: Callable = contextlib.nullcontext  # a context in which train() is changed
    shape: Callable = same  # of the pictures
    read: Callable = cropped


ROWS = {
    "zero_shot": [
        Row("right"),
        Row("GELU for QuickGELU", exact_gelu),
        Row("the first padding for [EOS]", read_texts_at(first_padding)),
        Row("the last position for [EOS]", read_texts_at(last_position)),
        Row("right: wide pictures, cropped", shape=widened),
        Row("wide pictures, squashed", shape=widened, read=squashed),
        Row("right: bands of pictures, cropped", shape=band),
        Row("bands of pictures, squashed", shape=band, read=squashed),
    ],
    "coop": [
        Row("right"),
        Row("no warm-up", training=no_warm_up),
        Row("no weight decay", training=no_weight_decay),
        Row("the first padding for [EOS]", read_prompts_at(first_padding)),
        Row("the last position for [EOS]", read_prompts_at(last_position)),
        Row(f'right: starts from "{WORDS}"', options=dict(ctx_init=WORDS)),
        Row("the same, cut in mid-word", words_counted, dict(n_ctx=5, ctx_init=None)),
    ],
    "joint": [
        Row("right"),
        Row("text prompts start at random", random_start),
        Row("the same, and as long as UPT's", long_random_start),
    ],
    "upt": [
        Row("right"),
        Row("no warm-up", training=no_warm_up),
        Row("no weight decay", training=no_weight_decay),
        Row("mixing no prompts", no_mixing),
        Row("the release's layer", options=dict(attention="released")),
        Row("right: Eq. (5) to the letter", options=dict(attention="literal")),
        Row("the same, mixing no prompts", no_mixing, dict(attention="literal")),
    ],
}


def measure(group, row, dataset, seed, compute):
    """Accuracy in per cent on test pictures, after learning if the group's method learns."""
    recipe, clip = recipe_of(group, "tiny"), load_clip("tiny")
    options = {**recipe.options, **row.options} if recipe else row.options
    torch.manual_seed(seed)
    method = make_method(group, clip, dataset, options)
    method.classnames = dataset.classnames
    row.change(method)
    if recipe is None:
        return accuracy_on(row, method, dataset.test)
    recipe = recipe.with_changes(epochs=recipe.epochs_for(dataset.name, SHOTS))
    items, _ = few_shot(dataset, SHOTS, seed)
    batches = training_batches(method, items, recipe, seed, compute)
    with row.training():
        train.train(method, batches, recipe, seed)
    return evaluate(method, dataset.test, compute)


@torch.no_grad()
def accuracy_on(row, method, items):
    """Accuracy in per cent on pictures that were brought to the row's shape."""
    preprocess = method.clip.preprocess
    images = [row.read(row.shape(open_picture(item.path)), preprocess) for item in items]
    logits = torch.cat([method(batch) for batch in torch.stack(images).split(256)])
    labels = torch.tensor([item.label for item in items])
    return 100 * (logits.argmax(dim=-1) == labels).float().mean().item()


def main():
    """One Markdown table for each group."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    which = f"of {', '.join(ROWS)} (default: all)"
    parser.add_argument("groups", nargs="*", metavar="group", help=which)
    three = ["toy-flowers", "toy-satellite", "toy-scenes"]
    parser.add_argument("--dataset", nargs="+", default=three)
    seeds = "of learning (default: 1)"
    parser.add_argument("--seed", nargs="+", type=int, default=[1], help=seeds)
    folder = Path("runs/features")
    where = "of frozen image features (default: runs/features)"
    parser.add_argument("--features-dir", type=Path, default=folder, help=where)
    flags = parser.parse_args()
    compute = Compute(features=flags.features_dir)
    datasets = [load_dataset(name) for name in expand(flags.dataset)]
    for group in flags.groups or ROWS:
        seeds = [0] if group == "zero_shot" else flags.seed  # nothing is random there
        print_table(nearest(group, ROWS, "group of mistakes"), datasets, seeds, compute)


def print_table(group, datasets, seeds, compute):
    """Measure the rows of a group and print each as soon as it is known."""
    names = " | ".join(dataset.name for dataset in datasets)
    print(f"\n| {group} | {names} | change |\n|{' --- |' * (len(datasets) + 2)}")
    right = None
    for row in ROWS[group]:
        found = np.zeros((len(datasets), len(seeds)))
        for i, j in np.ndindex(found.shape):
            found[i, j] = measure(group, row, datasets[i], seeds[j], compute)
        change = ""
        if row.what.startswith("right"):
            right = found
        else:
            change = f"{(found - right).mean():+.1f}"
        cells = [f"{accuracies.mean():.1f}" for accuracies in found]
        if len(seeds) > 1:
            spreads = [f" ± {accuracies.std():.1f}" for accuracies in found]
            cells = [cell + spread for cell, spread in zip(cells, spreads, strict=True)]
        print(f"| {row.what} | {' | '.join(cells)} | {change} |", flush=True)


if __name__ == "__main__":
    run_script(main)
