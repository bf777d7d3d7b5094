"""Contact sheets of the miniature world.

    python -m clip_min.world.sheet notes/world.png                   the benchmarks, a row each
    python -m clip_min.world.sheet --captions notes/captions.png     pre-training pairs
"""

import argparse
import random
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from clip_min.world.benchmarks import WORLDS, contents, draw
from clip_min.world.canvas import SIZE
from clip_min.world.captions import CLOSE_UP, WRONG_NAMES, casual, expert, look_alike
from clip_min.world.drawing import KINDS
from clip_min.world.drawing import draw as draw_thing

COLUMNS, ZOOM = 12, 2  # pictures in a row, and how many times they are enlarged
GAP, LABEL = 4, 150  # pixels between pictures, and for the name
CELL = SIZE * ZOOM + GAP
TEXT = 400  # pixels for the captions of one picture


def contact_sheet(seed=0):
    """One row for each benchmark: its name, and test pictures of classes drawn at random."""
    sheet = Image.new("RGB", (LABEL + COLUMNS * CELL, len(WORLDS) * CELL), "white")
    pen, font, rng = ImageDraw.Draw(sheet), ImageFont.load_default(14), random.Random(seed)
    for row, name in enumerate(WORLDS):
        pen.text((6, row * CELL + CELL // 2 - 8), name, fill="black", font=font)
        classnames, _, _ = contents(name)
        for column, classname in enumerate(rng.sample(classnames, COLUMNS)):
            picture = draw(f"{name}/test/{classname}/{rng.randrange(60)}")
            sheet.paste(enlarged(picture), (LABEL + column * CELL, row * CELL + GAP // 2))
    return sheet


def caption_sheet(seed=0):
    """Two close-ups of each kind with three captions: two casual ones and an expert's.

    A caption that names a look-alike is printed in red.
    """
    sheet = Image.new("RGB", (2 * (CELL + TEXT), len(KINDS) * CELL), "white")
    pen, font, rng = ImageDraw.Draw(sheet), ImageFont.load_default(13), random.Random(seed)
    for row, kind in enumerate(KINDS):
        for column, name in enumerate(rng.sample(KINDS[kind].NAMES, 2)):
            picture, facts = draw_thing(kind, name, CLOSE_UP, rng)
            left, top = column * (CELL + TEXT), row * CELL + GAP // 2
            sheet.paste(enlarged(picture), (left, top))
            for line, register in enumerate((casual, casual, expert)):
                said = name
                if rng.random() < WRONG_NAMES[register.__name__][kind]:
                    said = look_alike(kind, name, rng)
                colour = "black" if said == name else "firebrick"
                place = (left + CELL + 4, top + 8 + 24 * line)
                pen.text(place, register(facts, said, rng), fill=colour, font=font)
    return sheet


def enlarged(picture):
    """The picture, each of its pixels a square of ZOOM × ZOOM."""
    return picture.resize((SIZE * ZOOM, SIZE * ZOOM), Image.NEAREST)


def main():
    """Draw the sheet that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("picture", type=Path, help="file to write, .png")
    parser.add_argument("--captions", action="store_true", help="pre-training pictures, captions")
    flags = parser.parse_args()
    sheet = caption_sheet() if flags.captions else contact_sheet()
    sheet.quantize(256).save(flags.picture, optimize=True)


if __name__ == "__main__":
    main()
