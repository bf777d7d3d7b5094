"""Download a file once, and know by its SHA-256 that it is the right one.

A file under way is called `<name>.part`. A broken download goes on from there the next time; the
part gets its real name only when the SHA-256 of all its bytes fits.
"""

import hashlib
import http.client
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

BLOCK = 1 << 20  # bytes read at a time: 1 MiB


def cache_folder() -> Path:
    """Where downloads live: $CLIP_MIN_CACHE, or ~/.cache/clip, where openai/CLIP keeps the same files."""
    return Path(os.environ.get("CLIP_MIN_CACHE") or Path.home() / ".cache" / "clip")


def file_sha256(path: str | Path) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits (about one second per gigabyte)."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def fetch(url: str, path: Path, sha256: str) -> Path:
    """Make sure that `path` holds the file with this SHA-256; download it from `url` if nothing is there.

    Raises ValueError, in one sentence that says what to do, if the file cannot be had or is another one.
    """
    if path.is_file():
        found = file_sha256(path)
        if found != sha256:
            raise ValueError(f"{path} is not what was expected: SHA-256 {found}, not {sha256}; move it away.")
        return path
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        download(url, part)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error or type(error).__name__
        raise ValueError(
            f"Cannot download {url} ({reason}): try again, which goes on where it stopped, "
            f"or get the file elsewhere and put it there by hand: {path}"
        ) from error
    found = file_sha256(part)
    if found != sha256:
        part.unlink()
        raise ValueError(
            f"What came from {url} has SHA-256 {found}, not {sha256}, and was thrown away: try again, "
            f"or get the file elsewhere and put it there by hand: {path}"
        )
    part.replace(path)
    return path


def download(url, part):
    """Append to the file `part` what it still lacks, with progress on stderr.

    Raises OSError or HTTPException if the connection fails, or ends before the promised length.
    """
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=30)  # seconds
    except urllib.error.HTTPError as error:
        if error.code == 416:  # "range not satisfiable": nothing is lacking, the SHA-256 will tell
            return
        raise
    with response:
        if response.status != 206:  # 206 is "partial content"; any other answer starts from the beginning
            have = 0
        total = have + int(response.headers.get("Content-Length", 0))
        with part.open("ab" if have else "wb") as file:
            while block := response.read(BLOCK):
                file.write(block)
                have += len(block)
                progress = f"\r{part.stem}: {have / 1e6:.0f} of {total / 1e6:.0f} MB"
                print(progress, end="", file=sys.stderr, flush=True)
            print(file=sys.stderr)
    if have < total:
        raise ConnectionError(f"the connection broke after {have:,} of {total:,} bytes")
