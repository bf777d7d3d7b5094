"""What lies on a disk: `look_over` reads the benchmarks' folders and writes nothing there.

    data set          classes         train             val            test
    eurosat             10/10   13500/13500       5400/5400       8100/8100   as in the paper
    oxford_pets     not there; from https://www.robots.ox.ac.uk/~vgg/data/pets

Each pair is what was found / what CoOp's Table 5 has.
"""

import os
import signal
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from PIL import Image

from clip_min.data.benchmarks import BENCHMARKS, COOP
from clip_min.data.folders import PARTS, missing_pictures
from clip_min.data.layouts import benchmark_folder, read_benchmark
from clip_min.data.splits import OWN_SPLIT
from clip_min.files import printable
from clip_min.preprocess import MAX_PIXELS, known_formats, read_picture

SHOWN = 20  # names of bad pictures printed for each data set
INDENT = " " * 16


def look_over(root, names, quick=False, show_all=False):
    """The root folder and keys of BENCHMARKS → the exit status; prints a row for each.

    Every picture is opened and decoded, unless `quick`, which only finds missing and empty files.
    `show_all`: name all bad pictures. Status 0: all that is there is whole. 1: something is
    missing, unreadable or other than in the paper. 2: there is nothing to look at.
    """
    columns = f"{'data set':15} {'classes':>9} {'train':>15} {'val':>15} {'test':>15}"
    print(f"{columns}   (found / in CoOp's Table 5)")
    statuses = []
    for name in names:
        if os.path.isdir(benchmark_folder(name, root)):
            statuses.append(look_at(name, root, quick, show_all))
        else:
            print(f"{name:15} not there; from {BENCHMARKS[name].home}", flush=True)
    if not statuses:
        lie = f"give the folder in which {BENCHMARKS['eurosat'].folder}/ and the others lie"
        print(printable(f"{root} holds none of them: {lie}, as {COOP} says."))
    return max(statuses, default=2)


def look_at(name, root, quick, show_all):
    """A key of BENCHMARKS → 0 if it is whole, else 1; prints its row, and what is wrong with it."""
    benchmark = BENCHMARKS[name]
    try:
        classnames, parts, source, _ = read_benchmark(name, root, keep=False)
        paths = list(dict.fromkeys(path for part in parts.values() for path, _ in part))
        problems = problems_of(paths, quick, name)
    except (ValueError, OSError, BrokenProcessPool) as error:
        print(f"{name:15} {printable(error, 10_000)}", flush=True)
        print(f"{INDENT}from {benchmark.home}; split files: {COOP}", flush=True)
        return 1
    found = [len(classnames), *(len(parts[part]) for part in PARTS)]
    paper = [benchmark.classes, *(count or 0 for count in benchmark.pictures)]
    print(f"{name:15} {row_of(found, paper)}", flush=True)
    own_split = os.path.basename(source).startswith(OWN_SPLIT)
    if own_split:
        made = "is used" if os.path.isfile(source) else "would be made"
        print(f"{INDENT}no split file {benchmark.split}: an own split {made},")
        print(f"{INDENT}and figures are not comparable with the papers'; from {COOP}")
    print_problems(problems, show_all)
    done = "looked for" if quick else "opened"
    print(f"{INDENT}{len(paths)} pictures {done}, {len(problems)} of them bad", flush=True)
    whole = found[0] == paper[0] if own_split else found == paper  # another split: other counts
    return int(bool(problems) or not whole)


def row_of(found, paper):
    """Four counts (classes, train, val, test) as found and as in the paper → a row's text."""
    pairs = zip(found, paper)
    counts = [f"{count}/{expected}" if expected or count else "-" for count, expected in pairs]
    verdict = "as in the paper" if found == paper else "differs from the paper"
    return f"{counts[0]:>9} {counts[1]:>15} {counts[2]:>15} {counts[3]:>15}   {verdict}"


def print_problems(problems, show_all):
    """A line for each bad picture, or for the first `SHOWN` of them."""
    printed = problems if show_all else problems[:SHOWN]
    for problem in printed:
        print(f"{INDENT}{printable(problem)}")
    if len(problems) > len(printed):
        print(f"{INDENT}... and {len(problems) - len(printed)} more (--all names them)")


def problems_of(paths, quick, name):
    """Paths of pictures → a sentence for each that is missing, empty or unreadable.

    As many processes as there are cores; progress on stderr.
    """
    missing = dict.fromkeys(missing_pictures(paths))
    problems = [problem_of(path) for path in missing]
    there = [path for path in paths if path not in missing]
    look = problem_of_size if quick else problem_of
    ignore_ctrl_c = (signal.SIGINT, signal.SIG_IGN)  # this process answers it for the others
    with ProcessPoolExecutor(initializer=signal.signal, initargs=ignore_ctrl_c) as pool:
        for index, problem in enumerate(pool.map(look, there, chunksize=64), start=1):
            if problem:
                problems.append(problem)
            if index % 1000 == 0 or index == len(there):
                progress = f"\r{name}: {index} of {len(there)} pictures"
                print(progress, end="", file=sys.stderr, flush=True)
    print("\r" + " " * 60 + "\r", end="", file=sys.stderr, flush=True)
    return problems


def problem_of_size(path):
    """A path → a sentence if the file is empty, else ""."""
    is_empty = os.path.getsize(path) == 0
    return f"Cannot read the picture {path}: the file is empty." if is_empty else ""


def problem_of(path):
    """A path → the sentence with which `read_picture` refuses it, or "".

    A JPEG is decoded at an eighth of its size, which still reads all of the file.
    """
    warnings.simplefilter("ignore")  # Pillow's hints at oddities that do no harm
    try:
        with open(path, "rb") as file, Image.open(file, formats=known_formats()) as image:
            if image.width * image.height <= MAX_PIXELS:
                image.draft(None, (1, 1))
                image.load()
                return ""
    except Exception:  # a damaged file makes Pillow raise any of a dozen types
        pass
    try:
        read_picture(path)
    except ValueError as error:
        return str(error)
    return ""
