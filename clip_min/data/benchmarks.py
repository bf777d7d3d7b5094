"""The benchmarks: how each lies below the root folder, its prompt, and its counts.

Sources: CoOp's Table 5 (appendix A) for prompts and counts; CoOp's DATASETS.md for folders and
split files. Where they are to be had: sources.py.
"""

import os
import re
from typing import NamedTuple

A_PHOTO = "a photo of a {}."
OXFORD = "https://www.robots.ox.ac.uk/~vgg/data"
COOP = "https://github.com/KaiyangZhou/CoOp/blob/main/DATASETS.md"  # also for the split files


class Benchmark(NamedTuple):
    """A benchmark's place below the root folder, and its row of CoOp's Table 5 (appendix A)."""

    folder: str  # the data set's own folder
    images: str  # the folder in it that the pictures' paths start from
    split: str  # the split file in it; "": it comes without
    template: str  # the hand-crafted prompt
    classes: int
    pictures: tuple  # how many in train, val and test; None: the data set has no such part
    home: str  # its page


BENCHMARKS = {
    "imagenet": Benchmark(
        folder="imagenet",
        images="images",
        split="",
        template=A_PHOTO,
        classes=1000,
        pictures=(1_281_167, None, 50_000),
        home="https://image-net.org",
    ),
    "caltech101": Benchmark(
        folder="caltech-101",
        images="101_ObjectCategories",
        split="split_zhou_Caltech101.json",
        template=A_PHOTO,
        classes=100,
        pictures=(4_128, 1_649, 2_465),
        home="https://data.caltech.edu/records/mzrjq-6wc02",
    ),
    "oxford_pets": Benchmark(
        folder="oxford_pets",
        images="images",
        split="split_zhou_OxfordPets.json",
        template="a photo of a {}, a type of pet.",
        classes=37,
        pictures=(2_944, 736, 3_669),
        home=f"{OXFORD}/pets",
    ),
    "stanford_cars": Benchmark(
        folder="stanford_cars",
        images="",
        split="split_zhou_StanfordCars.json",
        template=A_PHOTO,
        classes=196,
        pictures=(6_509, 1_635, 8_041),
        home=COOP,
    ),
    "flowers102": Benchmark(
        folder="oxford_flowers",
        images="jpg",
        split="split_zhou_OxfordFlowers.json",
        template="a photo of a {}, a type of flower.",
        classes=102,
        pictures=(4_093, 1_633, 2_463),
        home=f"{OXFORD}/flowers/102",
    ),
    "food101": Benchmark(
        folder="food-101",
        images="images",
        split="split_zhou_Food101.json",
        template="a photo of {}, a type of food.",
        classes=101,
        pictures=(50_500, 20_200, 30_300),
        home="https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101",
    ),
    "fgvc_aircraft": Benchmark(
        folder="fgvc_aircraft",
        images="images",
        split="",
        template="a photo of a {}, a type of aircraft.",
        classes=100,
        pictures=(3_334, 3_333, 3_333),
        home=f"{OXFORD}/fgvc-aircraft",
    ),
    "sun397": Benchmark(
        folder="sun397",
        images="SUN397",
        split="split_zhou_SUN397.json",
        template=A_PHOTO,
        classes=397,
        pictures=(15_880, 3_970, 19_850),
        home="https://vision.princeton.edu/projects/2010/SUN",
    ),
    "dtd": Benchmark(
        folder="dtd",
        images="images",
        split="split_zhou_DescribableTextures.json",
        template="{} texture.",
        classes=47,
        pictures=(2_820, 1_128, 1_692),
        home=f"{OXFORD}/dtd",
    ),
    "eurosat": Benchmark(
        folder="eurosat",
        images="2750",
        split="split_zhou_EuroSAT.json",
        template="a centered satellite photo of {}.",
        classes=10,
        pictures=(13_500, 5_400, 8_100),
        home="https://github.com/phelber/EuroSAT",
    ),
    "ucf101": Benchmark(  # the middle frame of each film
        folder="ucf101",
        images="UCF-101-midframes",
        split="split_zhou_UCF101.json",
        template="a photo of a person doing {}.",
        classes=101,
        pictures=(7_639, 1_898, 3_783),
        home=COOP,
    ),
    "imagenetv2": Benchmark(
        folder="imagenetv2",
        images="imagenetv2-matched-frequency-format-val",
        split="",
        template=A_PHOTO,
        classes=1000,
        pictures=(None, None, 10_000),
        home="https://github.com/modestyachts/ImageNetV2",
    ),
    "imagenet_sketch": Benchmark(
        folder="imagenet-sketch",
        images="images",
        split="",
        template=A_PHOTO,
        classes=1000,
        pictures=(None, None, 50_889),
        home="https://github.com/HaohanWang/ImageNet-Sketch",
    ),
    "imagenet_a": Benchmark(
        folder="imagenet-adversarial",
        images="imagenet-a",
        split="",
        template=A_PHOTO,
        classes=200,
        pictures=(None, None, 7_500),
        home="https://github.com/hendrycks/natural-adv-examples",
    ),
    "imagenet_r": Benchmark(
        folder="imagenet-rendition",
        images="imagenet-r",
        split="",
        template=A_PHOTO,
        classes=200,
        pictures=(None, None, 30_000),
        home="https://github.com/hendrycks/imagenet-r",
    ),
}
ELEVEN = tuple(BENCHMARKS)[:11]  # of the few-shot, base-to-new and cross-dataset tables, in order
SHIFTED = {  # what a prompt learned on the one is tested on in the tables of domain generalization
    "imagenet": ("imagenetv2", "imagenet_sketch", "imagenet_a", "imagenet_r"),
    "toy-objects": ("toy-objects-v2", "toy-objects-sketch", "toy-objects-a", "toy-objects-r"),
}
OTHER_NAMES = {  # CoOp's own names (its folder configs/datasets) where they differ
    "oxford_flowers": "flowers102",
    "describable_textures": "dtd",
}
LETTERS = {  # every name without "_" → the key of BENCHMARKS
    name.replace("_", ""): OTHER_NAMES.get(name, name) for name in [*BENCHMARKS, *OTHER_NAMES]
}
OTHER_FOLDERS = {  # what a picture folder is called when it comes from elsewhere than CoOp says
    "eurosat": ("EuroSAT_RGB",),
}


def benchmark_name(name):
    """A data set's name, perhaps as CoOp or a paper spells it → the key of BENCHMARKS; any other
    name as it is.

    A folder here whose name is spelled so, such as EuroSAT, is that folder; one that is called
    eurosat or oxford_flowers is the benchmark all the same.

    >>> benchmark_name("oxford_flowers"), benchmark_name("OxfordFlowers")
    ('flowers102', 'flowers102')
    >>> benchmark_name("ImageNet-A"), benchmark_name("toy-objects")
    ('imagenet_a', 'toy-objects')
    """
    if name in BENCHMARKS or name in OTHER_NAMES:
        return OTHER_NAMES.get(name, name)
    is_word = re.fullmatch(r"[\w-]+", name) and not os.path.isdir(name)
    return LETTERS.get(re.sub("[_-]", "", name).lower(), name) if is_word else name
