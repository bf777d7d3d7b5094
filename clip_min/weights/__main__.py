"""`python -m clip_min.weights ViT-B/16`: download weights ahead of time, and see where the files are."""

import sys

from clip_min.weights.checkpoint import main

if __name__ == "__main__":
    sys.exit(main())
