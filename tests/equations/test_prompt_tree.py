"""Prompts as a tree: its shape by hand, and its features against each prompt run alone."""

import copy

import pytest
import torch

from clip_min.model import causal_mask
from clip_min.prompting.options import initial_context
from clip_min.prompting.tree import PromptTree, embed, encode_trees, grow_trees, pad, splice
from tests.helpers import difference

NAMES = ["red rose", "red car", "red", "cat", "red_rose"]


def test_a_tree_worked_by_hand():
    """[SOS] V1 cat [EOS], [SOS] V1 dog [EOS]: what both begin with stands there once."""
    tree = PromptTree([[0, -1, 5, 9], [0, -1, 6, 9]])
    assert tree.symbols.tolist() == [0, -1, 5, 9, 6, 9]
    assert tree.position.tolist() == [0, 1, 2, 3, 2, 3]
    assert tree.eos.tolist() == [3, 5]
    assert tree.mask.int().tolist() == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0, 0],
        [1, 1, 0, 0, 1, 0],
        [1, 1, 0, 0, 1, 1],
    ]


def test_along_its_ancestors_a_leaf_reads_its_own_prompt(clip):
    """Each [EOS] sees exactly its prompt: the same symbols, in order, at positions 0, 1, 2, …"""
    prompts = splice(clip, NAMES, 3, position="middle")
    tree = PromptTree(prompts)
    for prompt, eos in zip(prompts, tree.eos):
        seen = tree.mask[eos]
        assert tree.symbols[seen].tolist() == prompt
        assert tree.position[seen].tolist() == list(range(len(prompt)))


def test_names_that_begin_alike_share_their_first_tokens_and_equal_ones_everything(clip):
    tokens = clip.tokenizer.encode
    tree = PromptTree(splice(clip, NAMES, 2))
    shared = 1 + 2 + len(tokens("red"))
    own = sum(len(tokens(word)) + 2 for word in ("rose", "car", "cat")) + 2  # and . [EOS] of "red"
    assert len(tree.symbols) == shared + own
    assert tree.eos[0] == tree.eos[4]


def test_one_prompt_is_a_tree_with_the_causal_mask():
    tree = PromptTree([[7, 1, 2, 3]])
    assert torch.equal(tree.mask, causal_mask(4))
    assert tree.position.tolist() == [0, 1, 2, 3] and tree.eos.tolist() == [3]


@pytest.mark.parametrize(
    "position, expected",
    [
        ("end", "S 1 2 3 cat . E"),
        ("middle", "S 1 cat 2 3 . E"),
        ("front", "S cat 1 2 3 . E"),
    ],
)
@pytest.mark.parametrize("class_specific", [False, True])
def test_the_splice_by_hand(clip, position, expected, class_specific):
    """CoOp Eqs. (2) and (4): M = 3; with class-specific contexts the second class has 4 to 6."""
    ids = {"S": [clip.tokenizer.sot], "E": [clip.tokenizer.eot]}
    for word in ("cat", "."):
        ids[word] = clip.tokenizer.encode(word)
    for number in (1, 2, 3):
        ids[str(number)] = [-number - 3 if class_specific else -number]
    right = [symbol for word in expected.split() for symbol in ids[word]]
    assert splice(clip, ["dog", "cat"], 3, position, class_specific)[1] == right


def test_padding_puts_zeros_behind_eos():
    padded, eos = pad([[7, 1, 9], [7, 9]], 5)
    assert padded.tolist() == [[7, 1, 9, 0, 0], [7, 9, 0, 0, 0]] and eos.tolist() == [2, 1]


def test_embedding_takes_context_vectors_for_negative_symbols(clip):
    words, context = clip.token_embedding.weight, torch.randn(2, 3, 128)  # two pictures, M = 3
    x = embed(clip, torch.tensor([5, -1, 6, -3]), context)
    for picture in (0, 1):
        expected = torch.stack([words[5], context[picture, 0], words[6], context[picture, 2]])
        assert torch.equal(x[picture], expected)


@pytest.mark.parametrize("tokens", [1, 30, 1000], ids=lambda n: f"{n} tokens a tree")
@pytest.mark.parametrize("position", ["end", "middle", "front"])
def test_the_features_are_those_of_each_prompt_run_alone(clip, monkeypatch, position, tokens):
    """To 2e-6, of however many trees the prompts are, for two contexts at once."""
    monkeypatch.setattr("clip_min.prompting.tree.TOKENS", tokens)
    prompts, context = splice(clip, NAMES, 3, position), torch.randn(2, 3, 128)
    trees = grow_trees(prompts)
    assert len(trees) == {1: len(NAMES), 1000: 1}.get(tokens, len(trees))
    features = encode_trees(clip, trees, context)
    for i, prompt in enumerate(prompts):
        x = embed(clip, torch.tensor(prompt), context) + clip.positional_embedding[: len(prompt)]
        x = clip.transformer(x, causal_mask(len(prompt)))
        assert difference(features[:, i], clip.pool_text(x[:, -1])) < 2e-6


def test_a_thousand_classes_become_trees_of_the_size_that_is_asked_for(golden_clip):
    names = [f"{a}{b}{c}" for a in "abcdefghij" for b in "klmnopqrst" for c in "uvwxyzabcd"]
    trees = grow_trees(splice(golden_clip, names, 4))
    assert sum(len(tree.eos) for tree in trees) == 1000
    assert all(len(tree.symbols) <= 1.1 * 400 for tree in trees) and len(trees) < 12


def test_deeper_prompts_replace_what_comes_out_in_the_places_of_the_context(clip):
    """UPT Eq. (4) in the text tower: whatever stood there before the second layer is forgotten."""
    trees, context = grow_trees(splice(clip, NAMES, 3)), torch.randn(1, 3, 128)
    plain = encode_trees(clip, trees, context)
    layers = len(clip.transformer.resblocks)
    deeper = torch.randn(layers - 1, 3, 128, requires_grad=True)
    deep = encode_trees(clip, trees, context, deeper)
    assert difference(deep, plain) > 1e-3
    (gradient,) = torch.autograd.grad(deep.square().sum(), deeper)
    assert (gradient.norm(dim=-1) > 0).all()


def test_a_random_start_is_the_same_on_every_device_for_one_seed(golden_clip):
    """It is drawn on the CPU, from torch's global generator."""
    torch.manual_seed(3)
    expected = 0.02 * torch.randn(4, 128)
    for clip in (golden_clip, copy.deepcopy(golden_clip).to("meta")):  # "meta": another device
        torch.manual_seed(3)
        assert torch.equal(initial_context(clip, 4, None, default=16), expected)


def test_default_words_make_room_for_another_number_and_other_words_do_not(clip):
    words = clip.token_embedding.weight[clip.tokenizer.encode("a photo of a")]
    start = dict(ctx_init="a photo of a", default=4, default_words="a photo of a")
    assert torch.equal(initial_context(clip, None, **start), words)
    assert torch.equal(initial_context(clip, len(words), **start), words)
    assert initial_context(clip, 7, **start).std() < 0.03
    with pytest.raises(ValueError, match="contradicts n_ctx=7"):
        initial_context(clip, 7, "an image of a", default=4, default_words="a photo of a")
