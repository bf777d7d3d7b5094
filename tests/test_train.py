"""train.py: the published schedule, runs that carry on after a stop, what is recorded, and bad
input."""

import doctest
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

import clip_min
import eval as eval_script
import train as train_script
from clip_min.data import load_dataset
from clip_min.files import save_tensors
from clip_min.model import VisionTransformer
from clip_min.weights.checkpoint import TINY
from prompts import METHODS, cocoop, coop, upt
from prompts.coop import CoOp
from prompts.runs import evaluation, identity, plan, run as runs
from prompts.runs import job as command_line
from prompts.runs import progress as progress_file
from tests.scripts import (
    ROOT,
    call,
    prompts,
    refusal,
    rows,
    same_prompts,
    train,
)  # noqa: F401
from train import learning_rate

pytestmark = pytest.mark.usefixtures("few_pictures")

GOLDEN = json.loads((ROOT / "tests" / "golden" / "protocol.json").read_text())
CLASSES = len(load_dataset("toy-satellite").classnames)
SHORT = ("--method", "upt", "--shots", 1, "--epochs", 2)
EPOCHS_OF_THREE_STEPS = (
    "--method",
    "upt",
    "--shots",
    1,
    "--epochs",
    4,
    "--batch-size",
    CLASSES // 3,
)


@pytest.fixture(scope="module")
def short_run(few_pictures, tmp_path_factory):
    """The folder of one finished run, not to be changed."""
    out = tmp_path_factory.mktemp("short")
    assert train(out, *SHORT) == 0
    return out


@pytest.fixture
def finished(short_run, tmp_path):
    """A copy of the folder of one finished run."""
    shutil.copytree(short_run, tmp_path, dirs_exist_ok=True)
    return tmp_path


def stop_at_step(monkeypatch, step, error=KeyboardInterrupt):
    """Raise the error where the loss of this training step (from 0, all runs counted) should be
    computed."""
    steps, cross_entropy = iter(range(10**9)), train_script.F.cross_entropy

    def maybe_stop(*arguments):
        if next(steps) == step:
            raise error
        return cross_entropy(*arguments)

    monkeypatch.setattr(train_script.F, "cross_entropy", maybe_stop)


# The recipe


@pytest.mark.parametrize("case", [key for key in GOLDEN["schedule"] if key.startswith("epochs_")])
def test_the_learning_rate_is_the_published_codes(case):
    """CoOp, Sec. 3.1: cosine annealing after a first epoch at 1e-5 (figures of Dassl's
    scheduler)."""
    expected = GOLDEN["schedule"][case]
    rates = [
        learning_rate(GOLDEN["schedule"]["lr"], epoch, len(expected))
        for epoch in range(len(expected))
    ]
    assert len(expected) == int(case.removeprefix("epochs_"))
    assert max(abs(ours - theirs) for ours, theirs in zip(rates, expected)) < 1e-9


def test_every_epoch_steps_at_its_learning_rate_with_momentum_and_weight_decay(
    monkeypatch, tmp_path
):
    """CoOp, Sec. 3.1, and the published configuration: SGD, momentum 0.9, weight decay 5e-4."""
    steps = []

    class Spy(torch.optim.SGD):
        def step(self):
            steps.append(
                tuple(
                    self.param_groups[0][key]
                    for key in ("lr", "momentum", "weight_decay", "nesterov")
                )
            )
            return super().step()

    monkeypatch.setattr(torch.optim, "SGD", Spy)
    assert train(tmp_path, *EPOCHS_OF_THREE_STEPS, "--lr", 0.01) == 0
    assert steps == [
        (learning_rate(0.01, epoch, 4), 0.9, 5e-4, False) for epoch in range(4) for _ in range(3)
    ]


@pytest.mark.parametrize(
    "batch_size, steps", [(CLASSES - 1, 1), (CLASSES // 2, 2), (CLASSES, 1), (CLASSES + 1, 1)]
)
def test_a_batch_that_is_not_full_is_dropped_unless_it_is_the_only_one(
    monkeypatch, tmp_path, batch_size, steps
):
    sizes, cross_entropy = [], train_script.F.cross_entropy

    def count(logits, labels):
        sizes.append(len(labels))
        return cross_entropy(logits, labels)

    monkeypatch.setattr(train_script.F, "cross_entropy", count)
    assert train(tmp_path, "--shots", 1, "--epochs", 1, "--batch-size", batch_size) == 0
    assert sizes == [min(batch_size, CLASSES)] * steps


def test_a_method_trains_with_the_recipe_in_its_file_unless_a_flag_says_otherwise(tmp_path):
    recipe = upt.TINY
    assert train(tmp_path, "--shots", 1, "--epochs", 1, "--hp", "n_ctx=3", "depth=deep") == 0
    row = rows(tmp_path)[-1]
    assert (row["lr"], row["batch_size"], row["epochs"]) == (recipe.lr, recipe.batch_size, 1)
    assert row["options"] == dict(recipe.options, n_ctx=3, depth="deep")
    (prompt,) = prompts(tmp_path).values()
    assert prompt["learned"]["U"].shape == (4, 6, 128)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_learns_records_and_is_rebuilt_from_its_prompt_file(name, tmp_path):
    assert (
        train(
            tmp_path,
            "--method",
            name,
            "--shots",
            2,
            *(("--epochs", 2) if name != "linear_probe" else ()),
        )
        == 0
    )
    row = rows(tmp_path)[-1]
    assert row["method"] == name and (name == "zero_shot") == (prompts(tmp_path) == {})
    for path in tmp_path.rglob("prompt.pt"):
        assert call(eval_script, path, "--out", tmp_path / "again") == 0
        again = rows(tmp_path / "again")[-1]
        assert again["accuracy"] == row["accuracy"] and again["method"] == name


def test_class_specific_contexts_are_refused_on_other_classes_even_if_there_are_as_many(
    tmp_path, capsys
):
    arguments = (
        "--method",
        "coop",
        "--hp",
        "class_specific=True",
        "--shots",
        1,
        "--epochs",
        1,
        "--classes",
        "base",
    )
    assert train(tmp_path, *arguments) == 0
    (path,) = tmp_path.rglob("prompt.pt")
    assert call(eval_script, path, "--classes", "base", "--out", tmp_path) == 0
    assert "other classes" in refusal(
        capsys, call(eval_script, path, "--classes", "new", "--out", tmp_path)
    )


def test_a_recipe_can_be_chosen_on_the_validation_pictures(tmp_path, monkeypatch, capsys):
    evaluated = []
    monkeypatch.setattr(
        train_script, "evaluate", lambda method, items, *_: evaluated.append(items) or 50.0
    )
    assert train(tmp_path, *SHORT, "--split", "val") == 0
    assert (
        evaluated == [load_dataset("toy-satellite").val] * 2
        and "val accuracy" in capsys.readouterr().out
    )
    assert train(tmp_path, *SHORT) == 0  # the same prompt, on other pictures
    assert [row["split"] for row in rows(tmp_path)] == ["val", "val", "test", "test"] and len(
        prompts(tmp_path)
    ) == 1


# Frozen image features


def test_a_frozen_image_towers_features_are_computed_once_for_all_methods_and_seeds(
    tmp_path, monkeypatch
):
    arguments = ("--shots", 1, "--epochs", 2, "--views", 2, "--features-dir", tmp_path / "features")
    assert train(tmp_path / "one", "--method", "coop", *arguments) == 0
    monkeypatch.setattr(
        VisionTransformer, "forward", lambda *_: pytest.fail("an image was encoded again")
    )
    assert train(tmp_path / "two", "--method", "coop", "cocoop", *arguments, "--seed", 1) == 0


def test_views_are_cycled_through_and_0_makes_a_fresh_one_in_every_epoch(tmp_path, monkeypatch):
    seen = []
    classify = CoOp.classify

    def spy(method, features):
        if method.training:
            seen.append(features.clone())
        return classify(method, features)

    monkeypatch.setattr(CoOp, "classify", spy)
    for views, different in ((2, 2), (3, 3), (16, 4), (0, 4)):
        seen.clear()
        assert (
            train(
                tmp_path / str(views),
                "--method",
                "coop",
                "--shots",
                1,
                "--epochs",
                4,
                "--views",
                views,
            )
            == 0
        )
        sums = {
            round(x.double().sort(dim=0).values.norm().item(), 4) for x in seen
        }  # whatever their order
        assert (len(seen), len(sums)) == (4, different)
        assert rows(tmp_path / str(views))[-1].get("views", 0) == views


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_lower_precision_learns_without_nan_and_is_another_run(tmp_path, precision):
    for method in ("coop", "upt"):
        assert (
            train(
                tmp_path, "--method", method, "--shots", 1, "--epochs", 3, "--precision", precision
            )
            == 0
        )
    assert all(row["precision"] == precision for row in rows(tmp_path))
    for path, prompt in prompts(tmp_path).items():
        assert precision in path and all(x.isfinite().all() for x in prompt["learned"].values())


def test_the_number_of_epochs_goes_with_the_number_of_shots():
    """CoOp, Sec. 3.1: 50 epochs for 1 shot, 100 for 2 and 4, 200 for 8 and 16; shots in between
    go with the next."""
    for shots, epochs in {1: 50, 2: 100, 3: 100, 4: 100, 8: 200, 16: 200, 32: 200}.items():
        assert coop.PAPER.epochs_for("eurosat", shots) == epochs
        assert coop.PAPER.epochs_for("imagenet", shots) == 50
        assert cocoop.PAPER.epochs_for("imagenet", shots) == 10


# Runs: what they leave, and how they carry on


def test_a_run_leaves_a_row_with_all_that_identifies_and_measures_it(tmp_path, capsys):
    assert train(tmp_path, *SHORT) == 0
    zero_shot, row = rows(tmp_path)
    expected = dict(
        method="upt",
        model="tiny",
        dataset="toy-satellite",
        classes="all",
        shots=1,
        seed=1,
        epochs=2,
    )
    expected["options"] = upt.TINY.options
    assert {key: row[key] for key in expected} == expected
    assert 0 <= row["accuracy"] <= 100 and row["seconds"] >= 0 and len(row["sha256"]) == 64
    (prompt,) = prompts(tmp_path).values()
    assert row["trainable_parameters"] == sum(x.numel() for x in prompt["learned"].values())
    assert row["command"] == f"python train.py --method upt --shots 1 --epochs 2 --out {tmp_path}"
    assert row["version"] == prompt["version"] == clip_min.__version__
    assert {key: prompt[key] for key in expected} == expected
    assert prompt["classnames"] == load_dataset("toy-satellite").classnames
    # Zero-shot CLIP stands beside it, in a row of its own.
    assert (row["trained_on"], row["trained_classes"], row["loss"]) == (
        "toy-satellite",
        "all",
        prompt["losses"][-1],
    )
    del expected["epochs"]
    expected |= dict(
        method="zero_shot", options={}, shots=0, seed=0, trained_on=None, trainable_parameters=0
    )
    assert {key: zero_shot[key] for key in expected} == expected and zero_shot.keys() >= {
        "command",
        "version",
    }
    printed = capsys.readouterr().out
    assert f"{row['accuracy']:6.2f} %" in printed and f"{zero_shot['accuracy']:6.2f} %" in printed


def test_several_values_to_a_flag_run_their_product(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train_script, "train", lambda *_: [])
    monkeypatch.setattr(train_script, "evaluate", lambda *_: 50.0)
    datasets, upt = ["toy-satellite", "toy-textures"], []
    arguments = (
        "--method",
        "zero_shot",
        "upt",
        "--shots",
        1,
        2,
        "--seed",
        1,
        2,
        "--epochs",
        1,
        "--dataset",
        *datasets,
    )
    assert train(tmp_path, *arguments) == 0
    for row in rows(tmp_path):
        if row["method"] == "upt":
            upt.append((row["dataset"], row["shots"], row["seed"]))
    assert sorted(upt) == sorted(
        (d, shots, seed) for d in datasets for shots in (1, 2) for seed in (1, 2)
    )
    assert sorted(
        row["dataset"] for row in rows(tmp_path) if row["method"] == "zero_shot"
    ) == sorted(datasets)
    assert len(prompts(tmp_path)) == 8 and capsys.readouterr().out.count("over 2 seeds") == 4


def test_the_same_seed_learns_the_same_prompt_and_another_seed_another_one(short_run, tmp_path):
    for folder, seed in (("again", 1), ("other", 2)):
        assert train(tmp_path / folder, *SHORT, "--seed", seed) == 0
    assert same_prompts(short_run, tmp_path / "again")
    (one,), (other,) = (prompts(folder).values() for folder in (short_run, tmp_path / "other"))
    assert all(not torch.equal(x, other["learned"][name]) for name, x in one["learned"].items())


def test_a_run_killed_in_the_middle_carries_on_to_the_same_prompt(tmp_path, monkeypatch, capsys):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert train(whole, *EPOCHS_OF_THREE_STEPS) == 0
    monkeypatch.setattr(progress_file, "SAVE_EVERY", 0)
    with monkeypatch.context() as patch:
        stop_at_step(patch, 7)  # the second of the third epoch
        assert train(broken, *EPOCHS_OF_THREE_STEPS) == 130
    assert prompts(broken) == {} and len(list(broken.rglob("progress.pt"))) == 1
    capsys.readouterr()
    assert train(broken, *EPOCHS_OF_THREE_STEPS) == 0
    assert "continues after epoch 2" in capsys.readouterr().out
    assert (
        same_prompts(whole, broken) and rows(whole)[-1]["accuracy"] == rows(broken)[-1]["accuracy"]
    )
    assert list(broken.rglob("progress.pt")) == []


def interrupted(out, monkeypatch):
    """A run that was stopped in its third epoch; → its progress file."""
    monkeypatch.setattr(progress_file, "SAVE_EVERY", 0)
    with monkeypatch.context() as patch:
        stop_at_step(patch, 7)
        assert train(out, *EPOCHS_OF_THREE_STEPS) == 130
    (progress,) = out.rglob("progress.pt")
    return progress


def test_an_interrupted_run_does_not_go_on_with_another_backbone(tmp_path, monkeypatch, capsys):
    interrupted(tmp_path, monkeypatch)
    load_clip = plan.load_clip

    def load_other(*arguments):
        clip = load_clip(*arguments)
        clip.sha256 = "0" * 64
        return clip

    monkeypatch.setattr(plan, "load_clip", load_other)
    capsys.readouterr()
    assert train(tmp_path, *EPOCHS_OF_THREE_STEPS) == 0
    assert "continues" not in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["cut short", "text", "a list", "parts are missing"])
def test_a_damaged_progress_file_is_named_and_the_run_starts_again(
    tmp_path, monkeypatch, capsys, damage
):
    progress = interrupted(tmp_path, monkeypatch)
    state = torch.load(progress, weights_only=True)
    if damage == "cut short":
        progress.write_bytes(progress.read_bytes()[:1000])
    elif damage == "text":
        progress.write_text("no tensors")
    elif damage == "a list":
        torch.save([1, 2], progress)
    else:
        torch.save(dict(state, parts={}), progress)
    capsys.readouterr()
    assert train(tmp_path, *EPOCHS_OF_THREE_STEPS) == 0
    printed = capsys.readouterr()
    assert "continues" not in printed.out and "progress.pt" in printed.err
    assert rows(tmp_path)[-1]["method"] == "upt"


def no_training(monkeypatch):
    def fail(*_):
        raise AssertionError("This should not have been computed again.")

    monkeypatch.setattr(train_script, "train", fail)
    monkeypatch.setattr(train_script, "evaluate", fail)


def test_the_same_command_again_trains_nothing_and_records_nothing(finished, monkeypatch, capsys):
    before = (finished / "results.jsonl").read_bytes()
    no_training(monkeypatch)
    assert train(finished, *SHORT) == 0
    assert (finished / "results.jsonl").read_bytes() == before
    zero_shot, upt = (f"{row['accuracy']:6.2f} %" for row in rows(finished))
    summary = capsys.readouterr().out.splitlines()[-2:]
    assert zero_shot in summary[0] and upt in summary[1]


def test_a_recipe_that_has_changed_is_another_run(finished, monkeypatch):
    monkeypatch.setattr(upt, "TINY", upt.TINY.with_changes(max_norm=0.001))
    assert train(finished, *SHORT) == 0
    assert [row["max_norm"] for row in rows(finished) if row["method"] == "upt"] == [5.0, 0.001]


def test_a_result_whose_prompt_file_is_gone_is_learned_anew(finished):
    (path,) = finished.rglob("prompt.pt")
    path.unlink()
    assert train(finished, *SHORT) == 0 and path.exists() and len(rows(finished)) == 2


def test_a_last_line_of_the_results_that_was_cut_short_is_survived(finished, monkeypatch):
    path = finished / "results.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"method": "upt", "opti')
    assert train(finished, *SHORT, "--seed", 2) == 0
    lines = path.read_bytes().splitlines()
    assert (
        path.read_bytes().startswith(whole)
        and len(lines) == 4
        and json.loads(lines[-1])["seed"] == 2
    )
    no_training(monkeypatch)
    assert train(finished, *SHORT, "--seed", 1, 2) == 0


def test_an_evaluation_elsewhere_is_never_taken_for_a_training_run(finished, monkeypatch, capsys):
    """A prompt learned on the base classes and evaluated on all is not the prompt learned on all
    classes."""
    assert train(finished, *SHORT, "--classes", "base") == 0
    (base,) = (path for path in finished.rglob("prompt.pt") if "base" in path.parent.name)
    with monkeypatch.context() as patch:
        patch.setattr(eval_script, "evaluate", lambda *_: 12.34)
        assert call(eval_script, base, "--classes", "all", "--out", finished) == 0
    capsys.readouterr()
    assert train(finished, *SHORT) == 0
    assert "12.34" not in capsys.readouterr().out


def test_the_options_of_a_method_are_read_as_numbers_or_words():
    read = command_line.hyperparameters(
        ["n_ctx=8", "dropout=0.1", "depth=deep", "x=-1", "y=a=b", "z="]
    )
    assert read == dict(n_ctx=8, dropout=0.1, depth="deep", x=-1, y="a=b", z="")


def test_the_examples_in_the_docstrings_are_true():
    assert doctest.testmod(train_script).attempted > 0 and doctest.testmod(train_script).failed == 0


# What goes wrong


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--method", "utp"], ["'utp'", "Did you mean upt?", "zero_shot"]),
        (["--method", "upt", "UPT"], ["'UPT'", "Did you mean upt"]),
        (["--dataset", "toy-satelite"], ["'toy-satelite'", "Did you mean toy-satellite"]),
        (["--dataset", "eurosatt"], ["'eurosatt'", "Did you mean eurosat"]),
        (["--dataset", "eurosat"], ["eurosat", "--data-root"]),
        (["--dataset", "eurosat", "--data-root", "nowhere"], ["nowhere", "--data-root"]),
        (["--model", "vit-b16"], ["'vit-b16'", "Did you mean 'ViT-B/16'"]),
        (["--shots", 0], ["--shots", "at least 1", "not 0"]),
        (["--shots", 1, -4], ["--shots", "at least 1", "not -4"]),
        (["--hp", "foo=1"], ["upt", "foo"]),
        (["--hp", "n_ctx"], ["name=value", "'n_ctx'"]),
        (["--hp", "depth=9"], ["depth", "not 9"]),
        (["--hp", "n_ctx=40"], ["n_ctx", "40"]),
        (["--method", "zero_shot", "--hp", "foo=1"], ["zero_shot", "foo"]),
        (["--epochs", 0], ["--epochs", "0"]),
        (["--batch-size", 0], ["batch", "0"]),
        (["--lr", -1], ["-1"]),
        (["--lr", "nan"], ["--lr", "nan"]),
        (["--views", -1], ["--views", "at least 0", "not -1"]),
        (["--seed", -1], ["--seed", "at least 0", "not -1"]),
        (["--seed", 2**64], ["--seed", "less than 2**63"]),
        (
            ["--method", "coop", "--hp", "n_ctx=16", "ctx_init=a"],
            ["n_ctx=16", "ctx_init='a'", "1 tokens"],
        ),
        (["--method", "shared", "--hp", "design=mlp"], ["shared", "design"]),
        (["--method", "linear_probe", "--hp", "C=-1"], ["C must be", "-1"]),
    ],
    ids=str,
)
def test_bad_input_ends_in_one_clear_sentence_and_nothing_is_written(
    tmp_path, capsys, arguments, words
):
    sentence = refusal(capsys, train(tmp_path / "runs", "--shots", 1, *arguments))
    assert all(word in sentence for word in words), sentence
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_reported_in_one_sentence(tmp_path, capsys):
    refusal(capsys, train(tmp_path / "runs", "--device", "cuda"))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("kind", ["truncated", "text"])
def test_a_file_that_is_no_checkpoint_is_refused_by_name(tmp_path, capsys, kind):
    path = tmp_path / "weights.pt"
    path.write_bytes(
        TINY.read_bytes()[:100_000] if kind == "truncated" else b"These are no weights.\n"
    )
    sentence = refusal(capsys, train(tmp_path / "runs", "--model", path))
    assert str(path) in sentence and not (tmp_path / "runs").exists()


def diverge_at(monkeypatch, step):
    """The loss of this training step (from 0, all runs counted) is not a number."""
    cross_entropy, steps = train_script.F.cross_entropy, iter(range(10**9))

    def diverge(*arguments):
        return cross_entropy(*arguments) * (float("nan") if next(steps) == step else 1)

    monkeypatch.setattr(train_script.F, "cross_entropy", diverge)


def test_a_run_that_diverges_is_recorded_as_failed_and_the_sweep_goes_on(
    tmp_path, monkeypatch, capsys
):
    arguments = ("--shots", 1, "--epochs", 3, "--seed", 1, 2)
    with monkeypatch.context() as patch:
        diverge_at(patch, 2)
        assert train(tmp_path, *arguments) == 1
    printed = capsys.readouterr()
    assert (
        "failed: loss nan in epoch 3: lower --lr" in printed.err
        and "1 of 3 runs failed" in printed.out
    )
    zero_shot, failed, good = rows(tmp_path)
    assert "accuracy" not in failed and "loss nan" in failed["failed"] and failed["seed"] == 1
    assert good["seed"] == 2 and len(prompts(tmp_path)) == 1
    no_training(monkeypatch)  # the same command does not try it again
    assert train(tmp_path, *arguments) == 1
    assert "failed before" in capsys.readouterr().out and len(rows(tmp_path)) == 3


def test_a_prompt_that_breaks_in_the_very_last_step_is_not_kept_as_a_result(
    tmp_path, monkeypatch, capsys
):
    step, calls = torch.optim.SGD.step, []

    def break_the_third(self, *arguments):
        calls.append(1)
        step(self, *arguments)
        if len(calls) == 3:
            self.param_groups[0]["params"][0].data.fill_(float("nan"))

    monkeypatch.setattr(torch.optim.SGD, "step", break_the_third)
    assert train(tmp_path, "--shots", 1, "--epochs", 3) == 1
    assert "last step" in capsys.readouterr().err and prompts(tmp_path) == {}
    assert "last step" in rows(tmp_path)[-1]["failed"]


def test_a_class_with_fewer_pictures_than_shots_gives_all_it_has_with_a_warning(tmp_path, capsys):
    with pytest.warns(UserWarning, match="fewer than 4 train pictures"):
        assert train(tmp_path, "--shots", 4, "--epochs", 1) == 0
    assert f"{3 * CLASSES} pictures" in capsys.readouterr().out and rows(tmp_path)[-1]["shots"] == 4


def test_a_disk_that_fills_up_leaves_the_old_prompt_and_no_part_of_the_new_one(
    finished, monkeypatch, capsys
):
    (path,) = finished.rglob("prompt.pt")
    old = path.read_bytes()
    another = upt.TINY.with_changes(max_norm=0.001)  # so that it is learned again
    monkeypatch.setattr(upt, "TINY", another)

    def write_half(path, data):
        with open(path, "wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(Path, "write_bytes", write_half)
    assert os.strerror(errno.ENOSPC) in refusal(capsys, train(finished, *SHORT))
    assert path.read_bytes() == old and list(path.parent.iterdir()) == [path]
    assert [row["method"] for row in rows(finished)] == [
        "zero_shot",
        "upt",
    ]  # no result without its prompt


def test_ctrl_c_keeps_the_runs_that_are_finished(tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        stop_at_step(patch, 3)  # one step per epoch: in the second epoch of the second seed
        assert train(tmp_path, *SHORT, "--seed", 1, 2) == 130
    printed = capsys.readouterr().err
    assert "same command carries on" in printed and "Traceback" not in printed
    assert [row["seed"] for row in rows(tmp_path)] == [0, 1] and len(prompts(tmp_path)) == 1
    assert train(tmp_path, *SHORT, "--seed", 1, 2) == 0
    assert [row["seed"] for row in rows(tmp_path)] == [0, 1, 2]


def test_the_command_itself_ends_in_a_sentence_and_status_2(tmp_path):
    command = [sys.executable, "train.py", "--method", "utp", "--out", tmp_path / "runs"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr.startswith("error: There is no method 'utp'.") and done.stderr.count("\n") == 1
    )
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
def test_a_real_ctrl_c_ends_in_a_sentence_and_status_130(tmp_path):
    code = (
        "import signal, train; from clip_min.world import benchmarks\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "benchmarks.PICTURES = {'train': 1, 'val': 1, 'test': 1}\n"
        "train.run_script(train.main)"
    )
    command = [sys.executable, "-c", code, "--shots", "1", "--epochs", "100000", "--out", tmp_path]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while "epoch" not in process.stdout.readline():  # the first epoch is done
            assert process.poll() is None, process.stderr.read()
        process.send_signal(signal.SIGINT)
        _, printed = process.communicate()
    assert process.returncode == 130
    assert "Interrupted" in printed and "Traceback" not in printed


def test_a_progress_file_cannot_bring_code(tmp_path, monkeypatch, capsys):
    progress, mark = interrupted(tmp_path, monkeypatch), tmp_path / "mark"

    class Payload:
        def __reduce__(self):
            return os.mkdir, (str(mark),)

    save_tensors(progress, dict(torch.load(progress, weights_only=True), parts=Payload()))
    torch.load(progress, weights_only=False)  # the careless way does run it
    assert mark.exists()
    mark.rmdir()
    assert train(tmp_path, *EPOCHS_OF_THREE_STEPS) == 0
    assert not mark.exists() and "progress.pt" in capsys.readouterr().err


# Never a stale number


@pytest.fixture
def edited(monkeypatch):
    """→ a function: file → from now on its code counts as another one."""
    digest_of_code = identity.digest_of_code

    def edit(name):
        def digest(*files):
            return "edited00" if files[0].name == name else digest_of_code(*files)

        monkeypatch.setattr(identity, "digest_of_code", digest)

    return edit


@pytest.mark.parametrize("file", ["upt.py", "train.py"])
def test_after_an_edit_the_same_command_learns_again_and_says_why(finished, edited, capsys, file):
    (before,) = (row for row in rows(finished) if row["method"] == "upt")
    edited(file)
    assert train(finished, *SHORT) == 0
    printed = capsys.readouterr().out
    assert f"again because {file} changed" in printed and "already in" not in printed
    after = rows(finished)[-1]
    assert after["method"] == "upt" and after["code"][file] == "edited00" != before["code"][file]


def test_an_edit_of_another_method_changes_nothing(finished, edited, monkeypatch):
    edited("coop.py")
    no_training(monkeypatch)
    assert train(finished, *SHORT) == 0 and len(rows(finished)) == 2


def test_comments_and_docstrings_are_not_code(tmp_path):
    path, digests = tmp_path / "method.py", []
    for text in ('"""A."""\nx = 1\n', '"""B, longer."""\n\nx = 1  # why\n', "x = 2\n"):
        path.write_text(text)
        digests.append(identity.digest_of_code.__wrapped__(path))
    assert digests[0] == digests[1] != digests[2]


def draw_folder(folder, colours):
    """Three pictures of each class, of the colours with these numbers, in train/ and test/."""
    for name in ("apple", "pear"):
        for part in ("train", "test"):
            (folder / part / name).mkdir(parents=True, exist_ok=True)
            for i in colours:
                Image.new("RGB", (9, 9), (40 * i, 0, 0)).save(folder / part / name / f"{i}.png")


@pytest.mark.parametrize(
    "part, why", [("train", "the training pictures"), ("test", "the evaluated pictures")]
)
def test_new_pictures_in_a_folder_make_a_new_run_and_a_new_zero_shot_row(
    tmp_path, capsys, part, why
):
    folder, out = tmp_path / "mine", tmp_path / "runs"
    draw_folder(folder, range(3))
    arguments = ("--method", "coop", "--shots", 1, "--epochs", 1, "--dataset", f"{folder}/")
    assert train(out, *arguments) == 0
    Image.new("RGB", (9, 9), "green").save(folder / part / "apple" / "9.png")
    assert train(out, *arguments) == 0
    assert f"again because {why} changed" in capsys.readouterr().out
    methods = [row["method"] for row in rows(out)]
    assert methods == ["zero_shot", "coop"] + (
        ["coop"] if part == "train" else ["zero_shot", "coop"]
    )


def test_a_method_is_built_once_in_a_run(tmp_path, monkeypatch):
    built, make_method = [], runs.make_method
    monkeypatch.setattr(runs, "make_method", lambda *a: built.append(a[0]) or make_method(*a))
    assert train(tmp_path, *SHORT) == 0
    assert built == ["upt", "zero_shot"] or built == ["zero_shot", "upt"]


def test_every_run_of_a_sweep_says_which_one_it_is(tmp_path, capsys, monkeypatch):
    assert train(tmp_path, *SHORT, "--seed", 1, 2, 3) == 0
    printed = capsys.readouterr().out
    assert "seed 1 (run 1 of 3)" in printed
    assert "seed 2 (run 2 of 3, about 1 min left)" in printed and "run 3 of 3" in printed


def test_fp16_drops_no_step(tmp_path, monkeypatch):
    """A scale that is too large makes infinite gradients, and GradScaler leaves such steps out."""
    scales = []

    class Spy(torch.amp.GradScaler):
        def update(self):
            super().update()
            scales.append(self.get_scale())

    monkeypatch.setattr(torch.amp, "GradScaler", Spy)
    assert train(tmp_path, *EPOCHS_OF_THREE_STEPS, "--precision", "fp16") == 0
    assert len(scales) == 12 and min(scales) >= train_script.FP16_SCALE


@pytest.mark.parametrize("room", ["batches.py", "model.py"])
def test_an_edit_of_what_every_result_depends_on_is_another_run(finished, edited, capsys, room):
    edited(room)
    assert train(finished, *SHORT) == 0
    expected = "experiments" if room == "batches.py" else "clip_min"
    assert f"again because {expected} changed" in capsys.readouterr().out


def test_every_room_that_a_result_depends_on_is_there():
    package, here = Path(clip_min.__file__).parent, Path(identity.__file__).parent
    files = [package / f"{room}.py" for room in identity.CLIP_MIN]
    files += [here / f"{room}.py" for room in identity.EXPERIMENTS]
    assert all(file.is_file() for file in files) and Path(evaluation.__file__) in files


def test_a_run_without_an_option_is_not_the_run_with_it(tmp_path):
    """A row may have keys that another one lacks: they are not the same for that."""
    arguments = ("--method", "coop", "--shots", 1, "--epochs", 2)
    for views in ((), ("--views", 0), ("--gelu", "exact"), ()):
        assert train(tmp_path, *arguments, *views) == 0
    found = [
        (row.get("views"), row.get("gelu")) for row in rows(tmp_path) if row["method"] == "coop"
    ]
    assert found == [(16, None), (0, None), (16, "exact")]
    assert len(prompts(tmp_path)) == 3


def test_an_old_prompt_that_is_evaluated_is_not_taken_for_todays_code(finished, edited, capsys):
    (path,) = finished.rglob("prompt.pt")
    edited("upt.py")
    assert call(eval_script, path, "--out", finished) == 0
    assert rows(finished)[-1]["evaluated_with"]["upt.py"] == "edited00"
    assert train(finished, *SHORT) == 0
    assert "again because upt.py changed" in capsys.readouterr().out


def test_after_an_edit_is_taken_back_the_prompt_is_learned_again(
    finished, edited, monkeypatch, capsys
):
    with monkeypatch.context() as patch:
        digest_of_code = identity.digest_of_code

        def digest(*files):
            return "edited00" if files[0].name == "upt.py" else digest_of_code(*files)

        patch.setattr(identity, "digest_of_code", digest)
        assert train(finished, *SHORT) == 0
    (path,) = finished.rglob("prompt.pt")
    assert torch.load(path, weights_only=True)["code"]["upt.py"] == "edited00"
    assert train(finished, *SHORT) == 0
    assert torch.load(path, weights_only=True)["code"]["upt.py"] != "edited00"
    assert "prompt.pt is missing or of another run" in capsys.readouterr().out


def test_a_run_that_fails_on_one_target_keeps_the_row_of_the_other(tmp_path, monkeypatch, capsys):
    evaluate, asked = train_script.evaluate, []

    def fail_on_the_second(method, items, compute):
        asked.append(items)
        if len(asked) == 4:  # zero-shot CLIP on both halves, CoOp on base classes, on new ones
            raise FloatingPointError("The logits are not finite")
        return evaluate(method, items, compute)

    monkeypatch.setattr(train_script, "evaluate", fail_on_the_second)
    arguments = ("--method", "coop", "--shots", 1, "--epochs", 1, "--protocol", "base-to-new")
    assert train(tmp_path, *arguments) == 1
    base, new = rows(tmp_path)[-2:]
    assert (base["classes"], "failed" in base) == ("base", False)
    assert (new["classes"], "failed" in new) == ("new", True)
    assert "1 of 2 runs failed" in capsys.readouterr().out


def test_a_model_given_twice_is_run_once(tmp_path):
    assert train(tmp_path, *SHORT, "--model", "tiny", "tiny") == 0
    assert len(rows(tmp_path)) == 2


@pytest.mark.parametrize(
    "option", ["heads=two", "heads=1.0", "heads=True", "heads=3", "dropout=high", "dropout=1"]
)
def test_an_odd_option_of_upt_is_refused_in_one_sentence(tmp_path, capsys, option):
    sentence = refusal(capsys, train(tmp_path / "runs", *SHORT, "--hp", option))
    assert option.split("=")[0] in sentence and option.split("=")[1] in sentence


@pytest.mark.parametrize(
    "odd",
    [
        dict(accuracy=900),
        dict(accuracy=float("nan")),
        dict(accuracy=True),
        dict(accuracy="59"),
        dict(accuracy=None),
        dict(failed=None),
        dict(code=["upt.py"]),
        dict(options=3),
    ],
    ids=str,
)
def test_a_row_that_is_not_one_is_never_taken_for_a_result(finished, odd):
    path = finished / "results.jsonl"
    lines = [json.dumps({**row, **odd}) for row in rows(finished)]
    path.write_text("\n".join(lines) + "\n")
    assert train(finished, *SHORT) == 0
    assert [row["method"] for row in rows(finished)] == ["zero_shot", "upt"] * 2


def test_a_value_of_hp_is_a_number_or_a_word():
    texts = ("1,2", "{1, 2}", "b'x'", "1j", "[1]", "1e-3", "None", "True", "a photo of a")
    found = [command_line.number_or_word(text) for text in texts]
    assert found == ["1,2", "{1, 2}", "b'x'", "1j", "[1]", 0.001, None, True, "a photo of a"]


@pytest.mark.parametrize("damage", ["tensor", "losses", "seconds", "nan"])
def test_a_progress_file_of_other_parts_starts_the_run_again(tmp_path, monkeypatch, capsys, damage):
    progress = interrupted(tmp_path, monkeypatch)
    state = torch.load(progress, weights_only=True)
    if damage == "nan":
        state["parts"]["U"] = state["parts"]["U"] * float("nan")
    odd = {"tensor": torch.ones(2), "losses": dict(state, losses=3), "nan": state}
    torch.save(odd.get(damage, dict(state, seconds="long")), progress)
    assert train(tmp_path, *EPOCHS_OF_THREE_STEPS) == 0
    assert "progress.pt is damaged" in capsys.readouterr().err
