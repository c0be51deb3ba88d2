"""How a race stands now as text: a line about it, and a row for each group of seeds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lrtui.core.diagnostics.verdicts import verdict
from lrtui.core.numbers import UNKNOWN, duration, loss, rate
from lrtui.core.results.race_status import elapsed, remaining
from lrtui.core.results.race_words import race_facts
from lrtui.core.results.ranking_words import metric_words
from lrtui.core.results.standings import Standing, race_standings
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.text import one_line


def print_status(console: Console, state: RaceState, run: str, stands: str, trouble: str) -> None:
    """Print the state of a race. `run`: its folder's name; `stands`: running, ended, ..."""
    left = remaining(state.lanes)
    parts = [
        one_line(run),
        state.title,
        stands,
        *race_facts(state.lanes, state.race),
        duration(elapsed(state)),
        f"ETA {duration(left)}" if math.isfinite(left) else "",
    ]
    console.print(Text(" · ".join(filter(None, parts))), soft_wrap=True)
    for words in filter(None, (state.label.note, one_line(trouble))):
        console.print(Text(words), soft_wrap=True)
    console.print(status_table(state))


def status_table(state: RaceState) -> Table:
    """A row for each lane, or for each group of seeds, best first."""
    found = race_standings(state)
    arrow = "↑" if found.ranking.maximize else "↓"
    value = f"{arrow}{metric_words(found.ranking, found.step)}"
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="dim")
    for name in ("", "lane", "status", "step", "rate", value, "verdict", "ETA"):
        right = name in ("step", "rate", value, "ETA")
        cut = name == "lane"
        table.add_column(
            name, no_wrap=True, justify="right" if right else "left", min_width=12 if cut else None
        )
    for row in found.rows:
        table.add_row(str(row.place), *map(Text, _cells(row, state)))
    return table


def _cells(row: Standing, state: RaceState) -> list[str]:
    lanes = row.group.lanes
    left = remaining(lanes)
    return [
        row.group.called + (f" ×{len(lanes)}" if len(lanes) > 1 else ""),
        _several(lane.status for lane in lanes),
        _steps(lanes),
        _rates(lanes),
        _value(row),
        _several(str(verdict(lane, state)) for lane in lanes),
        duration(left) if math.isfinite(left) else "",
    ]


def _steps(lanes: Sequence[LaneState]) -> str:
    """Steps done and the budget; of several lanes from the fewest to the most."""
    done = _range([str(lane.steps) for lane in sorted(lanes, key=lambda lane: lane.steps)])
    totals = sorted({lane.total_steps for lane in lanes} - {0})
    return f"{done}/{_range(list(map(str, totals)))}" if totals else done


def _rates(lanes: Sequence[LaneState]) -> str:
    """The applied rates, from the lowest to the highest; a dash before the first step."""
    known = sorted(filter(math.isfinite, (lane.rates.applied for lane in lanes)))
    digits = 4 if len(set(known)) == 1 else 3
    return _range([rate(value, digits) for value in known]) if known else UNKNOWN


def _range(rising: Sequence[str]) -> str:
    return rising[0] if rising[0] == rising[-1] else f"{rising[0]}-{rising[-1]}"


def _value(row: Standing) -> str:
    """A single value, or the mean of several with their range; a dash where there is none yet."""
    if not math.isfinite(row.value):
        return loss(math.nan) if row.nan else UNKNOWN
    if len(row.group.lanes) == 1:
        return loss(row.value)
    if row.spread.known == 1:
        return f"{loss(row.value)} (1 of {len(row.group.lanes)})"
    return f"{loss(row.value)} [{loss(row.spread.low)} {loss(row.spread.high)}]"


def _several(words: Iterable[str]) -> str:
    """Words of several lanes, each once and with its number if they differ."""
    counted = Counter(filter(None, words))
    if len(counted) < 2:
        return next(iter(counted), "")
    return " ".join(f"{number} {word}" for word, number in counted.items())
