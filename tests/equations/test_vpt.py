"""VPT against UPT's Eqs. (3) and (4), the published figures, and a plain version."""

import pytest
import torch

from tests.golden.weights import golden_tensor
from tests.helpers import GOLDEN, VPT, difference, make, pictures, plain_image_features


@pytest.mark.parametrize("case, depth", [("shallow", 1), ("deep", "deep")])
def test_image_features_are_those_of_the_published_blocks(golden_clip, case, depth):
    """UPT Eq. (4): figures of openai/CLIP's blocks (tests/golden/vpt.json)."""
    method, image = make(golden_clip, "vpt", depth=depth), GOLDEN["vit"]["image"]
    for layer in range(len(method.V)):
        method.V.data[layer] = 0.2 * golden_tensor(f"vpt.prompt.{layer}", (4, 128), "image")
    features = method.encode_image(golden_tensor(image["name"], image["shape"], kind="image"))
    assert difference(features, torch.tensor(VPT["image_features"][case])) < 1e-4


@pytest.mark.parametrize("n_ctx", [1, 4])
@pytest.mark.parametrize("depth", [1, 2, "deep"])
def test_prompts_are_inserted_and_dropped_at_each_layer(clip, depth, n_ctx):
    """UPT Eqs. (3) and (4): the features, and the gradient that reaches the prompts."""
    method, images = make(clip, "vpt", depth=depth, n_ctx=n_ctx), pictures(clip)
    layers = len(clip.visual.transformer.resblocks)
    assert method.V.shape == (layers if depth == "deep" else depth, n_ctx, 128)
    ours, plain = method.encode_image(images), plain_image_features(clip, images, method.V)
    assert difference(ours, plain) < 1e-5
    towards = torch.randn_like(plain)
    gradients = [torch.autograd.grad((z * towards).sum(), method.V)[0] for z in (ours, plain)]
    assert difference(*gradients) < 1e-4


def test_without_prompts_it_is_zero_shot_clip(clip):
    """UPT Eq. (4) with n = 0 is Eq. (3), and the text stays the hand-written prompt."""
    method, images = make(clip, "vpt", template="a {} texture."), pictures(clip)
    method.V = torch.nn.Parameter(method.V[:, :0])
    assert torch.allclose(
        method(images), make(clip, "zero_shot", template="a {} texture.")(images), atol=1e-3
    )


def test_prompts_before_ln_pre_pass_through_it_with_the_patches(clip):
    """The published placement: the prompts join [CLS] and the patches before the LayerNorm."""
    visual, images = clip.visual, pictures(clip)
    method = make(clip, "vpt", depth=1, before_ln_pre=True)
    patches = visual.conv1(images).flatten(2).transpose(1, 2)
    x = (
        torch.cat([visual.class_embedding.expand(3, 1, -1), patches], dim=1)
        + visual.positional_embedding
    )
    x = visual.ln_pre(torch.cat([x[:, :1], method.V[0].expand(3, -1, -1), x[:, 1:]], dim=1))
    for block in visual.transformer.resblocks:
        x = block(x)
    assert difference(method.encode_image(images), visual.pool(x)) < 1e-5
    assert (
        difference(method.encode_image(images), make(clip, "vpt", depth=1).encode_image(images))
        > 1e-4
    )


@pytest.mark.parametrize(
    "options, words",
    [
        (dict(depth=0), "depth.* 1 to 3, not 0"),
        (dict(depth=4), "depth.* 1 to 3, not 4"),
        (dict(depth="shallow"), "depth.*'shallow'"),
        (dict(depth=True), "depth.* not True"),
        (dict(n_ctx=0), "n_ctx.* at least 1, not 0"),
        (dict(n_ctx=1.5), "n_ctx.* not 1.5"),
        (dict(before_ln_pre="no"), "before_ln_pre must be True or False, not 'no'"),
    ],
    ids=str,
)
def test_an_impossible_option_is_refused_in_one_sentence(golden_clip, options, words):
    with pytest.raises(ValueError, match=words) as error:
        make(golden_clip, "vpt", **options)
    assert "\n" not in str(error.value)
