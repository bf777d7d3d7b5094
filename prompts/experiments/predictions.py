"""Predictions on one's own pictures: which files, which classes are most probable, as text, JSON and a picture.

    find_pictures → paths → (a method's probabilities [N, K]) → best → as_text, as_json_lines, draw
"""

import json
import os
import unicodedata

from PIL import Image, ImageDraw, ImageFont

from clip_min.data import load_dataset, open_picture

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm")
# What `draw` draws, in pixels: cards side by side, each a photo and its bars.
COLUMNS, PHOTO, BAR, LINE, MARGIN, FONT = 2, 160, 260, 26, 16, 13
TEXT, FAINT, TRACK, FIRST, OTHER = "#1f2328", "#6a737d", "#e8ebef", "#2f6fde", "#9db8e8"


def find_pictures(paths):
    """Files, folders and toy paths ("toy-objects/test/apple/12") → list of paths of pictures, in this order.

    A folder gives its picture files, sorted by name; ValueError if it has none, and for what is not there.
    """
    pictures = []
    for path in map(str, paths):
        if path.startswith("toy-"):
            check_drawn(path)
            pictures.append(path)
        elif os.path.isdir(path):
            names = [name for name in sorted(os.listdir(path)) if name.lower().endswith(SUFFIXES)]
            files = [file for name in names if os.path.isfile(file := os.path.join(path, name))]
            if not files:
                raise ValueError(f"The folder {path} holds no pictures ({', '.join(SUFFIXES)}): give another one.")
            pictures += files
        elif os.path.isfile(path):
            pictures.append(path)
        else:
            raise ValueError(f"There is no picture or folder {path}: check its name.")
    return pictures


def check_drawn(path):
    """Raises ValueError unless clip_min.world can draw this toy path."""
    name, *rest = path.split("/")
    classnames = load_dataset(name).classnames  # refuses an unknown name
    if len(rest) != 3 or rest[1] not in classnames:
        raise ValueError(f"No picture {path} can be drawn: write {name}/test/{classnames[0]}/12, or ./ before a file.")


def best(probabilities, classnames, most=5):
    """p(y|x) [N, K] → for each picture its `most` classes (name, probability), the most probable one first.

    >>> import torch
    >>> best(torch.tensor([[0.25, 0.75]]), ["cat", "dog"])
    [[('dog', 0.75), ('cat', 0.25)]]
    """
    values, labels = probabilities.sort(dim=-1, descending=True, stable=True)  # stable: of equals, the first class
    both = zip(values[:, :most].tolist(), labels[:, :most].tolist())
    return [[(classnames[label], value) for value, label in zip(*row)] for row in both]


def as_text(paths, predictions):
    """N paths and what `best` gives → text for a terminal.

    >>> print(as_text(["a.png"], [[("dog", 0.75), ("cat", 0.25)]]))
    a.png
      75.0 %  dog
      25.0 %  cat
    """
    lines = []
    for path, prediction in zip(paths, predictions, strict=True):
        lines += [printable(path), *(f"{100 * probability:6.1f} %  {name}" for name, probability in prediction)]
    return "\n".join(lines)


def as_json_lines(paths, predictions):
    r"""N paths and what `best` gives → one JSON object per line, in ASCII, so that any file name can be printed.

    >>> print(as_json_lines(["é.png"], [[("dog", 0.75)]]))
    {"picture": "\u00e9.png", "predictions": [{"class": "dog", "probability": 0.75}]}
    """
    rankings = [[{"class": name, "probability": value} for name, value in row] for row in predictions]
    rows = [{"picture": path, "predictions": ranking} for path, ranking in zip(paths, rankings, strict=True)]
    return "\n".join(map(json.dumps, rows))


def printable(path):
    """A path with "?" for the bytes of a file name that are no UTF-8, which Python keeps as lone surrogates."""
    return path.encode("utf-8", errors="replace").decode()


def draw(paths, predictions):
    """N paths and what `best` gives → a Pillow picture: each photo with its bars, `COLUMNS` in a row."""
    height = max([PHOTO, *(LINE * (1 + len(prediction)) for prediction in predictions)]) + 2 * MARGIN  # of a card
    width, rows = PHOTO + BAR + 3 * MARGIN, -(-len(paths) // COLUMNS)
    sheet = Image.new("RGB", (min(COLUMNS, len(paths)) * width, rows * height), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT)
    for i, (path, prediction) in enumerate(zip(paths, predictions, strict=True)):
        left, top = i % COLUMNS * width + MARGIN, i // COLUMNS * height + MARGIN
        sheet.paste(letterboxed(open_picture(path)), (left, top))
        left += PHOTO + MARGIN
        pen.text((left, top), shortened(path, BAR, font, keep_end=True), FAINT, font)
        for rank, (name, probability) in enumerate(prediction, start=1):
            y, percent = top + rank * LINE, f"{100 * probability:.1f} %"
            pen.text((left, y), shortened(name, BAR - MARGIN - font.getlength(percent), font), TEXT, font)
            pen.text((left + BAR, y), percent, TEXT, font, anchor="ra")  # ends there
            for length, fill in ((BAR, TRACK), (round(BAR * probability), FIRST if rank == 1 else OTHER)):
                if length:  # Pillow's rectangles include their last column and row
                    pen.rectangle((left, y + FONT + 4, left + length - 1, y + FONT + 7), fill)
    return sheet


def letterboxed(picture):
    """A picture of any shape → the whole of it in the middle of a grey square of `PHOTO` pixels."""
    scale = PHOTO / max(picture.size)
    small = picture.resize([max(1, round(scale * side)) for side in picture.size], Image.BICUBIC)
    square = Image.new("RGB", (PHOTO, PHOTO), TRACK)
    square.paste(small, ((PHOTO - small.width) // 2, (PHOTO - small.height) // 2))
    return square


def shortened(text, room, font, keep_end=False):
    """A text on one line, without accents, which Pillow's font lacks; "…" for what does not fit into `room` pixels."""
    letters = unicodedata.normalize("NFKD", text)  # "é" becomes "e" and its accent
    text = whole = " ".join("".join(c for c in letters if not unicodedata.combining(c)).split())
    while whole and font.getlength(text) > room:
        whole = whole[1:] if keep_end else whole[:-1]
        text = f"…{whole}" if keep_end else f"{whole}…"
    return text
