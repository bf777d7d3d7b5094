"""Download a file once, and know by its checksum that it is the right one.

A file under way is called `<name>.part`. A broken download goes on from there the next time; the
part gets its real name only when the checksum of all its bytes fits. Of several processes that want
the same file, one downloads it and the others wait.
"""

import hashlib
import http.client
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

from clip_min.files import naming
from clip_min.locks import lock

BLOCK = 1 << 20  # bytes read at a time: 1 MiB
TRY_AGAIN = (408, 425, 429)  # besides 5xx, the answers that may be another one later
KINDS = {32: "MD5", 64: "SHA-256"}  # how many digits a checksum has → which one it is
# What `download` raises if the server or the network fails. ValueError: the server redirects to
# what is not an address, or sends a length of too many digits.
DOWNLOAD_ERRORS = (OSError, http.client.HTTPException, ValueError)


class WebPage(Exception):
    """A server sent a web page in place of a file."""


def cache_folder() -> Path:
    """Where downloads live: $CLIP_MIN_CACHE, or ~/.cache/clip as in openai/CLIP."""
    return Path(os.environ.get("CLIP_MIN_CACHE") or Path.home() / ".cache" / "clip")


def file_sha256(path: str | Path) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits (about one second per gigabyte)."""
    return digest_of(path, "SHA-256")


def digest_of(path, kind):
    """A file's checksum, of one of `KINDS`, in hexadecimal digits."""
    digest = hashlib.new(kind.replace("-", ""), usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def wrong_sum(path, checksum):
    """A file whose checksum is not the expected one ("": not known) → both, in words; else ""."""
    if not checksum:
        return ""
    kind = KINDS[len(checksum)]
    found = digest_of(path, kind)
    return "" if found == checksum else f"{kind} {found}, not {checksum}"


def fetch(url: str, path: Path, checksum: str = "", page: str = "") -> Path:
    """Make sure that `path` holds the file with this checksum; download it if nothing is there.

    checksum: SHA-256 or MD5 in hexadecimal digits; "": not known. page: what to open in a browser
    where the address does not give the file. Raises ValueError, in one sentence that says what to
    do, if the file cannot be had or written, or is another one.
    """
    if path.is_file():
        wrong = wrong_sum(path, checksum)
        if wrong:
            raise ValueError(f"{path} is not what was expected: {wrong}; move it away.")
        return path
    lock_file = path.with_name(f".{path.name}.lock")
    try:
        with lock(lock_file, wait=False) as is_held:
            if is_held:
                fetch_alone(url, path, checksum, page)
        if not is_held:
            print(f"{path.name}: another process downloads it, waiting", file=sys.stderr)
            with lock(lock_file):
                fetch_alone(url, path, checksum, page)
        lock_file.unlink(missing_ok=True)  # whoever still waits for it finds the whole file
    except OSError as error:
        raise ValueError(problem_of_disk(path, error)) from error
    return path


def fetch_alone(url, path, checksum, page):
    """What `fetch` does where nothing is there, while no other process does it."""
    if path.is_file():  # another process was faster
        return
    part = path.with_name(path.name + ".part")
    by_hand = f"open {page} in a browser" if page else "get the file elsewhere"
    by_hand += f" and put it there by hand: {path}"
    try:
        download(url, part)
    except WebPage as error:
        why = " (Google Drive does so when its quota is used up)" if page else ""
        problem = f"The server sent a web page in place of {path.name}{why}"
        raise ValueError(f"{problem}: try again later, or {by_hand}.") from error
    except DOWNLOAD_ERRORS as error:
        if not isinstance(error, urllib.error.URLError) and getattr(error, "filename", None):
            raise  # the disk, and not the network
        reason, status = reason_of(error), getattr(error, "code", 0)
        if 400 <= status < 500 and status not in TRY_AGAIN:
            gone = f"{url} does not give the file (HTTP {status}, {reason})"
            raise ValueError(f"{gone}: {by_hand}.") from error
        again = "try again, which goes on where it stopped"
        raise ValueError(f"Cannot download {url} ({reason}): {again}, or {by_hand}.") from error
    wrong = wrong_sum(part, checksum)
    if wrong:
        part.unlink()
        problem = f"What came from {url} is not what was expected ({wrong}), and was thrown away"
        raise ValueError(f"{problem}: try again, or {by_hand}.")
    part.replace(path)


def reason_of(error):
    """One of `DOWNLOAD_ERRORS` → why, on one line.

    >>> reason_of(OSError("too many redirects.\\nThe last one: Found")), reason_of(TimeoutError())
    ('too many redirects. The last one: Found', 'TimeoutError')
    """
    reason = getattr(error, "reason", None) or str(error) or type(error).__name__
    return " ".join(str(reason).split())


def problem_of_disk(path, error):
    """The sentence for an OSError of the disk that holds this file or folder."""
    reason = f"{error.filename or path} cannot be written ({error.strerror or error})"
    return f"{reason}: change that, and try again, which goes on where it stopped."


def length_of(response):
    """What a server says is the length of its answer in bytes; None if it says none."""
    length = response.headers.get("Content-Length", "").strip()
    return int(length) if length.isdecimal() else None


def size_on_server(url):
    """The size in bytes of a file on a server; 0 if it cannot be had: the download will say why."""
    try:
        with urllib.request.urlopen(url, timeout=30) as response:  # seconds
            is_page = response.headers.get_content_type() == "text/html"
            return 0 if is_page else length_of(response) or 0
    except DOWNLOAD_ERRORS:
        return 0


def download(url, part):
    """Append to the file `part` what it still lacks, with progress on stderr.

    Raises one of `DOWNLOAD_ERRORS`, also if the connection ends before the promised length, and
    WebPage, before anything is written.
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
        length = length_of(response)
        total = None if length is None else have + length
        block = response.read(BLOCK)
        is_page = response.headers.get_content_type() == "text/html"
        if is_page or block.lstrip().lower().startswith((b"<!doctype html", b"<html")):
            raise WebPage
        write_blocks(response, block, part, have, total)


def write_blocks(response, block, part, have, total):
    """The first block of an answer, and all that follow, behind the first `have` bytes of `part`.

    total: bytes that the file has in the end; None if the server did not say it.
    """
    promised = "?" if total is None else f"{total / 1e6:.0f}"
    with part.open("ab" if have else "wb") as file:
        try:
            while block:
                with naming(part):
                    file.write(block)
                have += len(block)
                progress = f"\r{part.stem}: {have / 1e6:.0f} of {promised} MB"
                print(progress, end="", file=sys.stderr, flush=True)
                block = response.read(BLOCK)
        finally:
            print(file=sys.stderr)
    if total is not None and have < total:
        raise ConnectionError(f"the connection broke after {have:,} of {total:,} bytes")
