"""Checks of the exercises on UPT's theta: 14, 15 and 24."""

import torch
import torch.nn.functional as F
from torch import nn

from notes.exercises.checks.inputs import NAMES, odd_clip, tiny
from notes.exercises.judge import close, compare, need, of_type, same_gradients, tensor

# 14: theta

SIZES = ((3, 6, 8, 1, "literal"), (2, 4, 8, 2, "normed"), (4, 2, 12, 3, "literal"),
         (1, 6, 12, 1, "normed"))  # layers, 2n, D, heads, what SA reads


def theta(student):
    """14: torch's own attention, Eq. (5) written out, dropout, and the gradients of all of it."""
    for layers, number, width, heads, attention in SIZES:
        ours = student.Theta(width, heads, 0.0, attention)
        for parameter in ours.parameters():
            nn.init.normal_(parameter)
        U = torch.randn(layers, number, width, requires_grad=True)
        attention_of(ours, U)
        equation_5(ours, U)
        dropout_of(ours, U)


def torch_attention(theta, U):
    """torch's own attention with the weights of this theta: U [depth, 2n, D] → the same shape."""
    sequence_first = U.transpose(0, 1)
    output, _ = F.multi_head_attention_forward(
        *[sequence_first] * 3, U.shape[-1], theta.heads, theta.in_proj.weight, theta.in_proj.bias,
        None, None, False, 0.0, theta.out_proj.weight, theta.out_proj.bias, need_weights=False)
    return output.transpose(0, 1)


def theta_of(theta, U, reads=None):
    """Eq. (5) without dropout. reads: "literal" (U) or "normed" (LN U); None: theta's own."""
    LN_U = theta.ln_1(U)
    seen = U if (reads or theta.attention) == "literal" else LN_U
    normed = theta.ln_2(torch_attention(theta, seen) + LN_U)
    return theta.ffn(normed) + normed


def right_prompts(method):
    """A UPT → its text prompts T and visual prompts V, by Eq. (5) and the cut in two."""
    U_hat, n = theta_of(method.theta, method.U), method.n_ctx
    return U_hat[: method.text_depth, :n], method.to_visual(U_hat[:, n:])


def attention_of(theta, U):
    """Raises Wrong unless self_attention is torch's own, along the axis of the 2n prompts."""
    shape, heads, D = list(U.shape), theta.heads, U.shape[-1]
    got = tensor(theta.self_attention(U), shape, f"self_attention(U {shape})")
    right = torch_attention(theta, U)
    mistakes = [(torch_attention(theta, U.transpose(0, 1)).transpose(0, 1),
                 "The layers attend to each other: the sequence is the axis of the 2n prompts."),
                (theta.out_proj(theta.in_proj(U)[..., 2 * D :]), "Each prompt sees itself alone.")]
    compare(got, right, mistakes,
            f"Self-attention with {heads} head(s) differs from torch's own MultiheadAttention. A "
            "head is a slice of D, its scores are divided by sqrt(D / H), and out_proj comes last.")
    same_gradients(got, right, {"U": U, "in_proj": theta.in_proj.weight})
    large = 30 * U.detach()
    need(close(theta.self_attention(large), torch_attention(theta, large)),
         "With large numbers self-attention is not torch's own: exp of a large score is infinite. "
         "`softmax` takes the largest score away before exp.")


def equation_5(theta, U):
    """Raises Wrong unless theta(U) is Eq. (5), with SA(U) or SA(LN(U)) as theta.attention says."""
    LN_1, LN_2, FFN = theta.ln_1, theta.ln_2, theta.ffn
    is_literal = theta.attention == "literal"
    reads, other_reads = ("U", "LN(U)") if is_literal else ("LN(U)", "U")
    sa = torch_attention(theta, U if is_literal else LN_1(U))
    middle = sa + LN_1(U)
    normed, raw = LN_2(middle), LN_2(sa + U)
    right = FFN(normed) + normed
    mistakes = [
        (FFN(raw) + raw, "The first residual of Eq. (5) is LN(U), and not U."),
        (FFN(normed) + U, "The second residual of Eq. (5) is LN(U'), and you add U."),
        (FFN(normed) + middle, "The second residual of Eq. (5) is LN(U'), and you add U'."),
        (FFN(middle) + normed, "The FFN of Eq. (5) reads LN(U'), and not U'."),
        (FFN(normed), "The second residual is missing."),
        (middle, "The second line of Eq. (5) is missing."),
        (theta_of(theta, U, "normed" if is_literal else "literal"),
         f"attention={theta.attention!r}: SA reads {reads}, and yours reads {other_reads}.")]
    got = tensor(theta(U), list(U.shape), f"theta(U {list(U.shape)})")
    compare(got, right, mistakes,
            f"Theta is not Eq. (5): U' = SA({reads}) + LN(U), then FFN(LN(U')) + LN(U').")
    same_gradients(got, right, {"U": U, **dict(theta.named_parameters())})


def dropout_of(theta, U):
    """Raises Wrong unless a dropout of 1 takes away SA and FFN, and nothing else."""
    LN_1, LN_2, FFN = theta.ln_1, theta.ln_2, theta.ffn
    sa = torch_attention(theta, U if theta.attention == "literal" else LN_1(U))
    without_sa, with_sa = LN_2(LN_1(U)), LN_2(sa + LN_1(U))
    mistakes = [
        (FFN(with_sa) + with_sa, "`self.dropout` is not used."),
        (FFN(without_sa) + without_sa, "`self.dropout` acts on what FFN gives, too."),
        (with_sa, "`self.dropout` acts on what SA gives, too."),
        (torch.zeros_like(U), "`self.dropout` acts on FFN's output, not on the sum.")]
    theta.train()
    theta.dropout.p = 0.5
    compare(theta.self_attention(U), torch_attention(theta, U), [],
            "`self.dropout` acts on what SA gives, and not on something in it.")
    theta.dropout.p = 1.0
    compare(theta(U), without_sa, mistakes,
            "`self.dropout` acts on what SA and FFN give, and not on the residuals.")
    theta.eval()
    compare(theta(U), FFN(with_sa) + with_sa, [], "In evaluation nothing is dropped.")


# 15: which prompts mix


def mixing(student):
    """15: change one prompt by much, and see which others change; then the prompts, and theta."""
    kinds = ("text", "visual")
    for clip, n, depth, text_depth in ((tiny(), 4, "deep", "deep"), (odd_clip(), 2, 2, 1)):
        method = student.UPT(clip, NAMES, n_ctx=n, depth=depth, text_depth=text_depth)
        nn.init.normal_(method.U)  # so large that a change of one prompt is easy to see
        for got, wanted, what in zip(method.prompts(), right_prompts(method), "TV", strict=True):
            tensor(got, list(wanted.shape), f"{what} of prompts()")
        if text_depth == "deep":
            for half in (0, 1):
                tell_mixing(changed_prompts(method, n * half), kinds[half], kinds[1 - half])
    theta(student)
    for got, wanted, kind in zip(method.prompts(), right_prompts(method), kinds, strict=True):
        need(close(got, wanted), f"Prompts see each other, but the {kind} prompts are "
                                 "not those of Eq. (5): theta(U) is cut in two along the 2n "
                                 "prompts, and the visual half goes through to_visual.")
        same_gradients(got, wanted, {"U": method.U, "theta": method.theta.in_proj.weight})


def tell_mixing(changed, kind, other):
    """Raises Wrong unless all prompts of layer 2, and no others, changed with one of them.

    changed: {"text" or "visual": which prompts changed, [depth, n]}.
    """
    told = f"I changed one {kind} prompt of layer 2. "
    need(changed[kind][1].all(),
         f"{told}Other {kind} prompts of layer 2 did not change: the prompts of a layer do not see "
         "each other.")
    need(changed[other][1].all(),
         f"{told}The {other} prompts of layer 2 did not change: they do not see the other half.")
    need(all(c.sum() == c.shape[1] for c in changed.values()),
         f"{told}Prompts of other layers changed: different layers do not mix in Eq. (5).")


@torch.no_grad()
def changed_prompts(method, place):
    """Change the prompt at this place of layer 2 → which text prompts and which visual prompts
    change, [depth, n] each."""
    old = method.prompts()
    method.U[1, place] += torch.randn(method.U.shape[-1])
    return {kind: (new - before).abs().amax(dim=-1) > 1e-6 for kind, new,
            before in zip(("text", "visual"), method.prompts(), old, strict=True)}


# 24: attention that is there and does nothing


def influence_of_a_prompt(student):
    """24: the measure on functions whose influence is known, for several sizes and seeds."""
    for layers, number, seed in ((2, 6, 2), (1, 3, 1), (1, 3, 4)):
        U = torch.randn(layers, number, 8, generator=torch.Generator().manual_seed(seed))
        kept = U.clone()
        for i in (0, number - 1):
            for function, right in KNOWN.items():
                called = f"influence({function.__name__}, U, {i})"
                got = of_type(student.influence(function, U, i), float, called)
                need(torch.equal(U, kept), "influence changed the U that it was given: use a copy.")
                compare_influence(got, function, right(U, i), called)


def compare_influence(got, function, wanted, called):
    """Raises Wrong unless a measured influence is the one that is known."""
    need(got < 1e-6 or function is not alone,
         f"{called} is {got:.4g}, and 0 is wanted: {alone.__doc__} Is prompt i itself counted?")
    need(abs(got - wanted) < 1e-3 * wanted + 1e-6,
         f"{called} is {got:.4g}, and {wanted:.4g} is wanted. {function.__doc__} Turn the numbers "
         "of prompt i around, in all layers, and take the mean of |new - old| / |old| over the "
         "other prompts and over the layers.")


def alone(U):
    """It changes each prompt by itself."""
    return 3 * U + 1


def mean_of_all(U):
    """It makes each prompt the mean of its layer."""
    return U.mean(dim=1, keepdim=True).expand_as(U)


def one_place_on(U):
    """It puts each prompt in the next one's place."""
    return U.roll(1, dims=1)


def step(U, i):
    """How far prompt i moves when its numbers are turned around, [depth]."""
    return (U[:, i].flip(-1) - U[:, i]).norm(dim=-1)


def of_nothing(U, i):
    """No other prompt moves."""
    return 0.0


def of_the_mean(U, i):
    """All prompts move by a share of the step."""
    return (step(U, i) / U.shape[1] / U.mean(dim=1).norm(dim=-1)).mean().item()


def of_one_place_on(U, i):
    """One of the others moves, by the whole step."""
    return (step(U, i) / U[:, i].norm(dim=-1)).mean().item() / (U.shape[1] - 1)


KNOWN = {alone: of_nothing, mean_of_all: of_the_mean, one_place_on: of_one_place_on}
