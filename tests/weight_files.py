"""Files of weights in every layout, for the tests that read them."""

import json
import struct
import warnings
from pathlib import Path

import pytest
import torch

from clip_min import load_clip
from clip_min.weights.formats import SAFETENSORS_DTYPES
from notes.random_weights import write_archive
from tests.golden.weights import golden_state_dict

GOLDEN = json.loads((Path(__file__).parent / "golden" / "clip.json").read_text())
WORDS = 514 + 3  # 512 bytes, 3 merges, [SOS] and [EOS]
MERGES = [("c", "a"), ("ca", "t</w>"), ("d", "o</w>")]
TOKENS = [[515, 320, 513, 516], [515, 514, 516, 0]]  # "a cat" and "do", with these merges


def small_weights(kind, words=WORDS):
    """The golden "vit" or "rn" weights in fp16, with a vocabulary of `words` words."""
    shapes = GOLDEN[kind]["shapes"] | {"token_embedding.weight": [words, 128]}
    weights = golden_state_dict(shapes)
    return {name: x.half() if x.is_floating_point() else x for name, x in weights.items()}


def features(clip):
    torch.manual_seed(0)
    images = torch.randn(2, 3, clip.image_size, clip.image_size)
    return clip.encode_image(images), clip.encode_text(torch.tensor(TOKENS))


def assert_same_clip(ours, theirs):
    """Weights bit for bit; features up to rounding, which may depend on where the weights lie."""
    theirs_weights = theirs.state_dict()
    assert ours.state_dict().keys() == theirs_weights.keys()
    for name, tensor in ours.state_dict().items():
        assert torch.equal(tensor, theirs_weights[name]), name
    for x, y in zip(features(ours), features(theirs)):
        torch.testing.assert_close(x, y, rtol=1e-5, atol=1e-5)


def refusal(path, read=load_clip):
    """The sentence with which a file is refused."""
    with pytest.raises(ValueError) as refused:
        read(path)
    sentence = str(refused.value)
    assert sentence and "\n" not in sentence
    return sentence


def notes(path, **options):
    """What `load_clip` says of a file that it takes."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        load_clip(path, **options)
    return [str(note.message) for note in caught if note.category is UserWarning]


# --- writers of the other layouts ---


def write_plain(content, path):
    torch.save(content, path)
    return path


def write_open_clip(weights, path):
    content = {"epoch": 3, "state_dict": {f"module.{name}": x for name, x in weights.items()}}
    return write_plain(content, path)


def write_torchscript(weights, path):
    """An archive like OpenAI's: modules nested as the names are, and three integers as well."""
    return write_archive(weights, path, input_resolution=32, context_length=77, vocab_size=WORDS)


def write_safetensors(tensors, path):
    types = {dtype: name for name, dtype in SAFETENSORS_DTYPES.items()}
    header, data = {"__metadata__": {"format": "pt"}}, bytearray()
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
                for a, b in (("self_attn.out_proj", "attn.out_proj"), ("mlp.fc1", "mlp.c_fc"),
                             ("mlp.fc2", "mlp.c_proj"), ("layer_norm1", "ln_1"),
                             ("layer_norm2", "ln_2")):
                    theirs[f"{there}.{a}.{end}"] = weights[f"{ours}.{b}.{end}"]
    return theirs


def write_config(folder, text={}, vision={}, **top):
    """A config.json that describes `small_weights`, but for the changes given."""
    config = {"model_type": "clip", "projection_dim": 32}
    for name, changes in (("text_config", text), ("vision_config", vision)):
        config[name] = {"hidden_size": 128, "num_attention_heads": 2, "num_hidden_layers": 3}
        config[name].update(changes)
    config.update(top)
    (folder / "config.json").write_text(json.dumps(config))


def write_open_clip_config(folder, vision={}, text={}, preprocess_cfg=None, **top):
    """An open_clip_config.json that describes `small_weights`, but for the changes given."""
    model = {"embed_dim": 32, "vision_cfg": {"width": 128, "layers": 3}, **top}
    model["vision_cfg"].update({"image_size": 32, "patch_size": 8}, **vision)
    model["text_cfg"] = {"width": 128, "layers": 3, "heads": 2, "vocab_size": WORDS, **text}
    content = {"model_cfg": model, "preprocess_cfg": preprocess_cfg}
    (folder / "open_clip_config.json").write_text(json.dumps(content))


WRITERS = (write_torchscript, write_plain, write_open_clip, write_safetensors)
