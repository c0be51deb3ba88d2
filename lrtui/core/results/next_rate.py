"""The learning rate to try after a race: between or beyond the rates raced. Pure."""

from __future__ import annotations

import math
from typing import NamedTuple

from lrtui.core.diagnostics.verdicts import Verdict, altered, gauge_word, margin, verdict
from lrtui.core.numbers import rate
from lrtui.core.protocol.thresholds import HALF_WAY
from lrtui.core.results.ranking import ranking_of
from lrtui.core.results.rate_chart import rate_names, settings_beside_rate
from lrtui.core.results.standings import race_standings
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.state.status import FAILED
from lrtui.core.text import one_line

SETTLED_FACTOR = 2.0
"""Rates within this factor are close enough: one between them is not worth a race."""
SMALL_RISE = 1.3
"""A rise by less than this factor is not worth a race either."""


class Advice(NamedTuple):
    """What to race next."""

    words: str
    """A sentence; "" of a script whose rates say nothing."""
    rate: float = math.nan
    """The rate to try; NaN if another rate is not what the race asks for."""


def next_rate(winner: LaneState, state: RaceState) -> str:
    """The advice in words; '' without any."""
    return advice(winner, state).words


def advice(winner: LaneState, state: RaceState) -> Advice:
    """Advice: a rate on the side that the winner's gauge points to, or a schedule if early and late
    gains differ; none of a script whose rates say nothing."""
    if not math.isfinite(winner.rate):
        return Advice("")
    if not winner.findings.moved:
        return _far_higher(winner, state)
    own, below, above = winner.rate, *_neighbours(winner, state)
    if found := _by_validation(winner, below, above, state):
        return found
    if words := _without_another_rate(winner, state):
        return Advice(words)
    if gauge_word(winner) == "none" and (above is None) == (below is None):
        if state.race.script:
            return _beside_the_better(winner, below, above, state)
        return Advice(
            f"Next: {rate(own, 3)} again, for longer: {_not_enough(winner)} to say on which side"
            " to look."
        )
    up, why = _direction(winner, below, above)
    other, most = above if up else below, _highest(winner) if up else own * 3
    if other is None:
        if up and most / own < SMALL_RISE:
            gain = winner.findings.early_gain
            return Advice(
                f"Next: {rate(own, 3)} is near the highest rate that helps (early step gain"
                f" {gain:.2f}); try other seeds, optimizers and schedules at it."
            )
        return _try(most if up else own / 3, why, own)
    between = math.sqrt(own * other)
    if max(own, other) / min(own, other) < SETTLED_FACTOR or (
        up and min(most, between) / own < SMALL_RISE
    ):
        return _settled(own)
    return _try(
        min(most, between) if up else between, f"{why}, and {rate(other, 3)} was worse", own, other
    )


def _neighbours(winner: LaneState, state: RaceState) -> tuple[float | None, float | None]:
    """The next lower and the next higher rate among the lanes of the same kind that did not
    fail."""
    rates = sorted({lane.rate for lane in _kin(winner, state) if math.isfinite(lane.rate)})
    rank = rates.index(winner.rate)
    return rates[rank - 1] if rank else None, rates[rank + 1] if rank + 1 < len(rates) else None


def _by_validation(
    winner: LaneState, below: float | None, above: float | None, state: RaceState
) -> Advice | None:
    """Advice where lanes are ranked by a validation metric, of which gauge and floor of the
    training loss say nothing: beyond the edge, or towards the better one of two neighbours; None
    where those of the training loss decide."""
    ranking = ranking_of(state.race, state.lanes)
    if not ranking.validates or altered(winner) or (below is None and above is None):
        return None
    if below is not None and above is not None:
        return _beside_the_better(winner, below, above, state)
    value, which = (winner.rate / 3, "lowest") if below is None else (winner.rate * 3, "highest")
    return _try(value, f"the best {one_line(ranking.metric)} is at the {which} rate raced")


def _beside_the_better(
    winner: LaneState, below: float | None, above: float | None, state: RaceState
) -> Advice:
    """Advice without a gauge: a rate between the winner's and the better one of its neighbours, or
    the higher one if that was too high; none without neighbours."""
    if below is None or above is None:
        return Advice("")

    table = race_standings(state)

    def best(rate: float) -> float:
        values = [table.ranking.signed(row.value) for row in table.rows if row.first.rate == rate]
        return min(filter(math.isfinite, values), default=math.inf)

    low, high = best(below), best(above)
    other = above if high < low or high == math.inf else below
    side = "higher" if other == above else "lower"
    why = (
        f"{rate(above, 3)} was too high, and {rate(below, 3)} slower"
        if high == math.inf
        else f"of the rates beside the winner's the {side} one, {rate(other, 3)}, came nearer"
    )
    if max(winner.rate, other) / min(winner.rate, other) < SETTLED_FACTOR:
        return _settled(winner.rate)
    return _try(math.sqrt(winner.rate * other), why, winner.rate, other)


def _settled(own: float) -> Advice:
    return Advice(
        f"Next: {rate(own, 3)} is settled within a factor of {SETTLED_FACTOR:g}; try other"
        " seeds, optimizers and schedules at it."
    )


def _without_another_rate(winner: LaneState, state: RaceState) -> str:
    """Advice that keeps the winner's rate; '' if another one is worth a race."""
    own, gain, late = winner.rate, winner.findings.early_gain, winner.findings.gain
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
    fits = gauge_word(winner) in ("ok", "cold") and winner.lane.schedule is None
    if fits and gain > HALF_WAY > late:
        return (
            f"Next: a schedule that begins at {rate(own, 3)} and comes down: its early steps had"
            f" headroom (step gain {gain:.2f}), its last ones overshot ({late:.2f})."
        )
    return ""


def _direction(winner: LaneState, below: float | None, above: float | None) -> tuple[bool, str]:
    """(True if a higher rate is worth a race, the reason)."""
    word, gain = gauge_word(winner), winner.findings.early_gain
    if word == "none":
        return above is None and below is not None, "the winner is at the edge of the rates raced"
    up = word == "cold" or (word == "ok" and gain > HALF_WAY)
    if word == "cold":
        reason = "it was too cold"
    elif word == "hot":
        reason = "it was too hot"
    else:
        reason = "there was headroom above" if up else "its steps went beyond the lowest point"
    return up, f"the winner's early step gain was {gain:.2f}: {reason}"


def _highest(winner: LaneState) -> float:
    """The highest rate to advise: a step at the lowest point of the parabola has a margin of 1, and
    the rate may rise by that factor only, at most threefold."""
    reach = margin(winner.findings.early_gain)
    if gauge_word(winner) != "none" and reach > 0:
        return winner.rate * min(3.0, max(1.0 / reach, 1.0))
    return winner.rate * 3


def _not_enough(lane: LaneState) -> str:
    return (
        "no step gain was measured" if lane.findings.unmeasured else "too few steps were measured"
    )


def _far_higher(winner: LaneState, state: RaceState) -> Advice:
    """Advice for a winner that has not moved: above every rate of its kind that was too low."""
    kin = _kin(winner, state)
    lowest = max(lane.rate for lane in kin if not lane.findings.moved)
    above = min((lane.rate for lane in kin if lane.rate > lowest), default=None)
    if above is None:
        return _try(
            10 * lowest, "at none of the rates raced the steps were long enough to move the loss"
        )
    why = f"{rate(lowest, 3)} is too low to move the loss, and {rate(above, 3)} was worse"
    return _try(math.sqrt(lowest * above), why, lowest, above)


def _kin(winner: LaneState, state: RaceState) -> list[LaneState]:
    """The lanes that differ from the winner in rate and seed alone, without those that failed."""
    names = rate_names(state.lanes)
    own = settings_beside_rate(winner, names)
    return [
        lane
        for lane in state.lanes
        if settings_beside_rate(lane, names) == own and lane.status not in FAILED
    ]


def try_rate(value: float, why: str) -> str:
    """Advice to try a rate of one digit."""
    return _try(value, why).words


def _try(value: float, why: str, *raced: float) -> Advice:
    """A rate of one digit, or of two if the one-digit rate is among those `raced`."""
    neat = float(f"{value:.1g}")
    found = float(f"{value:.2g}") if neat in raced else neat
    return Advice(f"Next: try {rate(found, 3)}; {why}.", found)
