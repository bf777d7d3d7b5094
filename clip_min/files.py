"""Files that are whole or not there: a kill or a full disk leaves no half of one.

write_whole, save_tensors, load_tensors       one file
append_line, read_json_lines, read_json       rows and settings
open_zip                                      a zip that cannot fill the memory
printable                                     names out of foreign files, safe for a terminal
"""

import contextlib
import glob
import io
import json
import os
import time
import unicodedata
import warnings
import zipfile
from pathlib import Path

import torch

JOINERS = "\u200c\u200d"  # invisible, and needed to write Persian, Hindi and some emoji
NO_LETTERS = "\ufffe\uffff"  # which no file in XML may hold
IS_WINDOWS = os.name == "nt"
MAX_GROWTH = 4  # how many times larger than the zip itself its contents may be


def printable(words, limit=1000):
    r"""Any object → its text on one line, safe for a terminal, an SVG and a log file.

    Escaped are control characters, line breaks, marks that turn the direction of writing, and the
    lone surrogates that stand for the bytes of a file name that is not UTF-8. A text of more than
    `limit` characters is cut.

    >>> print(printable("café\x1b[2J\n"))
    café\x1b[2J\n
    """
    text = str(words)
    text = text if len(text) <= limit else text[:limit] + "..."
    return "".join(map(visible, text))


def visible(letter):
    """One character → itself, or its escape if it is not a visible one."""
    hidden = unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    if hidden and letter not in JOINERS or letter in NO_LETTERS:
        return letter.encode("unicode_escape", errors="surrogatepass").decode("ascii")
    return letter


@contextlib.contextmanager
def naming(path):
    """Inside it, an OSError that names no file, such as that of a full disk, names this one."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_whole(path, data):
    """Write bytes under a temporary name, then rename: `path` is the old file or the whole new one.

    Raises OSError that names the path (a full disk, say); the temporary file is removed then.
    What a killed process left of its own is removed when it is an hour old.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for leftover in path.parent.glob(f"{glob.escape(path.name)}.*.part"):
        with contextlib.suppress(OSError):  # another process may be faster
            if time.time() - leftover.stat().st_mtime > 3600:
                leftover.unlink()
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with naming(path):
            temporary.write_bytes(data)
            replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def replace(temporary, path):
    """Rename a file onto another. Windows refuses while the old one is read: wait up to 5 s."""
    for _ in range(50 if IS_WINDOWS else 0):
        try:
            temporary.replace(path)
            return
        except PermissionError:
            time.sleep(0.1)  # seconds
    temporary.replace(path)


def save_tensors(path, content):
    """`torch.save` through `write_whole`."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_whole(path, buffer.getvalue())


def load_tensors(path):
    """What `save_tensors` wrote, on the CPU, without running code that a foreign file may bring.

    Raises ValueError naming the file if it cannot be read, is damaged, or holds anything but
    tensors and plain values.
    """
    try:
        open_zip(path).close()  # `torch.load` would also take older, less safe kinds of file
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}.") from error
    except Exception as error:  # damaged bytes can raise anything
        raise ValueError(f"{path} is damaged or was not written by this project.") from error


def open_zip(path):
    """A zip file → an open `zipfile.ZipFile` that unpacks to at most 4 times its own size and 1 MB.

    Raises ValueError for a larger one: a megabyte of zip can become gigabytes of zeros.
    Raises zipfile.BadZipFile if it is damaged.
    """
    archive = zipfile.ZipFile(path)
    members = archive.infolist()
    size, unpacked = os.path.getsize(path), sum(member.file_size for member in members)
    usual = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    if all(member.compress_type in usual for member in members):
        if unpacked <= MAX_GROWTH * size + 1_000_000:
            return archive
    archive.close()
    raise ValueError(f"it is a zip of {size:,} bytes that would unpack to {unpacked:,}.")


def append_line(path, line):
    """Add one line to a text file in a single write, so that two processes never mix their lines.

    A last line that a kill left without its line break is closed first. Raises OSError that names
    the path.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path), open(path, "ab+") as file:
        is_cut = False
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            is_cut = file.read(1) != b"\n"
        file.write((b"\n" if is_cut else b"") + line.encode() + b"\n")


def read_json_lines(path):
    """A file of one JSON object per line → their list; [] without a file.

    A line that a kill cut short is left out. So is a line that is not a JSON object, with a note.
    """
    rows, odd_lines = [], []
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            rows.append(row)
        elif line.strip() and not line.startswith(b"{"):  # what a kill cuts short begins with {
            odd_lines.append(number)
    if odd_lines:
        counted = f"{len(odd_lines)} lines that are not JSON objects"
        first = f"the first of them line {odd_lines[0]}: they are left out"
        warnings.warn(f"{path} has {counted}, {first}.", stacklevel=2)
    return rows


def read_json(path):
    """A file with a JSON object → dict. Raises ValueError that names the file for anything else."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} should hold a JSON object.")
    return content
