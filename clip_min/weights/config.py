"""What the configurations next to a file of weights say of the computation and of the pictures.

    config.json                Hugging Face: activation, sizes
    preprocessor_config.json   Hugging Face: mean, std, size of pictures
    processor_config.json      the same under "image_processor" (transformers 5)
    open_clip_config.json      open_clip: model_cfg, and preprocess_cfg for pictures

A file of tensors does not say all of a computation. So each key is treated in one of five ways:
followed (the activation, mean and std); compared with the shapes of the weights (`SIZES`); refused
unless it has a value that clip_min builds (`BUILT`); passed over, because it changes nothing in a
finished model's features (`HARMLESS`); or, if it is in no list, named in one note.

Where the weights have Hugging Face's names, Hugging Face's files count, else open_clip's; if they
are missing, the others. Sources: `CLIPConfig`, `PreTrainedConfig` and `CLIPImageProcessor` of
transformers 4 and 5; `CLIPVisionCfg`, `CLIPTextCfg` and `PreprocessCfg` of open_clip 3.3.
"""

import math
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from clip_min.files import read_json
from clip_min.model import HEAD_WIDTH
from clip_min.preprocess import MEAN, STD

GELUS = {"quick_gelu": "quick", "gelu": "exact"}
PROCESSORS = ("CLIPImageProcessor", "CLIPImageProcessorFast", "CLIPImageProcessorPil",
              "CLIPFeatureExtractor")
ABSENT = """auto_map quantization_config init_logit_bias multimodal_cfg ls_init_value
    timm_model_name hf_model_name hf_tokenizer_name tokenizer_mode""".split()
OFF = """nonscalar_logit_scale attentional_pool no_ln_pre final_ln_after_pool no_causal_mask
    embed_cls proj_bias qk_norm scaled_cosine_attn scale_heads scale_attn_inner scale_attn scale_fc
    do_pad use_square_size default_to_square do_flip_channel_order""".split()
ON = "do_resize do_center_crop do_rescale do_normalize do_convert_rgb".split()
BUILT = {  # key: the values that clip_min builds
    **dict.fromkeys(ABSENT, ()), **dict.fromkeys(OFF, (False,)), **dict.fromkeys(ON, (True,)),
    # Hugging Face's towers
    "model_type": ("clip", "clip_text_model", "clip_vision_model"), "hidden_act": tuple(GELUS),
    "layer_norm_eps": (1e-5,), "pruned_heads": ({},),
    # open_clip's towers
    "quick_gelu": (False, True), "head_width": (HEAD_WIDTH,), "mlp_ratio": (4.0,),
    "vision_cfg pool_type": ("tok",), "text_cfg pool_type": ("argmax",),
    "proj_type": ("linear",), "pos_embed_type": ("learnable",), "block_type": ("default",),
    "act_kwargs": ({},), "norm_kwargs": ({}, {"eps": 1e-5}),
    "tokenizer_kwargs": ({}, {"clean": "lower"}),
    # pictures; 3 is Pillow's number of bicubic, and open_clip's "random" is for training only
    "resample": (3, "bicubic"), "interpolation": ("bicubic", "random"), "mode": ("RGB",),
    "resize_mode": ("shortest",), "rescale_factor": (1 / 255,), "crop_pct": (1.0,),
    "image_processor_type": PROCESSORS, "feature_extractor_type": PROCESSORS,
}
NEVER_NULL = ("pool_type", "proj_type", "pos_embed_type")  # of these; elsewhere null is the default
SIZES = {  # key: what it says of the weights
    "config.json projection_dim": "joint width", "embed_dim": "joint width",
    "hidden_size": "width", "width": "width", "intermediate_size": "width of the MLP",
    "num_hidden_layers": "layers", "layers": "layers", "num_attention_heads": "heads",
    "heads": "heads", "vocab_size": "words", "max_position_embeddings": "context length",
    "context_length": "context length", "text_config eos_token_id": "id of [EOS]",
    "image_size": "image size", "patch_size": "patch size", "num_channels": "channels",
    "size": "image size", "crop_size": "image size",
}
HARMLESS = set("""
    _attn_implementation _attn_implementation_autoset _commit_hash _name_or_path
    add_cross_attention architectures attention_dropout attn_implementation bad_words_ids
    begin_suppress_tokens bos_token_id chunk_size_feed_forward cross_attention_hidden_size
    decoder_start_token_id diversity_penalty do_sample dropout dtype early_stopping
    encoder_no_repeat_ngram_size eos_token_id exponential_decay_length_penalty finetuning_task
    forced_bos_token_id forced_eos_token_id gradient_checkpointing id2label initializer_factor
    initializer_range is_decoder is_encoder_decoder label2id length_penalty logit_scale_init_value
    max_length min_length no_repeat_ngram_size num_beam_groups num_beams num_return_sequences
    output_attentions output_hidden_states output_scores pad_token_id prefix problem_type
    projection_dim remove_invalid_values repetition_penalty return_dict return_dict_in_generate
    sep_token_id suppress_tokens task_specific_params temperature tf_legacy_loss
    tie_encoder_decoder tie_word_embeddings tokenizer_class top_k top_p torch_dtype torchscript
    transformers_version typical_p use_bfloat16 use_cache
    text_config vision_config text_config_dict vision_config_dict
    model_cfg preprocess_cfg vision_cfg text_cfg init_logit_scale cast_dtype output_dict custom_text
    patch_dropout output_tokens attn_pooler_queries attn_pooler_heads timm_model_pretrained
    timm_pool timm_proj timm_proj_bias timm_drop timm_drop_path pad_id eos_id hf_model_pretrained
    hf_proj_type hf_pooler_type
    mean std image_mean image_std processor_class data_format input_data_format return_tensors
    device disable_grouping _valid_processor_keys fill_color
""".split())  # training, text generation, labels, and what is read elsewhere in this file


@dataclass
class Config:
    """What the configurations say. sizes: (file, key, tower, what, value) for `check_sizes`."""

    gelu: str | None = None  # "quick" or "exact"; None: there is no configuration
    mean: tuple = MEAN
    std: tuple = STD
    sizes: list = field(default_factory=list)
    unknown: list = field(default_factory=list)

    def check(self, path, section, values, default={}):
        """Raises ValueError for a key of this section that clip_min would not follow.

        default: the value of a size that the section does not give.
        """
        if not isinstance(values, dict):
            raise ValueError(f"{path} should hold an object as {section}.")
        tower = "text" if section.startswith("text") else "vision"
        given = {key: value for key, value in values.items() if value is not None}
        null = {key: None for key in NEVER_NULL if key in values}
        for key, value in (default | null | given).items():
            built = BUILT.get(key, BUILT.get(f"{section} {key}"))
            what = SIZES.get(key, SIZES.get(f"{section} {key}"))
            if built is not None and value not in built:
                only = " or ".join(map(str, built)) or "models without it"
                raise ValueError(f"{path} sets {key} of {section} to {shown(value)}, "
                                 f"but clip_min builds only {only}.")
            if what is not None:
                self.sizes.append((path, key, tower, what, value))
            elif built is None and key not in HARMLESS:
                self.unknown.append(f"{key} of {section}")


def shown(value):
    """A value of a configuration, as short text."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}..."


def read_config(folder: Path, hugging_face: bool) -> Config:
    """What the configurations in a folder say; a `Config` without `gelu` if there is none.

    hugging_face: whether the weights have Hugging Face's names.
    Raises ValueError, in one sentence, if they describe a CLIP that clip_min does not build. What
    clip_min does not know is named in one note.
    """
    config = Config()
    for read in (read_hugging_face, read_open_clip)[:: 1 if hugging_face else -1]:
        if config.gelu is None:
            read(folder, config)
    read_pictures(folder, hugging_face, config)
    if config.unknown:
        warnings.warn(f"The configuration in {folder} has what clip_min does not know: "
                      f"{', '.join(config.unknown)[:500]}. The features are right only if this "
                      "does not change the model's computation.", stacklevel=3)
    return config


def read_hugging_face(folder, config):
    """config.json → config, unless it belongs to something else."""
    path = folder / "config.json"
    content = read_json(path) if path.is_file() else {}
    towers = {}
    for tower in ("text_config", "vision_config"):  # the older name, with _dict, wins there
        towers[tower] = content.get(f"{tower}_dict") or content.get(tower) or {}
    if not any(towers.values()) and content.get("model_type") != "clip":
        return
    config.check(path, "config.json", content)
    for tower, heads in (("text_config", 8), ("vision_config", 12)):
        config.check(path, tower, towers[tower], default={"num_attention_heads": heads})
    acts = {values.get("hidden_act") or "quick_gelu" for values in towers.values()}
    if len(acts) > 1:
        raise ValueError(f"{path} asks for {' and '.join(sorted(acts))}, but clip_min builds the "
                         "same activation in both towers.")
    config.gelu = GELUS[acts.pop()]


def read_open_clip(folder, config):
    """open_clip_config.json → config."""
    path = folder / "open_clip_config.json"
    if not path.is_file():
        return
    content = read_json(path)
    model = content.get("model_cfg") or {}
    config.check(path, "open_clip_config.json", content)
    config.check(path, "model_cfg", model)
    config.check(path, "vision_cfg", model.get("vision_cfg") or {})
    text = model.get("text_cfg") or {}
    config.check(path, "text_cfg", text, default={"heads": 8} if text else {})
    config.gelu = "quick" if model.get("quick_gelu") else "exact"


def read_pictures(folder, hugging_face, config):
    """Mean and std of the first file that speaks of pictures → config.

    clip_min resizes the shorter side to the model's size (bicubic), cuts out the middle square,
    scales RGB to [0, 1] and normalises.
    """
    sources = [("processor_config.json", "image_processor", "image_"),
               ("preprocessor_config.json", None, "image_"),
               ("open_clip_config.json", "preprocess_cfg", "")]
    for file, key, start in sources if hugging_face else sources[2:] + sources[:2]:
        path = folder / file
        content = read_json(path) if path.is_file() else {}
        content = content.get(key) if key else content
        if content:
            config.check(path, "the pictures", content)
            config.mean = three_numbers(path, content, f"{start}mean", -math.inf) or config.mean
            config.std = three_numbers(path, content, f"{start}std", 0) or config.std
            return


def three_numbers(path, content, key, lowest):
    """Three numbers above `lowest`, for red, green and blue in [0, 1]; None without the key."""
    value = content.get(key)
    if value is None:
        return None
    is_triple = isinstance(value, list) and len(value) == 3
    if not is_triple or not all(is_number(x) and x > lowest for x in value):
        raise ValueError(f"{path} sets {key} to {shown(value)}, which are not three numbers for "
                         "red, green and blue.")
    return tuple(float(x) for x in value)


def is_number(value):
    """Whether a value from JSON is a finite number."""
    return type(value) in (int, float) and math.isfinite(value)


def check_sizes(config: Config, clip) -> None:
    """Raises ValueError if a size in the configuration is not that of the weights."""
    actual = sizes_of(clip)
    for path, key, tower, what, value in config.sizes:
        tower = "joint" if what == "joint width" else tower
        if (tower, what) not in actual:
            continue
        size = actual[tower, what]
        if one_size(key, what, value) == size or (what == "id of [EOS]" and value == 2):
            continue  # there, 2 stands for the largest id
        if what == "heads":
            raise ValueError(f"{path} gives {shown(value)} heads to a width of "
                             f"{actual[tower, 'width']}, but clip_min's heads are {HEAD_WIDTH} "
                             "wide.")
        reason = f"by the weights the {what} is {size}"
        if key in ("size", "crop_size"):
            reason = (f"clip_min resizes the shorter side to the {size} pixels of the weights, and "
                      "crops the middle")
        raise ValueError(f"{path} sets {key} of {tower} to {shown(value)}, but {reason}.")


def one_size(key, what, value):
    """224, [224, 224], {"shortest_edge": 224}, or a square to be cropped → 224."""
    if isinstance(value, dict):
        keys = {"shortest_edge"} if key == "size" or len(value) == 1 else {"height", "width"}
        value = list(value.values()) if set(value) == keys else value
    if isinstance(value, list) and what != "layers" and len(set(map(str, value))) == 1:
        return value[0]
    return value


def sizes_of(clip):
    """A CLIP → {(tower, what): size}, as read off the shapes of its weights."""
    text_width, joint_width = clip.text_projection.shape
    visual, widths = clip.visual, {"text": text_width}
    sizes = {("joint", "joint width"): joint_width, ("text", "words"): clip.vocab_size,
             ("text", "context length"): clip.context_length,
             ("text", "id of [EOS]"): clip.vocab_size - 1,
             ("text", "layers"): len(clip.transformer.resblocks),
             ("vision", "image size"): clip.image_size, ("vision", "channels"): 3}
    if hasattr(visual, "transformer"):
        widths["vision"], _, sizes["vision", "patch size"], _ = visual.conv1.weight.shape
        sizes["vision", "layers"] = len(visual.transformer.resblocks)
    else:  # a ResNet, which only open_clip's configuration describes
        sizes["vision", "width"] = visual.layer1[0].conv1.weight.shape[0]
        stages = (visual.layer1, visual.layer2, visual.layer3, visual.layer4)
        sizes["vision", "layers"] = [len(stage) for stage in stages]
    for tower, width in widths.items():
        sizes.update({(tower, "width"): width, (tower, "width of the MLP"): 4 * width,
                      (tower, "heads"): width // HEAD_WIDTH})
    return sizes
