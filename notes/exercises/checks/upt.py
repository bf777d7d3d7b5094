"""Checks of the exercises on UPT's visual prompts and variances: 13 and 16."""

import functools
import math

import torch
import torch.nn.functional as F
from torch import nn

from notes.exercises.checks.inputs import (FEW, NAMES, golden, golden_clip, golden_pictures,
                                           golden_tensor, odd_clip, pictures, tiny, tokens_read,
                                           unequal_features, widths)
from notes.exercises.judge import close, compare, need, of_type, same_gradients, tensor, unchanged
from notes.exercises.plain_towers import plain_image_features

# 13: visual prompts


def visual_prompts(student):
    """13: features of published blocks; whole sequences at every depth; gradients."""
    for word, depth in (("shallow", 1), ("deep", 3)):
        method = student.VPT(golden_clip(), FEW, depth=depth)
        for i in range(depth):
            method.V.data[i] = 0.2 * golden_tensor(f"vpt.prompt.{i}", (4, 128), "image")
        features_of_prompts(method, golden_pictures(), f"VPT-{word}")
        published = torch.tensor(golden("vpt")["image_features"][word])
        need(close(method.encode_image(golden_pictures()), published),
             f"VPT-{word}: the features are not those of the published blocks.")
    for clip, n, B in ((odd_clip(), 2, 3), (tiny(), 5, 1)):
        for depth in (1, 2, len(clip.visual.transformer.resblocks)):
            for before in (False, True) if depth < 3 else (depth == 3,):
                options = dict(n_ctx=n, depth=depth, before_ln_pre=before)
                method = student.VPT(clip, NAMES, **options)
                nn.init.normal_(method.V)
                told = f"depth={depth}, n_ctx={n}, before_ln_pre={before}"
                features_of_prompts(method, pictures(clip, B), told)
    nn.init.normal_(method.V)
    method.eval()
    features_of_prompts(method, pictures(clip, 2), "in evaluation, with other V")
    method = student.VPT(odd_clip(), NAMES, n_ctx=1, depth=2)  # one prompt
    features_of_prompts(method, pictures(odd_clip(), 2), "depth=2, n_ctx=1")
    nn.init.normal_(method.V)
    features_of_prompts(method, pictures(odd_clip(), 2), "a second call, with other V")


def features_of_prompts(method, images, told):
    """Raises Wrong unless encode_image gives what whole sequences give."""
    clip, visual, (depth, n, _) = method.clip, method.clip.visual, method.V.shape
    E, wanted = widths(clip)[0], len(visual.positional_embedding) + n
    with tokens_read(visual.transformer.resblocks) as calls:
        got = tensor(method.encode_image(images), [len(images), E], "encode_image")
    for i, _, tokens in calls:
        need(tokens <= wanted,
             f"{told}: layer {i + 1} gets {tokens} tokens, and {wanted} are wanted: the prompts "
             "pile up, for those that came out of the layer before were kept.")
        need(tokens == wanted,
             f"{told}: layer {i + 1} gets {tokens} tokens, and [CLS], {n} prompts and "
             f"{wanted - n - 1} patches are {wanted}.")
    V = method.V
    in_layer_1 = torch.cat([visual.ln_pre(V[:1]), V[1:]])
    right = plain_image_features(clip, images, in_layer_1 if method.before_ln_pre else V)

    def mistakes():
        of = functools.partial(plain_image_features, clip, images)
        wrong = [
            (of(visual.ln_pre(V)),
             "before_ln_pre: only the prompts of the first layer pass through ln_pre."),
            (of(V if method.before_ln_pre else in_layer_1),
             "before_ln_pre=True: the prompts of the first layer pass through ln_pre; "
             "before_ln_pre=False: they do not."),
            (of(V[:1]), f"the prompts of layer 2 have no influence; with depth={depth} they have."),
            (of(V[:1].expand_as(V)),
             "the prompts of the first layer are used again in layer 2; each has its own."),
        ]
        return [(features, f"{told}: {sentence}") for features, sentence in wrong]

    otherwise = ("the features are not those of whole sequences. The order is [CLS], prompts, "
                 f"patches; after layer {depth} what comes out goes on, and [CLS] is read at the "
                 "end.")
    compare(got, right, mistakes, f"{told}: {otherwise}")
    same_gradients(got, right, {"V": V})


# 16: variances


def variances(student):
    """16: sums over rows, written out, for two sizes."""
    for labels, E in (((2, 0, 2, 1, 0, 2, 1), 5), ((4, 0, 1, 2, 1, 1, 0, 2, 1), 8), ((1, 1), 3)):
        labels = torch.tensor(labels)  # the second case has one picture of class 4, none of 3
        f = unequal_features(len(labels), E)
        kept = f.clone()
        variance_of_pictures(student, f, labels)
        unchanged(f, kept, "intra_class_variance")
        for K in (len(labels.unique()), 1):
            variance_of_classes(student, f[:K])
            unchanged(f, kept, "inter_class_variance")


def squares(x):
    """Features [N, E] → the squared differences from their mean, [N, E]."""
    return torch.stack([(row - x.mean(dim=0)).square() for row in x])


def variance_of_pictures(student, features, labels):
    """Raises Wrong unless intra_class_variance is Eqs. (6) and (7)."""
    unit, (N, E), classes = F.normalize(features, dim=-1), features.shape, labels.unique()
    own = [squares(unit[labels == c]) for c in classes]  # of each class
    var_c = torch.stack([s.sum() / len(s) for s in own])
    right = var_c.mean()
    raw = torch.stack([squares(features[labels == c]).sum(dim=-1).mean() for c in classes])
    unbiased = torch.stack([s.sum() / max(1, len(s) - 1) for s in own])
    sizes = torch.tensor([len(s) for s in own])
    mistakes = [
        (raw.mean(), "Var_v: the features are not normalised."),
        (right / E,
         "Var_v: you took the mean over the E numbers of a vector; Eq. (6) takes their sum."),
        (unbiased.mean(),
         "Var_v: you divide by |X_c| - 1, as torch.var does; Eq. (6) divides by |X_c|."),
        ((sizes * var_c).sum() / N,
         "Var_v: classes with many pictures count more; Eq. (7) is the plain mean over the "
         "classes."),
        (squares(unit).sum() / N,
         "Var_v: the mean is that of all pictures; each class has its own."),
        (var_c.sum(), "Var_v: Eq. (7) divides by the number of classes."),
    ]
    got = of_type(student.intra_class_variance(features, labels), float, "intra_class_variance")
    need(not math.isnan(got),
         f"Var_v of the labels {labels.tolist()} is nan: a label that no picture has is no class.")
    otherwise = f"Var_v of a small case is {got:.4f}, and {right:.4f} by Eqs. (6) and (7)."
    compare(torch.tensor(got), right, mistakes, otherwise, 1e-5)


def variance_of_classes(student, weights):
    """Raises Wrong unless inter_class_variance is Eq. (8)."""
    K, E = weights.shape
    right = squares(F.normalize(weights, dim=-1)).sum() / K
    mistakes = [
        (squares(weights).sum() / K, "Var_t: the class vectors are not normalised."),
        (right / E,
         "Var_t: you took the mean over the E numbers of a vector; the square of a vector is their "
         "sum."),
        (right * K / max(K - 1, 1),
         "Var_t: you divide by K - 1, as torch.var does; Eq. (8) divides by K."),
        (right * K, "Var_t: Eq. (8) divides by K."),
    ]
    got = of_type(student.inter_class_variance(weights), float, "inter_class_variance")
    need(not math.isnan(got), f"Var_t of {K} class vector(s) is nan, and {right:.4f} is wanted.")
    otherwise = f"Var_t of a small case is {got:.4f}, and {right:.4f} by Eq. (8)."
    compare(torch.tensor(got), right, mistakes, otherwise, 1e-5)
