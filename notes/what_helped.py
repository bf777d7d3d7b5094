"""What each trick of the tiny CLIP's pre-training is worth: short runs that leave one of them out.

    python -m notes.what_helped --out OUT                       all of them, about 40 minutes
    python -m notes.what_helped "mixed batches" --out OUT       one of them

Each run is the first two stages of clip_min/world/pretrain.py with fewer pairs, from the same seed
and the same pictures, with one thing changed. OUT/<run>/close-ups.pt are the weights to measure;
notes/world.md has the command and the table.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from clip_min import load_clip
from clip_min.allocator import keep_freed_memory
from clip_min.world import pretrain
from clip_min.world.recipe import STAGES, draw_pictures

WEB, CLOSE_UPS = STAGES[0], STAGES[1]
PAIRS = dict(web=60_000, close_ups=100_000)
RUNS = {  # a change of the first stage, of the second, and the side of a patch in pixels
    "as it is": ({}, {}, pretrain.PATCH),
    "no masking": (dict(masked=0.0), {}, pretrain.PATCH),
    "mixed batches": ({}, dict(one_kind=0.0), pretrain.PATCH),
    "patches of 8": ({}, {}, 8),
}


def run(name, out, drawn, pairs):
    """Pre-train one CLIP; drawn: the folder of the pictures; pairs: of each of the two stages."""
    web_change, close_ups_change, side = RUNS[name]
    web = replace(WEB, pairs=pairs["web"], **web_change)
    close_ups = replace(CLOSE_UPS, pairs=pairs["close_ups"], **close_ups_change)
    folder = out / name.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    pictures = draw_pictures("web-0", web.pictures, web.style, drawn)
    with patch.object(pretrain, "PATCH", side):
        clip = pretrain.new_clip(pictures.facts, folder, seed=0)
    pretrain.train(web, clip, pictures, folder, seed=0)
    pictures = draw_pictures("close-ups-0", close_ups.pictures, close_ups.style, drawn)
    pretrain.train(close_ups, load_clip(folder / "web.pt"), pictures, folder, seed=0)


def main():
    """The runs that were asked for, in turn."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("runs", nargs="*", metavar="RUN", help=f"of: {', '.join(RUNS)} (default: all)")
    add("--out", type=Path, required=True, help="folder for everything that comes out")
    add("--pictures", type=Path, help="folder to keep drawn pictures in (default: --out)")
    add("--pairs", type=int, nargs=2, metavar="N", help="pairs of the two stages")
    flags = parser.parse_args()
    unknown = [name for name in flags.runs if name not in RUNS]
    if unknown:
        parser.error(f"There is no run {unknown[0]!r}; there are: {', '.join(RUNS)}.")
    keep_freed_memory()
    pairs = dict(zip(PAIRS, flags.pairs)) if flags.pairs else PAIRS
    drawn = flags.pictures or flags.out
    drawn.mkdir(parents=True, exist_ok=True)
    for name in flags.runs or RUNS:
        run(name, flags.out, drawn, pairs)


if __name__ == "__main__":
    main()
