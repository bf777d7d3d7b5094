"""Attention drawn as heat over pictures: rows are pictures, columns are tokens that look.

A patch is the redder and darker, the more attention it gets; where there is little, the picture
stays visible.
"""

import math

from PIL import Image, ImageDraw

from clip_min.data import open_picture
from notes.figures.drawing import font

# One picture, the space between two, names at the left, titles, in pixels.
CELL, GAP, LEFT, HEAD = 90, 8, 150, 44
INK, MOST_INK = (150, 0, 30), 0.9  # the colour of attention, and how much of it the largest has


def heat(picture, shares, largest):
    """A picture, attention over its patches [S] → the pale grey picture, inked by the attention."""
    side = math.isqrt(len(shares))
    grey = picture.convert("L").point(lambda value: 100 + value * 155 // 255)
    grey = grey.convert("RGB").resize((CELL, CELL), Image.NEAREST)
    mask = Image.new("L", (side, side))
    mask.putdata([round(255 * MOST_INK * share / largest) for share in shares.tolist()])
    grey.paste(INK, (0, 0), mask.resize((CELL, CELL), Image.NEAREST))
    return grey


def scale(width, height):
    """→ the colours from no attention to the largest, on a middle grey."""
    bar, mask = Image.new("RGB", (width, height), (190, 190, 190)), Image.new("L", (width, 1))
    mask.putdata([round(255 * MOST_INK * x / (width - 1)) for x in range(width)])
    mask = mask.resize((width, height))
    bar.paste(INK, (0, 0), mask)
    return bar


def draw(items, dataset, columns, note):
    """Items, and columns (title, attention [B, S], words for each picture) → a Pillow picture.

    One row for each item. One scale for all: the darkest red is the largest attention to one patch
    in the whole figure. note: what the words below each picture mean.
    """
    largest = max(shares.max().item() for _, shares, _ in columns)
    width, row = max(560, LEFT + (len(columns) + 1) * (CELL + GAP)), CELL + 24
    sheet = Image.new("RGB", (width, HEAD + len(items) * row + 56), "white")
    pen = ImageDraw.Draw(sheet)
    for column, (title, *_) in enumerate([("picture", None, None), *columns]):
        x = LEFT + column * (CELL + GAP) + CELL // 2
        pen.multiline_text((x, HEAD - 6), title, "black", font(13), anchor="md", align="center")
    for i, item in enumerate(items):
        picture, top = open_picture(item.path), HEAD + i * row
        pen.text(
            (LEFT - 8, top + CELL // 2),
            dataset.classnames[item.label][:22],
            "black",
            font(13),
            anchor="rm",
        )
        sheet.paste(picture.resize((CELL, CELL), Image.NEAREST), (LEFT, top))
        for column, (_, shares, words) in enumerate(columns, start=1):
            x = LEFT + column * (CELL + GAP)
            sheet.paste(heat(picture, shares[i], largest), (x, top))
            pen.text((x + CELL // 2, top + CELL + 3), words[i], (70, 70, 70), font(13), anchor="ma")
    top = sheet.height - 48
    sheet.paste(scale(120, 14), (LEFT, top))
    pen.text((LEFT - 6, top), "0 %", "black", font(13), anchor="ra")
    words = f"{100 * largest:.0f} % of a token's attention, to one patch"
    pen.text((LEFT + 128, top), words, "black", font(13))
    pen.text((LEFT, top + 22), note, "black", font(13))
    return sheet
