"""The printed standings, with as many columns as fit. Knows no screen."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from lrtui.core.diagnostics import verdicts
from lrtui.core.numbers import UNKNOWN, count, loss
from lrtui.core.results.race_words import lane_rate
from lrtui.core.results.ranking import Ranking, best_evaluation
from lrtui.core.results.ranking_words import metric_words
from lrtui.core.results.standings import Ranked, Standing, race_standings, spread_of
from lrtui.core.scenario.spec import number
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.state.status import UNRANKED
from lrtui.core.text import one_line
from lrtui.terminal.palette import lane_color

_COLUMNS = {
    "": 0,
    "lane": 0,
    "optimizer": 110,
    "lr": 0,
    "status": 0,
    "verdict": 0,
    "value": 0,
    "last loss": 0,
    "best": 0,
    "at step": 80,
    "steps": 80,
    "steps/s": 110,
}
"""The columns of the standings, and from how many columns of the terminal on each is there."""
_RIGHT = {"value", "last loss", "best", "at step", "steps", "steps/s"}


def standings_table(state: RaceState, width: int, order: list[LaneState] | None = None) -> Table:
    """The lanes, best first, with as much about each as `width` has room for; lanes that differ in
    their seed alone are one row. Only a lane's name is ever cut.

    `order`: another order, of single lanes.
    """
    table = Table(
        title=Text(state.title), title_justify="left", box=None, pad_edge=False, header_style="dim"
    )
    found = race_standings(state)
    rows = list(found.rows)
    if order is not None:
        rows.sort(key=lambda row: order.index(row.first))
    seeds = any(len(row.group.lanes) > 1 for row in rows)
    shown = [name for name, least in _COLUMNS.items() if width >= least]
    if not has_value_column(found):
        shown.remove("value")
    elif width < 100:
        shown = [name for name in shown if name not in ("last loss", "at step")]
    if seeds and width < 100:
        shown.remove("best")
    for name in shown:
        table.add_column(
            metric_words(found.ranking, found.step) if name == "value" else name,
            no_wrap=name != "lane",
            justify="right" if name in _RIGHT else "left",
        )
    for place, row in enumerate(rows, 1):
        cells = cells_of(place, row, found.ranking, state)
        table.add_row(*(cells[name] for name in shown))
    return table


def has_value_column(found: Ranked) -> bool:
    """False if the last loss says as much as what lanes are ranked by."""
    return found.ranking.validates or any(len(row.group.lanes) > 1 for row in found.rows)


def cells_of(
    place: int, row: Standing, ranking: Ranking, state: RaceState
) -> dict[str, str | Text]:
    """What the table has to say of a row, by column."""
    lane, lanes = row.first, row.group.lanes
    found = [verdicts.verdict(each, state) for each in lanes]
    bad = any(one.word in ("nan", "diverged") for one in found)
    steps = sorted({each.steps for each in lanes})
    best, at = _best(row, ranking, state)
    speed = spread_of([each.steps_per_second for each in lanes]).mean
    last = [each.losses.last for each in lanes if math.isfinite(each.losses.last)]
    return {
        "": str(place),
        "lane": Text(
            row.group.called, style=lane_color(lane.index), no_wrap=True, overflow="ellipsis"
        ),
        "optimizer": Text(one_line(lane.optimizer)),
        "lr": lane_rate(lane) + ("" if lane.factor == 1 else f" ×{number(lane.factor)}"),
        "status": Text(
            _counted([each.status for each in lanes]),
            style="bold red" if any(each.status in UNRANKED for each in lanes) else "",
        ),
        "verdict": Text(_counted([str(one) for one in found]), style="bold red" if bad else ""),
        "value": _value(row),
        "last loss": lane.last_loss if len(lanes) == 1 or not last else loss(spread_of(last).mean),
        "best": best,
        "at step": at,
        "steps": "-".join(map(str, dict.fromkeys((steps[0], steps[-1])))),
        "steps/s": "" if math.isnan(speed) else count(speed),
    }


def _value(row: Standing) -> str:
    """What a row is ranked by, of several seeds their mean and range."""
    if not math.isfinite(row.value):
        return UNKNOWN
    low, high = loss(row.spread.low), loss(row.spread.high)
    return loss(row.value) + (f" ({low} to {high})" if len(row.group.lanes) > 1 else "")


def _best(row: Standing, ranking: Ranking, state: RaceState) -> tuple[str, str]:
    """The best value of the metric, and its step; of several seeds the means."""
    lanes = row.group.lanes
    if ranking.validates:
        found = [best_evaluation(lane, state.lanes, ranking) for lane in lanes]
        known = [(step, value) for step, value in filter(None, found)]
    else:
        known = [
            (lane.losses.best_step, lane.losses.best)
            for lane in lanes
            if lane.losses.best_step is not None
        ]
    if not known:
        return UNKNOWN, ""
    steps, values = zip(*known, strict=True)
    return loss(spread_of(values).mean), f"{spread_of(steps).mean:.0f}"


def _counted(words: Sequence[str]) -> str:
    """A word of a group's lanes, the most frequent one with its number if it is not of all:
    "OK 2/3"."""
    ((word, number),) = Counter(words).most_common(1)
    return word if number == len(words) else f"{word or UNKNOWN} {number}/{len(words)}"
