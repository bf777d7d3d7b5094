"""One file from a server onto the disk, with its checksum.

`clip_min.download` does the loading. Here is what the benchmarks' files need beside it: sums of
other kinds, or none, and servers that send a web page in place of a file.
"""

import errno
import hashlib
import urllib.error
import urllib.request
from functools import partial

from clip_min import download


def fetch(remote, path):
    """Make sure that `path` holds this file (sources.Remote), downloading it if it is not there.

    Returns `path`, a pathlib.Path. A broken download goes on the next time. Raises ValueError, in
    one sentence that says what to do, if the file cannot be had or is another one.
    """
    if path.is_file():
        wrong = wrong_sum(path, remote)
        if wrong:
            raise ValueError(f"{path} is not what was expected ({wrong}): move it away.")
        return path
    size_on_server(remote, path)  # refuses a web page before it could replace a part of the file
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        download.download(remote.url, part)
    except download.DOWNLOAD_ERRORS as error:
        raise ValueError(problem_of_download(remote, path, error)) from error
    if is_web_page(part):
        part.unlink()
        raise ValueError(web_page_instead(remote, path))
    wrong = wrong_sum(part, remote)
    if wrong:
        part.unlink()
        problem = f"What came from {remote.url} is not what was expected ({wrong})"
        todo = f"try again, or put the file there by hand: {path}"
        raise ValueError(f"{problem}, and was thrown away: {todo}.")
    part.replace(path)
    return path


def size_on_server(remote, path):
    """What the server says about a file, without loading it → its size in bytes, 0 if not said.

    Raises ValueError if the server cannot be reached, lacks the file, or gives a web page instead.
    `path` is the place that the sentence names.
    """
    try:
        with urllib.request.urlopen(remote.url, timeout=30) as response:  # seconds
            kind = response.headers.get_content_type()
            length = response.headers.get("Content-Length") or ""
            size = int(length) if length.isdecimal() else 0
    except download.DOWNLOAD_ERRORS as error:
        raise ValueError(problem_of_download(remote, path, error)) from error
    if kind == "text/html":
        raise ValueError(web_page_instead(remote, path))
    return size


def is_web_page(path):
    """Whether a file begins as a web page does."""
    with path.open("rb") as file:
        start = file.read(200).lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html"))


def web_page_instead(remote, path):
    """The sentence for a server that gives a web page in place of a file."""
    problem = f"The server sent a web page in place of {path.name}"
    why = " (Google Drive does so when its quota is used up)" if remote.page else ""
    todo = f"open {remote.page or remote.url} in a browser, and put the file there: {path}"
    return f"{problem}{why}: try again later, or {todo}."


def problem_of_download(remote, path, error):
    """The sentence for one of `download.DOWNLOAD_ERRORS`."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return problem_of_disk(path.parent, error)
    reason = download.reason_of(error)
    where = f"open {remote.page} in a browser" if remote.page else "get the file elsewhere"
    by_hand = f"{where}, and put it there by hand: {path}"
    if isinstance(error, urllib.error.HTTPError) and error.code in (401, 403, 404, 410):
        return f"{remote.url} does not give the file ({error.code} {reason}): {by_hand}."
    again = "try again, which goes on where it stopped"
    return f"Cannot download {remote.url} ({reason}): {again}, or {by_hand}."


def problem_of_disk(folder, error):
    """The sentence for an OSError of the disk."""
    todo = "make room there, and try again, which goes on where it stopped"
    return f"{folder} cannot be written ({error.strerror or error}): {todo}."


def wrong_sum(path, remote):
    """A file whose checksum is not the one that is known → both, in words; else ""."""
    if not remote.checksum:
        return ""
    kind, _, expected = remote.checksum.partition(":")
    digest = hashlib.new(kind, usedforsecurity=False)
    with path.open("rb") as file:
        for block in iter(partial(file.read, download.BLOCK), b""):
            digest.update(block)
    found = digest.hexdigest()
    return "" if found == expected else f"{kind} {found}, not {expected}"
