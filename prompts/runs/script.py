"""How a script runs and ends: train.py, eval.py and those in notes/."""

import os
import signal
import sys
import warnings

from clip_min.allocator import keep_freed_memory
from clip_min.files import printable
from prompts.runs.parallel import PROCESSES, RANK, end_at_once


def run_script(main):
    """Call a script's main, and end with the status that it returns (None: 0).

    Bad input ends in one sentence and status 2, Ctrl-C in one and status 130.
    """
    keep_freed_memory()
    warnings.formatwarning = as_note
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception: jobs are ended, too
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the shell: `>&-`
            setattr(sys, name, open(os.devnull, "w"))
        if hasattr(getattr(sys, name), "reconfigure"):  # a file's name need not be text
            getattr(sys, name).reconfigure(errors="backslashreplace", line_buffering=True)
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
    """An error → its message; without the traceback of a DataLoader's worker process."""
    message = str(error)
    if "Original Traceback" in message:
        message = message.strip().splitlines()[-1].partition("Error: ")[2]
    return printable(message)
