"""`python -m lrtui.training` is the crew; a viewer starts it (see lrtui/client/launcher.py)."""

from lrtui.training.requests import main

if __name__ == "__main__":
    main()
