"""Every layout of weights ends as the same CLIP; everything else ends in one sentence."""

import hashlib
import json
import re

import pytest
import torch

import clip_min
from clip_min import load_clip
from clip_min.model import build_clip
from clip_min.tokenizer import OPENAI_FILE, OPENAI_VOCAB_SIZE, save_merges
from clip_min.weights import locate
from clip_min.weights.checkpoint import TINY
from clip_min.weights.formats import read_tensors
from tests.weight_files import (
    MERGES,
    TOKENS,
    WORDS,
    WRITERS,
    assert_same_clip,
    hugging_face,
    refusal,
    small_weights,
    write_config,
    write_plain,
    write_safetensors,
    write_torchscript,
)

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")


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
    """An archive gives offset, size and stride: here a transposed view, and a slice."""
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


def test_the_tiny_clip_and_a_path_to_its_file_are_loaded_alike():
    by_name, by_path = load_clip("tiny"), load_clip(TINY)
    assert_same_clip(by_name, by_path)
    assert by_name.sha256 == by_path.sha256 and by_name.preprocess == by_path.preprocess
    assert by_name.tokenizer.encoder == by_path.tokenizer.encoder


def test_the_package_offers_load_clip():
    assert clip_min.load_clip is clip_min.weights.load_clip and clip_min.__version__ == "0.1.0"


# --- names that training scripts and other projects give ---


PREFIXES = ["model.", "module.", "_orig_mod.", "module._orig_mod.", "model.module.", "net.clip."]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("names", ["OpenAI", "Hugging Face"])
def test_what_stands_before_every_name_is_cut_off(folder, vit, prefix, names):
    tensors = vit if names == "OpenAI" else hugging_face(vit)
    wrapped = {f"{prefix}{name}": x for name, x in tensors.items()}
    assert_same_clip(load_clip(write_plain(wrapped, folder / "weights.pt")), build_clip(vit))


def test_names_of_a_compiled_part_are_those_of_the_part(folder, vit):
    compiled = {name.replace("visual.", "visual._orig_mod."): x for name, x in vit.items()}
    assert_same_clip(load_clip(write_plain(compiled, folder / "weights.pt")), build_clip(vit))


def test_a_text_tower_with_a_name_of_its_own_is_the_text_tower(folder, vit):
    """open_clip's CustomTextCLIP."""
    apart = {n if n.startswith(("visual.", "logit")) else f"text.{n}": x for n, x in vit.items()}
    assert_same_clip(load_clip(write_plain(apart, folder / "weights.pt")), build_clip(vit))
    wrapped = {f"module.{name}": x for name, x in apart.items()}
    assert_same_clip(load_clip(write_plain(wrapped, folder / "weights.pt")), build_clip(vit))


def test_a_second_model_in_the_file_is_not_cut_off(folder, vit):
    both = {f"{who}.{name}": x for who in ("student", "teacher") for name, x in vit.items()}
    assert "is not a CLIP checkpoint" in refusal(write_plain(both, folder / "weights.pt"))
    more = {f"model.{name}": x for name, x in vit.items()} | {"head.weight": torch.ones(2)}
    assert "is not a CLIP checkpoint" in refusal(write_plain(more, folder / "weights.pt"))


# --- folders and names of the Hugging Face Hub ---


def write_shards(tensors, folder, write=write_safetensors, suffix="safetensors"):
    """A model in two files and their index."""
    names = list(tensors)
    places = {}
    for number, part in enumerate((names[:40], names[40:]), start=1):
        file = f"model-0000{number}-of-00002.{suffix}"
        write({name: tensors[name] for name in part}, folder / file)
        places.update(dict.fromkeys(part, file))
    stem = {"safetensors": "model.safetensors", "bin": "pytorch_model.bin"}[suffix]
    (folder / f"{stem}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return folder / f"{stem}.index.json"


@pytest.mark.parametrize(
    "write, suffix", [(write_safetensors, "safetensors"), (write_plain, "bin")]
)
def test_weights_in_several_files_are_read_by_their_index(folder, vit, write, suffix):
    index = write_shards(hugging_face(vit), folder, write, suffix)
    clip = load_clip(folder)
    assert_same_clip(clip, build_clip(vit))
    first, second = sorted(folder.glob(f"model-*.{suffix}"))
    assert load_clip(index).sha256 == clip.sha256
    assert clip.sha256 not in (locate.file_sha256(first), locate.file_sha256(index))
    last = second.read_bytes()
    second.write_bytes(last[:-1] + bytes([last[-1] ^ 1]))  # one bit of the last number
    assert load_clip(index).sha256 != clip.sha256
    second.write_bytes(first.read_bytes())
    assert "which does not have it" in refusal(folder)
    second.unlink()
    assert f"lists {second.name}, which is missing" in refusal(folder)


@pytest.mark.parametrize("name", ["../secret.safetensors", "/etc/passwd", "..\\x", "", ".."])
def test_an_index_reaches_no_other_folder(folder, name):
    index = folder / "model.safetensors.index.json"
    for content in ({"weight_map": {"x": name}}, {"weight_map": []}, {}):
        index.write_text(json.dumps(content))
        assert "does not list files of its own folder" in refusal(folder)


def test_a_folder_of_the_cache_of_hugging_face_is_read(tmp_path, vit):
    """There, a snapshot holds links to files that are called by their hashes."""
    cache = tmp_path / "models--openai--clip"
    blobs, snapshot = cache / "blobs", cache / "snapshots" / "3d74acf9"
    blobs.mkdir(parents=True), snapshot.mkdir(parents=True)
    write_safetensors(hugging_face(vit), blobs / "a1")
    (snapshot / "model.safetensors").symlink_to("../../blobs/a1")
    save_merges(MERGES, snapshot / "merges.txt")
    for given in (snapshot, cache, snapshot / "model.safetensors"):
        assert_same_clip(load_clip(given), build_clip(vit))
    (cache / "snapshots" / "other").mkdir()
    assert "should have one snapshot, but has 3d74acf9, other" in refusal(cache)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("3d74acf9\n")
    assert_same_clip(load_clip(cache), build_clip(vit))


@pytest.mark.parametrize(
    "name, files",
    [
        ("openai/clip-vit-base-patch32", ("config.json", "model.safetensors", "pytorch_model.bin")),
        (
            "hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
            ("open_clip_config.json", "open_clip_model.safetensors", "open_clip_pytorch_model.bin"),
        ),
    ],
)
def test_a_name_of_the_hub_brings_the_files_and_their_address(name, files):
    sentence = refusal(name)
    assert f"https://huggingface.co/{name.split(':')[-1]}/tree/main" in sentence
    assert all(file in sentence for file in files)


# --- the tokenizer ---


def test_a_clip_of_49408_words_gets_the_merges_of_openai(tmp_path, monkeypatch):
    """A stand-in for OpenAI's file: as many merges, none of them useful."""
    monkeypatch.setenv("CLIP_MIN_CACHE", str(tmp_path / "cache"))
    path = write_plain(small_weights("vit", words=OPENAI_VOCAB_SIZE), tmp_path / "weights.pt")
    clip = load_clip(path, gelu="quick")
    pairs = [(str(i), "x") for i in range(OPENAI_VOCAB_SIZE - 514)]
    save_merges(pairs, tmp_path / "cache" / OPENAI_FILE)
    assert clip.tokenizer("a").tolist()[0][:3] == [49406, 320, 49407]
    save_merges(MERGES, tmp_path / "merges.txt")  # what lies next to the weights comes first
    assert "merges.txt makes 517 words" in refusal(path, gelu="quick")


def test_pictures_are_encoded_without_a_file_of_merges(tmp_path, monkeypatch):
    monkeypatch.setattr("clip_min.tokenizer.openai_merges", lambda: pytest.fail("looked for"))
    path = write_plain(small_weights("vit", words=OPENAI_VOCAB_SIZE), tmp_path / "weights.pt")
    clip = load_clip(path, gelu="quick")
    assert clip.encode_image(torch.zeros(1, 3, 32, 32)).shape == (1, 32)
    tokenizer = clip.tokenizer
    assert (tokenizer.vocab_size, tokenizer.sot, tokenizer.eot) == (49408, 49406, 49407)


def test_other_vocabularies_need_their_merges_next_to_the_weights(tmp_path, vit):
    path = write_plain(vit, tmp_path / "weights.pt")
    assert f"knows 517 words: put its merges next to it, as {tmp_path / 'merges.txt'}" in refusal(
        path
    )
    save_merges(MERGES[:2], tmp_path / "merges.txt")
    assert "makes 516 words" in refusal(path)


def test_tensors_that_are_no_clip_are_refused(folder):
    path = write_plain({"layer.weight": torch.ones(2)}, folder / "weights.pt")
    assert re.search(
        "is not a CLIP checkpoint: it has layer.weight, .* not 'text_projection'", refusal(path)
    )
    assert "holds no tensors" in refusal(write_plain({"epoch": 3}, folder / "weights.pt"))
    assert "holds no tensors" in refusal(write_plain(torch.ones(2), folder / "weights.pt"))


def test_missing_keys_unexpected_keys_and_clashing_shapes_are_named(folder, vit):
    missing = {name: x for name, x in vit.items() if name != "ln_final.bias"}
    sentence = refusal(write_plain(missing, folder / "weights.pt"))
    assert 'Missing key(s) in state_dict: "ln_final.bias"' in sentence
    sentence = refusal(write_plain(vit | {"logit_bias": torch.ones(())}, folder / "weights.pt"))
    assert 'Unexpected key(s) in state_dict: "logit_bias"' in sentence
    names = [
        f"transformer.resblocks.{layer}.ln_1.{end}"
        for layer in range(3)
        for end in ("weight", "bias")
    ]
    clash = {name: torch.ones(7) for name in names}
    sentence = refusal(write_plain(vit | clash, folder / "weights.pt"))
    assert "resblocks.0.ln_1.weight" in sentence and "[7]" in sentence and "[128]" in sentence
    assert sentence.endswith("; and 3 more") and len(sentence) < 1000


def test_a_hugging_face_file_without_one_of_q_k_v_names_what_is_missing(folder, vit):
    theirs = hugging_face(vit)
    del theirs["text_model.encoder.layers.1.self_attn.k_proj.bias"]
    sentence = refusal(write_safetensors(theirs, folder / "model.safetensors"))
    assert "transformer.resblocks.1.attn.in_proj_bias" in sentence


def test_an_unknown_name_brings_the_nearest_names_and_the_list():
    assert "Did you mean 'ViT-B/16'" in refusal("vit-b-16")
    sentence = refusal("no such thing at all")
    assert "Did you mean" not in sentence
    assert all(name in sentence for name in ("tiny", "RN50x64", "ViT-L/14@336px"))


def test_a_folder_without_weights_and_a_missing_tiny_file_are_reported(tmp_path, monkeypatch):
    assert "holds no weights: none of model.safetensors" in refusal(tmp_path)
    monkeypatch.setattr(locate, "TINY", tmp_path / "tiny.pt")
    assert "python -m clip_min.world.pretrain" in refusal("tiny")
