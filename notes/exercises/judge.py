"""Runs a check on a student's file, and the words that checks share."""

import _thread
import importlib.util
import signal
import sys
import threading
import time
import traceback
import types
import warnings
from pathlib import Path

import torch

STUDENT = "student"  # the name of the module that a student's file becomes


class Wrong(Exception):
    """A sentence that tells the student what is wrong."""


def run_check(check, path, seconds=180):
    """A function of checks/ and the student's file → None if it is right, or a sentence.

    A loop that does not end is stopped after so many seconds.
    """
    path = Path(path).absolute()
    is_over = threading.Event()
    guard = threading.Thread(target=stop_after, args=(seconds, is_over), daemon=True)
    started = time.monotonic()
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background
    guard.start()
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
    except EOFError as error:
        return f"your code waits for input, and a check gives none ({line_of(error, path)})."
    except KeyboardInterrupt as error:
        if time.monotonic() - started < seconds:  # Ctrl-C
            raise
        at = line_of(error, path)
        return (f"it did not end within {seconds} s: is there a loop that never ends? It was at "
                f"{at}.")
    except AttributeError as error:
        if isinstance(error.obj, types.ModuleType) and error.obj.__name__ == STUDENT:
            return f"your file has no `{error.name}`: keep the names that the starter has."
        return f"your code stopped with AttributeError: {error} ({line_of(error, path)})"
    except (Exception, SystemExit) as error:
        return f"your code stopped with {type(error).__name__}: {error} ({line_of(error, path)})"
    finally:
        is_over.set()
        signal.signal(signal.SIGINT, usual)


def stop_after(seconds, is_over):
    """Interrupt the main thread after so many seconds of computing, unless `is_over` is set before.

    On a busy machine that is later by the clock, ten times as late at most.
    """
    clock, computing = time.monotonic(), time.process_time()
    while not is_over.wait(0.05):
        by_clock, by_computing = time.monotonic() - clock, time.process_time() - computing
        if by_clock > 10 * seconds or min(by_clock, by_computing) > seconds:
            return _thread.interrupt_main()


def line_of(error, path):
    """The last line of the student's file that was at work when the error came."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename
              == str(path)]
    return (f"line {frames[-1].lineno}: {frames[-1].line}" if frames
            else "when the check used what your code gave")


def load(path):
    """The student's file as a module, compiled afresh: a kept copy could be a second old."""
    spec = importlib.util.spec_from_file_location(STUDENT, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[STUDENT] = module  # dataclasses look their module up
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Wrong("Python cannot read your file: it is not UTF-8 text.") from error
    exec(compile(text, str(path), "exec"), module.__dict__)
    return module


# What checks ask


def need(condition, sentence):
    """Raises Wrong with this sentence unless the condition holds."""
    if not condition:
        raise Wrong(sentence)


def of_type(value, kind, what):
    """The value, if it is of this type; otherwise Wrong says what it is.

    >>> of_type([1], list, "f(x)")
    [1]
    """
    need(value is not None, f"{what} gave None: is a `return` missing?")
    given, wanted = type(value).__name__, kind.__name__
    need(isinstance(value, kind), f"{what} gave a {given}, and a {wanted} is wanted.")
    return value


def tensor(value, shape, what, dtype=torch.float32):
    """A tensor of this shape and type, with its gradient's history, or a sentence."""
    of_type(value, torch.Tensor, what)
    need(list(value.shape) == list(shape),
         f"{what} has the shape {list(value.shape)}, and {list(shape)} is wanted.")
    wanted = "True and False are" if dtype == torch.bool else f"{dtype} is"
    need(value.dtype == dtype, f"{what} holds {value.dtype}, and {wanted} wanted.")
    return value


def unchanged(given, kept, what):
    """Raises Wrong unless what a function was given still is what it was, a copy made before."""
    same = torch.equal(given, kept) if isinstance(given, torch.Tensor) else given == kept
    need(same, f"{what} changed what it was given: work on a copy, for others still need it.")


def close(ours, theirs, tolerance=1e-4):
    """Whether two tensors are equal up to a tolerance, relative where the values exceed 1."""
    ours, theirs = ours.detach(), theirs.detach()
    return ours.shape == theirs.shape and bool((ours - theirs).abs().max() <= tolerance
                                               * max(1, theirs.abs().max()))


def compare(got, right, mistakes, otherwise, tolerance=1e-4):
    """Raises Wrong unless two tensors are close.

    mistakes: [(what a known mistake gives, its sentence)], or a function that makes this list when
    it is needed. otherwise: the sentence for all others.
    """
    if close(got, right, tolerance):
        return
    for wrong, sentence in mistakes() if callable(mistakes) else mistakes:
        need(not close(got, wrong, tolerance), sentence)
    raise Wrong(otherwise)


def same_gradients(got, right, inputs):
    """Raises Wrong unless both outputs have the same gradients: equal values alone do not learn.

    inputs: {name: tensor with requires_grad}. The gradients are those of the outputs' sum with
    random weights.
    """
    names = ", ".join(inputs)
    for name, given in inputs.items():
        need(given.requires_grad, f"{name} is frozen (requires_grad is False): it could not learn.")
    need(got.requires_grad, f"The values are right, but no gradient reaches {names}: {DETACHED}")
    weights = torch.randn(right.shape, generator=torch.Generator().manual_seed(0))
    ours, theirs = (torch.autograd.grad((output * weights).sum(), list(inputs.values()),
                                        retain_graph=True, allow_unused=True) for output
                    in (got, right))
    for name, our, their in zip(inputs, ours, theirs, strict=True):
        has_none = our is None or (not our.any() and their.any())
        need(not has_none, f"The values are right, but {name} gets no gradient: {DETACHED}")
        scale = their.abs().max().clamp(min=1e-12)
        need(close(our / scale, their / scale, 1e-2),
             f"The values are right, but the gradient of {name} is not: {DETACHED}")


def on_one_device(function, what):
    """Raises Wrong if a function of tensors on the device "meta" makes a tensor elsewhere.

    "meta" stands for a GPU: it has shapes and no numbers. An answer that asks for numbers cannot
    be tried on it, and is not told anything.
    """
    try:
        device = getattr(function(), "device", torch.device("meta"))
    except RuntimeError as error:
        need("expected device meta" not in str(error), f"{what} {ELSEWHERE}")
    except Exception:
        return
    else:
        need(device.type == "meta", f"{what} {ELSEWHERE}")


ELSEWHERE = ("makes a tensor on the CPU: with a GPU, it would lie elsewhere than the others, and "
             "the computation would stop. Give `device=...`, that of a tensor you have.")
DETACHED = "is something computed under no_grad, detached, or copied by hand? It could not learn."
