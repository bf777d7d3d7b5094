"""CoCoOp against Eq. (3), the published figures, and the plain version of its fast path."""

import pytest
import torch
import torch.nn.functional as F

from prompts import cocoop as cocoop_file
from prompts.cocoop import CoCoOp
from tests.golden.weights import golden_tensor
from tests.helpers import (
    GOLDEN,
    LEARNERS,
    NAMES,
    difference,
    full_size_clip,
    learned,
    make,
    pictures,
    published_tokenizer,
)

CASES = [case for case in LEARNERS["cases"] if case.startswith("cocoop")]


@pytest.mark.parametrize("case", CASES)
def test_logits_loss_and_gradients_are_the_published_codes(golden_clip, monkeypatch, case):
    """CoCoOp Eq. (3), all three pictures in one batch (tests/golden/prompt_learners.json)."""
    monkeypatch.setattr(golden_clip, "tokenizer", published_tokenizer(golden_clip.tokenizer))
    expected = LEARNERS["cases"][case]
    method = CoCoOp(
        golden_clip,
        LEARNERS["classnames"],
        ctx_init="a photo of a" if case == "cocoop.init" else None,
    )
    parameters = learned(method)
    assert {name: list(p.shape) for name, p in parameters.items()} == expected["params"]
    for name, parameter in parameters.items():
        if name == "ctx" and case == "cocoop":
            parameter.data = 0.2 * golden_tensor(f"{case}.ctx", parameter.shape, "image")
        elif name != "ctx":
            parameter.data = golden_tensor(f"{case}.{name}", tuple(parameter.shape))
    image = GOLDEN["vit"]["image"]
    logits = method(golden_tensor(image["name"], image["shape"], kind="image"))
    loss = F.cross_entropy(logits, torch.tensor(LEARNERS["labels"]))
    loss.backward()
    assert (logits - torch.tensor(expected["logits"])).abs().max() < 1e-3
    assert abs(loss.item() - expected["loss"]) < 1e-3
    for name, parameter in parameters.items():
        assert abs(parameter.grad.norm().item() / expected["grad_norms"][name] - 1) < 1e-3, name
    first = torch.tensor(expected["grad_ctx_first_vector"])
    assert difference(parameters["ctx"].grad[0, : len(first)], first) < 1e-3


@pytest.mark.parametrize("n_ctx, batch", [(1, 1), (4, 1), (4, 5), (7, 2)])
def test_the_fast_path_equals_the_plain_one_picture_by_picture(clip, n_ctx, batch):
    """Features to 1e-5, and the gradients to 1e-4 of their size."""
    method = make(clip, "cocoop", n_ctx=n_ctx, ctx_init=None)
    context = method.context(clip.encode_image(pictures(clip, batch)))
    assert context.shape == (batch, n_ctx, 128)
    fast, plain = method.class_weights(context), method.plain_class_weights(context)
    assert fast.shape == (batch, len(NAMES), clip.text_projection.shape[1])
    assert (fast - plain).abs().max() < 1e-5
    towards, parameters = torch.randn_like(plain), list(learned(method).values())
    ours, theirs = (
        torch.autograd.grad((weights * towards).sum(), parameters, retain_graph=True)
        for weights in (fast, plain)
    )
    assert all(
        torch.equal(x, y) or difference(x, y) < 1e-4 for x, y in zip(ours, theirs)
    )  # equal: both zero
    assert (
        all(y.any() for y in theirs) or len(method.meta_net.linear1.bias) == 2
    )  # so narrow a ReLU may be shut


def test_a_batch_gives_every_picture_the_logits_that_it_has_alone(clip, monkeypatch):
    """CoCoOp Eq. (3); also where a batch is cut into pieces that fit into memory."""
    method, images = make(clip, "cocoop"), pictures(clip, 5)
    together = method(images)
    assert torch.allclose(together, torch.cat([method(image[None]) for image in images]), atol=1e-3)
    sizes, class_weights = [], method.class_weights
    monkeypatch.setattr(cocoop_file, "PROMPTS_AT_ONCE", 2 * len(NAMES))
    monkeypatch.setattr(method, "class_weights", lambda v: sizes.append(len(v)) or class_weights(v))
    assert torch.allclose(together, method(images), atol=1e-3) and sizes == [2, 2, 1]


def test_a_meta_net_that_gives_zero_makes_coop(clip):
    """CoCoOp Eq. (3) with pi = 0 is CoOp Eq. (3)."""
    cocoop, coop = make(clip, "cocoop"), make(clip, "coop", ctx_init="a photo of a")
    for parameter in cocoop.meta_net.linear2.parameters():
        parameter.data.zero_()
    images = pictures(clip)
    assert torch.allclose(cocoop(images), coop(images), atol=1e-3)


def test_the_context_is_the_meta_nets_token_added_to_every_vector(clip):
    """CoCoOp, Sec. 3.2: v_m(x) = v_m + h(x), h = Linear, ReLU, Linear on the normalised feature."""
    method, f = make(clip, "cocoop", n_ctx=3, ctx_init=None), clip.encode_image(pictures(clip))
    W_1, b_1, W_2, b_2 = method.meta_net.parameters()
    assert W_1.shape == (f.shape[1] // 16, f.shape[1])
    for x, context in zip(f, method.context(f)):
        pi = W_2 @ (W_1 @ (x / x.norm()) + b_1).clamp(min=0) + b_2
        assert torch.allclose(context, method.ctx + pi, atol=1e-6)


def test_the_context_starts_from_the_words_a_photo_of_a(clip):
    ids = clip.tokenizer.encode("a photo of a")
    assert torch.equal(make(clip, "cocoop").ctx, clip.token_embedding.weight[ids])


def test_a_number_that_does_not_fit_the_default_words_means_a_random_start(clip):
    """As in `--hp n_ctx=8`: nobody asked for the words."""
    assert make(clip, "cocoop", n_ctx=8).ctx.shape == (8, 128)
    assert abs(make(clip, "cocoop", n_ctx=8).ctx.std() - 0.02) < 0.004


def test_cocoop_learns_as_many_numbers_as_the_paper_says(golden_clip):
    """CoCoOp, Table 5: 34,816 in the context (M = 4) and the weights; 35,360 with the biases."""
    parameters = learned(
        CoCoOp(full_size_clip(golden_clip.tokenizer), ["cat", "dog"], ctx_init=None)
    )
    assert sum(p.numel() for name, p in parameters.items() if not name.endswith("bias")) == 34_816
    assert sum(p.numel() for p in parameters.values()) == 35_360


@pytest.mark.parametrize(
    "options, words",
    [
        (
            dict(n_ctx=8, ctx_init="a dog"),
            "ctx_init='a dog' has 4 tokens, which contradicts n_ctx=8",
        ),
        (dict(n_ctx=0, ctx_init=None), "n_ctx.* not 0"),
        (dict(n_ctx=74, ctx_init=None), "n_ctx.* not 74"),
    ],
    ids=str,
)
def test_contradictory_and_impossible_options_are_refused_in_one_sentence(
    golden_clip, options, words
):
    with pytest.raises(ValueError, match=words) as error:
        make(golden_clip, "cocoop", **options)
    assert "\n" not in str(error.value)
