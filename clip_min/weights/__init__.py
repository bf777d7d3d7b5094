"""A name or a file of weights → a frozen CLIP.

    checkpoint.py   names, files and their layouts → `load_clip`
    formats.py      files → named tensors, without running what they contain

`python -m clip_min.weights ViT-B/16` downloads weights ahead of time.
"""

from clip_min.weights.checkpoint import load_clip

__all__ = ["load_clip"]
