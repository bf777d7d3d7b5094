"""Weights in: a name or a file → a frozen CLIP.

    name or path ─ locate ─> file ─ read_tensors ─> {name: tensor} ─ openai_names ─ build_clip ─> CLIP
                   download.py      formats.py                                      model.py

A file may be OpenAI's TorchScript archive, a state dict saved by `torch.save`, an open_clip checkpoint,
or a Hugging Face CLIPModel; whatever it calls its tensors, they get OpenAI's names here, and every
size follows from their shapes.

What a file of tensors does not say:
  - which GELU it was trained with. OpenAI's weights use QuickGELU, open_clip's later ones the exact
    GELU; the wrong one loads without a word and costs points. See `gelu` in `load_clip`.
  - how wide its attention heads are. Here they are 64 wide; models known to differ are refused.

Download ahead of time, and see where the files are:  python -m clip_min.checkpoint ViT-B/16
"""

import argparse
import difflib
import json
import re
import sys
import textwrap
from pathlib import Path

import torch

from clip_min.download import cache_folder, fetch, file_sha256
from clip_min.formats import read_tensors
from clip_min.model import CLIP, HEAD_WIDTH, build_clip
from clip_min.tokenizer import OPENAI_FILE, OPENAI_VOCAB_SIZE, Tokenizer, find_openai_merges

TINY = Path(__file__).parent / "world" / "tiny.pt"
BASE_URL = "https://openaipublic.azureedge.net/clip/models"  # an address is BASE_URL/SHA-256/file
OFFICIAL = {  # name: (file, SHA-256)
    "RN50": ("RN50.pt", "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762"),
    "RN101": ("RN101.pt", "8fa8567bab74a42d41c5915025a8e4538c3bdbe8804a470a72f30b0d94fab599"),
    "RN50x4": ("RN50x4.pt", "7e526bd135e493cef0776de27d5f42653e6b4c8bf9e0f653bb11773263205fdd"),
    "RN50x16": ("RN50x16.pt", "52378b407f34354e150460fe41077663dd5b39c54cd0bfd2b27167a4a06ec9aa"),
    "RN50x64": ("RN50x64.pt", "be1cfb55d75a9666199fb2206c106743da0f6468c9d327f3e0d0a543a9919d9c"),
    "ViT-B/32": ("ViT-B-32.pt", "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"),
    "ViT-B/16": ("ViT-B-16.pt", "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f"),
    "ViT-L/14": ("ViT-L-14.pt", "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836"),
    "ViT-L/14@336px": (
        "ViT-L-14-336px.pt",
        "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02",
    ),
}
MERGES_URL = f"https://github.com/openai/CLIP/raw/main/clip/{OPENAI_FILE}"
MERGES_SHA256 = "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"
FOLDER_FILES = (  # what Hugging Face's and open_clip's folders call their weights
    "model.safetensors", "pytorch_model.bin", "open_clip_model.safetensors", "open_clip_pytorch_model.bin",
)  # fmt: skip
NOT_WEIGHTS = ("input_resolution", "context_length", "vocab_size")  # integers among OpenAI's tensors


def load_clip(name_or_path: str | Path, device: str | torch.device = "cpu", gelu: str = "auto") -> CLIP:
    """A frozen CLIP in evaluation mode, fp32 whatever the file's precision, with its tokenizer.

    name_or_path: "tiny" (comes with this package), an official name such as "ViT-B/16" (downloaded
        once), a file of weights, or a folder of Hugging Face's or open_clip's. Names come first: a
        file called "tiny" is "./tiny".
    gelu: "quick", "exact", or "auto": what a config.json (Hugging Face) or open_clip_config.json next
        to the weights says, and "quick" if there is none. So pass "exact" for a lone open_clip file,
        unless its name says "quickgelu" or it holds OpenAI's own weights.

    Set on the CLIP: `.tokenizer`; `.name`, the name or path as given; `.sha256` of the file of weights;
    and, read off the shapes, `.image_size` (pixels), `.context_length` (tokens), `.vocab_size`.
    The tokenizer's merges are the file `merges.txt` next to the weights; without one, a CLIP of
    49,408 words gets OpenAI's, found on this computer or downloaded.

    Raises ValueError, in one sentence, for an unknown name, a failed download, or a wrong file.

    >>> clip = load_clip("ViT-B/16")  # doctest: +SKIP
    >>> clip.encode_text(clip.tokenizer(["a cat"])).shape  # doctest: +SKIP
    torch.Size([1, 512])
    """
    if gelu not in ("auto", "quick", "exact"):
        raise ValueError(f"gelu is 'auto', 'quick' or 'exact', not {gelu!r}.")
    path, sha256 = locate(name_or_path)
    if gelu == "auto":
        gelu = gelu_of_config(path.parent) or "quick"
    clip = build(openai_names(read_tensors(path)), gelu, path)
    clip.tokenizer = load_tokenizer(path, clip.vocab_size)
    clip.name, clip.sha256 = str(name_or_path), sha256
    return clip.to(device)


def locate(name_or_path: str | Path) -> tuple[Path, str]:
    """A name or path → the file of weights and its SHA-256; an official file is downloaded if need be.

    Raises ValueError if there is no such file or name, or the file is not the official one.
    """
    name, path = str(name_or_path), Path(name_or_path).expanduser()
    if name in OFFICIAL:
        file, sha256 = OFFICIAL[name]
        return fetch(f"{BASE_URL}/{sha256}/{file}", cache_folder() / file, sha256), sha256
    if name == "tiny":
        path = TINY
        if not path.is_file():
            raise ValueError(f"{path} is missing: train it with python -m clip_min.world.pretrain.")
    if path.is_dir():
        files = [path / file for file in FOLDER_FILES if (path / file).is_file()]
        if not files:
            raise ValueError(f"The folder {path} holds no weights: none of {', '.join(FOLDER_FILES)}.")
        path = files[0]
    if not path.is_file():
        names = {known.lower(): known for known in ("tiny", *OFFICIAL)}
        near = [repr(names[match]) for match in difflib.get_close_matches(name.lower(), names)]
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        known = ", ".join(names.values())
        raise ValueError(f"{name!r} is neither a file nor a model's name.{hint} The names: {known}.")
    return path, file_sha256(path)


def gelu_of_config(folder: Path) -> str | None:
    """What a config in the folder says of the activation: "quick", "exact", or None if there is no config.

    Raises ValueError if it describes a CLIP that clip_min does not build.
    """
    if (folder / "config.json").is_file():
        config = read_json(folder / "config.json")
        towers = [config[tower] for tower in ("text_config", "vision_config") if config.get(tower)]
        for tower in towers:
            width, heads = tower.get("hidden_size"), tower.get("num_attention_heads")
            if width and heads and width != HEAD_WIDTH * heads:
                raise ValueError(
                    f"{folder / 'config.json'} gives {heads} heads to a width of {width}, "
                    f"but clip_min's heads are {HEAD_WIDTH} wide."
                )
        names = {tower.get("hidden_act", "quick_gelu") for tower in towers}  # quick_gelu is the default there
        if names:
            known = {"quick_gelu": "quick", "gelu": "exact"}
            if len(names) > 1 or not names <= known.keys():
                raise ValueError(
                    f"{folder / 'config.json'} asks for {' and '.join(sorted(names))}, but clip_min builds "
                    "either quick_gelu or gelu, the same in both towers."
                )
            return known[names.pop()]
    if (folder / "open_clip_config.json").is_file():
        model = read_json(folder / "open_clip_config.json").get("model_cfg", {})
        return "quick" if model.get("quick_gelu", False) else "exact"
    return None


def read_json(path):
    """A file with a JSON object → dict. Raises ValueError naming the file if it holds anything else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} should hold a JSON object.")
    return content


def openai_names(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors under OpenAI's, open_clip's or Hugging Face's names → the same under OpenAI's names.

    >>> list(openai_names({"module.visual.proj": torch.ones(1), "module.vocab_size": torch.tensor(49408)}))
    ['visual.proj']
    """
    if all(name.startswith("module.") for name in tensors):  # open_clip, trained on several GPUs
        tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    if any(name.startswith(("text_model.", "vision_model.")) for name in tensors):
        tensors = rename_hugging_face(tensors)
    return {name: tensor for name, tensor in tensors.items() if name not in NOT_WEIGHTS}


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


def rename_hugging_face(tensors):
    """Tensors of a Hugging Face CLIPModel → OpenAI's names.

    There, W_q, W_k and W_v are three tensors [D, D], here one in_proj [3D, D]; and a projection is a
    Linear layer's weight [E, D], here a matrix [D, E]. `position_ids` only counts 0, 1, 2, ...
    """
    renamed = {}
    for name, tensor in tensors.items():
        for theirs, ours in HUGGING_FACE:
            name = name.replace(theirs, ours)
        if not name.endswith("position_ids"):
            renamed[name] = tensor.T.contiguous() if name in ("visual.proj", "text_projection") else tensor
    for name in list(renamed):
        if re.search(r"\.attn\.q_proj\.(weight|bias)$", name):
            parts = [name.replace("q_proj", part) for part in ("q_proj", "k_proj", "v_proj")]
            if all(part in renamed for part in parts):  # if not, `build` names what is missing
                joined = torch.cat([renamed.pop(part) for part in parts])
                renamed[name.replace("q_proj.", "in_proj_")] = joined
    return renamed


def build(state_dict, gelu, path):
    """build_clip, with ValueError in one sentence where names or shapes do not make up a CLIP."""
    try:
        clip = build_clip(state_dict, gelu)
    except KeyError as error:
        first = ", ".join(list(state_dict)[:3])
        raise ValueError(f"{path} is no CLIP checkpoint: it has {first}, ..., but no {error}.") from error
    except (RuntimeError, ValueError, IndexError, TypeError, ArithmeticError) as error:
        head, *problems = str(error).split("\n\t")  # missing keys, unexpected keys, each clash of shapes
        problems = [textwrap.shorten(problem, 240, placeholder=" ...") for problem in problems or [head]]
        more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise ValueError(f"{path} does not make up a CLIP: {'; '.join(problems[:3])}{more}") from error
    widths = {"text": state_dict["text_projection"].shape[0]}
    if "visual.proj" in state_dict:
        widths["vision"] = state_dict["visual.proj"].shape[0]
    for tower, width in widths.items():
        if width % HEAD_WIDTH or (tower == "vision" and width > 1024):
            raise ValueError(
                f"{path} has a {tower} tower {width} wide, which clip_min does not build: its heads are "
                f"{HEAD_WIDTH} wide, those of open_clip's ViT-H, ViT-g and ViT-bigG (over 1,024) are not."
            )
    return clip


def load_tokenizer(weights, vocab_size):
    """The tokenizer for a file of weights: `merges.txt` next to it, else OpenAI's merges for 49,408 words."""
    merges = weights.with_name("merges.txt")
    if not merges.is_file():
        if vocab_size != OPENAI_VOCAB_SIZE:
            raise ValueError(f"{weights} knows {vocab_size:,} words: put its merges next to it, as {merges}.")
        merges = openai_merges()
    tokenizer = Tokenizer(merges)
    if tokenizer.vocab_size != vocab_size:
        words = f"{tokenizer.vocab_size:,}"
        raise ValueError(f"{merges} makes {words} words, but {weights} knows {vocab_size:,}.")
    return tokenizer


def openai_merges() -> Path:
    """OpenAI's file of merges: found on this computer, otherwise downloaded (1.4 MB)."""
    return find_openai_merges() or fetch(MERGES_URL, cache_folder() / OPENAI_FILE, MERGES_SHA256)


def main(arguments=None) -> int:
    """The command: download what the models need and print where it is. Returns the exit status."""
    parser = argparse.ArgumentParser("python -m clip_min.checkpoint", description="Download CLIP weights.")
    parser.add_argument("names", nargs="+", metavar="NAME", help=", ".join(("tiny", *OFFICIAL)))
    names = parser.parse_args(arguments).names
    try:
        for name in names:
            print(f"{name}: {locate(name)[0]}")
        if any(name in OFFICIAL for name in names):
            print(f"merges: {openai_merges()}")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
