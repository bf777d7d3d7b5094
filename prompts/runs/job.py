"""The command lines of train.py and eval.py, parsed once → a frozen `Job` or `EvalJob`."""

import argparse
import ast
import difflib
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch

from clip_min.data import ELEVEN, benchmark_name
from clip_min.world.benchmarks import EIGHT
from prompts import METHODS
from prompts.runs.features import PRECISIONS, Compute
from prompts.runs.parallel import PROCESSES, RANK, join
from prompts.runs.protocols import PROTOCOLS, READ_TEMPLATE, SETUPS, TRANSFER, setup_of

GROUPS = {"toy": EIGHT, "eleven": ELEVEN}  # names that stand for several data sets
TINY_DATASETS = ("toy", "toy-objects")  # of --paper with the tiny CLIP: usual, and to transfer from
DEVICE_ADVICE = "this PyTorch cannot use it: give --device cpu."


class Variant(NamedTuple):
    """A method to run, and its own options, which come before those of --hp."""

    name: str
    options: dict


@dataclass(frozen=True)
class Job:
    """What train.py is asked for. Fields have the names of its flags where there is one.

    variants: of --method. options: of --hp. changes: what the flags set in place of the recipe's
    lr, epochs, batch_size and views.
    """

    paper: str | None
    variants: tuple
    model: tuple
    protocol: str
    dataset: tuple
    shots: tuple
    seed: tuple
    classes: str  # to learn on
    options: dict
    changes: dict
    data_root: str | None
    template: str | None
    split: str
    out: Path
    jobs: int
    gelu: str
    device: str
    precision: str
    workers: int
    features_dir: Path | None


@dataclass(frozen=True)
class EvalJob:
    """What eval.py is asked for. Fields have the names of its flags; options: of --hp."""

    prompts: tuple
    method: str | None
    options: dict
    model: str | None
    dataset: tuple | None
    shots: tuple | None
    classes: str
    variance: bool
    table: str | None
    format: str
    plot: list | None
    images: tuple | None
    classnames: str | None
    json: bool
    picture: Path | None
    data_root: str | None
    template: str | None
    split: str
    out: Path
    gelu: str
    device: str
    precision: str
    workers: int
    features_dir: Path | None


class Parser(argparse.ArgumentParser):
    """A parser that shows the script's docstring as it is written, and says in one sentence what
    is wrong with a command line."""

    def __init__(self, description):
        how = argparse.RawDescriptionHelpFormatter
        super().__init__(description=description, formatter_class=how)

    def error(self, message):
        """Raises ValueError."""
        raise ValueError(f"{message.rstrip('.')} (--help lists all flags).")


def parse_train(description, words=None):
    """The words of train.py's command line (None: this command's) → Job.

    Raises ValueError for numbers out of range and for what contradicts itself.
    """
    parser = Parser(description)
    add = parser.add_argument_group("what to run; several values run in turn").add_argument
    add("--paper", choices=tuple(SETUPS), help="CLIP, methods, data sets, prompts, shots and seeds "
        "of its experiments, where no other flag says otherwise")
    add("--method", nargs="+", type=variant, metavar="NAME",
        help=f"{', '.join(METHODS)} (default: upt); with options of its own: "
        'coop:n_ctx=4 "coop:ctx_init=a photo of a,class_specific=True"')
    add("--model", nargs="+", metavar="NAME",
        help="tiny, ViT-B/16, RN50, ... or a path to weights (default: tiny)")
    add("--protocol", choices=tuple(PROTOCOLS), help="see above (default: few-shot)")
    add("--shots", nargs="+", type=whole(1), metavar="N",
        help="training pictures per class (default: 16, as the papers' main tables)")
    add("--seed", nargs="+", type=whole(0), metavar="N",
        help="of sampling, initialisation, crops and order (default: 1; papers: 1 2 3)")
    add("--classes", choices=("all", "base", "new"),
        help="to learn on (default: the protocol's)")
    add("--hp", nargs="+", type=option, default=[], metavar="NAME=VALUE",
        help="the method's own options, such as n_ctx=8 class_specific=True: see its file")
    add("--jobs", type=whole(1), default=1, metavar="N",
        help="processes to share the runs out to (default: 1)")
    add = parser.add_argument_group("recipe (default: the one in the method's file)").add_argument
    add("--lr", type=positive, help="learning rate (the papers: 0.002, CoOp Sec. 3.1)")
    add("--epochs", type=whole(1), metavar="N",
        help="(CoOp Sec. 3.1: 50 for 1 shot, 100 for 2 and 4, 200 for 8 and 16; CoCoOp Sec. 4: 10)")
    add("--batch-size", type=whole(1), metavar="N", help="(CoOp's code: 32; CoCoOp Sec. 4: 1)")
    add("--views", type=whole(0), metavar="N",
        help="where the image tower is not prompted: random crops of each picture to compute once "
        "and use in turn; 0: fresh ones in every epoch, as the papers (default: 16)")
    add_common_flags(parser, "toy-satellite; toy-objects for cross-dataset and the like")
    given = vars(parser.parse_args(words))
    changes = {}
    for name in ("lr", "epochs", "batch_size", "views"):
        value = given.pop(name)
        if value is not None:
            changes[name] = value
    given.update(fill(given))
    variants = tuple(each if isinstance(each, Variant) else Variant(each, {})
                     for each in given.pop("method"))
    learned_on = PROTOCOLS[given["protocol"]].learned_on
    if given["protocol"] != "few-shot" and given["classes"] not in (None, learned_on):
        raise ValueError(f"--protocol {given['protocol']} learns on {learned_on} classes: "
                         "leave --classes out.")
    if given["jobs"] > 1 and PROCESSES > 1:
        raise ValueError("--jobs shares runs out, torchrun a run's batches: use one of them.")
    given.update(classes=given["classes"] or learned_on, dataset=expand(given["dataset"]))
    for name in ("model", "shots", "seed"):
        given[name] = tuple(dict.fromkeys(given[name]))
    return Job(variants=variants, options=dict(given.pop("hp")), changes=changes, **given)


def fill(given):
    """The flags as a dict → values for those that were left out (None): the paper's, or train.py's
    own. With --paper, one line on the screen says which they are."""
    setup = setup_of(given["paper"])
    protocol = given["protocol"] or setup.protocol
    models = given["model"] or [setup.model]
    usual, source = setup.dataset, setup.source
    if given["paper"] and models == ["tiny"]:
        usual, source = TINY_DATASETS
    values = {
        "method": setup.method,
        "model": models,
        "protocol": protocol,
        "shots": setup.shots if protocol == "few-shot" else (16,),
        "seed": setup.seed,
        "dataset": (source if protocol in TRANSFER else usual,),
    }
    filled = {name: value for name, value in values.items() if given[name] is None}
    if given["paper"] and RANK == 0:
        print(words_of_paper({**given, **filled}, filled))
    return filled


def words_of_paper(given, filled):
    """All flags, and those that --paper has set → one line for the screen.

    >>> given = dict(paper="upt", method=["vpt"], model=["tiny"], template=None, hp=[])
    >>> words_of_paper(given, {"shots": (16,)})
    '--paper upt: --shots 16; zero_shot and vpt with "a photo of a {}."; recipes: TINY in prompts/'
    """
    setup, parts = setup_of(given["paper"]), []
    for name, value in filled.items():
        parts.append(" ".join([f"--{name}", *map(str, [value] if name == "protocol" else value)]))
    words = [" ".join(parts)] if parts else []
    names = ["zero_shot", *(getattr(each, "name", each) for each in given["method"])]
    for name, options in setup.options.items():
        if name in names and not given["hp"]:
            words.append(f'{name} from "{options["ctx_init"]}"')
    worded = [name for name in READ_TEMPLATE if name in names]
    if setup.template and worded and given["template"] is None:
        words.append(f'{" and ".join(worded)} with "{setup.template}"')
    words.append(f"recipes: {'TINY' if given['model'] == ['tiny'] else 'PAPER'} in prompts/")
    return f"--paper {given['paper']}: {'; '.join(words)}"


def parse_eval(description, words=None):
    """The words of eval.py's command line (None: this command's) → EvalJob.

    Raises ValueError for what contradicts itself.
    """
    parser = Parser(description)
    add = parser.add_argument
    add("prompts", nargs="*",
        help="prompt files of train.py, or their folders; none: zero-shot CLIP")
    add("--method", type=method_name, metavar="NAME",
        help="(default: the prompt file's, else zero_shot)")
    add("--hp", nargs="+", type=option, default=[], metavar="NAME=VALUE",
        help="options, such as templates=ensemble")
    add("--model", metavar="NAME", help="tiny, ViT-B/16, ... or a path (default: the prompt's)")
    add("--classes", default="all", choices=("all", "base", "new"),
        help="to tell apart: all, the first half or the second half (CoCoOp Sec. 4.1)")
    add("--variance", action="store_true", help="also print Var_v and Var_t (UPT Eqs. 6 to 8)")
    add = parser.add_argument_group("tables and plots of results.jsonl").add_argument
    add("--table", metavar="NAME", help=", ".join(PROTOCOLS))
    add("--format", default="text", choices=("text", "markdown", "csv"), help="(default: text)")
    add("--plot", nargs=2, metavar=("NAME", "FILE.svg"), help="few-shot: curves, base-to-new: bars")
    add("--shots", nargs="+", type=whole(1), metavar="N", help="(default: all there are)")
    add = parser.add_argument_group("your own pictures").add_argument
    add("--images", nargs="*", metavar="PATH", help="picture files, or folders of them")
    add("--classnames", help='with commas between, as in "cat,dog" (default: the prompt\'s)')
    add("--json", action="store_true", help="print JSON lines")
    add("--picture", type=Path, metavar="OUT.png", help="draw them with their probabilities")
    add_common_flags(parser)
    given = vars(parser.parse_args(words))
    # `--dataset NAME PROMPT`: a prompt that stands behind another flag's values is a prompt
    prompts = given["prompts"]
    for flag, is_prompt in (("dataset", is_prompt_of_run), ("images", is_prompt_file)):
        if given[flag] is not None:
            prompts = prompts + [name for name in given[flag] if is_prompt(name)]
            given[flag] = tuple(name for name in given[flag] if not is_prompt(name))
    given["prompts"] = tuple(map(Path, prompts))
    given["dataset"] = expand(given["dataset"]) if given["dataset"] else None
    job = EvalJob(options=dict(given.pop("hp")), **given)
    if job.images is None and (job.classnames or job.json or job.picture):
        raise ValueError("--classnames, --json and --picture are for predictions: name the "
                         "pictures with --images.")
    if job.images == ():
        raise ValueError("--images needs pictures: name files or folders behind it.")
    if job.images and (job.dataset or job.variance or job.classes != "all"):
        raise ValueError("--images takes --classnames or the prompt's own classes: leave "
                         "--dataset, --classes and --variance out.")
    if job.picture and len(job.prompts) > 1:
        raise ValueError("--picture draws the predictions of one prompt: give one.")
    return job


def add_common_flags(parser, default_dataset=None):
    """The flags that train.py and eval.py share, in three groups."""
    add = parser.add_argument_group("data").add_argument
    default = f" (default: {default_dataset})" if default_dataset else ""
    add("--dataset", nargs="+", metavar="NAME", help="toy-objects, eurosat, ... or a folder of "
        f"pictures; toy = the eight miniature sets, eleven = the papers' eleven{default}")
    add("--data-root", metavar="DATA",
        help="folder of the real benchmarks, in the layout of CoOp's code")
    add("--template", help='hand-written prompt, "{}" for the class name (default: the data '
        "set's, CoOp Table 5)")
    add("--split", default="test", choices=("test", "val"),
        help="pictures to evaluate on; val: to choose a recipe by (default: test)")
    add = parser.add_argument_group("files").add_argument
    add("--out", type=Path, default=Path("runs"),
        help="folder of results and prompts (default: runs)")
    add("--features-dir", type=Path, metavar="FOLDER",
        help="of frozen image features (default: OUT/features)")
    add = parser.add_argument_group("computing").add_argument
    add("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"),
        help="(default: auto, a GPU if there is one)")
    add("--precision", default="fp32", choices=tuple(PRECISIONS), help="(default: fp32)")
    add("--gelu", default="auto", choices=("auto", "quick", "exact"),
        help="of a lone file of weights, which does not say (default: auto)")
    add("--workers", type=whole(0), default=0, metavar="N",
        help="processes that read pictures (default: 0, none)")


# What a flag's word stands for


def whole(least):
    """→ a function: a word → a whole number from `least` to 2**63 - 1."""

    def number(word):
        if not word.removeprefix("-").isdecimal() or not least <= int(word) < 2**63:
            raise argparse.ArgumentTypeError(
                f"must be a whole number of at least {least}, and less than 2**63, not {word}")
        return int(word)

    return number


def positive(word):
    """A word → a positive, finite number."""
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a positive number, not {word}")
    return number


def method_name(word):
    """A word → the name of a method."""
    try:
        return nearest(word, METHODS, "method")
    except ValueError as error:
        raise argparse.ArgumentTypeError(error) from error


def variant(word):
    """A word of --method → Variant.

    >>> variant("coop:n_ctx=4,class_specific=True")
    Variant(name='coop', options={'n_ctx': 4, 'class_specific': True})
    """
    name, colon, options = word.partition(":")
    return Variant(method_name(name), dict(map(option, options.split(","))) if colon else {})


def option(word):
    """A word of --hp → name and value: a number, True, False, None, or any other text as it is.

    >>> option("n_ctx=8"), option("ctx_init=a photo of a")
    (('n_ctx', 8), ('ctx_init', 'a photo of a'))
    """
    name, equals, text = word.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"an option is written name=value, not {word!r}")
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return name, text
    return name, value if isinstance(value, str | int | float | None) else text


def nearest(word, known, what):
    """The word itself if it is known. Raises ValueError naming the nearest known ones otherwise."""
    if word in known:
        return word
    near = difflib.get_close_matches(word.lower(), known)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise ValueError(f"There is no {what} {word!r}.{hint} Known: {', '.join(known)}.")


def expand(names):
    """Names of data sets, in which "toy" and "eleven" stand for several → each name once.

    >>> expand(["dtd", "eleven"])[:3]
    ('dtd', 'imagenet', 'caltech101')
    """
    expanded = []
    for name in names:
        expanded += GROUPS.get(name, [benchmark_name(name)])
    return tuple(dict.fromkeys(expanded))


def is_prompt_file(name):
    """Whether this is named like a prompt file of train.py or of the published code."""
    return name.endswith(".pt") or ".pth.tar" in name


def is_prompt_of_run(name):
    """Whether this is a file, or the folder of a run, and so not the name of a data set."""
    is_there = os.path.isfile(name) or os.path.isfile(os.path.join(name, "prompt.pt"))
    return is_there or is_prompt_file(name)


def compute_of(job):
    """A Job or EvalJob → Compute, on a device that is there; joins the processes of torchrun."""
    folder = job.features_dir or job.out / "features"
    return Compute(join(choose_device(job.device)), job.precision, job.workers, folder)


def choose_device(name):
    """ "auto" → the GPU if there is one. Raises ValueError for a device that is not there."""
    if name == "auto":
        apple = torch.backends.mps.is_available()
        name = "cuda" if torch.cuda.is_available() else "mps" if apple else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"There is no CUDA device, or {DEVICE_ADVICE}")
    if name == "mps" and not torch.backends.mps.is_available():
        raise ValueError(f"There is no Apple GPU, or {DEVICE_ADVICE}")
    return torch.device(name)
