"""Checks of the exercises on CLIP's pictures and logits: 3, 4 and 25."""

import copy

import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from clip_min.preprocess import MEAN, STD
from notes.exercises.checks.inputs import FEW, NAMES, odd_clip, tiny, unequal_features, widths
from notes.exercises.judge import (Wrong, compare, need, on_one_device, same_gradients, tensor,
                                   unchanged)

# 3: patches

LEARNED = ("conv1.weight", "class_embedding", "positional_embedding", "ln_pre.weight",
           "ln_pre.bias")


def patch_embedding(student):
    """3: the patches by torch's unfold and a matrix product, in two sizes of everything."""
    for image_size, width, B in ((8, 64, 2), (12, 128, 3), (12, 64, 1)):
        visual = student.VisionTransformer(image_size, 4, width, 1, 16)
        for parameter in visual.parameters():
            nn.init.normal_(parameter)
        images, side = torch.randn(B, 3, image_size, image_size), image_size // 4
        images.requires_grad_()
        called = f"embed(images {list(images.shape)}) with {side} x {side} patches"
        got = tensor(visual.embed(images), [B, 1 + side**2, width], called)
        right, mistakes = tokens_of(visual, images, side)
        otherwise = "The tokens are not ln_pre([class token, patches] + positions)."
        compare(got, right, mistakes, otherwise)
        learned = {name: visual.get_parameter(name) for name in LEARNED}
        same_gradients(got, right, {**learned, "`images`": images})
    on_one_device(lambda: visual.to("meta").embed(images.detach().to("meta")), "embed")


def tokens_of(visual, images, side):
    """A tower, pictures and patches along a side → its tokens, and [(wrong tokens, sentence)]."""
    (B, *_), S = images.shape, side**2
    weight, LN = visual.conv1.weight, visual.ln_pre
    patches = F.unfold(images, 4, stride=4).transpose(1, 2) @ weight.flatten(1).T  # [B, S, D]
    first, positions = visual.class_embedding.expand(B, 1, -1), visual.positional_embedding
    columns = patches.unflatten(1, (side, side)).transpose(1, 2).flatten(1, 2)
    mixed = visual.conv1(images).reshape(B, S, -1)

    def behind(tokens):
        return torch.cat([first, tokens], dim=1)

    x = behind(patches)
    return LN(x + positions), [
        (LN(behind(columns) + positions),
         "The patches stand column by column: the first row of patches comes first, from left to "
         "right."),
        (LN(behind(mixed) + positions),
         "`reshape` (or `view`) does not exchange axes: it mixes the D numbers of a patch with "
         "those of others. Use flatten(2), then transpose(1, 2)."),
        (LN(torch.cat([patches, first], dim=1) + positions),
         "The class token comes first, not last."),
        (LN(x), "The positions are missing."),
        (x + positions, "`ln_pre` is missing."),
        (LN(behind(patches + positions[1:])), "The class token has a position, too: the first."),
        (LN(x) + positions, "The positions are added before `ln_pre`."),
    ]


# 4: the classifier


def cosine_and_temperature(student):
    """4: torch's cosine_similarity, with two CLIPs and three sizes."""
    student.cosines = given_cosines
    for clip, names, B in ((tiny(), NAMES, 2), (odd_clip(), FEW, 6), (tiny(), FEW, 1)):
        E, K = widths(clip)[0], len(names)
        method = student.ZeroShot(clip, names)
        compare_logits(method, unequal_features(B, E), K)
        method.eval()
        try:
            compare_logits(method, unequal_features(B, E), K)
        except Wrong as error:
            raise Wrong(f"With other weights, in evaluation: {error}") from error
    elsewhere = copy.deepcopy(method).to("meta")
    on_one_device(lambda: elsewhere.classify(torch.ones(2, E, device="meta")), "classify")


def given_cosines(image_features, class_weights):
    """In the place of the project's `cosines`: says that the exercise is to write it."""
    raise Wrong("You call `cosines`, and the exercise is to compute them yourself: divide f by its "
                "length, and multiply matrices.")


def compare_logits(method, f, K):
    """Raises Wrong unless the logits of features [B, E] are right, and the features stay."""
    (B, E), given = f.shape, f.clone()
    f.requires_grad_()
    w = F.normalize(torch.randn(K, E), dim=-1)
    method.weights = w.clone()
    got = tensor(method.classify(f), [B, K], f"classify(f [{B}, {E}]) with {K} classes")
    right, mistakes = logits_of(f, w, method.clip.logit_scale)
    b, k = divmod((got - right).abs().argmax().item(), K)  # where they differ most
    otherwise = (f"The logit of picture {b} and class {k} is {got[b, k]:.3f}, and cos(w, f) / tau "
                 f"is {right[b, k]:.3f}; f is {f[b].norm():.2g} long.")
    compare(got, right, mistakes, otherwise)
    same_gradients(got, right, {"the feature f": f})
    method.classify(given)  # without a gradient, a feature can be changed in place
    unchanged(given, f, "classify")
    unchanged(method.weights, w, "classify")


def logits_of(f, w, log_scale):
    """Features, class vectors and log(1/tau) → the logits, and [(wrong logits, sentence)]."""
    cosines, scale = F.cosine_similarity(f[:, None], w[None], dim=-1), log_scale.exp()
    return scale * cosines, [
        (cosines, "These are the bare cosines: multiply by 1/tau, which is exp(logit_scale)."),
        (log_scale * cosines, "logit_scale is the logarithm of 1/tau: take exp of it."),
        (cosines / scale, "You divide by 1/tau, and so multiply by tau: it is cos / tau."),
        (scale * f @ w.T,
         "A feature of twice the length gives logits twice as large. A cosine does not: divide f "
         "by its length."),
        (scale * f / f.norm() @ w.T,
         "f.norm() without `dim` is one number for the whole batch. Each picture's feature has a "
         "length of its own: norm(dim=-1, keepdim=True)."),
        (scale * F.normalize(f, dim=0) @ w.T,
         "You normalised over the batch: each row is a feature, so dim=-1."),
        ((scale * cosines).softmax(dim=-1),
         "These are probabilities: return logits, the loss applies the softmax."),
    ]


# 25: mean and std


def mean_and_std(student):
    """25: single pixels of models with other means and deviations."""
    models = [("OpenAI's", MEAN, STD), ("another group's", (0.5, 0.4, 0.3), (0.5, 0.25, 0.2)),
              ("a third group's", (0.0, 0.1, 0.9), (1.0, 0.5, 0.1))]
    for (whose, mean, std), size in zip(models, (4, 4, 1), strict=True):
        prepare = student.Preprocess(size, mean, std)
        for colour in ((255, 128, 0), (7, 200, 90)):
            image = Image.new("RGB", (size, size), colour)
            for what in (prepare, prepare.to_tensor):
                got = tensor(what(image), [3, size, size], "a picture's tensor")
                compare_pixel(got[:, 0, 0], torch.tensor(colour) / 255, whose, (mean, std))
    image = Image.new("RGB", (3, 2))
    image.putpixel((2, 0), (255, 255, 255))  # the only white pixel: at the right, at the top
    got = tensor(student.Preprocess(3).to_tensor(image), [3, 2, 3], "a picture's tensor")
    is_white = torch.tensor([[False, False, True], [False, False, False]]).expand(3, 2, 3)
    need(torch.equal(got > 0, is_white),
         "A pixel at the top right is elsewhere: a tensor is [3, rows, columns].")
    black, white = Image.new("RGB", (5, 5)), Image.new("RGB", (5, 5), "white")
    augment = student.Preprocess(3, *models[1][1:]).augment
    for image, value in ((black, 0.0), (white, 1.0)):
        got = augment(image, torch.Generator().manual_seed(0))
        compare_pixel(got[:, 0, 0], torch.full((3,), value), models[1][0], models[1][1:])


def compare_pixel(got, pixel, whose, mean_and_std):
    """Raises Wrong unless this is (pixel - mean) / std for red, green and blue."""
    need(got.dtype == torch.float32, f"a picture's tensor holds {got.dtype}, and not float32.")
    mean, std = map(torch.tensor, mean_and_std)
    right = (pixel - mean) / std
    numbers = [[round(value, 3) for value in each.tolist()] for each in (mean, std, got, right)]
    otherwise = ("With {} mean {} and std {}, a colour became {}, and {} is wanted: (pixel / 255 - "
                 "mean) / std for red, green, blue.".format(whose, *numbers))
    compare(got, right, [], otherwise)
