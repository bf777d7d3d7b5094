"""Files are whole or not there: kills, full disks, and several processes that write at once.

What is read may be damaged, or a stranger's: then it is refused by its name. Words are made safe.
"""

import errno
import json
import multiprocessing
import os
import subprocess
import sys
import types
import zipfile
from pathlib import Path

import pytest
import torch

from clip_min import files, locks
from clip_min.files import (append_line, load_tensors, open_zip, printable, read_json,
                            read_json_lines, save_tensors, write_whole)
from clip_min.locks import lock
from tests.data_helpers import noting, silent

ROOT = Path(__file__).parents[1]


def stop_writing(monkeypatch, error):
    """From here on a write leaves half of its bytes on the disk and then raises the error."""

    def write_half(path, data):
        with open(path, "wb") as file:
            file.write(data[: len(data) // 2])
        raise error

    monkeypatch.setattr(Path, "write_bytes", write_half)


def test_a_written_file_holds_exactly_the_bytes_and_its_folders_are_made(tmp_path):
    path = tmp_path / "new" / "folder" / "file"
    write_whole(path, b"first")
    write_whole(str(path), b"second, and longer\r\n\x00")
    assert path.read_bytes() == b"second, and longer\r\n\x00"
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_breaks_off_leaves_the_old_file_and_names_the_path(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_whole(path, b"old")
    numbers = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
    errors = [OSError(number, os.strerror(number)) for number in numbers]
    for error in [*errors, KeyboardInterrupt()]:
        stop_writing(monkeypatch, error)
        writes = (lambda: write_whole(path, b"new, and longer"), lambda: save_tensors(path, {}))
        for write in writes:
            with pytest.raises(type(error)) as failed:
                write()
            assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]
            if isinstance(error, OSError):
                assert failed.value.filename == str(path) and failed.value.errno == error.errno


def test_a_file_gets_its_name_only_when_it_is_whole(tmp_path, monkeypatch):
    path, replace = tmp_path / "file", Path.replace
    write_whole(path, b"old")
    seen = []

    def look_and_replace(temporary, target):
        seen.append((temporary.read_bytes(), path.read_bytes(), temporary.parent))
        return replace(temporary, target)

    monkeypatch.setattr(Path, "replace", look_and_replace)
    write_whole(path, b"new")
    assert seen == [(b"new", b"old", tmp_path)] and path.read_bytes() == b"new"


def test_saved_tensors_come_back_bit_for_bit_without_running_code(tmp_path):
    content = dict(learned=dict(U=torch.randn(3, 4)), options=dict(depth="deep", n_ctx=4), lr=0.002)
    save_tensors(tmp_path / "prompt.pt", content)
    loaded = torch.load(tmp_path / "prompt.pt", weights_only=True)
    assert torch.equal(loaded["learned"].pop("U"), content["learned"].pop("U"))
    assert loaded == content


def test_tensors_that_cannot_be_saved_leave_the_old_file(tmp_path):
    path = tmp_path / "prompt.pt"
    save_tensors(path, dict(x=torch.ones(2)))
    old = path.read_bytes()
    with pytest.raises(Exception, match="lambda"):
        save_tensors(path, dict(x=lambda: 0))
    assert path.read_bytes() == old and list(tmp_path.iterdir()) == [path]


def test_lines_are_appended_in_order_and_the_folder_is_made(tmp_path):
    path = tmp_path / "new" / "results.jsonl"
    for line in ("first", "zweite Zeile: ä", "third"):
        append_line(path, line)
    assert path.read_bytes().decode() == "first\nzweite Zeile: ä\nthird\n"


def test_a_last_line_cut_short_by_a_kill_is_closed_first(tmp_path):
    path = tmp_path / "results.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": ')
    append_line(path, '{"a": 3}')
    append_line(path, '{"a": 4}')
    assert path.read_bytes() == b'{"a": 1}\n{"a": \n{"a": 3}\n{"a": 4}\n'
    path.write_bytes(b"")
    append_line(path, "first")
    assert path.read_bytes() == b"first\n"


def append_rows(path, writer, start):
    """What each of several processes does: rows from a few bytes to more than any buffer holds."""
    start.wait()
    for number in range(100):
        row = dict(writer=writer, number=number, text="x" * (number % 5) ** 8)
        append_line(path, json.dumps(row))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, to start processes at once")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_several_processes_that_append_at_once_keep_every_line_whole(tmp_path):
    path, context = tmp_path / "results.jsonl", multiprocessing.get_context("fork")
    start = context.Barrier(4)
    arguments = [(path, writer, start) for writer in range(4)]
    writers = [context.Process(target=append_rows, args=each) for each in arguments]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0, 0]
    # One may see another's line half done and close it needlessly, which leaves an empty line.
    rows = [json.loads(line) for line in path.read_text().splitlines() if line]
    assert len(rows) == 400 and all(len(row["text"]) == (row["number"] % 5) ** 8 for row in rows)
    for writer in range(4):
        assert [row["number"] for row in rows if row["writer"] == writer] == list(range(100))


def test_what_a_killed_process_left_is_removed_when_it_is_old(tmp_path):
    old, young, other = (tmp_path / f"{name}.part" for name in ("x.pt.11", "x.pt.12", "y.pt.11"))
    for path in (old, young, other):
        path.write_bytes(b"half")
    for path in (old, other):
        os.utime(path, (0, 0))
    write_whole(tmp_path / "x.pt", b"whole")
    assert {path.name for path in tmp_path.iterdir()} == {"x.pt", young.name, other.name}


def test_a_lock_is_held_by_one_process_and_let_go_when_it_dies(tmp_path):
    code = (
        "import sys; from clip_min.locks import lock\n"
        "with lock(sys.argv[1]): print('mine', flush=True), input()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "deep" / "lock")]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
    assert process.stdout.readline() == "mine\n"
    with lock(tmp_path / "deep" / "lock", wait=False) as mine:
        assert not mine
    process.kill()
    process.communicate()
    with lock(tmp_path / "deep" / "lock") as mine:
        assert mine
    with lock(tmp_path / "deep" / "lock", wait=False) as mine:
        assert mine


# --- disks and systems that are different ---


def refuse_to_lock(monkeypatch, number):
    """From here on flock answers with this error."""

    def flock(file, how):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(locks.fcntl, "flock", flock)
    locks.note_no_locks.cache_clear()


def test_a_disk_without_locks_brings_one_note_and_everyone_goes_on(tmp_path, monkeypatch):
    for number in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
        refuse_to_lock(monkeypatch, number)
        with noting() as notes:
            for name in ("a", "b", "a"):
                with lock(tmp_path / name) as is_held:
                    assert is_held
        assert len(notes) == 1 and "has no file locks" in notes[0]
    refuse_to_lock(monkeypatch, errno.EIO)
    with pytest.raises(OSError, match=str(tmp_path / "a")):
        with lock(tmp_path / "a"):
            pass


def test_on_windows_a_lock_is_one_of_msvcrt(tmp_path, monkeypatch):
    """Read, not run: a pretended msvcrt, which says "permission denied" of what is locked."""
    held = []

    def locking(number, how, length):
        assert (how, length) == ("LK_NBLCK", 1)
        if held:
            raise PermissionError(errno.EACCES, "locked")
        held.append(number)

    pretended = types.SimpleNamespace(locking=locking, LK_NBLCK="LK_NBLCK")
    monkeypatch.setattr(locks, "fcntl", None)
    monkeypatch.setattr(locks, "msvcrt", pretended, raising=False)
    with lock(tmp_path / "a", wait=False) as first, lock(tmp_path / "a", wait=False) as second:
        assert first and not second


def test_on_windows_a_file_that_is_read_is_replaced_when_it_is_free(tmp_path, monkeypatch):
    path, tries, real = tmp_path / "file", [], Path.replace

    def replace(temporary, target):
        tries.append(target)
        if len(tries) < 3:
            raise PermissionError(errno.EACCES, "in use", str(temporary))
        return real(temporary, target)

    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(files.time, "sleep", lambda seconds: None)
    with pytest.raises(PermissionError):  # elsewhere it is an error at once
        write_whole(path, b"new")
    assert len(tries) == 1 and list(tmp_path.iterdir()) == []
    monkeypatch.setattr(files, "IS_WINDOWS", True)
    write_whole(path, b"new")
    assert len(tries) == 3 and path.read_bytes() == b"new"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_line_for_a_full_disk_names_the_path(tmp_path):
    (tmp_path / "results.jsonl").symlink_to("/dev/full")
    with pytest.raises(OSError) as failed:
        append_line(tmp_path / "results.jsonl", "{}")
    assert failed.value.filename == str(tmp_path / "results.jsonl")


def test_a_folder_that_cannot_be_made_or_written_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed").chmod(0o555)
    writes = (lambda path: write_whole(path, b""), lambda path: append_line(path, ""),
              lambda path: lock(path).__enter__())
    for folder in (tmp_path / "file", tmp_path / "closed"):
        if folder.is_dir() and os.access(folder, os.W_OK):
            continue  # this user may write everywhere
        for write in writes:
            with pytest.raises(OSError, match=str(folder)):
                write(folder / "deep" / "file")


# --- reading what may be damaged, or a stranger's ---


def test_a_damaged_file_of_tensors_is_refused_by_name_and_never_to_be_removed(tmp_path):
    path = tmp_path / "prompt.pt"
    pickle, tar, empty_zip = b"\x80\x04]q\0.", b"a/" + bytes(1534), b"PK\x05\x06" + bytes(18)
    for content in (b"", b"no prompt", pickle, tar, empty_zip):
        path.write_bytes(content)
        with pytest.raises(ValueError) as refused:
            load_tensors(path)
        assert str(refused.value) == f"{path} is damaged or was not written by this project."


def test_a_missing_file_and_a_folder_of_tensors_are_named(tmp_path):
    for path, reason in ((tmp_path / "x", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ValueError, match=f"{path} cannot be read: {reason}"):
            load_tensors(path)


def test_tensors_in_a_zip_that_unpacks_to_gigabytes_are_refused(tmp_path):
    save_tensors(tmp_path / "plain.pt", {"x": torch.zeros(10_000_000)})
    with zipfile.ZipFile(tmp_path / "plain.pt") as archive:
        with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as copy:
            for name in archive.namelist():
                copy.writestr(name, archive.read(name))
    assert (tmp_path / "bomb.pt").stat().st_size < 100_000
    assert torch.load(tmp_path / "bomb.pt", weights_only=True)["x"].shape == (10_000_000,)
    with pytest.raises(ValueError, match="is damaged or was not written"):
        load_tensors(tmp_path / "bomb.pt")
    assert load_tensors(tmp_path / "plain.pt")["x"].shape == (10_000_000,)


def test_a_zip_may_be_four_times_smaller_than_its_contents_but_not_of_another_kind(tmp_path):
    path = tmp_path / "x.zip"
    for how in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(path, "w", how) as archive:
            archive.writestr("a", bytes(1000))
        with pytest.raises(ValueError, match="it is a zip of"):
            open_zip(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", os.urandom(1_000_000) + bytes(3_000_000))
    open_zip(path).close()
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b", bytes(3_000_000))
    with pytest.raises(ValueError, match="would unpack to 7,000,000"):
        open_zip(path)


def test_only_json_objects_are_rows_and_a_note_counts_the_other_lines(tmp_path):
    path = tmp_path / "results.jsonl"
    odd = [b"\xff\xfe", b"null", b"[1, 2]", b"3", b'"x"', b"NaN", b"[" * 100_000]
    lines = [b'\xef\xbb\xbf{"a": 1}', *odd, b"", b'{"text": "\xe2\x80\xa8"}', b'{"cut": ']
    path.write_bytes(b"\n".join(lines))  # the first begins with a byte-order mark
    with pytest.warns(UserWarning, match="has 7 lines that are not JSON objects.* line 2:"):
        assert read_json_lines(path) == [{"a": 1}, {"text": "\u2028"}]
    path.write_bytes(b'{"a": 1}\n{"a": \n{"a": 3}\n\n')
    with silent():  # a line that a kill cut short
        assert read_json_lines(path) == [{"a": 1}, {"a": 3}]
    assert read_json_lines(tmp_path / "none.jsonl") == []


def test_a_json_file_that_holds_no_object_is_refused_by_its_name(tmp_path):
    path = tmp_path / "config.json"
    for content in (b"{", b"\xff", b"[" * 100_000):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"{path} is not JSON"):
            read_json(path)
    path.write_bytes(b"[]")
    with pytest.raises(ValueError, match="should hold a JSON object"):
        read_json(path)


def test_what_a_terminal_would_obey_is_escaped_and_letters_of_any_language_stay():
    escaped = {
        "\x1b[31mred\x1b[0m": r"\x1b[31mred\x1b[0m", "a\nb\rc\td": r"a\nb\rc\td",
        "\x00\x07\x7f\x9b2J": r"\x00\x07\x7f\x9b2J", "gpj\u202e.exe": r"gpj\u202e.exe",
        "\u2028\ufeff": r"\u2028\ufeff", "caf\udce9\uffff": r"caf\udce9\uffff",
    }
    for words, shown in escaped.items():
        assert printable(words) == shown and shown.isprintable()
    letters = ["café", "鳥", "नमस्ते", "می\u200cخواهم", "👩\u200d🔬", "a b|c\\d", "a\u00a0b", ""]
    for words in letters:
        assert printable(words) == words
    assert printable(Path("Käfer/日本語 👩.png")) == "Käfer/日本語 👩.png"
    assert printable("x" * 5000) == "x" * 1000 + "..." and printable("abc", 2) == "ab..."
