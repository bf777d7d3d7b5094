"""Split files: CoOp's `split_zhou_*.json`, or an own split of class folders without that file.

A split file is an object {"train": rows, "val": rows, "test": rows}, each row [path, label, class
name]. The paths start from the picture folder and are written with "/" on every system.
"""

import json
import os
import random
import re
import warnings
from pathlib import PureWindowsPath

from clip_min.data.folders import PARTS, class_folders, note_left_out
from clip_min.data.names import check_utf8, is_empty
from clip_min.files import write_whole

OWN_SPLIT = "split_own_"  # what CoOp's "split_zhou_" becomes in the name of an own split's file
WITHOUT_CLASS_FOLDERS = ("oxford_pets", "stanford_cars", "flowers102")  # these need CoOp's file
SEED = b"1"  # of the own splits: another one would change every figure measured with them


def from_split(name, images, split_file, keep):
    """A benchmark's name, picture folder and split file → (class names, parts, the file that was
    read).

    Without that file, the own split of its class folders, which is stored beside it for the next
    time if `keep`. Three sets do not lie in class folders and need the file. Errors as in
    `read_split` and `find_classnames`.
    """
    folder, file = os.path.split(split_file)
    own_file = os.path.join(folder, file.replace("split_zhou_", OWN_SPLIT))
    if not os.path.isfile(split_file) and name not in WITHOUT_CLASS_FOLDERS:
        split_file = own_file
    is_new = split_file == own_file and not os.path.isfile(own_file)
    rows = split_class_folders(name, images) if is_new else read_split(split_file)
    classnames = find_classnames(rows, split_file)
    if is_new and keep:
        try:
            write_whole(own_file, json.dumps(rows).encode())
        except OSError as error:
            reason = f"cannot be written ({error.strerror})"
            again = "the split is made anew each time"
            warnings.warn(f"{own_file} {reason}: {again}.", stacklevel=2)
    parts = {part: [] for part in PARTS}
    for part in PARTS:
        for path, label, _ in rows[part]:  # SUN397's begin with "/", which would be absolute
            parts[part].append((os.path.join(images, path.lstrip("/")), label))
    return classnames, parts, split_file


def read_split(split_file):
    """A split file → {"train": rows, "val": rows, "test": rows}, each row [path, label, class
    name].

    Raises ValueError when it is missing, not JSON, not of this form, or a path leaves the picture
    folder.
    """
    this = f"The split file {split_file}"
    if not os.path.isfile(split_file):
        get = "get it with `python -m clip_min.data DATA --download NAME`"
        raise ValueError(f"{this} is not there: {get}, or from the link in CoOp's DATASETS.md.")
    try:
        with open(split_file, encoding="utf-8-sig") as file:
            parts = json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{this} is not readable as JSON ({error}): replace it.") from error
    if not isinstance(parts, dict) or not all(isinstance(parts.get(part), list) for part in PARTS):
        form = 'an object with the lists "train", "val" and "test"'
        raise ValueError(f"{this} must be {form}: replace it.")
    for part in PARTS:
        for row in parts[part]:
            problem = problem_of_row(row)
            if problem:
                raise ValueError(f"{this} has {repr(row)[:200]} in {part!r}: {problem}.")
    return {part: parts[part] for part in PARTS}


def problem_of_row(row):
    """A row of a split file → what is wrong with it and what to do; "" if nothing is."""
    # `type` and not `isinstance`: true is an int to Python, but is not a label
    if type(row) is not list or [type(value) for value in row] != [str, int, str]:
        return "make it [path, label, class name]"
    path, _, name = row
    if is_empty(name):
        return "give its class a name"
    if name != name.encode(errors="replace").decode():
        return "its class name is not UTF-8, correct it"
    steps = PureWindowsPath(path.lstrip("/"))  # reads both / and \ as separators
    if ".." in steps.parts or steps.anchor:
        return "its path leaves the picture folder, correct it"
    if not steps.name or "\0" in path:
        return "its path names no file, correct it"
    return ""


def find_classnames(parts, split_file):
    """The rows of a split file → the K class names in the order of their labels.

    Raises ValueError for a label with two names, a picture with two labels, labels other than 0 to
    K-1, and K < 2. A picture of the test part that is in another part, too, brings a note.
    """
    names, labels = {}, {}
    this = f"The split file {split_file}"
    for path, label, name in parts["train"] + parts["val"] + parts["test"]:
        if names.setdefault(label, name) != name:
            both = f"{names[label]!r} and {name!r}"
            raise ValueError(f"{this} gives label {label} two names, {both}: keep one.")
        if labels.setdefault(path, label) != label:
            both = f"{labels[path]} and {label}"
            raise ValueError(f"{this} gives the picture {path!r} two labels, {both}: keep one.")
    for expected, label in enumerate(sorted(names)):
        if label != expected:
            why = "is negative" if label < 0 else f"is there, but label {expected} is not"
            counted = f"numbers its {len(names)} classes not from 0 upwards"
            raise ValueError(f"{this} {counted}: label {label} {why}.")
    if len(names) < 2:
        raise ValueError(f"{this} needs at least two classes, not {len(names)}: replace it.")
    learned_on = {path for part in ("train", "val") for path, _, _ in parts[part]}
    shared = [path for path, _, _ in parts["test"] if path in learned_on]
    if shared:
        counted = f"{len(shared)} test pictures that are in train or val, too"
        warnings.warn(f"{this} has {counted}, such as {shared[0]!r}.", stacklevel=2)
    return [names[label] for label in range(len(names))]


def split_class_folders(name, images):
    """A benchmark's class folders → their own split, in the form of a split file.

    Caltech101 goes without the two classes that CoOp discards (its appendix A). SUN397's classes
    are nested.
    """
    folders, left_out = class_folders(images, nested=name == "sun397")
    note_left_out(images, left_out)
    if name == "caltech101":
        discarded = ("BACKGROUND_Google", "Faces_easy")
        folders = {folder: folders[folder] for folder in folders if folder not in discarded}
    shares = share_out(images, folders)
    rows = {part: [] for part in PARTS}
    for part in PARTS:
        for label, folder in enumerate(folders):
            for picture in shares[part][folder]:
                rows[part].append([f"{folder}/{picture}", label, name_of_folder(folder)])
    check_utf8(path for part in PARTS for path, _, _ in rows[part])
    return rows


def share_out(images, folders):
    """{class folder: pictures} → {"train": {class folder: half}, "val": {... a fifth}, "test": {...
    the rest}}.

    Drawn by the folder's name: the pictures of one class do not change what another class gets.
    Raises ValueError for a class of fewer than two pictures.
    """
    parts = {part: {} for part in PARTS}
    for folder, pictures in folders.items():
        if len(pictures) < 2:
            reason = f"holds {len(pictures)} pictures: a split needs two."
            raise ValueError(f"The class folder {images}/{folder} {reason}")
        pictures = random.Random(SEED + os.fsencode(folder)).sample(pictures, len(pictures))
        half, fifth = len(pictures) // 2, len(pictures) // 5
        parts["train"][folder] = pictures[:half]
        parts["val"][folder] = pictures[half : half + fifth]
        parts["test"][folder] = pictures[half + fifth :]
    return parts


def name_of_folder(folder):
    """A class folder, as `class_folders` writes it → the name of its class.

    >>> folders = ("AnnualCrop", "apple_pie", "a/apartment_building/outdoor")
    >>> [name_of_folder(folder) for folder in folders]
    ['Annual Crop', 'apple_pie', 'outdoor apartment_building']
    """
    steps = folder.split("/")
    name = " ".join(reversed(steps[1:] or steps))  # SUN397's first step is a letter of the alphabet
    return re.sub("(?<=[a-z])(?=[A-Z])", " ", name)
