"""Text that came from files, tasks or terminals, made safe to show and to search. Knows no widget
and no markup."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_].*?(?:\x1b\\|\x07|$)|[ -/]*[0-~])|\x9b[0-?]*[ -/]*[@-~]",
    re.DOTALL,
)
_ERASES = re.compile(r"\x1b\[[0-2]?K")
# C0 but tab and newline, DEL, C1, the marks that turn the direction of what follows, and what XML
# does not take.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]"
)


def literal(text: str) -> str:
    """`text` without escape sequences, control characters or direction marks; tabs become spaces,
    newlines stay."""
    text = text.replace("\r\n", "\n").expandtabs(4)
    text = _CONTROLS.sub("", _ESCAPES.sub("", text))
    # a lone surrogate cannot be written to a terminal
    return text.encode("utf-8", "replace").decode("utf-8")


def overwritten(line: str) -> str:
    """The text that one line of output leaves on a screen: text after a carriage return overwrites,
    as progress bars do, and an erase sequence clears the rest. Made `literal`."""
    shown = ""
    for piece in line.rstrip("\r\n").split("\r"):
        text = literal(piece)
        shown = text if _ERASES.search(piece) else text + shown[len(text) :]
    return shown


def one_line(text: str) -> str:
    """`literal(text)` with every run of white space made one space."""
    return " ".join(literal(text).split())


def closest(word: str, known: Iterable[str]) -> str:
    """'; did you mean "x"?' for the known word nearest to `word`, or '' where none is near."""
    table = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), table, n=1, cutoff=0.5)
    return f'; did you mean "{table[near[0]]}"?' if near else ""
