"""The tiny CLIP's recipe: what the three stages of its pre-training see, and in what order.

The stages stand in STAGES; pretrain.py says why each is as it is, and carries them out.
"""

import multiprocessing
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from clip_min.files import load_tensors, save_tensors
from clip_min.preprocess import MEAN, STD
from clip_min.world.canvas import SIZE
from clip_min.world.captions import CLOSE_UP, WEB, right_names, two_registers, web_picture
from clip_min.world.drawing import Style


@dataclass(frozen=True)
class Stage:
    """What one stage of pre-training sees, and how it learns.

    pictures: how many different ones. pairs: picture–caption pairs seen in all.
    caption: a picture's facts and a random.Random → a caption.
    batches: (share, size): up to this share of the pairs, batches of this size.
    steady: share of the pairs before the learning rate begins to fall.
    one_kind: share of the batches that hold one kind of things. masked: share of the patches that
    are left out. locked: whether the image tower stays as it is.
    """

    name: str
    style: Style
    pictures: int
    pairs: int
    caption: Callable
    lr: float
    batches: tuple
    steady: float = 0.0
    one_kind: float = 0.0
    masked: float = 0.0
    locked: bool = False


STAGES = (
    Stage("web", WEB, 150_000, 400_000, right_names, 1.5e-3, ((0.2, 64), (1.0, 128)), masked=0.5),
    Stage(
        "close-ups", CLOSE_UP, 150_000, 600_000, right_names, 1e-3, ((1.0, 64),), steady=0.6,
        one_kind=1.0,
    ),
    Stage(
        "registers", CLOSE_UP, 60_000, 200_000, two_registers, 5e-4, ((1.0, 128),), one_kind=0.7,
        locked=True,
    ),
)
ONE_KIND_WEIGHTS = {"textures": 1.5, "glyphs": 1.5}  # they take longest to learn; all others 1


class Pictures(NamedTuple):
    """images: uint8 [N, 3, SIZE, SIZE]; facts: a list of what a caption can tell about each."""

    images: torch.Tensor
    facts: list


def draw_pictures(seed, count, style, folder):
    """`count` Pictures in this style; kept in `folder`, where the same call finds them again."""
    digest = zlib.crc32(repr(style).encode())
    path = folder / f"pictures-{seed}-{count}-{digest:08x}.pt"
    if path.exists():
        kept = load_tensors(path)
        return Pictures(kept["images"], kept["facts"])
    images, all_facts = np.empty((count, 3, SIZE, SIZE), np.uint8), []
    with multiprocessing.Pool() as pool:
        drawn = pool.imap(draw_one, ((seed, i, style) for i in range(count)), chunksize=256)
        for i, (pixels, facts) in enumerate(drawn):
            images[i] = pixels
            all_facts.append(facts)
            if i % 20_000 == 0:
                print(f"drawn {i:,} of {count:,} pictures", flush=True)
    images = torch.from_numpy(images)
    save_tensors(path, dict(images=images, facts=all_facts))
    return Pictures(images, all_facts)


def draw_one(seed_index_style):
    """Pixels [3, SIZE, SIZE] and facts of one picture."""
    image, facts = web_picture(*seed_index_style)
    return np.asarray(image).transpose(2, 0, 1), facts


def augment(images, generator):
    """uint8 [B, 3, S, S] → float [B, 3, S, S], normalised.

    Shifted by up to 3 pixels, with another brightness and contrast.
    """
    B, _, S, _ = images.shape
    padded = F.pad(images.float() / 255, (3, 3, 3, 3), mode="replicate")
    dx, dy = torch.randint(0, 7, (2, B), generator=generator)
    picture = torch.arange(B)[:, None, None]  # [B, 1, 1]
    row = (dy[:, None] + torch.arange(S))[:, :, None]  # [B, S, 1]
    column = (dx[:, None] + torch.arange(S))[:, None, :]  # [B, 1, S]
    shifted = padded.permute(0, 2, 3, 1)[picture, row, column]  # [B, S, S, 3]
    contrast, brightness = (torch.rand(2, B, 1, 1, 1, generator=generator) - 0.5) * 0.4
    shifted = ((shifted - 0.5) * (1 + contrast) + 0.5 + 0.5 * brightness).clamp(0, 1)
    return ((shifted - torch.tensor(MEAN)) / torch.tensor(STD)).permute(0, 3, 1, 2)


def batches(stage, facts, seed):
    """For each step: the indices of its pictures, no picture twice in a batch → a list of lists."""
    rng, everything, of_kind = random.Random(f"batches {stage.name} {seed}"), range(len(facts)), {}
    for i, picture in enumerate(facts):
        of_kind.setdefault(picture["kind"], []).append(i)
    kinds = sorted(of_kind)
    weights = [len(of_kind[kind]) * ONE_KIND_WEIGHTS.get(kind, 1) for kind in kinds]
    schedule, done = [], 0
    while done < stage.pairs:
        size = next(size for share, size in stage.batches if done < share * stage.pairs)
        source = everything
        if rng.random() < stage.one_kind:
            source = of_kind[rng.choices(kinds, weights)[0]]
        schedule.append(rng.sample(source, min(size, len(source))))
        done += len(schedule[-1])
    return schedule
