"""One picture of the miniature world: a background, things on it, and filters over it all.

    from clip_min.world.drawing import Style, draw
    image, facts = draw("objects", "apple", Style(), random.Random(0))

Eight kinds of things can be drawn, one file each. Every such file has `NAMES` (look-alikes stand
side by side) and `paint(draw, box, name, colour, rng)`. A `Style` says everything else: the same
apple is a clean photo in one world and a grainy, half hidden one in another.
"""

from dataclasses import dataclass

from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps

from clip_min.world import actions, flowers, glyphs, objects, satellite, scenes, textures, vehicles
from clip_min.world.canvas import CANVAS, COLOURS, SIZE, finish, jitter, mix, new_canvas, shade

KINDS = {
    "objects": objects,
    "textures": textures,
    "flowers": flowers,
    "satellite": satellite,
    "scenes": scenes,
    "glyphs": glyphs,
    "actions": actions,
    "vehicles": vehicles,
}
FILLING = {"textures", "satellite", "scenes"}  # kinds that cover the whole picture
PLACES = {"left": (0, 0.5), "right": (1, 0.5), "top": (0.5, 0), "bottom": (0.5, 1)}
BACKGROUNDS = ("plain", "gradient", "striped", "dotted", "checked", "noisy")
NUMBERS = ("", "one", "two", "three")


USUAL_COLOURS = {
    "red": "apple cherry mushroom heart bus rose poppy carnation",
    "orange": "carrot fish clock lily tractor marigold",
    "yellow": "banana star bell taxi sunflower daffodil lotus crocus",
    "green": "pear bottle tram kite iris",
    "blue": "cup shirt car pansy bluebell ship",
    "purple": "lamp violet aster hat lavender",
    "pink": "bowl peony orchid dahlia scooter tulip",
    "brown": "table chair house shoe book truck",
    "black": "cat ball train bicycle key",
    "white": "spoon daisy boat plane van rocket",
    "gray": "knife fork bird pickup helicopter",
}
USUAL_COLOUR = {name: colour for colour, names in USUAL_COLOURS.items() for name in names.split()}


@dataclass(frozen=True)
class Style:
    """What varies from picture to picture apart from the thing itself.

    size: smallest and largest side of a thing's box, as a share of the picture.
    counts: weights of one, two and three things in a picture.
    usual_colour: probability that a thing has its usual colour (most apples are red), not any.
    filters: (name in FILTERS, probability) pairs, applied in this order.
    tilt: largest rotation of the whole picture, degrees either way.
    """

    backgrounds: tuple = BACKGROUNDS
    size: tuple = (0.45, 0.95)
    counts: tuple = (8, 1, 1)
    colours: tuple = tuple(COLOURS)
    usual_colour: float = 0
    filters: tuple = ()
    tilt: float = 0


def draw(kind, name, style, rng):
    """A finished RGB picture of SIZE × SIZE pixels, and the facts a caption can tell about it.

    rng: the `random.Random` that decides everything. Facts: kind, name, colour, number, size,
    place, background (colour and pattern), filters; a word each, or None (a list for filters).
    """
    colour = rng.choice(style.colours)
    if rng.random() < style.usual_colour:
        colour = USUAL_COLOUR.get(name, colour)
    facts = dict(
        kind=kind, name=name, colour=colour, number=1, size=None, place=None, background=None
    )
    if kind in FILLING:
        image, pen = new_canvas(COLOURS[colour])
        KINDS[kind].paint(pen, (0, 0, CANVAS, CANVAS), name, jitter(COLOURS[colour], rng), rng)
        if kind != "textures":
            facts["colour"] = None  # it only tints details
    else:
        image = draw_things(kind, name, style, rng, facts)
    if style.tilt:
        corner = image.getpixel((1, 1))
        image = image.rotate(rng.uniform(-style.tilt, style.tilt), Image.BILINEAR, fillcolor=corner)
    image = finish(image)
    facts["filters"] = [f for f, probability in style.filters if rng.random() < probability]
    for chosen in facts["filters"]:
        image = FILTERS[chosen](image, rng)
    return image, facts


def draw_things(kind, name, style, rng, facts):
    """The unfinished picture of one to three things on a background; fills in `facts`."""
    main = COLOURS[facts["colour"]]
    background = rng.choice([c for c in COLOURS if contrast(COLOURS[c], main) > 60])
    pattern = rng.choice(style.backgrounds)
    image, pen = new_canvas(COLOURS[background])
    paint_background(pen, pattern, jitter(COLOURS[background], rng, 12), rng)
    named = pattern not in ("plain", "gradient", "noisy")
    facts["background"] = f"{pattern} {background}" if named else background
    facts["number"] = 1 if kind == "actions" else rng.choices((1, 2, 3), style.counts)[0]
    for box in place_boxes(facts, style, rng):
        KINDS[kind].paint(pen, box, name, jitter(main, rng), rng)
    return image


def contrast(first, second):
    """How far apart two RGB colours are, 0 to about 440."""
    return sum((a - b) ** 2 for a, b in zip(first, second)) ** 0.5


def place_boxes(facts, style, rng):
    """The squares that the things are drawn in, in canvas pixels; fills in `size` and `place`."""
    smallest, largest = style.size
    if facts["number"] > 1:  # side by side, in a row or a column
        count = facts["number"]
        side = CANVAS / count * rng.uniform(0.8, 1)
        across = [CANVAS * (i + 0.5) / count - side / 2 for i in range(count)]
        along = [rng.uniform(0, CANVAS - side) for _ in across]
        pairs = zip(across, along) if rng.random() < 0.7 else zip(along, across)
        return [(x, y, x + side, y + side) for x, y in pairs]
    share = rng.uniform(smallest, largest)
    side, free = CANVAS * share, CANVAS * (1 - share)
    x, y = rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.8)
    if share < 0.55:
        facts["size"] = "small"
        facts["place"] = rng.choice(list(PLACES))
        x, y = PLACES[facts["place"]]
    elif share > 0.8:
        facts["size"] = "large"
    x, y = free * x, free * y
    return [(x, y, x + side, y + side)]


def paint_background(pen, pattern, colour, rng):
    """Cover the canvas with a quiet pattern in a colour and one near it."""
    other = shade(colour, rng.choice((0.75, 0.85, 1.2, 1.35)))
    pen.rectangle((0, 0, CANVAS, CANVAS), fill=colour)
    step = rng.randint(10, 18)
    if pattern == "gradient":
        for y in range(0, CANVAS, 4):
            pen.rectangle((0, y, CANVAS, y + 4), fill=mix(colour, other, y / CANVAS))
    elif pattern == "striped":
        for x in range(rng.randint(-step, 0), CANVAS, step):
            pen.rectangle((x, 0, x + step // 2, CANVAS), fill=other)
    elif pattern == "dotted":
        for x in range(0, CANVAS, step):
            for y in range(0, CANVAS, step):
                pen.ellipse((x, y, x + step // 2, y + step // 2), fill=other)
    elif pattern == "checked":
        for i, x in enumerate(range(0, CANVAS, step)):
            for y in range(step * (i % 2), CANVAS, 2 * step):
                pen.rectangle((x, y, x + step, y + step), fill=other)
    elif pattern == "noisy":
        for _ in range(60):
            x, y = rng.randint(0, CANVAS), rng.randint(0, CANVAS)
            pen.rectangle((x, y, x + 5, y + 5), fill=mix(colour, other, rng.random()))


# Filters: a finished picture and the rng → a picture of the same size.


def blur(image, rng):
    """Out of focus."""
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.6, 1.1)))


def grain(image, rng):
    """Coloured noise, as from a poor sensor."""
    noise = Image.frombytes("RGB", image.size, rng.randbytes(3 * SIZE * SIZE))
    return Image.blend(image, noise, rng.uniform(0.12, 0.28))


def fog(image, rng):
    """Drowned in light gray."""
    gray = Image.new("RGB", image.size, jitter((205, 208, 212), rng))
    return Image.blend(image, gray, rng.uniform(0.35, 0.65))


def night(image, rng):
    """Drowned in dark blue."""
    dark = Image.new("RGB", image.size, jitter((14, 18, 46), rng, 10))
    return Image.blend(image, dark, rng.uniform(0.5, 0.72))


def sunset(image, rng):
    """Lit by orange light."""
    return ImageChops.multiply(image, Image.new("RGB", image.size, jitter((255, 170, 110), rng)))


def old(image, rng):
    """A faded brown photograph."""
    brown = ImageOps.colorize(image.convert("L"), black=(52, 34, 20), white=(240, 224, 190))
    return Image.blend(image, brown, rng.uniform(0.7, 1))


def infrared(image, rng):
    """False colours as in near-infrared satellite images: what was green shows as red."""
    red, green, blue = image.split()
    if rng.random() < 0.8:
        return Image.merge("RGB", (green, red, ImageChops.lighter(blue, red)))
    return Image.merge("RGB", (green, blue, red))


def negative(image, rng):
    """Every colour replaced by its opposite."""
    return ImageOps.invert(image)


def pale(image, rng):
    """With little or no colour."""
    return ImageEnhance.Color(image).enhance(rng.uniform(0, 0.35))


def sketch(image, rng):
    """Dark outlines on light paper."""
    edges = image.convert("L").filter(ImageFilter.FIND_EDGES).crop((1, 1, SIZE - 1, SIZE - 1))
    edges = ImageOps.autocontrast(edges)
    paper = jitter((236, 232, 224), rng, 14)
    return ImageOps.colorize(edges.resize((SIZE, SIZE)), black=paper, white=(30, 30, 36))


def poster(image, rng):
    """Few flat colours, wrongly printed."""
    channels = list(ImageOps.posterize(image, rng.choice((1, 2))).split())
    rng.shuffle(channels)
    return Image.merge("RGB", channels)


def occluded(image, rng):
    """Two bars or patches hide a part."""
    image = image.copy()
    for _ in range(2):
        colour = jitter(COLOURS[rng.choice(list(COLOURS))], rng)
        w, h = rng.choice(((SIZE, 7), (7, SIZE), (14, 14), (18, 10)))
        x, y = rng.randint(0, SIZE - w), rng.randint(0, SIZE - h)
        image.paste(colour, (x, y, x + w, y + h))
    return image


FILTERS = {
    f.__name__: f
    for f in (
        blur, grain, fog, night, sunset, old, infrared, negative, pale, sketch, poster, occluded
    )
}
