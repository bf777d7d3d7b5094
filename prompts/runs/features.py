"""Frozen image features: computed once, kept on disk, shared by every method, shot number and seed.

    items → frozen_features ─ those already stored ──────────────────────────────> [N, E]
                            └ the others: open → preprocess → encode_image → store ┘

Why this is exact. A method that leaves the image tower alone (zero-shot, linear probe, CoOp,
    CoCoOp) computes logits = classify(encode_image(picture)), and encode_image is CLIP's own and
    frozen: its output depends on the picture only, never on what is being learned, so that it may
    be looked up instead. A method that puts prompts into the image tower (VPT, UPT) must not use
    this file.

What it costs: 4 E bytes for each picture and view (E = 512: 2 KB, or 100 MB for ImageNet's 50,000
test pictures), in one file per model, preprocessing, view and precision. To add a picture, its
file is written anew as a whole. Nothing is ever taken out: remove the folder whenever it has
grown too large.

What views change: training crops and mirrors each picture afresh in every epoch, which no store
can hold. Views 0 to V-1 are V such random pictures, drawn once. Learning from them is fast, but
sees V different pictures instead of one per epoch, and the same ones with every seed.
"""

import hashlib
import os
import sys
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import PIL
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader

from clip_min.data import open_picture
from clip_min.data.datasets import state_of_file
from clip_min.files import load_tensors, save_tensors
from clip_min.preprocess import read_picture
from prompts.runs.code import digest_of_code, python_files

PRECISIONS = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
FIRST_SAVE, SAVE_EVERY = 10, 60  # seconds of computing after which an unfinished store is saved
AT_ONCE = 64  # pictures in a batch: 256 take 7 GB with RN50, and are no faster on a CPU
FEWEST = 32  # pictures in a batch: matrix products of fewer rows may be rounded in another way


@dataclass(frozen=True)
class Compute:
    """Where and how image features are computed.

    device: of the models. precision: "fp32", "bf16" or "fp16". workers: processes that read
    pictures. features: folder where frozen features are kept; None: they are not kept.
    """

    device: torch.device = torch.device("cpu")
    precision: str = "fp32"
    workers: int = 0
    features: Path | None = None


def autocast(device, precision):
    """A context in which matrix products run in bf16 or fp16; for "fp32" it changes nothing.

    Raises ValueError for another precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, not {precision!r}.")
    return torch.autocast(device.type, PRECISIONS[precision], enabled=precision != "fp32")


def frozen_features(clip, items, compute=Compute(), view=None, recipe=None):
    """N items → the frozen CLIP's image features [N, E], fp32, not normalised, in the items' order.

    What is not in the store yet is computed and added; from then on it stays, bit for bit.
    Computed in another batch it is the same (tested on CPU), so that neither other runs nor an
    interruption change what is learned. On another device it is the same up to rounding, but a
    GPU may round the fp32 of its convolutions more coarsely (TF32). view: None for the picture as
    CLIP sees it in evaluation; 0, 1, 2, ... for random views of it, with `crop_scale` and `flip`
    of the recipe. A view depends on its number and the picture's path, not on a seed. The lower
    precisions are meant for GPUs and change a feature by 0.5 % (bf16) and 0.05 % (fp16) of its
    length (measured: mean over 216 pictures, tiny CLIP, CPU). Raises ValueError for a picture
    that cannot be read (see `read_picture`), OSError if the disk is full. After an interruption
    the same call carries on from the last save.
    """
    views = Views(clip.preprocess, view, recipe)
    store = None
    if compute.features is not None:
        store = store_file(clip, compute, views)
    signatures = [signature(item.path) for item in items]
    known = read_store(store, clip)
    missing = {}  # each picture once
    for item, key in zip(items, signatures):
        if key not in known:
            missing[key] = item.path
    if missing:
        known = known | compute_features(clip, missing, views, store, compute)
    return torch.stack([known[s] for s in signatures]).to(compute.device)  # [N, E]


@torch.no_grad()
def compute_features(clip, missing, views, store, compute):
    """{signature: path} of pictures → {signature: FloatTensor [E]} of what the store holds then.

    After ten seconds, and then every minute, it saves and prints a line.
    """
    clip.eval()  # frozen: the running means of a ResNet must not move
    signatures = list(missing)
    pictures = Pictures(list(missing.values()), views)
    loader = DataLoader(pictures, batch_size=AT_ONCE, num_workers=compute.workers)
    new = {}
    start = time.monotonic()
    due = start + FIRST_SAVE
    for images in loader:
        B = len(images)
        padding = (0, 0, 0, 0, 0, 0, 0, max(0, FEWEST - B))  # behind the last picture
        with autocast(compute.device, compute.precision):
            features = clip.encode_image(F.pad(images, padding).to(compute.device))[:B]  # [B, E]
        new.update(zip(signatures[len(new) :], features.float().cpu()))
        if len(new) < len(signatures) and time.monotonic() >= due:
            add_to_store(store, new, clip)
            left = (time.monotonic() - start) / len(new) * (len(signatures) - len(new))
            done = f"{len(new):,} of {len(signatures):,} pictures"
            print(f"  image features: {done}, {left:.0f} s left")
            due = time.monotonic() + SAVE_EVERY
    return add_to_store(store, new, clip)


@dataclass(frozen=True)
class Views:
    """How a picture becomes a tensor: as in evaluation, or random view number `view` of it."""

    preprocess: object
    view: int | None
    recipe: object

    def of(self, path):
        """A picture's path → FloatTensor [3, size, size]."""
        picture = open_picture(path)
        if self.view is None:
            return self.preprocess(picture)
        generator = torch.Generator().manual_seed(view_seed(path, self.view))
        return self.preprocess.augment(picture, generator, self.recipe.crop_scale, self.recipe.flip)

    def key(self):
        """All that a tensor depends on beside the picture, as a list of plain values."""
        if self.view is None:
            return [self.preprocess]
        shares = [float(share) for share in self.recipe.crop_scale]
        return [self.preprocess, self.view, shares, bool(self.recipe.flip)]


class Pictures(torch.utils.data.Dataset):
    """A list of paths → FloatTensors [3, size, size], for torch's DataLoader."""

    def __init__(self, paths, views):
        self.paths, self.views = paths, views

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        return self.views.of(self.paths[index])


def view_seed(path, view):
    """A picture's path and the number of a view → the seed of its crop and its mirroring.

    Only the last three parts of the path count: no benchmark has fewer below its root, and so the
    root may lie elsewhere tomorrow.

    >>> view_seed("/data/2750/Forest/7.jpg", 0) == view_seed("/mnt/disk/2750/Forest/7.jpg", 0)
    True
    """
    return zlib.crc32(os.fsencode(" ".join([str(view), *Path(path).absolute().parts[-3:]])))


def store_file(clip, compute, views):
    """The file whose name is a digest of everything but the picture that a feature depends on.

    `str(clip.visual)` lists the tower's layers: two CLIPs of the same weights may differ in their
    GELU. Pillow decodes and resizes. A change of clip_min's code must give new features.
    """
    code = digest_of_code(*python_files("clip_min"), Path(__file__))
    parts = [clip.sha256, str(clip.visual), compute.precision, code, PIL.__version__, *views.key()]
    name = clip.name.replace("/", "-")[-80:]  # a path may be too long for a file's name
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()[:12]
    return Path(compute.features) / f"{name}-{digest}.pt"


def signature(path):
    """What tells that a picture is still the same: a file's state; a drawn one depends on code.

    Raises ValueError as `read_picture` does if there is no such file.
    """
    if path.startswith("toy-"):
        return path
    if not os.path.exists(path):
        read_picture(path)  # says what is wrong
    name = os.fsencode(os.path.abspath(path))  # it need not be UTF-8
    name = name.decode(errors="backslashreplace")
    return f"{name} {state_of_file(path)}"


def read_store(store, clip):
    """A store → {signature: FloatTensor [E]}; {} without one, and, with a note, if damaged."""
    if store is None or not store.exists():
        return {}
    try:
        content = load_tensors(store)
        signatures, features = content["signatures"], content["features"]
        width = clip.text_projection.shape[1]
        if features.shape != (len(signatures), width) or features.dtype != torch.float32:
            raise ValueError(f"{store} holds features of another shape.")
        if not features.isfinite().all():
            raise ValueError(f"{store} holds numbers that are not finite.")
        return dict(zip(signatures, features))
    except (ValueError, TypeError, LookupError, AttributeError, RuntimeError) as error:
        reason = str(error) if isinstance(error, ValueError) else f"{store} does not hold features."
        print(f"note: {reason} The features are computed again.", file=sys.stderr)
        return {}


def add_to_store(store, new, clip):
    """Writes the store and what is new in it → {signature: FloatTensor [E]} of both.

    The store is read again, for another process may have added to it. Where both have computed a
    picture, what was stored stays. If both write in the same moment, the later one wins, and what
    it did not know of is computed again when it is needed.
    """
    if store is None:
        return new
    merged = new | read_store(store, clip)
    save_tensors(store, dict(signatures=list(merged), features=torch.stack(list(merged.values()))))
    return merged
