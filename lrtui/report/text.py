"""Printed results of a race, for the scrollback: standings (rich) and chart (plotext). Knows no
screen.

Only this module and `rates_text` import plotext; see `figure` for what may reach it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from lrtui.core.charts.axis_limits import AxisLimits
from lrtui.core.charts.labels import step_labels
from lrtui.core.numbers import count, rate
from lrtui.core.protocol.launch_protocol import Preview
from lrtui.core.results.fairness import fairness
from lrtui.core.results.finder_result import Outcome
from lrtui.core.results.lane_sentence import group_sentences
from lrtui.core.results.lr_suggestions import Found, bounds
from lrtui.core.results.race_sentences import race_sentences
from lrtui.core.results.recipe_words import recipe_words
from lrtui.core.series.series import Window, window_of
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.text import one_line
from lrtui.report.curves import length, loss_limits
from lrtui.report.figure import draw_window, empty_figure, y_ruler
from lrtui.report.rates_text import print_rates
from lrtui.report.standings_table import standings_table
from lrtui.terminal.palette import LANES

Losses = NDArray[np.floating[Any]]
MOST_X = 8
"""About this many labels stand beside the axis of steps."""


def print_report(console: Console, state: RaceState, run: Path) -> None:
    """Prints the standings, the chart of all lanes and where the run is kept."""
    print_race(console, state)
    print_rates(console, state, run)
    console.print(Text(one_line(f"run: {run}")), soft_wrap=True)


def print_race(console: Console, state: RaceState) -> None:
    """Prints the standings, what came out, and the chart of all lanes."""
    console.print()
    console.print(standings_table(state, console.width))
    if state.label.note:
        console.print(Text(f"note: {state.label.note}"))
    for text in [*recipes(state), *began_alike(state), *endings(state)]:
        console.print(text)
    if state.over:
        console.print()
        for sentence in [*race_sentences(state), *group_sentences(state)]:
            console.print(Text(one_line(sentence)), soft_wrap=False)
    drawn = chart(state, min(console.width, 120), 20, color=console.color_system is not None)
    if drawn:
        console.print()
        console.print(Text.from_ansi(drawn), no_wrap=True, crop=False)


def recipes(state: RaceState) -> Iterator[Text]:
    """A line about each recipe that is not the usual one, with its lanes."""
    lanes: dict[str, list[str]] = {}
    for lane in state.lanes:
        if words := recipe_words(lane, state.race):
            lanes.setdefault(words, []).append(lane.lane.letter)
    for words, letters in lanes.items():
        whose = "all lanes" if len(letters) == len(state.lanes) else ", ".join(letters)
        yield Text(one_line(f"{whose}: {words}"), style="dim")


def began_alike(state: RaceState) -> Iterator[Text]:
    """A line about what differed between scripts when they began, or that nothing did."""
    if words := fairness(state).sentence:
        yield Text(one_line(words), style="dim")


def endings(state: RaceState) -> Iterator[Text]:
    """Lines about lanes that need attention: NaN, divergence, an error with its last line."""
    for lane in state.lanes:
        for alert in lane.alerts:
            yield Text(one_line(f"{lane.lane.letter} {alert.kind}: {alert.text}"), style="red")


def chart(state: RaceState, width: int, height: int, *, color: bool) -> str:
    """Losses of all lanes over the steps as text with SGR codes; '' without any finite value."""
    import plotext

    lanes = [lane for lane in state.lanes if "loss" in lane.columns]
    limits = loss_limits(state)
    if limits is None:
        return ""
    figure = empty_figure(plotext, width, height, color)
    figure.title("loss by step" + (" (log)" if limits.log else ""))
    total = length(state)
    for lane in lanes:
        _draw_lane(plotext, lane, total, limits, width)
    _rulers(figure, limits, total, width)
    return (
        str(figure.build().string(colorless=not color)).rstrip("\n")
        + "\n"
        + _legend(lanes, width, color)
    )


def print_outcome(
    console: Console, found: Found | None, outcome: Outcome, check: RaceState | None
) -> None:
    """Prints a finder's chart with the rules' marks, the standings of its check, and what
    follows."""
    drawn = (
        finder_chart(found, min(console.width, 120), 16, color=console.color_system is not None)
        if found
        else ""
    )
    if drawn:
        console.print()
        console.print(Text.from_ansi(drawn), no_wrap=True, crop=False)
    if found is not None and found.suggestions:
        marks = sorted(found.suggestions.items(), key=lambda item: item[1])
        console.print(
            Text(
                "lines, from the left: "
                + ", ".join(f"{name} {rate(value, 3)}" for name, value in marks)
            )
        )
    if check is not None:
        console.print()
        console.print(standings_table(check, console.width, outcome.ranked))
    console.print()
    for sentence in outcome.sentences:
        console.print(Text(one_line(sentence)))
    if outcome.winner is not None:
        console.print(Text(f"found: {rate(outcome.winner.lane.lr)}", style="bold"))


def finder_chart(found: Found, width: int, height: int, *, color: bool) -> str:
    """Losses of a sweep over the logarithm of the rate, a line at each rule's rate; '' without any
    finite value."""
    import plotext

    x = np.log10(found.rates, where=found.rates > 0, out=np.full(len(found.rates), np.nan))
    low, high = bounds(found.losses, found.smooth)
    if not (math.isfinite(low) and len(x) > 1 and np.isfinite(x).all() and x[0] < x[-1]):
        return ""
    limits = AxisLimits.around(low, high, low > 0)
    figure = empty_figure(plotext, width, height, color)
    figure.title(
        "loss by learning rate: each batch grey, their average green"
        + (", log" if limits.log else "")
    )
    for value in found.suggestions.values():
        at = math.log10(value)
        if x[0] <= at <= x[-1]:
            figure.draw(
                figure.signal([at, at], [0.0, 1.0], marker=plotext.marker("┊", _MARK)).lines(True)
            )
    for losses, tint in ((found.losses, _RAW), (found.smooth, _AVERAGE)):
        window = window_of(x, losses, float(x[0]), float(x[-1]) + 1e-9, 2 * width)
        draw_window(plotext, window, (float(x[0]), float(x[-1])), limits, tint)
    y_ruler(figure, limits)
    powers = list(range(math.ceil(x[0] - 1e-9), math.floor(x[-1] + 1e-9) + 1))
    figure.ruler("x").lim(float(x[0]), float(x[-1]))
    figure.ruler("x").ticks(
        [float(power) for power in powers], [rate(10.0**power) for power in powers]
    )
    return str(figure.build().string(colorless=not color)).rstrip("\n")


def rates_chart(previews: Sequence[Preview], width: int, height: int, *, color: bool) -> str:
    """The previewed learning rates of lanes over their steps, as far as they are known; '' where
    none is."""
    import plotext

    total = max((one.total for one in previews), default=0)
    windows = {
        index: _stairs(one, total, 2 * width) for index, one in enumerate(previews) if one.steps
    }
    shown = [values[np.isfinite(values)] for one in windows.values() for values in (one.lo, one.hi)]
    if not any(len(values) for values in shown):
        return ""
    limits = _rate_limits(np.concatenate(shown).astype(float))
    figure = empty_figure(plotext, width, height, color)
    figure.title(f"learning rate by step, {count(total)} in all" + (", log" if limits.log else ""))
    for index, window in windows.items():
        draw_window(plotext, window, (0, total), limits, LANES[index % len(LANES)])
    _rulers(figure, limits, total + 1, width)
    return str(figure.build().string(colorless=not color)).rstrip("\n")


def _stairs(preview: Preview, total: int, columns: int) -> Window:
    """A preview as a curve of level stretches, up to the last known step."""
    # within the last column, so that a rate that never changes is a line and not a dot
    end = preview.known * (1 - 1e-9)
    x = np.repeat(np.array([*preview.steps, end], float), 2)[1:-1]
    return window_of(x, np.repeat(np.array(preview.rates), 2), 0, max(total, 1), columns)


def _rate_limits(rates: Losses) -> AxisLimits:
    """A logarithmic axis where rates above zero span a decade and more, and none is below zero."""
    positive = rates[rates > 0]
    log = rates.min() >= 0 and len(positive) > 0 and positive.max() >= 10 * positive.min()
    return AxisLimits.around(float(positive.min() if log else rates.min()), float(rates.max()), log)


_RAW, _AVERAGE, _MARK = 245, 40, 220


def _rulers(figure: Any, limits: AxisLimits, total: int, width: int) -> None:
    """Axes of a chart of `width` columns over `total` steps."""
    y_ruler(figure, limits)
    figure.ruler("x").lim(0, max(total - 1, 1))
    steps, labels = zip(*step_labels(total, max(1, min(width // 12, MOST_X))), strict=True)
    figure.ruler("x").ticks(list(steps), list(labels))


def _draw_lane(plotext: Any, lane: LaneState, total: int, limits: AxisLimits, width: int) -> None:
    """Draws a lane's losses over its steps."""
    window = lane.columns["loss"].window(0, total, 2 * width)
    draw_window(plotext, window, (0, total), limits, LANES[lane.index % len(LANES)])


def _legend(lanes: list[LaneState], width: int, color: bool) -> str:
    """Line under the chart with the colour of each lane; plotext's own legend would hide the
    curves."""
    parts: list[str] = []
    used = 0
    for lane in lanes:
        text = lane.lane.called
        used += cell_len(text) + 3
        if used > width and parts:
            parts[-1] += "\n"
            used = cell_len(text) + 3
        parts.append(f"\x1b[38;5;{LANES[lane.index % len(LANES)]}m{text}\x1b[0m" if color else text)
    return "   ".join(parts).replace("\n   ", "\n")
