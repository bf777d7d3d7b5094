"""What each exercise's check asks of the student's file, and how a wrong answer is put into words.

A check gets the student's file as a module and calls `need` or `compare` of judge.py. What is right
is computed here by hand, by torch's own modules, by whole sequences (plain_towers.py), or is in
tests/golden. This file is long because it has one function for each exercise; each can be read by
itself.
"""

import contextlib
import functools
import json
import random
import tempfile

import torch
import torch.nn.functional as F
from torch import nn

from clip_min import load_clip
from clip_min.data import few_shot, load_dataset
from clip_min.model import build_clip, causal_mask
from notes.exercises.cut import ROOT
from notes.exercises.judge import Wrong, close, compare, need, tensor
from notes.exercises.plain_towers import plain_class_weights, plain_image_features
from prompts import METHODS
from prompts.experiments.batches import training_batches
from prompts.experiments.evaluation import evaluate
from prompts.experiments.store import learned_parameters
from prompts.upt import TINY as UPT_RECIPE
from prompts.zero_shot import ENSEMBLE
from tests.golden.weights import golden_state_dict, golden_tensor
from train import train

NAMES = ["cat", "annual crop land", "yellow rose", "dog"]
BUDGET = 3000  # learned numbers in the open exercise


@functools.cache
def tiny():
    """The tiny CLIP."""
    return load_clip("tiny")


@functools.cache
def golden_clip():
    """The small CLIP whose features by the published code stand in tests/golden."""
    clip = build_clip(golden_state_dict(golden("clip")["vit"]["shapes"]))
    clip.tokenizer = tiny().tokenizer
    return clip


def golden_pictures():
    """The pictures of tests/golden/clip.json."""
    image = golden("clip")["vit"]["image"]
    return golden_tensor(image["name"], image["shape"], kind="image")


def golden(name):
    """The figures of the published code in tests/golden/NAME.json."""
    return json.loads((ROOT / "tests" / "golden" / f"{name}.json").read_text())


def pictures(clip):
    """Three random pictures [3, 3, S, S], the same ones every time."""
    size = (3, 3, clip.image_size, clip.image_size)
    return torch.randn(size, generator=torch.Generator().manual_seed(0))


@contextlib.contextmanager
def tokens_read(blocks):
    """→ a list that gets (number of the block, sequences, tokens of each) at each of its calls."""
    calls = []
    hooks = [
        block.register_forward_pre_hook(
            lambda _, inputs, i=i: calls.append((i, *inputs[0].shape[:2]))
        )
        for i, block in enumerate(blocks)
    ]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


# The checks


def merges(student):
    """1: single merges, and whole words."""
    cases = [
        ("c a t</w>", "c a", "ca t</w>", "two neighbours become one symbol, and both are used up"),
        ("c a t</w>", "a t</w>", "c at</w>", "the last two symbols can be the pair, too"),
        ("c a t</w>", "c t</w>", "c a t</w>", "they are no neighbours, so nothing changes"),
        (
            "a a a b</w>",
            "a a",
            "aa a b</w>",
            "a symbol that was joined is used up and cannot be joined once more",
        ),
        ("a b a b c</w>", "a b", "ab ab c</w>", "every occurrence is joined, not only the first"),
    ]
    for symbols, pair, expected, why in cases:
        got = student.merge_pair(symbols.split(), tuple(pair.split()))
        need(
            got == expected.split(),
            f"merge_pair({symbols.split()}, {tuple(pair.split())}) gave {got}, and not "
            f"{expected.split()}: {why}.",
        )
    cases = [
        (
            "abc",
            ["b c</w>", "a b"],
            "a bc</w>",
            "the pair that was learned first goes first, wherever it stands",
        ),
        ("low", ["l o", "lo w</w>"], "low</w>", "go on until no neighbours are a known pair"),
        ("dog", ["l o"], "d o g</w>", "no known pair, so the symbols stay"),
        ("a", ["l o"], "a</w>", "a word of one letter has no neighbours"),
    ]
    for word, pairs, expected, why in cases:
        with tempfile.TemporaryDirectory() as folder:
            student.save_merges([tuple(pair.split()) for pair in pairs], f"{folder}/merges.txt")
            got = student.Tokenizer(f"{folder}/merges.txt").merge(word)
        need(
            got == expected.split(),
            f"With the merges {pairs}, merge({word!r}) gave {got}, and not {expected.split()}: "
            f"{why}.",
        )


def mask_of_a_text(student):
    """2: every place of a small mask, then torch's own attention with it."""
    mask = tensor(student.causal_mask(4), [4, 4], "causal_mask(4)")
    need(mask.dtype == torch.bool, f"the mask holds {mask.dtype}, and True and False are wanted.")
    for query, row in enumerate(mask.tolist()):
        for key, allowed in enumerate(row):
            need(
                not allowed or key <= query,
                f"The mask lets token {query} see token {key}, which comes after it: rows are "
                "queries, columns are keys.",
            )
            need(allowed or key != query, f"The mask does not let token {query} see itself.")
            need(
                allowed or key > query,
                f"The mask hides token {key} from token {query}, which comes after it.",
            )
    ours, theirs = student.Attention(128), nn.MultiheadAttention(128, 2, batch_first=True)
    nn.init.normal_(ours.in_proj_weight, std=0.1)
    theirs.load_state_dict(ours.state_dict())
    x, hidden = torch.randn(2, 5, 128), torch.ones(5, 5).triu(1).bool()
    need(
        close(ours(x, student.causal_mask(5)), theirs(x, x, x, attn_mask=hidden)[0]),
        "Attention differs from torch's with this mask.",
    )


def patch_embedding(student):
    """3: the patches by torch's unfold and a matrix product."""
    visual, images = student.VisionTransformer(8, 4, 64, 1, 16), torch.randn(2, 3, 8, 8)
    for parameter in visual.parameters():
        nn.init.normal_(parameter)
    with torch.no_grad():
        got = tensor(
            visual.embed(images), [2, 5, 64], "embed(images [2, 3, 8, 8]) with 2 x 2 patches"
        )
        patches = (
            F.unfold(images, 4, stride=4).transpose(1, 2) @ visual.conv1.weight.flatten(1).T
        )  # [B, S, D]
        first, positions = visual.class_embedding.expand(2, 1, 64), visual.positional_embedding
        x, LN = torch.cat([first, patches], dim=1), visual.ln_pre
        compare(
            got,
            LN(x + positions),
            [
                (
                    LN(torch.cat([first, patches[:, [0, 2, 1, 3]]], dim=1) + positions),
                    "The patches stand column by column: the first row of patches comes first, "
                    "from left to right.",
                ),
                (
                    LN(torch.cat([patches, first], dim=1) + positions),
                    "The class token comes first, not last.",
                ),
                (LN(x), "The positions are missing."),
                (x + positions, "`ln_pre` is missing."),
                (
                    LN(torch.cat([first, patches + positions[1:]], dim=1)),
                    "The class token has a position, too: the first.",
                ),
                (LN(x) + positions, "The positions are added before `ln_pre`."),
            ],
            "The tokens are not ln_pre([class token, patches] + positions).",
        )


def cosine_and_temperature(student):
    """4: torch's cosine_similarity."""
    method = student.ZeroShot(tiny(), ["cat", "dog", "bird"])
    w, f = F.normalize(torch.randn(3, 128), dim=-1), 3 * torch.randn(2, 128)
    method.weights, log_scale = w, tiny().logit_scale
    got = tensor(method.classify(f), [2, 3], "classify(f [2, E]) with 3 classes")
    cosines, scale = F.cosine_similarity(f[:, None], w[None], dim=-1), log_scale.exp()
    compare(
        got,
        scale * cosines,
        [
            (cosines, "These are the bare cosines: multiply by 1/tau, which is exp(logit_scale)."),
            (log_scale * cosines, "logit_scale is the logarithm of 1/tau: take exp of it."),
            (cosines / scale, "You divide by 1/tau, and so multiply by tau: it is cos / tau."),
            (
                scale * f @ w.T,
                "A feature of twice the length gives logits twice as large. A cosine does not: "
                "divide f by its length.",
            ),
            (
                scale * F.normalize(f, dim=0) @ w.T,
                "You normalised over the batch: each row is a feature, so dim=-1.",
            ),
            (
                (scale * cosines).softmax(dim=-1),
                "These are probabilities: return logits, the loss applies the softmax.",
            ),
        ],
        f"The logit of picture 0 and class 0 is {got[0, 0]:.3f}, and cos(w, f) / tau is "
        f"{scale * cosines[0, 0]:.3f}.",
    )


def ensembling(student):
    """5: the average, computed here."""
    clip, template = tiny(), "a photo of a {}, a type of flower."
    method = student.ZeroShot(clip, ["cat", "yellow_rose", "dog"], template, templates="ensemble")
    got = tensor(getattr(method, "weights", None), [3, 128], "self.weights")

    def encode(names):
        texts = [[t.format(name) for name in names] for t in (*ENSEMBLE, template)]
        return torch.stack(
            [clip.encode_text(clip.tokenizer(each, clip.context_length)) for each in texts]
        )

    raw = encode(["cat", "yellow rose", "dog"])  # [T, K, E]
    underscored = encode(["cat", "yellow_rose", "dog"])
    unit = F.normalize(raw, dim=-1)
    compare(
        got,
        F.normalize(unit.mean(dim=0), dim=-1),
        [
            (
                unit.mean(dim=0),
                "The average of several vectors of length 1 is shorter than 1: normalise again.",
            ),
            (
                F.normalize(raw.mean(dim=0), dim=-1),
                "Some sentences count more than others, because their features are "
                "longer: normalise each one before you average.",
            ),
            (raw.mean(dim=0), "Nothing is normalised: do it before the average and after it."),
            (unit[0], "Only the first template is used."),
            (unit[-1], "Only the last template is used."),
            (
                F.normalize(F.normalize(underscored, dim=-1).mean(dim=0), dim=-1),
                "The name keeps its underscore: use readable_names.",
            ),
        ],
        "The class vectors are not the normalised average of the sentences' normalised features.",
    )


def what_stands_there(vector, clip, ctx):
    """An embedding → "[V]_2", "[SOS]", "'cat'" or, if it is none of these, words that say so."""
    for i, v in enumerate(ctx):
        if close(vector, v, 1e-6):
            return f"[V]_{i + 1}"
    distances = (clip.token_embedding.weight - vector).abs().sum(dim=-1)
    i = distances.argmin().item()
    if distances[i] > 1e-4:
        return "neither a word nor one [V]"
    return {clip.tokenizer.sot: "[SOS]", clip.tokenizer.eot: "[EOS]"}.get(
        i, repr(clip.tokenizer.decode([i]).strip())
    )


def spliced_prompts(student):
    """6: what stands at each place of each prompt."""
    clip, ctx = tiny(), nn.Parameter(0.02 * torch.randn(8, 128))
    for position, M in [("end", 4), ("middle", 4), ("middle", 5), ("front", 2)]:
        prompts = student.splice(clip, NAMES, M, position)
        need(
            isinstance(prompts, list) and len(prompts) == len(NAMES),
            f"splice gave {prompts!r}, and a list with one prompt for each class is wanted.",
        )
        V = [f"[V]_{m + 1}" for m in range(M)]
        before = {"end": M, "middle": M // 2, "front": 0}[position]
        for name, prompt in zip(NAMES, prompts, strict=True):
            words = [repr(clip.tokenizer.decode([i]).strip()) for i in clip.tokenizer.encode(name)]
            wanted = ["[SOS]", *V[:before], *words, *V[before:], "'.'", "[EOS]"]
            found = student.embed(clip, torch.tensor(prompt), ctx)
            vectors = tensor(found, [len(prompt), 128], f"embed of {len(prompt)} symbols")
            for place, vector in enumerate(vectors):
                want = wanted[place] if place < len(wanted) else "nothing"
                there = what_stands_there(vector, clip, ctx)
                need(
                    there == want,
                    f'"{position}", M = {M}: token {place} of the prompt of "{name}" is {there}, '
                    f"and should be {want}. Wanted: {' '.join(wanted)}",
                )
            need(len(prompt) == len(wanted), f"The prompt of {name} ends too early.")
        need(found.requires_grad, "No gradient reaches the context: it was copied or detached.")
    of_pictures = student.embed(clip, torch.tensor(prompt), torch.stack([ctx, 2 * ctx]))
    of_pictures = tensor(
        of_pictures, [2, len(prompt), 128], "embed with the contexts of 2 pictures"
    )
    need(
        close(of_pictures[0], vectors) and not close(of_pictures[1], vectors),
        "With one context for each picture, picture b gets the vectors of context b.",
    )
    symbols = student.splice(clip, NAMES, 2, class_specific=True)
    need(
        [prompt[1:3] for prompt in symbols] == [[-1, -2], [-3, -4], [-5, -6], [-7, -8]],
        "With class_specific, the second class has the symbols -3 and -4 if M is 2, and so on.",
    )
    words = clip.token_embedding.weight[clip.tokenizer.encode("a photo of a")]
    trees = student.grow_trees(student.splice(clip, NAMES, len(words)))
    texts = clip.tokenizer([f"a photo of a {name}." for name in NAMES], 32)
    need(
        close(student.encode_trees(clip, trees, words[None])[0], clip.encode_text(texts)),
        "With the words of `a photo of a` as context, the class vectors should be those of the "
        "written prompt.",
    )


def eos_position(student):
    """7: figures of the published code, and the features of all other places."""
    case = golden("clip")["vit"]
    clip = student.build_clip(golden_clip().state_dict())
    tokens = torch.zeros(len(case["token_ids"]), 77, dtype=torch.long)
    for row, ids in zip(tokens, case["token_ids"]):
        row[: len(ids)] = torch.tensor(ids)
    E = clip.text_projection.shape[1]
    got = tensor(
        clip.encode_text(tokens), [len(tokens), E], f"encode_text(tokens {list(tokens.shape)})"
    )
    with torch.no_grad():
        x = clip.embed_text(tokens)
        for block in clip.transformer.resblocks:
            x = block(x, causal_mask(77))
        everywhere = clip.pool_text(x)  # [N, 77, E]: the feature that each position would give
    for n, ids in enumerate(case["token_ids"]):
        eos = len(ids) - 1
        distance = (everywhere[n] - got[n]).abs().amax(dim=-1)
        if distance[eos] > 1e-4:
            place = distance.argmin().item()
            need(
                distance[place] > 1e-4,
                f"Text {n} is read at position {place}, and that is "
                f"{'padding' if place > eos else 'a word or [SOS]'}: its [EOS] stands at position "
                f"{eos}.",
            )
            raise Wrong(
                f"The feature of text {n} is that of no position: do all {eos + 1} tokens reach "
                "the blocks, "
                "and does `pool_text` come last?"
            )
    need(
        close(got, torch.tensor(case["text_features"])),
        "The features are not those of the published code.",
    )


def class_specific(student):
    """8: the start of the contexts, and whole sequences class by class."""
    clip = tiny()
    method = student.CoOp(clip, NAMES, n_ctx=4, class_specific=True)
    ctx = tensor(method.ctx, [4, 4, 128], "ctx with class_specific=True, K = 4 and M = 4")
    need(
        not torch.equal(ctx[0], ctx[1]),
        "Random contexts should differ from class to class: draw them for each one.",
    )
    need(
        0.015 < ctx.std() < 0.025,
        f"Random contexts should have deviation 0.02, not {ctx.std():.3f}.",
    )
    words = student.CoOp(clip, NAMES, ctx_init="a photo of a", class_specific=True)
    ids = clip.tokenizer.encode("a photo of a")
    expected = clip.token_embedding.weight[ids]
    need(
        all(close(c, expected, 1e-6) for c in words.ctx),
        "With ctx_init, every class begins with these same words.",
    )
    words.ctx.data[2] += 1
    need(
        close(words.ctx[0], expected, 1e-6),
        "Changing the context of class 2 changed that of class 0: they lie in the same memory "
        "(`expand`); copy them.",
    )
    for specific in (True, False):
        method = student.CoOp(clip, NAMES, n_ctx=4, class_specific=specific)
        contexts = method.ctx.detach().expand(4, 4, 128)
        with torch.no_grad():
            pairs = zip(NAMES, contexts, strict=True)
            whole = torch.cat([plain_class_weights(clip, [name], c[None]) for name, c in pairs])
            mixed = contexts.transpose(0, 1).reshape(4, 4, 128)
            pairs = zip(NAMES, mixed, strict=True)
            wrong = torch.cat([plain_class_weights(clip, [name], c[None]) for name, c in pairs])
            for what in ("plain_class_weights", "class_weights"):
                got = tensor(getattr(method, what)(), [4, 128], f"{what}()")
                mistakes = (
                    [
                        (
                            wrong,
                            f"{what}: class 0 gets the first vectors of all classes. In the "
                            "list, the M vectors of one class are neighbours.",
                        )
                    ]
                    if specific
                    else []
                )
                compare(
                    got,
                    whole,
                    mistakes,
                    f"{what}, class_specific={specific}: the class vectors "
                    "are not those of whole sequences.",
                )


def schedule(student):
    """9: the published schedule."""
    published = golden("protocol")["schedule"]
    for E in (1, 2, 10, 50):
        for epoch, want in enumerate(published[f"epochs_{E}"]):
            got = student.learning_rate(published["lr"], epoch, E)
            need(got is not None, "learning_rate gave None: is a `return` missing?")
            why = {0: "the first one warms up at 1e-5", 1: "the cosine begins here, at lr"}
            why = why.get(epoch, "it falls along a cosine whose half period is E epochs")
            need(
                abs(got - want) < 1e-9,
                f"Epoch {epoch} of {E} has the rate {got:.6g}, and {want:.6g} in the "
                f"published schedule: {why}.",
            )


def sampler(student):
    """10: a small data set, then the published indices."""
    def dataset(train, val):
        train, val = (
            [student.Item(str(i), label) for i, label in enumerate(part)] for part in (train, val)
        )
        return student.Dataset(
            "a small set", [f"class {i}" for i in range(6)], ["a {}."], train, val, []
        )

    labels = golden("protocol")["few_shot"]
    state = random.getstate()
    pair = student.few_shot(dataset([2, 0, 0, 2, 0, 2, 1], [0] * 9), 2, 1)
    need(
        random.getstate() == state,
        "The global random numbers were used: draw from your own random.Random(seed).",
    )
    need(
        isinstance(pair, tuple) and isinstance(pair[0], list),
        "few_shot should give two lists, (train, val).",
    )
    few = [item.label for item in pair[0]]
    need(
        len({item.path for item in pair[0]}) == len(pair[0]),
        "A picture was drawn twice: draw without replacement.",
    )
    need(
        sorted(few) == [0, 0, 1, 2, 2],
        f"From classes of 3, 1 and 3 pictures, 2 shots gave the labels {few}: two of "
        "each class are wanted, and all of a class that has fewer.",
    )
    need(
        few == [2, 2, 0, 0, 1],
        f"The classes come in the order {list(dict.fromkeys(few))}: the order of first "
        "appearance in train is [2, 0, 1].",
    )
    data = dataset(labels["train_labels"], labels["val_labels"])
    for case in labels["cases"]:
        train, val = student.few_shot(data, case["shots"], case["seed"])
        told = f"With {case['shots']} shots and seed {case['seed']}"
        got = [int(item.path) for item in train]
        need(
            got == case["train_index"],
            f"{told} the training pictures are {got}, and {case['train_index']} in CoOp's "
            "code: one stream from the seed, class after class.",
        )
        got = [int(item.path) for item in val]
        need(
            len(got) == len(case["val_index"]),
            f"{told} there are {len(got)} validation pictures, and min(shots, 4) "
            f"of each class are {len(case['val_index'])}.",
        )
        need(
            got == case["val_index"],
            f"{told} the training pictures are right and the validation pictures are not: "
            "they come from the same stream, after the training pictures.",
        )


def meta_net(student):
    """11: the same network, written here."""
    clip = tiny()
    method, f = student.CoCoOp(clip, NAMES, n_ctx=4, ctx_init=None), 3 * torch.randn(4, 128)
    linears = [m for m in method.meta_net.modules() if isinstance(m, nn.Linear)]
    shapes = [list(m.weight.shape) for m in linears]
    need(
        shapes == [[8, 128], [128, 8]],
        f"The Meta-Net's weights have the shapes {shapes}, and [8, 128], [128, 8] are "
        "wanted: E → E/16 → D_t.",
    )
    first, second = linears
    for parameter in method.meta_net.parameters():
        nn.init.normal_(parameter)
    with torch.no_grad():
        got = method.context(f)
        need(
            getattr(got, "shape", None) != (4, 128),
            "pi is added along the wrong axis: vector m got pi of picture m, "
            "and no error came because B and M are both 4 here. v(x) is [B, M, D_t].",
        )
        got = tensor(got, [4, 4, 128], "context(x [4, E]) with M = 4") - method.ctx

        def plain(x, act=F.relu):
            return second(act(first(x)))

        unit, ones = F.normalize(f, dim=-1), torch.ones(1, 4, 1)
        compare(
            got,
            plain(unit)[:, None] * ones,
            [
                (
                    plain(unit)[None] * torch.ones(4, 1, 1),
                    "pi is added along the wrong axis: pi of picture m to vector m.",
                ),
                (
                    plain(f)[:, None] * ones,
                    "The Meta-Net sees how long a feature is: normalise it first, as the published "
                    "code does.",
                ),
                (plain(unit, lambda x: x)[:, None] * ones, "The ReLU is missing."),
                (
                    torch.zeros_like(got),
                    "pi is not added: the context is the same for all pictures.",
                ),
            ],
            "v_m(x) - v_m is not the Meta-Net's output for picture x.",
        )
        for parameter in method.meta_net.parameters():
            parameter.zero_()
        need(
            close(method.context(f), method.ctx.expand(4, 4, 128)),
            "With a Meta-Net of zeros, it should be CoOp.",
        )


def tree(student):
    """12: the parts of a small tree, whole sequences, and the number of tokens read."""
    names, clip, M = ["cat", "cat food", "yellow rose", "dog"], tiny(), 4
    prompts = student.splice(clip, names, M)
    places = list(dict.fromkeys(student.beginnings(prompts)))
    T, grown = len(places), student.PromptTree(prompts)
    for what, length in [("symbols", T), ("position", T), ("eos", len(names))]:
        tensor(getattr(grown, what, None), [length], f"{what} of {len(names)} prompts that share")
    mask = tensor(getattr(grown, "mask", None), [T, T], "mask")
    need(mask.dtype == torch.bool, f"the mask holds {mask.dtype}, and True and False are wanted.")
    for name, prompt, end in zip(names, prompts, grown.eos.tolist(), strict=True):
        seen = mask[end].nonzero().flatten()
        need(
            len(seen) == len(prompt),
            f'[EOS] of "{name}" sees {len(seen)} tokens, and {len(prompt)} are its ancestors and '
            "itself.",
        )
        need(
            sorted(grown.symbols[seen].tolist()) == sorted(prompt),
            f'What [EOS] of "{name}" sees is not its prompt.',
        )
        need(
            sorted(grown.position[seen].tolist()) == list(range(len(prompt))),
            f'The positions in the prompt of "{name}" should be 0 to {len(prompt) - 1}.',
        )
    contexts = 0.1 * torch.randn(3, M, 128)
    with torch.no_grad(), tokens_read(clip.transformer.resblocks) as calls:
        trees = student.grow_trees(prompts)
        got = tensor(student.encode_trees(clip, trees, contexts), [3, 4, 128], "encode_trees")
    with torch.no_grad():
        whole = [plain_class_weights(clip, names, context[None]) for context in contexts]
        need(
            close(got, torch.stack(whole)),
            "The class vectors are not those of whole sequences. Look at the position of each "
            "token "
            "(in its own prompt), at the mask, and at the rows of [EOS].",
        )
        deeper = 0.1 * torch.randn(2, M, 128)  # of the layers 2 and 3
        got = student.encode_trees(clip, trees, contexts[:1], deeper)
        right = plain_class_weights(clip, names, torch.cat([contexts[:1], deeper]))
        need(
            close(got[0], right),
            "Without `deeper` all is right. With it, deeper[0] stands in the places of the context "
            "when layer 2 begins, deeper[1] when layer 3 begins, and so on.",
        )
    read = sum(sequences * tokens for _, sequences, tokens in calls)
    most = len(clip.transformer.resblocks) * 3 * T
    need(
        read <= most,
        f"Right, but slow: your blocks read {read:,} tokens, and {most:,} are enough. Each "
        "different beginning needs one token only.",
    )


def vpt(student):
    """13: features of published blocks, shallow and deep."""
    clip, images = golden_clip(), golden_pictures()
    patches = len(clip.visual.positional_embedding) - 1
    for word, depth in (("shallow", 1), ("deep", 3)):
        method = student.VPT(clip, ["cat", "dog"], depth=depth)
        for i in range(depth):
            method.V.data[i] = 0.2 * golden_tensor(f"vpt.prompt.{i}", (4, 128), "image")
        with tokens_read(clip.visual.transformer.resblocks) as calls:
            got = tensor(
                method.encode_image(images),
                [len(images), clip.text_projection.shape[1]],
                "encode_image",
            )
        for i, _, n in calls:
            need(
                n <= 5 + patches,
                f"VPT-{word}: layer {i + 1} gets {n} tokens, and {5 + patches} are wanted: the "
                "prompts pile up, for those that came out of the layer before were kept.",
            )
            need(
                n == 5 + patches,
                f"VPT-{word}: layer {i + 1} gets {n} tokens, and [CLS], 4 prompts and {patches} "
                f"patches are {5 + patches}.",
            )
        for i in range(1, depth):
            (gradient,) = torch.autograd.grad(method.encode_image(images).sum(), method.V)
            need(
                gradient[i].any(),
                f"VPT-deep: the prompts of layer {i + 1} have no influence on the feature.",
            )
        published = torch.tensor(golden("vpt")["image_features"][word])
        need(
            close(got, published),
            f"VPT-{word}: the features are not those of the published blocks. The order is "
            "[CLS], prompts, patches, and [CLS] is read at the end.",
        )
    method = student.VPT(clip, ["cat", "dog"], depth=1, before_ln_pre=True)
    with torch.no_grad():
        right = plain_image_features(clip, images, clip.visual.ln_pre(method.V))
        need(
            close(method.encode_image(images), right),
            "before_ln_pre=True: the prompts of the first layer should pass through ln_pre.",
        )


def theta(student):
    """14: torch's own attention, and Eq. (5) written out."""
    for heads in (1, 2):
        ours, theirs = (
            student.Theta(8, heads, 0.0, "literal"),
            nn.MultiheadAttention(8, heads, batch_first=True),
        )
        for parameter in ours.parameters():
            nn.init.normal_(parameter)
        theirs.load_state_dict(
            {
                "in_proj_weight": ours.in_proj.weight,
                "in_proj_bias": ours.in_proj.bias,
                "out_proj.weight": ours.out_proj.weight,
                "out_proj.bias": ours.out_proj.bias,
            }
        )
        U = torch.randn(3, 6, 8)
        with torch.no_grad():
            sa, swapped = theirs(U, U, U)[0], U.transpose(0, 1)
            got = tensor(ours.self_attention(U), [3, 6, 8], "self_attention(U [3, 6, 8])")
            compare(
                got,
                sa,
                [
                    (
                        theirs(swapped, swapped, swapped)[0].transpose(0, 1),
                        "The layers attend to each other: the sequence "
                        "is the axis of the 2n prompts.",
                    ),
                    (ours.out_proj(ours.in_proj(U)[..., 16:]), "Each prompt sees itself alone."),
                ],
                f"Self-attention with {heads} head(s) differs from torch's own MultiheadAttention. "
                "A head is a slice of "
                "D, its scores are divided by sqrt(D / H), and out_proj comes last.",
            )
            LN_1, LN_2, FFN = ours.ln_1, ours.ln_2, ours.ffn
            middle = sa + LN_1(U)
            normed = LN_2(middle)
            got = tensor(ours(U), [3, 6, 8], "theta(U [3, 6, 8])")
            raw = LN_2(sa + U)
            compare(
                got,
                FFN(normed) + normed,
                [
                    (FFN(raw) + raw, "The first residual of Eq. (5) is LN(U), and not U."),
                    (FFN(normed) + U, "The second residual of Eq. (5) is LN(U'), and you add U."),
                    (
                        FFN(normed) + middle,
                        "The second residual of Eq. (5) is LN(U'), and you add U'.",
                    ),
                    (FFN(middle) + normed, "The FFN of Eq. (5) reads LN(U'), and not U'."),
                    (FFN(normed), "The second residual is missing."),
                    (middle, "The second line of Eq. (5) is missing."),
                ],
                "Theta is not Eq. (5): U' = SA(U) + LN(U), then FFN(LN(U')) + LN(U').",
            )


def mixing(student):
    """15: change one prompt, and see which others change."""
    method, kinds = student.UPT(tiny(), NAMES), ("text", "visual")
    for half in (0, 1):
        with torch.no_grad():
            old = method.prompts()
            method.U[1, 4 * half] += torch.randn(128)
            changed = [
                (new - before).abs().amax(dim=-1) > 1e-6
                for new, before in zip(method.prompts(), old)
            ]
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
            all(c.sum() == 4 for c in changed),
            f"{told}Prompts of other layers changed: different layers do not mix in Eq. (5).",
        )
    theta(student)


def variances(student):
    """16: sums over rows, written out."""
    features, labels = 3 * torch.randn(7, 5), torch.tensor([2, 0, 2, 1, 0, 2, 1])
    got = student.intra_class_variance(features, labels)
    need(
        isinstance(got, float),
        f"intra_class_variance gave a {type(got).__name__}, and a float is wanted.",
    )

    def of(x):  # one class: the squared distances to the mean, [N, E]
        return [(row - x.mean(dim=0)).square() for row in x]

    def intra(x, one=lambda squares: sum(s.sum() for s in squares) / len(squares)):
        return sum(one(of(x[labels == c])) for c in range(3)) / 3

    unit = F.normalize(features, dim=-1)
    compare(
        torch.tensor(got),
        intra(unit),
        [
            (intra(features), "Var_v: the features are not normalised."),
            (
                intra(unit) / 5,
                "Var_v: you took the mean over the E numbers of a vector; Eq. (6) takes their sum.",
            ),
            (
                intra(unit, lambda s: sum(x.sum() for x in s) / (len(s) - 1)),
                "Var_v: you divide by |X_c| - 1, as torch.var does; Eq. (6) divides by |X_c|.",
            ),
            (
                sum(s.sum() for c in range(3) for s in of(unit[labels == c])) / 7,
                "Var_v: classes with many pictures count "
                "more; Eq. (7) is the plain mean over the classes.",
            ),
            (
                sum(s.sum() for s in of(unit)) / 7,
                "Var_v: the mean is that of all pictures; each class has its own.",
            ),
        ],
        f"Var_v of a small case is {got:.4f}, and {intra(unit):.4f} by Eqs. (6) and (7).",
    )
    w = F.normalize(features[:4], dim=-1)
    right = sum(s.sum() for s in of(w)) / 4
    got = student.inter_class_variance(features[:4])
    need(
        isinstance(got, float),
        f"inter_class_variance gave a {type(got).__name__}, and a float is wanted.",
    )
    compare(
        torch.tensor(got),
        right,
        [
            (
                sum(s.sum() for s in of(features[:4])) / 4,
                "Var_t: the class vectors are not normalised.",
            ),
            (
                right / 5,
                "Var_t: you took the mean over the E numbers of a vector; the square of a vector "
                "is their sum.",
            ),
            (right * 4 / 3, "Var_t: you divide by K - 1, as torch.var does; Eq. (8) divides by K."),
        ],
        f"Var_t of a small case is {got:.4f}, and {right:.4f} by Eq. (8).",
    )


def base_and_new(student):
    """17: ten items of five classes."""
    items = [student.Item(f"{i}.png", i % 5) for i in range(10)]
    data = student.Dataset("five", list("abcde"), ["a {}."], items, items[:5], items[5:])
    halves = {"base": [0, 1, 2], "new": [3, 4]}
    for which, labels in halves.items():
        half = student.split_classes(data, which)
        need(half is not None, "split_classes gave None: is a `return` missing?")
        names = [data.classnames[label] for label in labels]
        need(
            list(half.classnames) == names,
            f'Of the classes a to e, "{which}" has {half.classnames}, and {names} are '
            "wanted: the first ceil(K/2) are base.",
        )
        for part in ("train", "val", "test"):
            wanted = [(i.path, i.label) for i in getattr(data, part) if i.label in labels]
            got = [(i.path, i.label) for i in getattr(half, part)]
            need(
                [p for p, _ in got] == [p for p, _ in wanted],
                f"{which}.{part} should have exactly the pictures of its classes, in their order.",
            )
            need(
                got == [(p, label - labels[0]) for p, label in wanted],
                f"{which}.{part} has the labels "
                f"{sorted({label for _, label in got})}: they count from 0 in each half.",
            )
        need(
            (half.name, half.templates) == ("five", ["a {}."]),
            "Name and templates stay what they were.",
        )
    need(
        len(data.classnames) == 5 and data.train == items,
        "The data set that came in was changed: make a copy.",
    )
    try:
        student.split_classes(data, "old")
    except ValueError:
        return
    raise Wrong('split_classes(dataset, "old") should raise ValueError.')


def harmonic(student):
    # CoCoOp, Table 1: base, new, H of the average over 11 data sets, for CLIP, CoOp, CoCoOp
    """18: CoCoOp's Table 1."""
    for b, n, h in [(69.34, 74.22, 71.70), (82.69, 63.22, 71.66), (80.47, 71.69, 75.83)]:
        got = student.harmonic_mean({"base": {1: b}, "new": {1: n}})
        need(got is not None, "harmonic_mean gave None: is a `return` missing?")
        need(
            abs(got - (b + n) / 2) > 0.05,
            f"{b} and {n} gave {got:.2f}, the arithmetic mean: H = 2 b n / (b + n).",
        )
        need(abs(got - h) < 0.02, f"{b} and {n} gave {got:.2f}; CoCoOp's Table 1 has {h:.2f}.")
    got = student.harmonic_mean({"base": {1: 90.0, 2: 70.0}, "new": {1: 50.0, 2: 70.0}})
    need(
        abs(got - 2 * 80 * 60 / 140) < 1e-6,
        f"Base 90 and 70, new 50 and 70 gave {got:.3f}, and 68.571 is wanted: "
        "first the mean over the seeds, then H.",
    )
    need(
        student.harmonic_mean({"base": {1: 50.0}}) is None,
        "Without new classes there is no H: give None.",
    )
    need(student.harmonic_mean({"base": {1: 0.0}, "new": {1: 0.0}}) == 0, "0 and 0 should give 0.")


def bug_in_coop(student):
    """19: Eq. (3) with whole sequences."""
    clip, f = tiny(), torch.randn(5, 128)
    method = student.CoOp(clip, NAMES, n_ctx=4)
    with torch.no_grad():
        weights = plain_class_weights(clip, NAMES, method.ctx[None])
        right = clip.logit_scale.exp() * F.cosine_similarity(f[:, None], weights[None], dim=-1)
        got = tensor(method.classify(f), [5, 4], "classify(f [5, E]) with 4 classes")
    need(
        close(got, right),
        f"Eq. (3) does not hold: the logit of picture 0 and class 0 is {got[0, 0]:.2f}, and "
        f"cos(g(t_0), f) / tau is {right[0, 0]:.2f}.",
    )


def bug_in_upt(student):
    """20: whole sequences with the prompts of each layer."""
    clip = tiny()
    for depth in (1, "deep"):
        method = student.UPT(clip, NAMES, depth=depth)
        with torch.no_grad():
            T, V = method.prompts()
            got = tensor(method.class_weights(), [4, 128], "class_weights()")
            whole = plain_class_weights(clip, NAMES, T)
            need(
                close(got, whole),
                f"depth={depth}: the class vectors differ by up to {(got - whole).abs().max():.2g} "
                "from those of whole sequences.",
            )
            images = pictures(clip)
            need(
                close(method.encode_image(images), plain_image_features(clip, images, V)),
                "The image tower changed.",
            )


def bug_in_cocoop(student):
    """21: three pictures, alone and together."""
    clip = tiny()
    method, f = student.CoCoOp(clip, NAMES), torch.randn(3, 128)
    with torch.no_grad():
        right = []
        for x in f:
            weights = plain_class_weights(clip, NAMES, method.context(x[None]))
            right.append(clip.logit_scale.exp() * F.cosine_similarity(x[None], weights, dim=-1))
        alone = tensor(method.classify(f[:1]), [1, 4], "classify(x [1, E])")
        need(
            close(alone, right[0][None]),
            "Even alone, a picture has other logits than with whole sequences.",
        )
        company = tensor(method.classify(f), [3, 4], "classify(x [3, E])")
        need(
            close(company, torch.stack(right)),
            "In company of two others, a picture has other logits than alone: for "
            f"instance {company[0, 1]:.2f} and {alone[0, 1]:.2f}.",
        )


SMALL = dict(name="toy-glyphs", shots=4, seeds=(1, 2), epochs=5, tests=12)  # tests: of each class


def build(method, seed=1):
    """A method's class, or an entry of METHODS → the method on the small data set's classes."""
    dataset = load_dataset(SMALL["name"])
    torch.manual_seed(seed)
    return method(tiny(), dataset.classnames, dataset.templates[0])


def small_training(make, recipe):
    """Learn on few pictures with train.py's own loop and test → mean accuracy in per cent."""
    dataset, accuracies = load_dataset(SMALL["name"]), []
    test = [item for item in dataset.test if int(item.path.split("/")[-1]) < SMALL["tests"]]
    recipe = recipe.with_changes(epochs=SMALL["epochs"])
    for seed in SMALL["seeds"]:
        items, _ = few_shot(dataset, SMALL["shots"], seed)
        method = build(make, seed)
        train(method, training_batches(method, items, recipe, seed), recipe, seed)
        accuracies.append(evaluate(method, test))
    return sum(accuracies) / len(accuracies)


@functools.cache
def accuracy_of_upt():
    """UPT's accuracy on the small data set, computed once."""
    return small_training(METHODS["upt"], UPT_RECIPE)


def beat_upt(student):
    """22: the number of learned numbers, their gradients, and both accuracies."""
    make = functools.partial(student.Joint, "joint")
    method, images = build(make), pictures(tiny())
    before = {name: p.clone() for name, p in tiny().state_dict().items()}
    learned = learned_parameters(method)
    count = sum(p.numel() for p in learned.values())
    need(0 < count <= BUDGET, f"It learns {count:,} numbers, and 1 to {BUDGET:,} are allowed.")
    logits = method(images)
    tensor(
        logits,
        [len(images), len(load_dataset(SMALL["name"]).classnames)],
        "the logits of 3 pictures",
    )
    gradients = torch.autograd.grad(
        logits.square().sum(), list(learned.values()), allow_unused=True
    )
    for name, gradient in zip(learned, gradients):
        need(
            gradient is not None,
            f"{name} gets no gradient, so it will never learn: is it used, and not detached?",
        )
    ours = small_training(make, student.TINY)
    need(
        all(torch.equal(p, before[name]) for name, p in tiny().state_dict().items()),
        "CLIP itself was changed.",
    )
    told = f"yours {ours:.1f} % with {count:,} numbers, UPT {accuracy_of_upt():.1f} % with 120,192"
    print(
        f"{SMALL['name']}, tiny CLIP, {SMALL['shots']} shots, {SMALL['epochs']} epochs, seeds 1 "
        f"and 2: {told}"
    )
    need(ours > accuracy_of_upt(), f"it does not beat UPT: {told}.")


LIST = [
    merges,
    mask_of_a_text,
    patch_embedding,
    cosine_and_temperature,
    ensembling,
    spliced_prompts,
    eos_position,
    class_specific,
    schedule,
    sampler,
    meta_net,
    tree,
    vpt,
    theta,
    mixing,
    variances,
    base_and_new,
    harmonic,
    bug_in_coop,
    bug_in_upt,
    bug_in_cocoop,
    beat_upt,
]
CHECKS = dict(enumerate(LIST, start=1))
