"""News of a race for a person who looks elsewhere: its end, a loss that went NaN or diverged, a
lane that was lost, a new leader. Pure.

News are what happens while the race is followed; what is on record before is history.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from lrtui.core.protocol.events import Alerted, AlertKind, AnyEvent
from lrtui.core.results.leader import HELD, LeaderChange, LeaderWatch
from lrtui.core.results.race_sentences import race_sentences
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


class News(NamedTuple):
    """One thing that happened."""

    kind: AlertKind | Literal["leader", "finished"]
    lane: str
    """The letter of the lane; "" of the race."""
    text: str
    """It in a sentence."""

    @property
    def alert(self) -> bool:
        """True if a lane is in trouble."""
        return self.kind in _WENT


class NewsWatch:
    """The news of a race that is followed; `look` after each poll."""

    def __init__(self, since: float) -> None:
        """`since`: what happened before this time, in seconds since 1970, is history."""
        self._since = since
        self._leader = LeaderWatch()
        self._follows = self._over = False
        """True once the record was read to its end; once the end of the race was told."""

    def look(self, state: RaceState, events: Iterable[AnyEvent], *, caught_up: bool) -> list[News]:
        """The news of a poll: `events` are in `state` already; `caught_up`: the record is read to
        its end."""
        found = list(self._alerts(state, events))
        changes = self._leader.look(state) if caught_up else []
        if self._follows and changes:
            found.append(_leads(changes[-1]))
        self._follows = self._follows or caught_up
        if state.over and not self._over and self._since < _ended_at(state):
            found.append(News("finished", "", f"the race is over: {race_sentences(state)[0]}"))
        self._over = state.over
        return found

    def _alerts(self, state: RaceState, events: Iterable[AnyEvent]) -> Iterator[News]:
        for event in events:
            if isinstance(event, Alerted) and event.at > self._since:
                lane = state.lanes[event.lane].lane
                what = f"{event.kind} at step {event.step}"
                if event.kind in ("error", "lost"):
                    what = event.text
                yield News(event.kind, lane.letter, one_line(f"{lane.called}: {what}"))


def _leads(change: LeaderChange) -> News:
    now, before = change.leader, change.before
    words = f"{now.called} leads since {HELD} steps, before {before.called}"
    return News("leader", now.letter, words)


def _ended_at(state: RaceState) -> float:
    """When the last lane ended."""
    return max((lane.ended.at for lane in state.lanes if lane.ended), default=0.0)


def news_words(news: Sequence[News]) -> str:
    """Several news in one text: the end first, many lanes of one kind in a clause, the newest
    leader alone."""
    parts = [one.text for one in news if one.kind == "finished"]
    for kind, went in _WENT.items():
        some = [one for one in news if one.kind == kind]
        letters = list(dict.fromkeys(one.lane for one in some))
        if len(letters) == 1:
            parts.append(some[-1].text)
        elif letters:
            more = ", ..." if len(letters) > LISTED else ""
            parts.append(f"{len(letters)} lanes {went}: {', '.join(letters[:LISTED])}{more}")
    parts += [one.text for one in news if one.kind == "leader"][-1:]
    return "; ".join(parts)
