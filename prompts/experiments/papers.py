"""The papers' own figures (papers.csv), and which of our runs they may stand beside.

A figure is shown only where CLIP, data set, shots, method, its options and its training are the paper's own.
"""

import csv
import functools
import inspect
import json
from pathlib import Path

from clip_min.data import BENCHMARKS
from prompts import METHODS

SETTINGS = {  # in papers.csv: the name of our table
    "16-shot": "few-shot",
    "base-to-new 16-shot": "base-to-new",
    "class-incremental 16-shot": "class-incremental",
    "cross-dataset from ImageNet 16-shot": "cross-dataset",
    "domain-generalization": "domain-generalization",
}
METHOD_NAMES = {  # in papers.csv: our method, and its options where they are not the defaults
    "zero-shot": ("zero_shot", {}),
    "zero-shot (prompt engineering)": ("zero_shot", {}),
    "prompt ensembling": ("zero_shot", dict(templates="ensemble")),
    "linear-probe": ("linear_probe", {}),
    "CoOp M=16": ("coop", {}),
    "CoOp M=8": ("coop", dict(n_ctx=8)),
    "CoOp M=4": ("coop", dict(n_ctx=4)),
    "CoOp M=4 random init": ("coop", dict(n_ctx=4)),
    "CoOp M=4 init 'a photo of a'": ("coop", dict(ctx_init="a photo of a")),
    "CoCoOp": ("cocoop", {}),
    "VPT-shallow": ("vpt", dict(depth=1)),
    "VPT-deep": ("vpt", {}),
    "Joint Training": ("joint", {}),
    "Shared": ("shared", {}),
    "MLP": ("mlp", {}),
    "UPT": ("upt", {}),
}
COOP = {  # what a paper's tables call just CoOp
    "CoOp": "CoOp M=16",  # Table 2; 16 and random unless otherwise stated (Sec. 3.1)
    "CoCoOp": "CoOp M=4 init 'a photo of a'",  # Tables 1 to 4 (Sec. 4, "Training Details")
    "UPT": "CoOp M=4 init 'a photo of a'",  # Table 1 repeats CoCoOp's; Table 2: M = 4, following CoCoOp (Appendix B)
}


def settings_of(row, changed):
    """The options that are not the method's defaults, as text, or None if it was not trained as in the papers.

    changed: the keys of the row that differ from the recipe. Views and precision are how this project computes, and
    do not count. A template is read by zero-shot CLIP and VPT only; VPT's in UPT is the same for all data sets.
    """
    changed, method, template = set(changed) - {"views", "precision", "template"}, row["method"], row.get("template")
    if method == "vpt":
        template = template or getattr(BENCHMARKS.get(row["dataset"]), "template", None)
    if changed or method == "vpt" and template != "a photo of a {}." or method == "zero_shot" and template:
        return None
    parameters = inspect.signature(METHODS[method]).parameters
    options = {k: v for k, v in row["options"].items() if k not in parameters or v != parameters[k].default}
    if options.get("n_ctx") == (16 if method == "coop" and not options.get("ctx_init") else 4):
        del options["n_ctx"]  # as many as without it
    return json.dumps(options, sort_keys=True)


@functools.cache
def figures():
    """papers.csv → {(table, backbone, method, settings, data set): {source: "82.7 / 63.2 / 71.7"}}.

    Lines for which there is no counterpart here, such as differences between methods, are left out.
    """
    result = {}
    with Path(__file__).with_name("papers.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            name = COOP[row["paper"]] if row["method"] == "CoOp" else row["method"]
            if row["setting"] in SETTINGS and name in METHOD_NAMES:
                method, options = METHOD_NAMES[name]
                dataset = plain(row["dataset"])
                key = SETTINGS[row["setting"]], row["backbone"], method, json.dumps(options), dataset
                source = f"{row['paper']} T{row['table'].split()[0]}"  # "1 and 6": the second is in the appendix
                values = result.setdefault(key, {})
                values[source] = f"{values[source]} / " if source in values else ""
                values[source] += f"{float(row['value']):.1f}"
    return result


def figure(table, backbone, method, settings, dataset):
    """What the papers report, and where: "71.5 (CoCoOp T3, UPT T1)"; "" if none reports it.

    >>> figure("class-incremental", "ViT-B/16", "cocoop", "{}", "average of 11")
    '69.1 (CoCoOp T4)'
    """
    sources = {}
    for source, value in figures().get((table, backbone, method, settings, plain(dataset)), {}).items():
        sources.setdefault(value, []).append(source)
    return "; ".join(f"{value} ({', '.join(names)})" for value, names in sources.items())


def plain(name):
    """A data set's name, here or in a paper → what both share: "imagenet_a", "ImageNet-A" → "imageneta"."""
    return name.lower().replace("_", "").replace("-", "")
