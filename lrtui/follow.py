"""Following a run, live or finished: polls its record, folds it, notices a crew that is gone. Knows no screen.

The plain lines and the screen both look at a run through this; replay, watching and racing are the same to them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from lrtui.core.commands import AnyCommand
from lrtui.core.errors import StoreUnavailable
from lrtui.core.events import AnyEvent, Ended
from lrtui.core.state import RaceState, apply
from lrtui.store.reader import Reader
from lrtui.store.rundir import CREW_LOG
from lrtui.store.writer import Writer

LOOK_S = 1.0
"""How often the crew is looked for."""


class Follower:
    """A run and what is known of it; `poll` brings it up to date."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.reader = Reader(run)
        self.race = self.reader.race
        self.state = RaceState(self.race)
        self.trouble = ""
        """Why the record may be behind the training, or ended too early; '' where nothing is wrong."""
        self._writer: Writer | None = None
        self._looked = time.monotonic()

    def poll(self, budget_s: float = 0.05) -> list[AnyEvent]:
        """The events since the last call (as many as fit the budget), which `state` now holds."""
        try:
            events = self.reader.poll(budget_s)
        except StoreUnavailable as error:
            self.trouble = error.message
            return []
        for event in events:
            apply(self.state, event)
        if events:
            self.trouble = ""  # the record goes on: whatever kept it is over
        if self.reader.caught_up and not self.state.over and time.monotonic() - self._looked > LOOK_S:
            self._looked = time.monotonic()
            events += self._look()
        return events

    def _look(self) -> list[AnyEvent]:
        """Looks whether the crew lives. A crew that is gone may have ended well since the record was read: it is read again."""
        abandoned, trouble = self._abandoned(), self.reader.trouble()
        try:
            events = self.reader.poll() if trouble else []
        except StoreUnavailable:
            return []
        self.trouble = "" if events else trouble
        if abandoned and not events:
            events = self._ends()
        for event in events:
            apply(self.state, event)
        return events

    @property
    def caught_up(self) -> bool:
        return self.reader.caught_up

    def send(self, commands: Iterable[AnyCommand]) -> None:
        """Files commands for the run's trainers; StoreUnavailable where that is not possible just now."""
        self._writer = self._writer or Writer(self.run, "viewer")
        for command in commands:
            self._writer.send(command)

    def close(self) -> None:
        """Lets go of the database."""
        self.reader.close()
        if self._writer:
            self._writer.close()

    def _abandoned(self) -> bool:
        crew = self.reader.crew()
        return crew is not None and not crew.alive()

    def _ends(self) -> list[AnyEvent]:
        """The ends that nobody was left to record."""
        last = _last_lines(self.run / CREW_LOG)
        return [Ended(lane=lane.index, at=time.time(), step=lane.steps, reason="died", error=f"the crew has died\n{last}")
                for lane in self.state.lanes if not lane.over]


def _last_lines(path: Path, count: int = 5) -> str:
    try:
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])
    except OSError:
        return ""
