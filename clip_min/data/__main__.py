"""`python -m clip_min.data DATA`: see survey.py."""

import sys

from clip_min.data.survey import main

if __name__ == "__main__":
    sys.exit(main())
