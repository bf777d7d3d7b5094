"""Data sets: which picture belongs to which class.

    datasets.py   Dataset, load_dataset, few_shot, split_classes; the benchmarks' facts
    pictures.py   labelled pictures as tensors: PictureSet
    layouts.py    how a data set lies on disk: split files, class folders, your own folders
    survey.py     which benchmarks a disk holds, and whether they are whole: `python -m clip_min.data DATA`
"""

from clip_min.data.datasets import (
    BENCHMARKS,
    COOP,
    ELEVEN,
    SHIFTED,
    Dataset,
    Item,
    few_shot,
    load_dataset,
    readable_names,
    split_classes,
)
from clip_min.data.pictures import PictureSet, open_picture

__all__ = [
    "BENCHMARKS",
    "COOP",
    "ELEVEN",
    "SHIFTED",
    "Dataset",
    "Item",
    "PictureSet",
    "few_shot",
    "load_dataset",
    "open_picture",
    "readable_names",
    "split_classes",
]
