"""The standings as a table with as many columns as fit, a row for each lane or group of seeds. Pure
drawing; core/results/standings.py ranks."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from lrtui.core.charts.metric_series import LABELS
from lrtui.core.diagnostics import param_groups, rate_report
from lrtui.core.numbers import SIZE_WIDTH, UNKNOWN, count, duration, loss, size
from lrtui.core.results.ranking import best_evaluation, is_nan
from lrtui.core.results.standings import Ranked, Standing, spread_of, value_of
from lrtui.core.state.race_state import RaceState
from lrtui.core.text import one_line
from lrtui.tui.rects import Rect
from lrtui.tui.render import names, status, styles
from lrtui.tui.render.canvas import Canvas, fitted, shortened, text_width
from lrtui.tui.view import RaceView

NARROW = 56
NAMES, STATUS = (12, 24), (14, 16)
"""Cells for letter and name, and for the status: as many at first, and at most ..."""
NARROW_FIRST = 11, 9
"""... but these first in a table of fewer than NARROW cells: beside panes the gap is worth more
than a long word."""
REMARKED = 34
"""Most cells for the status if there is a remark on any lane."""


WIDTHS = {
    "value": 9,
    "spread": 8,
    "range": 15,
    "seeds": 5,
    "gap": 8,
    "loss": 8,
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
IMPORTANT = (
    *("value", "gap", "spread", "loss", "best", "seeds", "change", "lr", "target", "range", "at"),
    *("time", "memory", "share"),
)
"""The columns by importance, the most important first."""


class Column(NamedTuple):
    """Title of a column and the cells of its rows."""

    heading: str
    cell: Callable[[Standing], str]


def draw(canvas: Canvas, state: RaceState, view: RaceView) -> None:
    """The standings of the lanes that are shown, best first; where not all fit the leader and the
    chosen lane stay in sight."""
    canvas.fill()
    ranked = view.ranked or view.rank(state)
    called = _called(ranked, view)
    longest = max(map(text_width, called), default=4)
    taken, name_width, status_width = fitting(
        canvas.width, longest, available(ranked, view), remarks=bool(view.remarks)
    )
    if longest > name_width:
        called = _called(ranked, view, names.shared([row.first for row in ranked.rows]))
    columns = _columns(taken, ranked, state, view)
    _heading(canvas, columns, ranked, name_width)
    if not ranked.rows:
        canvas.text(
            1, 1, f"no lane matches; {view.keymap.read('view.back')} shows all", styles.WARN
        )
        return
    place = next((at for at, row in enumerate(ranked.rows) if row.first.index == view.selected), 0)
    for y, row in enumerate(
        [ranked.rows[at] for at in in_sight(len(ranked.rows), canvas.height - 1, place)], 1
    ):
        cells = " ".join(f"{column.cell(row):>{WIDTHS[key]}}" for key, column in columns.items())
        text = (
            f"{row.place:>2} {fitted(names.cut(called[row.place - 1], name_width), name_width)}"
            f" {cells} "
        )
        remarks = view.remarks.get(row.first.index, ())
        forms = status.statuses(row.group, state)
        alone = remarks if not (row.nan or row.failed) else ()
        words = text + status.fitting([*_remarked(forms, remarks, alone)], status_width)
        _lane(canvas.view(Rect(0, y, canvas.width, 1)), row, words, state, view)


def available(ranked: Ranked, view: RaceView) -> set[str]:
    """The columns that have something to say: not the best value beside a ranking by it, nothing
    about seeds without any, and costs only while lanes train."""
    seeds = any(len(row.group.lanes) > 1 for row in ranked.rows)
    idle = {
        "best": ranked.ranking.at == "best",
        "loss": not ranked.ranking.validates,
        **dict.fromkeys(("spread", "range", "seeds"), not seeds),
        **dict.fromkeys(("memory", "share"), not view.loads),
    }
    return {key for key in WIDTHS if not idle.get(key)}


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
    width: int, longest: int, columns: Collection[str], *, remarks: bool = False
) -> tuple[list[str], int, int]:
    """Choose (columns, cells for the name, cells for the status) of a table of `width` >= 44.

    The most important columns come first, then the rest of the longest name (`longest` cells), then
    the status, which is longer with `remarks`.
    """
    least, status_least = (NAMES[0], STATUS[0]) if width >= NARROW else NARROW_FIRST
    name = max(4, min(longest, least))
    room = width - 4 - name - 1 - status_least
    taken: list[str] = []
    for key in IMPORTANT:
        if key not in columns:
            continue
        if taken and room <= WIDTHS[key]:
            break  # what is less important never stands where something more important does not
        taken.append(key)
        room -= WIDTHS[key] + 1
    more = max(0, min(room, min(longest, NAMES[1]) - name))
    most = REMARKED if remarks else STATUS[1]
    return (
        [key for key in WIDTHS if key in taken],
        name + more,
        min(most, status_least + max(0, room - more)),
    )


def _columns(
    taken: list[str], ranked: Ranked, state: RaceState, view: RaceView
) -> dict[str, Column]:
    """Cells of the columns; steps to the target are searched only if shown."""
    target, reached = view.reach(state) if "target" in taken else (math.nan, {})
    best = {
        row.first.index: _bests(row, ranked, state)
        for row in ranked.rows
        if {"best", "at"} & {*taken}
    }
    every = {
        "value": Column("", lambda row: _value(row, ranked)),
        "spread": Column("±", lambda row: spread_words(row.spread.deviation)),
        "range": Column("min…max", _range),
        "seeds": Column("seeds", _seeds),
        "gap": Column("gap", lambda row: gap_words(row.gap, ranked.ratio, row.place == 1)),
        "loss": Column("loss", _training_loss),
        "lr": Column(_rate_heading(ranked, view), lambda row: _rate(row, view)),
        "best": Column("best", lambda row: _mean([value for _, value in best[row.first.index]])),
        "at": Column("@step", lambda row: _mean_step([step for step, _ in best[row.first.index]])),
        "change": Column("change", lambda row: change_words(row.change)),
        "target": Column(
            f"→{loss(target)}" if math.isfinite(target) else "→",
            lambda row: _mean_step([reached.get(lane.index) for lane in row.group.lanes]),
        ),
        "memory": Column("memory", lambda row: _memory(row, view)),
        "share": Column("time", lambda row: _share(row, view)),
        "time": Column("after", lambda row: _time(row, reached)),
    }
    return {key: every[key] for key in taken}


def value_headings(ranked: Ranked) -> list[str]:
    """The heading of the values that lanes are ranked by, the longest form first: an arrow to the
    best, the metric, and which value of it; what the training loss stands in for."""
    found = ranked.ranking
    arrow, name = "↑" if found.maximize else "↓", label(found.metric)
    if found.missing:
        missing = label(found.missing)
        return [f"↓loss, no {missing} yet", f"↓loss, no {missing}", f"no {missing}"]
    if ranked.step is not None:
        step = count(ranked.step)
        return [f"{arrow}{name} at {step}", f"{arrow}{name}@{step}", f"{arrow}at {step}"]
    kind = "best" if found.at == "best" else "" if found.validates else "smoothed"
    return [f"{arrow}{kind} {name}", f"{arrow}{name}"] if kind else [f"{arrow}{name}"]


def label(metric: str) -> str:
    """A metric's name for people."""
    return LABELS.get(metric, one_line(metric))


def _rate_heading(ranked: Ranked, view: RaceView) -> str:
    """The heading of the rates, with the param group's name if all lanes show the same of
    several."""
    found = {param_groups.group_name(row.first, view.group_of(row.first)) for row in ranked.rows}
    name = found.pop() if len(found) == 1 else ""
    return shortened(f"lr {name}".rstrip(), WIDTHS["lr"])


def _rate(row: Standing, view: RaceView) -> str:
    shown = {
        rate_report.known(rate_report.shown_rate(lane, view.group_of(lane)))
        for lane in row.group.lanes
    }
    return shown.pop() if len(shown) == 1 else "mixed"


def _bests(row: Standing, ranked: Ranked, state: RaceState) -> list[tuple[int | None, float]]:
    """(step, best value) of each seed: of the metric that lanes are ranked by."""
    if not ranked.ranking.validates:
        return [(lane.losses.best_step, lane.losses.best) for lane in row.group.lanes]
    found = (best_evaluation(lane, state.lanes, ranked.ranking) for lane in row.group.lanes)
    return [best or (None, math.nan) for best in found]


def _mean(values: list[float]) -> str:
    mean = spread_of(values).mean
    return loss(mean) if math.isfinite(mean) else UNKNOWN


def _mean_step(steps: list[int | None]) -> str:
    """The mean of steps; a dash if a seed has none."""
    known = [step for step in steps if step is not None]
    return count(sum(known) / len(known)) if known and len(known) == len(steps) else UNKNOWN


def spread_words(deviation: float) -> str:
    """A standard deviation in at most 8 cells; nothing of a single value."""
    return f"±{loss(deviation)}" if math.isfinite(deviation) else ""


def _range(row: Standing) -> str:
    spread = row.spread
    return f"{loss(spread.low)}…{loss(spread.high)}" if spread.known > 1 else ""


def _seeds(row: Standing) -> str:
    """The number of seeds, and of those with a value if it is another."""
    every = len(row.group.lanes)
    return str(every) if row.spread.known == every else f"{row.spread.known}/{every}"


def _training_loss(row: Standing) -> str:
    return _mean([value_of(lane) for lane in row.group.lanes])


def _memory(row: Standing, view: RaceView) -> str:
    """A lane's part of what its process holds, on the machine and on GPUs; of seeds all of it."""
    loads = [load for lane in row.group.lanes if (load := view.loads.get(lane.index))]
    parts = [
        (load.memory + (load.gpu_memory if math.isfinite(load.gpu_memory) else 0.0)) / load.lanes
        for load in loads
    ]
    return size(sum(parts)) if loads else UNKNOWN


def _share(row: Standing, view: RaceView) -> str:
    loads = [load for lane in row.group.lanes if (load := view.loads.get(lane.index))]
    share = sum(load.share for load in loads) if loads else math.nan
    return f"{share:.0%}" if math.isfinite(share) else UNKNOWN


def _time(row: Standing, reached: dict[int, int]) -> str:
    """The time to the target, the mean of the seeds'; a dash if one has not come there."""
    spent = [
        lane.clock.spent(step)
        for lane in row.group.lanes
        if (step := reached.get(lane.index)) is not None
    ]
    return duration(sum(spent) / len(spent)) if len(spent) == len(row.group.lanes) else UNKNOWN


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


def _value(row: Standing, ranked: Ranked) -> str:
    """The value that a row is ranked by; of a lane without one its last loss, if it is ranked by
    that."""
    if math.isfinite(row.value):
        return loss(row.value)
    if any(is_nan(lane) for lane in row.group.lanes):
        return "NaN"
    return UNKNOWN if ranked.ranking.validates else row.first.last_loss


def _remarked(forms: list[str], remarks: Collection[str], alone: Collection[str]) -> Iterator[str]:
    """Statuses with a remark, the longest form first; in little room what may stand `alone`, else
    the statuses: a lost seed must be seen."""
    for remark in remarks:
        yield from (f"{form} · {remark}" for form in forms[:1])
    yield from alone or forms


def _heading(canvas: Canvas, columns: dict[str, Column], ranked: Ranked, name_width: int) -> None:
    canvas.text(1, 0, " # lane", styles.DIM)
    x = 5 + name_width
    for key, column in columns.items():
        canvas.text(x, 0, f"{column.heading:>{WIDTHS[key]}}", styles.DIM)
        x += WIDTHS[key] + 1
    canvas.text(x, 0, "status", styles.DIM)
    room = max(WIDTHS["value"], name_width + 4)
    heading = shortened(status.fitting(value_headings(ranked), room), room)
    canvas.text(5 + name_width + WIDTHS["value"] - text_width(heading), 0, heading, styles.BOLD)


def _lane(canvas: Canvas, row: Standing, words: str, state: RaceState, view: RaceView) -> None:
    hue, selected = view.hue(row.first.index), row.first.index == view.selected
    bad = status.lost(row.group, state)
    style = styles.ALERT_BAR if bad else styles.lane_chosen(hue) if selected else styles.lane(hue)
    if bad or selected:
        canvas.fill(style)
    canvas.text(0, 0, "▶" if selected else " ", style)
    canvas.text(1, 0, words, style)


def _called(ranked: Ranked, view: RaceView, without: int = 0) -> list[str]:
    """Names of the rows in the order of the standings, without their first `without` words."""
    return [
        names.named(row.group, pinned=row.first.index in view.pinned, without=without)
        for row in ranked.rows
    ]
