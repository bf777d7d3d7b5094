"""A run: one method, learned once on one data set's few pictures, and what it is evaluated on."""

import dataclasses
import functools
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import torch

from clip_min.data import Dataset, split_classes
from clip_min.files import printable
from clip_min.model import CLIP
from clip_min.prompting.recipe import Recipe
from prompts.runs.identity import row_of
from prompts.runs.store import copy_learned, make_method

LONGEST_NAME = 100  # characters of a folder's name


@dataclass(eq=False)
class Run:
    """One method, learned once on one data set, and the list of (Dataset, classes) to evaluate it
    on."""

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
    has_other_classes: bool = False  # whether the method holds other classes now than at first

    @property
    def learns(self):
        """Whether this run leaves a prompt file."""
        return self.name != "zero_shot"

    @property
    def title(self):
        """The run in a few words."""
        where = printable(self.dataset.name)
        return f"{self.name}, {where}, {self.shots} shots, seed {self.seed}"

    @functools.cached_property
    def method(self):
        """The method on the classes to learn on, built once, when it is first asked for."""
        torch.manual_seed(self.seed)
        classes = split_classes(self.dataset, self.classes)
        return make_method(self.name, self.clip, classes, self.options)

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
        if target.classnames != own.classnames or self.has_other_classes:
            method.set_classes(target.classnames)
            self.has_other_classes = True
        return method

    def release_method(self):
        """Let go of the method's memory."""
        self.__dict__.pop("method", None)


def folder_name(words):
    """Any words → the name of one folder. Names that would fall together get a few digits.

    >>> folder_name("ViT-B/16"), folder_name("lr=0.002")
    ('ViT-B-16-4de08e0a', 'lr=0.002')
    """
    name = re.sub(r"[^\w.,=+]+", "-", words).strip("-.")
    if name == words and len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME - 9]}-{zlib.crc32(os.fsencode(words)):08x}"
