"""A folder of one's own as a data set: train/<class>/ and test/<class>/, or only <class>/."""

import os
from collections import Counter

from clip_min.data.folders import (
    PARTS,
    class_folders,
    is_hidden,
    is_picture,
    labelled,
    note_left_out,
    read_lines,
)
from clip_min.data.names import check_utf8, note, note_same_names, shown
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
        problem = "give one with train/ and test/, or one folder for each class."
        raise ValueError(shown(f"There is no folder {folder}: {problem}"))
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
        problem = f"holds the class {classes[0]!r} alone: give it two at least."
        raise ValueError(shown(f"The folder {start['train']} {problem}"))
    check_classes(folder, found)
    classnames = names_of_classes(folder, classes)
    note_same_names(classnames, folder)
    return classnames, labelled(found, start, classes)


def part_folders(folder):
    """A folder of one's own → {"train": its folder, "test": ...}, or {} if it holds classes alone.

    Raises ValueError for train/ alone, for others without train/, and for two that mean the same.
    """
    inner = sorted(
        entry.name for entry in os.scandir(folder) if entry.is_dir() and not is_hidden(entry.name)
    )
    there, others = {}, []
    for name in inner:
        part = next((part for part in PARTS if name.lower() in PART_NAMES[part]), None)
        if part is None:
            others.append(name)
        elif part in there:
            both = f"both {there[part]}/ and {name}/ for the same pictures"
            raise ValueError(shown(f"The folder {folder} has {both}: keep one."))
        else:
            there[part] = name
    if not there or is_class(folder, there, others):
        return {}
    if "train" not in there:
        name = next(iter(there.values()))
        itself = os.path.join(folder, name)
        problem = f"has {name}/ without train/: add it"
        raise ValueError(shown(f"The folder {folder} {problem}, or give {itself}, to split it."))
    if len(there) == 1:
        name = there["train"]
        itself = os.path.join(folder, name)
        problem = f"has {name}/ without test/ or val/: add one"
        raise ValueError(shown(f"The folder {folder} {problem}, or give {itself}, to split it."))
    if "test" not in there:
        there["test"] = there.pop("val")
        note(f"{folder} has no test/: the pictures of {there['test']}/ are tested on.")
    if others:
        beside = f"the folders beside {there['train']}/"
        note(f"Left out in {folder}: {beside}, {', '.join(others[:10])}.")
    return {part: os.path.join(folder, there[part]) for part in PARTS if part in there}


def is_class(folder, there, others):
    """Whether the only folder that is named as a part is a class, as "train" is beside "bus"."""
    named = [os.path.join(folder, name) for name in there.values()]
    beside = [os.path.join(folder, name) for name in others]
    return len(named) == 1 and holds_pictures(named[0]) and any(map(holds_pictures, beside))


def holds_pictures(folder):
    """Whether a folder holds pictures itself, and not class folders."""
    entries = [entry for entry in os.scandir(folder) if not is_hidden(entry.name)]
    has_folders = any(entry.is_dir() for entry in entries)
    return not has_folders and any(is_picture(entry.name) for entry in entries)


def check_classes(folder, found):
    """Raises ValueError for a class without training pictures; without test pictures, a note."""
    trained = [name for name, pictures in found["train"].items() if pictures]
    for name in sorted({name for part in found for name in found[part]}):
        if name not in trained:
            alike = [other for other in trained if other.lower() == name.lower()]
            todo = f"name it {alike[0]!r} everywhere" if alike else "add some, or remove it"
            problem = f"has no training pictures of the class {name!r}: {todo}."
            raise ValueError(shown(f"{folder} {problem}"))
    untested = [name for name in found["train"] if not found["test"].get(name)]
    if len(untested) == len(found["train"]):
        raise ValueError(shown(f"{folder} has no test pictures of any class: add some."))
    if untested:
        counted = f"{len(untested)} class{'es' if len(untested) > 1 else ''}"
        note(f"{folder} has no test pictures of {counted}, the first being {untested[0]}.")


def names_of_classes(folder, classes):
    """The sorted class folders of one's own folder → their names, or those in `classnames.txt`.

    Raises ValueError unless each line there is "<folder> <name>", or each a name in the order of
    the folders.
    """
    check_utf8([folder, *classes])
    path = os.path.join(folder, "classnames.txt")
    if not os.path.isfile(path):
        return classes
    lines = read_lines(path)
    named = {}
    for line in lines:
        starts = [name for name in classes if line.startswith(f"{name} ")]
        if starts:
            name = max(starts, key=len)  # "sea" and "sea lion" may both be folders
            named[name] = line.removeprefix(name).strip()
    if len(lines) == len(classes) == len(named):
        return [named[name] for name in classes]
    if len(lines) == len(classes) and not named:
        return lines
    expected = f'must have a line "<folder> <name>" for each of the {len(classes)} class folders'
    or_names = "or only the names, in the order of the sorted folders"
    raise ValueError(shown(f"{path} {expected}, {or_names}: correct or remove it."))
