"""Prompt files, and the rows of results.jsonl.

A run is told by its setting: method, options, CLIP, what it was trained on, shots, seed, recipe
and code. What it learned lies in a prompt file. Each evaluation of it is one row of
results.jsonl: the setting, with `dataset` and `classes` for what it was evaluated on,
`trained_on` and `trained_classes` for what it was trained on.

A number is never stale. Three keys of a row change whenever what they stand for changes:

    code              {file: digest} of the method's file, train.py and clip_min, without comments
    trained_pictures  digest of the training pictures and class names
    pictures          digest of the evaluated pictures and class names

A student who edits coop.py and repeats a command gets a new run, and one line that says why.
"""

import ast
import dataclasses
import functools
import hashlib
import inspect
import json
import shlex
import sys
from pathlib import Path

import torch

import clip_min
from clip_min.files import append_line, load_tensors, save_tensors
from prompts import FILES, METHODS
from prompts.experiments.distributed import RANK
from prompts.experiments.flags import nearest

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
    return build(clip, dataset.classnames, dataset.templates[0], **options)


def is_imagenet(name):
    """Whether this is ImageNet or one of the four sets with its classes."""
    return name.startswith("imagenet")


def learned_parameters(method):
    """What training changes: {name: parameter}; the frozen CLIP is left out."""
    return {name: p for name, p in method.named_parameters() if p.requires_grad}


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
    if not is_prompt or prompt["method"] not in METHODS or not well_formed(prompt):
        raise ValueError(f"{path} is not a prompt file of train.py, or of another version of it.")
    return {**prompt, "file": str(path)}


def well_formed(prompt):
    """Whether the parts of a prompt file have the types that train.py writes."""
    learned, names = prompt["learned"], prompt["classnames"]
    if not (isinstance(learned, dict) and isinstance(names, list)):
        return False
    texts = [*names, prompt["sha256"], prompt["text_template"], prompt["model"]]
    tensors = all(isinstance(x, torch.Tensor) for x in learned.values())
    return tensors and all(isinstance(text, str) for text in texts)


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


# What a result depends on


def code_of(name):
    """A method's name → {file: 8 hexadecimal digits} of the code that its results depend on."""
    file = Path(FILES[name].__file__)
    package = sorted(Path(clip_min.__file__).parent.glob("*.py"))
    return {
        file.name: digest_of_code(file),
        "train.py": digest_of_code(ROOT / "train.py"),
        "clip_min": digest_of_code(*package),
    }


@functools.cache
def digest_of_code(*files):
    """Python files → 8 hexadecimal digits that change with their code, not with comments or
    docstrings."""
    digest = hashlib.sha256()
    for file in files:
        tree = ast.parse(file.read_bytes())
        for node in ast.walk(tree):
            if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
                del node.body[0]
        digest.update(ast.dump(tree).encode())
    return digest.hexdigest()[:8]


def why_new(old, new):
    """Two settings or rows → why the new one is not the old one, in words; "" if they are the
    same."""
    reasons = []
    old_code, new_code = old.get("code") or {}, new["code"]
    changed = [file for file in new_code if old_code.get(file) != new_code[file]]
    if changed:
        reasons.append(f"{' and '.join(changed)} changed")
    if old.get("trained_pictures") != new.get("trained_pictures"):
        reasons.append("the training pictures changed")
    if old.get("pictures") != new.get("pictures"):
        reasons.append("the evaluated pictures changed")
    return ", ".join(reasons)


# Rows of results.jsonl


def zero_shot_setting(clip, options, flags):
    """What identifies an evaluation of a method that learns nothing."""
    setting = dict(method="zero_shot", options=options, model=clip.name, sha256=clip.sha256)
    setting.update(dataset=None, classes=None, shots=0, seed=0, precision=flags.precision)
    setting.update(code=code_of("zero_shot"), **if_given(flags))
    return setting


def if_given(flags):
    """Flags that are part of a run's identity only where they are given."""
    given = {}
    if flags.template:
        given["template"] = flags.template
    if flags.gelu != "auto":
        given["gelu"] = flags.gelu
    return given


def setting_of(prompt, clip, flags):
    """What identifies an evaluation with these flags and today's code.

    prompt: a prompt file's dict; None: zero-shot CLIP.
    """
    if not prompt:
        return zero_shot_setting(clip, flags.options, flags)
    setting = {key: value for key, value in prompt.items() if key not in NOT_IN_ROWS}
    setting.update(precision=flags.precision, code=code_of(prompt["method"]))
    if flags.template:
        setting["template"] = flags.template
    return setting


def row_of(setting, target, classes, split):
    """What identifies one evaluation: a run's setting, and the Dataset that it is evaluated on.

    Raises ValueError if that has no pictures of this split.
    """
    if not getattr(target, split):
        raise ValueError(f"{target.name} has no {split} pictures to evaluate on.")
    row = dict(setting, trained_on=setting["dataset"], trained_classes=setting["classes"])
    row.update(dataset=target.name, classes=classes, split=split, pictures=target.digest(split))
    if target.own_split:
        row["own_split"] = True
    return row


class Results:
    """The rows of results.jsonl. Another process may add to the file; `find` reads what is new."""

    def __init__(self, path):
        self.path, self.rows, self.read_bytes = path, [], 0

    def refresh(self):
        """Read the lines that were added since the last time; lines that are not rows are left
        out."""
        if not self.path.exists():
            return
        with open(self.path, "rb") as file:
            file.seek(self.read_bytes)
            new = file.read()
        whole, end, _ = new.rpartition(b"\n")
        self.read_bytes += len(whole) + len(end)
        for line in whole.split(b"\n"):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):  # cut short by a kill, or not text
                continue
            if isinstance(row, dict):
                self.rows.append(row)

    def find(self, wanted):
        """The last row that has all of `wanted`, or None."""
        self.refresh()
        for row in reversed(self.rows):
            if wanted.items() <= row.items():
                return row
        return None

    def missing(self, run):
        """What is not there of a run → list of (Dataset, row), as `run.rows` has them."""
        return [(target, row) for target, row in run.rows if self.find(row) is None]

    def is_finished(self, run, missing):
        """Whether nothing is left to do: all rows are there, and what was learned, too."""
        if missing:
            return False
        has_failed = any("failed" in self.find(row) for _, row in run.rows)
        return has_failed or not run.learns or run.prompt_file.exists()

    def record_failure(self, missing, error):
        """A run that diverged: its rows say so, and the same command does not try it again."""
        print(f"  failed: {error}", file=sys.stderr)
        if RANK == 0:
            for _, row in missing:
                self.record(row, failed=str(error))

    def why_new(self, wanted):
        """Why `wanted` has no row although one of the same setting is there; "" if none is."""
        same = {key: value for key, value in wanted.items() if key not in IDENTITY_OF_INPUTS}
        older = self.find(same)
        return why_new(older, wanted) if older else ""

    def record(self, row, **more):
        """Add one evaluation, with the command and the version that made it."""
        command = shlex.join(["python", *sys.argv])
        line = {**row, **more, "command": command, "version": clip_min.__version__}
        append_line(self.path, json.dumps(line))
