"""What comes over the network is whole, is the right file, and goes on where it stopped.

Weights and benchmarks have one fetcher. `python -m clip_min.data DATA [--download NAME]` asks
before it loads, unpacks beside the place, and looks over what is there. For odd servers and
archives see hostile/.
"""

import errno
import hashlib
import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest
from PIL import Image

from clip_min import download, load_clip, preprocess, tokenizer
from clip_min.data import BENCHMARKS, load_dataset, survey
from clip_min.data import download as data_download
from clip_min.data.__main__ import main
from clip_min.data.sources import SOURCES, Remote, Source
from clip_min.data.unpack import move_into, unpack
from clip_min.locks import lock
from clip_min.model import build_clip
from clip_min.preprocess import read_picture
from clip_min.tokenizer import OPENAI_FILE, save_merges
from clip_min.weights import __main__ as command
from clip_min.weights import locate
from tests.data_helpers import ROWS
from tests.servers import Server, picture, tarred, zipped
from tests.weight_files import MERGES, assert_same_clip, refusal, write_torchscript

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
ROOT = Path(__file__).parents[1]
CONTENT = bytes(range(256)) * 400
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download, "BLOCK", 4096)  # bytes: small, so that a file has several
    monkeypatch.setenv("no_proxy", "*")
    server = Server()
    server.files["/a.pt"] = CONTENT
    yield server
    server.http.shutdown()
    server.http.server_close()


def unfetched(server, path, *more):
    """The sentence with which `fetch` refuses to load a.pt."""
    with pytest.raises(ValueError) as refused:
        download.fetch(server.url + "/a.pt", path, *(more or [SHA256]))
    assert str(refused.value).endswith(".") and "\n" not in str(refused.value)
    return str(refused.value)


# --- one file


def test_a_download_is_checked_and_kept_with_progress_on_stderr(server, tmp_path, capsys):
    for number, checksum in enumerate((SHA256, MD5, "")):
        path = tmp_path / f"new folder {number}" / "a.pt"
        for _ in range(2):  # the second time it is there
            assert download.fetch(server.url + "/a.pt", path, checksum) == path
        assert path.read_bytes() == CONTENT and list(path.parent.iterdir()) == [path]
    assert server.asked == [("/a.pt", None)] * 3
    captured = capsys.readouterr()
    assert "a.pt: 0 of 0 MB" in captured.err and captured.out == ""


def test_a_broken_download_goes_on_where_it_stopped(server, tmp_path):
    for number, knows_ranges in enumerate((True, False)):
        path, server.knows_ranges = tmp_path / str(number) / "a.pt", knows_ranges
        server.cut_at = 50_000
        assert "broke after 50,000 of 102,400 bytes): try again" in unfetched(server, path)
        assert not path.exists()
        assert path.with_name("a.pt.part").read_bytes() == CONTENT[:50_000]
        server.cut_at = None
        download.fetch(server.url + "/a.pt", path, SHA256)
        assert path.read_bytes() == CONTENT and not path.with_name("a.pt.part").exists()
        assert [asked for _, asked in server.asked[2 * number :]] == [None, "bytes=50000-"]
    server.knows_ranges = True
    whole = tmp_path / "whole.part"
    whole.write_bytes(CONTENT)  # only gets its name
    assert download.fetch(server.url + "/a.pt", tmp_path / "whole", SHA256).is_file()


def test_another_file_is_thrown_away_if_it_came_and_left_alone_if_it_was_there(server, tmp_path):
    server.files["/a.pt"] = b"other" + CONTENT
    path = tmp_path / "a.pt"
    for checksum in (SHA256, MD5):
        message = unfetched(server, path, checksum)
        assert f"not {checksum}), and was thrown away: try again, or" in message
        assert [file.name for file in tmp_path.iterdir()] == [".a.pt.lock"]
    path.write_bytes(b"mine")
    assert f"not {SHA256}; move it away." in unfetched(server, path)
    assert path.read_bytes() == b"mine"


def test_what_is_not_there_and_what_may_be_there_later(server, tmp_path):
    path = tmp_path / "a.pt"
    for server.status in (401, 403, 404, 410, 416):
        message = unfetched(server, path)
        assert f"(HTTP {server.status}, " in message and "again" not in message
        assert message.endswith(f"get the file elsewhere and put it there by hand: {path}.")
    for server.status in (408, 429, 500, 503):
        assert "try again, which goes on where it stopped" in unfetched(server, path)


def test_without_a_network_one_sentence_says_where_to_put_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("CLIP_MIN_CACHE", str(tmp_path))
    monkeypatch.setattr(locate, "BASE_URL", "http://127.0.0.1:9")  # nobody listens there
    sentence = refusal("ViT-B/16")
    assert "try again" in sentence
    assert sentence.endswith(f"put it there by hand: {tmp_path / 'ViT-B-16.pt'}.")


def test_a_web_page_in_place_of_a_file_is_recognised_and_a_part_is_kept(server, tmp_path):
    path, page = tmp_path / "a.pt", "https://drive.google.com/file/d/KEY/view"
    path.with_name("a.pt.part").write_bytes(CONTENT[:5000])
    for server.page_type in ("text/html", "application/octet-stream"):
        server.pages = {"/a.pt"}
        message = unfetched(server, path, "", page)
        assert "sent a web page in place of a.pt (Google Drive does so when its quota" in message
        assert f"open {page} in a browser and put it there by hand: {path}." in message
        assert path.with_name("a.pt.part").read_bytes() == CONTENT[:5000]
    server.pages = set()
    assert download.fetch(server.url + "/a.pt", path, SHA256) == path


def test_a_disk_that_cannot_be_written_is_named_and_the_next_try_goes_on(
    server, tmp_path, monkeypatch
):
    """A full disk is found out while writing; a read-only one when the file is opened."""
    path, opened = tmp_path / "a.pt", Path.open

    class FullDisk:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def write(self, data):
            self.file.write(data[:100])
            raise OSError(number, os.strerror(number))

    def open_badly(self, *args, **kwargs):
        if self.suffix == ".part" and number != errno.ENOSPC:
            raise OSError(number, os.strerror(number), str(self))
        return FullDisk(opened(self, *args, **kwargs))

    for number in (errno.EROFS, errno.EACCES, errno.ENOSPC):
        with monkeypatch.context() as patch:
            patch.setattr(Path, "open", open_badly)
            message = unfetched(server, path)
        assert message.startswith(f"{path}.part cannot be written ({os.strerror(number)}): ")
    download.fetch(server.url + "/a.pt", path, SHA256)
    assert server.asked[-1] == ("/a.pt", "bytes=100-")


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
    assert server.asked == [("/a.pt", None)]


# --- weights and merges


def test_a_name_downloads_and_loads_and_the_command_says_where(
    server, tmp_path, vit, monkeypatch, capsys
):
    cache, merges = tmp_path / "cache", tmp_path / "merges.txt"
    weights = write_torchscript(vit, tmp_path / "RN50.pt").read_bytes()
    sha256 = hashlib.sha256(weights).hexdigest()
    save_merges(MERGES, merges)
    server.files |= {f"/{sha256}/RN50.pt": weights, "/merges": merges.read_bytes()}
    monkeypatch.setenv("CLIP_MIN_CACHE", str(cache))
    monkeypatch.setattr(locate, "BASE_URL", server.url)
    monkeypatch.setattr(tokenizer, "OPENAI_URL", server.url + "/merges")
    monkeypatch.setattr(tokenizer, "OPENAI_SHA256", download.file_sha256(merges))
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


# --- benchmarks: python -m clip_min.data DATA --download NAME


PICTURES = {f"2750/{row[0]}": picture(i) for part in ROWS for i, row in enumerate(ROWS[part])}


def remote(server, name, path, kind="sha256"):
    return Remote(name, server.url + path, hashlib.new(kind, server.files[path]).hexdigest())


@pytest.fixture
def eurosat(server, monkeypatch):
    """A small EuroSAT on the server → its Source; it is "as in the paper"."""
    server.files |= {"/EuroSAT.zip": zipped(PICTURES), "/split": json.dumps(ROWS).encode()}
    split = remote(server, "split_zhou_EuroSAT.json", "/split")
    archive = remote(server, "EuroSAT.zip", "/EuroSAT.zip", "md5")
    source = Source((split,), archive, inside="2750", becomes="2750")
    monkeypatch.setitem(SOURCES, "eurosat", source)
    small = BENCHMARKS["eurosat"]._replace(classes=2, pictures=(4, 4, 4))
    monkeypatch.setitem(BENCHMARKS, "eurosat", small)
    return source


def run(capsys, *arguments):
    """The command with these arguments → its exit status, stdout and stderr."""
    status = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def get_eurosat(capsys, root):
    return run(capsys, root, "--download", "eurosat", "--yes")


def test_a_benchmark_comes_from_its_server_into_coops_layout_and_is_looked_over(
    eurosat, server, tmp_path, capsys
):
    root = tmp_path / "new folder"
    status, out, err = get_eurosat(capsys, root)
    assert status == 0 and "EuroSAT.zip" in err
    assert "12 files in" in out and "as in the paper" in out and "0 of them bad" in out
    assert "EuroSAT.zip, 0 MB" in out and "https://github.com/phelber/EuroSAT (its terms" in out
    assert f"The archives stay in {root / 'downloads'}" in out
    assert len(load_dataset("eurosat", root).train) == 4
    assert sorted(path.name for path in (root / "downloads").iterdir()) == ["EuroSAT.zip", "lock"]
    (root / "eurosat/2750/a/mine.jpg").write_bytes(picture())
    server.asked.clear()
    status, out, _ = get_eurosat(capsys, root)  # what is there is neither asked for nor changed
    assert status == 0 and server.asked == [] and "are there already" in out
    assert (root / "eurosat/2750/a/mine.jpg").exists()


def test_what_is_there_by_hand_is_used_without_its_server(eurosat, server, tmp_path, capsys):
    for path, content in PICTURES.items():
        target = tmp_path / "other/EuroSAT_RGB" / path.removeprefix("2750/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    status, out, _ = get_eurosat(capsys, tmp_path / "other")
    assert status == 0 and "as in the paper" in out
    assert (tmp_path / "other/EuroSAT_RGB/split_zhou_EuroSAT.json").is_file()
    assert not (tmp_path / "other/eurosat").exists()
    (tmp_path / "archive/downloads").mkdir(parents=True)
    archive = tmp_path / "archive/downloads/EuroSAT.zip"
    archive.write_bytes(server.files.pop("/EuroSAT.zip"))
    assert get_eurosat(capsys, tmp_path / "archive")[0] == 0


def test_the_size_comes_first_and_then_a_question(eurosat, server, tmp_path, capsys, monkeypatch):
    questions = []

    def ask(question):
        questions.append(question)
        if answer is None:
            raise EOFError
        return answer

    monkeypatch.setattr("builtins.input", ask)
    for answer, words in (("", "Nothing was downloaded"), ("n", "Nothing"), (None, "give --yes")):
        status, out, _ = run(capsys, tmp_path, "--download", "eurosat")
        assert status == 1 and words in out and not (tmp_path / "eurosat").exists()
    server.length, answer = "", "n"
    run(capsys, tmp_path, "--download", "eurosat")
    assert questions[-1].startswith("An unknown part of the disk, of which")  # and not "0 MB"
    server.length, answer = None, "YES"
    assert run(capsys, tmp_path, "--download", "eurosat")[0] == 0
    assert questions[-1].startswith("At least 0 MB of the disk, of which")
    assert (tmp_path / "eurosat/2750").is_dir() and len(questions) == 5


def test_a_disk_without_room_is_refused_before_the_question(
    eurosat, server, tmp_path, capsys, monkeypatch
):
    folder, size = tmp_path / "downloads", len(server.files["/EuroSAT.zip"])
    folder.mkdir()
    assert data_download.announce("eurosat", folder) == 2 * size
    (folder / "EuroSAT.zip.part").write_bytes(b"x" * 100)  # is not counted again
    assert data_download.announce("eurosat", folder) == 2 * size - 100
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, 40_000_000))
    status, _, err = get_eurosat(capsys, tmp_path)
    assert status == 2 and err.startswith("error: The disk of ")
    assert "is too small: about 0 MB are needed, and 40 MB are free" in err


def test_one_problem_is_one_sentence_and_does_not_stop_the_others(
    eurosat, server, tmp_path, capsys, monkeypatch
):
    gone = Source((), Remote("dtd.tar.gz", "http://127.0.0.1:9/dtd.tar.gz"), "images", "images")
    monkeypatch.setitem(SOURCES, "dtd", gone)
    status, out, _ = run(capsys, tmp_path, "--download", "dtd", "eurosat", "--yes")
    assert status == 2 and "dtd.tar.gz, of unknown size" in out and "as in the paper" in out
    assert "Cannot download http://127.0.0.1:9/dtd.tar.gz" in out
    assert f"put it there by hand: {tmp_path / 'downloads/dtd.tar.gz'}" in out
    shutil.rmtree(tmp_path)
    (tmp_path / "eurosat").mkdir(parents=True)
    mine = tmp_path / "eurosat/split_zhou_EuroSAT.json"
    mine.write_text("{}")
    status, out, _ = get_eurosat(capsys, tmp_path)
    assert status == 2 and f"{mine} is not what was expected" in out and mine.read_text() == "{}"


def test_a_place_that_cannot_be_written_is_one_sentence(eurosat, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    status, _, err = get_eurosat(capsys, tmp_path / "file")
    assert status == 2 and "cannot be written" in err and err.count("\n") == 1
    for place in ("downloads/lock", "downloads/EuroSAT.zip", "eurosat"):
        root = tmp_path / place
        (root / place).mkdir(parents=True)
        if place == "eurosat":
            (root / place).rmdir()
            (root / place).write_text("a file where a folder belongs")
        status, out, err = get_eurosat(capsys, root)
        assert status == 2 and "cannot be written (" in out + err
        assert ("(found / in CoOp's Table 5)" in out) == (place != "downloads/lock")  # it went on


def test_a_disk_that_fills_up_or_a_kill_while_unpacking_leaves_nothing_half(
    eurosat, tmp_path, capsys, monkeypatch
):
    copy, calls = shutil.copyfileobj, []

    def full(source, file, size):
        calls.append(file)
        if len(calls) == 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        copy(source, file, size)

    monkeypatch.setattr(shutil, "copyfileobj", full)
    status, out, _ = get_eurosat(capsys, tmp_path)
    assert status == 2 and "cannot be written (No space left on device)" in out
    assert not (tmp_path / "eurosat/2750").exists()
    assert sorted(os.listdir(tmp_path / "downloads")) == ["EuroSAT.zip", "lock"]
    (tmp_path / "downloads/eurosat.unpacking/a").mkdir(parents=True)
    (tmp_path / "downloads/eurosat.unpacking/a/half.jpg").write_bytes(b"")
    (tmp_path / "eurosat/2750").mkdir()  # an empty one: filled in one step
    moved, replace = [], os.replace
    monkeypatch.setattr(os, "replace", lambda *both: moved.append(both[1]) or replace(*both))
    assert get_eurosat(capsys, tmp_path)[0] == 0 and tmp_path / "eurosat/2750" in moved
    assert not (tmp_path / "eurosat/2750/a/half.jpg").exists()


def test_ctrl_c_closed_pipes_and_a_second_download_are_one_sentence(
    eurosat, tmp_path, capsys, monkeypatch
):
    def stop(*_):
        raise problem

    with lock(tmp_path / "downloads/lock"):
        status, _, err = get_eurosat(capsys, tmp_path)
    assert status == 2 and "is running: wait until it ends" in err and err.count("\n") == 1
    problem = BrokenPipeError(errno.EPIPE, "Broken pipe")  # is not taken for the disk
    places = ((data_download, "announce"), (data_download, "get"), (survey, "look_at"))
    for module, name in places:
        with monkeypatch.context() as patch:
            patch.setattr(module, name, stop)
            status, _, err = get_eurosat(capsys, tmp_path)
        assert status == 2 and err.endswith("error: [Errno 32] Broken pipe\n")
    problem = KeyboardInterrupt()
    for module, name in ((download, "download"), (survey, "problems_of")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, stop)
            shutil.rmtree(tmp_path)
            if module is survey:
                patch.undo()
                assert get_eurosat(capsys, tmp_path)[0] == 0
                patch.setattr(module, name, stop)
            status, out, _ = get_eurosat(capsys, tmp_path)
        assert status == 130 and "The same command goes on from there" in out
    monkeypatch.setattr(survey, "problems_of", stop)
    status, out, _ = run(capsys, tmp_path, "eurosat")
    assert status == 130 and out.endswith("\nStopped.\n")  # nothing is kept of a look


def interrupt(path):
    """`problem_of` during which Ctrl-C is typed: the processes that open pictures get it, too."""
    os.kill(os.getpid(), signal.SIGINT)
    return ""


def test_only_the_main_process_obeys_ctrl_c(eurosat, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(survey, "problem_of", interrupt)
    assert get_eurosat(capsys, tmp_path)[0] == 0


def test_an_archive_in_an_archive_is_unpacked_and_checked(server, tmp_path, capsys, monkeypatch):
    inner = tarred({f"101_ObjectCategories/{name}/1.jpg": picture() for name in "ab"})
    junk = {"__MACOSX/caltech-101/x": b"", "caltech-101/Annotations.tar": b"a"}
    source, folder = SOURCES["caltech101"], tmp_path / "downloads"
    server.files["/c.zip"] = zipped({**junk, source.wrapped.name: inner})
    outer = remote(server, "caltech-101.zip", "/c.zip")
    for checksum in (hashlib.md5(inner).hexdigest(), "0" * 32):
        wrapped = source.wrapped._replace(checksum=checksum)
        here = source._replace(lists=(), archive=outer, wrapped=wrapped)
        monkeypatch.setitem(SOURCES, "caltech101", here)
        is_right = data_download.get("caltech101", folder)
        assert is_right == (checksum[0:2] != "00")
        assert sorted(os.listdir(folder)) == ["caltech-101.zip"]
        assert is_right == (tmp_path / "caltech-101").exists()
        if is_right:
            images = tmp_path / "caltech-101/101_ObjectCategories"
            assert sorted(os.listdir(images)) == ["a", "b"]
            assert os.listdir(tmp_path / "caltech-101") == [images.name]
            shutil.rmtree(tmp_path / "caltech-101")
    assert "holds another archive than expected" in capsys.readouterr().out


def test_a_split_file_without_a_known_sum_is_checked_by_the_counts_of_table_5(
    eurosat, server, tmp_path, capsys, monkeypatch
):
    unknown = eurosat.lists[0]._replace(checksum="")
    monkeypatch.setitem(SOURCES, "eurosat", eurosat._replace(lists=(unknown,)))
    small = BENCHMARKS["eurosat"]._replace(pictures=(4, 4, 5))
    with monkeypatch.context() as patch:
        patch.setitem(BENCHMARKS, "eurosat", small)
        _, out, _ = get_eurosat(capsys, tmp_path)
    assert "has not the counts of CoOp's Table 5 ((2, 4, 4, 5): (2, 4, 4, 4))" in out
    assert not (tmp_path / "eurosat/split_zhou_EuroSAT.json").exists()
    server.files["/split"] = b"{}"
    assert "it is not a split file" in get_eurosat(capsys, tmp_path)[1]
    server.files["/split"] = json.dumps(ROWS).encode()
    assert get_eurosat(capsys, tmp_path)[0] == 0


def test_what_a_program_cannot_get_says_how_by_hand_and_gets_the_lists(
    server, tmp_path, capsys, monkeypatch
):
    for name in ("imagenet", "stanford_cars", "imagenet_a", "imagenet_r"):
        source = SOURCES[name]
        is_cars = name == "stanford_cars"
        server.files["/list"] = b"n01 tench\n" * (1000 if is_cars else 999)
        here = source.lists[0]._replace(url=server.url + "/list", checksum="")
        if is_cars:
            here = remote(server, here.name, "/list")
        monkeypatch.setitem(SOURCES, name, source._replace(lists=(here,)))
        path = tmp_path / BENCHMARKS[name].folder / here.name
        if not is_cars:
            _, out, _ = run(capsys, tmp_path, "--download", name, "--yes")
            assert "(1000: 999), and was thrown away: try again" in out and not path.exists()
        server.files["/list"] = b"n01 tench\n" * 1000
        status, out, _ = run(capsys, tmp_path, "--download", name, "--yes")
        assert status == 2 and "to be had by hand only" in out
        assert f"By hand: {source.by_hand}, below {tmp_path}." in out
        assert path.read_bytes() == server.files["/list"]


def test_one_command_and_one_question_bring_all_that_a_program_can_get(
    server, tmp_path, capsys, monkeypatch
):
    """Archives with the folders that the real ones have, at addresses on this computer."""
    able = [name for name, source in SOURCES.items() if source.archive]
    for name in able:
        source, is_aircraft = SOURCES[name], name == "fgvc_aircraft"
        inside = f"{source.inside}/images" if is_aircraft else source.inside
        content, changes = {f"{inside}/a/1.jpg": picture()}, {}
        if is_aircraft:
            content[f"{source.inside}/variants.txt"] = b"707-320\n"
        if source.wrapped:
            inner = tarred(content)
            content = {source.wrapped.name: inner}
            checksum = hashlib.md5(inner).hexdigest()
            changes["wrapped"] = source.wrapped._replace(checksum=checksum)
        pack = zipped if source.archive.name.endswith(".zip") else tarred
        server.files[f"/{name}"] = pack(content)
        changes["archive"] = remote(server, source.archive.name, f"/{name}")
        monkeypatch.setitem(SOURCES, name, source._replace(lists=(), **changes))
    (tmp_path / "fgvc_aircraft").mkdir()
    (tmp_path / "fgvc_aircraft/variants.txt").write_text("mine\n")  # is left alone
    questions = []
    monkeypatch.setattr("builtins.input", lambda question: questions.append(question) or "y")
    _, out, _ = run(capsys, tmp_path, "--download", *able)
    sizes, _, rest = out.partition(" ...")
    assert len(able) == 10 and len(questions) == 1
    assert rest.count(" files in") == len(able)
    for name in able:
        folder = tmp_path / BENCHMARKS[name].folder / BENCHMARKS[name].images
        assert f"{SOURCES[name].archive.name}, 0 MB" in sizes
        assert (folder / "a/1.jpg").is_file(), name
    assert (tmp_path / "fgvc_aircraft/variants.txt").read_text() == "mine\n"


def test_each_benchmark_has_a_source_in_coops_layout():
    assert list(SOURCES) == list(BENCHMARKS)
    for name, source in SOURCES.items():
        benchmark = BENCHMARKS[name]
        expected = [benchmark.split] if benchmark.split else ["classnames.txt"]
        names = [remote.name for remote in source.lists]
        assert names == ([] if name == "fgvc_aircraft" else expected)
        assert bool(source.archive) != bool(source.by_hand)
        if source.archive:
            assert source.becomes == ("" if name == "fgvc_aircraft" else benchmark.images)
            assert source.inside
        for each in [*source.lists, *filter(None, [source.archive, source.wrapped])]:
            assert re.fullmatch("([0-9a-f]{32}|[0-9a-f]{64})?", each.checksum)
            assert each.url.startswith(("https://", "http://"))


def test_coops_names_and_eleven_are_understood_and_others_refused(tmp_path, capsys, monkeypatch):
    wanted = []
    ask = lambda root, names, yes: wanted.append(names)  # noqa: E731
    monkeypatch.setattr("clip_min.data.__main__.is_agreed", ask)
    for names in (["oxford_flowers", "describable_textures", "dtd"], ["eleven"]):
        assert run(capsys, tmp_path, "--download", *names)[0] == 1
    assert wanted[0] == ["flowers102", "dtd"] and len(wanted[1]) == 11
    for arguments in ([tmp_path, "--download", "eurosatt"], [tmp_path, "eurosatt"]):
        with pytest.raises(SystemExit):
            run(capsys, *arguments)
        assert "there is no benchmark 'eurosatt'" in capsys.readouterr().err


# --- archives


def test_one_folder_or_file_of_an_archive_is_kept_wherever_it_lies(tmp_path):
    for name, pack in (("a.zip", zipped), ("a.tar.gz", tarred)):
        for prefix in ("", "./", "deep/er/"):
            (tmp_path / name).write_bytes(pack({
                f"{prefix}x/a/1.jpg": b"1", f"{prefix}x/2.txt": b"2", f"{prefix}y/3.jpg": b"3",
                f"{prefix}x/a/._1.jpg": b"4", "__MACOSX/y/5.jpg": b"5"}))
            assert unpack(tmp_path / name, "x", tmp_path / "out") == 2
            assert (tmp_path / "out/a/1.jpg").read_bytes() == b"1"
            assert (tmp_path / "out/2.txt").read_bytes() == b"2"
            assert len(list((tmp_path / "out").rglob("*"))) == 3
            shutil.rmtree(tmp_path / "out")
        assert unpack(tmp_path / name, "x/2.txt", tmp_path / "file") == 1
        assert (tmp_path / "file").read_bytes() == b"2"


def test_a_folder_gets_its_place_at_once_and_into_one_that_is_there_folders_come_last(
    tmp_path, monkeypatch
):
    source, target = tmp_path / "source", tmp_path / "new/target"
    for path in ("images/1.jpg", "a.txt", "z.txt"):
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text("theirs")
    target.mkdir(parents=True)
    (target / "a.txt").write_text("mine")
    moved, replace = [], os.replace
    monkeypatch.setattr(os, "replace", lambda *both: moved.append(both[1].name) or replace(*both))
    move_into(source, target)
    assert moved == ["z.txt", "images"] and not source.exists()
    found = {path.name: path.read_text() for path in target.rglob("*") if path.is_file()}
    assert found == {"1.jpg": "theirs", "a.txt": "mine", "z.txt": "theirs"}


# --- what lies on a disk: python -m clip_min.data DATA


@pytest.fixture
def root(eurosat, tmp_path):
    """A root folder with the small EuroSAT."""
    for path, content in PICTURES.items():
        (tmp_path / "eurosat" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "eurosat" / path).write_bytes(content)
    (tmp_path / "eurosat/split_zhou_EuroSAT.json").write_text(json.dumps(ROWS))
    return tmp_path


def look(capsys, *arguments):
    """The exit status and the printed lines."""
    status, out, _ = run(capsys, *arguments)
    return status, out.splitlines()


def test_a_whole_benchmark_is_as_in_the_paper_and_the_others_are_said_to_be_absent(root, capsys):
    status, lines = look(capsys, root)
    assert status == 0 and len(lines) == 1 + 15 + 1
    row = next(line for line in lines if line.startswith("eurosat"))
    assert row.split() == ["eurosat", "2/2", "4/4", "4/4", "4/4", "as", "in", "the", "paper"]
    assert "12 pictures opened, 0 of them bad" in lines[lines.index(row) + 1]
    assert "dtd             not there; from https://www.robots.ox.ac.uk/~vgg/data/dtd" in lines
    status, lines = look(capsys, root, "dtd", "eurosat")  # these only
    assert status == 0 and len(lines) == 4 and lines[1].startswith("dtd ")
    assert len(look(capsys, root, "eleven")[1]) == 1 + 11 + 1
    (root / "eurosat").rename(root / "EuroSAT_RGB")
    (root / "EuroSAT_RGB/2750").rename(root / "EuroSAT_RGB/EuroSAT_RGB")
    status, lines = look(capsys, root, "eurosat", "oxford_flowers")
    assert status == 0 and "as in the paper" in lines[1]
    assert lines[-1].startswith("flowers102      not there")


def test_pictures_that_training_would_refuse_are_named_as_it_names_them(root, capsys, monkeypatch):
    folder = root / "eurosat/2750"
    (folder / "a/test 0.jpg").unlink()
    (folder / "a/test 1.jpg").write_bytes(b"")
    (folder / "b/val 0.jpg").write_bytes((folder / "b/val 1.jpg").read_bytes()[:-100])
    (folder / "b/val 1.jpg").write_text("<html>")
    (folder / "b/test 0.jpg").unlink()
    (folder / "b/test 0.jpg").mkdir()
    Image.effect_noise((40, 60), 60).save(folder / "b/test 1.jpg")
    for module in (survey, preprocess):
        monkeypatch.setattr(module, "MAX_PIXELS", 2000)
    status, lines = look(capsys, root, "eurosat")
    problems = [line.strip() for line in lines if "Cannot read" in line]
    assert status == 1 and len(problems) == 6 and "6 of them bad" in lines[-1]
    for problem in problems:
        with pytest.raises(ValueError) as caught:
            read_picture(problem.split("picture ")[1].split(": ")[0])
        assert problem == str(caught.value)
    status, lines = look(capsys, root, "eurosat", "--quick")
    assert status == 1 and "12 pictures looked for, 3 of them bad" in lines[-1]
    monkeypatch.setattr(survey, "SHOWN", 3)
    lines = look(capsys, root, "eurosat")[1]
    assert sum("Cannot read" in line for line in lines) == 3 and "... and 3 more" in lines[-2]
    assert sum("Cannot read" in line for line in look(capsys, root, "eurosat", "--all")[1]) == 6


def test_what_differs_from_the_paper_or_cannot_be_read_is_said(root, capsys, monkeypatch):
    assert look(capsys, root / "eurosat")[0] == 2  # nothing to look at
    with pytest.raises(SystemExit) as caught:
        look(capsys, root / "nowhere")
    assert caught.value.code == 2
    larger = BENCHMARKS["eurosat"]._replace(pictures=(4, 4, 5))
    with monkeypatch.context() as patch:
        patch.setitem(BENCHMARKS, "eurosat", larger)
        status, lines = look(capsys, root, "eurosat")
    assert status == 1 and "4/5   differs from the paper" in lines[1]
    (root / "oxford_pets/images").mkdir(parents=True)
    (root / "imagenet/images").mkdir(parents=True)
    status, lines = look(capsys, root)
    text = "\n".join(lines)
    assert status == 1 and "as in the paper" in text
    assert "split_zhou_OxfordPets.json is not there" in text
    assert "classnames.txt with ImageNet's class names is not there" in text
    assert "from https://image-net.org; split files: https://github.com/KaiyangZhou/CoOp" in text


def test_an_own_split_is_announced_and_never_written(root, capsys):
    (root / "eurosat/split_zhou_EuroSAT.json").unlink()
    status, lines = look(capsys, root, "eurosat")
    assert status == 0 and "an own split would be made" in lines[2]
    assert sorted(os.listdir(root / "eurosat")) == ["2750"]
    with pytest.warns(UserWarning, match="not comparable"):
        load_dataset("eurosat", root)
    assert "an own split is used" in look(capsys, root, "eurosat")[1][2]
    shutil.copytree(root / "eurosat/2750/a", root / "eurosat/2750/c")
    (root / "eurosat/split_own_EuroSAT.json").unlink()
    assert look(capsys, root, "eurosat")[0] == 1  # three classes are not the paper's two


def test_the_command_prints_names_that_are_not_text_escaped(root, capsys):
    names = ["\x1b[31mred\n.jpg", "caf\udce9.jpg"]
    rows = json.loads(json.dumps(ROWS))
    rows["test"][0][0], rows["test"][1][0] = (f"a/{name}" for name in names)
    (root / "eurosat/split_zhou_EuroSAT.json").write_text(json.dumps(rows))
    (root / "eurosat/2750/a/notes.txt").touch()
    done = subprocess.run([sys.executable, "-m", "clip_min.data", root, "eurosat"], cwd=ROOT,
                          capture_output=True, text=True)
    assert done.returncode == 1 and "RuntimeWarning" not in done.stderr
    assert "Traceback" not in done.stderr and done.stdout.replace("\n", "").isprintable()
    assert r"a/\x1b[31mred\n.jpg: there is no such file" in done.stdout
    assert r"caf\udce9.jpg: there is no such file" in done.stdout
