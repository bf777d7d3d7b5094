"""What every picture of the miniature world is drawn with: sizes, colours, a unit square.

A picture is drawn at SCALE times its size and box-filtered down, which gives smooth edges
without any antialiasing code. All randomness comes from one `random.Random`, so a picture is
a function of its seed.
"""

import math

from PIL import Image, ImageDraw

SIZE = 40  # pixels along each side of a finished picture
SCALE = 2  # drawn this many times larger
CANVAS = SIZE * SCALE

COLOURS = {
    "red": (206, 44, 40),
    "orange": (240, 140, 30),
    "yellow": (245, 216, 60),
    "green": (60, 150, 66),
    "blue": (46, 96, 200),
    "purple": (126, 60, 160),
    "pink": (244, 140, 180),
    "brown": (124, 78, 42),
    "black": (34, 34, 38),
    "white": (242, 242, 238),
    "gray": (136, 138, 142),
}


def new_canvas(colour):
    """A plain RGB image of CANVAS × CANVAS pixels and its `ImageDraw`."""
    image = Image.new("RGB", (CANVAS, CANVAS), colour)
    return image, ImageDraw.Draw(image)


def finish(image):
    """CANVAS × CANVAS → SIZE × SIZE: each pixel is the mean of SCALE × SCALE drawn ones."""
    return image.reduce(SCALE)


def shade(colour, factor):
    """The colour darkened (factor < 1) or lightened (factor > 1), clipped to 0–255."""
    return tuple(max(0, min(255, round(channel * factor))) for channel in colour)


def mix(first, second, share):
    """The colour that is `share` of the way from the first to the second."""
    return tuple(round(a + (b - a) * share) for a, b in zip(first, second))


def jitter(colour, rng, amount=18):
    """The colour with each channel moved by at most `amount`."""
    return tuple(max(0, min(255, channel + rng.randint(-amount, amount))) for channel in colour)


def at(box, *points):
    """Points of the unit square (x right, y down) → pixel coordinates inside `box`.

    >>> at((10, 10, 30, 50), (0, 0), (0.5, 1))
    [(10, 10), (20.0, 50)]
    """
    x0, y0, x1, y1 = box
    return [(x0 + (x1 - x0) * x, y0 + (y1 - y0) * y) for x, y in points]


def part(box, x0, y0, x1, y1):
    """The sub-box with these unit-square corners, as the flat tuple that an ellipse takes."""
    (left, top), (right, bottom) = at(box, (x0, y0), (x1, y1))
    return (left, top, right, bottom)


def around(centre, radius, count, start=0.0):
    """`count` points on a circle, starting at angle `start` (radians, clockwise from the right)."""
    x, y = centre
    steps = (start + 2 * math.pi * i / count for i in range(count))
    return [(x + radius * math.cos(a), y + radius * math.sin(a)) for a in steps]


def width(box, share, least=2):
    """A line width that is `share` of the box's shorter side, at least `least` canvas pixels."""
    x0, y0, x1, y1 = box
    return max(least, round(share * min(x1 - x0, y1 - y0)))
