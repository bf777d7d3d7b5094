"""Checks of the exercises on CoCoOp: 11, 12 and 23."""

import torch
import torch.nn.functional as F
from torch import nn

from notes.exercises.checks.inputs import (FEW, NAMES, odd_clip, tiny, tokens_read,
                                           unequal_features, widths)
from notes.exercises.judge import close, compare, need, same_gradients, tensor, unchanged
from notes.exercises.plain_towers import plain_class_weights, plain_prompts

# 11: the Meta-Net


def meta_net(student):
    """11: the same network, written here; equal and different widths, several B and M."""
    for clip, names, B, M in ((tiny(), NAMES, 4, 4), (odd_clip(), FEW, 6, 2),
                              (odd_clip(), NAMES, 1, 4)):
        method = student.CoCoOp(clip, names, n_ctx=M, ctx_init=None)
        layers = layers_of(method, clip)
        need(layers[0].weight.any() and layers[1].weight.any(),
             "A weight of the Meta-Net is 0 at the start. With both layers at 0, or the first one, "
             "no gradient ever reaches the weights: leave them as nn.Linear makes them.")
        for parameter in method.meta_net.parameters():
            nn.init.normal_(parameter)
        context_of_pictures(method, layers, unequal_features(B, widths(clip)[0]))
        method.eval()
        context_of_pictures(method, layers, unequal_features(B, widths(clip)[0]))
        with torch.no_grad():
            for parameter in method.meta_net.parameters():
                parameter.zero_()
        f = torch.randn(B, widths(clip)[0])
        need(close(method.context(f), method.ctx.expand(B, *method.ctx.shape)),
             "With a Meta-Net of zeros, it should be CoOp.")


def layers_of(method, clip):
    """The two linear layers E → E/16 → D_t of a method's Meta-Net, in whatever order they are."""
    E, D_t, _ = widths(clip)
    linears = [m for m in method.meta_net.modules() if isinstance(m, nn.Linear)]
    by_shape = {tuple(m.weight.shape): m for m in linears}
    shapes = [list(shape) for shape in by_shape]
    wanted = [(E // 16, E), (D_t, E // 16)]
    need(len(linears) == 2 and set(by_shape) == set(wanted),
         f"With E = {E} and D_t = {D_t}, the Meta-Net's weights have the shapes {shapes}, and "
         f"{list(wanted[0])}, {list(wanted[1])} are wanted: E → E/16 → D_t.")
    first, second = (by_shape[shape] for shape in wanted)
    need(first.bias is not None and second.bias is not None,
         "A linear layer of the Meta-Net has no bias: the published code's have one, and the "
         "35,360 numbers include it.")
    return first, second


def context_of_pictures(method, layers, f):
    """Raises Wrong unless context(f) is v_m + pi, with the right gradients."""
    (B, E), (M, D_t), (first, second) = f.shape, method.ctx.shape, layers
    given = f.clone()
    got = method.context(given)
    unchanged(given, f, "context")
    one_axis_less = getattr(got, "shape", None) in ((M, D_t), (1, M, D_t))
    need(B == 1 or not one_axis_less,
         "pi is added along the wrong axis: vector m got pi of picture m, and no error came "
         "because B and M are equal here. v(x) is [B, M, D_t].")
    got = tensor(got, [B, M, D_t], f"context(x [{B}, {E}]) with M = {M}")

    def pi(x, act=F.relu):
        return second(act(first(x)))[:, None]  # [B, 1, D_t]

    v, unit = method.ctx, F.normalize(f, dim=-1)
    mistakes = [
        (v + pi(f),
         "The Meta-Net sees how long a feature is: normalise it first, as the published code "
         "does."),
        (v + pi(F.normalize(f, dim=0)),
         "You normalised over the batch: pi of a picture then depends on the other pictures. Each "
         "row is a feature, so dim=-1."),
        (v + pi(f / f.norm()),
         "f.norm() without `dim` is one number for the whole batch: use F.normalize(..., dim=-1)."),
        (v + pi(unit, nn.Identity()), "The ReLU is missing."),
        (v + torch.zeros(B, 1, 1), "pi is not added: the context is the same for all pictures."),
        (0 * v + pi(unit), "This is pi alone: v_m(x) = v_m + pi."),
    ]
    if B == M:
        wrong_axis = v + pi(unit).transpose(0, 1)
        sentence = "pi is added along the wrong axis: pi of picture m to vector m."
        mistakes.append((wrong_axis.expand(B, M, D_t), sentence))
    right = v + pi(unit)
    compare(got, right, mistakes, "v_m(x) - v_m is not the Meta-Net's output for picture x.")
    learned = {"ctx": method.ctx, "the Meta-Net's first weight": first.weight,
               "the Meta-Net's first bias": first.bias,
               "the Meta-Net's second weight": second.weight,
               "the Meta-Net's second bias": second.bias}
    same_gradients(got, right, learned)


# 12: the tree

SHARED = ["cat", "cat food", "yellow rose", "dog"]  # names that begin alike
NESTED = ["dog", "red car", "dog", "red", "tea", "red car key"]  # a name may come twice


def tree(student):
    """12: the parts of small trees, whole sequences, gradients, and the number of tokens read."""
    for clip, names, M, B in ((tiny(), SHARED, 4, 3), (odd_clip(), NESTED, 2, 2)):
        prompts = student.splice(clip, names, M)
        parts_of_a_tree(student.PromptTree(prompts), student, names, prompts)
        contexts = (0.1 * torch.randn(B, M, widths(clip)[1])).requires_grad_()
        one_tree = nn.ModuleList([student.PromptTree(prompts)])
        two_trees = nn.ModuleList([student.PromptTree(prompts[:1]),
                                   student.PromptTree(prompts[1:])])
        with tokens_read(clip.transformer.resblocks) as calls:
            got = student.encode_trees(clip, one_tree, contexts)
        read = sum(sequences * tokens for _, sequences, tokens in calls)
        compare_features(got, clip, names, contexts)
        compare_features(student.encode_trees(clip, two_trees, contexts), clip, names, contexts)
        for layers in range(len(clip.transformer.resblocks)):
            deeper_prompts(student, (clip, names, one_tree), contexts[:1], layers)
        T = len(set(student.beginnings(prompts)))
        most = len(clip.transformer.resblocks) * B * T
        need(read <= most,
             f"Right, but slow: your blocks read {read:,} tokens, and {most:,} are enough. Each "
             "different beginning needs one token only.")


def parts_of_a_tree(grown, student, names, prompts):
    """Raises Wrong unless the parts of a tree are buffers, and those of these prompts."""
    T = len(set(student.beginnings(prompts)))
    for what, length in [("symbols", T), ("position", T), ("eos", len(names))]:
        tensor(getattr(grown, what, None), [length], f"{what} of the prompts of {names}")
    mask = tensor(getattr(grown, "mask", None), [T, T], "mask")
    need(mask.dtype == torch.bool, f"the mask holds {mask.dtype}, and True and False are wanted.")
    for what in ("symbols", "position", "eos", "mask"):
        need(what in dict(grown.named_buffers()),
             f"`{what}` is a plain attribute: make it a buffer with register_buffer, which moves "
             "to a GPU with the method.")
    for name, prompt, end in zip(names, prompts, grown.eos.tolist(), strict=True):
        seen = mask[end].nonzero().flatten()
        need(len(seen) == len(prompt),
             f'[EOS] of "{name}" sees {len(seen)} tokens, and {len(prompt)} are its ancestors and '
             "itself.")
        need(sorted(grown.symbols[seen].tolist()) == sorted(prompt),
             f'What [EOS] of "{name}" sees is not its prompt.')
        need(sorted(grown.position[seen].tolist()) == list(range(len(prompt))),
             f'The positions in the prompt of "{name}" should be 0 to {len(prompt) - 1}.')


def compare_features(got, clip, names, contexts):
    """Raises Wrong unless these are the features of whole sequences, for each picture's context."""
    B, K, (E, *_) = len(contexts), len(names), widths(clip)
    got = tensor(got, [B, K, E], "encode_trees")
    whole = torch.stack([plain_prompts(clip, names, [context] * K) for context in contexts])
    otherwise = ("The class vectors are not those of whole sequences. Look at the position of each "
                 "token (in its own prompt), at the mask, and at the rows of [EOS].")
    swapped = (whole.flip(1), "The classes come in another order than their names.")
    compare(got, whole, [swapped], otherwise)
    same_gradients(got, whole, {"the context": contexts})


def deeper_prompts(student, clip_names_trees, context, layers):
    """Raises Wrong unless `deeper` stands in the places of the context from layer 2 on."""
    clip, names, trees = clip_names_trees
    # no layers: `deeper` is [0, M, D_t], as that of UPT with depth=1
    deeper = (0.1 * torch.randn(layers, *context.shape[1:])).requires_grad_()
    got = student.encode_trees(clip, trees, context, deeper)
    whole = plain_class_weights(clip, names, torch.cat([context, deeper]))
    tensor(got, [1, *whole.shape], "encode_trees with `deeper`")
    need(close(got[0], whole),
         "Without `deeper` all is right. With it, deeper[0] stands in the places of the context "
         "when layer 2 begins, deeper[1] when layer 3 begins, and so on.")
    learned = {"the context, beside `deeper`": context}
    if layers:
        learned["`deeper`"] = deeper
    same_gradients(got[0], whole, learned)


# 23: the ancestor mask

FORESTS = [  # prompts, as symbols
    [[7, 8, 1, 9], [7, 8, 2, 9]],
    [[7, 1, 9]],
    [[7, 1, 9], [7, 1, 2, 9], [7, 3, 9], [7, 1, 2, 4, 9]],
    [[7, 1, 2, 3, 9], [7, 4, 9], [7, 4, 5, 9]],  # as many tokens as the one before
    [[5, 9], [7, 9]],  # two roots: nothing is shared
    [[7, *range(20), 9], [7, 0, 1, 9], [5, 9]],
    [[7, -1, 1, 1, 9], [7, -1, 1, 9], [7, -1, 2, 1, 1, 9], [7, 1, 9], [7, -1, 1, 9]],
]


def ancestors(student):
    """23: every place of the masks of five trees; then torch's attention is not needed."""
    for prompts in FORESTS:
        grown = student.PromptTree(prompts)
        places = list(dict.fromkeys(student.beginnings(prompts)))
        T = len(places)
        mask = tensor(getattr(grown, "mask", None), [T, T], f"the mask of the prompts {prompts}")
        need(mask.dtype == torch.bool,
             f"the mask holds {mask.dtype}, and True and False are wanted.")
        for row, own in enumerate(places):
            for column, other in enumerate(places):
                compare_ancestor(mask[row, column], own, other, prompts)
        need("mask" in dict(grown.named_buffers()),
             "`mask` is a plain attribute: keep the line with register_buffer below.")


def compare_ancestor(allowed, own, other, prompts):
    """Raises Wrong unless the token at the end of `own` sees the one at the end of `other`
    exactly if `other` is a beginning of `own`."""
    told = f"In the tree of {prompts}, the token at the end of {list(own)}"
    is_ancestor = own[: len(other)] == other
    need(allowed or own != other, f"{told} does not see itself.")
    need(allowed or not is_ancestor,
         f"{told} does not see the one at the end of {list(other)}, which is its ancestor.")
    need(is_ancestor or not allowed,
         f"{told} sees the one at the end of {list(other)}, which stands in another branch or "
         "comes later: rows are queries, columns are keys.")
