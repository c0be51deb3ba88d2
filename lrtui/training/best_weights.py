"""The weights of a lane at its best evaluation: a copy in memory, and a file that follows it.

Copies take at most a hundredth of the time, as snapshots do: a better evaluation that comes too
soon after another one is left out, and `lrtui take` says so. The file is written as snapshots are;
at the lane's end it is up to date.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any, NamedTuple

from lrtui.core.results.ranking import highest_is_best, ranked_metric
from lrtui.core.scenario.spec import Race
from lrtui.store import snapshots
from lrtui.training import snapshot
from lrtui.training.session import Training
from lrtui.training.snapshot_writer import SHARE, BestJob, SnapshotSchedule, SnapshotWriter

FREE_S = 0.05
"""Seconds that the copies of a lane may take whatever share of its time that is."""


class _Copy(NamedTuple):
    """Weights in memory that are not written."""

    step: int
    metric: str
    value: float
    state: dict[str, Any]


class BestWeights:
    """Keeps the weights of one lane at its best evaluation."""

    def __init__(self, race: Race, index: int, run: Path, writer: SnapshotWriter) -> None:
        self._race, self._index, self._run, self._writer = race, index, run, writer
        self._lane = race.lanes[index]
        self._best = math.inf
        """The best value so far, negated where the highest is the best."""
        self._copy: _Copy | None = None
        self._schedule = SnapshotSchedule(race.snapshots, 0)
        self._spent, self._cost = 0.0, 0.0

    def begin(self, training: Training) -> None:
        """Starts with a lane that was just built, at whatever step."""
        step, self._lane = training.step_recorder.step, training.race.lanes[self._index]
        self._schedule = SnapshotSchedule(self._race.snapshots, snapshot.size(training.model) // 3)
        self._spent, self._cost = 0.0, 0.0
        if self._copy and self._copy.step > step:
            self._copy = None
        kept = snapshots.best_weights(self._run, self._lane.letter)
        known = [(one.metric, one.value) for one in (self._copy, kept) if one and one.step <= step]
        self._best = min((self._signed(*one) for one in known), default=math.inf)

    def evaluated(self, training: Training, metrics: dict[str, float], trained_s: float) -> None:
        """Copies the weights if an evaluation of them is the best so far. `trained_s`: seconds of
        training. Raises LrtuiError if the model holds something that cannot be stored."""
        metric = ranked_metric(self._race, metrics)
        if not metric or not (value := self._signed(metric, metrics[metric])) < self._best:
            return
        if self._spent + self._cost > FREE_S + SHARE * trained_s:
            return
        began = time.thread_time()  # the wait for a core that others use is no cost of the copy
        state = training.weights_dict()
        self._cost = time.thread_time() - began
        self._spent += self._cost
        self._best = value
        self._copy = _Copy(training.step_recorder.step, metric, metrics[metric], state)

    def write_if_due(self, trained_s: float) -> None:
        """Hands the copy to the writer, if a file is due after `trained_s` seconds of training, and
        no other one of the lane is being written: copies do not queue up behind a slow disk."""
        if self._writer.busy_best(self._index):
            return
        if self._copy and self._schedule.due(trained_s, self._copy.step):
            self._schedule.taken(trained_s, self._copy.step)
            self.write()

    def write(self) -> None:
        """Hands the copy to the writer, if there is one that is not written."""
        if self._copy:
            step, metric, value, state = self._copy
            self._copy = None
            self._writer.write_best(
                BestJob(self._index, self._lane, step, metric, value, state, self._schedule)
            )

    def _signed(self, metric: str, value: float) -> float:
        """Lower is better; inf for a value that is not finite."""
        if not math.isfinite(value):
            return math.inf
        return -value if highest_is_best(self._race, metric) else value
