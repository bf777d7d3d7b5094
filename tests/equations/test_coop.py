"""CoOp against its equations, the published figures, and the plain version of its fast path."""

import pytest
import torch
import torch.nn.functional as F

from prompts.coop import CoOp
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

CASES = [case for case in LEARNERS["cases"] if case.startswith("coop.")]
VARIANTS = [
    dict(class_token_position=position, class_specific=class_specific, n_ctx=n_ctx)
    for position in ("end", "middle", "front")
    for class_specific in (False, True)
    for n_ctx in (1, 4, 5)
]
LONGEST = "a" * 70  # with 4 context vectors, [SOS], the full stop and [EOS] 77 tokens


@pytest.fixture
def published_clip(golden_clip, monkeypatch):
    """The golden CLIP, whose tokenizer knows the ids that the figures were made with."""
    monkeypatch.setattr(golden_clip, "tokenizer", published_tokenizer(golden_clip.tokenizer))
    return golden_clip


@pytest.mark.parametrize("case", CASES)
def test_logits_loss_and_gradient_are_the_published_codes(published_clip, case):
    """CoOp Eqs. (2) to (4), CSC and word initialisation (tests/golden/prompt_learners.json)."""
    expected = LEARNERS["cases"][case]
    options = dict(
        class_token_position=expected["class_token_position"],
        class_specific=expected["class_specific"],
    )
    if case == "coop.init":
        options["ctx_init"] = "a photo of a"
    else:
        options["n_ctx"] = expected["n_ctx"]
    method = CoOp(published_clip, LEARNERS["classnames"], **options)
    assert list(method.ctx.shape) == expected["ctx_shape"]
    if case != "coop.init":
        method.ctx.data = 0.2 * golden_tensor(f"{case}.ctx", expected["ctx_shape"], "image")
    image = GOLDEN["vit"]["image"]
    logits = method(golden_tensor(image["name"], image["shape"], kind="image"))
    loss = F.cross_entropy(logits, torch.tensor(LEARNERS["labels"]))
    loss.backward()
    assert (logits - torch.tensor(expected["logits"])).abs().max() < 1e-3
    assert abs(loss.item() - expected["loss"]) < 1e-3
    assert abs(method.ctx.grad.norm().item() / expected["grad_norms"]["ctx"] - 1) < 1e-3
    first = method.ctx.grad.flatten(0, -2)[0, : len(expected["grad_ctx_first_vector"])]
    assert difference(first, torch.tensor(expected["grad_ctx_first_vector"])) < 1e-3


@pytest.mark.parametrize(
    "options", VARIANTS, ids=lambda options: "-".join(map(str, options.values()))
)
def test_the_fast_path_equals_the_plain_one(clip, options):
    """Features to 1e-5, and the gradient that reaches the context to 1e-4 of its size."""
    method = make(clip, "coop", **options)
    fast, plain = method.class_weights(), method.plain_class_weights()
    assert fast.shape == (len(NAMES), clip.text_projection.shape[1])
    assert (fast - plain).abs().max() < 1e-5
    towards = torch.randn_like(plain)
    ours, theirs = (torch.autograd.grad((w * towards).sum(), method.ctx)[0] for w in (fast, plain))
    assert difference(ours, theirs) < 1e-4 and theirs.abs().amax(dim=-1).min() > 0


@pytest.mark.parametrize("position", ["end", "middle", "front"])
def test_a_class_name_may_fill_the_context_to_its_last_place(golden_clip, position):
    method = CoOp(golden_clip, ["cat", LONGEST], n_ctx=4, class_token_position=position)
    assert (method.class_weights() - method.plain_class_weights()).abs().max() < 1e-5
    with pytest.raises(
        ValueError, match="aaaaa.*78 tokens with 4 context vectors, and 77 is the most"
    ):
        method.set_classes(["cat", LONGEST + "a"])


@pytest.mark.parametrize(
    "position, words",
    [
        ("end", "a b c d {}."),
        ("middle", "a b {} c d."),
        ("middle", "a {} b c."),
        ("front", "{} a b c d."),
    ],
)
def test_a_context_of_word_embeddings_is_a_hand_written_prompt(clip, position, words):
    """CoOp Eqs. (2) and (4) with [V] the embeddings of words: zero-shot CLIP, Eq. (1).

    In the middle, M // 2 vectors stand before the name, as in the published code.
    """
    method = make(
        clip, "coop", ctx_init=words.replace("{}", "").strip(" ."), class_token_position=position
    )
    assert len(method.ctx) == len(words.split()) - 1
    zero_shot = make(clip, "zero_shot", template=words)
    images = pictures(clip)
    assert torch.allclose(method(images), zero_shot(images), atol=1e-3)


def test_class_specific_contexts_that_are_equal_are_a_unified_one(clip):
    unified, specific = (
        make(clip, "coop", n_ctx=4),
        make(clip, "coop", n_ctx=4, class_specific=True),
    )
    specific.ctx.data[:] = unified.ctx.data
    images = pictures(clip)
    assert torch.allclose(unified(images), specific(images), atol=1e-3)


def test_a_class_specific_context_changes_its_own_class_only(clip):
    method, images = make(clip, "coop", class_specific=True), pictures(clip)
    before = method(images)
    method.ctx.data[2] += 0.1 * torch.randn_like(method.ctx[2])
    changed = (method(images) - before).abs().amax(dim=0) > 1e-3
    assert changed.tolist() == [False, False, True, False]


def test_class_specific_contexts_start_apart_at_random_or_all_from_the_same_words(clip):
    random = make(clip, "coop", class_specific=True).ctx
    words = make(clip, "coop", class_specific=True, ctx_init="a_photo of a").ctx
    assert abs(random.std() - 0.02) < 0.002 and not torch.equal(random[0], random[1])
    ids = clip.tokenizer.encode("a photo of a")
    assert all(torch.equal(ctx, clip.token_embedding.weight[ids]) for ctx in words)


def test_the_number_of_context_vectors_is_counted_in_tokens(clip):
    """Not in words, which would cut this context in mid-word."""
    text = "histopathology image of"
    tokens = clip.tokenizer.encode(text)
    method = make(clip, "coop", ctx_init=text)
    assert len(method.ctx) == len(tokens) > 3
    assert torch.equal(method.ctx, clip.token_embedding.weight[tokens])


@pytest.mark.parametrize("n_ctx, count", [(4, 2048), (None, 16 * 512), (60, 30720)])
def test_coop_learns_as_many_numbers_as_the_papers_say(golden_clip, n_ctx, count):
    """CoCoOp, Table 5: 2,048 with M = 4, 30,720 with M = 60; CoOp, Sec. 3.1: M = 16 by default."""
    clip = full_size_clip(golden_clip.tokenizer)
    assert (
        sum(p.numel() for p in learned(CoOp(clip, ["cat", "dog"], n_ctx=n_ctx)).values()) == count
    )


@pytest.mark.parametrize(
    "options, words",
    [
        (
            dict(n_ctx=16, ctx_init="a photo of a"),
            "ctx_init='a photo of a' has 9 tokens, which contradicts n_ctx=16",
        ),
        (dict(ctx_init=""), "ctx_init='' has 0 tokens"),
        (dict(ctx_init="a" * 80), "n_ctx.* 1 to 73, not 80"),
        (dict(n_ctx=0), "n_ctx.* not 0"),
        (dict(n_ctx=74), "n_ctx.* 1 to 73, not 74"),
        (dict(n_ctx=2.0), "n_ctx.* not 2.0"),
        (dict(n_ctx="four"), "n_ctx.* not 'four'"),
        (dict(class_token_position="mid"), '"end", "middle" or "front", not \'mid\''),
        (dict(class_specific="yes"), "class_specific must be True or False, not 'yes'"),
    ],
    ids=str,
)
def test_contradictory_and_impossible_options_are_refused_in_one_sentence(
    golden_clip, options, words
):
    with pytest.raises(ValueError, match=words) as error:
        make(golden_clip, "coop", **options)
    assert "\n" not in str(error.value)


def test_the_same_number_given_twice_is_no_contradiction(clip):
    tokens = len(clip.tokenizer.encode("a photo of a"))
    assert len(make(clip, "coop", n_ctx=tokens, ctx_init="a photo of a").ctx) == tokens


def test_class_specific_contexts_are_refused_for_other_classes_even_if_there_are_as_many(clip):
    """CoCoOp, footnote 3: it is not clear how to transfer one to other classes."""
    method = make(clip, "coop", class_specific=True)
    with pytest.raises(ValueError, match="belongs to the classes that it was learned for"):
        method.set_classes(["one", "two", "three", "four"])
