"""One sentence about each lane at the end of a race, or about the lanes that differ in their seed
alone; made from measured values. Pure."""

from __future__ import annotations

import math

from lrtui.core.diagnostics import verdicts
from lrtui.core.numbers import loss
from lrtui.core.protocol.thresholds import FIRST_GAIN, HOT, PEAK_RATIO
from lrtui.core.results.generalization import overfit_words, validation
from lrtui.core.results.ranking_words import (
    compared,
    group_name,
    lane_name,
    left_out,
    metric_words,
    spread_words,
)
from lrtui.core.results.recipe_words import averaged_words, update_words
from lrtui.core.results.seed_groups import SeedGroup
from lrtui.core.results.standings import Ranked, Standing, race_standings, spread_of
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.state.status import FAILED
from lrtui.core.text import one_line

RISEN = 1.1
"""A script's smoothed loss is told to have risen above this many times its first loss."""


def lane_sentence(lane: LaneState, state: RaceState, table: Ranked | None = None) -> str:
    """One honest sentence about a lane, with the numbers that it rests on. `table`: the standings
    of the race, where they are known."""
    table = table or race_standings(state)
    row = next(row for row in table.rows if lane in row.group.lanes)
    at = row.group.lanes.index(lane)
    value = row.values[at]
    own = row._replace(group=SeedGroup((lane,)), values=(value,), spread=spread_of([value]))
    return group_sentence(row if len(row.group.lanes) == 1 else own, table, state)


def group_sentences(state: RaceState) -> list[str]:
    """A sentence about each row of the standings, best first."""
    table = race_standings(state)
    return [group_sentence(row, table, state) for row in table.rows]


def group_sentence(row: Standing, table: Ranked, state: RaceState) -> str:
    """One sentence about a row; of several seeds about those of the most frequent verdict."""
    lanes = row.group.lanes
    words = [verdicts.verdict(lane, state) for lane in lanes]
    usual = max(words, key=words.count)
    alike = [lane for lane, word in zip(lanes, words, strict=True) if word == usual]
    lane, whose = alike[0], group_name(row.group)
    if len(lanes) > 1:
        number = f"{len(alike)} of " if len(alike) < len(lanes) else ""
        whose += f", {number}{len(lanes)} seeds, such as {one_line(lane.lane.letter)}"
    more = [words for words in (update_words(lane), averaged_words(lane)) if words]
    ranking = validation(state.race, lanes)
    if ranking and (found := overfit_words(row.group, state.lanes, ranking)):
        more.insert(0, f"it {found}")
    gains = "a higher rate gains more" + (" in training loss" if table.ranking.validates else "")
    clause = bad_batch(lane, state) or _about(lane, usual, state, gains)
    return "; ".join([f"{whose}: {clause}{_end(row, table, state)}", *more]) + "."


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


def _about(lane: LaneState, verdict: verdicts.Verdict, state: RaceState, gains: str) -> str:
    """The findings about a lane, as a clause. `gains`: the effect of a higher rate on one that is
    too cold."""
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
            return f"too cold, the loss was a straight line along its steps ({gain}): {gains}"
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
                f" {f'{_TOO_SHORT}: {gains}' if too_short else _REASONS[verdict.reason]}"
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
_TOO_SHORT = "but its steps were too short to come to a floor"


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


def _end(row: Standing, table: Ranked, state: RaceState) -> str:
    """What a row came to, compared with the best one; and how it over-fits."""
    if not math.isfinite(row.value):
        left = ", ".join(left_out(row)) if len(row.group.lanes) > 1 else ""
        return f"; {left}" if left else ""
    lane, ranking, lead = row.first, table.ranking, table.rows[0]
    word = "was interrupted" if lane.status == "interrupted" else "ended" if lane.over else "is"
    value = "" if metric_words(ranking) == "smoothed loss" else f"{metric_words(ranking)} "
    end = f"; it {word} at {value}{loss(row.value)}{spread_words(row)}"
    times = compared(row.value, lead.value, ranking)
    return end + (f", {times} the best lane's" if row.place > 1 and times else "")
