"""Exercises 13 to 16 and 24: wrong answers that their checks must see, right ones that pass."""

from tests.answers import both_tests

ENCODE, INTRA, INTER = "VPT.encode_image", "intra_class_variance", "inter_class_variance"
HEADS = ("Theta.self_attention", "q, k, v 2")
MIXED, OUT = ("Theta.self_attention", "mixed 1"), ("Theta.self_attention", "return")
FIRST, SECOND = ("Theta.forward", "U1 1"), ("Theta.forward", "U_hat 1")


def vpt(prompts, pooled="x"):
    """encode_image with other lines for what happens before a layer."""
    return {
        ENCODE: f"""
        visual = self.clip.visual
        x = visual.embed(images)
        S = x.shape[1] - 1
        for i, layer in enumerate(visual.transformer.resblocks):
            B, depth = len(x), len(self.V)
            V = self.V
            if self.before_ln_pre:
                V = torch.cat([visual.ln_pre(V[:1]), V[1:]])
            {prompts}
            x = layer(x)
        return visual.pool({pooled})
        """
    }


def insert(V="V[i]", when="i < depth", patches="x[:, -S:]"):
    """Prompts between [CLS] and the patches, under a condition."""
    row = f"torch.cat([x[:, :1], {V}.expand(B, -1, -1), {patches}], dim=1)"
    return f"if {when}: x = {row}"


def theta(first="self.dropout(self.self_attention(seen)) + LN_U", second=None):
    """The two lines of Eq. (5)."""
    second = second or "self.dropout(self.ffn(LN_U1)) + LN_U1"
    return {FIRST: f"U1 = {first}", SECOND: f"U_hat = {second}"}


OWN_ATTENTION = """
mixed = []
for one in range(self.heads):
    scores = q[:, one] @ k[:, one].transpose(1, 2) / {}
    mixed.append(scores.softmax(dim=-1){} @ v[:, one])
mixed = torch.stack(mixed, dim=1)
"""


def influence(
    change="changed[:, i] = U[:, i].flip(-1)", old="old", result="moved[:, others].mean().item()"
):
    """influence with another change, another length, or another mean."""
    return {
        "influence": f"""
        changed = U.clone()
        {change}
        old, new = function(U), function(changed)
        moved = (new - old).norm(dim=-1) / {old}.norm(dim=-1)
        others = [place for place in range(U.shape[1]) if place != i]
        return {result}
        """
    }


WRONG = [
    # 13: visual prompts
    (13, vpt(insert(when="i == 0")), "prompts of layer 2 have no influence"),
    (13, vpt(insert(patches="x[:, 1:]")), "pile up"),
    (
        13,
        vpt(
            "if depth == 1 and i == 0 or depth > 1: x = torch.cat([x[:, :1], V[min(i, depth - "
            "1)].expand(B, -1, -1), x[:, -S:]], dim=1)"
        ),
        "depth=2",
    ),
    (13, vpt(insert(V="V[0]")), "used again"),
    (13, vpt(insert(V="self.V[i]")), "before_ln_pre"),
    (
        13,
        vpt(insert(V="(visual.ln_pre(self.V[i]) if self.before_ln_pre else self.V[i])")),
        "only the prompts of the first layer",
    ),
    (13, vpt(insert(V="visual.ln_pre(self.V[i])")), "before_ln_pre"),
    (13, vpt(insert(V="V[i].detach()")), "gradient"),
    (13, vpt(insert(), "x.detach()"), "no gradient"),
    (
        13,
        vpt(
            "with torch.no_grad(): x = torch.cat([x[:, :1], V[i].expand(B, -1, -1), x[:, -S:]], "
            "dim=1) if i < depth else x"
        ),
        "no gradient",
    ),
    (
        13,
        vpt("if i < depth: x = torch.cat([x[:, :1], x[:, -S:], V[i].expand(B, -1, -1)], dim=1)"),
        "whole sequences",
    ),
    (
        13,
        vpt(
            "if i < depth: x = torch.cat([V[i].expand(B, -1, -1), x[:, :1] if i == 0 else x[:, "
            "len(V[i]):len(V[i]) + 1], x[:, -S:]], dim=1)"
        ),
        "whole sequences",
    ),
    (
        13,
        vpt(
            insert() + "\n            elif i == depth: x = torch.cat([x[:, :1], x[:, -S:]], dim=1)"
        ),
        "[CLS], 4 prompts",
    ),
    (13, vpt(insert(V="V[i, :4]")), "[CLS], 5 prompts"),
    (13, vpt(insert(), "x[:, 1:]"), "whole sequences"),
    (13, vpt(insert(), "x.mean(dim=1, keepdim=True)"), "whole sequences"),
    # one prompt loses an axis
    (13, vpt(insert(V="V[i].squeeze()")), "your code stopped"),
    # the first V is kept
    (
        13,
        vpt("V = self.__dict__.setdefault('kept', V * 1)\n            " + insert()),
        "in evaluation, with other V",
    ),
    # right in training only
    (13, vpt(insert(V="(V[i] * self.training)")), "in evaluation"),
    # 14: theta
    (14, theta("self.self_attention(seen) + self.ln_1(U)"), "`self.dropout`"),
    (14, theta(second="self.ffn(LN_U1) + LN_U1"), "FFN gives"),
    (
        14,
        theta("self.self_attention(seen) + self.ln_1(U)", "self.ffn(LN_U1) + LN_U1"),
        "is not used",
    ),
    (14, theta("self.dropout(self.self_attention(seen) + self.ln_1(U))"), "`self.dropout` acts on"),
    (14, theta(second="self.dropout(self.ffn(LN_U1) + LN_U1)"), "not on the sum"),
    (
        14,
        theta("self.dropout(self.self_attention(LN_U)) + LN_U"),
        "yours reads LN(U)",
    ),
    (14, theta("self.dropout(self.self_attention(seen.detach())) + self.ln_1(U)"), "gradient of U"),
    (14, theta("self.dropout(self.self_attention(seen)) + self.ln_1(U).detach()"), "U"),
    (14, theta("self.dropout(self.self_attention(seen)).detach() + self.ln_1(U)"), "gradient of U"),
    (14, theta(second="self.dropout(self.ffn(LN_U1)).detach() + LN_U1"), "gradient"),
    (14, {MIXED: OWN_ATTENTION.format("q.shape[-1] ** 0.5", ".detach()")}, "the gradient of"),
    (14, {MIXED: OWN_ATTENTION.format("(q.shape[-1] * self.heads) ** 0.5", "")}, "sqrt(D / H)"),
    (14, {MIXED: OWN_ATTENTION.format("1", "")}, "sqrt(D / H)"),
    (
        14,
        {MIXED: OWN_ATTENTION.format("q.shape[-1] ** 0.5", "").replace("dim=-1", "dim=-2")},
        "differs from torch",
    ),
    (14, {HEADS: "q, k, v = (x[:, None] for x in (q, k, v))"}, "2 head(s)"),
    (
        14,
        {
            HEADS: "q, k, v = (x.unflatten(-1, (-1, self.heads)).transpose(1, 3).transpose(2, "
            "3) for x in (q, k, v))"
        },
        "differs from torch",
    ),
    (14, {OUT: "return mixed.transpose(1, 2).flatten(2)"}, "out_proj comes last"),
    (14, {OUT: "return self.out_proj(mixed.flatten(1).view(U.shape))"}, "differs from torch"),
    (
        14,
        {MIXED: "mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)"},
        "differs from torch",
    ),
    (
        14,
        {
            MIXED: "mixed = nn.functional.scaled_dot_product_attention(*(x.transpose(0, 2) for "
            "x in (q, k, v))).transpose(0, 2)"
        },
        "The layers attend",
    ),
    # SA reads U always
    (14, {FIRST: "U1 = self.dropout(self.self_attention(U)) + LN_U"}, "attention='normed'"),
    # dropout on the attention's weights
    (
        14,
        {
            MIXED: """
                p = self.dropout.p if self.training else 0.0
                mixed = nn.functional.scaled_dot_product_attention(q, k, v, dropout_p=p)
                """
        },
        "not on something in it",
    ),
    # 15: what mixes
    (
        15,
        {FIRST: "U1 = self.dropout(self.self_attention(seen.detach())) + self.ln_1(U)"},
        "gradient",
    ),
    (15, {FIRST: "U1 = self.dropout(self.self_attention(seen)) + U"}, "first residual"),
    (15, {MIXED: "mixed = v"}, "do not see each other"),
    (
        15,
        {MIXED: "mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)"},
        "did not change",
    ),
    # SA reads U always
    (15, {FIRST: "U1 = self.dropout(self.self_attention(U)) + LN_U"}, "attention='normed'"),
    # 16: variances
    (
        16,
        {
            INTRA: """
                z = F.normalize(image_features, dim=-1)
                parts = [z[labels == c].var(dim=0).sum() for c in labels.unique()]
                return sum(parts).item() / len(parts)
                """
        },
        "|X_c| - 1",
    ),
    (16, {(INTRA, "z"): "z = F.normalize(image_features, dim=0)"}, "by Eqs. (6) and (7)"),
    (16, {(INTRA, "z"): "z = image_features"}, "not normalised"),
    (
        16,
        {(INTRA, "var_c"): "var_c = (X_c - z.mean(dim=0)).square().sum(dim=-1).mean()"},
        "Eqs. (6)",
    ),
    (16, {(INTRA, "var_c"): "var_c = (X_c - X_c.mean(dim=0)).square().sum() / len(z)"}, "Var_v"),
    (16, {(INTRA, "return"): "return total.item()"}, "number of classes"),
    (16, {(INTRA, "return"): "return total / len(classes)"}, "gave a Tensor, and a float"),
    (16, {(INTRA, "return"): "return (total / 3).item()"}, "Var_v"),
    (
        16,
        {(INTRA, "total 2"): "total = total + var_c * len(X_c) * len(classes) / len(z)"},
        "many pictures",
    ),
    (16, {(INTER, "w"): "w = class_weights"}, "not normalised"),
    (16, {(INTER, "return"): "return (w - w.mean(dim=0)).square().mean().item()"}, "sum"),
    (16, {(INTER, "return"): "return (w - w.mean(dim=0)).square().sum().item()"}, "divides by K"),
    (
        16,
        {(INTER, "return"): "return (w - w.mean(dim=0)).norm(dim=-1).mean().item()"},
        "by Eq. (8)",
    ),
    # a class without pictures counts
    (16, {(INTRA, "classes"): "classes = range(int(labels.max()) + 1)"}, "is no class"),
    # changes its input
    (
        16,
        {
            (INTRA, "z"): """
                z = image_features.div_(image_features.norm(dim=-1, keepdim=True))
                """
        },
        "intra_class_variance changed",
    ),
    # changes its input
    (
        16,
        {
            (INTER, "w"): """
                w = class_weights.div_(class_weights.norm(dim=-1, keepdim=True))
                """
        },
        "inter_class_variance changed",
    ),
    # K = 1: 0 / 0
    (
        16,
        {
            (INTER, "return"): """
                K = len(w)
                return (w.var(dim=0).sum() * (K - 1) / K).item()
                """
        },
        "1 class vector",
    ),
    # 24: attention that does nothing
    (24, influence(result="moved.mean().item()"), "prompt i itself"),
    (24, influence(result="moved[:, others].max().item()"), "is wanted"),
    (24, influence(result="moved[:, others].mean()"), "gave a Tensor"),
    (24, influence(old="new"), "is wanted"),
    (24, influence(old="torch.ones_like(old)"), "is wanted"),
    (24, influence("changed[:, 0] = U[:, 0].flip(-1)"), "is wanted"),
    (24, influence("changed[0, i] = U[0, i].flip(-1)"), "is wanted"),
    (24, influence("changed[:, i] = 2 * U[:, i]"), "is wanted"),
    (24, influence("changed = U; changed[:, i] = U[:, i].flip(-1)"), "use a copy"),
    (24, {("theta_forward", "U"): "U = theta.self_attention(U) + LN_U"}, "next to nothing"),
    (24, {("theta_forward", "U"): "U = theta.self_attention(U) + U"}, "should be Eq. (5)"),
    (
        24,
        {("theta_forward", "U"): "U = theta.self_attention(LN_U.detach()) + LN_U"},
        "gradient of U",
    ),
    (24, {("theta_forward", "U"): "U = theta.self_attention(50 * U) + LN_U"}, "should be Eq. (5)"),
    # the first U is kept
    (
        24,
        influence(
            "changed = globals().setdefault(f'{U.shape}, {i}', changed); changed[:, i] = "
            "U[:, i].flip(-1)"
        ),
        "is wanted",
    ),
]

RIGHT = [
    (13, vpt(insert())),
    (13, vpt(insert(patches="(x[:, 1:] if i == 0 else x[:, 1 + V.shape[1] :])"))),
    # prompts behind the patches
    (
        13,
        {
            ENCODE: """
                visual, n = self.clip.visual, self.V.shape[1]
                x = visual.embed(images)
                S = x.shape[1] - 1
                for i, layer in enumerate(visual.transformer.resblocks):
                    if i < len(self.V):
                        V = visual.ln_pre(self.V[i]) if i == 0 and self.before_ln_pre else self.V[i]
                        x = torch.cat([x[:, : 1 + S], V.repeat(len(x), 1, 1)], dim=1)
                    x = layer(x)
                return visual.pool(x)
                """
        },
    ),
    (14, {MIXED: OWN_ATTENTION.format("q.shape[-1] ** 0.5", "")}),
    (
        14,
        theta(
            "nn.functional.dropout(self.self_attention(seen), self.dropout.p, self.training) + "
            "self.ln_1(U)"
        ),
    ),
    (14, {OUT: "return self.out_proj(torch.cat(list(mixed.unbind(1)), dim=-1))"}),
    (
        14,
        {
            MIXED: """
                scores = torch.einsum('lhid,lhjd->lhij', q, k) / q.shape[-1] ** 0.5
                mixed = torch.einsum('lhij,lhjd->lhid', scores.softmax(dim=-1), v)
                """
        },
    ),
    (
        15,
        {
            FIRST: """
                mixed = [self.self_attention(one[None])[0] for one in seen]
                U1 = LN_U + self.dropout(torch.stack(mixed))
                """
        },
    ),
    (
        16,
        {
            INTRA: """
                z = F.normalize(image_features, dim=-1)
                parts = [z[labels == c] for c in labels.unique()]
                return float(sum(x.var(dim=0, unbiased=False).sum() for x in parts) / len(parts))
                """
        },
    ),
    (
        16,
        {
            INTER: """
                w = F.normalize(class_weights, dim=-1)
                return 1 - float(w.mean(dim=0).square().sum())
                """
        },
    ),
    (
        16,
        {
            INTRA: """
                z = F.normalize(image_features, dim=-1)
                numbers = labels.tolist()
                found = []
                for c in set(numbers):
                    own = [z[i] for i, label in enumerate(numbers) if label == c]
                    mean = sum(own) / len(own)
                    found.append(sum(float(((x - mean) ** 2).sum()) for x in own) / len(own))
                return sum(found) / len(found)
                """
        },
    ),
    (24, influence(result="(moved.sum(dim=1) - moved[:, i]).mean().item() / (U.shape[1] - 1)")),
    (24, {("theta_forward", "U"): "U = LN_U + theta.self_attention(theta.ln_1(U))"}),
    (
        24,
        {
            "influence": """
                found = []
                turned = [U[:, p].flip(-1) if p == i else U[:, p] for p in range(U.shape[1])]
                turned = torch.stack(turned, dim=1)
                for before, after in zip(function(U), function(turned)):
                    for p in range(U.shape[1]):
                        if p != i:
                            found.append(float((after[p] - before[p]).norm() / before[p].norm()))
                return sum(found) / len(found)
                """
        },
    ),
]

test_a_wrong_answer_is_told, test_another_right_answer_passes = both_tests(WRONG, RIGHT)
