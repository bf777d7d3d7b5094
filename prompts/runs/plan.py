"""Which runs a command asks for, and what each is evaluated on: `plan(job, compute)`."""

import itertools
from dataclasses import dataclass, replace

from clip_min import load_clip
from clip_min.data import Dataset, few_shot, load_dataset, split_classes
from clip_min.weights.locate import OFFICIAL
from prompts import METHODS, recipe_of
from prompts.runs.code import code_of
from prompts.runs.identity import (
    digest_of_training,
    if_given,
    if_not_the_papers,
    zero_shot_setting,
)
from prompts.runs.parallel import PROCESSES
from prompts.runs.protocols import READ_TEMPLATE, setup_of, targets_of
from prompts.runs.run import Run, folder_name


@dataclass(frozen=True)
class Source:
    """A data set to learn on, what is evaluated on afterwards, and what identifies its pictures."""

    dataset: Dataset
    targets: list
    trained_pictures: str  # a digest
    template: str | None  # the hand-written prompt, if a flag or a paper gives it


@dataclass(frozen=True)
class Trial:
    """What one run of a sweep is asked for: a method, options of its own, shots and seed."""

    name: str
    options: dict
    shots: int
    seed: int


def plan(job, compute):
    """A Job → list of Run: zero-shot CLIP for each data set, each method with all shots and seeds.

    Raises ValueError, before anything is computed, for a method that cannot do what is asked of it.
    """
    learners = unique(each for each in job.variants if each.name != "zero_shot")
    sources = [sources_of(name, job) for name in job.dataset]
    runs = []
    for model in job.model:
        clip = load_clip(model, compute.device, job.gelu)
        for usual, worded in sources:
            for options in zero_shot_options(job):
                runs.append(zero_shot_run(clip, worded, options, job))
            for shots, (name, own), seed in itertools.product(job.shots, learners, job.seed):
                source = worded if name in READ_TEMPLATE else usual
                runs.append(learning_run(clip, source, Trial(name, own, shots, seed), job))
    check(runs)
    return runs


def unique(things):
    """Things, which need not be hashable → a list of them, each once."""
    found = []
    for each in things:
        if each not in found:
            found.append(each)
    return found


def zero_shot_options(job):
    """The options of each zero-shot run: beside what is learned, one has the plain prompt."""
    own = [options for name, options in job.variants if name == "zero_shot"]
    if len(own) == len(job.variants):  # nothing is learned, so --hp is meant for zero-shot CLIP
        return unique({**job.options, **options} for options in own)
    return unique([{}, *own])


def sources_of(name, job):
    """A data set's name → two Sources: the usual one, and that of methods with a hand-written
    prompt, to which a paper may give one prompt for all data sets."""
    dataset = load_dataset(name, job.data_root, job.template)
    usual = Source(dataset, targets_of(dataset, job), digest_of_training(dataset), job.template)
    template = setup_of(job.paper).template
    if template is None or job.template is not None:
        return usual, usual
    worded = replace(dataset, templates=[template])
    targets = [(replace(each, templates=[template]), classes) for each, classes in usual.targets]
    return usual, Source(worded, targets, digest_of_training(worded), template)


def zero_shot_run(clip, source, options, job):
    """A Run that learns nothing."""
    return Run(
        name="zero_shot", options=options, clip=clip, dataset=source.dataset, classes="all",
        shots=0, seed=0, recipe=None,
        setting=zero_shot_setting(clip, options, source.template, job),
        targets=source.targets, split=job.split,
        folder=job.out / folder_name(source.dataset.name) / "zero_shot",
    )


def learning_run(clip, source, trial, job):
    """A Run with the recipe of the method's file, or what the job says instead."""
    name, dataset = trial.name, source.dataset
    recipe, options, changes = recipe_of_run(trial, clip, dataset, job)
    given = if_given(source.template, job.gelu)
    setting = dict(method=name, options=options, model=clip.name, sha256=clip.sha256)
    setting.update(dataset=dataset.name, classes=job.classes, shots=trial.shots, seed=trial.seed)
    setting.update(precision=job.precision, **(recipe.setting() if recipe else {}))
    if not METHODS[name].image_tower_is_frozen:
        setting.pop("views", None)
    setting.update(code=code_of(name), clip=clip.reading, trained_pictures=source.trained_pictures)
    setting.update(given, **if_not_the_papers(dataset, "all", "train"))
    changes.update(given)
    if job.precision != "fp32":
        changes["precision"] = job.precision
    parts = [f"shots{trial.shots}", f"seed{trial.seed}"]
    if job.classes != "all":
        parts.append(job.classes)
    parts += [f"{key}={value}" for key, value in changes.items()]
    where = [folder_name(part) for part in (dataset.name, clip.name, name, "-".join(parts))]
    if clip.name in OFFICIAL:
        where[1] = clip.name.replace("/", "-")
    if recipe is None and not dataset.val:
        dataset = with_validation(dataset, trial.shots, trial.seed)
    return Run(
        name=name, options=options, clip=clip, dataset=dataset, classes=job.classes,
        shots=trial.shots, seed=trial.seed, recipe=recipe, setting=setting,
        targets=source.targets, split=job.split, folder=job.out.joinpath(*where),
    )


def recipe_of_run(trial, clip, dataset, job):
    """→ the Recipe of one run (None: no gradient descent), the method's options, and what was
    changed in either, as a dict.

    Own options come before those of --hp, these before the paper's, these before the recipe's.
    Raises ValueError if the recipe of a method without gradient descent is to be changed.
    """
    name, asked = trial.name, {**job.options, **trial.options}
    recipe = recipe_of(name, clip.name)
    if recipe is None:
        if job.changes and len(job.variants) == 1:
            flag = next(iter(job.changes)).replace("_", "-")
            raise ValueError(f"{name} learns without gradient descent: leave --{flag} out.")
        return None, asked, dict(asked)
    recipe = recipe.in_protocol(job.protocol)
    options = {**recipe.options, **setup_of(job.paper).options.get(name, {})}
    if asked.get("n_ctx") is not None and "ctx_init" not in asked:
        options.pop("ctx_init", None)  # these words have a number of their own
    papers_own = {key: value for key, value in options.items() if value != recipe.options.get(key)}
    changes = dict(job.changes)
    if not METHODS[name].image_tower_is_frozen:
        changes.pop("views", None)
    epochs = recipe.epochs_for(dataset.name, trial.shots)
    recipe = recipe.with_changes(**{"epochs": epochs, "precision": job.precision, **changes})
    return recipe, {**options, **asked}, {**papers_own, **asked, **changes}


def with_validation(dataset, shots, seed):
    """A Dataset without validation pictures → one whose training pictures are the few shots, and
    whose validation pictures are min(shots, 4) others of each class.

    `few_shot` draws the same pictures from it. A linear probe searches its C on them: ImageNet has
    no validation pictures. CoOp's published code takes ImageNet's test pictures in their place.
    """
    train, _ = few_shot(dataset, shots, seed)
    taken = set(train)
    others = [item for item in dataset.train if item not in taken]
    _, val = few_shot(replace(dataset, train=train, val=others), shots, seed)
    return replace(dataset, train=train, val=val)


def check(runs):
    """Raises ValueError for options, classes and batches that would go wrong later."""
    seen = set()
    for run in runs:
        batch = run.recipe.batch_size if run.recipe else PROCESSES
        if batch % PROCESSES:
            raise ValueError(f"A batch of {batch} cannot be shared out evenly over {PROCESSES} "
                             "processes: give another --batch-size.")
        kind = (run.name, str(run.options), id(run.clip), id(run.dataset))
        if kind in seen or not (run.learns or run.options):
            continue
        seen.add(kind)
        method, tried = run.build_method(), [run.own.classnames]
        for target, classes in run.targets:
            names = split_classes(target, classes).classnames
            if names not in tried:
                tried.append(names)
                method.set_classes(names)
