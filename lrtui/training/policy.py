"""A race's policy for alerts: rewind, pause or stop the lane. Knows no torch."""

from __future__ import annotations

import math

from lrtui.core.protocol.commands import AnyCommand, Pause, Rewind, Stop
from lrtui.core.protocol.events import Alerted
from lrtui.core.scenario.spec import Race

REWINDS = 3
"""Rewinds of one lane by the policy, at most; each halves the rate of the one before."""


class Policy:
    """The policy for one lane; `due` is the command for its next break between two steps."""

    def __init__(self, race: Race, lane: int) -> None:
        self.due: AnyCommand | None = None
        self.snapshot_due = False
        """True if a snapshot of the state at the alert is due; after NaN that state is useless."""
        self._race = race
        self._lane = lane
        self._rewinds = 0
        self._factor = math.inf

    @property
    def revives(self) -> bool:
        """True if the command due rewinds the lane, which would otherwise have ended."""
        return isinstance(self.due, Rewind)

    def alerted(self, event: Alerted) -> bool:
        """Takes an alert; returns True if it is about the learning rate."""
        if event.kind not in ("nan", "diverged"):
            return False
        self.snapshot_due = event.kind == "diverged"
        wanted = self._race.on_nan if event.kind == "nan" else self._race.on_divergence
        if wanted == "rewind" and self._rewinds < REWINDS:
            self.due = Rewind(lane=self._lane)
        elif event.kind == "diverged" and wanted in ("pause", "stop"):
            self.due = Pause(lane=self._lane) if wanted == "pause" else Stop(lane=self._lane)
        return True

    def take(self) -> tuple[AnyCommand | None, str]:
        """Removes the command due and returns it with a line for the log."""
        command, self.due, self.snapshot_due = self.due, None, False
        if isinstance(command, Rewind):
            self._rewinds += 1
            return command, f"rewinds with half the rate ({self._rewinds} of {REWINDS})"
        return command, f'on_divergence = "{self._race.on_divergence}"'

    def halved(self, factor: float) -> float:
        """The dial's factor after the rewind: half of the snapshot's, or of the previous rewind's
        if that is less."""
        self._factor = min(self._factor, factor) / 2
        return self._factor
