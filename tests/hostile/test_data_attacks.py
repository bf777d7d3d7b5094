"""Archives, servers, split files, folders and pictures that are wrong on purpose or by accident.

Each is one sentence; nothing is written outside its place; no program is started.
"""

import gzip
import hashlib
import io
import json
import os
import shutil
import stat
import struct
import subprocess
import sys
import tarfile
import warnings
import zipfile
import zlib
from pathlib import Path

import pytest
from PIL import Image

from clip_min import download, preprocess
from clip_min.data import load_dataset
from clip_min.data import unpack as unpack_file
from clip_min.data.unpack import unpack
from clip_min.preprocess import read_picture
from tests.data_helpers import ROWS, noting, refusal, touch, tree, write_eurosat
from tests.servers import Server

ROOT = Path(__file__).parents[2]


# --- archives


def make_zip(path, *members):
    """A .zip of (name, content) or (name, content, mode)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, *mode in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if mode:
                info.external_attr = mode[0] << 16
            archive.writestr(info, content)
    return path


def make_tar(path, *members):
    """A .tar.gz of (name, content) or (name, link target, type)."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content, *kind in members:
            member = tarfile.TarInfo(name)
            if kind:
                member.type, member.linkname = kind[0], content
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture(params=[("a.zip", make_zip), ("a.tar.gz", make_tar)], ids=["zip", "tar"])
def make(request, tmp_path):
    """A function from members to an archive, of both kinds."""
    name, maker = request.param
    return lambda *members: maker(tmp_path / name, *members)


def files_below(folder):
    """{path below the folder: content}."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def refused(archive, target):
    """The sentence with which an archive is refused; nothing was written."""
    with pytest.raises(ValueError) as caught:
        unpack(archive, "x", target)
    message = str(caught.value)
    assert not target.exists() and "\n" not in message
    assert message.endswith("try again." if "is damaged" in message else "by hand.")
    assert message.startswith(f"The archive {archive} ")
    return message


def test_a_path_that_leaves_the_folder_is_refused_and_nothing_is_kept(make, tmp_path):
    names = ["../x/evil", "x/../../evil", "/x/evil", "x/..\\..\\evil", "C:/x/evil", "C:x/evil",
             "\\\\server\\share\\x\\evil", "\\x\\evil", "x/ok/../../../evil", "../\x1b[31mevil",
             "x/C:/evil",  # on Windows the folder C:evil,
             "x/.. /evil"]  # and here "..": it drops spaces at the end
    for name in names:
        archive = make(("x/good.jpg", b"1"), (name, b"evil"))
        assert "leaves its folder" in refused(archive, tmp_path / "out"), name
        assert not list(tmp_path.parent.rglob("*evil"))


def test_links_and_devices_are_neither_made_nor_followed(tmp_path, capsys):
    outside = tmp_path / "outside"
    outside.mkdir()
    kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE)
    for kind in kinds:
        for target in ("/etc/passwd", "../../evil", "good.jpg"):
            archive = make_tar(
                tmp_path / "a.tar.gz", ("x/good.jpg", b"1"), ("x/link", target, kind),
                ("x/out", str(outside), tarfile.SYMTYPE), ("x/out/evil", b"evil"))
            assert unpack(archive, "x", tmp_path / "out") == 2
            assert not list(outside.iterdir())
            assert "2 links or devices left out" in capsys.readouterr().err
            assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))
            assert files_below(tmp_path / "out") == {"good.jpg": b"1", "out/evil": b"evil"}
            shutil.rmtree(tmp_path / "out")
    link = ("x/link", b"/etc", stat.S_IFLNK | 0o777)
    archive = make_zip(tmp_path / "a.zip", ("x/1.sh", b"1", 0o104777), link)
    assert unpack(archive, "x", tmp_path / "out") == 1
    assert files_below(tmp_path / "out") == {"1.sh": b"1"}
    assert not os.access(tmp_path / "out/1.sh", os.X_OK)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_two_members_with_one_name_the_later_one_counts(make, tmp_path):
    unpack(make(("x/1.jpg", b"earlier"), ("x/1.jpg", b"last")), "x", tmp_path / "out")
    assert files_below(tmp_path / "out") == {"1.jpg": b"last"}


def test_what_unpacks_to_far_more_than_its_size_is_refused(make, tmp_path, monkeypatch):
    monkeypatch.setattr(unpack_file, "MOST_EXTRA", 1000)
    vast = bytes(100_000)
    for members in ([("x/1.jpg", vast)], [("y/1.jpg", vast), ("x/1.jpg", b"1")]):
        assert "would unpack to more than" in refused(make(*members), tmp_path / "out")
    monkeypatch.setattr(unpack_file, "MOST_EXTRA", 200_000)
    assert unpack(make(("x/1.jpg", vast)), "x", tmp_path / "out") == 1
    monkeypatch.setattr(unpack_file, "MOST_MEMBERS", 3)
    many = make(*((f"z/{i}", b"") for i in range(5)))
    assert "a million files" in refused(many, tmp_path / "none")


def test_a_negative_size_does_not_buy_room_for_another_file(tmp_path, monkeypatch):
    monkeypatch.setattr(unpack_file, "MOST_EXTRA", 1000)
    claims = [("y/1", -(10**12), True, None), ("x/1", 10**9, True, lambda: io.BytesIO(b""))]
    monkeypatch.setattr(unpack_file, "members", lambda archive: iter(claims))
    assert "would unpack to more" in refused(make_tar(tmp_path / "a.tar.gz"), tmp_path / "out")


def test_a_header_of_two_gigabytes_is_refused_before_it_is_read(tmp_path):
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 2 << 30
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(header.tobuf() + bytes(100_000)))
    assert "has a header of more than 17 MB" in refused(tmp_path / "a.tar.gz", tmp_path / "out")


def test_damaged_and_contradictory_archives_are_one_sentence(make, tmp_path):
    assert "holds no x" in refused(make(("y/1.jpg", b"1")), tmp_path / "out")
    for names in (("x/a", "x/a/b"), ("x/a/b", "x/a"), ("x/" + "n" * 300,)):
        archive = make(*((name, b"1") for name in names))
        assert "is damaged" in refused(archive, tmp_path / "out")
    archive = make(*((f"x/{i}.jpg", os.urandom(3000)) for i in range(20)))
    content = archive.read_bytes()
    damaged = [b"", b"PK", b"\x1f\x8b", b"<html>", content[:1000], content[:-2000], content[500:],
               content[:30_000] + os.urandom(3000) + content[33_000:], content[:-8] + bytes(8)]
    for bad in damaged:
        archive.write_bytes(bad)
        message = refused(archive, tmp_path / "out")
        assert "is damaged" in message or "holds no x" in message


# --- servers


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


CONTENT = bytes(range(256)) * 100
ODD = {
    "a circle": (send(302, [("Location", "/a")]), "infinite loop. The last 30x"),
    "the own disk": (send(302, [("Location", "file:///etc/passwd")]), "is not allowed): try again"),
    "no host": (send(302, [("Location", "http://a..b/")]), "Cannot download http://127"),
    "cut, and no length": (send(200, (), CONTENT[:5000]), "is not what was expected (MD5"),
    "cut chunks": (in_chunks(CONTENT[:5500]), "(IncompleteRead("),
    "no chunks": (in_chunks(b"", b"zzz\r\n"), "(IncompleteRead("),
    "no HTTP": (lambda request: request.wfile.write(b"hello\r\n\r\n"), "(hello): try again"),
    "nothing": (lambda request: None, "closed connection without response): try again"),
    "a length of 5,000 digits": (send(200, [("Content-Length", "9" * 5000)]), "Cannot download"),
    "a length of 18 digits": (send(200, [("Content-Length", "9" * 18)], CONTENT), "broke after"),
}


def test_an_odd_answer_is_one_sentence_and_the_next_try_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(download, "BLOCK", 4096)
    monkeypatch.setenv("no_proxy", "*")
    server, md5 = Server(), hashlib.md5(CONTENT).hexdigest()
    server.files["/a"] = CONTENT
    for name, (answer, words) in ODD.items():
        server.odd["/a"] = answer
        path = tmp_path / name / "a"
        with pytest.raises(ValueError) as refused:
            download.fetch(server.url + "/a", path, md5)
        message = str(refused.value)
        assert words in message and message.endswith(".") and "\n" not in message, name
        err = capsys.readouterr().err
        assert not err or err.endswith("\n")  # the sentence gets a line of its own
        server.odd.clear()
        assert download.fetch(server.url + "/a", path, md5).read_bytes() == CONTENT
    server.odd["/b"] = in_chunks(CONTENT, b"0\r\n\r\n")  # whole, without a length
    assert download.fetch(server.url + "/b", tmp_path / "b", md5).read_bytes() == CONTENT
    capsys.readouterr()
    for server.length in ("many", "-1", "1e5", "\u0663".encode().decode("latin-1"), " "):
        path = download.fetch(server.url + "/a", tmp_path / repr(server.length), md5)
        assert path.read_bytes() == CONTENT and "of ? MB" in capsys.readouterr().err
        assert download.size_on_server(server.url + "/a") == 0
    server.http.shutdown()
    server.http.server_close()


# --- split files, lists and folders


LISTS = 'must be an object with the lists "train", "val" and "test"'
FORM, LEAVES = "make it [path, label, class name]", "leaves the picture folder"
BAD_FILES = [
    ([], LISTS), ({"train": [], "val": []}, LISTS), ({**ROWS, "val": {"a": 1}}, LISTS),
    ({**ROWS, "test": [["a/0.jpg", 0, "lake"]]}, "gives label 0 two names, 'a' and 'lake'"),
    ({**ROWS, "val": [["c.jpg", 3, "c"]]}, "label 3 is there, but label 2 is not"),
    ({**ROWS, "val": [["c.jpg", -1, "c"]]}, "label -1 is negative"),
    ({"train": [["a", 0, "a"]], "val": [], "test": []}, "needs at least two classes, not 1"),
    ({"train": [], "val": [], "test": []}, "needs at least two classes, not 0"),
]
BAD_ROWS = [
    (["a.png", 0], FORM), (["a.png", "0", "a"], FORM), (["a.png", True, "b"], FORM), ("abc", FORM),
    ([1, 0, "a"], FORM), (["a.png", 0.0, "a"], FORM), (["a.png", None, "a"], FORM), (None, FORM),
    (["a.png", 0, "a", 1], FORM), ({"path": "a.png"}, FORM), (["a" * 1_000_000, "0", "a"], FORM),
    (["a.png", 0, ""], "give its class a name"), (["a.png", 0, " _ "], "give its class a name"),
    (["a.png", 0, "\ud800"], "its class name is not UTF-8"),
    (["", 0, "a"], "its path names no file"), (["/", 0, "a"], "its path names no file"),
    (["a\0.png", 0, "a"], "its path names no file"),
    (["../../secret.png", 0, "a"], LEAVES), (["0\\..\\secret.png", 0, "a"], LEAVES),
    (["C:/secret.png", 0, "a"], LEAVES), (["\\secret.png", 0, "a"], LEAVES),
    (["/\\secret.png", 0, "a"], LEAVES), (["\\\\server\\share\\a.png", 0, "a"], LEAVES),
    (["a/b/../../../c.png", 0, "a"], LEAVES),
    (["a.png", 10**300, "c"], "numbers its 3 classes not from 0 upwards"),
    ([ROWS["train"][0][0], 1, "b"], "gives the picture 'a/train 0.jpg' two labels, 0 and 1"),
]


def test_a_split_file_that_contradicts_itself_is_one_sentence(tmp_path):
    split_file = write_eurosat(tmp_path, pictures=False)
    bad = BAD_FILES + [({**ROWS, "val": [row]}, problem) for row, problem in BAD_ROWS]
    for rows, problem in bad:
        split_file.write_text(json.dumps(rows))
        message = refusal("eurosat", tmp_path)
        assert str(split_file) in message and problem in message, problem
        assert len(message) < 1000
    for content in (b"", b'{"train": [', b"\xff\xfe\x00", b"[" * 100_000):
        split_file.write_bytes(content)
        assert f"{split_file} is not readable as JSON" in refusal("eurosat", tmp_path)


def test_names_with_control_characters_reach_no_terminal(tmp_path):
    bad = "\x1b[31mred\n\x07\u202e"
    try:
        tree(tmp_path / bad, ("a", bad))
    except OSError:
        pytest.skip("this file system does not take such names")
    touch(tmp_path / bad, f"{bad}/1.x{bad}")
    with noting() as notes:
        assert load_dataset(tmp_path / bad).classnames[0] == bad
    assert "1 file .x" in notes[0]
    tree(tmp_path / "eurosat/2750", ("a", "b"))
    touch(tmp_path / "eurosat/2750", f"a/1.x{bad}")
    command = [sys.executable, "-m", "clip_min.data", tmp_path, "eurosat", "--quick"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert r"note: Left out in " in done.stderr and r"1 file .x\x1b[31mred\n\x07" in done.stderr
    assert (done.stdout + done.stderr).replace("\r", "").replace("\n", "").isprintable()


# --- pictures


def png_of_zeros(width, height, depth):
    """A grey PNG of any size in few bytes."""
    row, pack = bytes(1 + width * depth // 8), zlib.compressobj(9)
    data = b"".join(pack.compress(row) for _ in range(height)) + pack.flush()
    header = struct.pack(">LLBBBBB", width, height, depth, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n"
    for kind, content in ((b"IHDR", header), (b"IDAT", data), (b"IEND", b"")):
        body = kind + content
        png += struct.pack(">L", len(content)) + body + struct.pack(">L", zlib.crc32(body))
    return png


def unread(path):
    """The sentence with which a picture is refused."""
    with pytest.raises(ValueError) as refused:
        read_picture(path)
    message = str(refused.value)
    assert message.startswith(f"Cannot read the picture {path}: ") and message.endswith(".")
    assert "\n" not in message.replace(str(path), "")
    return message


def test_postscript_starts_no_ghostscript_whatever_it_is_called(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(shutil, "which", refuse)
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
    for name in ("x.jpg", "x.png", "x.eps"):
        (tmp_path / name).write_bytes(script)
        assert "cannot identify image file (read are JPEG, " in unread(tmp_path / name)
    Image.new("RGB", (9, 9)).save(tmp_path / "x.jpg", "TGA")
    assert "cannot identify image file" in unread(tmp_path / "x.jpg")


def test_a_picture_of_too_many_pixels_is_refused_before_they_are_decoded(tmp_path, monkeypatch):
    (tmp_path / "x.png").write_bytes(png_of_zeros(50, 40, 16))
    assert read_picture(tmp_path / "x.png").size == (50, 40)
    monkeypatch.setattr(preprocess, "MAX_PIXELS", 1999)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda image: pytest.fail("decoded"))
    assert "50 x 40 pixels are too many" in unread(tmp_path / "x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 900)
    assert "decompression bomb" in unread(tmp_path / "x.png")


def test_a_small_file_of_16_bits_does_not_fill_the_memory(tmp_path):
    """50 kB, 25 million pixels: as 8-byte numbers, 200 MB for each copy of them."""
    pytest.importorskip("resource")
    (tmp_path / "x.png").write_bytes(png_of_zeros(5000, 5000, 16))
    code = (
        "import resource, sys; from clip_min.preprocess import read_picture\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak(); read_picture(sys.argv[1]); print(peak() - before)"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path / "x.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert int(done.stdout) < 300_000  # kilobytes: 50 MB of 16 bits, 25 of 8 bits, 100 of RGB


def exif_of(*entry):
    return b"\x08\0\0\0\x01\0" + struct.pack(*entry)


def test_exif_stops_no_picture_and_what_is_unreadable_is_none(tmp_path, monkeypatch):
    odd_tag = struct.pack("<HHLHH HHLL L ll", 0x112, 3, 1, 6, 0, 0x11A, 10, 1, 38, 0, -1, 0)
    cases = [
        (b"\x08\0\0\0\x02\0" + odd_tag, (40, 60)),  # a resolution of -1 / 0 behind it
        (exif_of("<HHLHHL", 0x112, 3, 1, 6, 0, 0), (40, 60)),
        (exif_of("<HHLLL", 0x112, 2, 4, 0x30, 0), (60, 40)),  # text
        (exif_of("<HHLHHL", 0x112, 3, 1, 9, 0, 0), (60, 40)),
        (exif_of("<HHLHHL", 0x112, 3, 1, 0, 0, 0), (60, 40)),
        (exif_of("<HHLL", 0x112, 5, 2**31, 2**31), (60, 40)),
        (b"\xff\xff\xff\xff", (60, 40)), (b"\x08\0", (60, 40)), (b"", (60, 40)),
    ]
    heads = [(b"Exif\0\0II*\0" + exif, size) for exif, size in cases]
    for exif, size in [*heads, (b"Exif\0\0garbage", (60, 40))]:
        Image.new("RGB", (60, 40)).save(tmp_path / "x.jpg", exif=exif)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # and Pillow's notes on damaged tags are not shown
            assert read_picture(tmp_path / "x.jpg").size == size

    def stumble(image):
        raise struct.error("argument out of range")

    monkeypatch.setattr(Image.Image, "getexif", stumble)
    assert read_picture(tmp_path / "x.jpg").size == (60, 40)
