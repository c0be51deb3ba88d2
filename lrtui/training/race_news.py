"""News of a race, read from its record: of its alerts alone, or of all that a person may want to
hear of. Knows no torch and no command."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from lrtui.core.protocol.event_lines import News
from lrtui.core.results.news import NewsWatch
from lrtui.core.scenario.spec import Race
from lrtui.core.state.race_state import RaceState, apply
from lrtui.store.reader import Reader
from lrtui.store.writer import Writer

MEMORY = 64_000_000
"""Bytes of the curves that are kept: enough for the steps among which leaders are looked for."""


class NewsSource(Protocol):
    """Finds the news of a run. Its methods may raise StoreUnavailable."""

    @property
    def behind(self) -> bool:
        """True if there may be more on record already."""

    def look(self, race: Race) -> list[News]:
        """The news since the last look, in the order of the record. `race`: with all lanes that
        have joined."""

    def skip(self) -> None:
        """Leave out all that is on record: it was told before."""


class AlertNews:
    """The alerts of a run. Reads nothing else of its record."""

    behind = False

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._seen = 0

    def look(self, race: Race) -> list[News]:
        self._seen, alerts = self._writer.alerts(self._seen)
        return [
            News(one.kind, one.text, one.lane, lane.letter, lane.name, one.step)
            for one in alerts
            for lane in (race.lanes[one.lane],)
        ]

    def skip(self) -> None:
        self._seen, _ = self._writer.alerts(self._seen)


class RaceNews:
    """The alerts, the leaders and the end of a run, found by a fold over its record."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._reader: Reader | None = None
        self._state: RaceState | None = None
        self._watch = NewsWatch()

    @property
    def behind(self) -> bool:
        return self._reader is None or not self._reader.caught_up

    def look(self, race: Race) -> list[News]:
        return self._read(0.05)

    def skip(self) -> None:
        self._read(1.0)
        while self.behind:
            self._read(1.0)

    def _read(self, budget_s: float) -> list[News]:
        if self._reader is None or self._state is None:
            self._reader = Reader(self._run)
            self._state = RaceState(self._reader.race, MEMORY)
        events = [event for event in self._reader.poll(budget_s) if apply(self._state, event)]
        return self._watch.look(self._state, events, caught_up=not self.behind)
