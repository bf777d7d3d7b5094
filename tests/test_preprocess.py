"""Pictures to tensors as CLIP sees them: torchvision's figures, every kind of file, random crops.

What a file does not say (which value is white) is refused; damaged pictures are in hostile/.
"""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, TiffImagePlugin

from clip_min import preprocess as module
from clip_min.preprocess import (FORMATS, SUFFIXES, Preprocess, preprocess, random_crop_box,
                                 read_picture, resized_crop, to_rgb)
from tests.golden.images import golden_image

GOLDEN = json.loads((Path(__file__).parent / "golden" / "preprocess.json").read_text())
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


def test_a_preprocessed_picture_equals_torchvisions():
    for case in GOLDEN["center_crop"]:
        size = case["size"]
        tensor = preprocess(golden_image(case["name"], case["height"], case["width"]), size)
        assert tensor.shape == (3, size, size) and tensor.dtype == torch.float32
        assert_near(case["mean"], tensor.mean((1, 2)))
        assert_near(case["std"], tensor.std((1, 2)))
        corners = [(0, 0), (0, size - 1), (size - 1, 0), (size // 2, size // 3)]
        points = [tensor[:, row, column] for row, column in [*corners, (size - 1, size - 1)]]
        assert_near(case["corner"], torch.stack(points, dim=1), within=GREY_LEVEL)


def test_black_and_white_become_the_values_of_the_formula():
    for level in (0, 255):
        image = Image.new("RGB", (3, 2), (level,) * 3)  # 2 rows, 3 columns
        tensor = Preprocess(0).to_tensor(image)
        assert tensor.shape == (3, 2, 3)
        expected = (level / 255 - torch.tensor(module.MEAN)) / torch.tensor(module.STD)
        torch.testing.assert_close(tensor[:, 1, 2], expected)


def test_half_pixels_of_the_middle_crop_are_rounded_to_the_even_side():
    for width, left in ((64, 0), (65, 0), (66, 1), (67, 2), (69, 2)):
        image = golden_image("wide", 64, width)  # its shorter side is 64: only the crop is left
        middle = image.crop((left, 0, left + 64, 64))
        assert torch.equal(preprocess(image, 64), Preprocess(0).to_tensor(middle))


def test_the_longer_side_is_rounded_down():
    image = golden_image("wide", 30, 68)  # 10 * 68 / 30 = 22.67 becomes 22
    resized = image.resize((22, 10), Image.BICUBIC)
    assert torch.equal(preprocess(image, 10), Preprocess(0).to_tensor(resized.crop((6, 0, 16, 10))))


def test_a_tiny_or_thin_picture_is_preprocessed_and_augmented():
    for size in ((1, 1), (2, 3), (1, 300), (300, 1)):
        image = Image.new("RGB", size, (10, 20, 30))
        assert torch.equal(preprocess(image, 32), Preprocess(32).augment(image, seeded(0)))


def test_an_absurdly_thin_strip_is_refused():
    with pytest.raises(ValueError, match="1 x 1001 pixels is too thin"):
        preprocess(Image.new("RGB", (1, 1001)), 32)


# --- augmentation


def test_a_resized_crop_equals_torchvisions():
    for case in GOLDEN["resized_crop"]:
        image = golden_image(case["image"], *SHAPES[case["image"]])
        box = (case["top"], case["left"], case["height"], case["width"])
        image = resized_crop(image, box, case["size"])
        if case["flip"]:
            image = image.transpose(Image.FLIP_LEFT_RIGHT)
        tensor = Preprocess(0).to_tensor(image)
        assert_near(case["mean"], tensor.mean((1, 2)))
        assert_near(case["std"], tensor.std((1, 2)))
        points = [tensor[:, row, column] for row, column in [(0, 0), (31, 40), (63, 63)]]
        assert_near(case["pixels"], torch.stack(points, dim=1))


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


def test_a_crop_that_never_fits_falls_back_to_the_middle():
    wider, higher, neither = (0, 433, 100, 133), (433, 0, 133, 100), (0, 0, 90, 100)
    for height, width, box in ((100, 1000, wider), (1000, 100, higher), (90, 100, neither)):
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
    kinds = ("RGB a.png", "P b.png", "L c.png", "1 d.png", "LA e.png", "RGBA f.png", "CMYK g.tif",
             "CMYK h.jpg", "P i.gif")
    for mode, name in map(str.split, kinds):
        red.convert(mode).save(tmp_path / name)
        image = read_picture(tmp_path / name)
        assert image.mode == "RGB" and image.size == (6, 4)
        if mode in ("RGB", "RGBA", "CMYK"):
            assert np.abs(np.subtract(image.getpixel((2, 2)), (200, 40, 30))).max() <= 3
    Image.new("RGBA", (2, 2), (10, 20, 30, 0)).save(tmp_path / "clear.png")
    assert read_picture(tmp_path / "clear.png").getpixel((0, 0)) == (10, 20, 30)  # as published
    Image.new("RGB", (1, 1), (1, 2, 3)).save(tmp_path / "dot.png")
    assert read_picture(tmp_path / "dot.png").getpixel((0, 0)) == (1, 2, 3)


def test_a_palette_picture_is_resized_by_its_colours():
    image = golden_image("square", 64, 64).quantize(32)
    assert torch.equal(preprocess(image, 32), preprocess(to_rgb(image), 32))
    ours, theirs = (Preprocess(32).augment(each, seeded(1)) for each in (image, to_rgb(image)))
    assert torch.equal(ours, theirs)


def test_every_format_is_read_under_each_of_its_suffixes(tmp_path):
    wanted = ".jpg .jpeg .jfif .png .bmp .gif .webp .avif .jp2 .ppm .pgm .pbm .tif .tiff"
    assert set(wanted.split()) <= set(SUFFIXES) and len(set(SUFFIXES)) == len(SUFFIXES)
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in SUFFIXES)
    Image.init()
    for name, suffixes in FORMATS.items():
        assert name == "MPO" or all(Image.EXTENSION.get(s, name) == name for s in suffixes), name
        if name not in Image.SAVE:
            continue  # this Pillow does not write it
        for suffix in suffixes:
            golden_image("square", 32, 32).save(tmp_path / "x", format=name)
            (tmp_path / "x").rename(tmp_path / f"x{suffix}")
            assert read_picture(tmp_path / f"x{suffix}").size == (32, 32)


def test_an_unreadable_picture_is_refused_by_name(tmp_path):
    golden_image("square", 64, 64).save(tmp_path / "cut.png")
    golden_image("square", 64, 64).save(tmp_path / "cut.jpg")
    for name in ("cut.png", "cut.jpg"):
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-600])
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("not a picture")
    cases = {"missing.png": "there is no such file", "text.png/x.png": "there is no such file",
             "a\0b.png": "there is no such file", "folder.jpg": "it is a folder, and not a file",
             "empty.png": "the file is empty", "text.png": "cannot identify image file",
             "cut.png": "truncated", "cut.jpg": "truncated"}
    for name, reason in cases.items():
        path = f"{tmp_path}/{name}"
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


def turned_exif(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def test_every_orientation_of_every_mode_is_turned_once(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6)).astype(np.uint8)
    for orientation in range(1, 9):
        for mode in ("L", "RGB", "I;16"):
            deep = Image.fromarray(pixels.astype(np.uint16) * 257)
            image = deep if mode == "I;16" else Image.fromarray(pixels).convert(mode)
            for suffix in ("png", "tif"):
                image.save(tmp_path / f"x.{suffix}", exif=turned_exif(orientation))
                turned = np.asarray(read_picture(tmp_path / f"x.{suffix}"))[:, :, 0]
                expected = as_turned(pixels, orientation)
                assert np.array_equal(turned, expected), (orientation, mode, suffix)


def test_the_orientation_of_every_format_that_has_one_is_applied(tmp_path):
    for suffix in ("jpg", "png", "webp", "avif", "tif"):
        try:
            Image.new("RGB", (60, 40)).save(tmp_path / f"x.{suffix}", exif=turned_exif(6))
        except KeyError:
            continue  # this Pillow does not write it
        assert read_picture(tmp_path / f"x.{suffix}").size == (40, 60)
    image = Image.new("RGB", (16, 32))
    image.paste((255, 255, 255), (0, 0, 16, 16))  # the upper half is white
    image.save(tmp_path / "x.jpg", exif=turned_exif(6))  # "turn me clockwise by 90 degrees"
    turned = read_picture(tmp_path / "x.jpg")
    assert turned.getpixel((28, 8))[0] > 250 and turned.getpixel((4, 8))[0] < 5


# --- grey of more than 8 bits


def levels(path):
    """The grey levels of the first row of a picture."""
    return np.asarray(read_picture(path))[0, :, 0].tolist()


def test_16_bit_grey_is_scaled_and_not_clipped(tmp_path):
    for suffix in ("png", "pgm", "tif"):
        path = tmp_path / f"x.{suffix}"
        Image.fromarray(np.array([[0, 200, 32896, 65535]], dtype=np.uint16)).save(path)
        assert levels(path) == [0, 1, 128, 255]
        Image.fromarray(np.array([[255, 255, 255]], dtype=np.uint16)).save(path)
        if suffix != "tif":  # dark, and it stays dark
            assert levels(path) == [1, 1, 1]
    grey = np.arange(600 * 3, dtype=np.uint16).reshape(600, 3) * 36  # more than one strip
    Image.fromarray(grey).save(tmp_path / "tall.png")
    ours = np.asarray(read_picture(tmp_path / "tall.png"))[:, :, 0]
    assert np.array_equal(ours, (grey.astype(int) + 128) // 257)


def test_32_bit_grey_within_255_is_taken_as_it_is(tmp_path):
    grey = np.random.default_rng(0).integers(0, 221, (40, 60)).astype(np.int32)
    Image.fromarray(grey).save(tmp_path / "x.tif")
    with Image.open(tmp_path / "x.tif") as image:
        assert image.mode == "I"
        shown = np.asarray(image.convert("RGB"))
    ours = np.asarray(read_picture(tmp_path / "x.tif"))
    assert np.array_equal(ours, shown) and 105 < ours.mean() < 115
    assert np.array_equal(np.asarray(to_rgb(Image.fromarray(grey))), shown)


def tiff(bits, values, **tags):
    """A TIFF of one row, written by hand, for kinds that Pillow does not write.

    values: bytes, or numbers of `bits` bits. tags: t262=0 sets tag 262.
    """
    data = values
    if not isinstance(values, bytes):
        signed = any(value < 0 for value in values)
        data = b"".join(value.to_bytes(bits // 8, "little", signed=signed) for value in values)
    width = 8 * len(data) // bits
    entries = {256: width, 257: 1, 258: bits, 259: 1, 262: 1, 277: 1, 278: 1, 279: len(data)}
    entries |= {int(name[1:]): value for name, value in tags.items()}
    entries[273] = 8 + 2 + 12 * (len(entries) + 1) + 4  # where the pixels begin
    directory = struct.pack("<H", len(entries))
    for tag, value in sorted(entries.items()):
        directory += struct.pack("<HHLL", tag, 4 if value > 65535 else 3, 1, value)
    return b"II*\0" + struct.pack("<L", 8) + directory + bytes(4) + data


def test_a_tiff_of_whole_numbers_is_converted_where_it_says_how_and_else_refused(tmp_path):
    path = tmp_path / "x.tif"
    converted = [
        (tiff(16, [0, 32896, 65535]), [0, 128, 255]),
        (tiff(16, [0, 32896, 65535], t262=0), [255, 127, 0]),  # WhiteIsZero
        (tiff(16, [0, 2048, 4095], t281=4095), [0, 128, 255]),  # 12 bits in 16, and it says so
        (tiff(16, [0, 2048, 4095], t262=0, t281=4095), [255, 127, 0]),
        (tiff(12, bytes([0x00, 0x0F, 0xFF])), [0, 255]),  # 12 bits in 12
        (tiff(16, [0, 0]), [0, 0]),
        (tiff(32, [0, 32896, 65535], t339=1), [0, 128, 255]),
        (tiff(32, [0, 32896, 65535], t339=1, t281=9), [0, 128, 255]),
        (tiff(32, [0, 7, 255], t339=2), [0, 7, 255]),
    ]
    for content, expected in converted:
        path.write_bytes(content)
        assert levels(path) == expected
    refused = [
        (tiff(16, [0, 2048, 4095]), "0 to 4,095"),  # 12 bits in 16, or a dark picture
        (tiff(16, [0, 2000, 3000], t281=3000), "0 to 3,000"),  # just the brightest pixel
        (tiff(16, [-5, 0, 30000], t339=2), "-5 to 30,000"),
        (tiff(16, [0, 30000], t339=2), "0 to 30,000"),
        (tiff(32, [0, 70000], t339=1), "0 to 70,000"),
        (tiff(32, [-5, 70000], t339=2), "-5 to 70,000"),
    ]
    for content, values in refused:
        path.write_bytes(content)
        with pytest.raises(ValueError) as caught:
            read_picture(path)
        reason = f"its whole numbers go from {values}, and it does not say what is white"
        assert f"x.tif: {reason}: convert it to 8 bits." in str(caught.value)


def test_a_colour_map_of_8_bits_in_a_tiff_is_not_made_black(tmp_path):
    colours = np.arange(768).reshape(3, 256) % 256
    path, tags = tmp_path / "x.tif", TiffImagePlugin.ImageFileDirectory_v2()
    for factor in (1, 257):  # as some programs write it, and as the format wants it
        tags[320] = tuple(int(value) * factor for value in colours.flatten())
        image = Image.fromarray(np.array([[0, 100, 255]], dtype=np.uint8))
        image.putpalette(bytes(768))
        image.save(path, tiffinfo=tags)
        content = bytearray(path.read_bytes())
        place = content.find(struct.pack("<HHL", 320, 3, 768))
        start = struct.unpack_from("<L", content, place + 8)[0]
        struct.pack_into("<768H", content, start, *tags[320])
        path.write_bytes(content)
        with Image.open(path) as opened:
            assert opened.mode == "P" and max(opened.tag_v2[320]) == 255 * factor
        assert levels(path) == [0, 100, 255]


def test_a_picture_of_decimal_numbers_is_refused_and_not_made_black(tmp_path):
    Image.fromarray(np.random.rand(5, 5).astype(np.float32)).save(tmp_path / "f.tif")
    with pytest.raises(ValueError, match="f.tif: its pixels are decimal numbers"):
        read_picture(str(tmp_path / "f.tif"))
