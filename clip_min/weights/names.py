"""The names of tensors: those of other projects → OpenAI's, which this project uses.

    OpenAI, open_clip        visual.transformer.resblocks.0.attn.in_proj_weight
    Hugging Face             vision_model.encoder.layers.0.self_attn.q_proj.weight, k_proj, v_proj
    open_clip, own text      text.transformer.resblocks.0.attn.in_proj_weight

Training scripts put something before all of them: "module.", "model.", "_orig_mod.", or several.
"""

import re

import torch

NOT_WEIGHTS = ("input_resolution", "context_length", "vocab_size")  # integers in OpenAI's files
EMBEDDING = "token_embedding.weight"  # every CLIP has one, whoever named it
HUGGING_FACE = (  # part of a name there, and here; replaced in this order
    ("vision_model.embeddings.patch_embedding.", "visual.conv1."),
    ("vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"),
    ("vision_model.embeddings.", "visual."),
    ("vision_model.pre_layrnorm.", "visual.ln_pre."),  # spelt like this there
    ("vision_model.post_layernorm.", "visual.ln_post."),
    ("vision_model.encoder.layers.", "visual.transformer.resblocks."),
    ("text_model.embeddings.position_embedding.weight", "positional_embedding"),
    ("text_model.embeddings.", ""),
    ("text_model.final_layer_norm.", "ln_final."),
    ("text_model.encoder.layers.", "transformer.resblocks."),
    (".self_attn.", ".attn."),
    (".layer_norm", ".ln_"),
    (".mlp.fc1.", ".mlp.c_fc."),
    (".mlp.fc2.", ".mlp.c_proj."),
    ("visual_projection.weight", "visual.proj"),
    ("text_projection.weight", "text_projection"),
)


def openai_names(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors under OpenAI's, open_clip's or Hugging Face's names → the same under OpenAI's names.

    >>> names = ["module._orig_mod.visual.proj", "module._orig_mod.token_embedding.weight"]
    >>> list(openai_names({name: torch.ones(1) for name in names}))
    ['visual.proj', 'token_embedding.weight']
    """
    tensors = {name.replace("_orig_mod.", ""): tensor for name, tensor in tensors.items()}
    tensors = without_prefix(tensors)
    if is_hugging_face(tensors):
        tensors = rename_hugging_face(tensors)
    elif f"text.{EMBEDDING}" in tensors:
        tensors = {name.removeprefix("text."): tensor for name, tensor in tensors.items()}
    return {name: tensor for name, tensor in tensors.items() if name not in NOT_WEIGHTS}


def without_prefix(tensors):
    """The same without what stands before every name: "module.", "model.module.", "clip."."""
    starts = [name.removesuffix(EMBEDDING) for name in tensors if name.endswith(EMBEDDING)]
    if len(starts) != 1:
        return tensors
    prefix = re.sub(r"(text_model\.embeddings|text)\.$", "", starts[0])
    if not all(name.startswith(prefix) for name in tensors):
        return tensors
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}


def is_hugging_face(names):
    """Whether these are the names of a Hugging Face CLIPModel, whatever stands before them."""
    return any(re.search(r"(^|\.)(text|vision)_model\.", name) for name in names)


def rename_hugging_face(tensors):
    """Tensors of a Hugging Face CLIPModel → OpenAI's names.

    There, W_q, W_k and W_v are three tensors [D, D], here one in_proj [3D, D]; and a projection is
    a Linear layer's weight [E, D], here a matrix [D, E]. `position_ids` only counts 0, 1, 2, ...
    """
    renamed = {}
    for name, tensor in tensors.items():
        for theirs, ours in HUGGING_FACE:
            name = name.replace(theirs, ours)
        if name in ("visual.proj", "text_projection"):
            tensor = tensor.T.contiguous()
        if not name.endswith("position_ids"):
            renamed[name] = tensor
    for name in list(renamed):
        if re.search(r"\.attn\.q_proj\.(weight|bias)$", name):
            parts = [name.replace("q_proj", part) for part in ("q_proj", "k_proj", "v_proj")]
            if all(part in renamed for part in parts):  # if not, building names what is missing
                joined = torch.cat([renamed.pop(part) for part in parts])
                renamed[name.replace("q_proj.", "in_proj_")] = joined
    return renamed
