"""Checks a step of the project "from an empty file" (notes/first/README.md).

    python -m notes.first check 4                 reads my_prompts.py in this folder
    python -m notes.first check 4 --file other.py
"""

import argparse
import importlib.util
import traceback
from pathlib import Path

from clip_min.files import printable
from notes.first.steps import STEPS
from prompts.runs.script import run_script


def check(number, path):
    """The number of a step, a Python file → (whether it is right, what to say about it)."""
    if not path.exists():
        raise ValueError(f"There is no {path}: make an empty file, and write step 1 into it.")
    spec = importlib.util.spec_from_file_location("my_prompts", path)
    mine = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(mine)
        return True, f"Step {number} is right: {STEPS[number](mine)}."
    except AssertionError as error:
        return False, f"Step {number}: {error}"
    except AttributeError as error:
        if str(error).startswith("module 'my_prompts'"):
            return False, f"Step {number}: {path} has no {error.name} yet."
        return False, f"Step {number} stopped:\n{traceback.format_exc(limit=-2)}"
    except Exception:
        return False, f"Step {number} stopped:\n{traceback.format_exc(limit=-2)}"


def main():
    """→ 0 if the step is right."""
    parser = argparse.ArgumentParser(prog="python -m notes.first", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["check"])
    parser.add_argument("step", type=int, choices=STEPS)
    parser.add_argument("--file", type=Path, default=Path("my_prompts.py"))
    flags = parser.parse_args()
    right, words = check(flags.step, flags.file)
    print("\n".join(map(printable, words.splitlines())))
    return 0 if right else 1


if __name__ == "__main__":
    run_script(main)
