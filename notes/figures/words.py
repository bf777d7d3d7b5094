"""The words of the vocabulary nearest to each learned context vector (CoOp Table 4).

    distance = |v - e|, Euclidean: v a context vector, e the embedding of a word of the same CLIP

Weak evidence: a vector lies somewhere between words, and its nearest word need not say what it
does. So two other figures stand beside the distances: how far apart two words are, and how long
they and the vector are.
"""

from typing import NamedTuple

import torch

from notes.figures.drawing import read_method
from prompts.reports.svg import document, line, rect, text

MOST, ROW, COLUMN, LEFT = 3, 20, 220, 62  # words for each vector; sizes in pixels
BAND = 3  # columns side by side; the next ones stand below
HEAD, BLOCK = 54, (MOST + 1) * ROW + 8  # a column's title; the words of one vector, in pixels
CLASSES = 4  # of a class-specific prompt that are shown


def nearest(vectors, embedding, tokenizer, most=MOST):
    """vectors [M, D], embedding [V, D] → for each vector `most` pairs (word, distance).

    The nearest word comes first. A token inside a word has "-" at its end; the two special tokens
    are not words and are left out.
    """
    exactly = "donot_use_mm_for_euclid_dist"
    distances = torch.cdist(vectors.double(), embedding.double(), compute_mode=exactly)  # [M, V]
    distances[:, [tokenizer.sot, tokenizer.eot]] = torch.inf
    values, ids = distances.sort(dim=1, stable=True)
    both = zip(values[:, :most].tolist(), ids[:, :most].tolist())
    return [[(as_word(tokenizer, i), value) for value, i in zip(*row)] for row in both]


def as_word(tokenizer, i):
    """A token's text; "(byte)" for half a letter and other signs that cannot be shown."""
    word = tokenizer.decode([i]).strip()
    if not word.isprintable() or not word or "\ufffd" in word:
        return "(byte)"
    return word if tokenizer.decoder[i].endswith("</w>") else f"{word}-"


def between_words(embedding, tokenizer):
    """embedding [V, D] → median distance of two whole words, and their median length.

    Words of less than three letters and parts of words are left out: most of them never stand in a
    caption, and their embeddings are short (about 0.1).
    """
    special = (tokenizer.sot, tokenizer.eot)
    ids = [i for i, token in tokenizer.decoder.items()
           if token.endswith("</w>") and len(token) >= 3 + len("</w>") and i not in special]
    whole = embedding[ids].double()
    return torch.pdist(whole).median().item(), whole.norm(dim=1).median().item()


def contexts(path, root=None):
    """A prompt file of CoOp or CoCoOp → [(title, how it started, vectors [M, D])], and its CLIP."""
    method, dataset, prompt = read_method(path, root)
    if not hasattr(method, "ctx"):
        raise ValueError(
            f"{path} holds a prompt of {prompt['method']}, which has no context of words: "
            "give one of coop or cocoop."
        )
    ctx, options = method.ctx.detach(), prompt["options"]
    start = f'from "{options["ctx_init"]}"' if options.get("ctx_init") else "random start"
    if prompt["method"] == "cocoop" and "ctx_init" not in options:
        start = 'from "a photo of a"'
    if ctx.dim() == 2:
        return [(f"{dataset.name}, unified", start, ctx)], method.clip
    specific = zip(dataset.classnames[:CLASSES], ctx)
    return [(name, f"CSC, {start}", vectors) for name, vectors in specific], method.clip


class Column(NamedTuple):
    """What is drawn of one context: the result of `nearest`, and the lengths of its vectors."""

    title: str
    start: str
    rows: list
    lengths: list


def draw(columns, typical):
    """List of Column, result of `between_words` → SVG text."""
    width, parts, top = LEFT + min(BAND, len(columns)) * COLUMN, [], 0
    for first in range(0, len(columns), BAND):
        band = columns[first : first + BAND]
        parts += draw_band(band, top, width, typical[0])
        top += band_height(band)
    apart, long = (f"{value:.2f}" for value in typical)
    words = (f"Numbers: Euclidean distances. Two words are {apart} apart, a word is {long} long",
             "(medians). Bold: nearer than that. Grey: farther, so no word is near.")
    parts.append(line(12, top, width - 12, top, 'stroke="#888"'))
    parts += [text(12, top + 20 + 18 * i, each) for i, each in enumerate(words)]
    return document(max(580, width), top + 50, parts, letters=14)


def band_height(columns):
    """The height in pixels of some columns, side by side."""
    return HEAD + max(len(column.rows) for column in columns) * BLOCK + 8


def draw_band(columns, top, width, apart):
    """Some columns, side by side below `top` → elements. apart: the distance of two words."""
    parts = []
    for j in range(max(len(column.rows) for column in columns)):
        y = top + HEAD + j * BLOCK
        parts += [rect(0, y, width, BLOCK, 'fill="#f4f6f8"')] if j % 2 == 0 else []
        parts.append(text(12, y + 18, f"[V]{j + 1}", 'font-weight="bold"'))
    for i, column in enumerate(columns):
        x = LEFT + i * COLUMN
        parts += [text(x, top + 22, column.title, 'font-weight="bold"'),
                  text(x, top + 42, column.start)]
        for j, words in enumerate(column.rows):
            y = top + HEAD + j * BLOCK + 18
            length = f"(vector {column.lengths[j]:.2f} long)"
            parts.append(text(x, y + MOST * ROW, length, 'fill="#666" font-style="italic"'))
            for k, (word, distance) in enumerate(words):
                style = 'font-weight="bold"' if distance < apart else 'fill="#777"'
                parts += [text(x, y + k * ROW, word, style),
                          text(x + COLUMN - 70, y + k * ROW, f"{distance:.2f}", style)]
    return parts


def figure(inputs, flags):
    """Prompt files of CoOp or CoCoOp → {file name: SVG}; the table is printed too."""
    if not inputs:
        raise ValueError(
            "nearest-words needs prompt files of coop or cocoop: nearest-words runs/.../prompt.pt."
        )
    columns = []
    for path in inputs:
        found, clip = contexts(path, flags.data_root)
        embedding = clip.token_embedding.weight
        for title, start, ctx in found:
            rows = nearest(ctx, embedding, clip.tokenizer)
            columns.append(Column(title, start, rows, ctx.norm(dim=1).tolist()))
            print(f"{title}, {start}")
            for j, words in enumerate(rows):
                pairs = [f"{word} {distance:.3f}" for word, distance in words]
                print(f"  [V]{j + 1}  {', '.join(pairs)}")
    typical = between_words(embedding, clip.tokenizer)
    print(f"whole words (medians): {typical[0]:.3f} apart, {typical[1]:.3f} long")
    return {"nearest-words.svg": draw(columns, typical).encode()}
