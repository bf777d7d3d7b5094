"""One picture, several hand-written prompts, and the accuracy of each on the set (CoOp Fig. 1)."""

import torch
from PIL import Image, ImageDraw

from clip_min import load_clip
from clip_min.data import load_dataset, open_picture
from notes.figures.drawing import font, label_in, png
from prompts import METHODS
from prompts.experiments.evaluation import image_features
from prompts.experiments.tables import collect

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
PHOTO, ROW, BAR, TEXT, GAP = 112, 26, 150, 300, 14  # in pixels
FIRST, OTHER, LEARNED = (42, 111, 176), (158, 202, 225), (217, 119, 43)


@torch.no_grad()
def compare(clip, dataset, templates, label):
    """→ the first test picture of this label, and a line for each template.

    A line is (text, its probability, accuracy on the set in per cent).
    """
    z, labels = image_features(METHODS["zero_shot"](clip, dataset.classnames), dataset.test)
    first = labels.tolist().index(label)
    lines = []
    for template in templates:
        logits = METHODS["zero_shot"](clip, dataset.classnames, template).classify(
            z
        )  # CoOp Eq. (1)
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
    """[(data set, Item, lines of `compare`, `coop_accuracy` or None)] → a Pillow picture."""
    heights = [
        max(PHOTO + 18, (len(lines) + (coop is not None)) * ROW) + GAP for *_, lines, coop in blocks
    ]
    sheet = Image.new("RGB", (PHOTO + TEXT + BAR + 190, 34 + sum(heights)), "white")
    pen, top = ImageDraw.Draw(sheet), 34
    left, right = PHOTO + 2 * GAP, PHOTO + TEXT + 2 * GAP
    pen.text((left, 10), "prompt", "black", font(12))
    pen.text((right, 10), "accuracy on the set, %", "black", font(12))
    pen.text((right + BAR + 56, 10), "p(its class), picture", "black", font(12))
    for (name, item, lines, coop), height in zip(blocks, heights):
        sheet.paste(open_picture(item.path).resize((PHOTO, PHOTO), Image.NEAREST), (GAP, top))
        pen.text((GAP + PHOTO // 2, top + PHOTO + 2), name, "black", font(12), anchor="ma")
        best = max(accuracy for *_, accuracy in lines)
        rows = [
            (words, probability, accuracy, FIRST if accuracy == best else OTHER)
            for words, probability, accuracy in lines
        ]
        if coop:
            seeds = f"{coop[1]} seed{'s' if coop[1] > 1 else ''}"
            rows.append(
                (
                    f"[V]1 ... [V]M [class].   (CoOp, 16 shots, {seeds})",
                    None,
                    coop[0],
                    LEARNED,
                )
            )
        for i, (words, probability, accuracy, colour) in enumerate(rows):
            y = top + i * ROW
            pen.text((left, y + 4), words, "black", font(12))
            pen.rectangle((right, y + 4, right + round(BAR * accuracy / 100), y + 18), colour)
            pen.text(
                (right + round(BAR * accuracy / 100) + 6, y + 4),
                f"{accuracy:.1f}",
                "black",
                font(12),
            )
            if probability is not None:
                pen.text((right + BAR + 56, y + 4), f"{probability:.0f} %", "black", font(12))
        top += height
    return sheet


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
