"""Contrastive pre-training: the loss, what the three stages see, and carrying on after a stop."""

import json
import random
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from clip_min import load_clip
from clip_min.files import save_tensors
from clip_min.world import pretrain, recipe
from notes import what_helped

WEB, CLOSE_UPS, REGISTERS = recipe.STAGES


def test_the_loss_is_the_mean_of_both_cross_entropies_written_out():
    """CLIP (arXiv:2103.00020), Fig. 3."""
    torch.manual_seed(0)
    images, texts, scale = torch.randn(4, 8), torch.randn(4, 8), torch.tensor(1.5)
    cosine = np.array([[a @ b / (a.norm() * b.norm()) for b in texts] for a in images])
    e = np.exp(np.exp(1.5) * cosine)
    rows = -np.log(np.diag(e) / e.sum(axis=1)).mean()
    columns = -np.log(np.diag(e) / e.sum(axis=0)).mean()
    loss = pretrain.contrastive_loss(images, texts, scale).item()
    assert abs(loss - (rows + columns) / 2) < 1e-5


def test_half_of_the_patches_are_left_out_and_the_class_token_stays():
    """FLIP (arXiv:2212.00794), Sec. 3."""
    x = torch.arange(65.0).expand(20, 65)[..., None]  # each token holds its own position
    kept = pretrain.drop_patches(x, 0.5, torch.Generator().manual_seed(0))[..., 0]  # [20, 33]
    assert kept.shape == (20, 33) and (kept[:, 0] == 0).all()
    assert all(len(set(row.tolist())) == 33 for row in kept)
    assert not torch.equal(kept[0].sort().values, kept[1].sort().values)


def test_with_all_patches_the_forward_pass_is_that_of_the_clip():
    clip, images = load_clip("tiny"), torch.randn(3, 3, 40, 40)
    with torch.no_grad():
        ours = pretrain.encode_image(clip.visual, images, 0.0, None)
        assert torch.equal(ours, clip.encode_image(images))


def some_facts(count):
    """Facts of pictures of two kinds, as far as the schedule reads them."""
    rng = random.Random(0)
    return [dict(kind=rng.choice(("glyphs", "flowers"))) for _ in range(count)]


@pytest.mark.parametrize("stage, one_kind", [(WEB, 0.0), (CLOSE_UPS, 1.0), (REGISTERS, 0.7)])
def test_batches_hold_one_kind_as_often_as_the_stage_says_and_no_picture_twice(stage, one_kind):
    """Hard negatives: Robinson et al. (arXiv:2010.04592)."""
    facts = some_facts(1000)
    schedule = recipe.batches(replace(stage, pairs=40_000), facts, seed=0)
    kinds = [{facts[i]["kind"] for i in index} for index in schedule]
    assert abs(sum(len(names) == 1 for names in kinds) / len(kinds) - one_kind) < 0.1
    assert all(len(set(index)) == len(index) for index in schedule)
    assert 40_000 <= sum(map(len, schedule)) < 40_000 + 128


def test_augmentation_shifts_and_dims_but_keeps_the_picture():
    images = torch.full((5, 3, 40, 40), 128, dtype=torch.uint8)
    images[:, :, 15:25, 15:25] = 250
    out = recipe.augment(images, torch.Generator().manual_seed(0))
    assert out.shape == (5, 3, 40, 40) and out.dtype == torch.float32
    assert (out[:, 0, 20, 20] > out[:, 0, 2, 2]).all() and not torch.equal(out[0], out[1])


def pretrain_briefly(folder, *more, stop_after=None):
    """Pre-trains the smallest of towers for a few steps; can be stopped at its n-th save."""
    small = [replace(stage, batches=((1.0, 16),), pictures=60) for stage in recipe.STAGES]
    saves = []

    def save_and_maybe_stop(path, content):
        save_tensors(path, content)
        saves.append(path.name)
        if len(saves) == stop_after:
            raise KeyboardInterrupt  # as Ctrl-C does

    settings = dict(LAYERS=1, WIDTH=64, EMBED=64, MERGES=50, SAVE_EVERY=2, STAGES=tuple(small))
    drawn = folder.parent / "drawn"
    argv = ["pretrain", "--out", folder, "--pairs", 64, "--pictures", drawn, *more]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setattr(pretrain, name, value)
        patch.setattr(pretrain, "save_tensors", save_and_maybe_stop)
        patch.setattr(sys, "argv", [str(word) for word in argv])
        try:
            pretrain.main()
        except KeyboardInterrupt:
            assert stop_after
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a short run of all stages."""
    return pretrain_briefly(tmp_path_factory.mktemp("pretrain") / "whole")


def weights(path):
    """The state dict of a file of weights."""
    return load_clip(path).state_dict()


def equal(first, second):
    """Whether two state dicts hold the same numbers, to the bit."""
    return all(torch.equal(first[name], second[name]) for name in first)


def test_a_shortened_run_repeated_gives_the_same_weights(whole):
    again = pretrain_briefly(whole.parent / "again")
    for stage in recipe.STAGES:
        assert equal(weights(whole / f"{stage.name}.pt"), weights(again / f"{stage.name}.pt"))


def test_another_seed_gives_other_weights(whole):
    other = pretrain_briefly(whole.parent / "other", "--stage", "web", "--seed", 1)
    assert not equal(weights(whole / "web.pt"), weights(other / "web.pt"))


@pytest.mark.parametrize("stop_after", [1, 4])  # in the first stage, and in the second
def test_an_interrupted_run_carries_on_to_the_same_weights(whole, stop_after):
    folder = whole.parent / f"stopped-{stop_after}"
    pretrain_briefly(folder, stop_after=stop_after)
    assert not (folder / "registers.pt").exists()
    pretrain_briefly(folder)
    for stage in recipe.STAGES:
        assert equal(weights(whole / f"{stage.name}.pt"), weights(folder / f"{stage.name}.pt"))
    last = json.loads((folder / "log.jsonl").read_text().splitlines()[-1])
    assert last["stage"] == "registers" and 64 <= last["pairs"] < 80


def test_the_last_stage_locks_the_image_tower_and_teaches_the_text_tower(whole):
    """LiT (arXiv:2111.07991)."""
    before, after = weights(whole / "close-ups.pt"), weights(whole / "registers.pt")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and not any(name.startswith(("visual.", "logit_scale")) for name in changed)


def test_a_stage_can_be_run_by_itself_from_the_weights_before_it(whole):
    alone = whole.parent / "alone"
    alone.mkdir()
    for name in ("close-ups.pt", "merges.txt"):
        shutil.copy(whole / name, alone)
    pretrain_briefly(alone, "--stage", "registers")
    assert equal(weights(whole / "registers.pt"), weights(alone / "registers.pt"))
    assert not (alone / "web.pt").exists()


@pytest.mark.parametrize("name", what_helped.RUNS)
def test_a_run_with_one_trick_less_differs_in_that_alone(name, tmp_path, monkeypatch):
    sides, trained = [], []
    monkeypatch.setattr(what_helped, "draw_pictures", lambda *_: recipe.Pictures(None, []))
    monkeypatch.setattr(what_helped, "load_clip", lambda path: path.name)
    monkeypatch.setattr(pretrain, "new_clip", lambda *_, **__: sides.append(pretrain.PATCH))
    monkeypatch.setattr(pretrain, "train", lambda stage, *_, **__: trained.append(stage))
    what_helped.run(name, tmp_path, tmp_path, what_helped.PAIRS)
    usual = (WEB.masked, CLOSE_UPS.one_kind, pretrain.PATCH)
    expected = {
        "as it is": usual,
        "no masking": (0, *usual[1:]),
        "mixed batches": (WEB.masked, 0, pretrain.PATCH),
        "patches of 8": (*usual[:2], 8),
    }
    web, close_ups = trained
    assert (web.masked, close_ups.one_kind, *sides) == expected[name]
    changed = dict(pairs=60_000, masked=web.masked)
    assert web == replace(WEB, **changed)
    assert close_ups == replace(CLOSE_UPS, pairs=100_000, one_kind=close_ups.one_kind)


def test_the_committed_tiny_clip_loads_like_any_other_and_knows_the_miniature_world():
    clip = load_clip("tiny")
    assert clip.image_size == 40 and clip.text_projection.shape[1] == 128
    texts = ["a photo of a cat.", "satellite photo of a river"]
    tokens = clip.tokenizer(texts, clip.context_length)
    assert clip.encode_text(tokens).isfinite().all()
    name = "a centered satellite photo of Herbaceous Vegetation Land."
    assert len(clip.tokenizer.encode(name)) <= 10
