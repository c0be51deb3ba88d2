"""Keys that come faster than they are handled: each one waits until all that the one before it has
set off is done.

Textual hands every key on at once, to the screen that is in front when it comes. Of keys that come
in one piece (quick fingers, a slow line, a paste), those behind one that opens or closes a dialog
or changes the screen would reach the wrong one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import Any

from textual.app import App
from textual.events import Event, Key, Paste
from textual.message_pump import MessagePump

ROUNDS = 4
"""How often all queues on the way are waited for. A key goes from the focused widget up to the app;
what it posts there goes the same way once more (a line that was submitted, then a screen that asks
for another one); the new screen comes up; what was to be called after all that is called."""
PATIENCE_S = 1.0
"""A queue that has got no further by then holds up no key any longer."""


class TypeAhead:
    """The keys and pastes of an app that wait for their turn."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._waiting: deque[Event] = deque()
        self._turn: Event | None = None
        self._feeding: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether any key is waiting, or being handled."""
        return self._feeding is not None and not self._feeding.done()

    def takes(self, event: Event) -> bool:
        """Whether an event of the app is to be handled later; it is posted again then."""
        if not isinstance(event, Key | Paste) or event.is_forwarded or event is self._turn:
            return False
        self._waiting.append(event)
        if not self.busy:
            self._feeding = asyncio.create_task(self._feed())
        return True

    async def _feed(self) -> None:
        while self._waiting:
            self._turn = self._waiting.popleft()
            self._app.post_message(self._turn)
            for _ in range(ROUNDS):
                for pump in self._way():
                    await _handled(pump)

    def _way(self) -> Iterator[MessagePump]:
        """What a key goes through: the app, the focused widget or the screen, and all above it, the
        app again."""
        yield self._app
        yield from (self._app.focused or self._app.screen).ancestors_with_self


async def _handled(pump: MessagePump) -> None:
    """Waits until every message that is in a queue now has been handled."""
    done = asyncio.Event()
    if pump.call_later(done.set):  # else nobody handles any there
        try:
            await asyncio.wait_for(done.wait(), PATIENCE_S)
        except TimeoutError:
            pass
