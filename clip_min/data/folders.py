"""What lies in folders: class folders and their pictures, and what was left out there.

Left out without a word are hidden files (a Mac writes `._cat.jpg` beside `cat.jpg`) and what
systems leave behind. Everything else that is left out is counted, and `note_left_out` says it.
"""

import os
import warnings
from collections import Counter
from pathlib import PurePath

from clip_min.preprocess import SUFFIXES

PARTS = ("train", "val", "test")
LEFTOVERS = ("thumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "lost+found")
CONVERT = {  # suffixes of pictures that Pillow cannot read → what to do
    (".heic", ".heif"): "convert .heic and .heif to .jpg (on a Mac: `sips -s format jpeg a.heic "
    "--out a.jpg`; with ImageMagick: `magick a.heic a.jpg`)",
    (".cr2", ".cr3", ".nef", ".arw", ".dng"): "export raw camera files as .jpg",
    (".svg",): "export .svg as .png",
}


def is_hidden(name):
    """Whether a file or a folder of this name is left out without a word."""
    return name.startswith(".") or name.lower() in LEFTOVERS


def is_picture(name):
    """Whether a file of this name is a picture."""
    return name.lower().endswith(SUFFIXES) and not is_hidden(name)


def kind_of_file(name):
    """The kind of a file that is not a picture, as `class_folders` counts them.

    >>> kind_of_file("IMG_1.HEIC"), kind_of_file("README")
    (('file', '.heic'), ('file', 'without a suffix'))
    """
    return "file", os.path.splitext(name)[1].lower() or "without a suffix"


def class_folders(images, nested=False):
    """A picture folder → {class folder: its pictures}, sorted, and a Counter of what was left out.

    A class folder lies directly in the picture folder. With `nested`, it is any folder below that
    has pictures or leads nowhere. Its path is written with "/" on every system. Raises ValueError
    if there is none.
    """
    if not os.path.isdir(images):
        todo = "make it, with a folder in it for each class."
        raise ValueError(f"The folder {images} is not there: {todo}")
    classes, left_out = {}, Counter()
    seen = set()  # folders, for a link may lead back to one that holds it
    for path, inner, files in os.walk(images, onerror=refuse_folder, followlinks=True):
        inner[:] = sorted(name for name in inner if not is_hidden(name))
        if nested:
            inner[:] = [name for name in inner if is_new(os.path.join(path, name), seen)]
        pictures = sorted(name for name in files if is_picture(name))
        if path == images:
            left_out["picture", "outside the class folders"] += len(pictures)
            continue
        others = [name for name in files if not is_picture(name) and not is_hidden(name)]
        left_out.update(map(kind_of_file, others))
        if not nested and inner:
            left_out["folder", "inside a class folder"] += len(inner)
            inner.clear()
        if pictures or not inner:
            classes[PurePath(path).relative_to(images).as_posix()] = pictures
    if not classes:
        todo = "put the pictures of each class into one."
        raise ValueError(f"The folder {images} holds no class folders: {todo}")
    return dict(sorted(classes.items())), +left_out


def refuse_folder(error):
    """An OSError of `os.walk`, which else leaves a folder out → ValueError."""
    reason = f"cannot be read ({error.strerror}): change that, or move it away."
    raise ValueError(f"The folder {error.filename} {reason}") from error


def is_new(folder, seen):
    """Whether a folder has not been walked through yet; adds it to `seen`."""
    status = os.stat(folder)
    identity = (status.st_dev, status.st_ino)
    is_first = identity not in seen or status.st_ino == 0  # some network drives give no number
    seen.add(identity)
    return is_first


def note_left_out(folder, left_out):
    """One note, if anything was left out by `class_folders`: counts, suffixes, how to convert."""
    if not left_out:
        return
    words = []
    for (what, kind), count in left_out.most_common(8):
        words.append(f"{count} {what}{'s' if count > 1 else ''} {kind}")
    if len(left_out) > 8:
        words.append(f"{len(left_out) - 8} more kinds of files")
    found = {kind for _, kind in left_out}
    ways = [way for suffixes, way in CONVERT.items() if found.intersection(suffixes)]
    todo = f" To use them, {'; '.join(ways)}." if ways else ""
    warnings.warn(f"Left out in {folder}: {', '.join(words)}.{todo}", stacklevel=2)


def labelled(found, start, classes):
    """{part: {class folder: pictures}}, {part: where its class folders lie}, the classes in order →
    {part: [(path, label), ...]}.
    """
    parts = {part: [] for part in PARTS}
    for part in found:
        for label, folder in enumerate(classes):
            prefix = os.path.join(start[part], folder, "")
            parts[part] += [(prefix + picture, label) for picture in found[part].get(folder, [])]
    return parts


def find_folder(parent, names):
    """The first of these folders that is in `parent` → its path.

    None is there as it is written: one that differs in capital letters, then the first name's path.

    >>> find_folder("nowhere", ["2750", "EuroSAT_RGB"]) == os.path.join("nowhere", "2750")
    True
    """
    paths = [os.path.join(parent, name) if name else parent for name in names]
    entries = sorted(os.listdir(parent)) if os.path.isdir(parent) else []
    wanted = [name.lower() for name in names]
    alike = [os.path.join(parent, entry) for entry in entries if entry.lower() in wanted]
    return next(filter(os.path.isdir, paths + alike), paths[0])


def find_file(places):
    """The first of these paths that is a file; the first of all if none is."""
    return next(filter(os.path.isfile, places), places[0])


def read_lines(path):
    """The lines of a text file that are not empty; ValueError if it cannot be read."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            lines = [line.replace("\t", " ").strip() for line in file]
    except (OSError, UnicodeDecodeError) as error:
        reason = f"cannot be read as a text in UTF-8 ({error}): get it again."
        raise ValueError(f"{path} {reason}") from error
    return [line for line in lines if line]


def missing_pictures(paths):
    """Paths → those without a file.

    Each folder is listed once: asking file by file is slow on a network drive.
    """
    present = {}  # folder -> the names of the files in it
    for folder in {os.path.dirname(path) for path in paths}:
        entries = os.scandir(folder) if os.path.isdir(folder) else []
        present[folder] = {entry.name for entry in entries if entry.is_file()}
    return [path for path in paths if os.path.basename(path) not in present[os.path.dirname(path)]]
