"""The keys of both configurations, section by section: what clip_min does with each of them.

    SIZES       compared with the shapes of the weights
    BUILT       refused unless they have one of these values, or null
    NEVER_NULL  of these; null is another computation
    HARMLESS    they change nothing in a finished model's features

Sources: `CLIPConfig` and `PreTrainedConfig` of transformers 4 and 5; `CLIPVisionCfg` and
`CLIPTextCfg` of open_clip 3.3.
"""

from clip_min.model import HEAD_WIDTH

GELUS = {"quick_gelu": "quick", "gelu": "exact"}
SAME_BLOCK = {  # open_clip's variants of a transformer block, all switched off
    "mlp_ratio": (4.0,),
    "ls_init_value": (),
    "final_ln_after_pool": (False,),
    "act_kwargs": ({},),
    "norm_kwargs": ({}, {"eps": 1e-5}),
    "block_type": ("default",),
    "qk_norm": (False,),
    "scaled_cosine_attn": (False,),
    "scale_heads": (False,),
    "scale_attn_inner": (False,),
    "scale_attn": (False,),
    "scale_fc": (False,),
}
NEVER_NULL = ("pool_type", "proj_type", "pos_embed_type")
BUILT = {  # section: {key: the values that clip_min builds}
    "config.json": {
        "model_type": ("clip",),
        "pruned_heads": ({},),
        "auto_map": (),
        "quantization_config": (),
    },
    "text_config": {
        "model_type": ("clip_text_model", "clip"),
        "hidden_act": tuple(GELUS),
        "layer_norm_eps": (1e-5,),
        "pruned_heads": ({},),
        "quantization_config": (),
    },
    "open_clip_config.json": {},
    "model_cfg": {
        "quick_gelu": (False, True),
        "init_logit_bias": (),
        "nonscalar_logit_scale": (False,),
        "multimodal_cfg": (),
    },
    "vision_cfg": {
        **SAME_BLOCK,
        "head_width": (HEAD_WIDTH,),
        "attentional_pool": (False,),
        "no_ln_pre": (False,),
        "pos_embed_type": ("learnable",),
        "pool_type": ("tok",),
        "timm_model_name": (),
    },
    "text_cfg": {
        **SAME_BLOCK,
        "embed_cls": (False,),
        "no_causal_mask": (False,),
        "pool_type": ("argmax",),
        "proj_bias": (False,),
        "proj_type": ("linear",),
        "hf_model_name": (),
        "hf_tokenizer_name": (),
        "tokenizer_mode": (),
        "tokenizer_kwargs": ({}, {"clean": "lower"}),
    },
}
BUILT["vision_config"] = {**BUILT["text_config"], "model_type": ("clip_vision_model", "clip")}
TOWER_SIZES = {  # section: {key: what it says of the weights}
    "hidden_size": "width",
    "intermediate_size": "width of the MLP",
    "num_hidden_layers": "layers",
    "num_attention_heads": "heads",
}
SIZES = {
    "config.json": {"projection_dim": "joint width"},
    "text_config": {
        **TOWER_SIZES,
        "vocab_size": "words",
        "max_position_embeddings": "context length",
        "eos_token_id": "id of [EOS]",
    },
    "vision_config": {
        **TOWER_SIZES,
        "image_size": "image size",
        "patch_size": "patch size",
        "num_channels": "channels",
    },
    "open_clip_config.json": {},
    "model_cfg": {"embed_dim": "joint width"},
    "vision_cfg": {
        "width": "width",
        "layers": "layers",
        "image_size": "image size",
        "patch_size": "patch size",
    },
    "text_cfg": {
        "width": "width",
        "layers": "layers",
        "heads": "heads",
        "vocab_size": "words",
        "context_length": "context length",
    },
}
GENERIC = """
    _attn_implementation _attn_implementation_autoset _commit_hash _name_or_path
    add_cross_attention architectures attention_dropout attn_implementation bad_words_ids
    begin_suppress_tokens bos_token_id chunk_size_feed_forward cross_attention_hidden_size
    decoder_start_token_id diversity_penalty do_sample dropout dtype early_stopping
    encoder_no_repeat_ngram_size eos_token_id exponential_decay_length_penalty finetuning_task
    forced_bos_token_id forced_eos_token_id gradient_checkpointing id2label initializer_factor
    initializer_range is_decoder is_encoder_decoder label2id length_penalty max_length min_length
    no_repeat_ngram_size num_beam_groups num_beams num_return_sequences output_attentions
    output_hidden_states output_scores pad_token_id prefix problem_type projection_dim
    remove_invalid_values repetition_penalty return_dict return_dict_in_generate sep_token_id
    suppress_tokens task_specific_params temperature tf_legacy_loss tie_encoder_decoder
    tie_word_embeddings tokenizer_class top_k top_p torch_dtype torchscript transformers_version
    typical_p use_bfloat16 use_cache
"""  # what every configuration of transformers may hold: training, text generation, labels
HARMLESS = {
    "config.json": {
        *GENERIC.split(),
        "logit_scale_init_value",
        *("text_config", "vision_config", "text_config_dict", "vision_config_dict"),
    },
    "text_config": set(GENERIC.split()),
    "vision_config": set(GENERIC.split()),
    "open_clip_config.json": {"model_cfg", "preprocess_cfg"},
    "model_cfg": {
        *("vision_cfg", "text_cfg"),
        *("init_logit_scale", "cast_dtype", "output_dict", "custom_text"),
    },
    "vision_cfg": {
        *("patch_dropout", "output_tokens", "attn_pooler_queries", "attn_pooler_heads"),
        *("timm_model_pretrained", "timm_pool", "timm_proj", "timm_proj_bias"),
        *("timm_drop", "timm_drop_path"),
    },
    "text_cfg": {
        *("pad_id", "eos_id", "output_tokens"),
        *("hf_model_pretrained", "hf_proj_type", "hf_pooler_type"),
    },
}
