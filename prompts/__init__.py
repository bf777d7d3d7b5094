"""Prompt learning on CLIP: one paper's method = one file.

A method is built from a frozen CLIP and class names, and every method answers the same calls:

    method = METHODS["upt"](clip, classnames, **options)
    method.encode_image(images [B, 3, H, W]) -> [B, E]
    method.classify(image_features [B, E]) -> logits [B, K]
    method(images) = method.classify(method.encode_image(images))
    method.set_classes(classnames)               the same learned prompt, other classes

    method.image_tower_is_frozen                 whether encode_image is CLIP's own, so that
                                                 features can be computed once and kept

The rooms of this folder:

    zero_shot.py     CLIP with hand-written prompts
    linear_probe.py  logistic regression on CLIP's image features
    coop.py          CoOp: learned context vectors
    cocoop.py        CoCoOp: a context that depends on the picture
    vpt.py           VPT: learned prompts in the image tower
    upt.py           UPT: one set of prompts for both towers
    joint.py         joint, shared, mlp: the designs that UPT is compared with
    runs/            what may change a number: command line, runs, features, evaluation
    reports/         what may only show one: tables, plots, predictions

Beside its class, each file holds two recipes (clip_min/prompting/recipe.py): `PAPER`, from its
paper, and `TINY`, for the tiny CLIP. Both are None where there is no gradient descent: zero-shot CLIP
learns nothing, and the linear probe has a method `fit`.
"""

from functools import partial

from prompts import (cocoop, coop, joint, kgcoop, linear_probe, maple, promptsrc, upt, vpt,
                     zero_shot)

METHODS = {
    "zero_shot": zero_shot.ZeroShot,
    "linear_probe": linear_probe.LinearProbe,
    "coop": coop.CoOp,
    "cocoop": cocoop.CoCoOp,
    "kgcoop": kgcoop.KgCoOp,
    "maple": maple.MaPLe,
    "promptsrc": promptsrc.PromptSRC,
    "vpt": vpt.VPT,
    "upt": upt.UPT,
    "joint": partial(joint.Joint, "joint"),
    "shared": partial(joint.Joint, "shared"),
    "mlp": partial(joint.Joint, "mlp"),
}
FILES = {  # the file of each method: its head, its code, its recipes PAPER and TINY
    "zero_shot": zero_shot,
    "linear_probe": linear_probe,
    "coop": coop,
    "cocoop": cocoop,
    "kgcoop": kgcoop,
    "maple": maple,
    "promptsrc": promptsrc,
    "vpt": vpt,
    "upt": upt,
    "joint": joint,
    "shared": joint,
    "mlp": joint,
}


def method_class(name):
    """The name of a method → its class."""
    return getattr(METHODS[name], "func", METHODS[name])  # of a partial: the class in it


def recipe_of(name, model):
    """Names of a method and a CLIP → the recipe in the method's file; None: no gradient descent."""
    return FILES[name].TINY if model == "tiny" else FILES[name].PAPER
