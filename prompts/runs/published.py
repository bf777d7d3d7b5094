"""Prompts that were trained with the published code of CoOp and CoCoOp
(github.com/KaiyangZhou/CoOp).

That code leaves files such as `nctx16_cscFalse_ctpend/seed1/prompt_learner/model.pth.tar-50`, whose
state dict holds

    ctx                      [M, D_t], or [K, M, D_t] (CSC)      what was learned
    meta_net.linear1.weight, …                                   what was learned, too (CoCoOp)
    token_prefix             [K, 1, D_t]                         word embedding of [SOS]
    token_suffix             [K, L-1-M, D_t]                     of "name.", [EOS] and the padding

in fp16 or fp32. Neither the backbone nor the class names are written down, but the frozen word
embeddings tell: [SOS] has to be this CLIP's, and every other row is looked up in its vocabulary,
which gives the names back. Where the class token stands is not in the file at all, but in the name
of its folder ("ctpmiddle"). `load` makes of it the dict of a prompt file of train.py, so that
eval.py needs no second way.
"""

import re
import warnings
import zipfile
from pathlib import Path

import clip_min
from clip_min.weights.formats import read_checkpoint

PICKLE_BYTES = 2**20  # of a file's description that are searched: a real one has some thousand


def is_published(path):
    """Whether a file is one of these: by its name, or because its pickle speaks of the
    `token_suffix`.
    """
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
    """A file of the published code → the dict of a prompt file.

    method: "coop" or "cocoop"; None: what the file is. options: the method's. CoOp's
    class_token_position is read from the path if it is not among them. Class names come back as the
    tokenizer knows them, in lower case and with spaces around punctuation: `respell` gives them a
    data set's spelling.
    Raises ValueError, in one sentence, if the file is another one, was not learned on this CLIP,
    or contradicts `method`.
    """
    if not Path(path).is_file():
        raise ValueError(f"There is no prompt file {path}.")
    if method not in (None, "coop", "cocoop"):
        raise ValueError(
            f"{path} was trained with the code of CoOp: give --method coop or cocoop, not {method}."
        )
    tensors = read_prompt_learner(path)
    learned = {
        name: x.float()
        for name, x in tensors.items()
        if name == "ctx" or name.startswith("meta_net.")
    }
    method_of_file = "cocoop" if len(learned) > 1 else "coop"
    if method not in (None, method_of_file):
        what_it_has = "a meta_net" if method_of_file == "cocoop" else "no meta_net"
        raise ValueError(f"{path} has {what_it_has}: give --method {method_of_file}, not {method}.")
    check_shapes(path, method_of_file, tensors, clip)
    check_finite(path, learned)
    classnames = [class_name(path, ids, clip.tokenizer) for ids in token_ids(path, tensors, clip)]
    return {
        "method": method_of_file,
        "options": options_of_file(path, method_of_file, tensors, options),
        "model": clip.name,
        "sha256": clip.sha256,
        "dataset": None,
        "classes": "all",
        "classnames": classnames,
        "shots": None,
        "seed": None,
        "learned": learned,
        "version": clip_min.__version__,
    }


def read_prompt_learner(path):
    """A file → its tensors; ValueError, in one sentence, unless it is of CoOp's code."""
    try:
        tensors = read_checkpoint(path)
    except ValueError:
        raise  # one sentence already
    except Exception as error:  # an odd pickle can raise anything
        kind = type(error).__name__
        raise ValueError(
            f"{path} cannot be read as a prompt of CoOp's code ({kind}): save it again."
        ) from error
    for name in ("ctx", "token_prefix", "token_suffix"):
        if name not in tensors:
            others = ", ".join(map(str, list(tensors)[:5]))
            raise ValueError(
                f"{path} has no tensor {name}, but {others}: give a file that was trained with the "
                "code of CoOp or CoCoOp."
            )
    for name, tensor in tensors.items():
        is_read = name in ("ctx", "token_prefix", "token_suffix") or name.startswith("meta_net.")
        if is_read and not tensor.is_floating_point():
            raise ValueError(
                f"In {path}, {name} is of type {tensor.dtype}: it cannot be a learned prompt."
            )
    return tensors


def options_of_file(path, method, tensors, options):
    """The options given and those that the file tells → all; ValueError for a contradiction."""
    options_in_file = {"n_ctx": tensors["ctx"].shape[-2], "ctx_init": None}
    if method == "coop":
        options_in_file["class_specific"] = tensors["ctx"].ndim == 3
    for name, value in options_in_file.items():
        if options.get(name, value) != value:
            raise ValueError(
                f"{path} says {name}={value!r}, not {options[name]!r}: leave that option out."
            )
    if method == "coop" and "class_token_position" not in options:
        options_in_file.update(position_in_path(path))
    return options_in_file | options


def position_in_path(path):
    """A path in the layout of the published scripts → {"class_token_position": "end", "middle" or
    "front"}.

    Without such a folder {}, which means "end", and a warning.

    >>> position_in_path("output/nctx16_cscFalse_ctpmiddle/seed1/prompt_learner/model.pth.tar-50")
    {'class_token_position': 'middle'}
    """
    found = re.findall(r"_ctp(end|middle|front)(?![a-z])", Path(path).absolute().parent.as_posix())
    if found:
        return {"class_token_position": found[-1]}
    warnings.warn(
        f"{path} does not say where the class token stands, so the end is taken: "
        "give --hp class_token_position=middle or front if it was trained so.",
        stacklevel=2,
    )
    return {}


def check_finite(path, learned):
    """Raises ValueError for a number that is not finite: training had diverged."""
    for name, tensor in learned.items():
        if not tensor.isfinite().all():
            raise ValueError(
                f"In {path}, {name} holds numbers that are not finite: its training diverged."
            )


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
        expected["meta_net.linear1.weight"] = (E // 16, E)
        expected["meta_net.linear1.bias"] = (E // 16,)
        expected["meta_net.linear2.weight"] = (D_t, E // 16)
        expected["meta_net.linear2.bias"] = (D_t,)
    for name, shape in expected.items():
        if name not in tensors or tensors[name].shape != shape:
            there = list(tensors[name].shape) if name in tensors else "missing"
            raise ValueError(
                f"In {path}, {name} is {there}, and {list(shape)} would fit {clip.name}: "
                "give --model the CLIP that it was learned on."
            )


def token_ids(path, tensors, clip):
    """The file's tensors → for each of the K classes, the ids of "name." (without [EOS]).

    Compared in fp16, where a vector and its copy are equal bit for bit whichever of the two was
    rounded.
    """
    advice = "give --model the CLIP that it was learned on."
    words = vectors_as_bytes(clip.token_embedding.weight)
    sot, eot = words[clip.tokenizer.sot], words[clip.tokenizer.eot]
    id_of = {row: i for i, row in enumerate(words)}
    if any(row != sot for row in vectors_as_bytes(tensors["token_prefix"])):
        raise ValueError(f"{path} has another embedding of [SOS] than {clip.name}: {advice}")
    ids = []
    for suffix in map(vectors_as_bytes, tensors["token_suffix"]):
        if eot not in suffix or not all(row in id_of for row in suffix):
            raise ValueError(f"{path} has other word embeddings than {clip.name}: {advice}")
        ids.append([id_of[row] for row in suffix[: suffix.index(eot)]])
    return ids


def vectors_as_bytes(vectors):
    """Vectors [.., D_t] → a list of bytes, their numbers in fp16, which can be looked up."""
    return [row.tobytes() for row in vectors.detach().cpu().half().flatten(0, -2).numpy()]


def class_name(path, ids, tokenizer):
    """The ids of "name." → the name. Raises ValueError if it does not give the same ids again."""
    text = tokenizer.decode(ids).strip()
    if not text.endswith(".") or tokenizer.encode(text) != ids:
        raise ValueError(
            f"{path} has the class {text!r}, which this tokenizer reads otherwise: put the merges "
            "of the CLIP that it was learned on next to its weights."
        )
    return text.removesuffix(".").strip()


def respell(prompt, classnames, tokenizer):
    """A prompt's dict with these K class names instead of its own, if all have the same tokens, in
    this order.

    "F-16A/B" comes back from a file as "f - 1 6 a / b"; the spelling matters where a context
    belongs to its classes.
    """

    def ids(names):
        return [tokenizer.encode(name.replace("_", " ") + ".") for name in names]

    if ids(classnames) != ids(prompt["classnames"]):
        return prompt
    return prompt | {"classnames": list(classnames)}
