"""Which runs a command asks for, and what each is evaluated on: `plan(flags, compute)`."""

import itertools
import warnings
from dataclasses import dataclass, replace

from clip_min import load_clip
from clip_min.data import ELEVEN, SHIFTED, Dataset, few_shot, load_dataset, split_classes
from clip_min.weights.checkpoint import OFFICIAL
from clip_min.world.benchmarks import EIGHT
from prompts import METHODS, recipe_of
from prompts.runs.parallel import PROCESSES
from prompts.runs.identity import (
    code_of,
    if_given,
    if_not_the_papers,
    zero_shot_setting,
)
from prompts.runs.run import Run, folder_name
from prompts.runs.protocols import READ_TEMPLATE, setup_of


@dataclass(frozen=True)
class Source:
    """A data set to learn on, what is evaluated on afterwards, and what identifies its pictures."""

    dataset: Dataset
    targets: list
    trained_pictures: str  # a digest
    template: str | None  # the hand-written prompt, if a flag gives it


@dataclass(frozen=True)
class Choice:
    """What one run of a sweep is asked for."""

    name: str  # of the method
    options: dict  # of its own: "coop:n_ctx=4"
    shots: int
    seed: int


def plan(flags, compute):
    """The command line → list of Run: zero-shot CLIP once for each data set, and every method
    with all shots and seeds.

    Raises ValueError, before anything is computed, for a method that cannot do what is asked of it.
    """
    learners = unique(each for each in flags.variants if each.name != "zero_shot")
    shots_given, seeds_given = dict.fromkeys(flags.shots), dict.fromkeys(flags.seed)
    sources = [sources_of(name, flags) for name in flags.dataset]
    runs = []
    for model in dict.fromkeys(flags.model):
        clip = load_clip(model, compute.device, flags.gelu)
        for source_of in sources:
            for options in zero_shot_options(flags):
                runs.append(zero_shot_run(clip, source_of["zero_shot"], options, flags))
            for shots, (name, own), seed in itertools.product(shots_given, learners, seeds_given):
                choice = Choice(name, own, shots, seed)
                runs.append(learning_run(clip, source_of[name], choice, flags))
    check(runs)
    return runs


def unique(things):
    """Things, which need not be hashable → a list of them, each once."""
    found = []
    for each in things:
        if each not in found:
            found.append(each)
    return found


def zero_shot_options(flags):
    """The options of each zero-shot run: beside what is learned, one has the plain prompt."""
    own = [options for name, options in flags.variants if name == "zero_shot"]
    if len(own) == len(flags.variants):  # nothing is learned, so --hp is meant for zero-shot CLIP
        return unique({**flags.options, **options} for options in own)
    return unique([{}, *own])


def sources_of(name, flags):
    """A data set's name → {method: Source}. They differ in the prompt that a paper gave some."""
    dataset = load_dataset(name, flags.data_root, flags.template)
    targets = find_targets(dataset, flags)
    usual = Source(dataset, targets, digest_of_training(dataset), flags.template)
    found = dict.fromkeys(METHODS, usual)
    template = setup_of(flags.paper).template
    if template and flags.template is None:
        worded = replace(dataset, templates=[template])
        targets = [(replace(each, templates=[template]), classes) for each, classes in targets]
        source = Source(worded, targets, digest_of_training(worded), template)
        found.update(dict.fromkeys(READ_TEMPLATE, source))
    return found


def zero_shot_run(clip, source, options, flags):
    """A Run that learns nothing."""
    setting = zero_shot_setting(clip, options, flags, source.template)
    folder = flags.out / folder_name(source.dataset.name) / "zero_shot"
    return Run(
        name="zero_shot",
        options=options,
        clip=clip,
        dataset=source.dataset,
        classes="all",
        shots=0,
        seed=0,
        recipe=None,
        setting=setting,
        targets=source.targets,
        split=flags.split,
        folder=folder,
    )


def learning_run(clip, source, choice, flags):
    """A Run with the recipe of the method's file, or what the flags say instead."""
    name, shots, seed, dataset = choice.name, choice.shots, choice.seed, source.dataset
    recipe, options, changes = recipe_of_run(choice, clip, dataset, flags)
    given = if_given(flags, source.template)
    setting = dict(method=name, options=options, model=clip.name, sha256=clip.sha256)
    setting.update(dataset=dataset.name, classes=flags.classes, shots=shots, seed=seed)
    setting.update(precision=flags.precision)
    if recipe:
        setting.update(lr=recipe.lr, epochs=recipe.epochs, batch_size=recipe.batch_size)
        setting.update(crop_scale=list(recipe.crop_scale), flip=recipe.flip)
        setting.update(max_norm=recipe.max_norm)
        if METHODS[name].image_tower_is_frozen:
            setting["views"] = recipe.views
    setting.update(code=code_of(name), trained_pictures=source.trained_pictures)
    setting.update(given, **if_not_the_papers(dataset, "all", "train"))
    changes.update(given)
    if flags.precision != "fp32":
        changes["precision"] = flags.precision
    parts = [f"shots{shots}", f"seed{seed}"]
    if flags.classes != "all":
        parts.append(flags.classes)
    parts += [f"{key}={value}" for key, value in changes.items()]
    where = [folder_name(part) for part in (dataset.name, clip.name, name, "-".join(parts))]
    if clip.name in OFFICIAL:
        where[1] = clip.name.replace("/", "-")
    if recipe is None and not dataset.val:
        dataset = with_validation(dataset, shots, seed)
    return Run(
        name=name,
        options=options,
        clip=clip,
        dataset=dataset,
        classes=flags.classes,
        shots=shots,
        seed=seed,
        recipe=recipe,
        setting=setting,
        targets=source.targets,
        split=flags.split,
        folder=flags.out.joinpath(*where),
    )


def recipe_of_run(choice, clip, dataset, flags):
    """→ the Recipe of one run (None: no gradient descent), the method's options, and what was
    changed in either, as a dict.

    Own options come before those of --hp, these before the paper's, these before the recipe's.
    """
    name, asked = choice.name, {**flags.options, **choice.options}
    recipe = recipe_of(name, clip.name)
    if recipe is None:
        return None, asked, dict(asked)
    options = {**recipe.options, **setup_of(flags.paper).options.get(name, {})}
    if asked.get("n_ctx") is not None and "ctx_init" not in asked:
        options.pop("ctx_init", None)  # these words have a number of their own
    papers_own = {
        key: value for key, value in options.items() if value != recipe.options.get(key)
    }
    given = {}
    for field in ("lr", "epochs", "batch_size", "views"):
        value = getattr(flags, field)
        if value is not None and (field != "views" or METHODS[name].image_tower_is_frozen):
            given[field] = value
    recipe_changes = {"epochs": recipe.epochs_for(dataset.name, choice.shots), **given}
    recipe = recipe.with_changes(precision=flags.precision, **recipe_changes)
    return recipe, {**options, **asked}, {**papers_own, **asked, **given}


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


def digest_of_training(dataset):
    """What changes whenever a picture or class that few shots are drawn from does."""
    return dataset.digest("train") + dataset.digest("val")


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
        raise ValueError(
            f"None of {', '.join(others)} is there to evaluate on: "
            f"`python -m clip_min.data {flags.data_root}` says what is missing."
        )
    return targets


def check(runs):
    """Raises ValueError for what would go wrong later: options, classes, batches that cannot be
    shared."""
    seen = set()
    for run in runs:
        batch = run.recipe.batch_size if run.recipe else PROCESSES
        if batch % PROCESSES:
            raise ValueError(
                f"A batch of {batch} cannot be shared out evenly over {PROCESSES} "
                "processes: give another --batch-size."
            )
        kind = (run.name, str(run.options), id(run.clip), id(run.dataset))
        if kind in seen:
            continue
        seen.add(kind)
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
