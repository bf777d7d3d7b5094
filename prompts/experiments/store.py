"""What train.py and eval.py share: methods by name, prompt files, evaluation, and the rows of results.jsonl.

A run is told by its setting: method, options, CLIP, what it was trained on, shots, seed and recipe. What it
learned lies in a prompt file. Each evaluation of it is one row of results.jsonl: the setting, with `dataset`
and `classes` for what it was evaluated on, `trained_on` and `trained_classes` for what it was trained on.
"""

import dataclasses
import json
import shlex
import sys

import torch
from torch.utils.data import DataLoader

import clip_min
from clip_min.data import PictureSet
from prompts.experiments.features import PRECISIONS, frozen_features
from clip_min.files import append_line, load_tensors, save_tensors
from prompts import METHODS
from prompts.experiments.flags import nearest

# Methods


def make_method(name, clip, dataset, options):
    """A method on a data set's classes. Raises ValueError for an option that it does not have."""
    if name == "zero_shot" and options.get("templates") == "ensemble" and dataset.name.startswith("imagenet"):
        options = options | dict(templates="seven")  # its own template was not among those that CLIP's authors chose
    try:
        return METHODS[nearest(name, METHODS, "method")](clip, dataset.classnames, dataset.templates[0], **options)
    except TypeError as error:
        raise ValueError(f"{name} cannot take these options, {options}: {error}.") from error


def learned_parameters(method):
    """What training changes: {name: parameter}; the frozen CLIP is left out."""
    return {name: p for name, p in method.named_parameters() if p.requires_grad}


def save_prompt(path, setting, learned, dataset, **more):
    """Write a prompt file: what was learned ({name: tensor}), and what is needed to use it again."""
    learned = {name: tensor.detach().cpu() for name, tensor in learned.items()}
    content = setting | dict(learned=learned, classnames=dataset.classnames, text_template=dataset.templates[0])
    save_tensors(path, content | more | dict(version=clip_min.__version__))


def load_prompt(path):
    """A prompt file written by train.py → its dict. Raises ValueError if it is none."""
    if not path.exists():
        raise ValueError(f"There is no prompt file {path}.")
    prompt = load_tensors(path)
    parts = {"method", "options", "learned", "model", "sha256", "dataset", "classes", "classnames", "text_template"}
    if not isinstance(prompt, dict) or not parts <= prompt.keys() or prompt["method"] not in METHODS:
        raise ValueError(f"{path} is no prompt file of train.py, or of another version of it.")
    return prompt


def build_method(prompt, clip, dataset):
    """A loaded prompt → its method on the data set's classes.

    Raises ValueError if CLIP is another one, or if what was learned belongs to its own classes only.
    """
    if prompt["sha256"] != clip.sha256:
        raise ValueError(
            f"The prompt was learned on {prompt['model']} (SHA-256 {prompt['sha256'][:12]}...), but {clip.name} has "
            f"other weights ({clip.sha256[:12]}...): give --model the CLIP that it was learned on."
        )
    learned_on = dataclasses.replace(dataset, classnames=prompt["classnames"])
    method = make_method(prompt["method"], clip, learned_on, prompt["options"])
    parameters = learned_parameters(method)
    if {n: p.shape for n, p in parameters.items()} != {n: t.shape for n, t in prompt["learned"].items()}:
        raise ValueError(f"The prompt file's tensors are not those of {prompt['method']} with these options.")
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(prompt["learned"][name])
    if dataset.classnames != prompt["classnames"]:
        method.set_classes(dataset.classnames)
    return method


# Evaluation


@torch.no_grad()
def image_features(method, items, flags, device):
    """N items → their features [N, E] and labels [N], in order; looked up if the image tower is frozen."""
    labels = torch.tensor([item.label for item in items], device=device)
    how = dict(device=device, workers=flags.workers, precision=flags.precision)
    if method.image_tower_is_frozen:
        return frozen_features(method.clip, items, features_folder(flags), **how), labels
    pictures = PictureSet(items, method.clip.preprocess)
    batches = DataLoader(pictures, batch_size=256, num_workers=flags.workers)
    with autocast(device, flags.precision):
        return torch.cat([method.encode_image(images.to(device)).float() for images, _ in batches]), labels


@torch.no_grad()
def evaluate(method, items, flags, device):
    """Accuracy in per cent on the items. The class weights are computed once for all pictures."""
    if not items:
        raise ValueError(f"There are no {flags.split} pictures to evaluate on.")
    method.eval()
    features, labels = image_features(method, items, flags, device)
    with autocast(device, flags.precision):
        logits = method.classify(features)  # [N, K]
    if not logits.isfinite().all():
        raise ValueError("The logits are not finite: training has diverged, lower --lr.")
    return 100 * (logits.argmax(dim=-1) == labels).float().mean().item()


def features_folder(flags):
    """Where frozen image features are kept."""
    return flags.features_dir or flags.out / "features"


def autocast(device, precision):
    """A context in which matrix products run in bf16 or fp16, or, for fp32, one that changes nothing."""
    return torch.autocast(device.type, PRECISIONS[precision], enabled=precision != "fp32")


# Rows of results.jsonl


def row_of(setting, dataset, classes, split):
    """What identifies one evaluation: a run's setting, and what it is evaluated on."""
    trained = dict(trained_on=setting["dataset"], trained_classes=setting["classes"])
    row = setting | trained | dict(dataset=dataset.name, classes=classes, split=split)
    return row | (dict(own_split=True) if dataset.own_split else {})


def zero_shot_setting(clip, options, flags):
    """The setting of a method that learns nothing."""
    setting = dict(method="zero_shot", options=options, model=clip.name, sha256=clip.sha256, dataset=None, classes=None)
    setting |= dict(shots=0, seed=0, precision=flags.precision)
    return setting | (dict(template=flags.template) if flags.template else {})


def find_result(rows, wanted):
    """The last row that has all of `wanted`, or None."""
    return next((row for row in reversed(rows) if wanted.items() <= row.items()), None)


def record(path, **row):
    """Add one evaluation to results.jsonl, with the command and the version that made it."""
    row |= dict(command=shlex.join(["python", *sys.argv]), version=clip_min.__version__)
    append_line(path, json.dumps(row))
