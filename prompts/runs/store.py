"""Methods by name, and prompt files: what a run has learned, and what is needed to use it again."""

import dataclasses
import inspect
import json
import sys
from pathlib import Path

import torch

import clip_min
from clip_min.files import load_tensors, save_tensors
from prompts import METHODS
from prompts.runs.identity import key_of

PROMPT_KEYS = {"method", "options", "learned", "model", "sha256", "dataset", "classes",
               "classnames", "text_template"}

# Methods


def make_method(name, clip, dataset, options):
    """A method on a data set's classes. Raises ValueError for an option that it does not have."""
    parameters = inspect.signature(METHODS[name]).parameters
    own = [option for option in parameters if option not in ("clip", "classnames", "template")]
    for option in options:
        if option not in own:
            has = f"its options are {', '.join(own)}" if own else "it has none"
            raise ValueError(f"{name} does not have the option {option!r}: {has}.")
    if options.get("templates") == "ensemble" and dataset.name.startswith("imagenet"):
        options = {**options, "templates": "seven"}  # its own is not of CLIP's authors' choice
    method = METHODS[name](clip, dataset.classnames, dataset.templates[0], **options)
    return method.to(clip.logit_scale.device)


def learned_parameters(method):
    """What gradients change: {name: parameter}; the frozen CLIP is left out."""
    return {name: p for name, p in method.named_parameters() if p.requires_grad}


def count_parameters(method):
    """How many numbers a method learns."""
    return sum(parameter.numel() for parameter in learned_parameters(method).values())


def learned_state(method):
    """All that learning changes: {name: tensor}, parameters and persistent buffers outside CLIP."""
    state = method.state_dict()
    return {name: tensor for name, tensor in state.items() if not name.startswith("clip.")}


def load_learned(method, learned, source):
    """Put {name: tensor} into a method; source and errors: see `check_learned`."""
    check_learned(method, learned, source)
    own = learned_state(method)
    with torch.no_grad():
        for name, tensor in learned.items():
            if own[name].shape == tensor.shape:
                own[name].copy_(tensor)
            else:  # a buffer
                module, _, buffer = name.rpartition(".")
                setattr(method.get_submodule(module), buffer, tensor.to(own[name].device))


def check_learned(method, learned, source):
    """Raises ValueError if {name: tensor} are not what this method learns, or not finite.

    source: where they come from, for the sentence. A buffer may have another shape than at first.
    """
    own, parameters = learned_state(method), learned_parameters(method)
    fits = own.keys() == learned.keys() and all(
        learned[name].shape == parameter.shape for name, parameter in parameters.items())
    if not fits:
        raise ValueError(f"The tensors in {source} are not those of {type(method).__name__} "
                         "with its options.")
    if not all(tensor.isfinite().all() for tensor in learned.values()):
        raise ValueError(f"{source} holds numbers that are not finite: learn the prompt again.")


# Prompt files


def save_prompt(run, method, dataset, more):
    """Write a run's prompt file: what its method has learned, and what is needed to use it again.

    dataset: of the classes that it was learned on. more: seconds and losses.
    Raises FloatingPointError if what was learned is not finite.
    """
    learned = {name: tensor.cpu() for name, tensor in learned_state(method).items()}
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
    return prompt if key_of(prompt) == key_of(run.setting) else None


def load_prompt(path):
    """A prompt file of train.py, or its folder → its dict. Raises ValueError for other files."""
    path = Path(path)
    if path.is_dir():
        path = path / "prompt.pt"
    if not path.exists():
        raise ValueError(f"There is no prompt file {path}.")
    prompt = load_tensors(path)
    if not (isinstance(prompt, dict) and PROMPT_KEYS <= prompt.keys() and is_well_formed(prompt)):
        raise ValueError(f"{path} is not a prompt file of this version of train.py.")
    return {**prompt, "file": str(path)}


def is_well_formed(prompt):
    """Whether the parts of a prompt file have the types that train.py writes."""
    learned, names, options = prompt["learned"], prompt["classnames"], prompt["options"]
    if not (isinstance(learned, dict) and isinstance(names, list) and isinstance(options, dict)):
        return False
    words = ("method", "sha256", "text_template", "model", "dataset")
    if not all(isinstance(text, str) for text in [*names, *(prompt[key] for key in words)]):
        return False
    try:
        json.dumps({key: value for key, value in prompt.items() if key != "learned"})
    except (TypeError, ValueError, RecursionError):
        return False
    return prompt["method"] in METHODS and all(map(is_plain_tensor, learned.values()))


def is_plain_tensor(tensor):
    """Whether this is an ordinary tensor of 32-bit numbers, or of whole ones."""
    is_tensor = isinstance(tensor, torch.Tensor) and tensor.layout == torch.strided
    return is_tensor and tensor.dtype in (torch.float32, torch.int64, torch.bool)


def method_of_prompt(prompt, clip, dataset):
    """A loaded prompt → its method on the data set's classes.

    Raises ValueError if CLIP is another one, or if what was learned belongs to its own classes
    only.
    """
    if prompt["sha256"] != clip.sha256:
        raise ValueError(
            f"The prompt was learned on {prompt['model']} (SHA-256 {prompt['sha256'][:12]}...), "
            f"but {clip.name} has other weights ({clip.sha256[:12]}...): give --model the CLIP "
            "that it was learned on.")
    learned_on = dataclasses.replace(dataset, classnames=prompt["classnames"])
    method = make_method(prompt["method"], clip, learned_on, prompt["options"])
    load_learned(method, prompt["learned"], prompt.get("file", "the prompt file"))
    if dataset.classnames != prompt["classnames"]:
        method.set_classes(dataset.classnames)
    return method
