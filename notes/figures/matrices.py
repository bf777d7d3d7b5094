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
from notes.figures.drawing import (
    document,
    font,
    hexadecimal,
    ink,
    png,
    ramp,
    read_method,
    rect,
    zero_shot,
)
from prompts import METHODS
from prompts.runs.evaluation import image_features
from prompts.reports.plots import text

CELL, LEFT, TOP = 52, 270, 62  # of the similarities, in pixels
BOX, MARGIN = 22, 130  # of the confusion matrix
DOZEN = 12


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
    """Items above, captions at the left, 100 · cosine in each box → a Pillow picture.

    A frame is around each picture's best caption.
    """
    sheet = Image.new(
        "RGB", (LEFT + len(items) * CELL + 8, TOP + len(captions) * CELL + 8), "white"
    )
    pen, low, high = ImageDraw.Draw(sheet), cosines.min().item(), cosines.max().item()
    for i, item in enumerate(items):
        sheet.paste(
            open_picture(item.path).resize((CELL - 4, CELL - 4), Image.NEAREST),
            (LEFT + i * CELL + 2, 8),
        )
    for j, caption in enumerate(captions):
        y = TOP + j * CELL
        pen.text((LEFT - 8, y + CELL // 2), caption, "black", font(12), anchor="rm")
        for i in range(len(items)):
            x, share = LEFT + i * CELL, (cosines[i, j].item() - low) / (high - low)
            best = j == cosines[i].argmax()
            pen.rectangle((x + 1, y + 1, x + CELL - 2, y + CELL - 2), ramp(share))
            if best:
                pen.rectangle(
                    (x + 1, y + 1, x + CELL - 2, y + CELL - 2), outline=(217, 119, 43), width=3
                )
            words = str(round(100 * cosines[i, j].item()))
            pen.text((x + CELL // 2, y + CELL // 2), words, ink(share), font(13), anchor="mm")
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
    parts = [text(12, 20, title, 'font-size="14" font-weight="bold"')]
    parts += [text(MARGIN + K * BOX / 2, 38, "predicted class", 'text-anchor="middle"')]
    for i, name in enumerate(classnames):
        middle = MARGIN + (i + 0.5) * BOX
        parts.append(text(MARGIN - 6, 40 + middle + 4, name, 'text-anchor="end"'))
        parts.append(
            text(0, 0, name, f'transform="translate({middle + 4:.1f} {MARGIN + 34}) rotate(-90)"')
        )
        for j in range(K):
            share = percent[i, j].item()
            x, y = MARGIN + j * BOX, MARGIN + 40 + i * BOX
            parts.append(rect(x, y, BOX - 1, BOX - 1, f'fill="{hexadecimal(ramp(share / 100))}"'))
            if share >= 1:
                style = f'text-anchor="middle" font-size="10" fill="{ink(share / 100)}"'
                parts.append(text(x + BOX / 2, y + BOX / 2 + 3.5, f"{share:.0f}", style))
    foot = MARGIN + 40 + K * BOX + 18
    parts.append(text(MARGIN, foot, "Rows: true class. Numbers: per cent of the row's pictures."))
    return document(max(MARGIN + K * BOX + 12, 460), foot + 12, parts)


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
    z, labels = image_features(method, dataset.test)
    with torch.no_grad():
        matrix = counts(method.classify(z).argmax(dim=-1), labels, len(dataset.classnames))
    accuracy = 100 * matrix.diag().sum().item() / len(labels)
    wrong = matrix - torch.diag(matrix.diag())
    i, j = divmod(wrong.argmax().item(), len(wrong))
    print(
        f"{accuracy:.2f} % on {len(labels)} pictures; most often taken for another: "
        f"{dataset.classnames[i]} "
        f"for {dataset.classnames[j]}, {wrong[i, j]} times"
    )
    title = f"{dataset.name}, {who}, {method.clip.name} CLIP: {accuracy:.1f} % right"
    return {
        f"confusion-{dataset.name}-{who}.svg": draw_confusion(
            matrix, dataset.classnames, title
        ).encode()
    }
