"""Who leads: the order of the lanes, best first, NaN last. Pure."""

from __future__ import annotations

import math

from lrtui.core.state import LaneState, RaceState

FAILED = ("error", "died")
"""Ends that say nothing about the learning rate."""
UNFINISHED = ("interrupted", "died")
"""Ends from which a lane can be taken up again without being told to go back."""


def standings(state: RaceState) -> list[LaneState]:
    """The lanes by smoothed training loss (EMA 0.9, debiased), lowest first.

    Lanes without a finite loss to show for come last: those that failed, then those whose loss is NaN.
    Equal lanes keep their order.
    """
    return sorted(state.lanes, key=_rank)


def _rank(lane: LaneState) -> tuple[int, float]:
    if lane.status == "nan":
        return 3, -lane.steps  # the one that lasted longest first
    if lane.status in FAILED:
        return 2, -lane.steps
    value = lane.smooth.value
    return (0, value) if math.isfinite(value) else (1, 0.0)
