"""Eighteen places seen from the ground, by day or at dawn, each covering its whole box.

Natural colours; the given colour only tints what people made (roofs, boats, flags, blankets).
Half of the pictures are mirrored, by a box whose x0 is its right edge. Neighbours in NAMES
look alike. Longer than most files, as each place is one short function of its own.
"""

import math

from clip_min.world.canvas import at, jitter, mix, shade

SKIES = (  # top, horizon
    ((92, 156, 226), (196, 224, 244)),
    ((120, 176, 232), (220, 234, 240)),
    ((150, 176, 200), (214, 218, 216)),
    ((150, 140, 190), (250, 196, 150)),
    ((110, 130, 190), (252, 214, 170)),
)
WHITE, DARK = (246, 246, 242), (44, 42, 46)
SAND, GRASS, ROCK, TREE = (226, 200, 148), (106, 162, 72), (122, 114, 108), (48, 98, 54)
SEA = ((40, 116, 170), (36, 140, 172), (60, 110, 150))


def _poly(draw, box, fill, *points):
    draw.polygon(at(box, *points), fill=fill)


def _corners(box, x0, y0, x1, y1):
    (a, top), (b, low) = at(box, (x0, y0), (x1, y1))
    return min(a, b), top, max(a, b), low


def _rect(draw, box, fill, *corners):
    draw.rectangle(_corners(box, *corners), fill=fill)


def _oval(draw, box, fill, x, y, wide, high):
    """An ellipse by its centre and half-axes."""
    draw.ellipse(_corners(box, x - wide, y - high, x + wide, y + high), fill=fill)


def _line(draw, box, fill, thick, *points):
    draw.line(at(box, *points), fill=fill, width=thick)


def _sky(draw, box, horizon, rng):
    """Sky that brightens to the horizon and fills the box below it; sometimes clouds, a sun."""
    top, low = (jitter(tone, rng, 8) for tone in rng.choice(SKIES))
    for i in range(6):
        _rect(draw, box, mix(top, low, i / 5), 0, i * horizon / 6, 1, 1)
    if rng.random() < 0.35:
        radius = rng.uniform(0.04, 0.08)
        x, y = rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.6) * horizon
        _oval(draw, box, (255, 240, 180), x, y, radius, radius)
    for _ in range(rng.randint(0, 2)):
        x, y, tone = rng.random(), rng.uniform(0.1, 0.5) * horizon, mix(low, WHITE, 0.7)
        for shift in (-0.09, 0, 0.09):
            _oval(
                draw, box, tone, x + shift, y - 0.02 * (shift == 0), 0.08, rng.uniform(0.025, 0.05)
            )
    return low


def _ridge(draw, box, fill, level, rough, rng, base=1.0):
    """Rolling ground whose upper edge wanders around `level`."""
    fast, a, b = rng.uniform(7, 12), rng.uniform(0, 6), rng.uniform(0, 6)
    waves = [math.sin(i / 3 + a) + 0.5 * math.sin(fast * i / 14 + b) for i in range(15)]
    edge = [(i / 14, level + rough * wave) for i, wave in enumerate(waves)]
    _poly(draw, box, fill, *edge, (1, base), (0, base))
    return edge


def _water(draw, box, top, low, rng):
    tone = jitter(rng.choice(SEA), rng, 10)
    _rect(draw, box, tone, 0, top, 1, low)
    for _ in range(rng.randint(6, 12)):
        x, y = rng.random(), rng.uniform(top + 0.02, low)
        _line(draw, box, mix(tone, WHITE, 0.35), 1, (x, y), (x + rng.uniform(0.06, 0.2), y))
    return tone


def _fir(draw, box, x, y, high, tone):
    """A conifer that stands at (x, y)."""
    _rect(draw, box, (84, 62, 44), x - 0.06 * high, y - 0.15 * high, x + 0.06 * high, y)
    for wide, low, top in ((0.3, 0.12, 0.6), (0.22, 0.4, 1)):
        _poly(draw, box, tone, (x - wide * high, y - low * high), (x, y - top * high),
              (x + wide * high, y - low * high))


def _palm(draw, box, x, y, high, rng):
    lean = rng.uniform(-0.12, 0.12)
    _line(draw, box, (120, 88, 54), 3, (x, y), (x + lean * 0.3, y - high / 2), (x + lean, y - high))
    for angle in (0.3, 1, 2.2, 2.9, 3.7, 4.4, 5, 5.8):
        tip = x + lean + 0.45 * high * math.cos(angle), y - high + 0.3 * high * math.sin(angle)
        _line(draw, box, TREE, 3, (x + lean, y - high), tip)


def _house(draw, box, x, y, wide, high, roof, rng):
    """A gabled house whose front stands at (x, y)."""
    wall = jitter(rng.choice(((236, 226, 204), (214, 190, 160), (232, 232, 228))), rng, 10)
    _rect(draw, box, wall, x - wide / 2, y - high, x + wide / 2, y)
    _poly(
        draw, box, roof, (x - 0.6 * wide, y - high), (x, y - 1.7 * high), (x + 0.6 * wide, y - high)
    )
    _rect(draw, box, shade(roof, 0.6), x - 0.1 * wide, y - 0.55 * high, x + 0.1 * wide, y)
    for side in (-0.33, 0.33):
        _rect(
            draw, box, (86, 104, 124), x + (side - 0.09) * wide, y - 0.8 * high,
            x + (side + 0.09) * wide, y - 0.5 * high,
        )


def _boat(draw, box, x, y, size, colour):
    """A sailing boat whose hull floats at (x, y)."""
    hull = (
        (x - size, y), (x + size, y), (x + 0.7 * size, y + 0.4 * size),
        (x - 0.7 * size, y + 0.4 * size),
    )
    _poly(draw, box, colour, *hull)
    _line(draw, box, DARK, 1, (x, y), (x, y - 2.2 * size))
    _poly(draw, box, WHITE, (x + 0.1 * size, y - 0.3 * size), (x + 0.1 * size, y - 2.1 * size),
          (x + size, y - 0.3 * size))


def _desert(draw, box, colour, rng):
    horizon = rng.uniform(0.35, 0.55)
    sand = jitter(rng.choice((SAND, (216, 166, 104), (206, 142, 92))), rng, 10)
    _sky(draw, box, horizon, rng)
    for i in range(3):
        edge = _ridge(
            draw, box, shade(sand, 0.86 + 0.08 * i), horizon + 0.17 * i, rng.uniform(0.03, 0.06),
            rng,
        )
        _line(draw, box, shade(sand, 1.12), 2, *edge)
    for _ in range(rng.randint(0, 3)):
        x, y, size = rng.uniform(0.1, 0.9), rng.uniform(0.65, 0.95), rng.uniform(0.14, 0.28)
        _line(draw, box, (64, 118, 66), 5, (x, y), (x, y - size))
        for side in (-0.35, 0.35):
            arm = (
                (x, y - 0.4 * size), (x + side * size, y - 0.4 * size),
                (x + side * size, y - 0.75 * size),
            )
            _line(draw, box, (64, 118, 66), 3, *arm)


def _beach(draw, box, colour, rng):
    horizon, near, far = rng.uniform(0.28, 0.42), rng.uniform(0.75, 1), rng.uniform(0.5, 0.6)
    _sky(draw, box, horizon, rng)
    _water(draw, box, horizon, 1, rng)
    shore = [(i / 8, far + (near - far) * i / 8 + 0.015 * math.sin(2.2 * i)) for i in range(9)]
    _poly(draw, box, jitter(SAND, rng, 8), *shore, (1, 1), (0, 1))
    _line(draw, box, WHITE, 3, *shore)
    for _ in range(rng.randint(0, 2)):
        x, size = rng.uniform(0.12, 0.5), rng.uniform(0.11, 0.16)
        y = far + (near - far) * x + 0.12
        _line(draw, box, DARK, 2, (x, y), (x, y - 1.5 * size))
        _poly(draw, box, colour, (x - size, y - 1.3 * size), (x - size / 2, y - 1.8 * size),
              (x, y - 2 * size),
              (x + size / 2, y - 1.8 * size), (x + size, y - 1.3 * size))
    if rng.random() < 0.5:
        _palm(
            draw, box, rng.uniform(0.05, 0.25), rng.uniform(0.75, 0.95), rng.uniform(0.45, 0.65),
            rng,
        )


def _island(draw, box, colour, rng):
    horizon, x, wide = rng.uniform(0.4, 0.55), rng.uniform(0.38, 0.62), rng.uniform(0.24, 0.38)
    _sky(draw, box, horizon, rng)
    tone, y = _water(draw, box, horizon, 1, rng), horizon + rng.uniform(0.12, 0.22)
    _oval(draw, box, mix(tone, (150, 220, 210), 0.5), x, y + 0.05, wide * 1.25, 0.1)
    _oval(draw, box, SAND, x, y + 0.02, wide, 0.07)
    _oval(draw, box, GRASS, x, y - 0.01, wide * 0.8, rng.uniform(0.06, 0.14))
    for _ in range(rng.randint(1, 4)):
        _palm(draw, box, x + wide * rng.uniform(-0.6, 0.6), y, rng.uniform(0.28, 0.42), rng)


def _lake(draw, box, colour, rng):
    shore = rng.uniform(0.42, 0.55)
    _sky(draw, box, shore, rng)
    hills = jitter((92, 122, 116), rng, 14)
    _ridge(draw, box, hills, shore - 0.14, 0.05, rng)
    tone = _water(draw, box, shore, 1, rng)
    x, count = rng.uniform(-0.1, 0.1), rng.randint(7, 12)
    for i in range(count):
        high, place = rng.uniform(0.1, 0.2), x + i / count
        _oval(draw, box, mix(tone, TREE, 0.6), place, shore + high / 2, 0.03, high / 2)
        _fir(draw, box, place, shore + 0.01, high, jitter(TREE, rng, 8))
    if rng.random() < 0.4:
        _boat(draw, box, rng.uniform(0.3, 0.7), rng.uniform(0.65, 0.75), 0.07, colour)
    _ridge(draw, box, jitter(GRASS, rng), rng.uniform(0.88, 0.95), 0.02, rng)


def _harbor(draw, box, colour, rng):
    quay = rng.uniform(0.4, 0.5)
    _sky(draw, box, quay, rng)
    for i in range(6):
        tone = jitter(rng.choice(((196, 150, 120), (214, 206, 190), (160, 120, 104))), rng)
        _rect(draw, box, tone, i / 6, quay - rng.uniform(0.1, 0.22), (i + 0.92) / 6, quay)
    _water(draw, box, quay + 0.03, 1, rng)
    _rect(draw, box, (134, 128, 122), 0, quay, 1, quay + 0.06)
    for i in range(rng.randint(2, 4)):
        hull = rng.choice((colour, WHITE, colour, (60, 70, 90)))
        x, y = (i + rng.uniform(0.3, 0.7)) / 3.5, rng.uniform(0.6, 0.76)
        _boat(draw, box, x, y, rng.uniform(0.1, 0.15), hull)
    if rng.random() < 0.6:
        _rect(draw, box, (150, 124, 94), 0, 0.88, rng.uniform(0.5, 0.9), 0.96)
        for x in (0.06, 0.26, 0.46):
            _rect(draw, box, (92, 74, 58), x, 0.84, x + 0.04, 1)


def _bridge(draw, box, colour, rng):
    shore, deck = rng.uniform(0.5, 0.6), rng.uniform(0.5, 0.58)
    _sky(draw, box, shore, rng)
    _ridge(draw, box, jitter((108, 140, 100), rng), shore - 0.08, 0.04, rng)
    water = _water(draw, box, shore + 0.05, 1, rng)
    if rng.random() < 0.5:
        paint_work, high = mix(colour, (150, 60, 50), 0.5), rng.uniform(0.3, 0.4)
        for x in (0.25, 0.75):
            _rect(draw, box, paint_work, x - 0.03, deck - high, x + 0.03, deck + 0.25)
        for middle in (-0.25, 0.5, 1.25):
            cable = [
                (middle + s / 16, deck - 0.03 - high * 0.9 * (s / 4) ** 2) for s in range(-4, 5)
            ]
            _line(draw, box, paint_work, 2, *cable)
            for x, y in cable:
                _line(draw, box, paint_work, 1, (x, y), (x, deck))
        _rect(draw, box, shade(paint_work, 0.8), 0, deck, 1, deck + 0.05)
        return
    stone, count = jitter((164, 148, 130), rng), rng.choice((2, 3))
    foot = deck + rng.uniform(0.2, 0.27)
    _rect(draw, box, stone, 0, deck - 0.06, 1, foot)
    for i in range(count):
        x, half = (i + 0.5) / count, 0.4 / count
        _oval(draw, box, shade(water, 0.8), x, foot - 0.02, half, foot - deck - 0.06)
    _rect(draw, box, water, 0, foot, 1, foot + 0.12)
    _rect(draw, box, shade(stone, 0.75), 0, deck - 0.08, 1, deck - 0.05)


def _waterfall(draw, box, colour, rng):
    top, pool = rng.uniform(0.1, 0.3), rng.uniform(0.74, 0.84)
    x, half = rng.uniform(0.38, 0.62), rng.uniform(0.1, 0.22)
    _sky(draw, box, top, rng)
    rock = jitter(rng.choice((ROCK, (104, 92, 80))), rng, 10)
    _ridge(draw, box, rock, top, 0.02, rng)
    for _ in range(24):
        a, b = rng.random(), rng.uniform(top + 0.1, pool)
        wide, high = rng.uniform(0.05, 0.12), rng.uniform(0.03, 0.12)
        _rect(draw, box, shade(rock, rng.uniform(0.7, 1.15)), a, b, a + wide, b + high)
    for i in range(8):
        _oval(draw, box, jitter((70, 124, 62), rng), i / 7, top, 0.09, rng.uniform(0.04, 0.08))
    _water(draw, box, pool, 1, rng)
    _rect(draw, box, (206, 228, 240), x - half, top, x + half, pool)
    for _ in range(12):
        a, b = x + half * rng.uniform(-0.9, 0.9), rng.uniform(top, pool - 0.2)
        _line(
            draw, box, rng.choice((WHITE, (150, 192, 220))), 2, (a, b),
            (a, b + rng.uniform(0.1, 0.3)),
        )
    for i in range(7):
        _oval(
            draw, box, WHITE, x + half * (i - 3) / 2.5, pool + rng.uniform(-0.01, 0.03), 0.06, 0.04
        )


def _cave(draw, box, colour, rng):
    rock = jitter(rng.choice((ROCK, (136, 112, 90))), rng, 10)
    x, wide = rng.uniform(0.4, 0.6), rng.uniform(0.26, 0.38)
    top, floor = rng.uniform(0.18, 0.32), rng.uniform(0.78, 0.88)
    _sky(draw, box, 0.2, rng)
    _ridge(draw, box, rock, rng.uniform(0.04, 0.1), 0.03, rng)
    for _ in range(16):
        a, b = rng.random(), rng.uniform(0.12, 0.9)
        tone = shade(rock, rng.uniform(0.82, 1.12))
        _poly(
            draw, box, tone, (a, b), (a + 0.16, b - 0.04), (a + 0.2, b + 0.08), (a + 0.05, b + 0.14)
        )
    _rect(draw, box, shade(rock, 1.15), 0, floor, 1, 1)
    for size, tone in ((1, shade(rock, 0.55)), (0.86, (32, 28, 30)), (0.5, (12, 10, 14))):
        arch = [
            (
                x + size * wide * math.cos(a / 4) * rng.uniform(0.9, 1.1),
                floor - size * (floor - top) * math.sin(a / 4) * rng.uniform(0.92, 1.08),
            )
            for a in range(13)
        ]
        _poly(draw, box, tone, *arch)
    for _ in range(rng.randint(2, 5)):
        a, long = x + wide * rng.uniform(-0.55, 0.55), rng.uniform(0.1, 0.2)
        _poly(draw, box, shade(rock, 0.75), (a - 0.035, top + 0.06), (a + 0.035, top + 0.06),
              (a, top + 0.08 + long))


def _volcano(draw, box, colour, rng):
    _sky(draw, box, 0.8, rng)
    top, foot = rng.uniform(0.3, 0.42), rng.uniform(0.8, 0.9)
    x, mouth = rng.uniform(0.38, 0.62), rng.uniform(0.08, 0.13)
    rock, lava = jitter((84, 70, 70), rng, 10), (250, 110, 30)
    for i in range(rng.randint(5, 9)):
        drift, size = rng.uniform(-0.1, 0.14) * i / 4, 0.06 + 0.012 * i
        _oval(
            draw, box, jitter((130, 124, 126), rng, 16), x + drift, top - 0.03 - 0.05 * i, size,
            size * 0.8,
        )
    for _ in range(rng.randint(0, 7)):
        _line(
            draw, box, lava, 2, (x, top), (x + rng.uniform(-0.2, 0.2), top - rng.uniform(0.1, 0.25))
        )
    wide = rng.uniform(0.42, 0.6)
    _poly(
        draw, box, rock, (x - wide, foot), (x - 0.22, top + 0.22), (x - mouth, top),
        (x + mouth, top), (x + 0.22, top + 0.22), (x + wide, foot),
    )
    _oval(draw, box, lava, x, top + 0.01, mouth, 0.03)
    for _ in range(rng.randint(1, 3)):
        a, b, c = (rng.uniform(-s, s) for s in (0.06, 0.12, 0.2))
        _line(
            draw, box, lava, 4, (x + a, top), (x + b, top + 0.17),
            (x + c, top + rng.uniform(0.28, 0.45)),
        )
    _ridge(
        draw, box, rng.choice(((58, 78, 52), (70, 60, 58), (92, 116, 70))), foot - 0.02, 0.02, rng
    )


def _mountain(draw, box, colour, rng):
    _sky(draw, box, 0.75, rng)
    foot, rock = rng.uniform(0.72, 0.85), jitter(
        rng.choice((ROCK, (108, 114, 130), (126, 104, 92))), rng, 10
    )
    count = rng.randint(2, 4)
    for i in rng.sample(range(count), count):
        x, top, wide = (
            (i + rng.uniform(0.3, 0.7)) / count, rng.uniform(0.12, 0.38), rng.uniform(0.32, 0.5),
        )
        tone, high, snow = shade(rock, rng.uniform(0.85, 1.15)), foot - top, rng.uniform(0.2, 0.4)
        _poly(draw, box, tone, (x - wide, foot), (x, top), (x + wide, foot))
        _poly(draw, box, shade(tone, 0.78), (x, top), (x + wide, foot), (x + 0.2 * wide, foot),
              (x - 0.05, top + 0.5 * high))
        low, side = top + snow * high, snow * wide
        _poly(
            draw, box, WHITE, (x - side, low), (x, top), (x + side, low),
            (x + side / 2, low - 0.05), (x, low + 0.03), (x - side / 2, low - 0.05),
        )
    _ridge(draw, box, jitter((86, 130, 72), rng, 14), foot - 0.02, 0.025, rng)
    for _ in range(rng.randint(0, 5)):
        _fir(draw, box, rng.random(), rng.uniform(0.88, 1), rng.uniform(0.1, 0.18), TREE)


def _forest(draw, box, colour, rng):
    low, leafy = _sky(draw, box, 0.4, rng), rng.random() < 0.4
    far = mix(TREE, low, 0.45)
    _ridge(draw, box, far, rng.uniform(0.12, 0.25), 0.05, rng)
    _rect(draw, box, jitter((86, 112, 58), rng, 12), 0, 0.82, 1, 1)
    for depth, count in ((0, 7), (0.5, 6), (1, 4)):
        for i in range(count):
            x, y = (i + rng.random()) / count, 0.82 + 0.16 * depth
            tone = mix(far, jitter(TREE, rng, 12), 0.4 + 0.6 * depth)
            high = rng.uniform(0.5, 0.72) + 0.14 * depth
            if leafy:
                _rect(draw, box, (86, 66, 48), x - 0.025, y - 0.6 * high, x + 0.025, y)
                for shift in (-0.07, 0.07, 0):
                    _oval(
                        draw, box, shade(tone, 1 - shift), x + shift, y - 0.72 * high + abs(shift),
                        0.1, 0.14,
                    )
            else:
                _fir(draw, box, x, y, high, tone)


def _meadow(draw, box, colour, rng):
    horizon = rng.uniform(0.32, 0.48)
    grass = jitter(rng.choice((GRASS, (130, 178, 80), (92, 150, 66))), rng, 10)
    _sky(draw, box, horizon + 0.1, rng)
    if rng.random() < 0.6:
        _ridge(draw, box, mix(grass, (120, 150, 150), 0.5), horizon - 0.05, 0.04, rng)
    _ridge(draw, box, grass, horizon, 0.02, rng)
    for _ in range(rng.randint(0, 2)):
        x = rng.random()
        _rect(draw, box, (90, 68, 48), x - 0.015, horizon - 0.1, x + 0.015, horizon + 0.06)
        _oval(draw, box, TREE, x, horizon - 0.1, 0.09, 0.1)
    petals = rng.sample((WHITE, (250, 220, 70), (226, 60, 60), (160, 90, 200), (244, 150, 190)), 2)
    for _ in range(rng.randint(45, 90)):
        near = rng.random()
        x, y, size = rng.random(), horizon + 0.08 + (0.92 - horizon) * near, 0.008 + 0.018 * near
        _oval(draw, box, rng.choice((*petals, petals[0], shade(grass, 0.8))), x, y, size, size)


def _farm(draw, box, colour, rng):
    horizon, x = rng.uniform(0.46, 0.56), rng.uniform(0.28, 0.45)
    _sky(draw, box, horizon, rng)
    soil = jitter(rng.choice(((150, 170, 80), (206, 182, 96), (150, 112, 76))), rng, 10)
    _rect(draw, box, soil, 0, horizon, 1, 1)
    vanish = rng.uniform(0.4, 0.8)
    for i in range(-8, 18):
        _line(
            draw, box, shade(soil, 0.75), 2, (vanish + (i / 9 - vanish) * 0.35, horizon + 0.06),
            (i / 9, 1),
        )
    barn, wide = mix(colour, (176, 50, 40), 0.6), rng.uniform(0.17, 0.22)
    y = horizon + 0.08
    if rng.random() < 0.8:
        silo = x + wide + 0.1
        _rect(draw, box, (196, 196, 196), silo - 0.06, y - 0.42, silo + 0.06, y)
        _oval(draw, box, (150, 150, 154), silo, y - 0.42, 0.06, 0.05)
    _poly(
        draw, box, barn, (x - wide, y), (x - wide, y - 0.24), (x - 0.6 * wide, y - 0.36),
        (x, y - 0.42), (x + 0.6 * wide, y - 0.36), (x + wide, y - 0.24), (x + wide, y),
    )
    roof = (x - wide - 0.02, y - 0.23), (x - 0.6 * wide, y - 0.37), (x, y - 0.43)
    _line(draw, box, DARK, 3, *roof, (x + 0.6 * wide, y - 0.37), (x + wide + 0.02, y - 0.23))
    _rect(draw, box, WHITE, x - 0.08, y - 0.18, x + 0.08, y)
    _rect(draw, box, shade(barn, 0.7), x - 0.06, y - 0.16, x + 0.06, y)
    if rng.random() < 0.5:
        for post in range(8):
            _rect(draw, box, WHITE, post / 7.5, 0.78, post / 7.5 + 0.025, 0.93)
        for rail in (0.81, 0.87):
            _rect(draw, box, WHITE, 0, rail, 1, rail + 0.02)


def _village(draw, box, colour, rng):
    horizon = rng.uniform(0.4, 0.5)
    _sky(draw, box, horizon, rng)
    _ridge(draw, box, jitter((126, 160, 110), rng), horizon - 0.06, 0.04, rng)
    _ridge(draw, box, jitter(GRASS, rng, 12), horizon + 0.08, 0.02, rng)
    roof = mix(colour, (178, 84, 60), 0.5)
    if rng.random() < 0.7:
        x = rng.uniform(0.2, 0.8)
        _rect(draw, box, (224, 216, 200), x - 0.05, horizon - 0.16, x + 0.05, horizon + 0.12)
        _poly(draw, box, shade(roof, 0.7), (x - 0.07, horizon - 0.16), (x, horizon - 0.36),
              (x + 0.07, horizon - 0.16))
    for y, count, size in ((horizon + 0.13, 4, 0.17), (horizon + 0.29, 3, 0.23), (0.97, 2, 0.3)):
        for i in range(count):
            if rng.random() < 0.85:
                x = (i + rng.uniform(0.3, 0.7)) / count
                high = size * rng.uniform(0.5, 0.62)
                _house(draw, box, x, y, size, high, shade(jitter(roof, rng), 0.9), rng)


def _castle(draw, box, colour, rng):
    hill = rng.uniform(0.72, 0.85)
    _sky(draw, box, hill, rng)
    stone = jitter(rng.choice(((164, 160, 154), (190, 176, 148), (140, 140, 148))), rng, 8)
    x = rng.uniform(0.44, 0.56)
    _ridge(draw, box, jitter((96, 142, 76), rng, 14), hill - 0.03, 0.03, rng)
    wide, low = rng.uniform(0.26, 0.36), hill + 0.03
    pointed = rng.random() < 0.5
    towers = (x - wide, 0.42), (x + wide, 0.42), (x - wide * 0.35, 0.56), (x + wide * 0.4, 0.5)
    for place, high in towers[:rng.randint(2, 4)]:
        high, half = high * rng.uniform(0.85, 1.05), 0.075
        _rect(draw, box, shade(stone, 0.88), place - half, low - high, place + half, low)
        _rect(draw, box, DARK, place - 0.015, low - high + 0.09, place + 0.015, low - high + 0.16)
        if pointed:
            _poly(
                draw, box, mix(colour, DARK, 0.2), (place - 0.1, low - high),
                (place, low - high - 0.19), (place + 0.1, low - high),
            )
            continue
        for i in (-1, 0, 1):
            middle = place + 0.06 * i
            _rect(draw, box, shade(stone, 0.88), middle - 0.018, low - high - 0.05, middle + 0.018,
                  low - high)
        _line(draw, box, DARK, 1, (place, low - high), (place, low - high - 0.16))
        _poly(draw, box, colour, (place, low - high - 0.16), (place + 0.11, low - high - 0.12),
              (place, low - high - 0.08))
    wall = low - 0.27
    _rect(draw, box, stone, x - wide, wall, x + wide, low)
    for i in range(-4, 5, 2):
        _rect(
            draw, box, stone, x + wide * (i - 0.6) / 5, wall - 0.045, x + wide * (i + 0.6) / 5, wall
        )
    _oval(draw, box, DARK, x, low - 0.13, 0.06, 0.06)
    _rect(draw, box, DARK, x - 0.06, low - 0.13, x + 0.06, low)


def _city(draw, box, colour, rng):
    _sky(draw, box, 1, rng)
    tones = ((110, 124, 146), (150, 154, 162), (92, 100, 116), (164, 146, 130),
             mix(colour, (120, 126, 140), 0.6))
    for tall, count, haze in ((0.85, 6, 0.35), (0.62, 5, 0)):
        left = rng.uniform(-0.1, 0)
        for _ in range(count):
            wide, top = rng.uniform(0.15, 0.26), 1 - tall * rng.uniform(0.6, 1.05)
            tone = mix(jitter(rng.choice(tones), rng), (190, 206, 222), haze)
            _rect(draw, box, tone, left, top, left + wide - 0.012, 1)
            if haze and rng.random() < 0.3:
                _line(draw, box, tone, 2, (left + wide / 2, top), (left + wide / 2, top - 0.12))
            glass = rng.choice(((232, 226, 170), (196, 216, 232), shade(tone, 0.7)))
            for x in () if haze else (0.15, 0.4, 0.65):
                for y in range(int((1 - top) / 0.09)):
                    a, b = left + x * wide, top + 0.035 + 0.09 * y
                    _rect(draw, box, glass, a, b, a + 0.18 * wide, b + 0.035)
            left += wide


def _street(draw, box, colour, rng):
    x, y = rng.uniform(0.42, 0.58), rng.uniform(0.45, 0.55)
    _sky(draw, box, y, rng)
    _rect(draw, box, (176, 170, 162), 0, y, 1, 1)
    _poly(draw, box, (92, 92, 98), (x - 0.03, y), (x + 0.03, y), (1, 1), (0, 1))
    for near, far in ((1, 0.75), (0.6, 0.45), (0.34, 0.24)):
        ends = (near, -1), (near, 1), (far, 1), (far, -1)
        dash = [(x + (0.5 - x + side * 0.03) * d, y + (1 - y) * d) for d, side in ends]
        _poly(draw, box, WHITE, *dash)
    walls = ((196, 120, 96), (220, 200, 160), (170, 160, 150), (150, 110, 96),
             mix(colour, (200, 180, 160), 0.5))
    for edge in (0, 1):
        reach = edge - x + (0.16 if edge else -0.16)
        for near, far in ((1.1, 0.68), (0.68, 0.42), (0.42, 0.22)):
            tone, high = jitter(rng.choice(walls), rng), rng.uniform(0.6, 0.9)
            a, b = x + reach * near, x + reach * far
            _poly(draw, box, tone, (a, y - high * near), (b, y - high * far), (b, y + 0.26 * far),
                  (a, y + 0.26 * near))
            for level in (0.2, 0.6):
                for d in (far + (near - far) * 0.3, far + (near - far) * 0.7):
                    u, v, size = x + reach * d, y - high * d * level, 0.09 * d
                    _rect(
                        draw, box, shade(tone, 0.55), u - size / 3, v - size, u + size / 3,
                        v + size / 2,
                    )
    if rng.random() < 0.6:
        d, side = rng.uniform(0.35, 0.7), rng.choice((-1, 1))
        a, b, size = x + side * 0.22 * d, y + (1 - y) * d, 0.14 * d
        _rect(draw, box, colour, a - size, b - size, a + size, b)
        _rect(
            draw, box, shade(colour, 0.75), a - 0.7 * size, b - 1.6 * size, a + 0.7 * size, b - size
        )
        for wheel in (-0.8, 0.5):
            _rect(draw, box, DARK, a + wheel * size, b, a + (wheel + 0.3) * size, b + 0.3 * size)


def _bedroom(draw, box, colour, rng):
    wall = jitter(
        rng.choice(((226, 214, 190), (196, 210, 220), (220, 196, 190), (206, 216, 190))), rng, 10
    )
    floor, y, x = jitter((160, 116, 78), rng), rng.uniform(0.6, 0.68), rng.uniform(0.3, 0.45)
    _rect(draw, box, wall, 0, 0, 1, y)
    _rect(draw, box, floor, 0, y, 1, 1)
    _rect(draw, box, WHITE, 0, y - 0.025, 1, y)
    a, b = rng.uniform(0.55, 0.65), rng.uniform(0.08, 0.16)
    _rect(draw, box, WHITE, a, b, a + 0.28, b + 0.3)
    for pane in (0.02, 0.15):
        _rect(
            draw, box, jitter((150, 196, 232), rng), a + pane, b + 0.02, a + pane + 0.11, b + 0.28
        )
    if rng.random() < 0.6:
        _rect(draw, box, shade(wall, 0.6), x - 0.14, b, x + 0.1, b + 0.17)
        _rect(draw, box, mix(colour, WHITE, 0.4), x - 0.12, b + 0.02, x + 0.08, b + 0.15)
    wood, wide, high = jitter((112, 74, 46), rng), rng.uniform(0.62, 0.72), rng.uniform(0.3, 0.4)
    left, top = rng.uniform(0.02, 0.08), y - 0.02
    _rect(draw, box, wood, left, top - high * 0.75, left + 0.06, 0.94)
    _rect(draw, box, wood, left + wide, top - 0.02, left + wide + 0.05, 0.94)
    _rect(draw, box, WHITE, left + 0.06, top, left + wide, top + 0.1)
    _rect(draw, box, mix(colour, WHITE, 0.1), left + 0.24, top - 0.02, left + wide, 0.88)
    _rect(draw, box, shade(colour, 0.75), left + 0.24, top + 0.13, left + wide, 0.88)
    _oval(draw, box, WHITE, left + 0.15, top - 0.02, 0.09, 0.06)
    if rng.random() < 0.6:
        _rect(draw, box, wood, 0.84, y - 0.02, 0.98, 0.86)
        _line(draw, box, DARK, 2, (0.91, y - 0.02), (0.91, y - 0.14))
        _poly(draw, box, (250, 226, 150), (0.84, y - 0.12), (0.98, y - 0.12), (0.95, y - 0.24),
              (0.87, y - 0.24))


PAINTERS = {
    "desert": _desert, "beach": _beach, "island": _island, "lake": _lake, "harbor": _harbor,
    "bridge": _bridge, "waterfall": _waterfall, "cave": _cave, "volcano": _volcano,
    "mountain": _mountain, "forest": _forest, "meadow": _meadow, "farm": _farm,
    "village": _village, "castle": _castle, "city": _city, "street": _street, "bedroom": _bedroom,
}
NAMES = tuple(PAINTERS)


def paint(draw, box, name, colour, rng):
    """Cover the box with the place `name`."""
    x0, y0, x1, y1 = box
    PAINTERS[name](draw, (x1, y0, x0, y1) if rng.random() < 0.5 else box, colour, rng)
