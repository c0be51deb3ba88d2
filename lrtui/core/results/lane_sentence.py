"""One sentence about each lane at the end of a race, made from measured values alone. Pure."""

from __future__ import annotations

import math
import re

from lrtui.core.diagnostics import verdicts
from lrtui.core.numbers import loss, rate
from lrtui.core.protocol.thresholds import FIRST_GAIN, HOT, PEAK_RATIO
from lrtui.core.results.recipe_words import averaged_words, update_words
from lrtui.core.results.standings import standings, value_of
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.state.status import FAILED

RISEN = 1.1
"""A script's smoothed loss is told to have risen above this many times its first loss."""
LEVEL_RATIO = 1.05
"""Losses within 5 % of each other are called level: another seed may reverse them."""


def lane_sentence(lane: LaneState, state: RaceState) -> str:
    """One honest sentence about a lane, with the numbers that it rests on."""
    clause = bad_batch(lane, state) or _about(lane, verdicts.verdict(lane, state), state)
    more = [words for words in (update_words(lane), averaged_words(lane)) if words]
    return "; ".join([f"{lane_name(lane)}: {clause}{_against(lane, state)}", *more]) + "."


def bad_batch(lane: LaneState, state: RaceState) -> str:
    """The sentence for a batch whose loss is not finite at any rate, as shown by a lane that ended
    at the same step without having moved; else ''."""
    step = nan_step(lane)
    if not step or not any(
        nan_step(other) == step and not other.findings.moved for other in state.lanes
    ):
        return ""
    return (
        f"not finite at step {step}, as with a rate too low to change the loss: the batch is at"
        " fault, not the rate"
    )


def nan_step(lane: LaneState) -> int | None:
    """The step at which a lane's loss was first not finite; None if it never was."""
    if lane.ended and lane.status == "nan":
        return lane.ended.step
    return next((alert.step for alert in lane.alerts if alert.kind == "nan"), None)


def _unclipped(lane: LaneState, state: RaceState) -> str:
    """A hint if a lane of the same optimizer and rate is sound because its gradients are
    clipped."""
    if lane.lane.recipe.clips:
        return ""
    sound = [
        other
        for other in state.lanes
        if other.lane.recipe.clips
        and (other.lane.optimizer, other.rate) == (lane.lane.optimizer, lane.rate)
        and other.status not in FAILED
    ]
    return f" without clipping: {lane_name(sound[0])} has it and is sound" if sound else ""


def _about(lane: LaneState, verdict: verdicts.Verdict, state: RaceState) -> str:
    found, gain = lane.findings, _gain(lane)
    match verdict.word:
        case "nan":
            step = nan_step(lane)
            if step == 0:
                return "not finite at step 0, before any update: the rate has no part in it"
            return f"not finite at step {step}; the rate is far too high{_unclipped(lane, state)}"
        case "diverged":
            step = next(alert.step for alert in lane.alerts if alert.kind == "diverged")
            return f"diverged at step {step}; the rate is too high{_unclipped(lane, state)}"
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
            too_short = verdict.reason == "cold" and not found.settled
            return (
                f"less than 1 % gained since step {found.flat_since},"
                f" {_TOO_SHORT if too_short else _REASONS[verdict.reason]}"
            )
    if state.race.script and lane.status in FAILED:
        return "it ended in an error, which says nothing about its rate"
    if state.race.script:
        if not lane.steps:
            return "no optimizer step was seen"
        if lane.losses.best_step is None:
            return (
                "none of its losses was seen: the script gives them with run.loss() of lrtui.watch"
            )
        times = lane.losses.smooth.value / lane.columns["loss"].at(0)
        if times > RISEN:
            return f"its smoothed loss is {times:.3g} times its first one"
        return "nothing in its losses speaks against its rate"
    if verdicts.altered(lane):
        return f"no verdict on its rate, which it has had only since step {lane.rates.since}"
    if verdicts.warming(lane):
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
    return f"step gain {gain:.2f}, margin {verdicts.margin(gain):.2f} of 2"


def _against(lane: LaneState, state: RaceState) -> str:
    """The lane's last loss, compared with the best lane's."""
    if not math.isfinite(value_of(lane)):
        return ""
    best = standings(state)[0]
    word = "was interrupted" if lane.status == "interrupted" else "ended" if lane.over else "is"
    end = f"; it {word} at {loss(lane.losses.smooth.value)}"
    times = loss_ratio(lane.losses.smooth.value, best.losses.smooth.value)
    return end + (f", {times} the best lane's" if lane is not best and times else "")


def loss_ratio(larger: float, smaller: float) -> str:
    """The ratio of two losses in words; '' if it has no meaning (a loss of zero or below)."""
    if not smaller > 0 or not math.isfinite(larger):
        return ""
    ratio = larger / smaller
    return f"{ratio:.3g} times" if ratio >= LEVEL_RATIO else "level with"


def lane_name(lane: LaneState) -> str:
    """The lane's letter and name, with its rate unless the name has it."""
    name = lane.lane.called
    if lane.factor != 1.0 and math.isfinite(lane.rate):
        return f"{name} (dialled to {rate(lane.rate, 3)})"
    if not math.isfinite(lane.initial_rate):
        return name
    value = rate(lane.initial_rate, 3)
    return (
        name if re.search(rf"(?<![\w.]){re.escape(value)}(?![\w.])", name) else f"{name} ({value})"
    )
