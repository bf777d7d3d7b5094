"""Data sets: which picture belongs to which class, and the protocols that choose among them.

    load_dataset → Dataset → few_shot → split_classes → PictureSet (pictures.py) → (tensor, label)

The benchmarks are read in the layout that KaiyangZhou/CoOp prescribes (its DATASETS.md): a root folder with
one folder for each data set (BENCHMARKS, below; what lies in them: layouts.py). `python -m clip_min.data DATA`
tells what of it is on your disk, whether it is whole, and where the rest is to be had.

The few-shot protocol (CoOp, section 3.1) and the base/new protocol (CoCoOp, section 4.1) compose in this order:

    dataset = load_dataset("eurosat", "DATA")
    train, val = few_shot(dataset, shots=16, seed=1)
    base = split_classes(dataclasses.replace(dataset, train=train, val=val), "base")
    pictures = PictureSet(base.train, clip.preprocess, recipe, seed=1)

Differs from the published code: split files are checked, and a class with too few pictures is reported. What is
sampled is the same (tests hold the published indices), but for ImageNet: its pictures come sorted by name here, and
there as the file system lists them, which differs from disk to disk.
"""

import dataclasses
import difflib
import functools
import hashlib
import math
import os
import random
import warnings
from pathlib import Path
from typing import NamedTuple

from clip_min.data import layouts
from clip_min.world import benchmarks


class Item(NamedTuple):
    """One labelled picture: what `open_picture` takes, and a number from 0 to K-1."""
    path: str
    label: int


@dataclasses.dataclass
class Dataset:
    """A data set of K classes.

    `classnames[label]` is the name of a class; `templates` are hand-crafted prompts in which "{}" stands for it;
    `train`, `val` and `test` are lists of Item; `own_split`: it was split without CoOp's split file (from_split).
    """
    name: str
    classnames: list
    templates: list
    train: list
    val: list
    test: list
    own_split: bool = False
    folder: str = ""  # what the paths of its items begin with; "": drawn, or without files

    def digest(self, part):
        """"train", "val" or "test" → 12 hexadecimal digits that change when this part's pictures do.

        SHA-256 of the class names, the templates, and each item's label and path below `folder`, so that the
        data may move to another disk. Two data sets give more: a folder of one's own the size and the time of
        change of each file, a miniature set the code that draws it. Raises ValueError for a file that is gone.

        >>> here = Dataset("dtd", ["a", "b"], ["a {}."], [], [], [Item("/x/1.png", 0)], folder="/x")
        >>> there = dataclasses.replace(here, test=[Item("/y/1.png", 0)], folder="/y")
        >>> len(here.digest("test")), here.digest("test") == there.digest("test")
        (12, True)
        """
        drawing = drawing_code() if self.name in benchmarks.NAMES else ""
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
    files = sorted(Path(benchmarks.__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def state_of_file(path):
    """A picture's path → its size in bytes and its time of change; ValueError if it is gone."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise ValueError(f"Cannot read the picture {path}: {error.strerror}.") from error
    return f"{status.st_size} {status.st_mtime_ns}"


class Benchmark(NamedTuple):
    """A benchmark's place under the root, and its row of CoOp's Table 5 (appendix A)."""
    folder: str    # the data set's own folder
    images: str    # the folder in it that the pictures' paths start from
    split: str     # the split file in it; "": it comes without
    template: str  # the hand-crafted prompt
    classes: int
    pictures: tuple  # how many in train, val and test; None: the data set has no such part
    home: str      # where it is to be had


A_PHOTO = "a photo of a {}."
OXFORD = "https://www.robots.ox.ac.uk/~vgg/data"
COOP = "https://github.com/KaiyangZhou/CoOp/blob/main/DATASETS.md"  # also for the split files

BENCHMARKS = {
    "imagenet": Benchmark("imagenet", "images", "", A_PHOTO, 1000, (1_281_167, None, 50_000), "https://image-net.org"),
    "caltech101": Benchmark("caltech-101", "101_ObjectCategories", "split_zhou_Caltech101.json", A_PHOTO,
                            100, (4_128, 1_649, 2_465), "https://data.caltech.edu/records/mzrjq-6wc02"),
    "oxford_pets": Benchmark("oxford_pets", "images", "split_zhou_OxfordPets.json", "a photo of a {}, a type of pet.",
                             37, (2_944, 736, 3_669), f"{OXFORD}/pets"),
    "stanford_cars": Benchmark("stanford_cars", "", "split_zhou_StanfordCars.json", A_PHOTO,
                               196, (6_509, 1_635, 8_041), COOP),
    "flowers102": Benchmark("oxford_flowers", "jpg", "split_zhou_OxfordFlowers.json",
                            "a photo of a {}, a type of flower.", 102, (4_093, 1_633, 2_463), f"{OXFORD}/flowers/102"),
    "food101": Benchmark("food-101", "images", "split_zhou_Food101.json", "a photo of {}, a type of food.",
                         101, (50_500, 20_200, 30_300), "https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101"),
    "fgvc_aircraft": Benchmark("fgvc_aircraft", "images", "", "a photo of a {}, a type of aircraft.",
                               100, (3_334, 3_333, 3_333), f"{OXFORD}/fgvc-aircraft"),
    "sun397": Benchmark("sun397", "SUN397", "split_zhou_SUN397.json", A_PHOTO,
                        397, (15_880, 3_970, 19_850), "https://vision.princeton.edu/projects/2010/SUN"),
    "dtd": Benchmark("dtd", "images", "split_zhou_DescribableTextures.json", "{} texture.",
                     47, (2_820, 1_128, 1_692), f"{OXFORD}/dtd"),
    "eurosat": Benchmark("eurosat", "2750", "split_zhou_EuroSAT.json", "a centered satellite photo of {}.",
                         10, (13_500, 5_400, 8_100), "https://github.com/phelber/EuroSAT"),
    "ucf101": Benchmark("ucf101", "UCF-101-midframes", "split_zhou_UCF101.json", "a photo of a person doing {}.",
                        101, (7_639, 1_898, 3_783), COOP),  # the middle frame of each film
    "imagenetv2": Benchmark("imagenetv2", "imagenetv2-matched-frequency-format-val", "", A_PHOTO,
                            1000, (None, None, 10_000), "https://github.com/modestyachts/ImageNetV2"),
    "imagenet_sketch": Benchmark("imagenet-sketch", "images", "", A_PHOTO,
                                 1000, (None, None, 50_889), "https://github.com/HaohanWang/ImageNet-Sketch"),
    "imagenet_a": Benchmark("imagenet-adversarial", "imagenet-a", "", A_PHOTO,
                            200, (None, None, 7_500), "https://github.com/hendrycks/natural-adv-examples"),
    "imagenet_r": Benchmark("imagenet-rendition", "imagenet-r", "", A_PHOTO,
                            200, (None, None, 30_000), "https://github.com/hendrycks/imagenet-r"),
}
ELEVEN = tuple(BENCHMARKS)[:11]  # of the few-shot, base-to-new and cross-dataset tables, in the papers' order
SHIFTED = {  # what a prompt learned on the one is tested on in the tables of domain generalization
    "imagenet": ("imagenetv2", "imagenet_sketch", "imagenet_a", "imagenet_r"),
    "toy-objects": ("toy-objects-v2", "toy-objects-sketch", "toy-objects-a", "toy-objects-r"),
}


def load_dataset(name, root=None, template=None):
    """A data set's name, and the folder that holds the benchmarks' folders → Dataset, its paths absolute.

    A name is one of BENCHMARKS, a miniature set's ("toy-...", drawn by `clip_min.world` without files), or the path
    of a folder of one's own; ./eurosat is a folder, eurosat the benchmark even where a folder has that name.
    `template`, with one "{}", replaces the hand-crafted one. Raises ValueError, saying what to do, for an unknown name,
    a missing root, folder, split file or picture, and for files that contradict themselves.
    """
    name = os.fspath(name)
    if template is not None and not template.count("{}") == template.count("{") == template.count("}") == 1:
        raise ValueError(f'The template {template!r} must hold "{{}}" for the class name once, and no other braces.')
    if name in benchmarks.NAMES:
        classnames, own_template, parts = benchmarks.contents(name)
        dataset = Dataset(name, classnames, [own_template], **to_items(parts))
    elif name in BENCHMARKS:
        dataset = load_benchmark(name, root)
    elif os.path.isdir(name) or "/" in name or os.sep in name or name.startswith((".", "~")):
        classnames, parts = layouts.from_folder(folder := os.path.abspath(os.path.expanduser(name)))
        dataset = Dataset(folder, classnames, [A_PHOTO], **to_items(parts), folder=folder)
    else:
        known = [*BENCHMARKS, *benchmarks.NAMES]
        hint = "".join(f" Did you mean {near}?" for near in difflib.get_close_matches(name.lower(), known, n=1))
        raise ValueError(f"There is no data set {name!r}.{hint} Known here: {', '.join(known)}, or a folder's path.")
    return dataset if template is None else dataclasses.replace(dataset, templates=[template])


def load_benchmark(name, root):
    """A key of BENCHMARKS and the root folder → Dataset, with one warning if it is not the papers' data."""
    classnames, parts, source = read_benchmark(name, root)
    paths = [path for part in parts.values() for path, _ in part]
    missing = [] if name.startswith("imagenet") else layouts.missing_pictures(paths)  # ImageNet's are just listed
    if missing:
        raise ValueError(f"{len(missing)} of the {len(paths)} pictures in {source} are not there: "
                         f"{', '.join(missing[:10])}; `python -m clip_min.data {root}` tells more.")
    own_split = layouts.OWN_SPLIT in os.path.basename(source)
    if own_split or (not BENCHMARKS[name].split and len(classnames) != BENCHMARKS[name].classes):
        why = "split without CoOp's split file" if own_split else "not whole"
        warnings.warn(f"{name} is {why} ({len(classnames)} of {BENCHMARKS[name].classes} classes): its figures are not "
                      f"comparable with the papers'; see {COOP}", stacklevel=3)
    folder = os.path.join(os.path.abspath(os.path.expanduser(root)), BENCHMARKS[name].folder)
    return Dataset(name, classnames, [BENCHMARKS[name].template], **to_items(parts), own_split=own_split, folder=folder)


def read_benchmark(name, root, keep=True):
    """A key of BENCHMARKS and the root folder → (class names, {"train": [(path, label), ...], ...}, where they stand).

    The pictures of a split file may be missing. `keep=False` writes nothing. Errors as in `load_dataset`.
    """
    benchmark = BENCHMARKS[name]
    if root is None:
        raise ValueError(f"{name} is read from disk: give --data-root, the folder that holds {benchmark.folder}/.")
    root = os.path.abspath(os.path.expanduser(root))
    folder = os.path.join(root, benchmark.folder)
    images = os.path.join(folder, benchmark.images) if benchmark.images else folder
    for path in (root, folder, images):
        if not os.path.isdir(path):
            raise ValueError(f"The folder {path} is not there: for {name}, give --data-root the folder that holds "
                             f"{os.path.join(benchmark.folder, benchmark.images, '')}.")
    if benchmark.split:
        return layouts.from_split(name, images, os.path.join(folder, benchmark.split), keep)
    if name == "fgvc_aircraft":
        return *layouts.from_aircraft(folder, images), folder
    names_files = [os.path.join(place, "classnames.txt") for place in (folder, os.path.join(root, "imagenet"))]
    return *layouts.from_imagenet(name, images, names_files), folder


def to_items(parts):
    """Parts as `read_benchmark` gives them → the same with Items."""
    return {part: [Item(path, label) for path, label in parts[part]] for part in layouts.PARTS}


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

    The sample of CoOp's published experiments, picture for picture: classes in order of first appearance, `shots` of
    each without replacement from `train`, then min(shots, 4) of each from `val`, all from one stream of random numbers.
    A class with fewer pictures gives all it has, with a warning. Raises ValueError unless shots is a whole number of
    at least 1, and for a set that is only tested on. Source: CoOp, section 3.1; Dassl, `generate_fewshot_dataset`.
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
        warnings.warn(f"{dataset.name}: fewer than {shots} {part} pictures in {shown}; all are used.", stacklevel=3)


def split_classes(dataset, which):
    """A Dataset of K classes and "base", "new" or "all" → a Dataset of those classes.

    "base" holds the first ceil(K/2) labels, "new" the rest, relabelled from 0; "all" is the dataset itself. Draw the
    few shots first (see the top of this file): drawn afterwards they would differ. Raises ValueError for any other
    word. Source: CoCoOp, section 4.1; CoOp's `subsample_classes`.

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
                               train=select(dataset.train), val=select(dataset.val), test=select(dataset.test))
