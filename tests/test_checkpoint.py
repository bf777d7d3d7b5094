"""Every layout of weights ends as the same CLIP; everything else ends in one sentence, and runs no code."""

import hashlib
import json
import os
import pickle
import re
import struct
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from torch import nn

import clip_min
from clip_min import checkpoint, download, load_clip
from clip_min.formats import read_checkpoint, read_tensors
from clip_min.model import build_clip
from clip_min.tokenizer import OPENAI_FILE, OPENAI_VOCAB_SIZE, save_merges
from tests.golden.weights import golden_state_dict

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # archives are made with it
GOLDEN = json.loads((Path(__file__).parent / "golden" / "clip.json").read_text())
WORDS = 514 + 3  # 512 bytes, 3 merges, [SOS] and [EOS]
MERGES = [("c", "a"), ("ca", "t</w>"), ("d", "o</w>")]
TOKENS = [[515, 320, 513, 516], [515, 514, 516, 0]]  # "a cat" and "do", with these merges


def small_weights(kind, words=WORDS):
    """The golden "vit" or "rn" weights in fp16, with a vocabulary of `words` words."""
    shapes = GOLDEN[kind]["shapes"] | {"token_embedding.weight": [words, 128]}
    weights = golden_state_dict(shapes)
    return {name: x.half() if x.is_floating_point() else x for name, x in weights.items()}


@pytest.fixture(scope="module")
def vit():
    return small_weights("vit")


@pytest.fixture
def folder(tmp_path):
    save_merges(MERGES, tmp_path / "merges.txt")
    return tmp_path


def features(clip):
    torch.manual_seed(0)
    images = torch.randn(2, 3, clip.image_size, clip.image_size)
    return clip.encode_image(images), clip.encode_text(torch.tensor(TOKENS))


def assert_same_clip(ours, theirs):
    """Weights bit for bit; features up to rounding, which may depend on where the weights lie in memory."""
    theirs_weights = theirs.state_dict()
    assert ours.state_dict().keys() == theirs_weights.keys()
    for name, tensor in ours.state_dict().items():
        assert torch.equal(tensor, theirs_weights[name]), name
    for x, y in zip(features(ours), features(theirs)):
        torch.testing.assert_close(x, y, rtol=1e-5, atol=1e-5)


def refusal(path, **options):
    """The sentence with which `load_clip` refuses a file."""
    with pytest.raises(ValueError) as refused:
        load_clip(path, **options)
    sentence = str(refused.value)
    assert sentence and "\n" not in sentence
    return sentence


# --- writers of the other layouts ---


def write_torchscript(weights, path):
    """An archive like OpenAI's: modules nested as the names are, and three integers besides the weights."""

    class Branch(nn.Module):
        def forward(self, x):
            return x

    root = Branch()
    for name, tensor in weights.items():
        *parents, leaf = name.split(".")
        module = root
        for parent in parents:
            if not hasattr(module, parent):
                module.add_module(parent, Branch())
            module = getattr(module, parent)
        if tensor.is_floating_point():
            module.register_parameter(leaf, nn.Parameter(tensor))
        else:
            module.register_buffer(leaf, tensor)
    root.input_resolution, root.context_length, root.vocab_size = 32, 77, WORDS
    torch.jit.script(root).save(str(path))
    return path


def write_safetensors(tensors, path):
    types = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64"}
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, x in tensors.items():
        raw = x.contiguous().view(-1).view(torch.uint8).numpy().tobytes()
        offsets = [len(data), len(data) + len(raw)]
        header[name] = {"dtype": types[x.dtype], "shape": list(x.shape), "data_offsets": offsets}
        data += raw
    return write_raw_safetensors(header, data, path)


def write_raw_safetensors(header, data, path, length=0):
    """Header, padded with spaces to a length in bytes, and data."""
    text = json.dumps(header).encode().ljust(length)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def hugging_face(weights):
    """OpenAI's names → those of a Hugging Face CLIPModel, written from its side of the table."""
    theirs = {
        "logit_scale": weights["logit_scale"],
        "text_projection.weight": weights["text_projection"].T.contiguous(),
        "visual_projection.weight": weights["visual.proj"].T.contiguous(),
        "text_model.embeddings.token_embedding.weight": weights["token_embedding.weight"],
        "text_model.embeddings.position_embedding.weight": weights["positional_embedding"],
        "text_model.embeddings.position_ids": torch.arange(77)[None],
        "vision_model.embeddings.class_embedding": weights["visual.class_embedding"],
        "vision_model.embeddings.patch_embedding.weight": weights["visual.conv1.weight"],
        "vision_model.embeddings.position_embedding.weight": weights["visual.positional_embedding"],
    }
    for end in ("weight", "bias"):
        theirs[f"text_model.final_layer_norm.{end}"] = weights[f"ln_final.{end}"]
        theirs[f"vision_model.pre_layrnorm.{end}"] = weights[f"visual.ln_pre.{end}"]
        theirs[f"vision_model.post_layernorm.{end}"] = weights[f"visual.ln_post.{end}"]
        for tower, prefix in (("text_model", ""), ("vision_model", "visual.")):
            for layer in range(3):
                ours = f"{prefix}transformer.resblocks.{layer}"
                there = f"{tower}.encoder.layers.{layer}"
                for part, piece in zip("qkv", weights[f"{ours}.attn.in_proj_{end}"].chunk(3)):
                    theirs[f"{there}.self_attn.{part}_proj.{end}"] = piece
                theirs[f"{there}.self_attn.out_proj.{end}"] = weights[f"{ours}.attn.out_proj.{end}"]
                theirs[f"{there}.mlp.fc1.{end}"] = weights[f"{ours}.mlp.c_fc.{end}"]
                theirs[f"{there}.mlp.fc2.{end}"] = weights[f"{ours}.mlp.c_proj.{end}"]
                theirs[f"{there}.layer_norm1.{end}"] = weights[f"{ours}.ln_1.{end}"]
                theirs[f"{there}.layer_norm2.{end}"] = weights[f"{ours}.ln_2.{end}"]
    return theirs


def write_config(folder, text_act="quick_gelu", vision_act="quick_gelu", heads=2):
    tower = {"hidden_size": 128, "num_attention_heads": heads}
    config = {
        "text_config": tower | {"hidden_act": text_act},
        "vision_config": tower | {"hidden_act": vision_act},
    }
    (folder / "config.json").write_text(json.dumps(config))


def write_plain(weights, path):
    torch.save(weights, path)
    return path


def write_old_plain(weights, path):
    torch.save(weights, path, _use_new_zipfile_serialization=False)
    return path


def write_open_clip(weights, path):
    torch.save({"epoch": 3, "state_dict": {f"module.{name}": x for name, x in weights.items()}}, path)
    return path


WRITERS = [write_torchscript, write_plain, write_old_plain, write_open_clip, write_safetensors]


# --- one CLIP from every layout ---


@pytest.mark.parametrize("kind", ["vit", "rn"])
@pytest.mark.parametrize("write", WRITERS)
def test_every_layout_gives_the_same_features(folder, kind, write):
    weights = small_weights(kind)
    assert_same_clip(load_clip(write(weights, folder / "weights")), build_clip(weights))


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_a_hugging_face_folder_gives_the_same_features(folder, vit, file):
    write = write_safetensors if file.endswith("safetensors") else write_plain
    write(hugging_face(vit), folder / file)
    write_config(folder)
    for given in (folder, folder / file):
        assert_same_clip(load_clip(given), build_clip(vit))


@pytest.mark.parametrize("kind", ["vit", "rn"])
def test_a_torchscript_archive_is_read_tensor_for_tensor_as_torch_reads_it(tmp_path, kind):
    path = write_torchscript(small_weights(kind), tmp_path / "weights.pt")
    ours, theirs = read_tensors(path), torch.jit.load(str(path)).state_dict()
    assert ours.keys() == theirs.keys() and len(ours) > 50
    for name, tensor in theirs.items():
        assert ours[name].dtype == tensor.dtype and torch.equal(ours[name], tensor), name


def test_no_torchscript_is_executed(folder, vit, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("torch.jit.load was called")

    path = write_torchscript(vit, folder / "weights.pt")
    monkeypatch.setattr(torch.jit, "load", refuse)
    monkeypatch.setattr(torch._C, "import_ir_module", refuse)
    assert load_clip(path).state_dict().keys() == vit.keys()


def test_views_of_one_storage_in_an_archive_are_cut_out_of_it(tmp_path):
    """An archive gives offset, size and stride: here a transposed view, and a slice, of the same numbers."""
    base = torch.arange(24.0).view(4, 6)
    path = write_torchscript({"a.x": base.T, "b.y": base[1:3]}, tmp_path / "views.pt")
    ours = read_tensors(path)
    assert torch.equal(ours["a.x"], base.T) and torch.equal(ours["b.y"], base[1:3])


def test_the_three_integers_are_dropped_when_they_come_as_tensors(folder, vit):
    extra = {"input_resolution": torch.tensor(32), "context_length": torch.tensor(77)}
    path = write_plain(vit | extra | {"vocab_size": torch.tensor(WORDS)}, folder / "weights.pt")
    assert_same_clip(load_clip(path), build_clip(vit))


def test_half_precision_weights_become_a_frozen_fp32_clip_in_evaluation_mode(folder, vit):
    assert vit["visual.proj"].dtype == torch.float16
    clip = load_clip(write_plain(vit, folder / "weights.pt"))
    assert {p.dtype for p in clip.parameters()} == {torch.float32}
    assert not clip.training and not any(p.requires_grad for p in clip.parameters())


def test_the_clip_knows_its_name_its_file_and_its_sizes(folder, vit):
    path = write_plain(vit, folder / "weights.pt")
    clip = load_clip(str(path), device="cpu")
    assert clip.name == str(path)
    assert clip.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (clip.image_size, clip.context_length, clip.vocab_size) == (32, 77, WORDS)
    assert clip.tokenizer(["a cat", "do"], context_length=4).tolist() == TOKENS


def test_the_tiny_clip_and_a_path_to_its_file_are_loaded_alike(folder, vit, monkeypatch):
    monkeypatch.setattr(checkpoint, "TINY", write_plain(vit, folder / "tiny.pt"))
    by_name, by_path = load_clip("tiny"), load_clip(folder / "tiny.pt")
    assert_same_clip(by_name, by_path)
    assert by_name.sha256 == by_path.sha256
    assert by_name.tokenizer.encoder == by_path.tokenizer.encoder


def test_the_package_offers_load_clip():
    assert clip_min.load_clip is checkpoint.load_clip and clip_min.__version__ == "0.1.0"


# --- the activation ---


@pytest.mark.parametrize("act, gelu", [("quick_gelu", "quick"), ("gelu", "exact")])
def test_config_json_decides_the_activation(folder, vit, act, gelu):
    write_safetensors(hugging_face(vit), folder / "model.safetensors")
    write_config(folder, act, act)
    assert_same_clip(load_clip(folder), build_clip(vit, gelu))


@pytest.mark.parametrize("quick, gelu", [(True, "quick"), (False, "exact")])
def test_open_clip_config_json_decides_the_activation(folder, vit, quick, gelu):
    write_open_clip(vit, folder / "open_clip_pytorch_model.bin")
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": {"quick_gelu": quick}}))
    assert_same_clip(load_clip(folder), build_clip(vit, gelu))


def test_the_activation_asked_for_wins_and_quick_is_the_default(folder, vit):
    path = write_plain(vit, folder / "weights.pt")
    quick, exact = build_clip(vit, "quick"), build_clip(vit, "exact")
    assert all((x - y).abs().max() > 1e-3 for x, y in zip(features(quick), features(exact)))
    assert_same_clip(load_clip(path), quick)
    assert_same_clip(load_clip(path, gelu="exact"), exact)
    write_config(folder, "gelu", "gelu")
    assert_same_clip(load_clip(path, gelu="quick"), quick)
    assert "'tanh'" in refusal(path, gelu="tanh")


def test_a_config_that_clip_min_cannot_build_is_refused(folder, vit):
    path = write_plain(vit, folder / "weights.pt")
    write_config(folder, "gelu", "quick_gelu")
    assert "gelu and quick_gelu" in refusal(path)
    write_config(folder, "relu", "relu")
    assert "asks for relu" in refusal(path)
    write_config(folder, heads=4)
    assert "4 heads to a width of 128" in refusal(path)
    (folder / "config.json").write_text("{")
    assert "config.json is no JSON" in refusal(path)


def test_a_width_that_hides_other_heads_is_refused(folder, vit):
    """open_clip's ViT-H has 16 heads 80 wide; its tensors do not say so, and would load as 20 of 64."""
    shapes = {name: list(x.shape) for name, x in vit.items() if not re.search(r"resblocks\.[12]", name)}
    for name, shape in shapes.items():
        if name.startswith("visual."):
            shapes[name] = [10 * size if size in (128, 384, 512) else size for size in shape]
    weights = {name: torch.zeros(shape, dtype=torch.float16) for name, shape in shapes.items()}
    assert "vision tower 1280 wide" in refusal(write_plain(weights, folder / "vit-h.pt"))


# --- the tokenizer ---


def test_a_clip_of_49408_words_gets_the_merges_of_openai(tmp_path, monkeypatch):
    """A stand-in for OpenAI's file: as many merges, none of them useful."""
    pairs = [(str(i), "x") for i in range(OPENAI_VOCAB_SIZE - 514)]
    monkeypatch.setenv("CLIP_MIN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    save_merges(pairs, tmp_path / "cache" / OPENAI_FILE)
    path = write_plain(small_weights("vit", words=OPENAI_VOCAB_SIZE), tmp_path / "weights.pt")
    clip = load_clip(path)
    assert (clip.tokenizer.vocab_size, clip.tokenizer.eot) == (49408, 49407)
    save_merges(MERGES, tmp_path / "merges.txt")  # what lies next to the weights comes first
    assert "merges.txt makes 517 words" in refusal(path)


def test_other_vocabularies_need_their_merges_next_to_the_weights(tmp_path, vit):
    path = write_plain(vit, tmp_path / "weights.pt")
    assert f"knows 517 words: put its merges next to it, as {tmp_path / 'merges.txt'}" in refusal(path)
    save_merges(MERGES[:2], tmp_path / "merges.txt")
    assert "makes 516 words" in refusal(path)


# --- wrong files ---


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def write_evil_torchscript(content, path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights/constants.pkl", pickle.dumps(content))
        archive.writestr("weights/data.pkl", pickle.dumps(content))
        archive.writestr("weights/code/__torch__.py", "raise SystemExit")
    return path


@pytest.mark.parametrize("write", [write_evil_torchscript, write_plain, write_old_plain])
def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(tmp_path, vit, write):
    trap = tmp_path / "the code ran"
    path = write({"state_dict": vit["visual.proj"], "trap": Evil(trap)}, tmp_path / "weights.pt")
    assert "could run code" in refusal(path)
    assert not trap.exists()
    pickle.loads(pickle.dumps(Evil(trap)))  # an ordinary unpickler falls into it
    assert trap.exists()


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("fraction", [0.0001, 0.3, 0.999])
def test_a_truncated_file_is_refused(folder, vit, write, fraction):
    path = write(vit, folder / "weights")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(fraction * len(whole))])
    assert "cannot be read as" in refusal(path)


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1", b"<!DOCTYPE html>"])
def test_a_file_of_another_kind_is_refused_with_its_first_bytes(tmp_path, content):
    (tmp_path / "weights.pt").write_bytes(content)
    assert f"it begins with {content[:9]!r}" in refusal(tmp_path / "weights.pt")


def test_tensors_that_are_no_clip_are_refused(folder):
    path = write_plain({"layer.weight": torch.ones(2)}, folder / "weights.pt")
    assert re.search("no CLIP checkpoint: it has layer.weight, .* no 'text_projection'", refusal(path))
    assert "holds no tensors" in refusal(write_plain({"epoch": 3}, folder / "weights.pt"))
    assert "holds no tensors" in refusal(write_plain(torch.ones(2), folder / "weights.pt"))


def test_missing_keys_unexpected_keys_and_clashing_shapes_are_named(folder, vit):
    missing = {name: x for name, x in vit.items() if name != "ln_final.bias"}
    sentence = refusal(write_plain(missing, folder / "weights.pt"))
    assert 'Missing key(s) in state_dict: "ln_final.bias"' in sentence
    sentence = refusal(write_plain(vit | {"logit_bias": torch.ones(())}, folder / "weights.pt"))
    assert 'Unexpected key(s) in state_dict: "logit_bias"' in sentence
    names = [f"transformer.resblocks.{layer}.ln_1.{end}" for layer in range(3) for end in ("weight", "bias")]
    clash = {name: torch.ones(7) for name in names}
    sentence = refusal(write_plain(vit | clash, folder / "weights.pt"))
    assert "resblocks.0.ln_1.weight" in sentence and "[7]" in sentence and "[128]" in sentence
    assert sentence.endswith("; and 3 more") and len(sentence) < 1000


def test_a_hugging_face_file_without_one_of_q_k_v_names_what_is_missing(folder, vit):
    theirs = hugging_face(vit)
    del theirs["text_model.encoder.layers.1.self_attn.k_proj.bias"]
    sentence = refusal(write_safetensors(theirs, folder / "model.safetensors"))
    assert "transformer.resblocks.1.attn.in_proj_bias" in sentence


def test_safetensors_of_every_type_are_read(tmp_path):
    tensors = {
        "f32": torch.randn(2, 3), "f16": torch.randn(3).half(), "bf16": torch.randn(1, 5).bfloat16(),
        "i64": torch.arange(4), "scalar": torch.tensor(2.5), "nothing": torch.ones(0, 3),
    }  # fmt: skip
    ours = read_tensors(write_safetensors(tensors, tmp_path / "x.safetensors"))
    assert ours.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert ours[name].dtype == tensor.dtype and torch.equal(ours[name], tensor), name


@pytest.mark.parametrize(
    "entry, complaint",
    [
        ({"dtype": "F32", "shape": [2], "data_offsets": [0, 12]}, "past the end"),
        ({"dtype": "F32", "shape": [2], "data_offsets": [-4, 4]}, "past the end"),
        ({"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}, "past the end"),
        ({"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}, "do not make"),
        ({"dtype": "F32", "shape": [-1, -2], "data_offsets": [0, 8]}, "do not make"),
        ({"dtype": "F8_E4M3", "shape": [8], "data_offsets": [0, 8]}, "type F8_E4M3"),
        ({"dtype": "F32"}, "cannot be read as a safetensors file"),
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


def test_an_unknown_name_brings_the_nearest_names_and_the_list():
    assert "Did you mean 'ViT-B/16'" in refusal("vit-b-16")
    sentence = refusal("no such thing at all")
    assert "Did you mean" not in sentence
    assert all(name in sentence for name in ("tiny", "RN50x64", "ViT-L/14@336px"))


def test_a_folder_without_weights_and_a_missing_tiny_file_are_reported(tmp_path, monkeypatch):
    assert "holds no weights: none of model.safetensors" in refusal(tmp_path)
    monkeypatch.setattr(checkpoint, "TINY", tmp_path / "tiny.pt")
    assert "python -m clip_min.world.pretrain" in refusal("tiny")


# --- downloads, from a server on this computer ---


class Server:
    """Serves `files`; with `cut_at`, a connection breaks after that many bytes of the answer."""

    def __init__(self):
        self.files, self.ranges, self.cut_at, self.knows_ranges = {}, [], None, True
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.ranges.append(self.headers.get("Range"))
                if self.path not in outer.files:
                    return self.send_error(404)
                content, start = outer.files[self.path], 0
                if outer.knows_ranges and self.headers.get("Range"):
                    start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
                    if start >= len(content):
                        return self.send_error(416)
                    self.send_response(206)
                else:
                    self.send_response(200)
                self.send_header("Content-Length", str(len(content) - start))
                self.end_headers()
                self.wfile.write(content[start:][: outer.cut_at])

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download, "BLOCK", 4096)  # bytes: small, so that several make up a test's file
    monkeypatch.setenv("no_proxy", "*")
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


CONTENT = bytes(range(256)) * 400
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def test_a_download_is_checked_and_kept_with_progress_on_stderr(server, tmp_path, capsys):
    server.files["/a.pt"] = CONTENT
    path = tmp_path / "new folder" / "a.pt"
    for _ in range(2):  # the second time it is there
        assert download.fetch(server.url + "/a.pt", path, SHA256) == path
    assert path.read_bytes() == CONTENT and list(path.parent.iterdir()) == [path]
    assert server.ranges == [None]
    captured = capsys.readouterr()
    assert "a.pt: 0 of 0 MB" in captured.err and captured.out == ""


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_a_broken_download_goes_on_where_it_stopped(server, tmp_path, knows_ranges):
    server.files["/a.pt"], server.cut_at, server.knows_ranges = CONTENT, 50_000, knows_ranges
    path = tmp_path / "a.pt"
    with pytest.raises(ValueError, match="broke after 50,000 of 102,400 bytes.*try again"):
        download.fetch(server.url + "/a.pt", path, SHA256)
    assert not path.exists() and (tmp_path / "a.pt.part").read_bytes() == CONTENT[:50_000]
    server.cut_at = None
    download.fetch(server.url + "/a.pt", path, SHA256)
    assert path.read_bytes() == CONTENT and not (tmp_path / "a.pt.part").exists()
    assert server.ranges == [None, "bytes=50000-"]


def test_a_part_that_is_already_complete_only_gets_its_name(server, tmp_path):
    server.files["/a.pt"] = CONTENT
    (tmp_path / "a.pt.part").write_bytes(CONTENT)
    download.fetch(server.url + "/a.pt", tmp_path / "a.pt", SHA256)
    assert (tmp_path / "a.pt").read_bytes() == CONTENT


def test_a_download_with_another_hash_is_thrown_away(server, tmp_path):
    server.files["/a.pt"] = b"other" + CONTENT
    with pytest.raises(ValueError, match=f"not {SHA256}, and was thrown away"):
        download.fetch(server.url + "/a.pt", tmp_path / "a.pt", SHA256)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_cache_with_another_hash_is_refused_and_left_alone(tmp_path):
    (tmp_path / "a.pt").write_bytes(b"mine")
    with pytest.raises(ValueError, match=f"not {SHA256}; move it away"):
        download.fetch("http://127.0.0.1:9/a.pt", tmp_path / "a.pt", SHA256)
    assert (tmp_path / "a.pt").read_bytes() == b"mine"


def test_without_a_network_one_sentence_says_where_to_put_the_file(server, tmp_path, monkeypatch):
    monkeypatch.setenv("CLIP_MIN_CACHE", str(tmp_path))
    monkeypatch.setattr(checkpoint, "BASE_URL", server.url)
    sentence = refusal("ViT-B/16")
    assert "Not Found" in sentence and sentence.endswith(f"put it there by hand: {tmp_path / 'ViT-B-16.pt'}")
    monkeypatch.setattr(checkpoint, "BASE_URL", "http://127.0.0.1:9")  # nobody listens there
    assert refusal("ViT-B/16").endswith(f"put it there by hand: {tmp_path / 'ViT-B-16.pt'}")


def test_a_name_downloads_and_loads_and_the_command_says_where(server, tmp_path, vit, monkeypatch, capsys):
    cache = tmp_path / "cache"
    weights = write_torchscript(vit, tmp_path / "RN50.pt").read_bytes()
    sha256 = hashlib.sha256(weights).hexdigest()
    merges = tmp_path / "merges.txt"
    save_merges(MERGES, merges)
    server.files[f"/{sha256}/RN50.pt"], server.files["/merges"] = weights, merges.read_bytes()
    monkeypatch.setenv("CLIP_MIN_CACHE", str(cache))
    monkeypatch.setattr(checkpoint, "BASE_URL", server.url)
    monkeypatch.setattr(checkpoint, "MERGES_URL", server.url + "/merges")
    monkeypatch.setattr(checkpoint, "MERGES_SHA256", hashlib.sha256(merges.read_bytes()).hexdigest())
    monkeypatch.setattr(checkpoint, "OFFICIAL", {"RN50": ("RN50.pt", sha256)})
    monkeypatch.setattr(checkpoint, "find_openai_merges", lambda: None)

    assert checkpoint.main(["RN50"]) == 0
    assert capsys.readouterr().out == f"RN50: {cache / 'RN50.pt'}\nmerges: {cache / OPENAI_FILE}\n"
    (cache / OPENAI_FILE).replace(cache / "merges.txt")
    clip = load_clip("RN50")
    assert (clip.name, clip.sha256) == ("RN50", sha256)
    assert_same_clip(clip, build_clip(vit))

    assert checkpoint.main(["RN5O"]) == 2
    captured = capsys.readouterr()
    assert "Did you mean 'RN50'" in captured.err and captured.out == ""


def test_the_cache_is_where_openai_keeps_the_same_files(monkeypatch, tmp_path):
    monkeypatch.delenv("CLIP_MIN_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert download.cache_folder() == tmp_path / ".cache" / "clip"
    monkeypatch.setenv("CLIP_MIN_CACHE", "/elsewhere")
    assert download.cache_folder() == Path("/elsewhere")


def test_the_nine_official_names_have_a_file_and_a_hash_each():
    assert len(checkpoint.OFFICIAL) == 9
    for name, (file, sha256) in checkpoint.OFFICIAL.items():
        assert file == name.replace("/", "-").replace("@", "-") + ".pt"
        assert re.fullmatch("[0-9a-f]{64}", sha256)


# --- checkpoints of a training run, which hold objects beside their tensors ---


STATE = {"ctx": torch.arange(12.0).view(3, 4).T, "half": torch.ones(2).half(), "scale": nn.Parameter(torch.ones(3))}


def checkpoint_refusal(path):
    with pytest.raises(ValueError) as refused:
        read_checkpoint(path)
    assert str(path) in str(refused.value) and "\n" not in str(refused.value)
    return str(refused.value)


def test_a_checkpoint_with_a_schedule_of_torch_is_read_though_torch_refuses_it(tmp_path):
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(3))], lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 50)
    content = {"state_dict": STATE, "epoch": 50, "optimizer": optimizer.state_dict(), "scheduler": schedule}
    content |= {"kinds": {torch.float16, torch.Size([2])}, "folder": tmp_path, "calls": [schedule.step, print]}
    path = write_plain(content, tmp_path / "model.pth.tar-50")
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)
    ours = read_checkpoint(path)
    assert ours.keys() == STATE.keys()
    for name, tensor in STATE.items():
        assert type(ours[name]) is torch.Tensor and ours[name].dtype == tensor.dtype, name
        assert torch.equal(ours[name], tensor), name


def test_tensors_of_a_gpu_that_is_not_there_are_read(tmp_path):
    path, elsewhere = write_plain({"state_dict": STATE}, tmp_path / "cpu.pt"), tmp_path / "gpu.pt"
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(elsewhere, "w") as copy:
        for name in archive.namelist():
            content = archive.read(name)
            copy.writestr(name, content.replace(b"X\x03\0\0\0cpu", b"X\x06\0\0\0cuda:0"))
    assert b"cuda:0" in elsewhere.read_bytes()
    assert torch.equal(read_checkpoint(elsewhere)["ctx"], STATE["ctx"])


class System:
    """Calls the shell when it is unpickled, then asks what came of it for more, as a pickle may."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"echo > {self.path}",), {"state": 1}, iter([1, 2]), iter([("key", 3)])


def test_the_code_that_a_checkpoint_brings_along_does_not_run(tmp_path):
    """Its tensors are read all the same; an ordinary unpickler runs it."""
    trap = tmp_path / "the code ran"
    content = {"before": Evil(trap), "state_dict": {**STATE, "evil": Evil(trap)}, "after": [Evil(trap)]}
    ours = read_checkpoint(write_plain(content, tmp_path / "evil.pt"))
    assert ours.keys() == STATE.keys() and torch.equal(ours["ctx"], STATE["ctx"])
    ours = read_checkpoint(write_plain({"scheduler": System(trap), "state_dict": STATE}, tmp_path / "shell.pt"))
    assert ours.keys() == STATE.keys()
    assert not trap.exists()
    pickle.loads(pickle.dumps(Evil(trap)))
    assert trap.exists()


@pytest.mark.parametrize(
    "pickled",
    [
        b"cos\nsystem\n(S'echo > ran'\ntR.",  # REDUCE: a function and its arguments
        b"(S'echo > ran'\nios\nsystem\n.",  # INST
        b"(c_io\nFileIO\nS'ran'\nS'w'\no.",  # OBJ
        b"\x80\x04S'os'\nS'system.__call__'\n\x93(S'echo > ran'\ntR.",  # STACK_GLOBAL, with a dotted name
    ],
)
def test_no_opcode_of_a_pickle_reaches_a_function(tmp_path, monkeypatch, pickled):
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("evil.pt", "w") as archive:
        archive.writestr("evil/data.pkl", pickled)
    assert checkpoint_refusal("evil.pt") == "evil.pt holds no tensors under the key 'state_dict'."
    assert os.listdir() == ["evil.pt"]
    pickle.loads(pickled)
    assert sorted(os.listdir()) == ["evil.pt", "ran"]


@pytest.mark.parametrize(
    "pickled",
    [
        b"cany\nname\n)R)R.",  # an instance is called
        b"cany\nname\n)RK\x01b.",  # BUILD with a state that is no dict
        b"cany\nname\n)RK\x01a.",  # APPEND
        b"cany\nname\n)RK\x01K\x02s.",  # SETITEM
        b"\x80\x04cany\nname\n)R(K\x01\x90.",  # ADDITEMS
        b"\x80\x04cany\nname\nK\x01\x85}\x92.",  # NEWOBJ_EX
    ],
)
def test_a_stand_in_takes_whatever_a_pickle_gives_it(tmp_path, pickled):
    with zipfile.ZipFile(tmp_path / "any.pt", "w") as archive:
        archive.writestr("any/data.pkl", pickled)
    assert "holds no tensors" in checkpoint_refusal(tmp_path / "any.pt")


@pytest.mark.parametrize("fraction", [0.01, 0.3, 0.999])
def test_a_truncated_checkpoint_is_refused(tmp_path, fraction):
    path = write_plain({"state_dict": STATE}, tmp_path / "model.pth.tar-50")
    path.write_bytes(path.read_bytes()[: int(fraction * path.stat().st_size)])
    assert "cannot be read as a checkpoint" in checkpoint_refusal(path)


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    old = write_old_plain({"state_dict": STATE}, tmp_path / "old.pt")
    assert "save it again" in checkpoint_refusal(old)
    (tmp_path / "text.pt").write_bytes(b"<html>")
    assert "begins with b'<htm'" in checkpoint_refusal(tmp_path / "text.pt")
    with zipfile.ZipFile(tmp_path / "zip.pt", "w") as archive:
        archive.writestr("folder/notes.txt", "nothing")
    assert "a zip of something else" in checkpoint_refusal(tmp_path / "zip.pt")
    for content in ({"epoch": 3}, {"state_dict": {}}, {"state_dict": 3}, STATE, [STATE]):
        path = write_plain(content, tmp_path / "empty.pt")
        assert "no tensors under the key 'state_dict'" in checkpoint_refusal(path)
