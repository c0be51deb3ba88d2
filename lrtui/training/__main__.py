"""`python -m lrtui.training` is the supervisor; a viewer starts it (see
lrtui/client/launcher.py)."""

from lrtui.training.supervisor_main import main

if __name__ == "__main__":
    main()
