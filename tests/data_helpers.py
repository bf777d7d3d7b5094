"""What the tests of data sets share: small trees of files, and what loading says of them."""

import os

import pytest

from clip_min.data import load_dataset


def touch(folder, *paths):
    """Empty files below `folder`."""
    for parent in {os.path.dirname(path) for path in paths}:
        os.makedirs(os.path.join(folder, parent), exist_ok=True)
    for path in paths:
        open(os.path.join(folder, path), "w").close()


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def refusal(name, root=None):
    """The message of the ValueError that loading raises: one sentence."""
    with pytest.raises(ValueError) as caught:
        load_dataset(str(name), root)
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message
    return message


def short(items, folder):
    """Items -> [(path below `folder`, label), ...]."""
    return [(os.path.relpath(item.path, folder), item.label) for item in items]
