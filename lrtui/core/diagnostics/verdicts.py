"""One word about a lane's learning rate, and why: from what the rules know of it and of the other
lanes. Pure."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np

from lrtui.core.protocol import thresholds
from lrtui.core.protocol.findings import GaugeWord
from lrtui.core.protocol.thresholds import early_steps
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.state.rates import is_applied
from lrtui.core.state.status import FAILED

Word = Literal["nan", "diverged", "hot", "ok", "cold", "stalled", "noisy", "none"]
"""From the worst to nothing to be said: "none" while too few steps have been measured."""


class Verdict(NamedTuple):
    """A word; `reason` of "stalled": "floor", "dead", "hot" or "cold", "" if unknown."""

    word: Word
    reason: str = ""

    def __str__(self) -> str:
        if self.word == "none":
            return ""
        return " ".join(
            filter(None, ("NaN" if self.word == "nan" else self.word.upper(), self.reason))
        )


def verdict(lane: LaneState, state: RaceState) -> Verdict:
    """The verdict on a lane, the first that applies of: NaN, diverged, the gauge's word while its
    early window is open; then stalled, noisy, and the gauge's word as it was when the window
    closed."""
    kinds = {alert.kind for alert in lane.alerts}
    found = lane.findings
    if "nan" in kinds:
        return Verdict("nan")
    if "diverged" in kinds and not found.recovered:
        return Verdict("diverged")
    if lane.status in FAILED:  # its end says more than that it stood still
        return Verdict(gauge_word(lane))
    if found.dead:
        return Verdict("stalled", "dead")
    # its losses are the batches' noise: no rule that looks at them can say anything
    if not found.moved:
        return Verdict(gauge_word(lane))
    if not found.early:
        if found.flat_since is not None:
            return Verdict("stalled", _why_stalled(lane, state))
        if _is_noisy(lane, state):
            return Verdict("noisy")
    return Verdict(gauge_word(lane))


def gauge_word(lane: LaneState) -> GaugeWord:
    """The early window's word on the lane's rate; "none" if a warmup had not raised the rate yet,
    or if the rate has changed since."""
    word = lane.findings.word
    return "none" if altered(lane) or (word == "cold" and warming(lane)) else word


def altered(lane: LaneState) -> bool:
    """True if most of the early window was spent at another rate, by the dial or as another
    lane."""
    return lane.rates.since > early_steps(lane.total_steps) // 2


def warming(lane: LaneState) -> bool:
    """True if no step of the early window had even half of the lane's rate in any param group."""
    early = early_steps(lane.total_steps)
    parts = [series.part(0, early) for name, series in lane.columns.items() if is_applied(name)]
    applied = np.concatenate([*parts, np.empty(0)])
    known = applied[np.isfinite(applied)]  # nothing was applied at a step that was refused
    return len(known) > 0 and bool(known.max() < lane.rate / 2)


def margin(gain: float) -> float:
    """The stability margin: rate times curvature along the step, 2 * (1 - gain). 0 is a straight
    line, 1 the lowest point, and above 2 the loss rises (Cohen et al. 2021, the edge of
    stability)."""
    return 2.0 * (1.0 - gain)


def _why_stalled(lane: LaneState, state: RaceState) -> str:
    own = lane.losses.smooth.value
    leader = min(
        (
            other
            for other in state.lanes
            if math.isfinite(other.losses.smooth.value) and other.status != "nan"
        ),
        key=lambda other: other.losses.smooth.value,
        default=lane,
    )
    lead = leader.losses.smooth.value
    if not lane.findings.settled and (lane is leader or own <= thresholds.AT_FLOOR * lead):
        if gauge_word(lane) == "cold" and lane.findings.gain > thresholds.COLD:
            return "cold"
        if gauge_word(lane) == "none":
            return ""
    if lane is leader or own <= thresholds.AT_FLOOR * lead > 0:
        return "floor"
    if lane.findings.gradient < thresholds.DEAD_GRADIENT and own > thresholds.DEAD_LOSS * lead:
        return "dead"
    if state.race.script:  # no step gain is measured, and other values may tell the lanes apart
        return ""
    if lane.lane.optimizer == leader.lane.optimizer and lane.rates.applied != leader.rates.applied:
        # the leader shows on which side the better rates are
        return "hot" if lane.rates.applied > leader.rates.applied else "cold"
    return "hot" if lane.findings.early_gain < thresholds.HALF_WAY else "cold"


def _is_noisy(lane: LaneState, state: RaceState) -> bool:
    """True if the loss oscillates far more than that of another lane on the same batches, and is
    not lower for it.

    A loss that is a hundred times lower oscillates more in proportion: only lower lanes are
    compared.
    """
    own = lane.findings
    calmest = min(
        (
            other.findings.median_change
            for other in state.lanes
            if other.losses.smooth.value < lane.losses.smooth.value
            and math.isfinite(other.findings.median_change)
        ),
        default=math.inf,
    )
    return (
        own.reversal_share >= thresholds.NOISY_TURNS
        and own.median_change > thresholds.NOISY_TIMES * calmest
    )
