"""Archives are unpacked safely: nothing outside the folder, no links, nothing of unbounded size."""

import gzip
import io
import os
import stat
import tarfile
import zipfile

import pytest

from clip_min.data import unpack as unpack_file
from clip_min.data.unpack import move_into, unpack


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


MAKERS = {"a.zip": make_zip, "a.tar.gz": make_tar}


def files_below(folder):
    """{path below the folder: content}."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture(params=MAKERS)
def make(request, tmp_path):
    """A function from members to an archive, of both kinds."""
    return lambda *members: MAKERS[request.param](tmp_path / request.param, *members)


def refused(archive, target, inside="x"):
    """The sentence with which an archive is refused; nothing was written."""
    with pytest.raises(ValueError) as caught:
        unpack(archive, inside, target)
    message = str(caught.value)
    assert not target.exists() and "\n" not in message
    assert message.endswith("try again." if "is damaged" in message else "by hand.")
    assert message.startswith(f"The archive {archive} ")
    return message


@pytest.mark.parametrize("prefix", ["", "./", "deep/er/"])
def test_one_folder_of_an_archive_is_kept_wherever_it_lies(make, tmp_path, prefix):
    archive = make(
        (f"{prefix}x/a/1.jpg", b"1"),
        (f"{prefix}x/2.txt", b"2"),
        (f"{prefix}y/3.jpg", b"3"),
        (f"{prefix}x/a/._1.jpg", b"4"),
        ("__MACOSX/x/a/5.jpg", b"5"),
    )
    expected = {"a/1.jpg": b"1", "2.txt": b"2"}
    assert unpack(archive, "x", tmp_path / "out") in (2, 3)
    assert files_below(tmp_path / "out").items() >= expected.items()
    assert "a/._1.jpg" not in files_below(tmp_path / "out")


def test_a_file_of_an_archive_may_be_kept_alone(make, tmp_path):
    archive = make(("x/in.tar", b"inner"), ("x/other", b""))
    assert unpack(archive, "x/in.tar", tmp_path / "out") == 1
    assert (tmp_path / "out").read_bytes() == b"inner"


@pytest.mark.parametrize(
    "name",
    [
        "../x/evil",
        "x/../../evil",
        "/x/evil",
        "x/..\\..\\evil",
        "C:/x/evil",
        "C:x/evil",
        "\\\\server\\share\\x\\evil",
        "\\x\\evil",
        "x/ok/../../../evil",
        "x/C:/evil",  # on Windows the folder C:evil,
        "x/.. /evil",  # and here "..": it drops spaces at the end
    ],
)
def test_a_path_that_leaves_the_folder_is_refused_and_nothing_is_kept(make, tmp_path, name):
    archive = make(("x/good.jpg", b"1"), (name, b"evil"))
    assert "leaves its folder" in refused(archive, tmp_path / "out")
    assert not list(tmp_path.parent.rglob("evil"))


@pytest.mark.parametrize("target", ["/etc/passwd", "../../evil", "good.jpg"])
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_of_a_tar_are_not_made_nor_followed(tmp_path, capsys, kind, target):
    outside = tmp_path / "outside"
    outside.mkdir()
    archive = make_tar(
        tmp_path / "a.tar.gz",
        ("x/good.jpg", b"1"),
        ("x/link", target, kind),
        ("x/out", str(outside), tarfile.SYMTYPE),
        ("x/out/evil", b"evil"),
    )
    assert unpack(archive, "x", tmp_path / "out") == 2
    assert not list(outside.iterdir()) and "2 links left out" in capsys.readouterr().err
    assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))
    assert files_below(tmp_path / "out") == {"good.jpg": b"1", "out/evil": b"evil"}


def test_links_of_a_zip_are_not_made(tmp_path, capsys):
    archive = make_zip(
        tmp_path / "a.zip", ("x/1.jpg", b"1"), ("x/link", b"/etc", stat.S_IFLNK | 0o777)
    )
    assert unpack(archive, "x", tmp_path / "out") == 1
    assert files_below(tmp_path / "out") == {"1.jpg": b"1"}
    assert "1 links left out" in capsys.readouterr().err


@pytest.mark.parametrize("kind", [tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE])
def test_devices_are_not_made(tmp_path, kind):
    archive = make_tar(tmp_path / "a.tar.gz", ("x/1.jpg", b"1"), ("x/device", "", kind))
    assert unpack(archive, "x", tmp_path / "out") == 1
    assert os.listdir(tmp_path / "out") == ["1.jpg"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_two_members_with_one_name_the_later_one_counts(make, tmp_path):
    unpack(make(("x/1.jpg", b"earlier"), ("x/1.jpg", b"last")), "x", tmp_path / "out")
    assert files_below(tmp_path / "out") == {"1.jpg": b"last"}


def test_files_of_the_archive_are_not_made_executable(tmp_path):
    archive = make_zip(tmp_path / "a.zip", ("x/1.sh", b"1", 0o104777))
    unpack(archive, "x", tmp_path / "out")
    assert not os.access(tmp_path / "out/1.sh", os.X_OK)


def test_what_unpacks_to_far_more_than_its_size_is_refused(make, tmp_path, monkeypatch):
    monkeypatch.setattr(unpack_file, "MOST_EXTRA", 1000)
    archive = make(("x/1.jpg", bytes(100_000)))
    assert "would unpack to more than" in refused(archive, tmp_path / "out")
    monkeypatch.setattr(unpack_file, "MOST_EXTRA", 200_000)
    assert unpack(archive, "x", tmp_path / "out") == 1


def test_what_lies_beside_the_kept_folder_counts_too(make, tmp_path, monkeypatch):
    monkeypatch.setattr(unpack_file, "MOST_EXTRA", 1000)
    archive = make(("y/1.jpg", bytes(100_000)), ("x/1.jpg", b"1"))
    assert "would unpack to more than" in refused(archive, tmp_path / "out")


def test_a_header_of_two_gigabytes_is_refused_before_it_is_read(tmp_path):
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 2 << 30
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(header.tobuf() + bytes(100_000)))
    assert "has a header of more than 17 MB" in refused(tmp_path / "a.tar.gz", tmp_path / "out")


def test_an_archive_of_too_many_files_is_refused(make, tmp_path, monkeypatch):
    monkeypatch.setattr(unpack_file, "MOST_MEMBERS", 3)
    assert "a million files" in refused(
        make(*((f"x/{i}", b"") for i in range(5))), tmp_path / "out"
    )


def test_an_archive_without_the_folder_is_refused(make, tmp_path):
    assert "holds no x" in refused(make(("y/1.jpg", b"1")), tmp_path / "out")


def test_damaged_archives_are_one_sentence(make, tmp_path):
    archive = make(*((f"x/{i}.jpg", os.urandom(3000)) for i in range(20)))
    content = archive.read_bytes()
    damaged = [b"", b"PK", b"\x1f\x8b", b"<html>", content[:1000], content[:-2000], content[500:]]
    damaged.append(content[:30_000] + os.urandom(3000) + content[33_000:])
    for bad in damaged:
        archive.write_bytes(bad)
        message = refused(archive, tmp_path / "out")
        assert "is damaged" in message or "holds no x" in message


@pytest.mark.parametrize("names", [("x/a", "x/a/b"), ("x/a/b", "x/a"), ("x/" + "n" * 300,)])
def test_paths_that_contradict_each_other_or_are_too_long_are_one_sentence(make, tmp_path, names):
    assert "is damaged" in refused(make(*((name, b"1") for name in names)), tmp_path / "out")


def test_a_negative_size_does_not_buy_room_for_another_file(tmp_path, monkeypatch):
    monkeypatch.setattr(unpack_file, "MOST_EXTRA", 1000)
    claims = [("y/1", "files", -(10**12), None), ("x/1", "files", 10**9, lambda: io.BytesIO(b""))]
    monkeypatch.setattr(unpack_file, "members", lambda archive: iter(claims))
    assert "would unpack to more" in refused(make_tar(tmp_path / "a.tar.gz"), tmp_path / "out")


def test_control_characters_of_a_name_are_shown_escaped(make, tmp_path):
    message = refused(make(("../\x1b[31mred", b"")), tmp_path / "out")
    assert "\x1b" not in message and r"\x1b[31mred" in message


def test_a_folder_gets_its_place_at_once_and_into_one_that_is_there_folders_come_last(
    tmp_path, monkeypatch
):
    source, target = tmp_path / "source", tmp_path / "new/target"
    for path in ("images/1.jpg", "a.txt", "z.txt"):
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text("theirs")
    target.mkdir(parents=True)
    (target / "a.txt").write_text("mine")
    moved = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *both: moved.append(both[1].name) or replace(*both))
    move_into(source, target)
    assert moved == ["z.txt", "images"] and not source.exists()
    assert files_below(target) == {"images/1.jpg": b"theirs", "a.txt": b"mine", "z.txt": b"theirs"}
