"""Twelve kinds of land seen straight from above, like the pictures of a satellite.

Most layouts live in a turned unit square (`_turned`). Colours are those of the land; the given
colour only tints roofs, ships and cars. Neighbours in NAMES look alike.
"""

import math

from clip_min.world.canvas import jitter, mix, shade

REACH = 0.8  # a turned square of this half-width still covers the unit square
FIELDS = (
    (112, 146, 66), (150, 170, 78), (84, 122, 56), (202, 188, 108), (176, 148, 90),
    (140, 108, 74), (112, 88, 62), (214, 202, 140), (132, 158, 96), (98, 136, 52),
)
WATER = ((44, 78, 112), (38, 96, 130), (52, 104, 120), (30, 62, 92))
CONCRETE = (176, 174, 168)
ROAD = (118, 118, 120)
TREE = (52, 84, 44)


def _turned(box, angle):
    """A function: points (u, v), (0, 0) the middle of the box → pixels, turned by `angle`."""
    x0, y0, x1, y1 = box
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    cosine, sine = (x1 - x0) * math.cos(angle), (x1 - x0) * math.sin(angle)
    return lambda *points: [
        (x + cosine * u - sine * v, y + sine * u + cosine * v) for u, v in points
    ]


def _block(draw, place, u, v, wide, high, fill, outline=None):
    corners = (u, v), (u + wide, v), (u + wide, v + high), (u, v + high)
    draw.polygon(place(*corners), fill=fill, outline=outline)


def _disc(draw, centre, radius, fill):
    x, y = centre
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)


def _scatter(draw, box, count, smallest, largest, colours, rng):
    """Discs anywhere in the box; radii are shares of its width."""
    x0, y0, x1, y1 = box
    for _ in range(count):
        radius = (x1 - x0) * rng.uniform(smallest, largest)
        _disc(draw, (rng.uniform(x0, x1), rng.uniform(y0, y1)), radius, rng.choice(colours))


def _cuts(shortest, longest, rng):
    """Positions from −REACH to REACH, a random distance apart."""
    found = [-REACH - shortest * rng.random()]
    while found[-1] < REACH:
        found.append(found[-1] + rng.uniform(shortest, longest))
    return found


def _winding(rng, swing, step=0.07):
    """Points (u, v) of a smooth path that crosses the turned square."""
    slow, fast, a, b = rng.uniform(3, 6), rng.uniform(8, 12), rng.uniform(0, 6), rng.uniform(0, 6)
    shift, us = rng.uniform(-0.2, 0.2), [step * i - REACH for i in range(int(2 * REACH / step) + 2)]
    return [
        (u, shift + swing * (math.sin(slow * u + a) + 0.3 * math.sin(fast * u + b))) for u in us
    ]


def _fields(draw, box, place, shortest, longest, rng):
    """Patchwork of plain rectangular fields with narrow tracks between some of them."""
    track = rng.choice((0, 0.015, 0.025))
    draw.rectangle(box, fill=(196, 184, 150))
    tops = _cuts(shortest, longest, rng)
    for top, low in zip(tops, tops[1:]):
        sides = _cuts(shortest, 1.6 * longest, rng)
        for left, right in zip(sides, sides[1:]):
            fill = jitter(rng.choice(FIELDS), rng, 10)
            _block(draw, place, left, top, right - left - track, low - top - track, fill)


def _desert(draw, box, place, colour, rng):
    sand = jitter(rng.choice(((222, 192, 140), (206, 166, 116), (230, 208, 164))), rng, 12)
    draw.rectangle(box, fill=sand)
    for _ in range(rng.randint(2, 5)):
        path = _winding(rng, rng.uniform(0.05, 0.2))
        shift = rng.uniform(-0.6, 0.6)
        draw.line(
            place(*((u, v + shift) for u, v in path)), fill=shade(sand, 0.95),
            width=rng.randint(6, 14),
        )
    ripple, period = _winding(rng, rng.uniform(0.03, 0.09)), rng.uniform(0.08, 0.17)
    for shift in _cuts(0.8 * period, 1.3 * period, rng):
        cut = rng.randint(0, 5)
        crest = [(u, v + shift) for u, v in ripple[cut:len(ripple) - rng.randint(0, 5)]]
        draw.line(place(*crest), fill=shade(sand, 0.8), width=3)
        draw.line(place(*((u, v - 0.025) for u, v in crest)), fill=shade(sand, 1.1), width=2)


def _pasture_land(draw, box, place, colour, rng):
    grass = jitter(rng.choice(((118, 166, 78), (134, 172, 92), (102, 150, 70))), rng, 10)
    draw.rectangle(box, fill=grass)
    tones = [shade(grass, factor) for factor in (0.95, 0.97, 1.03, 1.06)]
    _scatter(draw, box, rng.randint(12, 22), 0.06, 0.2, tones, rng)
    for _ in range(rng.randint(0, 2)):
        place = _turned(box, rng.uniform(0, 6))
        v = rng.uniform(-0.45, 0.45)
        draw.line(
            place((-REACH, v), (REACH, v)), fill=mix(TREE, grass, 0.25), width=rng.choice((2, 3))
        )
        for _ in range(rng.randint(0, 7)):
            _disc(draw, place((rng.uniform(-0.6, 0.6), v))[0], rng.uniform(1.5, 3.5), TREE)
    if rng.random() < 0.3:
        _scatter(draw, box, rng.randint(5, 14), 0.008, 0.014, ((240, 238, 228), (90, 66, 48)), rng)


def _annual_crop_land(draw, box, place, colour, rng):
    shortest = rng.uniform(0.22, 0.35)
    _fields(draw, box, place, shortest, 1.8 * shortest, rng)


def _permanent_crop_land(draw, box, place, colour, rng):
    soil = jitter(
        rng.choice(((196, 168, 118), (178, 142, 98), (160, 170, 100), (206, 188, 146))), rng, 10
    )
    tree = jitter(rng.choice(((62, 100, 46), (84, 118, 58), (50, 86, 56))), rng, 10)
    period, along = rng.uniform(0.11, 0.16), rng.choice((0.8, 1, 1.2))
    radius = rng.uniform(0.26, 0.36) * period * (box[2] - box[0])
    break_at = rng.choice((9, rng.uniform(-0.3, 0.3)))
    draw.rectangle(box, fill=soil)
    for v in _cuts(period, 1.001 * period, rng):
        for u in _cuts(along * period, along * 1.001 * period, rng):
            (x, y), = place((u, v + (0.07 if u > break_at else 0)))
            if -3 < x - box[0] < box[2] - box[0] + 3 and -3 < y - box[1] < box[3] - box[1] + 3:
                _disc(draw, (x, y), radius * rng.uniform(0.85, 1.1), tree)
    if break_at < 1:
        _block(draw, place, break_at, -REACH, 0.07, 2 * REACH, mix(soil, (230, 220, 190), 0.5))


def _vegetation_land(draw, box, place, colour, rng):
    ground = jitter(rng.choice(((160, 158, 104), (148, 154, 92), (170, 156, 112))), rng, 10)
    draw.rectangle(box, fill=ground)
    _scatter(
        draw, box, 14, 0.06, 0.16, (shade(ground, 0.93), shade(ground, 1.06), (138, 142, 84)), rng
    )
    shrubs = ((92, 108, 58), (106, 118, 66), (78, 98, 54), (122, 128, 72))
    _scatter(draw, box, rng.randint(60, 120), 0.012, rng.uniform(0.03, 0.05), shrubs, rng)


def _forest(draw, box, place, colour, rng):
    dark = jitter((30, 56, 32), rng, 8)
    green = jitter(rng.choice(((48, 88, 46), (42, 80, 54), (64, 92, 44))), rng, 8)
    draw.rectangle(box, fill=dark)
    largest = rng.uniform(0.05, 0.085) * (box[2] - box[0])
    for _ in range(rng.randint(75, 100)):
        x, y, radius = (
            rng.uniform(box[0], box[2]), rng.uniform(box[1], box[3]), largest * rng.uniform(0.6, 1),
        )
        tone = shade(green, rng.uniform(0.75, 1.15))
        _disc(draw, (x + 0.3 * radius, y + 0.3 * radius), radius, dark)
        _disc(draw, (x, y), 0.9 * radius, tone)


def _shores(draw, box, place, rng):
    """Land beside water: fields, or woods, or grass with trees."""
    kind = rng.random()
    if kind < 0.45:
        _fields(draw, box, place, 0.25, 0.5, rng)
    elif kind < 0.65:
        _forest(draw, box, place, None, rng)
    else:
        grass = jitter(rng.choice(((124, 142, 84), (150, 144, 100), (96, 126, 68))), rng, 10)
        draw.rectangle(box, fill=grass)
        tones = (shade(grass, 0.8), TREE, shade(grass, 1.1))
        _scatter(draw, box, rng.randint(20, 50), 0.015, 0.05, tones, rng)


def _lake(draw, box, place, colour, rng):
    _shores(draw, box, _turned(box, rng.uniform(0, 6)), rng)
    water, radius, oval = (
        jitter(rng.choice(WATER), rng, 8), rng.uniform(0.28, 0.42), rng.uniform(0.65, 1),
    )
    u, v, count = rng.uniform(-0.12, 0.12), rng.uniform(-0.12, 0.12), 26
    waves = [(k, rng.uniform(0, 6), rng.uniform(0, 0.3) / k) for k in (2, 3, 4, 5)]
    outline = []
    for angle in (2 * math.pi * i / count for i in range(count)):
        reach = 1 + sum(height * math.sin(k * angle + phase) for k, phase, height in waves)
        outline.append((reach * math.cos(angle), oval * reach * math.sin(angle)))
    for size, tone in (
        (1.09, (204, 190, 152)), (1, mix(water, (110, 160, 160), 0.35)), (0.88, water),
    ):
        draw.polygon(
            place(*((u + radius * size * a, v + radius * size * b) for a, b in outline)), fill=tone
        )


def _river(draw, box, place, colour, rng):
    _shores(draw, box, _turned(box, rng.uniform(0, 6)), rng)
    water, path = jitter(rng.choice(WATER), rng, 8), _winding(rng, rng.uniform(0.08, 0.2), 0.05)
    half, phase = rng.uniform(0.06, 0.13), rng.uniform(0, 6)
    for extra, tone in ((0.03, (190, 178, 140)), (0, water)):
        bank = [(u, half * (1 + 0.25 * math.sin(7 * u + phase)) + extra) for u, _ in path]
        left = [(u, v - h) for (u, v), (_, h) in zip(path, bank)]
        right = [(u, v + h) for (u, v), (_, h) in zip(path, bank)]
        draw.polygon(place(*left, *reversed(right)), fill=tone)


def _lanes(draw, place, path, thick, rng, colour):
    """A road along `path` with a dashed middle, light edges and a few cars."""
    draw.line(place(*path), fill=(206, 204, 196), width=thick + 3, joint="curve")
    draw.line(place(*path), fill=ROAD, width=thick, joint="curve")
    points = place(*path)
    for start, end in list(zip(points, points[1:]))[::2]:
        draw.line((start, end), fill=(246, 244, 226), width=2)
    for _ in range(rng.randint(2, 5)):
        (u, v), side = rng.choice(path), rng.choice((-1, 1)) * thick / 320
        car = rng.choice((colour, (236, 236, 236), (40, 40, 44)))
        _block(draw, place, u, v + side - 0.012, 0.05, 0.025, car)


def _highway(draw, box, place, colour, rng):
    _fields(draw, box, _turned(box, rng.uniform(0, 6)), 0.3, 0.6, rng)
    thick = rng.randint(9, 15)
    if rng.random() < 0.35:
        cross = _turned(box, rng.uniform(0, 6))
        radius = (box[2] - box[0]) * rng.uniform(0.16, 0.26)
        for centre in rng.sample(cross((0.2, 0.2), (-0.2, 0.2), (0.2, -0.2), (-0.2, -0.2)), 2):
            x, y = centre
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=ROAD, width=4)
        draw.line(cross((-REACH, 0), (REACH, 0)), fill=(206, 204, 196), width=thick)
        draw.line(cross((-REACH, 0), (REACH, 0)), fill=ROAD, width=thick - 3)
    _lanes(draw, place, _winding(rng, rng.uniform(0, 0.08)), thick, rng, colour)


def _residential_buildings(draw, box, place, colour, rng):
    draw.rectangle(
        box, fill=jitter(rng.choice(((126, 138, 96), (148, 140, 116), (112, 128, 88))), rng, 10)
    )
    roofs = (
        (178, 92, 66), (150, 82, 64), (196, 124, 92), (150, 146, 142),
        mix(colour, (160, 110, 90), 0.4),
    )
    depth, wide = rng.uniform(0.3, 0.4), rng.uniform(0.12, 0.16)
    cross = rng.uniform(-0.3, 0.3)
    for v in _cuts(depth, 1.1 * depth, rng):
        for row in (v + 0.05, v + depth - 0.16):
            for u in _cuts(wide, 1.3 * wide, rng):
                long, deep = rng.uniform(0.07, 0.095), rng.uniform(0.075, 0.11)
                (x, y), = place((u + 0.05, row + 0.05))
                if not (box[0] - 8 < x < box[2] + 8 and box[1] - 8 < y < box[3] + 8):
                    continue
                roof = jitter(rng.choice(roofs), rng)
                _block(draw, place, u, row, long, deep, roof)
                _block(draw, place, u, row + deep / 2, long, deep / 2, shade(roof, 0.72))
        draw.line(place((-REACH, v), (REACH, v)), fill=(172, 170, 166), width=4)
    draw.line(place((cross, -REACH), (cross, REACH)), fill=(172, 170, 166), width=5)
    _scatter(draw, box, rng.randint(10, 22), 0.015, 0.03, (TREE, (70, 104, 52)), rng)


def _hall(draw, place, u, v, wide, high, roof, rng):
    """A big flat roof with its shadow and ribs."""
    _block(draw, place, u + 0.02, v + 0.02, wide, high, (86, 86, 88))
    _block(draw, place, u, v, wide, high, roof)
    for i in range(1, rng.choice((3, 5, 7))):
        x = u + wide * i / 7
        draw.line(place((x, v), (x, v + high)), fill=shade(roof, 0.86), width=1)


def _industrial_buildings(draw, box, place, colour, rng):
    draw.rectangle(
        box, fill=jitter(rng.choice(((138, 136, 130), (150, 142, 128), (118, 120, 118))), rng, 8)
    )
    shortest = rng.uniform(0.34, 0.45)
    roofs = ((234, 234, 230), (208, 210, 212), (188, 194, 202), mix(colour, (210, 210, 210), 0.6))
    tops = _cuts(shortest, 1.4 * shortest, rng)
    for top, low in zip(tops, tops[1:]):
        sides = _cuts(shortest, 2 * shortest, rng)
        for left, right in zip(sides, sides[1:]):
            wide, high = right - left - 0.09, low - top - 0.09
            if rng.random() < 0.75:
                _hall(
                    draw, place, left, top, wide, high * rng.uniform(0.75, 1), rng.choice(roofs),
                    rng,
                )
                continue
            for i in range(6):
                tone = jitter(rng.choice((colour, (170, 80, 60), (70, 100, 140))), rng)
                _block(draw, place, left + wide * i / 6, top + 0.06, wide / 9, high * 0.5, tone)
        draw.line(place((-REACH, top - 0.045), (REACH, top - 0.045)), fill=(96, 96, 98), width=5)


def _harbor(draw, box, place, colour, rng):
    water, edge = jitter(rng.choice(WATER), rng, 8), rng.uniform(-0.2, 0.1)
    draw.rectangle(box, fill=water)
    _block(draw, place, -REACH, edge, 2 * REACH, REACH - edge + 0.2, CONCRETE)
    hulls = ((238, 238, 236), (238, 238, 236), colour, (60, 64, 74), (150, 60, 50))
    period = rng.uniform(0.26, 0.42)
    long = rng.uniform(0.22, 0.36)
    for u in _cuts(period, 1.2 * period, rng):
        _block(draw, place, u, edge - long, 0.05, long, CONCRETE)
        for v in (edge - long, edge - long / 2):
            for side in (0.06, -0.09):
                if rng.random() < 0.7:
                    a, b, wide, high = u + side, v + 0.02, 0.08, long * rng.uniform(0.35, 0.46)
                    bow = (a, b + 0.05), (a + wide / 2, b), (a + wide, b + 0.05)
                    stern = (a + wide, b + high), (a, b + high)
                    draw.polygon(
                        place(*bow, *stern), fill=rng.choice(hulls), outline=shade(water, 0.6)
                    )
    for u in _cuts(0.2, 0.4, rng):
        if rng.random() < 0.5:
            _hall(draw, place, u, edge + 0.12, 0.17, 0.16, jitter((200, 198, 192), rng, 14), rng)
        else:
            for i in range(4):
                _block(
                    draw, place, u, edge + 0.12 + 0.04 * i, 0.16, 0.03,
                    jitter(rng.choice(hulls), rng),
                )
    draw.line(place((-REACH, edge + 0.36), (REACH, edge + 0.36)), fill=ROAD, width=5)


PAINTERS = {
    "desert": _desert, "pasture land": _pasture_land, "annual crop land": _annual_crop_land,
    "permanent crop land": _permanent_crop_land, "vegetation land": _vegetation_land,
    "forest": _forest, "lake": _lake, "river": _river, "highway": _highway,
    "residential buildings": _residential_buildings, "industrial buildings": _industrial_buildings,
    "harbor": _harbor,
}
NAMES = tuple(PAINTERS)


def paint(draw, box, name, colour, rng):
    """Cover the box with land of the kind `name`: a whole canvas, as edges are not clipped."""
    PAINTERS[name](draw, box, _turned(box, rng.uniform(0, 2 * math.pi)), colour, rng)
