"""Checks of the exercises on CoCoOp: 11, 12 and 23."""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from notes.exercises.checks.inputs import (FEW, NAMES, odd_clip, tiny, tokens_read,
                                           unequal_features, widths)
from notes.exercises.judge import (close, compare, need, on_one_device, same_gradients, tensor,
                                   unchanged)
from notes.exercises.plain_towers import plain_class_weights, plain_prompts

# 11: the Meta-Net


def meta_net(student):
    """11: the same network, written here; equal and different widths, several B and M."""
    for clip, names, B, M in ((tiny(), NAMES, 4, 4), (odd_clip(), FEW, 6, 2),
                              (odd_clip(), NAMES, 1, 4)):
        E = widths(clip)[0]
        method = student.CoCoOp(clip, names, n_ctx=M, ctx_init=None)
        net = Net(method)
        for parameter in net.learned:
            nn.init.normal_(parameter)
        context_of_pictures(method, net, unequal_features(B, E))
        method.eval()
        context_of_pictures(method, net, unequal_features(B, E))
        with torch.no_grad():
            for parameter in net.learned:
                parameter.zero_()
        need(close(method.context(torch.randn(B, E)), method.ctx.expand(B, *method.ctx.shape)),
             "With a Meta-Net of zeros, it should be CoOp.")
    elsewhere = copy.deepcopy(method).to("meta")
    on_one_device(lambda: elsewhere.context(torch.ones(2, E, device="meta")), "context")
    it_can_learn(student.CoCoOp(clip, names))


class Net:
    """A method's Meta-Net as two matrices and two biases, known by their shapes.

    So nn.Linear serves as well as parameters of one's own, turned or not.
    """

    def __init__(self, method):
        own = {name: p for name, p in method.named_parameters()
               if name != "ctx" and not name.startswith("clip.")}
        frozen = [name for name, p in own.items() if not p.requires_grad]
        need(not frozen,
             f"{', '.join(frozen)} is frozen (requires_grad is False): it could not learn.")
        E, D_t, _ = widths(method.clip)
        shapes = [list(p.shape) for p in own.values()]
        wanted = [[E // 16, E], [D_t, E // 16], [E // 16], [D_t]]
        need(sum(len(shape) == 1 for shape in shapes) == 2,
             f"The Meta-Net has the shapes {shapes}: each of its two layers has a bias in the "
             "published code, and the 35,360 numbers include them.")
        need(sorted(map(sorted, shapes)) == sorted(map(sorted, wanted)),
             f"With E = {E} and D_t = {D_t}, the Meta-Net has the shapes {shapes}, and {wanted} "
             "are wanted: E → E/16 → D_t.")
        first, second = (p for p in own.values() if p.ndim == 2)
        fits = [[list(p.shape), list(p.shape)[::-1]].index(wanted[0])
                if sorted(p.shape) == sorted(wanted[0]) else 2 for p in (first, second)]
        if fits[1] < fits[0]:
            first, second = second, first
        self.biases = sorted((p for p in own.values() if p.ndim == 1), key=len)
        self.weights, self.shapes = (first, second), wanted
        self.learned = [*self.weights, *self.biases]

    def pi(self, x, act=F.relu, last=nn.Identity()):
        """x [B, E] → pi [B, 1, D_t]."""
        first, second = (w if list(w.shape) == shape else w.T
                         for w, shape in zip(self.weights, self.shapes))
        hidden = act(F.linear(x, first, self.biases[0]))
        return last(F.linear(hidden, second, self.biases[1]))[:, None]


def it_can_learn(method):
    """Raises Wrong if no gradient reaches a weight matrix of the Meta-Net at the start."""
    context = method.context(unequal_features(3, widths(method.clip)[0]))
    gradients = torch.autograd.grad(context.square().sum(), Net(method).weights, allow_unused=True)
    need(any(g is not None and g.any() for g in gradients),
         "At the start no gradient reaches a weight of the Meta-Net, so it would stay as it is: "
         "what the first layer gives is 0 for every picture. Leave the weights as nn.Linear makes "
         "them.")


def context_of_pictures(method, net, f):
    """Raises Wrong unless context(f) is v_m + pi, with the right gradients."""
    (B, E), (M, D_t), given = f.shape, method.ctx.shape, f.clone()
    got = method.context(given)
    unchanged(given, f, "context")
    one_axis_less = getattr(got, "shape", None) in ((M, D_t), (1, M, D_t))
    need(B == 1 or not one_axis_less,
         "pi is added along the wrong axis: vector m got pi of picture m, and no error came "
         "because B and M are equal here. v(x) is [B, M, D_t].")
    got = tensor(got, [B, M, D_t], f"context(x [{B}, {E}]) with M = {M}")
    pi, v, unit = net.pi, method.ctx, F.normalize(f, dim=-1)
    right = v + pi(unit)
    mistakes = [
        (v + pi(f), "The Meta-Net sees how long a feature is: normalise it first, as the "
                    "published code does."),
        (v + pi(F.normalize(f, dim=0)),
         "You normalised over the batch: pi of a picture then depends on the other pictures. Each "
         "row is a feature, so dim=-1."),
        (v + pi(f / f.norm()), "f.norm() without `dim` is one number for the whole batch: use "
                               "F.normalize(..., dim=-1)."),
        (v + pi(unit, nn.Identity()), "The ReLU is missing."),
        (v + pi(unit, last=F.relu), "There is one ReLU too many: pi may be negative. Only what "
                                    "stands between the two layers goes through it."),
        (v + pi(F.relu(unit)), "There is one ReLU too many: the Meta-Net reads the feature with "
                               "its negative numbers."),
        (v + pi(unit, nn.Identity(), F.relu), "The ReLU stands between the two layers, not behind "
                                              "them."),
        (v + torch.zeros(B, 1, 1), "pi is not added: the context is the same for all pictures."),
        (0 * v + pi(unit), "This is pi alone: v_m(x) = v_m + pi."),
    ]
    if B == M:
        wrong_axis = (v + pi(unit).transpose(0, 1)).expand(B, M, D_t)
        mistakes.append((wrong_axis,
                         "pi is added along the wrong axis: pi of picture m to vector m."))
    compare(got, right, mistakes, "v_m(x) - v_m is not the Meta-Net's output for picture x.")
    names = ("first weight", "second weight", "first bias", "second bias")
    learned = {f"the Meta-Net's {name}": p for name, p in zip(names, net.learned, strict=True)}
    same_gradients(got, right, {"ctx": method.ctx, **learned})


# 12: the tree

SHARED = ["cat", "cat food", "yellow rose", "dog"]  # names that begin alike
NESTED = ["dog", "red car", "dog", "red", "tea", "red car key"]  # a name may come twice


def tree(student):
    """12: whole sequences, gradients, deeper prompts, and the number of tokens read."""
    for clip, names, M, B in ((tiny(), SHARED, 4, 3), (odd_clip(), NESTED, 2, 2)):
        prompts = student.splice(clip, names, M)
        contexts = (0.1 * torch.randn(B, M, widths(clip)[1])).requires_grad_()
        one_tree = nn.ModuleList([student.PromptTree(prompts)])
        two_trees = nn.ModuleList(map(student.PromptTree, (prompts[:1], prompts[1:])))
        with tokens_read(clip.transformer.resblocks) as calls:
            got = student.encode_trees(clip, one_tree, contexts)
        whole = [plain_prompts(clip, names, [context] * len(names)) for context in contexts]
        for features in (got, student.encode_trees(clip, two_trees, contexts)):
            compare_features(features, torch.stack(whole), contexts)
        for layers in range(len(clip.transformer.resblocks)):
            deeper_prompts(student, (clip, names, one_tree), contexts[:1], layers)
        read = sum(sequences * tokens for _, sequences, tokens in calls)
        most = len(clip.transformer.resblocks) * B * len(one_tree[0].symbols)
        need(read <= most, f"Right, but slow: your blocks read {read:,} tokens, and {most:,} are "
                           "enough. Each different beginning needs one token only.")


def compare_features(got, whole, contexts):
    """Raises Wrong unless these are the features of whole sequences, for each picture's context."""
    tensor(got, list(whole.shape), "encode_trees")
    swapped = (whole.flip(1), "The classes come in another order than their names.")
    compare(got, whole, [swapped],
            "The class vectors are not those of whole sequences. Look at the position of each "
            "token (in its own prompt), at the mask, and at the rows of [EOS].")
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


# 23: the tree's parts

FORESTS = [  # prompts, as symbols
    [[7, 8, 1, 9], [7, 8, 2, 9]],
    [[7, 1, 9]],
    [[7, 1, 9], [7, 1, 2, 9], [7, 3, 9], [7, 1, 2, 4, 9]],
    [[7, 1, 2, 3, 9], [7, 4, 9], [7, 4, 5, 9]],  # as many tokens as the one before
    [[5, 9], [7, 9]],  # two roots: nothing is shared
    [[7, 1, 9], [7, 12, 9], [7, 1, 2, 9], [71, 9]],  # numbers that are spelled alike
    [[7, *range(70), 9], [7, 0, 1, 9], [5, 9]],
    [[7, -1, 1, 1, 9], [7, -1, 1, 9], [7, -1, 2, 1, 1, 9], [7, 1, 9], [7, -1, 1, 9]],
]
OTHERWISE = "another branch or comes later: rows are queries, columns are keys."


def ancestors(student):
    """23: every place of the masks of these trees, and what stands at each row."""
    for prompts in FORESTS:
        grown, told = student.PromptTree(prompts), f"the prompts {short(prompts)}"
        rows = list(dict.fromkeys(student.beginnings(prompts)))
        T, K = len(rows), len(prompts)
        mask = tensor(getattr(grown, "mask", None), [T, T], f"the mask of {told}", torch.bool)
        for what, length in (("symbols", T), ("position", T), ("eos", K)):
            tensor(getattr(grown, what, None), [length], f"{what} of {told}", torch.long)
        for what in ("mask", "symbols", "position", "eos"):
            need(what in dict(grown.named_buffers()),
                 f"`{what}` is a plain attribute: keep it with register_buffer, so that it moves "
                 "to a GPU with the method.")
            need(what not in grown.state_dict(),
                 f"`{what}` is kept in files: it can be computed again, so persistent=False.")
        right = torch.tensor([[own[: len(other)] == other for other in rows] for own in rows])
        for row, column in (mask != right).nonzero().tolist():
            tell_ancestor(mask[row, column], rows[row], rows[column], prompts)
        for what, numbers in (("symbols", [row[-1] for row in rows]),
                              ("position", [len(row) - 1 for row in rows]),
                              ("eos", [rows.index(tuple(prompt)) for prompt in prompts])):
            got = getattr(grown, what).tolist()
            need(got == numbers, f"{what} of {told} is {short(got)}, and {short(numbers)} is "
                                 f"wanted: {PARTS[what]}.")


PARTS = {"symbols": "the symbol at each row, which is the last one of its beginning",
         "position": "where each row's symbol stands in its own prompt, counted from 0",
         "eos": "the row at which each prompt ends, prompt by prompt"}


def tell_ancestor(allowed, own, other, prompts):
    """Raises Wrong: the token at the end of `own` sees the one at the end of `other`, or not."""
    told = f"In the tree of {short(prompts)}, the token at the end of {short(list(own))}"
    need(allowed or own != other, f"{told} does not see itself.")
    need(allowed,
         f"{told} does not see the one at the end of {short(list(other))}, which is its ancestor.")
    need(False,
         f"{told} sees the one at the end of {short(list(other))}, which stands in {OTHERWISE}")


def short(numbers):
    """Lists of numbers → at most 60 characters of them."""
    text = str(numbers)
    return text if len(text) <= 60 else f"{text[:57]}…"
