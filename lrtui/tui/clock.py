"""The time, and the pace of timers: a constructor argument, so that tests hold both still."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass
class Clock:
    """The system's clocks, and the periods of the race screen's timers."""

    poll_s: float = 0.1
    """Seconds between two polls of a run."""
    reply_s: float = 0.02
    """Seconds between two polls while the reply to a command is outstanding."""

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds of a clock that is never set."""
        return time.monotonic()
