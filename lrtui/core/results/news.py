"""News of a race for a person who looks elsewhere: its end, a loss that went NaN or diverged, a
lane that was lost, a new leader. Pure.

News are what happens while the race is followed; what is on record before is history.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from lrtui.core.protocol.events import Alerted, AlertKind, AnyEvent
from lrtui.core.results.leader import HELD, LeaderWatch
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
        """`since`: alerts before this time, in seconds since 1970, are history."""
        self._since = since
        self._leader = LeaderWatch()
        self._over: bool | None = None
        """Whether the race was over at the last look; None before the record was read once."""

    def look(self, state: RaceState, events: Iterable[AnyEvent], *, caught_up: bool) -> list[News]:
        """The news of a poll: `events` are in `state` already; `caught_up`: the record is read to
        its end."""
        found = list(self._alerts(state, events))
        known = self._over is not None
        changes = self._leader.look(state) if known or caught_up else []
        if known and changes:
            found.append(
                News(
                    "leader",
                    changes[-1].leader.letter,
                    f"{changes[-1].leader.called} leads since {HELD} steps, before"
                    f" {changes[-1].before.called}",
                )
            )
        if self._over is False and state.over:
            found.append(News("finished", "", f"the race is over: {race_sentences(state)[0]}"))
        if known or caught_up:
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
