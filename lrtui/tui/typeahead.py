"""Queues keys that come faster than they are handled: each waits until everything that the one
before it caused is done.

Textual passes every key on at once, to the screen in front at that time. Of keys that arrive in one
piece (quick fingers, a slow line, a paste), those behind one that opens or closes a dialog or
changes the screen would reach the wrong screen.
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
"""Rounds of waiting for all queues on a key's way. A key goes from the focused widget up to the
app; a message posted there goes the same way again (a submitted line, then a request for another
screen); the new screen is mounted; callbacks run after that."""
PATIENCE_S = 10.0
"""Longest wait for one queue."""


class TypeAhead:
    """The keys and pastes of an app that wait for their turn."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._waiting: deque[Event] = deque()
        self._turn: Event | None = None
        self._feeding: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """True while a key waits or is handled."""
        return self._feeding is not None and not self._feeding.done()

    def takes(self, event: Event) -> bool:
        """True if an event of the app is queued; it is posted again later."""
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
        """The message pumps on a key's way: the app, the focused widget or screen and its
        ancestors, and the app again."""
        yield self._app
        yield from (self._app.focused or self._app.screen).ancestors_with_self


async def _handled(pump: MessagePump) -> None:
    """Wait until every message now in a queue has been handled."""
    done = asyncio.Event()
    if pump.call_later(done.set):  # else nobody handles any there
        try:
            await asyncio.wait_for(done.wait(), PATIENCE_S)
        except TimeoutError:
            pass
