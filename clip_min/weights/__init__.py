"""A name or a file of weights → a frozen CLIP.

    checkpoint.py      `load_clip`: the whole way, and why a file does not load
    locate.py          a name, a file or a folder → the file of weights; OpenAI's list of files
    formats.py         a file → named tensors: which kind it is; safetensors; several files
    pickles.py         PyTorch's files → named tensors, without running what they contain
    names.py           Hugging Face's, open_clip's and wrapped names → OpenAI's
    config.py          what the configurations beside the weights say: followed, refused or noted
    __main__.py        `python -m clip_min.weights ViT-B/16` downloads weights ahead of time

The merges of the text are in ../tokenizer.py, downloads in ../download.py.
"""

from clip_min.weights.checkpoint import load_clip

__all__ = ["load_clip"]
