"""What identifies a result: everything that can change it.

A run is identified by its setting: method, options, CLIP, what it learned on, shots, seed, recipe
and inputs. A row of results.jsonl is the setting, with `dataset` and `classes` for what it was
evaluated on, and `trained_on` and `trained_classes` for what it learned on. `key_of` gives the key
of a row, a prompt file or an interrupted run: two of the same key are the same result.

Four entries, the inputs, change whenever what they stand for changes:

    code              {place: digest}: all of clip_min/ and prompts/runs/, train.py, the method's
                      file and every project file that it imports; comments do not count
    clip              what counts beside the weights: GELU, mean and std, merges
    trained_pictures  digest of the pictures and class names that few shots are drawn from
    pictures          digest of the evaluated pictures and class names

Two rows that differ in their inputs only are of one kind (`kind_of`). A table shows of each kind
the one that the present inputs would give. prompts/reports/ only shows numbers, and is no input.
"""

import json

from clip_min.data import BENCHMARKS
from clip_min.data.folders import PARTS
from prompts.runs.code import code_of

INPUTS = ("code", "clip", "trained_pictures", "pictures", "evaluated_with")
NOT_IN_KEY = {
    # measured, in rows
    "accuracy", "failed", "loss", "seconds", "trainable_parameters", "device", "command", "version",
    # beside the setting, in prompt files
    "file", "learned", "classnames", "text_template", "losses",
}


def setting_of(content):
    """A row, or the dict of a prompt file → all of it that identifies the result."""
    return {key: value for key, value in content.items() if key not in NOT_IN_KEY}


def key_of(content):
    """A row, a setting, or the dict of a prompt file → its key, a text."""
    return json.dumps(setting_of(content), sort_keys=True)


def kind_of(row):
    """A row → its key without the inputs: the same for a result before and after an edit."""
    return key_of({key: value for key, value in row.items() if key not in INPUTS})


# The inputs


def digest_of_training(dataset):
    """What changes whenever a picture or class that few shots are drawn from does."""
    return dataset.digest("train") + dataset.digest("val")


def why_new(old, new):
    """Two settings or rows of one kind → why the new one is not the old one, in words."""
    reasons = []
    old_code, new_code = old.get("code") or {}, new["code"]
    changed = sorted({**old_code, **new_code}.keys())
    changed = [place for place in changed if old_code.get(place) != new_code.get(place)]
    if changed:
        reasons.append(f"{' and '.join(changed)} changed")
    for key, words in (("clip", "what lies beside the weights"),
                       ("trained_pictures", "the training pictures"),
                       ("pictures", "the evaluated pictures")):
        if old.get(key) != new.get(key):
            reasons.append(f"{words} changed")
    return ", ".join(reasons)


# Settings and rows


def zero_shot_setting(clip, options, template, job):
    """What identifies an evaluation of a method that learns nothing; template: see `if_given`."""
    setting = dict(method="zero_shot", options=options, model=clip.name, sha256=clip.sha256)
    setting.update(dataset=None, classes=None, shots=0, seed=0, precision=job.precision)
    setting.update(code=code_of("zero_shot"), clip=clip.reading, **if_given(template, job.gelu))
    return setting


def if_given(template, gelu):
    """What is part of a setting only where it is given: the hand-written prompt, --gelu."""
    given = {"template": template, "gelu": None if gelu == "auto" else gelu}
    return {key: value for key, value in given.items() if value is not None}


def evaluated_setting(prompt, clip, job):
    """The dict of a prompt file that is evaluated with this CLIP and this code → its setting.

    Where it was learned with others, `evaluated_with` has what they are now.
    """
    setting = setting_of(prompt)
    now = dict(code=code_of(prompt["method"]), clip=clip.reading)
    setting = {"precision": "fp32", **now, **setting}  # for a prompt of the published code
    if setting["precision"] != job.precision:
        setting["evaluated_in"] = job.precision
    other = {key: value for key, value in now.items() if setting[key] != value}
    if other:
        setting["evaluated_with"] = other
    return setting | if_given(job.template, job.gelu)


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
