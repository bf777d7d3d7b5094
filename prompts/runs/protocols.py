"""What the papers used in their experiments: `train.py --paper coop`, `cocoop` or `upt`.

Beside it each method's file has the recipe: learning rate, epochs, batch size, crops. The tiny CLIP
keeps its own recipe and its own miniature sets; the rest is as in the paper.
"""

from dataclasses import dataclass, field

PROTOCOLS = (
    "few-shot",
    "base-to-new",
    "class-incremental",
    "cross-dataset",
    "domain-generalization",
)
# In these, a method learns on one source and is evaluated on it and on others, its targets.
TRANSFER = ("cross-dataset", "domain-generalization")
READ_TEMPLATE = ("zero_shot", "vpt", "kgcoop", "promptsrc")  # methods with a hand-written prompt
WORDS = "a photo of a"


@dataclass(frozen=True)
class Setup:
    """What a paper's experiments share, with the names of train.py's flags.

    shots: of the few-shot protocol; the others have 16. options: {method: those that differ from
    its recipe}. template: the prompt of `READ_TEMPLATE`; None: each data set's own.
    """

    model: str
    protocol: str
    method: list
    shots: list
    seed: list
    datasets: tuple  # of most protocols, and of those in `TRANSFER`
    options: dict = field(default_factory=dict)
    template: str | None = None


TINY_DATASETS = ("toy", "toy-objects")
USUAL = Setup(
    model="tiny",
    protocol="few-shot",
    method=["upt"],
    shots=[16],
    seed=[1],
    datasets=("toy-satellite", "toy-objects"),
)
SETUPS = {
    "coop": Setup(  # CoOp, Sec. 3.1; its recipe has 16 context vectors from a random start
        model="RN50",
        protocol="few-shot",
        method=["zero_shot", "linear_probe", "coop"],
        shots=[1, 2, 4, 8, 16],
        seed=[1, 2, 3],
        datasets=("eleven", "imagenet"),
    ),
    "cocoop": Setup(  # CoCoOp, Sec. 4
        model="ViT-B/16",
        protocol="base-to-new",
        method=["zero_shot", "coop", "cocoop"],
        shots=[16],
        seed=[1, 2, 3],
        datasets=("eleven", "imagenet"),
        options={"coop": {"ctx_init": WORDS}},
    ),
    "upt": Setup(  # UPT, Sec. 3 and Appendix B
        model="ViT-B/16",
        protocol="few-shot",
        method=["zero_shot", "coop", "vpt", "upt"],
        shots=[1, 2, 4, 8, 16],
        seed=[1, 2, 3],
        datasets=("eleven", "imagenet"),
        options={"coop": {"ctx_init": WORDS}},
        template=f"{WORDS} {{}}.",
    ),
}


def setup_of(paper):
    """A key of `SETUPS`, or None → its Setup, or train.py's own."""
    return SETUPS[paper] if paper else USUAL


def fill(flags):
    """Give the flags that were left out (None) the paper's values, or train.py's own → what was
    set, as a dict.
    """
    setup = setup_of(flags.paper)
    values = {"method": setup.method, "model": [setup.model], "protocol": setup.protocol}
    filled = fill_with(flags, values)
    datasets = TINY_DATASETS if flags.paper and flags.model == ["tiny"] else setup.datasets
    values = {
        "shots": setup.shots if flags.protocol == "few-shot" else [16],
        "seed": setup.seed,
        "dataset": [datasets[flags.protocol in TRANSFER]],
    }
    return filled | fill_with(flags, values)


def fill_with(flags, values):
    """Set each flag that is None to its value → those that were set."""
    filled = {name: value for name, value in values.items() if getattr(flags, name) is None}
    for name, value in filled.items():
        setattr(flags, name, value)
    return filled


def words_of(flags, filled):
    """The flags and what `fill` gave → one line for the screen that says what --paper has set.

    >>> from argparse import Namespace
    >>> given = dict(method=["vpt"], model=["tiny"], template=None, hp=[])
    >>> words_of(Namespace(paper="upt", **given), {"shots": [16]})
    '--paper upt: --shots 16; zero_shot and vpt with "a photo of a {}."; recipes: TINY in prompts/'
    """
    setup, parts = setup_of(flags.paper), []
    for name, value in filled.items():
        parts.append(" ".join([f"--{name}", *map(str, [value] if name == "protocol" else value)]))
    words = [" ".join(parts)] if parts else []
    names = ["zero_shot", *flags.method]  # it is always beside what is learned
    for name, options in setup.options.items():
        if name in names and not flags.hp:
            words.append(f'{name} from "{options["ctx_init"]}"')
    worded = [name for name in READ_TEMPLATE if name in names]
    if setup.template and worded and flags.template is None:
        words.append(f'{" and ".join(worded)} with "{setup.template}"')
    words.append(f"recipes: {'TINY' if flags.model == ['tiny'] else 'PAPER'} in prompts/")
    return f"--paper {flags.paper}: {'; '.join(words)}"
