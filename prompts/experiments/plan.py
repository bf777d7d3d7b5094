"""Sweeps: the product of methods, data sets, shots and seeds, and what each protocol evaluates on.

    make_runs → list of Run; train.py does what is still missing of each and ends with print_summary

Two processes at the same sweep share the runs out, because each holds the lock of the run that it is at.
"""

import dataclasses
import itertools
import os
import re
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import torch

from clip_min.data import ELEVEN, SHIFTED, Dataset, load_dataset, split_classes
from clip_min.files import read_json_lines
from clip_min.model import CLIP
from clip_min.world.benchmarks import EIGHT
from prompts import FILES, METHODS
from prompts.experiments.flags import hyperparameters
from prompts.experiments.store import find_result, make_method, row_of, zero_shot_setting

PROTOCOLS = ("few-shot", "base-to-new", "class-incremental", "cross-dataset", "domain-generalization")
VIEWS = 16  # of each training picture


@dataclasses.dataclass(eq=False)
class Run:
    """One method, learned once on one data set, and the list of (Dataset, classes) that it is evaluated on."""

    clip: CLIP
    dataset: Dataset
    setting: dict
    recipe: dict | None  # None for zero-shot CLIP and the linear probe
    folder: Path
    targets: list


def make_runs(clip, datasets, methods, flags):
    """Zero-shot CLIP once for each data set, and every method with all shots and seeds → list of Run.

    Raises ValueError, before anything is computed, for a method that cannot do what the protocol asks.
    """
    runs = []
    for dataset in datasets:
        targets = find_targets(dataset, flags)
        options = {} if methods else hyperparameters(flags.hp)
        if options:
            make_method("zero_shot", clip, split_classes(dataset, flags.classes), options)
        setting = zero_shot_setting(clip, options, flags)
        runs.append(Run(clip, dataset, setting, None, flags.out / folder_name(dataset.name) / "zero_shot", targets))
        for name in methods:
            options = make_run(clip, dataset, name, 1, 1, targets, flags).setting["options"]
            method = make_method(name, clip, split_classes(dataset, flags.classes), options)
            for target, classes in targets:
                method.set_classes(split_classes(target, classes).classnames)
        for shots, name, seed in itertools.product(dict.fromkeys(flags.shots), methods, dict.fromkeys(flags.seed)):
            runs.append(make_run(clip, dataset, name, shots, seed, targets, flags))
    return runs


def make_run(clip, dataset, name, shots, seed, targets, flags):
    """A Run with the recipe of the method's file, or what the flags say instead."""
    options = hyperparameters(flags.hp)
    setting = dict(method=name, options=options, model=clip.name, sha256=clip.sha256, dataset=dataset.name)
    setting |= dict(classes=flags.classes, shots=shots, seed=seed, precision=flags.precision)
    recipe = FILES[name].TINY if clip.name == "tiny" else FILES[name].PAPER
    recipe = dataclasses.asdict(recipe) if recipe else None
    changed = dict(options)
    if recipe:  # how it is trained, step by step
        given = {k: v for k in ("lr", "epochs", "batch_size") if (v := getattr(flags, k)) is not None}
        setting["options"] = recipe["options"] | options
        epochs = epochs_of(recipe, dataset.name, shots)
        setting |= dict(lr=recipe["lr"], epochs=epochs, batch_size=recipe["batch_size"]) | given
        setting |= dict(crop_scale=list(recipe["crop_scale"]), flip=recipe["flip"], max_norm=recipe["max_norm"])
        changed |= given
        if getattr(METHODS[name], "image_tower_is_frozen", False):  # joint.py's entries, partials, do not have it
            setting["views"] = flags.views
            changed |= dict(views=flags.views) if flags.views != VIEWS else {}
    if flags.template:
        setting["template"] = changed["template"] = flags.template
    if dataset.own_split:
        setting["own_split"] = True
    changed |= dict(precision=flags.precision) if flags.precision != "fp32" else {}
    parts = [f"shots{shots}", f"seed{seed}"] + ([flags.classes] if flags.classes != "all" else [])
    parts += [f"{key}={value}" for key, value in changed.items()]
    folders = map(folder_name, (dataset.name, clip.name, name, "-".join(parts)))
    return Run(clip, dataset, setting, recipe, flags.out.joinpath(*folders), targets)


def epochs_of(recipe, dataset, shots):
    """Passes over the training pictures: the recipe's for this number of shots or the next larger one it has."""
    if dataset == "imagenet" and recipe["imagenet_epochs"]:
        return recipe["imagenet_epochs"]
    return recipe["epochs"][min((s for s in recipe["epochs"] if s >= shots), default=max(recipe["epochs"]))]


def folder_name(words):
    """Any words → the name of one folder, not too long.

    >>> folder_name("ViT-B/16"), folder_name("ctx_init=a photo of a")
    ('ViT-B-16', 'ctx_init=a-photo-of-a')
    """
    name = re.sub(r"[^\w.,=]+", "-", words).strip("-.")
    return name if len(name) <= 100 else f"{name[:80]}-{zlib.crc32(name.encode()):08x}"


def find_targets(dataset, flags):
    """What the protocol evaluates on after training on this data set → list of (Dataset, classes).

    Source: see the top of train.py. Of the benchmarks, those that are not on disk are left out with a warning.
    """
    if flags.protocol == "few-shot":
        return [(dataset, flags.classes)]
    if flags.protocol == "base-to-new":
        return [(dataset, "base"), (dataset, "new")]
    if flags.protocol == "class-incremental":
        return [(dataset, "all")]
    if flags.protocol == "cross-dataset":
        others = [name for name in (EIGHT if dataset.name in EIGHT else ELEVEN) if name != dataset.name]
    elif dataset.name in SHIFTED:
        others = SHIFTED[dataset.name]
    else:
        raise ValueError(f"{dataset.name} has no shifted versions: give --dataset {' or '.join(SHIFTED)}.")
    targets = [(dataset, "all")]
    for name in others:
        try:
            targets.append((load_dataset(name, flags.data_root, flags.template), "all"))
        except ValueError as error:
            warnings.warn(f"{name} is left out. {error}", stacklevel=1)
    if len(targets) == 1:
        raise ValueError(f"None of {', '.join(others)} is there to evaluate on: `python -m clip_min.data "
                         f"{flags.data_root}` says what is missing.")  # fmt: skip
    return targets


def print_summary(runs, flags):
    """Few-shot: mean and deviation over the seeds beside zero-shot CLIP. Other protocols have tables of their own."""
    if flags.protocol != "few-shot":
        print(f"\nThe table: python eval.py --table {flags.protocol} --out {flags.out}")
        return
    rows = read_json_lines(flags.out / "results.jsonl")
    blocks = {}  # (data set, model, shots) -> {method: accuracies}
    zero_shot = {}  # (data set, model) -> accuracy
    for run in runs:
        accuracy = find_result(rows, row_of(run.setting, *run.targets[0], flags.split))["accuracy"]
        where, method, shots = (run.dataset.name, run.clip.name), run.setting["method"], run.setting["shots"]
        if method == "zero_shot":
            zero_shot[where] = accuracy
        else:
            blocks.setdefault((*where, shots), {}).setdefault(method, []).append(accuracy)
    for *where, shots in blocks or [(*where, 0) for where in zero_shot]:
        base = zero_shot[tuple(where)]
        print(f"\n{where[0]}, {where[1]} CLIP, {f'{shots} shots, ' if shots else ''}{flags.classes} classes")
        print(f"  {'zero-shot':12} {base:6.2f} %")
        for name, found in blocks.get((*where, shots), {}).items():
            spread = f" ± {np.std(found):.2f} over {len(found)} seeds" if len(found) > 1 else ""
            print(f"  {name:12} {np.mean(found):6.2f} %{spread}  ({np.mean(found) - base:+.2f})")


def start_jobs(number):
    """Start this command `number` - 1 times more, each with its share of the cores → the processes."""
    if number == 1:
        return []
    threads = max(1, (os.cpu_count() or 1) // number)
    torch.set_num_threads(threads)
    command = [sys.executable, *sys.argv, "--jobs", "1"]  # the last --jobs counts
    environment = os.environ | dict(OMP_NUM_THREADS=str(threads))
    return [subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) for _ in range(number - 1)]
