"""Every layout of weights ends as the same CLIP, or in one sentence that says what to do.

What the files beside the weights say is followed, refused where clip_min builds something else, or
noted where clip_min does not know it. What a hostile file may try is in hostile/.
"""

import argparse
import collections
import hashlib
import json
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import clip_min
from clip_min import load_clip
from clip_min.model import build_clip
from clip_min.preprocess import MEAN, STD, Preprocess
from clip_min.tokenizer import OPENAI_FILE, OPENAI_VOCAB_SIZE, save_merges, symbols_of
from clip_min.weights import locate
from clip_min.weights.checkpoint import TINY
from clip_min.weights.formats import read_tensors
from tests.weight_files import MERGES, TOKENS, WORDS, WRITERS, assert_same_clip, features
from tests.weight_files import hugging_face, notes, refusal, small_weights, write_config
from tests.weight_files import write_open_clip, write_open_clip_config, write_plain
from tests.weight_files import write_safetensors, write_torchscript

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
IN_HALF = Preprocess(32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@pytest.fixture
def theirs(folder, vit):
    """A folder of Hugging Face's."""
    write_safetensors(hugging_face(vit), folder / "model.safetensors")
    write_config(folder)
    return folder


@pytest.fixture
def open_clip(folder, vit):
    """A folder of open_clip's."""
    write_open_clip(vit, folder / "open_clip_pytorch_model.bin")
    write_open_clip_config(folder)
    return folder


# --- one CLIP from every layout ---


def test_every_layout_gives_the_same_features(folder):
    for kind in ("vit", "rn"):
        weights = small_weights(kind)
        for write in WRITERS:
            assert_same_clip(load_clip(write(weights, folder / "weights")), build_clip(weights))


def test_a_hugging_face_folder_gives_the_same_features(folder, vit):
    write_config(folder)
    for file in ("pytorch_model.bin", "model.safetensors"):  # the latter comes first
        write = write_plain if file.endswith("bin") else write_safetensors
        write(hugging_face(vit), folder / file)
        for given in (folder, folder / file):
            assert_same_clip(load_clip(given), build_clip(vit))


def test_half_precision_weights_become_a_frozen_fp32_clip_in_evaluation_mode(folder, vit):
    assert vit["visual.proj"].dtype == torch.float16
    clip = load_clip(write_plain(vit, folder / "weights.pt"))
    assert {p.dtype for p in clip.parameters()} == {torch.float32}
    assert not clip.training and not any(p.requires_grad for p in clip.parameters())


def test_the_clip_knows_its_name_its_file_its_sizes_and_how_it_was_read(folder, vit):
    path = write_plain(vit, folder / "weights.pt")
    clip = load_clip(str(path), device="cpu")
    assert clip.name == str(path)
    assert clip.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (clip.image_size, clip.context_length, clip.vocab_size) == (32, 77, WORDS)
    assert clip.tokenizer(["a cat", "do"], context_length=4).tolist() == TOKENS
    merges = hashlib.sha256(repr(MERGES).encode()).hexdigest()[:12]
    read = {"gelu": "quick", "mean": list(MEAN), "std": list(STD), "merges": merges}
    assert clip.reading == read
    assert load_clip(path, gelu="exact").reading == read | {"gelu": "exact"}


def test_the_tiny_clip_and_a_path_to_its_file_are_loaded_alike():
    by_name, by_path = load_clip("tiny"), clip_min.load_clip(TINY)
    assert_same_clip(by_name, by_path)
    assert by_name.sha256 == by_path.sha256 and by_name.preprocess == by_path.preprocess
    assert by_name.tokenizer.encoder == by_path.tokenizer.encoder
    assert notes("tiny") == notes(TINY) == []


def test_torch_s_compiler_is_not_imported_and_no_random_number_is_drawn():
    """Its import takes two seconds; a random number would change the prompts' start."""
    code = ("import sys, torch, clip_min\nbefore = torch.get_rng_state()\n"
            "clip = clip_min.load_clip('tiny')\nprint('torch._dynamo' in sys.modules, "
            "torch.equal(before, torch.get_rng_state()))")
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                         cwd=TINY.parents[2])
    assert ran.stdout == "False True\n"


# --- what training scripts save ---

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


def test_a_checkpoint_with_objects_of_a_training_script_is_read(tmp_path):
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(3))], lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 50)
    objects = {"best": np.float64(3), "history": np.arange(5), "epoch": 50,
               "args": argparse.Namespace(lr=0.1), "optimizer": optimizer.state_dict(),
               "scheduler": schedule, "calls": [schedule.step, print],
               "kinds": {torch.float16, torch.Size([2])}, "counts": collections.Counter("ab"),
               "complex": torch.ones(2, dtype=torch.complex64), "sparse": torch.eye(2).to_sparse()}
    ordered = collections.OrderedDict(STATE)  # as of Module.state_dict()
    ordered._metadata = {"": {"version": 1}}
    for key in ("state_dict", "model_state_dict", "model"):
        path = write_plain({**objects, key: ordered}, tmp_path / "model.pth.tar-50")
        assert_is_state(read_tensors(path))
    for content in (STATE, ordered, {"model": {"state_dict": STATE}}, {**STATE, "step": 3}):
        assert_is_state(read_tensors(write_plain(content, tmp_path / "weights.pt")))


def test_tensors_of_every_kind_are_read(tmp_path):
    base = torch.arange(24.0).view(4, 6)  # of one storage: a transposed view, and a slice
    tensors = {"a.whole": base, "a.x": base.T, "b.y": base[1:3, ::2], "nothing": torch.ones(0, 3)}
    kinds = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8",
             "uint8", "bool")
    tensors |= {f"c.kind_{kind}": torch.eye(2).to(getattr(torch, kind)) for kind in kinds}
    for write in (write_torchscript, write_plain, write_safetensors):
        ours = read_tensors(write(tensors, tmp_path / "x"))
        assert ours.keys() == tensors.keys()
        for name, tensor in tensors.items():
            assert ours[name].dtype == tensor.dtype and torch.equal(ours[name], tensor), name


def test_the_three_integers_are_dropped_when_they_come_as_tensors(folder, vit):
    extra = {"input_resolution": torch.tensor(32), "context_length": torch.tensor(77)}
    path = write_plain(vit | extra | {"vocab_size": torch.tensor(WORDS)}, folder / "weights.pt")
    assert_same_clip(load_clip(path), build_clip(vit))
    assert notes(path) == []


def test_a_checkpoint_under_another_key_is_refused_with_the_keys_that_are_there(folder, vit):
    """EMA weights, "net", and DeepSpeed's "module"."""
    path = folder / "weights.pt"
    for key in ("state_dict_ema", "net", "module"):
        sentence = refusal(write_plain({"epoch": 3, key: vit}, path))
        assert f"Its keys: 'epoch', '{key}'." in sentence and "'model_state_dict'" in sentence
    for content in ({"epoch": 3}, {"state_dict": {}}, {"state_dict": 3}, [STATE], 3):
        assert "holds no tensors" in refusal(write_plain(content, path))
    assert "save model.state_dict()" in refusal(write_plain(nn.Linear(2, 2), path))
    torch.save(vit, path, _use_new_zipfile_serialization=False)
    assert "as torch.save wrote before version 1.6" in refusal(path)


# --- names that training scripts and other projects give ---


@pytest.mark.filterwarnings("error::UserWarning")
def test_what_stands_before_every_name_is_cut_off(folder, vit):
    apart = {n if n.startswith(("visual.", "logit")) else f"text.{n}": x for n, x in vit.items()}
    compiled = {name.replace("visual.", "visual._orig_mod."): x for name, x in vit.items()}
    expected = build_clip(vit)
    for prefix in ("", "model.", "module._orig_mod.", "net.clip."):
        for tensors in (vit, hugging_face(vit), apart, compiled):  # apart: CustomTextCLIP's
            wrapped = {f"{prefix}{name}": x for name, x in tensors.items()}
            path = write_plain(wrapped, folder / "weights.pt")
            assert_same_clip(load_clip(path), expected)


def test_tensors_beside_the_clip_are_left_out_and_named(folder, vit):
    """As in openai/CLIP issue 284, and in CLIP4Clip's and CLIP4STR's checkpoints."""
    more = dict.fromkeys(("head.weight", "cross.a", "ip.vision_model.b"), torch.ones(2))
    for prefix, tensors in (("clipmodel.", vit), ("module.clip.", hugging_face(vit))):
        wrapped = {f"{prefix}{name}": x for name, x in tensors.items()}
        path = write_plain(more | wrapped, folder / "weights.pt")
        assert_same_clip(load_clip(path), build_clip(vit))
        (note,) = notes(path)
        assert "left out: 3, such as head.weight, cross.a, ip.vision_model.b." in note


def test_two_clips_in_one_file_are_refused_with_both_prefixes(folder, vit):
    both = {f"{who}.{name}": x for who in ("student", "teacher") for name, x in vit.items()}
    sentence = refusal(write_plain(both, folder / "weights.pt"))
    assert "holds 2 CLIPs, whose names begin with 'student.' and 'teacher.'" in sentence


def test_one_tower_alone_is_called_one_tower(folder, vit):
    """As of CLIPTextModelWithProjection, Chinese-CLIP, and CLIPVisionModel in transformers 5."""
    bare = {n.removeprefix("vision_model."): x for n, x in hugging_face(vit).items() if "vis" in n}
    for tensors, start, tower, other in (
        (hugging_face(vit), "vision_model.", "text", "image"), (vit, "visual.", "text", "image"),
        (hugging_face(vit), "text_model.", "image", "text"), (bare, "text", "image", "text"),
        (vit, "token_embedding", "image", "text"),
    ):
        alone = {name: x for name, x in tensors.items() if not name.startswith(start)}
        sentence = refusal(write_safetensors(alone, folder / "model.safetensors"))
        assert f"holds CLIP's {tower} tower, but not the {other} tower" in sentence
        assert sentence.endswith(f"it has {', '.join(list(alone)[:3])}, ...")


def test_towers_under_different_names_are_refused_with_both(folder, vit):
    names = {f"image.{n}" if n.startswith("visual.") else f"text_encoder.{n}": n for n in vit}
    tensors = {name: vit[ours] for name, ours in names.items()}
    sentence = refusal(write_plain(tensors, folder / "weights.pt"))
    assert "text tower begin with 'text_encoder.', those of its image tower with 'imag" in sentence


def test_a_lora_and_quantised_weights_are_refused(folder, vit):
    names = {n.replace("q_proj", "q_proj.base_layer"): x for n, x in hugging_face(vit).items()}
    lora = {"text_model.encoder.layers.0.self_attn.q_proj.lora_A.default.weight": torch.ones(1)}
    path = folder / "weights.pt"
    assert "holds a LoRA beside its weights: merge them" in refusal(write_plain(names | lora, path))
    whole = vit | {"visual.proj": vit["visual.proj"].to(torch.int8)}
    assert "visual.proj holds whole numbers" in refusal(write_plain(whole, path))


def test_what_is_missing_or_too_much_is_called_as_in_the_file(folder, vit):
    path, wrapped = folder / "weights.pt", {f"model.{name}": x for name, x in vit.items()}
    missing = {name: x for name, x in vit.items() if name != "ln_final.bias"}
    assert 'Missing key(s) in state_dict: "ln_final.bias"' in refusal(write_plain(missing, path))
    sentence = refusal(write_plain(wrapped | {"model.logit_bias": torch.ones(())}, path))
    assert 'Unexpected key(s) in state_dict: "model.logit_bias"' in sentence
    names = [f"model.transformer.resblocks.{i}.ln_1.{end}" for i in range(3)
             for end in ("weight", "bias")]
    clash = {name: torch.ones(7) for name in names}
    sentence = refusal(write_plain(wrapped | clash, path))
    assert "for model.transformer.resblocks.0.ln_1.weight" in sentence
    assert "[7]" in sentence and "[128]" in sentence
    assert sentence.endswith("; and 3 more") and len(sentence) < 1000
    names = hugging_face(vit)
    del names["text_model.encoder.layers.1.self_attn.k_proj.bias"]
    sentence = refusal(write_safetensors(names, folder / "model.safetensors"))
    assert sentence.endswith("it has text_model.encoder.layers.1.self_attn.q_proj.bias, "
                             "but not text_model.encoder.layers.1.self_attn.k_proj.bias.")
    missing = {name: x for name, x in vit.items() if name != "text_projection"}
    assert "lacks 'text_projection'" in refusal(write_plain(missing, path))
    sentence = refusal(write_plain({"layer.weight": torch.ones(2)}, path))
    assert "does not make up a CLIP: it has layer.weight, ..., but neither" in sentence


def test_numbers_that_are_not_finite_are_refused(folder, vit):
    for bad in (float("nan"), float("inf")):
        weights = {f"model.{name}": x.clone() for name, x in vit.items()}
        weights["model.visual.ln_pre.bias"][3] = bad
        sentence = refusal(write_plain(weights, folder / "weights.pt"))
        assert "model.visual.ln_pre.bias holds numbers that are not finite" in sentence


def test_towers_that_clip_min_does_not_build_are_refused(folder, vit):
    """open_clip's ViT-H has 16 heads 80 wide; its tensors do not say so, and fit 20 of 64."""
    few = {n: x for n, x in vit.items() if not re.search(r"resblocks\.[12]", n)}
    for tower, times, reason in (
        ("image", 0.75, "image tower is 96 wide, which is not a multiple of 64, the width of CLIP"),
        ("image", 10, "image tower is 1280 wide. Those over 1,024"),
        ("text", 0.75, "text tower is 96 wide, which is not a multiple of 64"),
    ):
        weights = {}
        for name, x in few.items():
            wide = name.startswith("visual.") == (tower == "image")
            shape = [int(times * n) if n in (128, 384, 512) else n for n in x.shape]
            weights[name] = torch.zeros(shape, dtype=torch.float16) if wide else x
        assert reason in refusal(write_plain(weights, folder / "weights.pt"))
    oblong = vit | {"visual.positional_embedding": torch.zeros(1 + 4 * 8, 128)}
    sentence = refusal(write_plain(oblong, folder / "weights.pt"))
    assert "32 patches, which do not make up a square" in sentence


# --- folders and names of the Hugging Face Hub ---


def test_weights_in_several_files_are_read_by_their_index(folder, vit):
    tensors, places, parts = hugging_face(vit), {}, []
    names = list(tensors)
    for number, part in enumerate((names[:40], names[40:]), start=1):
        parts.append(folder / f"model-0000{number}-of-00002.safetensors")
        write_safetensors({name: tensors[name] for name in part}, parts[-1])
        places.update(dict.fromkeys(part, parts[-1].name))
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    clip = load_clip(folder)
    assert_same_clip(clip, build_clip(vit))
    first, second = parts
    assert load_clip(index).sha256 == clip.sha256
    assert clip.sha256 not in (locate.file_sha256(first), locate.file_sha256(index))
    last = second.read_bytes()
    second.write_bytes(last[:-1] + bytes([last[-1] ^ 1]))  # one bit of the last number
    assert load_clip(index).sha256 != clip.sha256
    second.write_bytes(first.read_bytes())
    assert "which does not have it" in refusal(folder)
    second.unlink()
    assert f"lists {second.name}, which is missing" in refusal(folder)


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


def test_open_clip_s_weights_are_taken_where_the_others_are_timm_s(folder, vit):
    """timm's `model.safetensors` is an image tower with names of its own."""
    write_safetensors({"patch_embed.proj.weight": torch.ones(2)}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"architecture": "vit_base_patch16_clip_224"}))
    write_safetensors(vit, folder / "open_clip_model.safetensors")
    write_open_clip_config(folder)
    assert_same_clip(load_clip(folder), build_clip(vit, "exact"))


def test_a_folder_without_usual_names_names_the_files_that_may_be_meant(tmp_path):
    for place in ("0_CLIPModel/model.safetensors", "unet/diffusion_pytorch_model.safetensors",
                  "model.fp16.safetensors"):
        folder = tmp_path / place.split("/")[0].split(".")[0]
        (folder / place).parent.mkdir(parents=True)
        assert "holds no weights: none of model.safetensors" in refusal(folder)
        (folder / place).write_bytes(b"")
        assert f"But it has {place}: give the right file." in refusal(folder)
        (folder / "adapter_config.json").write_text("{}")
        assert "holds an adapter of peft (LoRA)" in refusal(folder)


def test_a_name_of_the_hub_brings_the_files_and_their_address():
    hub = "https://huggingface.co"
    sentence = refusal("openai/clip-vit-base-patch32")
    assert "fetch config.json, preprocessor_config.json and model.safetensors (or " in sentence
    assert f"pytorch_model.bin) from {hub}/openai/clip-vit-base-patch32/tree/main" in sentence
    sentence = refusal("hf-hub:laion/CLIP-ViT-B-32@main")
    assert "fetch open_clip_config.json and open_clip_model.safetensors (or open_" in sentence
    assert f"clip_pytorch_model.bin) from {hub}/laion/CLIP-ViT-B-32/tree/main" in sentence


def test_an_unknown_name_brings_the_nearest_names_and_the_list(tmp_path, monkeypatch):
    assert "Did you mean 'ViT-B/16'" in refusal("vit-b-16")
    sentence = refusal("no such thing at all")
    assert "Did you mean" not in sentence
    assert all(name in sentence for name in ("tiny", "RN50x64", "ViT-L/14@336px"))
    assert "'tanh'" in refusal("tiny", read=lambda name: load_clip(name, gelu="tanh"))
    monkeypatch.setattr(locate, "TINY", tmp_path / "tiny.pt")
    assert "python -m clip_min.world.pretrain" in refusal("tiny")


# --- the tokenizer ---


def test_a_clip_of_49408_words_gets_the_merges_of_openai_when_it_first_needs_them(
    tmp_path, monkeypatch
):
    """A stand-in for OpenAI's file: as many merges, none of them useful."""
    monkeypatch.setenv("CLIP_MIN_CACHE", str(tmp_path / "cache"))
    path = write_plain(small_weights("vit", words=OPENAI_VOCAB_SIZE), tmp_path / "weights.pt")
    clip = load_clip(path, gelu="quick")
    assert clip.encode_image(torch.zeros(1, 3, 32, 32)).shape == (1, 32)
    assert (clip.tokenizer.vocab_size, clip.tokenizer.eot) == (49408, 49407)
    assert clip.reading["merges"] == "OpenAI"
    pairs = [(str(i), "x") for i in range(OPENAI_VOCAB_SIZE - 514)]
    save_merges(pairs, tmp_path / "cache" / OPENAI_FILE)
    assert clip.tokenizer("a").tolist()[0][:3] == [49406, 320, 49407]
    save_merges(MERGES, tmp_path / "merges.txt")  # what lies next to the weights comes first
    assert "merges.txt makes 517 words" in refusal(path)


def test_other_vocabularies_need_their_merges_next_to_the_weights(tmp_path, vit):
    path = write_plain(vit, tmp_path / "weights.pt")
    place = tmp_path / "merges.txt"
    assert f"knows 517 words: put its merges next to it, as {place}" in refusal(path)
    save_merges(MERGES[:2], place)
    assert "makes 516 words" in refusal(path)


def test_the_merges_of_tokenizer_json_are_read(tmp_path, vit):
    """What transformers 5 writes instead of merges.txt. Here they are in another order."""
    path, file = write_plain(vit, tmp_path / "weights.pt"), tmp_path / "tokenizer.json"
    merges = [MERGES[2], MERGES[0], MERGES[1]]
    vocab = {symbol: i for i, symbol in enumerate(symbols_of(merges))}
    for pairs in ([" ".join(pair) for pair in merges], [list(pair) for pair in merges]):
        model = {"type": "BPE", "vocab": vocab, "merges": pairs}
        file.write_text(json.dumps({"model": model}))
        clip = load_clip(path)
        assert clip.tokenizer(["a cat", "do"], context_length=4).tolist() == [
            [515, 320, 514, 516], [515, 512, 516, 0]]
    reading = clip.reading["merges"]
    save_merges(MERGES, tmp_path / "merges.txt")  # comes first
    assert load_clip(path).reading["merges"] != reading
    (tmp_path / "merges.txt").unlink()
    for content in ({}, {"model": 3}, {"model": model | {"merges": [["a"]]}}, {"model": model | {
            "vocab": vocab | {"d": 0, "!": 1}}}):
        file.write_text(json.dumps(content))
        assert f"{file} does not number its words as CLIP's tokenizer does" in refusal(path)
    pairs = merges + [(str(i), "x") for i in range(OPENAI_VOCAB_SIZE - 517)]
    vocab = {symbol: i for i, symbol in enumerate(symbols_of(pairs))}
    file.write_text(json.dumps({"model": {"vocab": vocab, "merges": pairs}}))
    write_plain(small_weights("vit", words=OPENAI_VOCAB_SIZE), path)  # and not OpenAI's merges
    assert load_clip(path, gelu="quick").tokenizer.encode("a cat") == [320, 514]


# --- what the files beside the weights say: the activation ---


def test_the_configuration_decides_the_activation(theirs, vit):
    for act, gelu in (("quick_gelu", "quick"), ("gelu", "exact"), (None, "quick")):
        write_config(theirs, text={"hidden_act": act}, vision={"hidden_act": act})
        assert_same_clip(load_clip(theirs), build_clip(vit, gelu))
    path = write_open_clip(vit, theirs / "open_clip_pytorch_model.bin")
    (theirs / "config.json").unlink()
    for quick, gelu in ((True, "quick"), (False, "exact"), (None, "exact")):
        write_open_clip_config(theirs, quick_gelu=quick)
        assert_same_clip(load_clip(path), build_clip(vit, gelu))


def test_weights_follow_the_configuration_of_their_own_project(open_clip, vit):
    """A folder may hold both: LAION's do."""
    write_safetensors(hugging_face(vit), open_clip / "model.safetensors")
    write_config(open_clip)
    assert_same_clip(load_clip(open_clip), build_clip(vit, "quick"))
    path = open_clip / "open_clip_pytorch_model.bin"
    assert_same_clip(load_clip(path), build_clip(vit, "exact"))
    (open_clip / "open_clip_config.json").unlink()
    write_config(open_clip, text={"hidden_act": "gelu"}, vision={"hidden_act": "gelu"})
    assert_same_clip(load_clip(path), build_clip(vit, "exact"))


def test_the_activation_asked_for_wins_and_quick_is_the_default(folder, vit):
    path = write_plain(vit, folder / "weights.pt")
    quick, exact = build_clip(vit, "quick"), build_clip(vit, "exact")
    assert all((x - y).abs().max() > 1e-3 for x, y in zip(features(quick), features(exact)))
    assert_same_clip(load_clip(path), quick)
    assert_same_clip(load_clip(path, gelu="exact"), exact)
    write_config(folder, text={"hidden_act": "gelu"}, vision={"hidden_act": "gelu"})
    assert_same_clip(load_clip(path, gelu="quick"), quick)


def test_a_lone_file_of_49408_words_brings_a_note_that_names_all_that_is_assumed(
    folder, monkeypatch
):
    (folder / "merges.txt").unlink()
    weights = small_weights("vit", words=49408)
    path = write_open_clip(weights, folder / "ViT-B-32-laion2b.pt")
    (note,) = notes(path)
    for assumed in (str(path), "--gelu exact", "QuickGELU", "mean and std", "heads 64 wide",
                    "causal mask", "[EOS], the largest id", "class token"):
        assert assumed in note
    assert notes(path, gelu="exact") == notes(path, gelu="quick") == []
    assert notes(write_torchscript(weights, folder / "ViT-B-16.pt")) == []  # OpenAI's own layout
    write_open_clip_config(folder, text={"vocab_size": 49408})
    assert notes(path) == []
    official = {"ViT-B/16": ("ViT-B-16.pt", locate.file_sha256(path))}
    monkeypatch.setattr("clip_min.weights.checkpoint.OFFICIAL", official)
    write_open_clip_config(folder)  # of something else: the file is known by its SHA-256
    assert notes(path) == []


# --- what the files beside the weights say: pictures ---


def test_preprocessor_config_json_gives_mean_and_std(theirs):
    """A pixel that OpenAI's numbers make −1.529, −0.146, 1.904."""
    pixel, generator = Image.new("RGB", (32, 32), (18, 107, 238)), torch.Generator().manual_seed(0)
    seen = load_clip(theirs).preprocess(pixel)[:, 5, 5].tolist()
    assert seen == pytest.approx([-1.529, -0.146, 1.904], abs=5e-4)
    (theirs / "preprocessor_config.json").write_text(json.dumps(HALF))
    clip = load_clip(theirs)
    assert clip.preprocess == IN_HALF
    assert clip.reading["mean"] == clip.reading["std"] == [0.5, 0.5, 0.5]
    for tensor in (clip.preprocess(pixel), clip.preprocess.augment(pixel, generator)):
        assert tensor[:, 5, 5].tolist() == pytest.approx([-0.859, -0.161, 0.867], abs=5e-4)


def test_all_pixels_are_those_of_transformers(theirs):
    """Mean and a few pixels of `CLIPImageProcessorPil` of transformers 5.24, size 32."""
    ramp = np.arange(40 * 60 * 3).reshape(40, 60, 3) % 251
    (theirs / "preprocessor_config.json").write_text(json.dumps(HALF))
    ours = load_clip(theirs).preprocess(Image.fromarray(ramp.astype(np.uint8)))
    for pixels, expected in (
        (ours.mean((1, 2)), [-0.0302, -0.0285, -0.0282]),
        (ours[:, 0, 0], [-0.4667, -0.4588, -0.4510]),
        (ours[:, 15, 20], [-0.7804, -0.7725, -0.7647]),
        (ours[:, 31, 31], [0.2706, 0.2784, 0.2863]),
    ):
        assert pixels.tolist() == pytest.approx(expected, abs=5e-5)


def test_each_file_that_can_hold_mean_and_std_is_read(theirs, vit):
    half = {"mean": [0.5] * 3, "std": [0.5] * 3}
    for file, content in (
        ("open_clip_config.json", {"model_cfg": {}, "preprocess_cfg": half}),
        ("preprocessor_config.json", HALF | {"image_mean": [0.4] * 3}),  # this project's own first
        ("processor_config.json", {"image_processor": HALF, "processor_class": "CLIPProcessor"}),
    ):
        (theirs / file).write_text(json.dumps(content))
        mean = 0.4 if file.startswith("pre") else 0.5
        assert load_clip(theirs / "model.safetensors").preprocess.mean == (mean,) * 3
    pictures = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 1], "interpolation": "bicubic"}
    pictures.update({"mode": "RGB", "resize_mode": "shortest", "fill_color": 0, "size": [32, 32]})
    write_open_clip_config(theirs, preprocess_cfg=pictures)
    path = write_open_clip(vit, theirs / "open_clip_pytorch_model.bin")
    assert load_clip(path).preprocess == Preprocess(32, (0.1, 0.2, 0.3), (0.4, 0.5, 1.0))


def test_a_preprocessing_that_says_what_clip_min_does_is_accepted(theirs):
    steps = ("do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb")
    said = dict.fromkeys(steps, True) | HALF | {"resample": 3, "rescale_factor": 1 / 255}
    said.update(image_processor_type="CLIPImageProcessorFast", processor_class="CLIPProcessor")
    for size in (32, {"shortest_edge": 32}):
        for crop in (32, {"height": 32, "width": 32}):
            said.update(size=size, crop_size=crop, pad_size=None)
            (theirs / "preprocessor_config.json").write_text(json.dumps(said))
            assert load_clip(theirs).preprocess == IN_HALF
            assert notes(theirs) == []


OTHER_PICTURES = [
    ("resample", 2), ("resample", 0), ("size", {"height": 32, "width": 32}),
    ("size", {"shortest_edge": 36}), ("size", 224), ("crop_size", 28),
    ("crop_size", {"height": 32, "width": 28}), ("do_resize", False), ("do_center_crop", False),
    ("do_rescale", False), ("do_normalize", False), ("do_convert_rgb", False), ("do_pad", True),
    ("rescale_factor", 1 / 127.5), ("image_processor_type", "ViTImageProcessor"),
    ("feature_extractor_type", "SiglipImageProcessor"), ("do_flip_channel_order", True),
    ("use_square_size", True), ("default_to_square", True), ("image_mean", [0.5, 0.5]),
    ("image_mean", 0.5), ("image_mean", ["0.5"] * 3), ("image_mean", [0.5, 0.5, float("nan")]),
    ("image_std", [0.5, 0.5, 0]), ("image_std", [0.5, 0.5, float("inf")]),
    ("image_std", [0.5, 0.5, -1]),
]
OTHER_PICTURES_OF_OPEN_CLIP = [
    ("interpolation", "bilinear"), ("resize_mode", "squash"), ("resize_mode", "longest"),
    ("mode", "L"), ("size", 36), ("size", [32, 36]), ("crop_pct", 0.9), ("mean", [0.5]),
    ("std", [0, 1, 1]),
]


def test_other_preprocessing_is_refused(theirs):
    for key, value in OTHER_PICTURES:
        (theirs / "preprocessor_config.json").write_text(json.dumps({key: value}))
        assert f"preprocessor_config.json sets {key} " in refusal(theirs), key
    (theirs / "preprocessor_config.json").unlink()
    for key, value in OTHER_PICTURES_OF_OPEN_CLIP:
        write_open_clip_config(theirs, preprocess_cfg={key: value})
        assert f"open_clip_config.json sets {key} " in refusal(theirs), key


# --- what the files beside the weights say: the computation ---

OTHER_CONFIGS = [
    ("text", "hidden_act", "relu"), ("text", "hidden_act", "gelu_new"),
    ("vision", "hidden_act", "gelu_pytorch_tanh"), ("text", "layer_norm_eps", 1e-3),
    ("vision", "layer_norm_eps", 1e-6), ("vision", "pruned_heads", {"0": [1]}),
    ("text", "model_type", "siglip_text_model"), ("text", "eos_token_id", 5),
    ("text", "num_hidden_layers", 2), ("vision", "num_hidden_layers", 2),
    ("text", "intermediate_size", 256), ("vision", "image_size", 36), ("vision", "patch_size", 16),
    ("vision", "num_channels", 1), ("text", "vocab_size", 49408),
    ("text", "max_position_embeddings", 64), ("text", "hidden_size", 64),
    ("text", "quantization_config", {"bits": 4}), ("top", "model_type", "chinese_clip"),
    ("top", "projection_dim", 512), ("top", "auto_map", {"AutoModel": "modeling.Mine"}),
    ("top", "quantization_config", {"bits": 4}), ("top", "text_config_dict",
     {"num_attention_heads": 2, "layer_norm_eps": 1e-3}),  # the older name wins, as there
]
OTHER_CONFIGS_OF_OPEN_CLIP = [
    ("vision", "head_width", 32), ("vision", "pool_type", "avg"), ("vision", "pool_type", None),
    ("vision", "mlp_ratio", 4.3637), ("vision", "ls_init_value", 1e-4),
    ("vision", "attentional_pool", True), ("vision", "no_ln_pre", True),
    ("vision", "pos_embed_type", "sin_cos_2d"), ("vision", "final_ln_after_pool", True),
    ("vision", "norm_kwargs", {"eps": 1e-6}), ("vision", "timm_model_name", "vit_base"),
    ("vision", "image_size", 40), ("vision", "layers", [3, 3, 3, 3]), ("vision", "width", 64),
    ("text", "pool_type", "last"), ("text", "pool_type", None), ("text", "no_causal_mask", True),
    ("text", "embed_cls", True), ("text", "act_kwargs", {"approximate": "tanh"}),
    ("text", "proj_bias", True), ("text", "proj_type", "none"), ("text", "proj_type", None),
    ("text", "hf_model_name", "roberta-base"), ("text", "hf_tokenizer_name", "xlm-roberta-base"),
    ("text", "tokenizer_kwargs", {"clean": "canonicalize"}), ("text", "tokenizer_mode", "clips"),
    ("text", "qk_norm", True), ("text", "block_type", "custom"), ("text", "scale_attn", True),
    ("text", "context_length", 64), ("top", "init_logit_bias", -10),
    ("top", "nonscalar_logit_scale", True), ("top", "multimodal_cfg", {"layers": 12}),
    ("top", "embed_dim", 512),
]


def test_a_configuration_of_another_computation_is_refused(theirs):
    for section, key, value in OTHER_CONFIGS:
        write_config(theirs, **({section: {key: value}} if section != "top" else {key: value}))
        key, value = ("layer_norm_eps", 0.001) if key == "text_config_dict" else (key, value)
        sentence = refusal(theirs)
        assert f"config.json sets {key} of " in sentence and repr(value)[:20] in sentence, key
    (theirs / "config.json").unlink()
    for section, key, value in OTHER_CONFIGS_OF_OPEN_CLIP:
        changes = {section: {key: value}} if section != "top" else {key: value}
        write_open_clip_config(theirs, **changes)
        sentence = refusal(theirs)
        assert f"open_clip_config.json sets {key} of " in sentence, key
        assert repr(value)[:20] in sentence, key


def test_keys_that_nobody_knows_are_noted_once_by_their_names(theirs, vit):
    write_config(theirs, text={"use_head": True}, tomorrow=False, nothing=None)
    (theirs / "preprocessor_config.json").write_text(json.dumps(HALF | {"sharpen": 2}))
    assert_same_clip(load_clip(theirs), build_clip(vit))
    (note,) = notes(theirs)
    for key in ("tomorrow of config.json", "use_head of text_config", "sharpen of the pictures"):
        assert key in note
    assert "nothing" not in note


def test_heads_of_another_width_are_refused_also_where_the_default_says_so(theirs, vit):
    write_config(theirs, text={"num_attention_heads": 4})
    assert "gives 4 heads to a width of 128" in refusal(theirs)
    write_config(theirs, vision={"num_attention_heads": None})  # 12 there
    assert "gives 12 heads to a width of 128" in refusal(theirs)
    write_config(theirs, text={"num_attention_heads": None})  # 8 there
    assert "gives 8 heads to a width of 128" in refusal(theirs)
    path = write_open_clip(vit, theirs / "model.pt")
    (theirs / "config.json").unlink()
    for given, heads in ((4, 4), (None, 8)):  # 8 is the default there, too
        write_open_clip_config(theirs, text={"heads": given})
        assert f"gives {heads} heads to a width of 128" in refusal(path)


def test_a_configuration_that_describes_the_weights_is_accepted(theirs, open_clip, vit):
    common = {"attention_dropout": 0.1, "intermediate_size": 512, "projection_dim": 512}
    common.update(initializer_range=0.02, layer_norm_eps=1e-05, pruned_heads={}, torch_dtype="x")
    text = {"vocab_size": WORDS, "max_position_embeddings": 77, "eos_token_id": WORDS - 1}
    text.update(common, model_type="clip_text_model", bos_token_id=0, pad_token_id=1)
    vision = {"image_size": [32, 32], "patch_size": 8, "num_channels": 3, "dropout": 0.0, **common}
    write_config(theirs, text, vision, architectures=["CLIPModel"], some_new_key=None)
    assert_same_clip(load_clip(theirs), build_clip(vit))
    assert notes(theirs) == []
    write_config(theirs, text={"eos_token_id": 2}, logit_scale_init_value=2.6592)
    assert_same_clip(load_clip(theirs), build_clip(vit))
    vision = {"head_width": 64, "mlp_ratio": 4, "patch_dropout": 0.5, "output_tokens": True}
    text = {"context_length": 77, "pad_id": 0, "pool_type": "argmax", "norm_kwargs": {}}
    write_open_clip_config(open_clip, vision, text, custom_text=True, init_logit_scale=2.66)
    path = open_clip / "open_clip_pytorch_model.bin"
    assert_same_clip(load_clip(path), build_clip(vit, "exact"))
    assert notes(path) == []


def test_two_activations_are_refused(theirs):
    write_config(theirs, text={"hidden_act": "gelu"})
    assert "asks for gelu and quick_gelu" in refusal(theirs)


def test_a_resnet_of_open_clip_s_is_compared_with_its_configuration(folder):
    weights = small_weights("rn")
    path, visual = write_open_clip(weights, folder / "rn.pt"), build_clip(weights).visual
    stages = [len(getattr(visual, f"layer{stage}")) for stage in (1, 2, 3, 4)]
    vision = {"width": 16, "layers": stages, "image_size": 64, "patch_size": None}
    write_open_clip_config(folder, vision, embed_dim=48)
    assert load_clip(path).image_size == 64
    write_open_clip_config(folder, {**vision, "layers": [9, 9, 9, 9]}, embed_dim=48)
    assert "sets layers of vision to [9, 9, 9, 9]" in refusal(path)


def test_a_config_json_of_something_else_is_left_alone_and_a_broken_one_is_named(folder, vit):
    path, config = write_plain(vit, folder / "weights.pt"), folder / "config.json"
    config.write_text(json.dumps({"learning_rate": 0.002, "model": "mine"}))
    assert_same_clip(load_clip(path), build_clip(vit))
    for content in ("{", "[]", "null", "\xff", '{"text_config": 3}', "[" * 9999):
        config.write_text(content, encoding="latin-1")
        sentence = refusal(path)
        assert str(config) in sentence and re.search("is not JSON|should hold a", sentence)
