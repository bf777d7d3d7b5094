"""CLIP from scratch: everything that the prompt methods build on, and nothing that knows of prompts.

    tokenizer.py    text → ids and back: byte-level BPE, and how its merges are learned
    model.py        the text tower, the vision transformer, and CLIP
    resnet.py       CLIP's modified ResNet, the other kind of image tower
    checkpoint.py   weights of every common layout → a frozen CLIP: `load_clip`
    formats.py      files of weights → named tensors, without running what they contain
    download.py     files from the network, resumed and checked by SHA-256
    preprocess.py   pictures → normalised tensors; augmentation for training
    data.py         the benchmarks' facts, few-shot and base/new splits, pictures for training
    layouts.py      how a data set lies on disk: split files, class folders, folders of one's own
    survey.py       which benchmarks a disk holds, and whether they are whole: `python -m clip_min.data DATA`
    features.py     frozen image features, computed once and kept on disk
    world/          the miniature world: its drawings, captions, benchmarks; the tiny CLIP, and its pre-training

    >>> from clip_min import load_clip
    >>> clip = load_clip("ViT-B/16")  # doctest: +SKIP
"""

import warnings

# `python -m clip_min.checkpoint` finds that module loaded already, by the import below. That is harmless.
warnings.filterwarnings("ignore", "'clip_min.checkpoint' found in sys.modules", RuntimeWarning)

from clip_min.checkpoint import load_clip  # noqa: E402

__all__ = ["load_clip"]
__version__ = "0.1.0"
