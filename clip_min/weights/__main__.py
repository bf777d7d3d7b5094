"""`python -m clip_min.weights ViT-B/16`: download weights ahead of time, and say where they are."""

import argparse
import sys

from clip_min.files import printable
from clip_min.tokenizer import openai_merges
from clip_min.weights.locate import OFFICIAL, locate


def main(arguments=None) -> int:
    """Download what the models need and print where it is. Returns the exit status, 0 or 2."""
    parser = argparse.ArgumentParser("python -m clip_min.weights",
                                     description="Download CLIP weights.")
    parser.add_argument("names", nargs="+", metavar="NAME", help=", ".join(("tiny", *OFFICIAL)))
    names = parser.parse_args(arguments).names
    try:
        for name in names:
            print(printable(f"{name}: {locate(name)[0]}"))
        if any(name in OFFICIAL for name in names):
            print(printable(f"merges: {openai_merges()}"))
    except (ValueError, OSError) as error:
        print(printable(error), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
