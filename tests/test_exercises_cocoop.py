"""Exercises 11, 12 and 23: wrong answers that their checks must see, right ones that pass."""

import re

from tests.answers import both_tests

NET = ("CoCoOp.__init__", "self.meta_net", "linear2")
CONTEXT, TREE, ENCODE = "CoCoOp.context", "PromptTree.__init__", "encode_trees"
MASK = (TREE, "mask", "for beginning, row in")


def net(first="nn.Linear(E, E // 16)", act="nn.ReLU()", second="nn.Linear(E // 16, D_t)"):
    """The Meta-Net with other layers."""
    return {NET: f"self.meta_net = nn.Sequential({first}, {act}, {second})"}


def context(pi="self.meta_net(F.normalize(image_features, dim=-1))",
            total="self.ctx + pi[:, None]"):
    """The context with another pi, or another sum."""
    return {CONTEXT: f"pi = {pi}\nreturn {total}"}


def encode(x="embed(clip, tree.symbols, context)", y="clip.pool_text(x[:, tree.eos])", more=""):
    """encode_trees with another first line or last line."""
    return {ENCODE: f"""
        features = []
        for tree in trees:
            x = {x}
            x = x + clip.positional_embedding[tree.position]
            for i, layer in enumerate(clip.transformer.resblocks):
                if 0 < i <= len(deeper):
                    x = torch.cat([x[:, :1], deeper[i - 1 : i], x[:, 1 + deeper.shape[1] :]], dim=1)
                x = layer(x, tree.mask)
                {more}
            features.append({y})
        return torch.cat(features, dim=1)
        """}


PLAIN_ATTRIBUTES = """
super().__init__()
place = {}
for beginning in beginnings(prompts):
    place.setdefault(beginning, len(place))
mask = torch.eye(len(place), dtype=torch.bool)
for beginning, row in place.items():
    if len(beginning) > 1:
        mask[row] |= mask[place[beginning[:-1]]]
self.mask = mask
self.symbols = torch.tensor([beginning[-1] for beginning in place])
self.position = torch.tensor([len(beginning) - 1 for beginning in place])
self.eos = torch.tensor([place[tuple(prompt)] for prompt in prompts])
"""
BUFFERS = re.sub(r"self.(\w+) = (.+)\n", r"self.register_buffer('\1', \2)\n", PLAIN_ATTRIBUTES)
LOOP = """
mask = torch.eye(len(place), dtype=torch.bool)
for beginning, row in place.items():
    for length in range(1, len(beginning) + 1):
        {}
"""

WRONG = [
    # typical ones
    (11, context(total="self.ctx + pi"), "wrong axis"),
    (12, {ENCODE: """
        features = []
        for prompt in trees:
            x = embed(clip, prompt.symbols, context)
            x = x + clip.positional_embedding[: x.shape[1]]
            for layer in clip.transformer.layers():
                x = layer(x, prompt.mask)
            features.append(clip.pool_text(x[:, prompt.eos]))
        return torch.cat(features, dim=1)"""}, "position"),
    (23, {(TREE, "for beginning, row in"): """
        for beginning, row in place.items():
            if len(beginning) > 1:
                mask[row, place[beginning[:-1]]] = True"""}, "its ancestor"),
    (23, {MASK: "mask = torch.ones(len(place), len(place)).tril().bool()"}, "another branch"),
    # beginnings are compared as strings: 7,1 is taken for a beginning of 7,12
    (23, {MASK: "texts = [','.join(map(str, a)) for a in place]\n"
                "mask = torch.tensor([[a.startswith(b) for b in texts] for a in texts])"},
     "another branch"),
    # five squarings reach 32 ancestors
    (23, {MASK: """
        mask = torch.eye(len(place))
        for beginning, row in place.items():
            if len(beginning) > 1:
                mask[row, place[beginning[:-1]]] = 1
        for _ in range(5):
            mask = (mask @ mask > 0).float()
        mask = mask.bool()"""}, "its ancestor"),
    (23, {(TREE, "position ="): "position = [len(beginning) for beginning in place]"},
     "counted from 0"),
    (23, {(TREE, "symbols ="): "symbols = [beginning[0] for beginning in place]"}, "last one of"),
    (23, {(TREE, "eos ="): "eos = [len(prompt) - 1 for prompt in prompts]"}, "each prompt ends"),
    (23, {(TREE, "register_buffer('mask'"): "self.register_buffer('mask', mask)"},
     "persistent=False"),
    # one ReLU too many, or in the wrong place
    (11, context("self.meta_net(F.normalize(image_features, dim=-1)).relu()"), "too many"),
    (11, context("self.meta_net(F.normalize(image_features, dim=-1).relu())"), "too many"),
    (11, {NET: "self.meta_net = nn.Sequential(nn.Linear(E, E // 16), nn.Linear(E // 16, D_t), "
               "nn.ReLU())"}, "not behind"),
    (11, context(total="self.ctx + pi[:, None] + torch.zeros(len(self.ctx), 1)"), "on the CPU"),
    # 11: the Meta-Net
    (11, net(second="nn.Linear(E // 16, E)"), "E → E/16 → D_t"),
    (11, net(first="nn.Linear(D_t, D_t // 16)", second="nn.Linear(D_t // 16, D_t)"), "E → E/16"),
    (11, net(first="nn.Linear(E, 8)", second="nn.Linear(8, D_t)"), "E → E/16 → D_t"),
    (11, net(first="nn.Linear(E, E // 16, bias=False)"), "bias"),
    (11, net(second="nn.Linear(E // 16, D_t, bias=False)"), "bias"),
    (11, net(act="nn.Identity()"), "ReLU is missing"),
    (11, net(act="nn.GELU()"), "not the Meta-Net's output"),
    (11, context("self.meta_net(F.normalize(image_features, dim=0))"), "over the batch"),
    (11, context("self.meta_net(image_features / image_features.norm())"), "without `dim`"),
    (11, context("self.meta_net(image_features)"), "how long"),
    (11, context(total="self.ctx + pi[None]"), "wrong axis"),
    (11, context(total="self.ctx[None] + pi[:1, None].expand(len(pi), 1, -1)"),
     "not the Meta-Net's"),
    (11, context(total="self.ctx + 0 * pi[:, None]"), "not added"),
    (11, context(total="0 * self.ctx + pi[:, None]"), "pi alone"),
    (11, context(total="self.ctx * (1 + pi[:, None])"), "not the Meta-Net's output"),
    (11, context(total="self.ctx + pi[:, None].detach()"), "no gradient"),
    (11, context(total="self.ctx.detach() + pi[:, None]"), "ctx gets no gradient"),
    (11, {CONTEXT: """
        with torch.no_grad():
            pi = self.meta_net(F.normalize(image_features, dim=-1))
        return self.ctx + pi[:, None]"""}, "no gradient"),
    (11, context(total="self.ctx + pi"), "along the wrong axis"),
    # the Meta-Net is frozen
    (11, {NET: """
        layers = nn.Linear(E, E // 16), nn.ReLU(), nn.Linear(E // 16, D_t)
        self.meta_net = nn.Sequential(*layers).requires_grad_(False)"""}, "is frozen"),
    # features shorter than 1 stay as they are
    (11, {CONTEXT: """
        f = image_features / image_features.norm(dim=-1, keepdim=True).clamp(min=1)
        return self.ctx + self.meta_net(f)[:, None]"""}, "not the Meta-Net's output"),
    # changes its input
    (11, {CONTEXT: """
        image_features /= image_features.norm(dim=-1, keepdim=True)
        return self.ctx + self.meta_net(image_features)[:, None]"""}, "context changed"),
    # a first layer of zeros
    (11, {NET: """
        layers = nn.Linear(E, E // 16), nn.ReLU(), nn.Linear(E // 16, D_t)
        self.meta_net = nn.Sequential(*layers)
        nn.init.zeros_(layers[0].weight)
        nn.init.zeros_(layers[0].bias)"""}, "At the start no gradient"),
    # right in training only
    (11, context(total="self.ctx + self.training * pi[:, None]"), "pi is not added"),
    # 12: the tree
    (23, {TREE: PLAIN_ATTRIBUTES}, "plain attribute"),
    (12, encode("embed(clip, tree.symbols, context.detach())"), "no gradient"),
    (12, encode(y="clip.pool_text(x[:, tree.eos]).detach()"), "no gradient"),
    (12, encode(more="x = x.detach() if i == 0 else x"), "no gradient"),
    (12, encode("embed(clip, tree.symbols, context[:1])"), "shape"),
    (12, encode("embed(clip, tree.symbols, context[:1].expand_as(context))"), "whole sequences"),
    (12, encode(y="clip.pool_text(x[:, -tree.eos.shape[0]:])"), "whole sequences"),
    (12, encode(y="clip.pool_text(x[:, tree.eos.flip(0)])"), "come in another order"),
    (12, {**encode(), (ENCODE, "return"): "return features[0]"}, "shape"),
    (12,
     {(ENCODE, "deeper[i - 1"): "x = torch.cat([x[:, :1], deeper[:1], x[:, 1 + deeper.shape[1] :]], dim=1)"},
     "`deeper`"),
    (12, {(ENCODE,
           "x "
           "3"): "x = torch.cat([x[:, :1], deeper[i - 1 : i].detach(), x[:, 1 + deeper.shape[1] "
                 ":]], dim=1)"}, "`deeper` "),
    (12, {(ENCODE, "deeper[i - 1"): "x = torch.cat([x[:, :1], deeper[i - 1 : i], x[:, 5:]], dim=1)"},
     "your code stopped"),
    (12, {(ENCODE, "deeper[i - 1"): "pass"}, "`deeper`"),
    (12, {ENCODE: """
        features = []
        for v in context:
            rows = []
            for tree in trees:
                for end in tree.eos:
                    seen = tree.mask[end].nonzero().flatten()
                    x = embed(clip, tree.symbols[seen], v)[None]
                    x = x + clip.positional_embedding[: len(seen)]
                    for i, layer in enumerate(clip.transformer.resblocks):
                        if 0 < i <= len(deeper):
                            M = deeper.shape[1]
                            x = torch.cat([x[:, :1], deeper[i - 1 : i], x[:, 1 + M :]], 1)
                        x = layer(x, torch.ones(len(seen), len(seen)).tril().bool())
                    rows.append(clip.pool_text(x[0, -1]))
            features.append(torch.stack(rows))
        return torch.stack(features)"""}, "Right, but slow"),
    # of two equal names only one counts
    (23, {(TREE, "eos"): """
        eos = [place[each] for each in dict.fromkeys(map(tuple, prompts))]"""},
     "eos of the prompts"),
    # no gradient for the context if there are deeper prompts
    (12, {(ENCODE, "embed("): """
        x = embed(clip, tree.symbols, context.detach() if len(deeper) else context)"""},
     "beside `deeper`"),
    # a tree of one class loses an axis
    (12, encode(y="clip.pool_text(x[:, tree.eos].squeeze(1))"), "your code stopped"),
    # `deeper` may have no layers
    (12,
     {(ENCODE, "features"): "features, M = [], len(deeper[0]) if torch.is_tensor(deeper) else 0"},
     "your code stopped"),
    # 23: the mask
    (23, {MASK: LOOP.format("mask[place[beginning[:length]], row] = True")},
     "comes later: rows are queries"),
    (23, {MASK: LOOP.format("mask[row, : row + 1] = True")}, "another branch"),
    (23, {MASK: LOOP.format("mask[row, 0] = True")}, "its ancestor"),
    (23, {MASK: LOOP.format("mask[row, place[beginning[:length]]] = length < len(beginning)")},
     "see itself"),
    (23, {MASK: LOOP.format("mask[row, place[beginning[:length]]] = True") + "mask = mask.float()"},
     "holds"),
    (23,
     {MASK: LOOP.format("mask[row, place[beginning[:length]]] = True") + "mask = mask | mask.T"},
     "another branch or comes later"),
    (23, {MASK: "mask = torch.tensor([[a[0] == b[0] and len(b) <= len(a) for b in place] for a in "
                "place])"}, "another branch"),
    (23, {MASK: "mask = torch.tensor([[set(b) <= set(a) and len(b) <= len(a) for b in place] for a "
                "in place])"}, "another branch"),
    (23, {MASK: "mask = torch.tensor([[a[: len(b)] == b or b == next(iter(place)) for b in place] "
                "for a in place])"}, "another branch"),
    # at most eight ancestors
    (23, {MASK: """
        mask = torch.tensor([[a[: len(b)] == b for b in place] for a in place])
        mask &= mask.triu(-8)"""}, "is its ancestor"),
    # kept by size
    (23, {MASK: """
        KEPT = globals().setdefault('KEPT', {})
        mask = torch.tensor([[a[: len(b)] == b for b in place] for a in place])
        mask = KEPT.setdefault(len(place), mask)"""}, "is its ancestor"),
]

RIGHT = [
    # parameters of one's own
    (11, {NET: """
        self.w1, self.b1 = nn.Parameter(torch.randn(E // 16, E)), nn.Parameter(torch.zeros(E // 16))
        self.w2, self.b2 = nn.Parameter(torch.randn(E // 16, D_t)), nn.Parameter(torch.zeros(D_t))
        """, CONTEXT: """
        h = F.relu(F.linear(F.normalize(image_features, dim=-1), self.w1, self.b1))
        return self.ctx + (h @ self.w2 + self.b2)[:, None]"""}),
    # the second layer begins at 0: the first step moves it
    (11, {NET: """
        self.meta_net = nn.Sequential(nn.Linear(E, E // 16), nn.ReLU(), nn.Linear(E // 16, D_t))
        nn.init.zeros_(self.meta_net[2].weight)"""}),
    (11, {NET: """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.second = nn.Linear(E // 16, D_t)
                self.first = nn.Linear(E, E // 16)

            def forward(self, x):
                return self.second(F.relu(self.first(x)))

        self.meta_net = Net()"""}),
    (11, net(act="nn.ReLU(inplace=True)")),
    (11, context("self.meta_net(image_features / image_features.norm(dim=-1, keepdim=True))",
                 "self.ctx.unsqueeze(0) + pi.unsqueeze(1)")),
    (11, context(total="torch.stack([self.ctx + one for one in pi])")),
    (11, {CONTEXT: """
        B, M = len(image_features), len(self.ctx)
        f = F.normalize(image_features)
        pi = self.meta_net(f)
        v = [self.ctx[m].expand(B, 1, -1) + pi.unsqueeze(1) for m in range(M)]
        return torch.cat(v, dim=1)"""}),
    (12, encode()),
    (12, {**encode(), TREE: BUFFERS}),
    (12, {(ENCODE, "deeper[i - 1"): """
        x = x.clone()
        x[:, 1 : 1 + deeper.shape[1]] = deeper[i - 1]"""}),
    (23, {MASK: LOOP.format("mask[row, place[beginning[:length]]] = True")}),
    (23, {MASK: "mask = torch.tensor([[a[: len(b)] == b for b in place] for a in place])"}),
    (23, {MASK: """
        T = len(place)
        mask = torch.zeros(T, T, dtype=torch.bool)
        for beginning in place:
            row, up = place[beginning], beginning
            while up:
                mask[row, place[up]] = True
                up = up[:-1]"""}),
]

test_a_wrong_answer_is_told, test_another_right_answer_passes = both_tests(WRONG, RIGHT)
