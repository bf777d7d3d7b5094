"""Twenty flowers, each told apart by its geometry alone: petals, rings, centre, stem and leaves.

A flower is three tables (stems, fans of petals, discs) in unit-square coordinates, read by one
drawing function. Leaves are green petals; a spike is many small fans up a stem.
"""

import math
from functools import lru_cache
from typing import NamedTuple

from clip_min.world.canvas import jitter, mix, shade, width

LEAF, PAD, CALYX = (74, 140, 66), (52, 118, 78), (96, 156, 84)
GOLD, AMBER, CREAM = (246, 200, 50), (236, 140, 36), (250, 240, 200)
BROWN, DARK = (92, 56, 30), (36, 28, 40)


def both_sides(half):
    """A petal's closed outline from its half, given from base to tip.

    >>> both_sides(((0, 0.5), (1, 0)))
    ((0, 0.5), (1, 0), (0, -0.5))
    """
    return half + tuple((along, -aside) for along, aside in half[::-1] if aside)


# Outlines of petals: (share of the length, share of the half width).
POINTED = both_sides(((0, 0.15), (0.3, 0.8), (0.55, 1), (0.8, 0.6), (1, 0)))
ROUND = both_sides(((0, 0.2), (0.4, 0.8), (0.7, 1), (0.9, 0.75), (1, 0.25)))
NARROW = both_sides(((0, 0.4), (0.75, 1), (1, 0.4)))
FRILLY = both_sides(((0, 0.15), (0.9, 1), (0.84, 0.68), (1, 0.5), (0.86, 0.2), (0.98, 0)))
NOTCHED = both_sides(((0, 0.2), (0.55, 0.9), (0.85, 1), (1, 0.6), (0.82, 0)))
BELL = both_sides(((0, 0.5), (0.35, 0.75), (0.7, 0.65), (1, 1.2), (0.82, 0.4), (0.95, 0)))
CUP = both_sides(((0, 0.55), (0.25, 0.95), (0.6, 1), (0.85, 0.6), (1, 0)))


class Fan(NamedTuple):
    """`count` petals from one point; angles in degrees clockwise from up; span 360 = a ring."""

    base: tuple
    count: int
    middle: float
    span: float
    reach: float
    breadth: float
    outline: tuple
    tone: object = 1.0  # a lightness factor of the main colour, or a fixed RGB colour


class Flower(NamedTuple):
    """stems: (foot x, bend x, top x, top y); discs: (x, y, radius, RGB or factor), drawn last."""

    stems: tuple
    fans: tuple
    discs: tuple = ()


def leaves(y, reach=0.3, breadth=0.1, span=130):
    """A pair of leaves on a straight stem."""
    return Fan((0.5, y), 2, 0, span, reach, breadth, POINTED, LEAF)


def blades(count, span, reach=0.55, breadth=0.045):
    """Long narrow leaves from the ground."""
    return Fan((0.5, 1.0), count, 0, span, reach, breadth, POINTED, LEAF)


def spike(x, top, bottom, rows):
    """Rows of two small buds up a stem: larger below, a single bud on top."""
    fans = []
    for row in range(rows):
        y = bottom + (top - bottom) * row / rows
        long, tone = 0.125 - 0.01 * row, 0.85 + 0.3 * (row % 2)
        fans.append(Fan((x, y), 2, 0, 130, long, 0.055, NARROW, tone))
    return (*fans, Fan((x, top + 0.05), 1, 0, 0, 0.1, 0.05, NARROW))


STEPS = (0, 0.25, 0.5, 0.75, 1)  # where along its curve a stem is drawn
TOP, MID = (0.5, 0.37), (0.5, 0.5)  # centre of a head on a stem, and of a head seen from above
STEM = ((0.5, 0.5, 0.5, 0.4),)

FLOWERS = {
    "rose": Flower(
        STEM,
        (leaves(0.86, 0.34, 0.1), Fan(TOP, 5, 36, 360, 0.36, 0.25, ROUND),
         Fan(TOP, 5, 0, 360, 0.25, 0.17, ROUND, 0.82),
         Fan(TOP, 3, 20, 360, 0.16, 0.12, ROUND, 0.66)),
        ((0.5, 0.37, 0.045, 0.45),)),
    "peony": Flower(
        (),
        (Fan((0.5, 0.6), 2, 180, 150, 0.44, 0.15, POINTED, LEAF),
         Fan(MID, 8, 0, 360, 0.46, 0.2, NOTCHED, 0.85),
         Fan(MID, 8, 22, 360, 0.35, 0.16, NOTCHED), Fan(MID, 6, 10, 360, 0.22, 0.12, NOTCHED, 1.2)),
        ((0.5, 0.5, 0.09, GOLD),)),
    "carnation": Flower(
        ((0.5, 0.5, 0.5, 0.5),),
        (blades(2, 70, 0.36, 0.03), Fan((0.5, 0.56), 7, 0, 150, 0.43, 0.15, FRILLY, 0.9),
         Fan((0.5, 0.56), 5, 0, 90, 0.32, 0.11, FRILLY, 1.12),
         Fan((0.5, 0.72), 1, 0, 0, 0.22, 0.075, CUP, CALYX))),
    "marigold": Flower(
        STEM,
        (leaves(0.96, 0.26, 0.05, 80), leaves(0.84, 0.24, 0.05),
         Fan(TOP, 9, 0, 360, 0.36, 0.15, FRILLY, 0.8),
         Fan(TOP, 6, 20, 360, 0.26, 0.14, FRILLY, 1.0),
         Fan(TOP, 4, 0, 360, 0.15, 0.1, FRILLY, 1.2))),
    "dahlia": Flower(
        (),
        (Fan(MID, 13, 0, 360, 0.48, 0.1, POINTED, 0.75),
         Fan(MID, 10, 15, 360, 0.35, 0.09, POINTED, 1.0),
         Fan(MID, 7, 0, 360, 0.21, 0.08, POINTED, 1.25)),
        ((0.5, 0.5, 0.05, 0.6),)),
    "sunflower": Flower(
        STEM,
        (leaves(0.84, 0.36, 0.14, 150), Fan(TOP, 14, 0, 360, 0.37, 0.075, POINTED)),
        ((0.5, 0.37, 0.2, BROWN), (0.5, 0.37, 0.1, DARK))),
    "daisy": Flower(
        STEM,
        (Fan((0.5, 0.98), 2, 0, 150, 0.2, 0.07, ROUND, LEAF),
         Fan(TOP, 10, 0, 360, 0.37, 0.07, ROUND)),
        ((0.5, 0.37, 0.11, GOLD),)),
    "aster": Flower(
        (),
        (Fan(MID, 22, 0, 360, 0.48, 0.032, NARROW),),
        ((0.5, 0.5, 0.13, GOLD),)),
    "lily": Flower(
        STEM,
        (leaves(0.92, 0.3, 0.04, 90), Fan(TOP, 3, 60, 360, 0.38, 0.11, POINTED, 0.85),
         Fan(TOP, 3, 0, 360, 0.38, 0.11, POINTED), Fan(TOP, 6, 0, 360, 0.25, 0.02, POINTED, CREAM),
         Fan(TOP, 5, 10, 360, 0.17, 0.018, NARROW, BROWN))),
    "daffodil": Flower(
        STEM,
        (blades(4, 62, 0.52, 0.04), Fan(TOP, 6, 0, 360, 0.37, 0.14, POINTED),
         Fan(TOP, 6, 30, 360, 0.18, 0.1, NOTCHED, AMBER)),
        ((0.5, 0.37, 0.09, 0.6),)),
    "poppy": Flower(
        ((0.5, 0.42, 0.5, 0.4), (0.5, 0.85, 0.86, 0.68)),
        (Fan(TOP, 2, 0, 360, 0.36, 0.27, ROUND, 0.82), Fan(TOP, 2, 90, 360, 0.4, 0.26, ROUND),
         Fan((0.86, 0.66), 1, 180, 0, 0.19, 0.07, CUP, CALYX)),
        ((0.5, 0.37, 0.14, DARK), (0.5, 0.37, 0.05, CALYX))),
    "pansy": Flower(
        (),
        (Fan((0.5, 0.44), 2, 0, 70, 0.42, 0.23, ROUND, 0.78),
         Fan((0.5, 0.48), 2, 0, 195, 0.44, 0.2, ROUND),
         Fan((0.5, 0.44), 1, 180, 0, 0.5, 0.3, NOTCHED, 1.12),
         Fan((0.5, 0.48), 3, 180, 160, 0.25, 0.09, ROUND, DARK)),
        ((0.5, 0.5, 0.06, GOLD),)),
    "violet": Flower(
        ((0.42, 0.3, 0.55, 0.2),),
        (Fan((0.3, 0.98), 1, -20, 0, 0.42, 0.2, NOTCHED, LEAF),
         Fan((0.6, 0.98), 1, 34, 0, 0.42, 0.18, NOTCHED, LEAF),
         Fan((0.55, 0.33), 2, 0, 60, 0.3, 0.09, ROUND, 0.8),
         Fan((0.55, 0.35), 2, 180, 130, 0.3, 0.09, ROUND),
         Fan((0.55, 0.33), 1, 180, 0, 0.34, 0.11, NOTCHED, 1.15)),
        ((0.55, 0.37, 0.045, CREAM),)),
    "orchid": Flower(
        ((0.06, 0.1, 0.5, 0.45), (0.06, 0.0, 0.2, 0.1)),
        (Fan((0.5, 0.45), 3, 0, 360, 0.42, 0.085, POINTED, 0.78),
         Fan((0.5, 0.45), 2, 0, 165, 0.42, 0.21, ROUND),
         Fan((0.5, 0.42), 3, 180, 90, 0.2, 0.08, ROUND, AMBER),
         Fan((0.19, 0.16), 2, 20, 100, 0.14, 0.05, CUP)),
        ((0.5, 0.44, 0.05, CREAM),)),
    "iris": Flower(
        STEM,
        (blades(4, 50, 0.5, 0.05), Fan((0.5, 0.44), 3, 0, 62, 0.42, 0.12, ROUND, 1.15),
         Fan((0.52, 0.4), 1, 118, 0, 0.44, 0.12, ROUND, 0.8),
         Fan((0.48, 0.4), 1, 242, 0, 0.44, 0.12, ROUND, 0.8),
         Fan((0.5, 0.38), 1, 180, 0, 0.42, 0.13, ROUND, 0.95),
         Fan((0.5, 0.39), 3, 180, 124, 0.22, 0.03, POINTED, GOLD))),
    "lotus": Flower(
        (),
        (Fan((0.5, 0.84), 2, 0, 176, 0.48, 0.12, ROUND, PAD),
         Fan((0.5, 0.8), 8, 0, 160, 0.48, 0.1, POINTED, 0.8),
         Fan((0.5, 0.82), 5, 0, 100, 0.52, 0.11, POINTED, 1.0),
         Fan((0.5, 0.84), 3, 0, 50, 0.42, 0.1, POINTED, 1.2))),
    "tulip": Flower(
        STEM,
        (Fan((0.5, 1.0), 2, 0, 44, 0.55, 0.075, POINTED, LEAF),
         Fan((0.5, 0.58), 2, 0, 46, 0.54, 0.15, CUP, 0.82),
         Fan((0.5, 0.6), 1, 0, 0, 0.53, 0.14, CUP, 1.1))),
    "crocus": Flower(
        ((0.5, 0.5, 0.5, 0.7),),
        (blades(6, 110, 0.5, 0.02), Fan((0.5, 0.74), 2, 0, 90, 0.6, 0.1, POINTED, 0.8),
         Fan((0.5, 0.74), 3, 0, 8, 0.46, 0.03, NARROW, AMBER),
         Fan((0.5, 0.76), 2, 0, 44, 0.58, 0.1, POINTED))),
    "bluebell": Flower(
        ((0.3, 0.25, 0.72, 0.12), (0.3, 0.3, 0.3, 0.7)),
        (Fan((0.3, 1.0), 3, 0, 80, 0.45, 0.04, POINTED, LEAF),
         Fan((0.3, 0.4), 1, 222, 0, 0.26, 0.085, BELL, 0.85),
         Fan((0.34, 0.48), 1, 140, 0, 0.28, 0.09, BELL, 0.9),
         Fan((0.45, 0.26), 1, 160, 0, 0.28, 0.09, BELL),
         Fan((0.6, 0.15), 1, 166, 0, 0.27, 0.09, BELL, 1.1),
         Fan((0.72, 0.12), 1, 140, 0, 0.26, 0.085, BELL, 0.95),
         Fan((0.42, 0.22), 1, 235, 0, 0.24, 0.08, BELL, 1.1))),
    "lavender": Flower(
        ((0.5, 0.5, 0.5, 0.1), (0.46, 0.3, 0.22, 0.25), (0.54, 0.7, 0.78, 0.25)),
        (blades(4, 90, 0.3, 0.02), *spike(0.5, 0.04, 0.55, 5), *spike(0.22, 0.22, 0.56, 3),
         *spike(0.78, 0.22, 0.56, 3))),
}
NAMES = tuple(FLOWERS)


@lru_cache(maxsize=512)
def toned(colour, tone):
    """The main colour at lightness `tone` (dark ones are lifted), or the fixed colour `tone`."""
    if isinstance(tone, tuple):
        return tone
    if sum(colour) < 200:
        return mix(colour, (255, 255, 255), 0.25 * abs(1 - tone))
    if tone <= 1:
        return shade(colour, tone)
    return mix(colour, (255, 255, 255), min(0.4, 1.6 * (tone - 1)))


@lru_cache(maxsize=512)
def edge_of(fill):
    """The thin line around a petal: darker than the petal, or lighter than a near-black one."""
    return shade(fill, 0.68) if sum(fill) >= 200 else mix(fill, (255, 255, 255), 0.3)


@lru_cache(maxsize=None)
def angles(fan):
    """The angles of a fan's petals, outermost first so that the middle ones lie on top."""
    if fan.span == 360 or fan.count == 1:
        return [fan.middle + 360 * i / fan.count for i in range(fan.count)]
    offsets = [fan.span * (i / (fan.count - 1) - 0.5) for i in range(fan.count)]
    return [fan.middle + offset for offset in sorted(offsets, key=abs, reverse=True)]


def paint(draw, box, name, colour, rng):
    """One flower: stems, fans of petals in table order, discs; all leaning and turned a little."""
    flower = FLOWERS[name]
    colour = jitter(colour, rng, 12)
    lean, turn = rng.uniform(-0.06, 0.06), rng.uniform(-9, 9)
    plump, long = rng.uniform(0.88, 1.12), rng.uniform(0.9, 1.02)
    # One affine map from the unit square to pixels:
    # x → left + right * x + slant * y, y → top + tall * y.
    x0, top, x1, y1 = box
    left, right, tall = (x1, x0 - x1, y1 - top) if rng.random() < 0.5 else (x0, x1 - x0, y1 - top)
    left, slant = left + 0.6 * lean * right, -lean * right

    line = width(box, 0.045)
    for foot, bend, tip, height in flower.stems:
        curve = []
        for s in STEPS:
            x, y = foot * (1 - s) ** 2 + 2 * bend * s * (1 - s) + tip * s * s, 1 + (height - 1) * s
            curve.append((left + right * x + slant * y, top + tall * y))
        draw.line(curve, fill=LEAF, width=line)
    for fan in flower.fans:
        fill = toned(colour, fan.tone)
        edge = edge_of(fill)
        ring = fan.span == 360
        base_x = left + right * fan.base[0] + slant * fan.base[1]
        base_y = top + tall * fan.base[1]
        for degrees in angles(fan):
            direction = math.radians(degrees + (turn if ring else turn / 3))
            across, down = math.sin(direction), -math.cos(direction)
            reach = fan.reach * (long if ring else 1) * rng.uniform(0.95, 1.02)
            half = fan.breadth * plump
            # Pixel steps of one petal length along its axis, and of its half width to its side.
            along_x, along_y = reach * (right * across + slant * down), reach * tall * down
            side_x, side_y = half * (slant * across - right * down), half * tall * across
            points = [
                (base_x + along_x * t + side_x * w, base_y + along_y * t + side_y * w)
                for t, w in fan.outline
            ]
            draw.polygon(points, fill=fill, outline=edge)
    for x, y, radius, tone in flower.discs:
        x, y = left + right * x + slant * y, top + tall * y
        across, down = radius * plump * abs(right), radius * plump * tall
        draw.ellipse((x - across, y - down, x + across, y + down), fill=toned(colour, tone))
