"""The miniature world: deterministic, and with the classes, splits and captions that it promises."""

import random

import numpy as np
import pytest

from clip_min.data import load_dataset
from clip_min.world import benchmarks
from clip_min.world.canvas import COLOURS, SIZE
from clip_min.world.captions import NAMES, WRONG_NAME, caption, look_alike, web_picture
from clip_min.world.drawing import FILTERS, KINDS, USUAL_COLOUR, Style, draw

FACTS = dict(kind="objects", name="apple", colour="red", number=1, size=None, place=None, background=None, filters=[])


@pytest.mark.parametrize("kind, name", NAMES)
def test_every_thing_is_drawn_inside_its_box_and_the_same_way_from_the_same_seed(kind, name):
    first, facts = draw(kind, name, Style(), random.Random(3))
    again, _ = draw(kind, name, Style(), random.Random(3))
    other, _ = draw(kind, name, Style(), random.Random(4))
    assert first.size == (SIZE, SIZE) and first.mode == "RGB"
    assert first.tobytes() == again.tobytes() and first.tobytes() != other.tobytes()
    assert facts["kind"] == kind and facts["name"] == name


@pytest.mark.parametrize("name", FILTERS)
def test_every_filter_changes_a_picture_and_keeps_its_size(name):
    plain, _ = draw("objects", "apple", Style(), random.Random(0))
    filtered, _ = draw("objects", "apple", Style(filters=((name, 1.0),)), random.Random(0))
    assert filtered.size == plain.size and filtered.mode == "RGB"
    assert np.abs(np.asarray(filtered, int) - np.asarray(plain, int)).mean() > 1


@pytest.mark.parametrize("name", benchmarks.NAMES)
def test_each_benchmark_has_its_classes_and_at_least_sixty_test_pictures_of_each(name):
    dataset = load_dataset(name)
    assert 12 <= len(dataset.classnames) <= 30 and dataset.templates[0].count("{}") == 1
    counts = np.bincount([item.label for item in dataset.test])
    assert len(counts) == len(dataset.classnames) and counts.min() >= 60
    shifted = name.startswith("toy-objects-")
    assert bool(dataset.train) == bool(dataset.val) == (not shifted)


def test_the_splits_share_no_picture():
    dataset = load_dataset("toy-flowers")
    paths = [{item.path for item in items} for items in (dataset.train, dataset.val, dataset.test)]
    assert not (paths[0] & paths[1] or paths[0] & paths[2] or paths[1] & paths[2])
    drawn = [benchmarks.draw(f"toy-flowers/{split}/rose/0").tobytes() for split in ("train", "val", "test")]
    assert len(set(drawn)) == 3


def test_shifted_versions_have_the_classes_of_the_source():
    source = load_dataset("toy-objects").classnames
    assert all(load_dataset(n).classnames == source for n in benchmarks.NAMES if n.startswith("toy-objects-"))


def test_a_web_picture_is_a_function_of_its_number():
    assert web_picture(0, 5)[0].tobytes() == web_picture(0, 5)[0].tobytes() != web_picture(0, 6)[0].tobytes()


def test_captions_are_right_about_colours_and_wrong_about_names_as_often_as_stated():
    rng = random.Random(0)
    captions = [caption(FACTS, rng) for _ in range(4000)]
    right = sum("apple" in text for text in captions) / len(captions)
    assert abs(right - (1 - WRONG_NAME["objects"])) < 0.03
    told = [word for text in captions for word in text.split() if word in COLOURS]
    assert set(told) == {"red"} and 0.4 < len(told) / len(captions) < 0.7


def test_captions_are_right_about_numbers():
    rng = random.Random(1)
    texts = [caption(FACTS | {"number": 3}, rng).split() for _ in range(300)]
    assert not any({"one", "two"} & set(text) for text in texts) and any("three" in text for text in texts)


def test_look_alikes_are_other_names_of_the_same_kind():
    rng = random.Random(2)
    for kind, name in NAMES:
        other = look_alike(kind, name, rng)
        assert other != name and other in KINDS[kind].NAMES


def test_usual_colours_are_those_of_things_that_exist():
    every_name = {name for _, name in NAMES}
    assert set(USUAL_COLOUR) <= every_name and set(USUAL_COLOUR.values()) <= set(COLOURS)
