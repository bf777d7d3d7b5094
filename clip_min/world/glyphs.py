"""Twenty letters, figures and signs in Pillow's built-in font, scaled to fill the box.

They are the world's "optical character" classes: flat strokes of the main colour, sometimes
with an outline or a shadow.
"""

from functools import lru_cache

from PIL import ImageFont

from clip_min.world.canvas import jitter, mix, shade

GLYPHS = {
    "question mark": "?",
    "number seven": "7",
    "letter z": "Z",
    "letter x": "X",
    "letter k": "K",
    "letter m": "M",
    "letter n": "N",
    "letter h": "H",
    "letter a": "A",
    "number four": "4",
    "plus sign": "+",
    "letter t": "T",
    "letter e": "E",
    "letter r": "R",
    "letter b": "B",
    "number eight": "8",
    "letter s": "S",
    "dollar sign": "$",
    "percent sign": "%",
    "hash sign": "#",
}
NAMES = tuple(GLYPHS)
DENSE = "%#$"  # kept thin, or their counters fill up
MEASURED = 100  # font size at which a glyph's proportions are read


@lru_cache(maxsize=None)
def font_of(size):
    """The built-in font at this pixel size."""
    return ImageFont.load_default(size)


@lru_cache(maxsize=None)
def extent(character, size, stroke):
    """The ink of a character as (left, top, right, bottom), with its stroke, if drawn at (0, 0)."""
    return font_of(size).getbbox(character, stroke_width=stroke)


def paint(draw, box, name, colour, rng):
    """One glyph: bold by a stroke of its own colour, or outlined, or over a shadow."""
    character = GLYPHS[name]
    colour = jitter(colour, rng, 12)
    x0, y0, x1, y1 = box
    left, top, right, bottom = extent(character, MEASURED, 0)
    room = rng.uniform(0.84, 0.98)
    fit = min((x1 - x0) / (right - left + 10), (y1 - y0) / (bottom - top + 10))
    size = max(8, 2 * round(MEASURED * fit * room / 2))  # even sizes only: few fonts to cache
    bold = max(
        1, round(size * rng.choice((0.01, 0.02) if character in DENSE else (0.02, 0.04, 0.05)))
    )

    left, top, right, bottom = extent(character, size, bold)
    spare_x, spare_y = x1 - x0 - (right - left), y1 - y0 - (bottom - top)
    x = x0 - left + spare_x * rng.uniform(0.25, 0.75)
    y = y0 - top + spare_y * rng.uniform(0.25, 0.75)

    style = rng.choice(("plain", "plain", "outline", "shadow"))
    contrast = shade(colour, 0.45) if sum(colour) >= 200 else mix(colour, (255, 255, 255), 0.55)
    if style != "plain":
        shift = max(1, size // 24) if style == "shadow" else 0
        halo = bold if style == "shadow" else bold + 1
        draw.text(
            (x + shift, y + shift), character, fill=contrast, font=font_of(size), stroke_width=halo,
            stroke_fill=contrast,
        )
    draw.text(
        (x, y), character, fill=colour, font=font_of(size), stroke_width=bold, stroke_fill=colour
    )
