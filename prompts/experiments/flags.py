"""The command line of train.py, eval.py and the scripts in notes/: common flags, what they mean, how errors end."""

import ast
import difflib
import os
import sys
import warnings
from pathlib import Path

import torch

from clip_min.allocator import keep_freed_memory
from prompts.experiments.features import PRECISIONS
from clip_min.world.benchmarks import EIGHT


def add_common_flags(parser, default_dataset=None):
    """The flags that train.py and eval.py share, in three groups."""
    data = parser.add_argument_group("data")
    data.add_argument("--dataset", nargs="+", metavar="NAME", help=
                      "toy-objects, eurosat, ... or a folder of pictures; toy = the eight miniature sets"
                      + (f" (default: {default_dataset})" if default_dataset else ""))  # fmt: skip
    data.add_argument("--data-root", metavar="DATA", help="folder of the real benchmarks, in the layout of CoOp's code")
    data.add_argument("--template", help='hand-written prompt, "{}" for the class name (default: the data set\'s, CoOp '
                      "Table 5)")  # fmt: skip
    data.add_argument("--split", default="test", choices=("test", "val"),
                      help="pictures to evaluate on; val: to choose a recipe by (default: test)")  # fmt: skip
    files = parser.add_argument_group("files")
    files.add_argument("--out", type=Path, default=Path("runs"), help="folder of results and prompts (default: runs)")
    files.add_argument("--features-dir", type=Path, metavar="FOLDER",
                       help="of frozen image features (default: OUT/features)")  # fmt: skip
    compute = parser.add_argument_group("computing")
    compute.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"),
                         help="(default: auto, a GPU if there is one)")  # fmt: skip
    compute.add_argument("--precision", default="fp32", choices=tuple(PRECISIONS), help="(default: fp32)")
    compute.add_argument("--workers", type=int, default=0, metavar="N",
                         help="processes that read pictures (default: 0, none)")  # fmt: skip


def hyperparameters(pairs):
    """["n_ctx=8", "depth=deep"] → {"n_ctx": 8, "depth": "deep"}."""
    options = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"--hp takes name=value, not {pair!r}.")
        try:
            options[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            options[name] = value
    return options


def nearest(word, known, what):
    """The word itself if it is known. Raises ValueError naming the nearest known ones otherwise."""
    if word in known:
        return word
    near = difflib.get_close_matches(word.lower(), known)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise ValueError(f"There is no {what} {word!r}.{hint} Known: {', '.join(known)}.")


def expand(names):
    """"toy" stands for the eight miniature data sets; each name once."""
    return list(dict.fromkeys(n for name in names for n in (EIGHT if name == "toy" else [name])))


def choose_device(name):
    """"auto" → the GPU if there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("There is no CUDA device, or this PyTorch cannot use it: give --device cpu.")
    if name == "mps" and not torch.backends.mps.is_available():
        raise ValueError("There is no Apple GPU, or this PyTorch cannot use it: give --device cpu.")
    return torch.device(name)


def run_script(main):
    """Call a script's main: bad input ends in one sentence and status 2, Ctrl-C in one and status 130."""
    keep_freed_memory()
    warnings.formatwarning = lambda message, *_: f"note: {message}\n"
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # a file's name need not be text
    try:
        main()
    except (ValueError, OSError) as error:
        if os.environ.get("RANK", "0") == "0":
            print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("\nInterrupted. What was finished is kept; the same command carries on.", file=sys.stderr)
        sys.exit(130)
