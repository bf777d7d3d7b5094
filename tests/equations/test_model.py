"""CLIP's towers against the published implementation, and against the equations they claim to be."""

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from clip_min.model import Attention, QuickGELU, ResidualAttentionBlock, build_clip
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


def random_attention(causal, width=128):
    torch.manual_seed(0)
    attention = Attention(width, causal)
    nn.init.normal_(attention.in_proj_weight, std=width**-0.5)
    nn.init.normal_(attention.in_proj_bias)
    return attention


@pytest.mark.parametrize("causal", [False, True])
def test_attention_is_the_softmax_written_out(causal):
    """softmax(Q Kᵀ / sqrt(d)) V, head by head (arXiv:1706.03762, Eq. 1)."""
    attention, x = random_attention(causal), torch.randn(3, 7, 128)
    q, k, v = (x @ attention.in_proj_weight.T + attention.in_proj_bias).chunk(3, dim=-1)
    heads = []
    for h in range(2):
        part = slice(64 * h, 64 * (h + 1))
        scores = q[..., part] @ k[..., part].transpose(1, 2) / 64**0.5
        if causal:
            scores = scores + torch.full((7, 7), -torch.inf).triu(1)
        heads.append(scores.softmax(dim=-1) @ v[..., part])
    assert torch.allclose(attention(x), attention.out_proj(torch.cat(heads, dim=-1)), atol=1e-5)


def test_attention_equals_torchs_own():
    ours, theirs = random_attention(causal=False), nn.MultiheadAttention(128, 2, batch_first=True)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(3, 7, 128)
    assert torch.allclose(ours(x), theirs(x, x, x, need_weights=False)[0], atol=1e-5)


def random_block(causal):
    torch.manual_seed(1)
    block = ResidualAttentionBlock(128, causal, QuickGELU)
    nn.init.normal_(block.attn.in_proj_weight, std=128**-0.5)
    return block


def test_a_shared_prefix_gives_the_same_rows_as_the_whole_sequence():
    block, prefix, suffix = random_block(causal=True), torch.randn(1, 4, 128), torch.randn(6, 5, 128)
    whole = block(torch.cat([prefix.expand(6, -1, -1), suffix], dim=1))
    assert torch.allclose(block(suffix, prefix=prefix), whole[:, 4:], atol=1e-5)
    assert torch.allclose(block(prefix), whole[:1, :4], atol=1e-5)


def test_neighbours_can_share_one_prefix_each():
    block, prefix, suffix = random_block(causal=True), torch.randn(2, 4, 128), torch.randn(6, 5, 128)
    whole = block(torch.cat([prefix.repeat_interleave(3, dim=0), suffix], dim=1))
    assert torch.allclose(block(suffix, prefix=prefix), whole[:, 4:], atol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_one_row_alone_equals_that_row_of_the_whole_output(causal):
    block, x, prefix = random_block(causal), torch.randn(3, 7, 128), torch.randn(1, 2, 128)
    row = torch.tensor([6, 0, 3])
    for p in (None, prefix):
        assert torch.allclose(block(x, p, row=row)[:, 0], block(x, p)[torch.arange(3), row], atol=1e-5)


def test_a_later_token_never_changes_an_earlier_one():
    block, x = random_block(causal=True), torch.randn(1, 7, 128)
    changed = x.clone()
    changed[:, 5] += 1
    before, after = block(x), block(changed)
    assert torch.equal(before[:, :5], after[:, :5]) and not torch.equal(before[:, 5:], after[:, 5:])


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
    quick, exact = build_clip(weights).encode_image(images), build_clip(weights, "exact").encode_image(images)
    assert not torch.allclose(quick, exact, atol=1e-3)
    x = torch.randn(9)
    assert torch.allclose(build_clip(weights, "exact").transformer.resblocks[0].mlp.gelu(x), F.gelu(x))
