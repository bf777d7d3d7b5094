"""One picture, several hand-written prompts, and the accuracy of each on the set (CoOp Fig. 1)."""

import math

import torch
from PIL import Image, ImageDraw

from clip_min import load_clip
from clip_min.data import load_dataset, open_picture
from notes.figures.drawing import font, label_in, png
from prompts import METHODS
from prompts.reports import colours
from prompts.reports.tables import collect
from prompts.runs.evaluation import image_features

TEXTURES = ("a photo of a {}.", "a photo of a {} texture.", "{} texture.")
FLOWERS = ("a photo of a {}.", "a flower photo of a {}.", "a photo of a {}, a type of flower.")
SATELLITE = ("a photo of {}.", "a satellite photo of {}.", "a centered satellite photo of {}.")
TOY_WORDINGS = {  # the last one is the set's own
    "toy-objects": ("{}.", "a {}.", "a photo of {}.", "a photo of a {}."),
    "toy-textures": TEXTURES,
    "toy-flowers": FLOWERS,
    "toy-satellite": SATELLITE,
}
WORDINGS = TOY_WORDINGS | {
    "caltech101": ("a {}.", "a photo of {}.", "a photo of a {}."),
    "flowers102": FLOWERS,
    "dtd": TEXTURES,
    "eurosat": SATELLITE,
}
PHOTO, ROW, AXIS, TEXT, GAP = 112, 26, 220, 310, 14  # in pixels
LEFT, RIGHT = PHOTO + 2 * GAP, PHOTO + TEXT + 2 * GAP  # where the prompts and the axis begin
MOST_STEPS = 6  # between the ticks of an axis
BEST, OTHER, LEARNED = colours.METHODS["zero_shot"], "#bbbbbb", colours.METHODS["coop"]


@torch.no_grad()
def compare(clip, dataset, templates, label):
    """→ the first test picture of this label, and a line for each template.

    A line is (text, its probability, accuracy on the set in per cent).
    """
    z, labels = image_features(METHODS["zero_shot"](clip, dataset.classnames), dataset.test)
    first = labels.tolist().index(label)
    lines = []
    for template in templates:
        method = METHODS["zero_shot"](clip, dataset.classnames, template)
        logits = method.classify(z)  # CoOp Eq. (1)
        accuracy = 100 * (logits.argmax(dim=-1) == labels).float().mean().item()
        probability = 100 * logits[first].softmax(dim=-1)[label].item()
        lines.append((template.format(dataset.classnames[label]), probability, accuracy))
    return dataset.test[first], lines


def coop_accuracy(flags, name):
    """CoOp at 16 shots on this set → mean over the seeds, and their number.

    None if results.jsonl does not have it.
    """
    label = label_in(flags.paper, "coop", flags.model)
    chosen = dict(datasets=[name], methods=["coop"], models=[flags.model], shots=[16])
    try:
        lines = collect(flags.rows, "few-shot", **chosen)
    except ValueError:
        return None
    runs = next((found["cells"][16] for line, found in lines.items() if line.label == label), None)
    return runs and (sum(runs.values()) / len(runs), len(runs))


def draw(blocks):
    """[(data set, Item, lines of `compare`, `coop_accuracy` or None)] → a Pillow picture.

    Accuracies are dots on an axis of each set's own, because bars from 0 would look all alike. A
    point is equally wide in all of them.
    """
    rows_of_blocks = [rows_of(lines, coop) for *_, lines, coop in blocks]
    axes = axes_of([[accuracy for *_, accuracy, _ in rows] for rows in rows_of_blocks])
    heights = [max(PHOTO + 20, (len(rows) + 1) * ROW) + GAP for rows in rows_of_blocks]
    sheet = Image.new("RGB", (PHOTO + TEXT + AXIS + 210, 34 + sum(heights)), "white")
    pen, top = ImageDraw.Draw(sheet), 34
    heads = ((LEFT, "prompt"), (RIGHT, "accuracy on the test pictures, %"),
             (RIGHT + AXIS + 70, "p(its class)"))
    for x, words in heads:
        pen.text((x, 10), words, "black", font(13))
    for (name, item, *_), rows, axis, height in zip(blocks, rows_of_blocks, axes, heights):
        sheet.paste(open_picture(item.path).resize((PHOTO, PHOTO), Image.NEAREST), (GAP, top))
        pen.text((GAP + PHOTO // 2, top + PHOTO + 3), name, "black", font(13), anchor="ma")
        draw_rows(pen, top, rows, axis)
        top += height
    return sheet


def draw_rows(pen, top, rows, axis):
    """The result of `rows_of` beside one picture: words, a dot on the axis, the numbers."""
    bottom = top + len(rows) * ROW
    for tick in axis:
        x = RIGHT + place(tick, axis)
        pen.line((x, top, x, bottom), (220, 220, 220))
        pen.text((x, bottom + 2), str(tick), (90, 90, 90), font(12), anchor="ma")
    for i, (words, probability, accuracy, colour) in enumerate(rows):
        y, x = top + i * ROW + ROW // 2, RIGHT + place(accuracy, axis)
        pen.text((LEFT, y), words, "black", font(13), anchor="lm")
        pen.line((RIGHT, y, RIGHT + AXIS, y), (235, 235, 235))
        pen.ellipse((x - 5, y - 5, x + 5, y + 5), colour)
        pen.text((RIGHT + AXIS + 12, y), f"{accuracy:.1f}", "black", font(13), anchor="lm")
        if probability is not None:
            percent = f"{probability:.0f} %"
            pen.text((RIGHT + AXIS + 70, y), percent, "black", font(13), anchor="lm")


def rows_of(lines, coop):
    """Lines of `compare`, `coop_accuracy` or None → [(words, probability, accuracy, colour)]."""
    best = max(accuracy for *_, accuracy in lines)
    rows = [(*line, BEST if line[-1] == best else OTHER) for line in lines]
    if coop:
        seeds = f"{coop[1]} seed{'s' if coop[1] > 1 else ''}"
        words = f"[V]1 ... [V]M [class].   (CoOp, 16 shots, {seeds})"
        rows.append((words, None, coop[0], LEARNED))
    return rows


def axes_of(accuracies):
    """Lists of accuracies, one for each axis → their ticks, equally many and equally far apart.

    >>> axes_of([[53.2, 57.4], [37.0, 40.1]])
    [[53, 54, 55, 56, 57, 58], [37, 38, 39, 40, 41, 42]]
    """
    for step in (1, 2, 5, 10, 20):
        firsts = [math.floor(min(values) / step) for values in accuracies]
        most = max(math.ceil(max(values) / step) - first
                   for first, values in zip(firsts, accuracies))
        if most <= MOST_STEPS:
            break
    return [[step * (first + n) for n in range(max(1, most) + 1)] for first in firsts]


def place(accuracy, axis):
    """An accuracy → pixels from the left end of an axis."""
    return round(AXIS * (accuracy - axis[0]) / (axis[-1] - axis[0]))


def figure(inputs, flags):
    """Data sets of WORDINGS (none: the miniature ones) → {file name: PNG}."""
    blocks, clip = [], load_clip(flags.model)
    for name in inputs or TOY_WORDINGS:
        if name not in WORDINGS:
            raise ValueError(
                f"prompts-compared has wordings for {', '.join(WORDINGS)}, not for {name!r}."
            )
        dataset = load_dataset(name, flags.data_root)
        item, lines = compare(clip, dataset, WORDINGS[name], len(dataset.classnames) // 2)
        blocks.append((name, item, lines, coop_accuracy(flags, name)))
        for words, probability, accuracy in lines:
            print(f"{name:14} {accuracy:5.1f} %   {words}  ({probability:.0f} % for the picture)")
    return {"prompts-compared.png": png(draw(blocks))}
