"""The words of the vocabulary nearest to each learned context vector (CoOp Table 4).

    distance = |v - e|, Euclidean: v a context vector, e the embedding of a word of the same CLIP

Weak evidence: a vector lies somewhere between words, and its nearest word need not say what it
does. So two other figures stand beside the distances: how far apart two words are, and how long
they and the vector are.
"""

import torch

from notes.figures.drawing import document, read_method, rect
from prompts.reports.plots import line, text

MOST, ROW, COLUMN, LEFT = 3, 20, 220, 62  # words for each vector; sizes in pixels
BAND = 3  # columns side by side; the next ones stand below
CLASSES = 4  # of a class-specific prompt that are shown


def nearest(vectors, embedding, tokenizer, most=MOST):
    """vectors [M, D], embedding [V, D] → for each vector `most` pairs (word, distance).

    The nearest word comes first. A token inside a word has "-" at its end; the two special tokens
    are not words and are left out.
    """
    distances = torch.cdist(
        vectors.double(), embedding.double(), compute_mode="donot_use_mm_for_euclid_dist"
    )  # [M, V]
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
    ids = [
        i
        for i, token in tokenizer.decoder.items()
        if token.endswith("</w>") and len(token) >= 3 + len("</w>")
    ]
    whole = embedding[[i for i in ids if i not in (tokenizer.sot, tokenizer.eot)]].double()
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
    return [
        (name, f"CSC, {start}", c) for name, c in zip(dataset.classnames[:CLASSES], ctx)
    ], method.clip


def draw(columns, typical):
    """[(title, start, result of `nearest`, lengths)], result of `between_words` → SVG text."""
    width, parts, top = LEFT + min(BAND, len(columns)) * COLUMN, [], 0
    for first in range(0, len(columns), BAND):
        top = draw_band(parts, columns[first : first + BAND], top, width)
    words = "Numbers: Euclidean distances. Medians of all whole words:"
    parts += [
        line(12, top, width - 12, top, 'stroke="#888"'),
        text(12, top + 20, words),
        text(12, top + 38, f"{typical[0]:.2f} apart, {typical[1]:.2f} long."),
    ]
    return document(max(520, width), top + 50, parts, letters=14)


def draw_band(parts, columns, top, width):
    """Adds some columns, side by side below `top`, to the parts → where they end."""
    longest, block, head = max(len(rows) for *_, rows, _ in columns), (MOST + 1) * ROW + 8, 54
    for j in range(longest):
        y = top + head + j * block
        if j % 2 == 0:
            parts.append(rect(0, y, width, block, 'fill="#f4f6f8"'))
        parts.append(text(12, y + 18, f"[V]{j + 1}", 'font-weight="bold"'))
    for i, (title, start, rows, lengths) in enumerate(columns):
        x = LEFT + i * COLUMN
        parts += [text(x, top + 22, title, 'font-weight="bold"'), text(x, top + 42, start)]
        for j, words in enumerate(rows):
            y = top + head + j * block + 18
            length = f"(vector {lengths[j]:.2f} long)"
            parts.append(text(x, y + MOST * ROW, length, 'fill="#666" font-style="italic"'))
            for k, (word, distance) in enumerate(words):
                style = 'fill="#666"' if k else ""
                parts.append(text(x, y + k * ROW, word, style))
                parts.append(text(x + COLUMN - 70, y + k * ROW, f"{distance:.2f}", style))
    return top + head + longest * block + 8


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
            columns.append((title, start, rows, ctx.norm(dim=1).tolist()))
            print(f"{title}, {start}")
            for j, words in enumerate(rows):
                print(
                    f"  [V]{j + 1}  "
                    f"{', '.join(f'{word} {distance:.3f}' for word, distance in words)}"
                )
    typical = between_words(embedding, clip.tokenizer)
    print(f"whole words (medians): {typical[0]:.3f} apart, {typical[1]:.3f} long")
    return {"nearest-words.svg": draw(columns, typical).encode()}
