"""The film of learning: what CoOp and UPT have learned after so many epochs, frame by frame.

    python -m notes.figures film                  a strip (film.png) and a page with a slider

One run of each with its recipe for the tiny CLIP, 16 shots, seed 1. UPT's recipe has 32 epochs and
CoOp's 200: UPT is shown after the same shares of its own. A frame has, from above: accuracy on the
training and on the test pictures; features and class weights of three classes on a sphere, with the
same directions in all frames; what the pictures of one class are taken for; the learned vectors of
the text tower's input, their lengths and nearest words; for UPT, how much each prompt moves each
other one in theta.
"""

import base64
from html import escape
from typing import NamedTuple

import torch
from PIL import Image, ImageDraw

from clip_min import load_clip
from clip_min.data import few_shot, load_dataset
from notes.figures import sphere
from notes.figures.drawing import class_weights, font, png, ramp
from notes.figures.matrices import confusion_of
from notes.figures.words import nearest
from prompts import METHODS, recipe_of
from prompts.reports import colours
from prompts.runs.batches import training_batches
from prompts.runs.evaluation import image_features
from train import train

EPOCHS = (0, 1, 5, 20, 80, 200)  # of 200; another recipe's are the same shares
SHOTS, SEED = 16, 1
CLASSES = "permanent crop land, residential buildings, vegetation land"  # the sphere keeps most
WIDTH, BALL, ROW = 224, 190, 15  # a frame, the square of the sphere, a line of words, in pixels
CELL = 15  # of theta's matrix
GREY, PALE = "#666666", "#dddddd"
NAMES = {"coop": "CoOp", "upt": "UPT"}


class Frame(NamedTuple):
    """What was measured after so many epochs."""

    method: str
    epochs: int
    of: int  # all epochs of the run
    accuracies: tuple  # on training and on test pictures, per cent
    matrix: torch.Tensor  # [K, K], see `matrices.counts`
    points: tuple  # features [N, E], class weights [3, E], y [N]: see `sphere.measure`
    words: list  # (word, distance, length) of each learned vector
    influence: torch.Tensor | None  # [2n, 2n]


# Learning and measuring


def shown_epochs(epochs):
    """How many epochs a recipe has → those after which there is a frame.

    >>> shown_epochs(200), shown_epochs(32)
    ([0, 1, 5, 20, 80, 200], [0, 1, 2, 3, 13, 32])
    """
    places = []
    for place, epoch in enumerate(EPOCHS):
        share = round(epoch * epochs / EPOCHS[-1])
        places.append(min(epochs, max(share, place and places[-1] + 1)))
    return places


def learn(method, name, dataset, epochs=None):
    """Trains a method → {epochs done: what was learned by then, {name: tensor}}.

    epochs: None for the recipe's.
    """
    recipe = recipe_of(name, "tiny")
    recipe = recipe.with_changes(epochs=epochs or recipe.epochs_for(dataset.name, SHOTS))
    items, _ = few_shot(dataset, SHOTS, SEED)
    batches, snapshots = training_batches(method, items, recipe, SEED), {}
    shown = shown_epochs(recipe.epochs)
    learned = {key: p for key, p in method.named_parameters() if p.requires_grad}

    def batches_of_epoch(epoch):
        if epoch in shown:
            snapshots[epoch] = {key: p.detach().clone() for key, p in learned.items()}
        return batches(epoch)

    train(method, batches_of_epoch, recipe, SEED)
    snapshots[recipe.epochs] = {key: p.detach().clone() for key, p in learned.items()}
    return snapshots


def frames_of(name, clip, dataset, labels, epochs=None):
    """A method's name, CLIP, Dataset, three labels → its Frames."""
    torch.manual_seed(SEED)
    method = METHODS[name](clip, dataset.classnames, **recipe_of(name, "tiny").options)
    snapshots = learn(method, name, dataset, epochs)
    few, _ = few_shot(dataset, SHOTS, SEED)
    frames = []
    for done, learned in snapshots.items():
        method.load_state_dict(learned, strict=False)
        frames.append(measured(method.eval(), (name, done, max(snapshots)), dataset, few, labels))
    return frames


@torch.no_grad()
def measured(method, title, dataset, few, labels):
    """A method at one moment, (its name, epochs done, of how many) → Frame."""
    K = len(dataset.classnames)
    of_train = confusion_of(method, *image_features(method, few), K)
    z, y = image_features(method, dataset.test)
    of_test = confusion_of(method, z, y, K)
    accuracies = [100 * matrix.diag().sum().item() / matrix.sum().item()
                  for matrix in (of_train, of_test)]
    kept = torch.isin(y, torch.tensor(labels))
    places = (y[kept][:, None] == torch.tensor(labels)).int().argmax(dim=-1)
    points = z[kept], class_weights(method)[labels], places
    is_upt = hasattr(method, "theta")
    vectors = method.prompts()[0][0] if is_upt else method.ctx  # [n, D_t], of the first layer
    pairs = nearest(vectors, method.clip.token_embedding.weight, method.clip.tokenizer, most=1)
    words = [(*pair[0], length) for pair, length in zip(pairs, vectors.norm(dim=1).tolist())]
    moved = influence(method.theta, method.U) if is_upt else None
    return Frame(*title, tuple(accuracies), of_test, points, words, moved)


def influence(function, U):
    """U [depth, 2n, D] → [2n, 2n]: how far prompt i (row) moves, as a share of its length, when
    prompt j's numbers are turned around (column). A mean over the layers.

    >>> influence(lambda U: 2 * U, torch.ones(1, 2, 4)).tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """
    old, columns = function(U), []
    for j in range(U.shape[1]):
        changed = U.clone()
        changed[:, j] = U[:, j].flip(-1)
        columns.append(((function(changed) - old).norm(dim=-1) / old.norm(dim=-1)).mean(dim=0))
    return torch.stack(columns, dim=1)


# Pictures


class Sheet:
    """A white Pillow picture in which all places are `scale` times as large."""

    def __init__(self, width, height, scale):
        self.picture, self.scale = Image.new("RGB", (width * scale, height * scale), "white"), scale
        self.pen = ImageDraw.Draw(self.picture)

    def text(self, place, words, colour="black", size=12, anchor="la"):
        """Words at a place."""
        x, y = (value * self.scale for value in place)
        self.pen.text((x, y), words, colour, font(size * self.scale), anchor)

    def bar(self, place, size, colour):
        """A filled rectangle."""
        (x, y), (width, height), s = place, size, self.scale
        self.pen.rectangle((x * s, y * s, (x + width) * s - 1, (y + height) * s - 1), colour)


def draw_frame(frame, shown, scale):
    """A Frame; (directions of the sphere, names of all classes, label of the row) → a picture."""
    directions, classnames, label = shown
    foot = 64 + BALL + (len(classnames) + 2 + len(frame.words) + 2) * ROW
    size = 0 if frame.influence is None else len(frame.influence) * CELL + 2 * ROW
    sheet, colour = Sheet(WIDTH, foot + size, scale), colours.METHODS[frame.method]
    title = f"{NAMES[frame.method]}: {frame.epochs} of {frame.of} epochs"
    sheet.text((12, 4), title, size=15)
    for i, (what, value) in enumerate(zip(("training", "test"), frame.accuracies, strict=True)):
        y = 26 + 17 * i
        sheet.text((12, y), what, GREY)
        sheet.bar((66, y + 2), (110, 11), "#f0f0f0")
        sheet.bar((66, y + 2), (round(1.1 * value), 11), colours.lighter(colour, 0.5 - 0.5 * i))
        sheet.text((180, y), f"{value:.0f} %")
    z, w, y = frame.points
    panel = sphere.panel_of("", (z, w, y), directions)
    ball = sphere.ball(panel, sphere.STILL, BALL, scale)
    sheet.picture.paste(ball, ((WIDTH - BALL) // 2 * scale, 62 * scale))
    top = 64 + BALL
    draw_row(sheet, top, frame.matrix[label], classnames, label)
    top += (len(classnames) + 2) * ROW
    draw_words(sheet, top, frame, colour)
    if frame.influence is not None:
        draw_influence(sheet, foot - 4, frame.influence)
    return sheet.picture


def draw_row(sheet, top, counts, classnames, label):
    """Of one class: the share of its pictures that each class gets, as bars."""
    sheet.text((12, top), f"{classnames[label]} is called:")
    for i, (name, share) in enumerate(zip(classnames, (counts / counts.sum()).tolist())):
        y = top + (i + 1) * ROW + 2
        right = i == label
        sheet.text((134, y), name[:20], "black" if right else GREY, 11, "ra")
        sheet.bar((140, y + 2), (max(1, round(56 * share)), 9), "#14a37f" if right else "#b9484e")
        if share >= 0.05:
            sheet.text((142 + round(56 * share), y), f"{100 * share:.0f}", GREY, 11)


def draw_words(sheet, top, frame, colour):
    """A line for each learned vector: its length as a bar, the nearest word, its distance."""
    words, letter = frame.words, "V" if frame.influence is None else "T"
    sheet.text((12, top), "vector   length", GREY, 11)
    sheet.text((212, top), "nearest word, distance", GREY, 11, "ra")
    longest = max(2.0, *(length for *_, length in words))
    for m, (word, distance, length) in enumerate(words):
        y = top + (m + 1) * ROW + 2
        sheet.text((12, y), f"{letter}{m + 1}", size=11)
        sheet.bar((40, y + 2), (max(1, round(44 * length / longest)), 9), colour)
        sheet.text((88, y), f"{length:.2f}", size=11)
        sheet.text((212, y), f"{word} {distance:.2f}", size=11, anchor="ra")


def draw_influence(sheet, top, influence):
    """Theta's matrix: how much each prompt (column) moves each other one (row)."""
    size = len(influence)
    largest = (influence - torch.diag(influence.diag())).max().item()
    sheet.text((12, top), "theta: how much a prompt moves another", size=11)
    left = (WIDTH - size * CELL) // 2
    for i in range(size):
        for j in range(size):
            share = influence[i, j].item() / max(largest, 1e-9)
            fill = "#ffffff" if i == j else ramp(share)
            sheet.bar((left + j * CELL, top + 18 + i * CELL), (CELL - 1, CELL - 1), fill)
    half = size // 2 * CELL
    sheet.text((left - 4, top + 18 + half // 2), "T", GREY, 12, "rm")
    sheet.text((left - 4, top + 18 + half + half // 2), "V", GREY, 12, "rm")
    sheet.text((left + size * CELL + 4, top + 20), f"{largest:.1g}", GREY, 11)


def strip(rows, names, scale=1):
    """Rows of pictures of frames, and the names of the sphere's classes → one picture."""
    pictures = [[picture.resize((picture.width // scale, picture.height // scale), Image.LANCZOS)
                 for picture in row] for row in rows]
    heights = [max(picture.height for picture in row) + 12 for row in pictures]
    sheet = Sheet(len(rows[0]) * WIDTH, sum(heights) + 24, 1)
    top = 0
    for row, height in zip(pictures, heights):
        for i, picture in enumerate(row):
            sheet.picture.paste(picture, (i * WIDTH, top))
        top += height
    legend(sheet, top, names)
    return sheet.picture


def legend(sheet, top, names):
    """The colours of the sphere's classes."""
    x = 12
    for name, colour in zip(names, sphere.COLOURS):
        sheet.bar((x, top + 4), (10, 10), colour)
        sheet.text((x + 16, top + 2), name)
        x += 40 + round(font(12).getlength(name))


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>The film of learning</title>
<style>
body {{ font: 16px/1.5 sans-serif; margin: 1rem auto; max-width: 62rem; padding: 0 1rem;
  background: white; color: #222 }}
.film {{ display: flex; gap: 1rem; overflow-x: auto }}
.film figure {{ margin: 0; display: flex; gap: 1rem; align-items: flex-start }}
.film img {{ width: {width}px }}
.play {{ display: none; gap: 1rem; align-items: center }}
.play input {{ flex: 1 }}
.scripted .play {{ display: flex }}
.scripted figure {{ display: none }}
.scripted figure.on {{ display: flex }}
.scripted .film img {{ width: min(calc(50vw - 2rem), 380px) }}
</style></head><body>
<h1>The film of learning</h1>
<p>{words}</p>
<p>Classes on the sphere: {legend}.</p>
<div class="play"><button type="button">Play</button><input type="range" min="0" max="{last}"
value="0" step="1" aria-label="frame"></div>
<div class="film">
{figures}
</div>
<script>
const figures = [...document.querySelectorAll("figure")];
const slider = document.querySelector("input"), button = document.querySelector("button");
const show = () => figures.forEach((f, i) => f.classList.toggle("on", i == slider.value));
let timer = null;
document.body.classList.add("scripted");
slider.oninput = show;
button.onclick = () => {{
  clearInterval(timer);
  slider.value = 0;
  show();
  timer = setInterval(() => {{
    slider.value = +slider.value + 1;
    show();
    if (+slider.value >= figures.length - 1) clearInterval(timer);
  }}, 1200);
}};
show();
</script></body></html>
"""


def page(rows, frames, names, dataset):
    """Rows of pictures of frames, the Frames, the sphere's classes → one HTML page that opens from
    a file; without a script it is a strip.
    """
    figures = []
    for pictures, moment in zip(zip(*rows), zip(*frames)):
        images = []
        for picture, frame in zip(pictures, moment):
            data = base64.b64encode(png(picture)).decode()
            words = (f"{NAMES[frame.method]} after {frame.epochs} of {frame.of} epochs: "
                     f"{frame.accuracies[1]:.0f} % of the test pictures are right")
            images.append(f'<img alt="{escape(words)}" src="data:image/png;base64,{data}">')
        figures.append(f"<figure>{''.join(images)}</figure>")
    colour_of = ["#{:02x}{:02x}{:02x}".format(*colour) for colour in sphere.COLOURS]
    legend_words = ", ".join(f'<b style="color:{colour}">{escape(name)}</b>'
                             for name, colour in zip(names, colour_of))
    words = (f"{escape(dataset.name)}, {SHOTS} shots, seed {SEED}, tiny CLIP. CoOp learns vectors "
             "in the place of words. UPT learns prompts for both towers, which start as noise.")
    return PAGE.format(width=WIDTH, words=words, legend=legend_words, last=len(figures) - 1,
                       figures="\n".join(figures))


def figure(inputs, flags):
    """A data set's name or none (toy-satellite) → {file name: bytes} of film.png and film.html."""
    dataset, clip = load_dataset(*(inputs or ["toy-satellite"])), load_clip("tiny")
    names, labels = sphere.three_classes(flags.classes or (None if inputs else CLASSES), dataset)
    frames = [frames_of(name, clip, dataset, labels) for name in NAMES]
    return film_of(frames, names, dataset)


def film_of(frames, names, dataset):
    """Two lists of Frames, the sphere's classes, Dataset → {file name: bytes}."""
    weights = [torch.nn.functional.normalize(frame.points[1], dim=-1)
               for row in frames for frame in row]
    directions = sphere.main_directions(torch.cat(weights))
    first = frames[0][0].matrix
    label = (first.sum(dim=1) - first.diag()).argmax().item()  # most often wrong at the start
    shown = (directions, dataset.classnames, label)
    rows = [[draw_frame(frame, shown, 2) for frame in row] for row in frames]
    for frame in (frame for row in frames for frame in row):
        of_train, of_test = frame.accuracies
        print(f"{frame.method:5} {frame.epochs:3} epochs: {of_train:5.1f} % on training pictures, "
              f"{of_test:5.1f} % on test pictures")
    return {"film.png": png(strip(rows, names, 2)),
            "film.html": page(rows, frames, names, dataset).encode()}
