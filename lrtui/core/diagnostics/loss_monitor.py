"""All streaming rules over one lane: divergence, spikes, plateau, oscillation, gauge. Pure.

A non-finite loss or gradient norm is not found here but before the update
(training/step_recorder.py), because it ends the lane; these rules raise an alert and let the lane
go on.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import median

import msgspec

from lrtui.core.diagnostics.baseline import Baseline, Promise, Reach
from lrtui.core.diagnostics.divergence import Divergence
from lrtui.core.diagnostics.oscillation import Oscillation
from lrtui.core.diagnostics.plateau import Plateau
from lrtui.core.diagnostics.spikes import Spikes
from lrtui.core.protocol import thresholds
from lrtui.core.protocol.findings import Findings
from lrtui.core.protocol.thresholds import early_steps
from lrtui.core.stateful import Stateful, stored


class LossMonitor(Stateful):
    """All rules over one lane of `total` steps: O(1) per step, independent of the blocks that the
    steps arrive in."""

    STATE = stored(
        "unmeasured",
        "_divergence",
        "_spikes",
        "_plateau",
        "_early",
        "_pending",
        "_baseline",
        "_reach",
        "_promise",
        "_gains",
        "_late",
        "_window",
        "_hot",
        "_peak",
        "_norms",
        "_gradient",
        "_count",
        "_best_before",
        "_steps",
    ) | {"_shaking": "_oscillation"}

    def __init__(self, total: int) -> None:
        self._divergence, self._spikes, self._plateau, self._oscillation = (
            Divergence(total),
            Spikes(),
            Plateau(total),
            Oscillation(),
        )
        self._early = early_steps(total)
        self.unmeasured = ""
        """Reason why the step gain is not measured; '' if it is."""
        self._pending: list[list[float]] = []
        """Measurements of steps that are not updated yet."""
        self._baseline, self._reach, self._promise = Baseline(), Reach(), Promise()
        self._gains: list[float] = []
        self._late: deque[float] = deque(maxlen=15)
        self._window = Findings()
        """Findings of the early window, final once it has closed."""
        self._hot = False
        self._peak = -math.inf
        self._norms: list[float] = []
        self._gradient = math.nan
        self._count = 0
        self._best_before = -math.inf
        """The best smoothed loss at the first alarm."""
        self._steps = 0

    @property
    def smooth(self) -> float:
        """The smoothed loss; NaN before the first finite one."""
        return self._divergence.slow.value

    @property
    def stage(self) -> tuple[bool, int | None]:
        """Within the early window or not, and the step since which nothing was gained: the findings
        of which a change is news, at no cost."""
        return self._steps < self._early, self._plateau.since

    def update(self, loss: float, norm: float | None = None) -> tuple[str | None, bool]:
        """Fold in one step: its loss and, if measured, its gradient norm.

        Return the sentence of a divergence (or None), and True if the loss is a spike.
        """
        self._fold_measured()
        self._steps += 1
        divergence = self._divergence.update(
            loss, self._hot, self._baseline, self._reach.moved(self._steps)
        )
        if divergence and self._best_before == -math.inf:
            self._best_before = self._divergence.best
        self._plateau.update(self._divergence.slow.value)
        self._oscillation.update(loss)
        if norm is not None and math.isfinite(norm):
            self._fold_norm(norm)
        if self._steps <= self._early:
            self._peak = max(self._peak, loss)
            if self._steps == self._early:
                self._window = self._early_findings()
                self._hot = self._window.word == "hot"
        spike = self._spikes.update(loss)
        self._count += spike
        return divergence, spike

    def measured(
        self,
        step: int,
        gain: float,
        change: float = math.inf,
        predicted: float = math.nan,
        pair: tuple[float, float] = (math.nan, math.nan),
    ) -> None:
        """Add the measurements of `step`, counted from 0: step gain, relative change of the loss,
        drop that the gradient predicted, and `pair`: the loss and that of the same batch at the
        initial weights. They count from the next step's update on."""
        self._pending.append([step, gain, change, predicted, *pair])

    def _fold_measured(self) -> None:
        """Fold in the measurements of steps that are updated already."""
        while self._pending and self._pending[0][0] < self._steps:
            step, gain, change, predicted, loss, initial = self._pending.pop(0)
            if math.isfinite(gain):
                (self._gains if step < self._early else self._late).append(gain)
            self._reach.measured(int(step), change)
            self._baseline.update(loss, initial)
            if step < self._early:
                self._promise.measured(int(step), predicted)

    def findings(self) -> Findings:
        """The findings after the steps so far."""
        self._fold_measured()
        window = self._window if self._steps >= self._early else self._early_findings()
        gains = self._late if len(self._late) > 2 else self._gains
        reversal_share, median_change = self._oscillation.measure(self._divergence.slow.value)
        return msgspec.structs.replace(
            window,
            gain=median(gains) if gains else math.nan,
            flat_since=self._plateau.since,
            gradient=self._gradient,
            reversal_share=reversal_share,
            median_change=median_change,
            spikes=self._count,
            recovered=self._divergence.best < self._best_before,
            moved=self._reach.moved(self._steps),
            settled=self._at_floor,
            dead=self._dead,
            unmeasured=self.unmeasured,
        )

    def _early_findings(self) -> Findings:
        base, first = self._baseline, self._divergence
        start = base.start if base.known else first.start
        progress, error = base.progress()
        # the average has the smaller error
        if math.isnan(progress) or base.noise * thresholds.FAST_ERROR < error:
            progress, error = (
                first.fast.value / start if start > 0 else math.nan,
                base.noise * thresholds.FAST_ERROR,
            )
        dropped = start * (1.0 - progress + thresholds.KEPT_ERRORS * error)
        return Findings(
            early=self._steps < self._early,
            long=self._steps >= self._early >= thresholds.NO_PROGRESS_STEPS,
            early_gain=median(self._gains) if self._gains else math.nan,
            samples=len(self._gains),
            first_gain=self._gains[0] if self._gains else math.nan,
            peak=self._peak / max(start, first.first, base.highest) if start > 0 else math.nan,
            rise=base.rise,
            progress=progress,
            progress_error=error,
            kept=self._promise.kept(self._steps, dropped, start),
            moved=self._reach.moved(self._steps),
        )

    @property
    def _at_floor(self) -> bool:
        reach = self._reach.total(self._steps)
        if math.isfinite(reach):
            return reach >= thresholds.SETTLED
        return self._divergence.best <= (1.0 - thresholds.SETTLED) * self._divergence.start

    @property
    def _dead(self) -> bool:
        return bool(self._norms) and not any(self._norms) and not self._gradient > 0

    def _fold_norm(self, norm: float) -> None:
        if len(self._norms) < thresholds.START_STEPS:
            self._norms.append(norm)
        first = median(self._norms)
        self._gradient = norm / first if first > 0 else math.nan
