"""How CLIP, CoOp, CoCoOp, VPT and UPT work, drawn in one style: a picture for each.

Grey is frozen, orange is learned. Solid arrows are the way forward, with the shapes that the tiny
CLIP has there for three class names and two pictures. Dashed arrows are the way of the gradient.
The text stands at the left, the picture at the right; time runs down.
"""

import base64
from typing import NamedTuple

import torch

from clip_min import load_clip
from clip_min.data import load_dataset, open_picture
from notes.figures.attention import images_of
from notes.figures.drawing import png
from prompts import METHODS
from prompts.reports.svg import centred, document, joined, line, rect, text, to_the_left

CLASSES = ["apple", "banana", "cat"]
WIDTH, LEFT, MIDDLE, RIGHT, HALF = 600, 150, 300, 450, 90  # centres of columns; half a box
CELL = 26  # the height of a token
FROZEN = 'fill="#e4e7eb" stroke="#8b95a1"'
LEARNED = 'fill="#ffdcae" stroke="#e07800"'
VALUE = 'fill="white" stroke="#8b95a1"'
DARK, GRADIENT = "#39424e", "#d45f00"
BUS = f'stroke="{DARK}" stroke-width="1.8"'
SMALL = 'font-size="13" fill="#777"'


class Shapes(NamedTuple):
    """The sizes of a run: see `notation.md`."""

    K: int
    B: int
    L: int
    S: int
    D_t: int
    D_v: int
    E: int
    M: int
    N: int
    side: int


class Sketch:
    """A drawing that grows from the top down: `parts` are its elements."""

    def __init__(self, title, says):
        self.parts = [text(16, 28, title, 'font-size="18" font-weight="bold"'),
                      text(16, 50, says, 'fill="#555"')]

    def box(self, place, words, style=FROZEN, half=HALF):
        """A rounded box with one or two lines of words; place: the middle of its top → its
        bottom.
        """
        (x, y), height = place, 14 + 19 * len(words)
        self.parts.append(rect(x - half, y, 2 * half, height, f'{style} rx="7"'))
        for i, each in enumerate(words):
            self.parts.append(centred(x, y + 22 + 19 * i, each, f'fill="{DARK}"'))
        return y + height

    def cells(self, x, y, tokens):
        """[(words, width, style)] side by side around x, their top at y → the places of each."""
        left, places = x - sum(width for _, width, _ in tokens) / 2, []
        for words, width, style in tokens:
            self.parts.append(rect(left, y, width, CELL, f'{style} rx="3"'))
            self.parts.append(centred(left + width / 2, y + 18, words, f'fill="{DARK}"'))
            places.append(left + width / 2)
            left += width
        return places

    def arrow(self, points, shape="", numbers="", at_left=True):
        """The way forward through points; shape and numbers stand beside the end."""
        self.parts += pointed(points, DARK)
        x, y = points[-1]
        write, beside = (to_the_left, x - 9) if at_left else (text, x + 9)
        self.parts.append(write(beside, y - 26, shape, SMALL))
        self.parts.append(write(beside, y - 10, numbers, f'fill="{DARK}"'))

    def gradient(self, *points):
        """The way back through points, dashed."""
        self.parts += pointed(points, GRADIENT, 'stroke-dasharray="6 4"')

    def pictures(self, y, items):
        """Items as small pictures around the right column, their top at y → their bottom."""
        for i, item in enumerate(items):
            data = base64.b64encode(png(open_picture(item.path))).decode()
            place = f'x="{RIGHT - 74 + 78 * i}" y="{y}" width="70" height="70"'
            self.parts.append(f'<image {place} style="image-rendering:pixelated" '
                              f'href="data:image/png;base64,{data}"/>')
        return y + 70

    def text_of(self, height):
        """→ SVG text with a legend at the foot."""
        y = height - 16
        self.parts += [rect(16, y - 12, 20, 14, FROZEN), text(42, y, "frozen"),
                       rect(112, y - 12, 20, 14, LEARNED), text(138, y, "learned"),
                       line(216, y - 5, 246, y - 5, f'stroke="{DARK}" stroke-width="1.6"'),
                       text(252, y, "forward, with its shape"),
                       line(450, y - 5, 480, y - 5,
                            f'stroke="{GRADIENT}" stroke-width="2" stroke-dasharray="6 4"'),
                       text(487, y, "gradient")]
        return document(WIDTH, height, self.parts, letters=15)


def pointed(points, colour, style=""):
    """A line through points with a head at its end → elements."""
    (x_0, y_0), (x_1, y_1) = points[-2:]
    length = max(1.0, ((x_1 - x_0) ** 2 + (y_1 - y_0) ** 2) ** 0.5)
    right, down = (x_1 - x_0) / length, (y_1 - y_0) / length
    neck = x_1 - 9 * right, y_1 - 9 * down
    corners = [(x_1, y_1), (neck[0] - 4.5 * down, neck[1] + 4.5 * right),
               (neck[0] + 4.5 * down, neck[1] - 4.5 * right)]
    path = joined([*points[:-1], neck])
    return [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8" {style}/>',
            f'<polygon points="{joined(corners)}" fill="{colour}"/>']


# The parts that the drawings share


def sizes_of(method, images):
    """What a real run has: a CoOp and images [B, 3, H, W] → Shapes."""
    x = method.clip.visual.embed(images)  # [B, 1+S, D_v]
    (K, L), (M, D_t) = method.symbols.shape, method.ctx.shape
    B, E = method.encode_image(images).shape
    layers = len(method.clip.visual.transformer.resblocks)
    return Shapes(K, B, L, x.shape[1], D_t, x.shape[2], E, M, layers, images.shape[-1])


def prompt_cells(sketch, context):
    """A row of tokens for each class; context: [(words, width, style)] → the bottom, and where each
    token of a row stands.
    """
    y = 84
    for name in CLASSES:
        tokens = [("[SOS]", 48, FROZEN), *context, (name, 64, FROZEN), ("[EOS]", 48, FROZEN)]
        places = sketch.cells(LEFT, y, tokens)
        y += CELL + 4
    return y - 4, places


def words_by_hand(sketch):
    """Hand-written prompts → their bottom."""
    return prompt_cells(sketch, [("a photo of a", 96, FROZEN)])[0]


def vectors(size):
    """The context vectors V1 … VM as cells."""
    return [(f"V{m + 1}", 29, LEARNED) for m in range(size.M)]


def text_tower(sketch, y, size, each_picture=False):
    """From the prompts' bottom through the tower to the class weights → their bottom."""
    shape, numbers = "[K, E]", f"{size.K} × {size.E}"
    words = ["text tower", f"{size.N} blocks"]
    if each_picture:
        shape, numbers = "[B, K, E]", f"{size.B} × {numbers}"
        words = ["text tower", "for each picture ↻"]
    sketch.arrow([(LEFT, y), (LEFT, y + 66)], "[K, L, D_t]", f"{size.K} × {size.L} × {size.D_t}")
    y = sketch.box((LEFT, y + 66), words)
    sketch.arrow([(LEFT, y), (LEFT, y + 46)], shape, numbers)
    return sketch.box((LEFT, y + 46), ["class weights w"], VALUE)


def patches_of(sketch, items, size):
    """Pictures, cut into patches → the bottom."""
    y = sketch.pictures(70, items)
    pixels = f"{size.B} × 3 × {size.side} × {size.side}"
    sketch.arrow([(RIGHT, y), (RIGHT, y + 44)], "[B, 3, H, W]", pixels, at_left=False)
    return sketch.box((RIGHT, y + 44), ["[CLS] and patches"])


def image_tower(sketch, items, size):
    """From pictures through the tower to the features → their bottom."""
    y = patches_of(sketch, items, size)
    numbers = f"{size.B} × {size.S} × {size.D_v}"
    sketch.arrow([(RIGHT, y), (RIGHT, y + 44)], "[B, 1+S, D_v]", numbers, at_left=False)
    y = sketch.box((RIGHT, y + 44), ["image tower", f"{size.N} blocks"])
    return features(sketch, y, size)


def features(sketch, y, size, half=HALF):
    """What comes out of the image tower → its bottom."""
    sketch.arrow([(RIGHT, y), (RIGHT, y + 46)], "[B, E]", f"{size.B} × {size.E}", at_left=False)
    return sketch.box((RIGHT, y + 46), ["features f"], VALUE, half)


def head(sketch, left, right, size, learns=True):
    """The cosines of both columns, and what follows → the top of the box of cosines."""
    y = max(left, right) + 30
    sketch.arrow([(LEFT, left), (LEFT, y + 17), (MIDDLE - 70, y + 17)])
    sketch.arrow([(RIGHT, right), (RIGHT, y + 17), (MIDDLE + 70, y + 17)])
    bottom = sketch.box((MIDDLE, y), ["cos(w, f) / τ"], VALUE, 70)
    numbers = f"{size.B} × {size.K}"
    sketch.arrow([(MIDDLE, bottom), (MIDDLE, bottom + 44)], "logits [B, K]", numbers)
    words = "cross-entropy with the labels" if learns else "softmax: p(class | picture)"
    sketch.box((MIDDLE, bottom + 44), [words], VALUE, 118)
    if learns:
        sketch.gradient((MIDDLE + 16, bottom + 44), (MIDDLE + 16, bottom + 2))
    return y


def gradient_through_text(sketch, cosines, weights, tokens, place):
    """From the cosines up through w and the text tower into a token; tokens: their bottom."""
    x = LEFT + 76
    sketch.gradient((MIDDLE - 70, cosines + 8), (x, cosines + 8), (x, weights - 34))
    sketch.gradient((x, weights - 34), (x, tokens + 12), (place, tokens + 12), (place, tokens + 1))


# Layer by layer: prompts that stand inside a tower

PITCH = 118  # from a layer to the next one, in pixels
WIDE = 100  # half of a block


class Tower(NamedTuple):
    """A tower that is drawn layer by layer: its centre, the words of its tokens, the shape of its
    input, and where the prompts come down.
    """

    centre: float
    first: str
    letter: str
    others: str
    shape: str
    bus: float


def layers(sketch, y, tower, size):
    """Layer by layer: a row of tokens with its prompts, a block, what is dropped → the bottom, and
    (where the prompt stands, the top) of each row.
    """
    rows, x = [], tower.centre
    for i in range(size.N):
        tokens = [(tower.first, 58, FROZEN), (f"{tower.letter}{i + 1}", 46, LEARNED),
                  (tower.others, 96, FROZEN)]
        place = sketch.cells(x, y, tokens)[1]
        rows.append((place, y))
        sketch.arrow([(tower.bus, y - 9), (place, y - 9), (place, y)])
        sketch.arrow([(x, y + CELL), (x, y + CELL + 15)])
        bottom = sketch.box((x, y + CELL + 15), [f"block {i + 1}:  {tower.shape}"], half=WIDE)
        if i + 1 < size.N:
            dropped = 'stroke="#8b95a1" stroke-width="1.6"'
            sketch.parts += [line(place, bottom, place, bottom + 9, dropped),
                             centred(place, bottom + 21, "×", 'fill="#8b95a1" font-size="16"')]
            sketch.arrow([(x + 40, bottom), (x + 40, y + PITCH)])
        if i == 0:
            sketch.parts.append(to_the_left(place - 9, bottom + 19, "dropped", SMALL))
        y += PITCH
    return bottom, rows


def gradient_through_layers(sketch, columns, rows, levels):
    """From the cosines up through the tower, out at each layer's prompts, up to where they are
    made. columns: centres of the tower and of the way up. levels: tops of the cosines, bottoms of
    the tower's last box and of what made the prompts.
    """
    (centre, bus), (cosines, last, made) = columns, levels
    side = 1 if centre > MIDDLE else -1
    x = centre + (WIDE - 6) * side
    sketch.gradient((MIDDLE + 70 * side, cosines + 8), (x, cosines + 8), (x, rows[0][1] + CELL + 1))
    for place, y in rows:
        sketch.gradient((place - 10 * side, y), (place - 10 * side, y - 16), (bus, y - 16))
    sketch.gradient((bus, rows[-1][1] - 16), (bus, made + 1))


# The drawings


def clip_drawing(size, items):
    """CLIP sorts pictures with sentences."""
    sketch = Sketch("CLIP, zero-shot", "A class is a sentence. Nothing is learned.")
    left = text_tower(sketch, words_by_hand(sketch), size)
    right = image_tower(sketch, items, size)
    return sketch.text_of(head(sketch, left, right, size, learns=False) + 170)


def coop_drawing(size, items):
    """CoOp learns the words around the class name."""
    sketch = Sketch("CoOp", "Free vectors take the place of the words. All classes share them.")
    tokens, places = prompt_cells(sketch, vectors(size))
    left = text_tower(sketch, tokens, size)
    right = image_tower(sketch, items, size)
    cosines = head(sketch, left, right, size)
    gradient_through_text(sketch, cosines, left, tokens, places[2])
    return sketch.text_of(cosines + 170)


def cocoop_drawing(size, items):
    """CoCoOp moves CoOp's vectors, picture by picture."""
    words = "A small network reads the picture and moves the vectors: v(x) = v + π."
    sketch = Sketch("CoCoOp", words)
    tokens, places = prompt_cells(sketch, vectors(size))
    left = text_tower(sketch, tokens, size, each_picture=True)
    right = image_tower(sketch, items, size)
    net, x, up, down = 262, (places[2] + places[3]) / 2, MIDDLE + 14, MIDDLE + 28
    sketch.arrow([(RIGHT - HALF, right - 16), (up, right - 16), (up, net + 52)])
    sketch.box((MIDDLE, net), ["Meta-Net", f"{size.E}→{size.E // 16}→{size.D_t}"], LEARNED, 54)
    sketch.arrow([(up, net), (up, 70), (x, 70), (x, 84)])
    sketch.parts += [to_the_left(up - 8, net - 26, "π  [B, D_t]", SMALL),
                     to_the_left(up - 8, net - 8, f"{size.B} × {size.D_t}", f'fill="{DARK}"')]
    cosines = head(sketch, left, right, size)
    gradient_through_text(sketch, cosines, left, tokens, places[2])
    sketch.gradient((x - 14, 84), (x - 14, 62), (down, 62), (down, net - 1))
    return sketch.text_of(cosines + 170)


def vpt_drawing(size, items):
    """VPT puts learned tokens among the patches, at every layer."""
    sketch = Sketch("VPT-deep", "Learned tokens stand among the patches, new ones at each layer.")
    left = text_tower(sketch, words_by_hand(sketch), size)
    y = patches_of(sketch, items, size)
    sketch.arrow([(RIGHT, y), (RIGHT, y + 48)], "[B, 1+S, D_v]",
                 f"{size.B} × {size.S} × {size.D_v}", at_left=False)
    made = sketch.box((MIDDLE, y - 32), ["V", f"{size.N} × {size.M} × {size.D_v}"], LEARNED, 52)
    shape = f"{size.B} × {size.S + size.M} × {size.D_v}"
    tower = Tower(RIGHT, "[CLS]", "V", "patches", shape, MIDDLE + 20)
    bottom, rows = layers(sketch, y + 48, tower, size)
    sketch.parts.append(line(tower.bus, made, tower.bus, rows[-1][1] - 8, BUS))
    right = features(sketch, bottom, size, WIDE)
    cosines = head(sketch, left, right, size)
    gradient_through_layers(sketch, (RIGHT, tower.bus + 10), rows, (cosines, right, made))
    return sketch.text_of(cosines + 170)


def upt_drawing(size, items):
    """UPT makes the prompts of both towers from one set."""
    sketch = Sketch("UPT", "One set of prompts U, mixed by θ, then cut: a half for each tower.")
    n, (left_bus, right_bus) = size.M, (MIDDLE - 28, MIDDLE + 28)
    U = sketch.box((MIDDLE, 70), ["U", f"{size.N} × {2 * n} × {size.D_t}"], LEARNED, 56)
    sketch.arrow([(MIDDLE, U), (MIDDLE, U + 20)])
    theta = sketch.box((MIDDLE, U + 20), ["θ mixes them", "Eq. (5)"], LEARNED, 56)
    sketch.arrow([(MIDDLE, theta), (MIDDLE, theta + 20)])
    cut = theta + 20
    sketch.cells(MIDDLE, cut, [("T", 56, LEARNED), ("V", 56, LEARNED)])
    sketch.parts += [line(MIDDLE, cut - 3, MIDDLE, cut + CELL + 8, 'stroke="#333" '
                          'stroke-width="2.5" stroke-dasharray="4 3"'),
                     centred(MIDDLE, cut + CELL + 23, "✂", 'font-size="18" fill="#333"'),
                     text(MIDDLE + 62, cut + 18, f"{size.N} × {n} × {size.D_t}", SMALL)]
    names = [("[SOS]", 50, FROZEN), ("apple …", 76, FROZEN), ("[EOS]", 50, FROZEN)]
    sketch.cells(LEFT, 92, names)
    patches, y = patches_of(sketch, items, size), cut + 108
    sketch.arrow([(RIGHT, patches), (RIGHT, y)], "[B, 1+S, D_v]",
                 f"{size.B} × {size.S} × {size.D_v}", at_left=False)
    sketch.arrow([(LEFT, 92 + CELL), (LEFT, y)])
    linear = sketch.box((right_bus + 2, cut + CELL + 26), ["Linear"], LEARNED, 32)
    text_part = Tower(LEFT, "[SOS]", "T", "name [EOS]", f"{size.K} × {size.L} × {size.D_t}",
                      left_bus)
    image_part = Tower(RIGHT, "[CLS]", "V", "patches", f"{size.B} × {size.S + n} × {size.D_v}",
                       right_bus)
    left, text_rows = layers(sketch, y, text_part, size)
    right, image_rows = layers(sketch, y, image_part, size)
    foot = text_rows[-1][1] - 8
    sketch.parts += [line(left_bus, cut + CELL, left_bus, foot, BUS),
                     line(right_bus, cut + CELL, right_bus, linear - 33, BUS),
                     line(right_bus, linear, right_bus, foot, BUS)]
    sketch.arrow([(LEFT, left), (LEFT, left + 46)], "[K, E]", f"{size.K} × {size.E}")
    left = sketch.box((LEFT, left + 46), ["class weights w"], VALUE, WIDE)
    right = features(sketch, right, size, WIDE)
    cosines = head(sketch, left, right, size)
    bottom = cut + CELL
    gradient_through_layers(sketch, (LEFT, left_bus + 10), text_rows, (cosines, left, bottom))
    gradient_through_layers(sketch, (RIGHT, right_bus - 10), image_rows, (cosines, right, linear))
    sketch.gradient((MIDDLE + 20, linear - 33), (MIDDLE + 20, bottom + 1))
    sketch.gradient((MIDDLE + 20, cut), (MIDDLE + 20, theta + 1))
    sketch.gradient((MIDDLE + 20, U + 20), (MIDDLE + 20, U + 1))
    return sketch.text_of(cosines + 170)


DRAWINGS = {"clip": clip_drawing, "coop": coop_drawing, "cocoop": cocoop_drawing,
            "vpt": vpt_drawing, "upt": upt_drawing}


def figure(inputs, flags):
    """No input → {file name: SVG}, a drawing of each method."""
    clip, dataset = load_clip("tiny"), load_dataset("toy-objects")
    names = [dataset.classnames.index(name) for name in CLASSES[::2]]
    items = [next(item for item in dataset.test if item.label == label) for label in names]
    with torch.no_grad():
        method = METHODS["coop"](clip, CLASSES)
        size = sizes_of(method, images_of(items, clip.preprocess))
    print(size)
    return {f"method-{name}.svg": draw(size, items).encode() for name, draw in DRAWINGS.items()}
