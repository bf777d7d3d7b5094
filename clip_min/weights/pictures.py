"""What a model's files say of its pictures → mean and std of `clip.preprocess`, or a refusal.

    preprocessor_config.json   Hugging Face: image_mean, image_std, size, crop_size, do_resize, ...
    processor_config.json      the same under "image_processor" (transformers 5)
    open_clip_config.json      open_clip: mean, std, size, interpolation, under "preprocess_cfg"

clip_min resizes the shorter side to the model's size (bicubic), cuts out the middle square, scales
RGB to [0, 1] and normalises. A file that asks for anything else is refused, and so is a key that is
in no list here, unless its value is null. Mean and std are for red, green and blue in [0, 1].
"""

import math
from pathlib import Path

from clip_min.files import printable, read_json
from clip_min.preprocess import MEAN, STD

CLIP_PROCESSORS = (
    "CLIPImageProcessor",
    "CLIPImageProcessorFast",
    "CLIPImageProcessorPil",
    "CLIPFeatureExtractor",
)
HUGGING_FACE = {  # key: the values that clip_min follows
    "do_resize": (True,),
    "do_center_crop": (True,),
    "do_rescale": (True,),
    "do_normalize": (True,),
    "do_convert_rgb": (True,),
    "do_pad": (False,),
    "use_square_size": (False,),
    "default_to_square": (False,),
    "resample": (3, "bicubic"),  # 3 is Pillow's number of it
    "rescale_factor": (1 / 255,),
    "image_processor_type": CLIP_PROCESSORS,
    "feature_extractor_type": CLIP_PROCESSORS,
}
OPEN_CLIP = {
    "mode": ("RGB",),
    "interpolation": ("bicubic", "random"),  # random only in training
    "resize_mode": ("shortest",),
}
HARMLESS = (
    "processor_class",
    "data_format",
    "input_data_format",
    "return_tensors",
    "device",
    "disable_grouping",
    "_valid_processor_keys",  # a list of names that some versions wrote
    "fill_color",  # around a picture that is smaller than its crop, which never happens here
)


def read_mean_and_std(folder: Path, hugging_face: bool, image_size: int) -> tuple[tuple, tuple]:
    """Mean and std of a model's pictures, three numbers each; OpenAI's if its files do not say.

    folder: of the weights. hugging_face: whether they have Hugging Face's names; if so, Hugging
    Face's files come first, else open_clip's. image_size: pixels along each side.
    Raises ValueError, in one sentence, for pictures that clip_min would prepare otherwise.
    """
    readers = [read_hugging_face, read_open_clip]
    for read in readers if hugging_face else readers[::-1]:
        path, values, names = read(folder)
        if values is not None:
            check(path, values, names, image_size)
            return numbers(path, values, names[0], MEAN), numbers(path, values, names[1], STD)
    return MEAN, STD


def read_hugging_face(folder):
    """→ path, what it says of pictures (or None), and the names of mean and std there."""
    path = folder / "processor_config.json"
    content = read_json(path).get("image_processor") if path.is_file() else None
    if content is None:
        path = folder / "preprocessor_config.json"
        content = read_json(path) if path.is_file() else None
    return path, content, ("image_mean", "image_std")


def read_open_clip(folder):
    """→ path, what it says of pictures (or None), and the names of mean and std there."""
    path = folder / "open_clip_config.json"
    content = read_json(path).get("preprocess_cfg") if path.is_file() else None
    return path, content, ("mean", "std")


def check(path, values, names, image_size):
    """Raises ValueError for a key whose value clip_min would not follow."""
    if not isinstance(values, dict):
        raise ValueError(f"{printable(path)} should describe pictures by a JSON object.")
    followed = OPEN_CLIP if names[0] == "mean" else HUGGING_FACE
    square = [image_size, [image_size] * 2, {"shortest_edge": image_size}]
    sizes = {"size": square, "crop_size": [*square, dict(height=image_size, width=image_size)]}
    for key, value in values.items():
        where = f"{printable(path)} sets {printable(key)} to {printable(repr(value), 100)}"
        if value is None or key in names or key in HARMLESS:
            continue
        if key in followed:
            if value not in followed[key]:
                raise ValueError(f"{where}, but clip_min builds only {followed[key][0]}.")
        elif key in sizes:
            if value not in sizes[key]:
                raise ValueError(
                    f"{where}, but clip_min resizes the shorter side to the {image_size} pixels "
                    "of the weights and crops the middle."
                )
        else:
            raise ValueError(
                f"{where}, which clip_min does not know: "
                "take it out if it does not change the pictures."
            )


def numbers(path, values, name, default):
    """Mean or std: three numbers. Raises ValueError for anything else, and for a std below 0."""
    value = values.get(name)
    if value is None:
        return default
    lowest = 0 if name.endswith("std") else -math.inf
    is_triple = isinstance(value, list) and len(value) == 3
    if not is_triple or not all(is_number(x) and x > lowest for x in value):
        raise ValueError(
            f"{printable(path)} sets {name} to {printable(repr(value), 100)}, "
            "which are not three numbers for red, green and blue."
        )
    return tuple(float(x) for x in value)


def is_number(value):
    """Whether a value from JSON is a finite number."""
    return type(value) in (int, float) and math.isfinite(value)
