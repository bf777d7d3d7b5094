"""Attention drawn as heat over pictures: rows are pictures, columns are tokens that look."""

import math

from PIL import Image, ImageDraw

from clip_min.data import open_picture
from notes.figures.drawing import font, ramp

CELL, GAP, LEFT, HEAD = (
    84,
    6,
    138,
    40,
)  # one picture, the space between two, names at the left, titles, in pixels


def heat(picture, shares, largest):
    """A picture, attention over its patches [S] → the grey picture, tinted by the attention."""
    side = math.isqrt(len(shares))
    tint = Image.new("RGB", (side, side))
    tint.putdata([ramp(share / largest) for share in shares.tolist()])
    grey = picture.convert("L").convert("RGB").resize((CELL, CELL), Image.NEAREST)
    return Image.blend(grey, tint.resize((CELL, CELL), Image.NEAREST), 0.75)


def draw(items, dataset, columns, note):
    """Items, and columns (title, attention [B, S], words for each picture) → a Pillow picture.

    One row for each item. One scale for all: the darkest blue is the largest attention to one patch
    in the whole figure.
    """
    largest = max(shares.max().item() for _, shares, _ in columns)
    width, row = LEFT + (len(columns) + 1) * (CELL + GAP), CELL + 18
    sheet = Image.new("RGB", (width, HEAD + len(items) * row + 52), "white")
    pen = ImageDraw.Draw(sheet)
    for column, (title, *_) in enumerate([("picture", None, None), *columns]):
        x = LEFT + column * (CELL + GAP) + CELL // 2
        pen.multiline_text((x, HEAD - 6), title, "black", font(12), anchor="md", align="center")
    for i, item in enumerate(items):
        picture, top = open_picture(item.path), HEAD + i * row
        pen.text(
            (LEFT - 8, top + CELL // 2),
            dataset.classnames[item.label][:22],
            "black",
            font(12),
            anchor="rm",
        )
        sheet.paste(picture.resize((CELL, CELL), Image.NEAREST), (LEFT, top))
        for column, (_, shares, words) in enumerate(columns, start=1):
            x = LEFT + column * (CELL + GAP)
            sheet.paste(heat(picture, shares[i], largest), (x, top))
            pen.text((x + CELL // 2, top + CELL + 2), words[i], (90, 90, 90), font(11), anchor="ma")
    top = sheet.height - 44
    for x in range(120):
        pen.line((LEFT + x, top, LEFT + x, top + 12), ramp(x / 119))
    pen.text((LEFT - 6, top), "0 %", "black", font(11), anchor="ra")
    pen.text(
        (LEFT + 126, top),
        f"{100 * largest:.0f} % of a token's attention, to one patch",
        "black",
        font(11),
    )
    pen.text((LEFT, top + 20), note, "black", font(11))
    return sheet
