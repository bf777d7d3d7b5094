"""The prompts of four classes as a tree, and beside it the mask of the one sequence."""

from xml.sax.saxutils import escape

from clip_min.prompting.tree import PromptTree
from notes.figures.drawing import circle, document, rect

CONTEXT = ["[SOS]", "V1", "V2"]
NAMES = [["red", "rose"], ["red", "car"], ["cat"], ["dog"]]
END = [".", "[EOS]"]
COLUMN, ROW, CELL = 62, 56, 15  # of the tree: from token to token; of the mask: one square
TREE_WIDTH, TOP = 430, 56
INK, PALE = "#2a6fb0", "#e6eef6"


def figure(inputs, flags):
    """→ {file name: SVG}: tree and mask of `NAMES` with two context vectors."""
    words = ["[PAD]"]  # a symbol is a place in this list
    for prompt in prompts():
        words += [word for word in prompt if word not in words]
    tree = PromptTree([[words.index(word) for word in prompt] for prompt in prompts()])
    alone = sum(len(prompt) for prompt in prompts())
    print(f"{alone} tokens in {len(NAMES)} prompts, {len(tree.symbols)} in the tree")
    return {"tree.svg": draw(tree, [words[symbol] for symbol in tree.symbols]).encode()}


def prompts():
    """→ lists of words, one for each class."""
    return [[*CONTEXT, *name, *END] for name in NAMES]


def draw(tree, words):
    """A PromptTree and the word of each of its T tokens → SVG text."""
    mask, T = tree.mask.tolist(), len(words)
    parents = [max((j for j in range(i) if mask[i][j]), default=None) for i in range(T)]
    rows, places = rows_of(parents), []
    for i in range(T):
        places.append((30 + COLUMN * tree.position[i].item(), TOP + ROW * rows[i]))
    parts = [title(20, "The prompts of four classes: a tree")]
    for (x, y), parent in zip(places, parents):
        if parent is not None:
            x0, y0 = places[parent]
            line = f"M{x0} {y0} L{x - 22} {y} L{x} {y}"
            parts.append(f'<path d="{line}" stroke="{INK}" fill="none"/>')
    for i, (x, y) in enumerate(places):
        parts.append(circle(x, y, 19, f'fill="{PALE}" stroke="{INK}"'))
        parts.append(centred(x, y + 4, words[i], 11))
        parts.append(centred(x, y + 30, str(i), 9, "#666"))
    foot = TOP + ROW * (max(rows) + 1) + 10
    parts.append(title(foot, f"Small numbers: the {T} places in the sequence", size=11))
    left = TREE_WIDTH + 70
    parts.append(title(20, "Its mask: row sees column", left))
    for i in range(T):
        y = TOP + CELL * i
        word = escape(words[i])
        parts.append(f'<text x="{left - 6}" y="{y + 11}" text-anchor="end">{word}</text>')
        parts.append(centred(left + CELL * (i + 0.5), TOP - 6, str(i), 8, "#666"))
        for j in range(T):
            style = f'fill="{INK if mask[i][j] else PALE}" stroke="white"'
            parts.append(rect(left + CELL * j, y, CELL, CELL, style))
    height = max(foot + 16, TOP + CELL * T + 14)
    return document(left + CELL * T + 20, height, parts)


def rows_of(parents):
    """The parent of each token → its row in the drawing; a first child stays in its parent's."""
    rows, has_child, last = [], set(), 0
    for parent in parents:
        if parent is None or parent not in has_child:
            rows.append(0 if parent is None else rows[parent])
        else:
            last += 1
            rows.append(last)
        has_child.add(parent)
    return rows


def title(y, words, x=10, size=13):
    """Words that begin at x → one SVG element."""
    return f'<text x="{x}" y="{y}" font-size="{size}">{escape(words)}</text>'


def centred(x, y, words, size, colour="black"):
    """Words around x → one SVG element."""
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="middle"'
    return f"<text {place}>{escape(words)}</text>"
