"""A folder of one's own as a data set: train/<class>/ and test/<class>/, or only <class>/.

Beside the class folders, or beside train/, there may be a `classnames.txt` with better names:

    0 tench                 a line "<folder> <name>" for each class folder, in any order
    1 goldfish

or only the names, in the order of the sorted folders. Sorted as text, "10" comes before "2", and
"Zebra" before "ant"; where people count otherwise, only names are refused.
"""

import os
import re
import warnings
from collections import Counter

from clip_min.data import folders
from clip_min.data.folders import PARTS, class_folders, labelled, note_left_out, read_lines
from clip_min.data.names import check_utf8, is_empty, note_same_names
from clip_min.data.splits import share_out

PART_NAMES = {  # what people call these folders, in small or capital letters
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}


def from_folder(folder):
    """A folder of one's own → (class names, {"train": [(path, label), ...], "val": ..., ...}).

    Beside train/ there may be val/; without test/, the pictures of val/ are tested on, with a note.
    Class folders alone are split as in `share_out`, the same each time. What was left out, and a
    class without test pictures, bring a note. Raises ValueError for train/ alone, for fewer than
    two classes, and for one without training pictures; for classnames.txt see `names_of_classes`.
    """
    if not os.path.isdir(folder):
        todo = "give one with train/ and test/, or one folder for each class."
        raise ValueError(f"There is no folder {folder}: {todo}")
    start = part_folders(folder)
    found, left_out = {}, Counter()
    for part, place in (start or {"all": folder}).items():
        found[part], skipped = class_folders(place)
        left_out += skipped
    note_left_out(folder, left_out)
    if not start:
        start, found = dict.fromkeys(PARTS, folder), share_out(folder, found["all"])
    classes = list(found["train"])
    if len(classes) < 2:
        reason = f"holds the class {classes[0]!r} alone: give it two at least."
        raise ValueError(f"The folder {start['train']} {reason}")
    check_classes(folder, found)
    classnames = names_of_classes(folder, classes)
    note_same_names(classnames, folder)
    return classnames, labelled(found, start, classes)


def part_folders(folder):
    """A folder of one's own → {"train": its folder, "test": ...}, or {} if it holds classes alone.

    Raises ValueError for train/ alone, for others without train/, and for two that mean the same.
    """
    there, others = {}, []
    for name in sorted(os.listdir(folder)):
        if folders.is_hidden(name) or not os.path.isdir(os.path.join(folder, name)):
            continue
        part = next((part for part in PARTS if name.lower() in PART_NAMES[part]), None)
        if part is None:
            others.append(name)
        elif part in there:
            both = f"both {there[part]}/ and {name}/ for the same pictures"
            raise ValueError(f"The folder {folder} has {both}: keep one.")
        else:
            there[part] = name
    if not there or is_class(folder, there, others):
        return {}
    if "train" not in there or len(there) == 1:
        name = there.get("train") or next(iter(there.values()))
        lacks = "test/ or val/: add one" if "train" in there else "train/: add it"
        itself = f"or give {os.path.join(folder, name)}, to split it"
        raise ValueError(f"The folder {folder} has {name}/ without {lacks}, {itself}.")
    if "test" not in there:
        there["test"] = there.pop("val")
        tested = f"the pictures of {there['test']}/ are tested on."
        warnings.warn(f"{folder} has no test/: {tested}", stacklevel=2)
    if others:
        beside = f"the folders beside {there['train']}/, {', '.join(others[:10])}"
        warnings.warn(f"Left out in {folder}: {beside}.", stacklevel=2)
    return {part: os.path.join(folder, there[part]) for part in PARTS if part in there}


def is_class(folder, there, others):
    """Whether the only folder that is named as a part is a class, as "train" is beside "bus"."""
    named = [os.path.join(folder, name) for name in there.values()]
    beside = [os.path.join(folder, name) for name in others]
    return len(named) == 1 and holds_pictures(named[0]) and any(map(holds_pictures, beside))


def holds_pictures(folder):
    """Whether a folder holds pictures itself, and not class folders."""
    entries = [entry for entry in os.scandir(folder) if not folders.is_hidden(entry.name)]
    has_folders = any(entry.is_dir() for entry in entries)
    return not has_folders and any(folders.is_picture(entry.name) for entry in entries)


def check_classes(folder, found):
    """Raises ValueError for a class without training pictures; without test pictures, a note."""
    trained = [name for name, pictures in found["train"].items() if pictures]
    for name in sorted({name for part in found for name in found[part]}):
        if name not in trained:
            alike = [other for other in trained if other.lower() == name.lower()]
            todo = f"name it {alike[0]!r} everywhere" if alike else "add some, or remove it"
            raise ValueError(f"{folder} has no training pictures of the class {name!r}: {todo}.")
    untested = [name for name in found["train"] if not found["test"].get(name)]
    if len(untested) == len(found["train"]):
        raise ValueError(f"{folder} has no test pictures of any class: add some.")
    if untested:
        counted = f"{len(untested)} class{'es' if len(untested) > 1 else ''}"
        first = f"the first being {untested[0]}"
        warnings.warn(f"{folder} has no test pictures of {counted}, {first}.", stacklevel=2)


def names_of_classes(folder, classes):
    """The sorted class folders of one's own folder → their names, or those in `classnames.txt`.

    Raises ValueError unless that file has one of the two forms at the top of this file, and for a
    name of which nothing is left in a prompt.
    """
    check_utf8([folder, *classes])
    path = os.path.join(folder, "classnames.txt")
    names = read_names(path, classes) if os.path.isfile(path) else classes
    for name, inner in zip(names, classes):
        if is_empty(name):
            todo = "rename it, or name it in classnames.txt"
            raise ValueError(f"The class folder {inner!r} in {folder} has no name: {todo}.")
    return names


def read_names(path, classes):
    """`classnames.txt`, and the sorted class folders → the names of the classes."""
    lines, named = read_lines(path), {}
    for line in lines:
        starts = [name for name in classes if line.startswith(f"{name} ")]
        if starts:
            name = max(starts, key=len)  # "sea" and "sea lion" may both be folders
            named[name] = line.removeprefix(name).strip()
    if len(lines) == len(classes) == len(named):
        return [named[name] for name in classes]
    form = f'a line "<folder> <name>" for each of the {len(classes)} class folders'
    if len(lines) != len(classes) or named:
        or_names = "or only the names, in the order of the sorted folders"
        raise ValueError(f"{path} must have {form}, {or_names}: correct or remove it.")
    counted = sorted(classes, key=as_people_count)
    if counted != classes:
        here, there = next(pair for pair in zip(classes, counted) if pair[0] != pair[1])
        order = f"is it {here!r} or {there!r} that has the name {lines[classes.index(here)]!r}"
        raise ValueError(f"{path} has only names, and their order is not clear ({order}?): "
                         f"give it {form}.")
    return lines


def as_people_count(name):
    """The key that sorts folders as people do: 2 before 10, ant before Zebra.

    >>> sorted(["10", "2", "Zebra", "ant"], key=as_people_count)
    ['2', '10', 'ant', 'Zebra']
    """
    steps = re.split("([0-9]+)", name)  # text, digits, text, ...
    return [int(step) if place % 2 else step.lower() for place, step in enumerate(steps)]
