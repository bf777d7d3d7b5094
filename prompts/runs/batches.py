"""What the learning loop is fed with: batches of pictures, or of a frozen tower's features."""

import zlib

import torch
from torch.utils.data import DataLoader, TensorDataset

from clip_min.data import PictureSet
from prompts.runs.parallel import PROCESSES, first_process_first, share_of
from prompts.runs.features import Compute, frozen_features
from prompts.runs.progress import SlowLoop


def epoch_seed(seed, epoch):
    """The seed of one epoch: so any epoch can be the first one after an interruption."""
    return zlib.crc32(f"{seed} {epoch}".encode())


def training_batches(method, items, recipe, seed, compute=Compute()):
    """Items → a function: number of an epoch → its batches (inputs, labels [B]), in random order.

    Inputs are pictures [B, 3, H, W], cropped and mirrored afresh in each epoch. If the image
    tower is frozen, they are features [B, E] of `recipe.views` such pictures, computed once and
    used in turn (views=0: pictures, too). A last batch that is not full is left out, unless it is
    the only one. Under torchrun each process gets its share of every batch.
    Raises ValueError for fewer pictures than processes.
    """
    if len(items) < PROCESSES:
        raise ValueError(f"{len(items)} training pictures cannot be shared out over {PROCESSES} "
                         "processes: start fewer.")
    views = min(recipe.views, recipe.epochs) if method.image_tower_is_frozen else 0
    if views:
        with first_process_first():
            features, loop = [], SlowLoop(f"features of {views} views")
            for view in range(views):
                features.append(frozen_features(method.clip, items, compute, view, recipe))
                loop.say(view + 1, views)
        labels = torch.tensor([item.label for item in items], device=compute.device)
        pairs_of_view = [TensorDataset(each, labels) for each in features]
    pictures = PictureSet(items, method.clip.preprocess, recipe, seed)

    def batches_of_epoch(epoch):
        generator = torch.Generator().manual_seed(epoch_seed(seed, epoch))
        order = torch.randperm(len(items), generator=generator)
        size = recipe.batch_size
        whole = [batch for batch in order.split(size) if len(batch) == size]
        shares = [share_of(batch.tolist()) for batch in whole or [order]]
        if views:
            return DataLoader(pairs_of_view[epoch % views], batch_sampler=shares)
        pictures.set_epoch(epoch)
        return DataLoader(pictures, batch_sampler=shares, num_workers=compute.workers)

    return batches_of_epoch
