"""A widget that is one canvas: whoever owns it draws, it sends the terminal only the cells that
changed."""

from __future__ import annotations

import time

from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from lrtui.tui.render.canvas import Canvas

QUEUED = 2
"""With more writes than this still waiting for the terminal, nothing is added to them: frames come
as fast as the line takes them, each with all that changed since the last one, and a key's answer
never stands behind a queue of old frames."""
LATER_S = 0.05
FIRST_REST_S, LONGEST_REST_S, CALMER = 0.25, 2.0, 0.8
"""A line that was too slow gets rest between two frames that nobody asked for: what lies in its
buffers drains, so that a key's answer is soon seen. It doubles each time the line is found too
slow, and shrinks by this factor with each frame that was not."""


class FrameBackoff:
    """How long a slow line is left alone between two frames that nobody asked for."""

    def __init__(self) -> None:
        self.seconds, self._since = 0.0, 0.0

    def slow(self) -> None:
        """The line has not taken what was sent before."""
        self.seconds = min(max(2 * self.seconds, FIRST_REST_S), LONGEST_REST_S)

    def sent(self, now: float) -> None:
        """A frame went out at once."""
        self.seconds = self.seconds * CALMER if self.seconds > FIRST_REST_S / 2 else 0.0
        self._since = now

    def over(self, now: float) -> bool:
        """Whether the next frame may come."""
        return now - self._since >= self.seconds


class CanvasWidget(Widget):
    """Draw in `canvas`, then `commit()`. After a change of size there is a new, empty canvas and a
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
        """Whether a look at the queue is coming anyway."""
        self._rest = FrameBackoff()

    def on_resize(self) -> None:
        width, height = self.size
        self.canvas, self._shown = Canvas(width, height), Canvas(width, height)
        self._strips = [Strip.blank(width)] * height
        self.post_message(self.Resized(self))

    @property
    def resting(self) -> bool:
        """Whether the line is slow and has had a frame just now: what nobody waits for should not
        be drawn yet."""
        return not self._rest.over(time.monotonic())

    def commit(self) -> None:
        """Shows what has been drawn since the last time: only rows, and of rows only spans, that
        are different."""
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
        """Shows all of it anew: its styles or characters look different now."""
        self._strips = [self._shown.strip(y) for y in range(self._shown.height)]
        self.refresh()

    def _commit_late(self) -> None:
        self._late = False
        self.commit()

    def _queued(self) -> int:
        """Writes that the terminal has not taken yet; 0 where that cannot be known."""
        writer = getattr(self.app._driver, "_writer_thread", None)
        return writer._queue.qsize() if writer is not None else 0

    def render_lines(self, crop: Region) -> list[Strip]:
        """Straight from the strips: there is no border and no padding for Textual's style cache to
        see to."""
        strips = self._strips[crop.y : crop.bottom]
        strips += [Strip.blank(self.size.width)] * (crop.height - len(strips))
        return (
            strips
            if crop.width >= self.size.width
            else [strip.crop(crop.x, crop.right) for strip in strips]
        )
