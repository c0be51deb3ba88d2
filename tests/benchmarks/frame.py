"""One frame of the race screen: windows, dots, cells, changed spans and strips of 8 panes at 200x50, beside plotext.

Run by hand: python tests/benchmarks/frame.py. CPU time of the thread, the best of several rounds. The compositor is not
in it: a benchmark of the whole screen measures that.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.style import Style
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[2]))

from lrtui.core.numbers import loss, rate
from lrtui.core.series import Series
from lrtui.tui.layout import PaneParts, Rect, arrange, pane_parts
from lrtui.tui.render import digits, raster
from lrtui.tui.render.axis import Limits, x_ticks, y_ticks
from lrtui.tui.render.canvas import Canvas, style_id

WIDTH, HEIGHT, LANES = 200, 50, 8
POINTS = 20_000, 100_000, 1_000_000
NEW = 20
"""Steps a lane that arrive between two frames."""
CURVE, FAINT = style_id(Style(color="cyan")), style_id(Style(color="grey50"))


class Pane:
    """A lane's history and the part of the screen where it is drawn."""

    def __init__(self, seed: int, points: int, canvas: Canvas, rect: Rect) -> None:
        random = np.random.default_rng(seed)
        self.budget = int(points * 1.2)
        steps = np.arange(self.budget + 100_000) / points
        noise = 0.1 * random.exponential(size=len(steps)) * np.exp(-2 * steps)
        self.future = (np.exp(-4 * steps) + 0.02 + noise).astype(np.float32)
        self.loss, self.rate = Series(), Series()
        self.canvas, self.parts = canvas.view(rect), pane_parts(rect.width, rect.height)
        self.limits = Limits.around(0.01, 1.5, log=True)
        self.advance(points)

    def advance(self, count: int) -> None:
        at = len(self.loss)
        self.loss.extend(self.future[at : at + count])
        self.rate.extend(np.float32(1e-3) * np.cos(np.arange(at, at + count) * (1.5 / self.budget)))

    def draw(self) -> None:
        self.canvas.fill()
        low, high, positive = self.loss.finite_range()
        self.limits = self.limits.fit(positive if self.limits.log else low, high)
        self._words(self.parts)
        self._curve(self.loss, self.parts.curve, self.limits)
        if self.parts.rate_curve:
            self._curve(self.rate, self.parts.rate_curve, Limits(0, 1e-3))

    def _words(self, parts: PaneParts) -> None:
        self.canvas.text(*parts.title[:2], "A  adam-0.001", CURVE)
        self.canvas.text(*parts.words[:2], "Adam(lr=0.001) running OK", FAINT)
        digits.write(self.canvas, *parts.rate[:2], rate(self.rate.last), CURVE)
        for line in parts.numbers:
            self.canvas.text(*line[:2], f"loss {loss(self.loss.last)} step {len(self.loss)}"[: line.width], FAINT)
        for tick in y_ticks(self.limits, parts.y_labels.height):
            self.canvas.text(0, parts.y_labels.y + tick.cell, tick.label, FAINT)
        if parts.x_labels:
            for tick in x_ticks(0, self.budget, parts.x_labels.width):
                self.canvas.text(parts.x_labels.x + tick.cell, parts.x_labels.y, tick.label, FAINT)

    def _curve(self, series: Series, rect: Rect, limits: Limits) -> None:
        window = series.window(0, self.budget, rect.width * raster.DOTS_X)
        drawn = raster.draw(window, rect.height, limits.low, limits.high, limits.log)
        self.canvas.put(rect.x, rect.y, raster.codes(drawn.bits), CURVE)


class Screen:
    """All panes on one canvas, and what was on it a frame ago."""

    def __init__(self, points: int) -> None:
        self.canvas = Canvas(WIDTH, HEIGHT)
        rects = arrange(WIDTH, HEIGHT, LANES).panes
        self.panes = [Pane(lane, points, self.canvas, rect) for lane, rect in rects.items()]
        self.old = self.canvas.copy()
        self.cells = 0

    def advance(self) -> None:
        for pane in self.panes:
            pane.advance(NEW)

    def frame(self) -> None:
        for pane in self.panes:
            pane.draw()
        spans = self.canvas.changed(self.old)
        for y in sorted({y for y, _, _ in spans}):
            self.canvas.strip(y)
        self.old.take(self.canvas)
        self.cells = sum(stop - start for _, start, stop in spans)


def ours(points: int, rounds: int = 60) -> float:
    """Milliseconds of a frame: the median of many, each with new points."""
    screen, times = Screen(points), []
    for _ in range(rounds):
        screen.advance()
        times.append(_milliseconds(screen.frame))
    return float(np.median(times[5:]))


def parts_of_a_frame(points: int) -> dict[str, float]:
    """Milliseconds of each step, one pane's loss curve or the whole screen."""
    screen = Screen(points)
    screen.frame()
    pane = screen.panes[0]
    rect, limits = pane.parts.curve, pane.limits
    window = pane.loss.window(0, pane.budget, rect.width * 2)
    bits = raster.draw(window, rect.height, limits.low, limits.high, True).bits
    edges = np.linspace(0, len(pane.loss), rect.width * 2 + 1).astype(np.int64)

    def grow() -> None:
        pane.loss.extend(pane.future[:NEW])
        pane.loss.window(0, pane.budget, rect.width * 2)

    return {
        "window, a curve, anew": _best(lambda: pane.loss.window_at(edges)),
        "window, a curve, after new steps": _best(grow),
        "dots, a curve": _best(lambda: raster.draw(window, rect.height, limits.low, limits.high, True)),
        "cells, a curve": _best(lambda: pane.canvas.put(rect.x, rect.y, raster.codes(bits), CURVE)),
        "a whole pane": _best(pane.draw),
        "changed spans, the screen": _best(lambda: screen.canvas.changed(screen.old)),
        "all 50 strips": _best(lambda: [screen.canvas.strip(y) for y in range(HEIGHT)]),
    }


def plotext(points: int) -> float:
    """Milliseconds of one pane's loss curve drawn by plotext, every point given to it."""
    import plotext as plt

    screen = Screen(points)
    pane = screen.panes[0]
    x, y = np.arange(points).tolist(), pane.loss.values[:points].astype(float).tolist()

    def chart() -> None:
        plt.terminal.limit(False, False)
        figure = plt.figure
        figure.clear()
        figure.draw(figure.signal(x, y, marker="braille").lines(True))
        figure.ruler("y").scale("log")
        figure.plot_size(pane.parts.curve.width + 7, pane.parts.curve.height + 2)
        figure.build().string()

    return min(_milliseconds(chart) for _ in range(2))


def _best(work: Callable[[], object], rounds: int = 5, repeats: int = 50) -> float:
    return min(_milliseconds(lambda: [work() for _ in range(repeats)]) for _ in range(rounds)) / repeats


def _milliseconds(work: Callable[[], object]) -> float:
    start = time.thread_time()
    work()
    return (time.thread_time() - start) * 1000


def main() -> None:
    console = Console()
    table = Table(title=f"a frame of {LANES} panes at {WIDTH}x{HEIGHT}, two curves each: CPU ms")
    for heading in ("points a lane", "8 panes", "one pane", "x first row", "plotext, one curve", "plotext / ours, one pane"):
        table.add_column(heading, justify="right")
    first = math.nan
    for points in POINTS:
        frame = min(ours(points) for _ in range(3))
        first = frame if math.isnan(first) else first
        theirs = plotext(points) if points <= 100_000 else math.nan
        beside = [f"{theirs:.1f}", f"{theirs / (frame / LANES):.0f} x"] if theirs == theirs else ["-", "-"]
        table.add_row(f"{points:,}", f"{frame:.2f}", f"{frame / LANES:.2f}", f"{frame / first:.2f}", *beside)
    console.print(table)
    steps = Table(title="of which, at 20,000 and at 1,000,000 points a lane: CPU ms")
    for heading in ("step", "20,000", "1,000,000"):
        steps.add_column(heading, justify="left" if heading == "step" else "right")
    few, many = parts_of_a_frame(POINTS[0]), parts_of_a_frame(POINTS[-1])
    for name in few:
        steps.add_row(name, f"{few[name]:.3f}", f"{many[name]:.3f}")
    console.print(steps)


if __name__ == "__main__":
    main()
