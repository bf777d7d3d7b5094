"""Prompt learning on CLIP: one paper's method = one file.

A method is built from a frozen CLIP and class names, and every method answers the same calls:

    method = METHODS["upt"](clip, classnames, **options)
    method.encode_image(images [B, 3, H, W]) -> [B, E]
    method.classify(image_features [B, E]) -> logits [B, K]
    method(images) = method.classify(method.encode_image(images))
    method.set_classes(classnames)               the same learned prompt, other classes

    method.image_tower_is_frozen                 whether encode_image is CLIP's own, so that
                                                 features can be computed once and kept
    method.has_class_weights                     whether one text vector describes a class, for all
                                                 pictures: class_weights() gives them [K, E]

The rooms of this folder:

    zero_shot.py     CLIP with hand-written prompts
    linear_probe.py  logistic regression on CLIP's image features
    coop.py          CoOp: learned context vectors
    cocoop.py        CoCoOp: a context that depends on the picture
    vpt.py           VPT: learned prompts in the image tower
    upt.py           UPT: one set of prompts for both towers
    joint.py         joint, shared, mlp: the designs that UPT is compared with
    kgcoop.py        KgCoOp: CoOp, held near hand-written words
    maple.py         MaPLe: visual prompts made from deep text prompts
    promptsrc.py     PromptSRC: deep prompts in both towers, held near the frozen CLIP
    runs/            what may change a number: command line, runs, features, evaluation
    reports/         what may only show one: tables, plots, predictions

Beside its class, each file holds two recipes (clip_min/prompting/recipe.py): `PAPER`, from its
paper, and `TINY`, for the tiny CLIP. Both are None where there is no gradient descent: zero-shot
CLIP learns nothing, and the linear probe has a method `fit`.
"""

import inspect

from prompts.cocoop import CoCoOp
from prompts.coop import CoOp
from prompts.joint import MLP, Joint, Shared
from prompts.kgcoop import KgCoOp
from prompts.linear_probe import LinearProbe
from prompts.maple import MaPLe
from prompts.promptsrc import PromptSRC
from prompts.upt import UPT
from prompts.vpt import VPT
from prompts.zero_shot import ZeroShot

METHODS = {
    "zero_shot": ZeroShot,
    "linear_probe": LinearProbe,
    "coop": CoOp,
    "cocoop": CoCoOp,
    "vpt": VPT,
    "upt": UPT,
    "joint": Joint,
    "shared": Shared,
    "mlp": MLP,
    "kgcoop": KgCoOp,
    "maple": MaPLe,
    "promptsrc": PromptSRC,
}


def recipe_of(name, model):
    """Names of a method and a CLIP → the recipe in the method's file; None: no gradient descent."""
    file = inspect.getmodule(METHODS[name])
    return file.TINY if model == "tiny" else file.PAPER
