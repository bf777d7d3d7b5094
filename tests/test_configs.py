"""What a model's own files say is followed, or refused in one sentence; nothing is passed over.

Figures called "theirs" are those of transformers 5.24 and open_clip 3.3.
"""

import json
import re
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from clip_min import load_clip
from clip_min.model import build_clip
from clip_min.preprocess import MEAN, STD, Preprocess
from clip_min.weights import locate
from clip_min.weights.checkpoint import TINY
from tests.weight_files import (
    WORDS,
    assert_same_clip,
    features,
    hugging_face,
    refusal,
    small_weights,
    write_config,
    write_open_clip,
    write_open_clip_config,
    write_plain,
    write_safetensors,
    write_torchscript,
)

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}


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


# --- the activation ---


@pytest.mark.parametrize("act, gelu", [("quick_gelu", "quick"), ("gelu", "exact"), (None, "quick")])
def test_config_json_decides_the_activation(theirs, vit, act, gelu):
    write_config(theirs, text={"hidden_act": act}, vision={"hidden_act": act})
    assert_same_clip(load_clip(theirs), build_clip(vit, gelu))


@pytest.mark.parametrize("quick, gelu", [(True, "quick"), (False, "exact"), (None, "exact")])
def test_open_clip_config_json_decides_the_activation(open_clip, vit, quick, gelu):
    write_open_clip_config(open_clip, quick_gelu=quick)
    assert_same_clip(load_clip(open_clip), build_clip(vit, gelu))


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
    assert "'tanh'" in refusal(path, gelu="tanh")


def notes(path, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        load_clip(path, **options)
    return [str(note.message) for note in caught if note.category is UserWarning]


def test_a_lone_file_of_49408_words_brings_a_note_that_names_the_flag(folder):
    weights = small_weights("vit", words=49408)
    (folder / "merges.txt").unlink()
    path = write_open_clip(weights, folder / "ViT-B-32-laion2b.pt")
    (note,) = notes(path)
    assert str(path) in note and "--gelu exact" in note and "\n" not in note
    assert notes(path, gelu="exact") == notes(path, gelu="quick") == []
    write_open_clip_config(folder, text={"vocab_size": 49408})
    assert notes(path) == []


def test_files_that_are_known_to_be_openai_s_or_ours_bring_no_note(folder, monkeypatch):
    weights = small_weights("vit", words=49408)
    (folder / "merges.txt").unlink()
    assert notes(write_torchscript(weights, folder / "ViT-B-16.pt")) == []
    path = write_plain(weights, folder / "copy.pt")
    official = {"ViT-B/16": ("ViT-B-16.pt", locate.file_sha256(path))}
    monkeypatch.setattr("clip_min.weights.checkpoint.OFFICIAL", official)
    write_open_clip_config(folder)  # of something else: the file is known by its SHA-256
    assert notes(path) == [] and notes("tiny") == [] and notes(TINY) == []


# --- mean and std of the pictures ---


def ramp_picture():
    """A ramp of 40 rows and 60 columns that begins anew at each 251st value."""
    ramp = np.arange(40 * 60 * 3).reshape(40, 60, 3) % 251
    return Image.fromarray(ramp.astype(np.uint8))


def test_preprocessor_config_json_gives_mean_and_std(theirs):
    """The figures of the issue: a pixel that OpenAI's numbers make −1.529, −0.146, 1.904."""
    pixel = Image.new("RGB", (32, 32), (18, 107, 238))
    assert load_clip(theirs).preprocess(pixel)[:, 5, 5].tolist() == pytest.approx(
        [-1.529, -0.146, 1.904], abs=5e-4
    )
    (theirs / "preprocessor_config.json").write_text(json.dumps(HALF))
    clip = load_clip(theirs)
    assert clip.preprocess == Preprocess(32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert clip.preprocess(pixel)[:, 5, 5].tolist() == pytest.approx(
        [-0.859, -0.161, 0.867], abs=5e-4
    )
    generator = torch.Generator().manual_seed(0)
    assert clip.preprocess.augment(pixel, generator)[:, 5, 5].tolist() == pytest.approx(
        [-0.859, -0.161, 0.867], abs=5e-4
    )


def test_all_pixels_are_those_of_transformers(theirs):
    """Mean and a few pixels of `CLIPImageProcessorPil` of transformers 5.24, size 32."""
    (theirs / "preprocessor_config.json").write_text(json.dumps(HALF))
    ours = load_clip(theirs).preprocess(ramp_picture())
    mean, corner = [-0.0302, -0.0285, -0.0282], [-0.4667, -0.4588, -0.4510]
    assert ours.mean((1, 2)).tolist() == pytest.approx(mean, abs=5e-5)
    assert ours[:, 0, 0].tolist() == pytest.approx(corner, abs=5e-5)
    assert ours[:, 15, 20].tolist() == pytest.approx([-0.7804, -0.7725, -0.7647], abs=5e-5)
    assert ours[:, 31, 31].tolist() == pytest.approx([0.2706, 0.2784, 0.2863], abs=5e-5)


@pytest.mark.parametrize(
    "file, content",
    [
        ("preprocessor_config.json", HALF),
        ("processor_config.json", {"image_processor": HALF, "processor_class": "CLIPProcessor"}),
        (
            "open_clip_config.json",
            {"model_cfg": {}, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3}},
        ),
    ],
)
def test_each_file_that_can_hold_mean_and_std_is_read(theirs, file, content):
    (theirs / file).write_text(json.dumps(content))
    assert load_clip(theirs).preprocess == Preprocess(32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    path = theirs / "model.safetensors"
    assert load_clip(path).preprocess.mean == (0.5, 0.5, 0.5)


def test_open_clip_s_mean_and_std_are_followed_and_openai_s_are_the_default(open_clip):
    assert load_clip(open_clip).preprocess == Preprocess(32, MEAN, STD)
    pictures = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 1], "interpolation": "bicubic"}
    pictures.update({"mode": "RGB", "resize_mode": "shortest", "fill_color": 0, "size": [32, 32]})
    write_open_clip_config(open_clip, preprocess_cfg=pictures)
    (open_clip / "preprocessor_config.json").write_text(json.dumps(HALF))  # not this project's
    assert load_clip(open_clip).preprocess == Preprocess(32, (0.1, 0.2, 0.3), (0.4, 0.5, 1.0))


def test_a_preprocessing_that_says_what_clip_min_does_is_accepted(theirs):
    steps = ("do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb")
    said = (
        dict.fromkeys(steps, True) | HALF | {"resample": 3, "rescale_factor": 0.00392156862745098}
    )
    said.update(image_processor_type="CLIPImageProcessorFast", processor_class="CLIPProcessor")
    for size in (32, {"shortest_edge": 32}):
        for crop in (32, {"height": 32, "width": 32}):
            said.update(size=size, crop_size=crop, pad_size=None)
            (theirs / "preprocessor_config.json").write_text(json.dumps(said))
            assert load_clip(theirs).preprocess.mean == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    "key, value",
    [
        ("resample", 2),
        ("resample", 0),
        ("size", {"height": 32, "width": 32}),
        ("size", {"shortest_edge": 36}),
        ("size", 224),
        ("crop_size", 28),
        ("crop_size", {"height": 32, "width": 28}),
        ("do_resize", False),
        ("do_center_crop", False),
        ("do_rescale", False),
        ("do_normalize", False),
        ("do_convert_rgb", False),
        ("do_pad", True),
        ("rescale_factor", 1 / 127.5),
        ("image_processor_type", "ViTImageProcessor"),
        ("feature_extractor_type", "SiglipImageProcessor"),
        ("do_flip_channel_order", True),
        ("image_mean", [0.5, 0.5]),
        ("image_mean", 0.5),
        ("image_mean", ["0.5"] * 3),
        ("image_mean", [0.5, 0.5, float("nan")]),
        ("image_std", [0.5, 0.5, 0]),
        ("image_std", [0.5, 0.5, float("inf")]),
        ("image_std", [0.5, 0.5, -1]),
    ],
)
def test_other_preprocessing_of_hugging_face_is_refused(theirs, key, value):
    (theirs / "preprocessor_config.json").write_text(json.dumps({key: value}))
    sentence = refusal(theirs)
    assert "preprocessor_config.json sets" in sentence and f"{key} to " in sentence


@pytest.mark.parametrize(
    "key, value",
    [
        ("interpolation", "bilinear"),
        ("resize_mode", "squash"),
        ("resize_mode", "longest"),
        ("mode", "L"),
        ("size", 36),
        ("size", [32, 36]),
        ("crop_pct", 0.9),
        ("mean", [0.5]),
        ("std", [0, 1, 1]),
    ],
)
def test_other_preprocessing_of_open_clip_is_refused(open_clip, key, value):
    write_open_clip_config(open_clip, preprocess_cfg={key: value})
    sentence = refusal(open_clip)
    assert "open_clip_config.json sets" in sentence and f"{key} to " in sentence


# --- the computation ---


@pytest.mark.parametrize(
    "section, key, value",
    [
        ("text", "hidden_act", "relu"),
        ("text", "hidden_act", "gelu_new"),
        ("vision", "hidden_act", "gelu_pytorch_tanh"),
        ("text", "layer_norm_eps", 1e-3),
        ("vision", "layer_norm_eps", 1e-6),
        ("vision", "pruned_heads", {"0": [1]}),
        ("text", "model_type", "siglip_text_model"),
        ("text", "eos_token_id", 5),
        ("text", "num_hidden_layers", 2),
        ("vision", "num_hidden_layers", 2),
        ("text", "intermediate_size", 256),
        ("vision", "image_size", 36),
        ("vision", "patch_size", 16),
        ("vision", "num_channels", 1),
        ("text", "vocab_size", 49408),
        ("text", "max_position_embeddings", 64),
        ("text", "hidden_size", 64),
        ("vision", "use_head", True),
        ("text", "a_key_of_tomorrow", 0),
        ("top", "model_type", "chinese_clip"),
        ("top", "projection_dim", 512),
        ("top", "auto_map", {"AutoModel": "modeling.Mine"}),
        ("top", "quantization_config", {"bits": 4}),
        ("top", "a_key_of_tomorrow", False),
    ],
)
def test_a_config_json_of_another_computation_is_refused(theirs, section, key, value):
    changes = {section: {key: value}} if section != "top" else {key: value}
    write_config(theirs, **changes)
    sentence = refusal(theirs)
    assert "config.json sets" in sentence and key in sentence and repr(value)[:20] in sentence


@pytest.mark.parametrize(
    "section, key, value",
    [
        ("vision", "head_width", 32),
        ("vision", "pool_type", "avg"),
        ("vision", "mlp_ratio", 4.3637),
        ("vision", "ls_init_value", 1e-4),
        ("vision", "attentional_pool", True),
        ("vision", "no_ln_pre", True),
        ("vision", "pos_embed_type", "sin_cos_2d"),
        ("vision", "final_ln_after_pool", True),
        ("vision", "norm_kwargs", {"eps": 1e-6}),
        ("vision", "timm_model_name", "vit_base"),
        ("vision", "image_size", 40),
        ("vision", "layers", [3, 3, 3, 3]),
        ("vision", "width", 64),
        ("text", "pool_type", "last"),
        ("text", "pool_type", None),
        ("text", "no_causal_mask", True),
        ("text", "embed_cls", True),
        ("text", "act_kwargs", {"approximate": "tanh"}),
        ("text", "proj_bias", True),
        ("text", "proj_type", "none"),
        ("text", "hf_model_name", "roberta-base"),
        ("text", "hf_tokenizer_name", "xlm-roberta-base"),
        ("text", "tokenizer_kwargs", {"clean": "canonicalize"}),
        ("text", "qk_norm", True),
        ("text", "context_length", 64),
        ("text", "a_key_of_tomorrow", "x"),
        ("top", "init_logit_bias", -10),
        ("top", "nonscalar_logit_scale", True),
        ("top", "multimodal_cfg", {"layers": 12}),
        ("top", "embed_dim", 512),
        ("top", "a_key_of_tomorrow", {}),
    ],
)
def test_an_open_clip_config_of_another_computation_is_refused(open_clip, section, key, value):
    changes = {section: {key: value}} if section != "top" else {key: value}
    write_open_clip_config(open_clip, **changes)
    sentence = refusal(open_clip)
    assert "open_clip_config.json sets" in sentence
    assert key in sentence and repr(value)[:20] in sentence


def test_heads_of_another_width_are_refused_also_where_the_default_says_so(theirs, vit):
    write_config(theirs, text={"num_attention_heads": 4})
    assert "gives 4 heads to a width of 128" in refusal(theirs)
    write_config(theirs, vision={"num_attention_heads": None})  # 12 there
    assert "gives 12 heads to a width of 128" in refusal(theirs)
    write_open_clip(vit, theirs / "model.pt")
    (theirs / "config.json").unlink()
    write_open_clip_config(theirs, text={"heads": 4})
    assert "gives 4 heads to a width of 128" in refusal(theirs / "model.pt")
    write_open_clip_config(theirs, text={"heads": None})  # 8 there
    assert "gives 8 heads to a width of 128" in refusal(theirs / "model.pt")


def test_a_configuration_that_describes_the_weights_is_accepted(theirs, open_clip, vit):
    common = {"attention_dropout": 0.1, "intermediate_size": 512, "projection_dim": 512}
    common.update(initializer_range=0.02, layer_norm_eps=1e-05, pruned_heads={}, torch_dtype="x")
    text = {"vocab_size": WORDS, "max_position_embeddings": 77, "eos_token_id": WORDS - 1}
    text.update(common, model_type="clip_text_model", bos_token_id=0, pad_token_id=1)
    vision = {"image_size": [32, 32], "patch_size": 8, "num_channels": 3, "dropout": 0.0, **common}
    write_config(theirs, text, vision, architectures=["CLIPModel"], some_new_key=None)
    assert_same_clip(load_clip(theirs), build_clip(vit))
    write_config(theirs, text={"eos_token_id": 2}, logit_scale_init_value=2.6592)
    assert_same_clip(load_clip(theirs), build_clip(vit))
    vision = {"head_width": 64, "mlp_ratio": 4, "patch_dropout": 0.5, "output_tokens": True}
    text = {"context_length": 77, "pad_id": 0, "pool_type": "argmax", "norm_kwargs": {}}
    write_open_clip_config(open_clip, vision, text, custom_text=True, init_logit_scale=2.66)
    path = open_clip / "open_clip_pytorch_model.bin"
    assert_same_clip(load_clip(path), build_clip(vit, "exact"))


def test_two_activations_are_refused(theirs):
    write_config(theirs, text={"hidden_act": "gelu"})
    assert "asks for gelu and quick_gelu" in refusal(theirs)


def test_the_older_names_of_both_towers_win_as_in_transformers(theirs):
    write_config(theirs, text_config_dict={"num_attention_heads": 2, "layer_norm_eps": 1e-3})
    assert "sets layer_norm_eps of text_config to 0.001" in refusal(theirs)


def test_a_resnet_of_open_clip_s_is_compared_with_its_configuration(folder):
    weights = small_weights("rn")
    path = write_open_clip(weights, folder / "rn.pt")
    layers = [
        len({n.split(".")[2] for n in weights if f"visual.layer{i}." in n}) for i in range(1, 5)
    ]
    vision = {"width": 16, "layers": layers, "image_size": 64, "patch_size": None}
    write_open_clip_config(folder, vision, embed_dim=48)
    assert load_clip(path).image_size == 64
    write_open_clip_config(folder, {**vision, "layers": [9, 9, 9, 9]}, embed_dim=48)
    assert "sets layers of the vision part to [9, 9, 9, 9]" in refusal(path)


def test_a_config_json_of_something_else_is_left_alone(folder, vit):
    path = write_plain(vit, folder / "weights.pt")
    (folder / "config.json").write_text(json.dumps({"learning_rate": 0.002, "model": "mine"}))
    assert_same_clip(load_clip(path), build_clip(vit))


@pytest.mark.parametrize("content", ["{", "[]", "null", "\xff", '{"text_config": 3}', "[" * 9999])
def test_a_config_that_is_not_one_is_refused_by_its_path(theirs, content):
    (theirs / "config.json").write_text(content, encoding="latin-1")
    sentence = refusal(theirs)
    assert str(theirs / "config.json") in sentence
    assert re.search("is not JSON|should hold a", sentence)


def test_control_characters_of_a_config_reach_no_terminal(theirs):
    write_config(theirs, text={"\x1b[2J": "\x07"})
    sentence = refusal(theirs)
    assert sentence.isprintable() and "\\x1b[2J" in sentence


def test_a_width_that_hides_other_heads_is_refused(folder, vit):
    """open_clip's ViT-H has 16 heads 80 wide; its tensors do not say so, and fit 20 of 64."""
    few = {n: x for n, x in vit.items() if not re.search(r"resblocks\.[12]", n)}
    shapes = {name: list(x.shape) for name, x in few.items()}
    for name, shape in shapes.items():
        if name.startswith("visual."):
            shapes[name] = [10 * size if size in (128, 384, 512) else size for size in shape]
    weights = {name: torch.zeros(shape, dtype=torch.float16) for name, shape in shapes.items()}
    assert "vision tower 1280 wide" in refusal(write_plain(weights, folder / "vit-h.pt"))
