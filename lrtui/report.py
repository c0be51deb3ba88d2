"""What is left after a race, for the scrollback: the standings (rich) and the chart (plotext). Knows no screen.

Only this module imports plotext, and only finite, clipped, decimated points reach it: a NaN in a line, or a spike far
beyond its limits, aborts the process (notes on Textual, 1.1).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lrtui.core.numbers import count, loss, rate
from lrtui.core.standings import standings
from lrtui.core.state import LaneState, RaceState
from lrtui.palette import LANES, lane_color

HEADROOM = 10.0
"""The chart's top: at most this many times the highest first loss, so that one exploding lane does not flatten the others."""


def print_report(console: Console, state: RaceState, run: Path) -> None:
    """Prints the standings, the chart of all lanes and where the run is kept."""
    console.print()
    console.print(standings_table(state))
    for text in endings(state):
        console.print(text)
    drawn = chart(state, min(console.width, 120), 20, color=console.color_system is not None)
    if drawn:
        console.print()
        console.print(Text.from_ansi(drawn), no_wrap=True, crop=False)
    console.print(Text(f"run: {run}"), soft_wrap=True)


def standings_table(state: RaceState) -> Table:
    """The lanes, best first."""
    table = Table(title=Text(state.race.title), title_justify="left", box=None, pad_edge=False, header_style="dim")
    for name in ("", "lane", "optimizer", "lr", "status", "verdict"):
        table.add_column(name)
    for name in ("last loss", "best", "at step", "steps", "steps/s"):
        table.add_column(name, justify="right")
    for place, lane in enumerate(standings(state), 1):
        spec = lane.lane
        table.add_row(
            str(place), Text(f"{spec.letter} {spec.name}", style=lane_color(lane.index)), Text(str(spec.optimizer)),
            rate(spec.lr),
            Text(lane.status, style="bold red" if lane.status in ("nan", "error", "died") else ""),
            Text("" if lane.verdict == "none" else lane.verdict.upper(), style="bold red"),
            loss(lane.last_loss).strip(), loss(lane.best_loss).strip(), "" if lane.best_step is None else str(lane.best_step),
            str(lane.steps), "" if math.isnan(lane.steps_per_second) else count(lane.steps_per_second))
    return table


def endings(state: RaceState) -> Iterator[Text]:
    """A line or more for each lane that a person must hear about: NaN, divergence, an error with its last line."""
    for lane in state.lanes:
        for alert in lane.alerts:
            yield Text(f"{lane.lane.letter} {alert.kind}: {alert.text}", style="red")


def chart(state: RaceState, width: int, height: int, *, color: bool) -> str:
    """The losses of all lanes over the steps as text with SGR codes, '' where there is nothing finite to draw."""
    import plotext

    lanes = [lane for lane in state.lanes if "loss" in lane.columns]
    limits = loss_limits(lanes)
    if limits is None:
        return ""
    low, high, log = limits
    plotext.terminal.limit(False, False)
    figure = plotext.figure
    figure.clear()
    figure.theme("simple" if color else "colorless")
    figure.plot_size(width, height)
    figure.title("loss by step" + (" (log)" if log else ""))
    total = max(max(lane.total_steps, lane.steps) for lane in lanes)
    for lane in lanes:
        _draw_lane(plotext, lane, total, (low, high), width)
    if log:
        figure.ruler("y").scale("log")
    figure.ruler("y").lim(low, high)
    figure.ruler("x").lim(0, max(total - 1, 1))
    return str(figure.build().string(colorless=not color)).rstrip("\n") + "\n" + _legend(lanes, color)


def loss_limits(lanes: list[LaneState]) -> tuple[float, float, bool] | None:
    """Lowest and highest loss to draw, and whether the axis is logarithmic; None without a finite loss."""
    ranges = [found for lane in lanes if math.isfinite((found := lane.columns["loss"].finite_range()).low)]
    if not ranges:
        return None
    firsts = [lane.first_loss for lane in lanes if math.isfinite(lane.first_loss)]
    low, high = min(r.low for r in ranges), min(max(r.high for r in ranges), HEADROOM * max(map(abs, firsts), default=math.inf))
    log = low > 0 and math.isfinite(low)
    if high <= low:
        low, high = (low / 2, low * 2) if log else (low - 1, low + 1)
    return low, high, log


def _draw_lane(plotext: object, lane: LaneState, total: int, limits: tuple[float, float], width: int) -> None:
    """Draws a lane as one signal for each unbroken stretch, at most two points for each of the chart's dot columns."""
    columns = 2 * width
    window = lane.columns["loss"].window(0, total, columns)
    x = np.repeat((np.arange(columns) + 0.5) * total / columns, 2)
    y = np.clip(np.stack([window.hi, window.lo], axis=1).reshape(-1).astype(float), *limits)
    keep = np.isfinite(y)
    breaks = np.flatnonzero(np.repeat(window.gap, 2)[:-1] & ~np.repeat(window.gap, 2)[1:]) + 1
    for xs, ys, good in zip(*(np.split(part, breaks) for part in (x, y, keep)), strict=True):
        if good.any():
            marker = plotext.marker("braille", LANES[lane.index % len(LANES)])  # type: ignore[attr-defined]
            figure = plotext.figure  # type: ignore[attr-defined]
            figure.draw(figure.signal(xs[good].tolist(), ys[good].tolist(), marker=marker).lines(True))


def _legend(lanes: list[LaneState], color: bool) -> str:
    """A line under the chart that says which colour is which lane; plotext's own legend would hide the curves."""
    parts = []
    for lane in lanes:
        text = f"{lane.lane.letter} {lane.lane.name}"
        parts.append(f"\x1b[38;5;{LANES[lane.index % len(LANES)]}m{text}\x1b[0m" if color else text)
    return "   ".join(parts)
