"""Words about what lanes are ranked by, and about a row of the standings. Pure."""

from __future__ import annotations

import math
import re

from lrtui.core.numbers import loss, rate
from lrtui.core.results.ranking import LOSS, Ranking, metric_names
from lrtui.core.results.seed_groups import SeedGroup
from lrtui.core.results.standings import Standing
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.text import closest, one_line

LEVEL_RATIO = 1.05
"""Losses within 5 % of each other are called level: another seed may reverse them."""
MOST_NAMES = 8
"""Names of metrics that a sentence lists."""


def metric_words(ranking: Ranking, step: int | None = None) -> str:
    """What lanes are ranked by: "smoothed loss", "best val_loss", "val_loss after 200 steps"."""
    name = one_line(ranking.metric)
    if ranking.at == "budget" and step is not None:
        return f"{'smoothed loss' if ranking.metric == LOSS else name} after {step} steps"
    if ranking.at == "best":
        return f"best {name}"
    return "smoothed loss" if ranking.metric == LOSS else name


def compared(worse: float, better: float, ranking: Ranking) -> str:
    """The worse of two values beside the better one: "level with", or "1.2 times" where lower is
    better; '' if a ratio has no meaning."""
    if not ranking.maximize:
        return loss_ratio(worse, better)
    near = abs(worse - better) <= (LEVEL_RATIO - 1) * max(abs(worse), abs(better))
    return "level with" if near else ""


def loss_ratio(larger: float, smaller: float) -> str:
    """The ratio of two losses in words; '' if it has no meaning (a loss of zero or below)."""
    if not smaller > 0 or not math.isfinite(larger):
        return ""
    ratio = larger / smaller
    return f"{ratio:.3g} times" if ratio >= LEVEL_RATIO else "level with"


def lane_name(lane: LaneState) -> str:
    """The lane's letter and name, with its rate unless the name has it."""
    return group_name(SeedGroup((lane,)))


def group_name(group: SeedGroup) -> str:
    """The same of a lane, or of lanes that differ in their seed."""
    lane, name = group.first, group.called
    if lane.factor != 1.0 and math.isfinite(lane.rate):
        return f"{name} (dialled to {rate(lane.rate, 3)})"
    if not math.isfinite(lane.initial_rate):
        return name
    value = rate(lane.initial_rate, 3)
    return (
        name if re.search(rf"(?<![\w.]){re.escape(value)}(?![\w.])", name) else f"{name} ({value})"
    )


def spread_words(row: Standing) -> str:
    """The seeds behind a row's value, with those that are left out: " (mean of 2 seeds, 0.5 to 0.6;
    1 of 3 went NaN)"; '' of a single lane."""
    if len(row.group.lanes) == 1:
        return ""
    finite, low, high = row.spread.known, loss(row.spread.low), loss(row.spread.high)
    parts = [f"mean of {finite} seeds, {low} to {high}" if finite > 1 else "1 seed"]
    return f" ({'; '.join([*parts, *left_out(row)])})"


def left_out(row: Standing) -> list[str]:
    """How many of a group's seeds have no value, and why."""
    count = len(row.group.lanes)
    return [
        f"{number} of {count} {words}"
        for number, words in ((row.nan, "went NaN"), (row.failed, "failed"))
        if number
    ]


def missing_words(state: RaceState, ranking: Ranking) -> str:
    """A sentence about a metric that was asked for and that no lane has; '' if there is none."""
    if not ranking.missing:
        return ""
    names = [one_line(name) for name in metric_names(state.lanes)]
    listed = ", ".join(names[:MOST_NAMES]) + (", ..." if len(names) > MOST_NAMES else "")
    near = closest(ranking.missing, names)
    return (
        f'No lane has the metric "{one_line(ranking.missing)}"{near or ","}'
        f" {'There' if near else 'there'} {'is' if len(names) == 1 else 'are'} {listed}. The"
        " training loss stands in for it."
    )
