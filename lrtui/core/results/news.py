"""News of a race, found by a look after each poll: alerts, a new leader, the end; and their words.
Pure.

The supervisor tells all of a run (`--on-event`), a viewer what happens while it follows one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from lrtui.core.numbers import loss
from lrtui.core.protocol.event_lines import News, NewsKind
from lrtui.core.protocol.events import Alerted, AlertKind, AnyEvent
from lrtui.core.results.leader import LeaderChange, LeaderWatch
from lrtui.core.results.race_sentences import race_sentences
from lrtui.core.results.ranking import outcome, ranking_of
from lrtui.core.results.seed_groups import SeedGroup
from lrtui.core.results.standings import race_standings, spread_of
from lrtui.core.state.race_state import RaceState
from lrtui.core.text import one_line

LISTED = 6
"""Lanes that are named one by one."""
_WENT: dict[AlertKind, str] = {
    "nan": "went NaN",
    "diverged": "diverged",
    "error": "failed",
    "lost": "lost their process",
}


class NewsWatch:
    """The news of a race; `look` after each poll."""

    def __init__(self, since: float = -math.inf) -> None:
        """`since`: what happened before this time, in seconds since 1970, is history; of a leader,
        what was on record at the first look."""
        self._since = since
        self._leader = LeaderWatch()
        self._follows = since == -math.inf
        """True once leaders are news."""
        self._over = False
        """True if every lane had ended at the last look."""

    def look(self, state: RaceState, events: Iterable[AnyEvent], *, caught_up: bool) -> list[News]:
        """The news of a poll: `events` are in `state` already; `caught_up`: the record is read to
        its end."""
        found = list(self._alerts(state, events))
        changes = self._leader.look(state) if self._follows or caught_up else []
        found += [_of_leader(change, state) for change in changes if self._follows]
        self._follows = self._follows or caught_up
        if caught_up and state.over != self._over:
            self._over = state.over
            if self._has_ended(state):
                found.append(_of_end(state))
        return found

    def _alerts(self, state: RaceState, events: Iterable[AnyEvent]) -> Iterator[News]:
        for event in events:
            if isinstance(event, Alerted) and event.at > self._since:
                group = SeedGroup((state.lanes[event.lane],))
                yield _news(event.kind, event.text, group, event.step, state)

    def _has_ended(self, state: RaceState) -> bool:
        """True if every lane has ended by itself, the last one not before `since`."""
        ends = [lane.ended.at for lane in state.lanes if lane.ended]
        cut_off = any(lane.status == "interrupted" for lane in state.lanes)
        return state.over and not cut_off and max(ends, default=-math.inf) > self._since


def is_alert(news: News) -> bool:
    """True if a lane is in trouble."""
    return news.event in _WENT


def news_words(news: Sequence[News]) -> str:
    """Several news in one text: the end first, many lanes of one kind in a clause, the newest
    leader alone."""
    parts = [f"the race is over: {one.text}" for one in news if one.event == "finished"]
    for kind, went in _WENT.items():
        some = [one for one in news if one.event == kind]
        letters = list(dict.fromkeys(one.lane or "" for one in some))
        if len(letters) == 1:
            last = some[-1]
            who = f"{last.lane} {last.name}: " if last.lane else ""
            parts.append(one_line(f"{who}{last.text}"))
        elif letters:
            more = ", ..." if len(letters) > LISTED else ""
            parts.append(f"{len(letters)} lanes {went}: {', '.join(letters[:LISTED])}{more}")
    parts += [one.text for one in news if one.event == "leader"][-1:]
    return "; ".join(parts)


def _of_leader(change: LeaderChange, state: RaceState) -> News:
    """Text about a new leader, with the value that it has now."""
    news = _news("leader", "", change.leader, change.step, state)
    by = ranking_of(state.race, state.lanes).metric
    text = f"{change.leader.called} leads after {change.step} steps, before {change.before.called}"
    known = f"; {by} {loss(news.value)}" if news.value is not None else ""
    return news._replace(text=text + known)


def _of_end(state: RaceState) -> News:
    """The end of a race, about its first lane."""
    group = race_standings(state).rows[0].group
    return _news("finished", race_sentences(state)[0], group, group.first.steps, state)


def _news(event: NewsKind, text: str, group: SeedGroup, step: int, state: RaceState) -> News:
    """News about a group of lanes, with the mean of what they are ranked by."""
    ranking = ranking_of(state.race, state.lanes)
    mean = spread_of([outcome(lane, state.lanes, ranking, step) for lane in group.lanes]).mean
    value = mean if math.isfinite(mean) else None
    first = group.first
    return News(event, text, first.index, group.letter, first.lane.name, step, value)
