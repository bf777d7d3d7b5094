"""Data sets: which picture belongs to which class.

    datasets.py   Dataset, load_dataset, few_shot, split_classes, PictureSet
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
    PictureSet,
    few_shot,
    load_dataset,
    open_picture,
    readable_names,
    split_classes,
)

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
