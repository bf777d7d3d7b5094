"""A run: one method, learned once on one data set's few pictures, and what it is evaluated on."""

import functools
import os
import re
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from clip_min.data import Dataset, few_shot, split_classes
from clip_min.model import CLIP
from clip_min.prompting.recipe import Recipe
from prompts.runs.identity import row_of
from prompts.runs.store import learned_state, load_learned, make_method

LONGEST_NAME = 100  # characters of a folder's name


@dataclass(frozen=True, eq=False)
class Run:
    """One method, learned once on one data set, and the (Dataset, classes) to evaluate it on."""

    name: str  # of the method
    options: dict
    clip: CLIP
    dataset: Dataset
    classes: str  # learned on: "all", "base" or "new"
    shots: int  # 0 if nothing is learned, as `seed`
    seed: int
    recipe: Recipe | None  # None for zero-shot CLIP and for methods with `fit`
    setting: dict  # all that identifies the run, as plain values
    targets: list
    split: str
    folder: Path

    @property
    def learns(self):
        """Whether this run leaves a prompt file."""
        return self.name != "zero_shot"

    @property
    def title(self):
        """The run in a few words."""
        shots = "1 shot" if self.shots == 1 else f"{self.shots} shots"
        return f"{self.name}, {self.dataset.name}, {shots}, seed {self.seed}"

    @property
    def prompt_file(self):
        """Where what was learned is kept."""
        return self.folder / "prompt.pt"

    @property
    def lock_name(self):
        """The name of the file that whoever works on this run has locked."""
        return folder_name(f"{self.dataset.name} {self.clip.name} {self.folder}")

    @functools.cached_property
    def own(self):
        """The Dataset of the classes to learn on."""
        return split_classes(self.dataset, self.classes)

    def few_pictures(self):
        """→ the Dataset of the classes to learn on, with the few pictures that the seed draws."""
        train, val = few_shot(self.dataset, self.shots, self.seed)
        return split_classes(replace(self.dataset, train=train, val=val), self.classes)

    @functools.cached_property
    def rows(self):
        """List of (Dataset of the target's classes, what identifies the row of its evaluation)."""
        rows = []
        for target, classes in self.targets:
            of_classes = split_classes(target, classes)
            rows.append((of_classes, row_of(self.setting, of_classes, classes, self.split)))
        return rows

    def build_method(self):
        """→ the method on the classes to learn on, with the random start of the run's seed."""
        torch.manual_seed(self.seed)
        return make_method(self.name, self.clip, self.own, self.options)

    def on_target(self, method, target):
        """A method that has learned → the same on a Dataset's classes, with its template."""
        if (target.classnames, target.templates) == (self.own.classnames, self.own.templates):
            return method
        on_own_classes = replace(target, classnames=self.own.classnames)
        there = make_method(self.name, self.clip, on_own_classes, self.options)
        load_learned(there, learned_state(method), "the run")
        there.set_classes(target.classnames)
        return there


def folder_name(words):
    """Any words → the name of one folder. Names that would fall together get a few digits.

    >>> folder_name("ViT-B/16"), folder_name("lr=0.002")
    ('ViT-B-16-4de08e0a', 'lr=0.002')
    """
    name = re.sub(r"[^\w.,=+]+", "-", words).strip("-.")
    if name == words and len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME - 9]}-{zlib.crc32(os.fsencode(words)):08x}"
