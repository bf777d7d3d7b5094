"""Files of weights → named tensors, without running a line of code that the file brings along.

Each kind of file is told by its first bytes:

    zip                PyTorch's and TorchScript's: pickles.py
    safetensors        8 bytes: length of the header; the header, in JSON; the raw tensors
    *.index.json       the list of several files that hold one model together (Hugging Face)

Layout of safetensors: the README of github.com/huggingface/safetensors.
"""

import json
import math
import re
import zipfile
from pathlib import Path

import torch

from clip_min.files import read_json
from clip_min.weights.pickles import read_zip, to_tensor

SAFETENSORS_DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8,
    "U8": torch.uint8, "BOOL": torch.bool,
}
MAX_HEADER = 100_000_000  # bytes, as in the safetensors library
HINTS = {  # first bytes of a file that holds no weights: what to do
    b"version ": "It is a pointer of git-lfs: run git lfs pull.",
    b"\x80": "It is a pickle, as torch.save wrote before version 1.6: load it with that, and save "
             "it again with a later one.",
}


def read_tensors(path: str | Path) -> dict[str, torch.Tensor]:
    """A file of weights → {name: tensor}, on the CPU, with the file's own precision and names.

    What else a checkpoint holds (an optimiser, numpy numbers, options) is neither imported nor
    built.
    Raises ValueError, in one sentence, if the file is of none of the kinds above, damaged,
    truncated, made to fill the memory, or without tensors.
    """
    path = Path(path)
    if path.name.endswith(".index.json"):
        return read_shards(path)
    with path.open("rb") as file:
        start = file.read(9)
    if start[8:] == b"{":  # first, because the length before it may be any 8 bytes
        kind, read = "a safetensors file", read_safetensors
    elif start.startswith(b"PK\x03\x04"):
        kind, read = "a PyTorch file", read_zip
    else:
        hint = "".join(f" {HINTS[first]}" for first in HINTS if start.startswith(first))
        raise ValueError(f"{path} is not a file of weights that clip_min knows: it begins with "
                         f"{start!r}.{hint}")
    try:
        return read(path)
    except Exception as error:  # damaged bytes can raise anything
        reason = str(error).strip().split("\n")[0][:500] or type(error).__name__
        if isinstance(error, (zipfile.BadZipFile, EOFError)):  # a zip's contents stand at its end
            reason = f"it is damaged or truncated ({reason})"
        raise ValueError(f"{path} cannot be read as {kind}: {reason}") from error




def shards(index: Path) -> list[Path]:
    """An index of Hugging Face's, model.safetensors.index.json, → the files that it lists.

    Raises ValueError if it lists none, or one outside its own folder, or one that is not there.
    """
    places = read_json(index).get("weight_map")
    names = sorted(set(map(str, places.values()))) if isinstance(places, dict) else []
    if not names or not all(re.fullmatch(r"\w[\w.-]*", name) for name in names):
        raise ValueError(f"{index} does not list files of its own folder in weight_map.")
    for name in names:
        if not index.with_name(name).is_file():
            raise ValueError(f"{index} lists {name}, which is missing.")
    return [index.with_name(name) for name in names]


def read_shards(index):
    """Several files → {name: tensor} of all. Raises ValueError if a listed tensor is missing."""
    tensors = {}
    for shard in shards(index):
        tensors.update(read_tensors(shard))
    for name, shard in read_json(index)["weight_map"].items():
        if name not in tensors:
            raise ValueError(f"{index} lists {name} in {shard}, which does not have it.")
    return tensors


def read_safetensors(path):
    """A safetensors file → {name: tensor}. Each tensor has its own bytes, which fit its shape."""
    size = path.stat().st_size
    with path.open("rb") as file:
        header_size = int.from_bytes(file.read(8), "little")
        start = 8 + header_size
        if start > size or header_size > MAX_HEADER:
            raise ValueError(f"its header should end at byte {start:,}, but the file has only "
                             f"{size:,}.")
        header = json.loads(file.read(header_size))
        header.pop("__metadata__", None)
        places = {name: place_of(name, entry) for name, entry in header.items()}
        free = 0  # the first byte after the header that no tensor has
        for name, (begin, end) in sorted(places.items(), key=lambda item: item[1]):
            if begin < 0 or end > size - start:
                raise ValueError(f"tensor {name} reaches past the end of the file (truncated?).")
            if begin < free and end > begin:
                raise ValueError(f"tensor {name} has bytes that belong to another tensor, too.")
            free = max(free, end)
        if not places:
            raise ValueError("it holds no tensors.")
        tensors = {}
        for name, (begin, end) in places.items():
            file.seek(start + begin)
            dtype, shape = SAFETENSORS_DTYPES[header[name]["dtype"]], header[name]["shape"]
            tensors[name] = to_tensor(file.read(end - begin), dtype).reshape(shape)
    return tensors


def place_of(name, entry):
    """One entry of the header → (begin, end), in bytes after it. Raises ValueError if it lies."""
    try:
        dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        numbers = [begin, end, *shape]
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"tensor {name} lacks dtype, shape or data_offsets.") from error
    if dtype not in SAFETENSORS_DTYPES:
        raise ValueError(f"tensor {name} is of type {dtype}, not one of "
                         f"{', '.join(SAFETENSORS_DTYPES)}.")
    if not all(type(number) is int for number in numbers) or min(shape, default=1) < 0:
        raise ValueError(f"tensor {name} has numbers that do not make a shape or a place.")
    if end - begin != math.prod(shape) * SAFETENSORS_DTYPES[dtype].itemsize:
        raise ValueError(f"tensor {name} has {end - begin:,} bytes, which do not make {shape}.")
    return begin, end
