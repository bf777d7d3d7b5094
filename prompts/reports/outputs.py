"""What an output may not replace: an input, and a file of another kind.

eval.py asks before it computes anything: `--picture out.png`, `--plot few-shot out.svg`.
"""

import os
from pathlib import Path

# How a file of this kind begins, after white space and a byte-order mark.
STARTS = {".svg": (b"<svg", b"<?xml", b"<!DOCTYPE svg"), ".png": (b"\x89PNG\r\n\x1a\n",)}


def check_output(path, suffix, inputs=()):
    """Raises ValueError unless a file of this kind may be written to `path`.

    suffix: ".svg" or ".png", which the name must have. inputs: paths that are read. What is there
    already must be a file of the same kind, or empty.

    >>> check_output("runs/results.jsonl", ".svg")
    Traceback (most recent call last):
    ValueError: runs/results.jsonl does not end in .svg: give another name.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder: give the name of a file in it.")
    if path.suffix.lower() != suffix:
        raise ValueError(f"{path} does not end in {suffix}: give another name.")
    if not path.exists():
        return
    if not path.is_file():
        raise ValueError(f"{path} is not a file: give another name.")
    for each in inputs:
        if os.path.exists(each) and os.path.samefile(each, path):
            raise ValueError(f"{path} is one of the inputs: give another name for the output.")
    with open(path, "rb") as file:
        start = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()
    if start and not start.startswith(STARTS[suffix]):
        raise ValueError(f"{path} is there already and is not a {suffix} file: give another name.")
