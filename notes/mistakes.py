"""What well-known mistakes cost: each is made by a small patch, and measured beside the right way.

    python -m notes.mistakes                        all of them, seed 1, as Markdown; read notes/mistakes.md
    python -m notes.mistakes coop --seed 1 2 3      of "zero_shot", "coop", "upt"

Tiny CLIP, test pictures, 16 shots, recipes as in train.py. A row "right" is without any patch. The change is the mean
of (this row - the row "right" above it) over the data sets and seeds.
"""

import argparse
import contextlib
import io
import math
import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image

import train
from clip_min import load_clip
from clip_min.data import load_dataset, open_picture
from clip_min.files import read_json_lines
from clip_min.model import CLIP, QuickGELU
from clip_min.preprocess import Preprocess, preprocess
from prompts import METHODS, coop
from prompts.experiments.flags import expand, nearest, run_script
from prompts.upt import Theta

WORDS = "a blurry photograph of a"  # 5 words, 10 tokens of the tiny CLIP
SGD, SET_CLASSES = torch.optim.SGD, coop.CoOp.set_classes  # as they are without a patch


# The mistakes: each function takes the place of one of the project's while a row is measured.
def encode_text(self, tokens, wrong):
    return self.pool_text(
        self.transformer(self.embed_text(tokens), row=wrong(tokens.argmax(dim=-1), tokens.shape[1]))
    )


def set_classes(self, classnames, wrong):
    SET_CLASSES(self, classnames)
    self.eos = wrong(self.eos, self.clip.context_length)


def words_counted(clip, n_ctx, ctx_init, default):
    ids = clip.tokenizer.encode(ctx_init)[
        : len(ctx_init.split())
    ]  # the tokens that are left over are lost
    return clip.token_embedding.weight[ids].clone()


def no_mixing(self, U):
    return self.out_proj(
        self.in_proj(U).chunk(3, dim=-1)[2]
    )  # each prompt sees itself alone: the weight is 1


def instead(owner, name, function, **options):  # → a function that makes a patch of owner.name
    return lambda: patch.object(
        owner, name, lambda *values, **more: function(*values, **more, **options)
    )


def widened(picture):
    """A square of the world → a picture of 3:2, its mirrored borders left and right: 40 x 40 → 60 x 40."""
    padding = ((0, 0), (picture.width // 4,) * 2, (0, 0))
    return Image.fromarray(np.pad(np.asarray(picture), padding, mode="reflect"))


def band(picture):
    """The same by leaving out: the middle two thirds of the rows, 40 x 40 → 40 x 27."""
    top = picture.height // 6
    return picture.crop((0, top, picture.width, picture.height - top - 1))


def zero_shot(
    name, clip, dataset, seed, features_dir, shape=lambda picture: picture, read=preprocess
):
    """Accuracy in per cent of hand-written prompts on test pictures brought to another shape. Nothing is random."""
    with torch.no_grad():
        method = METHODS[name](clip, dataset.classnames, dataset.templates[0])
        images = torch.stack(
            [read(shape(open_picture(item.path)), clip.image_size) for item in dataset.test]
        )
        predicted = torch.cat([method(batch) for batch in images.split(256)]).argmax(dim=-1)
    return (
        100
        * (predicted == torch.tensor([item.label for item in dataset.test])).float().mean().item()
    )


def learned(name, clip, dataset, seed, features_dir, **options):
    """Accuracy in per cent of a run of train.py."""
    command = f"train.py --method {name} --dataset {dataset.name} --seed {seed}".split()
    command += ["--hp", *(f"{key}={value}" for key, value in options.items())] if options else []
    with tempfile.TemporaryDirectory() as out, contextlib.redirect_stdout(io.StringIO()):
        with patch.object(
            sys, "argv", [*command, "--features-dir", str(features_dir), "--out", out]
        ):
            train.main()
        return read_json_lines(Path(out) / "results.jsonl")[-1]["accuracy"]


RIGHT = contextlib.nullcontext
SQUASH = lambda picture, size: Preprocess(size).to_tensor(
    picture.resize((size, size), Image.BICUBIC)
)  # noqa: E731
NEXT, LAST = (lambda eos, length: eos + 1), (lambda eos, length: torch.full_like(eos, length - 1))
COSINE = instead(
    train,
    "learning_rate",
    lambda lr, epoch, epochs: lr * (1 + math.cos(math.pi * epoch / epochs)) / 2,
)
DECAY = instead(
    torch.optim, "SGD", lambda parameters, lr, momentum, weight_decay: SGD(parameters, lr, momentum)
)
ROWS = {
    "zero_shot": [
        ("right", RIGHT, {}),
        (
            "GELU for QuickGELU",
            instead(QuickGELU, "forward", lambda self, x: torch.nn.functional.gelu(x)),
            {},
        ),
        ("the first padding for [EOS]", instead(CLIP, "encode_text", encode_text, wrong=NEXT), {}),
        ("the last position for [EOS]", instead(CLIP, "encode_text", encode_text, wrong=LAST), {}),
        ("right: wide pictures, cropped", RIGHT, dict(shape=widened)),
        ("wide pictures, squashed", RIGHT, dict(shape=widened, read=SQUASH)),
        ("right: bands of pictures, cropped", RIGHT, dict(shape=band)),
        ("bands of pictures, squashed", RIGHT, dict(shape=band, read=SQUASH)),
    ],
    "coop": [
        ("right", RIGHT, {}),
        ("no warm-up", COSINE, {}),
        ("no weight decay", DECAY, {}),
        (
            "the first padding for [EOS]",
            instead(coop.CoOp, "set_classes", set_classes, wrong=NEXT),
            {},
        ),
        (
            "the last position for [EOS]",
            instead(coop.CoOp, "set_classes", set_classes, wrong=LAST),
            {},
        ),
        (f'right: starts from "{WORDS}"', RIGHT, dict(ctx_init=WORDS)),
        (
            "the same, cut in mid-word",
            instead(coop, "initial_context", words_counted),
            dict(ctx_init=WORDS),
        ),
    ],
    "upt": [
        ("right", RIGHT, {}),
        ("no warm-up", COSINE, {}),
        ("no weight decay", DECAY, {}),
        ("attention that mixes no prompts", instead(Theta, "self_attention", no_mixing), {}),
        ("the release's layer", RIGHT, dict(attention="released")),
    ],
}


def main():
    """One Markdown table for each group."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "groups", nargs="*", metavar="group", help=f"of {', '.join(ROWS)} (default: all)"
    )
    parser.add_argument(
        "--dataset", nargs="+", default=["toy-flowers", "toy-satellite", "toy-scenes"]
    )
    parser.add_argument("--seed", nargs="+", type=int, default=[1], help="of learning (default: 1)")
    parser.add_argument(
        "--features-dir", type=Path, default=Path("runs/features"), help="(default: runs/features)"
    )
    flags = parser.parse_args()
    clip, datasets = load_clip("tiny"), [load_dataset(name) for name in expand(flags.dataset)]
    for group in [nearest(name, ROWS, "group of mistakes") for name in flags.groups] or ROWS:
        seeds, measure = ([0], zero_shot) if group == "zero_shot" else (flags.seed, learned)
        print(
            f"\n| {group} | {' | '.join(flags.dataset)} | change |\n|{' --- |' * (len(datasets) + 2)}"
        )
        for what, how, options in ROWS[group]:
            found = np.zeros((len(datasets), len(seeds)))
            for i, j in np.ndindex(found.shape):
                with how():
                    found[i, j] = measure(
                        group, clip, datasets[i], seeds[j], flags.features_dir, **options
                    )
            right = found if what.startswith("right") else right
            cells = [
                f"{row.mean():.1f}" + (f" ± {row.std():.1f}" if len(seeds) > 1 else "")
                for row in found
            ]
            change = "" if right is found else f"{(found - right).mean():+.1f}"
            print(f"| {what} | {' | '.join(cells)} | {change} |", flush=True)


if __name__ == "__main__":
    run_script(main)
