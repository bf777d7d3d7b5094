"""How accurate a method is on pictures."""

import dataclasses

import torch
from torch.utils.data import DataLoader

from clip_min.data import Item, PictureSet
from prompts.runs.features import AT_ONCE, Compute, autocast, frozen_features


@torch.no_grad()
def image_features(method, items, compute=Compute()):
    """N items → their features [N, E], not normalised, and labels [N], in order.

    If the image tower is frozen, features that are kept on disk are looked up.
    """
    labels = torch.tensor([item.label for item in items], device=compute.device)
    if method.image_tower_is_frozen:
        return frozen_features(method.clip, items, compute), labels
    pictures = PictureSet(items, method.clip.preprocess)
    batches = DataLoader(pictures, batch_size=AT_ONCE, num_workers=compute.workers)
    features = []
    with autocast(compute.device, compute.precision):
        for images, _ in batches:
            features.append(method.encode_image(images.to(compute.device)).float())
    return torch.cat(features), labels


@torch.no_grad()
def evaluate(method, items, compute=Compute()):
    """Accuracy in per cent on the items; the class weights are computed once for all pictures.

    Raises ValueError without items, FloatingPointError for logits that are not finite.
    """
    if not items:
        raise ValueError("There are no pictures to evaluate on.")
    method.eval()
    features, labels = image_features(method, items, compute)
    with autocast(compute.device, compute.precision):
        logits = method.classify(features)  # [N, K]
    if not logits.isfinite().all():
        raise FloatingPointError("The logits are not finite: learn again with a lower --lr.")
    return 100 * (logits.argmax(dim=-1) == labels).float().mean().item()


@torch.no_grad()
def probabilities(method, paths, compute=Compute()):
    """N paths of pictures → p(y|x) [N, K] of the method's classes; no feature is kept on disk."""
    method.eval()
    nothing_kept = dataclasses.replace(compute, features=None)
    features, _ = image_features(method, [Item(path, 0) for path in paths], nothing_kept)
    with autocast(compute.device, compute.precision):
        return method.classify(features).softmax(dim=-1).cpu()
