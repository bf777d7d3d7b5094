"""The command line of train.py, eval.py and the scripts in notes/: flags, what they mean, how
errors end."""

import argparse
import ast
import difflib
import math
import os
import signal
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import torch

from clip_min.allocator import keep_freed_memory
from clip_min.data import ELEVEN, benchmark_name
from clip_min.files import printable
from clip_min.world.benchmarks import EIGHT
from prompts import METHODS
from prompts.runs.parallel import PROCESSES, RANK, end_at_once, join
from prompts.runs.features import PRECISIONS, Compute
from prompts.runs.protocols import PROTOCOLS, SETUPS, fill, words_of

LEAST = dict(shots=1, epochs=1, batch_size=1, jobs=1, views=0, seed=0, workers=0)
GROUPS = {"toy": EIGHT, "eleven": ELEVEN}  # names that stand for several data sets
DEVICE_ADVICE = "this PyTorch cannot use it: give --device cpu."
TRAIN_DATASETS = "toy-satellite; toy-objects for cross-dataset and domain-generalization"


# The two command lines


def parse_train_flags(description):
    """The command line of train.py, checked.

    Raises ValueError for numbers out of range and for what contradicts itself.
    """
    parser = make_parser(description)
    what = parser.add_argument_group("what to run; several values to a flag run their product")
    what.add_argument(
        "--paper",
        choices=tuple(SETUPS),
        help="CLIP, methods, data sets, prompts, shots and seeds of its experiments, "
        "where no other flag says otherwise",
    )
    what.add_argument(
        "--method",
        nargs="+",
        metavar="NAME",
        help=f"{', '.join(METHODS)} (default: upt); with options of its own: "
        'coop:n_ctx=4 "coop:ctx_init=a photo of a,class_specific=True"',
    )
    what.add_argument(
        "--model",
        nargs="+",
        metavar="NAME",
        help="tiny, ViT-B/16, RN50, ... or a path to weights (default: tiny)",
    )
    what.add_argument(
        "--protocol", choices=PROTOCOLS, help="see above (default: few-shot)"
    )
    what.add_argument(
        "--shots",
        nargs="+",
        type=int,
        metavar="N",
        help="training pictures per class (default: 16, as the papers' main tables)",
    )
    what.add_argument(
        "--seed",
        nargs="+",
        type=int,
        metavar="N",
        help="of sampling, initialisation, crops and order (default: 1; papers: 1 2 3)",
    )
    what.add_argument(
        "--classes", choices=("all", "base", "new"), help="to train on (default: the protocol's)"
    )
    what.add_argument(
        "--hp",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="the method's own options, such as n_ctx=8 class_specific=True: "
        "see its file in prompts/",
    )
    what.add_argument(
        "--jobs",
        type=int,
        default=1,
        metavar="N",
        help="processes to share the runs out to (default: 1)",
    )
    recipe = parser.add_argument_group(
        "recipe (default: PAPER in the method's file, TINY for the tiny CLIP)"
    )
    recipe.add_argument("--lr", type=float, help="learning rate (the papers: 0.002, CoOp Sec. 3.1)")
    recipe.add_argument(
        "--epochs",
        type=int,
        metavar="N",
        help="(CoOp Sec. 3.1: 50 for 1 shot, 100 for 2 and 4, 200 for 8 and 16; CoCoOp Sec. 4: 10)",
    )
    recipe.add_argument(
        "--batch-size", type=int, metavar="N", help="(CoOp's code: 32; CoCoOp Sec. 4: 1)"
    )
    recipe.add_argument(
        "--views",
        type=int,
        metavar="N",
        help="where the image tower is not prompted: random crops of each picture to "
        "compute once and use in turn; 0: fresh ones in every epoch, as the papers "
        "(default: 16)",
    )
    add_common_flags(parser, TRAIN_DATASETS)
    flags = parser.parse_args()
    filled = fill(flags)
    check_numbers(flags)
    flags.variants = [variant(words) for words in flags.method]
    flags.method = [name for name, _ in flags.variants]
    flags.options = hyperparameters(flags.hp)
    if flags.paper and RANK == 0:
        print(words_of(flags, filled))
    if flags.jobs > 1 and PROCESSES > 1:
        raise ValueError(
            "--jobs shares runs out, torchrun the batches of one run: use one of them."
        )
    learned_on = "base" if flags.protocol in ("base-to-new", "class-incremental") else "all"
    if flags.protocol != "few-shot" and flags.classes not in (None, learned_on):
        raise ValueError(
            f"--protocol {flags.protocol} trains on {learned_on} classes: leave --classes out."
        )
    flags.classes = flags.classes or learned_on
    flags.dataset = expand(flags.dataset)
    return flags


def parse_eval_flags(description, tables):
    """The command line of eval.py, checked; `tables`: their names. Raises ValueError for
    contradictions."""
    parser = make_parser(description)
    parser.add_argument(
        "prompts",
        nargs="*",
        type=Path,
        help="prompt files of train.py, or their folders; none: zero-shot CLIP",
    )
    parser.add_argument(
        "--method", metavar="NAME", help="(default: the prompt file's, else zero_shot)"
    )
    parser.add_argument(
        "--hp",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="options, such as templates=ensemble",
    )
    parser.add_argument(
        "--model",
        metavar="NAME",
        help="tiny, ViT-B/16, ... or a path (default: the prompt's, or tiny)",
    )
    parser.add_argument(
        "--classes",
        default="all",
        choices=("all", "base", "new"),
        help="to tell apart: all, the first half or the second half "
        "(CoCoOp Sec. 4.1; default: all)",
    )
    parser.add_argument(
        "--variance", action="store_true", help="also print Var_v and Var_t (UPT Eqs. 6 to 8)"
    )
    tabled = parser.add_argument_group("tables and plots of results.jsonl")
    tabled.add_argument("--table", metavar="NAME", help=", ".join(tables))
    tabled.add_argument(
        "--format", default="text", choices=("text", "markdown", "csv"), help="(default: text)"
    )
    tabled.add_argument(
        "--plot", nargs=2, metavar=("NAME", "FILE.svg"), help="few-shot: curves, base-to-new: bars"
    )
    tabled.add_argument(
        "--shots", nargs="+", type=int, metavar="N", help="(default: all there are)"
    )
    own = parser.add_argument_group("your own pictures")
    own.add_argument(
        "--images", nargs="+", metavar="PATH", help="picture files, or folders of them, to classify"
    )
    own.add_argument(
        "--classnames", help='with commas between, as in "cat,dog" (default: the prompt\'s)'
    )
    own.add_argument("--json", action="store_true", help="print JSON lines")
    own.add_argument(
        "--picture", type=Path, metavar="OUT.png", help="draw the pictures with their probabilities"
    )
    add_common_flags(parser)
    flags = parser.parse_args()
    check_numbers(flags)
    if flags.method is not None:
        flags.method = nearest(flags.method, METHODS, "method")
    flags.options = hyperparameters(flags.hp)
    if flags.picture and flags.picture.suffix != ".png":
        png = flags.picture.with_suffix(".png")
        raise ValueError(f"--picture writes a PNG: name the file {png}.")
    if not flags.images and (flags.classnames or flags.json or flags.picture):
        raise ValueError(
            "--classnames, --json and --picture are for predictions: name the pictures "
            "with --images."
        )
    move_prompts(flags)
    if flags.images is not None:
        if not flags.images:
            raise ValueError("--images needs pictures: name files or folders behind it.")
        if flags.dataset or flags.variance or flags.classes != "all":
            raise ValueError(
                "--images takes --classnames or the prompt's own classes: leave "
                "--dataset, --classes and --variance out."
            )
        if flags.picture and len(flags.prompts) > 1:
            raise ValueError("--picture draws the predictions of one prompt: give one.")
    return flags


def move_prompts(flags):
    """`--dataset NAME PROMPT`: a prompt file that stands behind the data sets goes to the
    prompts."""
    if flags.dataset:
        found = [name for name in flags.dataset if is_prompt(name)]
        flags.prompts += [Path(name) for name in found]
        flags.dataset = [name for name in flags.dataset if name not in found]
    if flags.images:
        found = [name for name in flags.images if name.endswith(".pt") or ".pth.tar" in name]
        flags.prompts += [Path(name) for name in found]
        flags.images = [name for name in flags.images if name not in found]


def is_prompt(name):
    """Whether this is a file, or the folder of a run, or named like one, and not a data set."""
    is_named_so = name.endswith(".pt") or ".pth.tar" in name
    return is_named_so or os.path.isfile(name) or os.path.isfile(os.path.join(name, "prompt.pt"))


def make_parser(description):
    """A parser that shows the script's docstring as it is written."""
    how = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(description=description, formatter_class=how)


def add_common_flags(parser, default_dataset=None):
    """The flags that train.py and eval.py share, in three groups."""
    data = parser.add_argument_group("data")
    default = f" (default: {default_dataset})" if default_dataset else ""
    data.add_argument(
        "--dataset",
        nargs="+",
        metavar="NAME",
        help="toy-objects, eurosat, ... or a folder of pictures; toy = the eight "
        f"miniature sets, eleven = the papers' eleven{default}",
    )
    data.add_argument(
        "--data-root",
        metavar="DATA",
        help="folder of the real benchmarks, in the layout of CoOp's code",
    )
    data.add_argument(
        "--template",
        help='hand-written prompt, "{}" for the class name '
        "(default: the data set's, CoOp Table 5)",
    )
    data.add_argument(
        "--split",
        default="test",
        choices=("test", "val"),
        help="pictures to evaluate on; val: to choose a recipe by (default: test)",
    )
    files = parser.add_argument_group("files")
    files.add_argument(
        "--out",
        type=Path,
        default=Path("runs"),
        help="folder of results and prompts (default: runs)",
    )
    files.add_argument(
        "--features-dir",
        type=Path,
        metavar="FOLDER",
        help="of frozen image features (default: OUT/features)",
    )
    compute = parser.add_argument_group("computing")
    compute.add_argument(
        "--device",
        default="auto",
        choices=("auto", "cpu", "cuda", "mps"),
        help="(default: auto, a GPU if there is one)",
    )
    compute.add_argument(
        "--precision", default="fp32", choices=tuple(PRECISIONS), help="(default: fp32)"
    )
    compute.add_argument(
        "--gelu",
        default="auto",
        choices=("auto", "quick", "exact"),
        help="of a lone file of weights, which does not say (default: auto)",
    )
    compute.add_argument(
        "--workers",
        type=int,
        default=0,
        metavar="N",
        help="processes that read pictures (default: 0, none)",
    )


def check_numbers(flags):
    """Raises ValueError for a number that is too small or too large."""
    for name, least in LEAST.items():
        given = getattr(flags, name, None)
        for value in given if isinstance(given, list) else [given]:
            if value is not None and not least <= value < 2**63:
                flag = f"--{name.replace('_', '-')}"
                raise ValueError(
                    f"{flag} must be at least {least}, and less than 2**63, not {value}."
                )
    lr = getattr(flags, "lr", None)
    if lr is not None and not 0 < lr < math.inf:
        raise ValueError(f"--lr must be a positive number, not {lr}.")


# What the flags mean


def compute_of(flags):
    """The flags about computing → Compute."""
    folder = flags.features_dir or flags.out / "features"
    return Compute(join(choose_device(flags.device)), flags.precision, flags.workers, folder)


class Variant(NamedTuple):
    """A method to run, and its own options, which come before those of --hp."""

    name: str
    options: dict


def variant(words):
    """A word of --method → Variant. Raises ValueError for an unknown method or a missing "=".

    >>> variant("coop:n_ctx=4,class_specific=True")
    Variant(name='coop', options={'n_ctx': 4, 'class_specific': True})
    """
    name, colon, options = words.partition(":")
    name = nearest(name, METHODS, "method")
    return Variant(name, hyperparameters(options.split(",")) if colon else {})


def hyperparameters(pairs):
    """["n_ctx=8", "depth=deep"] → {"n_ctx": 8, "depth": "deep"}. Raises ValueError without a
    "="."""
    options = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"An option is written name=value, not {pair!r}.")
        options[name] = number_or_word(value)
    return options


def number_or_word(text):
    """ "8" → 8, "True" → True, "None" → None, and every other text as it is.

    >>> number_or_word("0.5"), number_or_word("a photo of a"), number_or_word("1,2")
    (0.5, 'a photo of a', '1,2')
    """
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return text
    return value if isinstance(value, str | int | float | None) else text


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
    ['dtd', 'imagenet', 'caltech101']
    """
    expanded = []
    for name in names:
        expanded += GROUPS.get(name, [benchmark_name(name)])
    return list(dict.fromkeys(expanded))


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


# How a script ends


def run_script(main):
    """Call a script's main, and end with the status that it returns (None: 0).

    Bad input ends in one sentence and status 2, Ctrl-C in one and status 130.
    """
    keep_freed_memory()
    warnings.formatwarning = as_note
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception: jobs are ended, too
    for stream in (sys.stdout, sys.stderr):  # a file's name need not be text
        stream.reconfigure(errors="backslashreplace", line_buffering=True)
    try:
        status = main()
        end_at_once(status)
        sys.exit(status)
    except (ValueError, OSError, FloatingPointError) as error:
        process = f" (process {RANK} of {PROCESSES})" if RANK else ""
        print(f"error{process}: {sentence_of(error)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        words = "Interrupted. What was finished is kept; the same command carries on."
        print(f"\n{words}", file=sys.stderr)
        sys.exit(130)


def as_note(message, *_):
    """A warning as one line on the screen."""
    return f"note: {printable(message)}\n"


def sentence_of(error):
    """An error → its message; of one that a worker process of a DataLoader raised, without the
    traceback."""
    message = str(error)
    if "Original Traceback" in message:
        message = message.strip().splitlines()[-1].partition("Error: ")[2]
    return printable(message)
