"""MaPLe against the published figures, its equations, and CoOp, where it degenerates to it."""

import pytest
import torch
import torch.nn.functional as F

from clip_min.model import causal_mask
from clip_min.prompting.tree import embed, pad, splice_words
from prompts.maple import PAPER, MaPLe
from tests.golden.weights import golden_tensor
from tests.helpers import (
    AFTER,
    NAMES,
    difference,
    full_size_clip,
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


def in_published_form(method, tensors):
    """{our name: tensor} of the parameters, or of their gradients → {published name: tensor}."""
    found = {"ctx": tensors["P"][0]}
    for i, P_k in enumerate(tensors["P"][1:]):
        found[f"compound_prompts_text.{i}"] = P_k
    for k in range(len(method.coupling)):
        name = f"compound_prompt_projections.{k - 1}" if k else "proj"
        for part in ("weight", "bias"):
            found[f"{name}.{part}"] = tensors[f"coupling.{k}.{part}"]
    return found


@pytest.mark.parametrize("case", AFTER["maple"])
def test_logits_loss_and_gradients_are_the_published_codes(published_clip, case):
    """MaPLe Eqs. (1) to (3) and Sec. 3.2.3 (tests/golden/after.json)."""
    expected = AFTER["maple"][case]
    options = {option: expected[option] for option in ("n_ctx", "depth", "ctx_init")}
    method = MaPLe(published_clip, AFTER["classnames"], **options)
    published = in_published_form(method, learned(method))
    assert {name: list(p.shape) for name, p in published.items()} == expected["params"]
    for name, parameter in published.items():
        is_prompt = "weight" not in name and "bias" not in name
        if not (name == "ctx" and expected["first_words"]):
            kind = "image" if is_prompt else "weight"
            value = golden_tensor(f"{case}.{name}", parameter.shape, kind)
            parameter.data.copy_(0.2 * value if is_prompt else value)
    logits = method(golden_images())
    loss = F.cross_entropy(logits, torch.tensor(AFTER["labels"]))
    loss.backward()
    assert (logits - torch.tensor(expected["logits"])).abs().max() < 1e-3
    assert abs(loss.item() / expected["loss"] - 1) < 1e-4
    gradients = in_published_form(method, {n: p.grad for n, p in learned(method).items()})
    for name, gradient in gradients.items():
        assert abs(gradient.norm().item() / expected["grad_norms"][name] - 1) < 1e-4, name
        first = torch.tensor(expected["grad_first16"][name])
        assert difference(gradient.flatten()[:16], first) < 1e-3, name


def plain_class_weights(method, names):
    """MaPLe Eqs. (1) to (3) as published: every class by itself, padded, the prompts replaced."""
    clip, n = method.clip, method.P.shape[1]
    symbols, eos = pad(splice_words(clip, names, n, method.words), clip.context_length)
    x = embed(clip, symbols, method.P[0]) + clip.positional_embedding  # [K, L, D_t]
    mask = causal_mask(x.shape[1])
    for i, block in enumerate(clip.transformer.resblocks):
        if 0 < i < len(method.P):
            x = torch.cat([x[:, :1], method.P[i].expand(len(x), -1, -1), x[:, 1 + n :]], dim=1)
        x = block(x, mask)
    return clip.pool_text(x[torch.arange(len(x)), eos])


@pytest.mark.parametrize("n_ctx", [1, 2, 4, 5])
def test_the_tree_equals_the_prompts_one_by_one(clip, n_ctx):
    """To 2e-6 of the largest number, and the gradient of P to 1e-4; with words behind the prompts
    (n_ctx below 4) and without."""
    method = make(clip, "maple", n_ctx=n_ctx)
    fast, plain = method.class_weights(), plain_class_weights(method, NAMES)
    assert difference(fast, plain) < 2e-6
    towards = torch.randn_like(plain)
    ours, theirs = (torch.autograd.grad((w * towards).sum(), method.P)[0] for w in (fast, plain))
    assert difference(ours, theirs) < 1e-4 and theirs.abs().amax(dim=-1).min() > 0


def test_of_a_photo_of_a_two_tokens_are_learned_and_the_others_stay_words(clip):
    words = clip.tokenizer.encode("a photo of a")
    method = make(clip, "maple")
    assert torch.equal(method.P[0], clip.token_embedding.weight[words[:2]])
    symbols = [-1, -2, *words[2:], *clip.tokenizer.encode("cat"), *clip.tokenizer.encode(".")]
    assert method.trees[0].symbols[1 : len(symbols) + 1].tolist() == symbols
    assert torch.equal(method.P[1:], make(clip, "maple", ctx_init=None).P[1:])


def test_more_than_four_vectors_start_at_random_and_leave_no_words(clip):
    method = make(clip, "maple", n_ctx=5)
    assert method.words == [] and abs(method.P.std() - 0.02) < 0.002
    assert -5 in method.trees[0].symbols and method.trees[0].symbols[6] >= 0


def test_the_deeper_maps_start_equal_and_the_first_apart(clip):
    first, *deeper = make(clip, "maple").coupling
    assert len(deeper) > 1
    assert all(torch.equal(F_k.weight, deeper[0].weight) for F_k in deeper)
    assert len({id(F_k.weight) for F_k in deeper}) == len(deeper)
    assert not torch.equal(first.weight, deeper[0].weight)


def test_without_deeper_prompts_the_text_tower_is_coops(clip):
    """MaPLe Sec. 3.2.1: J = 1 degenerates to CoOp; with maps of zero the image tower sees one
    visual prompt again and again, which is the bias alone."""
    n_ctx = len(clip.tokenizer.encode("a photo of a"))
    method = make(clip, "maple", depth=1, n_ctx=min(n_ctx, 4), ctx_init=None)
    coop = make(clip, "coop", n_ctx=min(n_ctx, 4))
    coop.ctx.data.copy_(method.P[0])
    assert torch.equal(method.class_weights(), coop.class_weights())


def test_with_maps_of_zero_the_pictures_do_not_depend_on_the_text_prompts(clip):
    method, images = make(clip, "maple"), pictures(clip)
    for F_k in method.coupling:
        torch.nn.init.zeros_(F_k.weight)
    before = method.encode_image(images)
    method.P.data += 1
    assert torch.equal(method.encode_image(images), before)


def test_the_visual_prompts_follow_from_the_text_prompts(clip):
    """MaPLe Sec. 3.2.3: P-tilde_k = F_k(P_k), layer by layer, and both towers' gradients meet."""
    method, images = make(clip, "maple"), pictures(clip)
    V = method.visual_prompts()
    method.P.data[1] += 1
    changed = (method.visual_prompts() - V).abs().amax(dim=(1, 2)) > 0
    assert changed.tolist() == [False, True] + [False] * (len(V) - 2)
    of_image = torch.autograd.grad(method.encode_image(images).square().sum(), method.P)[0]
    of_text = torch.autograd.grad(method.class_weights().square().sum(), method.P)[0]
    assert of_image.abs().amax(dim=(1, 2)).min() > 0 and of_text.abs().amax(dim=(1, 2)).min() > 0


def test_only_the_first_layers_prompts_pass_ln_pre(clip):
    """The image tower as published: prompts behind the patches, without a position."""
    method, images = make(clip, "maple", depth=2), pictures(clip)
    visual, V = clip.visual, method.visual_prompts()
    x = torch.cat([visual.embed(images), visual.ln_pre(V[0]).expand(3, -1, -1)], dim=1)
    first, second, *others = visual.transformer.resblocks
    x = torch.cat([first(x)[:, :-2], V[1].expand(3, -1, -1)], dim=1)
    for block in [second, *others]:
        x = block(x)
    assert difference(method.encode_image(images), visual.pool(x)) < 1e-5


def test_the_number_of_learned_numbers_is_the_papers(golden_clip):
    """MaPLe Table 6: 3.55 M with ViT-B/16, 9 layers, D_t 512, D_v 768 (3,555,072)."""
    prompts, maps = 9 * 2 * 512, 9 * (512 * 768 + 768)
    assert 3.55e6 < prompts + maps < 3.56e6
    clip = full_size_clip(golden_clip.tokenizer)  # one layer, D_t 512, D_v 64
    method = MaPLe(clip, ["cat", "dog"])
    assert sum(p.numel() for p in learned(method).values()) == 2 * 512 + 512 * 64 + 64


def test_the_recipe_of_imagenet_is_another_one():
    """MaPLe Sec. 4.1, "Implementation Details"."""
    base, all_classes = PAPER.in_protocol("base-to-new"), PAPER.in_protocol("cross-dataset")
    assert (base.lr, base.epochs, base.batch_size, base.options) == (0.0035, 5, 4, {})
    assert (all_classes.lr, all_classes.epochs, all_classes.options) == (0.0026, 2, {"depth": 3})


@pytest.mark.parametrize(
    "options, words",
    [
        (dict(depth=99), "depth must be .* from 1 to .*, not 99"),
        (dict(depth=0), "depth must be .*, not 0"),
        (dict(n_ctx=0), "n_ctx must be a whole number .*, not 0"),
        (dict(n_ctx=3, ctx_init="a"), "ctx_init='a' has 1 tokens, too few for n_ctx=3"),
    ],
    ids=str,
)
def test_impossible_options_are_refused_in_one_sentence(clip, options, words):
    with pytest.raises(ValueError, match=words) as error:
        make(clip, "maple", **options)
    assert "\n" not in str(error.value)


def test_a_resnet_has_no_place_for_visual_prompts(golden_resnet):
    with pytest.raises(ValueError, match="MaPLe puts prompts between patches"):
        MaPLe(golden_resnet, NAMES)


def test_the_depth_is_9_or_all_there_are(clip):
    layers = min(len(t.resblocks) for t in (clip.transformer, clip.visual.transformer))
    assert len(make(clip, "maple").P) == min(9, layers)
