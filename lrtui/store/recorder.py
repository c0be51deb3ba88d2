"""Keeps the training thread and the disk apart: a thread that writes events and fetches commands at
its own pace.

Training only ever appends to a queue. When the store cannot be written, events wait in memory, up
to a bound, and are written when it can be; steps beyond the bound are counted and the record says
how many are missing. What became of a command is written together with the events that it led to,
or not at all.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from lrtui.core.errors import StoreUnavailable, Superseded
from lrtui.core.protocol.command_result import CommandResult
from lrtui.core.protocol.commands import Add, AnyCommand, Fork
from lrtui.core.protocol.events import AnyEvent, LogMessage, Started, Steps
from lrtui.store.writer import Row, Writer, row

FLUSH_S = 0.05
GAP_S = 0.005
"""Between two flushes, however many answers wait to be written."""
BEAT_S = 1.0
RETRY_S = 0.5
KEEP_BYTES = 64 * 1024 * 1024
_Item = AnyEvent | threading.Event | tuple[int, CommandResult]


# 22 attributes: the queues and flags that the training thread and the writing thread share, under
# one lock. In classes of their own they would each need a lock, and an order among them.
class Recorder:
    """The inbox and outbox of one trainer. `put`, `commands` and `acknowledge` never wait for the
    disk."""

    def __init__(self, run: Path, role: str, lanes: set[int], keep_bytes: int = KEEP_BYTES) -> None:
        self.superseded = False
        """True if another process has taken this role over: then nothing is written any more, and
        training is in vain."""
        self._writer = Writer(run, role)
        self._lanes = lanes
        self._keep_bytes = keep_bytes
        self._outbox: deque[_Item | list[_Item]] = deque()
        """Events, command results, and threading.Events to set once everything before them is
        written; a list is written in one transaction."""
        self._held: list[_Item] | None = None
        self._holder = 0
        """Thread whose items are held for one transaction."""
        self._order = threading.Lock()
        self._results: list[tuple[int, CommandResult]] = []
        self._inbox: deque[tuple[int, AnyCommand]] = deque()
        self._arrived = threading.Event()
        self._hurry = threading.Event()
        self._closing = threading.Event()
        self._kept: deque[tuple[Row, int]] = deque()
        self._kept_bytes = 0
        self._waiting: list[threading.Event] = []
        self._lost = 0
        self._failed_at = 0.0
        self._claimed = False
        self._seen = 0
        self._beat_at = 0.0
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def put(self, event: AnyEvent) -> None:
        """Hands over an event to be written with the next flush.

        An event without a time gets the present one; a lane's start gets this process's role.
        """
        if not event.at:
            event = msgspec.structs.replace(event, at=time.time())
        if isinstance(event, Started):
            event = msgspec.structs.replace(event, role=self._writer.role)
        if not self.superseded:
            self._hand_over(event)

    def commands(self) -> list[tuple[int, AnyCommand]]:
        """The commands that have come for this trainer's lanes since the last call, each with its
        number."""
        if not self._arrived.is_set():  # as at nearly every step, so it takes no lock
            return []
        self._arrived.clear()
        return [self._inbox.popleft() for _ in range(len(self._inbox))]

    def acknowledge(self, number: int, result: CommandResult) -> None:
        """Hands over the result of a command; it is written at once, with all events put before."""
        self._hand_over((number, result))
        self._hurry.set()

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """Events and acknowledgements inside commit in one transaction, so no command is executed
        twice."""
        self._holder = threading.get_ident()
        try:
            yield
        finally:
            with self._order:
                held, self._held, self._holder = self._held, None, 0
                if held:
                    self._outbox.append(held)
            self._hurry.set()

    def wait(self, seconds: float) -> None:
        """Waits for a command, a wake-up, or `seconds` at most."""
        if not self.superseded:
            self._arrived.wait(seconds)

    def wake(self) -> None:
        """Ends the wait of the thread that waits for commands. Not to be called from a signal
        handler."""
        self._arrived.set()

    def wait_flushed(self, seconds: float) -> bool:
        """Waits, at most so long, until everything that was put before is written; whether it
        is."""
        written = threading.Event()
        self._hand_over(written)
        self._hurry.set()
        return written.wait(seconds) and not self.superseded

    def close(self, patience_s: float = 10.0) -> bool:
        """Writes what is left, trying for `patience_s` seconds, and ends the thread; whether it has
        ended."""
        self._closing.set()
        self._hurry.set()
        self._thread.join(patience_s)
        return not self._thread.is_alive()

    def _hand_over(self, item: _Item) -> None:
        """Queues something; from the first thing on that is to be held together, all threads'
        things wait for its end."""
        with self._order:
            if self._held is None and self._holder == threading.get_ident():
                self._held = []
            (self._outbox if self._held is None else self._held).append(item)

    def _run(self) -> None:
        period = FLUSH_S
        while not self._closing.is_set() and not self.superseded:
            self._hurry.wait(period)
            self._hurry.clear()
            began = time.monotonic()
            ok = self._round()
            # Where a flush is slow (a rollback journal on a network disk) it is done less often,
            # not all the time.
            period = max(FLUSH_S, 10 * (time.monotonic() - began)) if ok else RETRY_S
            if ok:
                self._beat()
            self._closing.wait(GAP_S if ok else GAP_S * 10)
        while not self.superseded and not self._round():
            time.sleep(RETRY_S)
        self._writer.close()

    def _round(self) -> bool:
        """One flush and look for commands; False where the store cannot be reached."""
        self._collect()
        try:
            if not self._claimed:
                self._writer.claim()
                self._claimed = True
            if self._kept or self._results:
                self._writer.flush([row for row, _ in self._kept], self._results)
                self._kept.clear()
                self._kept_bytes = 0
                self._results.clear()
            if self._failed_at:
                self._recovered()
            self._tell_waiting()
            self._fetch()
            return True
        except StoreUnavailable:
            self._failed_at = self._failed_at or time.monotonic()
            return False
        except Superseded:
            self._give_up()
            return True

    def _beat(self) -> None:
        """Says once a second that this process is there. A disk that is slow to confirm it holds up
        nothing else."""
        if self.superseded or time.monotonic() - self._beat_at < BEAT_S:
            return
        try:
            self._writer.beat()
            self._beat_at = time.monotonic()
        except StoreUnavailable:
            pass  # the next flush will show whether the store is really out of reach
        except Superseded:
            self._give_up()

    def _give_up(self) -> None:
        """Drops everything, and wakes all waiting threads."""
        self.superseded = True
        self._collect()
        for queue in (self._results, self._inbox, self._kept):
            queue.clear()
        self._kept_bytes = 0
        self._tell_waiting()
        self._arrived.set()

    def _collect(self) -> None:
        for _ in range(len(self._outbox)):
            handed = self._outbox.popleft()
            for item in handed if isinstance(handed, list) else [handed]:
                if isinstance(item, threading.Event):
                    self._waiting.append(item)
                elif isinstance(item, tuple):
                    self._results.append(item)
                else:
                    packed = row(item)
                    self._kept.append((packed, item.count if isinstance(item, Steps) else 0))
                    self._kept_bytes += len(packed[2])
        while self._kept_bytes > self._keep_bytes and len(self._kept) > 1:
            self._drop()

    def _tell_waiting(self) -> None:
        for waiting in self._waiting:
            waiting.set()
        self._waiting.clear()

    def _drop(self) -> None:
        """Drops the oldest block of steps; other events are few and are kept as long as blocks
        remain."""
        index = next((i for i, (_, steps) in enumerate(self._kept) if steps), 0)
        packed, steps = self._kept[index]
        del self._kept[index]
        self._kept_bytes -= len(packed[2])
        self._lost += steps

    def _recovered(self) -> None:
        text = (
            f"the run store could not be written for {time.monotonic() - self._failed_at:.0f} s; "
        )
        text += (
            f"{self._lost} steps are missing from the record"
            if self._lost
            else "nothing is missing"
        )
        self._writer.append(
            [row(LogMessage(lane=min(self._lanes, default=-1), at=time.time(), text=text))]
        )
        self._failed_at, self._lost = 0.0, 0

    def _fetch(self) -> None:
        for number, command in self._writer.pending(self._seen):
            self._seen = number
            if command.lane in self._lanes and not isinstance(command, Fork | Add):
                self._inbox.append((number, command))
                self._arrived.set()
