"""Draws one picture: of the papers' figures in miniature, of the methods, of learning.

    python -m notes.figures NAME [INPUT ...]      writes to runs/figures; --out: another folder

    methods                           how CLIP, CoOp, CoCoOp, VPT and UPT work, in one style
    film [DATASET]                    epoch by epoch: what CoOp and UPT learn
    gain [METHOD ...]                 CoOp Fig. 4: what learning gains on each data set
    new-classes [METHOD METHOD]       CoCoOp Fig. 3: CoCoOp against CoOp, new and base classes
    initialisation                    CoOp Table 3, CoCoOp Fig. 4(a): words against random numbers
    context-length                    CoOp Fig. 5(a), CoCoOp Fig. 4(b): 1 to 8 context vectors
    bigger-coop                       CoCoOp Table 5: CoOp with as many parameters, in Markdown
    nearest-words PROMPT ...          CoOp Table 4: the words nearest to each context vector
    prompts-compared [DATASET ...]    CoOp Fig. 1: one picture, several hand-written prompts
    variance                          UPT Fig. 1(d, e): variances against gains
    sphere PROMPT ...                 UPT Fig. 2: features and class weights on a sphere
    attention PROMPT ...              UPT Fig. 6: what looks at visual prompts, and where they look
    similarities                      CLIP: cosines of a dozen pictures and a dozen captions
    confusion DATASET [PROMPT]        which class is taken for which
    tree                              CoOp: the prompts of all classes as a tree, and its mask

A PROMPT is a prompt.pt of train.py. notes/figures.md has all commands, and what each picture shows.
Pictures of OpenAI's models and real benchmarks: --model, --dataset, --data-root, and --results for
the rows that train.py wrote; --paper, if it had that flag (notes/reproduce.md has the commands).
"""

import argparse
from pathlib import Path

from clip_min.files import read_json_lines, write_whole
from notes.figures import (ablations, attention, film, gain, matrices, methods, sphere, tree,
                           variance, wordings, words)
from prompts.runs.job import expand, nearest
from prompts.runs.protocols import SETUPS, setup_of
from prompts.runs.script import run_script

HERE = Path(__file__).parent
FIGURES = {
    "methods": methods.figure,
    "film": film.figure,
    "gain": gain.figure,
    "new-classes": gain.new_classes,
    "initialisation": ablations.initialisation,
    "context-length": ablations.context_length,
    "bigger-coop": ablations.bigger_coop,
    "nearest-words": words.figure,
    "prompts-compared": wordings.figure,
    "variance": variance.figure,
    "sphere": sphere.figure,
    "attention": attention.figure,
    "similarities": matrices.similarities_figure,
    "confusion": matrices.confusion_figure,
    "tree": tree.figure,
}
MOST_INPUTS = {"film": 1} | dict.fromkeys(
    ("methods", "initialisation", "context-length", "bigger-coop", "variance", "similarities",
     "tree"), 0)
OF_THE_TINY_CLIP = ("model", "dataset", "data_root", "paper")
NOT_TAKEN = {
    "methods": OF_THE_TINY_CLIP,
    "film": OF_THE_TINY_CLIP,
    "tree": OF_THE_TINY_CLIP,
    "nearest-words": ("model", "dataset", "paper"),  # a prompt file names its CLIP and data set,
    "sphere": ("model", "dataset", "paper"),
    "attention": ("model", "dataset", "paper"),
    "prompts-compared": ("dataset",),  # and here the INPUTs are data sets
    "confusion": ("dataset",),
}


def parse_flags():
    """The command line, checked. Raises ValueError for what the picture does not take."""
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m notes.figures", description=__doc__,
                                     formatter_class=as_written)
    add = parser.add_argument
    add("name", help="of the picture, see above")
    add("inputs", nargs="*", metavar="INPUT", help="prompt files, data sets or methods, see above")
    add("--out", type=Path, default=Path("runs/figures"),
        help="folder of the pictures (default: runs/figures)")
    add("--results", type=Path, nargs="+", metavar="ROWS",
        help="files of rows that train.py wrote (default: those of this project, "
             "notes/results.jsonl or notes/figures/ablations.jsonl)")
    add("--classes", help="of sphere and film: three names with commas (default: the first)")
    add("--model", help="a name or a path (default: the paper's, or tiny)")
    add("--dataset", nargs="+", metavar="NAME",
        help="toy, eleven, eurosat, ... (default: miniature sets)")
    add("--data-root", metavar="DATA", help="folder of the real benchmarks")
    add("--paper", choices=tuple(SETUPS), help="whose rows to draw: as `train.py --paper` set them")
    flags = parser.parse_args()
    nearest(flags.name, FIGURES, "figure")
    if len(flags.inputs) > MOST_INPUTS.get(flags.name, len(flags.inputs)):
        raise ValueError(f"{flags.name} takes no {flags.inputs[-1]!r}: leave it out.")
    for name in NOT_TAKEN.get(flags.name, ()):
        if getattr(flags, name) is not None:
            raise ValueError(f"{flags.name} takes no --{name.replace('_', '-')}: leave it out.")
    flags.model = flags.model or setup_of(flags.paper).model
    flags.dataset = flags.dataset and expand(flags.dataset)
    return flags


def main():
    """Draw one picture, print what was measured and the files that were written."""
    flags = parse_flags()
    draw = FIGURES[flags.name]
    of_ablations = HERE / "ablations.jsonl"
    own = of_ablations if draw.__module__ == ablations.__name__ else HERE.parent / "results.jsonl"
    flags.rows = [row for path in flags.results or [own] for row in read_json_lines(path)]
    for file, content in draw(flags.inputs, flags).items():
        flags.out.mkdir(parents=True, exist_ok=True)
        write_whole(flags.out / file, content)
        print(flags.out / file)


if __name__ == "__main__":
    run_script(main)
