"""Files of weights → named tensors, without running a line of code that the file brings along.

Each kind of file is told by its first bytes:

    zip                PyTorch's and TorchScript's: pickles.py
    pickle             PyTorch's before version 1.6: pickles.py
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

from clip_min.files import printable, read_json
from clip_min.weights.pickles import STATE_KEYS, read_old_file, read_zip, to_tensor

SAFETENSORS_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
MAX_HEADER = 100_000_000  # bytes, as in the safetensors library


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
    elif start.startswith(b"\x80"):
        kind, read = "a PyTorch file", read_old_file
    else:
        hint = ""
        if start.startswith(b"version "):
            hint = " It is a pointer of git-lfs: run git lfs pull."
        raise ValueError(
            f"{printable(path)} is not a file of weights that clip_min knows: "
            f"it begins with {start!r}.{hint}"
        )
    tensors = attempt(read, path, kind)
    if not tensors:
        keys = ", ".join(map(repr, STATE_KEYS))
        raise ValueError(
            f"{printable(path)} holds no tensors, neither directly nor under the key {keys}."
        )
    return tensors


def attempt(read, path, kind):
    """read(path), or a ValueError of one sentence: damaged bytes can raise anything."""
    try:
        return read(path)
    except Exception as error:
        reason = printable(str(error).strip().split("\n")[0], 200) or type(error).__name__
        if isinstance(error, (zipfile.BadZipFile, EOFError)):  # a zip's contents stand at its end
            reason = f"it is damaged or truncated ({reason})"
        raise ValueError(f"{printable(path)} cannot be read as {kind}: {reason}") from error


def read_checkpoint(path: str | Path) -> dict[str, torch.Tensor]:
    """The same as `read_tensors`: a training run's checkpoint is a file of weights, too."""
    return read_tensors(path)


def shards(index: Path) -> list[Path]:
    """An index of Hugging Face's, model.safetensors.index.json, → the files that it lists.

    Raises ValueError if it lists none, or one outside its own folder, or one that is not there.
    """
    places = read_json(index).get("weight_map")
    names = sorted(set(map(str, places.values()))) if isinstance(places, dict) else []
    if not names or not all(re.fullmatch(r"\w[\w.-]*", name) for name in names):
        raise ValueError(f"{printable(index)} does not list files of its own folder in weight_map.")
    for name in names:
        if not index.with_name(name).is_file():
            raise ValueError(f"{printable(index)} lists {printable(name)}, which is missing.")
    return [index.with_name(name) for name in names]


def read_shards(index):
    """Several files → {name: tensor} of all. Raises ValueError if a listed tensor is missing."""
    tensors = {}
    for shard in shards(index):
        tensors.update(read_tensors(shard))
    for name, shard in read_json(index)["weight_map"].items():
        if name not in tensors:
            name, shard = printable(name), printable(shard)
            raise ValueError(f"{printable(index)} lists {name} in {shard}, which does not have it.")
    return tensors


def read_safetensors(path):
    """A safetensors file → {name: tensor}. Each tensor has its own bytes, which fit its shape."""
    size = path.stat().st_size
    with path.open("rb") as file:
        header_size = int.from_bytes(file.read(8), "little")
        data_start = 8 + header_size
        if data_start > size or header_size > MAX_HEADER:
            raise ValueError(
                f"its header should end at byte {data_start:,}, but the file has only {size:,}."
            )
        header = json.loads(file.read(header_size))
        header.pop("__metadata__", None)
        ranges = {name: byte_range(name, entry) for name, entry in header.items()}
        check_ranges(ranges, size - data_start)
        tensors = {}
        for name, (begin, end) in ranges.items():
            dtype, shape = SAFETENSORS_DTYPES[header[name]["dtype"]], header[name]["shape"]
            file.seek(data_start + begin)
            tensors[name] = to_tensor(file.read(end - begin), dtype).reshape(shape)
    return tensors


def byte_range(name, entry):
    """One entry of the header → (begin, end), in bytes after it. Raises ValueError if it lies."""
    try:
        dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        numbers = [begin, end, *shape]
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"tensor {name} lacks dtype, shape or data_offsets.") from error
    if dtype not in SAFETENSORS_DTYPES:
        known = ", ".join(SAFETENSORS_DTYPES)
        raise ValueError(f"tensor {name} is of type {dtype}, not one of {known}.")
    if not all(type(number) is int for number in numbers) or min(shape, default=1) < 0:
        raise ValueError(f"tensor {name} has numbers that do not make a shape or a place.")
    length = math.prod(shape) * SAFETENSORS_DTYPES[dtype].itemsize
    if end - begin != length:
        raise ValueError(f"tensor {name} has {end - begin:,} bytes, which do not make {shape}.")
    return begin, end


def check_ranges(ranges, size):
    """Raises ValueError if a range leaves the `size` bytes of data, or two ranges overlap."""
    free = 0  # the first byte that no tensor has
    for name, (begin, end) in sorted(ranges.items(), key=lambda item: item[1]):
        if begin < 0 or end > size:
            raise ValueError(f"tensor {name} reaches past the end of the file (truncated?).")
        if begin < free and end > begin:
            raise ValueError(f"tensor {name} has bytes that belong to another tensor, too.")
        free = max(free, end)
