"""Watches a run for the rungs of its pruning, for the supervisor: reads the record as any viewer
does. Knows no torch."""

from __future__ import annotations

import time
from pathlib import Path

from lrtui.core.errors import LrtuiError
from lrtui.core.protocol.commands import AnyCommand, Pause, Resume
from lrtui.core.results.successive_halving import Decision, SuccessiveHalving
from lrtui.core.scenario.spec import Race
from lrtui.store.reader import Reader

LOOK_S = 0.3


class PruningMonitor:
    """Decides which lanes pause at a rung and which continue, while lanes wait there."""

    def __init__(self, run: Path, race: Race) -> None:
        self._run = run
        self._rungs = SuccessiveHalving(race.pruning, race) if race.pruning else None
        self._reader: Reader | None = None
        self._looked = 0.0
        self._sent: set[Decision] = set()

    def look(self) -> list[tuple[AnyCommand, str]]:
        """The commands that are due, each with a line for the log ('' for none); none for a race
        without pruning.

        The record of a resumed race is read first: decisions executed then are not repeated.
        """
        if self._rungs is None or time.monotonic() - self._looked < LOOK_S:
            return []
        self._looked = time.monotonic()
        try:
            self._reader = self._reader or Reader(self._run)
            for event in self._reader.poll():
                self._rungs.apply(event)
        except LrtuiError:
            return []
        if not self._reader.caught_up:
            return []
        now = set(self._rungs.decisions())
        fresh, self._sent = now - self._sent, now
        return [
            (
                (Resume(lane=one.lane), "")
                if one.stays
                else (Pause(lane=one.lane), "behind at a rung of the pruning: paused")
            )
            for one in sorted(fresh)
        ]
