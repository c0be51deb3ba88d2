"""The work that a supervisor assigns to a trainer. Knows no torch."""

from __future__ import annotations

from typing import Literal

import msgspec

from lrtui.core.protocol.events import RewindReason


class LaneAssignment(msgspec.Struct, frozen=True):
    """One lane for a trainer: where it runs and how it starts."""

    index: int
    device: str
    start: Literal["new", "last", "idle"] = "new"
    """new: from step 0. last: from its newest snapshot. idle: the lane has ended, and waits for a
    command that rewinds it."""
    resume_reason: RewindReason | None = None
    """The reason to resume from a snapshot; None for a fork, which begins there."""
    rate: float | None = None
    """The rate to apply first; None: that of the snapshot."""
    paused: bool = False
    forked_at: int = 0
    """Step at which the lane was forked: before it, only step 0 can be rewound to."""
    changes: tuple[tuple[int, float], ...] = ()
    """Changes of the dial in the record, (step, factor), to replay at the same steps."""
