"""Download a file once, and know by its SHA-256 that it is the right one.

A file under way is called `<name>.part`. A broken download goes on from there the next time; the
part gets its real name only when the SHA-256 of all its bytes fits. Of several processes that want
the same file, one downloads it and the others wait.
"""

import hashlib
import http.client
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

from clip_min.files import lock, naming, printable

BLOCK = 1 << 20  # bytes read at a time: 1 MiB
TRY_AGAIN = (408, 425, 429)  # besides 5xx, the answers that may be another one later
# What `download` raises if the server or the network fails. ValueError: the server redirects to
# what is not an address, or sends a length of too many digits.
DOWNLOAD_ERRORS = (OSError, http.client.HTTPException, ValueError)


def cache_folder() -> Path:
    """Where downloads live: $CLIP_MIN_CACHE, or ~/.cache/clip as in openai/CLIP."""
    return Path(os.environ.get("CLIP_MIN_CACHE") or Path.home() / ".cache" / "clip")


def file_sha256(path: str | Path) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits (about one second per gigabyte)."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def fetch(url: str, path: Path, sha256: str) -> Path:
    """Make sure that `path` holds the file with this SHA-256; download it if nothing is there.

    Raises ValueError, in one sentence that says what to do, if the file cannot be had or written,
    or is another one.
    """
    if path.is_file():
        found = file_sha256(path)
        if found != sha256:
            raise ValueError(
                f"{printable(path)} is not what was expected: SHA-256 {found}, not {sha256}; "
                "move it away."
            )
        return path
    lock_file = path.with_name(f".{path.name}.lock")
    try:
        with lock(lock_file, wait=False) as is_held:
            if is_held:
                fetch_alone(url, path, sha256)
        if not is_held:
            print(f"{path.name}: another process downloads it, waiting", file=sys.stderr)
            with lock(lock_file):
                fetch_alone(url, path, sha256)
        lock_file.unlink(missing_ok=True)  # whoever still waits for it finds the whole file
    except OSError as error:
        where = printable(error.filename or path)
        raise ValueError(f"Cannot write {where}: {error.strerror or error}.") from error
    return path


def fetch_alone(url, path, sha256):
    """What `fetch` does where nothing is there, while no other process does it."""
    if path.is_file():  # another process was faster
        return
    part = path.with_name(path.name + ".part")
    by_hand = f"get the file elsewhere and put it there by hand: {printable(path)}"
    try:
        download(url, part)
    except DOWNLOAD_ERRORS as error:
        if not isinstance(error, urllib.error.URLError) and getattr(error, "filename", None):
            raise  # the disk, and not the network
        reason = printable(reason_of(error))
        status = getattr(error, "code", 0)
        if 400 <= status < 500 and status not in TRY_AGAIN:
            raise ValueError(
                f"Cannot download {url} (HTTP {status}, {reason}): {by_hand}"
            ) from error
        raise ValueError(
            f"Cannot download {url} ({reason}): try again, which goes on where it stopped, "
            f"or {by_hand}"
        ) from error
    found = file_sha256(part)
    if found != sha256:
        part.unlink()
        raise ValueError(
            f"What came from {url} has SHA-256 {found}, not {sha256}, and was thrown away: "
            f"try again, or {by_hand}"
        )
    part.replace(path)


def reason_of(error):
    """One of `DOWNLOAD_ERRORS` → why, on one line.

    >>> reason_of(OSError("too many redirects.\\nThe last one: Found")), reason_of(TimeoutError())
    ('too many redirects. The last one: Found', 'TimeoutError')
    """
    reason = getattr(error, "reason", None) or str(error) or type(error).__name__
    return " ".join(str(reason).split())


def download(url, part):
    """Append to the file `part` what it still lacks, with progress on stderr.

    Raises one of `DOWNLOAD_ERRORS`, also if the connection ends before the promised length.
    """
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=30)  # seconds
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # "range not satisfiable": nothing is lacking
            return
        raise
    with response:
        if response.status != 206:  # 206 is "partial content"; others start from the beginning
            have = 0
        length = response.headers.get("Content-Length", "").strip()
        total = have + int(length) if length.isdecimal() else None
        promised = "?" if total is None else f"{total / 1e6:.0f}"
        with part.open("ab" if have else "wb") as file:
            try:
                while block := response.read(BLOCK):
                    with naming(part):
                        file.write(block)
                    have += len(block)
                    progress = f"\r{part.stem}: {have / 1e6:.0f} of {promised} MB"
                    print(progress, end="", file=sys.stderr, flush=True)
            finally:
                print(file=sys.stderr)
    if total is not None and have < total:
        raise ConnectionError(f"the connection broke after {have:,} of {total:,} bytes")
