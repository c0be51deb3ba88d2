"""What a frame sends: only what changed, and on a slow line only as often as the line takes it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from textual.app import App, ComposeResult

from lrtui.tui import canvas_widget
from lrtui.tui.canvas_widget import CanvasWidget, FrameBackoff


class Shown(App[None]):
    """A frame, and the regions of it that were sent."""

    def compose(self) -> ComposeResult:
        yield CanvasWidget()


class Line:
    """A terminal's line with so many writes that it has not taken yet."""

    def __init__(self) -> None:
        self.waiting = 0
        self._queue = SimpleNamespace(qsize=lambda: self.waiting)


@pytest.fixture
def line(monkeypatch):
    monkeypatch.setattr(canvas_widget, "LATER_S", 0.001)
    return Line()


def sent(monkeypatch, shown: CanvasWidget) -> list[int]:
    """The rows that are sent, from now on."""
    rows: list[int] = []
    monkeypatch.setattr(
        shown, "refresh", lambda *regions: rows.extend(region.y for region in regions)
    )
    return rows


async def run(line: Line, monkeypatch, steps) -> None:
    app = Shown()
    async with app.run_test(size=(40, 6)) as pilot:
        await pilot.pause()
        app._driver._writer_thread = line
        shown = app.query_one(CanvasWidget)
        try:
            await steps(shown, sent(monkeypatch, shown), pilot)
        finally:
            del app._driver._writer_thread


def test_a_quick_line_gets_each_change_at_once(line, monkeypatch):
    async def steps(shown, rows, pilot):
        for row in range(3):
            line.waiting = row % (canvas_widget.QUEUED + 1)
            shown.canvas.text(0, row, "news")
            shown.commit()
        assert rows == [0, 1, 2]

    asyncio.run(run(line, monkeypatch, steps))


def test_slow_terminal_gets_changed_rows_together_once_drained(line, monkeypatch):
    async def steps(shown, rows, pilot):
        line.waiting = canvas_widget.QUEUED + 1
        for row in range(3):
            shown.canvas.text(0, row, "news")
            shown.commit()
        await pilot.pause(0.01)
        assert rows == []
        line.waiting = 0
        while not rows:
            await pilot.pause(0.001)
        assert rows == [0, 1, 2]
        shown.canvas.text(0, 4, "more")
        shown.commit()
        assert rows == [0, 1, 2, 4]

    asyncio.run(run(line, monkeypatch, steps))


def test_what_was_taken_back_before_the_line_was_free_is_never_sent(line, monkeypatch):
    async def steps(shown, rows, pilot):
        line.waiting = canvas_widget.QUEUED + 1
        shown.canvas.text(0, 1, "news")
        shown.commit()
        shown.canvas.text(0, 1, "    ")
        shown.canvas.text(0, 3, "last")
        line.waiting = 0
        while not rows:
            await pilot.pause(0.001)
        assert rows == [3]

    asyncio.run(run(line, monkeypatch, steps))


def test_a_line_that_was_slow_gets_rest_that_doubles_and_shrinks_again():
    rest = FrameBackoff()
    rest.sent(100.0)
    assert rest.over(100.0)
    for _ in range(9):
        rest.slow()
    assert rest.seconds == canvas_widget.LONGEST_REST_S
    lengths, now = [], 100.0
    for _ in range(20):
        rest.sent(now)
        lengths.append(rest.seconds)
        assert rest.over(now) == (rest.seconds == 0)
        now += rest.seconds
        assert rest.over(now + 1e-6)
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > 1.0
    assert lengths[-1] == 0
    rest.slow()
    assert rest.seconds == canvas_widget.FIRST_REST_S
