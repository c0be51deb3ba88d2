"""The finder's screen: the sweep's loss against the rate, the rules' marks, the check's lanes, what
follows. Pure drawing."""

from __future__ import annotations

import math
import textwrap
from typing import NamedTuple

import numpy as np

from lrtui.core.charts.axis_limits import AxisLimits
from lrtui.core.diagnostics.verdicts import verdict
from lrtui.core.numbers import loss, rate
from lrtui.core.results.finder_result import in_order
from lrtui.core.results.lr_suggestions import RULES, Found
from lrtui.core.series.series import window_of
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.state.status import UNRANKED
from lrtui.core.text import one_line
from lrtui.tui.render import chart, raster, styles
from lrtui.tui.render.axis import log_x_ticks
from lrtui.tui.render.canvas import Canvas, shortened, text_width
from lrtui.tui.render.status import status_words

LINE = "┊"
SMOOTH = 2
"""The lane colour of the average."""


class Sweep(NamedTuple):
    """A sweep from rate `low` to rate `high`, to be drawn; all lists have the same length."""

    low: float
    high: float
    rates: list[float]
    losses: list[float]
    smooth: list[float]
    found: Found | None
    """Once it is over."""
    nan: bool = False
    """True if it ended with a loss or gradient norm that is not finite."""

    def column(self, value: float, width: int) -> int:
        """The cell of a rate on an axis of `width` cells; outside of it for rates that were not
        swept."""
        return math.floor(math.log(value / self.low) / math.log(self.high / self.low) * width)


def header(canvas: Canvas, title: str, phase: str, trouble: str) -> None:
    """Draw the title of the search and its progress."""
    canvas.fill(styles.TITLE)
    right = one_line(trouble or phase)[: canvas.width - 20]
    canvas.text(
        0,
        0,
        shortened(f" {one_line(title)}", max(1, canvas.width - text_width(right) - 3)),
        styles.TITLE,
    )
    canvas.text(
        canvas.width - text_width(right) - 1,
        0,
        right,
        styles.ALERT_BAR if trouble else styles.TITLE,
    )


def curve(canvas: Canvas, sweep: Sweep, limits: AxisLimits) -> None:
    """Each batch's loss faint, the average in colour where the rules look at it, a line at each
    rule's rate."""
    canvas.fill()
    if not canvas.width or not canvas.height:
        return
    for name, x in _marks(sweep, canvas.width):
        for y in range(canvas.height):
            canvas.text(x, y, LINE, styles.WARN if name == "valley" else styles.DIM)
    if not sweep.losses:
        return
    raw, average = (
        _drawn(canvas, sweep, values, limits) for values in (sweep.losses, sweep.smooth)
    )
    bits, owner = raster.overlay([raw.bits, average.bits], [0, 1])
    tints = np.where(owner == 1, np.uint16(styles.lane_bold(SMOOTH)), np.uint16(styles.DIM))
    if sweep.found is not None and sweep.found.suggestions:
        first, last = (
            sweep.column(sweep.rates[at], canvas.width)
            for at in (sweep.found.first, sweep.found.last - 1)
        )
        tints[:, : max(first, 0)] = tints[:, last + 1 :] = styles.DIM
    there = bits != 0
    canvas.codes[there], canvas.styles[there] = raster.codes(bits)[there], tints[there]
    if sweep.nan and raw.end:
        canvas.text(*raw.end, chart.NAN_MARK, styles.ALERT)


def _drawn(canvas: Canvas, sweep: Sweep, values: list[float], limits: AxisLimits) -> raster.Raster:
    x = np.log(np.asarray(sweep.rates))
    window = window_of(
        x, values, math.log(sweep.low), math.log(sweep.high) + 1e-9, 2 * canvas.width
    )
    return raster.draw(window, canvas.height, limits.low, limits.high, limits.log)


def _marks(sweep: Sweep, width: int) -> list[tuple[str, int]]:
    """The rules with the cells of their rates, the headline last so that it lies on top."""
    suggestions = sweep.found.suggestions if sweep.found else {}
    places = [
        (name, sweep.column(suggestions[name], width))
        for name in reversed(RULES)
        if name in suggestions
    ]
    return [(name, min(x, width - 1)) for name, x in places if 0 <= x <= width]


def marks(canvas: Canvas, sweep: Sweep) -> None:
    """Draw the rules' names over their lines, with their rates if they fit, the headline first and
    nearest."""
    canvas.fill()
    taken = np.zeros((canvas.height, canvas.width), bool)
    for name, x in reversed(_marks(sweep, canvas.width)):
        assert sweep.found is not None
        style = styles.WARN if name == "valley" else styles.TEXT
        for text in (f"{name} {rate(sweep.found.suggestions[name], 3)}", name, name[0].upper()):
            start = max(0, min(x, canvas.width - len(text)))
            cells = slice(max(0, start - 1), start + len(text) + 1)  # one cell free on either side
            row = next(
                (y for y in reversed(range(canvas.height)) if not taken[y, cells].any()), None
            )
            if row is not None:
                taken[row, cells] = True
                canvas.text(start, row, text, style)
                for y in range(row + 1, canvas.height):
                    if not taken[y, x]:
                        canvas.text(x, y, LINE, style if name == "valley" else styles.DIM)
                break


def x_labels(canvas: Canvas, sweep: Sweep) -> None:
    """Powers of ten of the rate."""
    canvas.fill()
    for tick in log_x_ticks(sweep.low, sweep.high, canvas.width):
        canvas.text(tick.cell, 0, tick.label, styles.DIM)


def standings(canvas: Canvas, check: RaceState | None, placeholder: str) -> None:
    """Draw the check's lanes, best first; without a check, the placeholder."""
    canvas.fill()
    if check is None:
        canvas.text(1, 0, placeholder, styles.DIM)
        return
    canvas.text(1, 0, _row("#", "rate", "", "smoothed", "status"), styles.DIM)
    for y, lane in enumerate(in_order(check)[: canvas.height - 1], 1):
        _standing(canvas.view((0, y, canvas.width, 1)), y, lane, check)


def _standing(canvas: Canvas, place: int, lane: LaneState, check: RaceState) -> None:
    bad = lane.status in UNRANKED
    won = check.over and place == 1 and not bad
    style = styles.ALERT if bad else styles.WARN if won else styles.lane(lane.index)
    status = (
        f"NaN at {lane.ended.step}"
        if lane.status == "nan" and lane.ended
        else status_words(lane, verdict(lane, check))
    )
    status = status if lane.over else f"{lane.steps}/{lane.total_steps}"
    known = rate(lane.lane.lr, 3)
    name = "" if lane.lane.name == known else one_line(lane.lane.name)
    smooth = (
        loss(lane.losses.smooth.value)
        if lane.status != "nan" and lane.steps
        else lane.losses.last_text
    )
    canvas.text(0, 0, "▶" if won else " ", style)
    canvas.text(1, 0, _row(str(place), known, name, smooth, status), style)


def _row(place: str, known: str, name: str, smooth: str, status: str) -> str:
    return f"{place:>2} {known:<8}{name:<12}{smooth:>8} {status}"


def sentences(canvas: Canvas, conclusions: list[str], headline: str) -> None:
    """Draw the conclusions, wrapped; with too little room, the last ones, which are about the
    check."""
    canvas.fill()
    canvas.text(1, 0, headline, styles.WARN)
    wrapped = [
        textwrap.wrap(one_line(sentence), max(8, canvas.width - 3)) for sentence in conclusions
    ]
    while len(wrapped) > 1 and sum(map(len, wrapped)) > canvas.height - bool(headline):
        del wrapped[0]
    lines = [line for lines in wrapped for line in lines][: canvas.height - bool(headline)]
    if lines and len(lines) < sum(map(len, wrapped)):
        lines[-1] = f"{lines[-1][: canvas.width - 3]} …"
    for y, line in enumerate(lines, int(bool(headline))):
        canvas.text(1, y, line)
