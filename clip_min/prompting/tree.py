"""The prompts of all classes as one sequence: a tree.

In the text tower a token sees only what stands before it (the causal mask). So prompts that begin
alike are alike up to where they part, at every layer, and that part needs to be computed once:

                                ┌─ cat ── . ── [EOS]
    [SOS] ── [V]_1 ── … ── [V]_M ┤              ┌─ . ── [EOS]
                                └─ red ── rose ─┘
                                       └─ car ── . ── [EOS]

All tokens of the tree stand one after the other in one sequence. A mask lets each of them see its
ancestors and itself, and each has the position that it has in its own prompt. The tower's blocks
stay as they are, nothing is padded, and the results are those of the single prompts.

A prompt is a list of symbols: the id of a token (0, 1, 2, …), or -1, -2, … for the first, second, …
learned context vector. notes/fast.md draws a tree and its mask.
"""

import math

import torch
from torch import nn

from clip_min.prompting.names import readable_names

TOKENS = 400  # of one tree, at most or a little more: attention grows with its square


class PromptTree(nn.Module):
    """K prompts as one sequence of T symbols: one symbol for each different beginning of a prompt.

    symbols [T]: see above. position [T]: its place in its own prompt. eos [K]: where each prompt
    ends. mask [T, T]: True where the token of a row may look at the token of a column.

    >>> tree = PromptTree([[7, 8, 1, 9], [7, 8, 2, 9]])
    >>> tree.symbols.tolist(), tree.position.tolist(), tree.eos.tolist()
    ([7, 8, 1, 9, 2, 9], [0, 1, 2, 3, 2, 3], [3, 5])
    >>> tree.mask[5].int().tolist()  # the second prompt's end sees 7, 8, 2 and itself
    [1, 1, 0, 0, 1, 1]
    """

    def __init__(self, prompts):
        super().__init__()
        place = {}  # the beginning of a prompt → where its last symbol stands in the sequence
        for beginning in beginnings(prompts):
            place.setdefault(beginning, len(place))
        mask = torch.eye(len(place), dtype=torch.bool)  # each token sees itself,
        for beginning, row in place.items():
            if len(beginning) > 1:
                mask[row] |= mask[place[beginning[:-1]]]  # and all that its parent sees
        self.register_buffer("mask", mask, persistent=False)
        symbols = [beginning[-1] for beginning in place]
        position = [len(beginning) - 1 for beginning in place]
        eos = [place[tuple(prompt)] for prompt in prompts]
        for name, numbers in [("symbols", symbols), ("position", position), ("eos", eos)]:
            self.register_buffer(name, torch.tensor(numbers), persistent=False)


def beginnings(prompts):
    """K lists of symbols → all their beginnings, as tuples, the shorter ones of a prompt first.

    >>> list(beginnings([[7, 1], [7, 2]]))
    [(7,), (7, 1), (7,), (7, 2)]
    """
    for prompt in prompts:
        for length in range(1, len(prompt) + 1):
            yield tuple(prompt[:length])


def grow_trees(prompts):
    """K lists of symbols → trees of about `TOKENS` tokens, with equally many prompts in each."""
    tokens = len(set(beginnings(prompts)))  # of a single tree
    size = math.ceil(len(prompts) / math.ceil(tokens / TOKENS))  # prompts of one tree
    parts = [prompts[first : first + size] for first in range(0, len(prompts), size)]
    return nn.ModuleList(PromptTree(part) for part in parts)


def splice(clip, classnames, n_ctx, position="end", class_specific=False):
    """K class names → K prompts, lists of symbols: [SOS], context and name, full stop, [EOS].

    n_ctx: number M of context vectors. position: of the name; "end" is [V]_1 … [V]_M [CLASS],
    "middle" is [V]_1 … [V]_M//2 [CLASS] … [V]_M, "front" is [CLASS] [V]_1 … [V]_M.
    class_specific: class i has the vectors i·M + 1 … i·M + M, and not 1 … M like all others.
    Raises ValueError for a name that makes its prompt longer than the context length.

    >>> from clip_min import load_clip
    >>> splice(load_clip("tiny"), ["cat", "dog"], n_ctx=2, position="middle")
    [[1408, -1, 1155, -2, 269, 1409], [1408, -1, 602, 326, -2, 269, 1409]]
    """
    tokenizer, prompts = clip.tokenizer, []
    before = {"end": n_ctx, "middle": n_ctx // 2, "front": 0}[position]
    for i, name in enumerate(readable_names(classnames)):
        first = i * n_ctx if class_specific else 0
        context = [-1 - m for m in range(first, first + n_ctx)]
        name_length, text = len(tokenizer.encode(name)), tokenizer.encode(f"{name}.")
        words, full_stop = text[:name_length], text[name_length:]
        spliced = [*context[:before], *words, *context[before:], *full_stop]
        prompts.append([tokenizer.sot, *spliced, tokenizer.eot])
        if len(prompts[-1]) > clip.context_length:
            raise ValueError(
                f"The class name {name!r} makes a prompt of {len(prompts[-1])} tokens with {n_ctx} "
                f"context vectors, and {clip.context_length} is the most: shorten it, or lower "
                "n_ctx."
            )
    return prompts


def splice_words(clip, classnames, n_ctx, words):
    """K class names → K prompts of [SOS], n_ctx context vectors, the tokens of `words` from the
    n_ctx-th on, name, full stop, [EOS].

    >>> from clip_min import load_clip
    >>> splice_words(load_clip("tiny"), ["cat", "dog"], n_ctx=1, words=[7, 8, 9])
    [[1408, -1, 8, 9, 1155, 269, 1409], [1408, -1, 8, 9, 602, 326, 269, 1409]]
    """
    kept = {-1 - place: words[place] for place in range(n_ctx, len(words))}  # symbol → token
    prompts = splice(clip, classnames, max(n_ctx, len(words)))
    return [[kept.get(symbol, symbol) for symbol in prompt] for prompt in prompts]


def pad(prompts, length):
    """K lists of symbols → [K, length], with zeros behind each prompt, and its last place [K]."""
    padded = torch.zeros(len(prompts), length, dtype=torch.long)
    for row, prompt in zip(padded, prompts):
        row[: len(prompt)] = torch.tensor(prompt)
    return padded, torch.tensor([len(prompt) - 1 for prompt in prompts])


def embed(clip, symbols, context):
    """symbols [..., L], context vectors [M, D_t] or [B, M, D_t] → [..., L, D_t] or [B, L, D_t]."""
    is_context = symbols < 0
    words = clip.token_embedding(symbols.clamp(min=0))  # [..., L, D_t]
    vectors = context[..., (-1 - symbols).clamp(min=0), :]  # [..., L, D_t]
    return torch.where(is_context[..., None], vectors, words)


def encode_trees(clip, trees, context, deeper=()):
    """Context vectors [B, M, D_t] → the features of all K prompts [B, K, E], not normalised.

    deeper [depth-1, M, D_t]: the prompts of layers 2, 3, … (UPT). Each replaces the outputs at
    places 1 to M. This needs B = 1, and the context directly behind [SOS].
    """
    features = []
    for tree in trees:
        x = embed(clip, tree.symbols, context)  # [B, T, D_t]
        x = x + clip.positional_embedding[tree.position]
        for i, layer in enumerate(clip.transformer.layers(rows=tree.eos)):
            if 0 < i <= len(deeper):
                x = torch.cat([x[:, :1], deeper[i - 1 : i], x[:, 1 + deeper.shape[1] :]], dim=1)
            x = layer(x, tree.mask)  # the last one gives the rows at [EOS]
        features.append(clip.pool_text(x))  # [B, K of this tree, E]
    return torch.cat(features, dim=1)
