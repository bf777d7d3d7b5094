"""train.py: the published schedule, runs that carry on after a stop, rows, bad input."""

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

import clip_min
import eval as eval_script
import train as train_script
from clip_min.data import load_dataset
from clip_min.files import save_tensors
from clip_min.model import VisionTransformer
from clip_min.weights.locate import TINY
from prompts import METHODS, recipe_of, upt
from prompts.coop import CoOp
from prompts.runs import parallel, plan, results, script
from prompts.runs import progress as progress_file
from tests.scripts import ROOT, call, prompts, refusal, rows, same_prompts, train
from train import learning_rate

pytestmark = pytest.mark.usefixtures("few_pictures")

GOLDEN = json.loads((ROOT / "tests" / "golden" / "protocol.json").read_text())
CLASSES = len(load_dataset("toy-satellite").classnames)
SHORT = ("--method", "upt", "--shots", 1, "--epochs", 2)
COOP = ("--method", "coop", "--shots", 1, "--epochs", 1)
THREE_STEPS = ("--method", "upt", "--shots", 1, "--epochs", 4, "--batch-size", CLASSES // 3)


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


def watch_losses(monkeypatch, change):
    """Every cross-entropy of training goes through change(number of the step, loss, labels)."""
    cross_entropy, steps = train_script.F.cross_entropy, iter(range(10**9))

    def watched(logits, labels):
        return change(next(steps), cross_entropy(logits, labels), labels)

    monkeypatch.setattr(train_script.F, "cross_entropy", watched)


def stop_at_step(monkeypatch, step, error=KeyboardInterrupt):
    """Raise the error in this training step (from 0, all runs counted)."""
    def stop(number, loss, labels):
        if number == step:
            raise error
        return loss

    watch_losses(monkeypatch, stop)


def no_training(monkeypatch):
    """From now on nothing may be learned or evaluated."""
    def fail(*_):
        raise AssertionError("This should not have been computed again.")

    monkeypatch.setattr(train_script, "train", fail)
    monkeypatch.setattr(results, "evaluate", fail)


# The recipe


def test_the_learning_rate_is_the_published_codes():
    """CoOp, Sec. 3.1: cosine annealing after a first epoch at 1e-5 (Dassl's scheduler)."""
    cases = {key: rates for key, rates in GOLDEN["schedule"].items() if key.startswith("epochs_")}
    assert len(cases) > 2
    for key, expected in cases.items():
        rates = [learning_rate(GOLDEN["schedule"]["lr"], epoch, len(expected))
                 for epoch in range(len(expected))]
        assert len(expected) == int(key.removeprefix("epochs_"))
        assert max(abs(ours - theirs) for ours, theirs in zip(rates, expected)) < 1e-9


def test_every_epoch_steps_at_its_learning_rate_with_momentum_and_weight_decay(
        monkeypatch, tmp_path):
    """CoOp, Sec. 3.1, and the published configuration: SGD, momentum 0.9, weight decay 5e-4."""
    steps, names = [], ("lr", "momentum", "weight_decay", "nesterov")

    class Spy(torch.optim.SGD):
        def step(self):
            steps.append(tuple(self.param_groups[0][name] for name in names))
            return super().step()

    monkeypatch.setattr(torch.optim, "SGD", Spy)
    assert train(tmp_path, *THREE_STEPS, "--lr", 0.01) == 0
    rates = [learning_rate(0.01, epoch, 4) for epoch in range(4) for _ in range(3)]
    assert steps == [(rate, 0.9, 5e-4, False) for rate in rates]


def test_a_batch_that_is_not_full_is_dropped_unless_it_is_the_only_one(monkeypatch, tmp_path):
    sizes = []
    watch_losses(monkeypatch, lambda step, loss, labels: sizes.append(len(labels)) or loss)
    for size, steps in ((CLASSES - 1, 1), (CLASSES // 2, 2), (CLASSES, 1), (CLASSES + 1, 1)):
        sizes.clear()
        assert train(tmp_path / str(size), *COOP, "--batch-size", size) == 0
        assert sizes == [min(size, CLASSES)] * steps


def test_a_method_trains_with_the_recipe_in_its_file_unless_a_flag_says_otherwise(tmp_path):
    recipe = recipe_of("upt", "tiny")
    assert train(tmp_path, "--shots", 1, "--epochs", 1, "--hp", "n_ctx=3", "depth=deep") == 0
    row = rows(tmp_path)[-1]
    assert (row["lr"], row["batch_size"], row["epochs"]) == (recipe.lr, recipe.batch_size, 1)
    assert row["options"] == dict(recipe.options, n_ctx=3, depth="deep")
    (prompt,) = prompts(tmp_path).values()
    assert prompt["learned"]["U"].shape == (4, 6, 128)


def test_the_number_of_epochs_goes_with_the_number_of_shots():
    """CoOp, Sec. 3.1: 50 epochs for 1 shot, 100 for 2 and 4, 200 for 8 and 16; shots in between
    go with the next."""
    coop, cocoop = recipe_of("coop", "RN50"), recipe_of("cocoop", "RN50")
    for shots, epochs in {1: 50, 2: 100, 3: 100, 4: 100, 8: 200, 16: 200, 32: 200}.items():
        assert coop.epochs_for("eurosat", shots) == epochs
        assert coop.epochs_for("imagenet", shots) == 50
        assert cocoop.epochs_for("imagenet", shots) == 10


@pytest.mark.parametrize("name", METHODS)
def test_every_method_learns_records_and_is_rebuilt_from_its_prompt_file(name, tmp_path):
    epochs = ("--epochs", 2) if recipe_of(name, "tiny") else ()
    assert train(tmp_path, "--method", name, "--shots", 2, *epochs) == 0
    row = rows(tmp_path)[-1]
    assert row["method"] == name and (name == "zero_shot") == (prompts(tmp_path) == {})
    for path in tmp_path.rglob("prompt.pt"):
        assert call(eval_script, path, "--out", tmp_path / "again") == 0
        again = rows(tmp_path / "again")[-1]
        assert again["accuracy"] == row["accuracy"] and again["method"] == name


def test_class_specific_contexts_are_refused_on_other_classes(tmp_path, capsys):
    assert train(tmp_path, *COOP, "--hp", "class_specific=True", "--classes", "base") == 0
    (path,) = tmp_path.rglob("prompt.pt")
    assert call(eval_script, path, "--classes", "base", "--out", tmp_path) == 0
    status = call(eval_script, path, "--classes", "new", "--out", tmp_path)
    assert "other classes" in refusal(capsys, status)


def test_a_recipe_can_be_chosen_on_the_validation_pictures(tmp_path, monkeypatch, capsys):
    evaluated = []
    monkeypatch.setattr(results, "evaluate",
                        lambda method, items, *_: evaluated.append(items) or 50.0)
    assert train(tmp_path, *SHORT, "--split", "val") == 0
    assert evaluated == [load_dataset("toy-satellite").val] * 2
    assert "val accuracy" in capsys.readouterr().out
    assert train(tmp_path, *SHORT) == 0  # the same prompt, on other pictures
    assert [row["split"] for row in rows(tmp_path)] == ["val", "val", "test", "test"]
    assert len(prompts(tmp_path)) == 1


# A method by someone else: the seams


class Own(CoOp):
    """CoOp with a loss, a state of its own, and something to do after each epoch."""

    def __init__(self, clip, classnames, template=None, ctx_init=None):
        super().__init__(clip, classnames, ctx_init=ctx_init)
        self.register_buffer("sum", torch.zeros_like(self.ctx))
        self.register_buffer("labels", torch.zeros(0, dtype=torch.long))

    def loss(self, inputs, labels):
        self.labels = torch.cat([self.labels, labels.cpu()])
        logits = self.classify(inputs)
        return logits, 3 * torch.nn.functional.cross_entropy(logits, labels)

    def after_epoch(self, epoch, epochs):
        self.sum = self.sum + self.ctx.detach()
        if epoch + 1 == epochs:
            self.ctx.data = self.sum / epochs


def test_a_methods_own_loss_state_and_end_of_an_epoch_are_used_kept_and_resumed(
        tmp_path, monkeypatch):
    monkeypatch.setitem(METHODS, "coop", Own)
    Own.__module__ = CoOp.__module__
    arguments = ("--method", "coop", "--shots", 1, "--epochs", 4, "--views", 2)
    assert train(tmp_path / "whole", *arguments) == 0
    (prompt,) = prompts(tmp_path / "whole").values()
    assert prompt["learned"].keys() == {"ctx", "sum", "labels"}
    assert torch.equal(prompt["learned"]["ctx"], prompt["learned"]["sum"] / 4)
    assert len(prompt["learned"]["labels"]) == 4 * CLASSES
    monkeypatch.setattr(progress_file, "SAVE_EVERY", 0)
    after_epoch = Own.after_epoch
    with monkeypatch.context() as patch:
        def stop(self, epoch, epochs):
            if epoch == 2:
                raise KeyboardInterrupt
            after_epoch(self, epoch, epochs)

        patch.setattr(Own, "after_epoch", stop)
        assert train(tmp_path / "broken", *arguments) == 130
    assert train(tmp_path / "broken", *arguments) == 0
    assert same_prompts(tmp_path / "whole", tmp_path / "broken")
    (path,) = (tmp_path / "whole").rglob("prompt.pt")
    assert call(eval_script, path, "--out", tmp_path / "whole") == 0
    assert rows(tmp_path / "whole")[-1]["accuracy"] == rows(tmp_path / "whole")[-2]["accuracy"]


# Frozen image features


def test_a_frozen_image_towers_features_are_computed_once_for_all_methods_and_seeds(
        tmp_path, monkeypatch):
    arguments = ("--shots", 1, "--epochs", 2, "--views", 2, "--features-dir", tmp_path / "features")
    assert train(tmp_path / "one", "--method", "coop", *arguments) == 0
    monkeypatch.setattr(VisionTransformer, "forward", lambda *_: pytest.fail("encoded again"))
    assert train(tmp_path / "two", "--method", "coop", "cocoop", *arguments, "--seed", 1) == 0


def test_views_are_cycled_through_and_0_makes_a_fresh_one_in_every_epoch(tmp_path, monkeypatch):
    seen, classify = [], CoOp.classify

    def spy(method, features):
        if method.training:
            seen.append(features.clone())
        return classify(method, features)

    monkeypatch.setattr(CoOp, "classify", spy)
    for views, different in ((2, 2), (3, 3), (16, 4), (0, 4)):
        seen.clear()
        out = tmp_path / str(views)
        assert train(out, "--method", "coop", "--shots", 1, "--epochs", 4, "--views", views) == 0
        sums = {round(x.double().sort(dim=0).values.norm().item(), 4) for x in seen}
        assert (len(seen), len(sums)) == (4, different)
        assert rows(out)[-1].get("views", 0) == views


def test_what_is_slow_before_the_first_epoch_is_said_and_does_not_count_as_an_epoch(
        tmp_path, monkeypatch, capsys):
    """Computing 16 views takes longer than all epochs of CoOp."""
    now = iter(range(0, 10**9, 100))
    monkeypatch.setattr(progress_file.time, "monotonic", lambda: next(now))
    assert train(tmp_path, "--method", "coop", "--shots", 1, "--epochs", 20) == 0
    printed = capsys.readouterr().out
    assert "features of 16 views: 3 of 16" in printed
    (first,) = [line for line in printed.splitlines() if "epoch   1/20" in line]
    assert int(first.split()[-3]) == 19 * 100


def test_lower_precision_learns_without_nan_and_is_another_run(tmp_path):
    for precision in ("bf16", "fp16"):
        out = tmp_path / precision
        arguments = ("--shots", 1, "--epochs", 3, "--precision", precision)
        assert train(out, "--method", "coop", "upt", *arguments) == 0
        assert all(row["precision"] == precision for row in rows(out))
        for path, prompt in prompts(out).items():
            assert precision in path and all(x.isfinite().all() for x in prompt["learned"].values())


def test_fp16_drops_no_step(tmp_path, monkeypatch):
    """A scale that is too large makes infinite gradients, and GradScaler leaves such steps out."""
    scales = []

    class Spy(torch.amp.GradScaler):
        def update(self):
            super().update()
            scales.append(self.get_scale())

    monkeypatch.setattr(torch.amp, "GradScaler", Spy)
    assert train(tmp_path, *THREE_STEPS, "--precision", "fp16") == 0
    assert len(scales) == 12 and min(scales) >= train_script.FP16_SCALE


# Runs: what they leave, and how they carry on


def test_a_run_leaves_a_row_with_all_that_identifies_and_measures_it(tmp_path, capsys):
    assert train(tmp_path, *SHORT) == 0
    zero_shot, row = rows(tmp_path)
    expected = dict(method="upt", model="tiny", dataset="toy-satellite", classes="all", shots=1,
                    seed=1, epochs=2, options=recipe_of("upt", "tiny").options)
    assert {key: row[key] for key in expected} == expected
    assert 0 <= row["accuracy"] <= 100 and row["seconds"] >= 0 and len(row["sha256"]) == 64
    (prompt,) = prompts(tmp_path).values()
    assert row["trainable_parameters"] == sum(x.numel() for x in prompt["learned"].values())
    assert row["command"] == f"python train.py --method upt --shots 1 --epochs 2 --out {tmp_path}"
    assert row["version"] == prompt["version"] == clip_min.__version__
    assert {key: prompt[key] for key in expected} == expected
    assert prompt["classnames"] == load_dataset("toy-satellite").classnames
    assert (row["trained_on"], row["trained_classes"]) == ("toy-satellite", "all")
    assert row["loss"] == prompt["losses"][-1]
    # Zero-shot CLIP stands beside it, in a row of its own.
    del expected["epochs"]
    expected |= dict(method="zero_shot", options={}, shots=0, seed=0, trained_on=None,
                     trainable_parameters=0)
    assert {key: zero_shot[key] for key in expected} == expected
    printed = capsys.readouterr().out
    assert f"{row['accuracy']:6.2f} %" in printed and f"{zero_shot['accuracy']:6.2f} %" in printed


def test_several_values_to_a_flag_run_every_combination_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train_script, "train", lambda *_: [])
    monkeypatch.setattr(results, "evaluate", lambda *_: 50.0)
    datasets = ["toy-satellite", "toy-textures"]
    arguments = ("--method", "zero_shot", "upt", "--shots", 1, 2, "--seed", 1, 2, "--epochs", 1)
    assert train(tmp_path, *arguments, "--model", "tiny", "tiny", "--dataset", *datasets) == 0
    upt = [(row["dataset"], row["shots"], row["seed"]) for row in rows(tmp_path)
           if row["method"] == "upt"]
    assert sorted(upt) == [(d, k, s) for d in datasets for k in (1, 2) for s in (1, 2)]
    assert sorted(row["dataset"] for row in rows(tmp_path)
                  if row["method"] == "zero_shot") == datasets
    printed = capsys.readouterr().out
    assert len(prompts(tmp_path)) == 8 and printed.count("over 2 seeds") == 4
    assert "(run 1 of 8)" in printed and "(run 8 of 8, about 1 min left)" in printed


def test_the_same_seed_learns_the_same_prompt_and_another_seed_another_one(short_run, tmp_path):
    for folder, seed in (("again", 1), ("other", 2)):
        assert train(tmp_path / folder, *SHORT, "--seed", seed) == 0
    assert same_prompts(short_run, tmp_path / "again")
    (one,), (other,) = (prompts(folder).values() for folder in (short_run, tmp_path / "other"))
    assert all(not torch.equal(x, other["learned"][name]) for name, x in one["learned"].items())


def interrupted(out, monkeypatch):
    """A run that was stopped in its third epoch; → its progress file."""
    monkeypatch.setattr(progress_file, "SAVE_EVERY", 0)
    with monkeypatch.context() as patch:
        stop_at_step(patch, 7)  # the second of the third epoch
        assert train(out, *THREE_STEPS) == 130
    (progress,) = out.rglob("progress.pt")
    return progress


def test_a_run_killed_in_the_middle_carries_on_to_the_same_prompt(tmp_path, monkeypatch, capsys):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert train(whole, *THREE_STEPS) == 0
    interrupted(broken, monkeypatch)
    assert prompts(broken) == {}
    assert train(broken, *THREE_STEPS) == 0
    assert "continues after epoch 2" in capsys.readouterr().out
    assert same_prompts(whole, broken)
    assert rows(whole)[-1]["accuracy"] == rows(broken)[-1]["accuracy"]
    assert list(broken.rglob("progress.pt")) == []


def test_an_interrupted_run_does_not_go_on_with_another_backbone(tmp_path, monkeypatch, capsys):
    interrupted(tmp_path, monkeypatch)
    load_clip = plan.load_clip

    def load_other(*arguments):
        clip = load_clip(*arguments)
        clip.sha256 = "0" * 64
        return clip

    monkeypatch.setattr(plan, "load_clip", load_other)
    assert train(tmp_path, *THREE_STEPS) == 0
    assert "continues" not in capsys.readouterr().out


class Payload:
    """Its unpickling makes a folder."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_a_damaged_progress_file_is_named_never_run_and_the_run_starts_again(
        tmp_path, monkeypatch, capsys):
    progress = interrupted(tmp_path / "one", monkeypatch)
    whole, mark = progress.read_bytes(), tmp_path / "mark"
    state = torch.load(progress, weights_only=True)
    nan = {name: tensor * float("nan") for name, tensor in state["learned"].items()}
    assert train(tmp_path / "one", *THREE_STEPS) == 0
    odd = [torch.ones(2), [1, 2], dict(state, learned={}), dict(state, learned=nan),
           dict(state, losses=3), dict(state, seconds="long"), dict(state, others=[]),
           dict(state, learned=Payload(mark)), whole[:1000], b"no tensors"]
    for i, content in enumerate(odd):
        shutil.rmtree(progress.parent)
        progress.parent.mkdir()
        if isinstance(content, bytes):
            progress.write_bytes(content)
        else:
            save_tensors(progress, content)
        capsys.readouterr()
        assert train(tmp_path / "one", *THREE_STEPS) == 0
        printed = capsys.readouterr()
        assert "continues" not in printed.out and "progress.pt is damaged" in printed.err, i
        assert not mark.exists()
    torch.load(_saved(tmp_path / "p.pt", Payload(mark)), weights_only=False)
    assert mark.exists()  # the careless way does run it


def _saved(path, content):
    save_tensors(path, content)
    return path


def test_a_recipe_that_has_changed_is_another_run(finished, monkeypatch):
    monkeypatch.setattr(upt, "TINY", upt.TINY.with_changes(max_norm=0.001))
    assert train(finished, *SHORT) == 0
    assert [row["max_norm"] for row in rows(finished) if row["method"] == "upt"] == [5.0, 0.001]


def test_a_result_whose_prompt_file_is_gone_is_learned_anew(finished):
    (path,) = finished.rglob("prompt.pt")
    path.unlink()
    assert train(finished, *SHORT) == 0 and path.exists() and len(rows(finished)) == 2


def test_odd_lines_of_the_results_are_survived_and_never_taken_for_a_result(finished, monkeypatch):
    path = finished / "results.jsonl"
    whole = path.read_bytes()
    path.write_bytes(b"\xef\xbb\xbf" + whole + b'{"method": "upt", "opti')  # a mark, and cut short
    assert train(finished, *SHORT, "--seed", 2) == 0
    lines = path.read_bytes().splitlines()
    assert len(lines) == 4 and json.loads(lines[-1])["seed"] == 2
    with monkeypatch.context() as patch:
        no_training(patch)
        assert train(finished, *SHORT, "--seed", 1, 2) == 0
    odd = [dict(accuracy=900), dict(accuracy=float("nan")), dict(accuracy=True),
           dict(accuracy="59"), dict(failed=None), dict(code=["upt.py"]), dict(options=3)]
    written = [json.loads(line) for line in whole.splitlines()]
    for changes in odd:
        path.write_text("".join(f"{json.dumps({**row, **changes})}\n" for row in written))
        assert train(finished, *SHORT) == 0
        assert [row["method"] for row in rows(finished)] == ["zero_shot", "upt"] * 2, changes


def test_results_that_are_removed_while_a_run_learns_are_written_again(tmp_path, monkeypatch):
    def remove(step, loss, labels):
        (tmp_path / "results.jsonl").unlink(missing_ok=True)
        return loss

    watch_losses(monkeypatch, remove)
    assert train(tmp_path, *SHORT) == 0
    assert [row["method"] for row in rows(tmp_path)] == ["upt"]


def test_an_evaluation_elsewhere_is_never_taken_for_a_training_run(finished, monkeypatch, capsys):
    """A prompt learned on the base classes and evaluated on all is not the one learned on all."""
    assert train(finished, *SHORT, "--classes", "base") == 0
    (base,) = (path for path in finished.rglob("prompt.pt") if "base" in path.parent.name)
    with monkeypatch.context() as patch:
        patch.setattr(results, "evaluate", lambda *_: 12.34)
        assert call(eval_script, base, "--classes", "all", "--out", finished) == 0
    capsys.readouterr()
    assert train(finished, *SHORT) == 0
    assert "12.34" not in capsys.readouterr().out


def test_a_run_without_an_option_is_not_the_run_with_it(tmp_path):
    """A row may have keys that another one lacks: they are not the same for that."""
    for more in ((), ("--views", 0), ("--gelu", "exact"), ()):
        assert train(tmp_path, *COOP, *more) == 0
    found = [(row.get("views"), row.get("gelu")) for row in rows(tmp_path)
             if row["method"] == "coop"]
    assert found == [(16, None), (0, None), (16, "exact")] and len(prompts(tmp_path)) == 3


# What goes wrong


BAD_INPUT = [
    ("--method utp", "'utp' Did+you+mean+upt? zero_shot"),
    ("--method upt UPT", "'UPT' Did+you+mean+upt"),
    ("--dataset toy-satelite", "'toy-satelite' Did+you+mean+toy-satellite"),
    ("--dataset eurosatt", "'eurosatt' Did+you+mean+eurosat"),
    ("--dataset eurosat", "eurosat --data-root"),
    ("--dataset eurosat --data-root nowhere", "nowhere --data-root"),
    ("--model vit-b16", "'vit-b16' Did+you+mean+'ViT-B/16'"),
    ("--shots 0", "--shots at+least+1 not+0"),
    ("--shots 1 -4", "--shots at+least+1 not+-4"),
    ("--shots few", "--shots whole+number few"),
    ("--hp foo=1", "upt foo"),
    ("--hp n_ctx", "name=value 'n_ctx'"),
    ("--hp depth=9", "depth not+9"),
    ("--hp n_ctx=40", "n_ctx 40"),
    ("--hp heads=two", "heads two"),
    ("--hp heads=3", "heads 3"),
    ("--hp dropout=1", "dropout 1"),
    ("--method zero_shot --hp foo=1", "zero_shot foo"),
    ("--epochs 0", "--epochs 0"),
    ("--batch-size 0", "batch 0"),
    ("--lr -1", "--lr -1"),
    ("--lr nan", "--lr nan"),
    ("--views -1", "--views at+least+0 not+-1"),
    ("--seed 18446744073709551616", "--seed less+than+2**63"),
    ("--method coop --hp n_ctx=16 ctx_init=a", "n_ctx=16 ctx_init='a' 1+tokens"),
    ("--method linear_probe --hp C=-1", "C+must+be -1"),
    ("--method linear_probe --lr 5", "linear_probe leave+--lr+out"),
    ("--protocol base-to-new --classes all", "base --classes"),
    ("--unknown", "--unknown --help"),
]


def test_bad_input_ends_in_one_clear_sentence_and_nothing_is_written(tmp_path, capsys):
    for arguments, words in BAD_INPUT:
        sentence = refusal(capsys, train(tmp_path / "runs", "--shots", 1, *arguments.split()))
        assert all(word.replace("+", " ") in sentence for word in words.split()), sentence
        assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_reported_in_one_sentence(tmp_path, capsys):
    refusal(capsys, train(tmp_path / "runs", "--device", "cuda"))
    assert not (tmp_path / "runs").exists()


def test_a_file_that_is_not_a_checkpoint_is_refused_by_name(tmp_path, capsys):
    path = tmp_path / "weights.pt"
    for content in (TINY.read_bytes()[:100_000], b"These are no weights.\n"):
        path.write_bytes(content)
        sentence = refusal(capsys, train(tmp_path / "runs", "--model", path))
        assert str(path) in sentence and not (tmp_path / "runs").exists()


def test_a_run_that_diverges_is_recorded_as_failed_and_the_sweep_goes_on(
        tmp_path, monkeypatch, capsys):
    arguments = ("--method", "upt", "--shots", 1, "--epochs", 3, "--seed", 1, 2)
    with monkeypatch.context() as patch:
        watch_losses(patch, lambda step, loss, _: loss * (float("nan") if step == 2 else 1))
        assert train(tmp_path, *arguments) == 1
    printed = capsys.readouterr()
    assert "failed: loss nan in epoch 3: lower --lr" in printed.err
    assert "1 of 3 runs failed" in printed.out
    zero_shot, failed, good = rows(tmp_path)
    assert "accuracy" not in failed and "loss nan" in failed["failed"] and failed["seed"] == 1
    assert good["seed"] == 2 and len(prompts(tmp_path)) == 1
    no_training(monkeypatch)  # the same command does not try it again
    assert train(tmp_path, *arguments) == 1
    assert "failed before" in capsys.readouterr().out and len(rows(tmp_path)) == 3


def test_a_prompt_that_breaks_in_the_very_last_step_is_not_kept_as_a_result(
        tmp_path, monkeypatch, capsys):
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


def test_a_run_that_fails_on_one_target_keeps_the_row_of_the_other(tmp_path, monkeypatch, capsys):
    evaluate, asked = results.evaluate, []

    def fail_on_the_second(method, items, compute):
        asked.append(items)
        if len(asked) == 4:  # zero-shot CLIP on both halves, CoOp on base classes, on new ones
            raise FloatingPointError("The logits are not finite")
        return evaluate(method, items, compute)

    monkeypatch.setattr(results, "evaluate", fail_on_the_second)
    assert train(tmp_path, *COOP, "--protocol", "base-to-new") == 1
    base, new = rows(tmp_path)[-2:]
    assert (base["classes"], "failed" in base) == ("base", False)
    assert (new["classes"], "failed" in new) == ("new", True)
    assert "1 of 2 runs failed" in capsys.readouterr().out


def test_a_class_with_fewer_pictures_than_shots_gives_all_it_has_with_a_warning(tmp_path, capsys):
    with pytest.warns(UserWarning, match="fewer than 4 train pictures"):
        assert train(tmp_path, "--shots", 4, "--epochs", 1) == 0
    assert f"{3 * CLASSES} pictures" in capsys.readouterr().out and rows(tmp_path)[-1]["shots"] == 4


def test_a_disk_that_fills_up_leaves_the_old_prompt_and_no_part_of_the_new_one(
        finished, monkeypatch, capsys):
    (path,) = finished.rglob("prompt.pt")
    old = path.read_bytes()
    monkeypatch.setattr(upt, "TINY", upt.TINY.with_changes(max_norm=0.001))  # learned again

    def write_half(path, data):
        with open(path, "wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(Path, "write_bytes", write_half)
    assert os.strerror(errno.ENOSPC) in refusal(capsys, train(finished, *SHORT))
    assert path.read_bytes() == old and list(path.parent.iterdir()) == [path]
    assert [row["method"] for row in rows(finished)] == ["zero_shot", "upt"]


def test_ctrl_c_keeps_the_runs_that_are_finished(tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        stop_at_step(patch, 3)  # one step per epoch: in the second epoch of the second seed
        assert train(tmp_path, *SHORT, "--seed", 1, 2) == 130
    printed = capsys.readouterr().err
    assert "same command carries on" in printed and "Traceback" not in printed
    assert [row["seed"] for row in rows(tmp_path)] == [0, 1] and len(prompts(tmp_path)) == 1
    assert train(tmp_path, *SHORT, "--seed", 1, 2) == 0
    assert [row["seed"] for row in rows(tmp_path)] == [0, 1, 2]


def test_a_process_without_an_output_or_a_home_still_answers(tmp_path, monkeypatch):
    """`>&-` closes stdout: Python's sys.stdout is then None."""
    for stream in ("stdout", "stderr"):
        with monkeypatch.context() as patch:
            patch.setattr(sys, stream, None)
            with pytest.raises(SystemExit) as ended:
                script.run_script(lambda: print("said") or 3)
            assert ended.value.code == 3


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
def test_a_real_ctrl_c_ends_in_a_sentence_and_status_130(tmp_path):
    code = ("import signal, train; from clip_min.world import benchmarks\n"
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "benchmarks.PICTURES = {'train': 1, 'val': 1, 'test': 1}\n"
            "train.run_script(train.main)")
    command = [sys.executable, "-c", code, "--shots", "1", "--epochs", "100000", "--out", tmp_path]
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as process:
        while "epoch" not in process.stdout.readline():  # the first epoch is done
            assert process.poll() is None, process.stderr.read()
        process.send_signal(signal.SIGINT)
        _, printed = process.communicate()
    assert process.returncode == 130
    assert "Interrupted" in printed and "Traceback" not in printed


def test_torch_dynamo_is_not_imported_on_the_way_to_the_first_step(tmp_path):
    """It takes two seconds, and nothing here compiles."""
    code = ("import sys, train\n"
            "def stop(*_): print('torch._dynamo' in sys.modules); sys.exit(0)\n"
            "train.train = stop\n"
            "train.run_script(train.main)")
    command = [sys.executable, "-c", code, "--method", "upt", "--shots", "1", "--out", tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1:] == ["False"], done.stderr
    assert parallel.PROCESSES == 1
