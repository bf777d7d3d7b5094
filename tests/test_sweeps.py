"""Sweeps that are killed, that meet, or that share their batches: nothing is lost or done twice."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.beside import beside
from tests.helpers import ROOT
from tests.scripts import prompts, rows, same_prompts

IDENTIFIES = ("method", "dataset", "classes", "trained_on", "trained_classes", "shots", "seed",
              "split")
SCRIPT = """
import train
from clip_min.world import benchmarks
benchmarks.PICTURES = {"train": 2, "val": 1, "test": 2}
from prompts.runs import progress
progress.SAVE_EVERY = 0  # seconds
train.run_script(train.main)
"""
SWEEP = "--method coop upt --shots 1 --seed 1 2 --epochs 4 --batch-size 4".split()
TORCHRUN = ("-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone")
# One thread: another number of threads may change the last bits.
ENVIRONMENT = os.environ | dict(PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1")


def start(folder, *arguments, launcher=(), script=SCRIPT):
    """Start train.py with few pictures in a process of its own, below `folder`: → its Popen."""
    path = folder / "train_a_little.py"
    path.write_text(script)
    command = [sys.executable, *launcher, path, *arguments, "--out", folder / "runs"]
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    words = [str(word) for word in command]
    return subprocess.Popen(words, cwd=ROOT, text=True, env=ENVIRONMENT, **pipes)


def finish(process):
    """What a process prints. It must end well."""
    printed, errors = process.communicate()
    assert process.returncode == 0, errors
    return printed


# What runs beside the other tests. Each returns the folder of its runs, and what is asked about.


@beside
def undisturbed(folder):
    finish(start(folder, *SWEEP))
    return folder / "runs"


@beside
def killed_sweep(folder):
    stream, alive = random.Random(0), []
    for _ in range(3):
        process = start(folder, *SWEEP)
        for _ in range(stream.randrange(1, 16)):  # lines that it prints
            process.stdout.readline()
        time.sleep(stream.random() / 10)
        alive.append(process.poll() is None)
        process.kill()
        process.communicate()
    finish(start(folder, *SWEEP))
    return folder / "runs", alive


@beside
def two_sweeps(folder):
    printed = [finish(process) for process in [start(folder, *SWEEP) for _ in range(2)]]
    return folder / "runs", printed


@beside
def two_jobs(folder):
    return folder / "runs", finish(start(folder, *SWEEP, "--jobs", 2))


@beside
def torchrun_sweep(folder):
    return folder / "runs", finish(start(folder, *SWEEP, launcher=TORCHRUN))


@beside
def five_pictures(folder):
    """One run of five pictures, by one process and by two: → [(folder of its runs, printed)]."""
    for i, name in enumerate("abcde"):
        for part in ("train", "test"):
            picture = folder / "five" / part / name / "1.png"
            picture.parent.mkdir(parents=True)
            Image.new("RGB", (40, 40), (i * 50, 0, 90)).save(picture)
    arguments = ("--method", "coop", "--shots", 1, "--epochs", 3, "--dataset", folder / "five")
    script, found = SCRIPT.replace('"train": 2', '"train": 1'), []
    for launcher in ((), TORCHRUN):
        below = folder / str(len(launcher))
        below.mkdir()
        printed = finish(start(below, *arguments, launcher=launcher, script=script))
        found.append((below / "runs", printed))
    return found


@beside
def ended_parents(folder):
    """Sweeps with two jobs are told to end, and killed: → [(exit status, jobs, those that live)].

    [] if this system does not list the children of a process.
    """
    found = []
    for end in ("terminate", "kill"):
        below = folder / end
        below.mkdir()
        process = start(below, *SWEEP, "--jobs", 2, "--epochs", 100000)
        while "epoch" not in process.stdout.readline():
            assert process.poll() is None
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        jobs = [int(word) for word in children.read_text().split()] if children.exists() else None
        getattr(process, end)()
        process.wait()
        deadline = time.monotonic() + 20
        while any(map(is_alive, jobs or [])) and time.monotonic() < deadline:
            time.sleep(0.1)
        if jobs is not None:
            found.append((process.returncode, jobs, list(filter(is_alive, jobs))))
    return found


def is_alive(number):
    """Whether a process runs; one that only waits to be counted does not."""
    status = Path(f"/proc/{number}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


# The tests


def whole_and_equal(out, undisturbed):
    """Every row once, with the same figure; the same prompts bit for bit; no other file."""
    for folder in (out, undisturbed):
        assert set(Counter(tuple(r[k] for k in IDENTIFIES) for r in rows(folder)).values()) == {1}
    expected = {tuple(r[k] for k in (*IDENTIFIES, "accuracy")) for r in rows(undisturbed)}
    assert {tuple(r[k] for k in (*IDENTIFIES, "accuracy")) for r in rows(out)} == expected
    assert len(prompts(undisturbed)) == 4 and same_prompts(out, undisturbed)
    for path in out.rglob("prompt.pt"):
        assert [file.name for file in path.parent.iterdir()] == ["prompt.pt"]


def test_a_sweep_killed_again_and_again_ends_as_if_nothing_had_happened(killed_sweep, undisturbed):
    out, alive = killed_sweep
    assert alive[0]  # at least this one was killed at work
    whole_and_equal(out, undisturbed)


def test_two_sweeps_at_once_share_the_runs_and_do_everything_once(two_sweeps, undisturbed):
    out, printed = two_sweeps
    whole_and_equal(out, undisturbed)
    learned = sum(text.count("learned parameters") for text in printed)
    assert learned == 4  # each run was learned by one of them
    one, other = (text.splitlines()[-4:] for text in printed)
    assert one == other  # and both end with the same summary


def test_jobs_share_the_runs_out(two_jobs, undisturbed):
    out, printed = two_jobs
    whole_and_equal(out, undisturbed)
    assert printed.splitlines()[-1].endswith(")") and "over 2 seeds" in printed


def test_two_processes_of_torchrun_compute_the_losses_of_one(torchrun_sweep, undisturbed):
    """The same global batches, half in each process: equal losses up to rounding; only one of
    them writes."""
    out, printed = torchrun_sweep
    assert printed.count("learned parameters") == 4 and len(rows(out)) == 5
    found, expected = prompts(out), prompts(undisturbed)
    assert found.keys() == expected.keys()
    for path, one in expected.items():
        epochs = 2 if one["method"] == "upt" else 4  # later, UPT magnifies the rounding
        pairs = list(zip(one["losses"], found[path]["losses"], strict=True))
        assert len(pairs) == 4 and max(abs(a - b) for a, b in pairs[:epochs]) < 1e-5
        for name, tensor in one["learned"].items():
            assert torch.allclose(tensor, found[path]["learned"][name], atol=1e-3)


def test_torchrun_counts_no_picture_twice_if_there_are_fewer_than_a_batch(five_pictures):
    """Five pictures, a batch of 32: one batch of 5, shared out as 3 and 2."""
    losses, accuracies = [], []
    for out, printed in five_pictures:
        (prompt,) = prompts(out).values()
        lines = [line for line in printed.splitlines() if line.startswith("  epoch")]
        losses.append(prompt["losses"])
        accuracies.append([line.split("accuracy")[1].split("%")[0] for line in lines])
    assert max(abs(a - b) for a, b in zip(*losses, strict=True)) < 1e-5
    assert accuracies[0] == accuracies[1] and len(accuracies[0]) == 3


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
def test_a_parent_that_ends_or_is_killed_ends_its_jobs(ended_parents):
    if not ended_parents:
        pytest.skip("this system does not list the children of a process")
    assert [status for status, _, _ in ended_parents] == [143, -9]
    for _, jobs, alive in ended_parents:
        assert jobs and not alive
