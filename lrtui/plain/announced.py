"""Lines of a race on a terminal, whose news are sent to the desktop as well."""

from __future__ import annotations

import time

from lrtui.client.follower import Follower
from lrtui.core.protocol.events import Alerted, AnyEvent
from lrtui.core.results.news import NewsWatch
from lrtui.core.state.race_state import RaceState
from lrtui.plain import LineWriter
from lrtui.terminal.notifications import Notifier


class Announced:
    """A writer of lines that passes the news of the race on."""

    def __init__(self, lines: LineWriter, follower: Follower, notifier: Notifier) -> None:
        self._lines, self._follower, self._notifier = lines, follower, notifier
        self._news = NewsWatch(time.time())
        self._alerts: list[AnyEvent] = []
        """Those since the last look."""

    def write(self, state: RaceState, event: AnyEvent) -> None:
        """One event, already applied to `state`."""
        self._lines.write(state, event)
        if isinstance(event, Alerted):
            self._alerts.append(event)

    def look(self, state: RaceState) -> None:
        """Events of a round are written: pass on what is news of them."""
        self._lines.look(state)
        news = self._news.look(state, self._alerts, caught_up=self._follower.caught_up)
        self._alerts.clear()
        self._notifier.take(state.race.title, news)

    def tick(self, state: RaceState) -> None:
        """A second has passed."""
        self._lines.tick(state)

    def finish(self, follower: Follower) -> None:
        """The race is over."""
        self._lines.finish(follower)
