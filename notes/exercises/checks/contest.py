"""The check of the open exercise, 22: it trains the student's method beside UPT and zero-shot."""

import functools
from dataclasses import dataclass
from pathlib import Path

import torch

from clip_min.data import few_shot, load_dataset
from notes.exercises.checks.inputs import pictures, tiny
from notes.exercises.cut import imports_of
from notes.exercises.judge import close, need, tensor
from prompts import METHODS
from prompts.runs.batches import training_batches
from prompts.runs.evaluation import evaluate
from prompts.runs.store import count_parameters, learned_parameters
from prompts.upt import TINY as UPT_RECIPE
from train import train

BUDGET = 3000  # learned numbers


@dataclass(frozen=True)
class Setting:
    """What is trained and tested on: one in which UPT is well above zero-shot CLIP."""

    dataset: str = "toy-satellite"
    shots: int = 16
    epochs: int = 5
    tests: int = 20  # pictures of each class
    seeds: tuple = (1, 2)

    def __str__(self):
        seeds = " and ".join(map(str, self.seeds))
        return f"{self.dataset}, tiny CLIP, {self.shots} shots, {self.epochs} epochs, seeds {seeds}"


def beat_upt(student, setting=Setting()):
    """22: the number of learned numbers, their gradients; accuracy before and after learning,
    beside zero-shot CLIP and UPT in the same run."""
    made = []
    need(not reads_pictures(student),
         "It reads pictures by itself. What a method knows of them it has to learn in training, "
         "from the few shots: `Joint` gets CLIP, the class names and a template.")

    def make(*arguments):
        method = student.Joint(*arguments)
        made.append(method)
        return method

    before = {name: p.clone() for name, p in tiny().state_dict().items()}
    count = learned_numbers(build(make, setting), setting)
    start, ours = accuracies(make, student.TINY, setting)
    for method in made:
        now = count_parameters(method)
        need(now == count, f"At first it learns {count:,} numbers, and later {now:,}.")
        each_by_itself(method)
    need(all(torch.equal(p, before[name]) for name, p in tiny().state_dict().items()),
         "CLIP itself was changed.")
    zero_shot, upt = zero_shot_accuracy(setting), accuracies_of_upt(setting)[1]
    told = (f"yours {ours:.1f} % with {count:,} numbers (before learning {start:.1f} %), zero-shot "
            f"{zero_shot:.1f} %, UPT {upt:.1f} %")
    print(f"{setting}: {told}")
    need(ours > start,
         f"it does not learn: {told}. A method that starts well and learns nothing does not count.")
    need(ours > zero_shot, f"it does not beat zero-shot CLIP: {told}.")
    need(ours > upt, f"it does not beat UPT: {told}.")


def reads_pictures(student):
    """Whether the student's file imports what reads or draws pictures."""
    path = getattr(student, "__file__", None)
    names = imports_of(Path(path).read_text(encoding="utf-8")) if path else []
    return any(name.startswith(("clip_min.data", "clip_min.world")) or name == "clip_min" for name,
               _ in names)


def build(make, setting, seed=1):
    """A method's class, or an entry of METHODS → the method on the setting's classes."""
    dataset = load_dataset(setting.dataset)
    torch.manual_seed(seed)
    return make(tiny(), dataset.classnames, dataset.templates[0])


def learned_numbers(method, setting):
    """How many numbers a method learns; Wrong if there are too many, or some get no gradient."""
    learned = learned_parameters(method)
    count = sum(p.numel() for p in learned.values())
    need(0 < count <= BUDGET, f"It learns {count:,} numbers, and 1 to {BUDGET:,} are allowed.")
    images, classes = pictures(tiny()), len(load_dataset(setting.dataset).classnames)
    logits = tensor(method(images), [len(images), classes], "the logits of 3 pictures")
    need(logits.requires_grad, f"no gradient reaches {', '.join(learned)}.")
    gradients = torch.autograd.grad(logits.square().sum(), list(learned.values()),
                                    allow_unused=True)
    for name, gradient in zip(learned, gradients, strict=True):
        need(gradient is not None and gradient.any(),
             f"{name} gets no gradient, so it will never learn: is it used, and not detached?")
    return count


@torch.no_grad()
def each_by_itself(method):
    """Raises Wrong unless a picture's logits are the same alone and beside others, every time."""
    method.eval()
    images = pictures(tiny())
    together = method(images)
    alone = torch.cat([method(image[None]) for image in images])
    need(close(alone, together),
         "A picture's logits depend on the other pictures of the batch, or on chance. Each test "
         "picture is classified by itself.")


def test_pictures(setting):
    """The setting's test pictures: the first ones of each class."""
    items = load_dataset(setting.dataset).test
    return [item for item in items if int(item.path.split("/")[-1]) < setting.tests]


def accuracies(make, recipe, setting):
    """Learn with train.py's own loop → mean accuracy in per cent, before and after."""
    dataset, test, found = load_dataset(setting.dataset), test_pictures(setting), []
    recipe = recipe.with_changes(epochs=setting.epochs)
    for seed in setting.seeds:
        items, _ = few_shot(dataset, setting.shots, seed)
        method = build(make, setting, seed)
        before = evaluate(method, test)
        train(method, training_batches(method, items, recipe, seed), recipe, seed)
        found.append((before, evaluate(method, test)))
    return torch.tensor(found).mean(dim=0).tolist()


def zero_shot_accuracy(setting):
    """Zero-shot CLIP with the data set's own template, in per cent."""
    return evaluate(build(METHODS["zero_shot"], setting), test_pictures(setting))


@functools.cache
def accuracies_of_upt(setting):
    """UPT's accuracies, before and after learning, computed once."""
    return accuracies(METHODS["upt"], UPT_RECIPE, setting)
