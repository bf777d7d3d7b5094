"""How the figures of ablations.py are drawn: pairs of dots, curves, and a table."""

from notes.figures.drawing import circle, document
from prompts.reports.plots import COLOURS, joined, line, nice_ticks, text

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = (
    330,
    230,
    78,
    14,
    52,
    40,
)  # of a panel and its margins, in pixels
IN_A_ROW = 4  # names in a legend
FIXED_COLOURS = {
    "base": COLOURS[0],
    "new": COLOURS[1],
    "H": COLOURS[2],
    "average": "black",
}


def panel(left, title, parts, ticks, x_words):
    """A panel's frame: title, axis of accuracies upright, words below → SVG elements."""
    grid = [
        text(left + LEFT - 30, 18, title, 'font-weight="bold" font-size="12"'),
        text(left + LEFT - 30, TOP - 16, "accuracy, %"),
    ]
    for tick in ticks:
        grid.append(
            line(
                left + LEFT,
                y_of(tick, ticks),
                left + WIDTH - RIGHT,
                y_of(tick, ticks),
                'stroke="#ddd"',
            )
        )
        grid.append(text(left + LEFT - 6, y_of(tick, ticks) + 4, tick, 'text-anchor="end"'))
    grid += [text(left + (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, x_words, 'text-anchor="middle"')]
    return grid + parts


def colours_of(names):
    """The names of a panel → {name: colour}; data sets come after those that are fixed."""
    sets = [name for name in names if name not in FIXED_COLOURS]
    return FIXED_COLOURS | {
        name: COLOURS[(3 + i) % len(COLOURS)] for i, name in enumerate(sets)
    }


def y_of(accuracy, ticks):
    """An accuracy → its height in a panel, in pixels from above."""
    return (
        HEIGHT - BOTTOM - (accuracy - ticks[0]) / (ticks[-1] - ticks[0]) * (HEIGHT - TOP - BOTTOM)
    )


def draw_initialisation(panels):
    """[(title, {name: (random, words)})] → SVG text: dots, hollow for random, full for words.

    All panels have one range of accuracies.
    """
    parts = []
    values = [value for _, pairs in panels for pair in pairs.values() for value in pair]
    ticks = nice_ticks(min(values), max(values))
    for i, (title, pairs) in enumerate(panels):
        step, body = (WIDTH - LEFT - RIGHT) / len(pairs), []
        colour_of = colours_of(pairs)
        for j, (name, (random, words)) in enumerate(pairs.items()):
            x, colour = i * WIDTH + LEFT + (j + 0.5) * step, colour_of[name]
            body.append(
                line(
                    x,
                    y_of(random, ticks),
                    x,
                    y_of(words, ticks),
                    f'stroke="{colour}" stroke-width="2"',
                )
            )
            style = f'stroke="{colour}" stroke-width="2"'
            body.append(circle(x, y_of(random, ticks), 4.5, f'{style} fill="white"'))
            body.append(circle(x, y_of(words, ticks), 4.5, f'{style} fill="{colour}"'))
            heights = kept_apart(y_of(random, ticks), y_of(words, ticks))
            for value, y in zip((random, words), heights, strict=True):
                body.append(text(x + 8, y + 4, f"{value:.1f}"))
            body.append(
                text(x, HEIGHT - BOTTOM + 16, name.removeprefix("toy-"), 'text-anchor="middle"')
            )
        parts += panel(i * WIDTH, title, body, ticks, "")
    x, y = LEFT, HEIGHT + 4
    parts += [
        circle(x, y, 4.5, 'stroke="black" stroke-width="2" fill="white"'),
        text(x + 10, y + 4, "random start"),
        circle(x + 110, y, 4.5, 'fill="black"'),
        text(x + 120, y + 4, '"a photo of a"'),
    ]
    return document(len(panels) * WIDTH, HEIGHT + 18, parts)


def kept_apart(one, other, gap=12):
    """Two heights in pixels → the same, moved apart until two numbers do not touch.

    >>> kept_apart(100, 110), kept_apart(100, 120)
    ((99.0, 111.0), (100, 120))
    """
    if abs(one - other) >= gap:
        return one, other
    middle, half = (one + other) / 2, gap / 2 if one <= other else -gap / 2
    return middle - half, middle + half


def draw_lengths(panels):
    """[(title, {name: {length: accuracy}})] → SVG text with a curve for each name.

    All panels have one range of accuracies.
    """
    parts = []
    values = [
        value for _, curves in panels for curve in curves.values() for value in curve.values()
    ]
    ticks = nice_ticks(min(values), max(values))
    for i, (title, curves) in enumerate(panels):
        body, colour_of, lengths = [], colours_of(curves), list(next(iter(curves.values())))
        x = {
            n: i * WIDTH + LEFT + 14 + j * (WIDTH - LEFT - RIGHT - 28) / (len(lengths) - 1)
            for j, n in enumerate(lengths)
        }
        body += [text(x[n], HEIGHT - BOTTOM + 15, n, 'text-anchor="middle"') for n in lengths]
        for j, (name, curve) in enumerate(curves.items()):
            points = [(x[n], y_of(value, ticks)) for n, value in curve.items()]
            width = 3 if name == "average" else 1.5
            style = f'fill="none" stroke="{colour_of[name]}" stroke-width="{width}"'
            body.append(f'<polyline points="{joined(points)}" {style}/>')
            body += [circle(*point, 3, f'fill="{colour_of[name]}"') for point in points]
            at, y = i * WIDTH + LEFT + j % IN_A_ROW * 66 - 30, HEIGHT + 4 + 14 * (j // IN_A_ROW)
            stroke = f'stroke="{colour_of[name]}" stroke-width="3"'
            words = name.removeprefix("toy-")[:9]
            body += [line(at, y, at + 14, y, stroke), text(at + 18, y + 4, words)]
        parts += panel(i * WIDTH, title, body, ticks, "context vectors M, random start")
    rows = max((len(curves) - 1) // IN_A_ROW for _, curves in panels)
    return document(len(panels) * WIDTH, HEIGHT + 18 + 14 * rows, parts)


def draw_table(body, heading):
    """Lines of name, parameters, three accuracies of ours and three of the paper's → SVG text."""
    places = (330, 390, 440, 490, 570, 630, 690)  # where the numbers end
    heads = ("parameters", "base", "new", "H", "base", "new", "H")
    parts = [
        text(12, 38, "accuracy, %"),
        text(420, 20, heading, 'text-anchor="middle" font-weight="bold"'),
        text(640, 20, "paper, ImageNet", 'text-anchor="middle" font-weight="bold"'),
    ]
    parts += [text(x, 38, head, 'text-anchor="end"') for x, head in zip(places, heads)]
    parts.append(line(12, 46, 700, 46, 'stroke="#888"'))
    for i, (name, *cells) in enumerate(body):
        y = 64 + 20 * i
        parts += [
            text(12, y, name),
            *(text(x, y, cell, 'text-anchor="end"') for x, cell in zip(places, cells)),
        ]
    return document(712, 64 + 20 * len(body), parts)
