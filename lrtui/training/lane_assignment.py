"""What a supervisor tells a trainer of its lanes. Knows no torch."""

from __future__ import annotations

from typing import Literal

import msgspec

from lrtui.core.protocol.events import RewindReason


class LaneAssignment(msgspec.Struct, frozen=True):
    """What a trainer is told of one of its lanes."""

    index: int
    device: str
    start: Literal["new", "last", "asleep"] = "new"
    """new: from step 0. last: from its newest snapshot. asleep: it has ended, and waits for the
    command that wakes it."""
    why: RewindReason | None = None
    """Why it goes on from a snapshot; None where it is a fork, which begins there."""
    rate: float | None = None
    """The rate to apply first; None: what the snapshot says."""
    paused: bool = False
    forked_at: int = 0
    """The step at which it was forked: there is no way back to before it, but to the initial
    weights."""
    changes: tuple[tuple[int, float], ...] = ()
    """(step, factor): turns of the dial that are on record and are to be made again at the same
    step."""
