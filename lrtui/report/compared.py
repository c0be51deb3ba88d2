"""Several runs side by side, printed or as one JSON object: what they are, in what they differ, and
how their lanes stand together."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lrtui.client.comparison import Comparison
from lrtui.core.numbers import UNKNOWN, loss
from lrtui.core.protocol.events import plain
from lrtui.core.results.race_status import race_status
from lrtui.core.results.ranking_words import metric_words
from lrtui.core.results.standings import Standing, race_standings
from lrtui.core.text import one_line
from lrtui.report.text import print_race
from lrtui.store.reader import summary


class SameLane(NamedTuple):
    """Lanes of one name in several runs; of seeds their group."""

    name: str
    rows: list[Standing | None]
    """Of each run; None where it has no such lane."""


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Print the runs, their differences, equal lanes side by side, and standings and chart of all
    lanes."""
    console.print(_runs(comparison))
    for words in comparison.differing:
        console.print(Text(f"they differ in {words}"), soft_wrap=True)
    if same := same_lanes(comparison):
        console.print()
        console.print(_side_by_side(same, comparison))
    print_race(console, comparison.state)


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """The comparison as JSON can hold it; its lanes are those of all runs."""
    status = race_status(comparison.state)
    letters = {lane.lane.letter: lane.index for lane in comparison.state.lanes}
    for entry in status["lanes"]:
        number, own = comparison.own_lane(letters[entry["letter"]])
        entry |= {"run": number + 1, "own_letter": own.letter, "own_name": own.name}
    runs = [
        {
            "number": number,
            "run": str(one.run),
            "name": one.state.label.name,
            "note": one.state.label.note,
            "title": one.state.race.title,
            "state": summary(one.run).state,
            "created": one.reader.created,
        }
        for number, one in enumerate(comparison.followers, 1)
    ]
    same = [
        {
            "name": lane.name,
            "letters": [row.group.letter if row else None for row in lane.rows],
            "values": [plain(row.value) if row else None for row in lane.rows],
        }
        for lane in same_lanes(comparison)
    ]
    differing = [{"what": one.what, "values": one.values} for one in comparison.differences]
    kept = {name: status[name] for name in ("over", "leader", "ranking", "lanes", "sentences")}
    return {"runs": runs, "differences": differing, "same_lanes": same, **kept}


def same_lanes(comparison: Comparison) -> list[SameLane]:
    """The lanes of one name in two runs or more, the best first."""
    found: dict[str, list[Standing | None]] = {}
    for row in race_standings(comparison.state).rows:
        number, own = comparison.own_lane(row.first.index)
        rows = found.setdefault(own.name, [None] * len(comparison.followers))
        rows[number] = rows[number] or row
    return [SameLane(name, rows) for name, rows in found.items() if sum(map(bool, rows)) > 1]


def _runs(comparison: Comparison) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("", "run", "about", "started", "state"):
        table.add_column(name, no_wrap=name != "about")
    for number, one in enumerate(comparison.followers, 1):
        label = one.state.label
        about = Text(no_wrap=True, overflow="ellipsis")
        about.append(label.name, "bold").append("  " if label.name else "")
        about.append(label.note or one_line(one.state.race.title))
        started = f"{datetime.fromtimestamp(one.reader.created):%Y-%m-%d %H:%M}"
        folder = Text(one_line(one.run.name))
        table.add_row(str(number), folder, about, started, summary(one.run).state)
    return table


def _side_by_side(same: list[SameLane], comparison: Comparison) -> Table:
    """A row for each lane that several runs have, with its value in each and the change from the
    first to the last."""
    found = race_standings(comparison.state)
    title = Text(f"the same lanes by {metric_words(found.ranking, found.step)}")
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="dim")
    table.add_column("lane", no_wrap=True)
    for number in range(1, len(comparison.followers) + 1):
        table.add_column(str(number), justify="right", no_wrap=True)
    table.add_column("change", justify="right", no_wrap=True)
    for lane in same:
        values = [row.value if row else math.nan for row in lane.rows]
        cells = [loss(row.value) if row else UNKNOWN for row in lane.rows]
        known = [value for value in values if math.isfinite(value)]
        table.add_row(Text(one_line(lane.name)), *cells, _change(known))
    return table


def _change(values: list[float]) -> str:
    """From the first known value to the last."""
    if len(values) < 2 or not values[0]:
        return ""
    return f"{values[-1] / values[0] - 1:+.1%}"
