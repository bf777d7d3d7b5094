"""Data sets: which picture belongs to which class.

The rooms of this folder:

    datasets.py     Dataset, load_dataset, few_shot, split_classes
    pictures.py     labelled pictures as tensors: PictureSet; whether a file is still the same
    benchmarks.py   the benchmarks' facts: folders, prompts, counts
    layouts.py      how a benchmark lies on disk: ImageNet's folders, FGVC's lists
    splits.py       split files: CoOp's, and own ones where CoOp's is missing
    own_folder.py   your own pictures: train/<class>/ and test/<class>/, or only <class>/
    folders.py      class folders and their pictures, and what is left out there
    names.py        class names and templates: checked and compared
    survey.py       which benchmarks a disk holds, and whether they are whole
    sources.py      where they are to be had: addresses, checksums
    download.py     from there onto a disk: what is needed, and a question
    unpack.py       archives, safely
    __main__.py     `python -m clip_min.data DATA [--download NAME ...]`
"""

from clip_min.data.benchmarks import BENCHMARKS, COOP, ELEVEN, SHIFTED, benchmark_name
from clip_min.data.datasets import Dataset, Item, few_shot, load_dataset, split_classes
from clip_min.data.names import check_template, note_same_names, same_names
from clip_min.data.pictures import PictureSet, open_picture, state_of_file

__all__ = ["BENCHMARKS", "COOP", "ELEVEN", "SHIFTED", "Dataset", "Item", "PictureSet",
           "benchmark_name", "check_template", "few_shot", "load_dataset", "note_same_names",
           "open_picture", "same_names", "split_classes", "state_of_file"]
