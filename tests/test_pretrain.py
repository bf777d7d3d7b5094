"""Contrastive pre-training: the loss, the batches, and carrying on after a stop."""

import json
import sys

import numpy as np
import torch

from clip_min import load_clip
from clip_min.files import save_tensors
from clip_min.world import pretrain


def test_the_loss_is_the_mean_of_both_cross_entropies_written_out():
    """CLIP (arXiv:2103.00020), Fig. 3."""
    torch.manual_seed(0)
    images, texts, scale = torch.randn(4, 8), torch.randn(4, 8), torch.tensor(1.5)
    cosine = np.array([[a @ b / (a.norm() * b.norm()) for b in texts] for a in images])
    e = np.exp(np.exp(1.5) * cosine)
    rows = -np.log(np.diag(e) / e.sum(axis=1)).mean()
    columns = -np.log(np.diag(e) / e.sum(axis=0)).mean()
    assert abs(pretrain.contrastive_loss(images, texts, scale).item() - (rows + columns) / 2) < 1e-5


def test_each_pass_over_the_pool_sees_every_picture_once():
    seen = torch.cat(list(pretrain.batches(3000, 1000, 0, pretrain.BATCHES)))
    assert all(len(set(part.tolist())) == 1000 for part in seen[:3000].split(1000))


def test_augmentation_shifts_and_dims_but_keeps_the_picture():
    images = torch.full((5, 3, 40, 40), 128, dtype=torch.uint8)
    images[:, :, 15:25, 15:25] = 250
    out = pretrain.augment(images, torch.Generator().manual_seed(0))
    assert out.shape == (5, 3, 40, 40) and out.dtype == torch.float32
    assert (out[:, 0, 20, 20] > out[:, 0, 2, 2]).all() and not torch.equal(out[0], out[1])


def run(monkeypatch, folder, stop_after=None):
    """A short pre-training with the smallest of towers; stops like Ctrl-C after some steps."""
    saves = []

    def save_and_maybe_stop(path, content):
        save_tensors(path, content)
        saves.append(path.name)
        if stop_after and len(saves) == stop_after:
            raise KeyboardInterrupt

    for name, value in dict(LAYERS=1, MERGES=50, SAVE_EVERY=2, BATCHES=((1.0, 16),)).items():
        monkeypatch.setattr(pretrain, name, value)
    monkeypatch.setattr(pretrain, "save_tensors", save_and_maybe_stop)
    argv = ["pretrain", "--out", str(folder), "--pairs", "96", "--pool", "40"]
    monkeypatch.setattr(sys, "argv", argv)
    try:
        pretrain.main()
    except KeyboardInterrupt:
        pass


def test_an_interrupted_run_carries_on_to_the_same_weights(monkeypatch, tmp_path):
    run(monkeypatch, tmp_path / "whole")
    run(monkeypatch, tmp_path / "broken", stop_after=2)
    run(monkeypatch, tmp_path / "broken")
    whole, broken = (load_clip(tmp_path / name / "tiny.pt") for name in ("whole", "broken"))
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), broken.state_dict().values()))
    last = json.loads((tmp_path / "whole" / "log.jsonl").read_text().splitlines()[-1])
    assert last["pairs"] == 96 and last["step"] == 6


def test_the_committed_tiny_clip_loads_like_any_other_and_knows_the_miniature_world():
    clip = load_clip("tiny")
    assert clip.image_size == 40 and clip.text_projection.shape[1] == 128
    tokens = clip.tokenizer(["a photo of a cat.", "satellite photo of a river"], clip.context_length)
    assert clip.encode_text(tokens).isfinite().all()
    assert len(clip.tokenizer.encode("a centered satellite photo of Herbaceous Vegetation Land.")) <= 10
