"""Runs a check on a student's file, and the words that checks share."""

import _thread
import importlib.util
import sys
import threading
import time
import traceback
import warnings
from pathlib import Path

import torch


class Wrong(Exception):
    """A sentence that tells the student what is wrong."""


def run_check(check, path, seconds=120):
    """A function of checks.py and the student's file → None if it is right, or a sentence.

    A loop that does not end is stopped after so many seconds.
    """
    timer = threading.Timer(seconds, _thread.interrupt_main)
    started = time.monotonic()
    timer.start()
    try:
        torch.manual_seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check(load(path))
        return None
    except Wrong as error:
        return str(error)
    except NotImplementedError as error:
        return f"still blank. {error} ({line_of(error, path)})"
    except SyntaxError as error:
        return f"Python cannot read your file: {error.msg} (line {error.lineno})."
    except KeyboardInterrupt as error:
        if time.monotonic() - started < seconds:  # Ctrl-C
            raise
        at = line_of(error, path)
        return (
            f"it did not end within {seconds} s: is there a loop that never ends? It was at {at}."
        )
    except (Exception, SystemExit) as error:
        return f"your code stopped with {type(error).__name__}: {error} ({line_of(error, path)})"
    finally:
        timer.cancel()


def line_of(error, path):
    """The last line of the student's file that was at work when the error came."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)
    ]
    return (
        f"line {frames[-1].lineno}: {frames[-1].line}"
        if frames
        else "when the check used what your code gave"
    )


def load(path):
    """The student's file as a module, compiled afresh: a kept copy could be a second old."""
    name = "student"
    module = importlib.util.module_from_spec(importlib.util.spec_from_file_location(name, path))
    sys.modules[name] = module  # dataclasses look their module up
    exec(compile(Path(path).read_text(encoding="utf-8"), str(path), "exec"), module.__dict__)
    return module


def need(condition, sentence):
    """Raises Wrong with this sentence unless the condition holds."""
    if not condition:
        raise Wrong(sentence)


def tensor(value, shape, what):
    """A tensor of this shape, or a sentence."""
    need(value is not None, f"{what} gave None: is a `return` missing?")
    need(
        isinstance(value, torch.Tensor),
        f"{what} gave a {type(value).__name__}, and a tensor is wanted.",
    )
    need(
        list(value.shape) == list(shape),
        f"{what} has the shape {list(value.shape)}, and {list(shape)} is wanted.",
    )
    return value.detach()


def close(ours, theirs, tolerance=1e-4):
    """Whether two tensors are equal up to a tolerance, relative where the values exceed 1."""
    return ours.shape == theirs.shape and bool(
        (ours - theirs).abs().max() <= tolerance * max(1, theirs.abs().max())
    )


def compare(got, right, mistakes, otherwise):
    """Raises Wrong unless two tensors are close.

    mistakes: [(what a known mistake gives, its sentence)]. otherwise: the sentence for all others.
    """
    if close(got, right):
        return
    for wrong, sentence in mistakes:
        need(not close(got, wrong), sentence)
    raise Wrong(otherwise)
