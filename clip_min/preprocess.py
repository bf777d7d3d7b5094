"""From a picture file to the tensor that CLIP's image tower reads.

    file → read_picture → RGB picture → clip.preprocess → [3, size, size]
                                      └ in training clip.preprocess.augment

`Preprocess` gives what openai/CLIP's own transform gives, and its `augment` is the random cropping
and mirroring of CoOp's released configuration (the paper names none), with Pillow and NumPy instead
of torchvision.

Differs from the published code:
- A picture's EXIF orientation is applied. The published code shows such a photograph to CLIP lying
  on its side, as the file stores it; none of the benchmarks depends on it.
- Grey of more than 8 bits is scaled to 8 by what its file says is white; where no file says it, the
  picture is refused. Pillow's `convert("RGB")` clips it: nearly all of it turns white.
- A picture becomes RGB before it is resized, not after. For RGB files, all of the benchmarks' but a
  few, this is the same; a palette picture would otherwise be resized by its palette's numbers.
As in the published code, what a transparent picture hides shows up: `convert("RGB")` drops the
transparency and keeps the colours underneath.
"""

import functools
import math
import os
import stat
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

# Of the pictures that OpenAI's CLIP was trained on: red, green, blue in [0, 1].
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)

MAX_ELONGATION = 1000  # longer side / shorter side: a strip beyond this would become a gigabyte
MAX_PIXELS = 128_000_000  # of a picture file; Pillow holds so many in half a gigabyte

FORMATS = {  # Pillow's name: suffixes of such files; no other kind of file is opened
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "MPO": (".mpo",),  # several JPEGs in one file
    "PNG": (".png", ".apng"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "WEBP": (".webp",),
    "AVIF": (".avif", ".avifs"),
    "JPEG2000": (".jp2", ".j2k", ".jpf", ".jpx", ".jpc", ".j2c"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "TIFF": (".tif", ".tiff"),
}
SUFFIXES = tuple(suffix for suffixes in FORMATS.values() for suffix in suffixes)  # in lower case

BITS, PHOTOMETRIC, MAX_VALUE, COLOR_MAP, FORMAT = 258, 262, 281, 320, 339  # numbers of TIFF tags
WHITE_IS_ZERO, SIGNED = 0, 2  # values of PHOTOMETRIC and FORMAT
ORIENTATION = 0x0112  # the number of this tag in EXIF
TURNS = {  # its value: what puts the picture upright
    2: Image.FLIP_LEFT_RIGHT,
    3: Image.ROTATE_180,
    4: Image.FLIP_TOP_BOTTOM,
    5: Image.TRANSPOSE,
    6: Image.ROTATE_270,
    7: Image.TRANSVERSE,
    8: Image.ROTATE_90,
}


def to_rgb(image):
    """A Pillow picture of any mode → the same picture in mode "RGB", 8 bits a channel.

    Grey of whole numbers becomes 255 * value / white. Raises ValueError where nothing says which
    value is white (see `white_of`), and for decimal numbers (mode "F"), whose white may be 1 or 255
    or anything else.
    """
    tags = getattr(image, "tag_v2", {})  # of a TIFF
    if image.mode == "F":
        raise ValueError("its pixels are decimal numbers: convert it to whole numbers of 8 bits")
    if image.mode.startswith("I"):
        white = white_of(image, tags)
        image = grey_of(image, white, is_negative=tags.get(PHOTOMETRIC) == WHITE_IS_ZERO)
    elif image.mode == "P" and 0 < max(tags.get(COLOR_MAP, (256,))) < 256:
        image = image.copy()  # a colour map of 8-bit numbers, where a TIFF's should have 16 bits
        colours = np.array(tags[COLOR_MAP], dtype=np.uint8).reshape(3, -1)
        image.putpalette(colours.T.tobytes())
    return image if image.mode == "RGB" else image.convert("RGB")


def white_of(image, tags):
    """A grey picture of whole numbers, and its TIFF's tags → the value that is white.

    A PNG, a PGM and a JPEG 2000 use all of 16 bits. A TIFF may hold numbers of fewer bits, or say
    so: its largest value is then 1,023 or 4,095. Otherwise numbers of 16 bits are taken for what
    they are if they use more than 12 of them; numbers of 32 bits also if they fit into 8. Raises
    ValueError for the rest: it may be 12 bits in 16, or heights, or temperatures.
    """
    if image.format not in (None, "TIFF"):
        return 65535
    low, high = image.getextrema()
    bits = tags.get(BITS, (16,))[0]
    largest = max(tags.get(MAX_VALUE, (0,)))
    if bits < 16 or largest & (largest + 1):  # not all ones: just the picture's brightest pixel
        largest = 2**bits - 1 if bits < 16 else 0
    if 0 <= low and 255 <= largest and high <= largest:
        return largest
    if low == high == 0:
        return 65535
    if image.mode == "I" and 0 <= low and high < 256:
        return 255
    if low < 0 or not 4096 <= high < 65536 or (bits == 16 and tags.get(FORMAT) == (SIGNED,)):
        values = f"its whole numbers go from {low:,} to {high:,}"
        raise ValueError(f"{values}, and it does not say what is white: convert it to 8 bits")
    return 65535


def grey_of(image, white, is_negative=False):
    """A picture of whole numbers from 0 to `white` → mode "L": 255 * value / white, rounded."""
    grey = np.empty((image.height, image.width), dtype=np.uint8)
    for top in range(0, image.height, 256):  # in strips, since 8 bytes a pixel are many
        strip = image.crop((0, top, image.width, min(top + 256, image.height)))
        values = np.asarray(strip).astype(np.int64)
        grey[top : top + 256] = (255 * values + white // 2) // white
    return Image.fromarray(255 - grey if is_negative else grey)


def turn_of(image):
    """A loaded picture → how its EXIF orientation says to turn it, or None; bad EXIF is none."""
    try:
        return TURNS.get(image.getexif().get(ORIENTATION))
    except Exception:  # damaged tags make Pillow raise any of a dozen types
        return None


@functools.cache
def known_formats():
    """Those of `FORMATS` that this Pillow reads."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def read_picture(path):
    """A picture file → a Pillow picture in mode "RGB", turned as its EXIF orientation says.

    Only files of the kinds in `FORMATS` are opened, whatever they are called; other kinds can start
    programs (PostScript starts Ghostscript). Raises ValueError, naming the file, when it is
    missing, empty, cut short, not a picture, or larger than 128 million pixels.
    """
    this = f"Cannot read the picture {path}"
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        is_missing = isinstance(error, (FileNotFoundError, NotADirectoryError, ValueError))
        reason = "there is no such file" if is_missing else error.strerror
        raise ValueError(f"{this}: {reason}.") from error
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a device"
        raise ValueError(f"{this}: it is {kind}, and not a file.")
    if status.st_size == 0:
        raise ValueError(f"{this}: the file is empty.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, on damaged tags and on many pixels
            return decode(path)
    except UnidentifiedImageError as error:
        kinds = ", ".join(FORMATS)
        raise ValueError(f"{this}: cannot identify image file (read are {kinds}).") from error
    except Exception as error:  # a damaged file makes Pillow raise any of a dozen types
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise ValueError(f"{this}: {reason}.") from error


def decode(path):
    """What `read_picture` does with a file that is there; raises whatever Pillow raises."""
    # Not opened by its name: then Pillow 13 maps the file, and garbles a turned grey TIFF.
    with open(path, "rb") as file, Image.open(file, formats=known_formats()) as image:
        if image.width * image.height > MAX_PIXELS:  # before any of them is decoded
            raise ValueError(f"{image.width} x {image.height} pixels are too many")
        image.load()  # Pillow turns a TIFF here, and forgets its orientation
        turn, picture = turn_of(image), to_rgb(image)
        return picture if turn is None else picture.transpose(turn)


@dataclass(frozen=True)
class Preprocess:
    """How a model's pictures become tensors: `clip.preprocess`.

    size: pixels along each side. mean, std: of the pictures that the model was trained on, for red,
    green and blue in [0, 1].

    >>> Preprocess(224)(Image.new("RGB", (500, 333))).shape
    torch.Size([3, 224, 224])
    """

    size: int
    mean: tuple = MEAN
    std: tuple = STD

    def __call__(self, image):
        """A Pillow picture → FloatTensor [3, size, size], the way CLIP sees pictures in evaluation.

        The shorter side is resized to `size` pixels (bicubic), the middle square is cut out, and
        the colours are normalised. Raises ValueError for a strip more than 1,000 times as long as
        wide.
        Source: openai/CLIP, `_transform`; the rounding is torchvision's Resize and CenterCrop.
        """
        image, size = to_rgb(image), self.size
        width, height = image.size
        short, long = min(width, height), max(width, height)
        if long > MAX_ELONGATION * short:
            size = f"{width} x {height} pixels"
            raise ValueError(f"A picture of {size} is too thin a strip: crop it first.")
        longer = int(size * long / short)
        width, height = (size, longer) if width <= height else (longer, size)
        image = image.resize((width, height), Image.BICUBIC)
        left = int(round((width - size) / 2.0))
        top = int(round((height - size) / 2.0))
        return self.to_tensor(image.crop((left, top, left + size, top + size)))

    def augment(self, image, generator, scale=(0.08, 1.0), flip=True):
        """A Pillow picture → FloatTensor [3, size, size] of a random crop, half of them mirrored.

        Everything random comes from `generator` (a torch.Generator): equal seeds, equal tensors.
        `scale` is the share of the area that a crop keeps; `flip=False` never mirrors (for pictures
        in which left and right matter, such as letters).
        Source: CoOp's configuration, by way of torchvision.
        """
        image = to_rgb(image)
        box = random_crop_box(image.height, image.width, generator, scale)
        image = resized_crop(image, box, self.size)
        if flip and uniform(0, 1, generator) < 0.5:
            image = image.transpose(Image.FLIP_LEFT_RIGHT)
        return self.to_tensor(image)

    def to_tensor(self, image):
        """An RGB picture of H rows and W columns → normalised FloatTensor [3, H, W].

        x = (pixel / 255 - mean) / std for each channel (openai/CLIP, `_transform`).
        """
        pixels = np.asarray(image).transpose(2, 0, 1)  # [3, H, W] of 0..255
        pixels = pixels.astype(np.float32, order="C")
        scale, shift = scale_and_shift(self.mean, self.std)
        pixels *= scale  # in place: this runs for every picture of every epoch
        pixels += shift
        return torch.from_numpy(pixels)


@functools.cache
def scale_and_shift(mean, std):
    """(pixel / 255 - mean) / std as a multiplication and an addition → the numbers, [3, 1, 1]."""
    scale = np.array([1 / (255 * s) for s in std], dtype=np.float32)
    shift = np.array([-m / s for m, s in zip(mean, std)], dtype=np.float32)
    return scale.reshape(3, 1, 1), shift.reshape(3, 1, 1)


def preprocess(image, size):
    """A Pillow picture → FloatTensor [3, size, size], with OpenAI's mean and std (`Preprocess`)."""
    return Preprocess(size)(image)


def resized_crop(image, box, size):
    """A box (top, left, height, width) of a picture → a picture of size x size.

    Bicubic; pixels outside the box have no influence. Source: torchvision's `resized_crop`.
    """
    top, left, height, width = box
    return image.crop((left, top, left + width, top + height)).resize((size, size), Image.BICUBIC)


def uniform(low, high, generator):
    """One float drawn evenly between `low` and `high` from a torch.Generator."""
    return low + (high - low) * torch.rand((), generator=generator).item()


def random_crop_box(height, width, generator, scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3)):
    """Where to crop a picture of `height` x `width` pixels → (top, left, crop height, crop width).

    The crop covers a share of the area drawn from `scale`; its width / height is drawn from
    `ratio`, evenly on a log scale, so that 3:4 is as likely as 4:3. After ten draws that do not fit
    in the picture, the largest middle crop that respects `ratio`. Source: torchvision's
    RandomResizedCrop.
    """
    for _ in range(10):
        area = height * width * uniform(*scale, generator)
        aspect = math.exp(uniform(math.log(ratio[0]), math.log(ratio[1]), generator))
        crop_width = int(round(math.sqrt(area * aspect)))
        crop_height = int(round(math.sqrt(area / aspect)))
        if 0 < crop_width <= width and 0 < crop_height <= height:
            top = int(torch.randint(height - crop_height + 1, (), generator=generator))
            left = int(torch.randint(width - crop_width + 1, (), generator=generator))
            return top, left, crop_height, crop_width
    crop_width = min(width, int(round(height * ratio[1])))
    crop_height = min(height, int(round(width / ratio[0])))
    return (height - crop_height) // 2, (width - crop_width) // 2, crop_height, crop_width
