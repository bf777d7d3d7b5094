"""What identifies a result: everything that can change it.

A run is identified by its setting: method, options, CLIP, what it was trained on, shots, seed,
recipe and code. A row of results.jsonl is the setting, with `dataset` and `classes` for what it was
evaluated on, `trained_on` and `trained_classes` for what it was trained on.

A number is never stale. Three keys of a row change whenever what they stand for changes:

    code              {file: digest} of the code that the result depends on, without comments
    trained_pictures  digest of the training pictures and class names
    pictures          digest of the evaluated pictures and class names

A student who edits coop.py and repeats a command gets a new run, and one line that says why.
"""

import ast
import functools
import hashlib
import inspect
from pathlib import Path

import clip_min
from clip_min.data import BENCHMARKS
from clip_min.data.folders import PARTS
from prompts import METHODS

ROOT = Path(__file__).parents[2]
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)
OF_INPUTS = ("code", "trained_pictures", "pictures")
# Beside the method's file and train.py: the code on which every result depends.
CLIP_MIN = (
    "model",
    "resnet",
    "tokenizer",
    "preprocess",
    "prompting/tree",
    "prompting/options",
    "prompting/recipe",
    "prompting/names",
    "prompting/words",
    "data/datasets",
    "data/pictures",
    "data/names",
)
EXPERIMENTS = ("batches", "evaluation", "features", "run")
NOT_IN_ROWS = ("file", "learned", "classnames", "text_template", "losses", "seconds", "version")


def code_of(name):
    """A method's name → {file: 8 hexadecimal digits} of the code that its results depend on."""
    file, package = Path(inspect.getfile(METHODS[name])), Path(clip_min.__file__).parent
    here = Path(__file__).parent
    return {
        file.name: digest_of_code(file),
        "train.py": digest_of_code(ROOT / "train.py"),
        "clip_min": digest_of_code(*(package / f"{room}.py" for room in CLIP_MIN)),
        "prompts/runs": digest_of_code(*(here / f"{room}.py" for room in EXPERIMENTS)),
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


def zero_shot_setting(clip, options, flags, template):
    """What identifies an evaluation of a method that learns nothing; template: see `if_given`."""
    setting = dict(method="zero_shot", options=options, model=clip.name, sha256=clip.sha256)
    setting.update(dataset=None, classes=None, shots=0, seed=0, precision=flags.precision)
    setting.update(code=code_of("zero_shot"), **if_given(flags, template))
    return setting


def if_given(flags, template):
    """What is part of a run's identity only where it is given: the hand-written prompt, --gelu."""
    given = {}
    if template is not None:
        given["template"] = template
    if flags.gelu != "auto":
        given["gelu"] = flags.gelu
    return given


def setting_of(prompt, clip, flags):
    """What identifies an evaluation with these flags.

    prompt: a prompt file's dict; None: zero-shot CLIP.
    """
    if not prompt:
        return zero_shot_setting(clip, flags.options, flags, flags.template)
    setting = {key: value for key, value in prompt.items() if key not in NOT_IN_ROWS}
    code = code_of(prompt["method"])
    setting.update(precision=prompt.get("precision", "fp32"), code=prompt.get("code", code))
    if setting["precision"] != flags.precision:
        setting["evaluated_in"] = flags.precision
    if setting["code"] != code:
        setting["evaluated_with"] = code  # the prompt was learned with other code
    setting.update(if_given(flags, flags.template))
    return setting


def row_of(setting, target, classes, split):
    """What identifies one evaluation: a run's setting, and the Dataset that it is evaluated on.

    Raises ValueError if that has no pictures of this split.
    """
    if not getattr(target, split):
        raise ValueError(f"{target.name} has no {split} pictures to evaluate on.")
    row = dict(setting, trained_on=setting["dataset"], trained_classes=setting["classes"])
    row.update(dataset=target.name, classes=classes, split=split, pictures=target.digest(split))
    row.update(if_not_the_papers(target, classes, split))
    return row


def if_not_the_papers(dataset, classes, part):
    """What is part of an identity only where a benchmark's pictures are not those of the papers.

    dataset: with these classes ("all", "base" or "new") only. part: "train", "val" or "test".
    Pictures are counted for all classes only: CoOp's Table 5 has no numbers for half of them.

    >>> from clip_min.data import Dataset
    >>> if_not_the_papers(Dataset("dtd", ["banded"], ["{}"], [], [], []), "new", "test")
    {'not_whole': True}
    """
    if dataset.own_split:
        return {"own_split": True}
    benchmark = BENCHMARKS.get(dataset.name)
    if benchmark is None:
        return {}
    base = (benchmark.classes + 1) // 2
    number = {"all": benchmark.classes, "base": base, "new": benchmark.classes - base}[classes]
    has_all_classes = len(dataset.classnames) == number
    pictures = dict(zip(PARTS, benchmark.pictures))[part]
    has_all_pictures = classes != "all" or pictures in (None, len(getattr(dataset, part)))
    return {} if has_all_classes and has_all_pictures else {"not_whole": True}
