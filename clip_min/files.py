"""Writing files so that a kill, a full disk or a second process never leaves half a file behind."""

import contextlib
import glob
import io
import json
import os
import time
from pathlib import Path

import torch

try:
    import fcntl
except ImportError:  # Windows
    import msvcrt


def write_whole(path, data):
    """Write bytes under a temporary name, then rename: `path` is the old file or the new one, never a part.

    Raises OSError (a full disk, say); the temporary file is removed then. What a killed process left of its own is
    removed when it is an hour old.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for leftover in path.parent.glob(f"{glob.escape(path.name)}.*.part"):
        with contextlib.suppress(FileNotFoundError):  # another process may be faster
            if time.time() - leftover.stat().st_mtime > 3600:
                leftover.unlink()
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def save_tensors(path, content):
    """`torch.save` through `write_whole`."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_whole(path, buffer.getvalue())


def load_tensors(path):
    """What `save_tensors` wrote, on the CPU, without running code that a foreign file may bring.

    Raises ValueError naming the file if it is damaged or holds anything but tensors and plain values.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes can raise anything
        raise ValueError(f"{path} is damaged or was not written by this project: remove it.") from error


@contextlib.contextmanager
def lock(path, wait=True):
    """Hold the lock of this name → True; or False, at once, if another process has it and `wait` is False.

    The file stays when the lock is let go. A killed process holds none.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab") as file:
        mine = try_to_lock(file)
        while wait and not mine:
            time.sleep(0.1)  # seconds
            mine = try_to_lock(file)
        yield mine


def try_to_lock(file):
    """Whether this open file could be locked now. Closing it unlocks it."""
    try:
        if os.name == "nt":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def append_line(path, line):
    """Add one line to a text file in a single write, so that two processes never mix their lines.

    A last line that a kill left without its line break is closed first.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab+") as file:
        file.seek(0, os.SEEK_END)
        broken = False
        if file.tell():
            file.seek(-1, os.SEEK_END)
            broken = file.read(1) != b"\n"
        file.write((b"\n" if broken else b"") + line.encode() + b"\n")


def read_json_lines(path):
    """A file of one JSON object per line → their list; [] without a file. A line that a kill cut short is left out."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return rows
