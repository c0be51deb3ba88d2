"""`python -m lrtui` is the console script."""

import sys

if not sys.flags.safe_path:  # `-m` has put the working directory first: a random.py there is not the standard library's
    del sys.path[0]

from lrtui.cli import main

if __name__ == "__main__":
    main()
