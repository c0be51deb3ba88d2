"""What is known of a race so far: a fold over its events. `apply` is the only place where this state changes.

It lives on one thread; the screen, the plain lines and the report read it. Knows no store and no torch.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from lrtui.core.detectors import Findings, Smooth
from lrtui.core.events import (
    Alerted,
    AnyEvent,
    Ended,
    Evaluated,
    Judged,
    Measured,
    Noted,
    Planned,
    Reason,
    Sampled,
    Spiked,
    Started,
    StatusChanged,
    Steps,
)
from lrtui.core.numbers import UNKNOWN, loss
from lrtui.core.series import FiniteRange, Series
from lrtui.core.spec import Lane, Race

RANKING_FACTOR = 0.9
"""EMA factor of the loss by which lanes are ranked: the last ten steps or so."""
SPEED_WINDOW = 3.0
"""Seconds over which the steps per second are taken."""
LOG_LINES = 1000


class LaneState:
    """One lane so far."""

    def __init__(self, index: int, lane: Lane) -> None:
        self.index = index
        self.lane = lane
        self.status = "waiting"
        """waiting, running or paused; at the end the reason: finished, stopped, nan, error, died."""
        self.started: Started | None = None
        self.ended: Ended | None = None
        self.plan: Planned | None = None
        """The rates to come; None where they are constant, or depend on what happens."""
        self.plan_range = FiniteRange(math.nan, math.nan, math.nan)
        """Their bounds, so that an axis need not move when they come."""
        self.alerts: list[Alerted] = []
        self.columns: dict[str, Series] = {}
        self.evaluations: list[Evaluated] = []
        self.sample: Sampled | None = None
        self.steps = 0
        """Steps done."""
        self.first_loss = self.last_loss = self.best_loss = math.nan
        self.best_step: int | None = None
        self.applied_lr = math.nan
        """As recorded in full precision; the columns are float32, for drawing."""
        self.next_lr = math.nan
        self.findings = Findings()
        """What the rules know of it; `verdicts.verdict` makes a word of it."""
        self.measured_steps: list[int] = []
        self.measured: dict[str, list[float]] = {}
        """Columns of `events.Measured`, one value for each of `measured_steps`."""
        self.spent = 0.0
        """Seconds that measuring has taken."""
        self.spikes: list[int] = []
        self.smooth = Smooth(RANKING_FACTOR)
        self.training_seconds = 0.0
        self._marks: deque[tuple[float, int]] = deque([(math.nan, 0)], maxlen=200)
        self.version = 0
        """Counts the changes: what shows this lane draws again when it differs."""

    @property
    def last_words(self) -> str:
        """The last loss as text; a dash before the first step, which is not the same as NaN."""
        return loss(self.last_loss) if self.steps else UNKNOWN

    @property
    def best_words(self) -> str:
        """The best loss as text; a dash where no loss was finite yet."""
        return loss(self.best_loss) if self.best_step is not None else UNKNOWN

    @property
    def over(self) -> bool:
        return self.ended is not None

    @property
    def total_steps(self) -> int:
        return self.started.total_steps if self.started else 0

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return self.evaluations[-1].epoch if self.evaluations else 0

    @property
    def steps_per_second(self) -> float:
        """Of training, over the whole lane; NaN before the first step."""
        return self.steps / self.training_seconds if self.training_seconds > 0 else math.nan

    @property
    def speed(self) -> float:
        """Steps per second of wall time over the last seconds; what remains takes `remaining / speed`."""
        (since, first), (until, last) = self._marks[0], self._marks[-1]
        return (last - first) / (until - since) if until > since else math.nan

    def metric(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """A validation metric by step: float arrays x and y, one point for each epoch that has it."""
        points = [(entry.step, entry.metrics[name]) for entry in self.evaluations if name in entry.metrics]
        table = np.array(points, dtype=float).reshape(-1, 2)
        return table[:, 0], table[:, 1]

    def last_measured(self, name: str) -> float:
        """The last finite value of a column of `measured`; NaN where there is none."""
        return next((value for value in reversed(self.measured.get(name, ())) if math.isfinite(value)), math.nan)

    def last_measured_at(self, name: str) -> int | None:
        """The step, counted from 0, of that value."""
        column = self.measured.get(name, ())
        return next((step for step, value in zip(reversed(self.measured_steps), reversed(column), strict=False)
                     if math.isfinite(value)), None)

    def _took_measured(self, event: Measured) -> None:
        self.measured_steps += event.steps
        for name in event.columns:
            self.measured.setdefault(name, []).extend(event.values(name).tolist())
        self.spent = event.spent

    def _took_steps(self, event: Steps) -> None:
        for name, column in event.columns.items():
            self.columns.setdefault(name, Series()).extend(column.unpack(event.count))
        losses = event.values("loss")
        finite = np.where(np.isfinite(losses), losses, np.inf)
        lowest = int(finite.argmin())
        if math.isfinite(finite[lowest]) and not self.best_loss <= finite[lowest]:
            self.best_loss, self.best_step = float(finite[lowest]), event.first + lowest
        if self.steps == 0:
            self.first_loss = float(losses[0])
        self.smooth.extend(losses[-1000:])  # older values weigh less than 0.9 ** 1000
        self.last_loss = float(losses[-1])
        self.applied_lr = float(event.values("applied_lr")[-1])
        self.next_lr = float(event.values("next_lr")[-1])
        self.training_seconds += float(event.values("seconds").sum(dtype=float))
        self.steps = event.first + event.count
        self._mark(event.at)

    def _mark(self, at: float) -> None:
        self._marks.append((at, self.steps))
        while len(self._marks) > 2 and not self._marks[0][0] >= at - SPEED_WINDOW:
            self._marks.popleft()


class RaceState:
    """A race so far: its lanes, its log, and what its crew says of itself."""

    def __init__(self, race: Race) -> None:
        self.race = race
        self.lanes = [LaneState(index, lane) for index, lane in enumerate(race.lanes)]
        self.log: deque[tuple[float, int, str]] = deque(maxlen=LOG_LINES)
        """(seconds since 1970, lane or -1, text): one entry for each thing that happened."""
        self.log_count = 0

    @property
    def over(self) -> bool:
        return all(lane.over for lane in self.lanes)

    @property
    def training(self) -> bool:
        """Whether any lane is making steps: neither over nor paused."""
        return any(lane.status in ("waiting", "running") for lane in self.lanes)

    def _note(self, at: float, lane: int, text: str) -> None:
        self.log.append((at, lane, text))
        self.log_count += 1


def apply(state: RaceState, event: AnyEvent) -> None:
    """Folds one event into the state. Events of one lane come in the order in which they happened."""
    if isinstance(event, Noted) and event.lane < 0:
        state._note(event.at, -1, event.text)
        return
    lane = state.lanes[event.lane]
    if lane.over:
        return  # what a process said before it was found dead may arrive after its end was written
    lane.version += 1
    match event:
        case Steps():
            lane._took_steps(event)
        case Started():
            lane.started, lane.status = event, "running"
            lane._mark(event.at)
            state._note(event.at, lane.index, f"started on {event.device}, {event.total_steps} steps")
        case Planned():
            lane.plan, lane.plan_range = event, _bounds(event.rates)
        case Measured():
            lane._took_measured(event)
        case Judged():
            lane.findings = event.findings
        case Spiked():
            lane.spikes += event.steps
        case Evaluated():
            lane.evaluations.append(event)
        case Sampled():
            lane.sample = event
        case Alerted():
            lane.alerts.append(event)
            state._note(event.at, lane.index, f"{event.kind}: {event.text}")
        case StatusChanged():
            lane.status = event.status
            lane._marks.clear()
            lane._mark(event.at)
            state._note(event.at, lane.index, f"{event.status} at step {event.step}")
        case Ended():
            lane.ended, lane.status = event, event.reason
            state._note(event.at, lane.index, _ending(lane, event.reason))
        case Noted():
            state._note(event.at, lane.index, event.text)


def _bounds(rates: list[float]) -> FiniteRange:
    positive = min((rate for rate in rates if rate > 0), default=math.nan)
    return FiniteRange(min(rates, default=math.nan), max(rates, default=math.nan), positive)


def _ending(lane: LaneState, reason: Reason) -> str:
    best = f", best {loss(lane.best_loss)} at {lane.best_step}" if lane.best_step is not None else ""
    return f"{reason} after {lane.steps} steps{best}"
