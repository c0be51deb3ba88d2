"""The output of a script's lane: its start, its steps with what the rules find in them, numbers and
images that the script logs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import msgspec

from lrtui.core.protocol.events import Alerted, AnyEvent, Ended, LogMessage, Started
from lrtui.core.text import one_line
from lrtui.integrations.script.log import ScriptLog
from lrtui.integrations.script.recording import Recording, Silence
from lrtui.integrations.script.steps import Row, ScriptSteps
from lrtui.training.loss_reporter import LossReporter
from lrtui.training.non_finite import NonFinite

BLOCK_S, DEVICE_BLOCK_S = 0.1, 0.25
"""Seconds from one flush to the next; on an accelerator, which has to be waited for."""


class LaneRecord:
    """Gathers steps until they are handed to the recording, of which there is none before the first
    step, and none in a rank other than the first."""

    def __init__(self, lane: int, total: int, non_finite: Callable[[str], None]) -> None:
        """`total`: steps to come; 0: unknown. `non_finite` is told of the first loss or gradient
        norm that is not finite."""
        self.recording: Recording | None = None
        self.log = ScriptLog()
        self._lane = lane
        self._non_finite = non_finite
        self._steps = ScriptSteps()
        self._reporter = LossReporter(lane, total, sweeps=False)
        self._started: Started | None = None
        """Not recorded until it is known which optimizers step."""
        self._total = total
        self._names: Callable[[], list[str]] = list
        self._announced = self._alerted = False
        self._notes: list[str] = []
        self._due = 0.0

    def open(self, recording: Recording, started: Started, names: Callable[[], list[str]]) -> None:
        """Begin to record. `started`: the lane's start, but for its length and `names`, which give
        the names of the param groups at the first flush."""
        self.recording, self._started, self._names = recording, started, names
        while self._notes:
            self.note(self._notes.pop(0))

    @property
    def silent(self) -> bool:
        """True if nothing is recorded in this process."""
        return self.recording is None or isinstance(self.recording, Silence)

    def put(self, event: AnyEvent) -> None:
        """Hand over an event; without a recording it is dropped."""
        if self.recording:
            self.recording.put(event)

    def note(self, text: str) -> None:
        """Write a line in the lane's log; before the first step it waits for it."""
        if self.recording:
            self.put(LogMessage(lane=self._lane, text=one_line(text)))
        else:
            self._notes.append(text)

    def add(self, row: Row) -> None:
        """Take in a complete step."""
        self._steps.rows.append(row)
        if time.perf_counter() >= self._due:
            self.flush()

    def hurry(self) -> None:
        """Flush with the next step."""
        self._due = 0.0

    def log_numbers(self, step: int, numbers: dict[str, object]) -> None:
        """Take in numbers that the script logs after `step` steps."""
        self.log.add(step, numbers)
        if self.recording is not None and time.perf_counter() >= self._due:
            self.flush()

    def set_total(self, steps: int) -> None:
        """Set the number of steps that the script will make, and announce it."""
        if steps != self._total:
            self._total, self._announced = steps, False

    def flush(self, *, last: bool = False) -> None:
        """Hand the complete steps to the recording, with what the rules find in them."""
        if self.silent or self._started is None:
            self._steps.rows.clear()
            self.log.take(self._lane)
            return
        if not self._announced:
            self._announced = True
            groups = self._names() or ["all"]
            changes = {"total_steps": self._total, "groups": groups, "at": time.time()}
            self.put(msgspec.structs.replace(self._started, **changes))
        first = self._steps.first
        if taken := self._steps.take(self._lane):
            block, losses, norms = taken
            self.put(block)
            for at, (loss, norm) in enumerate(zip(losses, norms, strict=True)):
                self._check(first + at, loss, norm)
        for event in self._reporter.events(self._steps.first, None, force=last):
            self.put(event)
        if logged := self.log.take(self._lane):
            self.put(logged)
        while self.log.refused:
            self.note(f"not logged: {self.log.refused.pop(0)}")
        period = BLOCK_S if self._started.device == "cpu" else DEVICE_BLOCK_S
        self._due = time.perf_counter() + period

    def close(self, end: Ended | None = None) -> None:
        """Write what was handed over, with the lane's end if this process is to tell it."""
        if self.recording:
            if end is not None:
                self.put(end)
            self.recording.close()

    def _check(self, step: int, loss: float | None, norm: float) -> None:
        """Take a step's numbers to the rules; the first that is not finite is an alert. A loss that
        was not seen (None) is none."""
        if loss is None:
            return
        if math.isfinite(loss):
            self._reporter.update(step, loss, None if math.isnan(norm) else norm)
        if self._alerted or (math.isfinite(loss) and not math.isinf(norm)):
            return
        self._alerted = True
        text = f"{NonFinite(step, loss, norm)} at step {step}"
        self.put(Alerted(lane=self._lane, step=step, kind="nan", text=text))
        self._non_finite(text)
