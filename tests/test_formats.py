"""Files of weights are read without running, importing or unpacking what they should not bring."""

import argparse
import collections
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from clip_min.weights import pickles
from clip_min.weights.formats import read_checkpoint, read_tensors
from tests.weight_files import (
    WRITERS,
    refusal,
    write_old_plain,
    write_plain,
    write_raw_safetensors,
    write_safetensors,
    write_torchscript,
)

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("fraction", [0.0001, 0.3, 0.999])
def test_a_truncated_file_is_refused(folder, vit, write, fraction):
    path = write(vit, folder / "weights")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(fraction * len(whole))])
    assert "cannot be read as" in refusal(path)


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html>", b"\x1b[2J"])
def test_a_file_of_another_kind_is_refused_with_its_first_bytes(tmp_path, content):
    (tmp_path / "weights.pt").write_bytes(content)
    assert f"it begins with {content[:9]!r}" in refusal(tmp_path / "weights.pt")


def test_a_pointer_of_git_lfs_brings_the_command(tmp_path):
    (tmp_path / "weights.pt").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    assert refusal(tmp_path / "weights.pt").endswith("run git lfs pull.")


# --- safetensors ---


def test_safetensors_of_every_type_are_read(tmp_path):
    tensors = {
        "f32": torch.randn(2, 3),
        "f16": torch.randn(3).half(),
        "bf16": torch.randn(1, 5).bfloat16(),
        "i64": torch.arange(4),
        "scalar": torch.tensor(2.5),
        "nothing": torch.ones(0, 3),
        "i32": torch.arange(3, dtype=torch.int32),
        "bool": torch.tensor([True, False]),
    }
    ours = read_tensors(write_safetensors(tensors, tmp_path / "x.safetensors"))
    assert ours.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert ours[name].dtype == tensor.dtype and torch.equal(ours[name], tensor), name


@pytest.mark.parametrize(
    "entry, complaint",
    [
        ({"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}, "past the end"),
        ({"dtype": "F32", "shape": [2], "data_offsets": [-4, 4]}, "past the end"),
        ({"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}, "do not make"),
        ({"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}, "do not make"),
        ({"dtype": "F32", "shape": [-1, -2], "data_offsets": [0, 8]}, "do not make a shape"),
        ({"dtype": "F32", "shape": [2.0], "data_offsets": [0, 8]}, "do not make a shape"),
        ({"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}, "do not make a shape"),
        ({"dtype": "F8_E4M3", "shape": [8], "data_offsets": [0, 8]}, "type F8_E4M3"),
        ({"dtype": "F32"}, "lacks dtype, shape or data_offsets"),
        ({"dtype": "F32", "shape": 2, "data_offsets": [0, 8]}, "lacks dtype, shape or"),
        ([1, 2], "lacks dtype, shape or data_offsets"),
    ],
)
def test_a_safetensors_header_that_lies_is_refused(tmp_path, entry, complaint):
    path = write_raw_safetensors({"x": entry}, bytes(8), tmp_path / "x.safetensors")
    assert complaint in refusal(path)


def test_a_safetensors_file_that_begins_like_a_pickle_is_read(tmp_path):
    """Both can begin with byte 0x80: one safetensors file in 32 does."""
    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    path = write_raw_safetensors({"x": entry}, bytes(8), tmp_path / "x.safetensors", length=0x80)
    assert path.read_bytes().startswith(b"\x80")
    assert torch.equal(read_tensors(path)["x"], torch.zeros(2))


def test_tensors_of_a_safetensors_file_share_no_bytes(tmp_path):
    """A hundred names of the same 20 megabytes would become two gigabytes."""
    names = {f"x{i}": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} for i in range(2)}
    path = write_raw_safetensors(names, bytes(16), tmp_path / "x.safetensors")
    assert "bytes that belong to another tensor, too" in refusal(path)
    names["x1"]["data_offsets"] = [4, 12]
    path = write_raw_safetensors(names, bytes(16), tmp_path / "x.safetensors")
    assert "bytes that belong to another tensor, too" in refusal(path)
    nothing = {"dtype": "F32", "shape": [0], "data_offsets": [4, 4]}
    names["x1"] = nothing
    path = write_raw_safetensors(names, bytes(16), tmp_path / "x.safetensors")
    assert read_tensors(path)["x1"].shape == (0,)


def test_a_header_longer_than_the_file_or_full_of_brackets_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(struct.pack("<Q", 2**63) + b"{}")
    assert "but the file has only 10" in refusal(tmp_path / "x")
    nested = b'{"a":' + b"[" * 100_000
    (tmp_path / "x").write_bytes(struct.pack("<Q", len(nested)) + nested)
    assert "cannot be read as a safetensors file" in refusal(tmp_path / "x")


def test_control_characters_of_a_tensor_s_name_reach_no_terminal(tmp_path, folder, vit):
    entry = {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}
    path = write_raw_safetensors({"\x1b[31m\u202e": entry}, bytes(8), tmp_path / "x")
    sentences = [refusal(path)]
    sentences.append(refusal(write_plain({"\x1b[2J": torch.ones(1)}, tmp_path / "x")))
    sentences.append(refusal(write_plain(vit | {"\x1b]0;\x07": torch.ones(1)}, folder / "x")))
    assert all(sentence.isprintable() and "\\x1b" in sentence for sentence in sentences)
    assert "\\u202e" in sentences[0]


# --- checkpoints of a training run, which hold objects beside their tensors ---


STATE = {
    "ctx": torch.arange(12.0).view(3, 4).T,
    "half": torch.ones(2).half(),
    "scale": nn.Parameter(torch.ones(3)),
}


def assert_is_state(tensors):
    """STATE, bit for bit, and as plain tensors."""
    assert tensors.keys() == STATE.keys()
    for name, tensor in STATE.items():
        assert type(tensors[name]) is torch.Tensor and tensors[name].dtype == tensor.dtype, name
        assert torch.equal(tensors[name], tensor), name


def reading_refusal(path):
    with pytest.raises(ValueError) as refused:
        read_tensors(path)
    assert str(path) in str(refused.value) and str(refused.value).isprintable()
    return str(refused.value)


def training_objects():
    """What training scripts save beside weights, which torch.load(weights_only=True) refuses."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(3))], lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 50)
    return {
        "best": np.float64(3),
        "history": np.arange(5),
        "args": argparse.Namespace(lr=0.1, folder=os.curdir),
        "optimizer": optimizer.state_dict(),
        "scheduler": schedule,
        "calls": [schedule.step, print],
        "kinds": {torch.float16, torch.Size([2])},
        "counts": collections.Counter("ab"),
        "complex": torch.ones(2, dtype=torch.complex64),
        "sparse": torch.ones(2, 2).to_sparse(),
    }


@pytest.mark.parametrize("write", [write_plain, write_old_plain])
@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model"])
def test_a_checkpoint_with_objects_of_a_training_script_is_read(tmp_path, write, key):
    path = write({**training_objects(), key: STATE, "epoch": 50}, tmp_path / "model.pth.tar-50")
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)
    assert_is_state(read_tensors(path))
    assert_is_state(read_checkpoint(path))


@pytest.mark.parametrize("write", [write_plain, write_old_plain])
def test_a_bare_a_nested_and_an_ordered_state_dict_are_read(tmp_path, write):
    """An ordered one, as of `Module.state_dict()`, brings attributes along, for BUILD."""
    ordered = collections.OrderedDict(STATE)
    ordered._metadata = {"": {"version": 1}}
    for content in (STATE, ordered, {"model": {"state_dict": STATE}}, {**STATE, "step": 3}):
        assert_is_state(read_tensors(write(content, tmp_path / "weights.pt")))


@pytest.mark.parametrize("write", [write_plain, write_old_plain])
def test_tensors_that_share_their_numbers_are_read(tmp_path, write):
    base = torch.arange(24.0).view(4, 6)
    content = {"a": base, "b": base.T, "c": base[1:3, ::2], "none": torch.ones(0, 3)}
    ours = read_tensors(write(content, tmp_path / "weights.pt"))
    assert all(torch.equal(ours[name], x) for name, x in content.items())


@pytest.mark.parametrize("dtype", sorted(map(str, pickles.STORAGES.values())))
@pytest.mark.parametrize("write", [write_plain, write_old_plain])
def test_every_type_of_number_is_read(tmp_path, write, dtype):
    tensor = torch.tensor([[0, 1], [1, 0]]).to(getattr(torch, dtype.removeprefix("torch.")))
    ours = read_tensors(write({"x": tensor}, tmp_path / "weights.pt"))["x"]
    assert ours.dtype == tensor.dtype and torch.equal(ours, tensor)


@pytest.mark.filterwarnings("ignore:.*quantiz:UserWarning", "ignore:.*quantiz:DeprecationWarning")
def test_numbers_of_a_type_that_clip_never_has_are_passed_over(tmp_path):
    """A file from before 1.6 does not say how long they are, and is refused."""
    integers = torch.quantize_per_tensor(torch.ones(2), 1.0, 0, torch.quint8)
    content = {"state_dict": {**STATE, "integers": integers}}
    assert_is_state(read_tensors(write_plain(content, tmp_path / "new.pt")))
    path = write_old_plain(content, tmp_path / "old.pt")
    assert "numbers of a type that is unknown here" in reading_refusal(path)
    written = write_plain({"x": torch.ones(2)}, tmp_path / "plain.pt")
    with zipfile.ZipFile(written) as archive, zipfile.ZipFile(tmp_path / "x.pt", "w") as copy:
        for name in archive.namelist():
            copy.writestr(name, archive.read(name).replace(b"FloatStorage", b"NovelStorage"))
    assert "holds no tensors" in reading_refusal(tmp_path / "x.pt")


def test_tensors_of_a_gpu_that_is_not_there_are_read(tmp_path):
    path, elsewhere = write_plain({"state_dict": STATE}, tmp_path / "cpu.pt"), tmp_path / "gpu.pt"
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(elsewhere, "w") as copy:
        for name in archive.namelist():
            content = archive.read(name)
            copy.writestr(name, content.replace(b"X\x03\0\0\0cpu", b"X\x06\0\0\0cuda:0"))
    assert b"cuda:0" in elsewhere.read_bytes()
    assert torch.equal(read_tensors(elsewhere)["ctx"], STATE["ctx"])


@pytest.mark.parametrize("order, is_read", [(b"little", True), (b"big", False)])
def test_numbers_in_the_other_order_of_bytes_are_refused(tmp_path, order, is_read):
    path, copied = write_plain(STATE, tmp_path / "x.pt"), tmp_path / "y.pt"
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(copied, "w") as copy:
        for name in archive.namelist():
            copy.writestr(name, order if name.endswith("/byteorder") else archive.read(name))
    if is_read:
        assert_is_state(read_tensors(copied))
    else:
        assert "orders bytes the other way" in reading_refusal(copied)


def test_an_old_file_without_its_last_numbers_is_truncated(tmp_path):
    path = write_old_plain(STATE, tmp_path / "old.pt")
    path.write_bytes(path.read_bytes()[:-4])
    assert "it is truncated" in reading_refusal(path)


@pytest.mark.parametrize("module", ["__torch__", "__torch__.clip.model"])
def test_a_torchscript_class_without_a_module_is_read(tmp_path, module):
    """A class that was defined at the prompt is `__torch__.Name`: module `__torch__`, exactly."""
    inner = write_torchscript({"a.x": torch.ones(2)}, tmp_path / "in.pt")
    with zipfile.ZipFile(inner) as archive, zipfile.ZipFile(tmp_path / "out.pt", "w") as copy:
        for name in archive.namelist():
            content = archive.read(name)
            if name.endswith("/data.pkl"):
                classes = [line for line in content.split(b"\n") if b"__torch__" in line]
                for line in classes:
                    start = line.index(b"__torch__")
                    content = content.replace(line[start:], module.encode())
            copy.writestr(name, content)
    assert torch.equal(read_tensors(tmp_path / "out.pt")["a.x"], torch.ones(2))


def test_a_file_that_is_not_a_checkpoint_is_refused(tmp_path):
    (tmp_path / "text.pt").write_bytes(b"<html>")
    assert "begins with b'<html>'" in reading_refusal(tmp_path / "text.pt")
    with zipfile.ZipFile(tmp_path / "zip.pt", "w") as archive:
        archive.writestr("folder/notes.txt", "nothing")
    assert "a zip of something else" in reading_refusal(tmp_path / "zip.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps({"a": 1}))
    assert "a pickle that torch.save did not write" in reading_refusal(tmp_path / "plain.pt")
    for content in ({"epoch": 3}, {"state_dict": {}}, {"state_dict": 3}, [STATE], 3):
        path = write_plain(content, tmp_path / "empty.pt")
        assert "holds no tensors, neither directly nor under the key" in reading_refusal(path)
    path = write_plain(nn.Linear(2, 2), tmp_path / "whole.pt")
    assert "holds a whole object, not a state dict: save model.state_dict()" in reading_refusal(
        path
    )


# --- attacks ---


def text(string):
    return b"X" + struct.pack("<I", len(string)) + string.encode()


COMMAND = text("echo > ran")
PAYLOADS = {  # instructions of a pickle that leave one object; an ordinary unpickler makes "ran"
    "REDUCE": b"cos\nsystem\n(" + COMMAND + b"tR",
    "INST": b"(" + COMMAND + b"ios\nsystem\n",
    "OBJ": b"(cos\nsystem\n" + COMMAND + b"o",
    "OBJ of a class": b"(c_io\nFileIO\n" + text("ran") + text("w") + b"o",
    "subprocess": b"csubprocess\ngetoutput\n(" + COMMAND + b"tR",
    "REDUCE of a class": b"c_io\nFileIO\n(" + text("ran") + text("w") + b"tR",
    "STACK_GLOBAL": text("os") + text("system") + b"\x93(" + COMMAND + b"tR",
    "a dotted name": text("os") + text("system.__call__") + b"\x93(" + COMMAND + b"tR",
    "eval": b"cbuiltins\neval\n(" + text("open('ran', 'w')") + b"tR",
    "exec": b"cbuiltins\nexec\n(" + text("open('ran', 'w')") + b"tR",
    "getattr": b"cbuiltins\ngetattr\n(cos\nsystem\n" + text("__call__") + b"tR(" + COMMAND + b"tR",
    "a name of torch": b"ctorch.serialization\nos.system\n(" + COMMAND + b"tR",
    "a name of torch._tensor": b"ctorch._tensor\n_rebuild_from_type_v2\n(cos\nsystem\n"
    + b"cbuiltins\nint\n("
    + COMMAND
    + b"tNtR",
    "runpy": b"crunpy\n_run_code\n(" + text("open('ran', 'w')") + b"}tR",
    "further items": b"cos\nsystem\n(" + COMMAND + b"tR" + b"}(" + text("a") + b"K\x01ub",
}


def write_zip(pickled, path, scripted=False):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", pickled)
        if scripted:
            archive.writestr("x/constants.pkl", pickled)
            archive.writestr("x/code/__torch__.py", "raise SystemExit")
    return path


LAYOUTS = {
    "zip": lambda pickled, path: write_zip(pickled, path),
    "TorchScript": lambda pickled, path: write_zip(pickled, path, scripted=True),
    "pickle": lambda pickled, path: path.write_bytes(pickled),
    "old, first": lambda pickled, path: path.write_bytes(old_file(pickled, at=0)),
    "old, content": lambda pickled, path: path.write_bytes(old_file(pickled, at=3)),
    "old, keys": lambda pickled, path: path.write_bytes(old_file(pickled, at=4)),
}


def old_file(pickled, at):
    """The five pickles of a file from before torch 1.6, one of them replaced."""
    parts = [pickle.dumps(x, 2) for x in (pickles.MAGIC, 1001, {}, {"state_dict": {}}, [])]
    parts[at] = pickled
    return b"".join(parts)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_instruction_of_a_pickle_in_any_layout_reaches_a_function(
    tmp_path, monkeypatch, payload, layout
):
    monkeypatch.chdir(tmp_path)
    instructions = PAYLOADS[payload]
    inside = b"}(" + text("evil") + instructions + text("state_dict") + b"}(" + text("x")
    inside += instructions + b"uu"
    for pickled in (instructions, inside):
        LAYOUTS[layout](b"\x80\x04" + pickled + b".", tmp_path / "evil.pt")
        reading_refusal(tmp_path / "evil.pt")
        assert os.listdir() == ["evil.pt"]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_an_ordinary_unpickler_runs_these_payloads(tmp_path, monkeypatch, payload):
    monkeypatch.chdir(tmp_path)
    try:
        pickle.loads(b"\x80\x04" + PAYLOADS[payload] + b".")
    except Exception:  # some run, and then stumble
        pass
    assert os.listdir() == ["ran"]


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("write", [write_plain, write_old_plain])
def test_the_code_that_a_checkpoint_brings_along_does_not_run(tmp_path, write):
    """Its tensors are read all the same."""
    trap = tmp_path / "the code ran"
    state = {**STATE, "evil": Evil(trap)}
    content = {"before": Evil(trap), "state_dict": state, "after": [Evil(trap)]}
    assert_is_state(read_tensors(write(content, tmp_path / "evil.pt")))
    assert not trap.exists()


@pytest.mark.parametrize(
    "name", ["torch._utils\n_rebuild_tensor_v2", "torch._utils\n_rebuild_parameter"]
)
@pytest.mark.parametrize("attributes", ["__defaults__", "__kwdefaults__", "__name__"])
def test_build_changes_nothing_of_ours(tmp_path, name, attributes):
    """BUILD with (None, {...}) sets attributes by setattr, on whatever lies on the stack."""
    ours = (pickles.rebuild_tensor, pickles.rebuild_parameter)
    before = [(f.__name__, f.__defaults__, f.__kwdefaults__) for f in ours]
    build = f"c{name}\n".encode() + b"N}" + text(attributes) + b"N" + b"s\x86b"
    for target in (build, build.replace(name.encode(), b"collections\nOrderedDict")):
        write_zip(b"\x80\x04" + target + b".", tmp_path / "x.pt")
        reading_refusal(tmp_path / "x.pt")
    for scripted in (b"c__torch__\nA\n", b"cany\nname\n"):  # the classes themselves
        changed = scripted + b"N}" + text("append") + b"Ns\x86b"
        write_zip(b"\x80\x04" + changed + b".", tmp_path / "x.pt")
        reading_refusal(tmp_path / "x.pt")
    assert [(f.__name__, f.__defaults__, f.__kwdefaults__) for f in ours] == before
    assert not hasattr(pickles.ScriptedModule, "append") and pickles.StandIn.append


@pytest.mark.parametrize(
    "pickled",
    [
        b"cany\nname\n)R)R.",  # an instance is called
        b"cany\nname\n)RK\x01b.",  # BUILD with a state that is not a dict
        b"cany\nname\n)RK\x01a.",  # APPEND
        b"cany\nname\n)R(K\x01e.",  # APPENDS
        b"cany\nname\n)RK\x01K\x02s.",  # SETITEM
        b"cany\nname\n)R(K\x01K\x02u.",  # SETITEMS
        b"\x80\x04cany\nname\n)R(K\x01\x90.",  # ADDITEMS
        b"\x80\x04cany\nname\nK\x01\x85}\x92.",  # NEWOBJ_EX
    ],
)
def test_a_stand_in_takes_whatever_a_pickle_gives_it(tmp_path, pickled):
    path = write_zip(b"}" + text("evil") + pickled[:-1] + b"s.", tmp_path / "any.pt")
    assert "holds no tensors" in reading_refusal(path)


# --- files that would fill the memory, or never end ---


def test_a_zip_that_unpacks_to_far_more_than_its_size_is_refused(tmp_path):
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", pickle.dumps({}, 2))
        archive.writestr("x/data/0", bytes(30_000_000))
    assert path.stat().st_size < 40_000
    assert "would unpack to 30,000,0" in reading_refusal(path)


def test_a_zip_whose_members_lie_on_the_same_bytes_is_refused(tmp_path):
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", pickle.dumps({}, 2))
        archive.writestr("x/data/0", bytes(3_000_000))
        for number in range(1, 9):  # further names for the same place
            again = zipfile.ZipInfo(f"x/data/{number}")
            first = archive.getinfo("x/data/0")
            again.header_offset, again.CRC = first.header_offset, first.CRC
            again.file_size = again.compress_size = first.file_size
            archive.filelist.append(again)
            archive.NameToInfo[again.filename] = again
    assert "would unpack to 27,000,0" in reading_refusal(path)


def test_a_compressed_archive_of_weights_is_read(tmp_path):
    path = write_plain(STATE, tmp_path / "plain.pt")
    with zipfile.ZipFile(path) as archive:
        with zipfile.ZipFile(tmp_path / "small.pt", "w", zipfile.ZIP_DEFLATED) as copy:
            for name in archive.namelist():
                copy.writestr(name, archive.read(name))
    assert_is_state(read_tensors(tmp_path / "small.pt"))


@pytest.mark.parametrize("write", [write_plain, write_old_plain])
def test_few_numbers_that_are_given_out_as_many_are_refused(tmp_path, write):
    """A stride of 0 repeats a number without a byte; turned into fp32, it takes them all."""
    path = write({"x": torch.ones(1).expand(10**9)}, tmp_path / "x.pt")
    assert "its tensors take 4,000,000,000 bytes, the file only" in reading_refusal(path)
    many = {f"x{i}": torch.ones(1000).expand(10, 1000) for i in range(20)}
    assert "its tensors take 800,000 bytes" in reading_refusal(write(many, tmp_path / "x.pt"))


SELF = b"c__torch__\nA\n)R\x94}" + text("a") + b"h\0sb."


@pytest.mark.parametrize("name", ["model.pth.tar", "weights.pt"])
def test_modules_that_contain_themselves_are_refused(tmp_path, name):
    path = write_zip(b"\x80\x04" + SELF, tmp_path / name)
    assert "its modules contain each other" in reading_refusal(path)
    write_zip(b"\x80\x04}" + text("state_dict") + SELF[:-1] + b"s.", path)
    assert "its modules contain each other" in reading_refusal(path)


def test_a_module_of_a_long_name_that_contains_itself_does_not_fill_the_memory(tmp_path):
    """Names inside names of a million letters: at the hundredth level, a hundred million."""
    pickled = SELF.replace(text("a"), text("a" * 1_000_000))
    path, before = write_zip(b"\x80\x04" + pickled, tmp_path / "x.pt"), memory()
    assert "its modules contain each other" in reading_refusal(path)
    assert memory() - before < 250  # MB


def test_modules_that_double_forty_times_are_refused(tmp_path):
    """Each holds the next one twice: 2^40 names in two kilobytes."""
    pickled = b"\x80\x04c__torch__\nA\n)R"
    for level in range(40):
        pickled += b"\x94c__torch__\nA\n)R}(" + text("a") + b"h" + bytes([level])
        pickled += text("b") + b"h" + bytes([level]) + b"ub"
    path = write_zip(pickled + b".", tmp_path / "x.pt")
    assert "its modules contain each other" in reading_refusal(path)


def test_a_dict_that_contains_itself_is_refused(tmp_path):
    path = write_zip(b"\x80\x04}\x94" + text("model") + b"h\0s.", tmp_path / "x.pt")
    assert "holds no tensors" in reading_refusal(path)


@pytest.mark.parametrize(
    "pickled",
    [
        b"\x80\x04Nr\xff\xff\xff\x7f.",  # the memo's entry 2^31: in C, 34 gigabytes
        b"\x80\x04\x8e" + struct.pack("<Q", 2**50) + b"x.",  # BINBYTES8 of a petabyte
        b"\x80\x05\x96" + struct.pack("<Q", 2**50) + b"x.",  # BYTEARRAY8
        b"\x80\x04\x95" + struct.pack("<Q", 2**50) + b"N.",  # a frame
        b"\x80\x04\x8b" + struct.pack("<i", 2**31 - 1) + b"1.",  # LONG4
        b"I" + b"9" * 100_000 + b"\n.",
        b"(" * 100_000 + b".",
        b"\x82\x01.",  # EXT1
        b"\xff.",
        b"",
        b"\x80\x04K\x01Q.",  # BINPERSID of a number
        b"\x80\x04(K\x01K\x01tQ.",
    ],
)
def test_a_pickle_that_asks_for_too_much_is_refused_at_once(tmp_path, pickled):
    before = memory()
    reading_refusal(write_zip(pickled, tmp_path / "x.pt"))
    assert memory() - before < 200  # MB


def memory():
    """The most that this process has held so far, in MB."""
    resource = pytest.importorskip("resource")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
