"""What is known of one lane so far, and what each of its events adds or takes back. Only
`state.apply` changes it.

Columns go by step: where nothing is recorded (a lane that was forked, blocks that a full disk cost)
they hold NaN.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections import deque
from typing import Any, NamedTuple

import msgspec
import numpy as np

from lrtui.core.numbers import UNKNOWN, loss
from lrtui.core.protocol import event_text
from lrtui.core.protocol.events import (
    Alerted,
    AnyEvent,
    Ended,
    Evaluated,
    FindingsUpdated,
    LossSpiked,
    Measured,
    RateChanged,
    Rewound,
    Sampled,
    ScheduleForecast,
    Snapshotted,
    Started,
    StatusChanged,
    Steps,
)
from lrtui.core.protocol.findings import Findings
from lrtui.core.protocol.thresholds import early_steps
from lrtui.core.scenario.spec import Lane
from lrtui.core.series.ema import Trailing
from lrtui.core.series.series import FiniteRange, Series
from lrtui.core.state.clock import Clock
from lrtui.core.state.epochs import Epochs

RANKING_FACTOR = 0.9
"""EMA factor of the loss by which lanes are ranked: the last ten steps or so."""
SPEED_WINDOW = 3.0
"""Seconds over which the steps per second are taken."""
UNTOLD = ("ring", "best", "good")
"""Snapshots that come all the time: no line tells of them."""
NEEDED = ("loss", "applied_lr", "next_lr", "seconds")
"""Columns that each block has; one that a block lacks is not known there."""
ABANDONED = 3
"""Abandoned stretches of a curve that are kept, the last ones."""
NO_RANGE = FiniteRange(math.nan, math.nan, math.nan)


class Abandoned(NamedTuple):
    """What a lane did and then went back on: its losses from step `first` on."""

    first: int
    losses: Series


class LaneState:
    """One lane so far."""

    def __init__(
        self, index: int, lane: Lane, parent: LaneState | None = None, forked_at: int = 0
    ) -> None:
        self.index = index
        self.lane = lane
        self.parent = parent.index if parent else None
        """The index of the lane that it was forked from; None where it began by itself."""
        self.forked_at = forked_at
        """The step with which its curve begins: that of the fork."""
        self.status = "waiting"
        """waiting, running or paused; at the end the reason: finished, stopped, nan, error, died,
        interrupted."""
        self.started: Started | None = None
        self.process_roles: list[str] = []
        """The processes that have trained it, the present one last; none where an older version
        recorded the run."""
        self.ended: Ended | None = None
        self.end_presumed = False
        """Whether its end is only a guess, because nobody is left to record one: what is recorded
        later undoes it."""
        self.plan: ScheduleForecast | None = None
        """The rates to come, at factor 1; None where they are constant, or depend on what
        happens."""
        self.plan_range = NO_RANGE
        """Their bounds, so that an axis need not move when they come."""
        self.alerts: list[Alerted] = []
        self.columns: dict[str, Series] = {}
        self.evaluations = Epochs()
        self.sample: Sampled | None = None
        self.steps = forked_at
        """Steps done, those that it inherited included."""
        self.first_loss = self.last_loss = self.best_loss = math.nan
        self.best_step: int | None = None
        self.applied_lr = math.nan
        """As recorded in full precision; the columns are float32, for drawing."""
        self.next_lr = math.nan
        self.rate_changes: list[RateChanged] = []
        """Where the dial was turned, rising by step: marks on the curve, and what an undo goes back
        to."""
        self._inherited = parent.factor_at(forked_at) if parent else 1.0
        self._other = parent is not None and msgspec.structs.replace(
            parent.lane, letter="", name="", expect=""
        ) != (msgspec.structs.replace(lane, letter="", name="", expect=""))
        self.snapshots: Snapshotted | None = None
        """The newest word about what is kept of it on disk."""
        self.abandoned: list[Abandoned] = []
        self.findings = Findings()
        """What the rules know of it; `verdicts.verdict` makes a word of it."""
        self.measured_steps = array("q")
        self.measured: dict[str, array[float]] = {}
        """Columns of `events.Measured`, one value for each of `measured_steps`."""
        self.spent = 0.0
        """Seconds that measuring has taken."""
        self.spikes: list[int] = []
        self.smooth = Trailing(RANKING_FACTOR)
        self.clock: Clock = Clock(forked_at, parent.clock.spent(forked_at) if parent else 0.0)
        """When it made its steps."""
        self.derived_cache: dict[tuple[Any, ...], Any] = {}
        """What `tracks` has worked out of its columns, to be brought up to date rather than made
        anew."""
        self._marks: deque[tuple[float, int]] = deque([(math.nan, forked_at)], maxlen=200)
        self.version = 0
        """Counts the changes: what shows this lane draws again when it differs."""

    @property
    def last_words(self) -> str:
        """The last loss as text; a dash before the first step, which is not the same as NaN."""
        return loss(self.last_loss) if self.steps > self.forked_at else UNKNOWN

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
        return self.evaluations.last.epoch if self.evaluations.last else 0

    @property
    def factor(self) -> float:
        """What the dial says: the schedule's rate times this is applied."""
        return self.rate_changes[-1].factor if self.rate_changes else self._inherited

    @property
    def rate(self) -> float:
        """What its schedule starts from, times what the dial says."""
        return self.lane.lr * self.factor

    def factor_at(self, step: int) -> float:
        """What the dial said at a step, counted from 0."""
        return next(
            (change.factor for change in reversed(self.rate_changes) if change.step <= step),
            self._inherited,
        )

    @property
    def modified(self) -> bool:
        """Whether it is no longer what the scenario said: a fork, or one whose dial was turned."""
        return self.parent is not None or bool(self.rate_changes)

    @property
    def rate_since(self) -> int:
        """The step from which on it has had the rate that it has now, but for the schedule; 0: all
        the time."""
        since, before = self.forked_at if self._other else 0, self._inherited
        for change in self.rate_changes:
            if change.factor != before:
                since, before = max(since, change.step), change.factor
        return since

    @property
    def training_seconds(self) -> float:
        """What its own steps took together."""
        return self.clock.own

    @property
    def steps_per_second(self) -> float:
        """Of training, over all steps of its own; NaN before the first."""
        return (
            (self.steps - self.forked_at) / self.training_seconds
            if self.training_seconds > 0
            else math.nan
        )

    @property
    def speed(self) -> float:
        """Steps per second of wall time over the last seconds; what remains takes `remaining /
        speed`."""
        (since, first), (until, last) = self._marks[0], self._marks[-1]
        return (last - first) / (until - since) if until > since else math.nan

    def last_measured(self, name: str) -> float:
        """The last finite value of a column of `measured`; NaN where there is none."""
        return next(
            (value for value in reversed(self.measured.get(name, ())) if math.isfinite(value)),
            math.nan,
        )

    def last_measured_at(self, name: str) -> int | None:
        """The step, counted from 0, of that value."""
        column = self.measured.get(name, ())
        return next(
            (
                step
                for step, value in zip(
                    reversed(self.measured_steps), reversed(column), strict=False
                )
                if math.isfinite(value)
            ),
            None,
        )

    def apply(self, event: AnyEvent) -> str:
        """Folds in an event of this lane; its line for the log, '' where it has none."""
        match event:
            case Steps():
                self._take_steps(event)
            case Measured():
                self._take_measured(event)
            case FindingsUpdated():
                self.findings = event.findings
            case LossSpiked():
                self.spikes += event.steps
            case ScheduleForecast():
                self.plan, self.plan_range = event, _bounds(event.rates)
            case Evaluated():  # the epoch that a snapshot was taken at the end of may come twice
                self.evaluations.take(event)
                self.clock.mark(event.at)
            case Sampled():
                self.sample = event
            case Snapshotted():
                self.snapshots = event
                if event.tag in UNTOLD:
                    return ""
            case Started():
                self.started, self.status = event, "running"
                if event.role and event.role not in self.process_roles[-1:]:
                    self.process_roles.append(event.role)
                self.clock.mark(event.at)
                self._mark(event.at)
            case StatusChanged():
                self.status = event.status
                self.clock.mark(event.at)
                self._mark(event.at, anew=True)
            case RateChanged():
                if not self._take_rate(event):
                    return ""
            case Alerted():
                self.alerts.append(event)
            case Rewound():
                self._rewind(event)
            case Ended():
                self.ended, self.status = event, event.reason
                best = (
                    f", best {loss(self.best_loss)} at {self.best_step}"
                    if self.best_step is not None
                    else ""
                )
                why = (
                    f" ({event.error.splitlines()[0]})"
                    if event.reason == "interrupted" and event.error
                    else ""
                )
                return f"{event.reason} after {self.steps} steps{best}{why}"
        return event_text.line(event)

    def revive(self) -> None:
        """Takes a presumed end back."""
        self.ended, self.end_presumed = None, False
        self.status = "running" if self.started else "waiting"

    def _take_measured(self, event: Measured) -> None:
        self.measured_steps.extend(event.steps)
        for name in event.columns:
            self.measured.setdefault(name, array("d")).extend(event.values(name).tolist())
        self.spent = event.spent

    def _take_rate(self, event: RateChanged) -> bool:
        """Notes a turn of the dial; False where it was told only to be sure, and stands there
        already."""
        self.next_lr = event.rate
        if event.factor == self.factor:
            return False
        self.rate_changes.append(event)
        return True

    def _take_steps(self, event: Steps) -> None:
        blocks = {name: column.unpack(event.count) for name, column in event.columns.items()}
        blocks |= {name: np.full(event.count, math.nan) for name in NEEDED if name not in blocks}
        for name, block in blocks.items():
            series = self.columns.get(name)
            if series is None:
                series = self.columns[name] = Series()
            if len(series) > event.first:
                series = self.columns[name] = series.cut(event.first)
            if len(series) < event.first:
                series.extend(np.full(event.first - len(series), math.nan))
            series.extend(block)
        losses = blocks["loss"]
        finite = np.where(np.isfinite(losses), losses, np.inf)
        lowest = int(finite.argmin())
        if math.isfinite(finite[lowest]) and not self.best_loss <= finite[lowest]:
            self.best_loss, self.best_step = float(finite[lowest]), event.first + lowest
        if self.steps == self.forked_at:
            self.first_loss = float(losses[0])
        self.smooth.follow(self.columns["loss"], self.forked_at)
        self.last_loss = float(losses[-1])
        self.applied_lr = float(blocks["applied_lr"][-1])
        self.next_lr = float(blocks["next_lr"][-1])
        self.clock.take(event.first, blocks["seconds"], event.at, self.columns["seconds"])
        self.steps = event.first + event.count
        self._mark(event.at)

    def _rewind(self, event: Rewound) -> None:
        """Forgets all from `event.step` on; what a person or a policy has thrown away stays in
        `abandoned`."""
        step, losses = event.step, self.columns.get("loss", Series())
        began = max(step, self.forked_at)
        if event.why in ("rewound", "restarted") and len(losses) > began:
            kept = Series()
            kept.extend(losses.part(began, len(losses)))
            self.abandoned = [*self.abandoned, Abandoned(began, kept)][-ABANDONED:]
        if event.why in ("rewound", "restarted") and self.sample and self.sample.step > step:
            self.sample = None
        if step < self.forked_at:  # it no longer goes on from its parent: it begins by itself
            self.forked_at, self._inherited = step, 1.0
        self.columns = (
            {name: series.cut(step) for name, series in self.columns.items()}
            if step > self.forked_at
            else {}
        )
        self.evaluations.cut(step)
        self.alerts = [one for one in self.alerts if one.step < step]
        self.rate_changes = [one for one in self.rate_changes if one.step <= step]
        self.spikes = [one for one in self.spikes if one < step]
        count = bisect_left(self.measured_steps, step)
        del self.measured_steps[count:]
        self.measured = {name: values[:count] for name, values in self.measured.items()}
        if step < early_steps(self.total_steps):
            self.findings = Findings()
        elif self.findings.flat_since is not None and self.findings.flat_since > step:
            self.findings = msgspec.structs.replace(self.findings, flat_since=None)
        self.ended, self.end_presumed, self.status, self.steps = None, False, "running", step
        self.clock.cut(step, self.columns.get("seconds"))
        self._recount()
        self.clock.mark(event.at)
        self._mark(event.at, anew=True)

    def _recount(self) -> None:
        """Makes first, last, best and smoothed loss and the rates anew, from the columns."""
        losses = self.columns.get("loss", Series())
        self.first_loss, self.last_loss = (
            (losses.at(self.forked_at), losses.last)
            if len(losses) > self.forked_at
            else (math.nan, math.nan)
        )
        self.best_step, self.best_loss = losses.lowest(self.forked_at) or (None, math.nan)
        self.smooth.follow(losses, self.forked_at)
        self.applied_lr, self.next_lr = (
            self.columns[name].last if name in self.columns else math.nan
            for name in ("applied_lr", "next_lr")
        )

    def _mark(self, at: float, *, anew: bool = False) -> None:
        """Notes how far it is at a time, for its speed; `anew` where what came before says nothing
        about it."""
        if anew:
            self._marks.clear()
        self._marks.append((at, self.steps))
        while len(self._marks) > 2 and not self._marks[0][0] >= at - SPEED_WINDOW:
            self._marks.popleft()


def _bounds(rates: list[float]) -> FiniteRange:
    positive = min((value for value in rates if value > 0), default=math.nan)
    return FiniteRange(min(rates, default=math.nan), max(rates, default=math.nan), positive)
