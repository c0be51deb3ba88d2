"""The sentences about a race when it is over, made from measured values alone. Pure.

The outcome by the metric that lanes are ranked by, what another metric says, the rate to try next,
lanes that came out otherwise than the scenario expects, and with several seeds whether the first is
ahead of the second beyond their spread.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import msgspec

from lrtui.core.diagnostics.verdicts import gauge_word, verdict
from lrtui.core.numbers import loss, ordinal
from lrtui.core.results.generalization import (
    leader_in_training,
    overfit_words,
    training_loss,
    validation,
)
from lrtui.core.results.lane_sentence import bad_batch, nan_step
from lrtui.core.results.next_rate import next_rate, try_rate
from lrtui.core.results.ranking import is_nan, value_at
from lrtui.core.results.ranking_words import (
    LEVEL_RATIO,
    compared,
    group_name,
    lane_name,
    metric_words,
    missing_words,
    spread_words,
)
from lrtui.core.results.recipe_words import averaged_words
from lrtui.core.results.seed_comparison import seeds_sentence
from lrtui.core.results.seed_groups import seed_groups
from lrtui.core.results.standings import Ranked, Standing, race_standings, ranked
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.state.status import FAILED
from lrtui.core.text import one_line

Rows = Sequence[Standing]


def race_sentences(state: RaceState) -> list[str]:
    """The outcome, the rate to try next, unexpected results, and what the seeds tell."""
    if state.race.script and len(state.lanes) == 1:
        return [_alone(state)]
    table = race_standings(state)
    rows = [row for row in table.rows if math.isfinite(row.value)]
    missing = missing_words(state, table.ranking)
    if not rows:
        return [*filter(None, [_nobody(state), missing])]
    if all(map(_dead, rows)):
        still = not any(lane.losses.smooth.value for row in rows for lane in row.group.lanes)
        return [_NOTHING_TO_LEARN if still else _DEAD]
    rows = [row for row in rows if not _dead(row)]
    winner, name = rows[0].first, group_name(rows[0].group)
    by_how_much = _by_how_much(rows, table)
    if not _interrupted(state) and not any(
        lane.findings.moved for row in rows for lane in row.group.lanes
    ):
        return [
            (
                "Nobody won: no lane moved, the differences between them are noise of the batches"
                f" ({by_how_much})."
            ),
            next_rate(winner, state),
        ]
    also = [
        *filter(None, [missing]),
        *_unsteady(rows, table),
        *_over_fitting(rows, state, table),
        *_on_validation(rows, state, table),
        *_on_averaged(winner),
    ]
    seeds = seeds_sentence(rows, table.ranking)
    if _interrupted(state):
        return [f"{name} is ahead: {by_how_much}.", *also, _unfinished(state), *seeds]
    return [
        f"{name} won: {by_how_much}.",
        *also,
        *filter(None, [next_rate(winner, state)]),
        *_surprises(rows, table, state),
        *seeds,
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


def _alone(state: RaceState) -> str:
    """The end of a script that no other was compared with."""
    lane = state.lanes[0]
    own = {"finished": "finished", "nan": "went NaN"} | dict.fromkeys(FAILED, "ended in an error")
    end = own.get(lane.status, f"was {lane.status}")
    known = math.isfinite(lane.losses.smooth.value)
    smooth = f"; its smoothed loss was {loss(lane.losses.smooth.value)}" if known else ""
    held = validation(state.race, state.lanes)
    last = value_at(lane, state.lanes, held._replace(at="last")) if held else math.nan
    told = f", its last {held.metric} {loss(last)}" if held and math.isfinite(last) else ""
    steps = f"{lane.steps} step{'' if lane.steps == 1 else 's'}"
    return f"{lane_name(lane)} {end} after {steps}{smooth}{told}."


def _dead(row: Standing) -> bool:
    return all(lane.findings.dead for lane in row.group.lanes)


def _by_how_much(rows: Rows, table: Ranked) -> str:
    words, lead = metric_words(table.ranking, table.step), rows[0]
    first = f"{words} {loss(lead.value)}{spread_words(lead)}"
    if len(rows) == 1:
        return f"{first}, the only lane with one to show"
    second, name = rows[1], group_name(rows[1].group)
    times = compared(second.value, lead.value, table.ranking)
    value = f"{loss(second.value)}{spread_words(second)}"
    if len(lead.group.lanes) > 1 or len(second.group.lanes) > 1:
        return f"{first}; {name} is next with {value}"
    if times == "level with":
        return f"{first}, but {name} is level with it ({value}); another seed may turn them round"
    return f"{first}; {name} is next with {f'{times} as much' if times else value}"


def _unsteady(rows: Rows, table: Ranked) -> Iterator[str]:
    """A sentence about a row that is better than the first in the seeds that stayed finite."""
    signed = table.ranking.signed
    for row in rows[1:]:
        if row.nan > rows[0].nan and signed(row.value) < signed(rows[0].value):
            yield (
                f"{group_name(row.group)} is better in the seeds that stayed finite"
                f" ({loss(row.value)}), but {row.nan} of {len(row.group.lanes)} went NaN: it is"
                " placed behind."
            )


def _over_fitting(rows: Rows, state: RaceState, table: Ranked) -> Iterator[str]:
    """Sentences about the lane that leads in the training loss alone, and about a winner whose
    best evaluation is behind it."""
    if not table.ranking.validates:
        return
    leader, ranking = leader_in_training(table), table.ranking
    if leader and training_loss(leader) * LEVEL_RATIO < training_loss(rows[0]):
        found = overfit_words(leader.group, state.lanes, ranking)
        why = f"it {found}" if found else f"its {metric_words(ranking)} is {loss(leader.value)}"
        own, best = loss(training_loss(leader)), loss(training_loss(rows[0]))
        yield (
            f"{group_name(leader.group)} leads in training loss only ({own} beside the winner's"
            f" {best}): {why}."
        )
    if found := overfit_words(rows[0].group, state.lanes, ranking):
        yield f"{group_name(rows[0].group)}, the first, {found}."


def _on_validation(rows: Rows, state: RaceState, table: Ranked) -> Iterator[str]:
    """A sentence if lanes are ranked by the training loss and the validation loss names another
    winner, by more than a twentieth."""
    ranking = None if table.ranking.validates else validation(state.race, state.lanes)
    if ranking is None:
        return
    race = msgspec.structs.replace(state.race, rank_by=ranking.metric, best="")
    places = {row.group.first.index for row in rows}
    held = {
        row.group.first.index: row
        for row in ranked(seed_groups(state.lanes), race, state.lanes, "last").rows
        if math.isfinite(row.value) and row.group.first.index in places
    }
    own, best = held.get(rows[0].group.first.index), next(iter(held.values()), None)
    if own and best and best is not own and 0 < LEVEL_RATIO * best.value <= own.value:
        yield (
            f"On the validation samples {group_name(best.group)} is better: {loss(best.value)}"
            f" beside the winner's {loss(own.value)}."
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


def _surprises(rows: Rows, table: Ranked, state: RaceState) -> Iterator[str]:
    """Sentences about lanes that contradict the scenario's expectation, unless the user changed
    them."""
    winner = rows[0]
    for row in sorted(table.rows, key=lambda row: row.first.index):
        lane, expected = row.first, row.first.lane.expect
        if (
            not expected
            or lane.status in FAILED
            or lane.modified
            or (expected == "wins" and winner.first.modified)
        ):
            continue
        if expected == "wins":
            times = compared(row.value, winner.value, table.ranking)
            if row is not winner and times != "level with":
                its = one_line(table.ranking.metric)
                yield f"Not as often told: {group_name(row.group)} did not win" + (
                    f"; its {its} is {times} the winner's." if times else "."
                )
            continue
        came = verdict(lane, state)
        found = came.word if came.word in ("nan", "diverged") else gauge_word(lane)
        if found not in (expected, "none") and not {found, expected} <= _BAD:
            place = rows.index(row) + 1 if row in rows else len(table.rows)
            yield (
                f"Not as often told: {group_name(row.group)} was expected to be"
                f" {_WORDS[expected]}; it was {_WORDS[found]} and came {ordinal(place)} of"
                f" {len(table.rows)}."
            )


_BAD = {"nan", "diverged", "hot"}
_WORDS = {
    "nan": "NaN",
    "diverged": "diverging",
    "hot": "too hot",
    "ok": "about right",
    "cold": "too cold",
}
