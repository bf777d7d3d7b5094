"""PyTorch's files → named tensors, without running a line of code that a file brings along.

A pickle is a small program: it names functions and says what to call them with. Opened carelessly,
it runs whatever its author wrote. Here Python's own unpickler runs it, but the names it may use are
those of this file: tensors become a `TensorView`, modules of TorchScript a `ScriptedModule`, and
every other class or function a `StandIn`, which takes what it is given and does nothing.

    zip of torch.save        data.pkl: the pickle; data/0, data/1, ...: the numbers, as raw bytes
    TorchScript archive      the same, and the program in further members, which are never looked at
    torch.save before 1.6    one pickle after another, then the numbers

Layout of the formats: PyTorch's `torch/serialization.py`.
"""

import collections
import io
import math
import os
import pickle
from dataclasses import dataclass

import torch

from clip_min.files import MAX_GROWTH, open_zip

STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
}
STATE_KEYS = ("state_dict", "model_state_dict", "model")  # where training scripts put the weights
MAX_DEPTH, MAX_NAMES = 50, 100_000  # modules inside modules, and names in all: CLIP has 5 and 500
MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of a file from before 1.6


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
        tree = InertUnpickler(io.BytesIO(archive.read(pickles[0]))).load()

        def read_storage(storage):
            return to_tensor(archive.read(f"{folder}data/{storage.key}"), storage.dtype)

        return named_tensors(state_of(tree), read_storage, os.path.getsize(path))


def is_torchscript(path):
    """Whether a file is a TorchScript archive, as OpenAI's are: only these have constants.pkl."""
    try:
        with open_zip(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except Exception:  # a file of another kind
        return False


def read_old_file(path):
    """A file of torch.save before 1.6 → {name: tensor}. Raises an error for a damaged one."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        if InertUnpickler(file).load() != MAGIC:
            raise ValueError("it is a pickle that torch.save did not write.")
        for _ in ("version", "about the machine"):
            InertUnpickler(file).load()
        unpickler = InertUnpickler(file)
        tree, keys = unpickler.load(), InertUnpickler(file).load()
        places = {}  # key -> where its bytes begin and how many there are
        for key in keys:
            if key not in unpickler.dtypes:
                raise ValueError("it holds numbers of a type that is unknown here.")
            length = int.from_bytes(file.read(8), "little") * unpickler.dtypes[key].itemsize
            places[key] = (file.tell(), length)
            if file.tell() + length > size:
                raise ValueError("it is truncated.")
            file.seek(length, os.SEEK_CUR)

        def read_storage(storage):
            start, length = places[storage.key]
            file.seek(start)
            return to_tensor(file.read(length), storage.dtype)

        return named_tensors(state_of(tree), read_storage, size)


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


@dataclass(frozen=True)
class Storage:
    """Where the numbers of one or several tensors lie in the file."""

    key: str
    dtype: torch.dtype


@dataclass(frozen=True)
class TensorView:
    """A tensor that is not read yet: a part of a storage."""

    storage: Storage
    offset: int
    size: tuple
    stride: tuple


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

    def __init__(self, file):
        super().__init__(file)
        self.dtypes = {}  # key of a storage -> dtype

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
        if not isinstance(dtype, torch.dtype):
            return StandIn()
        self.dtypes[key] = dtype
        return Storage(key, dtype)

    def load_build(self):
        """The BUILD instruction, which sets attributes: here only those of a ScriptedModule."""
        state = self.stack.pop()
        if isinstance(self.stack[-1], ScriptedModule) and isinstance(state, dict):
            self.stack[-1].attributes.update(state)

    dispatch[pickle.BUILD[0]] = load_build


def state_of(tree):
    """What a checkpoint holds → its state dict, or its tree of modules.

    >>> state_of({"epoch": 3, "model": {"state_dict": {"weight": 1}}})
    {'weight': 1}
    """
    for _ in range(3):
        for key in STATE_KEYS:
            if isinstance(tree, dict) and isinstance(tree.get(key), (dict, ScriptedModule)):
                tree = tree[key]
                break
    if isinstance(tree, StandIn):
        raise ValueError("it holds a whole object, not a state dict: save model.state_dict().")
    return tree


def named_tensors(tree, read_storage, file_size):
    """A dict, or a tree of modules → {dotted name: tensor}; what is not a tensor is left out.

    Only the storages of these tensors are read. Raises ValueError if modules contain each other, or
    if a few bytes are given out as many tensors.
    """
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
    total = sum(math.prod(x.size) * x.storage.dtype.itemsize for x in views.values())
    if total > MAX_GROWTH * file_size:
        raise ValueError(f"its tensors take {total:,} bytes, the file only {file_size:,}.")
    flat = {storage: read_storage(storage) for storage in {x.storage for x in views.values()}}
    return {
        name: flat[x.storage].as_strided(x.size, x.stride, x.offset)  # never outside the storage
        for name, x in views.items()
    }


def entries(node):
    """A dict or a ScriptedModule → its (name, value) pairs; anything else has none."""
    if isinstance(node, ScriptedModule):
        return node.attributes.items()
    return node.items() if isinstance(node, dict) else ()


def to_tensor(raw, dtype):
    """Bytes → flat tensor. The copy in a bytearray is one that torch may write to."""
    return torch.frombuffer(bytearray(raw), dtype=dtype) if raw else torch.empty(0, dtype=dtype)
