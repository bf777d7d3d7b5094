"""Predictions on one's own pictures: which files, which classes are most probable, as text, JSON
and a picture.

    pictures_to_classify → paths → (a method's probabilities [N, K]) → best → as_text, draw, …
"""

import collections
import io
import json
import os
import unicodedata
import warnings

from PIL import Image, ImageDraw, ImageFont

from clip_min.data import Dataset, check_template, load_dataset, note_same_names, open_picture
from clip_min.data.folders import is_hidden, is_picture, kind_of_file, note_left_out
from clip_min.files import printable, write_whole
from clip_min.preprocess import SUFFIXES

# What `draw` draws, in pixels: cards side by side, each a photo and its bars.
COLUMNS, PHOTO, BAR, LINE, MARGIN, FONT = 2, 160, 260, 26, 16, 13
TEXT, FAINT, TRACK, FIRST, OTHER = "#1f2328", "#6a737d", "#e8ebef", "#2f6fde", "#9db8e8"


def pictures_to_classify(paths, preprocess):
    """Files, folders and toy paths → (paths of pictures that CLIP can read, number of the others).

    preprocess: the model's, `clip.preprocess`. A note names each picture that cannot be read.
    Raises ValueError if none is left, and as `find_pictures`.
    """
    good, problems = [], []
    for path in find_pictures(paths):
        try:
            preprocess(open_picture(path))
            good.append(path)
        except (ValueError, OSError) as error:
            problems.append(str(error))
    if not good:
        raise ValueError(problems[0])
    for problem in problems:
        warnings.warn(f"{problem} It is left out.", stacklevel=2)
    return good, len(problems)


def find_pictures(paths):
    """Files, folders and toy paths ("toy-objects/test/apple/12") → list of paths of pictures, in
    this order.

    A folder gives its picture files, sorted by name, without hidden ones (a Mac writes `._cat.jpg`
    beside `cat.jpg`). Raises ValueError for a folder without pictures, and for what is not there.
    """
    pictures = []
    for path in map(str, paths):
        if os.path.isdir(path):
            pictures += pictures_in(path)
        elif os.path.isfile(path):
            pictures.append(os.path.join(".", path) if path.startswith("toy-") else path)
        elif path.startswith("toy-"):
            check_drawn(path)
            pictures.append(path)
        else:
            raise ValueError(f"There is no picture or folder {path}: check its name.")
    return pictures


def pictures_in(folder):
    """The paths of a folder's pictures, sorted by name; ValueError if it has none."""
    names = [name for name in sorted(os.listdir(folder)) if not is_hidden(name)]
    files = [name for name in names if os.path.isfile(os.path.join(folder, name))]
    pictures = [os.path.join(folder, name) for name in files if is_picture(name)]
    others = [kind_of_file(name) for name in files if not is_picture(name)]
    note_left_out(folder, collections.Counter(others))
    if not pictures:
        kinds = ", ".join(SUFFIXES)
        raise ValueError(f"The folder {folder} holds no pictures ({kinds}): give another one.")
    return pictures


def check_drawn(path):
    """Raises ValueError unless clip_min.world can draw this toy path."""
    name, *rest = path.split("/")
    classnames = load_dataset(name).classnames  # refuses an unknown name
    is_drawn = len(rest) == 3 and rest[0] in ("train", "val", "test") and rest[2].isdecimal()
    if not is_drawn or rest[1] not in classnames:
        example = f"{name}/test/{classnames[0]}/12"
        raise ValueError(f"No picture {path} can be drawn: write {example}, or ./ before a file.")


def classes_to_choose_from(prompt, classnames, template):
    """A prompt file's dict, "cat,dog", a template (each or None) → a Dataset without items.

    Raises ValueError if nothing says which classes there are, and for a template without one "{}".
    """
    prompt = prompt or {}
    names = classnames.split(",") if classnames else prompt.get("classnames")
    if not names:
        raise ValueError('There are no classes without a prompt file: give --classnames "cat,dog".')
    names = [name.strip() for name in names]
    note_same_names(names, "--classnames")
    if template is None:
        template = prompt.get("text_template", "a photo of a {}.")
    check_template(template)
    return Dataset("pictures", names, [template], [], [], [])


def best(probabilities, classnames, most=5):
    """p(y|x) [N, K] → for each picture its `most` classes (name, probability), the most probable
    one first.

    Raises ValueError if a probability is not a number, which a damaged prompt or a diverged
    training gives.

    >>> import torch
    >>> best(torch.tensor([[0.25, 0.75]]), ["cat", "dog"])
    [[('dog', 0.75), ('cat', 0.25)]]
    """
    if not probabilities.isfinite().all():
        raise ValueError(
            "Some probabilities are not numbers (nan): the prompt or the weights are damaged, "
            "or training diverged."
        )
    # Stable: of equals, the first class.
    values, labels = probabilities.sort(dim=-1, descending=True, stable=True)
    both = zip(values[:, :most].tolist(), labels[:, :most].tolist(), strict=True)
    return [[(classnames[label], value) for value, label in zip(*row, strict=True)] for row in both]


# What is printed


def as_text(paths, predictions):
    """N paths and what `best` gives → text for a terminal. Names are shown with `printable`.

    >>> print(as_text(["a.png"], [[("dog", 0.75), ("cat", 0.25)]]))
    a.png
      75.0 %  dog
      25.0 %  cat
    """
    lines = []
    for path, prediction in zip(paths, predictions, strict=True):
        lines.append(printable(path))
        lines += [f"{100 * share:6.1f} %  {printable(name)}" for name, share in prediction]
    return "\n".join(lines)


def as_json_lines(paths, predictions):
    r"""N paths and what `best` gives → one JSON object per line, in ASCII, so that any file name
    can be printed.

    >>> print(as_json_lines(["é.png"], [[("dog", 0.75)]]))
    {"picture": "\u00e9.png", "predictions": [{"class": "dog", "probability": 0.75}]}
    """
    lines = []
    for path, prediction in zip(paths, predictions, strict=True):
        ranking = [{"class": name, "probability": value} for name, value in prediction]
        lines.append(json.dumps({"picture": path, "predictions": ranking}, allow_nan=False))
    return "\n".join(lines)


# What is drawn


def save_picture(path, paths, predictions):
    """What `draw` draws, as a PNG file at `path`."""
    content = io.BytesIO()
    draw(paths, predictions).save(content, "PNG")
    write_whole(path, content.getvalue())


def draw(paths, predictions):
    """N paths and what `best` gives → a Pillow picture: photos with bars, `COLUMNS` in a row."""
    lines = 1 + max(map(len, predictions))
    width, height = PHOTO + BAR + 3 * MARGIN, max(PHOTO, LINE * lines) + 2 * MARGIN
    size = min(COLUMNS, len(paths)) * width, -(-len(paths) // COLUMNS) * height
    sheet = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT)
    for i, (path, prediction) in enumerate(zip(paths, predictions, strict=True)):
        left, top = i % COLUMNS * width + MARGIN, i // COLUMNS * height + MARGIN
        sheet.paste(as_clip_sees(open_picture(path)), (left, top))
        left += PHOTO + MARGIN
        pen.text((left, top), shortened(path, BAR, font, keep_end=True), FAINT, font)
        for rank, (name, share) in enumerate(prediction, start=1):
            top += LINE
            percent = f"{100 * share:.1f} %"
            room = BAR - MARGIN - font.getlength(percent)
            pen.text((left, top), shortened(name, room, font), TEXT, font)
            pen.text((left + BAR, top), percent, TEXT, font, anchor="ra")  # ends there
            bar = round(BAR * share), FIRST if rank == 1 else OTHER
            for length, fill in ((BAR, TRACK), bar):
                if length:  # Pillow's rectangles include their last column and row
                    pen.rectangle((left, top + FONT + 4, left + length - 1, top + FONT + 7), fill)
    return sheet


def as_clip_sees(picture):
    """A picture of any shape → a square of `PHOTO` pixels: the whole picture, faded outside its
    middle square.

    CLIP sees the middle square only (`clip_min.preprocess.Preprocess`), turned as the file's EXIF
    orientation says (`read_picture`).
    """
    scale = PHOTO / max(picture.size)
    small = picture.resize([max(1, round(scale * side)) for side in picture.size], Image.BICUBIC)
    side = min(small.size)
    left, top = (small.width - side) // 2, (small.height - side) // 2
    seen = small.crop((left, top, left + side, top + side))
    faded = Image.blend(small, Image.new("RGB", small.size, TRACK), 0.7)
    faded.paste(seen, (left, top))
    square = Image.new("RGB", (PHOTO, PHOTO), TRACK)
    square.paste(faded, ((PHOTO - small.width) // 2, (PHOTO - small.height) // 2))
    return square


def shortened(text, room, font, keep_end=False):
    """A text on one line, without accents, which Pillow's font lacks, as other letters: they are
    escaped. "…" stands for what does not fit into `room` pixels.
    """
    letters = unicodedata.normalize("NFKD", text)  # "é" becomes "e" and its accent
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    whole = printable(" ".join(plain.split()))
    missing = bytes(font.getmask("\uffff"))  # the box that stands for a letter it lacks
    for letter in set(whole):
        if bytes(font.getmask(letter)) == missing:
            whole = whole.replace(letter, letter.encode("unicode_escape").decode("ascii"))
    text = whole
    while whole and font.getlength(text) > room:
        whole = whole[1:] if keep_end else whole[:-1]
        text = f"…{whole}" if keep_end else f"{whole}…"
    return text
