"""Thirty everyday things of the miniature world, each a handful of polygons, ovals and lines.

Coordinates are in the unit square of `Pen`, x to the right and y down. Neighbours in `NAMES`
look alike on purpose: noisy captions confuse them.
"""

import math

from clip_min.world.canvas import around, mix
from clip_min.world.pen import PALE, Pen, arc


def _clock(pen, rng):
    for x in (0.22, 0.78):
        pen.oval(pen.edge, x - 0.18, 0.02, x + 0.18, 0.34)
        pen.line(pen.edge, 0.09, (0.5, 0.55), (x, 0.97))
    pen.oval(pen.main, 0.08, 0.1, 0.92, 0.94)
    for x, y in around((0.5, 0.52), 0.31, 4):
        pen.oval(pen.spot, x - 0.04, y - 0.04, x + 0.04, y + 0.04)
    for length, share in ((0.28, 0.06), (0.2, 0.09)):
        pen.line(
            pen.spot, share, (0.5, 0.52), around((0.5, 0.52), length, 1, rng.uniform(0, 6.28))[0]
        )


def _ball(pen, rng):
    pen.oval(pen.main, 0.04, 0.04, 0.96, 0.96)
    bend = rng.uniform(0, 0.1)
    pen.line(pen.spot, 0.05, *arc((1.25, 0.5), 0.58, math.pi - 0.66, math.pi + 0.66))
    pen.line(pen.spot, 0.05, *arc((-0.25, 0.5), 0.58, -0.66, 0.66))
    pen.line(pen.spot, 0.05, (0.04, 0.5), (0.35, 0.5 - bend), (0.65, 0.5 - bend), (0.96, 0.5))


def _apple(pen, rng):
    pen.line(pen.edge, 0.08, (0.5, 0.3), (0.5, 0.14), (0.45, 0.02))
    pen.shape(pen.edge, (0.53, 0.18), (0.64, 0.04), (0.84, 0.03), (0.74, 0.17))
    pen.oval(pen.main, 0.04, 0.2, 0.6, 0.86)
    pen.oval(pen.main, 0.4, 0.2, 0.96, 0.86)
    pen.oval(pen.main, 0.14, 0.4, 0.6, 0.97)
    pen.oval(pen.main, 0.4, 0.4, 0.86, 0.97)
    pen.oval(mix(pen.main, PALE, 0.5), 0.16, 0.32, 0.28, rng.uniform(0.48, 0.6))


def _cherry(pen, rng):
    top = (rng.uniform(0.5, 0.7), 0.05)
    pen.line(pen.edge, 0.06, (0.26, 0.6), (0.36, 0.3), top, (0.7, 0.35), (0.74, 0.6))
    pen.shape(pen.edge, top, (0.78, 0.0), (0.98, 0.12), (0.8, 0.2))
    for x, y in ((0.25, 0.72), (0.74, 0.76)):
        pen.oval(pen.main, x - 0.24, y - 0.23, x + 0.24, y + 0.23)
        pen.oval(mix(pen.main, PALE, 0.5), x - 0.13, y - 0.13, x - 0.04, y - 0.03)


def _pear(pen, rng):
    neck = rng.uniform(0.15, 0.19)
    pen.line(pen.edge, 0.08, (0.5, 0.2), (0.56, 0.02))
    pen.oval(pen.main, 0.5 - neck, 0.12, 0.5 + neck, 0.5)
    pen.shape(pen.main, (0.5 - neck, 0.28), (0.5 + neck, 0.28), (0.82, 0.62), (0.18, 0.62))
    pen.oval(pen.main, 0.14, 0.44, 0.86, 0.98)
    pen.oval(mix(pen.main, PALE, 0.5), 0.25, 0.58, 0.35, 0.8)


def _bottle(pen, rng):
    shoulder = rng.uniform(0.32, 0.42)
    pen.bar(pen.edge, 0.4, 0.0, 0.6, 0.1)
    pen.shape(
        pen.main, (0.42, 0.1), (0.58, 0.1), (0.58, shoulder - 0.1), (0.73, shoulder + 0.06),
        (0.73, 0.95), (0.7, 0.99), (0.3, 0.99), (0.27, 0.95), (0.27, shoulder + 0.06),
        (0.42, shoulder - 0.1),
    )
    pen.bar(pen.spot, 0.27, 0.58, 0.73, 0.8)


def _cup(pen, rng):
    pen.ring(pen.main, 0.09, (0.74, 0.5), 0.18)
    pen.shape(
        pen.main, (0.08, 0.18), (0.74, 0.18), (0.7, 0.85), (0.62, 0.93), (0.2, 0.93), (0.12, 0.85)
    )
    pen.oval(pen.edge, 0.08, 0.1, 0.74, 0.26)
    for x in (0.3, 0.5)[: rng.randint(0, 2)]:
        pen.line(PALE, 0.04, (x, 0.1), (x + 0.04, 0.05), (x, 0.0))


def _bowl(pen, rng):
    depth = rng.uniform(0.84, 0.9)
    pen.bar(pen.edge, 0.33, depth - 0.06, 0.67, 0.95)
    pen.shape(
        pen.main, (0.0, 0.38), (1.0, 0.38), (0.95, 0.58), (0.82, 0.77), (0.65, depth),
        (0.35, depth), (0.18, 0.77), (0.05, 0.58),
    )
    pen.oval(pen.edge, 0.0, 0.28, 1.0, 0.48)


def _hat(pen, rng):
    crown = rng.uniform(0.14, 0.26)
    pen.oval(pen.main, 0.0, 0.64, 1.0, 0.9)
    left = ((0.22, 0.76), (0.26, crown + 0.06), (0.34, crown))
    pen.shape(pen.main, *left, *((1 - x, y) for x, y in reversed(left)))
    pen.shape(pen.spot, (0.23, 0.6), (0.77, 0.6), (0.78, 0.74), (0.22, 0.74))


def _bell(pen, rng):
    swing = rng.uniform(-0.12, 0.12)
    pen.ring(pen.edge, 0.07, (0.5, 0.1), 0.07)
    pen.oval(pen.edge, 0.4 + swing, 0.78, 0.6 + swing, 0.99)
    pen.oval(pen.main, 0.24, 0.14, 0.76, 0.62)
    pen.shape(
        pen.main, (0.24, 0.38), (0.76, 0.38), (0.8, 0.64), (0.97, 0.84), (0.03, 0.84), (0.2, 0.64)
    )
    pen.line(pen.edge, 0.05, (0.18, 0.69), (0.82, 0.69))


def _lamp(pen, rng):
    top = rng.uniform(0.22, 0.3)
    pen.bar(pen.edge, 0.45, 0.5, 0.55, 0.92)
    pen.oval(pen.edge, 0.24, 0.86, 0.76, 1.0)
    pen.shape(pen.main, (top, 0.02), (1 - top, 0.02), (0.98, 0.56), (0.02, 0.56))
    pen.line(pen.edge, 0.04, (0.66, 0.58), (0.66, 0.72))


def _mushroom(pen, rng):
    stem = rng.uniform(0.12, 0.18)
    pen.shape(PALE, (0.5 - stem, 0.5), (0.5 + stem, 0.5), (0.55 + stem, 0.97), (0.45 - stem, 0.97))
    dome = arc((0.5, 0.6), 0.5, math.pi, 2 * math.pi)
    pen.shape(pen.main, *dome, (0.96, 0.68), (0.04, 0.68))
    for x, y, r in ((0.3, 0.42, 0.08), (0.55, 0.35, 0.08), (0.76, 0.5, 0.07)):
        pen.oval(pen.spot, x - r, y - r, x + r, y + r)


def _table(pen, rng):
    inset = rng.uniform(0.04, 0.12)
    for x, foot in ((inset, 0.96), (0.28, 0.8), (0.64, 0.8), (0.92 - inset, 0.96)):
        pen.bar(pen.edge if foot < 0.9 else pen.main, x, 0.4, x + 0.08, foot)
    pen.shape(pen.main, (0.14, 0.24), (0.86, 0.24), (1.0, 0.44), (0.0, 0.44))
    pen.bar(pen.edge, 0.0, 0.42, 1.0, 0.5)


def _chair(pen, rng):
    slats = rng.randint(1, 2)
    for x, foot in ((0.36, 0.86), (0.76, 0.86)):
        pen.bar(pen.edge, x, 0.56, x + 0.08, foot)
    pen.bar(pen.main, 0.16, 0.02, 0.28, 0.98)
    pen.bar(pen.main, 0.2, 0.04, 0.5, 0.42)
    for i in range(slats):
        pen.line(pen.edge, 0.05, (0.26, 0.16 + 0.13 * i), (0.5, 0.16 + 0.13 * i))
    pen.shape(pen.main, (0.16, 0.54), (0.78, 0.54), (0.86, 0.66), (0.16, 0.66))
    pen.bar(pen.main, 0.74, 0.6, 0.86, 0.98)


def _house(pen, rng):
    door = rng.choice((0.18, 0.54))
    pen.bar(pen.edge, 0.7, 0.06, 0.82, 0.34)
    pen.bar(pen.main, 0.08, 0.4, 0.92, 0.98)
    pen.shape(pen.edge, (0.5, 0.02), (1.0, 0.42), (0.0, 0.42))
    pen.bar(pen.spot, door + 0.04, 0.62, door + 0.24, 0.98)
    window = 0.72 - door
    pen.bar(pen.spot, window, 0.58, window + 0.18, 0.76)


def _book(pen, rng):
    drop = rng.uniform(0.06, 0.14)
    pen.shape(pen.edge, (0.0, 0.2), (1.0, 0.2), (1.0, 0.86), (0.5, 0.86 + drop), (0.0, 0.86))
    for side in (1, -1):
        page = ((0.02, 0.16 + drop), (0.45, 0.12), (0.45, 0.78), (0.02, 0.78 + drop))
        pen.shape(pen.main, *((0.5 + side * x, y) for x, y in page))
        for y in (0.34, 0.54):
            pen.line(pen.edge, 0.03, (0.5 + side * 0.36, y), (0.5 + side * 0.12, y + drop))
    pen.line(pen.edge, 0.06, (0.5, 0.16 + drop), (0.5, 0.86 + drop))


def _shirt(pen, rng):
    sleeve = rng.uniform(0.4, 0.5)
    cuff = ((0.0, sleeve - 0.1), (0.12, sleeve + 0.06))
    left = ((0.38, 0.06), (0.3, 0.06), *cuff, (0.26, sleeve - 0.08), (0.26, 0.97))
    pen.shape(pen.main, *left, *((1 - x, y) for x, y in reversed(left)), (0.5, 0.18))
    pen.line(pen.edge, 0.05, (0.37, 0.06), (0.5, 0.2), (0.63, 0.06))
    for y in (0.38, 0.54, 0.7)[: rng.choice((0, 3))]:
        pen.oval(pen.spot, 0.47, y, 0.53, y + 0.06)


def _shoe(pen, rng):
    toe = ((0.52, 0.46), (0.82, 0.54), (0.96, 0.64), (0.98, 0.78))
    pen.shape(pen.main, (0.04, 0.2), (0.4, 0.2), *toe, (0.02, 0.78))
    pen.bar(pen.spot, 0.02, 0.76, 0.99, 0.87)
    for i in range(rng.randint(2, 3)):
        pen.line(
            pen.spot, 0.05, (0.38 + 0.09 * i, 0.34 + 0.08 * i), (0.27 + 0.09 * i, 0.44 + 0.08 * i)
        )


def _cat(pen, rng):
    tip = rng.uniform(0.3, 0.5)
    pen.line(pen.main, 0.09, (0.66, 0.92), (0.88, 0.9), (0.95, 0.72), (0.86, tip))
    pen.oval(pen.main, 0.18, 0.44, 0.78, 1.0)
    pen.oval(pen.main, 0.1, 0.12, 0.66, 0.56)
    for x in (0.1, 0.44):
        pen.shape(pen.main, (x, 0.32), (x + 0.03 + 0.16 * (x > 0.3), 0.0), (x + 0.22, 0.22))
    for x in (0.27, 0.49):
        pen.oval(pen.spot, x - 0.05, 0.27, x + 0.05, 0.38)
    pen.line(pen.edge, 0.04, (0.32, 0.46), (0.38, 0.43), (0.44, 0.46))


def _bird(pen, rng):
    wing = rng.uniform(0.28, 0.42)
    for x in (0.42, 0.56):
        pen.line(pen.edge, 0.05, (x, 0.76), (x + 0.03, 0.98))
    pen.shape(pen.main, (0.0, 0.36), (0.3, 0.48), (0.3, 0.66), (0.04, 0.52))
    pen.oval(pen.main, 0.16, 0.38, 0.8, 0.84)
    pen.oval(pen.main, 0.56, 0.14, 0.88, 0.54)
    pen.shape(pen.edge, (0.85, 0.26), (1.0, 0.35), (0.85, 0.42))
    pen.shape(pen.edge, (0.26, wing), (0.6, 0.5), (0.52, 0.68), (0.36, 0.66))
    pen.oval(pen.spot, 0.7, 0.25, 0.78, 0.34)


def _fish(pen, rng):
    fin = rng.uniform(0.12, 0.22)
    pen.shape(pen.main, (0.26, 0.5), (0.0, 0.2), (0.06, 0.5), (0.0, 0.8))
    pen.shape(pen.edge, (0.4, 0.3), (0.5, fin), (0.72, 0.32))
    pen.oval(pen.main, 0.18, 0.24, 1.0, 0.78)
    pen.line(pen.edge, 0.04, *arc((0.56, 0.5), 0.2, -0.9, 0.9, 6))
    pen.oval(pen.spot, 0.82, 0.38, 0.9, 0.47)


def _banana(pen, rng):
    sag = rng.uniform(-0.27, -0.19)
    pen.shape(
        pen.main, *arc((0.5, 0.28), 0.5, 0, 3.1), *reversed(arc((0.5, sag), 0.65, 0.76, 2.38))
    )
    pen.shape(pen.main, (0.9, 0.36), (1.0, 0.32), (0.98, 0.1), (0.9, 0.12))
    pen.bar(pen.edge, 0.89, 0.06, 0.99, 0.14)
    pen.oval(pen.edge, 0.0, 0.22, 0.1, 0.34)


def _carrot(pen, rng):
    for x, y in ((0.84, 0.0), (1.0, 0.16), (0.62, 0.02), (0.98, 0.36)):
        pen.line(pen.edge, 0.07, (0.72, 0.28), (x, y))
    pen.shape(pen.main, (0.52, 0.26), (0.62, 0.22), (0.78, 0.38), (0.74, 0.48), (0.04, 0.98))
    for share in (rng.uniform(0.15, 0.25), rng.uniform(0.4, 0.5)):
        x, y = 0.53 - 0.49 * share, 0.28 + 0.7 * share
        pen.line(pen.edge, 0.04, (x, y), (x + 0.1, y + 0.09))


def _knife(pen, rng):
    belly = rng.uniform(0.58, 0.64)
    pen.shape(
        pen.main, (0.44, 0.0), (0.54, 0.08), (belly, 0.26), (belly, 0.68), (0.4, 0.68), (0.4, 0.0)
    )
    pen.bar(pen.edge, 0.41, 0.66, 0.55, 1.0)


def _fork(pen, rng):
    for x in (0.3, 0.46, 0.62):
        pen.bar(pen.main, x, 0.02, x + 0.08, 0.34)
    pen.shape(
        pen.main, (0.3, 0.28), (0.7, 0.28), (0.68, 0.42), (0.56, 0.52), (0.44, 0.52), (0.32, 0.42)
    )
    grip = rng.uniform(0.05, 0.08)
    pen.shape(pen.main, (0.46, 0.5), (0.54, 0.5), (0.5 + grip, 0.98), (0.5 - grip, 0.98))


def _spoon(pen, rng):
    pen.oval(pen.main, 0.29, 0.0, 0.71, 0.48)
    pen.oval(mix(pen.main, pen.edge, 0.5), 0.37, 0.06, 0.63, 0.38)
    grip = rng.uniform(0.05, 0.08)
    pen.shape(pen.main, (0.46, 0.44), (0.54, 0.44), (0.5 + grip, 0.98), (0.5 - grip, 0.98))


def _key(pen, rng):
    pen.ring(pen.main, 0.12, (0.5, 0.22), 0.18)
    pen.bar(pen.main, 0.44, 0.4, 0.56, 0.98)
    for y in (0.68, 0.86)[: rng.choice((2, 2, 1))]:
        pen.bar(pen.main, 0.54, y, 0.76, y + 0.1)


def _kite(pen, rng):
    sway = rng.uniform(0.04, 0.12)
    pen.line(pen.edge, 0.04, (0.5, 0.7), (0.5 + sway, 0.8), (0.5 - sway, 0.9), (0.5 + sway, 1.0))
    for x, y in ((0.5 + sway, 0.8), (0.5 - sway, 0.9)):
        bow = ((-0.1, -0.05), (0.1, 0.05), (0.1, -0.05), (-0.1, 0.05))
        pen.shape(pen.main, *((x + dx, y + dy) for dx, dy in bow))
    pen.shape(pen.main, (0.5, 0.0), (0.86, 0.28), (0.5, 0.74), (0.14, 0.28))
    pen.line(pen.spot, 0.04, (0.14, 0.28), (0.86, 0.28))
    pen.line(pen.spot, 0.04, (0.5, 0.0), (0.5, 0.74))


def _star(pen, rng):
    tips = around((0.5, 0.53), 0.52, 5, -math.pi / 2)
    notches = around((0.5, 0.53), rng.uniform(0.2, 0.25), 5, -math.pi / 2 + math.pi / 5)
    pen.shape(pen.main, *(point for pair in zip(tips, notches) for point in pair))


def _heart(pen, rng):
    dip = rng.uniform(0.24, 0.3)
    left = [*arc((0.27, 0.29), 0.26, -0.3, -3.6, 9), (0.5, 0.97)]
    pen.shape(pen.main, (0.5, dip), *left, *((1 - x, y) for x, y in reversed(left)))
    pen.oval(mix(pen.main, PALE, 0.5), 0.14, 0.18, 0.26, 0.32)


PAINTERS = {
    "clock": _clock, "ball": _ball, "apple": _apple, "cherry": _cherry, "pear": _pear,
    "bottle": _bottle, "cup": _cup, "bowl": _bowl, "hat": _hat, "bell": _bell,
    "lamp": _lamp, "mushroom": _mushroom, "table": _table, "chair": _chair, "house": _house,
    "book": _book, "shirt": _shirt, "shoe": _shoe, "cat": _cat, "bird": _bird,
    "fish": _fish, "banana": _banana, "carrot": _carrot, "knife": _knife, "fork": _fork,
    "spoon": _spoon, "key": _key, "kite": _kite, "star": _star, "heart": _heart,
}
NAMES = tuple(PAINTERS)


def paint(draw, box, name, colour, rng):
    """Draw one thing of `NAMES` in `box`, mostly in `colour`; `rng` varies its details."""
    PAINTERS[name](Pen(draw, box, colour, rng, tilt=0.1), rng)
