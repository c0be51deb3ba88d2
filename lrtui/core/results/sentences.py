"""What is said of a race when it is over, made from what was measured and from nothing else. Pure.

A sentence for each lane, and for the race: which rate won and by how much, which rate to try next,
and where the outcome is not what the scenario led one to expect.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from lrtui.core.diagnostics.verdicts import Verdict, altered, gauge_word, margin, verdict, warming
from lrtui.core.numbers import loss, rate
from lrtui.core.protocol.thresholds import FIRST_GAIN, HALF_WAY, HOT, PEAK_RATIO
from lrtui.core.results.standings import standings
from lrtui.core.scenario.spec import Lane
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.state.status import FAILED, UNRANKED

LEVEL = 1.05
"""Two losses within 5 % of each other are called level: another seed may turn them round."""
CLOSE = 2.0
"""Rates within a factor of two are close enough: what is between them is not worth a race."""
SMALL = 1.3
"""A rise by less than this is not worth one either."""


def lane_sentence(lane: LaneState, state: RaceState) -> str:
    """One honest sentence about a lane, with the numbers that it rests on."""
    said = _bad_batch(lane, state) or _about(lane, verdict(lane, state))
    return f"{_name(lane)}: {said}{_against(lane, state)}."


def race_sentences(state: RaceState) -> list[str]:
    """The outcome, the rate to try next, and what was not as expected."""
    ranked = [
        lane
        for lane in standings(state)
        if lane.status not in UNRANKED and math.isfinite(lane.losses.smooth.value)
    ]
    if not ranked:
        return [_nobody(state)]
    if all(lane.findings.dead for lane in ranked):
        return [
            _NOTHING_TO_LEARN if not any(lane.losses.smooth.value for lane in ranked) else _DEAD
        ]
    ranked = [lane for lane in ranked if not lane.findings.dead]
    winner = ranked[0]
    if not any(lane.findings.moved for lane in ranked) and not _interrupted(state):
        return [
            (
                "Nobody won: no lane moved, the differences between them are noise of the batches"
                f" ({_by_how_much(ranked)})."
            ),
            _next_rate(winner, state),
        ]
    if _interrupted(state):
        return [
            f"{_name(winner)} is ahead: {_by_how_much(ranked)}.",
            *_on_validation(ranked),
            _UNFINISHED,
        ]
    return [
        f"{_name(winner)} won: {_by_how_much(ranked)}.",
        *_on_validation(ranked),
        _next_rate(winner, state),
        *_surprises(winner, ranked, state),
    ]


_DEAD = (
    "Nobody won: every gradient was exactly zero, in every lane, and no rate can change that. "
    "Look at the model: a ReLU after the last layer, a detached output, saturated units."
)
_NOTHING_TO_LEARN = (
    "Nobody won: the loss was exactly 0 in every lane from the first step on, and there is nothing"
    " to learn."
)
_UNFINISHED = "The race was interrupted, and can be resumed."


def _interrupted(state: RaceState) -> bool:
    return any(lane.status == "interrupted" for lane in state.lanes)


def _bad_batch(lane: LaneState, state: RaceState) -> str:
    """That a lane's batch was not finite whatever the rate, as a lane shows that ended there
    without having moved; else ''."""
    step = _nan_step(lane)
    if not step or not any(
        _nan_step(other) == step and not other.findings.moved for other in state.lanes
    ):
        return ""
    return (
        f"not finite at step {step}, as with a rate too low to change the loss: the batch is at"
        " fault, not the rate"
    )


def _nan_step(lane: LaneState) -> int | None:
    return lane.ended.step if lane.ended and lane.status == "nan" else None


def _about(lane: LaneState, said: Verdict) -> str:
    found, gain = lane.findings, _gain(lane)
    match said.word:
        case "nan":
            step = lane.ended.step if lane.ended else lane.steps
            if step == 0:
                return "not finite at step 0, before any update: the rate has no part in it"
            return f"not finite at step {step}; the rate is far too high"
        case "diverged":
            step = next(alert.step for alert in lane.alerts if alert.kind == "diverged")
            return f"diverged at step {step}; the rate is too high"
        case "hot":
            return f"too hot, {_why_hot(lane)}"
        case "cold" if not found.moved:
            return (
                "far too cold: all its steps together would change the loss by less than a"
                " twentieth"
            )
        case "cold":
            return (
                f"too cold, the loss was a straight line along its steps ({gain}): a higher rate"
                " gains more"
            )
        case "ok":
            return f"about right early on ({gain})"
        case "noisy":
            return (
                f"shaking: {found.reversal_share:.0%} of its changes turned back, each"
                f" {found.median_change:.0%} of the loss"
            )
        case "stalled" if found.dead:
            return "it cannot learn: every gradient was exactly zero"
        case "stalled":
            too_short = said.reason == "cold" and not found.settled
            return (
                f"less than 1 % gained since step {found.flat_since},"
                f" {_TOO_SHORT if too_short else _REASONS[said.reason]}"
            )
    if altered(lane):
        return f"no verdict on its rate, which it has had only since step {lane.rates.since}"
    if warming(lane):
        return "no verdict on its rate, which was still warming up in the early window"
    if found.unmeasured:
        return (
            "no verdict on its rate: the loss could not be computed twice to measure its step"
            f" gain: {found.unmeasured}"
        )
    return "too few steps were measured for a verdict"


_REASONS = {
    "floor": "and it is at the floor: no lane is lower by more than a twentieth",
    "dead": "and it is dead: hardly any gradient passes through it any more",
    "hot": "above the best lane, and its steps are the longer ones",
    "cold": "above the best lane, and its steps are the shorter ones",
    "": "and whether that is the floor or the rate is not known: no step gain was measured",
}
_TOO_SHORT = "but its steps were too short to come to a floor: a higher rate gains more"


def _why_hot(lane: LaneState) -> str:
    found = lane.findings
    if found.early_gain < HOT:
        return f"its early steps overshot ({_gain(lane)})"
    if found.peak > PEAK_RATIO:
        return f"it was thrown up to {found.peak:.3g} times its start and did not come back in time"
    if found.first_gain < FIRST_GAIN:
        return (
            f"its first step overshot (step gain {found.first_gain:.2f}) and it did not come back"
            " in time"
        )
    return f"its early steps led nowhere: the loss was still at {found.progress:.0%} of its start"


def _gain(lane: LaneState) -> str:
    gain = lane.findings.early_gain
    return f"step gain {gain:.2f}, margin {margin(gain):.2f} of 2"


def _against(lane: LaneState, state: RaceState) -> str:
    """Where it ended, beside the best lane."""
    if lane.status in UNRANKED or not math.isfinite(lane.losses.smooth.value):
        return ""
    best = standings(state)[0]
    word = "was interrupted" if lane.status == "interrupted" else "ended" if lane.over else "is"
    end = f"; it {word} at {loss(lane.losses.smooth.value)}"
    times = _times(lane.losses.smooth.value, best.losses.smooth.value)
    return end + (f", {times} the best lane's" if lane is not best and times else "")


def _times(larger: float, smaller: float) -> str:
    """How many times, '' where that means nothing (a loss of zero or below)."""
    if not smaller > 0 or not math.isfinite(larger):
        return ""
    ratio = larger / smaller
    return f"{ratio:.3g} times" if ratio >= LEVEL else "level with"


def _by_how_much(ranked: list[LaneState]) -> str:
    first = f"smoothed loss {loss(ranked[0].losses.smooth.value)}"
    if len(ranked) == 1:
        return f"{first}, the only lane with one to show"
    second = ranked[1]
    times = _times(second.losses.smooth.value, ranked[0].losses.smooth.value)
    if times == "level with":
        return (
            f"{first}, but {_name(second)} is level with it ({loss(second.losses.smooth.value)});"
            " another seed may turn them round"
        )
    return f"{first}; {_name(second)} is next" + (
        f" with {times} as much" if times else f" with {loss(second.losses.smooth.value)}"
    )


def _on_validation(ranked: list[LaneState]) -> Iterator[str]:
    """Where the validation loss names another winner, by more than a twentieth."""
    held = {
        lane.index: last.metrics["val_loss"]
        for lane in ranked
        if (last := lane.evaluations.last) and math.isfinite(last.metrics.get("val_loss", math.nan))
    }
    if ranked[0].index not in held:
        return
    best = min((lane for lane in ranked if lane.index in held), key=lambda lane: held[lane.index])
    own, least = held[ranked[0].index], held[best.index]
    if best is not ranked[0] and least > 0 and own >= LEVEL * least:
        yield (
            f"On the validation samples {_name(best)} is better: {loss(least)} beside the winner's"
            f" {loss(own)}."
        )


def _next_rate(winner: LaneState, state: RaceState) -> str:
    """What to try next: a rate on the side that the winner's gauge points to, or a schedule where
    early and late differ."""
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
    place = kin.index(own)
    below, above = (
        (kin[place - 1] if place else None),
        (kin[place + 1] if place + 1 < len(kin) else None),
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
        return _try(most if up else own / 3, why)
    between = math.sqrt(own * other)
    if max(own, other) / min(own, other) < CLOSE or (up and min(most, between) / own < SMALL):
        return (
            f"Next: {rate(own, 3)} is settled within a factor of {CLOSE:g}; try other seeds,"
            " optimizers and schedules at it."
        )
    return _try(
        min(most, between) if up else between, f"{why}, and {rate(other, 3)} was worse", own, other
    )


def _not_enough(lane: LaneState) -> str:
    return (
        "no step gain was measured" if lane.findings.unmeasured else "too few steps were measured"
    )


def _far_higher(winner: LaneState, state: RaceState) -> str:
    """Advice where the winner has not moved: above every rate of its kind that was too low to
    move."""
    kin = [
        lane for lane in state.lanes if _kin(lane.lane, winner.lane) and lane.status not in FAILED
    ]
    lowest = max(lane.rate for lane in kin if not lane.findings.moved)
    above = min((lane.rate for lane in kin if lane.rate > lowest), default=None)
    if above is None:
        return _try(
            10 * lowest, "at none of the rates raced the steps were long enough to move the loss"
        )
    why = f"{rate(lowest, 3)} is too low to move the loss, and {rate(above, 3)} was worse"
    return _try(math.sqrt(lowest * above), why, lowest, above)


def _kin(one: Lane, other: Lane) -> bool:
    return one.optimizer == other.optimizer and one.schedule == other.schedule


def _try(value: float, why: str, *raced: float) -> str:
    """A rate of one digit, or of two where that is one of those `raced`."""
    neat = float(f"{value:.1g}")
    return f"Next: try {rate(float(f'{value:.2g}') if neat in raced else neat, 3)}; {why}."


def _nobody(state: RaceState) -> str:
    ended = [lane for lane in state.lanes if lane.status == "nan"]
    if _interrupted(state):
        return "Nobody is ahead: no lane has a loss to show. " + _UNFINISHED
    if ended and not any(lane.status in FAILED for lane in state.lanes):
        if all(lane.ended and lane.ended.step == 0 for lane in ended):
            return (
                "Nobody won: the loss is not finite from the first step on, whatever the rate: look"
                " at the task."
            )
        if all(_bad_batch(lane, state) for lane in ended):
            return "Nobody won: a batch gives no finite loss, whatever the rate: look at its data."
        lowest = min(lane.lane.lr for lane in ended)
        return "Nobody won: no loss stayed finite. " + _try(
            lowest / 10, "a tenth of the lowest rate raced"
        )
    return "Nobody won: no lane has a loss to show."


def _surprises(winner: LaneState, ranked: list[LaneState], state: RaceState) -> Iterator[str]:
    """Where it came out otherwise than the scenario's lanes were expected to, as long as no hand
    was laid on them."""
    for lane in state.lanes:
        expected = lane.lane.expect
        if (
            not expected
            or lane.status in FAILED
            or lane.modified
            or (expected == "wins" and winner.modified)
        ):
            continue
        if expected == "wins":
            if lane is not winner and not _level(lane, winner):
                times = _times(lane.losses.smooth.value, winner.losses.smooth.value)
                yield f"Not as often told: {_name(lane)} did not win" + (
                    f"; its loss is {times} the winner's." if times else "."
                )
            continue
        came = verdict(lane, state)
        found = came.word if came.word in ("nan", "diverged") else gauge_word(lane)
        if found not in (expected, "none") and not {found, expected} <= _BAD:
            place = ranked.index(lane) + 1 if lane in ranked else len(state.lanes)
            yield (
                f"Not as often told: {_name(lane)} was expected to be {_WORDS[expected]}; it was"
                f" {_WORDS[found]} and came {_ordinal(place)} of {len(state.lanes)}."
            )


_BAD = {"nan", "diverged", "hot"}
_WORDS = {
    "nan": "NaN",
    "diverged": "diverging",
    "hot": "too hot",
    "ok": "about right",
    "cold": "too cold",
}


def _level(lane: LaneState, winner: LaneState) -> bool:
    return _times(lane.losses.smooth.value, winner.losses.smooth.value) == "level with"


def _ordinal(place: int) -> str:
    ending = place % 100 if place % 100 < 20 else place % 10
    return f"{place}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(ending, 'th') }"


def _name(lane: LaneState) -> str:
    """The lane with its rate, where the name does not say it."""
    name = lane.lane.called
    if lane.factor != 1.0:
        return f"{name} (dialled to {rate(lane.rate, 3)})"
    value = rate(lane.lane.lr, 3)
    return (
        name if re.search(rf"(?<![\w.]){re.escape(value)}(?![\w.])", name) else f"{name} ({value})"
    )
