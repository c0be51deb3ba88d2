"""The learning rate to try after a race: between or beyond the rates raced. Pure."""

from __future__ import annotations

import math

from lrtui.core.diagnostics.verdicts import Verdict, altered, gauge_word, margin, verdict
from lrtui.core.numbers import rate
from lrtui.core.protocol.thresholds import HALF_WAY
from lrtui.core.scenario.spec import Lane
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.state.status import FAILED

SETTLED_FACTOR = 2.0
"""Rates within this factor are close enough: one between them is not worth a race."""
SMALL_RISE = 1.3
"""A rise by less than this factor is not worth a race either."""


def next_rate(winner: LaneState, state: RaceState) -> str:
    """Advice: a rate on the side that the winner's gauge points to, or a schedule if early and late
    gains differ."""
    own, word, gain, late = (
        winner.rate,
        gauge_word(winner),
        winner.findings.early_gain,
        winner.findings.gain,
    )
    if not winner.findings.moved:
        return _far_higher(winner, state)
    kin = sorted(
        {
            lane.rate
            for lane in state.lanes
            if _kin(lane.lane, winner.lane) and lane.status not in FAILED
        }
    )
    rank = kin.index(own)
    below, above = (
        (kin[rank - 1] if rank else None),
        (kin[rank + 1] if rank + 1 < len(kin) else None),
    )
    if verdict(winner, state) == Verdict("stalled", "floor"):
        return (
            f"Next: {rate(own, 3)} is settled, it is at the floor; try other seeds, optimizers and"
            " schedules at it."
        )
    if altered(winner):
        return (
            f"Next: race {rate(own, 3)} from the start; the winner came to it only at step"
            f" {winner.rates.since}."
        )
    if word in ("ok", "cold") and gain > HALF_WAY > late and winner.lane.schedule is None:
        return (
            f"Next: a schedule that begins at {rate(own, 3)} and comes down: its early steps had"
            f" headroom (step gain {gain:.2f}), its last ones overshot ({late:.2f})."
        )
    if word == "none":
        up, why = (
            above is None and below is not None,
            "the winner is at the edge of the rates raced",
        )
        if (above is None) == (below is None):
            return (
                f"Next: {rate(own, 3)} again, for longer: {_not_enough(winner)} to say on which"
                " side to look."
            )
    else:
        up = word == "cold" or (word == "ok" and gain > HALF_WAY)
        why = f"the winner's early step gain was {gain:.2f}: " + (
            "it was too cold"
            if word == "cold"
            else (
                "it was too hot"
                if word == "hot"
                else "there was headroom above"
                if up
                else "its steps went beyond the lowest point"
            )
        )
    other = above if up else below
    # A step at the lowest point of the parabola has a margin of 1: the rate may rise by so much,
    # and not beyond.
    most = (
        own * min(3.0, max(1.0 / margin(gain), 1.0))
        if up and word != "none" and margin(gain) > 0
        else own * 3
    )
    if other is None:
        return try_rate(most if up else own / 3, why)
    between = math.sqrt(own * other)
    if max(own, other) / min(own, other) < SETTLED_FACTOR or (
        up and min(most, between) / own < SMALL_RISE
    ):
        return (
            f"Next: {rate(own, 3)} is settled within a factor of {SETTLED_FACTOR:g}; try other"
            " seeds, optimizers and schedules at it."
        )
    return try_rate(
        min(most, between) if up else between, f"{why}, and {rate(other, 3)} was worse", own, other
    )


def _not_enough(lane: LaneState) -> str:
    return (
        "no step gain was measured" if lane.findings.unmeasured else "too few steps were measured"
    )


def _far_higher(winner: LaneState, state: RaceState) -> str:
    """Advice for a winner that has not moved: above every rate of its kind that was too low."""
    kin = [
        lane for lane in state.lanes if _kin(lane.lane, winner.lane) and lane.status not in FAILED
    ]
    lowest = max(lane.rate for lane in kin if not lane.findings.moved)
    above = min((lane.rate for lane in kin if lane.rate > lowest), default=None)
    if above is None:
        return try_rate(
            10 * lowest, "at none of the rates raced the steps were long enough to move the loss"
        )
    why = f"{rate(lowest, 3)} is too low to move the loss, and {rate(above, 3)} was worse"
    return try_rate(math.sqrt(lowest * above), why, lowest, above)


def _kin(one: Lane, other: Lane) -> bool:
    return one.optimizer == other.optimizer and one.schedule == other.schedule


def try_rate(value: float, why: str, *raced: float) -> str:
    """A rate of one digit, or of two if the one-digit rate is among those `raced`."""
    neat = float(f"{value:.1g}")
    return f"Next: try {rate(float(f'{value:.2g}') if neat in raced else neat, 3)}; {why}."
