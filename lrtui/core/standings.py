"""Who leads: the order of the lanes, best first, NaN last. Pure."""

from __future__ import annotations

import math
from typing import Any

from lrtui.core.events import plain
from lrtui.core.state import LaneState, RaceState

FAILED = ("error", "died")
"""Ends that say nothing about the learning rate."""


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


def result(state: RaceState) -> list[dict[str, Any]]:
    """One entry for each lane in standings order, as JSON can hold it."""
    return [{
        "letter": lane.lane.letter, "name": lane.lane.name, "status": lane.status, "verdict": lane.verdict,
        "steps": lane.steps, "smooth_loss": plain(lane.smooth.value), "first_loss": plain(lane.first_loss),
        "last_loss": plain(lane.last_loss), "best_loss": plain(lane.best_loss), "best_step": lane.best_step,
        "steps_per_second": plain(lane.steps_per_second),
    } for lane in standings(state)]
