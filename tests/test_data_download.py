"""`python -m clip_min.data DATA --download NAME`, from a server on this computer."""

import errno
import hashlib
import io
import json
import os
import shutil
import signal
import tarfile
import threading
import zipfile
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from clip_min import download
from clip_min.data import BENCHMARKS, fetch, load_dataset, survey
from clip_min.data import download as data_download
from clip_min.data.__main__ import main
from clip_min.data.sources import SOURCES, Remote, Source
from clip_min.files import lock


class Server:
    """Serves `files`; breaks a connection after `cut_at` bytes; sends HTML for paths in `pages`."""

    def __init__(self):
        self.files, self.pages, self.asked, self.cut_at = {}, set(), [], None
        self.says_length, self.page_type = True, "text/html; charset=utf-8"
        self.odd = {}  # {path: a function that answers a request in another way}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        serve = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        serve.start()

    def answer(self, request):
        self.asked.append((request.path, request.headers.get("Range")))
        if request.path in self.odd:
            self.odd[request.path](request)
            return
        if request.path not in self.files:
            request.send_error(404)
            return
        content, start = self.files[request.path], 0
        is_page = request.path in self.pages
        if is_page:
            content = b"<!DOCTYPE html><title>Quota exceeded</title>"
        elif request.headers.get("Range"):
            start = int(request.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        request.send_response(206 if start else 200)
        request.send_header("Content-Type", self.page_type if is_page else "application/zip")
        if self.says_length:
            request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        try:
            request.wfile.write(content[start:][: self.cut_at])
        except ConnectionError:
            pass  # who only asks for the size does not wait for the rest


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download, "BLOCK", 4096)  # bytes: small, so that a test's file has several
    monkeypatch.setenv("no_proxy", "*")
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


def picture(seed=0):
    """The bytes of a small JPEG picture."""
    buffer = io.BytesIO()
    Image.effect_noise((40, 30), 60 + seed).save(buffer, "JPEG")
    return buffer.getvalue()


def zipped(files):
    """{path: bytes} → the bytes of a .zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return buffer.getvalue()


def tarred(files):
    """{path: bytes} → the bytes of a .tar.gz archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def sum_of(content, kind="sha256"):
    return f"{kind}:{hashlib.new(kind, content).hexdigest()}"


ROWS = {
    part: [
        [f"{name}/{part} {i}.jpg", label, name] for label, name in enumerate("ab") for i in (0, 1)
    ]
    for part in ("train", "val", "test")
}
PICTURES = {f"2750/{row[0]}": picture(i) for part in ROWS for i, row in enumerate(ROWS[part])}
ARCHIVE = zipped(PICTURES)


@pytest.fixture
def eurosat(server, monkeypatch):
    """A small EuroSAT on the server → its Source; it is "as in the paper"."""
    server.files["/EuroSAT.zip"] = ARCHIVE
    server.files["/split"] = json.dumps(ROWS).encode()
    source = Source(
        lists=(remote(server, "split_zhou_EuroSAT.json", "/split"),),
        archive=remote(server, "EuroSAT.zip", "/EuroSAT.zip", "md5"),
        inside="2750",
        becomes="2750",
    )
    monkeypatch.setitem(SOURCES, "eurosat", source)
    small = BENCHMARKS["eurosat"]._replace(classes=2, pictures=(4, 4, 4))
    monkeypatch.setitem(BENCHMARKS, "eurosat", small)
    return source


def remote(server, name, path, kind="sha256"):
    return Remote(name, server.url + path, sum_of(server.files[path], kind))


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
    assert status == 0
    assert "12 files in" in out and "as in the paper" in out and "0 of them bad" in out
    assert "EuroSAT.zip, 0 MB" in out and "https://github.com/phelber/EuroSAT (its terms" in out
    assert "EuroSAT.zip" in err
    assert len(load_dataset("eurosat", root).train) == 4
    assert not list(root.glob("downloads/*unpacking*"))
    assert f"The archives stay in {root / 'downloads'}" in out


def test_what_is_there_already_is_neither_asked_for_nor_changed(eurosat, server, tmp_path, capsys):
    get_eurosat(capsys, tmp_path)
    (tmp_path / "eurosat/2750/a/mine.jpg").write_bytes(picture())
    server.asked.clear()
    status, out, _ = get_eurosat(capsys, tmp_path)
    assert status == 0 and server.asked == [] and "are there already" in out
    assert (tmp_path / "eurosat/2750/a/mine.jpg").exists()


def test_the_split_file_goes_beside_pictures_that_lie_under_another_name(
    eurosat, server, tmp_path, capsys
):
    for path, content in PICTURES.items():
        target = tmp_path / "EuroSAT_RGB" / path.removeprefix("2750/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    status, out, _ = get_eurosat(capsys, tmp_path)
    assert status == 0 and "as in the paper" in out
    assert (tmp_path / "EuroSAT_RGB/split_zhou_EuroSAT.json").is_file()
    assert not (tmp_path / "eurosat").exists()


@pytest.mark.parametrize("answer, is_yes", [("y", True), ("YES", True), ("", False), ("n", False)])
def test_the_size_comes_first_and_then_a_question(
    eurosat, server, tmp_path, capsys, monkeypatch, answer, is_yes
):
    questions = []
    monkeypatch.setattr("builtins.input", lambda question: questions.append(question) or answer)
    status, out, _ = run(capsys, tmp_path, "--download", "eurosat")
    assert len(questions) == 1 and "of the disk, of which" in questions[0]
    assert (tmp_path / "eurosat/2750").is_dir() == is_yes
    assert status == (0 if is_yes else 1) and ("Nothing was downloaded" in out) != is_yes


def test_without_a_keyboard_the_answer_is_no(eurosat, tmp_path, capsys, monkeypatch):
    def no_keyboard(question):
        raise EOFError

    monkeypatch.setattr("builtins.input", no_keyboard)
    status, out, _ = run(capsys, tmp_path, "--download", "eurosat")
    assert status == 1 and "give --yes" in out and not (tmp_path / "eurosat").exists()


def test_a_disk_without_room_is_refused_before_the_question(
    eurosat, server, tmp_path, capsys, monkeypatch
):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, 40_000_000))
    status, _, err = get_eurosat(capsys, tmp_path)
    assert status == 2 and err.startswith("error: The disk of ")
    assert "is too small: about 0 MB are needed, and 40 MB are free" in err
    assert ("/EuroSAT.zip", None) in server.asked and not (tmp_path / "eurosat").exists()


def test_what_was_downloaded_already_is_not_counted_again(eurosat, server, tmp_path, monkeypatch):
    size = len(server.files["/EuroSAT.zip"])
    folder = tmp_path / "downloads"
    folder.mkdir()
    assert data_download.announce("eurosat", folder) == 2 * size
    (folder / "EuroSAT.zip.part").write_bytes(b"x" * 100)
    assert data_download.announce("eurosat", folder) == 2 * size - 100


def test_a_broken_connection_is_one_sentence_and_the_next_try_goes_on(
    eurosat, server, tmp_path, capsys
):
    server.cut_at = 5_000
    status, out, _ = get_eurosat(capsys, tmp_path)
    size = len(server.files["/EuroSAT.zip"])
    assert status == 2
    assert f"the connection broke after 5,000 of {size:,} bytes" in out.replace("\n", " ")
    assert "which goes on where it stopped" in out and "Traceback" not in out
    assert (tmp_path / "downloads/EuroSAT.zip.part").stat().st_size == 5_000
    server.cut_at = None
    server.asked.clear()
    status, out, _ = get_eurosat(capsys, tmp_path)
    assert status == 0 and ("/EuroSAT.zip", "bytes=5000-") in server.asked


def test_a_server_that_cannot_be_reached_is_one_sentence_and_does_not_stop_the_others(
    eurosat, server, tmp_path, capsys, monkeypatch
):
    gone = Source((), Remote("dtd.tar.gz", "http://127.0.0.1:9/dtd.tar.gz"), "images", "images")
    monkeypatch.setitem(SOURCES, "dtd", gone)
    status, out, _ = run(capsys, tmp_path, "--download", "dtd", "eurosat", "--yes")
    assert status == 2 and "dtd.tar.gz, of unknown size" in out
    assert "Cannot download http://127.0.0.1:9/dtd.tar.gz" in out
    assert f"put it there by hand: {tmp_path / 'downloads/dtd.tar.gz'}" in out
    assert "as in the paper" in out


def test_an_address_that_is_gone_does_not_say_try_again(eurosat, server, tmp_path, capsys):
    del server.files["/EuroSAT.zip"]
    status, out, _ = get_eurosat(capsys, tmp_path)
    problem = next(line for line in out.splitlines() if "404" in line)
    assert status == 2 and "does not give the file" in problem and "try again" not in problem
    assert f"put it there by hand: {tmp_path / 'downloads/EuroSAT.zip'}" in problem


def test_a_file_put_there_by_hand_is_used_without_its_server(eurosat, server, tmp_path, capsys):
    content = server.files.pop("/EuroSAT.zip")
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads/EuroSAT.zip").write_bytes(content)
    assert get_eurosat(capsys, tmp_path)[0] == 0


@pytest.mark.parametrize("path", ["/EuroSAT.zip", "/split"])
def test_a_wrong_sum_is_thrown_away_and_the_next_try_begins_anew(
    eurosat, server, tmp_path, capsys, path
):
    content = server.files[path]
    server.files[path] = content[:-1] + b"?"
    status, out, _ = get_eurosat(capsys, tmp_path)
    assert status == 2 and "is not what was expected" in out and "thrown away" in out
    assert not list(tmp_path.rglob("*.part"))
    server.files[path] = content
    assert get_eurosat(capsys, tmp_path)[0] == 0


def test_a_file_of_ones_own_with_another_sum_is_left_alone(eurosat, tmp_path, capsys):
    (tmp_path / "eurosat").mkdir()
    mine = tmp_path / "eurosat/split_zhou_EuroSAT.json"
    mine.write_text("{}")
    status, out, _ = get_eurosat(capsys, tmp_path)
    assert status == 2 and f"{mine} is not what was expected" in out and "move it away" in out
    assert mine.read_text() == "{}"


@pytest.mark.parametrize("says", ["text/html", "application/octet-stream"])
def test_a_web_page_in_place_of_a_file_is_recognised_and_a_part_is_kept(
    eurosat, server, tmp_path, capsys, says
):
    server.cut_at = 5_000
    get_eurosat(capsys, tmp_path)
    part = tmp_path / "downloads/EuroSAT.zip.part"
    begun = part.read_bytes()
    server.cut_at, server.page_type, server.pages = None, says, {"/EuroSAT.zip"}
    status, out, _ = get_eurosat(capsys, tmp_path)
    assert status == 2 and "sent a web page in place of EuroSAT.zip" in out
    assert f"in a browser, and put the file there: {tmp_path / 'downloads/EuroSAT.zip'}" in out
    if says == "text/html":
        assert part.read_bytes() == begun
    server.pages = set()
    assert get_eurosat(capsys, tmp_path)[0] == 0


# Odd answers, each for the same archive: one sentence, and the next try goes on


def send(status, headers=(), content=b""):
    """A status, headers and content → a function that answers a request with them."""

    def answer(request):
        request.send_response(status)
        for name, value in headers:
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)

    return answer


def in_chunks(content, end=b""):
    """Content → a function that answers a request in pieces of 1,000 bytes, without a length."""
    pieces = [content[start : start + 1000] for start in range(0, len(content), 1000)]
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)

    def answer(request):
        request.protocol_version = "HTTP/1.1"
        send(200, [("Transfer-Encoding", "chunked")], body + end)(request)

    return answer


ODD = {
    "403": (send(403), "does not give the file (403 Forbidden): get the file elsewhere"),
    "503": (send(503), "(Service Unavailable): try again, which goes on where it stopped"),
    "circle": (send(302, [("Location", "/EuroSAT.zip")]), "infinite loop. The last 30x"),
    "own disk": (send(302, [("Location", "file:///etc/passwd")]), "is not allowed): try again"),
    "no host": (send(302, [("Location", "http://a..b/")]), "Cannot download http://127"),
    "cut, and no length": (send(200, (), ARCHIVE[:5000]), "is not what was expected (md5"),
    "cut chunks": (in_chunks(ARCHIVE[:5500]), "(IncompleteRead("),
    "no chunks": (in_chunks(b"", b"zzz\r\n"), "(IncompleteRead("),
    "no HTTP": (lambda request: request.wfile.write(b"hello\r\n\r\n"), "(hello): try again"),
    "nothing": (lambda request: None, "closed connection without response): try again"),
    "a length of 5,000 digits": (send(200, [("Content-Length", "9" * 5000)]), "Cannot download"),
    "a length of 18 digits": (send(200, [("Content-Length", "9" * 18)]), "is too small: about"),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_answer_is_one_sentence_and_the_next_try_goes_on(
    eurosat, server, tmp_path, capsys, name
):
    server.odd["/EuroSAT.zip"], words = ODD[name]
    status, out, err = get_eurosat(capsys, tmp_path)
    assert not err or err.endswith("\n")  # the sentence has a line of its own
    (problem,) = [line for line in (out + err).splitlines() if words in line]
    assert status == 2 and problem.endswith(".") and "\\n" not in problem
    assert not (tmp_path / "eurosat/2750").exists()
    server.odd.clear()
    assert get_eurosat(capsys, tmp_path)[0] == 0


def test_an_answer_in_chunks_without_a_length_is_taken(eurosat, server, tmp_path, capsys):
    server.odd["/EuroSAT.zip"] = in_chunks(ARCHIVE, b"0\r\n\r\n")
    assert get_eurosat(capsys, tmp_path)[0] == 0


def test_an_archive_with_another_folder_says_where_the_pictures_belong(
    eurosat, server, tmp_path, capsys, monkeypatch
):
    server.files["/EuroSAT.zip"] = zipped({"EuroSAT_RGB/a/1.jpg": picture()})
    no_sum = eurosat.archive._replace(checksum="")
    monkeypatch.setitem(SOURCES, "eurosat", eurosat._replace(archive=no_sum))
    status, out, _ = get_eurosat(capsys, tmp_path)
    assert status == 2 and "holds no 2750: put another one in its place, or the pictures" in out
    assert "that holds eurosat/2750/" in out


def test_an_empty_folder_in_the_pictures_place_is_filled_at_once(
    eurosat, tmp_path, capsys, monkeypatch
):
    """All pictures in one step, so that a killed download leaves no half of them there."""
    (tmp_path / "eurosat/2750").mkdir(parents=True)
    moved, replace = [], os.replace

    def noting(source, target):
        moved.append(target)
        replace(source, target)

    monkeypatch.setattr(os, "replace", noting)
    assert get_eurosat(capsys, tmp_path)[0] == 0
    assert tmp_path / "eurosat/2750" in moved


@pytest.mark.parametrize("path", ["downloads/lock", "downloads/EuroSAT.zip", "eurosat"])
def test_a_place_that_cannot_be_written_is_one_sentence(eurosat, tmp_path, capsys, path):
    if path == "eurosat":
        (tmp_path / path).write_text("a file where a folder belongs")
    else:
        (tmp_path / path).mkdir(parents=True)
    status, out, err = get_eurosat(capsys, tmp_path)
    assert status == 2 and "cannot be written (" in out + err
    assert ("(found / in CoOp's Table 5)" in out) == (path != "downloads/lock")  # it went on


def test_a_page_of_google_drive_comes_with_the_link_to_open_by_hand(
    eurosat, server, tmp_path, capsys, monkeypatch
):
    page = "https://drive.google.com/file/d/KEY/view"
    on_drive = eurosat.lists[0]._replace(page=page)
    monkeypatch.setitem(SOURCES, "eurosat", eurosat._replace(lists=(on_drive,)))
    server.pages = {"/split"}
    _, out, _ = get_eurosat(capsys, tmp_path)
    assert "quota is used up" in out and f"open {page} in a browser" in out
    assert f"put the file there: {tmp_path / 'eurosat/split_zhou_EuroSAT.json'}" in out


def test_a_disk_that_fills_up_while_loading_is_one_sentence_and_the_part_stays(
    eurosat, server, tmp_path, capsys, monkeypatch
):
    load = download.download

    def full(url, part):
        if part.name == "EuroSAT.zip.part" and not part.exists():
            part.write_bytes(server.files["/EuroSAT.zip"][:3_000])
            raise OSError(errno.ENOSPC, "No space left on device")
        load(url, part)

    monkeypatch.setattr(download, "download", full)
    status, out, _ = get_eurosat(capsys, tmp_path)
    assert status == 2 and "cannot be written (No space left on device): make room" in out
    assert get_eurosat(capsys, tmp_path)[0] == 0
    assert ("/EuroSAT.zip", "bytes=3000-") in server.asked


def test_a_disk_that_fills_up_while_unpacking_leaves_nothing_half(
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
    assert status == 2 and "cannot be written (No space left on device): make room" in out
    assert not (tmp_path / "eurosat/2750").exists()
    assert sorted(path.name for path in (tmp_path / "downloads").iterdir()) == [
        "EuroSAT.zip",
        "lock",
    ]
    assert get_eurosat(capsys, tmp_path)[0] == 0


def test_what_a_kill_left_while_unpacking_is_begun_anew(eurosat, tmp_path, capsys):
    left = tmp_path / "downloads/eurosat.unpacking/a"
    left.mkdir(parents=True)
    (left / "half.jpg").write_bytes(b"")
    assert get_eurosat(capsys, tmp_path)[0] == 0
    assert not (tmp_path / "eurosat/2750/a/half.jpg").exists()


def test_ctrl_c_is_one_sentence(eurosat, tmp_path, capsys, monkeypatch):
    def interrupted(url, part):
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "download", interrupted)
    status, out, _ = get_eurosat(capsys, tmp_path)
    assert status == 130 and "The same command goes on from there" in out


def interrupt(path):
    """`problem_of` during which Ctrl-C is typed: the processes that open pictures get it, too."""
    os.kill(os.getpid(), signal.SIGINT)
    return ""


def test_ctrl_c_while_the_pictures_are_opened_is_one_sentence(
    eurosat, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(survey, "problem_of", interrupt)
    assert get_eurosat(capsys, tmp_path)[0] == 0  # only the main process obeys

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(survey, "problems_of", interrupted)
    status, out, _ = get_eurosat(capsys, tmp_path)
    assert status == 130 and "The same command goes on from there" in out
    status, out, _ = run(capsys, tmp_path, "eurosat")
    assert status == 130 and out.endswith("\nStopped.\n")  # nothing is kept of a look


def test_two_downloads_into_one_folder_do_not_meet(eurosat, tmp_path, capsys):
    (tmp_path / "downloads").mkdir()
    with lock(tmp_path / "downloads/lock"):
        status, _, err = get_eurosat(capsys, tmp_path)
    assert status == 2 and "is running: wait until it ends" in err and err.count("\n") == 1


def test_an_archive_in_an_archive_is_unpacked_and_checked(server, tmp_path, capsys, monkeypatch):
    inner = tarred({f"101_ObjectCategories/{name}/1.jpg": picture() for name in "ab"})
    junk = {"__MACOSX/caltech-101/x": b"", "caltech-101/Annotations.tar": b"a"}
    path = "caltech-101/101_ObjectCategories.tar.gz"
    server.files["/c.zip"] = zipped({**junk, path: inner})
    source = SOURCES["caltech101"]
    outer = remote(server, "caltech-101.zip", "/c.zip")
    wrapped = source.wrapped._replace(checksum=sum_of(inner, "md5"))
    monkeypatch.setitem(
        SOURCES, "caltech101", source._replace(lists=(), archive=outer, wrapped=wrapped)
    )
    folder = tmp_path / "downloads"
    folder.mkdir()
    assert data_download.get("caltech101", folder)
    found = {path.name for path in (tmp_path / "caltech-101/101_ObjectCategories").iterdir()}
    assert found == {"a", "b"} and list((tmp_path / "caltech-101").iterdir()) == [
        tmp_path / "caltech-101/101_ObjectCategories"
    ]
    shutil.rmtree(tmp_path / "caltech-101")
    wrong = wrapped._replace(checksum="md5:0")
    monkeypatch.setitem(
        SOURCES, "caltech101", source._replace(lists=(), archive=outer, wrapped=wrong)
    )
    assert sorted(os.listdir(folder)) == ["caltech-101.zip"]
    assert not data_download.get("caltech101", folder)
    assert "holds another archive than expected" in capsys.readouterr().out
    assert not (tmp_path / "caltech-101").exists()


def test_aircraft_come_with_their_lists_and_the_pictures_last(
    server, tmp_path, capsys, monkeypatch
):
    data = "fgvc-aircraft-2013b/data"
    server.files["/a.tar.gz"] = tarred(
        {
            f"{data}/images/0034309.jpg": picture(),
            f"{data}/variants.txt": b"707-320\n",
            "fgvc-aircraft-2013b/README.md": b"",
        }
    )
    source = SOURCES["fgvc_aircraft"]
    archive = source.archive._replace(url=server.url + "/a.tar.gz")
    monkeypatch.setitem(SOURCES, "fgvc_aircraft", source._replace(archive=archive))
    folder = tmp_path / "downloads"
    folder.mkdir()
    (tmp_path / "fgvc_aircraft").mkdir()
    (tmp_path / "fgvc_aircraft/variants.txt").write_text("mine\n")
    assert data_download.get("fgvc_aircraft", folder)
    assert (tmp_path / "fgvc_aircraft/images/0034309.jpg").is_file()
    assert (tmp_path / "fgvc_aircraft/variants.txt").read_text() == "mine\n"


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


@pytest.mark.parametrize("name", ["imagenet", "stanford_cars", "imagenet_a", "imagenet_r"])
def test_what_a_program_cannot_get_says_how_by_hand_and_gets_the_lists(
    server, tmp_path, capsys, monkeypatch, name
):
    source = SOURCES[name]
    content = b"n01 tench\n" * 1000
    server.files["/list"] = content
    here = source.lists[0]._replace(url=server.url + "/list", checksum="")
    if name == "stanford_cars":
        here = here._replace(checksum=sum_of(content))
    monkeypatch.setitem(SOURCES, name, source._replace(lists=(here,)))
    status, out, _ = run(capsys, tmp_path, "--download", name, "--yes")
    assert status == 2 and "to be had by hand only" in out
    assert f"By hand: {source.by_hand}, below {tmp_path}." in out
    assert (tmp_path / BENCHMARKS[name].folder / here.name).read_bytes() == content


def test_a_list_of_class_names_that_was_cut_is_thrown_away_and_had_anew(
    server, tmp_path, capsys, monkeypatch
):
    here = SOURCES["imagenet"].lists[0]._replace(url=server.url + "/list")
    monkeypatch.setitem(SOURCES, "imagenet", SOURCES["imagenet"]._replace(lists=(here,)))
    server.odd["/list"] = send(200, (), b"n01 tench\n" * 999)  # and no length
    server.files["/list"] = b"n01 tench\n" * 1000
    _, out, _ = run(capsys, tmp_path, "--download", "imagenet", "--yes")
    assert "(1000: 999), and was thrown away: try again" in out
    server.odd.clear()
    run(capsys, tmp_path, "--download", "imagenet", "--yes")
    assert (tmp_path / "imagenet/classnames.txt").read_bytes() == server.files["/list"]


PICTURE_FOLDERS = {  # as CoOp's DATASETS.md prescribes
    "eurosat": "eurosat/2750",
    "caltech101": "caltech-101/101_ObjectCategories",
    "dtd": "dtd/images",
    "flowers102": "oxford_flowers/jpg",
    "oxford_pets": "oxford_pets/images",
    "food101": "food-101/images",
    "fgvc_aircraft": "fgvc_aircraft/images",
    "sun397": "sun397/SUN397",
    "ucf101": "ucf101/UCF-101-midframes",
    "imagenetv2": "imagenetv2/imagenetv2-matched-frequency-format-val",
}


def test_one_command_and_one_question_bring_all_that_a_program_can_get(
    server, tmp_path, capsys, monkeypatch
):
    """Archives with the folders that the real ones have, at addresses on this computer."""
    for name in PICTURE_FOLDERS:
        source, is_aircraft = SOURCES[name], name == "fgvc_aircraft"
        inside = f"{source.inside}/images" if is_aircraft else source.inside
        content, changes = {f"{inside}/a/1.jpg": picture()}, {}
        if source.wrapped:
            inner = tarred(content)
            content = {source.wrapped.name: inner}
            changes["wrapped"] = source.wrapped._replace(checksum=sum_of(inner, "md5"))
        pack = zipped if source.archive.name.endswith(".zip") else tarred
        server.files[f"/{name}"] = pack(content)
        changes["archive"] = remote(server, source.archive.name, f"/{name}")
        monkeypatch.setitem(SOURCES, name, source._replace(lists=(), **changes))
    questions = []
    monkeypatch.setattr("builtins.input", lambda question: questions.append(question) or "y")
    _, out, _ = run(capsys, tmp_path, "--download", *PICTURE_FOLDERS)
    sizes, _, rest = out.partition("eurosat ...")
    assert len(questions) == 1 and rest.count("1 files in") == len(PICTURE_FOLDERS)
    for name, folder in PICTURE_FOLDERS.items():
        assert f"{SOURCES[name].archive.name}, 0 MB" in sizes
        assert (tmp_path / folder / "a/1.jpg").is_file(), name


def test_a_size_that_no_server_says_is_not_called_0_mb(eurosat, server, tmp_path, monkeypatch):
    questions, server.says_length = [], False
    monkeypatch.setattr("builtins.input", lambda question: questions.append(question) or "n")
    assert main([str(tmp_path), "--download", "eurosat"]) == 1
    assert questions[0].startswith("An unknown part of the disk, of which")


def test_coops_names_and_eleven_are_understood_and_others_refused(tmp_path, capsys, monkeypatch):
    wanted = []
    monkeypatch.setattr(
        "clip_min.data.__main__.is_agreed", lambda root, names, yes: wanted.append(names)
    )
    for names in (["oxford_flowers", "describable_textures", "dtd"], ["eleven"]):
        assert run(capsys, tmp_path, "--download", *names)[0] == 1
    assert wanted[0] == ["flowers102", "dtd"] and len(wanted[1]) == 11
    with pytest.raises(SystemExit):
        main([str(tmp_path), "--download", "eurosatt"])
    assert "there is no benchmark 'eurosatt'" in capsys.readouterr().err


def test_each_benchmark_has_a_source_in_coops_layout():
    assert list(SOURCES) == list(BENCHMARKS)
    for name, source in SOURCES.items():
        benchmark = BENCHMARKS[name]
        names = [remote.name for remote in source.lists]
        expected = [benchmark.split] if benchmark.split else ["classnames.txt"]
        assert names == ([] if name == "fgvc_aircraft" else expected)
        assert bool(source.archive) != bool(source.by_hand)
        if source.archive:
            assert source.becomes == ("" if name == "fgvc_aircraft" else benchmark.images)
        remotes = [*source.lists, *filter(None, [source.archive, source.wrapped])]
        lengths = {"": 0, "md5": 32, "sha256": 64}
        for each in remotes:
            kind, _, digest = each.checksum.partition(":")
            assert len(digest) == lengths[kind] and each.url.startswith(("https://", "http://"))


def test_a_length_that_is_not_a_number_is_an_unknown_size(eurosat, server, tmp_path):
    server.says_length = False
    assert fetch.size_on_server(eurosat.archive, tmp_path) == 0


def test_a_folder_that_cannot_be_made_is_one_sentence(eurosat, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    status, _, err = get_eurosat(capsys, tmp_path / "file")
    assert status == 2 and "cannot be written" in err and err.count("\n") == 1


@pytest.mark.parametrize(
    "module, name", [(data_download, "announce"), (data_download, "get"), (survey, "look_at")]
)
def test_a_pipe_that_nobody_reads_is_one_sentence_and_not_taken_for_the_disk(
    eurosat, tmp_path, capsys, monkeypatch, module, name
):
    def closed(*_):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(module, name, closed)
    status, _, err = get_eurosat(capsys, tmp_path)
    assert status == 2 and err.endswith("error: [Errno 32] Broken pipe\n")
