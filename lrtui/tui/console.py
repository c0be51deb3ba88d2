"""Reads the output of a task or a script: the ends of the logs of the processes that trained a
lane. Knows no widget and no style."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from lrtui.core import numbers
from lrtui.core.results.race_words import short_command
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.text import overwritten
from lrtui.store.run_dir import SUPERVISOR_LOG, script_log

TAIL_BYTES = 256_000
"""Bytes to show of each log."""
LAST_BYTES = 4_000
"""Bytes from the end of a log that are read for its last lines."""
_ROLE = re.compile(r"trainer (\d{1,6})")


class Printed(NamedTuple):
    """The output of a lane's processes."""

    title: str
    """The log's name, and the lanes that share it."""
    lines: list[tuple[int, str]]
    """(position in bytes, text), ascending: a line keeps its position while the log grows."""
    note: str = ""
    """The text to show if there are no lines."""


class Console:
    """Reads the logs of a run; an unchanged log only once."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._read: dict[str, tuple[tuple[int, int], list[tuple[int, str]]]] = {}
        """By name: size and change time of a log when it was last read, and its lines."""

    def stamp(self, state: RaceState, lane: LaneState) -> object:
        """A value that differs when the output does."""
        return tuple((name, _size(self._run / name)) for name in _logs(self._run, lane)), _title(
            self._run, state, lane
        )

    def printed(self, state: RaceState, lane: LaneState) -> Printed:
        """The output of a lane; of a lane without a process, that of the supervisor."""
        names = _logs(self._run, lane)
        lines: list[tuple[int, str]] = []
        before = 0
        for name in names:
            size, found = self._lines(name)
            if name != names[-1] and found:
                found = [*found, (size + 2, f"── the end of {name}: another process went on ──")]
            lines += [(before + place, text) for place, text in found]
            before += size + 2
        self._read = {name: self._read[name] for name in names}
        note = "it has printed nothing" if names else "none of its logs is there"
        if state.race.script and not state.race.script.supervised:
            note = "lrtui did not start this script: what it prints is where it was started"
        return Printed(_title(self._run, state, lane), lines, "" if lines else note)

    def _lines(self, name: str) -> tuple[int, list[tuple[int, str]]]:
        """The size and the last lines of a log."""
        stamp = _size(self._run / name)
        if name not in self._read or self._read[name][0] != stamp:
            self._read[name] = stamp, _tail(self._run / name, stamp[0], TAIL_BYTES)
        return stamp[0], self._read[name][1]


def last_lines(run: Path, lane: LaneState) -> list[str]:
    """The last lines that a script's lane has printed, without empty ones."""
    path = run / script_log(lane.index)
    return [text for _, text in _tail(path, _size(path)[0], LAST_BYTES) if text.strip()]


def _logs(run: Path, lane: LaneState) -> list[str]:
    """The names of a lane's logs, the newest last; the supervisor's if the lane has none."""
    if lane.is_script:
        return [script_log(lane.index)]
    numbers = [
        found[1] for role in lane.lifecycle.process_roles if (found := _ROLE.fullmatch(role))
    ]
    if not lane.started:
        return [SUPERVISOR_LOG]
    if not numbers:  # an older run
        return (
            sorted(path.name for path in run.glob("trainer-*.log"))[:1]
            if _alone(run)
            else [SUPERVISOR_LOG]
        )
    return [f"trainer-{number}.log" for number in dict.fromkeys(numbers)]


def _alone(run: Path) -> bool:
    return len(list(run.glob("trainer-*.log"))) == 1


def _title(run: Path, state: RaceState, lane: LaneState) -> str:
    """The heading: the log's name, and the lanes that share it."""
    names = _logs(run, lane)
    if lane.is_script:
        return short_command(state.race, lane.lane)
    if not lane.started:
        return f"{SUPERVISOR_LOG}: the lane has not started"
    if not lane.lifecycle.process_roles and names == [SUPERVISOR_LOG]:
        return f"{SUPERVISOR_LOG}: this run does not say which of its logs is the lane's"
    others = [
        one.lane.letter
        for one in state.lanes
        if one is not lane
        and one.lifecycle.process_roles
        and one.lifecycle.process_roles[-1:] == lane.lifecycle.process_roles[-1:]
    ]
    if not others:
        return names[-1]
    more = " ..." if len(others) > 12 else ""
    return (
        f"{names[-1]}, shared with {', '.join(others[:12])}{more}: they take turns in one process"
    )


def _size(path: Path) -> tuple[int, int]:
    """Bytes and time of the last change; zeros if the file does not exist."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _tail(path: Path, size: int, most: int) -> list[tuple[int, str]]:
    """The last lines of a log of `size` bytes, `most` bytes of it, each with its end position; the
    first may be cut."""
    first = max(0, size - most)
    try:
        with path.open("rb") as file:
            file.seek(first)
            content = file.read(size - first)
    except OSError:
        return []
    lines, place = [], first
    for raw in content.split(b"\n"):
        place += len(raw) + 1
        lines.append((place, overwritten(raw.decode("utf-8", "replace"))))
    if first:
        lines[0] = lines[0][0], f"... the last {numbers.size(most)} of {numbers.size(size)}"
    return lines if lines[-1][1] else lines[:-1]
