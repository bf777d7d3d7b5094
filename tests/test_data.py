"""Data sets: split files, CoOp's few-shot samples, base and new classes, digests, PictureSet."""

import dataclasses
import doctest
import json
import ntpath
import os
import random
import time
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from clip_min.data import (
    BENCHMARKS,
    ELEVEN,
    SHIFTED,
    Dataset,
    Item,
    PictureSet,
    check_template,
    few_shot,
    load_dataset,
    open_picture,
    same_names,
    split_classes,
)
from clip_min.data import datasets as data
from clip_min.data import pictures as pictures_file
from clip_min.preprocess import Preprocess, preprocess, read_picture
from clip_min.prompting.recipe import Recipe
from clip_min.world import benchmarks

CROPS = Recipe(0.1, {1: 1}, 1)
HERE = os.path.dirname(os.path.abspath(__file__))
REAL_ROOT = os.environ.get("CLIP_MIN_DATA") or os.path.join(
    HERE, "..", "..", "shared", "data"
)
needs_eurosat = pytest.mark.skipif(
    not os.path.isfile(os.path.join(REAL_ROOT, "eurosat", "split_zhou_EuroSAT.json")),
    reason="EuroSAT is not there: set CLIP_MIN_DATA to the folder that holds eurosat/",
)


def golden(name):
    with open(os.path.join(HERE, "golden", name)) as file:
        return json.load(file)


def synthetic(train_labels, val_labels=(), classes=None, name="synthetic"):
    """A Dataset without files: the path of an item is its index."""
    classes = classes or max([*train_labels, *val_labels]) + 1
    train = [Item(str(index), label) for index, label in enumerate(train_labels)]
    val = [Item(str(index), label) for index, label in enumerate(val_labels)]
    return Dataset(
        name, [f"class {label}" for label in range(classes)], ["a {}."], train, val, train
    )


def rows_of(*labels):
    """Rows of a split file with one picture per label."""
    return [[f"{label}/{index}.png", label, f"name {label}"] for index, label in enumerate(labels)]


def write_eurosat(root, parts, pictures=True):
    """A root folder that holds a small "eurosat" with these rows -> the path of its split file."""
    images = root / "eurosat" / "2750"
    images.mkdir(parents=True)
    if pictures:
        for path, label, _ in [row for rows in parts.values() for row in rows]:
            (images / path.lstrip("/")).parent.mkdir(exist_ok=True)
            Image.new("RGB", (8, 8), (40 * label,) * 3).save(images / path.lstrip("/"))
    split_file = root / "eurosat" / "split_zhou_EuroSAT.json"
    split_file.write_text(json.dumps(parts))
    return split_file


def refusal(root, name="eurosat"):
    """The message of the ValueError that loading raises: one sentence."""
    with pytest.raises(ValueError) as caught:
        load_dataset(name, root)
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message
    return message


GOOD = {"train": rows_of(0, 1, 1), "val": rows_of(0, 1), "test": rows_of(1, 0)}


# --- loading


def test_a_small_benchmark_is_loaded_as_its_split_file_says(tmp_path):
    write_eurosat(tmp_path, GOOD)
    dataset = load_dataset("eurosat", tmp_path)
    assert dataset.name == "eurosat" and dataset.classnames == ["name 0", "name 1"]
    assert dataset.templates == ["a centered satellite photo of {}."]
    assert [item.label for item in dataset.test] == [1, 0]
    assert dataset.train[2] == (str(tmp_path / "eurosat" / "2750" / "1" / "2.png"), 1)
    assert open_picture(dataset.train[2].path).getpixel((0, 0)) == (40, 40, 40)


def test_paths_are_absolute_though_the_root_is_relative(tmp_path, monkeypatch):
    write_eurosat(tmp_path / "toy-root", GOOD)  # must not be mistaken for a miniature set's path
    monkeypatch.chdir(tmp_path)
    dataset = load_dataset("eurosat", "toy-root")
    assert os.path.isabs(dataset.train[0].path)
    assert open_picture(dataset.train[0].path).size == (8, 8)


def test_a_path_with_a_leading_slash_is_read_inside_the_picture_folder(tmp_path):
    parts = {"train": [["/a/1.png", 0, "a"], ["/b/1.png", 1, "b"]], "val": [], "test": []}
    write_eurosat(tmp_path, parts)
    assert load_dataset("eurosat", tmp_path).train[0].path == str(tmp_path / "eurosat/2750/a/1.png")


def test_every_benchmark_has_one_place_for_the_class_name():
    assert len(BENCHMARKS) == 15
    for benchmark in BENCHMARKS.values():
        assert benchmark.template.count("{}") == 1 and benchmark.template.endswith(".")
        assert benchmark.home.startswith("https://") and len(benchmark.pictures) == 3
    splits = [benchmark.split for benchmark in BENCHMARKS.values() if benchmark.split]
    assert len(splits) == 9
    assert all(split.startswith("split_zhou_") and split.endswith(".json") for split in splits)


def test_eleven_benchmarks_are_learned_on_and_four_shifted_ones_only_tested_on():
    assert ELEVEN[0] == "imagenet" and ELEVEN[-1] == "ucf101" and len(ELEVEN) == 11
    assert set(BENCHMARKS) - set(ELEVEN) == set(SHIFTED["imagenet"])
    assert all(BENCHMARKS[name].pictures[0] is None for name in SHIFTED["imagenet"])
    assert set(SHIFTED["toy-objects"]) <= set(benchmarks.NAMES)


def test_the_counts_are_those_of_coops_table_5():
    counts = [(benchmark.classes, *benchmark.pictures) for benchmark in BENCHMARKS.values()]
    assert [sum(row[i] or 0 for row in counts) for i in range(4)] == [
        4591,
        1_392_514,
        41_582,
        232_085,
    ]
    assert BENCHMARKS["imagenet"].pictures == (1_281_167, None, 50_000)


@pytest.mark.parametrize("name", ["eurosat", "toy-objects", "./eurosat/2750"])
def test_a_template_of_ones_own_replaces_the_hand_crafted_one(tmp_path, monkeypatch, name):
    write_eurosat(tmp_path, {**GOOD, "train": rows_of(0, 0, 0, 1, 1, 1)})
    monkeypatch.chdir(tmp_path)
    assert load_dataset(name, tmp_path, template="a {} from above.").templates == [
        "a {} from above."
    ]
    assert load_dataset(name, tmp_path).templates != ["a {} from above."]
    for template in ("", "a photo.", "{} or {}.", "a {} {x}.", "a {0}."):
        with pytest.raises(ValueError, match="for the class name once"):
            load_dataset(name, tmp_path, template=template)


def test_an_unknown_name_is_refused_with_the_nearest_and_all_names():
    message = refusal("anywhere", name="eurosatt")
    assert "Did you mean eurosat?" in message and "caltech101" in message


def test_a_miniature_set_needs_no_root_and_its_pictures_are_drawn():
    dataset = load_dataset("toy-objects")
    image = open_picture(dataset.test[0].path)
    assert dataset.test[0].path.startswith("toy-objects/test/") and image.mode == "RGB"
    assert "Did you mean toy-objects" in refusal(None, name="toy-object")


def test_a_benchmark_without_a_root_asks_for_it():
    assert "give --data-root" in refusal(None)


def test_a_missing_folder_is_named(tmp_path):
    assert f"{tmp_path / 'nowhere'} is not there" in refusal(tmp_path / "nowhere")
    assert f"{tmp_path / 'eurosat'} is not there" in refusal(tmp_path)
    (tmp_path / "eurosat").mkdir()
    assert f"{tmp_path / 'eurosat' / '2750'} is not there" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["oxford_pets", "stanford_cars", "flowers102"])
def test_a_missing_split_file_is_asked_for_where_class_folders_do_not_suffice(tmp_path, name):
    folder = tmp_path / BENCHMARKS[name].folder
    (folder / BENCHMARKS[name].images / "class").mkdir(parents=True)
    assert f"split file {folder / BENCHMARKS[name].split} is not there" in refusal(tmp_path, name)


@pytest.mark.parametrize("text", [b"", b'{"train": [', b"\xff\xfe\x00", b"[" * 100_000])
def test_a_split_file_that_is_no_json_is_refused(tmp_path, text):
    split_file = write_eurosat(tmp_path, GOOD)
    split_file.write_bytes(text)
    message = refusal(tmp_path)
    assert f"{split_file} is not readable as JSON" in message


@pytest.mark.parametrize(
    "parts, problem",
    [
        ([], 'must be an object with the lists "train", "val" and "test"'),
        ({"train": [], "val": []}, 'must be an object with the lists "train", "val" and "test"'),
        ({**GOOD, "val": {"a": 1}}, 'must be an object with the lists "train", "val" and "test"'),
        ({**GOOD, "val": [["a.png", 0]]}, "has ['a.png', 0] in 'val'"),
        ({**GOOD, "val": [["a.png", "0", "name 0"]]}, "has ['a.png', '0', 'name 0'] in 'val'"),
        ({**GOOD, "val": [["a.png", True, "name 1"]]}, "has ['a.png', True, 'name 1'] in 'val'"),
        ({**GOOD, "val": [["a.png", 0, ""]]}, "has ['a.png', 0, ''] in 'val'"),
        ({**GOOD, "val": ["abc"]}, "has 'abc' in 'val'"),
        (
            {**GOOD, "test": [["0/0.png", 0, "lake"]]},
            "gives label 0 two names, 'name 0' and 'lake'",
        ),
        ({**GOOD, "train": rows_of(0, 1, 3)}, "label 3 is there, but label 2 is not"),
        ({**GOOD, "train": rows_of(0, 1, -1)}, "label -1 is negative"),
        ({"train": rows_of(0, 0), "val": [], "test": []}, "needs at least two classes, not 1"),
        ({"train": [], "val": [], "test": []}, "needs at least two classes, not 0"),
        ({**GOOD, "test": [["../../secret.png", 0, "name 0"]]}, "leaves the picture folder"),
        ({**GOOD, "test": [["0\\..\\secret.png", 0, "name 0"]]}, "leaves the picture folder"),
        ({**GOOD, "test": [["C:/secret.png", 0, "name 0"]]}, "leaves the picture folder"),
    ],
)
def test_a_split_file_that_contradicts_itself_is_refused(tmp_path, parts, problem):
    split_file = write_eurosat(tmp_path, parts, pictures=False)
    message = refusal(tmp_path)
    assert str(split_file) in message and problem in message


@pytest.mark.parametrize(
    "row, problem",
    [
        (["a.png", 0, " _ "], "give its class a name"),
        (["a.png", 0, "\ud800"], "its class name is not UTF-8"),
        (["", 0, "name 0"], "its path names no file"),
        (["/", 0, "name 0"], "its path names no file"),
        (["a\0.png", 0, "name 0"], "its path names no file"),
        (["\\secret.png", 0, "name 0"], "leaves the picture folder"),
        (["/\\secret.png", 0, "name 0"], "leaves the picture folder"),
        (["\\\\server\\share\\a.png", 0, "name 0"], "leaves the picture folder"),
        (["a/b/../../../c.png", 0, "name 0"], "leaves the picture folder"),
        ([1, 0, "name 0"], "make it [path, label, class name]"),
        (["a.png", 0.0, "name 0"], "make it [path, label, class name]"),
        (["a.png", None, "name 0"], "make it [path, label, class name]"),
        (["a.png", 0, "name 0", 1], "make it [path, label, class name]"),
        ({"path": "a.png"}, "make it [path, label, class name]"),
        (None, "make it [path, label, class name]"),
        (["a.png", 10**300, "name"], "numbers its 3 classes not from 0 upwards"),
        (["0/0.png", 1, "name 1"], "gives the picture '0/0.png' two labels, 0 and 1"),
    ],
)
def test_an_odd_row_of_a_split_file_is_one_sentence(tmp_path, row, problem):
    split_file = write_eurosat(tmp_path, {**GOOD, "val": [row]}, pictures=False)
    assert problem in refusal(tmp_path) and str(split_file) in refusal(tmp_path)


def test_a_row_of_a_million_characters_is_abridged(tmp_path):
    write_eurosat(tmp_path, {**GOOD, "val": [["a" * 1_000_000, "0", "a"]]}, pictures=False)
    assert len(refusal(tmp_path)) < 1000


def test_control_characters_in_a_split_file_are_shown_escaped(tmp_path):
    bad = "\x1b[31mred\r"
    rows = {**GOOD, "test": [["0/0.png", 0, bad]]}
    split_file = write_eurosat(tmp_path, rows, pictures=False)
    assert refusal(tmp_path).isprintable()
    split_file.write_text(json.dumps({**GOOD, "test": [[f"0/{bad}.png", 0, "name 0"]]}))
    assert refusal(tmp_path).isprintable() and r"\x1b[31mred\r.png" in refusal(tmp_path)


def test_a_test_picture_that_is_in_train_too_brings_one_note(tmp_path):
    write_eurosat(tmp_path, {**GOOD, "test": [["0/0.png", 0, "name 0"], ["1/9.png", 1, "name 1"]]})
    with pytest.warns(
        UserWarning, match="has 1 test pictures that are in train or val, too"
    ) as caught:
        load_dataset("eurosat", tmp_path)
    assert len(caught) == 1


def test_a_split_file_may_begin_with_a_byte_order_mark(tmp_path):
    split_file = write_eurosat(tmp_path, GOOD)
    split_file.write_text(json.dumps(GOOD), encoding="utf-8-sig")
    assert load_dataset("eurosat", tmp_path).classnames == ["name 0", "name 1"]


@pytest.mark.parametrize(
    "template",
    [
        "",
        "a photo.",
        "{} {}",
        "{}{}",
        "{{}}",
        "a {name}.",
        "a {0}.",
        "{} }",
        "{ {}",
        "{{}} {}",
        None,
        3,
    ],
)
def test_a_template_without_exactly_one_place_for_the_name_is_refused_by_one_function(template):
    with pytest.raises(ValueError) as caught:
        check_template(template)
    assert str(caught.value).startswith(f"The template {template!r} must hold")
    assert str(caught.value).endswith('as in "a photo of a {}."') and "\n" not in str(caught.value)


def test_names_that_clip_reads_alike_are_found():
    assert same_names(["a", "b", "A ", "b_"]) == [["a", "A "], ["b", "b_"]]
    assert same_names(["crane", "cranes"]) == []


def test_two_labels_may_share_a_name(tmp_path):
    parts = {"train": [["a/1.png", 0, "crane"], ["b/1.png", 1, "crane"]], "val": [], "test": []}
    write_eurosat(tmp_path, parts)
    assert load_dataset("eurosat", tmp_path).classnames == ["crane", "crane"]


def test_missing_pictures_are_counted_and_named(tmp_path):
    split_file = write_eurosat(tmp_path, GOOD)
    images = tmp_path / "eurosat" / "2750"
    (images / "1" / "2.png").unlink()
    (images / "1" / "2.png").mkdir()  # a folder is no picture
    (images / "0" / "1.png").unlink()  # of the test list
    message = refusal(tmp_path)
    assert message.startswith(f"2 of the 7 pictures in {split_file} are not there")
    assert str(images / "1" / "2.png") in message and str(images / "0" / "1.png") in message
    assert "python -m clip_min.data" in message


def test_ten_missing_pictures_are_named(tmp_path):
    write_eurosat(
        tmp_path,
        {**GOOD, "val": [[f"0/gone {i:02}.png", 0, "name 0"] for i in range(12)]},
        pictures=False,
    )
    for row in GOOD["train"] + GOOD["test"]:
        (tmp_path / "eurosat/2750" / row[0]).parent.mkdir(exist_ok=True)
        (tmp_path / "eurosat/2750" / row[0]).touch()
    message = refusal(tmp_path)
    assert (
        message.startswith("12 of the 17 pictures")
        and sum(f"gone {i:02}.png" in message for i in range(12)) == 10
    )


# --- few shots


@pytest.mark.parametrize(
    "case",
    golden("protocol.json")["few_shot"]["cases"],
    ids=lambda case: f"{case['shots']} shots, seed {case['seed']}",
)
@pytest.mark.filterwarnings("ignore:synthetic")
def test_few_shots_are_those_of_the_published_sampler(case):
    labels = golden("protocol.json")["few_shot"]
    dataset = synthetic(labels["train_labels"], labels["val_labels"])
    train, val = few_shot(dataset, case["shots"], case["seed"])
    assert train == [dataset.train[index] for index in case["train_index"]]
    assert val == [dataset.val[index] for index in case["val_index"]]


def test_a_class_with_exactly_as_many_pictures_as_shots_is_still_drawn_in_random_order():
    dataset = synthetic(
        [0, 0, 0, 0, 1, 1, 1, 1]
    )  # the order matters: it decides the training batches
    stream = random.Random(3)
    expected = stream.sample(dataset.train[:4], 4) + stream.sample(dataset.train[4:], 4)
    assert few_shot(dataset, 4, seed=3)[0] == expected != dataset.train


def test_few_shots_neither_read_nor_move_the_global_random_numbers():
    dataset = synthetic([0, 1, 2] * 20)
    random.seed(7)
    expected = random.random()
    random.seed(7)
    first = few_shot(dataset, 2, seed=1)
    assert random.random() == expected
    assert first == few_shot(dataset, 2, seed=1) != few_shot(dataset, 2, seed=2)


@pytest.mark.parametrize("shots", [0, -1, 1.5, "4", None])
def test_shots_must_be_a_positive_whole_number(shots):
    with pytest.raises(ValueError, match="shots must be a whole number of at least 1"):
        few_shot(synthetic([0, 1]), shots, seed=1)


def test_a_class_with_too_few_pictures_gives_all_it_has_and_is_named():
    dataset = synthetic([0, 0, 0, 0, 1, 1], classes=3)
    small = r"fewer than 3 train pictures in class 1 \(2\), class 2 \(0\)"
    with pytest.warns(UserWarning, match=small) as caught:
        train, val = few_shot(dataset, 3, seed=1)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert [item.label for item in train] == [0, 0, 0, 1, 1] and val == []
    assert train[3:] == dataset.train[4:]


def test_a_set_without_training_pictures_is_refused():
    with pytest.raises(ValueError, match="synthetic has no training pictures"):
        few_shot(synthetic([], [0, 1]), 1, seed=1)


def test_enough_pictures_bring_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train, val = few_shot(synthetic([0, 1] * 16, [0, 1] * 4), 16, seed=1)
    assert len(train) == 32 and len(val) == 8


# --- base and new classes


def test_base_is_the_first_half_rounded_up_and_new_the_rest_from_zero():
    dataset = synthetic([0, 1, 2, 3, 4, 3], [4, 0])
    base, new = split_classes(dataset, "base"), split_classes(dataset, "new")
    assert base.classnames == ["class 0", "class 1", "class 2"] and new.classnames == [
        "class 3",
        "class 4",
    ]
    assert base.train == [("0", 0), ("1", 1), ("2", 2)] and base.val == [("1", 0)]
    assert new.train == [("3", 0), ("4", 1), ("5", 0)] and new.val == [("0", 1)]
    assert new.test == new.train and new.templates == dataset.templates
    assert split_classes(dataset, "all") == dataset
    assert len(dataset.classnames) == 5 and len(dataset.train) == 6  # left as it was


def test_few_shots_are_drawn_first_and_halved_afterwards():
    dataset = synthetic([3, 0, 1, 2] * 10, [0, 1, 2, 3] * 5)
    train, val = few_shot(dataset, 4, seed=2)
    base = split_classes(dataclasses.replace(dataset, train=train, val=val), "base")
    assert base.train == [item for item in train if item.label < 2] and len(base.train) == 8
    assert base.val == [item for item in val if item.label < 2]
    assert base.train != few_shot(split_classes(dataset, "base"), 4, seed=2)[0]


def test_another_word_than_base_new_or_all_is_refused():
    with pytest.raises(ValueError, match='must be "base", "new" or "all", not \'old\''):
        split_classes(synthetic([0, 1]), "old")


# --- the digest of a part


def test_a_digest_depends_on_names_templates_paths_labels_and_order_and_not_on_the_folder():
    items = [Item("/x/a/1.png", 0), Item("/x/b/1.png", 1)]
    dataset = Dataset("dtd", ["a", "b"], ["a {}."], [], [], items, folder="/x")
    digest = dataset.digest("test")
    moved = [Item("/y/z/a/1.png", 0), Item("/y/z/b/1.png", 1)]
    assert dataclasses.replace(dataset, test=moved, folder="/y/z").digest("test") == digest
    assert len(digest) == 12 and int(digest, 16) >= 0
    others = [
        dict(classnames=["a", "c"]),
        dict(classnames=["a b"]),
        dict(templates=["the {}."]),
        dict(test=items[::-1]),
        dict(test=items[:1]),
        dict(test=[Item("/x/a/1.png", 1), Item("/x/b/1.png", 1)]),
        dict(test=[Item("/x/a/2.png", 0), Item("/x/b/1.png", 1)]),
        dict(test=[Item("/x/a/1.png \n1 b/1.png", 0)]),
    ]
    digests = {dataclasses.replace(dataset, **other).digest("test") for other in others}
    assert len(digests | {digest}) == len(others) + 1
    assert dataset.digest("train") != digest


def test_the_digest_of_a_folder_of_ones_own_sees_that_a_picture_was_changed_or_added(tmp_path):
    for path in ("train/a", "train/b", "test/a", "test/b"):
        (tmp_path / path).mkdir(parents=True)
        (tmp_path / path / "1.png").write_bytes(b"123")
    dataset = load_dataset(str(tmp_path))
    train, seen = dataset.digest("train"), {dataset.digest("test")}
    os.utime(tmp_path / "test/a/1.png", (1, 1))
    seen.add(dataset.digest("test"))
    assert dataset.digest("train") == train and len(seen) == 2
    (tmp_path / "test/a/1.png").write_bytes(b"1234")
    os.utime(tmp_path / "test/a/1.png", (1, 1))
    seen.add(dataset.digest("test"))
    (tmp_path / "test/a/2.png").write_bytes(b"1234")
    seen.add(load_dataset(str(tmp_path)).digest("test"))
    assert len(seen) == 4
    (tmp_path / "test/a/1.png").unlink()
    with pytest.raises(ValueError, match="1.png: No such file or directory"):
        dataset.digest("test")


def test_a_benchmarks_digest_opens_no_file_and_a_root_may_be_moved(tmp_path):
    write_eurosat(tmp_path / "here", GOOD)
    dataset = load_dataset("eurosat", tmp_path / "here")
    digest = dataset.digest("train")
    (tmp_path / "here").rename(tmp_path / "there")
    assert dataset.digest("train") == digest
    assert load_dataset("eurosat", tmp_path / "there").digest("train") == digest
    base = split_classes(dataset, "base")
    assert base.digest("train") != digest


def test_a_digest_is_the_same_on_windows(monkeypatch):
    rows = [("Forest/1.jpg", 0), ("River/1.jpg", 1)]
    here = [Item(f"/data/eurosat/2750/{path}", label) for path, label in rows]
    there = [Item(f"C:\\data\\eurosat\\2750\\{path}", label) for path, label in rows]
    one = Dataset("eurosat", ["a", "b"], ["{}."], [], [], here, folder="/data/eurosat")
    other = dataclasses.replace(one, test=there, folder="C:\\data\\eurosat")
    digest = one.digest("test")
    with monkeypatch.context() as patch:
        patch.setattr(os, "path", ntpath)
        patch.setattr(os, "sep", "\\")
        on_windows = other.digest("test")
    assert on_windows == digest


def test_the_digest_of_a_miniature_set_changes_with_the_code_that_draws_it(monkeypatch):
    dataset = load_dataset("toy-objects")
    before = dataset.digest("test")
    assert load_dataset("toy-objects").digest("test") == before
    monkeypatch.setattr(data, "drawing_code", lambda: "another")
    assert dataset.digest("test") != before
    assert len({dataset.digest("test"), load_dataset("toy-flowers").digest("test")}) == 2


def test_a_long_list_has_its_digest_in_little_time():
    items = [Item(f"/data/imagenet/images/{i % 1000}/{i}.JPEG", i % 1000) for i in range(128_000)]
    names = [f"class {i}" for i in range(1000)]
    dataset = Dataset("imagenet", names, ["a {}."], items, [], items, folder="/data/imagenet")
    start = time.process_time()
    dataset.digest("test")  # a tenth of ImageNet's training list
    assert time.process_time() - start < 2  # seconds; 0.1 measured


# --- pictures


@pytest.fixture
def items(tmp_path):
    """Three grainy pictures of 20 x 30 pixels, labelled 0, 1, 2."""
    grain = np.random.RandomState(0)
    found = []
    for label in range(3):
        path = str(tmp_path / f"{label}.png")
        Image.fromarray(grain.randint(0, 256, (30, 20, 3)).astype(np.uint8)).save(path)
        found.append(Item(path, label))
    return found


def test_a_picture_set_gives_preprocessed_pictures_and_labels(items):
    pictures = PictureSet(items, Preprocess(16))
    assert len(pictures) == 3
    for (tensor, label), item in zip(pictures, items):
        assert label == item.label and torch.equal(tensor, preprocess(read_picture(item.path), 16))
    images, labels = next(iter(torch.utils.data.DataLoader(pictures, batch_size=3)))
    assert images.shape == (3, 3, 16, 16) and labels.tolist() == [0, 1, 2]


def test_augmentation_is_fixed_by_seed_epoch_and_index(items):
    same = [items[0]] * 2
    first = PictureSet(same, Preprocess(16), CROPS, seed=1)
    again = PictureSet(same, Preprocess(16), CROPS, seed=1)
    assert torch.equal(first[1][0], again[1][0]) and torch.equal(first[1][0], first[1][0])
    assert not torch.equal(first[0][0], first[1][0])  # index
    assert not torch.equal(
        first[0][0], PictureSet(same, Preprocess(16), CROPS, seed=2)[0][0]
    )  # seed
    again.set_epoch(1)
    assert not torch.equal(first[0][0], again[0][0])  # epoch


def test_scale_and_flip_reach_the_augmentation(items):
    square = Image.open(items[0].path).resize((20, 20))
    square.save(items[0].path)
    pictures = PictureSet(
        items, Preprocess(20), Recipe(0.1, {1: 1}, 1, crop_scale=(1.0, 1.0), flip=False)
    )
    for epoch in range(5):  # the whole square: nothing else fits, as a middle crop at the latest
        pictures.set_epoch(epoch)
        assert torch.equal(pictures[0][0], preprocess(square, 20))


def test_a_worker_process_gives_the_same_augmentation(items):
    pictures = PictureSet(items, Preprocess(16), CROPS, seed=3)
    pictures.set_epoch(2)
    for images, _ in torch.utils.data.DataLoader(pictures, batch_size=3, num_workers=1):
        assert torch.equal(images, torch.stack([pictures[index][0] for index in range(3)]))


def test_kept_pictures_are_opened_once_and_within_the_limit(items, monkeypatch):
    opened = []
    monkeypatch.setattr(
        pictures_file, "read_picture", lambda path: opened.append(path) or read_picture(path)
    )
    monkeypatch.setattr(pictures_file, "KEEP_BYTES", 2 * 3 * 20 * 30)  # room for two of the three
    pictures = PictureSet(items, Preprocess(16), CROPS)
    first = [tensor for tensor, _ in pictures]
    assert len(opened) == 3
    assert all(torch.equal(tensor, kept) for tensor, (kept, _) in zip(first, pictures))
    assert opened[3:] == [items[2].path]


# --- the real EuroSAT


@pytest.fixture(scope="module")
def eurosat():
    return load_dataset("eurosat", REAL_ROOT)


@needs_eurosat
def test_eurosat_has_the_sizes_of_coops_table_5(eurosat):
    assert (len(eurosat.train), len(eurosat.val), len(eurosat.test)) == (13_500, 5_400, 8_100)
    assert len(eurosat.classnames) == 10 and eurosat.classnames[9] == "Sea or Lake"


@needs_eurosat
@pytest.mark.parametrize("case", golden("fewshot_eurosat.json")["cases"])
def test_few_shots_of_eurosat_are_the_published_ones(eurosat, case):
    shots, seed = (int(setting.split("=")[1]) for setting in case.split())
    expected = golden("fewshot_eurosat.json")["cases"][case]
    train, val = few_shot(eurosat, shots, seed)
    assert train == [eurosat.train[index] for index in expected["train"]]
    assert val == [eurosat.val[index] for index in expected["val"]]


@needs_eurosat
def test_eurosat_is_halved_into_five_and_five_classes_and_its_pictures_open(eurosat):
    base, new = split_classes(eurosat, "base"), split_classes(eurosat, "new")
    assert base.classnames[-1] == "Industrial Buildings" and new.classnames[0] == "Pasture Land"
    assert len(base.test) + len(new.test) == 8_100
    tensor, label = PictureSet(new.test, Preprocess(32))[0]
    assert tensor.shape == (3, 32, 32) and label == 0 and "Pasture" in new.test[0].path


def test_the_docstring_examples_hold():
    result = doctest.testmod(data)
    assert result.attempted > 0 and result.failed == 0
