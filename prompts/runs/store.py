"""Methods by name, and prompt files: what a run has learned, and what is needed to use it again."""

import ast
import dataclasses
import inspect
import json
import sys
from pathlib import Path

import torch

import clip_min
from clip_min.files import load_tensors, save_tensors
from prompts import METHODS
from prompts.runs.job import nearest

ROOT = Path(__file__).parents[2]
IDENTITY_OF_INPUTS = ("code", "trained_pictures", "pictures")
PROMPT_KEYS = {
    "method",
    "options",
    "learned",
    "model",
    "sha256",
    "dataset",
    "classes",
    "classnames",
    "text_template",
}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)
NOT_IN_ROWS = ("file", "learned", "classnames", "text_template", "losses", "seconds", "version")


# Methods


def make_method(name, clip, dataset, options):
    """A method on a data set's classes. Raises ValueError for an option that it does not have."""
    build = METHODS[nearest(name, METHODS, "method")]
    parameters = inspect.signature(build).parameters
    own = [option for option in parameters if option not in ("clip", "classnames", "template")]
    for option in options:
        if option not in own:
            has = f"its options are {', '.join(own)}" if own else "it has none"
            raise ValueError(f"{name} does not have the option {option!r}: {has}.")
    if name == "zero_shot" and options.get("templates") == "ensemble" and is_imagenet(dataset.name):
        options = {**options, "templates": "seven"}  # its own is not of CLIP's authors' choice
    method = build(clip, dataset.classnames, dataset.templates[0], **options)
    return method.to(clip.logit_scale.device)


def is_imagenet(name):
    """Whether this is ImageNet or one of the four sets with its classes."""
    return name.startswith("imagenet")


def learned_parameters(method):
    """What training changes: {name: parameter}; the frozen CLIP is left out."""
    return {name: p for name, p in method.named_parameters() if p.requires_grad}


def state_beside_parameters(method):
    """What an interrupted run needs beside the parameters: {name: persistent buffer}, without
    CLIP's."""
    state, buffers = method.state_dict(), dict(method.named_buffers())
    own = {name for name in state if not name.startswith("clip.")}
    return {name: buffer for name, buffer in buffers.items() if name in own}


def count_parameters(method):
    """How many numbers a method learns."""
    return sum(parameter.numel() for parameter in learned_parameters(method).values())


# Prompt files


def save_prompt(run, dataset, more):
    """Write a run's prompt file: what its method has learned, and what is needed to use it again.

    dataset: of the classes that it was learned on. more: seconds and losses.
    Raises FloatingPointError if what was learned is not finite.
    """
    learned = {name: p.detach().cpu() for name, p in learned_parameters(run.method).items()}
    if not all(tensor.isfinite().all() for tensor in learned.values()):
        raise FloatingPointError("infinite prompt after the last step: lower --lr.")
    names = dict(classnames=dataset.classnames, text_template=dataset.templates[0])
    content = {**run.setting, "learned": learned, **names, **more, "version": clip_min.__version__}
    save_tensors(run.prompt_file, content)


def saved_prompt(run):
    """The dict of a run's prompt file; None if it is not there, damaged, or of another setting."""
    if not run.prompt_file.exists():
        return None
    try:
        prompt = load_prompt(run.prompt_file)
    except ValueError as error:
        print(f"note: {error} It is learned again.", file=sys.stderr)
        return None
    fits = all(prompt.get(key) == value for key, value in run.setting.items())
    return prompt if fits else None


def load_prompt(path):
    """A prompt file written by train.py, or the folder of one → its dict. Raises ValueError
    otherwise."""
    path = Path(path)
    if path.is_dir():
        path = path / "prompt.pt"
    if not path.exists():
        raise ValueError(f"There is no prompt file {path}.")
    prompt = load_tensors(path)
    is_prompt = isinstance(prompt, dict) and PROMPT_KEYS <= prompt.keys()
    is_known = is_prompt and isinstance(prompt["method"], str) and prompt["method"] in METHODS
    if not is_known or not well_formed(prompt):
        raise ValueError(f"{path} is not a prompt file of this version of train.py.")
    return {**prompt, "file": str(path)}


def well_formed(prompt):
    """Whether the parts of a prompt file have the types that train.py writes."""
    learned, names = prompt["learned"], prompt["classnames"]
    if not (isinstance(learned, dict) and isinstance(names, list)):
        return False
    if not all(is_dense(tensor) for tensor in learned.values()):
        return False
    texts = [*names, prompt["sha256"], prompt["text_template"], prompt["model"]]
    if not all(isinstance(text, str) for text in texts):
        return False
    if not isinstance(prompt["options"], dict) or not isinstance(prompt["dataset"], str):
        return False
    try:
        json.dumps({key: value for key, value in prompt.items() if key != "learned"})
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def is_dense(tensor):
    """Whether this is an ordinary tensor of 32-bit numbers."""
    is_tensor = isinstance(tensor, torch.Tensor) and tensor.layout == torch.strided
    return is_tensor and tensor.dtype == torch.float32


def build_method(prompt, clip, dataset):
    """A loaded prompt → its method on the data set's classes.

    Raises ValueError if CLIP is another one, or if what was learned belongs to its own classes
    only.
    """
    if prompt["sha256"] != clip.sha256:
        raise ValueError(
            f"The prompt was learned on {prompt['model']} (SHA-256 {prompt['sha256'][:12]}...), "
            f"but {clip.name} has other weights ({clip.sha256[:12]}...): give --model the CLIP "
            "that it was learned on."
        )
    learned_on = dataclasses.replace(dataset, classnames=prompt["classnames"])
    method = make_method(prompt["method"], clip, learned_on, prompt["options"])
    load_learned(method, prompt)
    if dataset.classnames != prompt["classnames"]:
        method.set_classes(dataset.classnames)
    return method


def method_of(prompt, clip, dataset, flags):
    """A prompt's method on a Dataset's classes; without one (None), the method of the flags.

    Raises ValueError if that has to be learned first.
    """
    if prompt:
        return build_method(prompt, clip, dataset)
    name = flags.method or "zero_shot"
    method = make_method(name, clip, dataset, flags.options)
    if count_parameters(method):
        raise ValueError(f"{name} has to be learned first: give its prompt file.")
    return method


def load_learned(method, prompt):
    """Put a prompt file's tensors into its method. Raises ValueError if they do not fit."""
    parameters, file = learned_parameters(method), prompt.get("file", "the prompt file")
    shapes = {name: p.shape for name, p in parameters.items()}
    if shapes != {name: tensor.shape for name, tensor in prompt["learned"].items()}:
        name = prompt["method"]
        raise ValueError(f"The tensors in {file} are not those of {name} with its options.")
    if not all(tensor.isfinite().all() for tensor in prompt["learned"].values()):
        raise ValueError(f"{file} holds numbers that are not finite: learn the prompt again.")
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(prompt["learned"][name])


def copy_learned(source, target):
    """Give one method what another one of its kind has learned."""
    learned = learned_parameters(source)
    with torch.no_grad():
        for name, parameter in learned_parameters(target).items():
            parameter.copy_(learned[name])
