"""CLIP from scratch, and what prompt methods share; no method is known here.

model.py          the text tower, the vision transformer, and CLIP
resnet.py         CLIP's modified ResNet, the other kind of image tower
tokenizer.py      text → ids and back: byte-level BPE, and how its merges are learned
preprocess.py     pictures → normalised tensors; augmentation for training
weights/          a name or a file → a frozen CLIP: `load_clip`
data/             the benchmarks: what they are, how they lie on disk, few-shot and base/new splits
world/            the miniature world, and the pre-training of the tiny CLIP on it
prompting/        what prompt methods share: the tree of prompts, options, recipes
download.py       files from the network, resumed and checked by their sums
files.py          files written whole, zips that cannot fill the memory, words made printable
locks.py          one process at a time
allocator.py      one call that makes training on a CPU faster

>>> from clip_min import load_clip
>>> clip = load_clip("ViT-B/16")  # doctest: +SKIP
"""

from clip_min.weights import load_clip

__all__ = ["load_clip"]
__version__ = "0.1.0"
