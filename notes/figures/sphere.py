"""Features and class weights of three classes on a sphere, before and after learning (UPT Fig. 2).

The paper does not say how it projects. Here: one singular value decomposition of the class weights
of all panels; pictures and weights keep their part along its three main directions and are made 1
long (see notes/figures.md).
"""

import io
import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw

from notes.figures.drawing import class_weights, font, png, read_method, zero_shot
from prompts.runs.evaluation import image_features

COLOURS = ((217, 119, 43), (42, 111, 176), (58, 143, 74))  # of the three classes
SIZE, HEAD, FOOT = 230, 24, 40  # of a panel: the sphere's square, words above and below; pixels
STILL, TURN, FRAMES = 20, 50, 10  # degrees: the still; to either side in the GIF; its pictures
PALE = (225, 225, 225)  # of the grid
PICTURES = 20  # of each class that are drawn; all of them count in the accuracies


def measure(method, dataset, labels):
    """Three labels → features z [N, E], weights w [3, E], of length 1, and y [N] from 0 to 2."""
    z, y = image_features(method, [item for item in dataset.test if item.label in labels])
    y = (y[:, None] == torch.tensor(labels)).int().argmax(dim=-1)
    return F.normalize(z, dim=-1), F.normalize(class_weights(method), dim=-1)[labels], y


def main_directions(weights):
    """[N, E] → their three main directions [3, E]: rows of length 1 at right angles."""
    V = torch.linalg.svd(weights, full_matrices=False).Vh[:3]
    signs = (weights.mean(dim=0) @ V.T).sign()  # a direction and its opposite are equally good
    return V * torch.where(signs == 0, 1, signs)[:, None]


def on_sphere(vectors, directions):
    """[N, E], [3, E] → points of length 1 [N, 3]."""
    return F.normalize(vectors @ directions.T, dim=-1)


def accuracy(z, w, y):
    """Per cent of the pictures whose class has the largest cosine (UPT Eq. (1))."""
    cosines = F.normalize(z, dim=-1) @ F.normalize(w, dim=-1).T
    return 100 * (cosines.argmax(dim=-1) == y).float().mean().item()


def seen(points, degrees):
    """Points [N, 3], turned around the upright axis → [N, 3]: right, up, nearness."""
    a = math.radians(degrees)
    front, right, up = points.T
    return torch.stack(
        [math.cos(a) * right + math.sin(a) * front, up, math.cos(a) * front - math.sin(a) * right]
    ).T


class Panel(NamedTuple):
    """One method's sphere: its title, two lines of words, and what is drawn."""

    title: str
    words: tuple
    points: torch.Tensor  # [N, 3], of the pictures
    weights: torch.Tensor  # [3, 3], of the classes
    y: torch.Tensor  # [N], the class of each picture


def panel(sphere, degrees, scale):
    """A Panel → a Pillow picture: the ball between its words."""
    width, height = round(SIZE * scale), round((HEAD + SIZE + FOOT) * scale)
    picture = Image.new("RGB", (width, height), "white")
    pen, words = ImageDraw.Draw(picture), "\n".join(sphere.words)
    pen.text((width / 2, 4 * scale), sphere.title, "black", font(14 * scale), anchor="ma")
    below = (width / 2, height - FOOT * scale)
    pen.multiline_text(below, words, "black", font(12 * scale), "ma", align="center")
    picture.paste(ball(sphere, degrees, SIZE, scale), (0, round(HEAD * scale)))
    return picture


def ball(sphere, degrees, size, scale):
    """A Panel's points and weights → a square Pillow picture: grid, pictures as dots, class
    weights as spokes. What is behind is pale.
    """
    width, thin = round(size * scale), max(1, round(scale))
    centre, radius = width / 2, 0.46 * width
    picture = Image.new("RGB", (width, width), "white")
    pen = ImageDraw.Draw(picture)

    def flat(point):
        """A point → where it is on the picture."""
        return centre + radius * float(point[0]), centre - radius * float(point[1])

    def around(point, size):
        """A point → the corners of a dot of this size."""
        x, y = flat(point)
        return x - size * scale, y - size * scale, x + size * scale, y + size * scale

    circle = torch.arange(0, 361, 6) * math.pi / 180
    for a in (torch.arange(0, 180, 30) * math.pi / 180).tolist():  # meridians
        ring = torch.stack([math.cos(a) * circle.cos(), math.sin(a) * circle.cos(), circle.sin()]).T
        pen.line([flat(p) for p in seen(ring, degrees)], PALE, thin)
    for a in (-math.pi / 4, 0.0, math.pi / 4):  # parallels
        pen.line([flat((sign * math.cos(a), math.sin(a))) for sign in (-1, 1)], PALE, thin)
    edge = (centre - radius, centre - radius, centre + radius, centre + radius)
    pen.ellipse(edge, outline=(150, 150, 150), width=thin)
    dots = zip(seen(sphere.points, degrees), sphere.y.tolist(), strict=True)
    for p, c in sorted(dots, key=lambda pair: float(pair[0][2])):  # far ones first
        colour = COLOURS[c] if p[2] > 0 else behind(COLOURS[c])
        pen.ellipse(around(p, 2.5 * size / SIZE), fill=colour)
    for p, colour in zip(seen(sphere.weights, degrees), COLOURS, strict=True):
        pen.line((centre, centre, *flat(p)), colour, 3 * thin)
        pen.ellipse(around(p, 5 * size / SIZE), fill=colour, outline="black", width=thin)
    return picture


def draw(panels, classnames, degrees, scale):
    """Panels side by side over the classes' names → a Pillow picture.

    It is drawn `scale` times as large as it will be, so that edges are smooth.
    """
    pictures = [panel(each, degrees, scale) for each in panels]
    width, height = len(pictures) * pictures[0].width, pictures[0].height
    sheet, x = Image.new("RGB", (width, height + round(22 * scale)), "white"), 12 * scale
    for i, picture in enumerate(pictures):
        sheet.paste(picture, (i * picture.width, 0))
    pen = ImageDraw.Draw(sheet)
    for name, colour in zip(classnames, COLOURS):
        pen.ellipse((x, height + 4 * scale, x + 10 * scale, height + 14 * scale), fill=colour)
        pen.text((x + 16 * scale, height + scale), name, "black", font(12 * scale))
        x += 40 * scale + round(font(12 * scale).getlength(name))
    return sheet.resize((width // scale, sheet.height // scale), Image.LANCZOS)


def turning(panels, classnames):
    """Panels → the bytes of a GIF: as `draw` draws them, turning to and fro, with one palette."""
    angles = [TURN * math.sin(2 * math.pi * i / FRAMES) for i in range(FRAMES)]
    frames = [draw(panels, classnames, angle, 3) for angle in angles]
    first, *others = [frame.quantize(palette=palette(), dither=Image.Dither.NONE)
                      for frame in frames]
    file = io.BytesIO()
    how = dict(append_images=others, duration=200, loop=0, optimize=True)
    first.save(file, "GIF", save_all=True, **how)
    return file.getvalue()


def palette():
    """→ a Pillow picture whose palette has what a sphere is drawn with: greys, and each colour on
    its way to white and to black.
    """
    colours = [(grey, grey, grey) for grey in range(0, 256, 15)]
    for colour in COLOURS:
        for k in range(7):
            colours.append(tuple(part + (255 - part) * k // 7 for part in colour))
        colours += [behind(colour), tuple(part // 2 for part in colour)]
    holder = Image.new("P", (1, 1))
    holder.putpalette([part for colour in colours for part in colour])
    return holder


def behind(colour):
    """The colour of a dot on the far side."""
    return tuple(160 + part * 3 // 8 for part in colour)


def figure(inputs, flags):
    """Prompt files of one data set → {file name: bytes} of a still PNG and a GIF that turns."""
    methods = [read_method(path, flags.data_root) for path in inputs]
    if len({dataset.name for _, dataset, _ in methods}) != 1:
        raise ValueError(
            "sphere needs one or more prompt files, all of one data set: give their paths."
        )
    first, dataset, _ = methods[0]
    names, labels = three_classes(flags.classes, dataset)
    named = [("zero-shot", zero_shot(dataset, first.clip)),
             *((prompt["method"], method) for method, _, prompt in methods)]
    measured = [(name, *measure(method, dataset, labels)) for name, method in named]
    V, panels = main_directions(torch.cat([w for _, _, w, _ in measured])), []
    for name, z, w, y in measured:
        panels.append(panel_of(name, (z, w, y), V))
        print(f"{name:10} {' '.join(panels[-1].words)}")
    files = {"png": png(draw(panels, names, STILL, 3)), "gif": turning(panels, names)}
    return {f"sphere-{dataset.name}.{suffix}": content for suffix, content in files.items()}


def three_classes(words, dataset):
    """Three names with commas between (None: the data set's first) → names, labels.

    Raises ValueError for anything else.
    """
    given = words.split(",") if words else dataset.classnames[:3]
    names = [name.strip() for name in given]
    if len(names) != 3 or not set(names) <= set(dataset.classnames):
        known = ", ".join(dataset.classnames)
        raise ValueError(f"--classes takes three of {known}, not {words!r}.")
    return names, [dataset.classnames.index(name) for name in names]


def panel_of(title, measured, directions):
    """A title, the result of `measure`, three directions → a Panel."""
    z, w, y = measured
    points, weights = on_sphere(z, directions), on_sphere(w, directions)
    words = (f"accuracy {accuracy(z, w, y):.0f} %,",
             f"on the sphere {accuracy(points, weights, y):.0f} %")
    shown = torch.cat([(y == c).nonzero().flatten()[:PICTURES] for c in range(3)])
    return Panel(title, words, points[shown], weights, y[shown])
