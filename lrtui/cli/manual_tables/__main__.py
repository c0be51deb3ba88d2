"""`python -m lrtui.cli.manual_tables [--write]`."""

import sys

from lrtui.cli.manual_tables import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
