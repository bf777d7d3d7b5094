"""Checks of the exercises on CoOp: 6 and 8."""

import torch
from torch import nn

from notes.exercises.checks.inputs import FEW, NAMES, odd_clip, tiny, tokens_read, widths
from notes.exercises.judge import (close, compare, need, of_type, same_gradients, tensor, unchanged)
from notes.exercises.plain_towers import plain_prompts

PLACES = [("end", 4), ("middle", 4), ("middle", 5), ("front", 2), ("end", 1)]  # of a name, and M

# 6: the splice


def spliced_prompts(student):
    """6: what stands at each place of each prompt, and the gradients of the context."""
    for i, (position, M) in enumerate(PLACES):
        for class_specific in (False, True):
            clip = (tiny(), odd_clip())[i % 2]
            number = M * len(NAMES) if class_specific else M
            ctx = nn.Parameter(0.02 * torch.randn(number, widths(clip)[1]))
            options = dict(position=position, class_specific=class_specific)
            prompts = of_type(student.splice(clip, NAMES, M, **options), list, "splice")
            need(len(prompts) == len(NAMES),
                 f"splice gave {len(prompts)} prompts for {len(NAMES)} classes.")
            for k, (name, prompt) in enumerate(zip(NAMES, prompts, strict=True)):
                first = k * M if class_specific else 0
                wanted = wanted_prompt(clip, name, range(first, first + M), position)
                told = f'"{position}", M = {M}' + ", class_specific" * class_specific
                compare_symbols(student, clip, (prompt, ctx), wanted, f'{told}: "{name}"')
    embed_in_all_shapes(student)
    clip = tiny()
    (prompt, *_) = student.splice(clip, NAMES, 4)
    words = clip.token_embedding.weight[clip.tokenizer.encode("a photo of a")]
    written = clip.tokenizer([f"a photo of a {NAMES[0]}."], len(prompt))
    need(close(student.embed(clip, torch.tensor(prompt), words), clip.token_embedding(written)[0]),
         "With the words of `a photo of a` as context, the vectors should be those of the written "
         "prompt.")
    try:
        student.splice(clip, ["cat", "annual crop land " * 20], 4)
    except ValueError:
        return
    need(False, "A prompt that is longer than CLIP's context should raise ValueError.")


def wanted_prompt(clip, name, vectors, position):
    """A name, the numbers of its context vectors, its place → what stands where, in words."""
    V = [f"[V]_{m + 1}" for m in vectors]
    before = {"end": len(V), "middle": len(V) // 2, "front": 0}[position]
    ids = clip.tokenizer.encode(name.replace("_", " "))
    words = [repr(clip.tokenizer.decode([i]).strip()) for i in ids]
    return ["[SOS]", *V[:before], *words, *V[before:], "'.'", "[EOS]"]


def compare_symbols(student, clip, prompt_and_ctx, wanted, told):
    """Raises Wrong unless `embed` gives what is wanted at each place of a prompt."""
    prompt, ctx = prompt_and_ctx
    of_type(prompt, list, f"{told}: the prompt")
    symbols = torch.tensor(prompt)
    context = symbols[symbols < 0]
    outside = context < -len(ctx)
    need(not outside.any(),
         f"{told}: the symbol {int(context.min())} is one of {len(ctx)} context vectors, -1 to "
         f"{-len(ctx)}. Wanted: {' '.join(wanted)}")
    vectors = tensor(student.embed(clip, symbols, ctx), [len(prompt), ctx.shape[1]],
                     f"embed of {len(prompt)} symbols")
    for place, vector in enumerate(vectors.detach()):
        want = wanted[place] if place < len(wanted) else "nothing"
        there = what_stands_there(vector, clip, ctx.detach())
        need(there == want,
             f"{told}: token {place} is {there}, and should be {want}. Wanted: {' '.join(wanted)}")
    need(len(prompt) == len(wanted), f"{told}: the prompt ends too early.")
    need(vectors.requires_grad, "No gradient reaches the context: it was copied or detached.")


def what_stands_there(vector, clip, ctx):
    """An embedding → "[V]_2", "[SOS]", "'cat'" or, if it is none of these, words that say so."""
    near = (ctx - vector).abs().amax(dim=-1)
    if near.min() < 1e-6:
        return f"[V]_{near.argmin().item() + 1}"
    distances = (clip.token_embedding.weight - vector).abs().sum(dim=-1)
    i = distances.argmin().item()
    if distances[i] > 1e-4:
        return "neither a word nor one [V]"
    return {clip.tokenizer.sot: "[SOS]", clip.tokenizer.eot: "[EOS]"}.get(
        i, repr(clip.tokenizer.decode([i]).strip()))


def embed_in_all_shapes(student):
    """`embed` of one prompt and of several, with one context and with one for each picture."""
    clip, D = odd_clip(), widths(odd_clip())[1]
    rows = torch.tensor([[7, -1, -2, 9, 0], [-3, 7, 0, -1, 5]])
    for symbols, B in ((rows[0], None), (rows, None), (rows[0], 2), (rows[1], 3), (rows[1], 1)):
        shape = (3, D) if B is None else (B, 3, D)
        ctx = torch.randn(shape, requires_grad=True)
        called = f"embed(symbols {list(symbols.shape)}, context {list(shape)})"
        extra = [] if B is None else [B]
        given = symbols.clone()
        got = tensor(student.embed(clip, given, ctx), [*extra, *symbols.shape, D], called)
        unchanged(given, symbols, "embed")
        places = []
        for i in symbols.flatten().tolist():
            word = clip.token_embedding.weight[i].expand(*extra, D)
            places.append(ctx[..., -1 - i, :] if i < 0 else word)
        right = torch.stack(places, dim=-2).reshape(got.shape)
        otherwise = f"{called}: the symbol -1 is the first context vector, -2 the second."
        mistakes = []
        if B and B > 1:
            only_first = ("With one context for each picture, picture b gets the vectors of "
                          "context b.")
            mistakes.append((right[:1].expand_as(right), only_first))
        compare(got, right, mistakes, otherwise)
        same_gradients(got, right, {"the context": ctx})


# 8: class-specific contexts


def class_specific(student):
    """8: the start of the contexts, and whole sequences class by class."""
    for clip, names, M, position in ((tiny(), NAMES, 4, "end"), (odd_clip(), FEW, 3, "middle"),
                                     (odd_clip(), NAMES, 2, "front")):
        start_of_contexts(student, clip, names, M)
        for specific in (True, False):
            options = dict(class_token_position=position, class_specific=specific)
            method = student.CoOp(clip, names, n_ctx=M, **options)
            nn.init.normal_(method.ctx, std=0.5)
            told = f"class_specific={specific}, {position!r}, K = {len(names)}, M = {M}"
            whole_sequences(method, told)
            if clip is tiny() and specific:
                nn.init.normal_(method.ctx, std=0.5)
                method.eval()
                whole_sequences(method, f"{told}, in evaluation, with another context")


def start_of_contexts(student, clip, names, M):
    """Raises Wrong unless random contexts differ and contexts of words are equal copies."""
    K, D = len(names), widths(clip)[1]
    method = student.CoOp(clip, names, n_ctx=M, class_specific=True)
    called = f"ctx with class_specific=True, K = {K} and M = {M}"
    ctx = tensor(method.ctx, [K, M, D], called).detach()
    starts = [start_of_seed(student, clip, names, seed) for seed in (1, 1, 2)]
    random = "as torch.randn draws them, times 0.02."
    for condition, sentence in (
        (not torch.equal(ctx[0], ctx[1]),
         "Random contexts should differ from class to class: draw them for each one."),
        (len(ctx.flatten(0, 1).unique(dim=0)) == K * M,
         "The vectors of one context should differ, too: draw each one."),
        (0.015 < ctx.std() < 0.025,
         f"Random contexts should have deviation 0.02, not {ctx.std():.3f}."),
        (ctx.mean().abs() < 0.004,
         f"Random contexts should have mean 0, not {ctx.mean():.3f}: {random}"),
        (ctx.abs().max() > 0.05,
         f"No number of the random contexts is beyond {ctx.abs().max():.3f}: they should be "
         f"normally distributed, {random}"),
        (torch.equal(starts[0], starts[1]),
         "The same torch.manual_seed gave two starts: draw with torch.randn, so that a run can be "
         "repeated."),
        (not torch.equal(starts[0], starts[2]),
         "Two seeds gave the same start: do not set a seed of your own.")):
        need(condition, sentence)
    words = student.CoOp(clip, names, ctx_init="a photo of a", class_specific=True)
    expected = clip.token_embedding.weight[clip.tokenizer.encode("a photo of a")]
    tensor(words.ctx, [K, len(expected), D], "ctx with class_specific=True and ctx_init")
    need(all(close(c, expected, 1e-6) for c in words.ctx),
         "With ctx_init, every class begins with these same words.")
    words.ctx.data[1] += 1
    need(close(words.ctx[0], expected, 1e-6),
         "Changing the context of class 1 changed that of class 0: they lie in the same memory "
         "(`expand`); copy them.")
    tensor(student.CoOp(clip, names, n_ctx=M).ctx, [M, D], "ctx with class_specific=False")


def start_of_seed(student, clip, names, seed):
    """→ the random contexts of the classes, [K, M, D], with this seed."""
    torch.manual_seed(seed)
    return student.CoOp(clip, names, n_ctx=2, class_specific=True).ctx.detach()


def whole_sequences(method, told):
    """Raises Wrong unless both ways to the class vectors give those of whole sequences."""
    clip, names, ctx = method.clip, method.names, method.ctx
    M, D = ctx.shape[-2:]
    K, position = len(names), method.position
    right = plain_prompts(clip, names, ctx.expand(K, M, D), position)

    def mistakes():
        if ctx.ndim == 2:
            return []
        mixed, first = ctx.transpose(0, 1).reshape(K, M, D), ctx[:1].expand(K, M, D)
        return [(plain_prompts(clip, names, mixed, position),
                 f"{what}: class 0 gets the first vectors of all classes. In the list, the M "
                 "vectors of one class are neighbours."),
                (plain_prompts(clip, names, first, position),
                 f"{what}: all classes get the context of class 0. Class i has the symbols of i·M "
                 "+ 1 to i·M + M.")]

    for what in ("plain_class_weights", "class_weights"):
        with tokens_read(clip.transformer.resblocks[:1]) as calls:
            got = tensor(getattr(method, what)(), [K, widths(clip)[0]], f"{what}()")
        compare(got, right, mistakes,
                f"{what}, {told}: the class vectors are not those of whole sequences.")
        same_gradients(got, right, {f"ctx ({what})": ctx})
        sequences = sum(number for _, number, _ in calls)
        need(what == "class_weights" or sequences >= K,
             f"plain_class_weights gave the blocks {sequences} sequence(s), and there are {K} "
             "classes: it is the plain way, each prompt for itself, that class_weights is compared "
             "with.")
