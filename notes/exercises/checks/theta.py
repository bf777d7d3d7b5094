"""Checks of the exercises on UPT's theta: 14, 15 and 24."""

import torch
import torch.nn.functional as F
from torch import nn

from notes.exercises.checks.inputs import FEW, NAMES, odd_clip, tiny
from notes.exercises.judge import compare, need, of_type, same_gradients, tensor
from prompts import METHODS

# 14: theta


def theta(student):
    """14: torch's own attention, Eq. (5) written out, dropout, and the gradients of all of it."""
    for layers, number, width, heads, attention in ((3, 6, 8, 1, "literal"), (2, 4, 8, 2, "normed"),
                                                    (4, 2, 12, 3, "literal"),
                                                    (1, 6, 12, 1, "normed")):
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
    weights = (theta.in_proj.weight, theta.in_proj.bias, None, None, False, 0.0)
    output, _ = F.multi_head_attention_forward(*[sequence_first] * 3, U.shape[-1], theta.heads,
                                               *weights, theta.out_proj.weight, theta.out_proj.bias,
                                               need_weights=False)
    return output.transpose(0, 1)


def attention_of(theta, U):
    """Raises Wrong unless self_attention is torch's own, along the axis of the 2n prompts."""
    shape, heads, D = list(U.shape), theta.heads, U.shape[-1]
    got = tensor(theta.self_attention(U), shape, f"self_attention(U {shape})")
    right = torch_attention(theta, U)
    mistakes = [(torch_attention(theta, U.transpose(0, 1)).transpose(0, 1),
                 "The layers attend to each other: the sequence is the axis of the 2n prompts."),
                (theta.out_proj(theta.in_proj(U)[..., 2 * D :]), "Each prompt sees itself alone.")]
    otherwise = (f"Self-attention with {heads} head(s) differs from torch's own "
                 "MultiheadAttention. A head is a slice of D, its scores are divided by sqrt(D / "
                 "H), and out_proj comes last.")
    compare(got, right, mistakes, otherwise)
    same_gradients(got, right, {"U": U, "in_proj": theta.in_proj.weight})


def equation_5(theta, U):
    """Raises Wrong unless theta(U) is Eq. (5), with SA(U) or SA(LN(U)) as theta.attention says."""
    LN_1, LN_2, FFN = theta.ln_1, theta.ln_2, theta.ffn
    if theta.attention == "literal":
        seen, reads, other_reads, other_theta = U, "U", "LN(U)", sa_of_normed(theta, U)
    else:
        seen, reads, other_reads, other_theta = LN_1(U), "LN(U)", "U", literal_theta(theta, U)
    sa = torch_attention(theta, seen)
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
        (other_theta,
         f"attention={theta.attention!r}: SA reads {reads}, and yours reads {other_reads}: `seen` "
         "is what it reads."),
    ]
    otherwise = "Theta is not Eq. (5): U' = SA(seen) + LN(U), then FFN(LN(U')) + LN(U')."
    got = tensor(theta(U), list(U.shape), f"theta(U {list(U.shape)})")
    compare(got, right, mistakes, otherwise)
    same_gradients(got, right, {"U": U, **dict(theta.named_parameters())})


def sa_of_normed(theta, U):
    """Eq. (5) with SA(LN(U)) in the place of SA(U)."""
    LN_U = theta.ln_1(U)
    normed = theta.ln_2(torch_attention(theta, LN_U) + LN_U)
    return theta.ffn(normed) + normed


def dropout_of(theta, U):
    """Raises Wrong unless a dropout of 1 takes away SA and FFN, and nothing else."""
    LN_1, LN_2, FFN = theta.ln_1, theta.ln_2, theta.ffn
    sa = torch_attention(theta, U if theta.attention == "literal" else LN_1(U))
    without_sa, with_sa = LN_2(LN_1(U)), LN_2(sa + LN_1(U))
    mistakes = [
        (FFN(with_sa) + with_sa, "`self.dropout` is not used."),
        (FFN(without_sa) + without_sa, "`self.dropout` acts on what FFN gives, too."),
        (with_sa, "`self.dropout` acts on what SA gives, too."),
        (torch.zeros_like(U), "`self.dropout` acts on FFN's output, not on the sum."),
    ]
    otherwise = "`self.dropout` acts on what SA and FFN give, and not on the residuals."
    theta.train()
    theta.dropout.p = 0.5
    inside = "`self.dropout` acts on what SA gives, and not on something in it."
    compare(theta.self_attention(U), torch_attention(theta, U), [], inside)
    theta.dropout.p = 1.0
    compare(theta(U), without_sa, mistakes, otherwise)
    theta.eval()
    compare(theta(U), FFN(with_sa) + with_sa, [], "In evaluation nothing is dropped.")


# 15: which prompts mix


def mixing(student):
    """15: change one prompt by much, and see which others change; then theta itself."""
    kinds = ("text", "visual")
    for clip, n, depth in ((tiny(), 4, "deep"), (odd_clip(), 2, 2)):
        method = student.UPT(clip, NAMES, n_ctx=n, depth=depth)
        nn.init.normal_(method.U)  # so large that a change of one prompt is easy to see
        for half in (0, 1):
            changed = changed_prompts(method, n * half)
            told = f"I changed one {kinds[half]} prompt of layer 2. "
            need(changed[half][1].all(),
                 f"{told}Other {kinds[half]} prompts of layer 2 did not change: the prompts of a "
                 "layer do not see each other.")
            need(changed[1 - half][1].all(),
                 f"{told}The {kinds[1 - half]} prompts of layer 2 did not change: they do not see "
                 "the other half.")
            need(all(c.sum() == n for c in changed),
                 f"{told}Prompts of other layers changed: different layers do not mix in Eq. (5).")
    theta(student)


@torch.no_grad()
def changed_prompts(method, place):
    """Change the prompt at this place of layer 2 → which text prompts and which visual prompts
    change, [depth, n] each."""
    old = method.prompts()
    method.U[1, place] += torch.randn(method.U.shape[-1])
    return [(new - before).abs().amax(dim=-1) > 1e-6 for new,
            before in zip(method.prompts(), old, strict=True)]


# 24: attention that is there and does nothing


def influence_of_a_prompt(student):
    """24: the measure on functions whose influence is known, then the student's own theta."""
    for layers, number, seed in ((2, 6, 2), (1, 3, 1), (1, 3, 4)):
        U = torch.randn(layers, number, 8, generator=torch.Generator().manual_seed(seed))
        kept = U.clone()
        for i in (0, number - 1):
            for function, right in KNOWN.items():
                called = f"influence({function.__name__}, U, {i})"
                got = of_type(student.influence(function, U, i), float, called)
                need(torch.equal(U, kept), "influence changed the U that it was given: use a copy.")
                compare_influence(got, function, right(U, i), called)
    for clip, n in ((tiny(), 4), (odd_clip(), 2)):
        theta_of_start(student, METHODS["upt"](clip, FEW, n_ctx=n))


def compare_influence(got, function, wanted, called):
    """Raises Wrong unless a measured influence is the one that is known."""
    need(got < 1e-6 or function is not alone,
         f"{called} is {got:.4g}, and 0 is wanted: {alone.__doc__} Is prompt i itself counted?")
    need(abs(got - wanted) < 1e-3 * wanted + 1e-6,
         f"{called} is {got:.4g}, and {wanted:.4g} is wanted. {function.__doc__} Turn the numbers "
         "of prompt i around, in all layers, and take the mean of |new - old| / |old| over the "
         "other prompts and over the layers.")


def theta_of_start(student, method):
    """Raises Wrong unless the student's theta reads LN(U), keeps the residuals, and mixes."""
    theta, U = method.theta, method.U

    def function(U):
        return student.theta_forward(theta, U)

    got = tensor(function(U), list(U.shape), "theta_forward(theta, U)")
    literal = literal_theta(theta, U)
    other_residual = theta.ln_2(torch_attention(theta, theta.ln_1(U)) + U)
    mistakes = [(literal,
                 "Your measure is right. With theta as it is, one prompt of a fresh U moves the "
                 f"others by {student.influence(function, U.detach(), 0):.1e} of their length: "
                 "attention is there, and does next to nothing. Compare the lengths of SA(U) and "
                 "LN(U), and change what SA reads."),
                (theta.ffn(other_residual) + other_residual,
                 "The residual is LN(U) as before, and not U: change only what SA reads.")]
    otherwise = "theta_forward should be Eq. (5) with SA(LN(U)) in the place of SA(U)."
    compare(got, sa_of_normed(theta, U), mistakes, otherwise)
    same_gradients(got, sa_of_normed(theta, U), {"U": U, "in_proj": theta.in_proj.weight})


def literal_theta(theta, U):
    """Eq. (5) to the letter."""
    normed = theta.ln_2(torch_attention(theta, U) + theta.ln_1(U))
    return theta.ffn(normed) + normed


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
