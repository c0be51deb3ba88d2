"""Describes how a trainer's process ended, and the cause if its log names one; becomes the error of
its lanes."""

from __future__ import annotations

import re
import signal
import sysconfig
from pathlib import Path

from lrtui.core.text import literal, one_line

LONGEST = 200
"""Characters quoted from a log, at most."""
_FATAL = re.compile(r"^Fatal Python error: (?P<what>.+)$", re.MULTILINE)
_FRAME = re.compile(
    r'^ *File "(?P<file>[^"\n]+)", line (?P<line>\d+) in (?P<function>.+)$', re.MULTILINE
)
_THROWN = re.compile(
    r"^terminate called after throwing an instance of"
    r" '(?P<kind>[^'\n]+)'(?:\n\s+what\(\):\s*(?P<what>.+))?",
    re.MULTILINE,
)
_RAISED = re.compile(
    r"^Traceback \(most recent call last\):\n(?:[ \t].*\n|\n)+(?P<what>[A-Za-z_][\w.]*(?:: .*)?)",
    re.MULTILINE,
)
_NOT_THEIRS = tuple(
    {
        str(Path(__file__).parents[1]),
        *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")),
    }
)


def end_of(exitcode: int, log: str) -> str:
    """Describes the end of a process with `exitcode` (below 0: a signal), and its cause from the
    end of its `log`."""
    if exitcode >= 0:
        how, why = f"ended with exit code {exitcode}", _raised(log) or _printed(log)
    elif exitcode == -signal.SIGKILL:
        how, why = (
            "killed by SIGKILL",
            "by another process, or by the system because memory ran out",
        )
    else:
        how, why = f"killed by {_name(-exitcode)}", _crashed(log)
    return f"{how}: {why}" if why else how


def _crashed(log: str) -> str:
    """The last message of faulthandler or the C++ runtime."""
    thrown = list(_THROWN.finditer(log))
    fatal = list(_FATAL.finditer(log))
    if thrown:
        return _short(thrown[-1]["what"] or thrown[-1]["kind"])
    if not fatal:
        return ""
    frames = list(_FRAME.finditer(log, fatal[-1].end()))  # the innermost one comes first
    own = next(
        (frame for frame in frames if not frame["file"].startswith(_NOT_THEIRS)),
        next(iter(frames), None),
    )
    where = f" in {own['function']} ({Path(own['file']).name}:{own['line']})" if own else ""
    return _short(fatal[-1]["what"] + where)


def _raised(log: str) -> str:
    """The exception of the traceback with which a log ends."""
    raised = list(_RAISED.finditer(log))
    last = raised[-1] if raised else None
    return _short(last["what"]) if last and len(log[last.end() :].strip().splitlines()) <= 1 else ""


def _printed(log: str) -> str:
    """The last line of a log, which may be unrelated to the cause."""
    lines = [line for line in map(one_line, literal(log).splitlines()) if line]
    return f"it printed last: {_short(lines[-1])}" if lines else ""


def _short(text: str) -> str:
    return one_line(text)[:LONGEST]


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
