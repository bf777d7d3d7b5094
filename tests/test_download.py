"""Downloads: from a server on this computer, broken off, by several processes, from an odd one."""

import errno
import hashlib
import multiprocessing
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from clip_min import download, load_clip, tokenizer
from clip_min.model import build_clip
from clip_min.tokenizer import OPENAI_FILE, save_merges
from clip_min.weights import __main__ as command
from clip_min.weights import locate
from tests.weight_files import (
    MERGES,
    assert_same_clip,
    refusal,
    write_torchscript,
)

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")


class Server:
    """Serves `files`; with `cut_at`, a connection breaks after that many bytes of the answer.

    length: what Content-Length says instead of the length; status: the answer to everything.
    """

    def __init__(self):
        self.files, self.ranges, self.cut_at, self.knows_ranges = {}, [], None, True
        self.length, self.status = None, None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.ranges.append(self.headers.get("Range"))
                if outer.status or self.path not in outer.files:
                    return self.send_error(outer.status or 404)
                content, start = outer.files[self.path], 0
                if outer.knows_ranges and self.headers.get("Range"):
                    start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
                    if start >= len(content):
                        return self.send_error(416)
                    self.send_response(206)
                else:
                    self.send_response(200)
                self.send_header("Content-Length", outer.length or str(len(content) - start))
                self.end_headers()
                self.wfile.write(content[start:][: outer.cut_at])

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(
            target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(
        download, "BLOCK", 4096
    )  # bytes: small, so that several make up a test's file
    monkeypatch.setenv("no_proxy", "*")
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


CONTENT = bytes(range(256)) * 400
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def test_a_download_is_checked_and_kept_with_progress_on_stderr(server, tmp_path, capsys):
    server.files["/a.pt"] = CONTENT
    path = tmp_path / "new folder" / "a.pt"
    for _ in range(2):  # the second time it is there
        assert download.fetch(server.url + "/a.pt", path, SHA256) == path
    assert path.read_bytes() == CONTENT and list(path.parent.iterdir()) == [path]
    assert server.ranges == [None]
    captured = capsys.readouterr()
    assert "a.pt: 0 of 0 MB" in captured.err and captured.out == ""


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_a_broken_download_goes_on_where_it_stopped(server, tmp_path, knows_ranges):
    server.files["/a.pt"], server.cut_at, server.knows_ranges = CONTENT, 50_000, knows_ranges
    path = tmp_path / "a.pt"
    with pytest.raises(ValueError, match="broke after 50,000 of 102,400 bytes.*try again"):
        download.fetch(server.url + "/a.pt", path, SHA256)
    assert not path.exists() and (tmp_path / "a.pt.part").read_bytes() == CONTENT[:50_000]
    server.cut_at = None
    download.fetch(server.url + "/a.pt", path, SHA256)
    assert path.read_bytes() == CONTENT and not (tmp_path / "a.pt.part").exists()
    assert server.ranges == [None, "bytes=50000-"]


def test_a_part_that_is_already_complete_only_gets_its_name(server, tmp_path):
    server.files["/a.pt"] = CONTENT
    (tmp_path / "a.pt.part").write_bytes(CONTENT)
    download.fetch(server.url + "/a.pt", tmp_path / "a.pt", SHA256)
    assert (tmp_path / "a.pt").read_bytes() == CONTENT


def test_a_download_with_another_hash_is_thrown_away(server, tmp_path):
    server.files["/a.pt"] = b"other" + CONTENT
    with pytest.raises(ValueError, match=f"not {SHA256}, and was thrown away"):
        download.fetch(server.url + "/a.pt", tmp_path / "a.pt", SHA256)
    assert [path.name for path in tmp_path.iterdir()] == [".a.pt.lock"]


def test_a_file_in_the_cache_with_another_hash_is_refused_and_left_alone(tmp_path):
    (tmp_path / "a.pt").write_bytes(b"mine")
    with pytest.raises(ValueError, match=f"not {SHA256}; move it away"):
        download.fetch("http://127.0.0.1:9/a.pt", tmp_path / "a.pt", SHA256)
    assert (tmp_path / "a.pt").read_bytes() == b"mine"


def test_without_a_network_one_sentence_says_where_to_put_the_file(server, tmp_path, monkeypatch):
    monkeypatch.setenv("CLIP_MIN_CACHE", str(tmp_path))
    monkeypatch.setattr(locate, "BASE_URL", "http://127.0.0.1:9")  # nobody listens there
    sentence = refusal("ViT-B/16")
    assert "try again" in sentence
    assert sentence.endswith(f"put it there by hand: {tmp_path / 'ViT-B-16.pt'}")


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_what_is_not_there_is_not_to_be_tried_again(server, tmp_path, status):
    server.status = status
    with pytest.raises(ValueError) as refused:
        download.fetch(server.url + "/a.pt", tmp_path / "a.pt", SHA256)
    assert f"HTTP {status}" in str(refused.value) and "again" not in str(refused.value)
    assert str(refused.value).endswith(f"put it there by hand: {tmp_path / 'a.pt'}")


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_may_be_there_later_is_to_be_tried_again(server, tmp_path, status):
    server.status = status
    with pytest.raises(ValueError, match="try again"):
        download.fetch(server.url + "/a.pt", tmp_path / "a.pt", SHA256)


@pytest.mark.parametrize("length", ["many", "-1", "1e5", "\u0663".encode().decode("latin-1"), " "])
def test_a_length_that_is_not_a_number_is_an_unknown_length(server, tmp_path, capsys, length):
    server.files["/a.pt"], server.length = CONTENT, length
    path = download.fetch(server.url + "/a.pt", tmp_path / "a.pt", SHA256)
    assert path.read_bytes() == CONTENT and "of ? MB" in capsys.readouterr().err


def test_the_answer_416_to_a_first_request_is_a_failure(server, tmp_path):
    server.status = 416
    with pytest.raises(ValueError, match="HTTP 416"):
        download.fetch(server.url + "/a.pt", tmp_path / "a.pt", SHA256)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_folder_that_cannot_be_written_is_named(server, tmp_path, monkeypatch, error):
    """A full disk is found out while writing; a read-only one when the file is opened."""
    server.files["/a.pt"] = CONTENT
    path, opened = tmp_path / "a.pt", Path.open

    class FullDisk:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def write(self, data):
            raise OSError(error, os.strerror(error))

    def open_badly(self, *args, **kwargs):
        if self.suffix == ".part" and error != errno.ENOSPC:
            raise OSError(error, os.strerror(error), str(self))
        return FullDisk(opened(self, *args, **kwargs))

    monkeypatch.setattr(Path, "open", open_badly)
    with pytest.raises(ValueError) as refused:
        download.fetch(server.url + "/a.pt", path, SHA256)
    assert str(refused.value) == f"Cannot write {path}.part: {os.strerror(error)}."


def fetch_at_once(url, path, start, results):
    """What each of several processes does."""
    start.wait()
    try:
        results.put(str(download.fetch(url, path, SHA256)))
    except BaseException as error:
        results.put(repr(error))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, to start processes at once")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_several_processes_that_want_the_same_file_download_it_once(server, tmp_path):
    server.files["/a.pt"] = CONTENT
    path, context = tmp_path / "a.pt", multiprocessing.get_context("fork")
    start, results = context.Barrier(4), context.Queue()
    arguments = (server.url + "/a.pt", path, start, results)
    processes = [context.Process(target=fetch_at_once, args=arguments) for _ in range(4)]
    for process in processes:
        process.start()
    assert [results.get(timeout=30) for _ in processes] == [str(path)] * 4
    for process in processes:
        process.join()
    assert path.read_bytes() == CONTENT and list(tmp_path.iterdir()) == [path]
    assert server.ranges == [None]


def test_a_name_downloads_and_loads_and_the_command_says_where(
    server, tmp_path, vit, monkeypatch, capsys
):
    cache = tmp_path / "cache"
    weights = write_torchscript(vit, tmp_path / "RN50.pt").read_bytes()
    sha256 = hashlib.sha256(weights).hexdigest()
    merges = tmp_path / "merges.txt"
    save_merges(MERGES, merges)
    server.files[f"/{sha256}/RN50.pt"] = weights
    server.files["/merges"] = merges.read_bytes()
    monkeypatch.setenv("CLIP_MIN_CACHE", str(cache))
    monkeypatch.setattr(locate, "BASE_URL", server.url)
    monkeypatch.setattr(tokenizer, "OPENAI_URL", server.url + "/merges")
    monkeypatch.setattr(tokenizer, "OPENAI_SHA256", locate.file_sha256(merges))
    monkeypatch.setattr(tokenizer, "find_openai_merges", lambda: None)
    for module in (locate, command):
        monkeypatch.setattr(module, "OFFICIAL", {"RN50": ("RN50.pt", sha256)})

    assert command.main(["RN50"]) == 0
    printed = f"RN50: {cache / 'RN50.pt'}\nmerges: {cache / OPENAI_FILE}\n"
    assert capsys.readouterr().out == printed
    (cache / OPENAI_FILE).replace(cache / "merges.txt")
    clip = load_clip("RN50")
    assert (clip.name, clip.sha256) == ("RN50", sha256)
    assert_same_clip(clip, build_clip(vit))

    assert command.main(["RN5O"]) == 2
    captured = capsys.readouterr()
    assert "Did you mean 'RN50'" in captured.err and captured.out == ""


def test_a_missing_file_of_merges_is_said_when_a_text_is_first_encoded(tmp_path, monkeypatch):
    monkeypatch.setenv("CLIP_MIN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tokenizer, "find_openai_merges", lambda: None)
    monkeypatch.setattr(tokenizer, "OPENAI_URL", "http://127.0.0.1:9/merges")
    for ask in (lambda t: t.encode("a"), lambda t: t.decode([3]), lambda t: t("a")):
        with pytest.raises(ValueError, match=f"put it there by hand: .*{OPENAI_FILE}"):
            ask(tokenizer.Tokenizer())


def test_the_cache_is_where_openai_keeps_the_same_files(monkeypatch, tmp_path):
    monkeypatch.delenv("CLIP_MIN_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert download.cache_folder() == tmp_path / ".cache" / "clip"
    monkeypatch.setenv("CLIP_MIN_CACHE", "/elsewhere")
    assert download.cache_folder() == Path("/elsewhere")


def test_the_nine_official_names_have_a_file_and_a_hash_each():
    assert len(locate.OFFICIAL) == 9
    for name, (file, sha256) in locate.OFFICIAL.items():
        assert file == name.replace("/", "-").replace("@", "-") + ".pt"
        assert re.fullmatch("[0-9a-f]{64}", sha256)
