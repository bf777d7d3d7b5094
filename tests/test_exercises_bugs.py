"""Exercises 19 to 21: wrong repairs that their checks must see, right ones that pass."""

from tests.answers import both_tests

LOGITS, WEIGHTS = ("CoOp.classify", "return"), ("UPT.class_weights", "return")
PI, CONTEXT = ("CoCoOp.context", "pi"), ("CoCoOp.context", "return")


def logits(f="image_features", w="self.class_weights()", scale="self.clip.logit_scale.exp()"):
    """The last line of CoOp's classify, with other parts."""
    return {LOGITS: f"return {scale} * cosines({f}, {w})"}


def deeper(prompts, first="T[:1]"):
    """The last line of UPT's class_weights, with other prompts of the deeper layers."""
    trees = f"encode_trees(self.clip, self.trees, {first}, deeper={prompts})"
    return {WEIGHTS: f"return {trees}.squeeze(0)"}


WRONG = [
    # typical ones
    (19, {LOGITS: """
        f = nn.functional.normalize(image_features, dim=-1)
        return self.clip.logit_scale.exp() * f @ self.class_weights().T"""}, "Eq. (3)"),
    (20, {WEIGHTS: "return encode_trees(self.clip, self.trees, T[:1]).squeeze(0)"},
     "whole sequences"),
    (20, deeper("T"), "whole sequences"),
    (21, {PI: "pi = self.meta_net(F.normalize(image_features, dim=0))"}, "alone"),
    # `prompts` is changed until the vectors fit
    (20, {"UPT.prompts": """
        U_v, U_t = self.theta(self.U).split(self.n_ctx, dim=1)
        return U_t[: self.text_depth], self.to_visual(U_v)"""}, "`prompts` changed"),
    (20, {"UPT.prompts": """
        U_t, U_v = self.theta(self.U).split(self.n_ctx, dim=1)
        return U_t, self.to_visual(U_v)"""}, "`prompts` changed"),
    # no company, no symptom
    (21, {("CoCoOp.classify", "parts"): "parts = image_features.split(1)"}, "still there"),
    (21, {("CoCoOp.classify", "found"): """
        found = [cosines(x, self.class_weights(self.context(x)).mean(dim=0)) for x in parts]"""},
     "In company"),
    # 19: not a cosine
    (19, logits(w="self.class_weights().detach()"), "gradient"),
    (19, {LOGITS: "with torch.no_grad():\n    w = self.class_weights()\nreturn w"}, "shape"),
    (19, {LOGITS: """
        with torch.no_grad():
            w = self.class_weights()
        return self.clip.logit_scale.exp() * cosines(image_features, w)"""}, "gradient"),
    (19, logits(scale="30"), "Eq. (3)"),
    (19, logits(scale="self.clip.logit_scale"), "Eq. (3)"),
    (19, logits(f="image_features - image_features.mean(dim=0)"), "Eq. (3)"),
    (19, logits(w="self.class_weights() - self.class_weights().mean(dim=0)"), "Eq. (3)"),
    (19, {LOGITS: """
        w = self.class_weights()
        w = w / w.norm(dim=-1, keepdim=True).detach()
        f = nn.functional.normalize(image_features, dim=-1)
        return self.clip.logit_scale.exp() * f @ w.T"""}, "gradient of the context is not"),
    # features shorter than 1 stay as they are
    (19, {LOGITS: """
        f = image_features / image_features.norm(dim=-1, keepdim=True).clamp(min=1)
        w = nn.functional.normalize(self.class_weights(), dim=-1)
        return self.clip.logit_scale.exp() * f @ w.T"""}, "Eq. (3) does not hold"),
    # the first result is kept
    (19, {LOGITS: """
        if not hasattr(self, 'kept'):
            object.__setattr__(self, 'kept', self.class_weights())
        return self.clip.logit_scale.exp() * cosines(image_features, self.kept)"""},
     "Eq. (3) does not hold"),
    # changes its input
    (19, {LOGITS: """
        image_features.div_(image_features.norm(dim=-1, keepdim=True))
        weights = nn.functional.normalize(self.class_weights(), dim=-1)
        return self.clip.logit_scale.exp() * image_features @ weights.T"""}, "classify changed"),
    # right in training only
    (19, logits(w="self.class_weights() + (not self.training)"), "Eq. (3)"),
    # 20: the fast path
    (20, deeper("T[1:].detach()"), "gradient"),
    (20, deeper("T[1:]", "T[:1].detach()"), "gradient"),
    (20, {WEIGHTS: "with torch.no_grad():\n    return self.theta(self.U)[0]"}, "shape"),
    (20, deeper("T[1:2]"), "whole sequences"),
    (20, deeper("T[1:].flip(0)"), "whole sequences"),
    (20, deeper("T[:0]"), "whole sequences"),
    (20, deeper("T[:1].expand(len(T) - 1, -1, -1)"), "whole sequences"),
    (20, deeper("T[1:]", "T[-1:]"), "whole sequences"),
    (20, deeper("T[1:] if len(T) == 4 else ()"), "depth=2"),
    (20, deeper("T[1:].roll(1, dims=1)"), "whole sequences"),
    # text_depth is not read
    (20, {WEIGHTS: """
        U_t = self.theta(self.U)[:, : self.n_ctx]
        return encode_trees(self.clip, self.trees, U_t[:1], deeper=U_t[1:]).squeeze(0)"""},
     "text_depth=1"),
    # the first result is kept
    (20, {WEIGHTS: """
        if not hasattr(self, 'kept'):
            object.__setattr__(self, 'kept', T)
        T = self.kept
        return encode_trees(self.clip, self.trees, T[:1], deeper=T[1:]).squeeze(0)"""},
     "in evaluation, with another U"),
    # right in training only
    (20, deeper("T[1:] if self.training else T[:0]"), "in evaluation"),
    # 21: only in company
    (21, {PI: "pi = self.meta_net(F.normalize(image_features, dim=-1)).detach()"}, "gradient"),
    (21, {CONTEXT: "return self.ctx.detach() + pi[:, None]"}, "ctx gets no gradient"),
    (21, {CONTEXT: "return self.ctx + pi.mean(dim=0).expand_as(pi)[:, None]"}, "company"),
    (21, {CONTEXT: "return self.ctx + pi[:1].expand_as(pi)[:, None]"}, "company"),
    (21, {CONTEXT: "return self.ctx + pi.cumsum(dim=0)[:, None]"}, "company"),
    (21, {PI: "pi = self.meta_net(image_features)"}, "Even alone"),
    (21, {PI: "pi = self.meta_net(image_features / image_features.abs().max())"}, "Even alone"),
    (21, {PI: "pi = 0 * self.meta_net(image_features)"}, "Even alone"),
    (21, {PI: """
        x = image_features
        x = x / (x.norm(dim=-1, keepdim=True) if len(x) < 3 else x.norm() / len(x) ** 0.5)
        pi = self.meta_net(x)"""}, "company"),
    # pictures in another order
    (21, {PI: """
        order = image_features.norm(dim=-1).argsort()
        pi = self.meta_net(F.normalize(image_features[order], dim=-1))"""}, "In company"),
    # changes its input
    (21, {PI: """
        image_features.div_(image_features.norm(dim=-1, keepdim=True))
        pi = self.meta_net(image_features)"""}, "classify changed"),
    # right for fewer than five pictures
    (21, {PI: """
        x = image_features
        mean = x.norm() / len(x) ** 0.5
        pi = self.meta_net(x / (x.norm(dim=-1, keepdim=True) if len(x) < 5 else mean))"""},
     "In company of 4"),
    # right in training only
    (21, {CONTEXT: "return self.ctx + self.training * pi[:, None]"}, "Even alone"),
]

RIGHT = [
    (19, {LOGITS: """
        f = nn.functional.normalize(image_features, dim=-1)
        weights = nn.functional.normalize(self.class_weights(), dim=-1)  # [K, E]
        return self.clip.logit_scale.exp() * f @ weights.T"""}),
    (19, {LOGITS: """
        f, w = image_features, self.plain_class_weights()
        lengths = torch.outer(f.norm(dim=1), w.norm(dim=1))
        return torch.einsum('be,ke->bk', f, w) / lengths * self.clip.logit_scale.exp()"""}),
    (20, deeper("T[1 : len(T)]")),
    (20, {WEIGHTS: """
        first, *others = T
        others = torch.stack(others) if others else T[:0]
        return encode_trees(self.clip, self.trees, first[None], others)[0]"""}),
    (21, {PI: "x = image_features\npi = self.meta_net(x / x.norm(dim=-1, keepdim=True))"}),
    (21, {PI: "pi = torch.stack([self.meta_net(x / x.norm()) for x in image_features])"}),
    (21, {PI: """
        length = image_features.square().sum(dim=1).sqrt()
        pi = self.meta_net(torch.einsum('be,b->be', image_features, 1 / length))"""}),
]

test_a_wrong_answer_is_told, test_another_right_answer_passes = both_tests(WRONG, RIGHT)
