"""What the tests of data sets share: small trees of files, and what loading says of them."""

import json
import os
import warnings
from contextlib import contextmanager

import pytest
from PIL import Image

from clip_min.data import load_dataset

ROWS = {  # of a small split file, "a" and "b" with two pictures in each part
    part: [[f"{name}/{part} {i}.jpg", label, name] for label, name in enumerate("ab")
           for i in (0, 1)]
    for part in ("train", "val", "test")
}


def touch(folder, *paths):
    """Empty files below `folder`."""
    for parent in {os.path.dirname(path) for path in paths}:
        os.makedirs(os.path.join(folder, parent), exist_ok=True)
    for path in paths:
        open(os.path.join(folder, path), "w").close()


def tree(folder, names, numbers=(1, 2)):
    """A folder of class folders: empty pictures of these numbers in each."""
    touch(folder, *(f"{name}/{number}.jpg" for name in names for number in numbers))


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def write_eurosat(root, rows=ROWS, pictures=True):
    """A root folder that holds a small "eurosat" with these rows → the path of its split file."""
    images = root / "eurosat" / "2750"
    images.mkdir(parents=True, exist_ok=True)
    for path, label, _ in [row for part in rows.values() for row in part] if pictures else []:
        (images / path.lstrip("/")).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), (40 * label,) * 3).save(images / path.lstrip("/"))
    split_file = root / "eurosat" / "split_zhou_EuroSAT.json"
    split_file.write_text(json.dumps(rows))
    return split_file


def refusal(name, root=None):
    """The message of the ValueError that loading raises: one sentence."""
    with pytest.raises(ValueError) as caught:
        load_dataset(name, root)
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message
    return message


def short(items, folder):
    """Items → [(path below `folder`, label), ...]."""
    return [(os.path.relpath(item.path, folder), item.label) for item in items]


@contextmanager
def silent():
    """Inside it, a warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@contextmanager
def noting():
    """Inside it, warnings are collected: the texts of all."""
    notes = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield notes
    notes += [str(warning.message) for warning in caught]
