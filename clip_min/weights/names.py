"""The names of tensors: those of other projects → OpenAI's, which this project uses.

    OpenAI, open_clip        visual.transformer.resblocks.0.attn.in_proj_weight
    Hugging Face             vision_model.encoder.layers.0.self_attn.q_proj.weight, k_proj, v_proj
    open_clip, own text      text.transformer.resblocks.0.attn.in_proj_weight

Training scripts put something before all of them: "module.", "model.", "_orig_mod.", or several.
"""

import re

import torch

NOT_WEIGHTS = ("input_resolution", "context_length", "vocab_size")  # integers in OpenAI's files
# Each tower has one of these, whoever named it. What stands before is the prefix.
TEXT = re.compile(r"((text_model\.)?embeddings\.|text\.|)token_embedding\.weight$")
IMAGE = re.compile(r"((vision_model\.)?embeddings\.patch_embedding|visual\.conv1)\.weight$")
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


def openai_names(tensors):
    """{name: tensor}, as OpenAI, open_clip or Hugging Face name them → three dicts.

    The tensors under OpenAI's names; {OpenAI's name: the file's own}; and, by their own names, the
    tensors that are not part of the CLIP. Raises ValueError if there is not one CLIP.

    >>> names = ["module.visual.conv1.weight", "module.token_embedding.weight", "head.weight"]
    >>> weights, own, others = openai_names({name: torch.ones(1) for name in names})
    >>> list(weights), list(others)
    (['visual.conv1.weight', 'token_embedding.weight'], ['head.weight'])
    """
    own = {name.replace("_orig_mod.", ""): name for name in tensors}
    prefix = prefix_of_clip(own)
    others = {own[name]: tensors[own[name]] for name in own if not name.startswith(prefix)}
    own = {name[len(prefix):]: own[name] for name in own if name.startswith(prefix)}
    from_hugging_face = is_hugging_face(own)
    if from_hugging_face:
        own = {openai_name(name): own[name] for name in own if not name.endswith("position_ids")}
    elif "text.token_embedding.weight" in own:
        own = {name.removeprefix("text."): theirs for name, theirs in own.items()}
    own = {name: theirs for name, theirs in own.items() if name not in NOT_WEIGHTS}
    weights = {name: tensors[theirs] for name, theirs in own.items()}
    if from_hugging_face:
        weights = in_openai_form(weights, own)
    return weights, own, others


def prefix_of_clip(names):
    """Names of tensors → what stands before those of the one CLIP: "", "module.", "model.clip."."""
    if any(re.search(r"(\.|^)lora_\w+(\.|$)", name) for name in names):
        raise ValueError("it holds a LoRA beside its weights: merge them and save the whole.")
    texts, images = prefixes(TEXT, names), prefixes(IMAGE, names)
    both = texts & images
    if len(both) == 1:
        return both.pop()
    if both:
        found = " and ".join(repr(prefix) for prefix in sorted(both))
        raise ValueError(f"it holds {len(both)} CLIPs, whose names begin with {found}: "
                         "save one of them alone.")
    first = f"it has {', '.join(list(names)[:3])[:300]}, ..."
    if texts and images:
        raise ValueError(f"the names of its text tower begin with {' or '.join(sorted(texts))!r}, "
                         f"those of its image tower with {' or '.join(sorted(images))!r}: rename "
                         "them, so that both begin alike.")
    if texts or images:
        here, there = ("text", "image") if texts else ("image", "text")
        raise ValueError(f"it holds CLIP's {here} tower, but not the {there} tower that belongs to "
                         f"it: {first}")
    raise ValueError(f"{first}, but neither a token_embedding.weight nor the first convolution of "
                     "an image tower.")


def prefixes(pattern, names):
    """What stands before the pattern, in all names that end with it → a set.

    >>> prefixes(TEXT, ["a.token_embedding.weight", "b.text.token_embedding.weight", "c"]) - {"a."}
    {'b.'}
    """
    found = [pattern.search(name) for name in names]
    return {match.string[: match.start()] for match in found if match}


def is_hugging_face(names):
    """Whether these are the names of a Hugging Face CLIPModel, whatever stands before them."""
    return any(name.endswith("text_model.embeddings.token_embedding.weight") for name in names)


def openai_name(name):
    """A name of Hugging Face's → OpenAI's.

    >>> openai_name("vision_model.encoder.layers.0.mlp.fc1.bias")
    'visual.transformer.resblocks.0.mlp.c_fc.bias'
    """
    for theirs, ours in HUGGING_FACE:
        name = name.replace(theirs, ours)
    return name


def in_openai_form(weights, own):
    """Hugging Face's tensors under OpenAI's names → OpenAI's tensors; `own` gets their names, too.

    There, W_q, W_k and W_v are three tensors [D, D], here one in_proj [3D, D]; and a projection is
    a Linear layer's weight [E, D], here a matrix [D, E].
    """
    joined = {}
    for name, tensor in weights.items():
        if name in ("visual.proj", "text_projection"):
            tensor = tensor.T.contiguous()
        match = re.fullmatch(r"(.*\.attn\.)([qkv])_proj\.(weight|bias)", name)
        if match is None:
            joined[name] = tensor
            continue
        parts = [f"{match[1]}{part}_proj.{match[3]}" for part in "qkv"]
        missing = [part for part in parts if part not in weights]
        if missing:
            there = own[name].replace(f"{match[2]}_proj", f"{missing[0].split('.')[-2]}")
            raise ValueError(f"it has {own[name]}, but not {there}.")
        if match[2] == "q":
            ours = f"{match[1]}in_proj_{match[3]}"
            joined[ours] = torch.cat([weights[part] for part in parts])
            own[ours] = own[name]
    return joined
