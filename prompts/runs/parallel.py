"""One run on several GPUs: `torchrun --nproc-per-node=2 train.py …`.

Each process takes its share of every batch, and the gradients of the few learned parameters are
averaged. So all processes hold the same prompts at any time. Everything here does nothing in a
single process.
"""

import contextlib
import datetime
import os
import sys

import torch
import torch.distributed as dist

RANK = int(os.environ.get("RANK", 0))  # of this process, as torchrun sets it
PROCESSES = int(os.environ.get("WORLD_SIZE", 1))


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
    if dist.is_initialized():
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
    """Every gradient becomes its mean over the whole batch; `pictures` is the size of this
    process's share."""
    if not dist.is_initialized():
        return
    share = pictures / total_over_processes(torch.tensor(float(pictures))).item()
    for parameter in parameters:
        parameter.grad *= share
        dist.all_reduce(parameter.grad)


def total_over_processes(*numbers):
    """Scalar tensors → one tensor of their sums over the processes."""
    device = numbers[0].device
    numbers = torch.stack([number.to(device, torch.float32) for number in numbers])
    if dist.is_initialized():
        dist.all_reduce(numbers)
    return numbers


def from_first_process(value=None):
    """The first process's value, in every process. Nobody goes on before it is known."""
    if not dist.is_initialized():
        return value
    values = [value]
    dist.broadcast_object_list(values)
    return values[0]


@contextlib.contextmanager
def first_process_first():
    """The first process goes through the block before all others, which then find its files on
    disk."""
    if RANK:
        from_first_process()
    yield
    if not RANK:
        from_first_process()
