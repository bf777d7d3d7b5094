"""What the figures share: SVG, colours, PNG files, and a trained prompt with its pictures."""

import io
from pathlib import Path

import torch
from PIL import ImageFont

from clip_min import load_clip
from clip_min.data import load_dataset
from prompts import recipe_of
from prompts.reports.lines import label_of
from prompts.runs.protocols import READ_TEMPLATE, setup_of
from prompts.runs.store import build_method, load_prompt, make_method

# Light to dark, so that it also reads in grey: small values are pale, large ones dark.
RAMP = ((247, 251, 255), (158, 202, 225), (49, 130, 189), (8, 48, 107))


def document(width, height, parts, letters=11):
    """A list of SVG elements → SVG text of that size on white; letters: their size in pixels."""
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    words = f'font-family="sans-serif" font-size="{letters}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {words}>'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *parts, "</svg>\n"])


def rect(x, y, width, height, style):
    """Left, top, width, height and SVG attributes → an SVG rectangle."""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" {style}/>'


def circle(x, y, radius, style):
    """Centre, radius and SVG attributes → an SVG circle."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" {style}/>'


def ramp(share):
    """A number from 0 to 1 (beyond: the nearest end) → (red, green, blue), each 0 to 255.

    >>> ramp(0), ramp(1), ramp(7)
    ((247, 251, 255), (8, 48, 107), (8, 48, 107))
    """
    place = min(max(share, 0), 1) * (len(RAMP) - 1)
    i = min(int(place), len(RAMP) - 2)
    return tuple(round(a + (place - i) * (b - a)) for a, b in zip(RAMP[i], RAMP[i + 1]))


def hexadecimal(colour):
    """(red, green, blue) → SVG's way to write it.

    >>> hexadecimal((8, 48, 107))
    '#08306b'
    """
    return "#{:02x}{:02x}{:02x}".format(*colour)


def ink(share):
    """The colour of words that stand on `ramp(share)`."""
    return "white" if share > 0.55 else "black"


def font(size=12):
    """Pillow's own font in this size, in pixels."""
    return ImageFont.load_default(size)


def png(picture):
    """A Pillow picture → the bytes of a PNG file."""
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def read_method(path, root=None):
    """A prompt file of train.py, and the folder of the benchmarks → its method, its data set, and
    the file's content.
    """
    prompt = load_prompt(Path(path))
    dataset = load_dataset(prompt["dataset"], root, prompt["text_template"])
    clip = load_clip(prompt["model"], gelu=prompt.get("gelu", "auto"))
    return build_method(prompt, clip, dataset).eval(), dataset, prompt


def zero_shot(dataset, clip):
    """A Dataset and a CLIP → zero-shot CLIP with the data set's hand-written prompt."""
    return make_method("zero_shot", clip, dataset, {})


def label_in(paper, method, model):
    """How `tables.collect` calls a method as a paper used it; paper: None or a key of SETUPS.

    >>> label_in("upt", "vpt", "ViT-B/16"), label_in(None, "vpt", "tiny")
    ('vpt template=a photo of a {}.', 'vpt')
    """
    setup, recipe = setup_of(paper), recipe_of(method, model)
    options = {**(recipe.options if recipe else {}), **setup.options.get(method, {})}
    template = setup.template if method in READ_TEMPLATE else None
    row = dict(method=method, model=model, options=options, template=template)
    return label_of(dict(row, trained_on="", shots=16))


def class_weights(method):
    """A method → w [K, E], without gradients."""
    with torch.no_grad():
        return method.class_weights()
