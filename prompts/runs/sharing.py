"""Several processes at one sweep: each holds the lock of the run that it works on.

So the same command in a second terminal, and `--jobs N`, share the runs out.
"""

import contextlib
import os
import subprocess
import sys

import torch

from clip_min.locks import lock
from prompts.runs.parallel import RANK, from_first_process
from prompts.runs.run import folder_name


def claimed_runs(runs, folder):
    """Each run, while this process holds its lock in `folder`: first those that no other process
    is at."""
    busy = []
    for run in runs:
        with claim(run, folder, wait=False) as is_claimed:
            if is_claimed:
                yield run
            else:
                busy.append(run)
    for run in busy:
        with claim(run, folder, wait=True):
            yield run


@contextlib.contextmanager
def claim(run, folder, wait):
    """Hold the lock of a run → whether this process has it; under torchrun the first process
    asks."""
    if RANK:
        yield from_first_process()
        return
    name = f"{run.dataset.name} {run.setting['model']} {run.folder}"
    with lock(folder / folder_name(name), wait) as is_claimed:
        yield from_first_process(is_claimed)


@contextlib.contextmanager
def helper_processes(number):
    """This command `number` - 1 times more, each with its share of the cores; at the end they are
    waited for, and ended if this process is."""
    if number == 1:
        yield
        return
    threads = max(1, torch.get_num_threads() // number)
    torch.set_num_threads(threads)
    command = [sys.executable, *sys.argv, "--jobs", "1"]  # the last --jobs counts
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    jobs = []
    try:
        for _ in range(number - 1):
            jobs.append(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL))
        yield
        for job in jobs:
            job.wait()
    finally:
        for job in jobs:
            job.terminate()
