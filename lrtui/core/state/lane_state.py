"""The state of one lane so far, and the effect of each of its events on it. Only `RaceState`'s
`apply` changes it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import msgspec

from lrtui.core.numbers import UNKNOWN, loss
from lrtui.core.protocol import event_text
from lrtui.core.protocol.column_names import logged_name
from lrtui.core.protocol.events import (
    Alerted,
    AnyEvent,
    Ended,
    Evaluated,
    FindingsUpdated,
    Logged,
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
from lrtui.core.series.series import Series
from lrtui.core.state.clock import Clock
from lrtui.core.state.columns import Columns
from lrtui.core.state.epochs import Epochs
from lrtui.core.state.lifecycle import Lifecycle
from lrtui.core.state.logged import LoggedNumbers
from lrtui.core.state.losses import LossSummary
from lrtui.core.state.measurements import Measurements
from lrtui.core.state.rates import RateHistory
from lrtui.core.state.status import LaneStatus
from lrtui.core.state.throughput import Throughput
from lrtui.core.state.updates import UpdateCounts

UNLOGGED = ("ring", "best", "good")
"""Snapshots that are taken all the time: the log leaves them out."""
ABANDONED = 3
"""Newest abandoned stretches of a curve that are kept."""


class Abandoned(NamedTuple):
    """Losses from step `first` on that a rewind gave up."""

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
        """Index of the lane that this one was forked from; None for a lane of the scenario."""
        self.forked_at = forked_at
        """First step of the lane's own curve; 0 unless it was forked."""
        self.shared = forked_at
        """Steps of the parent's record that are this lane's past: fewer once the parent was rewound
        to before the fork, and has another past."""
        self.lifecycle = Lifecycle()
        self.alerts: list[Alerted] = []
        self.columns = Columns()
        self.evaluations = Epochs()
        self.logged = LoggedNumbers()
        self.sample: Sampled | None = None
        """The newest images; of a script that has several kinds of them, of the first kind."""
        self.steps = forked_at
        """Steps done, those inherited from the parent included."""
        self.losses = LossSummary(self.columns, forked_at)
        self.rates: RateHistory = RateHistory(
            self.columns,
            forked_at,
            parent.rates.factor_at(forked_at) if parent else 1.0,
            parent is not None and parent.lane.settings != lane.settings,
        )
        self.updates = UpdateCounts(self.columns)
        self.snapshots: Snapshotted | None = None
        """The newest event about the snapshots on disk."""
        self.abandoned: list[Abandoned] = []
        self.findings = Findings()
        """Results of the diagnostic rules; `verdicts.verdict` makes one word of them."""
        self.measured = Measurements()
        self.clock: Clock = Clock(forked_at, parent.clock.spent(forked_at) if parent else 0.0)
        self.throughput = Throughput(forked_at)
        self.derived: dict[tuple[Any, ...], Any] = {}
        """Curves that `charts.metric_series` has worked out and extends, each with a `series`. They
        are held here because they live as long as the lane and count towards the memory budget."""
        self.version = 0
        """Incremented by each event; views compare it to skip unchanged lanes."""

    @property
    def status(self) -> LaneStatus:
        return self.lifecycle.status

    @property
    def started(self) -> Started | None:
        return self.lifecycle.started

    @property
    def ended(self) -> Ended | None:
        return self.lifecycle.ended

    @property
    def over(self) -> bool:
        return self.lifecycle.over

    @property
    def total_steps(self) -> int:
        """The budget in steps; 0 if it is not known."""
        if self.lane.length:
            return self.lane.length.steps
        return self.started.total_steps if self.started else 0

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return self.evaluations.last.epoch if self.evaluations.last else 0

    @property
    def factor(self) -> float:
        """The dial: the schedule's rate times this factor is applied."""
        return self.rates.factor

    @property
    def is_script(self) -> bool:
        """True if the lane is a script of the user, which makes its own optimizer."""
        return not self.lane.optimizer.name

    @property
    def initial_rate(self) -> float:
        """The rate that the schedule starts from; of a script that sets its own, NaN before its
        first step."""
        own = self.started.initial_lr if self.started else math.nan
        return self.lane.lr or own

    @property
    def rate(self) -> float:
        """The rate that the schedule starts from, times the dial."""
        return self.initial_rate * self.factor

    @property
    def optimizer(self) -> str:
        """The optimizer with its options; of a script its class, '' before its first step."""
        own = self.started.optimizer if self.started else ""
        return str(self.lane.optimizer) or own

    @property
    def unseen(self) -> bool:
        """True if NaN in the losses stands for one that was not seen: a script may hide it."""
        return self.is_script and not any(alert.kind == "nan" for alert in self.alerts)

    @property
    def last_loss(self) -> str:
        """The last loss as text; a dash where it was not seen."""
        known = math.isfinite(self.losses.last) or not self.unseen
        return self.losses.last_text if known else UNKNOWN

    @property
    def metrics(self) -> dict[str, float]:
        """The newest value of each metric: of the last evaluation, and those that a script
        logged."""
        evaluated = self.evaluations.last.metrics if self.evaluations.last else {}
        logged = {logged_name(name): value for name, value in self.logged.newest().items()}
        return logged | evaluated

    @property
    def modified(self) -> bool:
        """True if the lane differs from the scenario: forked, or its dial was turned."""
        return self.parent is not None or bool(self.rates.changes)

    @property
    def steps_per_second(self) -> float:
        """Of training time, over all steps of its own; NaN before the first."""
        seconds = self.clock.own_seconds
        return (self.steps - self.forked_at) / seconds if seconds > 0 else float("nan")

    def apply(self, event: AnyEvent) -> str | None:
        """Fold in an event of this lane. Return its line for the log ('' if it has none), or None
        if the event does not count because the lane has ended."""
        if not self.lifecycle.apply(event):
            return None
        self.version += 1
        match event:
            case Steps():
                self._append(event)
            case Measured():
                self.measured.apply(event)
            case FindingsUpdated():
                self.findings = event.findings
            case LossSpiked():
                self.losses.spikes += event.steps
            case ScheduleForecast():
                self.rates.plan(event)
            case Evaluated():
                self.evaluations.apply(event)
                self.clock.mark(event.at)
            case Logged():
                self.logged.apply(event)
            case Sampled() if self.sample is None or self.sample.name == event.name:
                self.sample = event
            case Snapshotted():
                self.snapshots = event
                if event.tag in UNLOGGED:
                    return ""
            case Started() | StatusChanged():
                self.clock.mark(event.at)
                restart = isinstance(event, StatusChanged)
                self.throughput.mark(event.at, self.steps, restart=restart)
            case RateChanged():
                if not self.rates.apply(event):
                    return ""
            case Alerted():
                self.alerts.append(event)
            case Rewound():
                self._rewind(event)
            case Ended():
                return self._end_text(event)
        return event_text.describe(event)

    def _append(self, event: Steps) -> None:
        blocks = self.columns.append(event)
        self.losses.extend(event.first, blocks["loss"])
        self.rates.extend(blocks)
        self.updates.extend(blocks)
        self.clock.extend(event.first, blocks["seconds"], event.at, self.columns["seconds"])
        self.steps = event.first + event.count
        self.throughput.mark(event.at, self.steps)

    def _rewind(self, event: Rewound) -> None:
        """Drop everything from `event.step` on; losses that are given up stay in `abandoned`."""
        step = event.step
        self.lane = event.lengthened(self.lane)
        if not (event.replays or event.length):
            self._abandon(step)
        self.forked_at = min(self.forked_at, step)
        if step > self.forked_at:
            self.columns.cut(step)
        else:
            self.columns.clear()
        for part in (
            self.evaluations,
            self.logged,
            self.losses,
            self.rates,
            self.updates,
            self.measured,
        ):
            part.cut(step)
        self.clock.cut(step, self.columns.get("seconds"))
        self.alerts = [alert for alert in self.alerts if alert.step < step]
        if step < early_steps(self.total_steps):
            self.findings = Findings()
        elif self.findings.flat_since is not None and self.findings.flat_since > step:
            self.findings = msgspec.structs.replace(self.findings, flat_since=None)
        self.steps = step
        self.clock.mark(event.at)
        self.throughput.mark(event.at, step, restart=True)

    def _abandon(self, step: int) -> None:
        """Keep the losses that a rewind to `step` gives up; the sample after it is dropped."""
        losses, begin = self.columns.get("loss", Series()), max(step, self.forked_at)
        if len(losses) > begin:
            kept = Series()
            kept.extend(losses.part(begin, len(losses)))
            self.abandoned = [*self.abandoned, Abandoned(begin, kept)][-ABANDONED:]
        if self.sample and self.sample.step > step:
            self.sample = None

    def _end_text(self, event: Ended) -> str:
        best, error = self.losses, event.error if event.reason == "interrupted" else ""
        at = f", best {loss(best.best)} at {best.best_step}" if best.best_step is not None else ""
        why = f" ({error.splitlines()[0]})" if error else ""
        if event.reason not in ("stopped", "interrupted") and (code := exit_words(event.exit_code)):
            why += f", {code}"
        return f"{event.reason} after {self.steps} steps{at}{why}"


def exit_words(code: int | None) -> str:
    """The end of a script's process in words; '' if it ended well."""
    if not code:
        return ""
    return f"exit code {code}" if code > 0 else f"killed by signal {-code}"
