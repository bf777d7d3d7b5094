"""Files are whole or not there: kills, full disks, and several processes that write at once."""

import errno
import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from clip_min.files import append_line, lock, save_tensors, write_whole

ROOT = Path(__file__).parents[2]


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


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()], ids=str)
def test_a_write_that_breaks_off_leaves_the_old_file_and_no_part_of_the_new_one(tmp_path, monkeypatch, error):
    path = tmp_path / "file"
    write_whole(path, b"old")
    stop_writing(monkeypatch, error)
    with pytest.raises(type(error)):
        write_whole(path, b"new, and longer")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


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
    assert torch.equal(loaded["learned"].pop("U"), content["learned"].pop("U")) and loaded == content


def test_tensors_that_cannot_be_saved_leave_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "prompt.pt"
    save_tensors(path, dict(x=torch.ones(2)))
    old = path.read_bytes()
    with pytest.raises(Exception, match="lambda"):
        save_tensors(path, dict(x=lambda: 0))
    stop_writing(monkeypatch, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(OSError):
        save_tensors(path, dict(x=torch.zeros(2000)))
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


def test_nothing_is_put_before_the_first_line_of_an_empty_file(tmp_path):
    path = tmp_path / "results.jsonl"
    path.touch()
    append_line(path, "first")
    assert path.read_bytes() == b"first\n"


def append_rows(path, writer, start):
    """What each of several processes does: rows from a few bytes to more than any buffer holds."""
    start.wait()
    for number in range(100):
        append_line(path, json.dumps(dict(writer=writer, number=number, text="x" * (number % 5) ** 8)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, to start processes at once")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_several_processes_that_append_at_once_keep_every_line_whole(tmp_path):
    path, context = tmp_path / "results.jsonl", multiprocessing.get_context("fork")
    start = context.Barrier(4)
    writers = [context.Process(target=append_rows, args=(path, writer, start)) for writer in range(4)]
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
    code = "import sys; from clip_min.files import lock\nwith lock(sys.argv[1]): print('mine', flush=True), input()"
    command = [sys.executable, "-c", code, str(tmp_path / "deep" / "lock")]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "mine\n"
    with lock(tmp_path / "deep" / "lock", wait=False) as mine:
        assert not mine
    process.kill()
    process.communicate()
    with lock(tmp_path / "deep" / "lock") as mine:
        assert mine
    with lock(tmp_path / "deep" / "lock", wait=False) as mine:
        assert mine
