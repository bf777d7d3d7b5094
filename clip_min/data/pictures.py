"""Labelled pictures as tensors, for torch's DataLoader."""

import os
import zlib

import torch

from clip_min.preprocess import read_picture
from clip_min.world import benchmarks

KEEP_BYTES = 2**30  # of pixels that training keeps in memory


def open_picture(path):
    """An Item's path → its RGB picture: "toy-..." is drawn, others are read by `read_picture`."""
    return benchmarks.draw(path) if path.startswith("toy-") else read_picture(path)


def state_of_file(path):
    """A picture's path → a text that changes when the file does: size, times, and inode.

    Two files of equal size and time of change that exchange their names are told apart by their
    inodes, and one that was overwritten and given its old time back by the time at which its entry
    on the disk changed. So a copied, moved or restored file counts as another one, too: then a
    result is computed again. On Windows that last time is the time of creation, and some network
    drives number files anew each time; what a disk does not tell is not seen. Raises ValueError if
    the file is gone.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        raise ValueError(f"Cannot read the picture {path}: {error.strerror}.") from error
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


class PictureSet(torch.utils.data.Dataset):
    """A list of Items → pairs (FloatTensor [3, size, size], label).

    preprocess: the model's, `clip.preprocess`. With a `recipe` (its crop_scale and flip) the
    pictures are cropped and mirrored at random, the same in every run for the same (seed, epoch,
    index), and opened pictures stay in memory, up to `KEEP_BYTES` of pixels. Call `set_epoch`
    before each pass over the data.
    """

    def __init__(self, items, preprocess, recipe=None, seed=0):
        self.items, self.preprocess, self.recipe, self.seed = items, preprocess, recipe, seed
        self.epoch = 0
        self.kept, self.kept_bytes = {}, 0  # index -> picture

    def set_epoch(self, epoch):
        """Changes what augmentation draws; call it before the DataLoader is iterated."""
        self.epoch = epoch

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        picture, label = self.open(index), self.items[index].label
        if self.recipe is None:
            return self.preprocess(picture), label  # [3, size, size], int
        draw_seed = zlib.crc32(f"{self.seed} {self.epoch} {index}".encode())
        generator = torch.Generator().manual_seed(draw_seed)
        scale, flip = self.recipe.crop_scale, self.recipe.flip
        return self.preprocess.augment(picture, generator, scale, flip), label

    def open(self, index):
        """The RGB picture number `index`, from memory if it was kept."""
        if index in self.kept:
            return self.kept[index]
        picture = open_picture(self.items[index].path)
        size = 3 * picture.width * picture.height
        if self.recipe is not None and self.kept_bytes + size <= KEEP_BYTES:
            self.kept[index] = picture
            self.kept_bytes += size
        return picture
