"""Checks of the exercises on UPT: 13 to 16 and 24."""

import functools
import math

import torch
import torch.nn.functional as F
from torch import nn

from notes.exercises.checks.clips import (
    FEW,
    NAMES,
    golden,
    golden_clip,
    golden_pictures,
    golden_tensor,
    odd_clip,
    pictures,
    tiny,
    tokens_read,
    unequal_features,
    widths,
)
from notes.exercises.judge import (
    close,
    compare,
    need,
    of_type,
    same_gradients,
    tensor,
    unchanged,
)
from notes.exercises.plain_towers import plain_image_features
from prompts import METHODS

# 13: visual prompts


def visual_prompts(student):
    """13: features of published blocks; whole sequences at every depth; gradients."""
    for word, depth in (("shallow", 1), ("deep", 3)):
        method = student.VPT(golden_clip(), FEW, depth=depth)
        for i in range(depth):
            method.V.data[i] = 0.2 * golden_tensor(f"vpt.prompt.{i}", (4, 128), "image")
        features_of_prompts(method, golden_pictures(), f"VPT-{word}")
        published = torch.tensor(golden("vpt")["image_features"][word])
        need(
            close(method.encode_image(golden_pictures()), published),
            f"VPT-{word}: the features are not those of the published blocks.",
        )
    for clip, n, B in ((odd_clip(), 2, 3), (tiny(), 5, 1)):
        for depth in range(1, len(clip.visual.transformer.resblocks) + 1):
            for before in (False, True):
                options = dict(n_ctx=n, depth=depth, before_ln_pre=before)
                method = student.VPT(clip, NAMES, **options)
                nn.init.normal_(method.V)
                told = f"depth={depth}, n_ctx={n}, before_ln_pre={before}"
                features_of_prompts(method, pictures(clip, B), told)
    nn.init.normal_(method.V)
    method.eval()
    features_of_prompts(method, pictures(clip, 2), "in evaluation, with other V")
    method = student.VPT(odd_clip(), NAMES, n_ctx=1, depth=2)
    features_of_prompts(method, pictures(odd_clip(), 2), "depth=2, n_ctx=1")
    nn.init.normal_(method.V)
    features_of_prompts(method, pictures(odd_clip(), 2), "a second call, with other V")


def features_of_prompts(method, images, told):
    """Raises Wrong unless encode_image gives what whole sequences give."""
    clip, visual, (depth, n, _) = method.clip, method.clip.visual, method.V.shape
    E, wanted = widths(clip)[0], len(visual.positional_embedding) + n
    with tokens_read(visual.transformer.resblocks) as calls:
        got = tensor(method.encode_image(images), [len(images), E], "encode_image")
    for i, _, tokens in calls:
        need(
            tokens <= wanted,
            f"{told}: layer {i + 1} gets {tokens} tokens, and {wanted} are wanted: the prompts "
            "pile up, for those that came out of the layer before were kept.",
        )
        need(
            tokens == wanted,
            f"{told}: layer {i + 1} gets {tokens} tokens, and [CLS], {n} prompts and "
            f"{wanted - n - 1} patches are {wanted}.",
        )
    V = method.V
    in_layer_1 = torch.cat([visual.ln_pre(V[:1]), V[1:]])
    right = plain_image_features(clip, images, in_layer_1 if method.before_ln_pre else V)

    def mistakes():
        of = functools.partial(plain_image_features, clip, images)
        wrong = [
            (
                of(visual.ln_pre(V)),
                "before_ln_pre: only the prompts of the first layer pass through ln_pre.",
            ),
            (
                of(V if method.before_ln_pre else in_layer_1),
                "before_ln_pre=True: the prompts of the first layer pass through ln_pre; "
                "before_ln_pre=False: they do not.",
            ),
            (of(V[:1]), f"the prompts of layer 2 have no influence; with depth={depth} they have."),
            (
                of(V[:1].expand_as(V)),
                "the prompts of the first layer are used again in layer 2; each has its own.",
            ),
        ]
        return [(features, f"{told}: {sentence}") for features, sentence in wrong]

    otherwise = (
        "the features are not those of whole sequences. The order is [CLS], prompts, patches; "
        f"after layer {depth} what comes out goes on, and [CLS] is read at the end."
    )
    compare(got, right, mistakes, f"{told}: {otherwise}")
    same_gradients(got, right, {"V": V})


# 14: theta


def theta(student):
    """14: torch's own attention, Eq. (5) written out, dropout, and the gradients of all of it."""
    for layers, number, width, heads, attention in (
        (3, 6, 8, 1, "literal"),
        (2, 4, 8, 2, "normed"),
        (4, 2, 12, 3, "literal"),
        (1, 6, 12, 1, "normed"),
    ):
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
    output, _ = F.multi_head_attention_forward(
        *[sequence_first] * 3,
        U.shape[-1],
        theta.heads,
        *weights,
        theta.out_proj.weight,
        theta.out_proj.bias,
        need_weights=False,
    )
    return output.transpose(0, 1)


def attention_of(theta, U):
    """Raises Wrong unless self_attention is torch's own, along the axis of the 2n prompts."""
    shape, heads, D = list(U.shape), theta.heads, U.shape[-1]
    got = tensor(theta.self_attention(U), shape, f"self_attention(U {shape})")
    right = torch_attention(theta, U)
    mistakes = [
        (
            torch_attention(theta, U.transpose(0, 1)).transpose(0, 1),
            "The layers attend to each other: the sequence is the axis of the 2n prompts.",
        ),
        (theta.out_proj(theta.in_proj(U)[..., 2 * D :]), "Each prompt sees itself alone."),
    ]
    otherwise = (
        f"Self-attention with {heads} head(s) differs from torch's own MultiheadAttention. "
        "A head is a slice of D, its scores are divided by sqrt(D / H), and out_proj comes last."
    )
    compare(got, right, mistakes, otherwise)
    same_gradients(got, right, {"U": U, "in_proj": theta.in_proj.weight})


def equation_5(theta, U):
    """Raises Wrong unless theta(U) is Eq. (5), with SA(LN U) or SA(U)."""
    LN_1, LN_2, FFN, is_literal = theta.ln_1, theta.ln_2, theta.ffn, theta.attention == "literal"
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
        (
            sa_of_normed(theta, U) if is_literal else literal_theta(theta, U),
            f"attention={theta.attention!r}: SA reads {'U' if is_literal else 'LN(U)'}, and yours "
            f"reads {'LN(U)' if is_literal else 'U'}: `seen` is what it reads.",
        ),
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
    theta.dropout.p = 1.0
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
    attention = torch_attention(theta, U)
    theta.dropout.p = 0.5
    inside = "`self.dropout` acts on what SA gives, and not on something in it."
    compare(theta.self_attention(U), attention, [], inside)
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
            need(
                changed[half][1].all(),
                f"{told}Other {kinds[half]} prompts of layer 2 did not change: the prompts of a "
                "layer do not see each other.",
            )
            need(
                changed[1 - half][1].all(),
                f"{told}The {kinds[1 - half]} prompts of layer 2 did not change: they do not "
                "see the other half.",
            )
            need(
                all(c.sum() == n for c in changed),
                f"{told}Prompts of other layers changed: different layers do not mix in Eq. (5).",
            )
    theta(student)


@torch.no_grad()
def changed_prompts(method, place):
    """Change the prompt at this place of layer 2 → which text prompts and which visual prompts
    change, [depth, n] each."""
    old = method.prompts()
    method.U[1, place] += torch.randn(method.U.shape[-1])
    return [
        (new - before).abs().amax(dim=-1) > 1e-6
        for new, before in zip(method.prompts(), old, strict=True)
    ]


# 16: variances


def variances(student):
    """16: sums over rows, written out, for two sizes."""
    for labels, E in (((2, 0, 2, 1, 0, 2, 1), 5), ((4, 0, 1, 2, 1, 1, 0, 2, 1), 8), ((1, 1), 3)):
        labels = torch.tensor(labels)  # the second case has one picture of class 4, none of 3
        f = unequal_features(len(labels), E)
        kept = f.clone()
        variance_of_pictures(student, f, labels)
        unchanged(f, kept, "intra_class_variance")
        for K in (len(labels.unique()), 1):
            variance_of_classes(student, f[:K])
            unchanged(f, kept, "inter_class_variance")


def squares(x):
    """Features [N, E] → the squared differences from their mean, [N, E]."""
    return torch.stack([(row - x.mean(dim=0)).square() for row in x])


def variance_of_pictures(student, features, labels):
    """Raises Wrong unless intra_class_variance is Eqs. (6) and (7)."""
    unit, (N, E), classes = F.normalize(features, dim=-1), features.shape, labels.unique()
    own = [squares(unit[labels == c]) for c in classes]  # of each class
    var_c = torch.stack([s.sum() / len(s) for s in own])
    right = var_c.mean()
    raw = torch.stack([squares(features[labels == c]).sum(dim=-1).mean() for c in classes])
    unbiased = torch.stack([s.sum() / max(1, len(s) - 1) for s in own])
    sizes = torch.tensor([len(s) for s in own])
    mistakes = [
        (raw.mean(), "Var_v: the features are not normalised."),
        (
            right / E,
            "Var_v: you took the mean over the E numbers of a vector; Eq. (6) takes their sum.",
        ),
        (
            unbiased.mean(),
            "Var_v: you divide by |X_c| - 1, as torch.var does; Eq. (6) divides by |X_c|.",
        ),
        (
            (sizes * var_c).sum() / N,
            "Var_v: classes with many pictures count more; Eq. (7) is the plain mean over the "
            "classes.",
        ),
        (
            squares(unit).sum() / N,
            "Var_v: the mean is that of all pictures; each class has its own.",
        ),
        (var_c.sum(), "Var_v: Eq. (7) divides by the number of classes."),
    ]
    got = of_type(student.intra_class_variance(features, labels), float, "intra_class_variance")
    need(
        not math.isnan(got),
        f"Var_v of the labels {labels.tolist()} is nan: a label that no picture has is no class.",
    )
    otherwise = f"Var_v of a small case is {got:.4f}, and {right:.4f} by Eqs. (6) and (7)."
    compare(torch.tensor(got), right, mistakes, otherwise)


def variance_of_classes(student, weights):
    """Raises Wrong unless inter_class_variance is Eq. (8)."""
    K, E = weights.shape
    right = squares(F.normalize(weights, dim=-1)).sum() / K
    mistakes = [
        (squares(weights).sum() / K, "Var_t: the class vectors are not normalised."),
        (
            right / E,
            "Var_t: you took the mean over the E numbers of a vector; the square of a vector is "
            "their sum.",
        ),
        (
            right * K / max(K - 1, 1),
            "Var_t: you divide by K - 1, as torch.var does; Eq. (8) divides by K.",
        ),
        (right * K, "Var_t: Eq. (8) divides by K."),
    ]
    got = of_type(student.inter_class_variance(weights), float, "inter_class_variance")
    need(not math.isnan(got), f"Var_t of {K} class vector(s) is nan, and {right:.4f} is wanted.")
    otherwise = f"Var_t of a small case is {got:.4f}, and {right:.4f} by Eq. (8)."
    compare(torch.tensor(got), right, mistakes, otherwise)


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
    need(
        got < 1e-6 or function is not alone,
        f"{called} is {got:.4g}, and 0 is wanted: {alone.__doc__} Is prompt i itself counted?",
    )
    need(
        abs(got - wanted) < 1e-3 * wanted + 1e-6,
        f"{called} is {got:.4g}, and {wanted:.4g} is wanted. {function.__doc__} Turn the numbers "
        "of prompt i around, in all layers, and take the mean of |new - old| / |old| over the "
        "other prompts and over the layers.",
    )


def theta_of_start(student, method):
    """Raises Wrong unless the student's theta reads LN(U), keeps the residuals, and mixes."""
    theta, U = method.theta, method.U

    def function(U):
        return student.theta_forward(theta, U)

    got = tensor(function(U), list(U.shape), "theta_forward(theta, U)")
    literal = literal_theta(theta, U)
    other_residual = theta.ln_2(torch_attention(theta, theta.ln_1(U)) + U)
    mistakes = [
        (
            literal,
            "Your measure is right. With theta as it is, one prompt of a fresh U moves the others "
            f"by {student.influence(function, U.detach(), 0):.1e} of their length: attention is "
            "there, and does next to nothing. Compare the lengths of SA(U) and LN(U), and change "
            "what SA reads.",
        ),
        (
            theta.ffn(other_residual) + other_residual,
            "The residual is LN(U) as before, and not U: change only what SA reads.",
        ),
    ]
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
