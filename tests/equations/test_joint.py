"""The designs of UPT's Fig. 5: where their prompts come from, and what the towers do with them."""

import pytest
import torch

from tests.helpers import (
    NAMES,
    difference,
    learned,
    make,
    pictures,
    plain_class_weights,
    plain_image_features,
)

DESIGNS = ("joint", "shared", "mlp")


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("depth", [1, 2, "deep"])
def test_the_towers_take_the_prompts_as_the_plain_version_does(clip, design, depth):
    """UPT Eqs. (2) to (4): features and gradients, in both towers."""
    method, images = make(clip, design, depth=depth), pictures(clip)
    T, V = method.prompts()
    layers = len(clip.visual.transformer.resblocks) if depth == "deep" else depth
    assert V.shape == (layers, 4, 128) and T.shape == (1 if design == "joint" else layers, 4, 128)
    pairs = [(method.class_weights(), plain_class_weights(clip, NAMES, T))]
    pairs += [(method.encode_image(images), plain_image_features(clip, images, V))]
    parameters = list(learned(method).values())
    for ours, plain in pairs:
        assert (ours - plain).abs().max() < 1e-5
        towards = torch.randn_like(plain)
        gradients = [
            torch.autograd.grad(
                (x * towards).sum(), parameters, retain_graph=True, materialize_grads=True
            )
            for x in (ours, plain)
        ]
        assert all(difference(x, y) < 1e-4 for x, y in zip(*gradients) if y.any())


def reached(method, tensor):
    """The names of the learned parameters that a tensor depends on."""
    names, parameters = zip(*learned(method).items())
    gradients = torch.autograd.grad(
        tensor.square().sum(), parameters, allow_unused=True, retain_graph=True
    )
    return {
        name for name, gradient in zip(names, gradients) if gradient is not None and gradient.any()
    }


def test_jointly_trained_prompts_know_nothing_of_each_other(clip):
    """UPT Fig. 5 (a): CoOp's and VPT's prompts side by side."""
    method = make(clip, "joint")
    assert reached(method, method.prompts()[0]) == {"T"} and reached(
        method, method.prompts()[1]
    ) == {"V"}


def test_with_one_modalitys_prompts_joint_is_coop_or_vpt(clip):
    """UPT Fig. 5 (a)."""
    joint, images = make(clip, "joint"), pictures(clip)
    coop, vpt = make(clip, "coop", n_ctx=4), make(clip, "vpt")
    coop.ctx.data, vpt.V.data = joint.T.data[0], joint.V.data
    assert torch.allclose(joint.class_weights(), coop.class_weights(), atol=1e-5)
    assert torch.allclose(joint.encode_image(images), vpt.encode_image(images), atol=1e-5)


def test_shared_prompts_are_the_same_vectors_in_both_towers(clip):
    """UPT Fig. 5 (b): the text tower's as they are, the image tower's through a linear map."""
    method = make(clip, "shared")
    T, V = method.prompts()
    assert torch.equal(T, method.U)
    assert torch.allclose(V, T @ method.to_visual.weight.T + method.to_visual.bias)


def test_the_mlp_mixes_no_prompts(clip):
    """UPT Fig. 5 (c): two layers in place of theta; a prompt changes itself alone."""
    method = make(clip, "mlp")
    before = [x.detach() for x in method.prompts()]
    method.U.data[1, 0] += 1
    changed = [(new - old).abs().amax(dim=-1) > 1e-6 for new, old in zip(method.prompts(), before)]
    assert changed[0].nonzero().tolist() == [[1, 0]] and not changed[1].any()
    W_1, b_1, W_2, b_2 = method.mlp.parameters()
    U_hat = (method.U @ W_1.T + b_1).clamp(min=0) @ W_2.T + b_2
    T, V = method.prompts()
    assert torch.allclose(T, U_hat[:, :4], atol=1e-6)
    assert torch.allclose(V, method.to_visual(U_hat[:, 4:]), atol=1e-6)


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize(
    "options, words",
    [
        (dict(depth=0), "depth.* not 0"),
        (dict(depth=4), "depth.* 1 to 3, not 4"),
        (dict(n_ctx=0), "n_ctx.* not 0"),
        (dict(n_ctx=74), "n_ctx.* not 74"),
    ],
    ids=str,
)
def test_an_impossible_option_is_refused_in_one_sentence(golden_clip, design, options, words):
    with pytest.raises(ValueError, match=words) as error:
        make(golden_clip, design, **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "design, options, words",
    [
        ("joint", dict(text_depth=2), '"deep" or 1, not 2'),
        ("shared", dict(depth=2, text_depth=3), "1 to 2, not 3"),
        ("mlp", dict(text_depth=0), "1 to 3, not 0"),
    ],
)
def test_text_prompts_go_no_deeper_than_the_design_has_them(golden_clip, design, options, words):
    with pytest.raises(ValueError, match=f"text_depth must be .*{words}"):
        make(golden_clip, design, **options)


def test_text_depth_1_is_what_joint_always_does(clip):
    joint, same = make(clip, "joint"), make(clip, "joint", text_depth=1)
    assert torch.equal(joint.class_weights(), same.class_weights())
