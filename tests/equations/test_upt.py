"""UPT against its paper's equations, each written out once more in the plainest way."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from clip_min import load_clip
from clip_min.model import CLIP, VisionTransformer
from prompts import upt
from prompts.upt import UPT, Theta
from tests.golden.weights import golden_tensor
from tests.helpers import (
    GOLDEN,
    NAMES,
    VPT,
    difference,
    learned,
    letters_tokenizer,
    make,
    pictures,
    plain_class_weights,
    plain_image_features,
)

depths = pytest.mark.parametrize("depth", [1, 2, "deep"])


# Inside the towers: Eqs. (2), (3) and (4)


@depths
def test_visual_prompts_are_inserted_and_dropped_at_each_layer(clip, depth):
    """UPT Eqs. (3) and (4)."""
    method, images = make(clip, depth=depth), pictures(clip)
    layers = len(clip.visual.transformer.resblocks)
    assert len(method.U) == (layers if depth == "deep" else depth)
    V = method.prompts()[1].detach()
    assert difference(method.encode_image(images), plain_image_features(clip, images, V)) < 1e-5
    assert difference(method.encode_image(images), clip.encode_image(images)) > 1e-3


@pytest.mark.parametrize("case, depth", [("none", 0), ("shallow", 1), ("deep", 3)])
def test_visual_prompts_give_the_published_features(golden_clip, monkeypatch, case, depth):
    """UPT Eq. (4) with VPT's prompts: figures of openai/CLIP's blocks (tests/golden/vpt.json)."""
    V = torch.zeros(depth, 4, 128)
    for layer in range(depth):
        V[layer] = 0.2 * golden_tensor(f"vpt.prompt.{layer}", (4, 128), "image")
    method, image = make(golden_clip), GOLDEN["vit"]["image"]
    monkeypatch.setattr(method, "prompts", lambda: (torch.randn(3, 4, 128), V))
    features = method.encode_image(golden_tensor(image["name"], image["shape"], kind="image"))
    assert difference(features, torch.tensor(VPT["image_features"][case])) < 1e-4


@depths
def test_the_tree_gives_the_class_weights_of_whole_sequences(clip, depth):
    """UPT Eq. (2), with prompts at each layer: the features, and the gradient that reaches U."""
    method = make(clip, depth=depth)
    weights, plain = method.class_weights(), plain_class_weights(clip, NAMES, method.prompts()[0])
    assert weights.shape == (len(NAMES), clip.text_projection.shape[1])
    assert (weights - plain).abs().max() < 1e-5
    towards = torch.randn_like(weights)
    ours, theirs = (torch.autograd.grad((w * towards).sum(), method.U)[0] for w in (weights, plain))
    assert difference(ours, theirs) < 1e-4
    assert (
        not theirs[:, 4:].eq(0).all()
    )  # the text tower reaches the visual half too, through theta


def test_a_class_name_may_fill_the_context_to_its_last_place(golden_clip):
    """UPT Eq. (2): [SOS], 4 prompts, 70 letters, the full stop and [EOS] are 77 tokens."""
    method = make(golden_clip)
    names = ["cat", "a" * 70]
    method.set_classes(names)
    assert (
        method.class_weights() - plain_class_weights(golden_clip, names, method.prompts()[0])
    ).abs().max() < 1e-5
    with pytest.raises(ValueError, match="aaaaa"):
        method.set_classes(["cat", "a" * 71])


def test_prompts_that_are_word_embeddings_make_zero_shot_clip(clip, monkeypatch):
    """UPT Eq. (2) with t_1 … t_m = "a photo of a", in the first layer: the hand-written prompt."""
    ids = torch.tensor(clip.tokenizer.encode("a photo of a"))
    method = make(clip, n_ctx=len(ids), depth=1)
    T = clip.token_embedding(ids)[None]
    monkeypatch.setattr(method, "prompts", lambda: (T, torch.zeros(0, len(ids), 128)))
    images = pictures(clip)
    assert torch.allclose(method(images), make(clip, "zero_shot")(images), atol=1e-3)


# Theta: Eq. (5)


def theta_written_out(theta, U):
    """UPT Eq. (5), one layer, one prompt, one head at a time. U and U-hat are [depth, 2n, D]."""
    weight = {name: p.detach().numpy() for name, p in theta.named_parameters()}
    D, H = U.shape[-1], theta.heads

    def linear(name, x):
        return weight[f"{name}.weight"] @ x + weight[f"{name}.bias"]

    def LN(name, x):
        std = np.sqrt(((x - x.mean()) ** 2).mean() + 1e-5)
        return (x - x.mean()) / std * weight[f"{name}.weight"] + weight[f"{name}.bias"]

    def FFN(x):
        return linear("ffn.2", np.maximum(linear("ffn.0", x), 0))

    U_hat = np.zeros_like(U)
    for i, prompts in enumerate(U):
        seen = [LN("ln_1", u) for u in prompts] if theta.attention == "normed" else prompts
        q, k, v = zip(*[np.split(linear("in_proj", u), 3) for u in seen])
        for j, u in enumerate(prompts):
            mixed = np.zeros(D)
            for h in range(H):
                head = slice(h * D // H, (h + 1) * D // H)
                e = [np.exp(q[j][head] @ key[head] / np.sqrt(D / H)) for key in k]
                mixed[head] = sum(e_l / sum(e) * value[head] for e_l, value in zip(e, v))
            if theta.attention != "released":
                u = linear("out_proj", mixed) + LN("ln_1", u)
                U_hat[i, j] = FFN(LN("ln_2", u)) + LN("ln_2", u)
            else:  # a prompt that sees itself alone mixes in nothing but its own value
                u = LN("ln_1", u + linear("out_proj", v[j]))
                U_hat[i, j] = u + FFN(LN("ln_2", u))
    return U_hat


@pytest.mark.parametrize(
    "attention, heads",
    [("literal", 1), ("literal", 2), ("normed", 1), ("normed", 2), ("released", 1)],
)
def test_theta_is_its_equation_written_out(attention, heads):
    """UPT Eq. (5) to the letter and with SA(LN U), and the layer of the author's release."""
    torch.manual_seed(0)
    theta = Theta(8, heads, 0.0, attention).double()
    for parameter in theta.parameters():
        nn.init.normal_(
            parameter
        )  # LayerNorm's gains and biases too, which start as ones and zeros
    U = torch.randn(3, 6, 8, dtype=torch.float64)
    assert np.allclose(theta(U).detach().numpy(), theta_written_out(theta, U.numpy()), atol=1e-9)


def changes(method, layer, prompt):
    """One prompt of U is drawn anew, at the scale of U. → how far each prompt of theta's output
    moves [depth, 2n], relative to its length.
    """
    U, generator = method.U.detach(), torch.Generator().manual_seed(0)
    before, new = method.theta(U), U.clone()
    new[layer, prompt] = U.std() * torch.randn(U.shape[-1], generator=generator)
    return ((method.theta(new) - before).norm(dim=-1) / before.norm(dim=-1)).detach()


def train_briefly(method, steps=20):
    """SGD on three random pictures, with the tiny CLIP's learning rate and clipping."""
    parameters, images = list(learned(method).values()), pictures(method.clip)
    optimiser = torch.optim.SGD(parameters, upt.TINY.lr, momentum=0.9)
    for _ in range(steps):
        optimiser.zero_grad()
        F.cross_entropy(method(images), torch.arange(3)).backward()
        nn.utils.clip_grad_norm_(parameters, upt.TINY.max_norm)
        optimiser.step()


@pytest.mark.parametrize("trained", [False, True], ids=["start", "trained"])
@pytest.mark.parametrize(
    "options, least, most",
    [
        (dict(attention="literal"), 1e-4, 4e-3),
        (dict(attention="literal", start=1.0), 2e-2, 0.5),
        (dict(attention="normed"), 2e-2, 0.5),
        (dict(attention="released"), 0, 0),
    ],
    ids=["literal", "literal, start=1", "normed", "released"],
)
def test_how_far_one_prompt_moves_the_others(clip, options, least, most, trained):
    """UPT Eq. (5) at the scale that U has: LN(U) is sqrt(D) long, and SA(U) of a small U is nearly
    the same for all prompts. So mixing hardly matters to the letter's reading. SA(LN U) moves the
    others some 50 times as far, and the release mixes nothing.
    """
    method = make(clip, **options)
    if trained:
        train_briefly(method)
    for prompt in (0, 4):  # of the text tower, of the image tower
        moved = changes(method, 1, prompt)
        others = torch.cat([moved[1, :prompt], moved[1, prompt + 1 :]])
        assert moved[1, prompt] > 0.1 and not moved[[0, 2]].any()  # no other layer
        assert least <= others.min() and others.max() <= most


def test_prompts_are_far_longer_than_words():
    """UPT Eq. (5) ends in LN(U'), so that text prompts are about sqrt(D) long; words are not."""
    clip = load_clip("tiny")
    words = clip.token_embedding.weight[clip.tokenizer.encode("a photo of a")].norm(dim=-1)
    for attention in ("literal", "normed", "released"):
        lengths = make(clip, attention=attention).prompts()[0].norm(dim=-1)
        assert (lengths / 128**0.5 - 1).abs().max() < 0.15 and lengths.min() > 5 * words.max()


@pytest.mark.parametrize(
    "name, options",
    [
        ("upt", {}),
        ("upt", dict(attention="normed")),
        ("shared", {}),
        ("mlp", {}),
    ],
    ids=str,
)
def test_text_depth_1_prompts_the_text_tower_at_its_input_only(clip, name, options):
    """The reading "vpt-deep + coop": visual prompts at each layer, text prompts at the input."""
    deep, shallow = (make(clip, name, **options, text_depth=t) for t in ("deep", 1))
    (T, V), images = shallow.prompts(), pictures(clip)
    assert T.shape == (1, 4, 128) and torch.equal(V, deep.prompts()[1])
    assert torch.equal(shallow.encode_image(images), deep.encode_image(images))
    plain = plain_class_weights(clip, NAMES, deep.prompts()[0][:1])
    assert (shallow.class_weights() - plain).abs().max() < 1e-5
    assert difference(shallow.class_weights(), deep.class_weights()) > 1e-3


@pytest.mark.parametrize("text_depth", [1, "deep"])
@pytest.mark.parametrize("attention", ["literal", "normed"])
def test_gradients_reach_every_prompt_and_theta(clip, attention, text_depth):
    """Each tower's features depend on both halves of U, through theta, in the layers it has."""
    method = make(clip, attention=attention, text_depth=text_depth)
    towers = [(method.class_weights(), method.text_depth)]
    towers += [(method.encode_image(pictures(clip)), len(method.U))]
    for features, layers in towers:
        loss = (features * torch.randn_like(features)).sum()
        gradients = torch.autograd.grad(loss, [method.U, *method.theta.parameters()])
        reached = gradients[0].norm(dim=-1) > 0  # [depth, 2n]
        assert reached[:layers].all() and not reached[layers:].any()
        assert all(gradient.any() for gradient in gradients)


def test_dropout_acts_in_training_only(golden_clip):
    method, without = make(golden_clip, dropout=0.5), make(golden_clip)
    assert torch.equal(method.prompts()[0], without.prompts()[0])
    method.train()
    assert not torch.equal(method.prompts()[0], method.prompts()[0])


def test_upt_on_vit_b_16_learns_1_98_million_numbers(tmp_path):
    """At depth 1, as many as the author's release: U, theta, and the map to the vision width."""
    visual = VisionTransformer(image_size=16, patch_size=16, width=768, layers=1, embed_dim=512)
    clip = CLIP(visual, 16, embed_dim=512, vocab_size=514, context_length=77, width=512, layers=1)
    clip.requires_grad_(False).tokenizer = letters_tokenizer(tmp_path, openai_ids=False)
    U, attention, norms = 2 * 4 * 512, 4 * 512 * 512 + 4 * 512, 2 * 2 * 512
    ffn, to_visual = 2 * (512 * 512 + 512), 512 * 768 + 768
    count = sum(p.numel() for p in learned(make(clip, n_ctx=4, depth=1)).values())
    assert count == U + attention + norms + ffn + to_visual == 1_976_064


# Options


@pytest.mark.parametrize(
    "options, words",
    [
        (dict(depth=0), "^depth.* 1 to 3, not 0"),
        (dict(depth=4), "depth.* 1 to 3, not 4"),
        (dict(depth=-1), "depth.* 1 to 3, not -1"),
        (dict(depth="shallow"), "depth.*'shallow'"),
        (dict(depth=1.5), "depth.* not 1.5"),
        (dict(n_ctx=0), "n_ctx.* not 0"),
        (dict(n_ctx=2.5), "n_ctx.* not 2.5"),
        (dict(n_ctx=77), "n_ctx.* not 77"),
        (dict(n_ctx=100), "n_ctx.* not 100"),
        (dict(heads=3), "heads must divide.* 128, which 3 "),
        (dict(heads=0), "heads must be a whole number of at least 1, not 0"),
        (dict(dropout=2), "dropout.* 2"),
        (dict(attention="foo"), '"literal", "normed" or "released", not \'foo\''),
        (dict(start=0), "start must be a positive number, not 0"),
        (dict(start=-0.1), "start.* not -0.1"),
        (dict(start=float("inf")), "start.* not inf"),
        (dict(start="wide"), "start.* not 'wide'"),
        (dict(start=True), "start.* not True"),
        (dict(text_depth=0), "text_depth.* 1 to 3, not 0"),
        (dict(depth=2, text_depth=3), "text_depth.* 1 to 2, not 3"),
        (dict(text_depth="shallow"), "text_depth.*'shallow'"),
    ],
    ids=str,
)
def test_an_impossible_option_is_refused_in_one_sentence(golden_clip, options, words):
    with pytest.raises(ValueError, match=words) as error:
        make(golden_clip, **options)
    assert "\n" not in str(error.value)


def test_upt_is_trained_as_the_papers_say():
    """UPT, Appendix B; epochs: CoOp, Sec. 3.1."""
    recipe = upt.PAPER
    assert (recipe.lr, recipe.batch_size, recipe.options, recipe.max_norm) == (0.002, 32, {}, None)
    assert recipe.epochs == {1: 50, 2: 100, 4: 100, 8: 200, 16: 200}
    assert UPT(load_clip("tiny"), NAMES).n_ctx == 4
