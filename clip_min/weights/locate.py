"""A name or a path → the file of weights on this computer, and its SHA-256.

"tiny"                     the CLIP that comes with this package
"ViT-B/16", ...            OpenAI's, downloaded once into `cache_folder()`
a file                     of any kind that formats.py reads
a folder                   of Hugging Face's or open_clip's, also one in Hugging Face's own cache
"""

import difflib
import hashlib
import re
from pathlib import Path

from clip_min.download import cache_folder, fetch, file_sha256
from clip_min.files import read_json
from clip_min.weights.formats import shards

TINY = Path(__file__).parents[1] / "world" / "tiny.pt"
BASE_URL = "https://openaipublic.azureedge.net/clip/models"  # an address is BASE_URL/SHA-256/file
SHA256 = {
    "RN50": "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762",
    "RN101": "8fa8567bab74a42d41c5915025a8e4538c3bdbe8804a470a72f30b0d94fab599",
    "RN50x4": "7e526bd135e493cef0776de27d5f42653e6b4c8bf9e0f653bb11773263205fdd",
    "RN50x16": "52378b407f34354e150460fe41077663dd5b39c54cd0bfd2b27167a4a06ec9aa",
    "RN50x64": "be1cfb55d75a9666199fb2206c106743da0f6468c9d327f3e0d0a543a9919d9c",
    "ViT-B/32": "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
    "ViT-B/16": "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f",
    "ViT-L/14": "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836",
    "ViT-L/14@336px": "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02",
}
OFFICIAL = {  # name: (file, SHA-256)
    name: (f"{re.sub('[/@]', '-', name)}.pt", sha256) for name, sha256 in SHA256.items()
}
HUGGING_FACE = ("model.safetensors", "model.safetensors.index.json",
                "pytorch_model.bin", "pytorch_model.bin.index.json")
OPEN_CLIP = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt")  # of what may be weights
HUB = "https://huggingface.co"


def locate(name_or_path: str | Path) -> tuple[Path, str]:
    """A name or path → the file of weights and its SHA-256; an official file may be downloaded.

    Weights in several files: their index, and the SHA-256 of all their SHA-256s.
    Raises ValueError, in one sentence, if there is no such file or name, or the file is not the
    official one.
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
        path = weights_of_folder(snapshot_of(path))
    if not path.is_file():
        raise ValueError(f"{name!r} is not a file or a model's name.{advice(name)}")
    if path.name.endswith(".index.json"):
        digests = [file_sha256(shard) for shard in shards(path)]
        return path, hashlib.sha256("".join(digests).encode()).hexdigest()
    return path, file_sha256(path)


def snapshot_of(folder):
    """models--openai--clip-vit-base-patch32 in Hugging Face's cache → the folder of its files.

    Another folder → itself. Raises ValueError if there is no single snapshot.
    """
    if not (folder / "snapshots").is_dir():
        return folder
    snapshots = sorted(path for path in (folder / "snapshots").iterdir() if path.is_dir())
    main = folder / "refs" / "main"
    if main.is_file():
        wanted = main.read_text(encoding="utf-8", errors="replace").strip()
        snapshots = [path for path in snapshots if path.name == wanted] or snapshots
    if len(snapshots) != 1:
        found = ", ".join(path.name for path in snapshots) or "none"
        raise ValueError(f"{folder} should have one snapshot, but has {found}: "
                         "give the folder of one of them.")
    return snapshots[0]


def weights_of_folder(folder):
    """A folder → its file of weights. Raises ValueError, naming what may be meant, without one.

    Hugging Face's come first, if config.json is of a CLIP: `model.safetensors` may be timm's.
    """
    names = [*HUGGING_FACE, *OPEN_CLIP]
    if (folder / "open_clip_config.json").is_file():
        config = folder / "config.json"
        if not config.is_file() or read_json(config).get("model_type") != "clip":
            names = [*OPEN_CLIP, *HUGGING_FACE]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    if (folder / "adapter_config.json").is_file():
        raise ValueError(f"The folder {folder} holds an adapter of peft (LoRA), not a CLIP: "
                         "merge it into its model and save the whole.")
    inside = sorted([*folder.glob("*"), *folder.glob("*/*")], key=lambda path: path.parts)
    found = [str(path.relative_to(folder)) for path in inside if path.suffix in SUFFIXES]
    hint = f" But it has {', '.join(found[:5])}: give the right file." if found else ""
    raise ValueError(f"The folder {folder} holds no weights: none of {', '.join(names)}.{hint}")


def advice(name):
    """What to do about a name that is unknown, as the end of a sentence."""
    start, _, rest = name.rpartition(":")  # "hf-hub:" is open_clip's, "hf_hub:" timm's
    repository = rest.split("@")[0]
    known = {name.lower(): name for name in ("tiny", *OFFICIAL)}
    near = [repr(known[match]) for match in difflib.get_close_matches(name.lower(), known)]
    if re.fullmatch(r"[\w.-]+/[\w.-]+", repository) and not near:
        config, weights = "config.json, preprocessor_config.json", HUGGING_FACE[::2]
        if start == "hf-hub":
            config, weights = "open_clip_config.json", OPEN_CLIP
        return (f" If it is a repository of the Hugging Face Hub, fetch {config} and {weights[0]} "
                f"(or {weights[1]}) from {HUB}/{repository}/tree/main into a folder, "
                "and give that folder.")
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"{hint} The names: {', '.join(known.values())}."
