"""Checks of the hunts in coop.py, upt.py and cocoop.py: 19 to 21."""

import torch
import torch.nn.functional as F
from torch import nn

from notes.exercises.checks.inputs import (FEW, NAMES, odd_clip, pictures, tiny, tokens_read,
                                           unequal_features, widths)
from notes.exercises.checks.theta import right_prompts
from notes.exercises.judge import close, compare, need, same_gradients, tensor, unchanged
from notes.exercises.plain_towers import plain_class_weights, plain_image_features, plain_prompts

# 19: not a cosine


def not_a_cosine(student):
    """19: Eq. (3) with whole sequences, and the gradient of the context."""
    for clip, names, M, B in ((tiny(), NAMES, 4, 5), (odd_clip(), FEW, 3, 2), (tiny(), FEW, 2, 1)):
        method = student.CoOp(clip, names, n_ctx=M)
        compare_logits(method, names, B)
    method.eval()
    compare_logits(method, names, B)  # a second time, with another context


def compare_logits(method, names, B):
    """Raises Wrong unless the logits of B pictures are those of Eq. (3), with a random context."""
    (E, *_), K = widths(method.clip), len(names)
    nn.init.normal_(method.ctx, std=0.5)
    f = unequal_features(B, E)
    given = f.clone()
    weights = plain_prompts(method.clip, names, [method.ctx] * K)  # [K, E]
    cosines = F.cosine_similarity(f[:, None], weights[None], dim=-1)  # [B, K]
    right = method.clip.logit_scale.exp() * cosines
    got = tensor(method.classify(given), [B, K], f"classify(f [{B}, {E}]) with {K} classes")
    b, k = divmod((got - right).abs().argmax().item(), K)  # where they differ most
    compare(got, right, [],
            f"Eq. (3) does not hold: the logit of picture {b} and class {k} is {got[b, k]:.2f}, "
            f"and cos(g(t_{k}), f) / tau is {right[b, k]:.2f}.")
    same_gradients(got, right, {"the context": method.ctx})
    unchanged(given, f, "classify")


# 20: the fast path


def inexact_fast_path(student):
    """20: whole sequences with the prompts of each layer, at every depth; gradients."""
    for clip, n, names, depths in ((tiny(), 4, NAMES,
                                    ((1, 1), (2, 2), ("deep", "deep"), ("deep", 1))),
                                   (odd_clip(), 3, FEW, ((1, 1), ("deep", "deep")))):
        for depth, text_depth in depths:
            method = student.UPT(clip, names, n_ctx=n, depth=depth, text_depth=text_depth)
            compare_towers(method, names, f"depth={depth}, text_depth={text_depth}")
        nn.init.normal_(method.U)
        method.eval()
        compare_towers(method, names, "in evaluation, with another U")


def compare_towers(method, names, told):
    """Raises Wrong unless class vectors and image features are those of whole sequences, with
    prompts that are computed here."""
    T, V = right_prompts(method)
    got = method.prompts()
    need(len(got) == 2 and close(got[0], T) and close(got[1], V),
         f"{told}: `prompts` changed, and it was right: T are the first n of each layer, in the "
         "first text_depth layers; V are the others, through to_visual.")
    weights = tensor(method.class_weights(), [len(names), widths(method.clip)[0]],
                     "class_weights()")
    whole = plain_class_weights(method.clip, names, T)
    need(close(weights, whole),
         f"{told}: the class vectors differ by up to {(weights - whole).abs().max():.2g} from "
         "those of whole sequences.")
    theta = {"U": method.U, "theta": method.theta.in_proj.weight}
    same_gradients(weights, whole, theta)
    if method.text_depth == 1 and len(method.U) > 1:
        return  # the image tower is the same
    images = pictures(method.clip, 2)
    features, whole = method.encode_image(images), plain_image_features(method.clip, images, V)
    need(close(features, whole), "The image tower changed.")
    same_gradients(features, whole, {**theta, "to_visual": method.to_visual.weight})


# 21: only in company


def only_in_company(student):
    """21: pictures alone and together, in batches of several sizes; gradients."""
    for clip, names, B in ((tiny(), NAMES, 3), (odd_clip(), FEW, 5)):
        (E, *_), K = widths(clip), len(names)
        method = student.CoCoOp(clip, names)
        method.train(clip is tiny())  # the other CLIP: in evaluation
        f = unequal_features(B, E)
        given = f.clone()
        right = torch.cat([logits_alone(method, names, x) for x in f])  # [B, K]
        alone = tensor(method.classify(f[:1]), [1, K], f"classify(x [1, {E}])")
        need(close(alone, right[:1]),
             "Even alone, a picture has other logits than with whole sequences.")
        with tokens_read(clip.transformer.resblocks[:1]) as calls:
            company = tensor(method.classify(given), [B, K], f"classify(x [{B}, {E}])")
        b, k = divmod((company - right).abs().argmax().item(), K)
        need(close(company, right),
             f"In company of {B - 1} others, a picture has other logits than alone: for instance "
             f"{company[b, k]:.2f} and {right[b, k]:.2f}.")
        unchanged(given, f, "classify")
        need(max(sequences for _, sequences, _ in calls) == B,
             f"The logits are right because each of the {B} pictures is computed by itself, which "
             "takes longer. The mistake is still there: find the operation that lets pictures "
             "meet.")
        learned = {name: p for name, p in method.named_parameters() if p.requires_grad}
        same_gradients(company, right, learned)


def logits_alone(method, names, x):
    """One picture's feature [E] → its logits [1, K] with whole sequences and CoCoOp's Eq. (3)."""
    clip, net, unit = method.clip, method.meta_net, F.normalize(x, dim=0)
    context = method.ctx + net(unit)  # [M, D_t]
    weights = plain_prompts(clip, names, [context] * len(names))
    return clip.logit_scale.exp() * F.cosine_similarity(x[None], weights, dim=-1)[None]
