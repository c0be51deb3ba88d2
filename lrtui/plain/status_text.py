"""How a race stands now as text: a line about it, and a row for each group of seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lrtui.core.diagnostics.verdicts import verdict
from lrtui.core.numbers import duration, loss, rate
from lrtui.core.results.race_status import elapsed, remaining, time_left
from lrtui.core.results.race_words import race_facts
from lrtui.core.results.standings import Ranked, Standing, race_standings
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.text import one_line


def print_status(console: Console, state: RaceState, run: str, stands: str, trouble: str) -> None:
    """Print the state of a race. `run`: its folder's name; `stands`: running, ended, ..."""
    found = race_standings(state)
    console.print(Text(_headline(state, run, stands, found)), soft_wrap=True)
    for words in filter(None, (state.label.note, one_line(trouble))):
        console.print(Text(words), soft_wrap=True)
    console.print(_table(state, found))


def _headline(state: RaceState, run: str, stands: str, found: Ranked) -> str:
    ranking = found.ranking
    by = f"by {one_line(ranking.metric)}, {'highest' if ranking.maximize else 'lowest'} first"
    at = {"last": "", "best": " (best so far)", "budget": f" (after {found.step} steps)"}
    left = remaining(state.lanes)
    parts = [
        one_line(run),
        state.title,
        stands,
        *race_facts(state.lanes, state.race),
        duration(elapsed(state)),
        f"ETA {duration(left)}" if math.isfinite(left) else "",
        by + at[ranking.at],
    ]
    return " · ".join(filter(None, parts))


def _table(state: RaceState, found: Ranked) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="dim")
    right = ("step", "rate", one_line(found.ranking.metric), "ETA")
    for name in ("", "lane", "status", *right[:3], "verdict", "ETA"):
        side = "right" if name in right else "left"
        table.add_column(name, no_wrap=True, overflow="ellipsis", justify=side)  # type: ignore[arg-type]  # one of two words
    for row in found.rows:
        table.add_row(str(row.place), *map(Text, _cells(row, state)))
    return table


def _cells(row: Standing, state: RaceState) -> list[str]:
    lanes = row.group.lanes
    seeds = f" ×{len(lanes)}" if len(lanes) > 1 else ""
    left = [seconds for lane in lanes if math.isfinite(seconds := time_left(lane))]
    return [
        row.group.called + seeds,
        _several(lane.status for lane in lanes),
        _steps(lanes),
        _several(rate(lane.rates.applied) for lane in lanes),
        _mean(row),
        _several(str(verdict(lane, state)) for lane in lanes),
        duration(max(left)) if left else "",
    ]


def _steps(lanes: tuple[LaneState, ...]) -> str:
    """Steps done of the lane that is furthest back, and the budget."""
    last = min(lanes, key=lambda lane: lane.steps)
    return f"{last.steps}/{last.total_steps}" if last.total_steps else str(last.steps)


def _mean(row: Standing) -> str:
    """A single value, or the mean of several with their range."""
    mean, spread = loss(row.value), row.spread
    return mean if spread.known < 2 else f"{mean} [{loss(spread.low)} {loss(spread.high)}]"


def _several(words: Iterable[str]) -> str:
    """Words of several lanes, each once."""
    return "/".join(dict.fromkeys(words))
