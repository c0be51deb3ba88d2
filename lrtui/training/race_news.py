"""News of a race, read from its record: of its alerts alone, or of all that a person may want to
hear of. Knows no torch and no command."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Protocol

from lrtui.core.numbers import loss
from lrtui.core.protocol.event_lines import News, NewsKind
from lrtui.core.protocol.events import Alerted
from lrtui.core.results.leader import LeaderChange, LeaderWatch
from lrtui.core.results.race_sentences import race_sentences
from lrtui.core.results.ranking import outcome, ranking_of
from lrtui.core.results.seed_groups import SeedGroup, seed_groups
from lrtui.core.results.standings import standings
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
        self._leaders = LeaderWatch()
        self._over = False
        """True if every lane had ended at the last look."""

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
        state, found = self._state, []
        for event in self._reader.poll(budget_s):
            if apply(state, event) and isinstance(event, Alerted):
                lane = state.lanes[event.lane]
                group = SeedGroup((lane,))
                found.append(_news(event.kind, event.text, group, event.step, state))
        found += [_of_leader(change, state) for change in self._leaders.look(state)]
        if not self.behind and state.over != self._over:
            self._over = state.over
            if self._over and not any(lane.status == "interrupted" for lane in state.lanes):
                found.append(_of_end(state))
        return found


def _of_leader(change: LeaderChange, state: RaceState) -> News:
    """Text about a new leader, with the value that it has now."""
    news = _news("leader", "", change.leader, change.step, state)
    by = ranking_of(state.race, state.lanes).metric
    text = f"{change.leader.called} leads after {change.step} steps, before {change.before.called}"
    known = f"; {by} {loss(news.value)}" if news.value is not None else ""
    return news._replace(text=text + known)


def _of_end(state: RaceState) -> News:
    """The end of a race, about its first lane."""
    first = standings(state)[0]
    group = next(group for group in seed_groups(state.lanes) if first in group.lanes)
    return _news("finished", race_sentences(state)[0], group, first.steps, state)


def _news(event: NewsKind, text: str, group: SeedGroup, step: int, state: RaceState) -> News:
    """News about a group of lanes, with the mean of what they are ranked by."""
    ranking = ranking_of(state.race, state.lanes)
    values = [outcome(lane, state.lanes, ranking, step) for lane in group.lanes]
    finite = [value for value in values if math.isfinite(value)]
    value = sum(finite) / len(finite) if finite else None
    first = group.first
    return News(event, text, first.index, group.letter, first.lane.name, step, value)
