"""The right pictures with the right labels: benchmarks, own folders, few shots, base and new.

What is missing or contradicts itself is refused in one sentence; what is left out is said once.
"""

import collections
import dataclasses
import json
import ntpath
import os
import random
import subprocess
import sys
import time
from pathlib import Path, PureWindowsPath

import numpy as np
import pytest
import torch
from PIL import Image

from clip_min.data import (BENCHMARKS, ELEVEN, SHIFTED, Dataset, Item, PictureSet, check_template,
                           few_shot, load_dataset, open_picture, same_names, split_classes)
from clip_min.data import datasets, folders, pictures, splits
from clip_min.data.layouts import read_benchmark
from clip_min.preprocess import Preprocess, preprocess, read_picture
from clip_min.prompting.recipe import Recipe
from clip_min.world import benchmarks
from prompts.runs.job import expand
from tests.data_helpers import (ROWS, noting, refusal, short, silent, touch, tree, write,
                                write_eurosat)

CROPS = Recipe(0.1, {1: 1}, 1)
ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
REAL_ROOT = Path(os.environ.get("CLIP_MIN_DATA") or SHARED / "data")
needs_eurosat = pytest.mark.skipif(
    not (REAL_ROOT / "eurosat" / "split_zhou_EuroSAT.json").is_file(),
    reason="EuroSAT is not there: set CLIP_MIN_DATA to the folder that holds eurosat/")


def golden(name):
    return json.loads((ROOT / "tests" / "golden" / name).read_text())


def synthetic(train_labels, val_labels=(), classes=None):
    """A Dataset without files: the path of an item is its index."""
    classes = classes or max([*train_labels, *val_labels]) + 1
    train = [Item(str(index), label) for index, label in enumerate(train_labels)]
    val = [Item(str(index), label) for index, label in enumerate(val_labels)]
    classnames = [f"class {label}" for label in range(classes)]
    return Dataset("synthetic", classnames, ["a {}."], train, val, train)


# --- few shots


@pytest.mark.filterwarnings("ignore:synthetic")
def test_few_shots_are_those_of_the_published_sampler():
    figures = golden("protocol.json")["few_shot"]
    dataset = synthetic(figures["train_labels"], figures["val_labels"])
    for case in figures["cases"]:
        train, val = few_shot(dataset, case["shots"], case["seed"])
        assert train == [dataset.train[index] for index in case["train_index"]], case
        assert val == [dataset.val[index] for index in case["val_index"]], case


@needs_eurosat
def test_the_real_eurosat_has_the_published_few_shots_and_the_sizes_of_table_5():
    eurosat = load_dataset("eurosat", REAL_ROOT)
    assert (len(eurosat.train), len(eurosat.val), len(eurosat.test)) == (13_500, 5_400, 8_100)
    assert len(eurosat.classnames) == 10 and eurosat.classnames[9] == "Sea or Lake"
    for case, expected in golden("fewshot_eurosat.json")["cases"].items():
        shots, seed = (int(setting.split("=")[1]) for setting in case.split())
        train, val = few_shot(eurosat, shots, seed)
        assert train == [eurosat.train[index] for index in expected["train"]], case
        assert val == [eurosat.val[index] for index in expected["val"]], case
    base, new = split_classes(eurosat, "base"), split_classes(eurosat, "new")
    assert base.classnames[-1] == "Industrial Buildings" and new.classnames[0] == "Pasture Land"
    assert len(base.test) + len(new.test) == 8_100
    tensor, label = PictureSet(new.test, Preprocess(32))[0]
    assert tensor.shape == (3, 32, 32) and label == 0 and "Pasture" in new.test[0].path


def test_a_class_with_exactly_as_many_pictures_as_shots_is_still_drawn_in_random_order():
    dataset = synthetic([0, 0, 0, 0, 1, 1, 1, 1])  # the order decides the training batches
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


def test_a_class_with_too_few_pictures_gives_all_it_has_and_is_named_once():
    dataset = synthetic([0, 0, 0, 0, 1, 1], classes=3)
    with noting() as notes:
        for seed in (2, 3, 1):  # and pictures are opened between: that resets Python's own memory
            train, val = few_shot(dataset, 3, seed)
    where = "synthetic: fewer than 3 train pictures in class 1 (2), class 2 (0)"
    assert notes == [f"{where}; all are used."]
    assert [item.label for item in train] == [0, 0, 0, 1, 1] and val == []
    assert train[3:] == dataset.train[4:]
    with silent():
        train, val = few_shot(synthetic([0, 1] * 16, [0, 1] * 4), 16, seed=1)
    assert len(train) == 32 and len(val) == 8


def test_shots_are_a_positive_whole_number_of_a_set_that_is_learned_on():
    for shots in (0, -1, 1.5, "4", None):
        with pytest.raises(ValueError, match="shots must be a whole number of at least 1"):
            few_shot(synthetic([0, 1]), shots, seed=1)
    with pytest.raises(ValueError, match="synthetic has no training pictures"):
        few_shot(synthetic([], [0, 1]), 1, seed=1)


# --- base and new classes


def test_base_is_the_first_half_rounded_up_and_new_the_rest_from_zero():
    dataset = synthetic([0, 1, 2, 3, 4, 3], [4, 0])
    base, new = split_classes(dataset, "base"), split_classes(dataset, "new")
    assert base.classnames == ["class 0", "class 1", "class 2"]
    assert new.classnames == ["class 3", "class 4"]
    assert base.train == [("0", 0), ("1", 1), ("2", 2)] and base.val == [("1", 0)]
    assert new.train == [("3", 0), ("4", 1), ("5", 0)] and new.val == [("0", 1)]
    assert new.test == new.train and new.templates == dataset.templates
    assert split_classes(dataset, "all") == dataset
    assert len(dataset.classnames) == 5 and len(dataset.train) == 6  # left as it was
    with pytest.raises(ValueError, match='must be "base", "new" or "all", not \'old\''):
        split_classes(dataset, "old")


def test_few_shots_are_drawn_first_and_halved_afterwards():
    dataset = synthetic([3, 0, 1, 2] * 10, [0, 1, 2, 3] * 5)
    train, val = few_shot(dataset, 4, seed=2)
    base = split_classes(dataclasses.replace(dataset, train=train, val=val), "base")
    assert base.train == [item for item in train if item.label < 2] and len(base.train) == 8
    assert base.val == [item for item in val if item.label < 2]
    assert base.train != few_shot(split_classes(dataset, "base"), 4, seed=2)[0]


# --- benchmarks with a split file


def test_a_small_benchmark_is_loaded_as_its_split_file_says(tmp_path, monkeypatch):
    rows = ROWS | {"train": [["/" + ROWS["train"][3][0], 1, "b"], *ROWS["train"][:3]]}
    split_file = write_eurosat(tmp_path / "toy-root", rows)  # not a miniature set's path
    monkeypatch.chdir(tmp_path)
    for root, encoding in ((tmp_path / "toy-root", "utf-8"), ("toy-root", "utf-8-sig")):
        split_file.write_text(json.dumps(rows), encoding=encoding)
        dataset = load_dataset("eurosat", root)
        assert dataset.name == "eurosat" and dataset.classnames == ["a", "b"]
        assert dataset.templates == ["a centered satellite photo of {}."]
        assert [item.label for item in dataset.test] == [0, 0, 1, 1] and not dataset.own_split
        path = tmp_path / "toy-root" / "eurosat" / "2750" / "b" / "train 1.jpg"
        assert dataset.train[0] == (str(path), 1)  # though its path begins with "/"
        assert open_picture(dataset.train[0].path).getpixel((0, 0)) == (40, 40, 40)


def test_the_table_of_benchmarks_is_coops_table_5():
    counts = [(benchmark.classes, *benchmark.pictures) for benchmark in BENCHMARKS.values()]
    sums = [sum(row[i] or 0 for row in counts) for i in range(4)]
    assert len(BENCHMARKS) == 15 and sums == [4591, 1_392_514, 41_582, 232_085]
    assert BENCHMARKS["imagenet"].pictures == (1_281_167, None, 50_000)
    assert ELEVEN[0] == "imagenet" and ELEVEN[-1] == "ucf101" and len(ELEVEN) == 11
    assert set(BENCHMARKS) - set(ELEVEN) == set(SHIFTED["imagenet"])
    assert all(BENCHMARKS[name].pictures[0] is None for name in SHIFTED["imagenet"])
    assert set(SHIFTED["toy-objects"]) <= set(benchmarks.NAMES)
    for benchmark in BENCHMARKS.values():
        assert benchmark.template.count("{}") == 1 and benchmark.template.endswith(".")
        assert benchmark.home.startswith("https://") and len(benchmark.pictures) == 3


def test_a_real_split_file_has_the_sizes_of_table_5_and_dtd_its_few_shots(tmp_path):
    if not (SHARED / "splits").is_dir():
        pytest.skip("CoOp's split files are not beside the repository")
    for name in ("dtd", "oxford_pets", "flowers102", "stanford_cars", "ucf101"):
        benchmark = BENCHMARKS[name]
        (tmp_path / benchmark.folder / benchmark.images).mkdir(parents=True)
        split_file = tmp_path / benchmark.folder / benchmark.split
        split_file.symlink_to(SHARED / "splits" / benchmark.split)
        classnames, parts, *_ = read_benchmark(name, tmp_path)
        assert len(classnames) == benchmark.classes
        assert tuple(len(parts[part]) for part in splits.PARTS) == benchmark.pictures
    for rows in json.loads((tmp_path / "dtd" / BENCHMARKS["dtd"].split).read_text()).values():
        touch(tmp_path / "dtd/images", *(path for path, _, _ in rows))
    dataset = load_dataset("dtd", tmp_path)
    train, val = few_shot(dataset, 16, seed=1)
    assert not dataset.own_split and len(train) == 16 * 47 and len(val) == 4 * 47
    assert set(collections.Counter(item.label for item in train).values()) == {16}
    assert set(train) <= set(dataset.train) and set(val) <= set(dataset.val)


def test_missing_roots_folders_lists_and_pictures_are_named(tmp_path):
    assert "give --data-root" in refusal("eurosat")
    assert f"{tmp_path / 'nowhere'} is not there" in refusal("eurosat", tmp_path / "nowhere")
    assert f"{tmp_path / 'eurosat'} is not there" in refusal("eurosat", tmp_path)
    (tmp_path / "eurosat").mkdir()
    assert f"{tmp_path / 'eurosat' / '2750'} is not there" in refusal("eurosat", tmp_path)
    for name in splits.WITHOUT_CLASS_FOLDERS:
        folder = tmp_path / BENCHMARKS[name].folder
        (folder / BENCHMARKS[name].images / "class").mkdir(parents=True)
        file = folder / BENCHMARKS[name].split
        assert f"split file {file} is not there" in refusal(name, tmp_path)
    split_file = write_eurosat(tmp_path)
    images = tmp_path / "eurosat" / "2750"
    (images / "a/val 1.jpg").unlink()
    (images / "b/test 1.jpg").unlink()
    (images / "b/test 1.jpg").mkdir()  # a folder is not a picture
    message = refusal("eurosat", tmp_path)
    assert message.startswith(f"2 of the 12 pictures in {split_file} are not there")
    assert str(images / "a/val 1.jpg") in message and str(images / "b/test 1.jpg") in message
    assert "python -m clip_min.data" in message
    for path in images.rglob("*.jpg"):
        path.rmdir() if path.is_dir() else path.unlink()
    assert refusal("eurosat", tmp_path).count(".jpg") == 10


def test_a_test_picture_that_is_in_train_too_brings_one_note_and_labels_may_share_a_name(tmp_path):
    rows = {"train": [["a/1.png", 0, "crane"], ["b/1.png", 1, "crane"]], "val": []}
    write_eurosat(tmp_path, {**rows, "test": [["a/1.png", 0, "crane"]]})
    with noting() as notes:
        assert load_dataset("eurosat", tmp_path).classnames == ["crane", "crane"]
    shared, alike = notes
    assert "has 1 test pictures that are in train or val, too, such as 'a/1.png'" in shared
    assert "the classes 'crane' and 'crane' have the same name" in alike


# --- names of data sets, and templates


def test_the_spellings_of_papers_and_of_coops_code_are_understood(tmp_path):
    meant = {"EuroSAT": "eurosat", "OxfordFlowers": "flowers102", "oxford_flowers": "flowers102",
             "Flowers102": "flowers102", "DescribableTextures": "dtd",
             "describable_textures": "dtd",
             "oxford-pets": "oxford_pets", "StanfordCars": "stanford_cars", "SUN397": "sun397",
             "caltech-101": "caltech101", "ImageNetV2": "imagenetv2", "Food-101": "food101",
             "ImageNet-Sketch": "imagenet_sketch", "FGVCAircraft": "fgvc_aircraft",
             "imagenet-a": "imagenet_a"}
    for name, key in meant.items():
        assert f"for {key}, give --data-root" in refusal(name, tmp_path)
        assert expand([name, "toy-objects"]) == (key, "toy-objects")
    near = {"oxford_flower": "flowers102", "toy_objects": "toy-objects", "Euro-SATs": "eurosat"}
    for name, key in near.items():
        assert f"Did you mean {key}?" in refusal(name) and "caltech101" in refusal(name)


def test_the_name_of_a_benchmark_is_the_benchmark_and_a_path_the_folder(tmp_path, monkeypatch):
    for folder in ("eurosat", "toy-mine", "UCF101"):
        tree(tmp_path / folder, "ab")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "give --data-root" in refusal("eurosat")
    for name in ("./eurosat", "~/eurosat", f"../{tmp_path.name}/eurosat/", tmp_path / "eurosat"):
        assert load_dataset(name).name == str(tmp_path / "eurosat")
    assert load_dataset("UCF101").folder == str(tmp_path / "UCF101")  # written otherwise
    assert load_dataset("toy-mine").train[0].path.startswith(str(tmp_path))


def test_a_miniature_set_needs_no_root_and_its_pictures_are_drawn():
    dataset = load_dataset("toy-objects")
    assert dataset.test[0].path.startswith("toy-objects/test/")
    assert open_picture(dataset.test[0].path).mode == "RGB"


def test_a_template_of_ones_own_has_one_place_for_the_name(tmp_path, monkeypatch):
    write_eurosat(tmp_path)
    monkeypatch.chdir(tmp_path)
    mine = "a {} from above."
    for name in ("eurosat", "toy-objects", "./eurosat/2750"):
        assert load_dataset(name, tmp_path, template=mine).templates == [mine]
        assert load_dataset(name, tmp_path).templates != [mine]
        with pytest.raises(ValueError, match="for the class name once"):
            load_dataset(name, tmp_path, template="{} or {}.")
    wrong = ["", "a photo.", "{} {}", "{}{}", "{{}}", "a {name}.", "a {0}.", "{} }", "{ {}"]
    for template in [*wrong, "{{}} {}", None, 3]:
        with pytest.raises(ValueError) as caught:
            check_template(template)
        assert str(caught.value).startswith(f"The template {template!r} must hold")
        assert str(caught.value).endswith('as in "a photo of a {}."')


def test_prompt_learning_loads_neither_data_nor_world():
    code = "import prompts.coop, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    loaded = done.stdout.split()
    assert "prompts.coop" in loaded
    assert not [name for name in loaded if name.startswith(("clip_min.data", "clip_min.world"))]


# --- the digest of a part


def test_a_digest_depends_on_all_that_a_result_does_and_not_on_where_the_data_lies(monkeypatch):
    items = [Item("/x/a/1.png", 0), Item("/x/b/1.png", 1)]
    dataset = Dataset("dtd", ["a", "b"], ["a {}."], [], [], items, folder="/x")
    digest = dataset.digest("test")
    moved = [Item("/y/z/a/1.png", 0), Item("/y/z/b/1.png", 1)]
    assert dataclasses.replace(dataset, test=moved, folder="/y/z").digest("test") == digest
    windows = [Item("C:\\x\\a\\1.png", 0), Item("C:\\x\\b\\1.png", 1)]
    with monkeypatch.context() as patch:
        patch.setattr(os, "path", ntpath)
        patch.setattr(os, "sep", "\\")
        there = dataclasses.replace(dataset, test=windows, folder="C:\\x").digest("test")
    assert there == digest and len(digest) == 12 and int(digest, 16) >= 0
    others = [
        dict(classnames=["a", "c"]), dict(classnames=["a b"]), dict(templates=["the {}."]),
        dict(test=items[::-1]), dict(test=items[:1]),
        dict(test=[Item("/x/a/1.png", 1), Item("/x/b/1.png", 1)]),
        dict(test=[Item("/x/a/2.png", 0), Item("/x/b/1.png", 1)]),
        dict(test=[Item("/x/a/1.png \n1 b/1.png", 0)]),
    ]
    digests = {dataclasses.replace(dataset, **other).digest("test") for other in others}
    assert len(digests | {digest}) == len(others) + 1
    assert dataset.digest("train") != digest


def test_the_digest_of_a_folder_of_ones_own_sees_every_change_of_a_picture(tmp_path):
    for path in ("train/a", "train/b", "test/a", "test/b"):
        (tmp_path / path).mkdir(parents=True)
        (tmp_path / path / "1.png").write_bytes(b"123")
        os.utime(tmp_path / path / "1.png", (1, 1))
    one, other, spare = (tmp_path / path for path in ("test/a/1.png", "test/b/1.png", "spare"))
    dataset = load_dataset(tmp_path)
    train, seen = dataset.digest("train"), [dataset.digest("test")]
    for source, target in ((one, spare), (other, one), (spare, other)):  # equal size and time
        source.rename(target)
    seen.append(dataset.digest("test"))
    before = one.stat()
    one.write_bytes(b"456")  # in place, and its time set back
    os.utime(one, (1, 1))
    assert one.stat().st_ino == before.st_ino and one.stat().st_mtime_ns == before.st_mtime_ns
    seen.append(dataset.digest("test"))
    one.write_bytes(b"4567")
    seen.append(dataset.digest("test"))
    (tmp_path / "test/a/2.png").write_bytes(b"1234")
    seen.append(load_dataset(tmp_path).digest("test"))
    assert dataset.digest("train") == train and len(set(seen)) == len(seen)
    one.unlink()
    with pytest.raises(ValueError, match="1.png: No such file or directory"):
        dataset.digest("test")


def test_files_are_told_apart_by_their_inode_alone(tmp_path, monkeypatch):
    """On a disk where an exchange of names changes no time."""
    status = collections.namedtuple("status", "st_size st_mtime_ns st_ctime_ns st_ino")
    monkeypatch.setattr(pictures.os, "stat", lambda path: status(3, 1, 1, len(path)))
    assert pictures.state_of_file("a.png") != pictures.state_of_file("bb.png")


def test_a_benchmarks_digest_opens_no_file_and_its_root_may_be_moved(tmp_path):
    write_eurosat(tmp_path / "here")
    dataset = load_dataset("eurosat", tmp_path / "here")
    digest = dataset.digest("train")
    (tmp_path / "here").rename(tmp_path / "there")
    assert dataset.digest("train") == digest
    assert load_dataset("eurosat", tmp_path / "there").digest("train") == digest
    assert split_classes(dataset, "base").digest("train") != digest


def test_the_digest_of_a_miniature_set_changes_with_the_code_that_draws_it(monkeypatch):
    dataset = load_dataset("toy-objects")
    before = dataset.digest("test")
    assert load_dataset("toy-objects").digest("test") == before
    assert load_dataset("toy-flowers").digest("test") != before
    monkeypatch.setattr(datasets, "drawing_code", lambda: "another")
    assert dataset.digest("test") != before


def test_a_long_list_has_its_digest_in_little_time():
    items = [Item(f"/data/imagenet/images/{i % 1000}/{i}.JPEG", i % 1000) for i in range(128_000)]
    classnames = [f"class {i}" for i in range(1000)]
    dataset = Dataset("imagenet", classnames, ["a {}."], [], [], items, folder="/data/imagenet")
    start = time.process_time()
    dataset.digest("test")  # a tenth of ImageNet's training list
    assert time.process_time() - start < 2  # seconds; 0.1 measured


# --- pictures as tensors


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
    found = PictureSet(items, Preprocess(16))
    assert len(found) == 3
    for (tensor, label), item in zip(found, items):
        assert label == item.label and torch.equal(tensor, preprocess(read_picture(item.path), 16))
    images, labels = next(iter(torch.utils.data.DataLoader(found, batch_size=3)))
    assert images.shape == (3, 3, 16, 16) and labels.tolist() == [0, 1, 2]


def test_augmentation_is_fixed_by_seed_epoch_and_index_also_in_a_worker(items):
    same = [items[0]] * 2
    first, again, other = (PictureSet(same, Preprocess(16), CROPS, seed) for seed in (1, 1, 2))
    assert torch.equal(first[1][0], again[1][0]) and torch.equal(first[1][0], first[1][0])
    assert not torch.equal(first[0][0], first[1][0])  # index
    assert not torch.equal(first[0][0], other[0][0])  # seed
    again.set_epoch(1)
    assert not torch.equal(first[0][0], again[0][0])  # epoch
    for images, _ in torch.utils.data.DataLoader(again, batch_size=2, num_workers=1):
        assert torch.equal(images, torch.stack([again[index][0] for index in range(2)]))


def test_scale_and_flip_reach_the_augmentation(items):
    square = Image.open(items[0].path).resize((20, 20))
    square.save(items[0].path)
    whole = Recipe(0.1, {1: 1}, 1, crop_scale=(1.0, 1.0), flip=False)
    found = PictureSet(items, Preprocess(20), whole)
    for epoch in range(5):  # the whole square: nothing else fits, as a middle crop at the latest
        found.set_epoch(epoch)
        assert torch.equal(found[0][0], preprocess(square, 20))


def test_kept_pictures_are_opened_once_and_within_the_limit(items, monkeypatch):
    opened = []
    read = lambda path: opened.append(path) or read_picture(path)  # noqa: E731
    monkeypatch.setattr(pictures, "read_picture", read)
    monkeypatch.setattr(pictures, "KEEP_BYTES", 2 * 3 * 20 * 30)  # room for two of the three
    found = PictureSet(items, Preprocess(16), CROPS)
    first = [tensor for tensor, _ in found]
    assert len(opened) == 3
    assert all(torch.equal(tensor, kept) for tensor, (kept, _) in zip(first, found))
    assert opened[3:] == [items[2].path]


# --- ImageNet and what it is shifted to


@pytest.fixture
def imagenet(tmp_path):
    """A root folder with an "imagenet" of three classes, two of which share a name."""
    write(tmp_path / "imagenet/classnames.txt", "n01 tench", "n02 crane", "n10 crane")
    images = tmp_path / "imagenet/images"
    for wnid in ("n10", "n01", "n02"):
        touch(images, *(f"train/{wnid}/{wnid}_{i}.JPEG" for i in (3, 1, 20)), f"val/{wnid}/v.JPEG")
    touch(images, "train/.DS_Store", "train/n01/._n01_1.JPEG", "train/n01/notes.txt", "README.txt")
    return tmp_path


def test_imagenet_is_read_from_sorted_folders_and_is_not_whole_with_three_classes(imagenet):
    with noting() as notes:
        dataset = load_dataset("imagenet", imagenet)
    assert dataset.classnames == ["tench", "crane", "crane"]
    assert dataset.templates == ["a photo of a {}."]
    assert short(dataset.train, imagenet / "imagenet/images/train")[:4] == [
        ("n01/n01_1.JPEG", 0), ("n01/n01_20.JPEG", 0), ("n01/n01_3.JPEG", 0), ("n02/n02_1.JPEG", 1)]
    assert short(dataset.test, imagenet / "imagenet/images/val") == [
        ("n01/v.JPEG", 0), ("n02/v.JPEG", 1), ("n10/v.JPEG", 2)]
    assert dataset.val == [] and not dataset.own_split
    left_out, not_whole, alike = notes
    assert left_out.endswith("imagenet/images: 1 file .txt.") and "the same name" in alike
    assert "imagenet is not whole (3 of 1000 classes)" in not_whole


@pytest.mark.filterwarnings("ignore")
def test_the_order_of_the_file_system_changes_neither_the_list_nor_the_sample(
    imagenet, monkeypatch
):
    class Shuffled(list):
        def __enter__(self):
            return self

        def __exit__(self, *problem):
            pass

        def __next__(self):
            if not self:
                raise StopIteration
            return self.pop()

        def __iter__(self):
            return self

    def shuffled(path):
        with scandir(path) as found:
            entries = Shuffled(list(found))
        random.shuffle(entries)
        return entries

    dataset, scandir = load_dataset("imagenet", imagenet), os.scandir
    for _ in range(3):
        with monkeypatch.context() as patch:
            patch.setattr(os, "scandir", shuffled)
            again = load_dataset("imagenet", imagenet)
        assert again == dataset and few_shot(again, 2, seed=1) == few_shot(dataset, 2, seed=1)


@pytest.mark.filterwarnings("ignore")
def test_half_copied_folders_and_wrong_lines_of_imagenet_are_refused(imagenet):
    images, names_file = imagenet / "imagenet/images", imagenet / "imagenet/classnames.txt"
    hidden = imagenet / "hidden"
    for part in ("train", "val"):
        (images / part / "n02").rename(hidden)
        message = refusal("imagenet", imagenet)
        assert "1 class folders, the first being n02 (missing, empty or unknown)" in message
        assert str(images / part) in message
        (images / part / "n02").mkdir()
        assert "n02 (missing, empty or unknown)" in refusal("imagenet", imagenet)
        (images / part / "n02").rmdir()
        hidden.rename(images / part / "n02")
    touch(images / "val", "n77/1.JPEG")
    assert "n77 (missing, empty or unknown)" in refusal("imagenet", imagenet)
    (images / "val").rename(hidden)
    assert f"{images / 'val'} is not there" in refusal("imagenet", imagenet)
    for lines in (["n01 tench", "n02", "n10 crane"], ["n01 tench", "n01 crane", "n10 crane"]):
        write(names_file, *lines)
        assert "classnames.txt has the line" in refusal("imagenet", imagenet)
    names_file.write_bytes(b"n01 caf\xe9\n")
    assert "classnames.txt cannot be read as a text in UTF-8" in refusal("imagenet", imagenet)
    names_file.unlink()
    message = refusal("imagenet", imagenet)
    assert f"{names_file} with ImageNet's class names is not" in message
    assert "--download imagenet" in message and "DATASETS.md" in message


@pytest.mark.filterwarnings("ignore")
def test_the_folders_of_imagenetv2_are_wordnet_ids_or_numbers_of_lines(tmp_path):
    write(tmp_path / "imagenet/classnames.txt", "n02 crane", "n10 dress", "n01 tench")
    images = tmp_path / "imagenetv2/imagenetv2-matched-frequency-format-val"
    for wnids in (("n01", "n02", "n10"), ("0", "1", "2"), ("000", "001", "002")):
        touch(images, *(f"{wnid}/1.jpeg" for wnid in wnids))
        lines = ["crane", "dress", "tench"] if "n01" not in wnids else ["tench", "crane", "dress"]
        assert load_dataset("imagenetv2", tmp_path).classnames == lines
        images.rename(tmp_path / wnids[0])
    write(tmp_path / "imagenet/classnames.txt", *(f"n{i:02} class {i}" for i in range(12)))
    touch(images, *(f"{i}/x.jpeg" for i in range(12)))
    dataset = load_dataset("imagenetv2", tmp_path)
    assert short(dataset.test, images) == [(f"{i}/x.jpeg", i) for i in range(12)]
    assert dataset.classnames[10] == "class 10" and dataset.train == dataset.val == []
    (images / "11/x.jpeg").unlink()
    assert "11 (missing" in refusal("imagenetv2", tmp_path)


@pytest.mark.filterwarnings("ignore")
def test_the_other_sets_shifted_from_imagenet_are_only_tested_on(tmp_path):
    write(tmp_path / "imagenet/classnames.txt", "n01 tench", "n02 crane", "n10 maillot")
    for name in ("imagenet_sketch", "imagenet_a", "imagenet_r"):
        folder = tmp_path / BENCHMARKS[name].folder
        images = folder / BENCHMARKS[name].images
        touch(images, "README.txt", ".x/y.jpg", "n10/b.jpg", "n01/c.JPEG", "n10/a.jpg")
        expected = ["n01/c.JPEG", "n10/a.jpg", "n10/b.jpg"]
        if name == "imagenet_sketch":  # has all classes; the other two have some of them
            assert "n02 (missing" in refusal(name, tmp_path)
            touch(images, "n02/d.JPEG")
            expected.insert(1, "n02/d.JPEG")
        dataset = load_dataset(name, tmp_path)
        assert [path for path, _ in short(dataset.test, images)] == expected
        assert dataset.train == dataset.val == [] and dataset.classnames[-1] == "maillot"
        assert dataset.test[-1].label == len(dataset.classnames) - 1
        write(folder / "classnames.txt", "n01 fish", "n02 bird", "n10 dress")
        assert load_dataset(name, tmp_path).classnames[0] == "fish"  # its own file comes first


@pytest.mark.filterwarnings("ignore")
def test_classnames_txt_is_found_where_people_put_it(imagenet):
    tree(imagenet / "imagenetv2/imagenetv2-matched-frequency-format-val", "012")
    last = "imagenet"
    for place, name in (("", "imagenet"), ("imagenet/images", "imagenet"),
                        ("imagenetv2", "imagenetv2")):
        (imagenet / last / "classnames.txt").rename(imagenet / place / "classnames.txt")
        assert load_dataset(name, imagenet).classnames == ["tench", "crane", "crane"]
        last = place


# --- FGVC-Aircraft


@pytest.mark.filterwarnings("ignore:fgvc_aircraft")
def test_aircraft_are_read_from_the_text_files_in_their_order(tmp_path):
    folder = tmp_path / "fgvc_aircraft"
    write(folder / "variants.txt", "707-320", "Cessna 172", "F/A-18")
    write(folder / "images_variant_train.txt", "0034309 F/A-18", "0034958 707-320")
    write(folder / "images_variant_val.txt", "0000001 Cessna 172")
    write(folder / "images_variant_test.txt", "0000002 Cessna 172")
    touch(folder / "images", "0034309.jpg", "0034958.jpg", "0000001.jpg", "0000002.jpg")
    dataset = load_dataset("fgvc_aircraft", tmp_path)
    assert dataset.classnames == ["707-320", "Cessna 172", "F/A-18"]
    assert short(dataset.train, folder / "images") == [("0034309.jpg", 2), ("0034958.jpg", 0)]
    assert [item.label for item in dataset.val + dataset.test] == [1, 1]
    (folder / "images/0000002.jpg").unlink()
    assert "1 of the 4 pictures" in refusal("fgvc_aircraft", tmp_path)
    wrong = ["../../secret 707-320", "/etc/x 707-320", "12 Concorde", "0034309", "٣ 707-320"]
    for line in wrong:
        write(folder / "images_variant_val.txt", line)
        assert repr(line) in refusal("fgvc_aircraft", tmp_path)
    write(folder / "variants.txt", "707-320", "Cessna 172", "F/A-18", "F/A-18")
    assert "'0034309 F/A-18'" in refusal("fgvc_aircraft", tmp_path)
    (folder / "images_variant_train.txt").unlink()
    assert "images_variant_train.txt cannot be read" in refusal("fgvc_aircraft", tmp_path)


# --- own splits of benchmarks


@pytest.fixture
def eurosat(tmp_path):
    """A root with class folders of EuroSAT, and no split file."""
    tree(tmp_path / "eurosat/2750", ("Forest", "AnnualCrop"), range(20))
    return tmp_path


def test_an_own_split_is_half_a_fifth_and_the_rest_of_each_class_and_is_stored(eurosat):
    with pytest.warns(UserWarning, match="not comparable with the papers'") as caught:
        dataset = load_dataset("eurosat", eurosat)
    assert len(caught) == 1 and dataset.own_split
    assert dataset.classnames == ["Annual Crop", "Forest"]
    for part, count in ((dataset.train, 10), (dataset.val, 4), (dataset.test, 6)):
        assert collections.Counter(item.label for item in part) == {0: count, 1: count}
    assert len({item.path for item in dataset.train + dataset.val + dataset.test}) == 40
    split_file = eurosat / "eurosat/split_own_EuroSAT.json"
    touch(eurosat, "eurosat/2750/Forest/new.jpg")
    with noting() as notes:
        assert load_dataset("eurosat", eurosat) == dataset
    parts = json.loads(split_file.read_text())
    assert parts["test"][0][1:] == [0, "Annual Crop"]
    assert parts["test"][0][0].startswith("AnnualCrop/") and len(notes) == 1
    split_file.write_text("{")
    assert f"{split_file} is not readable as JSON" in refusal("eurosat", eurosat)
    for place in ("eurosat", "eurosat/2750", ""):  # CoOp's comes first, wherever people put it
        file = eurosat / place / "split_zhou_EuroSAT.json"
        file.write_text(json.dumps(parts))
        with silent():
            assert not load_dataset("eurosat", eurosat).own_split
        file.unlink()


@pytest.mark.filterwarnings("ignore:eurosat")
def test_a_folder_that_cannot_be_written_has_the_same_own_split_each_time(eurosat, monkeypatch):
    def full(path, content):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(splits, "write_whole", full)
    with pytest.warns(UserWarning, match="cannot be written"):
        dataset = load_dataset("eurosat", eurosat)
    with pytest.warns(UserWarning, match="cannot be written"):
        assert load_dataset("eurosat", eurosat) == dataset


def test_every_class_is_shared_out_by_itself_and_the_same_for_ever(eurosat):
    nine = [f"{i}.jpg" for i in range(9)]
    drawn = splits.share_out("", {"cat": nine, "dog": nine})["train"]
    others = {"cat": ["a", "b"], "dog": nine, "cow": ["c", "d"]}
    assert splits.share_out("", others)["train"]["dog"] == drawn["dog"] != drawn["cat"]
    assert drawn["dog"] == ["8.jpg", "7.jpg", "4.jpg", "2.jpg"]  # figures depend on it
    for count, shares in ((2, (1, 0, 1)), (3, (1, 0, 2)), (5, (2, 1, 2)), (10, (5, 2, 3))):
        parts = splits.share_out("", {"x": [str(i) for i in range(count)]})
        assert tuple(len(parts[part]["x"]) for part in splits.PARTS) == shares
    for count in (0, 1):
        (eurosat / "eurosat/2750/River").mkdir(exist_ok=True)
        touch(eurosat / "eurosat/2750/River", *["1.jpg"][:count])
        assert f"River holds {count} pictures" in refusal("eurosat", eurosat)
    assert not (eurosat / "eurosat/split_own_EuroSAT.json").exists()


@pytest.mark.filterwarnings("ignore")
def test_caltech_and_sun_have_class_folders_of_their_own_kind(tmp_path, monkeypatch):
    caltech = ("BACKGROUND_Google", "Faces", "Faces_easy", "yin_yang")
    tree(tmp_path / "caltech-101/101_ObjectCategories", caltech)
    assert load_dataset("caltech101", tmp_path).classnames == ["Faces", "yin_yang"]
    images = tmp_path / "sun397/SUN397"
    tree(images, ("a/abbey", "a/apartment_building/outdoor"))
    (images / "a/abbey/loop").symlink_to(images / "a")  # leads back
    dataset = load_dataset("sun397", tmp_path)
    assert dataset.classnames == ["abbey", "outdoor apartment_building"]
    inner = {os.path.dirname(path) for path, _ in short(dataset.test, images)}
    assert inner == {"a/abbey", "a/apartment_building/outdoor"}
    assert len(dataset.train + dataset.test) == 4
    images = "C:\\DATA\\sun397\\SUN397"
    walked = [(images, ["a"], []), (f"{images}\\a\\abbey", [], ["1.jpg", "2.jpg"]),
              (f"{images}\\a\\apartment_building\\outdoor", [], ["1.jpg", "2.jpg"])]
    with monkeypatch.context() as patch:
        patch.setattr(folders, "PurePath", PureWindowsPath)
        patch.setattr(folders, "is_new", lambda folder, seen: True)
        patch.setattr(os, "walk", lambda top, **options: iter(walked))
        patch.setattr(os.path, "isdir", lambda path: True)
        rows = splits.split_class_folders("sun397", images)
    assert {(path.rpartition("/")[0], name) for path, _, name in rows["train"] + rows["test"]} == {
        ("a/abbey", "abbey"), ("a/apartment_building/outdoor", "outdoor apartment_building")}


@pytest.mark.filterwarnings("ignore:eurosat")
def test_eurosats_pictures_are_found_under_their_other_names(tmp_path):
    for number, folder in enumerate(("eurosat/2750", "eurosat/EuroSAT_RGB", "EuroSAT/2750",
                                     "EuroSAT_RGB", "EuroSAT_RGB/EuroSAT_RGB",
                                     "EUROSAT/eurosat_rgb")):
        root = tmp_path / str(number)
        tree(root / folder, ("Forest", "River"))
        dataset = load_dataset("eurosat", root)
        assert dataset.classnames == ["Forest", "River"]
        assert dataset.test[0].path.startswith(str(root / folder / "Forest"))


# --- folders of one's own


def parts_of(folder, **parts):
    """Parts with class folders: parts_of(folder, train=["a/1.jpg"], valid=TWO)."""
    for part, paths in parts.items():
        touch(folder / part, *paths)
    return folder


TWO = ("a/1.jpg", "b/1.jpg")


def test_a_folder_with_train_and_test_is_a_data_set(tmp_path):
    touch(tmp_path, "train/red_cat/1.PNG", "train/red_cat/2.webp", "train/dog/1.jpeg",
          "test/dog/3.tif", "test/red_cat/4.gif", "train/dog/notes.txt", "train/dog/.hidden.jpg",
          "train/dog/deeper/5.jpg", "train/.git/6.jpg")
    with noting() as notes:
        dataset = load_dataset(tmp_path)
    assert notes == [f"Left out in {tmp_path}: 1 file .txt, 1 folder inside a class folder."]
    assert dataset.name == str(tmp_path) and dataset.classnames == ["dog", "red_cat"]
    assert dataset.templates == ["a photo of a {}."] and dataset.val == []
    assert short(dataset.train, tmp_path / "train") == [
        ("dog/1.jpeg", 0), ("red_cat/1.PNG", 1), ("red_cat/2.webp", 1)]
    assert short(dataset.test, tmp_path / "test") == [("dog/3.tif", 0), ("red_cat/4.gif", 1)]
    (tmp_path / "test/red_cat/4.gif").unlink()
    with noting() as notes:
        assert {item.label for item in load_dataset(tmp_path).test} == {0}  # labels stay
    assert notes[1].endswith("no test pictures of 1 class, the first being red_cat.")


def test_a_folder_of_class_folders_is_split_the_same_each_time_and_nothing_is_written(tmp_path):
    tree(tmp_path, "ba", range(10))
    dataset = load_dataset(tmp_path)
    assert (len(dataset.train), len(dataset.val), len(dataset.test)) == (10, 4, 6)
    assert not dataset.own_split and load_dataset(tmp_path) == dataset
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]
    assert len({item.path for item in dataset.train + dataset.val + dataset.test}) == 20


def test_the_parts_have_many_names(tmp_path):
    cases = [("train", "test", None), ("Train", "Test", "val"), ("TRAIN", "testing", "Validation"),
             ("training", "test", "valid"), ("train", "test", "validation")]
    for number, (train, test, val) in enumerate(cases):
        folder = parts_of(tmp_path / str(number), **{train: TWO, test: TWO})
        parts_of(folder, **({val: TWO} if val else {}))
        with silent():
            dataset = load_dataset(folder)
        for part, items in ((train, dataset.train), (test, dataset.test), (val, dataset.val)):
            expected = [(f"{part}/a/1.jpg", 0), (f"{part}/b/1.jpg", 1)] if part else []
            assert short(items, folder) == expected
    for number, val in enumerate(("val", "valid", "validation", "Val")):
        folder = parts_of(tmp_path / f"no test {number}", train=TWO, **{val: TWO})
        with noting() as notes:
            dataset = load_dataset(folder)
        assert notes == [f"{folder} has no test/: the pictures of {val}/ are tested on."]
        assert short(dataset.test, folder / val) == [("a/1.jpg", 0), ("b/1.jpg", 1)]
        assert dataset.val == []
    for one, other in (("val", "valid"), ("train", "Train"), ("test", "testing")):
        folder = parts_of(tmp_path / one / other, train=TWO, test=TWO)
        message = refusal(parts_of(folder, **{one: TWO, other: TWO}))
        assert f"{one}/" in message and f"{other}/" in message and message.endswith("keep one.")


def test_a_part_alone_is_refused_with_both_ways_out_but_train_may_be_a_class(tmp_path):
    for part in ("val", "test", "Validation"):
        folder = parts_of(tmp_path / f"only {part}", **{part: TWO})
        ways = f"has {part}/ without train/: add it, or give {folder / part}, to split it"
        assert ways in refusal(folder)
    tree(tmp_path / "one/Train", "ab", range(4))
    message = refusal(tmp_path / "one")
    itself = tmp_path / "one/Train"
    assert f"has Train/ without test/ or val/: add one, or give {itself}, to split it" in message
    assert len(load_dataset(itself).train) == 4
    tree(tmp_path / "vehicles", ("train", "bus"))
    assert load_dataset(tmp_path / "vehicles").classnames == ["bus", "train"]
    tree(tmp_path / "flat", ("train", "test", "others"))
    with pytest.warns(UserWarning, match="Left out"):
        assert f"{tmp_path / 'flat/train'} holds no class folders" in refusal(tmp_path / "flat")


def test_a_folder_that_is_not_a_data_set_is_refused(tmp_path):
    cases = [
        (None, "There is no folder"), ([], "holds no class folders"),
        (["1.jpg"], "holds no class folders"),
        (["a/1.jpg", "a/2.jpg"], "holds the class 'a' alone"),
        (["a/1.jpg", "a/2.jpg", "b/1.jpg"], "b holds 1 pictures"),
        (["a/1.jpg", "a/2.jpg", "_/1.jpg", "_/2.jpg"], "The class folder '_' in"),
        (["train/a/1.jpg", "test/a/1.jpg"], "holds the class 'a' alone"),
        (["train/a/1.jpg", "train/b/1.txt", "test/a/1.jpg"], "pictures of the class 'b'"),
        (["train/a/1.jpg", "train/b/1.jpg", "test/c/1.jpg"], "pictures of the class 'c'"),
        (["train/a/1.jpg", "train/b/1.jpg", "test/a/1.txt"], "no test pictures of any class"),
        (["train/A/1.jpg", "train/b/1.jpg", "test/a/1.jpg"], "name it 'A' everywhere"),
    ]
    for number, (paths, problem) in enumerate(cases):
        folder = tmp_path / str(number)
        if paths is not None:
            folder.mkdir()
            touch(folder, *paths)
        with noting():
            message = refusal(folder if paths is not None else str(folder))
        assert str(folder) in message and problem in message


def test_classnames_txt_names_the_classes_by_folder_or_in_order(tmp_path):
    tree(tmp_path, ("dog", "red_cat"))
    good = [["dog Border Collie", "red_cat tabby"], ["Border Collie", "tabby"],
            ["red_cat tabby", "", "dog Border Collie"], ["\ufeffBorder Collie\r", "tabby\r"],
            ["dog\tBorder Collie", "red_cat\ttabby"]]
    for lines in good:
        write(tmp_path / "classnames.txt", *lines)
        assert load_dataset(tmp_path).classnames == ["Border Collie", "tabby"]
    bad = [["dog Collie"], ["Collie"], ["dog Collie", "cat tabby"], ["a", "b", "c"], [],
           ["dog a", "dog b"]]
    for lines in bad:
        write(tmp_path / "classnames.txt", *lines)
        message = refusal(tmp_path)
        assert 'a line "<folder> <name>"' in message
        assert "only the names, in the order of the sorted folders" in message
    write(tmp_path / "classnames.txt", "dog _", "red_cat tabby")
    assert "The class folder 'dog'" in refusal(tmp_path)
    tree(tmp_path / "sea", ("sea", "sea lion"))
    write(tmp_path / "sea/classnames.txt", "sea lion Otaria", "sea Ocean")
    assert load_dataset(tmp_path / "sea").classnames == ["Ocean", "Otaria"]


def test_bare_names_are_refused_where_folders_count_otherwise_than_people(tmp_path):
    """Folders 0 … 11: sorted as text, the third is 10, and would be called "two"."""
    count = "zero one two three four five six seven eight nine ten eleven".split()
    tree(tmp_path / "12", map(str, range(12)))
    write(tmp_path / "12/classnames.txt", *count)
    message = refusal(tmp_path / "12")
    assert "order is not clear (is it '10' or '2' that has the name 'two'?)" in message
    assert 'give it a line "<folder> <name>" for each of the 12' in message
    write(tmp_path / "12/classnames.txt", *(f"{i} {name}" for i, name in enumerate(count)))
    dataset = load_dataset(tmp_path / "12")
    pairs = {(Path(item.path).parent.name, dataset.classnames[item.label]) for item in dataset.test}
    assert pairs == set(zip(map(str, range(12)), count))
    for number, classes in enumerate((["c2", "c10"], ["ant", "Zebra"])):
        tree(tmp_path / f"not {number}", classes)
        write(tmp_path / f"not {number}/classnames.txt", "first", "second")
        assert "order is not clear" in refusal(tmp_path / f"not {number}")
    for number, classes in enumerate((["0", "1"], ["000", "002", "010"], ["Ant", "Zebra"])):
        tree(tmp_path / f"clear {number}", classes)
        write(tmp_path / f"clear {number}/classnames.txt", *count[: len(classes)])
        assert load_dataset(tmp_path / f"clear {number}").classnames == count[: len(classes)]


# --- what is left out


def test_what_is_left_out_is_counted_in_one_note_with_its_suffixes(tmp_path):
    touch(tmp_path, *(f"train/a/{i}.HEIC" for i in range(20)), "test/b/1.heic", "train/b/1.txt",
          "train/b/x", "train/0.jpg", "train/a/deep/1.jpg")
    parts_of(tmp_path, train=TWO, test=TWO)
    with noting() as notes:
        assert len(load_dataset(tmp_path).train) == 2
    (note,) = notes
    assert note.startswith(
        f"Left out in {tmp_path}: 21 files .heic, 1 picture outside the class folders, "
        "1 folder inside a class folder, 1 file .txt, 1 file without a suffix. To use them, ")
    assert "convert .heic and .heif to .jpg (on a Mac: `sips" in note and "magick" in note
    touch(tmp_path / "train", *(f"a/1.{i}x" for i in range(12)))
    parts_of(tmp_path, unlabelled=["1.jpg"], annotations=["1.xml"])
    with noting() as notes:
        load_dataset(tmp_path)
    beside = "the folders beside train/, annotations, unlabelled"
    assert notes[0] == f"Left out in {tmp_path}: {beside}."
    assert ", 9 more kinds of files. To use them" in notes[1]


def test_ordinary_pictures_count_and_what_systems_leave_behind_does_not(tmp_path):
    """Also no class: Jupyter's folder of checkpoints, which torchvision counts as the first."""
    suffixes = ".jpg .jpeg .jfif .png .bmp .gif .webp .avif .jp2 .pgm .ppm .pbm .tif .tiff .Png"
    touch(tmp_path, *(f"train/{name}/{i}{suffix}" for name in "ab"
                      for i, suffix in enumerate(suffixes.split())))
    litter = ["a/._1.jpg", "a/.x.jpg", "a/.DS_Store", "a/Thumbs.db", "a/desktop.ini", ".git/x.jpg",
              "__MACOSX/a/._1.jpg", "a/@eaDir/1.jpg", "a/.ipynb_checkpoints/1.jpg", "._2.jpg",
              ".ipynb_checkpoints/1-checkpoint.jpg"]
    for part in ("train", "test"):
        touch(tmp_path / part, *litter)
    touch(tmp_path, "__MACOSX/train/._a", ".DS_Store", ".ipynb_checkpoints/x.jpg")
    parts_of(tmp_path, test=TWO)
    with silent():
        dataset = load_dataset(tmp_path)
    assert dataset.classnames == ["a", "b"] and len(dataset.train) == 2 * 15
    assert len(dataset.test) == 2


def test_a_class_that_cannot_be_used_is_refused_and_not_left_out(tmp_path, monkeypatch):
    touch(tmp_path, "a/1.jpg", "a/2.jpg", "b/1.heic", "b/2.heic")
    with pytest.warns(UserWarning, match="2 files .heic"):
        assert "b holds 0 pictures" in refusal(tmp_path)
    scandir = os.scandir

    def refusing(path):
        if os.path.basename(path) == "b":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert f"The folder {tmp_path / 'b'} cannot be read (Permission denied)" in refusal(tmp_path)


def test_classes_with_one_name_to_clip_bring_one_note(tmp_path):
    for number, (one, other) in enumerate((("Apple", "apple"), ("red cat", "red_cat"))):
        tree(tmp_path / str(number), (one, other, "pear"))
        with noting() as notes:
            assert len(load_dataset(tmp_path / str(number)).classnames) == 3
        (note,) = notes
        assert f"the classes '{one}' and '{other}' have the same name." in note
    assert same_names(["a", "b", "A ", "b_"]) == [["a", "A "], ["b", "b_"]]
    assert same_names(["crane", "cranes"]) == []


def test_a_file_name_that_is_not_utf_8_is_refused_where_it_is_stored_or_shown(eurosat):
    name = os.fsdecode(b"caf\xe9.jpg")
    try:
        touch(eurosat, f"eurosat/2750/Forest/{name}")
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    message = refusal("eurosat", eurosat)
    assert r"Forest/caf\udce9.jpg" in message and "not UTF-8" in message
    dataset = load_dataset(eurosat / "eurosat/2750")
    assert any(item.path.endswith(name) for item in dataset.train + dataset.val + dataset.test)
    tree(eurosat / "eurosat/2750", [os.fsdecode(b"\xff")])
    assert r"'\udcff' is not UTF-8" in refusal(eurosat / "eurosat/2750")
