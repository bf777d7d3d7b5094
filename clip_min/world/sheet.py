"""A contact sheet of the miniature benchmarks: `python -m clip_min.world.sheet notes/world.png`."""

import random
import sys

from PIL import Image, ImageDraw, ImageFont

from clip_min.world.benchmarks import WORLDS, draw, load
from clip_min.world.canvas import SIZE

COLUMNS, ZOOM = 12, 2  # pictures in a row, and how many times they are enlarged
GAP, LABEL = 4, 150  # pixels between pictures, and for the name


def contact_sheet(seed=0):
    """One row for each benchmark: its name, and test pictures of classes drawn at random."""
    cell = SIZE * ZOOM + GAP
    sheet = Image.new("RGB", (LABEL + COLUMNS * cell, len(WORLDS) * cell), "white")
    pen, font, rng = ImageDraw.Draw(sheet), ImageFont.load_default(14), random.Random(seed)
    for row, name in enumerate(WORLDS):
        pen.text((6, row * cell + cell // 2 - 8), name, fill="black", font=font)
        dataset = load(name)
        for column, classname in enumerate(rng.sample(dataset.classnames, COLUMNS)):
            picture = draw(f"{name}/test/{classname}/{rng.randrange(60)}")
            picture = picture.resize((SIZE * ZOOM, SIZE * ZOOM), Image.NEAREST)
            sheet.paste(picture, (LABEL + column * cell, row * cell + GAP // 2))
    return sheet


if __name__ == "__main__":
    contact_sheet().quantize(256).save(sys.argv[1], optimize=True)
