"""How benchmarks lie on disk: ImageNet's family, FGVC-Aircraft, own splits; bad picture files."""

import collections
import json
import os
import random
import struct
import zlib
from pathlib import Path, PureWindowsPath

import pytest
from PIL import Image

from clip_min.data import BENCHMARKS, few_shot, folders, load_dataset, splits
from clip_min.data.layouts import read_benchmark
from clip_min.preprocess import read_picture
from prompts.runs.job import expand
from tests.data_helpers import refusal, short, touch, write

SHARED = Path(__file__).parents[2] / "shared"


def listing_in_another_order(monkeypatch, seed):
    """os.scandir gives a folder's entries in a random order, as file systems do."""
    scandir = os.scandir

    class Shuffled:
        def __init__(self, path):
            with scandir(path) as entries:
                self.entries = list(entries)
            random.Random(seed).shuffle(self.entries)

        def __iter__(self):
            return self

        def __next__(self):
            if not self.entries:
                raise StopIteration
            return self.entries.pop()

        def __enter__(self):
            return self

        def __exit__(self, *problem):
            pass

    monkeypatch.setattr(os, "scandir", Shuffled)


# --- ImageNet and what it is shifted to


@pytest.fixture
def imagenet(tmp_path):
    """A root folder with an "imagenet" of three classes, two of which share a name."""
    write(tmp_path / "imagenet/classnames.txt", "n01 tench", "n02 crane", "n10 crane")
    for wnid in ("n10", "n01", "n02"):
        touch(
            tmp_path / "imagenet/images",
            *(f"train/{wnid}/{wnid}_{i}.JPEG" for i in (3, 1, 20)),
            f"val/{wnid}/v.JPEG",
        )
    touch(
        tmp_path / "imagenet/images",
        "train/.DS_Store",
        "train/n01/._n01_1.JPEG",
        "train/n01/notes.txt",
        "README.txt",
    )
    return tmp_path


@pytest.mark.filterwarnings("ignore:imagenet")
def test_imagenet_labels_are_places_among_the_sorted_folders_and_val_is_empty(imagenet):
    dataset = load_dataset("imagenet", imagenet)
    assert dataset.classnames == ["tench", "crane", "crane"] and dataset.templates == [
        "a photo of a {}."
    ]
    assert short(dataset.train, imagenet / "imagenet/images/train")[:4] == [
        ("n01/n01_1.JPEG", 0),
        ("n01/n01_20.JPEG", 0),
        ("n01/n01_3.JPEG", 0),
        ("n02/n02_1.JPEG", 1),
    ]
    assert short(dataset.test, imagenet / "imagenet/images/val") == [
        ("n01/v.JPEG", 0),
        ("n02/v.JPEG", 1),
        ("n10/v.JPEG", 2),
    ]
    assert dataset.val == [] and not dataset.own_split


@pytest.mark.filterwarnings("ignore:imagenet")
def test_the_order_of_the_file_system_changes_neither_the_list_nor_the_sample(
    imagenet, monkeypatch
):
    dataset = load_dataset("imagenet", imagenet)
    for seed in (1, 2, 3):
        with monkeypatch.context() as patch:
            listing_in_another_order(patch, seed)
            again = load_dataset("imagenet", imagenet)
        assert again == dataset and few_shot(again, 2, seed=1) == few_shot(dataset, 2, seed=1)


def test_a_benchmark_with_too_few_classes_is_loaded_with_a_warning(imagenet):
    with pytest.warns(UserWarning) as caught:
        load_dataset("imagenet", imagenet)
    left_out, not_whole, same_names = caught
    assert "the same name" in str(same_names.message)  # ImageNet's list has some, too
    assert str(left_out.message).endswith("imagenet/images: 1 file .txt.")
    assert "imagenet is not whole (3 of 1000 classes)" in str(not_whole.message)
    assert not_whole.filename == __file__


@pytest.mark.parametrize(
    "part, change, problem",
    [
        ("train", "remove", "1 class folders, the first being n02 (missing, empty or unknown)"),
        ("val", "remove", "n02 (missing, empty or unknown)"),
        ("val", "empty", "n02 (missing, empty or unknown)"),
        ("val", "add", "n77 (missing, empty or unknown)"),
        ("val", "all", "is not there"),
    ],
)
def test_half_copied_folders_of_imagenet_are_refused(imagenet, part, change, problem):
    folder = imagenet / "imagenet/images" / part
    if change == "add":
        touch(folder, "n77/1.JPEG")
    elif change == "all":
        folder.rename(imagenet / "elsewhere")
    else:
        for path in (folder / "n02").iterdir():
            path.unlink()
        if change == "remove":
            (folder / "n02").rmdir()
    message = refusal("imagenet", imagenet)
    assert str(folder) in message and problem in message


@pytest.mark.parametrize(
    "lines", [["n01 tench", "n02", "n10 crane"], ["n01 tench", "n01 crane", "n10 crane"]]
)
def test_a_line_of_classnames_txt_without_a_name_or_written_twice_is_refused(imagenet, lines):
    write(imagenet / "imagenet/classnames.txt", *lines)
    assert "classnames.txt has the line" in refusal("imagenet", imagenet)


def test_classnames_txt_must_be_there_in_utf_8(imagenet):
    (imagenet / "imagenet/classnames.txt").write_bytes(b"n01 caf\xe9\n")
    assert "classnames.txt cannot be read as a text in UTF-8" in refusal("imagenet", imagenet)
    (imagenet / "imagenet/classnames.txt").unlink()
    message = refusal("imagenet", imagenet)
    assert f"{imagenet / 'imagenet/classnames.txt'} with ImageNet's class names is not" in message
    assert "--download imagenet" in message and "DATASETS.md" in message


@pytest.mark.filterwarnings("ignore:imagenetv2")
def test_folder_10_of_imagenetv2_is_the_eleventh_line_of_classnames_txt(tmp_path):
    write(tmp_path / "imagenet/classnames.txt", *(f"n{i:02} class {i}" for i in range(12)))
    images = tmp_path / "imagenetv2/imagenetv2-matched-frequency-format-val"
    touch(images, *(f"{i}/x.jpeg" for i in range(12)))
    dataset = load_dataset("imagenetv2", tmp_path)
    assert short(dataset.test, images) == [(f"{i}/x.jpeg", i) for i in range(12)]
    assert dataset.classnames[10] == "class 10" and dataset.train == dataset.val == []
    (images / "11/x.jpeg").unlink()
    assert "11 (missing" in refusal("imagenetv2", tmp_path)


@pytest.mark.filterwarnings("ignore:imagenet_")
@pytest.mark.parametrize("name", ["imagenet_sketch", "imagenet_a", "imagenet_r"])
def test_the_sets_shifted_from_imagenet_are_only_tested_on(tmp_path, name):
    write(tmp_path / "imagenet/classnames.txt", "n01 tench", "n02 crane", "n10 maillot")
    images = tmp_path / BENCHMARKS[name].folder / BENCHMARKS[name].images
    touch(images, "README.txt", ".x/y.jpg", "n10/b.jpg", "n01/c.JPEG", "n10/a.jpg")
    if name == "imagenet_sketch":  # has all classes; the other two have some of them
        assert "n02 (missing" in refusal(name, tmp_path)
        touch(images, "n02/d.JPEG")
    expected = [
        "n01/c.JPEG",
        *(["n02/d.JPEG"] if name == "imagenet_sketch" else []),
        "n10/a.jpg",
        "n10/b.jpg",
    ]
    dataset = load_dataset(name, tmp_path)
    assert [
        path for path, _ in short(dataset.test, images)
    ] == expected and dataset.train == dataset.val == []
    assert (
        dataset.test[-1].label == len(dataset.classnames) - 1
        and dataset.classnames[-1] == "maillot"
    )
    write(
        images.parent.parent / BENCHMARKS[name].folder / "classnames.txt",
        "n01 fish",
        "n02 bird",
        "n10 dress",
    )
    assert load_dataset(name, tmp_path).classnames[0] == "fish"  # its own file comes first


@pytest.mark.filterwarnings("ignore:imagenetv2")
@pytest.mark.parametrize("folders", [("n01", "n02", "n10"), ("0", "1", "2"), ("000", "001", "002")])
def test_imagenetv2_may_lie_in_wordnet_ids_or_in_numbers(tmp_path, folders):
    write(tmp_path / "imagenet/classnames.txt", "n02 crane", "n10 dress", "n01 tench")
    images = tmp_path / "imagenetv2/imagenetv2-matched-frequency-format-val"
    touch(images, *(f"{folder}/1.jpeg" for folder in folders))
    names = ["tench", "crane", "dress"] if folders[0] == "n01" else ["crane", "dress", "tench"]
    assert load_dataset("imagenetv2", tmp_path).classnames == names


@pytest.mark.filterwarnings("ignore:imagenet")
@pytest.mark.parametrize("place", ["", "imagenet/images", "imagenetv2"])
def test_classnames_txt_is_found_where_people_put_it(imagenet, place):
    (imagenet / place).mkdir(exist_ok=True)
    (imagenet / "imagenet/classnames.txt").rename(imagenet / place / "classnames.txt")
    name = "imagenetv2" if place == "imagenetv2" else "imagenet"
    if name == "imagenetv2":
        folder = imagenet / "imagenetv2/imagenetv2-matched-frequency-format-val"
        touch(folder, "0/1.jpg", "1/1.jpg", "2/1.jpg")
    assert load_dataset(name, imagenet).classnames == ["tench", "crane", "crane"]


# --- FGVC-Aircraft


@pytest.fixture
def aircraft(tmp_path):
    folder = tmp_path / "fgvc_aircraft"
    write(folder / "variants.txt", "707-320", "Cessna 172", "F/A-18")
    write(folder / "images_variant_train.txt", "0034309 F/A-18", "0034958 707-320")
    write(folder / "images_variant_val.txt", "0000001 Cessna 172")
    write(folder / "images_variant_test.txt", "0000002 Cessna 172")
    touch(folder / "images", "0034309.jpg", "0034958.jpg", "0000001.jpg", "0000002.jpg")
    return tmp_path


@pytest.mark.filterwarnings("ignore:fgvc_aircraft")
def test_aircraft_are_read_from_the_text_files_in_their_order(aircraft):
    dataset = load_dataset("fgvc_aircraft", aircraft)
    assert dataset.classnames == ["707-320", "Cessna 172", "F/A-18"]
    assert short(dataset.train, aircraft / "fgvc_aircraft/images") == [
        ("0034309.jpg", 2),
        ("0034958.jpg", 0),
    ]
    assert [item.label for item in dataset.val + dataset.test] == [1, 1]
    assert dataset.templates == ["a photo of a {}, a type of aircraft."]


@pytest.mark.parametrize(
    "line", ["../../secret 707-320", "/etc/x 707-320", "12 Concorde", "0034309", "٣ 707-320"]
)
def test_a_line_that_is_no_picture_number_and_variant_is_refused(aircraft, line):
    write(aircraft / "fgvc_aircraft/images_variant_val.txt", line)
    assert repr(line) in refusal("fgvc_aircraft", aircraft)


def test_a_variant_named_twice_is_refused(aircraft):
    write(aircraft / "fgvc_aircraft/variants.txt", "707-320", "Cessna 172", "F/A-18", "F/A-18")
    assert "'0034309 F/A-18'" in refusal("fgvc_aircraft", aircraft)


def test_missing_pictures_and_lists_of_aircraft_are_named(aircraft):
    (aircraft / "fgvc_aircraft/images/0000002.jpg").unlink()
    assert "1 of the 4 pictures" in refusal("fgvc_aircraft", aircraft)
    (aircraft / "fgvc_aircraft/images_variant_test.txt").unlink()
    assert "images_variant_test.txt cannot be read" in refusal("fgvc_aircraft", aircraft)


# --- own splits of benchmarks


@pytest.fixture
def eurosat(tmp_path):
    """A root with class folders of EuroSAT, and no split file."""
    touch(
        tmp_path / "eurosat/2750",
        *(f"{name}/{name}_{i}.jpg" for name in ("Forest", "AnnualCrop") for i in range(20)),
    )
    return tmp_path


def test_an_own_split_is_half_a_fifth_and_the_rest_of_each_class_and_says_so(eurosat):
    with pytest.warns(UserWarning, match="not comparable with the papers'") as caught:
        dataset = load_dataset("eurosat", eurosat)
    assert (
        len(caught) == 1 and dataset.own_split and dataset.classnames == ["Annual Crop", "Forest"]
    )
    for part, count in ((dataset.train, 10), (dataset.val, 4), (dataset.test, 6)):
        assert collections.Counter(item.label for item in part) == {0: count, 1: count}
    assert len({item.path for item in dataset.train + dataset.val + dataset.test}) == 40


@pytest.mark.filterwarnings("ignore:eurosat")
def test_an_own_split_is_stored_and_read_again(eurosat):
    dataset = load_dataset("eurosat", eurosat)
    split_file = eurosat / "eurosat/split_own_EuroSAT.json"
    touch(eurosat, "eurosat/2750/Forest/new.jpg")
    assert load_dataset("eurosat", eurosat) == dataset
    parts = json.loads(split_file.read_text())
    assert parts["test"][0][1:] == [0, "Annual Crop"] and parts["test"][0][0].startswith(
        "AnnualCrop/"
    )
    split_file.write_text("{")
    assert f"{split_file} is not readable as JSON" in refusal("eurosat", eurosat)
    split_file.with_name("split_zhou_EuroSAT.json").write_text(
        json.dumps(parts)
    )  # CoOp's comes first
    assert not load_dataset("eurosat", eurosat).own_split


@pytest.mark.filterwarnings("ignore:eurosat")
def test_a_folder_that_cannot_be_written_has_the_same_own_split_each_time(eurosat, monkeypatch):
    def full(path, content):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(splits, "write_whole", full)
    with pytest.warns(UserWarning, match="cannot be written"):
        dataset = load_dataset("eurosat", eurosat)
    with pytest.warns(UserWarning, match="cannot be written"):
        listing_in_another_order(monkeypatch, 5)
        assert load_dataset("eurosat", eurosat) == dataset


def test_the_pictures_of_one_class_do_not_change_the_draw_of_another():
    folders = {"cat": [f"{i}.jpg" for i in range(9)], "dog": [f"{i}.jpg" for i in range(9)]}
    drawn = splits.share_out("", folders)["train"]
    assert (
        splits.share_out("", {**folders, "cat": ["a", "b"], "cow": ["c", "d"]})["train"]["dog"]
        == drawn["dog"]
    )
    assert drawn["dog"] != drawn["cat"]
    assert drawn["dog"] == ["8.jpg", "7.jpg", "4.jpg", "2.jpg"]  # for ever: figures depend on it


@pytest.mark.parametrize(
    "count, shares", [(2, (1, 0, 1)), (3, (1, 0, 2)), (5, (2, 1, 2)), (10, (5, 2, 3))]
)
def test_every_class_has_something_to_train_and_to_test_on(count, shares):
    parts = splits.share_out("", {"x": [str(i) for i in range(count)]})
    assert tuple(len(parts[part]["x"]) for part in splits.PARTS) == shares


@pytest.mark.parametrize("count", [0, 1])
def test_a_class_too_small_to_be_split_is_named(eurosat, count):
    (eurosat / "eurosat/2750/River").mkdir()
    touch(eurosat / "eurosat/2750/River", *["1.jpg"][:count])
    assert f"River holds {count} pictures" in refusal("eurosat", eurosat)
    assert not (eurosat / "eurosat/split_own_EuroSAT.json").exists()


@pytest.mark.filterwarnings("ignore:caltech101", "ignore:sun397")
def test_caltech_and_sun_have_class_folders_of_their_own_kind(tmp_path):
    touch(
        tmp_path / "caltech-101/101_ObjectCategories",
        *(
            f"{name}/{i}.jpg"
            for name in ("BACKGROUND_Google", "Faces", "Faces_easy", "yin_yang")
            for i in (1, 2)
        ),
    )
    assert load_dataset("caltech101", tmp_path).classnames == ["Faces", "yin_yang"]
    images = tmp_path / "sun397/SUN397"
    touch(
        images,
        *(
            f"{name}/{i}.jpg"
            for name in ("a/abbey", "a/apartment_building/outdoor")
            for i in (1, 2)
        ),
    )
    dataset = load_dataset("sun397", tmp_path)
    assert dataset.classnames == ["abbey", "outdoor apartment_building"]
    folders = {os.path.dirname(path) for path, _ in short(dataset.test, images)}
    assert folders == {"a/abbey", "a/apartment_building/outdoor"}


def test_a_file_name_that_is_not_utf_8_is_refused_in_a_stored_split_only(eurosat, tmp_path):
    name = os.fsdecode(b"caf\xe9.jpg")
    try:
        touch(eurosat, f"eurosat/2750/Forest/{name}")
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    message = refusal("eurosat", eurosat)
    assert r"Forest/caf\udce9.jpg" in message and "not UTF-8" in message
    dataset = load_dataset(str(eurosat / "eurosat/2750"))
    assert any(item.path.endswith(name) for item in dataset.train + dataset.val + dataset.test)
    touch(eurosat, os.fsdecode(b"eurosat/2750/\xff/1.jpg"), os.fsdecode(b"eurosat/2750/\xff/2.jpg"))
    assert r"'\udcff' is not UTF-8" in refusal(eurosat / "eurosat/2750")


# --- benchmarks under other names


@pytest.mark.filterwarnings("ignore:eurosat")
@pytest.mark.parametrize(
    "folder",
    [
        "eurosat/2750",
        "eurosat/EuroSAT_RGB",
        "EuroSAT/2750",
        "EuroSAT_RGB",
        "EuroSAT_RGB/EuroSAT_RGB",
        "EUROSAT/eurosat_rgb",
    ],
)
def test_eurosats_pictures_are_found_under_their_other_names(tmp_path, folder):
    touch(tmp_path / folder, *(f"{name}/{i}.jpg" for name in ("Forest", "River") for i in (1, 2)))
    dataset = load_dataset("eurosat", tmp_path)
    assert dataset.classnames == ["Forest", "River"]
    assert dataset.test[0].path.startswith(str(tmp_path / folder / "Forest"))


@pytest.mark.parametrize("place", ["eurosat", "eurosat/2750", ""])
def test_the_split_file_is_found_beside_or_among_the_pictures_or_in_the_root(eurosat, place):
    rows = {part: [[f"{n}/{n}_1.jpg", i, n]] for part in splits.PARTS for i, n in [(0, "Forest")]}
    rows["train"].append(["AnnualCrop/AnnualCrop_1.jpg", 1, "AnnualCrop"])
    rows["test"][0][0], rows["val"] = "Forest/Forest_2.jpg", []
    (eurosat / place / "split_zhou_EuroSAT.json").write_text(json.dumps(rows))
    assert not load_dataset("eurosat", eurosat).own_split


@pytest.mark.filterwarnings("ignore:dtd")
def test_coops_own_names_mean_the_same_benchmarks(tmp_path):
    touch(tmp_path / "dtd/images", *(f"{name}/{i}.jpg" for name in "ab" for i in (1, 2)))
    assert load_dataset("describable_textures", tmp_path).name == "dtd"
    assert "for flowers102, give --data-root" in refusal("oxford_flowers", tmp_path)


@pytest.mark.parametrize(
    "name, meant",
    [
        ("EuroSAT", "eurosat"),
        ("OxfordFlowers", "flowers102"),
        ("Flowers102", "flowers102"),
        ("DescribableTextures", "dtd"),
        ("oxford-pets", "oxford_pets"),
        ("StanfordCars", "stanford_cars"),
        ("caltech-101", "caltech101"),
        ("ImageNetV2", "imagenetv2"),
        ("ImageNet-Sketch", "imagenet_sketch"),
        ("FGVCAircraft", "fgvc_aircraft"),
        ("imagenet-a", "imagenet_a"),
        ("Food-101", "food101"),
        ("SUN397", "sun397"),
    ],
)
def test_the_spelling_of_the_papers_and_of_coops_code_is_understood(tmp_path, name, meant):
    assert f"for {meant}, give --data-root" in refusal(name, tmp_path)
    assert expand([name, "toy-objects"]) == [meant, "toy-objects"]


def test_a_folder_that_is_spelled_like_a_benchmark_is_that_folder(tmp_path, monkeypatch):
    touch(tmp_path / "EuroSAT", *(f"{name}/{i}.jpg" for name in "ab" for i in (1, 2, 3)))
    monkeypatch.chdir(tmp_path)
    assert load_dataset("EuroSAT").folder == str(tmp_path / "EuroSAT")
    (tmp_path / "EuroSAT").rename(tmp_path / "eurosat")
    assert "for eurosat, give --data-root" in refusal("eurosat", tmp_path / "nowhere")


@pytest.mark.parametrize(
    "name, meant",
    [("oxford_flower", "flowers102"), ("toy_objects", "toy-objects"), ("Euro-SATs", "eurosat")],
)
def test_a_name_that_is_written_otherwise_is_hinted_at(name, meant):
    assert f"Did you mean {meant}?" in refusal(name)


# --- own splits on Windows, and folders that lead in circles


def test_an_own_split_has_the_same_class_names_and_paths_on_windows(monkeypatch):
    images = "C:\\DATA\\sun397\\SUN397"
    tree = [
        (images, ["a"], []),
        (images + "\\a", ["abbey", "apartment_building"], []),
        (images + "\\a\\abbey", [], ["1.jpg", "2.jpg"]),
        (images + "\\a\\apartment_building", ["outdoor"], []),
        (images + "\\a\\apartment_building\\outdoor", [], ["1.jpg", "2.jpg"]),
    ]
    with monkeypatch.context() as patch:
        patch.setattr(folders, "PurePath", PureWindowsPath)
        patch.setattr(folders, "is_new", lambda folder, seen: True)
        patch.setattr(os, "walk", lambda top, **options: iter(tree))
        patch.setattr(os.path, "isdir", lambda path: True)
        rows = splits.split_class_folders("sun397", images)
    assert {(path.rpartition("/")[0], name) for path, _, name in rows["train"] + rows["test"]} == {
        ("a/abbey", "abbey"),
        ("a/apartment_building/outdoor", "outdoor apartment_building"),
    }
    path = PureWindowsPath(images, rows["train"][0][0])
    assert str(path).startswith(images + "\\a\\abbey\\")


@pytest.mark.filterwarnings("ignore:sun397")
def test_a_link_that_leads_back_is_not_followed_for_ever(tmp_path):
    images = tmp_path / "sun397/SUN397"
    touch(images, *(f"a/{name}/{i}.jpg" for name in ("abbey", "alley") for i in (1, 2)))
    (images / "a/abbey/loop").symlink_to(images / "a")
    dataset = load_dataset("sun397", tmp_path)
    assert dataset.classnames == ["abbey", "alley"] and len(dataset.train + dataset.test) == 4


# --- CoOp's split files of more benchmarks


def real_split(name, root):
    """A root with CoOp's split file and an empty picture folder -> the benchmark's folder."""
    benchmark = BENCHMARKS[name]
    if not (SHARED / "splits" / benchmark.split).is_file():
        pytest.skip("CoOp's split files are not beside the repository")
    (root / benchmark.folder / benchmark.images).mkdir(parents=True)
    (root / benchmark.folder / benchmark.split).symlink_to(SHARED / "splits" / benchmark.split)
    return root / benchmark.folder


@pytest.mark.parametrize("name", ["dtd", "oxford_pets", "flowers102", "stanford_cars", "ucf101"])
def test_a_real_split_file_has_the_sizes_of_table_5(tmp_path, name):
    real_split(name, tmp_path)
    classnames, parts, *_ = read_benchmark(name, tmp_path)
    assert len(classnames) == BENCHMARKS[name].classes
    assert tuple(len(parts[part]) for part in ("train", "val", "test")) == BENCHMARKS[name].pictures


def test_the_few_shots_of_dtd_are_as_many_of_each_class_from_its_training_pictures(tmp_path):
    folder = real_split("dtd", tmp_path)
    for rows in json.loads((folder / BENCHMARKS["dtd"].split).read_text()).values():
        touch(folder / "images", *(path for path, _, _ in rows))
    dataset = load_dataset("dtd", tmp_path)
    train, val = few_shot(dataset, 16, seed=1)
    assert not dataset.own_split and len(train) == 16 * 47 and len(val) == 4 * 47
    assert set(collections.Counter(item.label for item in train).values()) == {16}
    assert set(train) <= set(dataset.train) and set(val) <= set(dataset.val)
    assert few_shot(dataset, 16, seed=1) == (train, val) != few_shot(dataset, 16, seed=2)


# --- bad picture files


def picture_problem(path):
    with pytest.raises(ValueError) as caught:
        read_picture(path)
    message = str(caught.value)
    assert (
        message.startswith(f"Cannot read the picture {path}: ")
        and message.endswith(".")
        and "\n" not in message
    )
    return message


def test_a_truncated_jpeg_is_refused_in_one_sentence(tmp_path):
    Image.effect_noise((64, 64), 50).save(tmp_path / "cut.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:-500])
    assert "truncated" in picture_problem(tmp_path / "cut.jpg")


def test_a_header_that_promises_400_million_pixels_is_refused_before_they_are_decoded(tmp_path):
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    chunks = b""
    for kind, content in ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0")), (b"IEND", b"")):
        chunks += (
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )
    (tmp_path / "vast.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    assert "400000000 pixels" in picture_problem(tmp_path / "vast.png")


def test_a_picture_of_one_pixel_is_read(tmp_path):
    Image.new("RGB", (1, 1), (1, 2, 3)).save(tmp_path / "dot.png")
    assert read_picture(tmp_path / "dot.png").getpixel((0, 0)) == (1, 2, 3)
