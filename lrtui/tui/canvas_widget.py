"""A widget that shows one canvas, and sends the terminal only the cells that changed."""

from __future__ import annotations

import time

from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from lrtui.tui.render.canvas import Canvas

QUEUED = 2
"""Writes waiting for the terminal above which no frame is added: frames come as fast as the line
takes them, each with all changes since the last one, and a key's reply never waits behind old
frames."""
LATER_S = 0.05
FIRST_REST_S, LONGEST_REST_S, CALMER = 0.25, 2.0, 0.8
"""Seconds of rest after a slow frame, so that the line's buffers drain and a key's reply is seen
soon. The rest doubles each time the line is slow, and shrinks by CALMER with each frame that is
not."""


class FrameBackoff:
    """Seconds between two unrequested frames on a slow line."""

    def __init__(self) -> None:
        self.seconds, self._since = 0.0, 0.0

    def slow(self) -> None:
        """Note that the line has not taken the earlier frames."""
        self.seconds = min(max(2 * self.seconds, FIRST_REST_S), LONGEST_REST_S)

    def sent(self, now: float) -> None:
        """Note that a frame was sent without waiting."""
        self.seconds = self.seconds * CALMER if self.seconds > FIRST_REST_S / 2 else 0.0
        self._since = now

    def over(self, now: float) -> bool:
        """True if the next frame may be sent."""
        return now - self._since >= self.seconds


class CanvasWidget(Widget):
    """Draw on `canvas`, then `commit()`. After a change of size there is a new, empty canvas and a
    `Resized` message."""

    DEFAULT_CSS = "CanvasWidget { width: 1fr; height: 1fr; background: ansi_default; }"

    class Resized(Message):
        """There is a new canvas to draw on."""

        def __init__(self, frame: CanvasWidget) -> None:
            super().__init__()
            self.frame = frame

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # as all widgets name it
        super().__init__(id=id)
        self.canvas = Canvas(0, 0)
        self._shown = Canvas(0, 0)
        self._strips: list[Strip] = []
        self._late = False
        """True while a delayed commit is scheduled."""
        self._rest = FrameBackoff()

    def on_resize(self) -> None:
        width, height = self.size
        self.canvas, self._shown = Canvas(width, height), Canvas(width, height)
        self._strips = [Strip.blank(width)] * height
        self.post_message(self.Resized(self))

    @property
    def resting(self) -> bool:
        """True if the line is slow and was sent a frame recently: unrequested drawing should
        wait."""
        return not self._rest.over(time.monotonic())

    def commit(self) -> None:
        """Show the changes since the last commit: only changed spans of changed rows."""
        spans = self.canvas.changed(self._shown)
        if not spans or self._late:
            return
        if self._queued() > QUEUED:
            self._late = True
            self._rest.slow()
            self.set_timer(LATER_S, self._commit_late)
            return
        self._rest.sent(time.monotonic())
        for y in {y for y, _, _ in spans}:
            self._strips[y] = self.canvas.strip(y)
        self._shown.take(self.canvas)
        self.refresh(*[Region(start, y, stop - start, 1) for y, start, stop in spans])

    def repaint(self) -> None:
        """Show everything again: styles or glyphs have changed."""
        self._strips = [self._shown.strip(y) for y in range(self._shown.height)]
        self.refresh()

    def _commit_late(self) -> None:
        self._late = False
        self.commit()

    def _queued(self) -> int:
        """Writes that the terminal has not taken yet; 0 if unknown."""
        writer = getattr(self.app._driver, "_writer_thread", None)
        return writer._queue.qsize() if writer is not None else 0

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the strips as they are: without border and padding Textual's style cache is not
        needed."""
        strips = self._strips[crop.y : crop.bottom]
        strips += [Strip.blank(self.size.width)] * (crop.height - len(strips))
        return (
            strips
            if crop.width >= self.size.width
            else [strip.crop(crop.x, crop.right) for strip in strips]
        )
