"""What a race wants done about a lane's alerts, and how often. Knows no torch."""

from __future__ import annotations

import math

from lrtui.core.protocol.commands import AnyCommand, Pause, Rewind, Stop
from lrtui.core.protocol.events import Alerted
from lrtui.core.scenario.spec import Race

REWINDS = 3
"""How often a policy sends a lane back, each time with half the rate of the time before."""


class Policy:
    """For one lane: `due` is what is to be done at its next break."""

    def __init__(self, race: Race, lane: int) -> None:
        self.due: AnyCommand | None = None
        self.snapshot_due = False
        """Whether the state at the alert is to be kept; after NaN there is none to go on from."""
        self._race = race
        self._lane = lane
        self._rewinds = 0
        self._factor = math.inf

    @property
    def revives(self) -> bool:
        """Whether what is due brings a lane back that would have ended."""
        return isinstance(self.due, Rewind)

    def alerted(self, event: Alerted) -> bool:
        """Takes an alert; whether it is one about the learning rate."""
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
        """What is due, once, and a line for the log."""
        command, self.due, self.snapshot_due = self.due, None, False
        if isinstance(command, Rewind):
            self._rewinds += 1
            return command, f"goes back, with half the rate ({self._rewinds} of {REWINDS})"
        return command, f'on_divergence = "{self._race.on_divergence}"'

    def halved(self, factor: float) -> float:
        """Where the dial is to stand after the way back that was taken: half of what the snapshot
        says, or of what it was put at the time before, if that is less."""
        self._factor = min(self._factor, factor) / 2
        return self._factor
