"""What is left after a race, for the scrollback: the standings (rich) and the chart (plotext). Knows no screen.

Only this module imports plotext, and only finite, clipped, decimated points reach it: a NaN in a line, or a spike far
beyond its limits, aborts the process (notes on Textual, 1.1).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lrtui.core.numbers import count, loss, rate
from lrtui.core.standings import standings
from lrtui.core.state import LaneState, RaceState
from lrtui.core.text import one_line
from lrtui.palette import LANES, lane_color

Losses = NDArray[np.floating[Any]]
Y_TICKS = 5
HEADROOM = 10.0
"""The chart's top: at most this many times the highest first loss, so that one exploding lane does not flatten the others."""


def print_report(console: Console, state: RaceState, run: Path) -> None:
    """Prints the standings, the chart of all lanes and where the run is kept."""
    console.print()
    console.print(standings_table(state, console.width))
    for text in endings(state):
        console.print(text)
    drawn = chart(state, min(console.width, 120), 20, color=console.color_system is not None)
    if drawn:
        console.print()
        console.print(Text.from_ansi(drawn), no_wrap=True, crop=False)
    console.print(Text(f"run: {run}"), soft_wrap=True)


_COLUMNS = {"": 0, "lane": 0, "optimizer": 110, "lr": 0, "status": 0, "verdict": 0, "last loss": 0, "best": 0,
            "at step": 80, "steps": 80, "steps/s": 110}
"""The columns of the standings, and from how many columns of the terminal on each is there."""
_RIGHT = {"last loss", "best", "at step", "steps", "steps/s"}
_VERDICTS = {"none": "", "nan": "NaN"}


def standings_table(state: RaceState, width: int) -> Table:
    """The lanes, best first, with as much about each as `width` has room for; only a lane's name is ever cut."""
    table = Table(title=Text(one_line(state.race.title)), title_justify="left", box=None, pad_edge=False, header_style="dim")
    shown = [name for name, least in _COLUMNS.items() if width >= least]
    for name in shown:
        table.add_column(name, no_wrap=name != "lane", justify="right" if name in _RIGHT else "left")
    for place, lane in enumerate(standings(state), 1):
        cells = _cells(place, lane)
        table.add_row(*(cells[name] for name in shown))
    return table


def _cells(place: int, lane: LaneState) -> dict[str, str | Text]:
    spec = lane.lane
    return {
        "": str(place),
        "lane": Text(one_line(f"{spec.letter} {spec.name}"), style=lane_color(lane.index), no_wrap=True, overflow="ellipsis"),
        "optimizer": Text(one_line(str(spec.optimizer))),
        "lr": rate(spec.lr),
        "status": Text(lane.status, style="bold red" if lane.status in ("nan", "error", "died") else ""),
        "verdict": Text(_VERDICTS.get(lane.verdict, lane.verdict.upper()), style="bold red"),
        "last loss": lane.last_words,
        "best": lane.best_words,
        "at step": "" if lane.best_step is None else str(lane.best_step),
        "steps": str(lane.steps),
        "steps/s": "" if math.isnan(lane.steps_per_second) else count(lane.steps_per_second),
    }


def endings(state: RaceState) -> Iterator[Text]:
    """A line or more for each lane that a person must hear about: NaN, divergence, an error with its last line."""
    for lane in state.lanes:
        for alert in lane.alerts:
            yield Text(one_line(f"{lane.lane.letter} {alert.kind}: {alert.text}"), style="red")


def chart(state: RaceState, width: int, height: int, *, color: bool) -> str:
    """The losses of all lanes over the steps as text with SGR codes, '' where there is nothing finite to draw."""
    import plotext

    lanes = [lane for lane in state.lanes if "loss" in lane.columns]
    limits = loss_limits(lanes)
    if limits is None:
        return ""
    plotext.terminal.limit(False, False)
    figure = plotext.figure
    figure.clear()
    figure.theme("simple" if color else "colorless")
    figure.plot_size(width, height)
    figure.title("loss by step" + (" (log)" if limits.log else ""))
    total = max(max(lane.total_steps, lane.steps) for lane in lanes)
    for lane in lanes:
        _draw_lane(plotext, lane, total, limits, width)
    shares = np.linspace(0, 1, Y_TICKS)
    figure.ruler("y").lim(0, 1)
    figure.ruler("y").ticks(shares.tolist(), [loss(value) for value in limits.values(shares).tolist()])
    steps = sorted({round(step) for step in np.linspace(0, max(total - 1, 1), max(2, min(width // 12, 8))).tolist()})
    figure.ruler("x").lim(0, max(total - 1, 1))
    figure.ruler("x").ticks(steps, [count(step) for step in steps])
    return str(figure.build().string(colorless=not color)).rstrip("\n") + "\n" + _legend(lanes, width, color)


class LossLimits(NamedTuple):
    """The chart's y axis. plotext draws on a plain axis from 0 to 1: its own logarithmic one fails where losses are equal."""

    low: float
    high: float
    log: bool

    def shares(self, values: Losses) -> Losses:
        """How far up the axis values lie: 0 at `low`, 1 at `high`, never beyond; NaN where not finite."""
        known = np.where(np.isfinite(values), np.clip(values, self.low, self.high), np.nan)
        low, high = self._place(np.array([self.low, self.high]))
        shares: Losses = (self._place(known) - low) / (high - low)
        return shares

    def values(self, shares: Losses) -> Losses:
        """The other way round."""
        low, high = self._place(np.array([self.low, self.high]))
        places: Losses = low + shares * (high - low)
        return np.power(10.0, places) if self.log else places

    def _place(self, values: Losses) -> Losses:
        return np.log10(values) if self.log else values


def loss_limits(lanes: list[LaneState]) -> LossLimits | None:
    """Lowest and highest loss to draw, and whether the axis is logarithmic; None without a finite loss."""
    ranges = [found for lane in lanes if math.isfinite((found := lane.columns["loss"].finite_range()).low)]
    if not ranges:
        return None
    firsts = [lane.first_loss for lane in lanes if math.isfinite(lane.first_loss)]
    low, high = min(r.low for r in ranges), min(max(r.high for r in ranges), HEADROOM * max(map(abs, firsts), default=math.inf))
    log = low > 0 and math.isfinite(low)
    if high <= low:
        low, high = (low / 2, low * 2) if log else (low - max(1, abs(low)), low + max(1, abs(low)))
    return LossLimits(low, high, log)


def _draw_lane(plotext: object, lane: LaneState, total: int, limits: LossLimits, width: int) -> None:
    """Draws a lane as one signal for each unbroken stretch, at most two points for each of the chart's dot columns."""
    columns = 2 * width
    window = lane.columns["loss"].window(0, total, columns)
    x = np.repeat((np.arange(columns) + 0.5) * total / columns, 2)
    y = limits.shares(np.stack([window.hi, window.lo], axis=1).reshape(-1).astype(float))
    keep = np.isfinite(y)
    breaks = np.flatnonzero(np.repeat(window.gap, 2)[:-1] & ~np.repeat(window.gap, 2)[1:]) + 1
    for xs, ys, good in zip(*(np.split(part, breaks) for part in (x, y, keep)), strict=True):
        if good.any():
            marker = plotext.marker("braille", LANES[lane.index % len(LANES)])  # type: ignore[attr-defined]
            figure = plotext.figure  # type: ignore[attr-defined]
            figure.draw(figure.signal(xs[good].tolist(), ys[good].tolist(), marker=marker).lines(True))


def _legend(lanes: list[LaneState], width: int, color: bool) -> str:
    """A line under the chart that says which colour is which lane; plotext's own legend would hide the curves."""
    parts: list[str] = []
    used = 0
    for lane in lanes:
        text = one_line(f"{lane.lane.letter} {lane.lane.name}")
        used += cell_len(text) + 3
        if used > width and parts:
            parts[-1] += "\n"
            used = cell_len(text) + 3
        parts.append(f"\x1b[38;5;{LANES[lane.index % len(LANES)]}m{text}\x1b[0m" if color else text)
    return "   ".join(parts).replace("\n   ", "\n")
