"""Several processes: one run on several GPUs, and one sweep shared out.

`torchrun --nproc-per-node=2 train.py …`: each process takes its share of every batch, and the
gradients of the few learned parameters are averaged, so all hold the same prompts at any time. In
a single process these functions do nothing.

`--jobs N`, or the same command in a second terminal: each process holds the lock of the run that
it works on.
"""

import contextlib
import datetime
import os
import subprocess
import sys
import threading
import time

import torch
import torch.distributed as dist

from clip_min.locks import lock

RANK = int(os.environ.get("RANK", 0))  # of this process, as torchrun sets it
PROCESSES = int(os.environ.get("WORLD_SIZE", 1))
PARENT = "CLIP_MIN_PARENT"  # environment: the process that a helper of --jobs ends with

# One run on several GPUs


def join(device):
    """Meet the other processes of torchrun → this process's device. Only the first one prints."""
    if PROCESSES == 1:
        return device
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, timeout=datetime.timedelta(days=1))
    if RANK:
        sys.stdout = open(os.devnull, "w")
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    return device


def leave():
    """The end of torchrun's processes, all at once: one that ends early can stop the others."""
    if PROCESSES > 1:
        dist.barrier()
        dist.destroy_process_group()


def end_at_once(status):
    """End this process of torchrun: its network threads can abort an ordinary end (torch 2.13)."""
    if PROCESSES > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status or 0)


def share_of(batch):
    """A list of indices → those that this process works on: every PROCESSES-th one."""
    return batch[RANK::PROCESSES]


def average_gradients(parameters, pictures):
    """Every gradient becomes its mean over the batch, of which this process has `pictures`."""
    if PROCESSES == 1:
        return
    share = pictures / total_over_processes(torch.tensor(float(pictures))).item()
    for parameter in parameters:
        parameter.grad *= share
        dist.all_reduce(parameter.grad)


def total_over_processes(*numbers):
    """Scalar tensors → one tensor of their sums over the processes."""
    device = numbers[0].device
    numbers = torch.stack([number.to(device, torch.float32) for number in numbers])
    if PROCESSES > 1:
        dist.all_reduce(numbers)
    return numbers


def from_first_process(value=None):
    """The first process's value, in every process. Nobody goes on before it is known."""
    if PROCESSES == 1:
        return value
    values = [value]
    dist.broadcast_object_list(values)
    return values[0]


@contextlib.contextmanager
def first_process_first():
    """The first process goes through the block before all others, which then find its files."""
    if RANK:
        from_first_process()
    yield
    if not RANK:
        from_first_process()


# One sweep, shared out


def claimed_runs(runs, folder):
    """Each run, while this process holds its lock in `folder`: those of others come last."""
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
    """Hold the lock of a run → whether this process has it; of torchrun's, the first one asks."""
    if RANK:
        yield from_first_process()
        return
    with lock(folder / run.lock_name, wait) as is_claimed:
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
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), PARENT: str(os.getpid())}
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


def end_with_parent():
    """In a helper of --jobs: end once the process that started it is gone, however it ended."""
    parent = os.environ.pop(PARENT, None)
    if parent is not None:
        threading.Thread(target=watch, args=(int(parent),), daemon=True).start()


def watch(parent):
    """Wait until `parent` is not the parent of this process, or no longer; then end it."""
    while os.getppid() == parent:  # Windows keeps the number for ever
        time.sleep(1)  # seconds
    os._exit(143)
