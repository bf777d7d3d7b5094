"""The pen that draws objects and vehicles: shapes, mirrored, squeezed and tilted together."""

import math

from clip_min.world.canvas import around, mix, shade, width

INK = (28, 28, 32)
PALE = (238, 238, 232)
GLASS = (196, 222, 236)
HUB = (168, 170, 174)
CIRCLE = around((0, 0), 0.5, 18)  # of diameter 1


class Pen:
    """Draws unit-square shapes in a box, all of them mirrored, squeezed and tilted alike.

    Tones: `main` is the thing's colour, `edge` a darker one (lighter if the colour is nearly
    black), `spot` the neutral, near-black or near-white, that stands out on `main`.
    """

    def __init__(self, draw, box, colour, rng, tilt):
        self.draw, self.box = draw, box
        self.main = colour
        self.edge = mix(colour, PALE, 0.4) if sum(colour) < 180 else shade(colour, 0.58)
        self.spot = INK if sum(colour) > 480 else PALE
        (x0, y0, x1, y1), angle = box, rng.uniform(-tilt, tilt)
        x_scale, y_scale = rng.choice((-1, 1)) * rng.uniform(0.82, 0.96), rng.uniform(0.82, 0.96)
        self.centre = (x0 + x1) / 2, (y0 + y1) / 2
        self.x_row = x_scale * math.cos(angle) * (x1 - x0), -y_scale * math.sin(angle) * (x1 - x0)
        self.y_row = x_scale * math.sin(angle) * (y1 - y0), y_scale * math.cos(angle) * (y1 - y0)

    def place(self, points):
        """Unit-square points → canvas points."""
        (a, b), (c, d), (x0, y0) = self.x_row, self.y_row, self.centre
        centred = [(x - 0.5, y - 0.5) for x, y in points]
        return [(x0 + a * x + b * y, y0 + c * x + d * y) for x, y in centred]

    def shape(self, colour, *points):
        """A filled polygon."""
        self.draw.polygon(self.place(points), fill=colour)

    def bar(self, colour, x0, y0, x1, y1):
        """A filled rectangle."""
        self.shape(colour, (x0, y0), (x1, y0), (x1, y1), (x0, y1))

    def oval(self, colour, x0, y0, x1, y1):
        """A filled ellipse with these extremes."""
        x, y, across, down = (x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0
        self.shape(colour, *[(x + across * u, y + down * v) for u, v in CIRCLE])

    def line(self, colour, share, *points):
        """A broken line, `share` of the box's shorter side wide."""
        self.draw.line(self.place(points), fill=colour, width=width(self.box, share))

    def ring(self, colour, share, centre, radius):
        """A circle's outline."""
        x, y = centre
        self.line(
            colour,
            share,
            *[(x + 2 * radius * u, y + 2 * radius * v) for u, v in CIRCLE + CIRCLE[:2]]
        )


def arc(centre, radius, start, stop, count=12):
    """`count` points on a circle, angles `start` to `stop` (radians, clockwise from the right)."""
    steps = (start + (stop - start) * i / (count - 1) for i in range(count))
    return [(centre[0] + radius * math.cos(a), centre[1] + radius * math.sin(a)) for a in steps]
