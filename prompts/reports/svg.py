"""The few elements of SVG that the pictures of this project are made of, and an axis.

Every element is a line of text; a picture is a list of them. Places are in pixels from the upper
left corner. style: attributes of SVG, such as 'stroke="black"'.
"""

import math
from typing import NamedTuple
from xml.sax.saxutils import escape

from clip_min.files import printable


def document(width, height, parts, letters=11):
    """Elements → the text of an SVG file of that size on white; letters: their size in pixels."""
    size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    words = f'font-family="sans-serif" font-size="{letters}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {words}>'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *parts, "</svg>\n"])


def line(x_1, y_1, x_2, y_2, style):
    """A straight line."""
    return f'<line x1="{x_1:.1f}" y1="{y_1:.1f}" x2="{x_2:.1f}" y2="{y_2:.1f}" {style}/>'


def curve(points, colour, width=2):
    """[(x, y)] → a line through these points."""
    style = f'fill="none" stroke="{colour}" stroke-width="{width}"'
    return f'<polyline points="{joined(points)}" {style}/>'


def joined(points):
    """[(x, y)] → the text that SVG's `points` takes."""
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def rect(x, y, width, height, style):
    """A rectangle; x, y: its upper left corner."""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" {style}/>'


def circle(x, y, radius, style):
    """A circle around (x, y)."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" {style}/>'


def text(x, y, words, style=""):
    """Any words at a place; what XML does not allow or the eye cannot see is escaped."""
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(printable(words))}</text>'


def centred(x, y, words, style=""):
    """Words around x."""
    return text(x, y, words, f'text-anchor="middle" {style}'.strip())


def to_the_left(x, y, words, style=""):
    """Words that end at x."""
    return text(x, y, words, f'text-anchor="end" {style}'.strip())


def nice_ticks(low, high, most=7):
    """Round numbers from one at or below `low` to one at or above `high`, at most `most` of them.

    >>> nice_ticks(51.3, 68.0)
    [50, 55, 60, 65, 70]
    """
    for step in (1, 2, 5, 10, 20, 50, 100):
        first, last = math.floor(low / step), math.ceil(high / step)
        if last - first < most:
            break
    return [n * step for n in range(first, max(last, first + 1) + 1)]


class Axis(NamedTuple):
    """Ticks, and the pixels of the first and of the last one: axis(value) is a value's pixel.

    A single tick stands in the middle.

    >>> Axis([0, 50, 100], 200, 20)(25), Axis([7], 0, 100)(7)
    (155.0, 50.0)
    """

    ticks: list
    first: float
    last: float

    def __call__(self, value):
        span = self.ticks[-1] - self.ticks[0]
        share = (value - self.ticks[0]) / span if span else 0.5
        return self.first + share * (self.last - self.first)
