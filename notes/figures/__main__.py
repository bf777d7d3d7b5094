"""Draws one figure of the papers, from the miniature world or from real benchmarks.

    python -m notes.figures NAME [INPUT ...]      writes to runs/figures; --out: another folder

    gain [METHOD ...]                 CoOp Fig. 4: what learning gains on each data set
    new-classes [METHOD METHOD]       CoCoOp Fig. 3: CoCoOp against CoOp, new and base classes
    initialisation                    CoOp Table 3, CoCoOp Fig. 4(a): words against random numbers
    context-length                    CoOp Fig. 5(a), CoCoOp Fig. 4(b): 1 to 8 context vectors
    bigger-coop                       CoCoOp Table 5: CoOp with as many parameters as CoCoOp
    nearest-words PROMPT ...          CoOp Table 4: the words nearest to each context vector
    prompts-compared [DATASET ...]    CoOp Fig. 1: one picture, several hand-written prompts
    variance                          UPT Fig. 1(d, e): variances against gains
    sphere PROMPT ...                 UPT Fig. 2: features and class weights on a sphere
    attention PROMPT ...              UPT Fig. 6: what visual prompts look at in the last block
    cls-attention [DATASET]           what [CLS] looks at, block by block
    similarities                      CLIP: cosines of a dozen pictures and a dozen captions
    confusion DATASET [PROMPT]        which class is taken for which
    tree                              CoOp: the prompts of all classes as a tree, and its mask

A PROMPT is a prompt.pt of train.py. notes/figures.md has all commands, and what each picture shows.
Figures of OpenAI's models and real benchmarks: --model, --dataset, --data-root, and --results for
the rows that train.py wrote; --paper, if it had that flag (notes/reproduce.md has the commands).
"""

import argparse
from pathlib import Path

from clip_min.files import read_json_lines, write_whole
from notes.figures import (
    ablations,
    attention,
    gain,
    matrices,
    sphere,
    tree,
    variance,
    wordings,
    words,
)
from prompts.runs.job import expand, nearest
from prompts.runs.script import run_script
from prompts.runs.protocols import SETUPS, setup_of

HERE = Path(__file__).parent
FIGURES = {
    "gain": gain.figure,
    "new-classes": gain.new_classes,
    "initialisation": ablations.initialisation,
    "context-length": ablations.context_length,
    "bigger-coop": ablations.bigger_coop,
    "nearest-words": words.figure,
    "prompts-compared": wordings.figure,
    "variance": variance.figure,
    "sphere": sphere.figure,
    "attention": attention.prompts_figure,
    "cls-attention": attention.cls_figure,
    "similarities": matrices.similarities_figure,
    "confusion": matrices.confusion_figure,
    "tree": tree.figure,
}
MOST_INPUTS = {
    "initialisation": 0,
    "context-length": 0,
    "bigger-coop": 0,
    "variance": 0,
    "similarities": 0,
    "cls-attention": 1,
    "tree": 0,
}
OF_PROMPTS = ("nearest-words", "sphere", "attention")  # a prompt file names its CLIP and data set
NOT_TAKEN = dict.fromkeys(OF_PROMPTS, ("model", "dataset", "paper")) | {
    "prompts-compared": ("dataset",),  # its INPUTs are data sets, as those of the next two
    "cls-attention": ("dataset",),
    "confusion": ("dataset",),
    "tree": ("model", "dataset", "data_root", "paper"),
}


def parse_flags():
    """The command line, checked. Raises ValueError for what the figure does not take."""
    parser = argparse.ArgumentParser(
        prog="python -m notes.figures",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", help="of the figure, see above")
    parser.add_argument(
        "inputs", nargs="*", metavar="INPUT", help="prompt files, data sets or methods, see above"
    )
    where = "folder of the pictures (default: runs/figures)"
    parser.add_argument("--out", type=Path, default=Path("runs/figures"), help=where)
    parser.add_argument(
        "--results",
        type=Path,
        nargs="+",
        help="files of rows that train.py wrote (default: those of "
        "this project, notes/results.jsonl or notes/figures/ablations.jsonl)",
    )
    parser.add_argument(
        "--classes", help="of sphere: three names with commas between (default: the first three)"
    )
    parser.add_argument("--model", help="a name or a path (default: the paper's, or tiny)")
    names = "toy, eleven, eurosat, ... (default: miniature sets)"
    parser.add_argument("--dataset", nargs="+", metavar="NAME", help=names)
    parser.add_argument("--data-root", metavar="DATA", help="folder of the real benchmarks")
    which = "whose rows to draw: as `train.py --paper` set them"
    parser.add_argument("--paper", choices=tuple(SETUPS), help=which)
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
    """Draw one figure, print what was measured and the files that were written."""
    flags = parse_flags()
    figure = FIGURES[flags.name]
    own = (
        HERE / "ablations.jsonl"
        if figure.__module__ == ablations.__name__
        else HERE.parent / "results.jsonl"
    )
    flags.rows = [row for path in flags.results or [own] for row in read_json_lines(path)]
    for file, content in figure(flags.inputs, flags).items():
        flags.out.mkdir(parents=True, exist_ok=True)
        write_whole(flags.out / file, content)
        print(flags.out / file)


if __name__ == "__main__":
    run_script(main)
