"""The run whose shapes and values the pages show: two pictures, three classes, the tiny CLIP."""

from dataclasses import replace
from functools import cache

import torch

from clip_min import load_clip
from clip_min.data import load_dataset
from clip_min.data.pictures import open_picture
from clip_min.prompting.recipe import Recipe
from clip_min.world.pretrain import contrastive_loss
from notes.beside.run import traced
from prompts import METHODS
from prompts.reports.variance import inter_class_variance, intra_class_variance
from train import train

CLASSES = ["forest", "river", "annual crop land"]  # of toy-satellite
OPTIONS = {"coop": {"n_ctx": 4, "ctx_init": "a photo of a"}}


@cache
def clip_and_pictures():
    """→ the tiny CLIP, 12 test pictures [12, 3, 40, 40], their labels, and two of them to show."""
    clip, dataset = load_clip("tiny"), load_dataset("toy-satellite")
    by_class = [[item for item in dataset.test if dataset.classnames[item.label] == name][:4]
                for name in CLASSES]
    items = [item for each in zip(*by_class) for item in each]
    pictures = [open_picture(item.path) for item in items]
    labels = torch.arange(len(items)) % len(CLASSES)
    return clip, torch.stack([clip.preprocess(p) for p in pictures]), labels, pictures[:2]


def perform(name, options, functions):
    """A method, its options and Functions → {Function: its Calls} of a whole life of the method."""
    clip, pictures, labels, _ = clip_and_pictures()
    torch.manual_seed(0)
    images, two = pictures[:2], labels[:2]
    features = clip.encode_image(pictures)
    with traced(functions) as calls:
        method = METHODS[name](clip, CLASSES, **{**OPTIONS.get(name, {}), **options})
        method(images)
        context = [method.context(features[:2])] if hasattr(method, "context") else []
        if hasattr(method, "plain_class_weights"):
            method.plain_class_weights(*context)
        if name == "zero_shot":
            contrastive_loss(features[:2], method.weights[:2], clip.logit_scale)
        if hasattr(method, "fit"):
            method.fit(features, labels, features, labels)
        elif name != "zero_shot":
            recipe = Recipe(lr=0.02, epochs=1, batch_size=2)
            train(method, lambda epoch: [(images, two)], recipe, seed=1)
        intra_class_variance(features, labels)
        if hasattr(method, "class_weights"):
            inter_class_variance(method.class_weights(*context))
    return calls
