"""What the pictures share: colours of heat, PNG files, and a trained prompt with its pictures."""

import io
from pathlib import Path

import torch
from PIL import Image, ImageFont

from clip_min import load_clip
from clip_min.data import load_dataset
from prompts import METHODS, recipe_of
from prompts.reports.tables import label_of
from prompts.runs.protocols import READ_TEMPLATE, setup_of
from prompts.runs.store import load_prompt, method_of_prompt

# Light to dark, so that it also reads in grey: small values are pale, large ones dark.
RAMP = ((247, 251, 255), (158, 202, 225), (49, 130, 189), (8, 48, 107))


def ramp(share):
    """A number from 0 to 1 (beyond: the nearest end) → a colour, such as "#08306b".

    >>> ramp(0), ramp(1), ramp(7)
    ('#f7fbff', '#08306b', '#08306b')
    """
    place = min(max(share, 0), 1) * (len(RAMP) - 1)
    i = min(int(place), len(RAMP) - 2)
    parts = [round(a + (place - i) * (b - a)) for a, b in zip(RAMP[i], RAMP[i + 1])]
    return "#{:02x}{:02x}{:02x}".format(*parts)


def ink(share):
    """The colour of words that stand on `ramp(share)`."""
    return "white" if share > 0.55 else "black"


def font(size=12):
    """Pillow's own font in this size, in pixels."""
    return ImageFont.load_default(size)


def png(picture):
    """A Pillow picture → the bytes of a PNG file of at most 256 colours."""
    file = io.BytesIO()
    picture.quantize(256, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()


def read_method(path, root=None):
    """A prompt file of train.py, and the folder of the benchmarks → its method, its data set, and
    the file's content.
    """
    prompt = load_prompt(Path(path))
    dataset = load_dataset(prompt["dataset"], root, prompt["text_template"])
    clip = load_clip(prompt["model"], gelu=prompt.get("gelu", "auto"))
    return method_of_prompt(prompt, clip, dataset).eval(), dataset, prompt


def zero_shot(dataset, clip):
    """A Dataset and a CLIP → zero-shot CLIP with the data set's hand-written prompt."""
    return METHODS["zero_shot"](clip, dataset.classnames, dataset.templates[0])


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
