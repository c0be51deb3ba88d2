"""What a person has chosen to see of a race, and the axes that all panes share. Pure; knows no widget."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from lrtui.core.state import LaneState, RaceState
from lrtui.tui.render.axis import Limits

HEADROOM = 10.0
"""The loss axis ends at most this far above the highest first loss: one exploding lane must not flatten the others."""


@dataclass
class RaceView:
    """The state of the screen that is not the state of the race."""

    chosen: int = 0
    enlarged: bool = False
    overlay: bool = False
    log: bool = True
    """Whether the person wants a logarithmic loss axis; it is linear all the same where a loss is zero or below."""
    loss_limits: Limits = field(default_factory=lambda: Limits.around(math.nan, math.nan, log=True))
    rate_limits: Limits = field(default_factory=lambda: Limits.around(math.nan, math.nan, log=True))

    forks: dict[int, list[int]] = field(default_factory=dict)
    """By a lane's index: the steps at which others were forked from it."""
    disk_share: float = math.nan
    """Bytes that the snapshots of one lane may take up."""

    def fit(self, state: RaceState) -> None:
        """Takes in what all panes share: the axes, which move rarely, who was forked from whom, the room on disk."""
        self.forks = {}
        for lane in state.lanes:
            if lane.parent is not None:
                self.forks.setdefault(lane.parent, []).append(lane.born)
        self.disk_share = state.race.snapshots.megabytes * 1e6 / len(state.lanes)
        self.loss_limits = _fitted(self.loss_limits, state.lanes, "loss", self.log, headroom=True)
        self.rate_limits = _fitted(self.rate_limits, state.lanes, "applied_lr", True, headroom=False)


def steps_shown(state: RaceState) -> int:
    """The length of the x axis in steps: the budget, so that it does not move."""
    return max(2, *(max(lane.total_steps, lane.steps) for lane in state.lanes))


def _fitted(old: Limits, lanes: list[LaneState], column: str, log: bool, headroom: bool) -> Limits:
    ranges = [lane.columns[column].finite_range() for lane in lanes if column in lane.columns]
    if column == "applied_lr":
        ranges += [lane.plan_range for lane in lanes]
    ranges = [found for found in ranges if math.isfinite(found.low)]
    if not ranges:
        return old.with_log(log)
    low, high = min(r.low for r in ranges), max(r.high for r in ranges)
    firsts = [abs(lane.first_loss) for lane in lanes if math.isfinite(lane.first_loss)]
    if headroom and firsts:
        high = max(min(high, HEADROOM * max(firsts)), low)
    if log and low <= 0:
        positive = [r.positive for r in ranges if math.isfinite(r.positive)]
        if column == "loss" or not positive:
            return old.with_log(False).fit(low, high)
        low = min(positive)  # a rate of zero is the bottom of a warmup, not a reason to lose the decades
    return old.with_log(log).fit(low, high)
