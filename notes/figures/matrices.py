"""Two views of what CLIP compares: similarities, and which class is taken for which.

Radford et al., arXiv:2103.00020, Sec. 2: cos(f, w) of a picture's feature f and a caption's
feature w.
"""

import math

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw

from clip_min import load_clip
from clip_min.data import load_dataset, open_picture
from clip_min.world.benchmarks import EIGHT
from notes.figures.drawing import font, ink, png, ramp, read_method, zero_shot
from prompts import METHODS
from prompts.reports.svg import centred, document, rect, text, to_the_left
from prompts.runs.evaluation import image_features

CELL, LEFT, TOP = 52, 270, 62  # of the similarities, in pixels
BOX, MARGIN = 22, 130  # of the confusion matrix
DOZEN = 12
BEST, RIGHT = "#ff8602", "black"  # frames of the best caption and of the right one


def a_dozen(names=EIGHT, root=None):
    """Data sets → Items of twelve test pictures, and their hand-written captions."""
    items, captions = [], []
    datasets = [load_dataset(name, root) for name in names[:DOZEN]]
    turns = math.ceil(DOZEN / len(datasets))
    for i in range(DOZEN):
        turn, place = divmod(i, len(datasets))
        dataset = datasets[place]
        label = turn * len(dataset.classnames) // turns
        items.append(next(item for item in dataset.test if item.label == label))
        captions.append(dataset.templates[0].format(dataset.classnames[label]))
    return items, captions


@torch.no_grad()
def similarities(clip, items, captions):
    """N pictures and M captions → their cosines [N, M]."""
    method = METHODS["zero_shot"](clip, ["any", "other"])  # its features are CLIP's own
    images, _ = image_features(method, items)
    texts = clip.encode_text(clip.tokenizer(captions, clip.context_length))
    return F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T


def draw_similarities(items, captions, cosines):
    """Items above, their captions at the left, 100 · cosine in each box → a Pillow picture.

    A thick frame is around each picture's best caption, a thin black one around its own.
    """
    width, height = LEFT + len(items) * CELL + 8, TOP + len(captions) * CELL + 30
    sheet = Image.new("RGB", (width, height), "white")
    pen, low, high = ImageDraw.Draw(sheet), cosines.min().item(), cosines.max().item()
    for i, item in enumerate(items):
        picture = open_picture(item.path).resize((CELL - 4, CELL - 4), Image.NEAREST)
        sheet.paste(picture, (LEFT + i * CELL + 2, 8))
    for j, caption in enumerate(captions):
        y = TOP + j * CELL
        pen.text((LEFT - 8, y + CELL // 2), caption, "black", font(12), anchor="rm")
        for i in range(len(items)):
            x, share = LEFT + i * CELL, (cosines[i, j].item() - low) / (high - low)
            pen.rectangle((x + 1, y + 1, x + CELL - 2, y + CELL - 2), ramp(share))
            if j == cosines[i].argmax():
                pen.rectangle((x + 1, y + 1, x + CELL - 2, y + CELL - 2), outline=BEST, width=4)
            if i == j:
                pen.rectangle((x + 6, y + 6, x + CELL - 7, y + CELL - 7), outline=RIGHT, width=2)
            words = str(round(100 * cosines[i, j].item()))
            pen.text((x + CELL // 2, y + CELL // 2), words, ink(share), font(13), anchor="mm")
    words = "orange: the picture's best caption;  black: its own.  100 · cosine"
    pen.text((width - 10, height - 24), words, "black", font(13), anchor="ra")
    return sheet


def similarities_figure(inputs, flags):
    """No input → {file name: PNG}."""
    items, captions = a_dozen(flags.dataset or EIGHT, flags.data_root)
    cosines = similarities(load_clip(flags.model), items, captions)
    right = (cosines.argmax(dim=1) == torch.arange(len(items))).sum().item()
    print(
        f"{right} of {len(items)} pictures are closest to their own caption, "
        f"cosines from {cosines.min():.2f} to {cosines.max():.2f}"
    )
    return {"similarities.png": png(draw_similarities(items, captions, cosines))}


def counts(predictions, labels, K):
    """Two lists of N labels → [K, K]: rows are true classes, columns predicted ones.

    >>> counts(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    return torch.bincount(labels * K + predictions, minlength=K * K).view(K, K)


def draw_confusion(matrix, classnames, title):
    """[K, K] → SVG text: per cent of each row's pictures, as a colour.

    From 1 per cent on, it is written as a number, too.
    """
    K, percent = len(classnames), 100 * matrix / matrix.sum(dim=1, keepdim=True).clamp(min=1)
    parts = [text(12, 20, title, 'font-size="14" font-weight="bold"'),
             centred(MARGIN + K * BOX / 2, 38, "predicted class")]
    for i, name in enumerate(classnames):
        middle = MARGIN + (i + 0.5) * BOX
        turned = f'transform="translate({middle + 4:.1f} {MARGIN + 34}) rotate(-90)"'
        parts += [to_the_left(MARGIN - 6, 40 + middle + 4, name), text(0, 0, name, turned)]
        for j in range(K):
            share = percent[i, j].item() / 100
            x, y = MARGIN + j * BOX, MARGIN + 40 + i * BOX
            parts.append(rect(x, y, BOX - 1, BOX - 1, f'fill="{ramp(share)}"'))
            if share >= 0.01:
                style = f'font-size="10" fill="{ink(share)}"'
                parts.append(centred(x + BOX / 2, y + BOX / 2 + 3.5, f"{100 * share:.0f}", style))
    foot = MARGIN + 40 + K * BOX + 18
    parts.append(text(MARGIN, foot, "Rows: true class. Numbers: per cent of the row's pictures."))
    return document(max(MARGIN + K * BOX + 12, 460), foot + 12, parts)


def confusion_of(method, z, labels, K):
    """Features [N, E] and labels [N] → their `counts` [K, K]."""
    with torch.no_grad():
        return counts(method.classify(z).argmax(dim=-1), labels, K)


def confusion_figure(inputs, flags):
    """A data set's name, and a prompt file or none for zero-shot CLIP → {file name: SVG}."""
    if len(inputs) not in (1, 2):
        raise ValueError(
            "confusion takes a data set and at most one prompt file: confusion toy-satellite "
            "prompt.pt."
        )
    dataset = load_dataset(inputs[0], flags.data_root)
    if len(inputs) == 2:
        method, _, prompt = read_method(inputs[1], flags.data_root)
        who = prompt["method"]
        if prompt["classnames"] != dataset.classnames:
            method.set_classes(dataset.classnames)
    else:
        method, who = zero_shot(dataset, load_clip(flags.model)), "zero-shot"
    matrix = confusion_of(method, *image_features(method, dataset.test), len(dataset.classnames))
    accuracy = 100 * matrix.diag().sum().item() / matrix.sum().item()
    wrong = matrix - torch.diag(matrix.diag())
    i, j = divmod(wrong.argmax().item(), len(wrong))
    print(f"{accuracy:.2f} % on {matrix.sum()} pictures; most often taken for another: "
          f"{dataset.classnames[i]} for {dataset.classnames[j]}, {wrong[i, j]} times")
    title = f"{dataset.name}, {who}, {method.clip.name} CLIP: {accuracy:.1f} % right"
    svg = draw_confusion(matrix, dataset.classnames, title)
    return {f"confusion-{dataset.name}-{who}.svg": svg.encode()}
