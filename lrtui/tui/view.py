"""What a person has chosen to see of a race, and the axes that all panes share. Pure; knows no widget."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from lrtui.core.state import LaneState, RaceState
from lrtui.tui.render.axis import Limits

StageName = Literal["panes", "enlarged", "overlay", "filmstrip", "differences", "log", "console"]
"""What the room in the middle shows: all lanes' panes, the chosen lane's alone, or one thing about all of them."""

HEADROOM = 10.0
"""The loss axis ends at most this far above the highest first loss: one exploding lane must not flatten the others."""


@dataclass
class RaceView:
    """The state of the screen that is not the state of the race."""

    chosen: int = 0
    """The index of the lane that keys are about."""
    stage: StageName = "panes"
    quantity: str = "loss"
    """What the curves show: a name of `core.tracks.quantities`."""
    log: bool = True
    """Whether the person wants a logarithmic axis for it; it is linear all the same where a value is zero or below."""
    x_kind: str = "step"
    x_log: bool = False
    smoothing: float = 0.0
    """Weight of the debiased EMA; 0: none."""
    full_range: bool = False
    """Whether the y axis shows every value; else it leaves outliers out, but never the tail of a living lane."""
    zooms: list[tuple[float, float]] = field(default_factory=list)
    """Ranges of x in units of `x_kind`: the last one is shown, those before it are what Backspace goes back to; empty: all."""
    follow: bool = False
    """Whether a zoomed range moves with the newest step."""
    cursor: float | None = None
    """Where the crosshair stands, in units of `x_kind`; None: there is none."""
    order: str = "smoothed"
    """What the standings go by: an order of `core.standings`."""
    words: str = ""
    """The filter as it was typed."""
    pinned: set[int] = field(default_factory=set)
    solo: int | None = None
    """The only lane to be shown; None: all that match."""
    shown: list[int] = field(default_factory=list)
    """The lanes that are not hidden, in the order in which they are shown."""
    scroll: int = 0
    """Lines by which what is longer than the screen is scrolled."""
    loss_limits: Limits = field(default_factory=lambda: Limits.around(math.nan, math.nan, log=True))
    rate_limits: Limits = field(default_factory=lambda: Limits.around(math.nan, math.nan, log=True))

    forks: dict[int, list[int]] = field(default_factory=dict)
    """By a lane's index: the steps at which others were forked from it."""
    disk_share: float = math.nan
    """Bytes that the snapshots of one lane may take up."""

    def fit(self, state: RaceState) -> None:
        """Takes in what all panes share: the axes, which move rarely, who was forked from whom, the room on disk."""
        self.forks, self.shown = {}, list(range(len(state.lanes)))
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
