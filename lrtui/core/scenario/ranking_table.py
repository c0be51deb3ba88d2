"""The keys of a scenario that say how its lanes are ranked, and with how many seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from lrtui.core.scenario.spec import MAX_LANES, MAX_SEEDS, BestIs, Lane, RankAt, with_seeds
from lrtui.core.scenario.toml_table import Table
from lrtui.core.text import one_line

RANKING_KEYS = ("rank_by", "best", "rank_at")
LONGEST = 100
"""Characters of a metric's name."""


def read_ranking(table: Table) -> dict[str, Any]:
    """The fields of `Race` that say how lanes are ranked."""
    metric = table.text("rank_by", "")
    if "rank_by" in table.raw and not (0 < len(one_line(metric)) <= LONGEST):
        raise table.error(
            "rank_by",
            "no name of a metric",
            'the name of a metric, such as "val_loss", "loss" or "accuracy"',
        )
    return {
        "rank_by": one_line(metric),
        "best": table.choice("best", get_args(BestIs)),
        "rank_at": table.choice("rank_at", get_args(RankAt)),
    }


def read_seeds(table: Table, lanes: Sequence[Lane]) -> tuple[int, tuple[Lane, ...]]:
    """The number of seeds, and the lanes with that many of each."""
    seeds = table.whole("seeds", 1, 1, MAX_SEEDS)
    if (count := seeds * len(lanes)) > MAX_LANES:
        raise table.error(
            "seeds",
            f"{seeds} seeds of {len(lanes)} lanes are {count} lanes, too many",
            f"at most {MAX_LANES}",
        )
    return seeds, with_seeds(lanes, seeds)
