"""Decides when the race screen polls its run and what it draws. Counts polls; knows no widget and
reads no clock."""

from __future__ import annotations

from typing import Literal

USUAL_FPS = 10
"""Frames per second to which the counts of polls below refer."""
FIGURES_EVERY = 5
"""Polls between two redraws of text figures (about 2 per second), to save bytes over SSH. In
between, curves are redrawn once they have grown by a dot; news redraws everything."""
CATCH_UP_EVERY = 5
"""Polls between two redraws while a long record is read in pieces."""

Parts = Literal["nothing", "curves", "everything"]


class RedrawPolicy:
    """Polls so far, and what they left to draw."""

    def __init__(self, fps: int = USUAL_FPS) -> None:
        """`fps`: polls, and at most frames, per second."""
        self.slowdown = USUAL_FPS / fps
        """Usual polls per actual poll."""
        self.polls = 0
        self._moved = True
        """True if a curve had grown by a dot at the last poll."""
        self._skipped = False
        """True if the last beat was skipped."""
        self._owed = False
        """True if the next frame draws everything."""

    def beat(self) -> bool:
        """True if this beat polls. Every other one is skipped while curves grow by less than a dot
        per poll, unless the user set a low frame rate anyway."""
        self._skipped = self.slowdown <= 1 and not self._moved and not self._skipped
        return not self._skipped

    def every(self, usual_polls: int, first: int = 0) -> bool:
        """True once per `usual_polls` polls at USUAL_FPS, beginning with poll `first`; as often in
        time at any frame rate."""
        period = self._period(usual_polls)
        return self.polls % period == first % period

    def interval(self, usual_polls: int) -> int:
        """The number of the current interval of `usual_polls` polls at USUAL_FPS."""
        return self.polls // self._period(usual_polls)

    def _period(self, usual_polls: int) -> int:
        return max(1, round(usual_polls / self.slowdown))

    def parts(self, *, news: bool, moved: bool, behind: bool, resting: bool) -> Parts:
        """The parts to draw after a poll.

        `news`: events that are shown at once; `moved`: a curve grew by a dot; `behind`: the record
        is not read to its end yet; `resting`: the terminal is slow.
        """
        self._owed = self._owed or news or self.every(FIGURES_EVERY)
        self._moved = moved
        if resting or (behind and self.polls % CATCH_UP_EVERY != 1):
            return "nothing"
        if self._owed:
            self._owed = False
            return "everything"
        return "curves" if moved else "nothing"
