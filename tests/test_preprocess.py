"""Pictures to tensors: torchvision's figures (tests/golden/preprocess.json), odd files, crops."""

import doctest
import json
import os
import shutil
import struct
import subprocess
import sys
import warnings
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from clip_min import preprocess as module
from clip_min.preprocess import (
    FORMATS,
    SUFFIXES,
    Preprocess,
    preprocess,
    random_crop_box,
    read_picture,
    resized_crop,
    to_rgb,
)
from tests.golden.images import golden_image

with open(os.path.join(os.path.dirname(__file__), "golden", "preprocess.json")) as file:
    GOLDEN = json.load(file)
GREY_LEVEL = 1.01 / 255 / 0.26  # of a normalised pixel
SHAPES = {case["name"]: (case["height"], case["width"]) for case in GOLDEN["center_crop"]}


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def assert_near(figures, tensor, within=3e-4):
    """Near the golden figures: Pillow 13 rounds some pixels otherwise than Pillow 12."""
    torch.testing.assert_close(tensor, torch.tensor(figures), rtol=0, atol=within)


# --- evaluation


def test_mean_and_std_are_those_of_clip():
    assert list(module.MEAN) == GOLDEN["mean"] and list(module.STD) == GOLDEN["std"]


@pytest.mark.parametrize("case", GOLDEN["center_crop"], ids=lambda case: case["name"])
def test_a_preprocessed_picture_equals_torchvisions(case):
    size = case["size"]
    tensor = preprocess(golden_image(case["name"], case["height"], case["width"]), size)
    assert tensor.shape == (3, size, size) and tensor.dtype == torch.float32
    assert_near(case["mean"], tensor.mean((1, 2)))
    assert_near(case["std"], tensor.std((1, 2)))
    points = [(0, 0), (0, size - 1), (size - 1, 0), (size // 2, size // 3), (size - 1, size - 1)]
    assert_near(
        case["corner"],
        torch.stack([tensor[:, row, column] for row, column in points], dim=1),
        within=GREY_LEVEL,
    )


def test_black_and_white_become_the_values_of_the_formula():
    for level in (0, 255):
        tensor = Preprocess(0).to_tensor(
            Image.new("RGB", (3, 2), (level,) * 3)
        )  # 2 rows, 3 columns
        assert tensor.shape == (3, 2, 3)
        expected = (level / 255 - torch.tensor(module.MEAN)) / torch.tensor(module.STD)
        torch.testing.assert_close(tensor[:, 1, 2], expected)


@pytest.mark.parametrize("width, left", [(64, 0), (65, 0), (66, 1), (67, 2), (69, 2)])
def test_half_pixels_of_the_middle_crop_are_rounded_to_the_even_side(width, left):
    image = golden_image("wide", 64, width)  # its shorter side is 64 already: only the crop is left
    assert torch.equal(
        preprocess(image, 64), Preprocess(0).to_tensor(image.crop((left, 0, left + 64, 64)))
    )


def test_the_longer_side_is_rounded_down():
    image = golden_image("wide", 30, 68)  # 10 * 68 / 30 = 22.67 becomes 22
    resized = image.resize((22, 10), Image.BICUBIC)
    assert torch.equal(preprocess(image, 10), Preprocess(0).to_tensor(resized.crop((6, 0, 16, 10))))


@pytest.mark.parametrize("width, height", [(1, 1), (2, 3), (1, 300), (300, 1)])
def test_a_tiny_or_thin_picture_is_preprocessed_and_augmented(width, height):
    image = Image.new("RGB", (width, height), (10, 20, 30))
    assert torch.equal(preprocess(image, 32), Preprocess(32).augment(image, seeded(0)))


def test_an_absurdly_thin_strip_is_refused():
    with pytest.raises(ValueError, match="1 x 1001 pixels is too thin"):
        preprocess(Image.new("RGB", (1, 1001)), 32)


# --- augmentation


@pytest.mark.parametrize("case", GOLDEN["resized_crop"], ids=lambda case: f"top {case['top']}")
def test_a_resized_crop_equals_torchvisions(case):
    image = golden_image(case["image"], *SHAPES[case["image"]])
    box = (case["top"], case["left"], case["height"], case["width"])
    image = resized_crop(image, box, case["size"])
    if case["flip"]:
        image = image.transpose(Image.FLIP_LEFT_RIGHT)
    tensor = Preprocess(0).to_tensor(image)
    assert_near(case["mean"], tensor.mean((1, 2)))
    assert_near(case["std"], tensor.std((1, 2)))
    points = [(0, 0), (31, 40), (63, 63)]
    assert_near(
        case["pixels"], torch.stack([tensor[:, row, column] for row, column in points], dim=1)
    )


def test_augmentation_depends_on_its_generator_and_on_nothing_else():
    image = golden_image("wide", 97, 211)
    torch.manual_seed(0)
    first = Preprocess(32).augment(image, seeded(5))
    torch.manual_seed(1)
    assert first.shape == (3, 32, 32)
    assert torch.equal(first, Preprocess(32).augment(image, seeded(5)))
    assert not torch.equal(first, Preprocess(32).augment(image, seeded(6)))


def test_crops_stay_inside_the_picture_and_within_scale_and_ratio():
    generator, boxes = seeded(0), []
    for _ in range(2000):
        top, left, height, width = random_crop_box(300, 400, generator)
        assert top >= 0 and left >= 0 and top + height <= 300 and left + width <= 400
        assert 0.72 < width / height < 1.37  # 3/4 to 4/3, but for rounding to whole pixels
        boxes.append((top, left, height * width / (300 * 400)))
    tops, lefts, shares = np.array(boxes).T
    assert 0.079 < shares.min() < 0.1 and shares.max() > 0.9
    assert tops.min() == 0 and lefts.min() == 0 and tops.max() > 150 and lefts.max() > 200


def test_the_ratio_of_a_crop_is_even_on_a_log_scale():
    generator = seeded(0)
    boxes = [random_crop_box(300, 400, generator, scale=(0.3, 0.3)) for _ in range(2000)]
    log_ratios = [np.log(width / height) for _, _, height, width in boxes]
    assert abs(np.mean(log_ratios)) < 0.015  # an even draw of the ratio itself gives 0.028


@pytest.mark.parametrize(
    "height, width, box",
    [
        (100, 1000, (0, 433, 100, 133)),  # wider than 4:3
        (1000, 100, (433, 0, 133, 100)),  # higher than 4:3
        (90, 100, (0, 0, 90, 100)),  # neither: the whole picture
    ],
)
def test_a_crop_that_never_fits_falls_back_to_the_middle(height, width, box):
    assert random_crop_box(height, width, seeded(0), scale=(50.0, 50.0)) == box


def test_a_picture_is_mirrored_half_of_the_time_and_never_without_flip():
    half = Image.new("RGB", (64, 64))
    half.paste((255, 255, 255), (32, 0, 64, 64))  # left black, right white
    generator = seeded(0)
    mirrored = [Preprocess(8).augment(half, generator, scale=(0.95, 1.0)) for _ in range(400)]
    mirrored = sum(tensor[0, 4, 0] > tensor[0, 4, 7] for tensor in mirrored)
    assert 160 < mirrored < 240
    for _ in range(50):
        tensor = Preprocess(8).augment(half, generator, scale=(0.95, 1.0), flip=False)
        assert tensor[0, 4, 0] < tensor[0, 4, 7]


# --- files


def test_a_picture_file_of_any_mode_is_read_as_rgb(tmp_path):
    red = Image.new("RGB", (6, 4), (200, 40, 30))
    for mode, name in [
        ("RGB", "a.png"),
        ("P", "b.png"),
        ("L", "c.png"),
        ("1", "d.png"),
        ("LA", "e.png"),
        ("RGBA", "f.png"),
        ("CMYK", "g.tif"),
        ("CMYK", "h.jpg"),
        ("P", "i.gif"),
    ]:
        red.convert(mode).save(tmp_path / name)
        image = read_picture(tmp_path / name)
        assert image.mode == "RGB" and image.size == (6, 4)
        if mode in ("RGB", "RGBA", "CMYK"):
            assert np.abs(np.subtract(image.getpixel((2, 2)), (200, 40, 30))).max() <= 3


def test_transparency_is_dropped_as_in_the_published_code(tmp_path):
    Image.new("RGBA", (2, 2), (10, 20, 30, 0)).save(tmp_path / "clear.png")
    assert read_picture(tmp_path / "clear.png").getpixel((0, 0)) == (10, 20, 30)


@pytest.mark.parametrize("suffix", ["png", "pgm", "tif"])
def test_16_bit_grey_is_scaled_and_not_clipped(tmp_path, suffix):
    grey = np.array([[0, 200, 32896, 65535]], dtype=np.uint16)
    Image.fromarray(grey).save(tmp_path / f"deep.{suffix}")
    image = read_picture(tmp_path / f"deep.{suffix}")
    assert np.asarray(image).tolist() == [[[level] * 3 for level in (0, 1, 128, 255)]]


def test_the_exif_orientation_is_applied(tmp_path):
    image = Image.new("RGB", (16, 32))
    image.paste((255, 255, 255), (0, 0, 16, 16))  # the upper half is white
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn me clockwise by 90 degrees"
    image.save(tmp_path / "turned.jpg", exif=exif)
    turned = read_picture(tmp_path / "turned.jpg")
    assert turned.size == (32, 16)
    assert turned.getpixel((28, 8))[0] > 250 and turned.getpixel((4, 8))[0] < 5


def test_a_palette_picture_is_resized_by_its_colours():
    image = golden_image("square", 64, 64).quantize(32)
    assert torch.equal(preprocess(image, 32), preprocess(to_rgb(image), 32))
    assert torch.equal(
        Preprocess(32).augment(image, seeded(1)), Preprocess(32).augment(to_rgb(image), seeded(1))
    )


@pytest.mark.parametrize(
    "problem, reason",
    [
        ("missing", "there is no such file"),
        ("folder", "there is no such file"),
        ("empty", "the file is empty"),
        ("text", "cannot identify image file"),
        ("truncated", "truncated"),
        ("bomb", "decompression bomb"),
    ],
)
def test_an_unreadable_picture_is_refused_by_name(tmp_path, monkeypatch, problem, reason):
    path = tmp_path / f"{problem}.png"
    if problem == "folder":
        path.mkdir()
    elif problem == "empty":
        path.write_bytes(b"")
    elif problem == "text":
        path.write_text("not a picture")
    elif problem in ("truncated", "bomb"):
        golden_image("square", 64, 64).save(path)
    if problem == "truncated":
        path.write_bytes(path.read_bytes()[:-2000])
    if problem == "bomb":
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ValueError) as caught:
        read_picture(path)
    message = str(caught.value)
    assert message.startswith(f"Cannot read the picture {path}: ") and message.endswith(".")
    assert "\n" not in message and reason in message


# --- orientation


def as_turned(pixels, orientation):
    """Pixels [H, W] as a camera means them, by EXIF's definition of the eight orientations."""
    flipped = {2, 4, 5, 7}
    quarter_turns = {1: 0, 2: 0, 3: 2, 4: 2, 5: 1, 6: -1, 7: -1, 8: 1}[orientation]
    pixels = pixels[:, ::-1] if orientation in flipped else pixels
    return np.rot90(pixels, quarter_turns)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("mode", ["L", "RGB", "I;16"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_of_every_mode_is_turned_once(tmp_path, orientation, mode, suffix):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6)).astype(np.uint8)
    image = Image.fromarray(pixels.astype(np.uint16) * 257 if mode == "I;16" else pixels)
    image = image if mode == "I;16" else image.convert(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / f"x.{suffix}", exif=exif)
    turned = np.asarray(read_picture(tmp_path / f"x.{suffix}"))[:, :, 0]
    assert np.array_equal(turned, as_turned(pixels, orientation))


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "avif", "tif"])
def test_the_orientation_of_every_format_that_has_one_is_applied(tmp_path, suffix):
    exif = Image.Exif()
    exif[0x0112] = 6
    try:
        Image.new("RGB", (60, 40)).save(tmp_path / f"x.{suffix}", exif=exif)
    except KeyError:
        pytest.skip(f"this Pillow writes no {suffix}")
    assert read_picture(tmp_path / f"x.{suffix}").size == (40, 60)


ODD_TAG = struct.pack("<HHLHH HHLL L ll", 0x112, 3, 1, 6, 0, 0x11A, 10, 1, 38, 0, -1, 0)


@pytest.mark.parametrize(
    "exif, size",
    [
        (b"\x08\0\0\0\x02\0" + ODD_TAG, (40, 60)),  # a resolution of -1 / 0 behind it
        (b"\x08\0\0\0\x01\0" + struct.pack("<HHLHHL", 0x112, 3, 1, 6, 0, 0), (40, 60)),
        (b"\x08\0\0\0\x01\0" + struct.pack("<HHLLL", 0x112, 2, 4, 0x30, 0), (60, 40)),  # text
        (b"\x08\0\0\0\x01\0" + struct.pack("<HHLHHL", 0x112, 3, 1, 9, 0, 0), (60, 40)),
        (b"\x08\0\0\0\x01\0" + struct.pack("<HHLHHL", 0x112, 3, 1, 0, 0, 0), (60, 40)),
        (b"\x08\0\0\0\x01\0" + struct.pack("<HHLL", 0x112, 5, 2**31, 2**31), (60, 40)),
        (b"\xff\xff\xff\xff", (60, 40)),
        (b"\x08\0", (60, 40)),
        (b"", (60, 40)),
    ],
)
def test_exif_stops_no_picture_and_what_is_unreadable_is_none(tmp_path, exif, size):
    Image.new("RGB", (60, 40)).save(tmp_path / "x.jpg", exif=b"Exif\0\0II*\0" + exif)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # and Pillow's notes on damaged tags are not shown
        assert read_picture(tmp_path / "x.jpg").size == size


def test_whatever_pillow_raises_on_exif_is_no_exif(tmp_path, monkeypatch):
    def stumble(image):
        raise struct.error("argument out of range")

    Image.new("RGB", (60, 40)).save(tmp_path / "x.png")
    monkeypatch.setattr(Image.Image, "getexif", stumble)
    assert read_picture(tmp_path / "x.png").size == (60, 40)


def test_exif_that_is_no_exif_is_none(tmp_path):
    Image.new("RGB", (60, 40)).save(tmp_path / "x.jpg", exif=b"Exif\0\0garbage")
    assert read_picture(tmp_path / "x.jpg").size == (60, 40)


# --- numbers


def test_32_bit_grey_within_255_is_taken_as_it_is(tmp_path):
    grey = np.random.default_rng(0).integers(0, 221, (40, 60)).astype(np.int32)
    Image.fromarray(grey).save(tmp_path / "x.tif")
    with Image.open(tmp_path / "x.tif") as image:
        assert image.mode == "I"
        shown = np.asarray(image.convert("RGB"))
    ours = np.asarray(read_picture(tmp_path / "x.tif"))
    assert np.array_equal(ours, shown) and 105 < ours.mean() < 115
    assert np.array_equal(np.asarray(to_rgb(Image.fromarray(grey))), shown)


def test_32_bit_grey_beyond_255_is_scaled_and_never_below_0(tmp_path):
    grey = np.array([[-5, 0, 32896, 65535, 2**30]], dtype=np.int32)
    Image.fromarray(grey).save(tmp_path / "x.tif")
    levels = np.asarray(read_picture(tmp_path / "x.tif"))[0, :, 0]
    assert levels.tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize("suffix", ["png", "pgm", "tif"])
def test_a_dark_picture_of_16_bits_stays_dark(tmp_path, suffix):
    Image.fromarray(np.full((2, 2), 255, dtype=np.uint16)).save(tmp_path / f"x.{suffix}")
    assert np.asarray(read_picture(tmp_path / f"x.{suffix}")).tolist() == [[[1] * 3] * 2] * 2


def test_a_tall_picture_of_16_bits_is_converted_strip_by_strip(tmp_path):
    grey = np.arange(600 * 3, dtype=np.uint16).reshape(600, 3) * 36
    Image.fromarray(grey).save(tmp_path / "x.png")
    ours = np.asarray(read_picture(tmp_path / "x.png"))[:, :, 0]
    assert np.array_equal(ours, (grey.astype(int) + 128) // 257)


# --- kinds of files


def test_one_list_has_the_suffixes_of_every_ordinary_format_of_pillow():
    wanted = ".jpg .jpeg .jfif .png .bmp .gif .webp .avif .jp2 .ppm .pgm .pbm .tif .tiff"
    assert set(wanted.split()) <= set(SUFFIXES) and len(set(SUFFIXES)) == len(SUFFIXES)
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in SUFFIXES)
    Image.init()
    for name, suffixes in FORMATS.items():
        assert name == "MPO" or all(Image.EXTENSION.get(s, name) == name for s in suffixes), name


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_read_under_each_of_its_suffixes(tmp_path, name):
    for suffix in FORMATS[name]:
        try:
            golden_image("square", 32, 32).save(tmp_path / "x", format=name)
        except KeyError:
            pytest.skip(f"this Pillow writes no {name}")
        (tmp_path / "x").rename(tmp_path / f"x{suffix}")
        assert read_picture(tmp_path / f"x{suffix}").size == (32, 32)


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"


@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.eps"])
def test_postscript_starts_no_ghostscript_whatever_it_is_called(tmp_path, monkeypatch, name):
    def refuse(*args, **kwargs):
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(shutil, "which", refuse)
    (tmp_path / name).write_bytes(POSTSCRIPT)
    with pytest.raises(ValueError, match="cannot identify image file .read are JPEG, "):
        read_picture(tmp_path / name)


def png_of_zeros(width, height, depth):
    """A grey PNG of any size in few bytes."""
    row, pack = bytes(1 + width * depth // 8), zlib.compressobj(9)
    data = b"".join(pack.compress(row) for _ in range(height)) + pack.flush()
    header = struct.pack(">LLBBBBB", width, height, depth, 0, 0, 0, 0)

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">L", len(content)) + body + struct.pack(">L", zlib.crc32(body))

    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_a_picture_of_too_many_pixels_is_refused_before_they_are_decoded(tmp_path, monkeypatch):
    (tmp_path / "x.png").write_bytes(png_of_zeros(50, 40, 16))
    assert read_picture(tmp_path / "x.png").size == (50, 40)
    monkeypatch.setattr(module, "MAX_PIXELS", 1999)
    monkeypatch.setattr(Image.Image, "load", lambda image: pytest.fail("decoded"))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda image: pytest.fail("decoded"))
    with pytest.raises(ValueError, match="50 x 40 pixels are too many"):
        read_picture(tmp_path / "x.png")


def test_a_small_file_of_16_bits_does_not_fill_the_memory(tmp_path):
    """50 kB, 25 million pixels: as 8-byte numbers, 200 MB for each copy of them."""
    pytest.importorskip("resource")
    (tmp_path / "x.png").write_bytes(png_of_zeros(5000, 5000, 16))
    code = (
        "import resource, sys; from clip_min.preprocess import read_picture\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak(); read_picture(sys.argv[1]); print(peak() - before)"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path / "x.png")]
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    assert int(done.stdout) < 300_000  # kilobytes: 50 MB of 16 bits, 25 of 8 bits, 100 of RGB


def test_control_characters_of_a_picture_s_name_reach_no_terminal(tmp_path):
    (tmp_path / "\x1b[2J.jpg").write_bytes(b"x")
    for name in ("\x1b[2J.jpg", "\x1b[3J.jpg"):
        with pytest.raises(ValueError) as refused:
            read_picture(tmp_path / name)
        assert str(refused.value).isprintable()


def test_the_docstring_examples_hold():
    result = doctest.testmod(module)
    assert result.attempted > 0 and result.failed == 0


def test_a_picture_of_decimal_numbers_is_refused_and_not_made_black(tmp_path):
    Image.fromarray(np.random.rand(5, 5).astype(np.float32)).save(tmp_path / "f.tif")
    with pytest.raises(ValueError, match="f.tif: its pixels are decimal numbers"):
        read_picture(str(tmp_path / "f.tif"))
