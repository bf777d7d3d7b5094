"""Archives onto a disk: one folder of a .zip or .tar.gz file, and nothing outside of its target.

An archive may come from anybody. So one check serves both kinds: a path that leaves the folder
("../x", "/x", "C:x") is refused; links and devices are not made; and what unpacks to far more than
its own size is refused before it is written, for pictures are compressed already.
"""

import errno
import gzip
import lzma
import os
import shutil
import stat
import sys
import tarfile
import zipfile
import zlib
from pathlib import PureWindowsPath

from clip_min.data.folders import is_hidden

MOST_GROWTH = 4  # an archive may unpack to so many times its own size,
MOST_EXTRA = 64 << 20  # and so many bytes more
MOST_MEMBERS = 1_000_000
MOST_AT_ONCE = 16 << 20  # bytes
DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError,  # a damaged archive's
          EOFError, RuntimeError, NotImplementedError, ValueError)
NOT_OF_THE_DISK = (  # errors of paths that contradict each other, or of places outside the archive
    None, errno.EINVAL, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)


class Refused(Exception):
    """What is wrong with an archive that can be read, as words."""


def unpack(archive, inside, target):
    """An archive, the folder (or file) in it that is kept, what it becomes → the number of files.

    archive and target are pathlib.Path; the target must not be there yet. `inside` may lie at any
    depth: "2750" is found in "2750/a.jpg" and in "EuroSAT/2750/a.jpg". Links are left out with a
    line on stderr. Raises ValueError, with nothing left in the target's place, for an archive that
    is damaged, unsafe, or holds nothing of that name; OSError if the disk is full.
    """
    try:
        return copy_members(archive, inside.split("/"), target)
    except BaseException as error:  # Ctrl-C, too
        remove(target)
        if isinstance(error, Refused):  # the server would send the same one again
            todo = "put another one in its place, or the pictures where they belong, by hand."
            raise ValueError(f"The archive {archive} {error}: {todo}") from error
        is_of_archive = isinstance(error, OSError) and error.errno in NOT_OF_THE_DISK
        if isinstance(error, DAMAGE) or is_of_archive:
            why = f"is damaged ({error or type(error).__name__})"
            raise ValueError(f"The archive {archive} {why}: remove it, and try again.") from error
        raise


def copy_members(archive, inside, target):
    """What `unpack` does; raises Refused, and what a damaged archive raises."""
    most = MOST_GROWTH * archive.stat().st_size + MOST_EXTRA
    total, files, left_out = 0, 0, 0
    for number, (name, size, is_plain, opened) in enumerate(members(archive), start=1):
        total += size
        if size < 0 or total > most or number > MOST_MEMBERS:
            raise Refused(f"would unpack to more than {most / 1e6:,.0f} MB or a million files")
        below = steps_below(safe_steps(name), inside)
        if below is None or any(map(is_hidden, below)):
            continue
        if not is_plain:
            left_out += 1
            continue
        path = target.joinpath(*below)
        path.parent.mkdir(parents=True, exist_ok=True)
        with opened() as source, path.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
        files += 1
        if files % 1000 == 0:
            print(f"\r{archive.name}: {files:,} files", end="", file=sys.stderr, flush=True)
    if files >= 1000:
        print(file=sys.stderr)
    if left_out:
        print(f"{archive.name}: {left_out} links or devices left out", file=sys.stderr)
    if not files:
        raise Refused(f"holds no {'/'.join(inside)}")
    return files


def members(archive):
    """An archive → (name, size in bytes, whether it is a plain file, a function that opens it) of
    each of its members but folders.
    """
    if archive.suffix.lower() == ".zip":
        with zipfile.ZipFile(archive) as opened:
            for member in opened.infolist():
                if not member.is_dir():
                    is_plain = not stat.S_ISLNK(member.external_attr >> 16)
                    yield member.filename, member.file_size, is_plain, lambda: opened.open(member)
        return
    with BoundedGzip(archive) as stream, tarfile.open(fileobj=stream, mode="r:") as opened:
        for member in opened:
            if not member.isdir():
                is_plain = member.isfile()
                yield member.name, member.size, is_plain, lambda: opened.extractfile(member)
        while stream.read(1 << 20):  # the sum of a .gz file is checked when its end is read
            pass


class BoundedGzip(gzip.GzipFile):
    """A .gz file that gives small pieces only: tarfile reads a header at once, however long."""

    def read(self, size=-1):
        """So many bytes. Raises Refused for more than MOST_AT_ONCE."""
        if size is None or not 0 <= size <= MOST_AT_ONCE:
            raise Refused(f"has a header of more than {MOST_AT_ONCE / 1e6:.0f} MB")
        return super().read(size)


def safe_steps(name):
    r"""The path of a member → its steps. Raises Refused for one that leaves the folder.

    >>> safe_steps("./2750/Forest/1.jpg")
    ('2750', 'Forest', '1.jpg')
    """
    path = PureWindowsPath(name)  # reads both / and \ as separators
    leaves = path.root or "\0" in name
    for step in path.parts:  # Windows takes "x/C:/y" for "C:y", and ".. " for ".."
        leaves = leaves or PureWindowsPath(step).drive or not step.strip(". ")
    if leaves:
        raise Refused(f"has the path {name!r}, which leaves its folder")
    return path.parts


def steps_below(steps, inside):
    """The steps of a path, and those of the folder that is kept → the steps below it, or None.

    >>> steps_below(("EuroSAT", "2750", "Forest", "1.jpg"), ["2750"])
    ('Forest', '1.jpg')
    """
    for start in range(len(steps) - len(inside) + 1):
        if list(steps[start : start + len(inside)]) == inside:
            return steps[start + len(inside) :]
    return None


def remove(path):
    """Remove a file or a folder that this file wrote, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def move_into(source, target):
    """Put a folder in its place; what is there already is left as it is.

    A folder that is not there yet appears at once and whole. Into one that is there, files are
    moved first and folders last, so that the picture folder is there only when all is. An empty
    folder counts as not there.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir() and not target.is_symlink() and not any(target.iterdir()):
        target.rmdir()
    if not target.exists():
        os.replace(source, target)
        return
    for path in sorted(source.iterdir(), key=lambda path: path.is_dir()):
        if not (target / path.name).exists():
            os.replace(path, target / path.name)
    shutil.rmtree(source)
