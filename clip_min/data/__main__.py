"""Which benchmarks are on a disk, and are they whole? And the others, from their servers.

    python -m clip_min.data DATA                               look over all benchmarks in DATA
    python -m clip_min.data DATA eurosat dtd --quick           these only, without opening pictures
    python -m clip_min.data DATA --download eurosat dtd        download these into DATA first

Exit status: 0 if all that is there is whole, 1 if something is missing, unreadable or other than
in CoOp's Table 5, 2 if something cannot be downloaded or there is nothing to look at.
"""

import argparse
import os
import sys
import warnings

from clip_min.data.benchmarks import BENCHMARKS, ELEVEN, benchmark_name
from clip_min.data.download import download_benchmarks, is_agreed
from clip_min.data.survey import SHOWN, look_over
from clip_min.files import printable


def main(arguments=None):
    """Download what is asked for, look over the benchmarks, print a row for each → exit status."""
    known = ", ".join(BENCHMARKS)
    parser = argparse.ArgumentParser(prog="python -m clip_min.data", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("root", metavar="DATA", help="the folder that holds all of them")
    add("names", nargs="*", metavar="NAME", help=f"look at these only: {known}")
    add("--quick", action="store_true", help="do not open the pictures")
    add("--all", action="store_true", help=f"name all bad pictures, not the first {SHOWN}")
    add("--download", nargs="+", default=[], metavar="NAME", help="these; eleven: all eleven")
    add("--yes", action="store_true", help="download without a question")
    flags = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # a file's name need not be UTF-8
    wanted = keys_of(flags.download, parser)
    names = keys_of(flags.names, parser) or wanted or list(BENCHMARKS)
    if not wanted and not os.path.isdir(flags.root):
        parser.error(f"the folder {printable(flags.root)} is not there.")
    status = 0
    try:
        if wanted:
            if not is_agreed(flags.root, wanted, flags.yes):
                return 1
            status = 0 if download_benchmarks(flags.root, wanted) else 2
            print()
        return max(status, look_over(flags.root, names, flags.quick, flags.all))
    except (ValueError, OSError) as error:  # OSError: also of a closed pipe
        print(f"error: {printable(error, 10_000)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        goes_on = " The same command goes on from there." if wanted else ""
        print(f"\nStopped.{goes_on}")
        return 130


def keys_of(names, parser):
    """Data sets' names, perhaps CoOp's own or "eleven" → keys of BENCHMARKS, each once."""
    keys = []
    for name in names:
        keys += ELEVEN if name == "eleven" else [benchmark_name(name)]
    for key in keys:
        if key not in BENCHMARKS:
            parser.error(f"there is no benchmark {key!r}, only {', '.join(BENCHMARKS)}.")
    return list(dict.fromkeys(keys))


def as_note(message, *_):
    """A warning as one line on the screen."""
    return f"note: {printable(message)}\n"


if __name__ == "__main__":
    warnings.formatwarning = as_note
    sys.exit(main())
