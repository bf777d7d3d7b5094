"""Data sets: which picture belongs to which class, and the protocols that choose among them.

    load_dataset → Dataset → few_shot → split_classes → PictureSet (pictures.py) → (tensor, label)

The benchmarks are read in the layout that KaiyangZhou/CoOp prescribes (its DATASETS.md): a root
folder with one folder for each data set (benchmarks.py; what lies in them: layouts.py). `python -m
clip_min.data DATA` tells what of it is on your disk, whether it is whole, and where the rest is to
be had.

The few-shot protocol (CoOp, section 3.1) and the base/new protocol (CoCoOp, section 4.1) compose in
this order:

    dataset = load_dataset("eurosat", "DATA")
    train, val = few_shot(dataset, shots=16, seed=1)
    base = split_classes(dataclasses.replace(dataset, train=train, val=val), "base")
    pictures = PictureSet(base.train, clip.preprocess, recipe, seed=1)

Differs from the published code: split files are checked, and a class with too few pictures is
reported. What is sampled is the same (tests hold the published indices), but for ImageNet: its
pictures come sorted by name here, and there as the file system lists them, which differs from disk
to disk.
"""

import dataclasses
import difflib
import functools
import hashlib
import math
import os
import random
import warnings
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from clip_min.data.benchmarks import A_PHOTO, BENCHMARKS, COOP, OTHER_NAMES, benchmark_name
from clip_min.data.folders import PARTS, missing_pictures
from clip_min.data.layouts import read_benchmark
from clip_min.data.names import check_template, note_once, note_same_names
from clip_min.data.own_folder import from_folder
from clip_min.data.pictures import state_of_file
from clip_min.data.splits import OWN_SPLIT
from clip_min.world import benchmarks as world


class Item(NamedTuple):
    """One labelled picture: what `open_picture` takes, and a number from 0 to K-1."""

    path: str
    label: int


@dataclasses.dataclass
class Dataset:
    """A data set of K classes.

    `classnames[label]` is the name of a class; `templates` are hand-crafted prompts in which "{}"
    stands for it; `train`, `val` and `test` are lists of Item; `own_split`: it was split without
    CoOp's split file (splits.py); `folder`: what the paths of its items begin with, "" if it has no
    files.
    """

    name: str
    classnames: list
    templates: list
    train: list
    val: list
    test: list
    own_split: bool = False
    folder: str = ""

    def digest(self, part):
        """Name of a part → 12 hexadecimal digits that change whenever its pictures or classes do.

        SHA-256 of the class names, the templates, and each item's label and path below `folder`, so
        that the data may move to another disk. Two kinds of data sets give more: a folder of one's
        own each file's `state_of_file`, a miniature set the code that draws it. Raises ValueError
        for a file that is gone.

        >>> here = Dataset("dtd", ["a", "b"], ["a {}."], [], [], [Item("/x/1.png", 0)], folder="/x")
        >>> there = dataclasses.replace(here, test=[Item("/y/1.png", 0)], folder="/y")
        >>> len(here.digest("test")), here.digest("test") == there.digest("test")
        (12, True)
        """
        drawing = drawing_code() if self.name in world.NAMES else ""
        digest = hashlib.sha256(ascii([self.classnames, self.templates, drawing]).encode())
        start = os.path.join(self.folder, "") if self.folder else ""
        is_own_folder = self.folder != "" and self.name not in BENCHMARKS
        for path, label in getattr(self, part):
            below = path.removeprefix(start).replace(os.sep, "/")
            state = state_of_file(path) if is_own_folder else ""
            digest.update(f"{label} {below!a} {state}\n".encode())
        return digest.hexdigest()[:12]


@functools.cache
def drawing_code():
    """SHA-256 of the files that draw the miniature world."""
    files = sorted(Path(world.__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def load_dataset(name, root=None, template=None):
    """A data set's name, and the folder that holds the benchmarks' folders → Dataset, its paths
    absolute.

    A name is one of BENCHMARKS, a miniature set's ("toy-...", drawn by `clip_min.world` without
    files), or the path of a folder of one's own; ./eurosat is a folder, eurosat the benchmark even
    where a folder has that name. CoOp's `oxford_flowers` and `describable_textures` are understood,
    too. `template` replaces the hand-crafted prompt. Raises ValueError, saying what to do, for an
    unknown name, a missing root, folder, split file or picture, for files that contradict
    themselves, and for a template as `check_template` does.
    """
    name = benchmark_name(os.fspath(name))
    if template is not None:
        check_template(template)
    if name in world.NAMES:
        classnames, own_template, parts = world.contents(name)
        dataset = Dataset(name, classnames, [own_template], **to_items(parts))
    elif name in BENCHMARKS:
        dataset = load_benchmark(name, root)
    elif is_path(name):
        folder = os.path.abspath(os.path.expanduser(name))
        classnames, parts = from_folder(folder)
        dataset = Dataset(folder, classnames, [A_PHOTO], **to_items(parts), folder=folder)
    else:
        raise ValueError(unknown_name(name))
    return dataset if template is None else dataclasses.replace(dataset, templates=[template])


def is_path(name):
    """Whether what is called a data set is a folder, or is written as a path."""
    return os.path.isdir(name) or "/" in name or os.sep in name or name.startswith((".", "~"))


def unknown_name(name):
    """The sentence for a data set that is not known, with the nearest name that is."""
    known = [*BENCHMARKS, *world.NAMES]
    letters = {"".join(filter(str.isalnum, word)): word for word in [*known, *OTHER_NAMES]}
    near = difflib.get_close_matches("".join(filter(str.isalnum, name.lower())), letters, n=1)
    hint = f" Did you mean {benchmark_name(letters[near[0]])}?" if near else ""
    known = ", ".join(known)
    return f"There is no data set {name!r}.{hint} Known here: {known}, or a folder's path."


def load_benchmark(name, root):
    """A key of BENCHMARKS and the root folder → Dataset; a warning if it is not the papers'."""
    benchmark = BENCHMARKS[name]
    classnames, parts, source, folder = read_benchmark(name, root)
    paths = [path for part in parts.values() for path, _ in part]
    is_just_listed = name.startswith("imagenet")
    missing = [] if is_just_listed else missing_pictures(paths)
    if missing:
        counted = f"{len(missing)} of the {len(paths)} pictures in {source} are not there"
        tells = f"`python -m clip_min.data {root}` tells more."
        raise ValueError(f"{counted}: {', '.join(missing[:10])}; {tells}")
    own_split = OWN_SPLIT in os.path.basename(source)
    if own_split or (not benchmark.split and len(classnames) != benchmark.classes):
        why = "split without CoOp's split file" if own_split else "not whole"
        counted = f"{len(classnames)} of {benchmark.classes} classes"
        effect = "its figures are not comparable with the papers'"
        warnings.warn(f"{name} is {why} ({counted}): {effect}; see {COOP}", stacklevel=2)
    note_same_names(classnames, name)
    return Dataset(name, classnames, [benchmark.template], **to_items(parts), own_split=own_split,
                   folder=folder)


def to_items(parts):
    """{"train": [(path, label), ...], ...} → the same with Items."""
    return {part: [Item(path, label) for path, label in parts[part]] for part in PARTS}


def few_shot(dataset, shots, seed):
    """A Dataset, the number of pictures per class, and a seed → (train items, val items).

    The sample of CoOp's published experiments, picture for picture: classes in order of first
    appearance, `shots` of each without replacement from `train`, then min(shots, 4) of each from
    `val`, all from one stream of random numbers. A class with fewer pictures gives all it has, with
    one note in a process. Raises ValueError unless shots is a whole number of at least 1, and for a
    set that is only tested on. Source: CoOp, section 3.1; Dassl, `generate_fewshot_dataset`.
    """
    if not isinstance(shots, int) or shots < 1:
        raise ValueError(f"shots must be a whole number of at least 1, not {shots!r}.")
    if not dataset.train:
        reason = "has no training pictures to draw from: it is only tested on."
        raise ValueError(f"{dataset.name} {reason}")
    stream = random.Random(seed)  # draws as `random.seed(seed)` does, and nobody else draws from it
    train = sample_per_class(dataset.train, shots, stream)
    val = sample_per_class(dataset.val, min(shots, 4), stream)
    note_small_classes(dataset, "train", shots)
    if dataset.val:
        note_small_classes(dataset, "val", min(shots, 4))
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


def note_small_classes(dataset, part, shots):
    """One note that names the classes of fewer than `shots` pictures in `part`, if any."""
    counts = Counter(item.label for item in getattr(dataset, part))
    pairs = [(name, counts[label]) for label, name in enumerate(dataset.classnames)]
    small = [f"{name} ({count})" for name, count in pairs if count < shots]
    if small:
        named = ", ".join(small[:10]) + (f" and {len(small) - 10} more" if len(small) > 10 else "")
        where = f"{dataset.name}: fewer than {shots} {part} pictures in {named}"
        note_once(f"{where}; all are used.")


def split_classes(dataset, which):
    """A Dataset of K classes and "base", "new" or "all" → a Dataset of those classes.

    "base" holds the first ceil(K/2) labels, "new" the rest, relabelled from 0; "all" is the dataset
    itself. Draw the few shots first (see the top of this file): drawn afterwards they would differ.
    Raises ValueError for any other word. Source: CoCoOp, section 4.1; CoOp's `subsample_classes`.

    >>> items = [Item("0.png", 0), Item("2.png", 2)]
    >>> three = Dataset("three", ["a", "b", "c"], ["a {}."], train=items, val=[], test=[])
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

    parts = {}
    for part in PARTS:
        kept = [item for item in getattr(dataset, part) if item.label in labels]
        parts[part] = [Item(item.path, item.label - labels.start) for item in kept]
    classnames = dataset.classnames[labels.start : labels.stop]
    return dataclasses.replace(dataset, classnames=classnames, **parts)
