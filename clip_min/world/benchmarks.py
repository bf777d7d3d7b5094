"""The miniature benchmarks: eight few-shot data sets and four shifted versions of the first one.

Each is one kind of thing, drawn in a style that differs from the pre-training pictures, with a
hand-written template of its own. A picture is known by its path, `toy-objects/test/apple/12`,
and is drawn when it is asked for: the path is the seed, so there is nothing to download or store.
"""

import random
from dataclasses import dataclass

from clip_min.world import drawing
from clip_min.world.drawing import KINDS, Style

PICTURES = {"train": 48, "val": 16, "test": 60}  # of each class


@dataclass(frozen=True)
class World:
    """One miniature benchmark: what it stands for, what is drawn, its own template, how."""

    stands_for: str
    kind: str
    template: str
    style: Style
    splits: tuple = ("train", "val", "test")


def shifted(stands_for, **style):
    """A version of the objects that is only tested on, in another style."""
    style = Style(**LARGE | style)
    return World(stands_for, "objects", "a photo of a {}.", style, splits=("test",))


LARGE = dict(size=(0.7, 1.0), counts=(1, 0, 0))  # one thing that nearly fills the picture
WORLDS = {
    "toy-objects": World(
        "ImageNet", "objects", "a photo of a {}.",
        Style(**LARGE, tilt=20, filters=(("blur", 0.5), ("grain", 0.4)))
    ),
    "toy-textures": World(
        "DTD", "textures", "{} texture.", Style(tilt=30, filters=(("fog", 0.8), ("blur", 0.5)))
    ),
    "toy-flowers": World(
        "Flowers102", "flowers", "a photo of a {}, a type of flower.",
        Style(**LARGE, backgrounds=("plain", "gradient"), tilt=25, filters=(("blur", 0.5),)),
    ),
    "toy-satellite": World(
        "EuroSAT", "satellite", "a centered satellite photo of {}.",
        Style(filters=(("infrared", 1.0), ("negative", 1.0), ("fog", 0.6), ("grain", 0.5))),
    ),
    "toy-scenes": World(
        "SUN397", "scenes", "a photo of a {}.",
        Style(filters=(("negative", 0.5), ("night", 0.6), ("old", 0.6))),
    ),
    "toy-glyphs": World(
        "FGVCAircraft", "glyphs", "a photo of the {}.",
        Style(
            **LARGE, backgrounds=("plain", "gradient"), tilt=25,
            filters=(("fog", 0.7), ("blur", 0.5), ("grain", 0.3)),
        ),
    ),
    "toy-actions": World(
        "UCF101", "actions", "a photo of a person {}.",
        Style(**LARGE, tilt=20, filters=(("negative", 0.5), ("fog", 0.6), ("grain", 0.4))),
    ),
    "toy-vehicles": World(
        "StanfordCars", "vehicles", "a photo of a {}.",
        Style(**LARGE, tilt=25, filters=(("fog", 0.7), ("blur", 0.4), ("grain", 0.4))),
    ),
    "toy-objects-v2": shifted(
        "ImageNetV2", size=(0.55, 0.9), tilt=20, filters=(("grain", 0.4), ("blur", 0.4))
    ),
    "toy-objects-sketch": shifted(
        "ImageNet-Sketch", backgrounds=("plain", "gradient"), filters=(("sketch", 1),)
    ),
    "toy-objects-a": shifted("ImageNet-A", tilt=10, filters=(("occluded", 0.7), ("grain", 0.2))),
    "toy-objects-r": shifted(
        "ImageNet-R", filters=(("poster", 0.5), ("old", 0.3), ("negative", 0.3))
    ),
}
NAMES = tuple(WORLDS)
EIGHT = tuple(name for name, world in WORLDS.items() if world.splits != ("test",))


def contents(name):
    """A miniature benchmark → class names in alphabetical order, template, parts.

    parts: {"train": [(path, label), ...], "val": ..., "test": ...}.
    """
    world = WORLDS[name]
    classnames = sorted(KINDS[world.kind].NAMES)
    parts = {split: [] for split in PICTURES}
    for split in world.splits:
        for label, classname in enumerate(classnames):
            for i in range(PICTURES[split]):
                parts[split].append((f"{name}/{split}/{classname}/{i}", label))
    return classnames, world.template, parts


def draw(path):
    """The picture that a path such as `toy-objects/test/apple/12` stands for."""
    name, _, classname, _ = path.split("/")
    return drawing.draw(WORLDS[name].kind, classname, WORLDS[name].style, random.Random(path))[0]
