"""Prompts that were trained with the published code of CoOp, CoCoOp, KgCoOp, MaPLe and PromptSRC.

Those trainers leave files such as `nctx16_cscFalse_ctpend/seed1/prompt_learner/model.pth.tar-50`.
Its state dict holds what was learned (`NAMES`), and the word embeddings around the context:

    token_prefix    [K, 1, D_t]         of [SOS]
    token_suffix    [K, L-1-M, D_t]     of "name.", [EOS] and the padding

in fp16 or fp32; MaPLe and PromptSRC save the whole CLIP beside them. Class names are not written
down, but the embeddings tell: [SOS] has to be this CLIP's, and every other row is looked up in its
vocabulary, which gives the names back. Where CoOp's class token stands is in the name of the folder
only ("ctpmiddle"). `load` makes of it the dict of a prompt file of train.py.
"""

import re
import warnings
import zipfile
from pathlib import Path

import torch

import clip_min
from clip_min.weights.formats import read_tensors

PICKLE_BYTES = 2**20  # of a file's description that are searched: a real one has some thousand
META_NET = [f"meta_net.{layer}.{part}" for layer in ("linear1", "linear2")
            for part in ("weight", "bias")]
BLOCK = "{}_encoder.transformer.resblocks.#.VPT_shallow"
TEXT = ("ctx", BLOCK.format("text"))
IMAGE = ("image_encoder.VPT", BLOCK.format("image"))
# {method: {our name: the published ones}}. "#" counts layers: where it is in our name, each layer
# has a tensor of its own there; where it is not, the layers are stacked.
NAMES = {
    "coop": {"ctx": ("ctx",)},
    "cocoop": {"ctx": ("ctx",), **{name: (name,) for name in META_NET}},
    "kgcoop": {"ctx": ("ctx",)},
    "maple": {
        "P": ("ctx", "compound_prompts_text.#"),
        "coupling.#.weight": ("proj.weight", "compound_prompt_projections.#.weight"),
        "coupling.#.bias": ("proj.bias", "compound_prompt_projections.#.bias"),
    },
    "promptsrc": {"T": TEXT, "V": IMAGE, "T_mean": TEXT, "V_mean": IMAGE},
}
SIGNS = {  # a tensor that tells the method, the first one counts; without any it is CoOp's
    "bias_vectors": "kgcoop",
    "meta_net.linear1.weight": "cocoop",
    "proj.weight": "maple",
    "image_encoder.VPT": "promptsrc",
}
WITH_WORDS = ("maple", "promptsrc")  # words stay between the context and the class name
ADVICE = "give --model the CLIP that it was learned on."


def is_published(path):
    """Whether a file is one of these: by its name, or by `token_suffix` in its pickle."""
    if ".pth.tar" in Path(path).name:
        return True
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                if member.endswith("/data.pkl"):
                    with archive.open(member) as file:
                        if b"token_suffix" in file.read(PICKLE_BYTES):
                            return True
    except Exception:  # not a zip, or damaged bytes, which can raise anything
        return False
    return False


def load(path, method, clip, options):
    """A file of published code → the dict of a prompt file.

    method: a key of `NAMES`; None: what the file is. options: the method's; CoOp's
    class_token_position is read from the path if it is not among them. Class names come back as the
    tokenizer knows them, in lower case and with spaces around punctuation: see `respell`. Raises
    ValueError, in one sentence, if the file is another one, was not learned on this CLIP, or
    contradicts `method` or `options`.
    """
    if not Path(path).is_file():
        raise ValueError(f"There is no prompt file {path}.")
    tensors = read_prompt_learner(path)
    found = next((name for sign, name in SIGNS.items() if sign in tensors), "coop")
    if method not in (None, found):
        raise ValueError(f"{path} holds a prompt of {found}: give --method {found}, not {method}.")
    check_shapes(path, tensors, clip)
    ids = token_ids(path, tensors, clip)
    learned = learned_in(path, found, tensors)
    told = {"n_ctx": tensors["ctx"].shape[-2], "ctx_init": None}
    if found == "coop":
        told["class_specific"] = tensors["ctx"].ndim == 3
        if "class_token_position" not in options:
            told.update(position_in_path(path))
    if found == "maple":
        told["depth"] = len(learned["P"])
    if found == "promptsrc":
        depth, n_visual, _ = learned["V"].shape
        told.update(depth=depth, text_depth=len(learned["T"]), n_visual=n_visual)
    if found in WITH_WORDS:
        words = options.get("ctx_init", "a photo of a")
        told["ctx_init"], ids = without_words(ids, told["n_ctx"], words, clip.tokenizer)
    for name, value in told.items():
        if options.get(name, value) != value:
            raise ValueError(
                f"{path} says {name}={value!r}, not {options[name]!r}: leave that option out.")
    classnames = [class_name(path, of_class, clip.tokenizer) for of_class in ids]
    return {
        "method": found, "options": {**told, **options}, "model": clip.name, "sha256": clip.sha256,
        "dataset": None, "classes": "all", "classnames": classnames, "shots": None, "seed": None,
        "learned": learned, "file": str(path), "version": clip_min.__version__,
    }


def read_prompt_learner(path):
    """A file → its tensors, without "prompt_learner." in their names; or ValueError."""
    try:
        tensors = read_tensors(path)
    except ValueError:
        raise  # one sentence already
    except Exception as error:  # an odd pickle can raise anything
        kind = type(error).__name__
        raise ValueError(f"{path} cannot be read as a prompt ({kind}): save it again.") from error
    tensors = {str(name).removeprefix("prompt_learner."): x for name, x in tensors.items()}
    for name in ("ctx", "token_prefix", "token_suffix"):
        if name not in tensors:
            raise ValueError(f"{path} has no tensor {name}, but {', '.join(list(tensors)[:5])}: "
                             "give a file of the published code of CoOp, CoCoOp, KgCoOp, MaPLe or "
                             "PromptSRC.")
    return tensors


def check_shapes(path, tensors, clip):
    """Raises ValueError unless the context and the words around it fit this CLIP and each other."""
    ctx, D_t = tensors["ctx"], clip.text_projection.shape[0]
    K, M = tensors["token_suffix"].shape[:1], ctx.shape[-2] if ctx.ndim > 1 else 1
    expected = {
        "ctx": (*K, M, D_t) if ctx.ndim == 3 else (M, D_t),
        "token_prefix": (*K, 1, D_t),
        "token_suffix": (*K, clip.context_length - 1 - M, D_t),
    }
    for name, shape in expected.items():
        if tensors[name].shape != shape:
            raise ValueError(f"In {path}, {name} is {list(tensors[name].shape)}, and {list(shape)} "
                             f"would fit {clip.name}: {ADVICE}")


def learned_in(path, method, tensors):
    """A file's tensors → {our name: tensor, fp32} of what was learned."""
    learned = {}
    for ours, published in NAMES[method].items():
        layers = [name for pattern in published for name in numbered(pattern, tensors)]
        parts = []
        for name in layers:
            if name not in tensors or not tensors[name].is_floating_point():
                raise ValueError(f"{path} has no tensor {name} of decimal numbers: save it again.")
            parts.append(tensors[name].float())
        if len({part.shape for part in parts}) > 1:
            raise ValueError(f"In {path}, {' and '.join(layers)} differ in shape: save it again.")
        if "#" in ours:
            learned |= {ours.replace("#", str(i)): part for i, part in enumerate(parts)}
        else:
            learned[ours] = torch.stack(parts) if len(published) > 1 else parts[0]
    return learned


def numbered(pattern, tensors):
    """A pattern such as "proj.#" → the names in a file, by number; without "#" the name itself."""
    if "#" not in pattern:
        return [pattern]
    shape = re.escape(pattern).replace(r"\#", r"(\d+)")
    found = [match for match in (re.fullmatch(shape, name) for name in tensors) if match]
    return [match[0] for match in sorted(found, key=lambda match: int(match[1]))]


def position_in_path(path):
    """A path in the layout of the published scripts → {"class_token_position": "end", "middle" or
    "front"}; without such a folder {}, which means "end", and a warning.

    >>> position_in_path("output/nctx16_cscFalse_ctpmiddle/seed1/prompt_learner/model.pth.tar-50")
    {'class_token_position': 'middle'}
    """
    found = re.findall(r"_ctp(end|middle|front)(?![a-z])", Path(path).absolute().parent.as_posix())
    if found:
        return {"class_token_position": found[-1]}
    warnings.warn(
        f"{path} does not say where the class token stands, so the end is taken: "
        "give --hp class_token_position=middle or front if it was trained so.", stacklevel=2)
    return {}


# The words of the classes


def token_ids(path, tensors, clip):
    """The file's tensors → for each of the K classes, the ids of "name." (without [EOS]).

    Compared in fp16, where a vector and its copy are equal bit for bit whichever of the two was
    rounded.
    """
    words = vectors_as_bytes(clip.token_embedding.weight)
    sot, eot = words[clip.tokenizer.sot], words[clip.tokenizer.eot]
    id_of = {row: i for i, row in enumerate(words)}
    if any(row != sot for row in vectors_as_bytes(tensors["token_prefix"])):
        raise ValueError(f"{path} has another embedding of [SOS] than {clip.name}: {ADVICE}")
    ids = []
    for suffix in map(vectors_as_bytes, tensors["token_suffix"]):
        if eot not in suffix or not all(row in id_of for row in suffix):
            raise ValueError(f"{path} has other word embeddings than {clip.name}: {ADVICE}")
        ids.append([id_of[row] for row in suffix[: suffix.index(eot)]])
    return ids


def vectors_as_bytes(vectors):
    """Vectors [.., D_t] → a list of bytes, their numbers in fp16, which can be looked up."""
    return [row.tobytes() for row in vectors.detach().cpu().half().flatten(0, -2).numpy()]


def without_words(ids, n_ctx, words, tokenizer):
    """Ids of K texts "of a name." → the words that the context began from, and the ids of "name.".

    MaPLe and PromptSRC learn the first n_ctx tokens of "a photo of a"; the others stay before the
    name. Where they do not stand there the start was random: None.
    """
    tokens = tokenizer.encode(words) if words and n_ctx <= 4 else []
    kept = tokens[n_ctx:]
    if len(tokens) < n_ctx or any(of_class[: len(kept)] != kept for of_class in ids):
        return None, ids
    return words, [of_class[len(kept) :] for of_class in ids]


def class_name(path, ids, tokenizer):
    """The ids of "name." → the name. Raises ValueError if it does not give the same ids again."""
    text = tokenizer.decode(ids).strip()
    if not text.endswith(".") or tokenizer.encode(text) != ids:
        raise ValueError(
            f"{path} has the class {text!r}, which this tokenizer reads otherwise: put the merges "
            "of the CLIP that it was learned on next to its weights.")
    return text.removesuffix(".").strip()


def respell(prompt, classnames, tokenizer):
    """A prompt's dict with these K class names, if they have the tokens of its own, in this order.

    "F-16A/B" comes back from a file as "f - 1 6 a / b"; the spelling matters where a context
    belongs to its classes.
    """

    def ids(names):
        return [tokenizer.encode(name.replace("_", " ") + ".") for name in names]

    if ids(classnames) != ids(prompt["classnames"]):
        return prompt
    return prompt | {"classnames": list(classnames)}
