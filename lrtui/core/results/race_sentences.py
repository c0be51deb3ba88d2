"""The sentences about a race when it is over, made from measured values alone. Pure.

The outcome, the validation loss where it names another winner, the rate to try next, and lanes that
came out otherwise than the scenario expects.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from lrtui.core.diagnostics.verdicts import gauge_word, verdict
from lrtui.core.numbers import loss, ordinal
from lrtui.core.results.lane_sentence import LEVEL_RATIO, bad_batch, lane_name, loss_ratio, nan_step
from lrtui.core.results.next_rate import next_rate, try_rate
from lrtui.core.results.ranking import is_nan
from lrtui.core.results.recipe_words import averaged_words
from lrtui.core.results.standings import standings, value_of
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.state.status import FAILED


def race_sentences(state: RaceState) -> list[str]:
    """The outcome, the rate to try next, and unexpected results."""
    if state.race.script and len(state.lanes) == 1:
        return [_alone(state.lanes[0])]
    ranked = [lane for lane in standings(state) if math.isfinite(value_of(lane))]
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
            next_rate(winner, state),
        ]
    if _interrupted(state):
        return [
            f"{lane_name(winner)} is ahead: {_by_how_much(ranked)}.",
            *_on_validation(ranked),
            *_on_averaged(winner),
            _unfinished(state),
        ]
    return [
        f"{lane_name(winner)} won: {_by_how_much(ranked)}.",
        *_on_validation(ranked),
        *_on_averaged(winner),
        *filter(None, [next_rate(winner, state)]),
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


def _unfinished(state: RaceState) -> str:
    return "The race was interrupted" + ("." if state.race.script else ", and can be resumed.")


def _interrupted(state: RaceState) -> bool:
    return any(lane.status == "interrupted" for lane in state.lanes)


def _alone(lane: LaneState) -> str:
    """The end of a script that no other was compared with."""
    own = {"finished": "finished", "nan": "went NaN"} | dict.fromkeys(FAILED, "ended in an error")
    end = own.get(lane.status, f"was {lane.status}")
    known = math.isfinite(lane.losses.smooth.value)
    smooth = f"; its smoothed loss was {loss(lane.losses.smooth.value)}" if known else ""
    held = lane.metrics.get("val_loss", math.nan)
    validation = f", its last validation loss {loss(held)}" if math.isfinite(held) else ""
    steps = f"{lane.steps} step{'' if lane.steps == 1 else 's'}"
    return f"{lane_name(lane)} {end} after {steps}{smooth}{validation}."


def _by_how_much(ranked: list[LaneState]) -> str:
    first = f"smoothed loss {loss(ranked[0].losses.smooth.value)}"
    if len(ranked) == 1:
        return f"{first}, the only lane with one to show"
    second = ranked[1]
    times = loss_ratio(second.losses.smooth.value, ranked[0].losses.smooth.value)
    if times == "level with":
        return (
            f"{first}, but {lane_name(second)} is level with it ({loss(second.losses.smooth.value)}"
            "); another seed may turn them round"
        )
    return f"{first}; {lane_name(second)} is next" + (
        f" with {times} as much" if times else f" with {loss(second.losses.smooth.value)}"
    )


def _on_validation(ranked: list[LaneState]) -> Iterator[str]:
    """A sentence if the validation loss names another winner, by more than a twentieth."""
    held = {
        lane.index: value
        for lane in ranked
        if math.isfinite(value := lane.metrics.get("val_loss", math.nan))
    }
    if ranked[0].index not in held:
        return
    best = min((lane for lane in ranked if lane.index in held), key=lambda lane: held[lane.index])
    own, least = held[ranked[0].index], held[best.index]
    if best is not ranked[0] and least > 0 and own >= LEVEL_RATIO * least:
        yield (
            f"On the validation samples {lane_name(best)} is better: {loss(least)} beside the"
            f" winner's {loss(own)}."
        )


def _on_averaged(winner: LaneState) -> Iterator[str]:
    """A sentence if the winner has averaged weights too."""
    if words := averaged_words(winner):
        yield f"{lane_name(winner)}: {words}."


def _nobody(state: RaceState) -> str:
    ended = [lane for lane in state.lanes if is_nan(lane)]
    if _interrupted(state):
        return "Nobody is ahead: no lane has a loss to show. " + _unfinished(state)
    if ended and not any(lane.status in FAILED for lane in state.lanes):
        if all(nan_step(lane) == 0 for lane in ended):
            return (
                "Nobody won: the loss is not finite from the first step on, whatever the rate: look"
                f" at the {'script' if state.race.script else 'task'}."
            )
        if all(bad_batch(lane, state) for lane in ended):
            return "Nobody won: a batch gives no finite loss, whatever the rate: look at its data."
        rates = [lane.initial_rate for lane in ended if math.isfinite(lane.initial_rate)]
        advice = try_rate(min(rates) / 10, "a tenth of the lowest rate raced") if rates else ""
        return f"Nobody won: no loss stayed finite. {advice}".rstrip()
    return "Nobody won: no lane has a loss to show."


def _surprises(winner: LaneState, ranked: list[LaneState], state: RaceState) -> Iterator[str]:
    """Sentences about lanes that contradict the scenario's expectation, unless the user changed
    them."""
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
                times = loss_ratio(lane.losses.smooth.value, winner.losses.smooth.value)
                yield f"Not as often told: {lane_name(lane)} did not win" + (
                    f"; its loss is {times} the winner's." if times else "."
                )
            continue
        came = verdict(lane, state)
        found = came.word if came.word in ("nan", "diverged") else gauge_word(lane)
        if found not in (expected, "none") and not {found, expected} <= _BAD:
            place = ranked.index(lane) + 1 if lane in ranked else len(state.lanes)
            yield (
                f"Not as often told: {lane_name(lane)} was expected to be {_WORDS[expected]}; it"
                f" was {_WORDS[found]} and came {ordinal(place)} of {len(state.lanes)}."
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
    return loss_ratio(lane.losses.smooth.value, winner.losses.smooth.value) == "level with"
