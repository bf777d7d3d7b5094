"""Folders of one's own as data sets, and what is left out in them."""

import os

import pytest

from clip_min.data import load_dataset
from tests.reliability.data_helpers import refusal, short, touch, write


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
