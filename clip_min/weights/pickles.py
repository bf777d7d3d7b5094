"""Files of weights → named tensors, without running a line of code that the file brings along.

A pickle is a small program, and so is TorchScript: opening either one carelessly runs whatever its
author wrote. Here three kinds of file are read, each told by its first bytes:

    TorchScript archive   a zip; our own unpickler knows the names that tensors need and refuses every other one
    PyTorch file          `torch.load(weights_only=True)`, which refuses everything but tensors
    safetensors           8 bytes: length of the header; the header, in JSON; the raw tensors

A fourth one, the checkpoint of a training run, holds Python objects beside its tensors, such as the schedule of
the learning rate. `read_checkpoint` gets at the tensors and leaves a stand-in in the place of everything else.

Layout of the formats: PyTorch's `torch/serialization.py`, and the README of
github.com/huggingface/safetensors.
"""

import collections
import json
import math
import pickle
import zipfile
from pathlib import Path

import torch

SAFETENSORS_DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64,
}  # fmt: skip
STORAGE_DTYPES = {
    "DoubleStorage": torch.float64, "FloatStorage": torch.float32, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8, "BoolStorage": torch.bool,
}  # fmt: skip


def read_tensors(path: str | Path) -> dict[str, torch.Tensor]:
    """A file of weights → {name: tensor}, on the CPU, in the file's own precision and with its own names.

    Raises ValueError, in one sentence, if the file is of none of the three kinds, damaged or
    truncated, or asks to run code.
    """
    path = Path(path)
    with path.open("rb") as file:
        start = file.read(9)
    if start[8:] == b"{":  # first, because the length before it may be any 8 bytes
        kind, read = "a safetensors file", read_safetensors
    elif start.startswith(b"PK\x03\x04"):
        kind, read = "a PyTorch archive", read_zip
    elif start.startswith(b"\x80"):  # a pickle: torch.save before version 1.6
        kind, read = "a PyTorch file", read_torch
    else:
        raise ValueError(f"{path} is no file of weights that clip_min knows: it begins with {start!r}.")
    tensors = attempt(read, path, kind)
    if not tensors:
        raise ValueError(f"{path} holds no tensors, neither directly nor under the key 'state_dict'.")
    return tensors


def attempt(read, path, kind):
    """read(path), or a ValueError of one sentence: damaged bytes can raise anything."""
    try:
        return read(path)
    except Exception as error:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise ValueError(f"{path} cannot be read as {kind}: {reason}") from error


def read_zip(path):
    """Both kinds of PyTorch zip → {name: tensor}; only TorchScript has a member `constants.pkl`."""
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                if member.endswith("/constants.pkl"):
                    return read_torchscript(archive, folder=member.removesuffix("constants.pkl"))
    except zipfile.BadZipFile as error:  # a zip's table of contents stands at its end
        raise ValueError(f"it is damaged or truncated ({error}).") from error
    return read_torch(path)


def read_torch(path):
    """A state dict saved by `torch.save`, bare or under the key "state_dict" (open_clip) → {name: tensor}."""
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError("it is damaged, or holds more than tensors, which could run code.") from error
    if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]
    return named_tensors(loaded) if isinstance(loaded, dict) else {}


def read_safetensors(path):
    """A safetensors file → {name: tensor}. Every tensor must lie inside the file and fit its shape."""
    size = path.stat().st_size
    tensors = {}
    with path.open("rb") as file:
        header_size = int.from_bytes(file.read(8), "little")
        data_start = 8 + header_size
        if data_start > size:
            raise ValueError(f"its header should end at byte {data_start:,}, but the file has only {size:,}.")
        header = json.loads(file.read(header_size))
        header.pop("__metadata__", None)
        for name, entry in header.items():
            if entry["dtype"] not in SAFETENSORS_DTYPES:
                known = ", ".join(SAFETENSORS_DTYPES)
                raise ValueError(f"tensor {name} is of type {entry['dtype']}, not one of {known}.")
            dtype, shape = SAFETENSORS_DTYPES[entry["dtype"]], entry["shape"]
            begin, end = entry["data_offsets"]  # bytes after the header
            if not 0 <= begin <= end <= size - data_start:
                raise ValueError(f"tensor {name} reaches past the end of the file, which may be truncated.")
            if min(shape, default=1) < 0 or end - begin != math.prod(shape) * dtype.itemsize:
                raise ValueError(f"tensor {name} has {end - begin:,} bytes, which do not make {shape}.")
            file.seek(data_start + begin)
            tensors[name] = to_tensor(file.read(end - begin), dtype).reshape(shape)
    return tensors


def read_torchscript(archive, folder):
    """A TorchScript archive → {name: tensor}.

    `data.pkl` describes the tree of modules. Its code, in other members, is never looked at.
    """
    return named_tensors(SafeUnpickler(archive, folder).load())


def read_checkpoint(path: str | Path) -> dict[str, torch.Tensor]:
    """A training run's checkpoint, {"state_dict": ..., "optimizer": ..., ...} → {name: tensor} of its state dict.

    Whatever objects lie beside the tensors are neither imported nor built: see `StandIn`.
    Raises ValueError, in one sentence, if the file is no zip of `torch.save`, damaged, or without tensors there.
    """
    path = Path(path)
    with path.open("rb") as file:
        start = file.read(4)
    if start != b"PK\x03\x04":
        raise ValueError(f"{path} begins with {start!r} and is not the zip that torch.save writes since version 1.6: "
                         "load it with a newer PyTorch and save it again.")  # fmt: skip
    content = attempt(read_with_stand_ins, path, "a checkpoint")
    state = content.get("state_dict") if isinstance(content, dict) else None
    tensors = named_tensors(state) if isinstance(state, dict) else {}
    if not tensors:
        raise ValueError(f"{path} holds no tensors under the key 'state_dict'.")
    return tensors


def read_with_stand_ins(path):
    """A PyTorch zip → what its pickle describes, with a `StandIn` for everything but tensors and plain values."""
    with zipfile.ZipFile(path) as archive:
        pickles = [member for member in archive.namelist() if member.endswith("/data.pkl")]
        if not pickles:
            raise ValueError("it is a zip of something else, without a data.pkl.")
        return SafeUnpickler(archive, pickles[0].removesuffix("data.pkl"), unknown=StandIn).load()


class ScriptedModule:
    """Stands in for every class of a TorchScript archive: no methods, only the attributes in the pickle."""


class StandIn:
    """Stands in for every other name in a checkpoint, class or function: takes what it is given, and does nothing."""

    def __init__(self, *args, **kwargs):
        pass

    __setstate__ = __setitem__ = append = extend = add = __call__ = __init__  # all that a pickle may ask of an object


class SafeUnpickler(pickle.Unpickler):
    """Unpickles tensors; a name outside the few that they need becomes `unknown`, or is refused: never imported."""

    def __init__(self, archive, folder, unknown=None):
        super().__init__(archive.open(folder + "data.pkl"))
        self.archive, self.folder, self.unknown, self.storages = archive, folder, unknown, {}

    def find_class(self, module, name):
        """What the pickle may call: nothing here reaches outside this file, apart from OrderedDict."""
        if module.startswith("__torch__."):
            return ScriptedModule
        if module == "torch" and name in STORAGE_DTYPES:
            return STORAGE_DTYPES[name]
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return rebuild_tensor
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return rebuild_parameter
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if self.unknown:
            return self.unknown
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which could run code, and was refused.")

    def persistent_load(self, pid):
        """A reference to the numbers → a flat tensor; they lie as raw bytes in the member `data/<key>`."""
        _, dtype, key, _, _ = pid  # "storage", type, key, device, number of elements
        if key not in self.storages:  # tensors may share a storage
            self.storages[key] = to_tensor(self.archive.read(f"{self.folder}data/{key}"), dtype)
        return self.storages[key]


def rebuild_tensor(storage, offset, size, stride, requires_grad, hooks):
    """The counterpart of torch._utils._rebuild_tensor_v2; torch refuses a view that leaves the storage."""
    return storage.as_strided(size, stride, offset)


def rebuild_parameter(tensor, requires_grad, hooks):
    """The counterpart of torch._utils._rebuild_parameter: a plain tensor will do."""
    return tensor


def named_tensors(tree, prefix=""):
    """A tree of modules, or a dict → {dotted name: tensor}; everything that is no tensor is left out.

    >>> tree = ScriptedModule()
    >>> tree.visual, tree.vocab_size = ScriptedModule(), 49408
    >>> tree.visual.proj = torch.ones(1)
    >>> named_tensors(tree)
    {'visual.proj': tensor([1.])}
    """
    tensors = {}
    for name, value in (vars(tree) if isinstance(tree, ScriptedModule) else tree).items():
        if isinstance(value, torch.Tensor):
            tensors[f"{prefix}{name}"] = value
        elif isinstance(value, ScriptedModule):
            tensors |= named_tensors(value, f"{prefix}{name}.")
    return tensors


def to_tensor(raw, dtype):
    """Bytes → flat tensor. The copy in a bytearray is one that torch may write to."""
    return torch.frombuffer(bytearray(raw), dtype=dtype) if raw else torch.empty(0, dtype=dtype)
