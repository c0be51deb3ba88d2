"""A person at a screen of any size, without a terminal: presses keys and reads what stands there,
one thing at a time."""

from __future__ import annotations

import asyncio
import os
import time as real_time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from textual.events import Key
from textual.keys import _character_to_key
from textual.pilot import Pilot
from textual.screen import Screen

from lrtui.core.state.race_state import RaceState
from lrtui.terminal.settings import Settings
from lrtui.tui.app import LrtuiApp
from lrtui.tui.canvas_widget import CanvasWidget
from lrtui.tui.clock import Clock
from lrtui.tui.machine import Footprint, Gpu, LaneLoad, Machine, Reading, loads
from lrtui.tui.machine_history import History
from lrtui.tui.tiers import Look
from support.fake_run import BEGAN
from support.waiting import PATIENCE_S

NEVER = 1e6
"""Seconds between two polls of a run: the tests poll when they want to, with `Viewer.look`."""

os.environ["TZ"] = "UTC"  # the log shows the local time of day
real_time.tzset()


class StillClock(Clock):
    """A clock that goes only when it is told to, for screens that poll only when they are told to."""

    def __init__(self, poll_s: float = NEVER, reply_s: float = NEVER) -> None:
        super().__init__(poll_s, reply_s)
        self.now = BEGAN + 3600

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


class StillMachine(Machine):
    """A machine that is always the same."""

    gpus: Sequence[object] = ()

    def __init__(self) -> None:
        self.reading = None
        self.history = History()
        self._asked = False

    def look(self, trainers: Mapping[str, object]) -> None:
        """A reading that is there at once."""
        self._asked = True

    def news(self) -> bool:
        """Whether it was asked for."""
        if not self._asked:
            return False
        self._asked = False
        self.reading = Reading(at=0.0, cpu=12.0, cores=2, used=3e9, total=8e9, gpus=self.readings())
        past = {
            "cpu": 12.0,
            "memory": 37.5,
            **{f"gpu {gpu.number}": gpu.busy for gpu in self.reading.gpus},
        }
        for second in range(60):
            self.history.take(float(second), past)
        return True

    def readings(self) -> tuple[Gpu, ...]:
        """Those of the GPUs."""
        return ()

    def loads(self, state: RaceState) -> dict[int, LaneLoad]:
        """Of three lanes, two in one process."""
        return loads(
            state,
            {"trainer 0": Footprint(312e6), "trainer 1": Footprint(298e6)},
            {0: 0.25, 1: 0.5, 2: 0.25},
        )


class Viewer:
    """`with Viewer(runs, run, (100, 30)) as viewer:`; without a run it begins with the picker."""

    def __init__(
        self,
        runs: Path,
        run: Path | None = None,
        size: tuple[int, int] = (100, 30),
        *,
        look: Look | None = None,
        wanted: Settings | None = None,
        faults: Sequence[str] = (),
        clock: StillClock | None = None,
        machine: Callable[[], Machine] = StillMachine,
    ) -> None:
        self.clock = clock or StillClock()
        self.app = LrtuiApp(
            runs,
            run,
            look=look or Look(),
            wanted=wanted or Settings(),
            faults=faults,
            clock=self.clock,
            machine=machine,
        )
        self.bells = 0
        self.toasts: list[str] = []
        self._size = size
        self._runner = asyncio.Runner()

    def __enter__(self) -> Viewer:
        self.app.bell = self._rang  # type: ignore[method-assign]
        self.app.notify = self._said  # type: ignore[method-assign]
        self._test = self.app.run_test(size=self._size)
        self.pilot: Pilot[Any] = self._runner.run(self._test.__aenter__())  # type: ignore[arg-type]
        self.settle()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._runner.run(self._test.__aexit__(None, None, None))  # type: ignore[arg-type]
        finally:
            self._runner.close()

    def press(self, *keys: str) -> None:
        """Presses keys, one after another, and lets the screen answer."""
        self._runner.run(self.pilot.press(*keys))
        self.settle()

    def burst(self, text: str) -> None:
        """Characters that arrive in one piece, as over a slow line; "\\r" is Enter, "\\x1b"
        Escape."""
        names = {"\r": "enter", "\x1b": "escape"}
        self._arrive([Key(names.get(sign) or _character_to_key(sign), sign) for sign in text])

    def keys(self, *names: str) -> None:
        """Keys by their names, likewise."""
        self._arrive(
            [
                Key(_character_to_key(name), name) if len(name) == 1 else Key(name, None)
                for name in names
            ]
        )

    def _arrive(self, keys: list[Key]) -> None:
        async def arrive() -> None:
            for key in keys:
                self.app.post_message(key)
            while not self.app._exit and (
                self.app._type_ahead.busy or not self.app._message_queue.empty()
            ):
                await asyncio.sleep(0.01)

        self._runner.run(arrive())
        if not self.has_left:
            self.settle()

    def click(self, x: int, y: int) -> None:
        """Clicks on a cell."""
        self._runner.run(self.pilot.click(offset=(x, y)))  # type: ignore[arg-type]
        self.settle()

    def resize(self, width: int, height: int) -> None:
        """Gives the terminal another size."""
        self._runner.run(self.pilot.resize_terminal(width, height))
        self.settle()

    def look(self, times: int = 1) -> None:
        """The race screen polls its run, as its timer would make it do."""

        async def ticks() -> None:
            for _ in range(times):
                self.app.screen.tick()  # type: ignore[attr-defined]

        self._runner.run(ticks())
        self.settle()

    def do(self, action: Callable[[], object]) -> None:
        """Does something where the app itself would do it."""

        async def act() -> None:
            action()

        self._runner.run(act())

    def settle(self) -> None:
        """Lets the app work off what has been asked of it."""
        self._runner.run(self.pilot.pause())

    def until(self, condition: Callable[[], Any], what: str, seconds: float = PATIENCE_S) -> Any:
        """Lets the app go on until something holds (threads of the picker need real time)."""
        deadline = real_time.monotonic() + seconds
        while not (found := condition()):
            if real_time.monotonic() > deadline:
                pytest.fail(f"waited {seconds:g} s in vain for {what}; on the screen:\n{self.text}")
            self._runner.run(self.pilot.pause(0.01))
        return found

    @property
    def lines(self) -> list[str]:
        """What stands on the screen that has the focus, row by row."""
        screen = self.app.screen
        return [strip.text for strip in screen._compositor.render_strips(screen.size)]

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join(self.lines)

    @property
    def screen(self) -> Screen[Any]:
        return self.app.screen

    @property
    def frame(self) -> CanvasWidget:
        """The canvas of the race screen."""
        return self.app.screen.query_one(CanvasWidget)

    def svg(self, title: str = "lrtui") -> str:
        """The screen as a picture."""
        return self.app.export_screenshot(title=title)

    @property
    def has_left(self) -> bool:
        """Whether the program has ended."""
        return self.app._exit

    def _rang(self) -> None:
        self.bells += 1

    def _said(self, message: str, **_: object) -> None:
        self.toasts.append(message)
