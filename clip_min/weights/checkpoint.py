"""A name or a file of weights → a frozen CLIP: `load_clip`.

    name or path ─ locate ─> file ─ read_tensors ─> tensors ─ openai_names ─ build_clip ─> CLIP
                  locate.py        formats.py                names.py       ../model.py

A file may be OpenAI's TorchScript archive, a state dict saved by `torch.save`, an open_clip
checkpoint, or a Hugging Face CLIPModel; whatever it calls its tensors, they get OpenAI's names, and
every size follows from their shapes.

A file of tensors does not say all of a computation. What else belongs to it is read from the
configuration next to it (config.py); what clip_min does not build is refused.
"""

import math
import re
import textwrap
import warnings
from pathlib import Path

import torch

from clip_min.model import CLIP, HEAD_WIDTH, build_clip
from clip_min.preprocess import Preprocess
from clip_min.tokenizer import OPENAI_VOCAB_SIZE, Tokenizer
from clip_min.weights.config import Config, check_sizes, read_config
from clip_min.weights.formats import read_tensors
from clip_min.weights.locate import OFFICIAL, TINY, locate
from clip_min.weights.names import is_hugging_face, openai_names
from clip_min.weights.pickles import is_torchscript

__all__ = ["OFFICIAL", "TINY", "load_clip"]


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
    The tokenizer's merges are those of `merges.txt` or `tokenizer.json` next to the weights;
    without one, a CLIP of 49,408 words gets OpenAI's, looked for when a text is first encoded.

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
    is_known = path == TINY or sha256 in {official for _, official in OFFICIAL.values()}
    # A configuration beside a known file is of something else.
    config = Config() if is_known else read_config(path.parent, is_hugging_face(tensors))
    is_guessed = gelu == "auto" and not (is_known or config.gelu or is_torchscript(path))
    gelu = (config.gelu or "quick") if gelu == "auto" else gelu
    clip = build(tensors, gelu, path)
    if is_guessed:
        note_a_guess(path, clip)
    check_sizes(config, clip)
    clip.preprocess = Preprocess(clip.image_size, config.mean, config.std)
    clip.tokenizer = load_tokenizer(path, clip.vocab_size)
    clip.name, clip.sha256 = str(name_or_path), sha256
    clip.reading = dict(gelu=gelu, mean=list(config.mean), std=list(config.std),
                        merges=clip.tokenizer.digest())
    return clip.to(device)


def note_a_guess(path, clip):
    """The note on a lone file of weights with the 49,408 words of OpenAI's and open_clip's."""
    if clip.vocab_size == OPENAI_VOCAB_SIZE:
        warnings.warn(
            f"{path} says nothing of its computation, and no configuration is next to it. So these "
            "are assumed, as in OpenAI's weights: QuickGELU; mean and std, if no file next to it "
            "gives them; heads 64 wide; a causal mask in the text; features read at [EOS], the "
            "largest id, and at the class token. Most open_clip weights need --gelu exact, or "
            "their open_clip_config.json next to them (not those fine-tuned from OpenAI's).",
            stacklevel=3)


def build(tensors, gelu, path):
    """{name: tensor} of a file → CLIP. Raises ValueError if names or shapes do not make up one.

    Tensors beside the CLIP are left out, with a note.
    """
    own = {}  # OpenAI's name -> the file's
    try:
        state_dict, own, others = openai_names(tensors)
        check_towers(state_dict)
        for name, tensor in state_dict.items():
            if not (tensor.is_floating_point() or name.endswith("num_batches_tracked")):
                raise ValueError(f"{own[name]} holds whole numbers: clip_min reads no quantised "
                                 "weights.")
        clip = build_clip(state_dict, gelu)
    except KeyError as error:
        raise ValueError(f"{path} does not make up a CLIP: it lacks {error}, as OpenAI's files "
                         "call it.") from error
    except (RuntimeError, ValueError, IndexError, TypeError, ArithmeticError) as error:
        head, *problems = str(error).split("\n\t")  # missing keys, unexpected ones, other shapes
        problems = [re.sub(r"[\w.]+\w", lambda word: own.get(word[0], word[0]), problem)
                    for problem in problems] or [head]
        shown = [textwrap.shorten(problem, 400, placeholder=" ...") for problem in problems[:3]]
        more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise ValueError(f"{path} does not make up a CLIP: {'; '.join(shown)}{more}") from error
    for name, tensor in clip.state_dict().items():
        if not tensor.isfinite().all():
            raise ValueError(f"{path} is damaged: {own[name]} holds numbers that are not finite.")
    if others:
        first = ", ".join(list(others)[:3])[:300]
        warnings.warn(f"{path} holds tensors beside the CLIP, which are left out: {len(others)}, "
                      f"such as {first}.", stacklevel=3)
    return clip


def check_towers(state_dict):
    """Raises ValueError for towers whose shapes fit together, but are not those of a CLIP."""
    text, image = state_dict["text_projection"], state_dict.get("visual.proj")
    for tower, projection in (("text", text), ("image", image)):
        width = HEAD_WIDTH if projection is None else projection.shape[0]
        if width % HEAD_WIDTH:
            raise ValueError(f"its {tower} tower is {width} wide, which is not a multiple of "
                             f"{HEAD_WIDTH}, the width of CLIP's heads.")
        if tower == "image" and width > 1024:
            raise ValueError(f"its image tower is {width} wide. Those over 1,024 (open_clip's "
                             f"ViT-H, ViT-g and ViT-bigG) have heads that are not {HEAD_WIDTH} "
                             "wide, which clip_min does not build.")
    start = "visual." if image is not None else "visual.attnpool."
    patches = len(state_dict[f"{start}positional_embedding"]) - 1
    if patches != math.isqrt(patches) ** 2:
        raise ValueError(f"its pictures have {patches} patches, which do not make up a square: "
                         "clip_min's pictures are squares.")


def load_tokenizer(weights, vocab_size):
    """The tokenizer for a file of weights, by the merges next to it, else by OpenAI's.

    They are in `merges.txt`, or in Hugging Face's `tokenizer.json`. OpenAI's are for 49,408 words;
    their file is not looked for before a text is encoded: see `Tokenizer`.
    """
    beside = [weights.with_name(name) for name in ("merges.txt", "tokenizer.json")]
    merges = next((path for path in beside if path.is_file()), None)
    if merges is None:
        if vocab_size == OPENAI_VOCAB_SIZE:
            return Tokenizer()
        raise ValueError(f"{weights} knows {vocab_size:,} words: put its merges next to it, as "
                         f"{beside[0]}.")
    tokenizer = Tokenizer(merges)
    if tokenizer.vocab_size != vocab_size:
        raise ValueError(f"{merges} makes {tokenizer.vocab_size:,} words, but {weights} knows "
                         f"{vocab_size:,}.")
    return tokenizer
