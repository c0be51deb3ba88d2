"""A race as lines on stdout: for people without a terminal (`--plain`) and for programs (`--json`).
Knows no screen.

`play` follows a run and hands its events to a writer of lines: `text_lines.py` writes text,
`json_lines.py` JSON Lines.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from lrtui.client.follower import Follower
from lrtui.core.protocol.events import AnyEvent
from lrtui.core.state.race_state import RaceState

POLL_S = 0.1


class LineWriter(Protocol):
    """A writer of a race's events, line by line."""

    def write(self, state: RaceState, event: AnyEvent) -> None:
        """One event, already applied to `state`."""

    def look(self, state: RaceState) -> None:
        """Events of a round are written: write what does not come as an event."""

    def tick(self, state: RaceState) -> None:
        """A second has passed."""

    def finish(self, follower: Follower) -> None:
        """The race is over."""


def play(follower: Follower, lines: LineWriter, leave: Callable[[], bool] = lambda: False) -> bool:
    """Write a run's events, following it while it is live; True at its end, False once `leave()` is
    true between two rounds."""
    ticked = time.monotonic()
    while True:
        for event in follower.poll(1.0):
            lines.write(follower.state, event)
        lines.look(follower.state)
        if time.monotonic() - ticked >= 1.0 and not follower.state.over:
            ticked = time.monotonic()
            lines.tick(follower.state)
        if follower.caught_up and follower.state.over:
            lines.finish(follower)
            return True
        if leave():
            return False
        if follower.caught_up:
            time.sleep(POLL_S)
