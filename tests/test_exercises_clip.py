"""Exercises 1 to 5, 7 and 25: wrong answers that their checks must see, right ones that pass."""

from tests.answers import both_tests

MERGE, JOIN, EMBED = "Tokenizer.merge", "merge_pair", "VisionTransformer.embed"
CLASSIFY, SET = "ZeroShot.classify", "ZeroShot.set_classes"
TEXT, TO_TENSOR = "CLIP.encode_text", "Preprocess.to_tensor"


def each_sentence(feature):
    """The loop over the sentences; feature: what is kept of the class vectors w of one."""
    return f"""
for template in self.templates:
    w = word_vectors(self.clip, names, [template])
    features.append({feature})
"""


def encode_text(eos):
    """encode_text with another line for [EOS]."""
    return f"""
    eos = {eos}
    x = self.transformer(self.embed_text(tokens), causal_mask(tokens.shape[1]))
    return self.pool_text(x[torch.arange(len(x)), eos])
    """


def cosine(f, scale="self.clip.logit_scale.exp()"):
    """classify with another line for the feature, or for the scale."""
    return f"f = {f}\nreturn {scale} * f @ self.weights.T"


WRONG = [
    # 1: merges
    (1, {(JOIN, "return"): "return tuple(merged)"}, "gave a tuple, and a list is wanted"),
    (1, {(JOIN, "return"): "merged"}, "is a `return` missing"),
    (1, {(MERGE, "symbols 1"): "symbols = list(word)\nsymbols[-1] += END_OF_WORD"}, "two bytes"),
    (1, {(MERGE, "symbols 1"): "symbols = list(word)"}, "merge('abc')"),
    (1, {(MERGE, "while"): "symbols = merge_pair(symbols, self.merges[0])"}, "merge"),
    (
        1,
        {
            (MERGE, "best"): "known = [pair for pair in pairs if pair in self.rank]\n"
            "best = known[-1] if known else None"
        },
        "learned first",
    ),
    (1, {(MERGE, "symbols 2"): "return merge_pair(symbols, best)"}, "go on until"),
    (
        1,
        {(JOIN, "i 2"): "i += 2\nmerged += symbols[i:]\nreturn merged"},
        "the last two symbols can be",
    ),
    (
        1,
        {
            JOIN: """
                text = " ".join(symbols)
                return text.replace(" ".join(pair), "".join(pair)).split()
                """
        },
        "which ends a word",
    ),
    # changes its input
    (
        1,
        {
            JOIN: """
                i = 0
                while i + 1 < len(symbols):
                    if (symbols[i], symbols[i + 1]) == pair:
                        symbols[i : i + 2] = [pair[0] + pair[1]]
                    i += 1
                return symbols
                """
        },
        "merge_pair changed what it was given",
    ),
    # all tokenizers share what one has kept
    (
        1,
        {
            MERGE: """
                known = Tokenizer.__dict__.get('KEPT') or {}
                Tokenizer.KEPT = known
                if word in known:
                    return known[word]
                symbols = to_symbols(word)
                for pair in self.merges:
                    symbols = merge_pair(symbols, pair)
                known[word] = symbols
                return symbols
                """
        },
        "is something kept",
    ),
    # two pairs that become the same symbol are not told apart
    (
        1,
        {
            MERGE: """
                rank = {a + b: i for i, (a, b) in enumerate(self.merges)}
                symbols = to_symbols(word)
                while True:
                    pairs = [p for p in zip(symbols, symbols[1:]) if p[0] + p[1] in rank]
                    if not pairs:
                        return symbols
                    symbols = merge_pair(symbols, min(pairs, key=lambda p: rank[p[0] + p[1]]))
                """
        },
        "is not the pair",
    ),
    # b and b</w> are not told apart
    (
        1,
        {
            JOIN: """
                merged, i = [], 0
                while i < len(symbols) - 1:
                    two = symbols[i], symbols[i + 1].removesuffix('</w>')
                    if two == (pair[0], pair[1].removesuffix('</w>')):
                        merged.append(symbols[i] + symbols[i + 1])
                        i += 2
                    else:
                        merged.append(symbols[i])
                        i += 1
                return merged + symbols[i:]
                """
        },
        "which ends a word",
    ),
    # each call uses merges up
    (
        1,
        {
            MERGE: """
                symbols = to_symbols(word)
                while self.merges:
                    symbols = merge_pair(symbols, self.merges.pop(0))
                return symbols
                """
        },
        "a second call",
    ),
    # 2: the mask
    (2, {"causal_mask": "return torch.ones(length, length).tril().bool()"}, "`device`"),
    (2, {"causal_mask": "return torch.ones(length, length, device=device).tril()"}, "holds"),
    (2, {"causal_mask": "return torch.ones(4, 4, device=device).tril().bool()"}, "causal_mask(1)"),
    (
        2,
        {
            "causal_mask": "mask = torch.full((length, length), float('-inf'), device=device)\n"
            "return mask.triu(1)"
        },
        "True and False are wanted",
    ),
    # kept by length: on the device of the first call
    (
        2,
        {
            "causal_mask": """
                KEPT = globals().setdefault('KEPT', {})
                if length not in KEPT:
                    KEPT[length] = torch.ones(length, length, device=device).tril().bool()
                return KEPT[length]
                """
        },
        "`device`",
    ),
    # positions above 127 overflow
    (
        2,
        {
            "causal_mask": """
                p = torch.arange(length, device=device).to(torch.int8)
                return p <= p[:, None]
                """
        },
        "token 128",
    ),
    # 3: patches
    (
        3,
        {(EMBED, "x 1"): "x = self.conv1(images)\nx = x.reshape(len(x), -1, x.shape[1])"},
        "does not exchange axes",
    ),
    (3, {(EMBED, "x 1"): "x = self.conv1(images).flatten(2).transpose(1, 2).detach()"}, "conv1"),
    (
        3,
        {
            (
                EMBED,
                "class_token",
            ): "class_token = self.class_embedding.detach().expand(len(x), 1, -1)"
        },
        "class_embedding gets no gradient",
    ),
    (
        3,
        {(EMBED, "x 2"): "x = torch.cat([class_token, x + self.positional_embedding[1:]], dim=1)"},
        "has a position, too",
    ),
    (3, {(EMBED, "return"): "return x"}, "`ln_pre` is missing"),
    (3, {(EMBED, "return"): "return self.ln_pre(x.detach())"}, "no gradient"),
    # no gradient for ln_pre.bias
    (
        3,
        {
            (EMBED, "return"): """
                bias = self.ln_pre.bias.detach()
                return nn.functional.layer_norm(x, bias.shape, self.ln_pre.weight, bias)
                """
        },
        "ln_pre.bias gets no gradient",
    ),
    # no gradient for the pictures
    (
        3,
        {(EMBED, "x 1"): "x = self.conv1(images.detach()).flatten(2).transpose(1, 2)"},
        "`images` gets no gradient",
    ),
    # 4: the classifier
    (4, {CLASSIFY: cosine("image_features / image_features.norm()")}, "without `dim`"),
    (4, {CLASSIFY: cosine("F.normalize(image_features, dim=0)")}, "over the batch"),
    (4, {CLASSIFY: cosine("F.normalize(image_features, dim=-1).detach()")}, "no gradient"),
    (
        4,
        {
            CLASSIFY: """
                with torch.no_grad():
                    return self.clip.logit_scale.exp() * cosines(image_features, self.weights)
                """
        },
        "no gradient",
    ),
    (4, {CLASSIFY: cosine("F.normalize(image_features, dim=-1)", "100")}, "The logit of picture 0"),
    (
        4,
        {
            CLASSIFY: cosine(
                "F.normalize(image_features, dim=-1)", "self.clip.logit_scale.exp() ** -1"
            )
        },
        "multiply by tau",
    ),
    (
        4,
        {
            CLASSIFY: cosine(
                "image_features.div_(image_features.norm(dim=-1, keepdim=True)) if not "
                "image_features.requires_grad else F.normalize(image_features, dim=-1)"
            )
        },
        "changed what it was given",
    ),
    (
        4,
        {CLASSIFY: cosine("image_features / image_features.norm(dim=-1, keepdim=True).detach()")},
        "the gradient of the feature f is not",
    ),
    (
        4,
        {
            CLASSIFY: """
                f = F.normalize(image_features, dim=-1)
                return (self.clip.logit_scale.exp() * f @ self.weights.T).softmax(dim=-1)
                """
        },
        "These are probabilities",
    ),
    # features shorter than 1 stay as they are
    (
        4,
        {
            CLASSIFY: """
                f = image_features / image_features.norm(dim=-1, keepdim=True).clamp(min=1)
                return self.clip.logit_scale.exp() * f @ self.weights.T
                """
        },
        "0.2 long",
    ),
    # the first weights are kept
    (
        4,
        {
            CLASSIFY: """
                if not hasattr(self, 'kept'):
                    self.kept = self.weights.clone()
                f = F.normalize(image_features, dim=-1)
                return self.clip.logit_scale.exp() * f @ self.kept.T
                """
        },
        "in evaluation",
    ),
    # right in training only
    (
        4,
        {
            CLASSIFY: """
                f = F.normalize(image_features, dim=-1) if self.training else image_features
                return self.clip.logit_scale.exp() * f @ self.weights.T
                """
        },
        "in evaluation",
    ),
    # 5: ensembles
    (
        5,
        {(SET, "self.register_buffer"): "self.weights = nn.Parameter(F.normalize(mean, dim=-1))"},
        "is a parameter",
    ),
    (
        5,
        {(SET, "self.register_buffer"): "self.weights = F.normalize(mean, dim=-1)"},
        "plain attribute",
    ),
    (
        5,
        {
            (
                SET,
                "self.register_buffer",
            ): 'self.register_buffer("weights", F.normalize(mean, dim=-1))'
        },
        "persistent=False",
    ),
    (5, {(SET, "names, features"): "names, features = classnames, []"}, "underscore"),
    (
        5,
        {
            (SET, "for"): """
                first = word_vectors(self.clip, names, self.templates[:1])
                features.append(F.normalize(first, dim=-1))
                """
        },
        "Only the first template",
    ),
    (5, {(SET, "mean"): "mean = torch.stack(features).sum(dim=1)"}, "shape"),
    (5, {(SET, "for"): each_sentence("F.normalize(w, dim=0)")}, "The class vectors"),
    # changes its input
    (
        5,
        {
            (SET, "names, features"): """
                for i, name in enumerate(classnames):
                    classnames[i] = name.replace('_', ' ')
                names, features = classnames, []
                """
        },
        "set_classes changed",
    ),
    # of two equal names only one counts
    (
        5,
        {
            (SET, "names, features"): """
                names, features = list(dict.fromkeys(readable_names(classnames))), []
                """
        },
        "shape",
    ),
    # 7: [EOS]
    (7, {TEXT: encode_text("(tokens != 0).sum(dim=-1) - 1")}, "a word or [SOS]"),
    (7, {TEXT: encode_text("(tokens == 0).int().argmax(dim=-1) - 1")}, "and that is a word"),
    (7, {TEXT: encode_text("(tokens == 49407).int().argmax(dim=-1)")}, "a word or [SOS]"),
    (7, {TEXT: encode_text("(tokens == 1335).int().argmax(dim=-1)")}, "a word or [SOS]"),
    (
        7,
        {TEXT: encode_text("tokens[:1].argmax(dim=-1).expand(len(tokens))")},
        "and that is padding",
    ),
    (
        7,
        {TEXT: encode_text("tokens.argmax(dim=-1)").replace("return ", "return 2 * ")},
        "no position",
    ),
    (
        7,
        {TEXT: encode_text("tokens.argmax(dim=-1)").replace(", causal_mask(tokens.shape[1])", "")},
        "no position",
    ),
    (
        7,
        {TEXT: encode_text("tokens.argmax(dim=-1)").replace("eos])", "eos].detach())")},
        "no gradient",
    ),
    (7, {TEXT: encode_text("tokens.argmax(dim=-1)").replace("eos])", "eos])[:1]")}, "shape"),
    # no gradient for the positions
    (
        7,
        {
            TEXT: """
                eos, length = tokens.argmax(dim=-1), tokens.shape[1]
                x = self.token_embedding(tokens) + self.positional_embedding[:length].detach()
                x = self.transformer(x, causal_mask(length))
                return self.pool_text(x[torch.arange(len(x)), eos])
                """
        },
        "positional_embedding gets no gradient",
    ),
    # no gradient for the projection
    (
        7,
        {
            TEXT: """
                eos = tokens.argmax(dim=-1)
                x = self.transformer(self.embed_text(tokens), causal_mask(tokens.shape[1]))
                return self.ln_final(x[torch.arange(len(x)), eos]) @ self.text_projection.detach()
                """
        },
        "text_projection gets no gradient",
    ),
    # 25: mean and std
    (
        25,
        {
            TO_TENSOR: """
                pixels = np.asarray(image).transpose(2, 0, 1).astype(np.float32) / 255
                mean, std = np.float32(self.mean[0]), np.float32(self.std[0])
                return torch.from_numpy((pixels - mean) / std)
                """
        },
        "is wanted",
    ),
    (
        25,
        {("scale_and_shift", "scale"): "scale = np.array([1 / s for s in std], dtype=np.float32)"},
        "is wanted",
    ),
    (
        25,
        {
            (
                "scale_and_shift",
                "shift",
            ): "shift = np.array([-m * s for m, s in zip(mean, std)], dtype=np.float32)"
        },
        "is wanted",
    ),
    (
        25,
        {("Preprocess.augment", "return"): "return Preprocess(self.size).to_tensor(image)"},
        "another group's",
    ),
    # rows and columns exchanged
    (25, {(TO_TENSOR, "pixels 1"): "pixels = np.asarray(image).transpose(2, 1, 0)"}, "shape"),
    # float64
    (25, {(TO_TENSOR, "return"): "return torch.from_numpy(pixels).double()"}, "float32"),
    # kept by size
    (
        25,
        {
            (TO_TENSOR, "scale, shift"): """
                KEPT = globals().setdefault('KEPT', {})
                scale, shift = KEPT.setdefault(self.size, scale_and_shift(self.mean, self.std))
                """
        },
        "is wanted",
    ),
    # mirrored
    (25, {(TO_TENSOR, "return"): "return torch.from_numpy(pixels).flip(-1)"}, "elsewhere"),
]

RIGHT = [
    (
        1,
        {
            JOIN: """
                merged = []
                for symbol in symbols:
                    merged.append(symbol)
                first = 0
                while first + 1 < len(merged):
                    if (merged[first], merged[first + 1]) == pair:
                        merged[first : first + 2] = [pair[0] + pair[1]]
                    first += 1
                return merged
                """
        },
    ),
    (
        1,
        {
            MERGE: """
                symbols = to_symbols(word)
                for pair in self.merges:
                    symbols = merge_pair(symbols, pair)
                return symbols
                """
        },
    ),
    (
        1,
        {
            JOIN: """
                merged, rest = [], iter([*symbols, None])
                one = next(rest)
                for two in rest:
                    if one is not None and (one, two) == pair:
                        merged.append(one + two)
                        one = next(rest)
                    else:
                        merged.append(one)
                        one = two
                    if one is None:
                        break
                return merged
                """
        },
    ),
    (2, {"causal_mask": "return torch.ones(length, length, device=device).tril().bool()"}),
    (
        2,
        {
            "causal_mask": "return ~torch.ones(length, length, dtype=torch.bool, "
            "device=device).triu(1)"
        },
    ),
    (
        2,
        {
            "causal_mask": """
                rows = [[key <= query for key in range(length)] for query in range(length)]
                return torch.tensor(rows, device=device)
                """
        },
    ),
    (
        2,
        {
            "causal_mask": """
                rows, columns = torch.tril_indices(length, length, device=device)
                mask = torch.zeros(length, length, dtype=torch.bool, device=device)
                mask[rows, columns] = True
                return mask
                """
        },
    ),
    (
        3,
        {
            (
                EMBED,
                "x 1",
            ): "x = self.conv1(images)\nx = x.reshape(x.shape[0], x.shape[1], -1).permute(0, 2, 1)"
        },
    ),
    (
        3,
        {
            (
                EMBED,
                "class_token",
            ): "class_token = self.class_embedding + torch.zeros(len(x), 1, x.shape[-1])"
        },
    ),
    (
        3,
        {
            (EMBED, "x 1"): """
                B, _, H, W = images.shape
                p = self.conv1.kernel_size[0]
                x = images.reshape(B, 3, H // p, p, W // p, p)
                x = torch.einsum('bcipjq,dcpq->bijd', x, self.conv1.weight).flatten(1, 2)
                """
        },
    ),
    (4, {CLASSIFY: cosine("image_features / image_features.norm(dim=-1, keepdim=True)")}),
    (
        4,
        {
            CLASSIFY: "return F.cosine_similarity(image_features[:, None], self.weights[None], "
            "dim=-1) * self.clip.logit_scale.exp()"
        },
    ),
    (
        4,
        {
            CLASSIFY: """
                f = F.normalize(image_features, dim=-1)
                return torch.exp(self.clip.logit_scale) * torch.einsum('be,ke->bk', f, self.weights)
                """
        },
    ),
    (
        4,
        {
            CLASSIFY: """
                tau = 1 / self.clip.logit_scale.exp()
                return (self.weights @ F.normalize(image_features, dim=1).T).T / tau
                """
        },
    ),
    (5, {(SET, "mean"): "mean = sum(features) / len(features)"}),
    (5, {(SET, "for"): each_sentence("w / w.norm(dim=-1, keepdim=True)")}),
    (
        5,
        {
            (SET, "for"): each_sentence("w"),
            (SET, "mean"): "mean = F.normalize(torch.stack(features), dim=-1).mean(dim=0)",
        },
    ),
    (
        5,
        {
            SET: """
                vectors = []
                for name in readable_names(classnames):
                    texts = [each.format(name) for each in self.templates]
                    own = self.clip.encode_text(self.clip.tokenizer(texts, 77))
                    own = F.normalize(own, dim=-1)
                    vectors.append(own.sum(dim=0) / own.sum(dim=0).norm())
                self.register_buffer('weights', torch.stack(vectors), persistent=False)
                """
        },
    ),
    (7, {TEXT: encode_text("(tokens == self.tokenizer.eot).int().argmax(dim=-1)")}),
    (7, {TEXT: encode_text("(tokens == self.vocab_size - 1).nonzero()[:, 1]")}),
    (7, {TEXT: encode_text("tokens.max(dim=-1).indices")}),
    (
        7,
        {
            TEXT: """
                rows = []
                for row in tokens:
                    length = int(row.argmax()) + 1
                    x = self.transformer(self.embed_text(row[None, :length]), causal_mask(length))
                    rows.append(self.pool_text(x[0, -1]))
                return torch.stack(rows)
                """
        },
    ),
    (
        25,
        {
            TO_TENSOR: """
                pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
                mean, std = torch.tensor(self.mean), torch.tensor(self.std)
                return (pixels - mean[:, None, None]) / std[:, None, None]
                """
        },
    ),
]

test_a_wrong_answer_is_told, test_another_right_answer_passes = both_tests(WRONG, RIGHT)
