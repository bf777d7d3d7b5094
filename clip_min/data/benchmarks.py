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
        "imagenet", "images", "", A_PHOTO,
        1000, (1_281_167, None, 50_000), "https://image-net.org",
    ),
    "caltech101": Benchmark(
        "caltech-101", "101_ObjectCategories", "split_zhou_Caltech101.json", A_PHOTO,
        100, (4_128, 1_649, 2_465), "https://data.caltech.edu/records/mzrjq-6wc02",
    ),
    "oxford_pets": Benchmark(
        "oxford_pets", "images", "split_zhou_OxfordPets.json", "a photo of a {}, a type of pet.",
        37, (2_944, 736, 3_669), f"{OXFORD}/pets",
    ),
    "stanford_cars": Benchmark(
        "stanford_cars", "", "split_zhou_StanfordCars.json", A_PHOTO,
        196, (6_509, 1_635, 8_041), COOP,
    ),
    "flowers102": Benchmark(
        "oxford_flowers", "jpg", "split_zhou_OxfordFlowers.json",
        "a photo of a {}, a type of flower.",
        102, (4_093, 1_633, 2_463), f"{OXFORD}/flowers/102",
    ),
    "food101": Benchmark(
        "food-101", "images", "split_zhou_Food101.json", "a photo of {}, a type of food.",
        101, (50_500, 20_200, 30_300), "https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101",
    ),
    "fgvc_aircraft": Benchmark(
        "fgvc_aircraft", "images", "", "a photo of a {}, a type of aircraft.",
        100, (3_334, 3_333, 3_333), f"{OXFORD}/fgvc-aircraft",
    ),
    "sun397": Benchmark(
        "sun397", "SUN397", "split_zhou_SUN397.json", A_PHOTO,
        397, (15_880, 3_970, 19_850), "https://vision.princeton.edu/projects/2010/SUN",
    ),
    "dtd": Benchmark(
        "dtd", "images", "split_zhou_DescribableTextures.json", "{} texture.",
        47, (2_820, 1_128, 1_692), f"{OXFORD}/dtd",
    ),
    "eurosat": Benchmark(
        "eurosat", "2750", "split_zhou_EuroSAT.json", "a centered satellite photo of {}.",
        10, (13_500, 5_400, 8_100), "https://github.com/phelber/EuroSAT",
    ),
    "ucf101": Benchmark(  # the middle frame of each film
        "ucf101", "UCF-101-midframes", "split_zhou_UCF101.json", "a photo of a person doing {}.",
        101, (7_639, 1_898, 3_783), COOP,
    ),
    "imagenetv2": Benchmark(
        "imagenetv2", "imagenetv2-matched-frequency-format-val", "", A_PHOTO,
        1000, (None, None, 10_000), "https://github.com/modestyachts/ImageNetV2",
    ),
    "imagenet_sketch": Benchmark(
        "imagenet-sketch", "images", "", A_PHOTO,
        1000, (None, None, 50_889), "https://github.com/HaohanWang/ImageNet-Sketch",
    ),
    "imagenet_a": Benchmark(
        "imagenet-adversarial", "imagenet-a", "", A_PHOTO,
        200, (None, None, 7_500), "https://github.com/hendrycks/natural-adv-examples",
    ),
    "imagenet_r": Benchmark(
        "imagenet-rendition", "imagenet-r", "", A_PHOTO,
        200, (None, None, 30_000), "https://github.com/hendrycks/imagenet-r",
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
OTHER_FOLDERS = {"eurosat": ("EuroSAT_RGB",)}  # picture folders that do not come as CoOp says


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
