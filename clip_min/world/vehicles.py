"""Sixteen vehicles of the miniature world, seen from the side.

A thing is a handful of polygons, ovals and lines in the unit square, x to the right and y down;
`Pen` mirrors, squeezes and tilts them. Here the front is to the right and wheels touch y = 0.95.
Neighbours in `NAMES` look alike on purpose: noisy captions confuse them.
"""

from clip_min.world.canvas import mix
from clip_min.world.pen import GLASS, HUB, INK, PALE, Pen


def _wheels(pen, radius, *centres, hub=HUB):
    """Wheels that touch the ground at each x of `centres`."""
    for x in centres:
        y = 0.95 - radius
        pen.oval(INK, x - radius, y - radius, x + radius, y + radius)
        pen.oval(hub, x - radius / 2, y - radius / 2, x + radius / 2, y + radius / 2)


def _windows(pen, y0, y1, *spans):
    """A row of windows, each spanning (x0, x1)."""
    for x0, x1 in spans:
        pen.bar(GLASS if pen.spot == PALE else INK, x0, y0, x1, y1)


def _car(pen, rng):
    roof = rng.uniform(0.28, 0.34)
    pen.shape(
        pen.main, (0.0, 0.56), (0.16, 0.52), (0.28, roof), (0.62, roof), (0.78, 0.52), (0.96, 0.58),
        (1.0, 0.8), (0.0, 0.8),
    )
    _windows(pen, roof + 0.07, 0.53, (0.28, 0.44), (0.5, 0.65))
    _wheels(pen, 0.13, 0.22, 0.78)


def _taxi(pen, rng):
    _car(pen, rng)
    pen.bar(pen.spot, 0.35, 0.18, 0.55, 0.3)
    pen.bar(PALE, 0.02, 0.6, 0.98, 0.67)
    for i in range(5):
        pen.bar(INK, 0.2 * i + 0.02, 0.6, 0.2 * i + 0.11, 0.67)


def _pickup(pen, rng):
    roof = rng.uniform(0.26, 0.34)
    pen.shape(
        pen.main, (0.0, 0.5), (0.42, 0.5), (0.46, roof), (0.68, roof), (0.8, 0.52), (0.98, 0.56),
        (1.0, 0.8),
        (0.0, 0.8),
    )
    pen.bar(pen.edge, 0.0, 0.47, 0.42, 0.54)
    _windows(pen, roof + 0.06, 0.52, (0.5, 0.68))
    _wheels(pen, 0.14, 0.2, 0.78)


def _truck(pen, rng):
    top = rng.uniform(0.12, 0.22)
    pen.bar(INK, 0.02, 0.74, 0.98, 0.82)
    pen.bar(pen.main, 0.0, top, 0.64, 0.76)
    pen.line(pen.edge, 0.04, (0.0, top + 0.08), (0.64, top + 0.08))
    pen.shape(pen.edge, (0.69, 0.34), (0.88, 0.34), (0.99, 0.56), (0.99, 0.8), (0.69, 0.8))
    _windows(pen, 0.4, 0.56, (0.77, 0.89))
    _wheels(pen, 0.11, 0.16, 0.38, 0.82)


def _van(pen, rng):
    roof = rng.uniform(0.2, 0.28)
    pen.shape(
        pen.main, (0.03, roof + 0.04), (0.08, roof), (0.68, roof), (0.84, 0.5), (0.98, 0.56),
        (0.98, 0.82),
        (0.03, 0.82),
    )
    pen.line(pen.edge, 0.04, (0.5, roof + 0.04), (0.5, 0.78))
    _windows(pen, roof + 0.07, 0.5, (0.56, 0.71))
    _wheels(pen, 0.12, 0.22, 0.78)


def _bus(pen, rng):
    count = rng.randint(4, 5)
    pen.shape(
        pen.main, (0.0, 0.2), (0.03, 0.16), (0.96, 0.16), (1.0, 0.24), (1.0, 0.84), (0.0, 0.84)
    )
    step = 0.96 / count
    _windows(
        pen, 0.26, 0.5, *((0.04 + step * i, 0.02 + step * (i + 1) - 0.03) for i in range(count))
    )
    pen.line(pen.edge, 0.05, (0.0, 0.63), (1.0, 0.63))
    _wheels(pen, 0.11, 0.22, 0.76)


def _tram(pen, rng):
    reach = rng.uniform(0.14, 0.2)
    pen.line(INK, 0.03, (0.0, 0.02), (1.0, 0.02))
    pen.line(pen.edge, 0.05, (0.5, 0.3), (0.5 + reach, 0.17), (0.5, 0.04))
    pen.shape(
        pen.main, (0.06, 0.28), (0.94, 0.28), (1.0, 0.6), (1.0, 0.88), (0.0, 0.88), (0.0, 0.6)
    )
    _windows(pen, 0.37, 0.58, (0.08, 0.26), (0.31, 0.45), (0.74, 0.92))
    _windows(pen, 0.37, 0.84, (0.53, 0.67))
    pen.bar(INK, 0.12, 0.86, 0.4, 0.96)
    pen.bar(INK, 0.6, 0.86, 0.88, 0.96)


def _train(pen, rng):
    puff = rng.uniform(0.02, 0.06)
    for x, y, r in ((0.7, 0.08, 0.07), (0.54, 0.06 + puff, 0.06)):
        pen.oval(HUB, x - r, y - r, x + r, y + r)
    pen.shape(pen.main, (0.76, 0.46), (0.72, 0.16), (0.92, 0.16), (0.88, 0.46))
    pen.oval(pen.edge, 0.5, 0.34, 0.64, 0.54)
    pen.bar(pen.main, 0.04, 0.26, 0.42, 0.8)
    pen.bar(pen.edge, 0.0, 0.2, 0.46, 0.28)
    pen.bar(pen.main, 0.4, 0.42, 0.94, 0.8)
    pen.shape(pen.edge, (0.88, 0.76), (1.0, 0.95), (0.84, 0.95))
    _windows(pen, 0.34, 0.54, (0.13, 0.33))
    _wheels(pen, 0.14, 0.22)
    _wheels(pen, 0.1, 0.5, 0.74)


def _tractor(pen, rng):
    pipe = rng.uniform(0.14, 0.24)
    pen.bar(pen.edge, 0.74, pipe, 0.8, 0.46)
    pen.bar(pen.main, 0.1, 0.06, 0.6, 0.14)
    for x in (0.16, 0.48):
        pen.bar(pen.main, x, 0.1, x + 0.06, 0.5)
    pen.shape(pen.main, (0.08, 0.4), (0.94, 0.4), (1.0, 0.46), (1.0, 0.76), (0.08, 0.76))
    _wheels(pen, 0.25, 0.28, hub=pen.main)
    _wheels(pen, 0.14, 0.82, hub=pen.main)


def _bicycle(pen, rng):
    seat = rng.uniform(0.24, 0.3)
    for x in (0.22, 0.78):
        pen.ring(pen.main, 0.06, (x, 0.72), 0.2)
    pen.line(pen.main, 0.06, (0.22, 0.72), (0.4, 0.42), (0.66, 0.4), (0.48, 0.72), (0.22, 0.72))
    pen.line(pen.main, 0.06, (0.48, 0.72), (0.36, seat))
    pen.line(pen.main, 0.06, (0.78, 0.72), (0.64, 0.26), (0.76, 0.2))
    pen.line(pen.edge, 0.09, (0.26, seat), (0.46, seat))


def _scooter(pen, rng):
    seat = rng.uniform(0.42, 0.48)
    _wheels(pen, 0.13, 0.2, 0.82)
    pen.line(pen.edge, 0.06, (0.82, 0.78), (0.68, 0.2), (0.56, 0.14))
    pen.shape(
        pen.main, (0.04, 0.56), (0.46, 0.52), (0.5, 0.7), (0.6, 0.7), (0.6, 0.26), (0.72, 0.24),
        (0.76, 0.72), (0.66, 0.84), (0.36, 0.84), (0.3, 0.72), (0.06, 0.72),
    )
    pen.bar(pen.edge, 0.08, seat, 0.46, 0.56)
    pen.oval(pen.spot, 0.68, 0.2, 0.8, 0.32)


def _boat(pen, rng):
    mast = rng.uniform(0.44, 0.54)
    pen.bar(pen.edge, mast - 0.025, 0.0, mast + 0.025, 0.74)
    pen.shape(mix(pen.main, PALE, 0.3), (mast - 0.04, 0.16), (mast - 0.04, 0.64), (0.08, 0.64))
    pen.shape(pen.main, (mast + 0.04, 0.02), (mast + 0.04, 0.64), (0.96, 0.64))
    pen.shape(pen.main, (0.02, 0.7), (0.98, 0.7), (0.82, 0.96), (0.18, 0.96))


def _ship(pen, rng):
    stacks = rng.randint(1, 3)
    for i in range(stacks):
        x = 0.5 + 0.17 * (i - stacks / 2)
        pen.bar(pen.edge, x, 0.1, x + 0.11, 0.38)
    pen.bar(mix(pen.main, PALE, 0.3), 0.2, 0.36, 0.76, 0.62)
    _windows(pen, 0.43, 0.52, (0.26, 0.34), (0.44, 0.52), (0.62, 0.7))
    pen.shape(pen.main, (0.0, 0.6), (1.0, 0.54), (0.84, 0.94), (0.1, 0.94))
    pen.line(pen.edge, 0.05, (0.04, 0.78), (0.9, 0.78))


def _plane(pen, rng):
    tail = rng.uniform(0.16, 0.24)
    pen.shape(pen.edge, (0.62, 0.46), (0.34, 0.2), (0.44, 0.2), (0.78, 0.46))
    pen.shape(pen.main, (0.04, 0.5), (0.0, tail), (0.1, tail), (0.26, 0.46))
    pen.shape(
        pen.main, (0.02, 0.46), (0.12, 0.42), (0.8, 0.4), (0.92, 0.44), (1.0, 0.52), (0.9, 0.58),
        (0.3, 0.6), (0.1, 0.54),
    )
    _windows(pen, 0.44, 0.5, *((0.3 + 0.12 * i, 0.36 + 0.12 * i) for i in range(4)))
    pen.shape(pen.edge, (0.44, 0.54), (0.66, 0.54), (0.3, 0.9), (0.2, 0.9))


def _helicopter(pen, rng):
    blade = rng.uniform(0.4, 0.46)
    pen.bar(pen.edge, 0.6, 0.16, 0.66, 0.32)
    pen.line(pen.edge, 0.06, (0.6 - blade, 0.14), (min(1, 0.66 + blade), 0.14))
    pen.shape(pen.main, (0.06, 0.42), (0.5, 0.38), (0.5, 0.6), (0.06, 0.5))
    pen.shape(pen.main, (0.0, 0.26), (0.1, 0.28), (0.14, 0.52), (0.06, 0.56))
    pen.oval(pen.main, 0.36, 0.28, 0.96, 0.8)
    pen.shape(
        GLASS if pen.spot == PALE else INK, (0.72, 0.36), (0.86, 0.4), (0.93, 0.54), (0.72, 0.54)
    )
    for x in (0.52, 0.78):
        pen.line(pen.edge, 0.05, (x, 0.76), (x, 0.92))
    pen.line(pen.edge, 0.06, (0.38, 0.92), (0.96, 0.92))


def _rocket(pen, rng):
    flame = rng.uniform(0.92, 1.0)
    pen.shape(mix(pen.main, PALE, 0.6), (0.38, 0.8), (0.62, 0.8), (0.5, flame))
    fins = ((0.5, 0.42), (0.86, 0.76), (0.86, 0.94), (0.5, 0.8))
    pen.shape(pen.edge, *fins, *((1 - x, y) for x, y in reversed(fins)))
    side = ((0.5, 0.0), (0.62, 0.14), (0.69, 0.34), (0.69, 0.6), (0.62, 0.82))
    pen.shape(pen.main, *side, *((1 - x, y) for x, y in reversed(side)))
    pen.oval(pen.spot, 0.4, 0.28, 0.6, 0.46)


PAINTERS = {
    "car": _car, "taxi": _taxi, "pickup": _pickup, "truck": _truck, "van": _van,
    "bus": _bus, "tram": _tram, "train": _train, "tractor": _tractor, "bicycle": _bicycle,
    "scooter": _scooter, "boat": _boat, "ship": _ship, "plane": _plane, "helicopter": _helicopter,
    "rocket": _rocket,
}
NAMES = tuple(PAINTERS)


def paint(draw, box, name, colour, rng):
    """Draw one vehicle of `NAMES` in `box`, mostly in `colour`; `rng` varies its details."""
    PAINTERS[name](Pen(draw, box, colour, rng, tilt=0.25 if name == "rocket" else 0.06), rng)
