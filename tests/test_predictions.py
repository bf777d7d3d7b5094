"""Predictions on one's own pictures: which files are found, and what is printed and drawn."""

import json
import os

import numpy as np
import pytest
import torch
from PIL import Image, ImageColor, ImageFont

from clip_min.preprocess import Preprocess
from prompts.reports.predictions import BAR, COLUMNS, FIRST, LINE, MARGIN, OTHER, PHOTO, TEXT, TRACK
from prompts.reports.predictions import as_clip_sees, as_json_lines, as_text, best
from prompts.reports.predictions import classes_to_choose_from, draw
from prompts.reports.predictions import find_pictures, pictures_to_classify, shortened

TOY = "toy-objects/test/apple/12"
CARD = PHOTO + BAR + 3 * MARGIN, PHOTO + 2 * MARGIN  # width and height of a picture with its bars


@pytest.fixture
def photo(tmp_path):
    Image.new("RGB", (40, 30), "red").save(tmp_path / "photo.png")
    return str(tmp_path / "photo.png")


def pixels(picture, colour):
    """How many pixels have exactly this colour."""
    return int((np.asarray(picture) == ImageColor.getrgb(colour)).all(axis=-1).sum())


# Which pictures


def test_files_folders_and_toy_paths_are_found_in_the_order_given(tmp_path, photo):
    folder = tmp_path / "folder"
    (folder / "deeper.jpg").mkdir(parents=True)
    names = ("b.JPG", "a.webp", "c.tiff", "d.jfif", "notes.txt", "deeper.jpg/d.jpg")
    for name in (*names, "._b.JPG", ".x.jpg", "x.dat"):  # hidden ones; a Mac writes the first
        (folder / name).touch()
    shown = [str(folder / name) for name in ("a.webp", "b.JPG", "c.tiff", "d.jfif")]
    assert find_pictures([TOY, folder, photo]) == [TOY, *shown, photo]
    for name in ("._b.JPG", "x.dat"):  # if it is named, a file may be hidden and have any suffix
        assert find_pictures([folder / name]) == [str(folder / name)]


def test_pictures_that_cannot_be_read_leave_the_others(tmp_path, photo):
    files = [("empty.png", b""), ("._a.jpg", b"\0\5\x16\7"), ("te\x1bxt.jpg", b"hello")]
    for name, content in files:
        (tmp_path / name).write_bytes(content)
    Image.new("RGB", (3000, 1)).save(tmp_path / "strip.png")
    bad = [str(tmp_path / name) for name in ("empty.png", "._a.jpg", "te\x1bxt.jpg", "strip.png")]
    with pytest.warns(UserWarning, match="It is left out") as notes:
        found = pictures_to_classify([photo, *bad[:3], TOY, *bad[3:], photo], Preprocess(40))
    assert found == ([photo, TOY, photo], 4)
    words = ("empty.png: the file is empty.", "._a.jpg", "xt.jpg", "3000 x 1")
    for note, word in zip(notes, words, strict=True):
        assert word in str(note.message)
    assert pictures_to_classify([photo], Preprocess(40)) == ([photo], 0)
    with pytest.raises(ValueError, match="empty.png: the file is empty"):
        pictures_to_classify(bad[:2], Preprocess(40))


def test_what_is_not_there_is_refused_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "._a.jpg").touch()
    for path, words in [
        ("nowhere.jpg", "There is no picture or folder nowhere.jpg"),
        ("hidden", "The folder hidden holds no pictures"),
        ("toy-objects", "No picture toy-objects can be drawn: write toy-objects/test/apple/12"),
        ("toy-objects/test/zeppelin/12", "No picture toy-objects/test/zeppelin/12"),
        ("toy-objects/all/apple/12", "No picture toy-objects/all/apple/12"),
        ("toy-objects/test/apple/x", "No picture toy-objects/test/apple/x"),
        ("toy-object/test/apple/12", "no data set 'toy-object'. Did you mean toy-objects"),
    ]:
        with pytest.raises(ValueError, match=words) as error:
            find_pictures([path])
        assert "\n" not in str(error.value)


def test_the_classes_come_from_the_command_or_from_the_prompt_file():
    prompt = dict(classnames=["cat", "dog"], text_template="a {}.")
    dataset = classes_to_choose_from(prompt, None, None)
    assert (dataset.classnames, dataset.templates) == (["cat", "dog"], ["a {}."])
    dataset = classes_to_choose_from(prompt, "owl, a fish", "the {}.")
    assert (dataset.classnames, dataset.templates) == (["owl", "a fish"], ["the {}."])
    assert classes_to_choose_from(None, "owl", None).templates == ["a photo of a {}."]
    for names, template in [(None, None), ("owl", "no place"), ("owl", "")]:
        with pytest.raises(ValueError):
            classes_to_choose_from(None, names, template)


# The most probable classes


def test_the_best_classes_come_first_and_equal_ones_in_the_order_of_the_classes():
    names = ["a", "b", "c", "d", "e", "f", "g"]
    many = [[0.1, 0.25, 0.1, 0.25, 0.125, 0.05, 0.125], [0, 0, 0, 0, 0, 0, 1.0]]
    probabilities = torch.tensor(many)
    first, second = best(probabilities, names)
    assert [name for name, _ in first] == ["b", "d", "e", "g", "a"] and first[0] == ("b", 0.25)
    assert [name for name, _ in second] == ["g", "a", "b", "c", "d"]
    assert [len(row) for row in best(probabilities, names, most=2)] == [2, 2]


def test_probabilities_that_are_not_numbers_are_refused():
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match=r"not numbers \(nan\): the prompt or the weights"):
            best(torch.tensor([[0.5, 0.5], [0.5, value]]), ["cat", "dog"])


# Text and JSON


def test_the_text_aligns_the_percentages():
    predictions = [[("cat", 1.0), ("dog", 0.0)], [("dog", 0.973), ("a cat", 0.027)]]
    text = as_text(["a.png", "b.png"], predictions)
    assert text == "a.png\n 100.0 %  cat\n   0.0 %  dog\nb.png\n  97.3 %  dog\n   2.7 %  a cat"


def test_names_cannot_steer_a_terminal():
    path, name = "a\x1b[2J\n.png", "cat\x1b]0;title\x07\u202e"
    text = as_text([path], [[(name, 1.0)]])
    assert text == "a\\x1b[2J\\n.png\n 100.0 %  cat\\x1b]0;title\\x07\\u202e"
    line = as_json_lines([path], [[(name, 1.0)]])
    assert line.isprintable() and line.isascii()
    row = json.loads(line)
    assert (row["picture"], row["predictions"][0]["class"]) == (path, name)
    font = ImageFont.load_default(13)
    assert shortened(name, 900, font) == r"cat\x1b]0;title\x07\u202e"


def test_json_lines_can_be_parsed_line_by_line():
    predictions = [[("naïve", 0.75), ("dog", 0.25)], [("dog", 1.0)]]
    first, second = map(json.loads, as_json_lines(["a.png", 'b "2".png'], predictions).split("\n"))
    naive = {"class": "naïve", "probability": 0.75}
    assert first == {"picture": "a.png",
                     "predictions": [naive, {"class": "dog", "probability": 0.25}]}
    assert second["picture"] == 'b "2".png'


def test_a_file_name_that_is_no_utf8_can_be_printed_parsed_and_drawn(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")
    try:
        Image.new("RGB", (9, 9)).save(path)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    paths, predictions = find_pictures([tmp_path]), [[("cat", 1.0)]]
    start = os.fsencode(tmp_path) + rb"/caf\udce9.png" + b"\n"
    assert as_text(paths, predictions).encode().startswith(start)
    assert json.loads(as_json_lines(paths, predictions).encode())["picture"] == path
    draw(paths, predictions)


# The picture


def test_pictures_stand_side_by_side_and_the_height_grows(photo):
    for number, columns, rows in [(1, 1, 1), (2, 2, 1), (5, 2, 3)]:
        sheet = draw(number * [photo], number * [[("cat", 0.5), ("dog", 0.5)]])
        assert (COLUMNS, sheet.mode) == (2, "RGB")
        assert sheet.size == (columns * CARD[0], rows * CARD[1])
        for i in range(number):  # a photo in the middle of each card's square, and bars beside it
            left, top = i % columns * CARD[0], i // columns * CARD[1]
            card = sheet.crop((left, top, left + CARD[0], top + CARD[1]))
            assert card.getpixel((MARGIN + PHOTO // 2, MARGIN + PHOTO // 2)) == (255, 0, 0)
            assert pixels(card, FIRST) == 4 * BAR // 2 and pixels(card, TEXT) > 0
            assert card.getpixel((1, 1)) == (255, 255, 255)
    ten = [(f"class {i}", 0.1) for i in range(10)]
    assert draw([photo], [ten]).height == 11 * LINE + 2 * MARGIN


def test_a_bar_is_as_long_as_its_class_is_probable(tmp_path):
    path = tmp_path / "black.png"
    Image.new("RGB", (30, 30)).save(path)
    for share in (0.0, 0.0001, 0.25, 0.6, 1.0):
        sheet = draw([str(path)], [[("cat", share), ("dog", 1 - share)]])
        lengths = pixels(sheet, FIRST) / 4, pixels(sheet, OTHER) / 4  # bars are 4 pixels high
        assert lengths == (round(BAR * share), round(BAR * (1 - share)))
        assert pixels(sheet, TRACK) == 4 * (2 * BAR - sum(lengths))


def test_a_photo_of_any_shape_is_shown_whole_and_faded_where_clip_does_not_look():
    for size, box in [((1, 1), (160, 160)), ((40, 30), (160, 120)), ((9000, 2), (160, 1)),
                      ((2, 9000), (1, 160))]:
        square = as_clip_sees(Image.new("RGB", size, "red"))
        assert square.size == (PHOTO, PHOTO) and pixels(square, "red") == min(box) ** 2
        assert pixels(square, TRACK) == PHOTO * PHOTO - box[0] * box[1]
        assert square.getpixel((PHOTO // 2, PHOTO // 2)) == (255, 0, 0) or min(box) == 1


def test_what_is_not_faded_is_the_square_that_clip_sees():
    """A red middle between blue sides: the preprocessed picture is red only."""
    picture = Image.new("RGB", (400, 200), "blue")
    picture.paste("red", (100, 0, 300, 200))
    square = as_clip_sees(picture)
    assert 78 * 80 <= pixels(square, "red") <= 80 * 80  # its two edges are a mixture
    assert pixels(square, "blue") == 0
    x = Preprocess(40)(picture)
    assert x[:, :, 2:-2].flatten(1).std(dim=1).max() < 1e-5


def test_a_photo_is_turned_as_its_exif_says(tmp_path):
    """Orientation 6: the file's left side is the top."""
    picture, exif = Image.new("RGB", (60, 40), "blue"), Image.Exif()
    picture.paste("red", (0, 0, 30, 40))
    exif[0x112] = 6
    picture.save(tmp_path / "turned.png", exif=exif)
    sheet = draw([str(tmp_path / "turned.png")], [[("cat", 1.0)]])
    places = [(MARGIN + PHOTO // 2, MARGIN + PHOTO // 2 + step) for step in (-30, 30)]
    assert [sheet.getpixel(place) for place in places] == [(255, 0, 0), (0, 0, 255)]


def test_a_toy_path_is_drawn():
    assert pixels(draw([TOY], [[("apple", 1.0)]]), "white") < CARD[0] * CARD[1] - PHOTO * PHOTO


def test_long_names_are_cut_and_no_text_leaves_its_place(photo):
    font = ImageFont.load_default(13)
    for keep_end in (False, True):
        short = shortened("annual crop land " * 9, 100, font, keep_end)
        assert font.getlength(short) <= 100 < font.getlength(short + "land")
        assert short.startswith("…") == keep_end and short.endswith("…") != keep_end
    assert shortened("cat\nand  dog", 200, font) == "cat and dog"
    assert shortened("x" * 99, 1, font) == "…"
    sheet = draw([photo], [[("n" * 200, 0.5)]])
    assert pixels(sheet.crop((CARD[0] - MARGIN, 0, *CARD)), "white") == MARGIN * CARD[1]


def test_a_letter_that_the_font_lacks_is_escaped_and_never_drawn_as_a_box():
    font = ImageFont.load_default(13)
    missing = bytes(font.getmask("\uffff"))  # the box that stands for a letter it lacks
    assert bytes(font.getmask("…")) != missing
    assert shortened("café Ångström", 200, font) == "cafe Angstrom"
    assert shortened("Straße 猫", 200, font) == r"Stra\xdfe \u732b"
