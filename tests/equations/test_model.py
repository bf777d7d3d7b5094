"""CLIP's towers against the published implementation and against their equations."""

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from clip_min.model import (
    Attention,
    QuickGELU,
    ResidualAttentionBlock,
    build_clip,
    causal_mask,
    cosines,
)
from tests.golden.weights import golden_state_dict, golden_tensor

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "clip.json").read_text())


@pytest.fixture(scope="module", params=["vit", "rn"])
def golden(request):
    case = GOLDEN[request.param]
    clip = build_clip(golden_state_dict(case["shapes"]))
    images = golden_tensor(case["image"]["name"], case["image"]["shape"], kind="image")
    tokens = torch.zeros(len(case["token_ids"]), 77, dtype=torch.long)
    for row, ids in zip(tokens, case["token_ids"]):
        row[: len(ids)] = torch.tensor(ids)
    return case, clip, images, tokens


def difference(ours, theirs):
    """Largest absolute difference, relative to the largest published figure."""
    theirs = torch.tensor(theirs)
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def test_both_towers_equal_the_published_implementation(golden):
    case, clip, images, tokens = golden
    assert difference(clip.encode_image(images), case["image_features"]) < 1e-4
    assert difference(clip.encode_text(tokens), case["text_features"]) < 1e-4
    assert difference(clip(images, tokens), case["logits_per_image"]) < 1e-4


def test_every_size_is_inferred_from_the_shapes(golden):
    case, clip, _, _ = golden
    assert clip.image_size == case["config"]["image_resolution"]
    assert clip.context_length == 77 and clip.vocab_size == 49408
    assert clip.state_dict().keys() == case["shapes"].keys()


def test_the_model_comes_frozen_and_in_evaluation_mode(golden):
    _, clip, _, _ = golden
    assert not clip.training and not any(p.requires_grad for p in clip.parameters())


def random_attention(width=128):
    torch.manual_seed(0)
    attention = Attention(width)
    nn.init.normal_(attention.in_proj_weight, std=width**-0.5)
    nn.init.normal_(attention.in_proj_bias)
    return attention


@pytest.mark.parametrize("mask", [None, causal_mask(7)], ids=["everywhere", "causal"])
def test_attention_is_the_softmax_written_out(mask):
    """softmax(Q Kᵀ / sqrt(d)) V, head by head (arXiv:1706.03762, Eq. 1)."""
    attention, x = random_attention(), torch.randn(3, 7, 128)
    q, k, v = (x @ attention.in_proj_weight.T + attention.in_proj_bias).chunk(3, dim=-1)
    heads = []
    for h in range(2):
        part = slice(64 * h, 64 * (h + 1))
        scores = q[..., part] @ k[..., part].transpose(1, 2) / 64**0.5
        if mask is not None:
            scores = scores + torch.full((7, 7), -torch.inf).triu(1)
        heads.append(scores.softmax(dim=-1) @ v[..., part])
    by_hand = attention.out_proj(torch.cat(heads, dim=-1))
    assert torch.allclose(attention(x, mask), by_hand, atol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_attention_equals_torchs_own(causal):
    ours, theirs = random_attention(), nn.MultiheadAttention(128, 2, batch_first=True)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(3, 7, 128)
    mask, hidden = (causal_mask(7), torch.ones(7, 7).triu(1).bool()) if causal else (None, None)
    expected = theirs(x, x, x, need_weights=False, attn_mask=hidden)[0]
    assert torch.allclose(ours(x, mask), expected, atol=1e-5)


def random_block():
    torch.manual_seed(1)
    block = ResidualAttentionBlock(128, QuickGELU)
    nn.init.normal_(block.attn.in_proj_weight, std=128**-0.5)
    return block


@pytest.mark.parametrize("mask", [None, causal_mask(7)], ids=["everywhere", "causal"])
@pytest.mark.parametrize("rows", [slice(0, 1), torch.tensor([6, 0, 3])], ids=["CLS", "EOS"])
def test_some_rows_alone_equal_those_rows_of_the_whole_output(mask, rows):
    block, x = random_block(), torch.randn(3, 7, 128)
    assert torch.allclose(block(x, mask, rows), block(x, mask)[:, rows], atol=1e-5)


def test_a_later_token_never_changes_an_earlier_one():
    block, x = random_block(), torch.randn(1, 7, 128)
    changed = x.clone()
    changed[:, 5] += 1
    before, after = block(x, causal_mask(7)), block(changed, causal_mask(7))
    assert torch.equal(before[:, :5], after[:, :5])
    assert not torch.equal(before[:, 5:], after[:, 5:])


def test_the_last_layer_alone_leaves_rows_out(golden):
    """What is left out is never read: the features of the towers are those above."""
    _, clip, _, _ = golden
    x, width = torch.randn(2, 5, 128), clip.ln_final.weight.shape[0]
    assert width == 128
    *layers, last = clip.transformer.layers(rows=torch.tensor([4]))
    assert [len(layer(x)[0]) for layer in layers] == [5] * len(layers)
    assert last(x).shape == (2, 1, 128)


def test_cosines_are_those_of_torch_for_shared_and_for_own_class_weights():
    """CoOp Eq. (1) and CoCoOp Eq. (3): class weights for all pictures, or for each picture."""
    f, w = 3 * torch.randn(2, 8), 5 * torch.randn(2, 4, 8)
    expected = F.cosine_similarity(f[:, None], w, dim=-1)
    assert torch.allclose(cosines(f, w), expected, atol=1e-6)
    assert torch.allclose(
        cosines(f, w[0]), F.cosine_similarity(f[:, None], w[0], dim=-1), atol=1e-6
    )


def test_under_autocast_clips_logits_have_the_resolution_of_fp32(golden):
    """Logits near 20 in steps of 0.125, as bf16 has them, would tie."""
    _, clip, images, tokens = golden
    with torch.autocast("cpu", torch.bfloat16):
        logits = clip(images, tokens)
    assert logits.dtype == torch.float32
    assert not torch.equal(logits, logits.bfloat16().float())
    assert torch.allclose(logits, clip(images, tokens), atol=3)


def test_padding_after_eos_changes_nothing(golden):
    _, clip, _, tokens = golden
    garbage = torch.where(tokens == 0, 7, tokens)  # ids below [EOS]'s, so the arg-max stays
    assert torch.allclose(clip.encode_text(garbage), clip.encode_text(tokens), atol=1e-5)


def test_quick_gelu_is_x_times_sigmoid_of_1_702_x():
    x = torch.linspace(-6, 6, 101)
    assert torch.allclose(QuickGELU()(x), x * torch.sigmoid(1.702 * x), atol=1e-6)


def test_the_exact_gelu_is_another_function():
    case = GOLDEN["vit"]
    weights = golden_state_dict(case["shapes"])
    images = golden_tensor(case["image"]["name"], case["image"]["shape"], kind="image")
    quick, exact = build_clip(weights), build_clip(weights, "exact")
    assert not torch.allclose(quick.encode_image(images), exact.encode_image(images), atol=1e-3)
    x = torch.randn(9)
    assert torch.allclose(exact.transformer.resblocks[0].mlp.gelu(x), F.gelu(x))
