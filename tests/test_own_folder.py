"""Folders of one's own as data sets, and what is left out in them."""

import os
import warnings

import pytest

from clip_min.data import load_dataset
from tests.data_helpers import refusal, short, touch, write


@pytest.fixture
def pets(tmp_path):
    """A folder of one's own with train/ and test/."""
    touch(
        tmp_path / "pets",
        "train/red_cat/1.PNG",
        "train/red_cat/2.webp",
        "train/dog/1.jpeg",
        "test/dog/3.tif",
        "test/red_cat/4.gif",
        "train/dog/notes.txt",
        "train/dog/.hidden.jpg",
        "train/dog/deeper/5.jpg",
        "train/.git/6.jpg",
    )
    return tmp_path / "pets"


def test_a_folder_with_train_and_test_is_a_data_set(pets, monkeypatch):
    dataset = load_dataset(str(pets))
    assert (
        dataset.name == str(pets)
        and dataset.classnames == ["dog", "red_cat"]
        and not dataset.own_split
    )
    assert dataset.templates == ["a photo of a {}."] and dataset.val == []
    assert short(dataset.train, pets / "train") == [
        ("dog/1.jpeg", 0),
        ("red_cat/1.PNG", 1),
        ("red_cat/2.webp", 1),
    ]
    assert short(dataset.test, pets / "test") == [("dog/3.tif", 0), ("red_cat/4.gif", 1)]
    touch(pets, "val/dog/7.bmp")
    monkeypatch.chdir(pets.parent)
    monkeypatch.setenv("HOME", str(pets.parent))
    for name in ("pets", "./pets", "../" + pets.parent.name + "/pets/", "~/pets", pets):
        assert short(load_dataset(name).val, pets) == [("val/dog/7.bmp", 0)]


def test_a_folder_of_class_folders_is_split_the_same_each_time_and_nothing_is_written(tmp_path):
    touch(tmp_path, *(f"{name}/{i}.jpg" for name in ("b", "a") for i in range(10)))
    dataset = load_dataset(str(tmp_path))
    assert (len(dataset.train), len(dataset.val), len(dataset.test)) == (
        10,
        4,
        6,
    ) and not dataset.own_split
    assert load_dataset(str(tmp_path)) == dataset and sorted(os.listdir(tmp_path)) == ["a", "b"]
    assert len({item.path for item in dataset.train + dataset.val + dataset.test}) == 20


def test_the_name_of_a_benchmark_is_the_benchmark_and_a_path_the_folder(tmp_path, monkeypatch):
    touch(
        tmp_path,
        *(
            f"{folder}/{name}/{i}.jpg"
            for folder in ("eurosat", "toy-mine")
            for name in "ab"
            for i in (1, 2)
        ),
    )
    monkeypatch.chdir(tmp_path)
    assert "give --data-root" in refusal("eurosat")
    assert load_dataset("./eurosat").name == str(tmp_path / "eurosat")
    assert load_dataset("toy-mine").train[0].path.startswith(str(tmp_path))


@pytest.mark.parametrize(
    "lines",
    [
        ["dog Border Collie", "red_cat tabby"],
        ["red_cat tabby", "", "dog Border Collie"],
        ["Border Collie", "tabby"],
        ["\ufeffBorder Collie\r", "tabby\r"],
    ],
)
def test_classnames_txt_names_the_classes_by_folder_or_in_order(pets, lines):
    write(pets / "classnames.txt", *lines)
    assert load_dataset(str(pets)).classnames == ["Border Collie", "tabby"]


@pytest.mark.parametrize(
    "lines",
    [
        ["dog Collie"],
        ["Collie"],
        ["dog Collie", "cat tabby"],
        ["a", "b", "c"],
        [],
        ["dog a", "dog b"],
    ],
)
def test_another_classnames_txt_is_refused_with_both_forms(pets, lines):
    write(pets / "classnames.txt", *lines)
    message = refusal(pets)
    assert (
        '"<folder> <name>"' in message
        and "only the names, in the order of the sorted folders" in message
    )


def test_a_folder_name_with_a_space_may_begin_with_anothers_name(tmp_path):
    touch(tmp_path, *(f"{name}/{i}.jpg" for name in ("sea", "sea lion") for i in (1, 2)))
    write(tmp_path / "classnames.txt", "sea lion Otaria", "sea Ocean")
    assert load_dataset(str(tmp_path)).classnames == ["Ocean", "Otaria"]


@pytest.mark.parametrize(
    "paths, problem",
    [
        (None, "There is no folder"),
        ([], "holds no class folders"),
        (["1.jpg"], "holds no class folders"),
        (["a/1.jpg", "a/2.jpg"], "holds the class 'a' alone"),
        (["a/1.jpg", "a/2.jpg", "b/1.jpg"], "b holds 1 pictures"),
        (["train/a/1.jpg", "train/b/1.jpg"], "has train/ without test/ or val/"),
        (["test/a/1.jpg", "test/b/1.jpg"], "has test/ without train/"),
        (["train/a/1.jpg", "test/a/1.jpg"], "holds the class 'a' alone"),
        (
            ["train/a/1.jpg", "train/b/1.txt", "test/a/1.jpg"],
            "no training pictures of the class 'b'",
        ),
        (
            ["train/a/1.jpg", "train/b/1.jpg", "test/c/1.jpg"],
            "no training pictures of the class 'c'",
        ),
        (["train/a/1.jpg", "train/b/1.jpg", "test/a/1.txt"], "no test pictures of any class"),
    ],
)
def test_a_folder_that_is_no_data_set_is_refused(tmp_path, paths, problem):
    folder = tmp_path / "mine"
    if paths is not None:
        folder.mkdir()
        touch(folder, *paths)
    message = refusal(folder)
    assert str(folder) in message and problem in message


def test_a_class_without_test_pictures_brings_a_warning(pets):
    (pets / "test/red_cat/4.gif").unlink()
    with pytest.warns(UserWarning, match="no test pictures of 1 class, the first being red_cat"):
        dataset = load_dataset(str(pets))
    red_cat = dataset.classnames.index("red_cat")
    assert red_cat in {item.label for item in dataset.train} and red_cat not in {
        item.label for item in dataset.test
    }


# --- parts under other names


TWO = ("a/1.jpg", "b/1.jpg")


def tree(folder, **parts):
    """Folders of one's own, with two classes each: tree(folder, train=["a/1.jpg"], valid=TWO)."""
    for part, paths in parts.items():
        touch(folder / part, *paths)
    return folder


def notes(caught):
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize("train", ["train", "Train", "TRAIN", "training"])
@pytest.mark.parametrize("test", ["test", "Test", "testing"])
@pytest.mark.parametrize("val", [None, "val", "Val", "valid", "validation", "Validation"])
def test_the_parts_have_many_names(tmp_path, train, test, val):
    tree(tmp_path, **{train: TWO, test: TWO}, **({val: TWO} if val else {}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = load_dataset(str(tmp_path))
    assert short(dataset.train, tmp_path / train) == [("a/1.jpg", 0), ("b/1.jpg", 1)]
    assert short(dataset.test, tmp_path / test) == [("a/1.jpg", 0), ("b/1.jpg", 1)]
    assert short(dataset.val, tmp_path) == (
        [(f"{val}/a/1.jpg", 0), (f"{val}/b/1.jpg", 1)] if val else []
    )


@pytest.mark.parametrize("val", ["val", "valid", "validation", "Val"])
def test_without_a_test_folder_the_pictures_of_val_are_tested_on_with_a_note(tmp_path, val):
    tree(tmp_path, train=TWO, **{val: TWO})
    with pytest.warns(UserWarning) as caught:
        dataset = load_dataset(str(tmp_path))
    assert notes(caught) == [f"{tmp_path} has no test/: the pictures of {val}/ are tested on."]
    assert short(dataset.test, tmp_path / val) == [("a/1.jpg", 0), ("b/1.jpg", 1)]
    assert dataset.val == []


@pytest.mark.parametrize("one, other", [("val", "valid"), ("train", "Train"), ("test", "testing")])
def test_two_folders_for_the_same_part_are_refused(tmp_path, one, other):
    tree(tmp_path, train=TWO, test=TWO)
    tree(tmp_path, **{one: TWO, other: TWO})
    message = refusal(tmp_path)
    assert f"{one}/" in message and f"{other}/" in message and message.endswith("keep one.")


@pytest.mark.parametrize("part", ["val", "valid", "test", "Validation"])
def test_a_part_without_train_is_refused_with_both_ways_out(tmp_path, part):
    message = refusal(tree(tmp_path, **{part: TWO}))
    assert f"has {part}/ without train/: add it, or give {tmp_path / part}, to split it" in message


def test_train_without_another_part_may_be_split_itself(tmp_path):
    tree(tmp_path, Train=[f"{name}/{i}.jpg" for name in "ab" for i in range(4)])
    message = refusal(tmp_path)
    assert f"has Train/ without test/ or val/: add one, or give {tmp_path / 'Train'}" in message
    assert len(load_dataset(str(tmp_path / "Train")).train) == 4


def test_train_may_be_a_class_beside_others(tmp_path):
    tree(tmp_path, train=["1.jpg", "2.jpg"], bus=["1.jpg", "2.jpg"])
    assert load_dataset(str(tmp_path)).classnames == ["bus", "train"]


@pytest.mark.filterwarnings("ignore:Left out")
def test_pictures_without_class_folders_in_train_and_test_are_refused(tmp_path):
    tree(tmp_path, train=["1.jpg", "2.jpg"], test=["1.jpg", "2.jpg"], others=["1.jpg", "2.jpg"])
    assert f"{tmp_path / 'train'} holds no class folders" in refusal(tmp_path)


def test_folders_beside_train_and_test_are_named(tmp_path):
    tree(tmp_path, train=TWO, test=TWO, unlabelled=["1.jpg"], annotations=["1.xml"])
    with pytest.warns(UserWarning) as caught:
        load_dataset(str(tmp_path))
    beside = "the folders beside train/, annotations, unlabelled"
    assert notes(caught) == [f"Left out in {tmp_path}: {beside}."]


def test_a_class_that_is_written_otherwise_in_test_is_refused_with_its_other_spelling(tmp_path):
    tree(tmp_path, train=["Apple/1.jpg", "pear/1.jpg"], test=["apple/1.jpg", "pear/1.jpg"])
    message = refusal(tmp_path)
    assert "no training pictures of the class 'apple': name it 'Apple' everywhere" in message


@pytest.mark.parametrize("one, other", [("Apple", "apple"), ("red cat", "red_cat")])
def test_classes_with_one_name_to_clip_bring_one_note(tmp_path, one, other):
    touch(tmp_path, *(f"{name}/{i}.jpg" for name in (one, other, "pear") for i in (1, 2)))
    with pytest.warns(UserWarning) as caught:
        dataset = load_dataset(str(tmp_path))
    assert len(dataset.classnames) == 3 and len(caught) == 1
    assert f"the classes '{one}' and '{other}' have the same name." in notes(caught)[0]


def test_classnames_txt_may_have_tabs(pets):
    write(pets / "classnames.txt", "dog\tBorder Collie", "red_cat\ttabby")
    assert load_dataset(str(pets)).classnames == ["Border Collie", "tabby"]


# --- what is left out


def test_pictures_of_all_ordinary_kinds_are_counted(tmp_path):
    suffixes = [".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".gif", ".webp", ".avif", ".jp2"]
    suffixes += [".pgm", ".ppm", ".pbm", ".tif", ".tiff", ".JFIF", ".Png"]
    touch(tmp_path, *(f"{name}/{i}{suffix}" for name in "ab" for i, suffix in enumerate(suffixes)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = load_dataset(str(tmp_path))
    assert len(dataset.train + dataset.val + dataset.test) == 2 * len(suffixes)


def test_what_is_left_out_is_counted_in_one_note_with_its_suffixes(tmp_path):
    paths = [f"train/a/{i}.HEIC" for i in range(20)] + [
        "test/b/1.heic",
        "train/b/1.txt",
        "train/b/x",
    ]
    touch(tmp_path, *paths, "train/0.jpg", "train/a/deep/1.jpg")
    tree(tmp_path, train=TWO, test=TWO)
    with pytest.warns(UserWarning) as caught:
        dataset = load_dataset(str(tmp_path))
    assert len(dataset.train) == 2 and len(caught) == 1
    assert notes(caught)[0].startswith(
        f"Left out in {tmp_path}: 21 files .heic, 1 picture outside the class folders, "
        "1 folder inside a class folder, 1 file .txt, 1 file without a suffix. To use them, "
    )
    assert "convert .heic and .heif to .jpg (on a Mac: `sips" in notes(caught)[0]
    assert "magick" in notes(caught)[0]


def test_many_kinds_of_files_are_abridged(tmp_path):
    touch(tmp_path / "train", *(f"a/1.{i}x" for i in range(12)))
    tree(tmp_path, train=TWO, test=TWO)
    with pytest.warns(UserWarning, match=", 4 more kinds of files"):
        load_dataset(str(tmp_path))


def test_hidden_files_and_what_systems_leave_behind_are_left_out_without_a_word(tmp_path):
    litter = ["a/._1.jpg", "a/.x.jpg", "a/.DS_Store", "a/Thumbs.db", "a/desktop.ini", ".git/x.jpg"]
    litter += ["__MACOSX/a/._1.jpg", "a/@eaDir/1.jpg", "a/.ipynb_checkpoints/1.jpg", "._2.jpg"]
    for part in ("train", "test"):
        touch(tmp_path / part, *TWO, *litter)
    touch(tmp_path, "__MACOSX/train/._a", ".DS_Store")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = load_dataset(str(tmp_path))
    assert short(dataset.train, tmp_path / "train") == [("a/1.jpg", 0), ("b/1.jpg", 1)]
    assert len(dataset.test) == 2


def test_a_class_that_holds_only_foreign_files_is_refused_after_the_note(tmp_path):
    touch(tmp_path, "a/1.jpg", "a/2.jpg", "b/1.heic", "b/2.heic")
    with pytest.warns(UserWarning, match="2 files .heic"):
        assert "b holds 0 pictures" in refusal(tmp_path)


def test_a_class_folder_that_cannot_be_read_is_refused_and_not_left_out(tmp_path, monkeypatch):
    touch(tmp_path, *(f"{name}/{i}.jpg" for name in "ab" for i in (1, 2)))
    scandir = os.scandir

    def refusing(path):
        if os.path.basename(path) == "b":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert f"The folder {tmp_path / 'b'} cannot be read (Permission denied)" in refusal(tmp_path)


def test_control_characters_of_names_are_shown_escaped(tmp_path):
    bad = "\x1b[31mred\n\x07\u202e"
    try:
        touch(tmp_path / bad, "a/1.jpg", "a/2.jpg", f"{bad}/1.jpg")
    except OSError:
        pytest.skip("this file system does not take such names")
    message = refusal(tmp_path / bad)
    assert message.isprintable() and "x1b[31mred" in message and "u202e" in message
    touch(tmp_path / bad, f"{bad}/1{bad}.jpg", f"{bad}/1.x{bad}")
    with pytest.warns(UserWarning) as caught:
        dataset = load_dataset(str(tmp_path / bad))
    assert (
        notes(caught)[0].isprintable() and r"1 file .x\x1b[31mred\n\x07\u202e" in notes(caught)[0]
    )
    assert dataset.classnames[0] == bad
