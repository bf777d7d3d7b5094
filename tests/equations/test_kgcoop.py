"""KgCoOp against the published figures, its equation, and CoOp, which it is for lambda = 0."""

import pytest
import torch
import torch.nn.functional as F

from prompts.kgcoop import KgCoOp, distance
from tests.golden.weights import golden_tensor
from tests.helpers import (
    AFTER,
    NAMES,
    difference,
    golden_images,
    learned,
    make,
    pictures,
    tokenizer_of_after,
)


@pytest.fixture
def published_clip(golden_clip, monkeypatch):
    """The golden CLIP, whose tokenizer knows the ids that the figures were made with."""
    monkeypatch.setattr(golden_clip, "tokenizer", tokenizer_of_after(golden_clip.tokenizer))
    return golden_clip


def published_case(clip, case):
    """A case of after.json → (its figures, the method with its context)."""
    expected = AFTER["kgcoop"][case]
    method = KgCoOp(clip, AFTER["classnames"], expected["teacher_template"],
                    strength=expected["w"])
    if not expected["first_words"]:
        method.ctx.data = 0.2 * golden_tensor(f"{case}.ctx", (expected["n_ctx"], 128), "image")
    return expected, method


@pytest.mark.parametrize("case", AFTER["kgcoop"])
def test_logits_losses_and_gradients_are_the_published_codes(published_clip, case):
    """KgCoOp Sec. 3.2: L = L_ce + lambda L_kg (tests/golden/after.json)."""
    expected, method = published_case(published_clip, case)
    images, labels = golden_images(), torch.tensor(AFTER["labels"])
    logits, loss = method.loss(images, labels)
    assert (logits - torch.tensor(expected["logits"])).abs().max() < 1e-3
    assert torch.equal(logits, method(images))
    assert abs(loss.item() / expected["loss"] - 1) < 1e-4
    assert abs(F.cross_entropy(logits, labels).item() / expected["loss_ce"] - 1) < 1e-4
    loss.backward()
    assert abs(method.ctx.grad.norm().item() / expected["grad_norms"]["ctx"] - 1) < 1e-4
    first = torch.tensor(expected["grad_ctx_first_vector"])
    assert difference(method.ctx.grad[0, : len(first)], first) < 1e-3


@pytest.mark.parametrize("case", AFTER["kgcoop"])
def test_the_distance_and_the_words_are_the_published_codes(published_clip, case):
    """KgCoOp Sec. 3.2: L_kg, its gradient, and the zero-shot logits of w^clip."""
    expected, method = published_case(published_clip, case)
    score = distance(method.class_weights(), method.words)
    assert abs(score.item() - expected["score"]) < 1e-4 * max(expected["score"], 0.01)
    norm = torch.autograd.grad(score, method.ctx)[0].norm().item()
    assert abs(norm - expected["score_grad_norm"]) < 1e-4 * max(expected["score_grad_norm"], 0.1)
    f = F.normalize(method.encode_image(golden_images()), dim=-1)
    zero_shot = 20 * f @ F.normalize(method.words, dim=-1).T
    assert (zero_shot - torch.tensor(expected["teacher_logits"])).abs().max() < 1e-3


def test_the_distance_is_half_of_the_squared_euclidean_one():
    """The paper's L_kg is twice the published code's: so strength=16 is the paper's formula."""
    w, words = torch.randn(2, 5, 16)
    paper = (F.normalize(w, dim=-1) - F.normalize(words, dim=-1)).square().sum(dim=-1).mean()
    assert torch.allclose(2 * distance(w, words), paper, atol=1e-6)


def test_with_strength_0_it_is_coop(clip):
    method, coop = make(clip, "kgcoop", strength=0), make(clip, "coop", ctx_init="a photo of a")
    with torch.no_grad():
        coop.ctx += 0.1 * torch.randn_like(coop.ctx)
        method.ctx.copy_(coop.ctx)
    images, labels = pictures(clip), torch.tensor([0, 1, 3])
    logits, loss = method.loss(images, labels)
    assert torch.equal(logits, coop(images))
    assert torch.equal(loss, F.cross_entropy(logits, labels))


def test_with_the_words_as_context_nothing_pulls(clip):
    method = make(clip, "kgcoop")  # it starts from the words of its default template
    score = distance(method.class_weights(), method.words)
    assert abs(score.item()) < 1e-6
    assert torch.autograd.grad(score, method.ctx)[0].abs().max() < 1e-4


def test_the_spring_pulls_back_to_the_words(clip):
    """A step against the gradient of L_kg alone makes it smaller."""
    method = make(clip, "kgcoop", ctx_init=None, n_ctx=4)
    before = distance(method.class_weights(), method.words)
    gradient = torch.autograd.grad(before, method.ctx)[0]
    with torch.no_grad():
        method.ctx -= 1e-3 * gradient / gradient.norm()
    assert distance(method.class_weights(), method.words) < before


def test_features_give_the_loss_of_their_pictures(clip):
    method, labels = make(clip, "kgcoop"), torch.tensor([0, 1, 3])
    images = pictures(clip)
    of_pictures, of_features = (
        method.loss(inputs, labels) for inputs in (images, method.encode_image(images))
    )
    assert all(torch.equal(one, other) for one, other in zip(of_pictures, of_features))


def test_the_words_follow_the_classes_and_have_no_gradient(clip):
    method = make(clip, "kgcoop", ctx_init=None)
    method.set_classes(["tiger", "lion"])
    fresh = KgCoOp(clip, ["tiger", "lion"], n_ctx=4, ctx_init=None)
    assert torch.equal(method.words, fresh.words) and not method.words.requires_grad
    assert list(learned(method)) == ["ctx"]
    assert "words" not in method.state_dict()


def test_a_strength_below_0_is_refused(clip):
    with pytest.raises(ValueError, match="strength must be a number of at least 0, not -1"):
        KgCoOp(clip, NAMES, strength=-1)
