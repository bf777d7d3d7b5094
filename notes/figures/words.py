"""The words of the vocabulary nearest to each learned context vector (CoOp Table 4).

    distance = |v - e|, Euclidean: v a context vector, e the embedding of a word of the same CLIP

Weak evidence: a vector lies somewhere between words, and its nearest word need not say what it
does. So two other figures stand beside the distances: how far apart two words are, and how long
they and the vector are.
"""

import torch

from notes.figures.drawing import document, read_method, rect
from prompts.experiments.plots import line, text

MOST, ROW, COLUMN, LEFT = 3, 17, 190, 62  # words for each vector; sizes in pixels
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
    longest, parts = max(len(rows) for *_, rows, _ in columns), []
    block = (MOST + 1) * ROW + 8
    for j in range(longest):
        y = 54 + j * block
        if j % 2 == 0:
            parts.append(rect(0, y, LEFT + len(columns) * COLUMN, block, 'fill="#f4f6f8"'))
        parts.append(text(12, y + 16, f"[V]{j + 1}", 'font-weight="bold"'))
    for i, (title, start, rows, lengths) in enumerate(columns):
        x = LEFT + i * COLUMN
        parts += [text(x, 20, title, 'font-weight="bold"'), text(x, 36, start)]
        for j, words in enumerate(rows):
            y = 54 + j * block + 16 + MOST * ROW
            parts.append(
                text(x, y, f"(vector {lengths[j]:.2f} long)", 'fill="#777" font-style="italic"')
            )
            for k, (word, distance) in enumerate(words):
                y, style = 54 + j * block + 16 + k * ROW, 'fill="#777"' if k else ""
                parts += [
                    text(x, y, word, style),
                    text(x + COLUMN - 60, y, f"{distance:.2f}", style),
                ]
    foot = 54 + longest * block + 18
    parts += [
        line(12, foot - 16, LEFT + len(columns) * COLUMN - 12, foot - 16, 'stroke="#888"'),
        text(
            12,
            foot,
            f"Euclidean distances. Median of the vocabulary's whole words: {typical[0]:.2f} apart, "
            f"{typical[1]:.2f} long.",
        ),
    ]
    return document(max(470, LEFT + len(columns) * COLUMN), foot + 12, parts)


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
