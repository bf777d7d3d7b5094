"""The papers' own figures (papers.csv), and which of our runs they may stand beside.

A figure is shown only where CLIP, data set, shots, method, its options and its training are the
paper's own.

    paper,version,table,backbone,setting,method,dataset,metric,value          a line of papers.csv

`version` is the arXiv number of the text that was read, or the commit of the authors' repository.
CoOp's is the preprint of September 2021, whose figures come from an earlier pipeline than those of
CoCoOp and UPT: see `VERSIONS`. `table` is "text 3.1" for a figure that Section 3.1 states in a
sentence, and "README" for one of the repository's first page.
"""

import csv
import functools
import inspect
import json
from dataclasses import dataclass, replace
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
METRICS = ("accuracy", "base", "new", "harmonic-mean")  # those that our tables have, too
METHOD_NAMES = {  # in papers.csv: our method, and its options where they are not the defaults
    "zero-shot": ("zero_shot", {}),
    "zero-shot (prompt engineering)": ("zero_shot", {}),
    "prompt ensembling": ("zero_shot", {"templates": "ensemble"}),
    "linear-probe": ("linear_probe", {}),
    "CoOp M=16": ("coop", {}),
    "CoOp M=8": ("coop", {"n_ctx": 8}),
    "CoOp M=4": ("coop", {"n_ctx": 4}),
    "CoOp M=4 random init": ("coop", {"n_ctx": 4}),
    "CoOp M=4 init 'a photo of a'": ("coop", {"ctx_init": "a photo of a"}),
    "CoOp ctx=60": ("coop", {"n_ctx": 60}),
    "CoCoOp": ("cocoop", {}),
    "VPT-shallow": ("vpt", {"depth": 1}),
    "VPT-deep": ("vpt", {}),
    "Joint Training": ("joint", {}),
    "Shared": ("shared", {}),
    "MLP": ("mlp", {}),
    "UPT": ("upt", {}),
    "KgCoOp": ("kgcoop", {}),
    "MaPLe": ("maple", {}),
    "PromptSRC": ("promptsrc", {}),
}
COOP = {  # what a paper's tables call just CoOp
    "CoOp": "CoOp M=16",  # Table 2; 16 and random unless otherwise stated (Sec. 3.1)
    "CoCoOp": "CoOp M=4 init 'a photo of a'",  # Tables 1 to 4 (Sec. 4, "Training Details")
    "UPT": "CoOp M=4 init 'a photo of a'",  # Table 1 repeats CoCoOp's; Table 2: M = 4 (Appendix B)
}
VERSIONS = {  # how a source is called in a table: what a reader must know about it
    "CoOp v1": "CoOp v1: the preprint of September 2021. Its pictures were squashed to a square "
    "and cut by random translation, and its models were chosen by validation pictures. CoCoOp "
    "measured zero-shot CLIP again with the later pipeline, which this project follows: with "
    "ViT-B/16 on ImageNet 66.7 in the place of 64.7.",
}


@dataclass(frozen=True)
class Settings:
    """How one of our runs was set. options: those that are not the method's defaults, as JSON.

    other: what differs from every paper, such as "template" or "training"; "": nothing does.
    """

    options: str
    other: str = ""


# Of an average: over other data sets than the papers', and over runs that were not set alike.
OTHER_DATA_SETS = Settings("", "data sets")
UNLIKE = Settings("", "settings")


@dataclass(frozen=True)
class Asked:
    """What a figure is looked up by. table: the name of ours. settings: a `Settings`."""

    table: str
    backbone: str
    method: str
    settings: Settings
    dataset: str


def settings_of(row, changed):
    """A row and the keys of it that differ from its recipe → `Settings`.

    Views and precision are how this project computes, and do not count. A template is read by
    zero-shot CLIP and VPT only; VPT's in UPT is the same for all data sets.
    """
    method, options = row["method"], {}
    parameters = inspect.signature(METHODS[method]).parameters
    for name, value in row["options"].items():
        if name not in parameters or value != parameters[name].default:
            options[name] = value
    if options.get("n_ctx") == (16 if method == "coop" and not options.get("ctx_init") else 4):
        del options["n_ctx"]  # as many as without it
    own = getattr(BENCHMARKS.get(row.get("dataset")), "template", None)
    papers_template = {"zero_shot": own, "vpt": "a photo of a {}."}.get(method)
    other = ""
    if papers_template and (row.get("template") or own) != papers_template:
        other = "template"
    if set(changed) - {"views", "precision", "template"}:
        other = "training"
    return Settings(json.dumps(options, sort_keys=True), other)


def read_rows():
    """papers.csv → a list of dicts."""
    path = Path(__file__).with_name("papers.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@functools.cache
def figures():
    """papers.csv → {Asked: {source: "82.7 / 63.2 / 71.7"}}.

    Lines that have no counterpart here, such as differences between methods, are left out. A
    source is called "UPT T2"; of two tables it is the first, the main paper's.
    """
    result = {}
    for row in read_rows():
        name = COOP.get(row["paper"]) if row["method"] == "CoOp" else row["method"]
        is_ours = row["setting"] in SETTINGS and name in METHOD_NAMES and row["metric"] in METRICS
        if not is_ours:
            continue
        method, options = METHOD_NAMES[name]
        settings, table = Settings(json.dumps(options)), SETTINGS[row["setting"]]
        asked = Asked(table, row["backbone"], method, settings, plain(row["dataset"]))
        version = " v1" if row["version"].endswith("v1") else ""
        place = row["table"].split()[0]
        source = f"{row['paper']}{version} {place if place == 'README' else 'T' + place}"
        values, value = result.setdefault(asked, {}), f"{float(row['value']):.1f}"
        values[source] = f"{values[source]} / {value}" if source in values else value
    return result


def figure(asked):
    """What the papers report, and where: "71.5 (CoCoOp T3, UPT T1)"; "" if none reports it.

    >>> figure(Asked("class-incremental", "ViT-B/16", "cocoop", Settings("{}"), "average of 11"))
    '69.1 (CoCoOp T4)'
    """
    sources = {}
    key = replace(asked, dataset=plain(asked.dataset))
    for source, value in figures().get(key, {}).items():
        sources.setdefault(value, []).append(source)
    return "; ".join(f"{value} ({', '.join(names)})" for value, names in sources.items())


def why_none(asked):
    """Why a paper's figure of this method on this data set is not shown; "" if no paper has one.

    >>> why_none(Asked("class-incremental", "RN50", "cocoop", Settings("{}"), "average of 11"))
    'ViT-B/16 only'
    """
    wanted, backbones = (asked.table, asked.method, plain(asked.dataset)), []
    for known in figures():
        is_the_same = (known.table, known.method, known.dataset) == wanted
        if is_the_same and known.backbone not in backbones:
            backbones.append(known.backbone)
    if backbones and asked.backbone not in backbones:
        return f"{', '.join(backbones)} only"
    return f"other {asked.settings.other or 'options'}" if backbones else ""


def plain(name):
    """A data set's name, here or in papers.csv → one for both: "ImageNet-A" → "imageneta"."""
    return name.lower().replace("_", "").replace("-", "")
