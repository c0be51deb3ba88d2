"""`python -m lrtui` is the console script."""

import sys

# `-m` has put the working directory first: a random.py there is not the standard library's
if not sys.flags.safe_path:
    del sys.path[0]

from lrtui.cli import main

if __name__ == "__main__":
    main()
