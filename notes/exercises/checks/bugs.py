"""Checks of the hunts in coop.py, upt.py and cocoop.py: 19 to 21."""

import torch
import torch.nn.functional as F
from torch import nn

from notes.exercises.checks.clips import FEW, NAMES, odd_clip, pictures, tiny, widths
from notes.exercises.judge import close, compare, need, same_gradients, tensor
from notes.exercises.plain_towers import (
    plain_class_weights,
    plain_image_features,
    plain_prompts,
)


def not_a_cosine(student):
    """19: Eq. (3) with whole sequences, and the gradient of the context."""
    for clip, names, M, B in ((tiny(), NAMES, 4, 5), (odd_clip(), FEW, 3, 2), (tiny(), FEW, 2, 1)):
        (E, *_), K = widths(clip), len(names)
        method = student.CoOp(clip, names, n_ctx=M)
        nn.init.normal_(method.ctx, std=0.5)
        f = torch.arange(1.0, B + 1)[:, None] * torch.randn(B, E)
        weights = plain_prompts(clip, names, [method.ctx] * K)
        right = clip.logit_scale.exp() * F.cosine_similarity(f[:, None], weights[None], dim=-1)
        called = f"classify(f [{B}, {E}]) with {K} classes"
        got = tensor(method.classify(f), [B, K], called)
        otherwise = (
            f"Eq. (3) does not hold: the logit of picture 0 and class 0 is {got[0, 0]:.2f}, and "
            f"cos(g(t_0), f) / tau is {right[0, 0]:.2f}."
        )
        compare(got, right, [], otherwise)
        same_gradients(got, right, {"the context": method.ctx})


def inexact_fast_path(student):
    """20: whole sequences with the prompts of each layer, at every depth; gradients."""
    for clip, n, depths in ((tiny(), 4, (1, 2, "deep")), (odd_clip(), 3, (1, "deep"))):
        for depth in depths:
            method = student.UPT(clip, NAMES, n_ctx=n, depth=depth)
            T, V = method.prompts()
            got = tensor(method.class_weights(), [len(NAMES), widths(clip)[0]], "class_weights()")
            whole = plain_class_weights(clip, NAMES, T)
            need(
                close(got, whole),
                f"depth={depth}: the class vectors differ by up to {(got - whole).abs().max():.2g} "
                "from those of whole sequences.",
            )
            same_gradients(got, whole, {"U": method.U, "theta": method.theta.in_proj.weight})
            images = pictures(clip)
            features = method.encode_image(images)
            whole = plain_image_features(clip, images, V)
            need(close(features, whole), "The image tower changed.")
            same_gradients(features, whole, {"U": method.U, "to_visual": method.to_visual.weight})


def only_in_company(student):
    """21: pictures alone and together, in batches of several sizes; gradients."""
    for clip, names, B in ((tiny(), NAMES, 3), (odd_clip(), FEW, 4)):
        (E, *_), K = widths(clip), len(names)
        method = student.CoCoOp(clip, names)
        f = torch.arange(1.0, B + 1)[:, None] * torch.randn(B, E)
        right = torch.cat([logits_alone(method, names, x) for x in f])  # [B, K]
        alone = tensor(method.classify(f[:1]), [1, K], f"classify(x [1, {E}])")
        need(
            close(alone, right[:1]),
            "Even alone, a picture has other logits than with whole sequences.",
        )
        company = tensor(method.classify(f), [B, K], f"classify(x [{B}, {E}])")
        need(
            close(company, right),
            f"In company of {B - 1} others, a picture has other logits than alone: for "
            f"instance {company[0, 1]:.2f} and {alone[0, 1]:.2f}.",
        )
        learned = {name: p for name, p in method.named_parameters() if p.requires_grad}
        same_gradients(company, right, learned)


def logits_alone(method, names, x):
    """One picture's feature [E] → its logits [1, K] with whole sequences and CoCoOp's Eq. (3)."""
    clip, net, unit = method.clip, method.meta_net, F.normalize(x, dim=0)
    context = method.ctx + net(unit)  # [M, D_t]
    weights = plain_prompts(clip, names, [context] * len(names))
    return clip.logit_scale.exp() * F.cosine_similarity(x[None], weights, dim=-1)[None]
