"""The one question that standings, pruning, sentences and reports ask: by which metric lanes are
ranked, and what a lane's value of it is. Pure.

A race ranks by what its scenario says (`rank_by`); by default by the validation loss where any lane
has one, else by the training loss. While no lane has a value of the metric the training loss stands
in for it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lrtui.core.protocol.column_names import LOGGED, is_reserved, logged_name
from lrtui.core.scenario.spec import Race, RankAt
from lrtui.core.series.ema import Trailing
from lrtui.core.series.series import Int64Array, Series
from lrtui.core.series.sparse import SparseSeries
from lrtui.core.state.lane_state import LaneState
from lrtui.core.state.losses import RANKING_FACTOR
from lrtui.core.state.status import UNRANKED

LOSS = "loss"
VALIDATION = (
    "val_loss",
    "eval_loss",
    "valid_loss",
    "validation_loss",
    "val/loss",
    "eval/loss",
    "valid/loss",
    "validation/loss",
    "val_loss_epoch",
)
"""Names of a validation loss; the first that any lane has is the default."""
_HIGHER = """
    acc accuracy top f1 fbeta auc auroc auprc roc ap map precision recall sensitivity specificity r2
    iou miou jaccard dice bleu rouge rougel meteor chrf cider ndcg mrr hits hit psnr ssim reward
    return returns score mcc kappa pearson spearman correlation em exact match elbo likelihood wins
"""
HIGHER = frozenset(_HIGHER.split())
"""Words in the name of a metric whose highest value is the best, without the number that they may
end in (top5) ..."""
LOWER = frozenset(("loss", "error", "err", "perplexity", "mse", "mae", "rmse"))
"""... unless one of these is in it, too."""
_NEGATED = frozenset(("neg", "negative"))
_WORD = re.compile(r"[A-Z]?[a-z]+\d*|[A-Z]+\d*(?![a-z])")


class Ranking(NamedTuple):
    """How the lanes of a race are ranked."""

    metric: str
    """"loss", or the name of a metric."""
    maximize: bool
    """True if the highest value is the best."""
    at: RankAt
    missing: str = ""
    """The metric asked for, if no lane has a value of it and the training loss stands in."""

    @property
    def validates(self) -> bool:
        """True if lanes are ranked by something other than the training loss."""
        return self.metric != LOSS

    def signed(self, value: float) -> float:
        """The value, negated where the highest is the best: lower is better."""
        return -value if self.maximize else value


def highest_is_best(race: Race, metric: str) -> bool:
    """True if the highest value of a metric is the best, as the scenario or its name says."""
    if metric == race.rank_by and race.best:
        return race.best == "max"
    words = {word.lower() for word in _WORD.findall(metric)}
    words |= {word.rstrip("0123456789") for word in words}
    lower, higher = bool(words & LOWER), bool(words & HIGHER)
    if words & _NEGATED:  # neg_log_likelihood; scikit-learn's neg_mean_squared_error
        return lower
    return higher and not lower


def ranked_metric(race: Race, metrics: Collection[str]) -> str:
    """The metric that lanes with these metrics are ranked by; "" if they have none of it."""
    return next((metric for metric in _candidates(race) if metric in metrics), "")


def ranking_of(race: Race, lanes: Sequence[LaneState], at: RankAt | None = None) -> Ranking:
    """How the lanes of a race are ranked now. `at`: in place of what the race says."""
    at = at or race.rank_at
    there = {LOSS} | _there(frozenset(_candidates(race)), lanes)
    if metric := ranked_metric(race, there):
        return Ranking(metric, highest_is_best(race, metric), at)
    return Ranking(LOSS, False, at, missing=race.rank_by)


def outcome(
    lane: LaneState, every: Sequence[LaneState], ranking: Ranking, step: int | None = None
) -> float:
    """The value that a lane is ranked by; NaN if it failed, is NaN or has no value yet.

    `step`: of a ranking at "budget", see `common_step`.
    """
    if lane.status in UNRANKED or is_nan(lane):
        return math.nan
    return value_at(lane, every, ranking, step)


def value_at(
    lane: LaneState, every: Sequence[LaneState], ranking: Ranking, step: int | None = None
) -> float:
    """The value of a lane in a ranking, whatever became of the lane; NaN without one."""
    if _at_each_step(lane, ranking.metric):
        return _of_steps(lane, every, ranking, step)
    if ranking.at == "last":
        return _newest(lane, every, ranking.metric)[1]
    steps, values = evaluations(lane, every, ranking.metric)
    if ranking.at == "budget":
        count = int(steps.searchsorted(step or 0, "right"))
        return float(values[count - 1]) if count else math.nan
    finite = values[np.isfinite(values)]
    if not len(finite):
        return math.nan
    return float(finite.max() if ranking.maximize else finite.min())


def best_evaluation(
    lane: LaneState, every: Sequence[LaneState], ranking: Ranking
) -> tuple[int, float] | None:
    """(steps done, value) of a lane's best value of the metric; None without a finite one."""
    steps, values = evaluations(lane, every, ranking.metric)
    signed = np.where(np.isfinite(values), -values if ranking.maximize else values, np.inf)
    if not len(signed) or not math.isfinite(signed[index := int(signed.argmin())]):
        return None
    return int(steps[index]), float(values[index])


def evaluations(
    lane: LaneState, every: Sequence[LaneState], metric: str
) -> tuple[Int64Array, NDArray[np.float64]]:
    """(steps done, values) of a metric, rising by step; of a fork those of its parent before it.

    Of a number that the task's loss gives at each step, its average (EMA 0.9) at the newest one.
    """
    steps, values = _own_evaluations(lane, metric)
    if lane.parent is None or not lane.forked_at:
        return steps, values
    before, inherited = evaluations(every[lane.parent], every, metric)
    count = int(before.searchsorted(min(lane.forked_at, lane.shared), "right"))
    return np.concatenate((before[:count], steps)), np.concatenate((inherited[:count], values))


def common_step(
    lanes: Sequence[LaneState], every: Sequence[LaneState], ranking: Ranking
) -> int | None:
    """After how many steps lanes can be compared: as many as each has made (or was evaluated
    after) that has a value in the ranking. None without such a lane."""
    last = ranking._replace(at="last")
    there = [lane for lane in lanes if math.isfinite(outcome(lane, every, last))]
    return min((_newest(lane, every, ranking.metric)[0] for lane in there), default=None)


def is_nan(lane: LaneState) -> bool:
    """True if a lane ended by a loss that is not finite, or goes on with one (`on_nan` "warn")."""
    return lane.status == "nan" or (
        not math.isfinite(lane.losses.last) and any(alert.kind == "nan" for alert in lane.alerts)
    )


def smoothed_after(lane: LaneState, every: Sequence[LaneState], steps: int) -> float:
    """The smoothed loss after `steps` steps; before a fork, that of the parent. NaN without one."""
    lane = _before(lane, every, steps)
    return lane.losses.smooth.after(steps) if steps <= lane.steps else math.nan


def metric_names(lanes: Sequence[LaneState]) -> list[str]:
    """The metrics that any lane has, in alphabetical order, with "loss" first."""
    names = {
        name
        for lane in lanes
        for name in (
            *lane.evaluations.metrics,
            *map(logged_name, lane.logged),
            *(column for column in lane.columns if not is_reserved(column)),
        )
    }
    return [LOSS, *sorted(names - {LOSS})]


def _candidates(race: Race) -> tuple[str, ...]:
    """The metrics that a race may rank by, the first that is there."""
    return (race.rank_by,) if race.rank_by else VALIDATION


def _there(metrics: frozenset[str], lanes: Sequence[LaneState]) -> set[str]:
    """Those of some metrics that any lane has."""
    of_steps = {metric for metric in metrics if not is_reserved(metric)}
    found: set[str] = set()
    for lane in lanes:
        found |= metrics.intersection(lane.evaluations.metrics)
        found |= of_steps.intersection(lane.columns)
        if lane.logged:
            found |= {metric for metric in metrics if _logged(lane, metric) is not None}
    return found


def _logged(lane: LaneState, metric: str) -> SparseSeries | None:
    """What a script logged as `metric`: its own name for it, or the one that is shown."""
    if metric in lane.logged or not metric.startswith(LOGGED):
        return lane.logged.get(metric)
    return lane.logged.get(metric.removeprefix(LOGGED))


def _at_each_step(lane: LaneState, metric: str) -> bool:
    """True for the training loss, and for a number that the task's loss gives at each step."""
    return metric == LOSS or (
        metric in lane.columns
        and not is_reserved(metric)
        and metric not in lane.evaluations.metrics
        and metric not in lane.logged
    )


def _of_steps(
    lane: LaneState, every: Sequence[LaneState], ranking: Ranking, step: int | None
) -> float:
    """The value of a lane in a ranking by a number of each step."""
    loss = ranking.metric == LOSS
    if ranking.at == "best":
        if loss and not ranking.maximize:
            return lane.losses.best
        column = lane.columns.get(ranking.metric, Series())
        found = column.finite_range()
        return found.high if ranking.maximize else found.low
    if ranking.at == "budget":
        lane, count = _before(lane, every, step or 0), step or 0
        if count > lane.steps:
            return math.nan
    else:
        count = lane.steps
    if loss:
        return lane.losses.smooth.value if count == lane.steps else lane.losses.smooth.after(count)
    average = Trailing(RANKING_FACTOR)
    average.follow(lane.columns.get(ranking.metric, Series()), lane.forked_at)
    return average.after(count)


def _before(lane: LaneState, every: Sequence[LaneState], steps: int) -> LaneState:
    """The lane itself, or the ancestor that had made these steps before it was forked."""
    while steps <= lane.forked_at and lane.parent is not None:
        lane = every[lane.parent]
    return lane


def _newest(lane: LaneState, every: Sequence[LaneState], metric: str) -> tuple[int, float]:
    """(steps done, newest value) of a lane's metric, which a fork without one of its own has from
    its parent; (0, NaN) without one."""
    if _at_each_step(lane, metric):
        return lane.steps, _of_steps(lane, every, Ranking(metric, False, "last"), None)
    if metric in lane.evaluations.metrics:
        own = lane.evaluations.newest(metric)
    else:
        sparse = _logged(lane, metric)
        known = sparse is not None and sparse.newest
        own = (known[0] + 1, known[1]) if known else None
    if own is None and lane.parent is not None:
        steps, values = evaluations(lane, every, metric)
        own = (int(steps[-1]), float(values[-1])) if len(steps) else None
    return own or (0, math.nan)


def _own_evaluations(lane: LaneState, metric: str) -> tuple[Int64Array, NDArray[np.float64]]:
    if metric in lane.evaluations.metrics:
        return lane.evaluations.metric(metric)
    if (sparse := _logged(lane, metric)) is not None:
        return sparse.steps.view() + 1, sparse.series.values.astype(float)
    if metric != LOSS and _at_each_step(lane, metric) and lane.steps > lane.forked_at:
        average = Trailing(RANKING_FACTOR)
        average.follow(lane.columns[metric], lane.forked_at)
        return np.array([lane.steps]), np.array([average.value])
    return np.empty(0, np.int64), np.empty(0)
