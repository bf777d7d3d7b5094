"""Nothing in a file of weights is executed, and no such file fills the memory or never ends."""

import json
import os
import pickle
import struct
import zipfile

import pytest
import torch

from clip_min.weights import pickles
from clip_min.weights.formats import read_tensors
from tests.weight_files import WRITERS, write_plain, write_raw_safetensors, write_torchscript
from tests.weight_files import refusal as refusal_of

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning",
                                        "ignore:.*quantiz:UserWarning",
                                        "ignore:.*quantiz:DeprecationWarning")


def refusal(path):
    """The sentence with which `read_tensors` refuses a file, naming it."""
    sentence = refusal_of(path, read=read_tensors)
    assert str(path) in sentence
    return sentence


def write_zip(pickled, path, **members):
    """A zip as of torch.save, with this pickle in it."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", pickled)
        for name, content in members.items():
            archive.writestr(f"x/{name}.pkl", content)
    return path


def rewritten(path, change, compression=zipfile.ZIP_STORED):
    """The same zip next to it, each member's content changed by change(name, content)."""
    with zipfile.ZipFile(path) as archive:
        with zipfile.ZipFile(path.with_name("rewritten"), "w", compression) as copy:
            for name in archive.namelist():
                copy.writestr(name, change(name, archive.read(name)))
    return path.with_name("rewritten")


def memory():
    """The most that this process has held so far, in MB."""
    resource = pytest.importorskip("resource")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# --- files that are cut short, damaged, or of another kind ---


def test_a_truncated_file_is_refused(folder, vit):
    for write in WRITERS:
        path = write(vit, folder / "weights")
        whole = path.read_bytes()
        for fraction in (0.0001, 0.3, 0.999):
            path.write_bytes(whole[: int(fraction * len(whole))])
            assert "cannot be read as" in refusal(path), (write, fraction)


def test_a_file_of_another_kind_is_refused_with_its_first_bytes(tmp_path):
    path = tmp_path / "weights.pt"
    for content in (b"", b"<!DOCTYPE html>", b"\x1b[2J", pickle.dumps({"a": 1})):
        path.write_bytes(content)
        assert f"it begins with {content[:9]!r}" in refusal(path)
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1")
    assert refusal(path).endswith("run git lfs pull.")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("folder/notes.txt", "nothing")
    assert "a zip of something else" in refusal(path)


def test_numbers_of_foreign_types_devices_and_orders_of_bytes(tmp_path):
    state = {"x": torch.arange(3.0)}
    plain = write_plain({"state_dict": state}, tmp_path / "x.pt")
    gpu = rewritten(plain, lambda name, raw: raw.replace(b"X\x03\0\0\0cpu", b"X\x06\0\0\0cuda:0"))
    assert b"cuda:0" in gpu.read_bytes() and torch.equal(read_tensors(gpu)["x"], state["x"])
    novel = rewritten(plain, lambda name, raw: raw.replace(b"FloatStorage", b"NovelStorage"))
    assert "holds no tensors" in refusal(novel)
    big = rewritten(plain, lambda name, raw: b"big" if name.endswith("/byteorder") else raw)
    assert "orders bytes the other way" in refusal(big)
    small = rewritten(plain, lambda name, raw: raw, zipfile.ZIP_DEFLATED)
    assert torch.equal(read_tensors(small)["x"], state["x"])
    integers = torch.quantize_per_tensor(torch.ones(2), 1.0, 0, torch.quint8)
    assert read_tensors(write_plain(state | {"q": integers}, plain)).keys() == state.keys()


def test_a_torchscript_class_without_a_module_is_read(tmp_path):
    """A class that was defined at the prompt is `__torch__.Name`: module `__torch__`, exactly."""
    path = write_torchscript({"a.x": torch.ones(2)}, tmp_path / "x.pt")

    def renamed(name, raw):
        lines = [line for line in raw.split(b"\n") if b"__torch__" in line]
        for line in lines if name.endswith("/data.pkl") else []:
            raw = raw.replace(line[line.index(b"__torch__"):], b"__torch__")
        return raw

    assert torch.equal(read_tensors(rewritten(path, renamed))["a.x"], torch.ones(2))


# --- safetensors and indexes that lie ---


def test_a_safetensors_header_that_lies_is_refused(tmp_path):
    for dtype, shape, offsets, complaint in (
        ("F32", [3], [0, 12], "past the end"), ("F32", [2], [-4, 4], "past the end"),
        ("F32", [2], [8, 0], "do not make"), ("F32", [3], [0, 8], "do not make"),
        ("F32", [-1, -2], [0, 8], "do not make a shape"),
        ("F32", [2.0], [0, 8], "do not make a shape"),
        ("F32", [True], [0, 4], "do not make a shape"), ("F8_E4M3", [8], [0, 8], "type F8_E4M3"),
        ("F32", 2, [0, 8], "lacks dtype, shape or"), ("F32", [2], [0], "lacks dtype, shape or"),
    ):
        entry = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        path = write_raw_safetensors({"x": entry}, bytes(8), tmp_path / "x.safetensors")
        assert complaint in refusal(path)
    for header in ({"x": [1, 2]}, {"x": {"dtype": "F32"}}):
        path = write_raw_safetensors(header, bytes(8), tmp_path / "x.safetensors")
        assert "lacks dtype, shape or data_offsets" in refusal(path)
    assert "holds no tensors" in refusal(write_raw_safetensors({}, b"", path))
    path.write_bytes(struct.pack("<Q", 2**63) + b"{}")
    assert "but the file has only 10" in refusal(path)
    nested = b'{"a":' + b"[" * 100_000
    path.write_bytes(struct.pack("<Q", len(nested)) + nested)
    assert "cannot be read as a safetensors file" in refusal(path)


def test_a_safetensors_file_that_begins_like_a_pickle_is_read(tmp_path):
    """Both can begin with byte 0x80: one safetensors file in 32 does."""
    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    path = write_raw_safetensors({"x": entry}, bytes(8), tmp_path / "x.safetensors", length=0x80)
    assert path.read_bytes().startswith(b"\x80")
    assert torch.equal(read_tensors(path)["x"], torch.zeros(2))


def test_tensors_of_a_safetensors_file_share_no_bytes(tmp_path):
    """A hundred names of the same 20 megabytes would become two gigabytes."""
    names = {f"x{i}": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} for i in range(2)}
    for offsets in ([0, 8], [4, 12]):
        names["x1"]["data_offsets"] = offsets
        path = write_raw_safetensors(names, bytes(16), tmp_path / "x.safetensors")
        assert "bytes that belong to another tensor, too" in refusal(path)
    names["x1"] = {"dtype": "F32", "shape": [0], "data_offsets": [4, 4]}
    path = write_raw_safetensors(names, bytes(16), tmp_path / "x.safetensors")
    assert read_tensors(path)["x1"].shape == (0,)


def test_an_index_reaches_no_other_folder(folder):
    index = folder / "model.safetensors.index.json"
    for name in ("../secret.safetensors", "/etc/passwd", "..\\x", "", ".."):
        for content in ({"weight_map": {"x": name}}, {"weight_map": []}, {}):
            index.write_text(json.dumps(content))
            assert "does not list files of its own folder" in refusal(index)


# --- pickles that bring code along ---


def text(string):
    """The instruction that puts a string on the stack."""
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
    + b"cbuiltins\nint\n(" + COMMAND + b"tNtR",
    "runpy": b"crunpy\n_run_code\n(" + text("open('ran', 'w')") + b"}tR",
    "further items": b"cos\nsystem\n(" + COMMAND + b"tR" + b"}(" + text("a") + b"K\x01ub",
}


def test_no_instruction_of_a_pickle_in_any_layout_reaches_a_function(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "evil.pt"
    for payload, instructions in PAYLOADS.items():
        inside = b"}(" + text("evil") + instructions + text("state_dict") + b"}(" + text("x")
        for pickled in (instructions, inside + instructions + b"uu"):
            pickled = b"\x80\x04" + pickled + b"."
            refusal(write_zip(pickled, path))
            refusal(write_zip(pickled, path, constants=pickled))  # as in a TorchScript archive
            path.write_bytes(pickled)
            refusal(path)
            assert os.listdir() == ["evil.pt"], payload
    path.unlink()
    for payload, instructions in PAYLOADS.items():  # and an ordinary unpickler runs them all
        try:
            pickle.loads(b"\x80\x04" + instructions + b".")
        except Exception:  # some run, and then stumble
            pass
        assert os.listdir() == ["ran"], payload
        os.remove("ran")


def test_no_torchscript_is_executed(tmp_path, monkeypatch):
    path = write_torchscript({"a.x": torch.ones(2)}, tmp_path / "weights.pt")
    for module, name in ((torch.jit, "load"), (torch._C, "import_ir_module"), (torch, "load")):
        monkeypatch.setattr(module, name, lambda *args, **kwargs: pytest.fail("it was called"))
    assert torch.equal(read_tensors(path)["a.x"], torch.ones(2))


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_the_code_that_a_checkpoint_brings_along_does_not_run(tmp_path):
    """Its tensors are read all the same."""
    trap = tmp_path / "the code ran"
    state = {"x": torch.arange(3.0), "evil": Evil(trap)}
    content = {"before": Evil(trap), "state_dict": state, "after": [Evil(trap)]}
    tensors = read_tensors(write_plain(content, tmp_path / "evil.pt"))
    assert tensors.keys() == {"x"} and torch.equal(tensors["x"], state["x"])
    assert not trap.exists()


def test_build_changes_nothing_of_ours(tmp_path):
    """BUILD with (None, {...}) sets attributes by setattr, on whatever lies on the stack."""
    ours = (pickles.rebuild_tensor, pickles.rebuild_parameter)
    before = [(f.__name__, f.__defaults__, f.__kwdefaults__) for f in ours]
    targets = (b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch._utils\n_rebuild_parameter\n",
               b"ccollections\nOrderedDict\n", b"c__torch__\nA\n", b"cany\nname\n")
    for target in targets:
        for attribute in ("__defaults__", "__kwdefaults__", "__name__", "append"):
            build = target + b"N}" + text(attribute) + b"Ns\x86b"
            refusal(write_zip(b"\x80\x04" + build + b".", tmp_path / "x.pt"))
    assert [(f.__name__, f.__defaults__, f.__kwdefaults__) for f in ours] == before
    assert not hasattr(pickles.ScriptedModule, "append") and pickles.StandIn.append


def test_a_stand_in_takes_whatever_a_pickle_gives_it(tmp_path):
    for asked in (
        b")R)R",  # an instance is called
        b")RK\x01b",  # BUILD with a state that is not a dict
        b")RK\x01a", b")R(K\x01e",  # APPEND, APPENDS
        b")RK\x01K\x02s", b")R(K\x01K\x02u",  # SETITEM, SETITEMS
        b")R(K\x01\x90",  # ADDITEMS
        b"K\x01\x85}\x92",  # NEWOBJ_EX
    ):
        pickled = b"\x80\x04}" + text("evil") + b"cany\nname\n" + asked + b"s."
        assert "holds no tensors" in refusal(write_zip(pickled, tmp_path / "any.pt"))


# --- files that would fill the memory, or never end ---


def test_a_zip_that_unpacks_to_far_more_than_its_size_is_refused(tmp_path):
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", pickle.dumps({}, 2))
        archive.writestr("x/data/0", bytes(30_000_000))
    assert path.stat().st_size < 40_000
    assert "would unpack to 30,000,0" in refusal(path)
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
    assert "would unpack to 27,000,0" in refusal(path)


def test_few_numbers_that_are_given_out_as_many_are_refused(tmp_path):
    """A stride of 0 repeats a number without a byte; turned into fp32, it takes them all."""
    path = write_plain({"x": torch.ones(1).expand(10**9)}, tmp_path / "x.pt")
    assert "its tensors take 4,000,000,000 bytes, the file only" in refusal(path)
    many = {f"x{i}": torch.ones(1000).expand(10, 1000) for i in range(20)}
    assert "its tensors take 800,000 bytes" in refusal(write_plain(many, tmp_path / "x.pt"))


def test_modules_that_contain_themselves_are_refused(tmp_path):
    path, before = tmp_path / "x.pt", memory()
    itself = b"c__torch__\nA\n)R\x94}" + text("a") + b"h\0sb"
    long_name = itself.replace(text("a"), text("a" * 1_000_000))  # names inside names
    doubled = b"c__torch__\nA\n)R"  # 40 modules, each of which holds the next one twice: 2^40 names
    for level in range(40):
        doubled += b"\x94c__torch__\nA\n)R}(" + text("a") + b"h" + bytes([level])
        doubled += text("b") + b"h" + bytes([level]) + b"ub"
    for pickled in (itself, b"}" + text("state_dict") + itself + b"s", long_name, doubled):
        write_zip(b"\x80\x04" + pickled + b".", path)
        assert "its modules contain each other" in refusal(path)
    write_zip(b"\x80\x04}\x94" + text("model") + b"h\0s.", path)  # a dict that holds itself
    assert "holds no tensors" in refusal(path)
    assert memory() - before < 250  # MB


def test_a_pickle_that_asks_for_too_much_is_refused_at_once(tmp_path):
    before = memory()
    for pickled in (
        b"\x80\x04Nr\xff\xff\xff\x7f.",  # the memo's entry 2^31: in C, 34 gigabytes
        b"\x80\x04\x8e" + struct.pack("<Q", 2**50) + b"x.",  # BINBYTES8 of a petabyte
        b"\x80\x05\x96" + struct.pack("<Q", 2**50) + b"x.",  # BYTEARRAY8
        b"\x80\x04\x95" + struct.pack("<Q", 2**50) + b"N.",  # a frame
        b"\x80\x04\x8b" + struct.pack("<i", 2**31 - 1) + b"1.",  # LONG4
        b"I" + b"9" * 100_000 + b"\n.", b"(" * 100_000 + b".",
        b"\x82\x01.", b"\xff.", b"",  # EXT1, an instruction that does not exist, nothing
        b"\x80\x04K\x01Q.", b"\x80\x04(K\x01K\x01tQ.",  # BINPERSID of what is not a reference
    ):
        refusal(write_zip(pickled, tmp_path / "x.pt"))
    assert memory() - before < 200  # MB
