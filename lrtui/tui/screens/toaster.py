"""Short messages over the race screen, the bell, and news for the terminal's desktop."""

from __future__ import annotations

from collections.abc import Sequence

from textual.screen import Screen

from lrtui.client.follower import Follower
from lrtui.core.protocol.events import Alerted, AnyEvent
from lrtui.core.results.news import NewsWatch
from lrtui.core.text import one_line
from lrtui.terminal.notifications import Notifier
from lrtui.tui.clock import Clock
from lrtui.tui.screens.ui import Severity

WARNING_S = 5.0
"""Seconds for which a warning stays; the same one is not shown again meanwhile."""
ALERT_S = 4.0


class Toaster:
    """Shows messages on a screen; texts are no markup."""

    def __init__(
        self, screen: Screen[None], clock: Clock, notifier: Notifier | None = None
    ) -> None:
        """`notifier`: takes the news of the race."""
        self._screen = screen
        self._clock = clock
        self._warned: dict[str, float] = {}
        """The last warning, and when it was shown."""
        self._since = clock.time()
        """Alerts before this time are history: the run was recorded earlier."""
        self._news, self._notifier = NewsWatch(self._since), notifier

    def warn(self, text: str) -> None:
        """Show a warning, unless the same one is still visible."""
        now = self._clock.monotonic()
        if now - self._warned.get(text, -WARNING_S) >= WARNING_S:
            self._warned = {text: now}
            self.show(text, WARNING_S, "warning")

    def show(self, text: str, seconds: float, severity: Severity = "information") -> None:
        """Show a message for some seconds."""
        self._screen.notify(one_line(text), severity=severity, markup=False, timeout=seconds)

    def look(self, events: Sequence[AnyEvent], follower: Follower) -> None:
        """Ring once and show the last new alert of each lane, whose pane has the details; pass the
        news of a poll on."""
        state = follower.state
        alerts = (event for event in events if isinstance(event, Alerted))
        new = {event.lane: event for event in alerts if event.at > self._since}
        if new:
            self._screen.app.bell()
        for event in new.values():
            what = event.text if event.kind == "lost" else f"{event.kind} at step {event.step}"
            self.show(
                f"{state.lanes[event.lane].lane.called}: {what}",
                ALERT_S,
                "warning" if event.kind in ("diverged", "lost") else "error",
            )
        news = self._news.look(state, events, caught_up=follower.caught_up)
        if self._notifier:
            self._notifier.take(state.race.title, news)
