"""Checks of the exercises on CLIP's texts: 1, 2, 5 and 7."""

import functools
import tempfile
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import nn

from clip_min.model import causal_mask
from notes.exercises.checks.inputs import FEW, NAMES, golden, golden_weights, odd_clip, tiny, widths
from notes.exercises.judge import close, compare, need, of_type, same_gradients, tensor, unchanged
from prompts.zero_shot import ENSEMBLE

# 1: merges

PAIRS = [  # symbols, pair, what they become, why
    ("c a t</w>", "c a", "ca t</w>", "two neighbours become one symbol, and both are used up"),
    ("c a t</w>", "a t</w>", "c at</w>", "the last two symbols can be the pair, too"),
    ("c a t</w>", "c t</w>", "c a t</w>", "they are no neighbours, so nothing changes"),
    ("a a a b</w>", "a a", "aa a b</w>", "a symbol that was joined is used up: no second time"),
    ("a a a a b</w>", "a a", "aa aa b</w>", "two symbols are used up, and then the next two fit"),
    ("a b a b c</w>", "a b", "ab ab c</w>", "every occurrence is joined, not only the first"),
    ("ab c</w>", "a b", "ab c</w>", "ab is one symbol already, so nothing changes"),
    ("a b</w>", "a b", "a b</w>", "b</w>, which ends a word, is not b: nothing changes"),
    ("cat</w>", "c a", "cat</w>", "one symbol has no neighbours"),
    ("ba b c</w>", "a b", "ba b c</w>", "the symbol ba is not a: nothing changes"),
    ("a bc d</w>", "ab c", "a bc d</w>", "a and bc are not ab and c, though both spell abc"),
]
FIRST = "the pair that was learned first goes first, wherever it stands"
ON = "go on until no neighbours are a known pair"
WORDS = [  # word, merges, symbols, why
    ("abc", ["b c</w>", "a b"], "a bc</w>", FIRST),
    ("abcd", ["b c", "a b", "c d</w>"], "a bc d</w>", FIRST),
    ("low", ["l o", "lo w</w>"], "low</w>", ON),
    ("abcdefg", ["a b", "ab c", "abc d", "abcd e", "abcde f", "abcdef g</w>"], "abcdefg</w>", ON),
    ("dog", ["l o"], "d o g</w>", "no known pair, so the symbols stay"),
    ("dog", ["d o"], "do g</w>", "this tokenizer has merges of its own: is something kept?"),
    ("abc", ["b c</w>", "ab c</w>"], "a bc</w>", "(a, bc</w>) is not the pair (ab, c</w>)"),
    ("abcdefg", ["c d"], "a b cd e f g</w>", "what is not joined stays as it is"),
    ("a", ["l o"], "a</w>", "a word of one letter has no neighbours"),
    ("né", ["n e"], "n Ã ©</w>", "a symbol is a byte, and é has two bytes: `to_symbols` does it"),
]


def merges(student):
    """1: single merges, and whole words."""
    for symbols, pair, expected, why in PAIRS:
        symbols, pair, expected = symbols.split(), tuple(pair.split()), expected.split()
        called = f"merge_pair({symbols}, {pair})"
        given = list(symbols)
        got = of_type(student.merge_pair(given, pair), list, called)
        need(got == expected, f"{called} gave {got}, and not {expected}: {why}.")
        unchanged(given, symbols, "merge_pair")
    for word, pairs, expected, why in WORDS:
        with tempfile.TemporaryDirectory() as folder:
            student.save_merges([tuple(pair.split()) for pair in pairs], f"{folder}/merges.txt")
            tokenizer = student.Tokenizer(f"{folder}/merges.txt")
            called = f"With the merges {pairs}, merge({word!r})"
            got = of_type(tokenizer.merge(word), list, called)
        need(got == expected.split(), f"{called} gave {got}, and not {expected.split()}: {why}.")
        need(tokenizer.merge(word) == got, f"{called}: a second call gave another list.")


# 2: the causal mask


def mask_of_a_text(student):
    """2: small masks and a large one, then torch's own attention with one, then the device."""
    for length in (4, 1, 7, 300):
        called = f"causal_mask({length})"
        mask = tensor(student.causal_mask(length), [length, length], called, torch.bool)
        right = torch.ones(length, length).tril().bool()
        for query, key in (mask != right).nonzero().tolist():
            need(key <= query, f"The mask lets token {query} see token {key}, which comes after "
                               "it: rows are queries, columns are keys.")
            need(key != query, f"The mask does not let token {query} see itself.")
            need(False, f"The mask hides token {key} from token {query}, which comes after it.")
    ours, theirs = student.Attention(128), nn.MultiheadAttention(128, 2, batch_first=True)
    nn.init.normal_(ours.in_proj_weight, std=0.1)
    theirs.load_state_dict(ours.state_dict())
    x, is_hidden = torch.randn(2, 5, 128), torch.ones(5, 5).triu(1).bool()
    need(close(ours(x, student.causal_mask(5)), theirs(x, x, x, attn_mask=is_hidden)[0]),
         "Attention differs from torch's with this mask.")
    device = student.causal_mask(4, device=torch.device("meta")).device.type
    need(device == "meta",
         "The mask is not made on `device`: with a GPU, it would lie elsewhere than x.")


# 5: ensembles

OTHERS = ["tea", "t-shirt", "tea"]  # a name may come twice, or have a hyphen


def ensembling(student):
    """5: the average, computed here; what `weights` is; other classes afterwards."""
    template = "a photo of a {}, a type of flower."
    for clip, templates in ((tiny(), "ensemble"), (odd_clip(), "seven"), (tiny(), "dataset")):
        sentences = {"ensemble": (*ENSEMBLE, template), "seven": ENSEMBLE, "dataset": (template,)}
        method = student.ZeroShot(clip, list(NAMES), template, templates=templates)
        for names in (NAMES, FEW, OTHERS):
            given = list(names)
            method.set_classes(given)
            unchanged(given, names, "set_classes")
            compare_weights(method, clip, names, sentences[templates])


def compare_weights(method, clip, names, sentences):
    """Raises Wrong unless `weights` is a buffer with the average over these sentences."""
    shape = [len(names), widths(clip)[0]]
    got = tensor(getattr(method, "weights", None), shape, "self.weights")
    for kind, is_wrong, sentence in (
        ("a parameter", "weights" in dict(method.named_parameters()),
         "and training would change it: nothing here is learned, so make it a buffer"),
        ("a plain attribute", "weights" not in dict(method.named_buffers()),
         "make it a buffer with register_buffer, which moves to a GPU with the method"),
        ("kept in files (persistent)", "weights" in method.state_dict(),
         "it can be computed again, so persistent=False")):
        need(not is_wrong, f"`weights` is {kind}: {sentence}.")
    raw = features_of(clip, tuple(name.replace("_", " ") for name in names), sentences)
    unit = F.normalize(raw, dim=-1)  # [T, K, E]

    def otherwise_spelled(old, new):
        spelled = features_of(clip, tuple(name.replace(old, new) for name in names), sentences)
        return F.normalize(F.normalize(spelled, dim=-1).mean(dim=0), dim=-1)

    def mistakes():
        return [
            (unit.mean(dim=0),
             "The average of several vectors of length 1 is shorter than 1: normalise again."),
            (F.normalize(raw.mean(dim=0), dim=-1),
             "Some sentences count more than others, because their features are longer: normalise "
             "each one before you average."),
            (raw.mean(dim=0), "Nothing is normalised: do it before the average and after it."),
            (unit[0], "Only the first template is used."),
            (unit[-1], "Only the last template is used."),
            (otherwise_spelled("", ""), "The name keeps its underscore: use readable_names."),
            (otherwise_spelled("-", " "),
             "A hyphen belongs to the name: use readable_names, which replaces underscores only."),
        ]

    compare(got, F.normalize(unit.mean(dim=0), dim=-1), mistakes,
            "The class vectors are not the normalised average of the sentences' normalised "
            "features.")


@functools.cache
def features_of(clip, names, sentences):
    """K names and T templates → text features [T, K, E], not normalised."""
    texts = [[sentence.format(name) for name in names] for sentence in sentences]
    return torch.stack([clip.encode_text(clip.tokenizer(each, clip.context_length)) for each
                        in texts])


# 7: [EOS]

LEARNED = ("token_embedding.weight", "positional_embedding", "text_projection", "ln_final.bias")


def eos_position(student):
    """7: the features of all places, with two vocabularies; figures of the published code."""
    clip = student.build_clip(odd_clip().state_dict())
    clip.tokenizer = tokenizer = tiny().tokenizer
    texts = ["wow!! a cat", "a", "a photo of an annual crop land, a type of field.", "!"]
    rows = [[tokenizer.sot, *tokenizer.encode(text), tokenizer.eot] for text in texts]
    longest = [tokenizer.sot, *[320] * (clip.context_length - 2), tokenizer.eot]  # no padding
    compare_places(clip, [*rows, longest], clip.context_length)
    compare_places(clip, rows[1:2], 9)
    weights, rows, published = published_texts()
    clip = student.build_clip(weights)
    clip.tokenizer = SimpleNamespace(sot=clip.vocab_size - 2, eot=clip.vocab_size - 1)
    got = compare_places(clip, rows, 77)
    need(close(got, published), "The features are not those of the published code.")


@functools.cache
def published_texts():
    """→ weights of a CLIP that knows only the ids of some texts, these texts' ids, and their
    features by the published code."""
    case = golden("clip")["vit"]
    known = sorted({i for ids in case["token_ids"] for i in ids})  # the order stays: [EOS] is last
    weights = dict(golden_weights())
    weights["token_embedding.weight"] = weights["token_embedding.weight"][known]
    rows = [[known.index(i) for i in ids] for ids in case["token_ids"]]
    return weights, rows, torch.tensor(case["text_features"])


def features_everywhere(clip, tokens, mask):
    """tokens [N, L], a mask [L, L] → [N, L, E]: the feature that each position would give."""
    x = clip.embed_text(tokens)
    for block in clip.transformer.resblocks:
        x = block(x, mask)
    return clip.pool_text(x)


def compare_places(clip, rows, length):
    """Lists of ids → the student's features of these texts; Wrong if one is read elsewhere."""
    tokens = torch.zeros(len(rows), length, dtype=torch.long)
    for row, ids in zip(tokens, rows, strict=True):
        row[: len(ids)] = torch.tensor(ids)
    for name in LEARNED:
        clip.get_parameter(name).requires_grad_()
    given = tokens.clone()
    got = tensor(clip.encode_text(given), [len(rows), widths(clip)[0]],
                 f"encode_text(tokens {list(tokens.shape)})")
    mask = causal_mask(length)
    everywhere = features_everywhere(clip, tokens, mask)
    ends = [len(ids) - 1 for ids in rows]
    right = everywhere[torch.arange(len(rows)), ends]
    if not close(got, right):
        every_place_and_end = everywhere, ends
        for wrong, sentence in (
            (mask.T, "The mask is turned: its rows are queries, its columns are keys."),
            (torch.ones_like(mask), "All tokens see all others: give the blocks a causal mask.")):
            features = features_everywhere(clip, tokens, wrong)[torch.arange(len(rows)), ends]
            need(not close(got, features), sentence)
        for n in range(len(rows)):
            tell_place(n, got[n], every_place_and_end)
    unchanged(given, tokens, "encode_text")
    same_gradients(got, right, {name: clip.get_parameter(name) for name in LEARNED})
    return got


def tell_place(n, got, every_place_and_end):
    """Raises Wrong unless the feature of text n is that of its [EOS]: where it was read."""
    everywhere, eos = every_place_and_end[0][n], every_place_and_end[1][n]
    distance = (everywhere - got).detach().abs().amax(dim=-1)
    least = 1e-4 * everywhere.detach().abs().max()
    if distance[eos] <= least:
        return
    place = distance.argmin().item()
    kind = "padding" if place > eos else "a word or [SOS]"
    need(distance[place] > least,
         f"Text {n} is read at position {place}, and that is {kind}: its [EOS] stands at position "
         f"{eos}. (id 0 is not always padding, and a long text has none.)")
    need(False, f"The feature of text {n} is that of no position: do all {eos + 1} tokens reach "
                "the blocks, and does `pool_text` come last?")
