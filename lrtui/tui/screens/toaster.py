"""Short messages over the race screen, and the bell."""

from __future__ import annotations

from collections.abc import Iterable

from textual.screen import Screen

from lrtui.core.protocol.events import Alerted
from lrtui.core.state.race_state import RaceState
from lrtui.core.text import one_line
from lrtui.tui.clock import Clock
from lrtui.tui.screens.ui import Severity

WARNING_S = 5.0
"""Seconds for which a warning stays; the same one is not shown again meanwhile."""
ALERT_S = 4.0


class Toaster:
    """Shows messages on a screen; texts are no markup."""

    def __init__(self, screen: Screen[None], clock: Clock) -> None:
        self._screen = screen
        self._clock = clock
        self._warned: dict[str, float] = {}
        """The last warning, and when it was shown."""
        self._since = clock.time()
        """Alerts before this time are history: the run was recorded earlier."""

    def warn(self, text: str) -> None:
        """Show a warning, unless the same one is still visible."""
        now = self._clock.monotonic()
        if now - self._warned.get(text, -WARNING_S) >= WARNING_S:
            self._warned = {text: now}
            self.show(text, WARNING_S, "warning")

    def show(self, text: str, seconds: float, severity: Severity = "information") -> None:
        """Show a message for some seconds."""
        self._screen.notify(one_line(text), severity=severity, markup=False, timeout=seconds)

    def alert(self, alerts: Iterable[Alerted], state: RaceState) -> None:
        """Ring and show the last new alert of each lane; the pane has the details."""
        new = {event.lane: event for event in alerts if event.at > self._since}
        for event in new.values():
            what = event.text if event.kind == "lost" else f"{event.kind} at step {event.step}"
            self._screen.app.bell()
            self.show(
                f"{state.lanes[event.lane].lane.called}: {what}",
                ALERT_S,
                "warning" if event.kind in ("diverged", "lost") else "error",
            )
