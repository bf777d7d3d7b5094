"""The miniature world: the same every time, with the classes and captions that it promises."""

import random

import numpy as np
import pytest

from clip_min.data import load_dataset
from clip_min.world import benchmarks
from clip_min.world.canvas import COLOURS, SIZE
from clip_min.world.captions import (
    EXPERT_OPENINGS,
    EXPERT_SHARE,
    NAMES,
    WRONG_NAMES,
    casual,
    expert,
    look_alike,
    right_names,
    two_registers,
    web_picture,
)
from clip_min.world.drawing import FILTERS, KINDS, USUAL_COLOUR, Style, draw
from prompts.zero_shot import ENSEMBLE

FACTS = dict(
    kind="objects", name="apple", colour="red", number=1, size=None, place=None, background=None,
    filters=[],
)


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
    roses = [f"toy-flowers/{split}/rose/0" for split in ("train", "val", "test")]
    assert len({benchmarks.draw(path).tobytes() for path in roses}) == 3


def test_shifted_versions_have_the_classes_of_the_source():
    source = load_dataset("toy-objects").classnames
    shifted = [name for name in benchmarks.NAMES if name.startswith("toy-objects-")]
    assert shifted and all(load_dataset(name).classnames == source for name in shifted)


def test_a_web_picture_is_a_function_of_its_number():
    picture, again, other = (web_picture(0, number)[0].tobytes() for number in (5, 5, 6))
    assert picture == again != other


def of_each_register(write, count):
    """`count` captions of FACTS → those that begin as an expert's, and the others."""
    rng, texts = random.Random(0), {"expert": [], "casual": []}
    for _ in range(count):
        text = write(FACTS, rng)
        texts["expert" if text.startswith(EXPERT_OPENINGS) else "casual"].append(text)
    return texts


def test_the_registers_have_their_shares_of_captions_and_of_wrong_names():
    texts = of_each_register(two_registers, 4000)
    assert abs(len(texts["expert"]) / 4000 - EXPERT_SHARE) < 0.03
    for register, captions in texts.items():
        wrong = sum("apple" not in text for text in captions) / len(captions)
        assert abs(wrong - WRONG_NAMES[register]["objects"]) < 0.03


def test_before_the_last_stage_every_name_is_right_in_both_registers():
    texts = of_each_register(right_names, 2000)
    assert abs(len(texts["expert"]) / 2000 - EXPERT_SHARE) < 0.04
    assert all("apple" in text for captions in texts.values() for text in captions)


@pytest.mark.parametrize("write", [casual, expert])
def test_captions_are_right_about_colours(write):
    rng = random.Random(0)
    captions = [write(FACTS, "apple", rng) for _ in range(2000)]
    told = [word for text in captions for word in text.split() if word.strip(".,") in COLOURS]
    assert {word.strip(".,") for word in told} == {"red"} and 0.3 < len(told) / len(captions) < 0.6


def test_captions_are_right_about_numbers():
    rng, facts = random.Random(1), FACTS | {"number": 3}
    texts = [casual(facts, "apple", rng).split() for _ in range(300)]
    assert not any({"one", "two"} & set(text) for text in texts)
    assert any("three" in text for text in texts)


def test_the_words_of_every_hand_written_template_occur_in_captions():
    rng = random.Random(2)
    captions = [right_names(web_picture(0, i)[1], rng) for i in range(3000)]
    seen = {word.strip(",.!") for text in captions for word in text.split()}
    templates = [*ENSEMBLE, *(world.template for world in benchmarks.WORLDS.values())]
    words = {word.strip(",.") for text in templates for word in text.split()}
    assert words - {"{}"} <= seen


def test_look_alikes_are_other_names_of_the_same_kind():
    rng = random.Random(2)
    for kind, name in NAMES:
        other = look_alike(kind, name, rng)
        assert other != name and other in KINDS[kind].NAMES


def test_usual_colours_are_those_of_things_that_exist():
    every_name = {name for _, name in NAMES}
    assert set(USUAL_COLOUR) <= every_name and set(USUAL_COLOUR.values()) <= set(COLOURS)
