"""How a lane's validation compares with its training: over-fitting, and a lead in the training loss
alone. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lrtui.core.results.lane_sentence import LEVEL_RATIO
from lrtui.core.results.ranking import Ranking, best_evaluation, evaluations, smoothed_after
from lrtui.core.results.seed_standings import GroupStanding, RankedGroups, spread_of
from lrtui.core.results.standings import value_of
from lrtui.core.state.lane_state import LaneState

LEAST, NEWEST = 2, 3
"""Evaluations since the best one before a lane can be told to over-fit, and the newest ones whose
median counts: one odd evaluation is noise."""


def overfit_since(lane: LaneState, every: Sequence[LaneState], ranking: Ranking) -> int | None:
    """The steps done at a lane's best evaluation, if the metric has become worse since by more than
    a twentieth while the training loss has fallen; else None."""
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


def leader_in_training(ranked: RankedGroups) -> GroupStanding | None:
    """The row with the lowest training loss, if the first row is ahead of it by more than a
    twentieth; else None."""
    there = [row for row in ranked.rows if math.isfinite(row.value)]
    if not ranked.ranking.validates or len(there) < 2:
        return None
    found = min(there, key=_training_loss)
    lead = there[0].value
    behind = ranked.ranking.signed(found.value) - ranked.ranking.signed(lead)
    return found if behind > (LEVEL_RATIO - 1) * abs(lead) else None


def _training_loss(row: GroupStanding) -> float:
    loss = spread_of([value_of(lane) for lane in row.group.lanes]).mean
    return loss if math.isfinite(loss) else math.inf


def remarks(ranked: RankedGroups, every: Sequence[LaneState]) -> dict[int, tuple[str, ...]]:
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
            found[row.first.index] = f"{some} since step {min(over)}", some
        elif row is leader:
            found[row.first.index] = "leads in training alone", "train 1st"
    return found
