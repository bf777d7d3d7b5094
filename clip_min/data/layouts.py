"""How a data set lies on disk: split files, the folders of ImageNet, FGVC's text files, folders of one's own.

Each of these four gives the class names and, for "train", "val" and "test", a list of pairs (path, label):

    from_split       CoOp's split file, or without one an own split of the class folders
    from_imagenet    ImageNet and the four sets that it is shifted to: folders, and `classnames.txt`
    from_aircraft    FGVC-Aircraft: `variants.txt`, and three `images_variant_*.txt`
    from_folder      your own pictures: train/<class>/ and test/<class>/, or only <class>/

Folders are read in the order of their sorted names. The published code takes ImageNet's pictures in the order
of the file system, so its few-shot samples of ImageNet differ from disk to disk; here they do not.
"""

import json
import os
import random
import re
import warnings
from pathlib import Path, PureWindowsPath

from clip_min.files import write_whole

PARTS = ("train", "val", "test")
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm")  # of pictures, any case
OWN_SPLIT = "split_own_"  # what CoOp's "split_zhou_" becomes in the name of an own split's file
SEED = b"1"  # of the own splits: another one would change every figure measured with them


def from_split(name, images, split_file, keep):
    """A benchmark's name, picture folder and split file → (class names, parts, the split file that was read).

    Without it, the own split of its class folders, which is stored beside it for the next time if `keep`. Three
    sets do not lie in class folders and need the file. Errors as in `read_split` and `find_classnames`.
    """
    folder, file = os.path.split(split_file)
    own_file = os.path.join(folder, file.replace("split_zhou_", OWN_SPLIT))
    if not os.path.isfile(split_file) and name not in ("oxford_pets", "stanford_cars", "flowers102"):
        split_file = own_file
    make = split_file == own_file and not os.path.isfile(own_file)
    rows = split_class_folders(name, images) if make else read_split(split_file)
    classnames = find_classnames(rows, split_file)
    if make and keep:
        try:
            write_whole(own_file, json.dumps(rows).encode())
        except OSError as error:
            warnings.warn(f"{own_file} cannot be written ({error.strerror}): the split is made anew each time.")
    parts = {}
    for part in PARTS:  # SUN397's paths begin with "/", which would make them absolute
        parts[part] = [(os.path.join(images, path.lstrip("/")), label) for path, label, _ in rows[part]]
    return classnames, parts, split_file


def read_split(split_file):
    """A split file → {"train": rows, "val": rows, "test": rows}, each row [path, label, class name].

    Raises ValueError when it is missing, no JSON, not of this form, or a path leaves the picture folder.
    """
    this = f"The split file {split_file}"
    if not os.path.isfile(split_file):
        raise ValueError(f"{this} is not there: download it from the link in CoOp's DATASETS.md into that folder.")
    try:
        with open(split_file, encoding="utf-8") as file:
            parts = json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{this} is not readable as JSON ({error}): replace it.") from error
    if not isinstance(parts, dict) or not all(isinstance(parts.get(part), list) for part in PARTS):
        raise ValueError(f'{this} must be an object with the lists "train", "val" and "test": replace it.')
    for part in PARTS:
        for row in parts[part]:
            # `type` and not `isinstance`: true is an int to Python, but no label
            if type(row) is not list or [type(value) for value in row] != [str, int, str] or not row[2]:
                raise ValueError(f"{this} has {row!r} in {part!r}: make it [path, label, class name].")
            path = PureWindowsPath(row[0])  # reads both / and \ as separators
            if ".." in path.parts or path.drive:
                raise ValueError(f"{this} has the path {row[0]!r}, which leaves the picture folder: correct it.")
    return {part: parts[part] for part in PARTS}


def find_classnames(parts, split_file):
    """The rows of a split file → the K class names in the order of their labels.

    Raises ValueError for a label with two names, for labels other than 0 to K-1, and for K < 2.
    """
    names = {}
    this = f"The split file {split_file}"
    for _, label, name in parts["train"] + parts["val"] + parts["test"]:
        if names.setdefault(label, name) != name:
            raise ValueError(f"{this} gives label {label} two names, {names[label]!r} and {name!r}: keep one.")
    for expected, label in enumerate(sorted(names)):
        if label != expected:
            problem = "is negative" if label < 0 else f"is there, but label {expected} is not"
            raise ValueError(f"{this} numbers its {len(names)} classes not from 0 upwards: label {label} {problem}.")
    if len(names) < 2:
        raise ValueError(f"{this} needs at least two classes, not {len(names)}: replace it.")
    return [names[label] for label in range(len(names))]


def split_class_folders(name, images):
    """A benchmark's class folders → their own split, in the form of a split file.

    Caltech101 goes without the two classes that CoOp discards (its appendix A). SUN397's classes are nested.
    """
    folders = class_folders(images, nested=name == "sun397")
    if name == "caltech101":
        folders = {folder: folders[folder] for folder in folders if folder not in ("BACKGROUND_Google", "Faces_easy")}
    parts = labelled(share_out(images, folders), dict.fromkeys(PARTS, ""), folders)
    check_utf8(path for part in PARTS for path, _ in parts[part])
    return {part: [[path, label, name_of_folder(path)] for path, label in parts[part]] for part in PARTS}


def share_out(images, folders):
    """{class folder: pictures} → {"train": {class folder: half of them}, "val": {... a fifth}, "test": {... the rest}}.

    Drawn by the folder's name: the pictures of one class do not change what another class gets.
    Raises ValueError for a class of fewer than two pictures.
    """
    parts = {part: {} for part in PARTS}
    for folder, pictures in folders.items():
        if len(pictures) < 2:
            raise ValueError(f"The class folder {images}/{folder} holds {len(pictures)} pictures: a split needs two.")
        pictures = random.Random(SEED + os.fsencode(folder)).sample(pictures, len(pictures))
        half, fifth = len(pictures) // 2, len(pictures) // 5
        parts["train"][folder] = pictures[:half]
        parts["val"][folder] = pictures[half:half + fifth]
        parts["test"][folder] = pictures[half + fifth:]
    return parts


def name_of_folder(path):
    """A picture's path below the picture folder → the name of its class.

    >>> [name_of_folder(path) for path in ("AnnualCrop/1.jpg", "apple_pie/1.jpg", "a/apartment_building/outdoor/1.jpg")]
    ['Annual Crop', 'apple_pie', 'outdoor apartment_building']
    """
    steps = path.split("/")[:-1]
    name = " ".join(reversed(steps[1:] or steps))  # SUN397's first step is a letter of the alphabet
    return re.sub("(?<=[a-z])(?=[A-Z])", " ", name)


def class_folders(images, nested=False):
    """A picture folder → {class folder: its pictures}, sorted; hidden files, and others than pictures, are left out.

    With `nested`, at any depth, every folder that has pictures or leads nowhere. Raises ValueError if there is none.
    """
    classes = {}
    for path, inner, files in os.walk(images, followlinks=True):
        inner[:] = [name for name in inner if not name.startswith(".") and (nested or path == images)]
        pictures = sorted(name for name in files if name.lower().endswith(SUFFIXES) and not name.startswith("."))
        if path != images and (pictures or not inner):
            classes[os.path.relpath(path, images).replace(os.sep, "/")] = pictures
    if not classes:
        raise ValueError(f"The folder {images} holds no class folders: put the pictures of each class into one.")
    return dict(sorted(classes.items()))


def labelled(found, start, classes):
    """{part: {class folder: pictures}}, {part: where its class folders lie} and the classes in order → parts."""
    parts = {part: [] for part in PARTS}
    for part in found:
        for label, folder in enumerate(classes):
            prefix = os.path.join(start[part], folder, "")
            parts[part] += [(prefix + picture, label) for picture in found[part].get(folder, [])]
    return parts


def from_imagenet(name, images, names_files):
    """ImageNet or one of the four that it is shifted to, in the folder `images` → (class names, parts).

    The first of `names_files` that is there names the classes. Labels follow the sorted folders; ImageNetV2's are
    numbers, 0 for the first line of that file. Only ImageNet has training pictures, and none of the five has any for
    validation (CoOp, Table 5). Raises ValueError for a class folder that is missing, empty or unknown.
    """
    names_file = next(filter(os.path.isfile, names_files), names_files[-1])
    names = {}
    for line in read_lines(names_file):
        folder, _, classname = line.partition(" ")
        if not classname or folder in names:
            raise ValueError(f"{names_file} has the line {line!r}: write each folder once, a space, its name.")
        names[folder] = classname.strip()
    if name == "imagenetv2":
        names = {str(number): classname for number, classname in enumerate(names.values())}
    start = {"train": f"{images}/train", "test": f"{images}/val"} if name == "imagenet" else {"test": images}
    found = {part: class_folders(start[part]) for part in start}
    classes = sorted(names, key=int if name == "imagenetv2" else None)
    if name in ("imagenet_a", "imagenet_r"):  # 200 classes of their own
        classes = list(found["test"])
    for part in found:
        wrong = [folder for folder in found[part] if folder not in names]
        wrong += [folder for folder in classes if not found[part].get(folder)]
        if wrong:
            raise ValueError(f"{start[part]} and {names_file} differ in {len(wrong)} class folders, the first being "
                             f"{wrong[0]} (missing, empty or unknown): sort the pictures as CoOp's DATASETS.md says.")
    return [names[folder] for folder in classes], labelled(found, start, classes)


def from_aircraft(folder, images):
    """FGVC-Aircraft's folder and its picture folder → (class names, parts); a label is a line's place in variants.txt.

    Raises ValueError for a line that is not "<picture number> <variant>", and for an unknown variant.
    """
    variants = read_lines(os.path.join(folder, "variants.txt"))
    parts = {part: [] for part in PARTS}
    for part in PARTS:
        path = os.path.join(folder, f"images_variant_{part}.txt")
        for line in read_lines(path):
            number, _, variant = line.partition(" ")
            if not re.fullmatch("[0-9]+", number) or variants.count(variant) != 1:
                raise ValueError(f"{path} has {line!r}, no picture number and line of variants.txt: unpack both again.")
            parts[part].append((os.path.join(images, f"{number}.jpg"), variants.index(variant)))
    return variants, parts


def from_folder(folder):
    """A folder of one's own → (class names, parts): train/<class>/ and test/<class>/ (and val/), or only <class>/.

    Class folders alone are split as in `share_out`, the same each time. A class without test pictures brings a
    warning. Raises ValueError for train/ without test/, for fewer than two classes, and for one without training
    pictures; for classnames.txt see `names_of_classes`.
    """
    if not os.path.isdir(folder):
        raise ValueError(f"There is no folder {folder}: give one with train/ and test/, or one folder for each class.")
    there = [part for part in PARTS if os.path.isdir(os.path.join(folder, part))]
    if "train" in there and "test" in there:
        start = {part: os.path.join(folder, part) for part in there}
        found = {part: class_folders(start[part]) for part in there}
    elif "train" in there or "test" in there:
        raise ValueError(f"The folder {folder} has {there[-1]}/ alone: give it both train/ and test/, or neither.")
    else:
        start = dict.fromkeys(PARTS, folder)
        found = share_out(folder, class_folders(folder))
    classes = list(found["train"])
    if len(classes) < 2:
        raise ValueError(f"The folder {start['train']} holds the class {classes[0]!r} alone: give it two at least.")
    for name in sorted({name for part in found for name in found[part]}):
        if not found["train"].get(name):
            raise ValueError(f"{folder} has no training pictures of the class {name!r}: add some, or remove it.")
    untested = [name for name in classes if not found["test"].get(name)]
    if untested == classes:
        raise ValueError(f"{folder} has no test pictures of any class: add some.")
    if untested:
        warnings.warn(f"{folder} has no test pictures of {len(untested)} classes, the first being {untested[0]}.")
    return names_of_classes(folder, classes), labelled(found, start, classes)


def names_of_classes(folder, classes):
    """The sorted class folders of one's own folder → their names, from its `classnames.txt` if there is one.

    Raises ValueError unless each line there is "<folder> <name>", or each a name in the order of the folders.
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
    raise ValueError(f'{path} must have a line "<folder> <name>" for each of the {len(classes)} class folders, or only '
                     "the names, in the order of the sorted folders: correct or remove it.")


def read_lines(path):
    """A text file → its lines without outer spaces, empty ones left out; ValueError if missing or not UTF-8."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as a text in UTF-8 ({error}): unpack or write it again.") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def check_utf8(names):
    """Raises ValueError for a name that is not UTF-8: it could be neither stored nor shown as it is."""
    for name in names:
        if name != name.encode(errors="replace").decode():
            raise ValueError(f"The name {ascii(name)} is not UTF-8: rename it.")


def missing_pictures(paths):
    """Paths → those without a file. Each folder is listed once: asking file by file is slow on a network drive."""
    present = {}  # folder -> the names of the files in it
    for folder in {os.path.dirname(path) for path in paths}:
        entries = os.scandir(folder) if os.path.isdir(folder) else []
        present[folder] = {entry.name for entry in entries if entry.is_file()}
    return [path for path in paths if os.path.basename(path) not in present[os.path.dirname(path)]]
