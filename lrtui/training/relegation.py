"""Watches a run for the rungs of its relegation, for the crew: reads the record as any viewer does. Knows no torch."""

from __future__ import annotations

import time
from pathlib import Path

from lrtui.core.commands import AnyCommand, Pause
from lrtui.core.errors import LrtuiError
from lrtui.core.relegation import Rungs
from lrtui.core.spec import Race
from lrtui.store.reader import Reader

LOOK_S = 0.3


class Referee:
    """Says whom to pause, while the race goes on."""

    def __init__(self, run: Path, race: Race, *, fresh: bool) -> None:
        """`fresh`: the race has just begun; otherwise what was settled before is not settled again."""
        self._run = run
        self._rungs = Rungs(race.relegation, len(race.lanes)) if race.relegation else None
        self._reader: Reader | None = None
        self._looked = 0.0
        self._caught_up = fresh

    def look(self) -> list[tuple[AnyCommand, str]]:
        """The pauses that are due, each with a line for the log; nothing where the race has no relegation."""
        if self._rungs is None or time.monotonic() - self._looked < LOOK_S:
            return []
        self._looked = time.monotonic()
        try:
            self._reader = self._reader or Reader(self._run)
            events = self._reader.poll()
        except LrtuiError:
            return []
        behind = [lane for event in events for lane in self._rungs.take(event)]
        known, self._caught_up = self._caught_up, self._caught_up or self._reader.caught_up
        return [(Pause(lane=lane), "behind at a rung of the relegation: paused") for lane in behind] if known else []
