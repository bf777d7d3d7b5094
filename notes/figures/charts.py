"""A panel of a chart: its title, its grid and its axes; and a legend."""

from typing import NamedTuple

from prompts.reports.svg import Axis, centred, circle, line, text, to_the_left

BOLD = 'font-weight="bold" font-size="12"'


class Area(NamedTuple):
    """Where a panel's values are drawn, in pixels; its words stand around it."""

    left: float
    top: float
    right: float
    bottom: float


class Panel:
    """An Area and a title → `parts`, a list of SVG elements. `x` and `y` turn values into pixels,
    once `across` and `upright` have given them their ticks.
    """

    def __init__(self, area, title, above=34):
        self.area, self.x, self.y = area, None, None
        self.parts = [text(area.left - 30, area.top - above, title, BOLD)]

    def upright(self, ticks, name):
        """Grey lines across at the ticks, their numbers at the left, the name above them."""
        left, top, right, bottom = self.area
        self.y = Axis(ticks, bottom, top)
        self.parts.append(text(left - 30, top - 14, name))
        for tick in ticks:
            y = self.y(tick)
            self.parts += [line(left, y, right, y, grey(tick))]
            self.parts += [to_the_left(left - 6, y + 4, minus(tick))]

    def across(self, ticks, name, labels=None, has_lines=False):
        """Labels below the ticks (none: the numbers themselves), with upright lines if asked for,
        and the name below them.
        """
        left, top, right, bottom = self.area
        self.x = self.x or Axis(ticks, left, right)
        for tick, label in zip(ticks, labels or ticks, strict=True):
            x = self.x(tick)
            self.parts += [line(x, top - 4, x, bottom, grey(tick))] if has_lines else []
            self.parts += [centred(x, bottom + 15, minus(label))]
        self.parts.append(centred((left + right) / 2, bottom + 31, name))

    def dot(self, x, y, colour, radius=3):
        """A dot at two values."""
        self.parts.append(circle(self.x(x), self.y(y), radius, f'fill="{colour}"'))


def grey(tick):
    """The stroke of a grid line; that of 0 is darker."""
    return f'stroke="{"#888" if tick == 0 else "#ddd"}"'


def minus(number):
    """A number as text, with the minus sign of print.

    >>> minus(-5), minus(5)
    ('−5', '5')
    """
    return str(number).replace("-", "−")


def legend(colour_of, left, top, column, in_a_row):
    """{name: colour} → a dot and a name for each, in rows; column: the width of one in pixels."""
    parts = []
    for i, (name, colour) in enumerate(colour_of.items()):
        x, y = left + i % in_a_row * column, top + 16 * (i // in_a_row)
        parts += [circle(x, y - 4, 4, f'fill="{colour}"'), text(x + 8, y, name)]
    return parts


def short(name):
    """A data set's name in a picture, where room is scarce.

    >>> short("toy-flowers")
    'flowers'
    """
    return name.removeprefix("toy-")[-14:]
