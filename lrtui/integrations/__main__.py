"""`python -m lrtui.integrations` runs the supervisor of scripts; a viewer starts it
(lrtui/client/launcher.py)."""

from lrtui.integrations.supervisor.supervisor import main

if __name__ == "__main__":
    main()
