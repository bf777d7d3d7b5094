"""Data sets: which picture belongs to which class, and the protocols that choose among them.

    load_dataset → Dataset → few_shot → split_classes → PictureSet → (tensor, label)

The benchmarks are read in the layout that KaiyangZhou/CoOp prescribes (its DATASETS.md): a root folder with
one folder for each data set, which holds the pictures and a split file `split_zhou_*.json` of the form

    {"train": [["Forest/Forest_12.jpg", 1, "Forest"], ...], "val": [...], "test": [...]}

The few-shot protocol (CoOp, section 3.1) and the base/new protocol (CoCoOp, section 4.1) compose in this
order; the published code samples first and selects the classes afterwards, and so must you:

    dataset = load_dataset("eurosat", "DATA")
    train, val = few_shot(dataset, shots=16, seed=1)
    base = split_classes(dataclasses.replace(dataset, train=train, val=val), "base")
    pictures = PictureSet(base.train, size=224, augmented=True, seed=1)

The miniature data sets, whose names begin with "toy-", are drawn by `clip_min.world` and need no files.

Differs from the published code: none known in what is sampled (tests hold the published indices);
split files are checked before use, and a class with too few pictures is reported instead of passed over.
"""

import dataclasses
import difflib
import json
import math
import os
import random
import warnings
import zlib
from pathlib import PureWindowsPath
from typing import NamedTuple

import torch

from clip_min.preprocess import augment, preprocess, read_picture


class Item(NamedTuple):
    """One labelled picture: what `open_picture` takes, and a number from 0 to K-1."""
    path: str
    label: int


@dataclasses.dataclass
class Dataset:
    """A data set of K classes.

    `classnames[label]` is the name of a class; `templates` are hand-crafted prompts in which "{}" stands
    for it; `train`, `val` and `test` are lists of Item.
    """
    name: str
    classnames: list
    templates: list
    train: list
    val: list
    test: list


class Benchmark(NamedTuple):
    """Where a benchmark lies under the root, and its hand-crafted prompt (CoOp, appendix A, Table 5)."""
    folder: str    # the data set's own folder
    images: str    # the folder in it from which the split file's paths start
    split: str     # the split file in it
    template: str


BENCHMARKS = {
    "caltech101": Benchmark("caltech-101", "101_ObjectCategories", "split_zhou_Caltech101.json",
                            "a photo of a {}."),
    "oxford_pets": Benchmark("oxford_pets", "images", "split_zhou_OxfordPets.json",
                             "a photo of a {}, a type of pet."),
    "stanford_cars": Benchmark("stanford_cars", "", "split_zhou_StanfordCars.json", "a photo of a {}."),
    "flowers102": Benchmark("oxford_flowers", "jpg", "split_zhou_OxfordFlowers.json",
                            "a photo of a {}, a type of flower."),
    "food101": Benchmark("food-101", "images", "split_zhou_Food101.json", "a photo of {}, a type of food."),
    "sun397": Benchmark("sun397", "SUN397", "split_zhou_SUN397.json", "a photo of a {}."),
    "dtd": Benchmark("dtd", "images", "split_zhou_DescribableTextures.json", "{} texture."),
    "eurosat": Benchmark("eurosat", "2750", "split_zhou_EuroSAT.json", "a centered satellite photo of {}."),
    "ucf101": Benchmark("ucf101", "UCF-101-midframes", "split_zhou_UCF101.json",
                        "a photo of a person doing {}."),
}

# Benchmarks of the papers that come without such a split file.
NOT_YET = ("imagenet", "fgvc_aircraft", "imagenetv2", "imagenet_sketch", "imagenet_a", "imagenet_r")


def load_dataset(name, root=None):
    """A data set's name, and the folder that holds the benchmarks' folders → Dataset.

    The miniature sets ("toy-...") need no root. Paths in the result are absolute.
    Raises ValueError, saying what to do, for an unknown name, a missing root, folder, split file or
    picture, and for a split file that contradicts itself.
    """
    if name.startswith("toy"):
        from clip_min.world import benchmarks  # drawn only when asked for
        if name not in benchmarks.NAMES:
            raise unknown_name(name, benchmarks.NAMES)
        return benchmarks.load(name)
    if name in NOT_YET:
        raise ValueError(f"The data set {name} is not yet supported; so far: {', '.join(BENCHMARKS)}.")
    if name not in BENCHMARKS:
        raise unknown_name(name, [*BENCHMARKS, *NOT_YET, "toy-objects", "toy-..."])
    if root is None:
        raise ValueError(f"{name} is read from disk: give --data-root, the folder that holds its folder "
                         f"{BENCHMARKS[name].folder}.")
    return load_benchmark(name, root)


def unknown_name(name, known):
    """The ValueError for a data set `name` that is not among `known`, with the nearest ones first."""
    nearest = difflib.get_close_matches(name.lower(), known)
    hint = f" Did you mean {' or '.join(nearest)}?" if nearest else ""
    return ValueError(f"There is no data set {name!r}.{hint} Known here: {', '.join(known)}.")


def load_benchmark(name, root):
    """A key of BENCHMARKS and the root folder → Dataset; errors as in `load_dataset`."""
    benchmark = BENCHMARKS[name]
    root = os.path.abspath(os.path.expanduser(root))
    folder = os.path.join(root, benchmark.folder)
    images = os.path.join(folder, benchmark.images)
    split_file = os.path.join(folder, benchmark.split)
    for path in (root, folder, images):
        if not os.path.isdir(path):
            raise ValueError(f"The folder {path} is not there: for {name}, give --data-root the folder that "
                             f"holds {os.path.join(benchmark.folder, benchmark.images, '')}.")
    parts = read_split(split_file)
    classnames = find_classnames(parts, split_file)
    items = {}
    for part, rows in parts.items():
        # SUN397's paths begin with "/", which would make them absolute
        items[part] = [Item(os.path.join(images, path.lstrip("/")), label) for path, label, _ in rows]
    check_pictures(items["train"] + items["val"] + items["test"], split_file)
    return Dataset(name, classnames, [benchmark.template], items["train"], items["val"], items["test"])


def read_split(split_file):
    """A split file → {"train": rows, "val": rows, "test": rows}, each row [path, label, class name].

    Raises ValueError when it is missing, no JSON, not of this form, or a path leaves the picture folder.
    """
    if not os.path.isfile(split_file):
        raise ValueError(f"The split file {split_file} is not there: download it from the link in CoOp's "
                         "DATASETS.md into that folder.")
    try:
        with open(split_file, encoding="utf-8") as file:
            parts = json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"The split file {split_file} is not readable as JSON ({error}): "
                         "download it again.") from error
    names = ("train", "val", "test")
    if not isinstance(parts, dict) or not all(isinstance(parts.get(part), list) for part in names):
        raise ValueError(f'The split file {split_file} must be an object with the lists "train", "val" and '
                         '"test": download it again.')
    parts = {part: parts[part] for part in names}
    for part, rows in parts.items():
        for row in rows:
            # `type` and not `isinstance`: true is an int to Python, but no label
            if type(row) is not list or [type(value) for value in row] != [str, int, str] or not row[2]:
                raise ValueError(f"The split file {split_file} has {row!r} in {part!r}: make it "
                                 "[path, label, class name].")
            path = PureWindowsPath(row[0])  # reads both / and \ as separators
            if ".." in path.parts or path.drive:
                raise ValueError(f"The split file {split_file} has the path {row[0]!r}, which leaves the "
                                 'picture folder: write it without ".." or a drive.')
    return parts


def find_classnames(parts, split_file):
    """The rows of a split file → the K class names in the order of their labels.

    Raises ValueError for a label with two names, for labels other than 0 to K-1, and for K < 2.
    """
    names = {}
    for rows in parts.values():
        for _, label, name in rows:
            if names.setdefault(label, name) != name:
                raise ValueError(f"The split file {split_file} gives label {label} two names, "
                                 f"{names[label]!r} and {name!r}: keep one.")
    for expected, label in enumerate(sorted(names)):
        if label != expected:
            problem = "is negative" if label < 0 else f"is there, but label {expected} is not"
            raise ValueError(f"In the split file {split_file}, label {label} {problem}: number its "
                             f"{len(names)} classes from 0 to {len(names) - 1}.")
    if len(names) < 2:
        raise ValueError(f"The split file {split_file} needs at least two classes, not {len(names)}: "
                         "download it again.")
    return [names[label] for label in range(len(names))]


def check_pictures(items, split_file):
    """Raises ValueError if a picture is missing: names the first one, and counts them all.

    Each folder is listed once: asking for every single file is slow, above all on a network drive.
    """
    present = {}  # folder -> the names of the files in it
    missing = []
    for item in items:
        folder, name = os.path.split(item.path)
        if folder not in present:
            try:
                with os.scandir(folder) as entries:
                    present[folder] = {entry.name for entry in entries if entry.is_file()}
            except OSError:
                present[folder] = set()
        if name not in present[folder]:
            missing.append(item.path)
    if missing:
        raise ValueError(f"{len(missing)} of the {len(items)} pictures in {split_file} are not there, the "
                         f"first being {missing[0]}: unpack the data set's archive again.")


def readable_names(classnames):
    """K class names as they stand in a prompt: underscores become spaces, outer spaces go.

    Raises ValueError for fewer than two classes and for an empty name.

    >>> readable_names(["yellow_rose", "cat "])
    ['yellow rose', 'cat']
    """
    names = [name.replace("_", " ").strip() for name in classnames]
    if len(names) < 2:
        raise ValueError(f"There must be at least two classes to tell apart, not {len(names)}: {names}.")
    if "" in names:
        raise ValueError(f"Class number {names.index('')} of {len(names)} has an empty name: give it one.")
    return names


def few_shot(dataset, shots, seed):
    """A Dataset, the number of pictures per class, and a seed → (train items, val items).

    The sample of CoOp's published experiments, picture for picture: classes in order of first appearance,
    `shots` of each without replacement from `train`, then min(shots, 4) of each from `val`, all from one
    stream of random numbers. A class with fewer pictures gives all it has, with a warning.
    Raises ValueError unless shots is a whole number of at least 1, and for a set that is only tested on.
    Source: CoOp, section 3.1; Dassl.pytorch, `generate_fewshot_dataset`.
    """
    if not isinstance(shots, int) or shots < 1:
        raise ValueError(f"shots must be a whole number of at least 1, not {shots!r}.")
    if not dataset.train:
        raise ValueError(f"{dataset.name} has no training pictures to draw from: it is only tested on.")
    stream = random.Random(seed)  # the same numbers as `random.seed(seed)`, and nobody else draws from them
    train = sample_per_class(dataset.train, shots, stream)
    val = sample_per_class(dataset.val, min(shots, 4), stream)
    warn_of_small_classes(dataset, "train", shots)
    if dataset.val:
        warn_of_small_classes(dataset, "val", min(shots, 4))
    return train, val


def sample_per_class(items, shots, stream):
    """`shots` items of each label, drawn from `stream` (a random.Random), label by label."""
    by_label = {}
    for item in items:
        by_label.setdefault(item.label, []).append(item)
    sample = []
    for group in by_label.values():
        sample += stream.sample(group, shots) if len(group) >= shots else group
    return sample


def warn_of_small_classes(dataset, part, shots):
    """One warning that names the classes with fewer than `shots` pictures in `part`, if there are any."""
    counts = [0] * len(dataset.classnames)
    for item in getattr(dataset, part):
        counts[item.label] += 1
    small = [f"{name} ({count})" for name, count in zip(dataset.classnames, counts) if count < shots]
    if small:
        shown = ", ".join(small[:10]) + (f" and {len(small) - 10} more" if len(small) > 10 else "")
        warnings.warn(f"{dataset.name}: fewer than {shots} {part} pictures in {shown}; all of them are used.",
                      stacklevel=3)


def split_classes(dataset, which):
    """A Dataset of K classes and "base", "new" or "all" → a Dataset of those classes.

    "base" holds the first ceil(K/2) labels, "new" the rest, relabelled from 0; "all" is the dataset
    itself. Draw the few shots first (see the top of this file): drawn afterwards they would differ.
    Raises ValueError for any other word. Source: CoCoOp, section 4.1; CoOp's `subsample_classes`.

    >>> three = Dataset("three", ["a", "b", "c"], ["a {}."], [Item("0.png", 0), Item("2.png", 2)], [], [])
    >>> split_classes(three, "new").train
    [Item(path='2.png', label=0)]
    """
    if which == "all":
        return dataset
    half = math.ceil(len(dataset.classnames) / 2)
    if which == "base":
        labels = range(half)
    elif which == "new":
        labels = range(half, len(dataset.classnames))
    else:
        raise ValueError(f'classes must be "base", "new" or "all", not {which!r}.')

    def select(items):
        return [Item(item.path, item.label - labels.start) for item in items if item.label in labels]

    return dataclasses.replace(dataset, classnames=dataset.classnames[labels.start:labels.stop],
                               train=select(dataset.train), val=select(dataset.val),
                               test=select(dataset.test))


def open_picture(path):
    """An Item's path → its RGB picture: "toy-..." is drawn, the rest read (errors: `read_picture`)."""
    if path.startswith("toy-"):
        from clip_min.world import benchmarks
        return benchmarks.draw(path)
    return read_picture(path)


class PictureSet(torch.utils.data.Dataset):
    """A list of Items → pairs (FloatTensor [3, size, size], label), for torch's DataLoader.

    As CLIP sees them in evaluation, or, if `augmented`, cropped and mirrored at random: the same in
    every run for the same (seed, epoch, index). Call `set_epoch` before each pass over the data.
    `scale` and `flip` are those of `augment`. `keep=True` keeps the opened pictures in memory, up to
    `KEEP_BYTES` of pixels; it pays for small training sets and a DataLoader without worker processes.
    """

    KEEP_BYTES = 2**30

    def __init__(self, items, size, augmented=False, seed=0, keep=False, scale=(0.08, 1.0), flip=True):
        self.items = items
        self.size = size
        self.augmented = augmented
        self.seed = seed
        self.keep = keep
        self.scale = scale
        self.flip = flip
        self.epoch = 0
        self.kept = {}       # index -> picture
        self.kept_bytes = 0

    def set_epoch(self, epoch):
        """Changes what augmentation draws; with worker processes, before the DataLoader is iterated."""
        self.epoch = epoch

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        picture = self.open(index)
        if self.augmented:
            key = f"{self.seed} {self.epoch} {index}"
            generator = torch.Generator().manual_seed(zlib.crc32(key.encode()))
            tensor = augment(picture, self.size, generator, self.scale, self.flip)
        else:
            tensor = preprocess(picture, self.size)
        return tensor, self.items[index].label  # [3, size, size], int

    def open(self, index):
        """The RGB picture number `index`, from memory if it was kept."""
        if index in self.kept:
            return self.kept[index]
        picture = open_picture(self.items[index].path)
        size = 3 * picture.width * picture.height
        if self.keep and self.kept_bytes + size <= self.KEEP_BYTES:
            self.kept[index] = picture
            self.kept_bytes += size
        return picture
