"""`python -m lrtui.training` runs the supervisor; a viewer starts it (lrtui/client/launcher.py)."""

from lrtui.training.supervisor_main import main

if __name__ == "__main__":
    main()
