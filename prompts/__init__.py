"""Prompt learning on CLIP: one paper's method = one file.

A method is built from a frozen CLIP and class names, and every method answers the same calls:

    method = METHODS["upt"](clip, classnames, **options)
    method.encode_image(images [B, 3, H, W]) -> [B, E]
    method.classify(image_features [B, E]) -> logits [B, K]
    method(images) = method.classify(method.encode_image(images))
    method.set_classes(classnames)               the same learned prompt, other classes

    method.image_tower_is_frozen                 whether encode_image is CLIP's own, so that features can be kept

Beside its class, each file holds the training recipe of its paper, `PAPER`, and the one for the tiny
CLIP, `TINY`. Both are dicts with keys lr, epochs (for each number of shots; imagenet_epochs on ImageNet), batch_size,
crop_scale (smallest and largest share of a picture that a training crop covers), flip (mirror half of
the crops), max_norm (of the gradient; None: not clipped) and options (of the method). They are None where no
gradient descent takes place: zero-shot CLIP learns nothing, and the linear probe has a method `fit`.
"""

from functools import partial

from prompts import cocoop, coop, joint, linear_probe, upt, vpt, zero_shot

FILES = {
    "zero_shot": zero_shot, "linear_probe": linear_probe, "coop": coop, "cocoop": cocoop, "vpt": vpt, "upt": upt,
    "joint": joint, "shared": joint, "mlp": joint,
}  # fmt: skip
METHODS = {
    "zero_shot": zero_shot.ZeroShot,
    "linear_probe": linear_probe.LinearProbe,
    "coop": coop.CoOp,
    "cocoop": cocoop.CoCoOp,
    "vpt": vpt.VPT,
    "upt": upt.UPT,
    "joint": partial(joint.Joint, "joint"),
    "shared": partial(joint.Joint, "shared"),
    "mlp": partial(joint.Joint, "mlp"),
}
