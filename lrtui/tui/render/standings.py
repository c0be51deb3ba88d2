"""The standings as a table with as many columns as fit. Pure drawing; core/results/standings.py
ranks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from lrtui.core.diagnostics import param_groups, rate_report, verdicts
from lrtui.core.numbers import SIZE_WIDTH, UNKNOWN, count, duration, loss, size
from lrtui.core.results.standings import Ranked, Standing
from lrtui.core.scenario.spec import RankAt
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.state.status import FAILED
from lrtui.core.text import one_line
from lrtui.tui.machine import LaneLoad
from lrtui.tui.rects import Rect
from lrtui.tui.render import names, styles
from lrtui.tui.render.canvas import Canvas, fitted, shortened, text_width
from lrtui.tui.render.pane import short_status, status_words
from lrtui.tui.view import RaceView

NARROW = 56
NAMES, STATUS = (12, 24), (14, 16)
"""Cells for letter and name, and for the status: as many at first, and at most ..."""
NARROW_FIRST = 11, 9
"""... but these first in a table of fewer than NARROW cells: beside panes the gap is worth more
than a long word."""


WIDTHS = {
    "value": 9,
    "gap": 8,
    "lr": 7,
    "best": 8,
    "at": 6,
    "change": 7,
    "target": 8,
    "time": 7,
    "memory": SIZE_WIDTH,
    "share": 5,
}
"""The columns between name and status, as they stand from left to right, with their cells: numbers
are never cut."""
IMPORTANT = ("value", "gap", "best", "change", "lr", "target", "at", "time", "memory", "share")
"""The columns by importance, the most important first."""


class Column(NamedTuple):
    """Title of a column and the cells of its rows."""

    heading: str
    cell: Callable[[Standing], str]


def draw(canvas: Canvas, state: RaceState, view: RaceView) -> None:
    """The standings of the lanes that are shown, best first; where not all fit the leader and the
    chosen lane stay in sight."""
    canvas.fill()
    ranked = view.rank(state)
    called = _called(ranked, view)
    longest = max(map(text_width, called), default=4)
    taken, name_width, status_width = fitting(
        canvas.width, longest, ranked.ranking.at, loads=bool(view.loads)
    )
    if longest > name_width:
        called = _called(ranked, view, names.shared([row.lane for row in ranked.rows]))
    columns = _columns(taken, ranked, state, view)
    _heading(canvas, columns, name_width)
    if not ranked.rows:
        canvas.text(
            1, 1, f"no lane matches; {view.keymap.read('view.back')} shows all", styles.WARN
        )
        return
    place = next((at for at, row in enumerate(ranked.rows) if row.lane.index == view.selected), 0)
    for y, row in enumerate(
        [ranked.rows[at] for at in in_sight(len(ranked.rows), canvas.height - 1, place)], 1
    ):
        cells = " ".join(f"{column.cell(row):>{WIDTHS[key]}}" for key, column in columns.items())
        text = (
            f"{row.place:>2} {fitted(names.cut(called[row.place - 1], name_width), name_width)}"
            f" {cells} "
        )
        line = canvas.view(Rect(0, y, canvas.width, 1))
        _lane(
            line,
            row.lane,
            verdicts.verdict(row.lane, state),
            text,
            status_width,
            row.lane.index == view.selected,
        )


def in_sight(lanes: int, rows: int, place: int) -> list[int]:
    """Places of the standings, counted from 0, that fit in `rows`: the leader's, and those about
    `place`."""
    if lanes <= rows:
        return list(range(lanes))
    leader = [0] if rows > 1 else []
    rest = max(0, rows - len(leader))
    first = max(len(leader), min(place - rest // 2, lanes - rest))
    return leader + list(range(first, first + rest))


def nothing_shown(canvas: Canvas, view: RaceView) -> None:
    """Message in place of the panes while the filter hides every lane."""
    canvas.fill()
    y = max(0, canvas.height // 2 - 1)
    canvas.text(
        2, y, one_line(f"No lane matches {view.filter_text}"), styles.WARN, canvas.width - 4
    )
    change, back = view.keymap.read("view.filter"), view.keymap.read("view.back")
    words = f"{change} changes the filter, {back} shows all lanes again"
    canvas.text(2, y + 1, words, styles.TEXT, canvas.width - 4)


def fitting(
    width: int, longest: int, order: RankAt, *, loads: bool = False
) -> tuple[list[str], int, int]:
    """Choose (columns, cells for the name, cells for the status) of a table of `width` >= 44.

    The most important columns come first, then the rest of the longest name (`longest` cells), then
    the status. With order "best" the value is the best. `loads`: costs of lanes are known.
    """
    least, status = (NAMES[0], STATUS[0]) if width >= NARROW else NARROW_FIRST
    name = max(4, min(longest, least))
    room = width - 4 - name - 1 - status
    taken: list[str] = []
    for key in IMPORTANT:
        if key == "best" == order or (key in ("memory", "share") and not loads):
            continue
        if taken and room <= WIDTHS[key]:
            break  # what is less important never stands where something more important does not
        taken.append(key)
        room -= WIDTHS[key] + 1
    more = max(0, min(room, min(longest, NAMES[1]) - name))
    return (
        [key for key in WIDTHS if key in taken],
        name + more,
        min(STATUS[1], status + max(0, room - more)),
    )


def _columns(
    taken: list[str], ranked: Ranked, state: RaceState, view: RaceView
) -> dict[str, Column]:
    """Cells of the columns; steps to the target are searched only if shown."""
    target, reached = view.reach(state) if "target" in taken else (math.nan, {})
    value = f"at {count(ranked.step)}" if ranked.step is not None else ranked.ranking.metric
    every = {
        "value": Column(f"↓{value}", _value),
        "gap": Column("gap", lambda row: gap_words(row.gap, ranked.ratio, row.place == 1)),
        "lr": Column(
            _rate_heading(ranked, view),
            lambda row: rate_report.known(
                rate_report.shown_rate(row.lane, view.group_of(row.lane))
            ),
        ),
        "best": Column("best", lambda row: row.lane.losses.best_text),
        "at": Column("@step", lambda row: _step(row.lane.losses.best_step)),
        "change": Column("change", lambda row: change_words(row.change)),
        "target": Column(
            f"→{loss(target)}" if math.isfinite(target) else "→",
            lambda row: _step(reached.get(row.lane.index)),
        ),
        "memory": Column("memory", lambda row: _memory(view.loads.get(row.lane.index))),
        "share": Column("time", lambda row: _share(view.loads.get(row.lane.index))),
        "time": Column("after", lambda row: _time(row.lane, reached.get(row.lane.index))),
    }
    return {key: every[key] for key in taken}


def _rate_heading(ranked: Ranked, view: RaceView) -> str:
    """The heading of the rates, with the param group's name if all lanes show the same of
    several."""
    found = {param_groups.group_name(row.lane, view.group_of(row.lane)) for row in ranked.rows}
    name = found.pop() if len(found) == 1 else ""
    return shortened(f"lr {name}".rstrip(), WIDTHS["lr"])


def _memory(load: LaneLoad | None) -> str:
    """A lane's part of what its process holds, on the machine and on GPUs."""
    if load is None:
        return UNKNOWN
    return size(
        (load.memory + (load.gpu_memory if math.isfinite(load.gpu_memory) else 0.0)) / load.lanes
    )


def _share(load: LaneLoad | None) -> str:
    return UNKNOWN if load is None or not math.isfinite(load.share) else f"{load.share:.0%}"


def _step(step: int | None) -> str:
    return UNKNOWN if step is None else count(step)


def _time(lane: LaneState, step: int | None) -> str:
    return UNKNOWN if step is None else duration(lane.clock.spent(step))


def gap_words(gap: float, ratio: bool, leads: bool) -> str:
    """The gap to the leader in at most 8 cells: ×1.23 its value, or +0.123 more; nothing beside the
    leader itself."""
    if leads and math.isfinite(gap):
        return "leads"
    if not math.isfinite(gap):
        return UNKNOWN
    if not ratio:
        return f"{'+' if gap >= 0 else ''}{loss(gap)}"
    if gap < 99.95:
        return f"×{gap:.3f}" if gap < 9.9995 else f"×{gap:.1f}"
    return f"×{count(gap)}" if gap < 1e15 else f"×{loss(gap)}"


def change_words(change: float) -> str:
    """A change in per cent with its sign, in at most 8 cells; as a multiple if it is more than
    tenfold."""
    if not math.isfinite(change):
        return UNKNOWN
    if abs(change) < 9.995:
        return f"{change:+.1%}" if abs(change) < 0.0995 else f"{change:+.0%}"
    return f"×{count(change + 1)}" if abs(change) < 1e15 else f"×{loss(change)}"


def _value(row: Standing) -> str:
    if math.isfinite(row.value):
        return loss(row.value)
    return row.lane.last_loss if row.lane.status != "nan" else "NaN"


def _heading(canvas: Canvas, columns: dict[str, Column], name_width: int) -> None:
    canvas.text(1, 0, f" # {'lane':<{name_width}}", styles.DIM)
    x = 5 + name_width
    for key, column in columns.items():
        canvas.text(
            x, 0, f"{column.heading:>{WIDTHS[key]}}", styles.BOLD if key == "value" else styles.DIM
        )
        x += WIDTHS[key] + 1
    canvas.text(x, 0, "status", styles.DIM)


def _lane(
    canvas: Canvas,
    lane: LaneState,
    verdict: verdicts.Verdict,
    cells: str,
    status_width: int,
    selected: bool,
) -> None:
    bad = verdict.word == "nan" or lane.status in FAILED
    style = (
        styles.ALERT_BAR
        if bad
        else styles.lane_chosen(lane.index)
        if selected
        else styles.lane(lane.index)
    )
    if bad or selected:
        canvas.fill(style)
    words = [status_words(lane, verdict), *short_status(lane, verdict)]
    status = next((text for text in words if len(text) <= status_width), words[-1])
    canvas.text(0, 0, "▶" if selected else " ", style)
    canvas.text(1, 0, cells + status, style)


def _called(ranked: Ranked, view: RaceView, without: int = 0) -> list[str]:
    """Names of the lanes in the order of the standings, without their first `without` words."""
    return [
        names.named(row.lane, pinned=row.lane.index in view.pinned, without=without)
        for row in ranked.rows
    ]
