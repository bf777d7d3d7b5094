"""A name or a file of weights → a frozen CLIP: `load_clip`.

    name or path ─ locate ─> file ─ read_tensors ─> tensors ─ openai_names ─ build_clip ─> CLIP
                  locate.py        formats.py                names.py       ../model.py

A file may be OpenAI's TorchScript archive, a state dict saved by `torch.save`, an open_clip
checkpoint, or a Hugging Face CLIPModel; whatever it calls its tensors, they get OpenAI's names, and
every size follows from their shapes.

A file of tensors does not say all of a computation. What else belongs to it is read from the
configuration next to it (config.py, pictures.py); what clip_min does not build is refused.
"""

import textwrap
import warnings
from pathlib import Path

import torch

from clip_min.files import printable
from clip_min.model import CLIP, HEAD_WIDTH, build_clip
from clip_min.preprocess import Preprocess
from clip_min.tokenizer import OPENAI_VOCAB_SIZE, Tokenizer
from clip_min.weights.config import check_sizes, read_config
from clip_min.weights.formats import read_tensors
from clip_min.weights.locate import OFFICIAL, TINY, locate
from clip_min.weights.names import is_hugging_face, openai_names
from clip_min.weights.pickles import is_torchscript
from clip_min.weights.pictures import read_mean_and_std

__all__ = ["TINY", "load_clip"]


def load_clip(
    name_or_path: str | Path, device: str | torch.device = "cpu", gelu: str = "auto"
) -> CLIP:
    """A frozen CLIP in evaluation mode, fp32 whatever the file's precision, with its tokenizer.

    name_or_path: "tiny" (comes with this package), an official name such as "ViT-B/16" (downloaded
        once), a file of weights, or a folder of Hugging Face's or open_clip's. Names come first: a
        file called "tiny" is "./tiny".
    gelu: "quick", "exact", or "auto": what a config.json (Hugging Face) or open_clip_config.json
        next to the weights says, and "quick" if there is none, with a note if that is a guess.
        OpenAI's weights use QuickGELU, open_clip's later ones the exact GELU; the wrong one reduces
        accuracy.

    Set on the CLIP: `.tokenizer`; `.preprocess`, with the model's own mean and std; `.name`, the
    name or path as given; `.sha256` of the file of weights; `.reading`, what counts beside the
    weights: GELU, mean and std, merges, as plain values; and, read off the shapes, `.image_size`
    (pixels), `.context_length` (tokens), `.vocab_size`.
    The tokenizer's merges are the file `merges.txt` next to the weights; without one, a CLIP of
    49,408 words gets OpenAI's, looked for and downloaded when a text is first encoded.

    Raises ValueError, in one sentence, for an unknown name, a failed download, a wrong file, or a
    configuration that describes another computation.

    >>> clip = load_clip("ViT-B/16")  # doctest: +SKIP
    >>> clip.encode_text(clip.tokenizer(["a cat"])).shape  # doctest: +SKIP
    torch.Size([1, 512])
    """
    if gelu not in ("auto", "quick", "exact"):
        raise ValueError(f"gelu is 'auto', 'quick' or 'exact', not {gelu!r}.")
    path, sha256 = locate(name_or_path)
    tensors = read_tensors(path)
    state_dict, from_hugging_face = openai_names(tensors), is_hugging_face(tensors)
    known = {official for _, official in OFFICIAL.values()}
    is_known = sha256 in known or path == TINY  # a configuration beside it is of something else
    config = None if is_known else read_config(path.parent, from_hugging_face)
    if gelu == "auto":
        gelu = config.gelu if config else "quick"
        if not (config or is_known or is_torchscript(path)):
            note_a_guess(path, state_dict)
    clip = build(state_dict, gelu, path)
    if config:
        check_sizes(config, clip)
    if not is_known:
        mean, std = read_mean_and_std(path.parent, from_hugging_face, clip.image_size)
        clip.preprocess = Preprocess(clip.image_size, mean, std)
    clip.tokenizer = load_tokenizer(path, clip.vocab_size)
    clip.name, clip.sha256 = str(name_or_path), sha256
    mean, std = list(clip.preprocess.mean), list(clip.preprocess.std)
    clip.reading = dict(gelu=gelu, mean=mean, std=std, merges=clip.tokenizer.digest())
    return clip.to(device)


def note_a_guess(path, state_dict):
    """The note on a lone file of weights with the 49,408 words of OpenAI's and open_clip's."""
    if len(state_dict.get("token_embedding.weight", ())) != OPENAI_VOCAB_SIZE:
        return
    warnings.warn(
        f"{printable(path)} does not say which GELU it was trained with, and no configuration is "
        "next to it: QuickGELU, mean and std of OpenAI's weights are used. For most open_clip "
        "weights add --gelu exact, or put their open_clip_config.json next to them.",
        stacklevel=3,
    )


def build(state_dict, gelu, path):
    """build_clip, with ValueError in one sentence where names or shapes do not make up a CLIP."""
    where = printable(path)
    try:
        clip = build_clip(state_dict, gelu)
    except KeyError as error:
        first = printable(", ".join(list(state_dict)[:3]), 300)
        raise ValueError(
            f"{where} is not a CLIP checkpoint: it has {first}, ..., but not {error}."
        ) from error
    except (RuntimeError, ValueError, IndexError, TypeError, ArithmeticError) as error:
        head, *problems = str(error).split("\n\t")  # missing keys, unexpected ones, clashing shapes
        problems = [
            printable(textwrap.shorten(problem, 240, placeholder=" ..."))
            for problem in problems or [head]
        ]
        more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise ValueError(
            f"{where} does not make up a CLIP: {'; '.join(problems[:3])}{more}"
        ) from error
    widths = {"text": clip.text_projection.shape[0]}
    if "visual.proj" in state_dict:
        widths["vision"] = clip.visual.proj.shape[0]
    for tower, width in widths.items():
        if width % HEAD_WIDTH or (tower == "vision" and width > 1024):
            raise ValueError(
                f"{where} has a {tower} tower {width} wide, which clip_min does not build: its "
                f"heads are {HEAD_WIDTH} wide, those of open_clip's ViT-H, ViT-g and ViT-bigG "
                "(over 1,024) are not."
            )
    return clip


def load_tokenizer(weights, vocab_size):
    """The tokenizer for a file of weights: `merges.txt` next to it, else OpenAI's for 49,408 words.

    OpenAI's file is not looked for before a text is encoded: see `Tokenizer`.
    """
    merges = weights.with_name("merges.txt")
    if not merges.is_file():
        if vocab_size == OPENAI_VOCAB_SIZE:
            return Tokenizer()
        raise ValueError(
            f"{printable(weights)} knows {vocab_size:,} words: "
            f"put its merges next to it, as {printable(merges)}."
        )
    tokenizer = Tokenizer(merges)
    if tokenizer.vocab_size != vocab_size:
        raise ValueError(
            f"{printable(merges)} makes {tokenizer.vocab_size:,} words, "
            f"but {printable(weights)} knows {vocab_size:,}."
        )
    return tokenizer
