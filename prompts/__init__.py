"""Prompt learning on CLIP: one paper's method = one file.

A method is built from a frozen CLIP and class names, and every method answers the same calls:

    method = METHODS["upt"](clip, classnames, **options)
    method.encode_image(images [B, 3, H, W]) -> [B, E]
    method.classify(image_features [B, E]) -> logits [B, K]
    method(images) = method.classify(method.encode_image(images))
    method.set_classes(classnames)               the same learned prompt, other classes

Beside its class, each file holds the training recipe of its paper, `PAPER`, and the one for the tiny
CLIP, `TINY`. Both are dicts with keys lr, epochs (for each number of shots), batch_size,
crop_scale (smallest and largest share of a picture that a training crop covers), flip (mirror half of
the crops), max_norm (of the gradient; None: not clipped) and options (of the method). A method that
learns nothing has PAPER = None.
"""

from prompts import upt, zero_shot

FILES = {"zero_shot": zero_shot, "upt": upt}
METHODS = {"zero_shot": zero_shot.ZeroShot, "upt": upt.UPT}
