"""How long the real experiments take on this machine, found out without the real weights.

    python -m notes.rehearsal --data-root DATA --out FOLDER           RN50, ViT-B/32, ViT-B/16
    python -m notes.rehearsal --data-root DATA --out FOLDER --model ViT-B/32 --method coop vpt
    python -m notes.rehearsal --data-root DATA --out FOLDER --small   small CLIPs, to try this out

DATA holds the real EuroSAT. FOLDER gets weights of the official shapes with random numbers: the
accuracies mean nothing, but a step takes as long as with real weights. (The linear probe is the
exception: it stops when it has converged.)

1. Once through the command line: train.py with every method on 30 real pictures (1 shot, 1 epoch,
   1 test picture of each class), then eval.py on a prompt that it left.
2. A table. A picture: open, resize, encode and classify it. A step: one batch of the paper's
   recipe, forward, backward and SGD; VPT and UPT also open and crop its pictures. A whole run is
   computed from these two: 16 shots, all steps of the recipe, the 16 views of CoOp (10 of CoCoOp),
   and EuroSAT's 8,100 test pictures. It is not waited for.

Times are CPU seconds of one thread, which other programs on the machine change little. GB (10^9
bytes) is the peak of resident memory, on Linux, with --pictures at once; an evaluation takes 64.
Each line has its own process. Texts need OpenAI's merges, as in train.py.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import torch

from clip_min import load_clip
from clip_min.allocator import keep_freed_memory
from clip_min.data import few_shot, load_dataset
from clip_min.data.layouts import benchmark_folder, picture_folder
from notes.random_weights import TOWERS, weights_file
from notes.speed import machine, peak_gb, seconds
from prompts import METHODS, recipe_of
from prompts.runs.batches import training_batches
from prompts.runs.evaluation import image_features
from prompts.runs.script import run_script
from train import train

SHOTS = 16
TIMED = ["zero_shot", "linear_probe", "coop", "cocoop", "vpt", "upt"]  # the others are like UPT


def few_pictures(data_root, out):
    """The real EuroSAT's root → a root with the same pictures and a split file of 30 of them."""
    dataset = load_dataset("eurosat", data_root)
    images = os.path.abspath(picture_folder("eurosat", benchmark_folder("eurosat", data_root)))
    rows = {}
    for part in ("train", "val", "test"):
        first = {label: path for path, label in reversed(getattr(dataset, part))}  # of each class
        rows[part] = [
            [Path(path).relative_to(images).as_posix(), label, dataset.classnames[label]]
            for label, path in sorted(first.items())
        ]
    folder = out / "few" / "eurosat"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "2750").exists():
        (folder / "2750").symlink_to(images, target_is_directory=True)
    (folder / "split_zhou_EuroSAT.json").write_text(json.dumps(rows), encoding="utf-8")
    return folder.parent


def walk_through(weights, methods, root):
    """train.py and eval.py on a few pictures. Raises ValueError if one of them fails."""
    runs = weights.with_name(f"runs-{weights.stem}")
    common = ["--data-root", root, "--out", runs]
    learn = ["--shots", 1, "--epochs", 1, "--method", *methods, "--dataset", "eurosat"]
    call("train.py", "--model", weights, *learn, *common)
    for prompt in sorted(runs.rglob("prompt.pt"))[:1]:
        call("eval.py", prompt, *common)


def call(*words):
    """A script and its arguments; it prints what it prints. Raises ValueError if it fails."""
    words = [str(word) for word in words]
    if subprocess.run([sys.executable, *words]).returncode:
        raise ValueError(f"This failed: {' '.join(words)}")


def measure(name, weights, data_root, steps, pictures):
    """A method, a file of weights, EuroSAT's root, how much to time → {"load_s": ...}.

    A method that leaves the image tower alone gets random features: what a picture takes in that
    tower is timed with zero-shot CLIP.
    """
    torch.set_num_threads(1)
    keep_freed_memory()
    start = time.process_time()
    clip, dataset = load_clip(weights), load_dataset("eurosat", data_root)
    found = dict(load_s=time.process_time() - start)
    torch.manual_seed(1)
    method, recipe = METHODS[name](clip, dataset.classnames).eval(), recipe_of(name, "ViT-B/16")
    few, val = few_shot(dataset, SHOTS, 1)
    features = torch.randn(pictures, clip.text_projection.shape[1])
    with torch.no_grad():
        if name == "zero_shot" or not method.image_tower_is_frozen:
            items = dataset.test[:pictures]
            found["picture_s"] = seconds(lambda: image_features(method, items)) / len(items)
        found["classes_s"] = seconds(lambda: method.classify(features[:1]))
        more_s = seconds(lambda: method.classify(features)) - found["classes_s"]
        found["classify_s"] = max(0.0, more_s) / pictures  # CoCoOp makes prompts for each picture
    seen = len(dataset.test)
    if name == "linear_probe":
        parts = (*random_batch(method, few), *random_batch(method, val))
        found |= dict(steps=1, step_s=seconds(lambda: method.fit(*parts)))
        seen += len(few) + len(val)
    elif recipe:
        epochs = recipe.epochs_for("eurosat", SHOTS)
        found["step_s"] = step_seconds(method, few, recipe.with_changes(epochs=1), steps)
        found["steps"] = epochs * max(1, len(few) // recipe.batch_size)
        if method.image_tower_is_frozen:
            seen += len(few) * min(recipe.views, epochs)
    return found | dict(seen=seen, tested=len(dataset.test), gb=peak_gb())


def step_seconds(method, few, recipe, steps):
    """Seconds of a training step: the median of `steps`, after one that is not counted."""
    items = few[: recipe.batch_size]
    if method.image_tower_is_frozen:
        batches = {0: [random_batch(method, items)]}.get
    else:
        batches = training_batches(method, items, recipe, 1)
    times = [seconds(lambda: train(method, batches, recipe, 1)) for _ in range(steps + 1)]
    return statistics.median(times[1:])


def random_batch(method, items):
    """Items → random features [N, E], and the items' labels [N]."""
    features = torch.randn(len(items), method.clip.text_projection.shape[1])
    return features, torch.tensor([item.label for item in items])


def in_fresh_process(*job):
    """`measure` in a process of its own. Raises ValueError if that is killed."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(measure, *job).result()
        except BrokenProcessPool as error:
            what = f"The process that measured {job[0]} was ended"
            raise ValueError(f"{what}: perhaps there is not enough memory.") from error


def row_of(model, name, found, tower):
    """What was measured of a method, and of zero-shot CLIP → a line of the table in Markdown."""
    of_tower = found if "picture_s" in found else tower
    picture_s, gb = of_tower["picture_s"], max(found["gb"], of_tower["gb"])
    learning_s = found.get("steps", 0) * found.get("step_s", 0)
    classifying_s = found["classes_s"] + found["tested"] * found["classify_s"]
    whole_s = found["load_s"] + found["seen"] * picture_s + learning_s + classifying_s
    step = [f"{found['step_s']:.2f}", f"{found['steps']:,}"] if "steps" in found else ["", ""]
    cells = [model, name, f"{picture_s + found['classify_s']:.3f}", *step]
    return f"| {' | '.join([*cells, f'{whole_s / 3600:.2f}', f'{gb:.1f}'])} |"


def main():
    """Writes weights, goes once through the command line, prints the table."""
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--data-root", required=True, metavar="DATA", help="it holds eurosat/")
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER", help="1 GB is enough")
    parser.add_argument("--model", nargs="+", default=list(TOWERS), choices=TOWERS)
    which = f"(default: all through the command line, of which {len(TIMED)} are timed)"
    parser.add_argument("--method", nargs="+", choices=METHODS, help=which)
    parser.add_argument("--steps", type=int, default=2, help="steps to time (default: 2)")
    parser.add_argument("--pictures", type=int, default=32, help="pictures to time (default: 32)")
    parser.add_argument("--small", action="store_true", help="small CLIPs, to try this out")
    flags = parser.parse_args()
    if min(flags.steps, flags.pictures) < 1:
        raise ValueError("--steps and --pictures must be at least 1.")
    root = few_pictures(flags.data_root, flags.out)
    for model in flags.model:
        tried = flags.method or METHODS
        if model == "RN50":  # it has no blocks of a vision transformer to put prompts into
            tried = [name for name in tried if METHODS[name].image_tower_is_frozen]
        weights = weights_file(flags.out / ("small" if flags.small else "full"), model, flags.small)
        print(f"\n{weights}, {weights.stat().st_size / 1e6:.0f} MB", flush=True)
        walk_through(weights, tried, root)
        print(f"\n{machine()}; {SHOTS} shots\n")
        print("| backbone | method | s a picture | s a step | steps | h a run | GB |")
        print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
        how_much = (weights, flags.data_root, flags.steps, flags.pictures)
        tower = in_fresh_process("zero_shot", *how_much)
        for name in [name for name in tried if flags.method or name in TIMED]:
            found = tower if name == "zero_shot" else in_fresh_process(name, *how_much)
            print(row_of(model, name, found, tower), flush=True)


if __name__ == "__main__":
    run_script(main)
