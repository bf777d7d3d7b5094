"""Twenty textures that cover their box: the dominating colour and a lighter or darker second one.

Most are laid out in a turned unit square (`_turned`), so one texture differs from picture to
picture in scale, angle and phase. Neighbours in NAMES look alike.
"""

import math

from clip_min.world.canvas import around, jitter, mix, shade

REACH = 0.85  # a turned square of this half-width still covers the unit square, with some slack


def _second(colour, rng):
    """A clearly lighter or darker relative of the colour."""
    brightness = sum(colour) / 765
    if brightness > 0.6 or (brightness > 0.35 and rng.random() < 0.5):
        return shade(colour, rng.uniform(0.3, 0.5))
    return mix(colour, (255, 255, 250), rng.uniform(0.6, 0.8))


def _turned(box, angle):
    """A function: points (u, v), (0, 0) the middle of the box → pixels, turned by `angle`."""
    x0, y0, x1, y1 = box
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    cosine, sine = (x1 - x0) * math.cos(angle), (x1 - x0) * math.sin(angle)
    return lambda *points: [
        (x + cosine * u - sine * v, y + sine * u + cosine * v) for u, v in points
    ]


def _any_angle(box, rng):
    return _turned(box, rng.uniform(0, 2 * math.pi))


def _steps(period, rng):
    """Positions `period` apart, with a random phase, from −REACH to REACH."""
    start = -REACH - period * rng.random()
    return [start + period * i for i in range(int(2 * REACH / period) + 2)]


def _lattice(box, place, period, rng, offset=0.5, squeeze=1.0, loose=0.0):
    """Pixel points of a lattice near the box; odd rows are shifted by `offset` periods."""
    x0, y0, x1, y1 = box
    size, columns = x1 - x0, _steps(period, rng)
    slack, found = period * size, []
    for row, v in enumerate(_steps(period * squeeze, rng)):
        for u in columns:
            u += offset * period * (row % 2)
            (x, y), = place((u + loose * rng.uniform(-1, 1), v + loose * rng.uniform(-1, 1)))
            if x0 - slack < x < x1 + slack and y0 - slack < y < y1 + slack:
                found.append((x, y))
    return found


def _disc(draw, centre, radius, **style):
    x, y = centre
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), **style)


def _bands(draw, place, profile, period, share, fill, rng):
    """Parallel bands whose edges follow `profile`, a list of (u, offset of v)."""
    for v in _steps(period, rng):
        upper = [(u, v + bend) for u, bend in profile]
        lower = [(u, v + bend + share * period) for u, bend in reversed(profile)]
        draw.polygon(place(*upper, *lower), fill=fill)


def _striped(draw, box, colour, second, rng):
    profile = [(-REACH, 0), (REACH, 0)]
    _bands(
        draw, _any_angle(box, rng), profile, rng.uniform(0.1, 0.28), rng.uniform(0.3, 0.5), second,
        rng,
    )


def _wavy(draw, box, colour, second, rng):
    period, waves, phase = rng.uniform(0.13, 0.26), rng.uniform(11, 19), rng.uniform(0, 6)
    height = rng.uniform(0.04, 0.06)
    profile = [(0.04 * i - REACH, height * math.sin(0.04 * waves * i + phase)) for i in range(44)]
    _bands(draw, _any_angle(box, rng), profile, period, rng.uniform(0.35, 0.5), second, rng)


def _zigzag(draw, box, colour, second, rng):
    half, height, phase = rng.uniform(0.1, 0.17), rng.uniform(0.06, 0.09), 0.2 * rng.random()
    profile = [(half * i - REACH - phase, height * (-1) ** i) for i in range(int(2 / half))]
    _bands(
        draw, _any_angle(box, rng), profile, rng.uniform(0.16, 0.27), rng.uniform(0.35, 0.5),
        second, rng,
    )


def _braided(draw, box, colour, second, rng):
    place, wide = _any_angle(box, rng), rng.uniform(0.28, 0.45)
    pitch, dark = 0.5 * wide, shade(second, 0.8)
    draw.rectangle(box, fill=dark)
    for u in _steps(wide * 1.08, rng):
        for v in _steps(pitch, rng):
            for side in (-1, 1):
                start = v + (0.5 * pitch if side > 0 else 0)
                leaf = [
                    (0.5, 0), (0.46, 0.5), (0.2, 1.15), (-0.14, 1.4), (-0.06, 0.75), (0.2, 0.15),
                ]
                points = place(*((u + side * a * wide, start + b * pitch) for a, b in leaf))
                draw.polygon(points, fill=colour, outline=dark)


def _woven(draw, box, colour, second, rng):
    place, cell = _any_angle(box, rng), rng.uniform(0.14, 0.22)
    tones = (colour, mix(colour, second, 0.4))
    draw.rectangle(box, fill=mix(second, (0, 0, 0), 0.3) if sum(second) < sum(colour) else second)
    columns, thin = _steps(cell, rng), rng.uniform(0.3, 0.36)
    for row, v in enumerate(_steps(cell, rng)):
        for column, u in enumerate(columns):
            flat = (row + column) % 2
            a, b = (0.62 * cell, thin * cell) if flat else (thin * cell, 0.62 * cell)
            strip = place((u - a, v - b), (u + a, v - b), (u + a, v + b), (u - a, v + b))
            draw.polygon(strip, fill=tones[flat])


def _checked(draw, box, colour, second, rng):
    place, cell = _any_angle(box, rng), rng.uniform(0.12, 0.26)
    columns = _steps(cell, rng)
    for row, v in enumerate(_steps(cell, rng)):
        for u in columns[row % 2::2]:
            draw.polygon(
                place((u, v), (u + cell, v), (u + cell, v + cell), (u, v + cell)), fill=second
            )


def _brick(draw, box, colour, second, rng):
    place, high = _turned(box, rng.uniform(-0.2, 0.2)), rng.uniform(0.11, 0.19)
    long, gap = high * rng.uniform(2, 2.5), rng.uniform(0.025, 0.04)
    draw.rectangle(box, fill=second)
    columns = _steps(long, rng)
    for row, v in enumerate(_steps(high, rng)):
        for u in columns:
            u += 0.5 * long * (row % 2)
            right, low = u + long - gap, v + high - gap
            tone = shade(colour, rng.uniform(0.86, 1.06))
            draw.polygon(place((u, v), (right, v), (right, low), (u, low)), fill=tone)


def _grid(draw, box, colour, second, rng):
    angle, period, share = rng.uniform(0, 1.6), rng.uniform(0.13, 0.26), rng.uniform(0.14, 0.22)
    for turn in (angle, angle + math.pi / 2):
        _bands(draw, _turned(box, turn), [(-REACH, 0), (REACH, 0)], period, share, second, rng)


def _crosshatched(draw, box, colour, second, rng):
    angle, opening, period = rng.uniform(0, 3), rng.uniform(0.8, 1.3), rng.uniform(0.085, 0.12)
    for turn in (angle, angle + opening):
        place = _turned(box, turn)
        for v in _steps(period, rng):
            cut, tilt = rng.uniform(-0.5, 0.5), rng.uniform(-0.03, 0.03)
            draw.line(place((-REACH, v - tilt), (cut, v)), fill=second, width=2)
            draw.line(place((cut + 0.06, v), (REACH, v + tilt)), fill=second, width=2)


def _fibrous(draw, box, colour, second, rng):
    place, spread = _any_angle(box, rng), rng.uniform(0.06, 0.16)
    for _ in range(rng.randint(60, 100)):
        u, v, long = rng.uniform(-0.9, 0.5), rng.uniform(-0.75, 0.75), rng.uniform(0.3, 0.8)
        a, b = rng.gauss(0, spread), rng.gauss(0, spread)
        tone = mix(colour, second, rng.choice((0.4, 0.7, 1)))
        hair = place((u, v), (u + long / 2, v + a), (u + long, v + a + b))
        draw.line(hair, fill=tone, width=rng.choice((1, 1, 2)))


def _cracked(draw, box, colour, second, rng):
    place, cell = _any_angle(box, rng), rng.uniform(0.14, 0.24)
    loose, columns, above = 0.4 * cell, _steps(cell, rng), None
    dark, thick = shade(second, 0.7) if sum(second) < sum(colour) else second, rng.choice((2, 2, 3))
    for row, v in enumerate(_steps(cell * 1.2, rng)):
        knots = place(
            *((u + rng.uniform(-loose, loose), v + rng.uniform(-loose, loose)) for u in columns)
        )
        draw.line(knots, fill=dark, width=thick)
        for upper, lower in list(zip(above or (), knots))[row % 2::2]:
            if rng.random() < 0.9:
                middle = [(a + b) / 2 + rng.uniform(-3, 3) for a, b in zip(upper, lower)]
                draw.line([upper, tuple(middle), lower], fill=dark, width=thick)
        above = knots


def _marbled(draw, box, colour, second, rng):
    place, slow, fast = _any_angle(box, rng), rng.uniform(3, 6), rng.uniform(9, 14)
    for strength, count, thick in ((0.25, 5, 12), (0.5, 5, 6), (1, 6, 2)):
        for _ in range(count):
            v, a, b = rng.uniform(-0.7, 0.7), rng.uniform(0.05, 0.16), rng.uniform(0.01, 0.05)
            shift, slope = rng.uniform(0, 6), rng.uniform(-0.5, 0.5)
            vein = []
            for u in (0.07 * i - REACH for i in range(26)):
                bend = a * math.sin(slow * u + shift) + b * math.sin(fast * u + shift)
                vein.append((u, v + slope * u + bend))
            draw.line(place(*vein), fill=mix(colour, second, strength), width=thick)


def _coil(draw, centre, radius, turns, start, thick, fill):
    """An Archimedean spiral from the centre out; negative `turns` wind the other way."""
    count = int(abs(turns) * 18)
    x, y = centre
    angles = ((i / count, start + 2 * math.pi * turns * i / count) for i in range(count + 1))
    points = [(x + radius * r * math.cos(a), y + radius * r * math.sin(a)) for r, a in angles]
    draw.line(points, fill=fill, width=thick)


def _swirly(draw, box, colour, second, rng):
    size, period = box[2] - box[0], rng.uniform(0.27, 0.42)
    for centre in _lattice(
        box, _any_angle(box, rng), period, rng, squeeze=0.9, loose=0.15 * period
    ):
        radius, turns = size * period * rng.uniform(0.5, 0.62), rng.uniform(1.3, 1.9) * rng.choice(
            (-1, 1)
        )
        _coil(
            draw, centre, radius, turns, rng.uniform(0, 6), round(size * rng.uniform(0.03, 0.05)),
            second,
        )


def _spiral(draw, box, colour, second, rng):
    size, pitch = box[2] - box[0], rng.uniform(0.12, 0.2)
    centre, = _turned(box, 0)((rng.uniform(-0.15, 0.15), rng.uniform(-0.15, 0.15)))
    turns, thick = rng.choice((-1, 1)) * 0.9 / pitch, round(size * pitch * rng.uniform(0.3, 0.45))
    _coil(draw, centre, 0.9 * size, turns, rng.uniform(0, 6), thick, second)


def _scaly(draw, box, colour, second, rng):
    size, period = box[2] - box[0], rng.uniform(0.22, 0.34)
    place, thick = _turned(box, rng.uniform(-0.5, 0.5) + rng.choice((0, math.pi))), rng.choice(
        (2, 3)
    )
    for centre in reversed(_lattice(box, place, period, rng, squeeze=0.45)):
        _disc(
            draw, centre, 0.54 * period * size, fill=jitter(colour, rng, 8), outline=second,
            width=thick,
        )


def _honeycomb(draw, box, colour, second, rng):
    angle, period = rng.uniform(0, 2), rng.uniform(0.17, 0.3)
    draw.rectangle(box, fill=second)
    radius = period * (box[2] - box[0]) * rng.uniform(0.45, 0.49)
    for centre in _lattice(box, _turned(box, angle), period, rng, squeeze=math.sqrt(0.75)):
        draw.polygon(around(centre, radius, 6, angle + math.pi / 6), fill=jitter(colour, rng, 6))


def _bubbly(draw, box, colour, second, rng):
    size, kept = box[2] - box[0], []
    largest = rng.uniform(0.1, 0.17)
    for _ in range(70):
        x, y, r = rng.uniform(-0.05, 1.05), rng.uniform(-0.05, 1.05), largest * rng.uniform(0.3, 1)
        if all(math.hypot(x - a, y - b) > r + c for a, b, c in kept):
            kept.append((x, y, r))
    for x, y, r in kept:
        x, y, r = box[0] + size * x, box[1] + size * y, r * size
        _disc(draw, (x, y), r, outline=second, width=2)
        _disc(draw, (x - 0.35 * r, y - 0.35 * r), 0.22 * r, fill=second)


def _bumpy(draw, box, colour, second, rng):
    period, light = rng.uniform(0.16, 0.27), rng.uniform(0, 2 * math.pi)
    radius = 0.42 * period * (box[2] - box[0])
    x, y = 0.25 * radius * math.cos(light), 0.25 * radius * math.sin(light)
    dark, pale = shade(colour, 0.45), mix(colour, (255, 255, 255), 0.65)
    for a, b in _lattice(box, _any_angle(box, rng), period, rng, loose=0.12 * period):
        size = radius * rng.uniform(0.8, 1.05)
        _disc(draw, (a - x, b - y), size, fill=dark)
        _disc(draw, (a, b), 0.95 * size, fill=mix(colour, pale, 0.25))
        _disc(draw, (a + 1.6 * x, b + 1.6 * y), 0.45 * size, fill=pale)


def _dotted(draw, box, colour, second, rng):
    period = rng.uniform(0.13, 0.27)
    radius = period * (box[2] - box[0]) * rng.uniform(0.22, 0.33)
    for centre in _lattice(box, _any_angle(box, rng), period, rng, offset=rng.choice((0, 0.5))):
        _disc(draw, centre, radius, fill=second)


def _speckled(draw, box, colour, second, rng):
    x0, y0, x1, y1 = box
    largest = rng.uniform(0.018, 0.035) * (x1 - x0)
    for _ in range(rng.randint(80, 150)):
        centre = (rng.uniform(x0, x1), rng.uniform(y0, y1))
        _disc(
            draw, centre, largest * rng.uniform(0.25, 1),
            fill=mix(colour, second, rng.choice((0.5, 1, 1))),
        )


PAINTERS = {
    "striped": _striped, "wavy": _wavy, "zigzag": _zigzag, "braided": _braided, "woven": _woven,
    "checked": _checked, "brick": _brick, "grid": _grid, "crosshatched": _crosshatched,
    "fibrous": _fibrous, "cracked": _cracked, "marbled": _marbled, "swirly": _swirly,
    "spiral": _spiral, "scaly": _scaly, "honeycomb": _honeycomb, "bubbly": _bubbly,
    "bumpy": _bumpy, "dotted": _dotted, "speckled": _speckled,
}
NAMES = tuple(PAINTERS)


def paint(draw, box, name, colour, rng):
    """Cover the box with the texture `name`: a whole canvas, as edges are not clipped."""
    draw.rectangle(box, fill=colour)
    PAINTERS[name](draw, box, colour, _second(colour, rng), rng)
