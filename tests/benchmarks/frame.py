"""One frame of the race screen: 8 lanes at 200x50, fitted, drawn, compared, made into strips;
beside plotext and textual-plot.

Run by hand: python tests/benchmarks/frame.py. What is drawn is what the screen draws: all panes
after 20 new steps a lane, and at every fifth frame all figures, standings and log. CPU time of the
thread, the mean of many frames. The compositor is not in it: tests/benchmarks/terminal.py measures
the whole program. The other two draw one pane's loss curve, every point given to them; textual-plot
where it is installed (`pip install textual-plot`, or PYTHONPATH).
"""

from __future__ import annotations

import asyncio
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[2]))

from lrtui.core.protocol.events import Column, Started, Steps
from lrtui.core.scenario import scenario_file
from lrtui.core.state.race_state import RaceState, apply
from lrtui.tui import axis_fit
from lrtui.tui.layout import arrange
from lrtui.tui.render import pane, panels, standings
from lrtui.tui.render.canvas import Canvas
from lrtui.tui.view import RaceView

WIDTH, HEIGHT, LANES = 200, 50, 8
POINTS = 20_000, 100_000, 1_000_000
NEW = 20
"""Steps a lane that arrive between two frames."""
FIGURES_EVERY = 5


def make_state(points: int, seeds: int = 1) -> RaceState:
    """A race of lanes that have made so many of 1.2 times as many steps, each with some seeds."""
    raw = {
        "task": "linear-toy",
        "steps": int(points * 1.2),
        "seeds": seeds,
        "lane": [{"lr": 10.0**-index} for index in range(LANES)],
    }
    state = RaceState(scenario_file.parse(raw, source="benchmark", folder=Path()))
    for index in range(LANES * seeds):
        apply(
            state,
            Started(
                lane=index,
                at=0.0,
                device="cpu",
                steps_per_epoch=100,
                total_steps=int(points * 1.2),
                parameters=11,
                init_checksum="a",
                batch_checksum="b",
                intra_op_threads=1,
                validated=False,
            ),
        )
        for first in range(0, points, 10_000):
            apply(state, block(index, first, 10_000, points, seeds))
    return state


def block(lane: int, first: int, count: int, points: int, seeds: int = 1) -> Steps:
    """Losses that fall, with noise, and a rate that falls like a cosine."""
    steps, decade = np.arange(first, first + count) / points, lane // seeds
    noise = 0.1 * np.random.default_rng([lane, first]).exponential(size=count) * np.exp(-2 * steps)
    rates = 10.0**-decade * (1 + np.cos(math.pi * np.minimum(steps / 1.2, 1))) / 2
    columns = {
        "loss": Column.pack(np.exp(-4 * steps) + 0.02 + noise, "f4"),
        "grad_norm": Column.pack(noise, "f4"),
        "seconds": Column.pack(np.full(count, 5e-4), "f4"),
        "applied_lr": Column.pack(rates),
        "next_lr": Column.pack(rates),
    }
    return Steps(lane=lane, at=first * 5e-4, first=first, count=count, columns=columns)


class Screen:
    """A race on a canvas, and what was on it a frame ago."""

    def __init__(self, points: int, seeds: int = 1) -> None:
        self.points, self.at, self.frames, self.seeds = points, points, 0, seeds
        self.state, self.view = make_state(points, seeds), RaceView()
        shown = range(0, LANES * seeds, seeds)
        self.canvas, self.layout = Canvas(WIDTH, HEIGHT), arrange(WIDTH, HEIGHT, shown)
        self.old = self.canvas.copy()

    def advance(self) -> None:
        """New steps; folding them is not part of the frame."""
        for index in range(len(self.state.lanes)):
            apply(self.state, block(index, self.at, NEW, self.points, self.seeds))
        self.at += NEW

    def draw(self) -> None:
        """As the screen does it."""
        figures = self.frames % FIGURES_EVERY == 0
        self.frames += 1
        axis_fit.fit(self.view, self.state, figures=figures)
        panels.header(self.canvas.view(self.layout.header), self.state, "")
        for index, rect in self.layout.panes.items():
            pane.draw(
                self.canvas.view(rect),
                self.view.groups[index],
                self.state,
                self.view,
                self.layout.parts,
                selected=index == 0,
                figures=figures,
            )
        if figures:
            standings.draw(self.canvas.view(self.layout.standings), self.state, self.view)
            panels.log(self.canvas.view(self.layout.log), self.state, self.view)

    def frame(self) -> None:
        """Drawn, compared with the last one, and what is different made into strips."""
        self.draw()
        for y in sorted({y for y, _, _ in self.canvas.changed(self.old)}):
            self.canvas.strip(y)
        self.old.take(self.canvas)


def ours(points: int, frames: int = 60, seeds: int = 1) -> float:
    """Milliseconds of a frame: the mean of many, each with new points."""
    screen, took = Screen(points, seeds), []
    for _ in range(frames + FIGURES_EVERY):
        screen.advance()
        took.append(_milliseconds(screen.frame))
    return float(np.mean(took[FIGURES_EVERY:]))


def _curve_of(points: int) -> tuple[np.ndarray, int, int]:
    """A lane's losses, and the width and height of the curve in its pane."""
    screen = Screen(points)
    parts = screen.layout.parts
    return (
        screen.state.lanes[0].columns["loss"].values[:points].astype(float),
        parts.curve.width,
        parts.curve.height,
    )


def plotext(points: int) -> float:
    """Milliseconds of one pane's loss curve drawn by plotext."""
    import plotext as plt

    losses, width, height = _curve_of(points)
    x, y = np.arange(points).tolist(), losses.tolist()

    def chart() -> None:
        plt.terminal.limit(False, False)
        figure = plt.figure
        figure.clear()
        figure.draw(figure.signal(x, y, marker="braille").lines(True))
        figure.ruler("y").scale("log")
        figure.plot_size(width + 7, height + 2)
        figure.build().string()

    return min(_milliseconds(chart) for _ in range(2))


def textual_plot(points: int) -> float:
    """Milliseconds of one pane's loss curve drawn by textual-plot; NaN where it is not
    installed."""
    try:
        from textual.app import App, ComposeResult
        from textual_plot import HiResMode, PlotWidget
    except ImportError:
        return math.nan
    losses, width, height = _curve_of(points)

    class Shown(App[None]):
        def compose(self) -> ComposeResult:
            yield PlotWidget()

    async def measured() -> float:
        app = Shown()
        async with app.run_test(size=(width + 10, height + 5)) as pilot:
            plot, x = app.query_one(PlotWidget), np.arange(points)

            def chart() -> None:
                plot.clear()
                plot.plot(x, losses, hires_mode=HiResMode.BRAILLE)
                plot._render_plot()

            await pilot.pause()
            return min(_milliseconds(chart) for _ in range(2))

    return asyncio.run(measured())


def _milliseconds(work: Callable[[], object]) -> float:
    start = time.thread_time()
    work()
    return (time.thread_time() - start) * 1000


def main() -> None:
    console = Console()
    shown = Table(
        title=(
            f"a frame of {LANES} panes at {WIDTH}x{HEIGHT}: CPU ms (<= 4; <= 1.3 times the first"
            " row)"
        )
    )
    for heading in (
        "points",
        "8 panes",
        "x first",
        "plotext, 1 curve",
        "/ our pane",
        "textual-plot",
        "/ our pane",
    ):
        shown.add_column(heading, justify="right")
    first = math.nan
    for points in POINTS:
        frame = min(ours(points) for _ in range(3))
        first = frame if math.isnan(first) else first
        theirs = [
            rival(points) if points <= 100_000 else math.nan for rival in (plotext, textual_plot)
        ]
        beside = [
            cell
            for one in theirs
            for cell in (
                [f"{one:.1f}", f"{one / (frame / LANES):.0f} x"] if one == one else ["-", "-"]
            )
        ]
        shown.add_row(f"{points:,}", f"{frame:.2f}", f"{frame / first:.2f}", *beside)
    console.print(shown)


if __name__ == "__main__":
    main()
