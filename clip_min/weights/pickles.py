"""PyTorch's files → named tensors, without running a line of code that a file brings along.

A pickle is a small program: it names functions and says what to call them with. Opened carelessly,
it runs whatever its author wrote. Here Python's own unpickler runs it, but the names it may use are
those of this file: tensors become a `TensorView`, modules of TorchScript a `ScriptedModule`, and
every other class or function a `StandIn`, which takes what it is given and does nothing.

    zip of torch.save        data.pkl: the pickle; data/0, data/1, ...: the numbers, as raw bytes
    TorchScript archive      the same, and the program in further members, which are never looked at

Layout of the formats: PyTorch's `torch/serialization.py`.
"""

import collections
import io
import math
import os
import pickle
from typing import NamedTuple

import torch

from clip_min.files import MAX_GROWTH, open_zip

STORAGES = {
    "DoubleStorage": torch.float64, "FloatStorage": torch.float32, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
STATE_KEYS = ("state_dict", "model_state_dict", "model")  # where training scripts put the weights
MAX_DEPTH, MAX_NAMES = 50, 100_000  # modules inside modules, and names in all: CLIP has 5 and 500


def read_zip(path):
    """A zip of torch.save or TorchScript → {name: tensor}. Raises an error for a damaged one."""
    with open_zip(path) as archive:
        pickles = [name for name in archive.namelist() if f"/{name}".endswith("/data.pkl")]
        if not pickles:
            raise ValueError("it is a zip of something else, without a data.pkl.")
        folder = pickles[0].removesuffix("data.pkl")
        if f"{folder}byteorder" in archive.namelist():
            if archive.read(f"{folder}byteorder") != b"little":
                raise ValueError("it was written on a machine that orders bytes the other way.")
        views = named_views(InertUnpickler(io.BytesIO(archive.read(pickles[0]))).load())
        total, size = sum(view.bytes() for view in views.values()), os.path.getsize(path)
        if total > MAX_GROWTH * size:  # a few bytes given out as many tensors
            raise ValueError(f"its tensors take {total:,} bytes, the file only {size:,}.")
        storages = {view.storage for view in views.values()}
        flat = {x: to_tensor(archive.read(f"{folder}data/{x.key}"), x.dtype) for x in storages}
    return {name: flat[x.storage].as_strided(x.size, x.stride, x.offset)  # never outside of it
            for name, x in views.items()}


def is_torchscript(path):
    """Whether a file is a TorchScript archive, as OpenAI's are: only these have constants.pkl."""
    try:
        with open_zip(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except Exception:  # a file of another kind
        return False


def to_tensor(raw, dtype):
    """Bytes → flat tensor. The copy in a bytearray is one that torch may write to."""
    return torch.frombuffer(bytearray(raw), dtype=dtype) if raw else torch.empty(0, dtype=dtype)


class StandIn:
    """In the place of every foreign class or function: takes whatever a pickle may do to it."""

    def __init__(self, *args, **kwargs):
        pass

    def ignore(self, *args, **kwargs):
        """Whatever a pickle asks of it."""

    __setitem__ = ignore
    append = ignore
    extend = ignore
    add = ignore
    __call__ = ignore


class ScriptedModule:
    """In the place of every class of a TorchScript archive: only the attributes in the pickle."""

    def __new__(cls, *args):  # a pickle may leave __init__ out
        module = super().__new__(cls)
        module.attributes = {}
        return module


class Storage(NamedTuple):
    """Where the numbers of one or several tensors lie in the file."""

    key: str
    dtype: torch.dtype


class TensorView(NamedTuple):
    """A tensor that is not read yet: a part of a storage."""

    storage: Storage
    offset: int
    size: tuple
    stride: tuple

    def bytes(self):
        """How many bytes the tensor takes, once it has its own numbers."""
        return math.prod(self.size) * self.storage.dtype.itemsize


def rebuild_tensor(storage, offset, size, stride, *further):
    """The counterpart of torch._utils._rebuild_tensor and _rebuild_tensor_v2."""
    if not isinstance(storage, Storage):
        return StandIn()  # numbers of a type that CLIP never has
    return TensorView(storage, offset, size, stride)


def rebuild_parameter(tensor, *further):
    """The counterpart of torch._utils._rebuild_parameter: the tensor itself."""
    return tensor


KNOWN_NAMES = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor"): rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): rebuild_parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): rebuild_parameter,
}


class InertUnpickler(pickle._Unpickler):
    """Python's unpickler, in which no name leads out of this file.

    It is the one written in Python, and not the one in C: there a pickle of ten bytes can ask for
    gigabytes (an entry of the memo with a huge number), and BUILD cannot be replaced.
    """

    dispatch = dict(pickle._Unpickler.dispatch)

    def find_class(self, module, name):
        """What the pickle may call, by its name."""
        if module == "__torch__" or module.startswith("__torch__."):
            return ScriptedModule
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        return KNOWN_NAMES.get((module, name), StandIn)

    def persistent_load(self, reference):
        """A reference to numbers: ("storage", type, key, device, count, ...) → Storage."""
        _, dtype, key, *_ = reference
        return Storage(key, dtype) if isinstance(dtype, torch.dtype) else StandIn()

    def load_build(self):
        """The BUILD instruction, which sets attributes: here only those of a ScriptedModule."""
        state = self.stack.pop()
        if isinstance(self.stack[-1], ScriptedModule) and isinstance(state, dict):
            self.stack[-1].attributes.update(state)

    dispatch[pickle.BUILD[0]] = load_build


def named_views(content):
    """What a checkpoint holds → {dotted name: TensorView} of its state dict or tree of modules.

    Raises ValueError if there are no tensors, or modules contain each other.
    """
    tree = state_of(content)
    views, waiting, visits = {}, [("", tree)], 0
    while waiting:
        prefix, node = waiting.pop()
        visits += 1
        if prefix.count(".") > MAX_DEPTH or max(visits, len(views)) > MAX_NAMES:
            raise ValueError("its modules contain each other.")
        for name, value in entries(node):
            if isinstance(value, TensorView):
                views[f"{prefix}{name}"] = value
            elif isinstance(value, ScriptedModule):
                waiting.append((f"{prefix}{name}.", value))
    if not views:
        if isinstance(tree, StandIn):
            raise ValueError("it holds a whole object, not a state dict: save model.state_dict().")
        keys = ", ".join(repr(key) for key, _ in entries(content))[:200] or "none"
        raise ValueError("it holds no tensors, neither directly nor under the key "
                         f"{', '.join(map(repr, STATE_KEYS))}. Its keys: {keys}. If one of them "
                         "holds the weights, save that one alone.")
    return views


def state_of(content):
    """What a checkpoint holds → its state dict, or its tree of modules.

    >>> state_of({"epoch": 3, "model": {"state_dict": {"weight": 1}}})
    {'weight': 1}
    """
    for _ in range(3):
        for key in STATE_KEYS:
            if isinstance(content, dict) and isinstance(content.get(key), (dict, ScriptedModule)):
                content = content[key]
                break
    return content


def entries(node):
    """A dict or a ScriptedModule → its (name, value) pairs; anything else has none."""
    if isinstance(node, ScriptedModule):
        return node.attributes.items()
    return node.items() if isinstance(node, dict) else ()
