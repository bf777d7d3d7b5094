"""How prompts are learned: SGD step by step, the learning rate, the papers' recipes, the starts."""

import inspect
import re

import numpy as np
import pytest
import torch
from torch import nn

from clip_min.prompting.recipe import Recipe
from prompts import METHODS, recipe_of
from prompts.upt import Theta
from tests.helpers import NAMES, ROOT, make
from train import learning_rate, train

EPOCHS_OF_COOP = {1: 50, 2: 100, 4: 100, 8: 200, 16: 200}
PAPERS = ROOT.parent / "shared" / "papers"  # their texts, where somebody has put them


# The learning rate


@pytest.mark.parametrize("lr, epochs", [(0.002, 1), (0.002, 10), (0.002, 50), (0.03, 32)])
def test_the_rate_is_tiny_for_one_epoch_and_then_goes_down_a_cosine(lr, epochs):
    """CoOp, Sec. 3.1: 1e-5 during the first epoch. Then torch's own cosine, from its beginning."""
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=epochs)
    expected = [1e-5]
    while len(expected) < epochs:
        expected.append(cosine.get_last_lr()[0])
        optimiser.step()
        cosine.step()
    assert np.allclose([learning_rate(lr, epoch, epochs) for epoch in range(epochs)], expected)


# The optimiser, against steps computed by hand


class Rows(nn.Module):
    """The smallest method: one learned vector for each class, logits W f. No text, no tower."""

    image_tower_is_frozen = True

    def __init__(self, W):
        super().__init__()
        self.W = nn.Parameter(torch.tensor(W, dtype=torch.float32))
        self.clip = nn.Module()
        self.clip.logit_scale = nn.Parameter(torch.zeros(()), requires_grad=False)
        self.modes = []  # of itself and of its CLIP, at each step

    def classify(self, features):
        self.modes.append((self.training, self.clip.training))
        return features @ self.W.T


START = np.array([[1.0, -2.0], [0.5, 1.5], [-1.0, 0.0]])  # W [K, D]
FEATURES = np.array([[[1, 2], [0, -1]], [[3, 0.5], [-2, 1]], [[1, 1], [2, 0]]])
LABELS = np.array([[0, 2], [1, 1], [2, 0]])  # of three batches of two pictures


def batches_of_epoch(epoch):
    """The three batches, each epoch from another one on; the last one holds one picture only."""
    order = [(epoch + i) % 3 for i in range(3)]
    parts = [(FEATURES[i], LABELS[i]) for i in order]
    parts[2] = (parts[2][0][:1], parts[2][1][:1])
    return [(torch.tensor(f, dtype=torch.float32), torch.tensor(y)) for f, y in parts]


def loss_and_gradient(W, f, y):
    """Cross-entropy of logits W f, the mean over a batch, and its gradient [K, D]."""
    logits = f @ W.T
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = p / p.sum(axis=1, keepdims=True)
    loss = -np.log(p[range(len(y)), y]).mean()
    p[range(len(y)), y] -= 1
    return loss, p.T @ f / len(y)


def steps_by_hand(lr, epochs, max_norm=None):
    """→ W after SGD with momentum 0.9 and weight decay 5e-4, and the mean loss of each epoch."""
    W, velocity, losses = START.copy(), np.zeros_like(START), []
    for epoch in range(epochs):
        rate = 1e-5 if epoch == 0 else lr * (1 + np.cos(np.pi * (epoch - 1) / epochs)) / 2
        total, pictures = 0.0, 0
        for f, y in batches_of_epoch(epoch):
            loss, gradient = loss_and_gradient(W, f.double().numpy(), y.numpy())
            total, pictures = total + len(y) * loss, pictures + len(y)
            length = np.sqrt((gradient**2).sum())
            if max_norm and length > max_norm:
                gradient = gradient * max_norm / length
            velocity = 0.9 * velocity + gradient + 5e-4 * W
            W = W - rate * velocity
        losses.append(total / pictures)
    return W, losses


@pytest.mark.parametrize("max_norm", [None, 0.1])
def test_train_takes_the_steps_that_are_computed_by_hand(max_norm):
    """CoOp, Sec. 3.1: cross-entropy, SGD (momentum and decay: its code), the rate of each epoch."""
    method = Rows(START)
    recipe = Recipe(lr=0.2, epochs=4, batch_size=2, max_norm=max_norm)
    losses = train(method, batches_of_epoch, recipe, seed=1)
    W, expected = steps_by_hand(0.2, 4, max_norm)
    assert np.allclose(method.W.detach().numpy(), W, atol=2e-5)
    assert np.allclose(losses, expected, atol=1e-5)


def test_a_method_trains_in_training_mode_and_its_clip_in_evaluation_mode():
    """Dropout acts, and the running means of a ResNet's BatchNorm stay."""
    method = Rows(START).eval()
    train(method, batches_of_epoch, Recipe(lr=0.2, epochs=2, batch_size=2), seed=1)
    assert set(method.modes) == {(True, False)}


def test_pictures_go_through_the_whole_method_and_features_through_classify_only():
    """[B, 3, H, W] needs the tower, as in VPT and UPT; [B, E] has been through it."""
    method, seen = Rows(START), []
    method.forward = lambda images: seen.append(images.shape) or method.classify(images[:, 0, 0])
    pictures = [(torch.ones(2, 1, 1, 2), torch.tensor([0, 1]))]
    train(method, lambda epoch: pictures, Recipe(lr=0.2, epochs=2, batch_size=2), seed=1)
    assert seen == [(2, 1, 1, 2)] * 2


# The recipes of the papers


@pytest.mark.parametrize("name", ["coop", "vpt", "upt", "joint", "shared", "mlp"])
def test_the_recipe_of_coop_and_upt(name):
    """CoOp, Sec. 3.1; UPT, App. B, which takes CoOp's code for itself and all that it compares."""
    recipe = recipe_of(name, "ViT-B/16")
    assert (recipe.lr, recipe.batch_size, recipe.max_norm, recipe.options) == (0.002, 32, None, {})
    assert {shots: recipe.epochs_for("dtd", shots) for shots in EPOCHS_OF_COOP} == EPOCHS_OF_COOP
    assert {recipe.epochs_for("imagenet", shots) for shots in EPOCHS_OF_COOP} == {50}


def test_the_recipe_of_cocoop():
    """CoCoOp, Sec. 4: batches of 1, 10 epochs; the rate is CoOp's, on whose code it is built."""
    recipe = recipe_of("cocoop", "ViT-B/16")
    assert (recipe.lr, recipe.batch_size, recipe.max_norm, recipe.options) == (0.002, 1, None, {})
    for dataset in ("dtd", "imagenet"):
        assert {recipe.epochs_for(dataset, shots) for shots in EPOCHS_OF_COOP} == {10}


@pytest.mark.parametrize("name", [name for name in METHODS if recipe_of(name, "ViT-B/16")])
def test_crops_and_precision_are_those_of_the_published_configurations(name):
    """`random_resized_crop` keeps 8 to 100 % of a picture, and `random_flip` mirrors half."""
    recipe = recipe_of(name, "ViT-B/16")
    assert (recipe.crop_scale, recipe.flip, recipe.precision) == ((0.08, 1.0), True, "fp32")


SENTENCES = [  # paper, what stands in it, how often
    ("coop-2109.01134", r"M is set to 16", 1),
    ("coop-2109.01134", r"standard deviation equal to 0\.02", 1),
    ("coop-2109.01134", r"initial learning rate of 0\.002", 1),
    ("coop-2109.01134", r"200 for 16/8 shots, 100 for 4/2 shots, and 50 for 1 shot", 1),
    ("coop-2109.01134", r"ImageNet where the maximum epoch is fixed to 50", 1),
    ("coop-2109.01134", r"learning rate to 1e-5 during the first epoch", 1),
    ("cocoop-2203.05557", r"context length to 4", 1),
    ("cocoop-2203.05557", r"batch size of 1 for 10 epochs", 1),
    ("upt-2210.07225", r"initial learning rate of 0\.002", 1),
    ("upt-2210.07225", r"batch size is set to 32 for all datasets", 1),
    ("upt-2210.07225", r"\$m = 4\$ \(same for VPT\)", 1),
]


@pytest.mark.skipif(not PAPERS.is_dir(), reason="the papers' texts are not beside the project")
def test_the_papers_say_so():
    """The numbers above are those of the papers, word for word."""
    for paper, words, times in SENTENCES:
        text = (PAPERS / f"{paper}.txt").read_text(encoding="utf-8")
        assert len(re.findall(words, text)) == times, (paper, words)


TOWERS = dict(n_ctx=4, depth="deep", text_depth="deep")
USUAL = {  # the options that nobody gives
    "zero_shot": dict(template="a photo of a {}.", templates="dataset"),
    "coop": dict(n_ctx=None, class_token_position="end", class_specific=False, ctx_init=None),
    "cocoop": dict(n_ctx=None, ctx_init="a photo of a"),
    "vpt": dict(template="a photo of a {}.", n_ctx=4, depth="deep", before_ln_pre=False),
    "upt": dict(**TOWERS, start=0.02, heads=1, dropout=0.0, attention="normed"),
    "joint": TOWERS,
    "shared": TOWERS,
    "mlp": TOWERS,
}


@pytest.mark.parametrize("name", USUAL)
def test_the_usual_options_are_those_of_the_papers(name):
    """CoOp, Sec. 3.1; CoCoOp, Sec. 4; UPT, App. B: m = 4 for all, hand-written "a photo of a"."""
    options = inspect.signature(METHODS[name]).parameters
    assert {key: options[key].default for key in USUAL[name]} == USUAL[name]
    assert options.keys() == {"clip", "classnames", "template", *USUAL[name]}


# The starts


def is_normal(x, std):
    """Whether numbers look drawn from a normal distribution with mean 0 and this deviation."""
    x = x.detach().flatten() / std
    enough = 5 / len(x) ** 0.5
    few_are_large = 0.02 < (x.abs() > 2).float().mean() < 0.075  # 4.6 %; uniform: none
    return bool(x.mean().abs() < enough and abs(x.std() - 1) < enough and few_are_large)


@pytest.mark.parametrize(
    "name, options, what, std",
    [
        ("coop", {}, "ctx", 0.02),
        ("coop", dict(class_specific=True), "ctx", 0.02),
        ("cocoop", dict(n_ctx=8), "ctx", 0.02),
        ("cocoop", dict(ctx_init=None), "ctx", 0.02),
        ("vpt", {}, "V", 0.02),
        ("vpt", dict(depth=1, n_ctx=8), "V", 0.02),
        ("joint", {}, "V", 0.02),
        ("joint", dict(n_ctx=5), "T", 0.02),
        ("shared", {}, "U", 0.02),
        ("mlp", {}, "U", 0.02),
        ("upt", {}, "U", 0.02),
        ("upt", dict(start=1.0), "U", 1.0),
    ],
    ids=str,
)
def test_prompts_start_from_a_normal_distribution(clip, name, options, what, std):
    """CoOp, Sec. 3.1: mean 0, deviation 0.02. One seed gives one start, another seed another."""
    first, again = (getattr(make(clip, name, **options), what) for _ in range(2))
    assert is_normal(first, std) and torch.equal(first, again)
    torch.manual_seed(1)
    assert not torch.equal(first, getattr(METHODS[name](clip, NAMES, **options), what))


def test_joints_context_starts_from_words_if_there_are_as_many(clip):
    """CoCoOp, Sec. 4, for CoOp too: the embeddings of "a photo of a"."""
    ids = clip.tokenizer.encode("a photo of a")
    words = clip.token_embedding.weight[ids]
    assert torch.equal(make(clip, "joint", n_ctx=len(ids)).T[0], words)
    assert is_normal(make(clip, "joint", n_ctx=len(ids) + 1).T, 0.02)


def test_layers_of_prompts_start_apart(clip):
    """UPT Eq. (4): each layer has prompts of its own, V^1, V^2, …"""
    for name, what in [("vpt", "V"), ("joint", "V"), ("shared", "U"), ("mlp", "U"), ("upt", "U")]:
        start = getattr(make(clip, name), what)
        pairs = [(i, j) for i in range(len(start)) for j in range(i)]
        assert pairs and not any(torch.equal(start[i], start[j]) for i, j in pairs)


# Dropout in theta


@pytest.mark.parametrize("attention", ["literal", "normed", "released"])
def test_dropout_acts_on_what_sa_and_ffn_give_and_on_nothing_else(attention):
    """UPT Eq. (5): if all of it is dropped, the residuals are left, and they alone."""
    torch.manual_seed(0)
    theta, U = Theta(8, 1, 0.0, attention), torch.randn(3, 6, 8)
    for parameter in theta.parameters():
        nn.init.normal_(parameter)
    theta.dropout.p = 1.0
    kept = theta.ln_1(U) if attention == "released" else theta.ln_2(theta.ln_1(U))
    assert torch.equal(theta.train()(U), kept)
    assert not torch.allclose(theta.eval()(U), kept, atol=1e-2)
