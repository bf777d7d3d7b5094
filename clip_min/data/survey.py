"""What lies on a disk: `python -m clip_min.data DATA` looks over the benchmarks' folders and writes nothing there.

    data set          classes         train             val            test
    eurosat             10/10   13500/13500       5400/5400       8100/8100   as in the paper
    oxford_pets     not there; from https://www.robots.ox.ac.uk/~vgg/data/pets

Each pair is what was found / what CoOp's Table 5 has. Every picture is opened and decoded, unless `--quick`,
which only finds missing and empty files. Exit status: 0 if all that is there is whole, 1 if something is missing,
unreadable or other than in the paper, 2 if there is nothing to look at.
"""

import argparse
import os
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from PIL import Image, ImageOps

from clip_min.data import datasets as data
from clip_min.data import layouts
from clip_min.preprocess import read_picture, to_rgb

SHOWN = 20  # names of bad pictures printed for each data set


def main(arguments=None):
    """Look over the benchmarks and print a row for each; → the exit status."""
    parser = argparse.ArgumentParser(prog="python -m clip_min.data", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", metavar="DATA", help="the folder that holds the benchmarks' folders")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"look at these only: {', '.join(data.BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true", help="do not open the pictures")
    parser.add_argument("--all", action="store_true", help=f"name all bad pictures, not the first {SHOWN}")
    flags = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # a file's name need not be UTF-8
    if not os.path.isdir(flags.root):
        parser.error(f"the folder {flags.root} is not there.")
    for name in flags.names:
        if name not in data.BENCHMARKS:
            parser.error(f"there is no benchmark {name!r}, only {', '.join(data.BENCHMARKS)}.")
    print(f"{'data set':15} {'classes':>9} {'train':>15} {'val':>15} {'test':>15}   (found / in CoOp's Table 5)")
    statuses = []
    for name in flags.names or data.BENCHMARKS:
        if os.path.isdir(os.path.join(flags.root, data.BENCHMARKS[name].folder)):
            statuses.append(look_at(name, flags))
        else:
            print(f"{name:15} not there; from {data.BENCHMARKS[name].home}", flush=True)
    if not statuses:
        print(f"{flags.root} holds none of them: give the folder in which {data.BENCHMARKS['eurosat'].folder}/ and the "
              f"others lie, as {data.COOP} says.")
    return max(statuses, default=2)


def look_at(name, flags):
    """A benchmark's name → 0 if it is whole, else 1; prints its row, and what is wrong with it."""
    benchmark = data.BENCHMARKS[name]
    try:
        classnames, parts, source = data.read_benchmark(name, flags.root, keep=False)
        paths = list(dict.fromkeys(path for part in parts.values() for path, _ in part))
        missing = dict.fromkeys(layouts.missing_pictures(paths))
        problems = [f"Cannot read the picture {path}: there is no such file." for path in missing]
        problems += unreadable([path for path in paths if path not in missing], flags.quick, name)
    except (ValueError, OSError, BrokenProcessPool) as error:
        print(f"{name:15} {error}\n{'':15} from {benchmark.home}; split files: {data.COOP}", flush=True)
        return 1
    found = [len(classnames), *(len(parts[part]) for part in layouts.PARTS)]
    paper = [benchmark.classes, *(count or 0 for count in benchmark.pictures)]
    own_split = os.path.basename(source).startswith(layouts.OWN_SPLIT)
    counts = [f"{count}/{expected}" if expected or count else "-" for count, expected in zip(found, paper)]
    print(f"{name:15} {counts[0]:>9} {counts[1]:>15} {counts[2]:>15} {counts[3]:>15}   "
          f"{'as in the paper' if found == paper else 'differs from the paper'}", flush=True)
    if own_split:
        made = "is used" if os.path.isfile(source) else "would be made"
        print(f"{'':15} no split file {benchmark.split}: an own split {made}, and figures are not comparable with the "
              f"papers'; from {data.COOP}")
    shown = problems if flags.all else problems[:SHOWN]
    for problem in shown:
        print(f"{'':15} {problem}")
    if problems[len(shown):]:
        print(f"{'':15} ... and {len(problems) - len(shown)} more (--all names them)")
    print(f"{'':15} {len(paths)} pictures {'looked for' if flags.quick else 'opened'}, {len(problems)} of them bad",
          flush=True)
    whole = found[0] == paper[0] if own_split else found == paper  # another split has other counts
    return int(bool(problems) or not whole)


def unreadable(paths, quick, name):
    """Paths of pictures → a sentence for each bad one; as many processes as there are cores, progress on stderr."""
    problems = []
    look = problem_of_size if quick else problem_of
    with ProcessPoolExecutor() as pool:
        for index, problem in enumerate(pool.map(look, paths, chunksize=64), start=1):
            if problem:
                problems.append(problem)
            if index % 1000 == 0 or index == len(paths):
                print(f"\r{name}: {index} of {len(paths)} pictures", end="", file=sys.stderr, flush=True)
    print("\r" + " " * 60 + "\r", end="", file=sys.stderr, flush=True)
    return problems


def problem_of_size(path):
    """A path → a sentence if the file is empty, else ""."""
    return f"Cannot read the picture {path}: the file is empty." if os.path.getsize(path) == 0 else ""


def problem_of(path):
    """A path → the sentence with which `read_picture` refuses it, or ""; a JPEG is decoded at an eighth of its size."""
    warnings.simplefilter("ignore")  # Pillow's hints at oddities that do no harm
    try:
        with Image.open(path) as image:
            image.draft(None, (1, 1))  # all of the file is still read
            to_rgb(ImageOps.exif_transpose(image))
            return ""
    except Exception:  # a damaged file makes Pillow raise any of a dozen types
        try:
            read_picture(path)
        except ValueError as error:
            return str(error)
        return ""
