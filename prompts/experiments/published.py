"""Prompts that were trained with the published code of CoOp and CoCoOp (github.com/KaiyangZhou/CoOp).

That code leaves files such as `prompt_learner/model.pth.tar-50`, whose state dict holds

    ctx                      [M, D_t], or [K, M, D_t] (CSC)      what was learned
    meta_net.linear1.weight, …                                   what was learned, too (CoCoOp)
    token_prefix             [K, 1, D_t]                         word embedding of [SOS]
    token_suffix             [K, L-1-M, D_t]                     of "name.", [EOS] and the padding

in fp16 or fp32. Neither the backbone nor the class names are written down, but the frozen word embeddings tell: [SOS]
has to be this CLIP's, and every other row is looked up in its vocabulary, which gives the names back.
`load` makes of it the dict of a prompt file of train.py, so that eval.py needs no second way.
"""

import zipfile
from pathlib import Path

import clip_min
from clip_min.weights.formats import read_checkpoint


def is_published(path):
    """Whether a file is one of these: by its name, or because its pickle speaks of the `token_suffix`."""
    if ".pth.tar" in Path(path).name:
        return True
    try:
        with zipfile.ZipFile(path) as archive:
            pickles = [member for member in archive.namelist() if member.endswith("/data.pkl")]
            return any(b"token_suffix" in archive.read(member) for member in pickles)
    except Exception:  # no zip, or damaged bytes, which can raise anything
        return False


def load(path, method, clip, options):
    """A file of the published code → the dict of a prompt file.

    method: "coop" or "cocoop"; None: what the file is. options: the method's, of which the file does not tell
    CoOp's class_token_position. Class names come back as the tokenizer knows them, in lower case and with spaces
    around punctuation: `respell` gives them a data set's spelling.
    Raises ValueError, in one sentence, if the file is none, was not learned on this CLIP, or contradicts `method`.
    """
    if not Path(path).is_file():
        raise ValueError(f"There is no prompt file {path}.")
    if method not in (None, "coop", "cocoop"):
        raise ValueError(f"{path} was trained with the code of CoOp: give --method coop or cocoop, not {method}.")
    tensors = read_checkpoint(path)
    for name in ("ctx", "token_prefix", "token_suffix"):
        if name not in tensors:
            raise ValueError(f"{path} has no tensor {name}, but {', '.join(list(tensors)[:5])}: give a file that was "
                             "trained with the code of CoOp or CoCoOp.")  # fmt: skip
    learned = {name: x.float() for name, x in tensors.items() if name == "ctx" or name.startswith("meta_net.")}
    found, having = ("cocoop", "a meta_net") if len(learned) > 1 else ("coop", "no meta_net")
    if method not in (None, found):
        raise ValueError(f"{path} has {having}: give --method {found}, not {method}.")
    check_shapes(path, found, tensors, clip)
    classnames = [class_name(path, ids, clip.tokenizer) for ids in token_ids(path, tensors, clip)]
    told = dict(n_ctx=tensors["ctx"].shape[-2], ctx_init=None)
    told |= dict(class_specific=tensors["ctx"].ndim == 3) if found == "coop" else {}
    for name, value in told.items():
        if options.get(name, value) != value:
            raise ValueError(f"{path} says {name}={value!r}, not {options[name]!r}: leave that option out.")
    prompt = dict(method=found, options=told | options, model=clip.name, sha256=clip.sha256, dataset=None)
    prompt |= dict(classes="all", classnames=classnames, shots=None, seed=None)
    return prompt | dict(learned=learned, version=clip_min.__version__)


def check_shapes(path, method, tensors, clip):
    """Raises ValueError unless the tensors' shapes fit this CLIP and each other."""
    ctx, (D_t, E) = tensors["ctx"], clip.text_projection.shape
    K, M = tensors["token_suffix"].shape[:1], ctx.shape[-2] if ctx.ndim > 1 else 1
    expected = {
        "ctx": (*K, M, D_t) if method == "coop" and ctx.ndim == 3 else (M, D_t),
        "token_prefix": (*K, 1, D_t),
        "token_suffix": (*K, clip.context_length - 1 - M, D_t),
    }
    if method == "cocoop":
        expected |= {"meta_net.linear1.weight": (E // 16, E), "meta_net.linear1.bias": (E // 16,)}
        expected |= {"meta_net.linear2.weight": (D_t, E // 16), "meta_net.linear2.bias": (D_t,)}
    for name, shape in expected.items():
        if name not in tensors or tensors[name].shape != shape:
            there = list(tensors[name].shape) if name in tensors else "missing"
            raise ValueError(f"In {path}, {name} is {there}, and {list(shape)} would fit {clip.name}: give --model the "
                             "CLIP that it was learned on.")  # fmt: skip


def token_ids(path, tensors, clip):
    """The file's tensors → for each of the K classes, the ids of "name." (without [EOS]).

    Compared in fp16, where a vector and its copy are equal bit for bit whichever of the two was rounded.
    """
    def rows(vectors):
        return [row.tobytes() for row in vectors.detach().cpu().half().flatten(0, -2).numpy()]

    def unlike(what):
        return ValueError(f"{path} has {what} than {clip.name}: give --model the CLIP that it was learned on.")

    words = rows(clip.token_embedding.weight)
    sot, eot, id_of = words[clip.tokenizer.sot], words[clip.tokenizer.eot], {row: i for i, row in enumerate(words)}
    if any(row != sot for row in rows(tensors["token_prefix"])):
        raise unlike("another embedding of [SOS]")
    ids = []
    for suffix in tensors["token_suffix"]:
        suffix = rows(suffix)
        if eot not in suffix or not all(row in id_of for row in suffix):
            raise unlike("other word embeddings")
        ids.append([id_of[row] for row in suffix[: suffix.index(eot)]])
    return ids


def class_name(path, ids, tokenizer):
    """The ids of "name." → the name. Raises ValueError if it does not give the same ids again."""
    text = tokenizer.decode(ids).strip()
    if not text.endswith(".") or tokenizer.encode(text) != ids:
        raise ValueError(f"{path} has the class {text!r}, which this tokenizer reads otherwise: put the merges of the "
                         "CLIP that it was learned on next to its weights.")  # fmt: skip
    return text.removesuffix(".").strip()


def respell(prompt, classnames, tokenizer):
    """A prompt's dict with these K class names instead of its own, if every name has the same tokens, in this order.

    "F-16A/B" comes back from a file as "f - 1 6 a / b"; the spelling matters where a context belongs to its classes.
    """
    def ids(names):
        return [tokenizer.encode(name.replace("_", " ") + ".") for name in names]

    return prompt | dict(classnames=list(classnames)) if ids(classnames) == ids(prompt["classnames"]) else prompt
