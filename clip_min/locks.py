"""One process at a time: a lock on a file."""

import contextlib
import errno
import functools
import time
import warnings
from pathlib import Path

from clip_min.files import naming

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # what a disk without locks answers


@contextlib.contextmanager
def lock(path, wait=True):
    """Hold the lock of this name → True; False, at once, if another has it and `wait` is False.

    The file stays when the lock is let go. A killed process holds none. On a disk that has no locks
    everyone gets True, and a note says so once.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab") as file:
        is_held = try_to_lock(file)
        while wait and not is_held:
            time.sleep(0.1)  # seconds
            is_held = try_to_lock(file)
        yield is_held


def try_to_lock(file):
    """Whether this open file could be locked now. Closing it unlocks it."""
    try:
        with naming(file.name):
            if fcntl is None:
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        note_no_locks(error.strerror)
    return True


@functools.cache
def note_no_locks(reason):
    """The note on a disk without locks, once in a process."""
    todo = "start no second process on the same folder"
    warnings.warn(f"This disk has no file locks ({reason}): {todo}.", stacklevel=2)
