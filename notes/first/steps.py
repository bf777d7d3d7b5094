"""The seven checks. Each takes the student's module and returns what it measured, in words.

A check fails with an AssertionError whose words say what is wrong.
"""

from dataclasses import replace
from functools import cache

import torch
import torch.nn.functional as F

from clip_min import load_clip
from clip_min.data import few_shot, load_dataset
from prompts import METHODS, recipe_of
from prompts.runs.batches import training_batches
from prompts.runs.evaluation import evaluate, image_features
from prompts.upt import Theta
from train import train

WORDS, SEED = "a photo of a", 1


@cache
def world():
    """→ the tiny CLIP and toy-satellite."""
    return load_clip("tiny"), load_dataset("toy-satellite")


@cache
def features_to_test_on():
    """→ features [N, E] and labels [N] of the test pictures."""
    clip, dataset = world()
    return image_features(METHODS["zero_shot"](clip, dataset.classnames), dataset.test)


def few():
    """→ 16 training pictures of each class."""
    return few_shot(world()[1], 16, SEED)[0]


def accuracy(vectors):
    """Class vectors [K, E] of length 1 → accuracy on the test pictures, in per cent."""
    features, labels = features_to_test_on()
    return 100 * ((features @ vectors.T).argmax(dim=1) == labels).float().mean().item()


def words_of(clip):
    """→ the vectors of "a photo of a", [4, D]."""
    return clip.token_embedding.weight[clip.tokenizer.encode(WORDS)]


def same(ours, theirs, what):
    """Both tensors have one shape and nearly the same numbers, or an AssertionError says which."""
    assert isinstance(theirs, torch.Tensor), f"{what}: return a tensor."
    shapes = list(ours.shape), list(theirs.shape)
    assert shapes[0] == shapes[1], f"{what}: shape {shapes[0]}, not {shapes[1]}."
    far = (ours - theirs).abs().max().item()
    assert far < 1e-3, f"{what}: the largest difference from the right numbers is {far:.3g}."


def step_1(mine):
    """Sentences as a classifier."""
    clip, dataset = world()
    w = mine.class_vectors(clip, dataset.classnames, dataset.templates[0])
    assert w.shape == (len(dataset.classnames), 128), f"[K, E] is [12, 128], not {list(w.shape)}."
    same(torch.ones(len(w)), w.norm(dim=1), "The length of each class vector")
    found = accuracy(w)
    assert round(found, 2) == 47.08, f"47.08 % is right, yours has {found:.2f} %."
    return f"{found:.2f} %"


def step_2(mine):
    """Context and name in one prompt."""
    clip, dataset = world()
    x, eos = mine.splice(clip, dataset.classnames, words_of(clip))
    sentences = [f"{WORDS} {name}." for name in dataset.classnames]
    tokens = clip.tokenizer(sentences, clip.context_length)
    same(tokens.argmax(dim=1), torch.as_tensor(eos), "The places of [EOS]")
    for i, place in enumerate(tokens.argmax(dim=1).tolist()):
        right = clip.token_embedding(tokens[i, : place + 1])
        same(right, x[i, : place + 1], f"The prompt of {dataset.classnames[i]!r}")
    return f"x {list(x.shape)}, [EOS] at {min(eos.tolist())} to {max(eos.tolist())}"


def step_3(mine):
    """The text tower, and the row at [EOS]."""
    clip, dataset = world()
    sentences = [f"{WORDS} {name}." for name in dataset.classnames]
    tokens = clip.tokenizer(sentences, clip.context_length)
    w = mine.text_tower(clip, *mine.splice(clip, dataset.classnames, words_of(clip)))
    same(F.normalize(clip.encode_text(tokens), dim=-1), w, "The class vectors")
    return f"{accuracy(w):.2f} % with {WORDS!r}"


def step_4(mine):
    """The loop: CoOp."""
    clip, dataset = world()
    recipe = replace(recipe_of("coop", "tiny"), epochs=60)
    method = METHODS["coop"](clip, dataset.classnames, n_ctx=4)
    of_epoch = training_batches(method, few(), recipe, SEED)
    batches = [batch for epoch in range(recipe.epochs) for batch in of_epoch(epoch)]
    start = words_of(clip)
    context = mine.learn(clip, dataset.classnames, start.clone(), batches)
    assert context.shape == start.shape, f"A context is {list(start.shape)}."
    assert not torch.equal(context, start), "The context has not moved."
    assert not clip.token_embedding.weight.requires_grad, "CLIP stays frozen."
    found = accuracy(mine.text_tower(clip, *mine.splice(clip, dataset.classnames, context)))
    assert found > 60, f"About 65 % is right, yours has {found:.2f} %."
    return f"{found:.2f} %"


def step_5(mine):
    """A context for each picture: CoCoOp."""
    clip, _ = world()
    torch.manual_seed(0)
    features = torch.randn(2, 128)
    meta_net, context = mine.MetaNet(128, 128), words_of(clip)
    counted = sum(parameter.numel() for parameter in meta_net.parameters())
    assert counted == 128 * 8 + 8 + 8 * 128 + 128, f"2,184 numbers are right, not {counted:,}."
    found = mine.conditional(meta_net, context, features)
    assert found.shape == (2, 4, 128), f"[B, M, D] is [2, 4, 128], not {list(found.shape)}."
    assert not torch.allclose(found[0], found[1]), "Both pictures have the same context."
    same((found - context)[:, :1].expand(-1, 4, -1), found - context, "One pi for all M vectors")
    same(found, mine.conditional(meta_net, context, 7 * features), "A feature 7 times as long")
    for parameter in list(meta_net.parameters())[-2:]:
        torch.nn.init.zeros_(parameter)
    same(context.expand(2, -1, -1), mine.conditional(meta_net, context, features), "pi = 0")
    return f"{counted:,} numbers"


def step_6(mine):
    """Prompts in the image tower: VPT."""
    clip, dataset = world()
    torch.manual_seed(0)
    images = torch.randn(2, 3, clip.image_size, clip.image_size)
    method = METHODS["vpt"](clip, dataset.classnames, n_ctx=4)
    with torch.no_grad():
        without = mine.image_tower(clip, images, method.V[:, :0])
        same(clip.encode_image(images), without, "No prompts")
        same(method.encode_image(images), mine.image_tower(clip, images, method.V), "4 prompts")
    return "the features of VPT"


def step_7(mine):
    """One theta for both towers: UPT."""
    clip, dataset = world()
    torch.manual_seed(0)
    theirs, theta, U = Theta(128, 1, 0.0, "normed"), mine.Theta(128), 0.02 * torch.randn(4, 8, 128)
    theta.load_state_dict(theirs.state_dict())
    same(theirs(U), theta(U), "U-hat")
    moved = U.clone()
    moved[:, 0] = 0.02 * torch.randn(4, 128)
    far = (theta(moved) - theta(U))[:, 4:].norm() / theta(U)[:, 4:].norm()
    assert far > 0.005, f"A text prompt moves the visual prompts by {100 * far:.2f} % only."
    torch.manual_seed(SEED)
    method, recipe = METHODS["upt"](clip, dataset.classnames), recipe_of("upt", "tiny")
    method.theta = theta
    recipe = replace(recipe, epochs=recipe.epochs_for("toy-satellite", 16))
    train(method, training_batches(method, few(), recipe, SEED), recipe, SEED)
    found = evaluate(method, dataset.test)
    assert found > 64, f"About 70 % is right, yours has {found:.2f} %."
    return f"{found:.2f} %"


STEPS = {1: step_1, 2: step_2, 3: step_3, 4: step_4, 5: step_5, 6: step_6, 7: step_7}
