"""The papers' protocols, and what each paper used: `--protocol NAME`, `--paper NAME`.

A protocol says which classes a method learns on, and what it is evaluated on afterwards. The
recipe (learning rate, epochs, batch size, crops) stands in each method's file.
"""

import warnings
from dataclasses import dataclass, field

from clip_min.data import ELEVEN, SHIFTED, load_dataset
from clip_min.world.benchmarks import EIGHT


@dataclass(frozen=True)
class Protocol:
    """What one protocol learns on and is evaluated on.

    learned_on: "all" classes of one data set, or the "base" half. evaluated_on: classes of the
    same data set. transfer: which other data sets follow, all with all their classes: "" for none,
    "others" of its kind, or its "shifted" versions. paper: where it is described.
    """

    learned_on: str
    evaluated_on: tuple
    paper: str
    transfer: str = ""


PROTOCOLS = {
    "few-shot": Protocol("all", ("all",), "CoOp, Sec. 3.1"),
    "base-to-new": Protocol("base", ("base", "new"), "CoCoOp, Sec. 4.1"),
    "class-incremental": Protocol("base", ("all",), "CoCoOp, Sec. 4.4"),
    "cross-dataset": Protocol("all", ("all",), "CoCoOp, Sec. 4.2", "others"),
    "domain-generalization": Protocol("all", ("all",), "CoOp, Sec. 3.2", "shifted"),
}
# In these, a method learns on one source and is evaluated on it and on others, its targets.
TRANSFER = tuple(name for name, protocol in PROTOCOLS.items() if protocol.transfer)


def targets_of(dataset, job):
    """A Dataset to learn on → what the job evaluates on afterwards: a list of (Dataset, classes).

    A benchmark that is not on the disk is left out with a warning. Raises ValueError if none is
    there, and for a data set without shifted versions.
    """
    protocol = PROTOCOLS[job.protocol]
    if not protocol.transfer:
        classes = (job.classes,) if job.protocol == "few-shot" else protocol.evaluated_on
        return [(dataset, which) for which in classes]
    if protocol.transfer == "shifted" and dataset.name not in SHIFTED:
        known = " or ".join(SHIFTED)
        raise ValueError(f"{dataset.name} has no shifted versions: give --dataset {known}.")
    kind = EIGHT if dataset.name in EIGHT else ELEVEN
    names = SHIFTED[dataset.name] if protocol.transfer == "shifted" else kind
    targets = [(dataset, "all")]
    for name in names:
        if name == dataset.name:
            continue
        try:
            targets.append((load_dataset(name, job.data_root, job.template), "all"))
        except ValueError as error:
            warnings.warn(f"{name} is left out. {error}", stacklevel=1)
    if len(targets) == 1:
        raise ValueError(f"None of {', '.join(names)} is there to evaluate on: "
                         f"`python -m clip_min.data {job.data_root}` says what is missing.")
    return targets


# What each paper used


READ_TEMPLATE = ("zero_shot", "vpt", "kgcoop", "promptsrc")  # methods with a hand-written prompt
WORDS = "a photo of a"


@dataclass(frozen=True)
class Setup:
    """What a paper's experiments share, with the names of train.py's flags.

    shots: of the few-shot protocol; the others have 16. source: the data set that transfer
    protocols learn on. options: {method: those that differ from its recipe}. template: the prompt
    of `READ_TEMPLATE`; None: each data set's own.
    """

    model: str
    protocol: str
    method: tuple
    shots: tuple = (1, 2, 4, 8, 16)
    seed: tuple = (1, 2, 3)
    dataset: str = "eleven"
    source: str = "imagenet"
    options: dict = field(default_factory=dict)
    template: str | None = None


def after_cocoop(method, shots=(16,)):
    """→ the Setup of a paper that compares a method with CoOp and CoCoOp in CoCoOp's protocol."""
    methods = ("zero_shot", "coop", "cocoop", method)
    options = {"coop": {"ctx_init": WORDS}}
    return Setup("ViT-B/16", "base-to-new", methods, shots, options=options)


USUAL = Setup("tiny", "few-shot", ("upt",), (16,), (1,), "toy-satellite", "toy-objects")
SETUPS = {
    # CoOp, Sec. 3.1; its recipe has 16 context vectors from a random start
    "coop": Setup("RN50", "few-shot", ("zero_shot", "linear_probe", "coop")),
    # CoCoOp, Sec. 4
    "cocoop": Setup("ViT-B/16", "base-to-new", ("zero_shot", "coop", "cocoop"), (16,),
                    options={"coop": {"ctx_init": WORDS}}),
    # UPT, Sec. 3 and Appendix B
    "upt": Setup("ViT-B/16", "few-shot", ("zero_shot", "coop", "vpt", "upt"),
                 options={"coop": {"ctx_init": WORDS}}, template=f"{WORDS} {{}}."),
    # KgCoOp, MaPLe and PromptSRC: the published scripts; CoOp's and CoCoOp's numbers are CoCoOp's
    "kgcoop": after_cocoop("kgcoop"),
    "maple": after_cocoop("maple"),
    "promptsrc": after_cocoop("promptsrc", shots=(1, 2, 4, 8, 16)),
}


def setup_of(paper):
    """A key of `SETUPS`, or None → its Setup, or train.py's own."""
    return SETUPS[paper] if paper else USUAL
