"""The output of a run's scripts as lines, while they write it. Knows no screen."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

from lrtui.core.state.race_state import LaneState
from lrtui.core.text import overwritten
from lrtui.store.run_dir import script_log

CHUNK = 256 * 1024
"""Bytes read of a file at a time."""
LONGEST = 16 * 1024
"""Characters of a line without an end; what follows is a line of its own."""


class ScriptOutput:
    """The lines that one script has written since the last look, safe to show.

    A progress bar that redraws its line is one line: its last state.
    """

    def __init__(self, log: Path | None) -> None:
        """`log`: the file of its output; None stands for an empty one."""
        self._log = log
        self._at = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._part = ""
        """A line that has no end yet."""

    def poll(self) -> Iterator[str]:
        """The lines that have ended since the last call, within CHUNK bytes."""
        return self._lines(self._read())

    def rest(self) -> Iterator[str]:
        """All lines that there are, also one without an end."""
        while raw := self._read():
            yield from self._lines(raw)
        if self._part:
            yield overwritten(self._part)
            self._part = ""

    def _lines(self, raw: bytes) -> Iterator[str]:
        *lines, self._part = (self._part + self._decoder.decode(raw)).split("\n")
        # of a line that is drawn again and again only what can still be seen is kept
        before, back, last = self._part.rpartition("\r")
        if last:
            self._part = overwritten(before) + back + last
        if len(self._part) > LONGEST:
            lines.append(self._part)
            self._part = ""
        yield from map(overwritten, lines)

    def _read(self) -> bytes:
        if self._log is None:
            return b""
        try:
            with self._log.open("rb") as file:
                file.seek(self._at)
                raw = file.read(CHUNK)
        except OSError:  # not there yet, or not any more
            return b""
        self._at += len(raw)
        return raw


class RaceOutput:
    """The output of each of a run's scripts."""

    def __init__(self, run: Path | None) -> None:
        """`run`: None for a race whose scripts, if any, are not looked at."""
        self._run = run
        self._outputs: dict[int, ScriptOutput] = {}

    def of(self, lane: LaneState) -> ScriptOutput:
        """The output of a lane, each line of which is given once."""
        if lane.index not in self._outputs:
            log = self._run / script_log(lane.index) if self._run else None
            self._outputs[lane.index] = ScriptOutput(log)
        return self._outputs[lane.index]
