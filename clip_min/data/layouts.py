"""How a benchmark lies on disk, below the root folder.

Each of these gives the class names and, for "train", "val" and "test", a list of pairs (path,
label):

    from_split       CoOp's split file, or an own split (splits.py)
    from_imagenet    ImageNet and the four sets that it is shifted to: folders, and `classnames.txt`
    from_aircraft    FGVC-Aircraft: `variants.txt`, and three `images_variant_*.txt`

Folders are read in the order of their sorted names. The published code takes ImageNet's pictures in
the order of the file system, so its few-shot samples of ImageNet differ from disk to disk; here
they do not.
"""

import os
import re
from collections import Counter
from typing import NamedTuple

from clip_min.data.benchmarks import BENCHMARKS, OTHER_FOLDERS, OTHER_NAMES
from clip_min.data.folders import (PARTS, class_folders, find_file, find_folder, labelled,
                                   note_left_out, read_lines)
from clip_min.data.splits import from_split


class Layout(NamedTuple):
    """What was read of a benchmark."""

    classnames: list  # K names
    parts: dict  # {"train": [(path, label), ...], "val": ..., "test": ...}
    source: str  # the file or the folder that says so
    folder: str  # the data set's own folder


def read_benchmark(name, root, keep=True):
    """A key of BENCHMARKS and the root folder → Layout.

    The pictures of a split file may be missing. `keep=False` writes nothing. Raises ValueError,
    saying what to do, for a missing root, folder or file, and for files that contradict themselves.
    """
    benchmark = BENCHMARKS[name]
    if root is None:
        where = f"the folder that holds {benchmark.folder}/."
        raise ValueError(f"{name} is read from disk: give --data-root, {where}")
    root = os.path.abspath(os.path.expanduser(root))
    folder = benchmark_folder(name, root)
    images = picture_folder(name, folder)
    for path in (root, folder, images):
        if not os.path.isdir(path):
            inner = os.path.join(benchmark.folder, benchmark.images, "")
            give = f"for {name}, give --data-root the folder that holds {inner}"
            get = f"`python -m clip_min.data DATA --download {name}` gets it, or says how."
            raise ValueError(f"The folder {path} is not there: {give}; {get}")
    if benchmark.split:
        places = (folder, images, root)
        split_file = find_file([os.path.join(place, benchmark.split) for place in places])
        return Layout(*from_split(name, images, split_file, keep), folder)
    if name == "fgvc_aircraft":
        return Layout(*from_aircraft(folder, images), folder, folder)
    imagenet = os.path.join(root, "imagenet")
    places = [folder, imagenet, images, root, os.path.join(imagenet, "images")]
    names_file = find_file([os.path.join(place, "classnames.txt") for place in places])
    return Layout(*from_imagenet(name, images, names_file), folder, folder)


def benchmark_folder(name, root):
    """A key of BENCHMARKS and the root folder → its own folder there, under any of its names."""
    other_names = [other for other, key in OTHER_NAMES.items() if key == name]
    other_folders = OTHER_FOLDERS.get(name, ())
    return find_folder(root, [BENCHMARKS[name].folder, name, *other_names, *other_folders])


def picture_folder(name, folder):
    """A key of BENCHMARKS and its own folder → the folder that the pictures' paths start from."""
    others = OTHER_FOLDERS.get(name, ())
    images = find_folder(folder, [BENCHMARKS[name].images, *others])
    is_itself = os.path.basename(folder).lower() in [other.lower() for other in others]
    return folder if is_itself and not os.path.isdir(images) else images


def from_imagenet(name, images, names_file):
    """ImageNet or a set that it is shifted to, in the folder `images` → (class names, parts).

    Labels follow the sorted folders; ImageNetV2's folders may be numbers, 0 for the first line of
    `names_file`. Only ImageNet has training pictures, and none of the five has any for validation
    (CoOp, Table 5). Raises ValueError for a class folder that is missing, empty or unknown.
    """
    start = {"test": images}
    if name == "imagenet":
        start = {"train": os.path.join(images, "train"), "test": os.path.join(images, "val")}
    names = read_classnames(names_file)
    found, left_out = {}, Counter()
    for part in start:
        found[part], skipped = class_folders(start[part])
        left_out += skipped
    note_left_out(images, left_out)
    classes = sorted(names)
    if name == "imagenetv2" and not set(found["test"]) <= set(names):
        width = min(map(len, found["test"]))  # 0 or 000
        classes = [str(number).zfill(width) for number in range(len(names))]
        names = dict(zip(classes, names.values()))
    if name in ("imagenet_a", "imagenet_r"):  # 200 classes of their own
        classes = list(found["test"])
    for part in found:
        wrong = [folder for folder in found[part] if folder not in names]
        wrong += [folder for folder in classes if not found[part].get(folder)]
        if wrong:
            differ = f"{start[part]} and {names_file} differ in {len(wrong)} class folders"
            first = f"the first being {wrong[0]} (missing, empty or unknown)"
            todo = "sort the pictures as CoOp's DATASETS.md says."
            raise ValueError(f"{differ}, {first}: {todo}")
    return [names[folder] for folder in classes], labelled(found, start, classes)


def read_classnames(names_file):
    """ImageNet's `classnames.txt` → {WordNet id: class name}, in the file's order.

    Raises ValueError if the file is missing, or a line is not "<WordNet id> <name>".
    """
    if not os.path.isfile(names_file):
        get = "get it with `python -m clip_min.data DATA --download imagenet`"
        raise ValueError(f"{names_file} with ImageNet's class names is not there: {get}, "
                         "or from the link in CoOp's DATASETS.md.")
    names = {}
    for line in read_lines(names_file):
        folder, _, classname = line.partition(" ")
        if not classname or folder in names:
            todo = "write each folder once, a space, its name."
            raise ValueError(f"{names_file} has the line {line!r}: {todo}")
        names[folder] = classname.strip()
    return names


def from_aircraft(folder, images):
    """FGVC-Aircraft's folder and its picture folder → (class names, parts).

    A label is a line's place in variants.txt. Raises ValueError for a line that is not "<picture
    number> <variant>", and for an unknown variant.
    """
    variants = read_lines(os.path.join(folder, "variants.txt"))
    parts = {part: [] for part in PARTS}
    for part in PARTS:
        path = os.path.join(folder, f"images_variant_{part}.txt")
        for line in read_lines(path):
            number, _, variant = line.partition(" ")
            if not re.fullmatch("[0-9]+", number) or variants.count(variant) != 1:
                expected = "a picture number and a line of variants.txt"
                raise ValueError(f"{path} has {line!r}, not {expected}: unpack both again.")
            parts[part].append((os.path.join(images, f"{number}.jpg"), variants.index(variant)))
    return variants, parts
