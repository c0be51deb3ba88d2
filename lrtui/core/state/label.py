"""Name and note that a user gives a run. Pure."""

from __future__ import annotations

import msgspec

from lrtui.core.errors import RunError
from lrtui.core.text import one_line

LONGEST_NAME, LONGEST_NOTE = 60, 500
"""Characters."""


class Label(msgspec.Struct, frozen=True):
    """Name and note of a run; both are "" where the user gave none."""

    name: str = ""
    """Finds the run wherever a command takes one."""
    note: str = ""

    def titled(self, title: str) -> str:
        """The title of the run's race, behind the name."""
        return one_line(f"{self.name}: {title}" if self.name else title)


def name_of(given: str) -> str:
    """The name that a user typed; "" takes a name away. RunError for one that no command could
    find."""
    name = one_line(given)
    if len(name) > LONGEST_NAME or "/" in name or name.startswith(("-", "~", ".")):
        raise RunError(
            f'name "{name[:LONGEST_NAME]}": not usable',
            f'expected at most {LONGEST_NAME} characters without "/", and no "-", "~" or "." first',
        )
    if given.strip() and not name:
        raise RunError("name: nothing in it can be seen", "expected letters or digits")
    return name


def note_of(given: str) -> str:
    """The note that a user typed, on one line; "" takes a note away."""
    note = one_line(given)
    if len(note) > LONGEST_NOTE:
        raise RunError(
            f"note: {len(note)} characters", f"expected {LONGEST_NOTE} characters at most"
        )
    return note
