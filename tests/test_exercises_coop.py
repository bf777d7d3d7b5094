"""Exercises 6 and 8: wrong answers that their checks must see, right ones that pass."""

from tests.answers import both_tests

EMBED, INIT, PLAIN = "embed", ("CoOp.__init__", "if"), "CoOp.plain_class_weights"
CONTEXT = ("CoOp.class_weights", "context")


def splice(spliced, append="prompts.append([tokenizer.sot, *spliced, tokenizer.eot])"):
    """The lines of `splice`, with another prompt."""
    return {("splice", "first", "prompts.append"): f"""
        first = i * n_ctx if class_specific else 0
        context = [-1 - m for m in range(first, first + n_ctx)]
        words, full_stop = tokenizer.encode(name), tokenizer.encode(".")
        spliced = {spliced}
        {append}
        """}


RIGHT_ORDER = "[*context[:before], *words, *context[before:], *full_stop]"


def plain(places="torch.cat([x[:, :1], v, x[:, 1 + M :]], dim=1)", start=""):
    """plain_class_weights as CoOp's code has it: the vectors replace placeholders."""
    return f"""
    clip, K = self.clip, len(self.names)
    M = self.ctx.shape[-2]
    before = {{"end": M, "middle": M // 2, "front": 0}}[self.position]
    v = self.ctx.expand(K, M, -1)
    words = [clip.tokenizer.encode(name) for name in self.names]
    x = torch.zeros(K, clip.context_length, v.shape[-1])
    E = clip.token_embedding.weight
    {start}
    rows = []
    for k in range(K):
        name, stop = E[words[k]], E[clip.tokenizer.encode(".")]
        sot, eot = E[[clip.tokenizer.sot]], E[[clip.tokenizer.eot]]
        {places}
        padding = E[[0]].expand(clip.context_length - len(row), -1)
        rows.append(torch.cat([row, padding]))
    x = torch.stack(rows) + clip.positional_embedding
    x = clip.transformer(x, causal_mask(x.shape[1]))
    return clip.pool_text(x[torch.arange(K), self.eos])
    """


ROW = "row = torch.cat([sot, v[k, :before], name, v[k, before:], stop, eot])"
CSC = """
if class_specific:
    ctx = ctx.repeat(len(classnames), 1, 1)
    {}
"""

WRONG = [
    # typical ones
    (6, {("splice", "spliced"): "spliced = [*context[:before], *text, *context[before:]]"}, "'.'"),
    (8, {INIT: """
        if class_specific:
            ctx = ctx.expand(len(classnames), -1, -1)
            ctx = ctx if ctx_init else 0.02 * torch.randn(ctx.shape)"""}, "memory"),
    (8, {CONTEXT: "context = self.ctx.transpose(0, -2).flatten(0, -2)[None]"},
     "first vectors of all classes"),
    # another start
    (8, {INIT: CSC.format("ctx = ctx if ctx_init else 0.1 + 0.02 * torch.randn(ctx.shape)")},
     "mean 0"),
    (8, {INIT: CSC.format("ctx = ctx if ctx_init else 0.0693 * (torch.rand(ctx.shape) - 0.5)")},
     "normally distributed"),
    # the plain way asks the fast one
    (8, {PLAIN: "return self.class_weights()"}, "each prompt for itself"),
    # 6: the splice
    (6, splice("[*context[:before], *words, *full_stop, *context[before:]]"), "'.'"),
    (6, splice("[*words, *context, *full_stop]"), "[V]_1"),
    (6, splice("[*context, *words, *full_stop]"), '"middle"'),
    (6, splice("[*context[:2], *words, *context[2:], *full_stop]"), '"end"'),
    (6, splice(RIGHT_ORDER.replace("*full_stop", "")), "should be '.'"),
    (6, splice(RIGHT_ORDER, "prompts.append([*spliced, tokenizer.eot])"), "[SOS]"),
    (6, splice(RIGHT_ORDER, "prompts.append([tokenizer.sot, *spliced])"), "ends too early"),
    (6, splice(RIGHT_ORDER, "prompts.append((tokenizer.sot, *spliced, tokenizer.eot))"), "tuple"),
    (6, splice("[*[-1 - m for m in range(n_ctx)][:before], *words, *[-1 - m for m in "
               "range(n_ctx)][before:], *full_stop]"), "class_specific"),
    (6, splice("[*[-2 - first - m for m in range(n_ctx)][:before], *words, *context[before:], "
               "*full_stop]"), "context vectors, -1 to"),
    (6, splice("[*context[:before], *words, *context[before:][::-1], *full_stop]"), "[V]_4"),
    (6, splice(RIGHT_ORDER,
               "prompts.append([tokenizer.sot, *spliced, tokenizer.eot][: clip.context_length])"),
     "should raise ValueError"),
    (6, {EMBED: """
        vectors = context.detach()[..., (-1 - symbols).clamp(min=0), :]
        words = clip.token_embedding(symbols.clamp(min=0))
        return torch.where((symbols < 0)[..., None], vectors, words)"""}, "No gradient"),
    (6, {EMBED: """
        context = context if context.ndim == 2 else context[0]
        vectors = context[(-1 - symbols).clamp(min=0)]
        words = clip.token_embedding(symbols.clamp(min=0))
        x = torch.where((symbols < 0)[..., None], vectors, words)
        return x"""}, "shape"),
    (6, {EMBED: """
        words = clip.token_embedding(symbols.clamp(min=0))
        vectors = context[..., (-1 - symbols).clamp(min=0), :]
        if context.ndim == 3:
            vectors = vectors[:1].expand_as(vectors)
        return torch.where((symbols < 0)[..., None], vectors, words)"""},
     "one context for each picture"),
    (6, {EMBED: """
        x = clip.token_embedding(symbols.clamp(min=0))
        places = symbols < 0
        x[places] = context[..., :places.sum(), :]
        return x"""}, "should be [V]_5"),
    (6, {EMBED: """
        words = clip.token_embedding(symbols.clamp(min=0))
        vectors = context[..., (-symbols).clamp(min=0, max=context.shape[-2] - 1), :]
        return torch.where((symbols < 0)[..., None], vectors, words)"""}, "[V]_1"),
    (6, {EMBED: """
        words = clip.token_embedding(symbols.clamp(min=0))
        vectors = context[..., (-1 - symbols).clamp(min=0), :]
        return torch.where((symbols <= 0)[..., None], vectors, words)"""}, "embed"),
    # changes its input
    (6, {EMBED: """
        is_context = symbols < 0
        vectors = context[..., (-1 - symbols).clamp(min=0), :]
        words = clip.token_embedding(symbols.clamp_(min=0))
        return torch.where(is_context[..., None], vectors, words)"""}, "embed changed"),
    # a batch of one loses an axis
    (6, {EMBED: """
        if context.ndim == 3 and len(context) == 1:
            context = context[0]
        words = clip.token_embedding(symbols.clamp(min=0))
        vectors = context[..., (-1 - symbols).clamp(min=0), :]
        return torch.where((symbols < 0)[..., None], vectors, words)"""}, "shape"),
    # 8: class-specific contexts
    (8, {INIT: CSC.format("pass")}, "differ from class to class"),
    (8, {INIT: CSC.format("ctx = 0.02 * torch.randn(ctx.shape)")}, "begins with these same words"),
    (8, {INIT: CSC.format("ctx = ctx if ctx_init else torch.randn(ctx.shape)")}, "deviation 0.02"),
    (8, {INIT: """
        ctx = ctx.repeat(len(classnames), 1, 1)
        ctx = ctx if ctx_init else 0.02 * torch.randn(ctx.shape)"""}, "class_specific=False"),
    (8, {INIT: CSC.format("ctx = ctx[:, :4] if ctx_init else 0.02 * torch.randn(len(classnames), "
                          "4, ctx.shape[-1])")}, "shape"),
    (8, {CONTEXT: "context = self.ctx.flatten(0, -2)[None].detach()"}, "no gradient"),
    (8, {CONTEXT: "context = (self.ctx if self.ctx.ndim == 2 else "
                  "self.ctx[0].repeat(len(self.names), 1))[None]"}, "context of class 0"),
    (8, {PLAIN: plain(ROW, "v = v.detach()")}, "no gradient"),
    (8, {PLAIN: plain(ROW.replace(":before", ":M").replace("before:", "M:"))}, "'middle'"),
    (8, {PLAIN: plain(ROW.replace(":before", ":2").replace("before:", "2:"))},
     "class vectors are not"),
    (8, {PLAIN: plain(ROW.replace("v[k", "v[0"))}, "context of class 0"),
    (8, {PLAIN: plain(ROW).replace("self.eos", "5")}, "class vectors are not"),
    (8, {PLAIN: plain(ROW).replace(" + clip.positional_embedding", "")}, "class vectors are not"),
    (8, {PLAIN: plain(ROW).replace("x = clip.transformer(x, causal_mask(x.shape[1]))",
                                   "x = clip.transformer(x)")}, "class vectors are not"),
    (8, {PLAIN: "with torch.no_grad():\n    return self.class_weights()"}, "no gradient"),
    # the vectors of a class are equal
    (8, {INIT: """
        if class_specific:
            K, (M, D) = len(classnames), ctx.shape
            random = (0.02 * torch.randn(K, 1, D)).repeat(1, M, 1)
            ctx = ctx.repeat(K, 1, 1) if ctx_init else random"""}, "of one context should differ"),
    # the same start for all seeds
    (8, {INIT: """
        if class_specific:
            K, (M, D) = len(classnames), ctx.shape
            stream = torch.Generator().manual_seed(1)
            random = 0.02 * torch.randn(K, M, D, generator=stream)
            ctx = ctx.repeat(K, 1, 1) if ctx_init else random"""}, "Two seeds"),
    # numpy's random numbers
    (8, {INIT: """
        if class_specific:
            K, (M, D) = len(classnames), ctx.shape
            import numpy

            random = torch.from_numpy(0.02 * numpy.random.randn(K, M, D)).float()
            ctx = ctx.repeat(K, 1, 1) if ctx_init else random"""}, "torch.manual_seed"),
    # the first result is kept
    (8, {PLAIN: plain(ROW).replace("return clip.pool", "self.__dict__.setdefault('kept', clip.pool")
         .rstrip() + ")\n    return self.__dict__['kept']"},
     "in evaluation, with another context"),
    # right in training only
    (8, {CONTEXT: "context = self.ctx.flatten(0, -2)[None] * self.training"}, "in evaluation"),
]

RIGHT = [
    (6, splice(RIGHT_ORDER)),
    (6, splice("(context[:before] + words + context[before:] + full_stop)")),
    (6, {EMBED: """
        words = clip.token_embedding.weight.expand(*context.shape[:-2], -1, -1)
        table = torch.cat([context.flip(-2), words], dim=-2)
        return table[..., symbols + context.shape[-2], :]"""}),
    (6, {("splice", "first", "prompts.append"): """
        M, text = n_ctx, tokenizer.encode(f'{name}.')
        offset = M * i if class_specific else 0
        V = list(range(-1 - offset, -1 - offset - M, -1))
        prompt = [tokenizer.sot] + V[:before]
        prompt += text[:-1]
        prompt += V[before:]
        prompt += [text[-1], tokenizer.eot]
        prompts.append(prompt)"""}),
    (8, {PLAIN: plain(ROW)}),
    (8, {INIT: """
        if class_specific and ctx_init:
            ctx = torch.stack([ctx.clone() for _ in classnames])
        elif class_specific:
            ctx = torch.empty(len(classnames), *ctx.shape).normal_(std=0.02)"""}),
    (8, {CONTEXT: "context = self.ctx.reshape(1, -1, self.ctx.shape[-1])"}),
]

test_a_wrong_answer_is_told, test_another_right_answer_passes = both_tests(WRONG, RIGHT)
