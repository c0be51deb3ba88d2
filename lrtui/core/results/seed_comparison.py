"""The comparison of two rows of the standings over their seeds: whether the first is ahead of the
second beyond the spread, and how many seeds would tell. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from lrtui.core.numbers import loss
from lrtui.core.protocol.thresholds import MOST_SEEDS, lead_errors
from lrtui.core.results.ranking import Ranking
from lrtui.core.results.ranking_words import group_name, left_out
from lrtui.core.results.standings import Standing


class SeedComparison(NamedTuple):
    """A first group beside a second one, paired by seed."""

    leads: tuple[float, ...]
    """By how much the first is better in each seed in which both have a value."""
    ahead: bool
    """True if it is ahead beyond the spread."""
    needed: int | None
    """Seeds that would tell, if the leads go on as they are; None: more than MOST_SEEDS."""


def compare(first: Standing, second: Standing, ranking: Ranking) -> SeedComparison:
    """Compare two rows over the seeds that both have a value of."""
    others = {
        lane.lane.seed: value
        for lane, value in zip(second.group.lanes, second.values, strict=True)
        if math.isfinite(value)
    }
    leads = tuple(
        ranking.signed(others[lane.lane.seed]) - ranking.signed(value)
        for lane, value in zip(first.group.lanes, first.values, strict=True)
        if math.isfinite(value) and lane.lane.seed in others
    )
    return SeedComparison(leads, is_ahead(leads), seeds_needed(leads))


def is_ahead(leads: tuple[float, ...]) -> bool:
    """True if the mean lead is beyond the spread of the leads."""
    count = len(leads)
    if count < 2:
        return False
    error = statistics.stdev(leads) / math.sqrt(count)
    return statistics.fmean(leads) > lead_errors(count) * error


def seeds_needed(leads: tuple[float, ...]) -> int | None:
    """The number of seeds from which on such leads would be beyond their spread."""
    if len(leads) < 2 or not (lead := statistics.fmean(leads)) > 0:
        return None
    spread = statistics.stdev(leads)
    return next(
        (
            count
            for count in range(2, MOST_SEEDS + 1)
            if lead > lead_errors(count) * spread / math.sqrt(count)
        ),
        None,
    )


def seeds_sentence(rows: Sequence[Standing], ranking: Ranking) -> list[str]:
    """Whether the first of the rows is ahead of the second beyond the spread of the seeds, or how
    many would tell; nothing without several seeds of both."""
    if len(rows) < 2 or min(len(row.group.lanes) for row in rows[:2]) < 2:
        return []
    first, second = rows[:2]
    one, other = group_name(first.group), group_name(second.group)
    if second.nan > first.nan:
        why = " and ".join(left_out(second))
        return [f"{one} is before {other} for staying finite with more seeds: of {other} {why}."]
    found = compare(first, second, ranking)
    count = len(found.leads)
    without = [f"of {group_name(row.group)} {words}" for row in rows[:2] for words in left_out(row)]
    where = f"{count} seeds" + (f" (left out: {', '.join(without)})" if without else "")
    if count < 2:
        return [f"Too few seeds are left to compare {one} with {other}: {'; '.join(without)}."]
    lead, spread = statistics.fmean(found.leads), statistics.stdev(found.leads)
    by = f"by {loss(lead)} on average over {where}, each with a spread of {loss(spread)}"
    if found.ahead:
        return [f"{one} is ahead of {other} beyond the spread of the seeds: {by}."]
    if not lead > 0:
        return [f"In the seeds that both have, {one} is not ahead of {other}."]
    needed = f"about {found.needed}" if found.needed else f"more than {MOST_SEEDS}"
    return [f"{one} is not ahead of {other} beyond the spread: {by}; {needed} seeds would tell."]
