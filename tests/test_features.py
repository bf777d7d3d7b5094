"""Frozen image features: the ones that CLIP gives, computed once, never mixed up, and safe on
disk."""

import copy
import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import clip_min
from clip_min import load_clip
from clip_min.data import Item, load_dataset, open_picture
from clip_min.preprocess import Preprocess, preprocess
from clip_min.prompting.recipe import Recipe
from prompts.runs import features as features_module
from prompts.runs.features import Compute, view_seed

PATHS = ("toy-objects/test/apple/0", "toy-satellite/train/forest/1", "toy-scenes/val/beach/2")
TOYS = [Item(path, 0) for path in PATHS]


def frozen(clip, items, folder, view=None, scale=(0.08, 1.0), flip=True, **compute):
    """`frozen_features` with everything as an argument of its own."""
    recipe = Recipe(0.1, 1, 1, crop_scale=scale, flip=flip)
    return features_module.frozen_features(clip, items, Compute(features=folder, **compute), view,
                                           recipe)


def difference(ours, theirs):
    """The largest absolute difference."""
    return (ours - theirs).abs().max().item()


@pytest.fixture(scope="module")
def clip():
    return load_clip("tiny")


@pytest.fixture
def items(tmp_path):
    """Five grainy pictures of 60 x 50 pixels, in a folder of their own."""
    grain, found = np.random.RandomState(0), []
    (tmp_path / "pictures").mkdir()
    for label in range(5):
        path = str(tmp_path / "pictures" / f"{label}.png")
        Image.fromarray(grain.randint(0, 256, (50, 60, 3)).astype(np.uint8)).save(path)
        found.append(Item(path, label))
    return found


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "features"


@pytest.fixture
def computed(clip, monkeypatch):
    """The number of pictures in each batch that CLIP has been given so far, without those that
    only fill it."""
    counts, encode_image = [], clip.encode_image

    def count(images):
        counts.append(images.flatten(1).any(dim=1).sum().item())
        return encode_image(images)

    monkeypatch.setattr(clip, "encode_image", count)
    return counts


@pytest.fixture
def single(monkeypatch):
    """One picture in a batch."""
    loader = features_module.DataLoader
    monkeypatch.setattr(features_module, "DataLoader", lambda pictures,
                        **_: loader(pictures, batch_size=1))


@pytest.fixture
def saves(monkeypatch):
    """One entry for each time that a store has been written."""
    entries, save_tensors = [], features_module.save_tensors
    monkeypatch.setattr(features_module, "save_tensors", lambda *pair: entries.append(pair)
                        or save_tensors(*pair))
    return entries


def stop_after(monkeypatch, clip, batches, error):
    """CLIP raises the error at the batch after this many."""
    encode_image, left = clip.encode_image, iter(range(batches))

    def encode_or_stop(images):
        if next(left, None) is None:
            raise error
        return encode_image(images)

    monkeypatch.setattr(clip, "encode_image", encode_or_stop)


def tensors(items, size, view=None, **options):
    """The pictures as CLIP should be given them: [N, 3, size, size]."""
    if view is None:
        return torch.stack([preprocess(open_picture(item.path), size) for item in items])
    generators = [torch.Generator().manual_seed(view_seed(item.path, view)) for item in items]
    return torch.stack([Preprocess(size).augment(open_picture(i.path), g, **options) for i,
                        g in zip(items, generators)])


# --- the right features


@pytest.mark.parametrize("view", [None, 0, 3])
@pytest.mark.parametrize("kind", ["files", "drawn"])
def test_the_features_are_those_of_clip(clip, items, folder, kind, view):
    items = items if kind == "files" else TOYS
    with torch.no_grad():
        expected = clip.encode_image(tensors(items, clip.image_size, view))
    features = frozen(clip, items, folder, view)
    assert (features.shape == (len(items), 128) and features.dtype == torch.float32
            and not features.requires_grad)
    assert difference(features, expected) < 1e-5


def test_scale_and_flip_reach_the_views(clip, items, folder):
    crops = dict(scale=(0.5, 0.6), flip=False)
    with torch.no_grad():
        expected = clip.encode_image(tensors(items, clip.image_size, 1, **crops))
    assert difference(frozen(clip, items, folder, 1, **crops), expected) < 1e-5


def test_a_worker_process_gives_the_same_features(clip, items, tmp_path, monkeypatch):
    opened_here = []
    monkeypatch.setattr(features_module, "open_picture", lambda path: opened_here.append(path)
                        or open_picture(path))
    for view in (None, 0):
        opened_here.clear()
        from_worker = frozen(clip, items, tmp_path / "worker", view, workers=1)
        assert opened_here == []
        assert torch.equal(frozen(clip, items, tmp_path / "alone", view), from_worker)


@pytest.mark.parametrize("precision, most", [("bf16", 0.1), ("fp16", 0.02)])
def test_lower_precision_is_near_and_is_kept_apart(clip, items, folder, precision, most):
    exact = frozen(clip, items, folder)
    features = frozen(clip, items, folder, precision=precision)
    assert features.dtype == torch.float32 and 1e-5 < difference(features, exact) < most
    assert torch.equal(frozen(clip, items, folder), exact)


def test_an_unknown_precision_is_refused(clip, items, folder):
    with pytest.raises(ValueError, match="precision must be one of fp32, bf16, fp16, not 'fp8'"):
        frozen(clip, items, folder, precision="fp8")


def test_a_tower_that_is_not_yet_frozen_gives_the_same_features(clip, items, folder):
    expected = frozen(clip, items, folder / "evaluation")
    copied = copy.deepcopy(clip).train().requires_grad_(True)
    copied.visual.conv1 = nn.Sequential(copied.visual.conv1, nn.Dropout(0.9))
    features = frozen(copied, items, folder / "training")
    assert difference(features, expected) < 1e-5 and not features.requires_grad


# --- computed once


@pytest.mark.parametrize("view", [None, 0])
@pytest.mark.parametrize("kind", ["files", "drawn"])
def test_a_second_call_computes_nothing_and_gives_the_same_bits(clip, items, folder, monkeypatch,
                                                                kind, view):
    items = items if kind == "files" else TOYS
    first = frozen(clip, items, folder, view)
    stop_after(monkeypatch, clip, 0, AssertionError("CLIP was asked again"))
    assert torch.equal(frozen(clip, items, folder, view), first)
    assert torch.equal(frozen(load_clip("tiny"), items, folder, view), first)


def test_only_what_is_missing_is_computed_and_each_row_stays_with_its_picture(clip, items, folder,
                                                                              computed):
    some = frozen(clip, items[1:3], folder)
    assert torch.equal(frozen(clip, items[2:0:-1], folder), some.flip(0)) and computed == [2]
    every = frozen(clip, items[::-1], folder).flip(0)
    assert computed == [2, 3] and torch.equal(every[1:3], some)
    assert torch.equal(frozen(clip, [items[4], items[0]], folder),
                       every[[4, 0]]) and computed == [2, 3]
    assert difference(every, clip.encode_image(tensors(items, clip.image_size))) < 1e-5


def test_a_feature_does_not_depend_on_what_is_computed_with_it(tmp_path):
    """Bit for bit, so that a prompt does not depend on the runs before it."""
    clip, drawn = load_clip("tiny"), load_dataset("toy-objects").test[::20]
    together = frozen(clip, drawn, tmp_path / "together")
    assert len(drawn) == 90
    for few in (drawn[:1], drawn[7:10], drawn[3:60]):
        alone = frozen(clip, few, tmp_path / f"{len(few)}")
        assert torch.equal(alone, together[drawn.index(few[0]) :][: len(few)])


def test_a_picture_that_comes_twice_is_computed_once(clip, items, folder, computed):
    twice = [items[0], items[1], items[0]._replace(label=7)]
    features = frozen(clip, twice, folder)
    assert (computed == [2] and torch.equal(features[0], features[2])
            and not torch.equal(features[0], features[1]))


def test_relative_and_absolute_paths_are_one_picture(clip, items, folder, computed, monkeypatch):
    absolute = frozen(clip, items, folder, 0)
    monkeypatch.chdir(Path(items[0].path).parent)
    relative = [Item(Path(item.path).name, item.label) for item in items]
    assert torch.equal(frozen(clip, relative, folder, 0), absolute) and computed == [5]
    assert view_seed(relative[0].path, 0) == view_seed(items[0].path, 0)


# --- computed again


def test_a_changed_picture_is_computed_again_and_no_other(clip, items, folder, computed):
    before = frozen(clip, items, folder)
    path, status = items[2].path, os.stat(items[2].path)
    Image.open(path).transpose(Image.Transpose.ROTATE_180).save(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    after = frozen(clip, items, folder)
    assert computed == [5, 1] and (before != after).any(dim=1).tolist() == [False, False, True,
                                                                            False, False]
    with open(path, "ab") as file:
        file.write(b"\0")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))  # another size at the same time
    frozen(clip, items, folder)
    assert computed == [5, 1, 1]


@pytest.mark.parametrize("what", ["code", "Pillow"])
def test_drawn_pictures_are_computed_again_when_what_draws_them_changes(clip, folder, computed,
                                                                        monkeypatch, what):
    frozen(clip, TOYS, folder)
    if what == "Pillow":
        monkeypatch.setattr(features_module.PIL, "__version__", "another")
    else:
        monkeypatch.setattr(features_module, "digest_of_code", lambda *files: "another")
    frozen(clip, TOYS, folder)
    assert computed == [3, 3]


def test_everything_else_that_changes_a_feature_has_a_store_of_its_own(clip, items, folder,
                                                                       monkeypatch):
    exact_gelu = copy.deepcopy(clip)
    for block in exact_gelu.visual.transformer.resblocks:
        block.mlp.gelu = nn.GELU()  # same file of weights: see `gelu` in load_clip
    frozen(clip, items, folder)
    frozen(exact_gelu, items, folder)
    for options in (dict(view=0), dict(view=1), dict(view=0, flip=False),
                    dict(view=0, scale=(0.5, 1.0))):
        frozen(clip, items, folder, **options)
    monkeypatch.setattr(clip, "sha256", "another")
    frozen(clip, items, folder)
    assert len(list(folder.iterdir())) == 7
    frozen(clip, items, folder, scale=(0.5, 1.0), flip=False)  # without a view these mean nothing
    frozen(clip, items, folder, view=0, scale=[0.08, 1])
    frozen(clip, items, folder, view=0, scale=(0.08, 1.0))
    assert len(list(folder.iterdir())) == 8


def test_a_store_bears_the_models_name_even_if_that_is_a_long_path(clip, items, folder,
                                                                   monkeypatch):
    for name, start in (("ViT-B/16", "ViT-B-16-"), ("/weights" * 100 + "/mine.pt", "")):
        monkeypatch.setattr(clip, "name", name)
        frozen(clip, items, folder)
        (store,) = folder.iterdir()
        assert store.name.startswith(start) and store.suffix == ".pt"
        shutil.rmtree(folder)


# --- views


def test_views_differ_from_each_other_and_from_the_plain_picture(clip, items, tmp_path):
    plain, first, second = (frozen(clip, items, tmp_path / "one", view) for view in (None, 0, 1))
    for x, y in ((plain, first), (plain, second), (first, second)):
        assert ((x - y).norm(dim=1) > 0.01 * x.norm(dim=1)).all()
    assert torch.equal(frozen(clip, items, tmp_path / "another", 0), first)


def test_a_view_does_not_depend_on_the_other_pictures_or_on_global_random_numbers(clip, items,
                                                                                  tmp_path):
    every = frozen(clip, items, tmp_path / "every", 2)
    torch.manual_seed(5)
    some = frozen(clip, [items[3], items[1]], tmp_path / "some", 2)
    assert difference(some, every[[3, 1]]) < 1e-5


def test_a_view_stays_the_same_when_the_root_moves_and_differs_between_pictures(tmp_path):
    parts = ("2750/Forest/7.jpg", "2750/Forest/8.jpg", "2750/River/7.jpg", "17/Forest/7.jpg")
    seeds = [view_seed(f"{tmp_path}/{part}", 0)
             for part in parts] + [view_seed(f"{tmp_path}/{parts[0]}", 1)]
    assert len(set(seeds)) == 5
    assert view_seed(f"/mnt/{parts[0]}", 0) == seeds[0]


# --- the store on disk


def test_an_interruption_keeps_what_was_computed(clip, items, folder, computed, single, saves,
                                                 monkeypatch, capsys):
    monkeypatch.setattr(features_module, "FIRST_SAVE", 0)
    monkeypatch.setattr(features_module, "SAVE_EVERY", 0)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, clip, 2, KeyboardInterrupt())
        frozen(clip, items, folder)
    assert (len(computed) == len(saves) == 2
            and "  image features: 2 of 5 pictures, " in capsys.readouterr().out)
    features = frozen(clip, items, folder)
    assert len(computed) == len(saves) == 5 and capsys.readouterr().out.count("\n") == 2
    assert difference(features, clip.encode_image(tensors(items, clip.image_size))) < 1e-5


def test_the_second_save_waits_longer_than_the_first(clip, items, folder, single, saves,
                                                     monkeypatch, capsys):
    monkeypatch.setattr(features_module, "FIRST_SAVE", 0)
    frozen(clip, items, folder)
    assert len(saves) == 2 and capsys.readouterr().out.startswith(
        "  image features: 1 of 5 pictures, "
    )


def test_what_takes_little_time_prints_nothing_and_writes_once(clip, items, folder, computed,
                                                               single, saves, capsys):
    frozen(clip, items, folder)
    frozen(clip, items, folder)
    assert len(computed) == 5 and len(saves) == 1 and capsys.readouterr().out == ""


def test_two_processes_that_write_the_same_store_keep_both_ones_pictures(clip, items, folder,
                                                                         computed, monkeypatch):
    """Another process computes pictures 2 to 4 while this one computes 0 to 2: its row of 2 came
    first and stays."""
    encode_image, others = clip.encode_image, []

    def encode_otherwise(images):
        return 1.5 * encode_image(images)  # to tell the two apart; by itself it would be rounding

    def encode_while_another_writes(images):
        monkeypatch.setattr(clip, "encode_image", encode_otherwise)
        others.append(frozen(clip, items[2:], folder))
        return encode_image(images)

    monkeypatch.setattr(clip, "encode_image", encode_while_another_writes)
    ours = frozen(clip, items[:3], folder)
    assert computed == [3, 3]
    assert torch.equal(ours[2], others[0][0])
    assert torch.equal(frozen(clip, items, folder), torch.cat([ours[:2], others[0]]))
    assert computed == [3, 3]


@pytest.mark.parametrize("damage", ["cut short", "text", "another shape", "another type", "a list"])
def test_a_damaged_store_is_named_and_its_features_are_computed_again(clip, items, folder, capsys,
                                                                      damage):
    first = frozen(clip, items, folder)
    (store,) = folder.iterdir()
    content = torch.load(store, weights_only=True)
    if damage == "cut short":
        store.write_bytes(store.read_bytes()[:-100])
    elif damage == "text":
        store.write_text("no tensors")
    elif damage == "another shape":
        torch.save(dict(content, features=content["features"][:, :5]), store)
    elif damage == "another type":
        torch.save(dict(content, features=content["features"].half()), store)
    else:
        torch.save([1, 2], store)
    assert torch.equal(frozen(clip, items, folder), first)
    note = capsys.readouterr().err
    assert str(store) in note and "computed again" in note
    assert torch.equal(frozen(clip, items, folder), first) and capsys.readouterr().err == ""


def test_without_a_folder_nothing_is_kept(clip, items, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert frozen(clip, items, None).shape == (5, 128)
    assert sorted(tmp_path.iterdir()) == before


def test_a_full_disk_is_reported_and_leaves_the_store_as_it_was(clip, items, folder, monkeypatch):
    first = frozen(clip, items[:2], folder)

    def disk_full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(Path, "write_bytes", disk_full)
        frozen(clip, items, folder)
    assert len(list(folder.iterdir())) == 1
    assert torch.equal(frozen(clip, items[:2], folder), first)


@pytest.mark.parametrize(
    "content, problem",
    [
        (None, "there is no such file"),
        (b"", "the file is empty"),
        (b"no picture", "cannot identify image file"),
    ],
)
def test_a_picture_that_cannot_be_read_is_named_before_and_after_it_was_stored(clip, items, folder,
                                                                               content, problem):
    for stored in (False, True):
        path = Path(items[3].path)
        good = path.read_bytes()
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ValueError, match=f"Cannot read the picture {path}: {problem}"):
            frozen(clip, items, folder)
        path.write_bytes(good)
        frozen(clip, items, folder)
