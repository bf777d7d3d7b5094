"""Which runs a command asks for, and what each is evaluated on.

    plan(flags) → list of Run; take_turns(runs) → each of them, while this process holds its lock

Two processes at the same sweep share the runs out, because each holds the lock of the run that it is at.
"""

import contextlib
import dataclasses
import functools
import itertools
import os
import re
import subprocess
import sys
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from clip_min import load_clip
from clip_min.data import ELEVEN, SHIFTED, Dataset, load_dataset, split_classes
from clip_min.files import lock
from clip_min.model import CLIP
from clip_min.recipe import Recipe
from clip_min.world.benchmarks import EIGHT
from clip_min.weights.checkpoint import OFFICIAL
from prompts import FILES
from prompts.experiments.distributed import PROCESSES, RANK, from_first_process
from prompts.experiments.store import code_of, copy_learned, make_method, row_of

SHORT_NAME = 100  # characters of a folder's name at most


@dataclass(eq=False)
class Run:
    """One method, learned once on one data set, and the list of (Dataset, classes) to evaluate it on."""

    name: str  # of the method
    options: dict
    clip: CLIP
    dataset: Dataset
    classes: str  # learned on: "all", "base" or "new"
    shots: int  # 0 if nothing is learned, as `seed`
    seed: int
    recipe: Recipe | None  # None for zero-shot CLIP and the linear probe
    setting: dict  # all that identifies the run, as plain values
    targets: list
    split: str
    folder: Path
    is_changed: bool = False  # whether the method holds other classes now than at first

    @property
    def learns(self):
        """Whether this run leaves a prompt file."""
        return self.name != "zero_shot"

    @property
    def title(self):
        """The run in a few words."""
        return f"{self.name}, {self.dataset.name}, {self.shots} shots, seed {self.seed}"

    @functools.cached_property
    def method(self):
        """The method on the classes to learn on, built once, when it is first asked for."""
        torch.manual_seed(self.seed)
        classes = split_classes(self.dataset, self.classes)
        return make_method(self.name, self.clip, classes, self.options).to(self.clip.logit_scale.device)

    @property
    def prompt_file(self):
        """Where what was learned is kept."""
        return self.folder / "prompt.pt"

    @functools.cached_property
    def rows(self):
        """List of (Dataset of the target's classes, what identifies the row of its evaluation)."""
        rows = []
        for target, classes in self.targets:
            of_classes = split_classes(target, classes)
            rows.append((of_classes, row_of(self.setting, of_classes, classes, self.split)))
        return rows

    def method_on(self, target):
        """The learned method on a Dataset's classes, with its hand-written template."""
        own = split_classes(self.dataset, self.classes)
        method = self.method
        if target.templates != own.templates:  # a target of another kind
            on_target = dataclasses.replace(target, classnames=own.classnames)
            method = make_method(self.name, self.clip, on_target, self.options)
            copy_learned(self.method, method)
        if target.classnames != own.classnames or self.is_changed:
            method.set_classes(target.classnames)
            self.is_changed = True
        return method

    def forget(self):
        """Let go of the method's memory."""
        self.__dict__.pop("method", None)


# The list of runs


def plan(flags, compute):
    """The command line → list of Run: zero-shot CLIP once for each data set, and every method with all
    shots and seeds.

    Raises ValueError, before anything is computed, for a method that cannot do what is asked of it.
    """
    learners = list(dict.fromkeys(name for name in flags.method if name != "zero_shot"))
    datasets = [load_dataset(name, flags.data_root, flags.template) for name in flags.dataset]
    runs = []
    for model in flags.model:
        clip = load_clip(model, compute.device, flags.gelu)
        for dataset in datasets:
            targets = find_targets(dataset, flags)
            runs.append(zero_shot_run(clip, dataset, {} if learners else flags.options, targets, flags))
            product = itertools.product(dict.fromkeys(flags.shots), learners, dict.fromkeys(flags.seed))
            for shots, name, seed in product:
                runs.append(learning_run(clip, dataset, (name, shots, seed), targets, flags))
    check(runs)
    return runs


def zero_shot_run(clip, dataset, options, targets, flags):
    """A Run that learns nothing."""
    setting = zero_shot_setting(clip, options, flags)
    folder = flags.out / folder_name(dataset.name) / "zero_shot"
    return Run("zero_shot", options, clip, dataset, "all", 0, 0, None, setting, targets, flags.split, folder)


def zero_shot_setting(clip, options, flags):
    """What identifies an evaluation of a method that learns nothing."""
    setting = dict(method="zero_shot", options=options, model=clip.name, sha256=clip.sha256)
    setting.update(dataset=None, classes=None, shots=0, seed=0, precision=flags.precision)
    setting.update(code=code_of("zero_shot"), **if_given(flags))
    return setting


def learning_run(clip, dataset, name_shots_seed, targets, flags):
    """A Run with the recipe of the method's file, or what the flags say instead."""
    name, shots, seed = name_shots_seed
    recipe, options, given = recipe_of(name, clip, dataset, shots, flags)
    setting = dict(method=name, options=options, model=clip.name, sha256=clip.sha256)
    setting.update(dataset=dataset.name, classes=flags.classes, shots=shots, seed=seed)
    setting.update(precision=flags.precision)
    if recipe:
        setting.update(lr=recipe.lr, epochs=recipe.epochs, batch_size=recipe.batch_size)
        setting.update(crop_scale=list(recipe.crop_scale), flip=recipe.flip, max_norm=recipe.max_norm)
        if recipe.views and image_tower_is_frozen(name):
            setting["views"] = recipe.views
    setting.update(code=code_of(name), trained_pictures=digest_of_training(dataset), **if_given(flags))
    if dataset.own_split:
        setting["own_split"] = True
    changes = {**flags.options, **given, **if_given(flags)}
    if flags.precision != "fp32":
        changes["precision"] = flags.precision
    parts = [f"shots{shots}", f"seed{seed}"]
    if flags.classes != "all":
        parts.append(flags.classes)
    parts += [f"{key}={value}" for key, value in changes.items()]
    where = [folder_name(part) for part in (dataset.name, clip.name, name, "-".join(parts))]
    if clip.name in OFFICIAL:
        where[1] = clip.name.replace("/", "-")
    return Run(name, options, clip, dataset, flags.classes, shots, seed, recipe, setting, targets,
               flags.split, flags.out.joinpath(*where))


def recipe_of(name, clip, dataset, shots, flags):
    """→ the Recipe of one run (None: no gradient descent), the method's options, and what the flags changed."""
    recipe = FILES[name].TINY if clip.name == "tiny" else FILES[name].PAPER
    if recipe is None:
        return None, flags.options, {}
    options = {**recipe.options, **flags.options}
    if "n_ctx" in flags.options and "ctx_init" not in flags.options:
        options.pop("ctx_init", None)  # the recipe's words have a number of their own
    given = {}
    for field in ("lr", "epochs", "batch_size", "views"):
        value = getattr(flags, field)
        if value is not None and (field != "views" or image_tower_is_frozen(name)):
            given[field] = value
    changes = {"epochs": recipe.epochs_for(dataset.name, shots), **given}
    return recipe.with_changes(precision=flags.precision, **changes), options, given


def image_tower_is_frozen(name):
    """Whether a method leaves the image tower as it is: one of its file's classes says so."""
    classes = [value for value in vars(FILES[name]).values() if isinstance(value, type)]
    return any(getattr(each, "image_tower_is_frozen", False) for each in classes)


def if_given(flags):
    """Flags that are part of a run's identity only where they are given."""
    given = {}
    if flags.template:
        given["template"] = flags.template
    if flags.gelu != "auto":
        given["gelu"] = flags.gelu
    return given


def digest_of_training(dataset):
    """What changes whenever a picture or class that few shots are drawn from does."""
    return dataset.digest("train") + dataset.digest("val")


def folder_name(words):
    """Any words → the name of one folder. Names that would fall together get a few digits.

    >>> folder_name("ViT-B/16"), folder_name("lr=0.002")
    ('ViT-B-16-2cd8d5ee', 'lr=0.002')
    """
    name = re.sub(r"[^\w.,=+]+", "-", words).strip("-.")
    if name == words and len(name) <= SHORT_NAME:
        return name
    return f"{name[: SHORT_NAME - 9]}-{zlib.crc32(os.fsencode(words)):08x}"


def find_targets(dataset, flags):
    """What the protocol evaluates on after training on this data set → list of (Dataset, classes).

    Source: see the top of train.py. Benchmarks that are not on disk are left out with a warning.
    """
    if flags.protocol == "few-shot":
        return [(dataset, flags.classes)]
    if flags.protocol == "base-to-new":
        return [(dataset, "base"), (dataset, "new")]
    if flags.protocol == "class-incremental":
        return [(dataset, "all")]
    if flags.protocol == "cross-dataset":
        kind = EIGHT if dataset.name in EIGHT else ELEVEN
        others = [name for name in kind if name != dataset.name]
    elif dataset.name in SHIFTED:
        others = SHIFTED[dataset.name]
    else:
        known = " or ".join(SHIFTED)
        raise ValueError(f"{dataset.name} has no shifted versions: give --dataset {known}.")
    targets = [(dataset, "all")]
    for name in others:
        try:
            targets.append((load_dataset(name, flags.data_root, flags.template), "all"))
        except ValueError as error:
            warnings.warn(f"{name} is left out. {error}", stacklevel=1)
    if len(targets) == 1:
        raise ValueError(f"None of {', '.join(others)} is there to evaluate on: "
                         f"`python -m clip_min.data {flags.data_root}` says what is missing.")
    return targets


def check(runs):
    """Raises ValueError for what would go wrong later: options, classes, batches that cannot be shared."""
    seen = set()
    for run in runs:
        batch = run.recipe.batch_size if run.recipe else PROCESSES
        if batch % PROCESSES:
            raise ValueError(f"A batch of {batch} cannot be shared out evenly over {PROCESSES} "
                             "processes: give another --batch-size.")
        if (run.name, id(run.clip), id(run.dataset)) in seen:
            continue
        seen.add((run.name, id(run.clip), id(run.dataset)))
        own_names = split_classes(run.dataset, run.classes).classnames
        others = []
        for target, classes in run.targets:
            names = split_classes(target, classes).classnames
            if names != own_names and names not in others:
                others.append(names)
        if run.learns or run.options:
            method = run.method  # kept for the run itself
            for names in others:
                method.set_classes(names)
            if others:
                method.set_classes(own_names)


# Sharing runs out


def take_turns(runs, folder):
    """Each run, while this process holds its lock in `folder`: first those that no other process is at."""
    busy = []
    for run in runs:
        with claim(run, folder, wait=False) as is_claimed:
            if is_claimed:
                yield run
            else:
                busy.append(run)
    for run in busy:
        with claim(run, folder, wait=True):
            yield run


@contextlib.contextmanager
def claim(run, folder, wait):
    """Hold the lock of a run → whether this process has it; under torchrun the first process asks."""
    if RANK:
        yield from_first_process()
        return
    name = f"{run.dataset.name} {run.setting['model']} {run.folder}"
    with lock(folder / folder_name(name), wait) as is_claimed:
        yield from_first_process(is_claimed)


@contextlib.contextmanager
def started_jobs(number):
    """This command `number` - 1 times more, each with its share of the cores; at the end they are waited
    for, and ended if this process is."""
    if number == 1:
        yield
        return
    threads = max(1, (os.cpu_count() or 1) // number)
    torch.set_num_threads(threads)
    command = [sys.executable, *sys.argv, "--jobs", "1"]  # the last --jobs counts
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    jobs = []
    try:
        for _ in range(number - 1):
            jobs.append(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL))
        yield
        for job in jobs:
            job.wait()
    finally:
        for job in jobs:
            job.terminate()


def print_summary(runs, results, flags):
    """Few-shot: mean and deviation over the seeds beside zero-shot CLIP; other protocols have tables.

    → the script's exit status: 1 if a run has failed, else 0.
    """
    if RANK:
        return 0
    rows = [(run, results.find(row)) for run in runs for _, row in run.rows]
    failed = [run for run, row in rows if "failed" in row]
    if flags.protocol == "few-shot":
        found = [(run, row["accuracy"]) for run, row in rows if "accuracy" in row]
        print_few_shot(found, flags.classes)
    else:
        print(f"\nThe table: python eval.py --table {flags.protocol} --out {flags.out}")
    if failed:
        print(f"\n{len(failed)} of {len(runs)} runs failed, the first being {failed[0].title}.")
    return int(bool(failed))


def print_few_shot(found, classes):
    """List of (run, accuracy) → a block for each data set, CLIP and number of shots."""
    blocks = {}  # (data set, model, shots) → {method: accuracies}
    zero_shot = {}
    for run, accuracy in found:
        where = (run.dataset.name, run.clip.name)
        if run.learns:
            methods = blocks.setdefault((*where, run.shots), {})
            methods.setdefault(run.name, []).append(accuracy)
        else:
            zero_shot[where] = accuracy
    if not blocks:
        blocks = {(*where, 0): {} for where in zero_shot}
    for (dataset, model, shots), methods in blocks.items():
        base = zero_shot[dataset, model]
        words = f"{shots} shots, " if shots else ""
        print(f"\n{dataset}, {model} CLIP, {words}{classes} classes")
        print(f"  {'zero-shot':12} {base:6.2f} %")
        for name, values in methods.items():
            seeds = len(values)
            spread = f" ± {np.std(values):.2f} over {seeds} seeds" if seeds > 1 else ""
            mean = np.mean(values)
            print(f"  {name:12} {mean:6.2f} %{spread}  ({mean - base:+.2f})")


VIEWS = 16


def epochs_of(recipe, dataset, shots):
    return recipe.epochs_for(dataset, shots)
