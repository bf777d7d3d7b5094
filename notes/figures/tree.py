"""The prompts of four classes as a tree, and beside it the mask of the one sequence."""

from clip_min.prompting.tree import PromptTree
from prompts.reports.svg import centred, circle, document, rect, text, to_the_left

CONTEXT = ["[SOS]", "V1", "V2"]
NAMES = [["red", "rose"], ["red", "car"], ["cat"], ["dog"]]
END = [".", "[EOS]"]
COLUMN, ROW, CELL = 62, 56, 15  # of the tree: from token to token; of the mask: one square
TREE_WIDTH, TOP = 430, 56
INK, PALE = "#4d5a66", "#e9ecef"  # frozen: words and the mask
LEARNED, LEARNED_PALE = "#e07800", "#ffe3c2"


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
    rows = rows_of(parents)
    places = [(30 + COLUMN * tree.position[i].item(), TOP + ROW * rows[i]) for i in range(T)]
    foot, left = TOP + ROW * (max(rows) + 1) + 10, TREE_WIDTH + 70
    parts = [text(10, 20, "The prompts of four classes: a tree", 'font-size="13"'),
             text(10, foot, f"Small numbers: the {T} places in the sequence"),
             text(left, 20, "Its mask: row sees column", 'font-size="13"')]
    for (x, y), parent in zip(places, parents):
        if parent is not None:
            x0, y0 = places[parent]
            line = f"M{x0} {y0} L{x - 22} {y} L{x} {y}"
            parts.append(f'<path d="{line}" stroke="{INK}" fill="none"/>')
    for i, (x, y) in enumerate(places):
        colours = (LEARNED, LEARNED_PALE) if words[i] in CONTEXT[1:] else (INK, PALE)
        parts += [circle(x, y, 19, f'fill="{colours[1]}" stroke="{colours[0]}"'),
                  centred(x, y + 4, words[i]), centred(x, y + 30, i, 'font-size="9" fill="#666"')]
    for i in range(T):
        y = TOP + CELL * i
        parts += [to_the_left(left - 6, y + 11, words[i]),
                  centred(left + CELL * (i + 0.5), TOP - 6, i, 'font-size="8" fill="#666"')]
        for j in range(T):
            style = f'fill="{INK if mask[i][j] else PALE}" stroke="white"'
            parts.append(rect(left + CELL * j, y, CELL, CELL, style))
    return document(left + CELL * T + 20, max(foot + 16, TOP + CELL * T + 14), parts)


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
