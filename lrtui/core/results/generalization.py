"""How a lane's validation compares with its training: over-fitting, and a lead in the training loss
alone. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from lrtui.core.numbers import loss
from lrtui.core.results.ranking import (
    Ranking,
    best_evaluation,
    evaluations,
    is_nan,
    ranking_of,
    smoothed_after,
    value_at,
)
from lrtui.core.results.ranking_words import LEVEL_RATIO
from lrtui.core.results.seed_groups import SeedGroup
from lrtui.core.results.standings import Ranked, Standing, spread_of, value_of
from lrtui.core.scenario.spec import Race
from lrtui.core.state.lane_state import LaneState
from lrtui.core.state.status import UNRANKED
from lrtui.core.text import one_line

LEAST, NEWEST = 2, 3
"""Evaluations since the best one before a lane can be told to over-fit, and the newest ones whose
median counts: one odd evaluation is noise."""


def overfit_since(lane: LaneState, every: Sequence[LaneState], ranking: Ranking) -> int | None:
    """The steps done at a lane's best evaluation, if the metric has become worse since by more than
    a twentieth while the training loss has fallen; else None, as of a lane that is NaN or
    failed."""
    if lane.status in UNRANKED or is_nan(lane):
        return None
    best = best_evaluation(lane, every, ranking) if ranking.validates else None
    if best is None:
        return None
    step, value = best
    steps, values = evaluations(lane, every, ranking.metric)
    since = values[steps > step]
    if len(since) < LEAST:
        return None
    worse = ranking.signed(float(np.median(since[-NEWEST:]))) - ranking.signed(value)
    falls = lane.losses.smooth.value < smoothed_after(lane, every, step)
    return step if falls and worse > (LEVEL_RATIO - 1) * abs(value) else None


def validation(race: Race, lanes: Sequence[LaneState]) -> Ranking | None:
    """The ranking by what lanes are validated by: the race's own, or that by the validation loss;
    None without one."""
    own = ranking_of(race, lanes)
    if not own.validates:
        own = ranking_of(msgspec.structs.replace(race, rank_by="", best=""), lanes)
    return own if own.validates else None


def overfit_words(group: SeedGroup, every: Sequence[LaneState], ranking: Ranking) -> str:
    """How a lane, or how many of a group's seeds, over-fit, after "it ..."; '' if none does."""
    since = [overfit_since(lane, every, ranking) for lane in group.lanes]
    over = sorted(step for step in since if step is not None)
    if not over:
        return ""
    metric = one_line(ranking.metric)
    if len(since) > 1:
        steps = " to ".join(map(str, dict.fromkeys((over[0], over[-1]))))
        turned = "fallen" if ranking.maximize else "risen"
        return (
            f"over-fits in {len(over)} of {len(since)} seeds: {metric} has {turned} since step"
            f" {steps}, while the training loss fell"
        )
    best = best_evaluation(group.first, every, ranking)
    newest = value_at(group.first, every, ranking._replace(at="last"))
    first, turned = ("highest", "fallen") if ranking.maximize else ("lowest", "risen")
    return (
        f"over-fits: {metric} was {first} after {over[0]} steps"
        f" ({loss(best[1] if best else math.nan)}) and has {turned} to {loss(newest)} since, while"
        " the training loss fell"
    )


def leader_in_training(ranked: Ranked) -> Standing | None:
    """The row with the lowest training loss, if the first row is ahead of it by more than a
    twentieth; else None."""
    there = [row for row in ranked.rows if math.isfinite(row.value)]
    if not ranked.ranking.validates or len(there) < 2:
        return None
    found = min(there, key=training_loss)
    lead = there[0].value
    behind = ranked.ranking.signed(found.value) - ranked.ranking.signed(lead)
    return found if behind > (LEVEL_RATIO - 1) * abs(lead) else None


def training_loss(row: Standing) -> float:
    """The mean of a row's smoothed training losses; infinite without any."""
    mean = spread_of([value_of(lane) for lane in row.group.lanes]).mean
    return mean if math.isfinite(mean) else math.inf


def remarks(ranked: Ranked, every: Sequence[LaneState]) -> dict[int, tuple[str, ...]]:
    """A remark on each row whose validation contradicts its training loss, by the index of its
    first lane, the longest form first."""
    if not ranked.ranking.validates:
        return {}
    leader = leader_in_training(ranked)
    found: dict[int, tuple[str, ...]] = {}
    for row in ranked.rows:
        since = [overfit_since(lane, every, ranked.ranking) for lane in row.group.lanes]
        over = [step for step in since if step is not None]
        if over:
            some = "overfits" if len(since) == 1 else f"{len(over)} of {len(since)} overfit"
            found[row.first.index] = f"{some} since step {min(over)}", some, "overfit"
        elif row is leader:
            found[row.first.index] = "leads in training alone", "train 1st"
    return found
