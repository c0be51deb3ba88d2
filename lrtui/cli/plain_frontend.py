"""A race told in lines until it has ended, and what becomes of it where its front has to leave
before."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from lrtui.cli.appearance import wanted
from lrtui.cli.output import ExitCode, complain, reader_gone
from lrtui.cli.signals import Signals
from lrtui.client.follower import Follower
from lrtui.core.errors import LrtuiError, StoreUnavailable
from lrtui.core.protocol.commands import Stop
from lrtui.core.state.status import FAILED, RESUMABLE
from lrtui.core.streams import OutputLost
from lrtui.core.text import one_line
from lrtui.store.reader import Reader

if TYPE_CHECKING:
    from lrtui.plain import Lines

TAKEN_UP_S = 30.0
"""By then a new supervisor has said the first thing, or its last."""


def tell(run: Path, as_json: bool, signals: Signals | None = None, *, resumed: bool = False) -> int:
    """Lines until the run has ended. With `signals` the race is this front's own: an interrupt
    stops it, and the end of it is still told; where the lines cannot be written, it goes on if that
    can be said on stderr, and is stopped if not.

    `resumed`: a supervisor is about to take it up again; the ends that are on record are not its
    end.
    """
    from lrtui.plain import JsonLines, PlainLines

    try:
        follower = Follower(run, wanted().memory * 1_000_000)
    except LrtuiError as error:
        raise type(error)(error.message, _goes_on(run) if signals else error.hint) from error
    front = _Front(follower, signals, resumed)
    try:
        return front.tell(JsonLines(follower) if as_json else PlainLines())
    except OutputLost as lost:
        return front.unheard(lost)
    except KeyboardInterrupt:
        if signals is None:
            raise
        return front.leave()
    except LrtuiError:  # it says itself what becomes of the race
        raise
    except Exception:  # whatever broke here: the race does not depend on it
        front.say_fate()
        raise


class _Front:
    """A front that tells a race: its own, or one that it only watches."""

    def __init__(self, follower: Follower, signals: Signals | None, resumed: bool) -> None:
        self._follower = follower
        self._signals = signals
        self._resumed = resumed
        self._stopping = self._hinted = self._missed = False

    def tell(self, lines: Lines) -> int:
        """All of it; the exit code."""
        from lrtui.plain import play

        with self._impatient():
            if self._resumed:
                _until_taken_up(self._follower.run, self._came)
            told = play(
                self._follower, lines, lambda: self._look() or self._came() or self._only_pruned()
            )
        if not told:
            numbers = self._stop(for_good=not self._came())
            with self._impatient():
                self._await(numbers)
                play(self._follower, lines, self._hint)
        if self._came():
            complain(f"interrupted; {self._fate()}")
            return ExitCode.INTERRUPTED
        if self._follower.reader.gone:
            complain(self._fate())
        return outcome(self._follower)

    def unheard(self, lost: OutputLost) -> int:
        """The end of a front whose lines cannot be written."""
        if self._signals is None and reader_gone(lost):
            return ExitCode.RACED
        why = f"standard output: {lost}; "
        if self._came():
            self._await(self._stop())
            complain(why + f"interrupted; {self._fate()}")
            return ExitCode.INTERRUPTED
        if not complain(why + self._fate()) and self._signals is not None:
            self._await(self._stop())  # nobody can be told that it goes on
        return ExitCode.OUTPUT_LOST

    def say_fate(self) -> None:
        """Says what becomes of the race."""
        complain(self._fate())

    def leave(self) -> int:
        """The end of a front that was interrupted so often that it no longer waits for the
        race's."""
        self._stop()
        complain(f"interrupted; {self._fate()}")
        return ExitCode.INTERRUPTED

    def _came(self) -> bool:
        return self._signals is not None and self._signals.came()

    def _look(self) -> bool:
        """Says once that the run's folder is gone; False: what there is to tell is still told."""
        if self._follower.reader.gone != self._missed:
            self._missed = not self._missed
            complain(
                self._follower.reader.trouble()
                if self._missed
                else "the run's folder is back: the race goes on"
            )
        return False

    def _impatient(self) -> AbstractContextManager[None]:
        return self._signals.impatient() if self._signals else nullcontext()

    def _only_pruned(self) -> bool:
        """Whether nothing is left but lanes that the race itself has paused: without a screen
        nobody would resume them."""
        state = self._follower.state
        prunes = self._signals is not None and state.race.pruning is not None
        return prunes and self._follower.caught_up and not state.training

    def _stop(self, *, for_good: bool = False) -> list[int]:
        """Tells every lane to stop; the commands' numbers. Of a race that is being taken up, also
        those whose new beginning is not on record yet. LrtuiError, with what becomes of the race,
        where that is not possible."""
        follower = self._follower
        lanes = [
            lane
            for lane in follower.state.lanes
            if not lane.over or (self._resumed and lane.status in RESUMABLE)
        ]
        try:
            numbers = follower.send(Stop(lane=lane.index, for_good=for_good) for lane in lanes)
        except StoreUnavailable as error:
            supervisor = follower.reader.supervisor()
            if supervisor is None or not supervisor.terminate():
                raise LrtuiError(
                    "the race could not be told to stop: " + error.message, self._fate()
                ) from error
            numbers = []  # its supervisor ends it, as by Ctrl-C
        self._stopping = True
        return numbers

    def _await(self, numbers: list[int]) -> None:
        """Waits until each lane has answered: its end is on record then."""
        until = time.monotonic() + TAKEN_UP_S
        follower = self._follower
        while (
            len(follower.results(numbers)) < len(numbers)
            and not follower.supervisor_gone
            and time.monotonic() < until
        ):
            self._hint()
            time.sleep(0.02)

    def _hint(self) -> bool:
        """Says once, to whoever interrupts again, what is waited for; False: the end is still
        told."""
        if self._signals and self._signals.count > 1 and not self._hinted:
            self._hinted = True
            complain("its lanes are ending; interrupt again to leave at once")
        return False

    def _fate(self) -> str:
        """What becomes of the race when this front has left, and how to come back to it."""
        name = one_line(self._follower.run.name)
        if self._follower.reader.gone:
            return self._follower.reader.trouble()
        try:
            self._follower.finish()
        except LrtuiError:
            pass  # what is known so far has to do
        if not self._follower.state.over:
            if self._stopping:
                return (
                    "its lanes have been told to end; see whether they have with: lrtui watch"
                    f" {name}"
                )
            return (
                _goes_on(self._follower.run)
                if self._signals
                else f"the race goes on; back to it with: lrtui watch {name}"
            )
        if any(lane.status in RESUMABLE for lane in self._follower.state.lanes):
            return f"to go on: lrtui resume {name}"
        return f"the race has ended; see it with: lrtui report {name}"


def _goes_on(run: Path) -> str:
    """That a race of one's own goes on without a front, and how to reach it."""
    name = one_line(run.name)
    return (
        f"the race goes on; back to it with: lrtui watch {name}; to end it: lrtui send --all {name}"
        " stop"
    )


def outcome(follower: Follower) -> int:
    """The exit code for how the lanes have ended."""
    failed = all(lane.status in (*FAILED, "interrupted") for lane in follower.state.lanes)
    return ExitCode.ALL_FAILED if failed else ExitCode.RACED


def _until_taken_up(run: Path, came: Callable[[], bool]) -> None:
    """Waits until a lane goes on, or the supervisor has gone again, or an interrupt came."""
    until = time.monotonic() + TAKEN_UP_S
    reader = Reader(run)
    while time.monotonic() < until and not came():
        supervisor = reader.supervisor()
        if not reader.outcome()[0] or supervisor is None or not supervisor.alive():
            break
        time.sleep(0.02)
    reader.close()
