"""Streaming verdicts about a lane's losses: pure, O(1) a step, the same whatever the blocks they
come in.

A non-finite loss or gradient norm is not found here but before the update
(training/step_recorder.py), because it ends the lane. The rules here raise an alert and let the
lane go on.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import median

import msgspec
import numpy as np

from lrtui.core.diagnostics.baseline import Baseline, Promise, Reach, mean_of, spread_of, widened
from lrtui.core.protocol import thresholds
from lrtui.core.protocol.findings import Findings
from lrtui.core.protocol.thresholds import early_steps
from lrtui.core.stateful import Stateful, stored


class Smooth(Stateful):
    """A debiased exponential moving average that skips non-finite values. `value` is NaN before the
    first."""

    STATE = stored("factor", "value", "_sum", "_weight")

    __slots__ = ("_sum", "_weight", "factor", "value")

    def __init__(self, factor: float = thresholds.SMOOTHING) -> None:
        self.factor = factor
        self._sum = 0.0
        self._weight = 0.0
        self.value = math.nan

    def update(self, value: float) -> float:
        """Takes one value, returns the average: sum of factor^k * value over sum of factor^k."""
        if math.isfinite(value):
            self._sum = self.factor * self._sum + (1 - self.factor) * value
            self._weight = self.factor * self._weight + (1 - self.factor)
            self.value = self._sum / self._weight
        return self.value


class Divergence(Stateful):
    """A lane has diverged: for a while far above its best, above its start, or too hot and not
    below its start."""

    STATE = stored(
        "slow",
        "fast",
        "best",
        "start",
        "_squares",
        "_early",
        "_first",
        "_noise",
        "_lasted",
        "_steps",
    )

    def __init__(self, total: int) -> None:
        self.slow, self.fast = Smooth(), Smooth(thresholds.FAST)
        self._squares = Smooth()
        """Of the losses over the first one, squared."""
        self.best = math.inf
        self.start = math.nan
        """The loss that the lane began with; see START_STEPS."""
        self._early = early_steps(total)
        self._first: list[float] = []
        self._noise = 0.0
        """Spread of the first losses over their mean, where nothing better is known of the batches'
        noise."""
        self._lasted = [0, 0, 0]
        """For how many steps in a row each rule has held."""
        self._steps = 0

    @property
    def first(self) -> float:
        """The very first loss."""
        return self._first[0] if self._first else math.nan

    def update(
        self, loss: float, hot: bool = False, baseline: Baseline | None = None, moved: bool = True
    ) -> str | None:
        """Takes the loss of one step, and whether the gauge found the lane hot; a sentence where a
        rule says "diverged".

        With a `baseline` the start is the mean loss at the initial weights. Thresholds are widened
        by the batches' noise. A lane that has not `moved` cannot have diverged.
        """
        if not math.isfinite(loss):
            return None  # the lane's end, and none of our business
        self._steps += 1
        average = self.slow.update(loss)
        scale = self.first or loss or 1.0
        self._squares.update(min(abs(loss / scale), 1e100) ** 2)
        if self._steps >= thresholds.BEST_FROM:
            self.best = min(self.best, average)
        fast = self.fast.update(loss)
        if len(self._first) < thresholds.BEST_FROM:
            self._first.append(loss)
            middle = median(self._first[: thresholds.START_STEPS])
            self.start = (
                self._first[0] if middle > thresholds.START_TIMES * self._first[0] > 0 else middle
            )
            self._noise = spread_of(self._first)
            if self._noise > thresholds.NOISY_START:
                self.start = max(self.start, mean_of(self._first))
        known = baseline is not None and baseline.known and self._steps > self._early
        start = baseline.start if baseline is not None and known else self.start
        own = self._spread(average / scale)
        margin = (
            baseline.margin(own)
            if baseline is not None and known
            else widened(self._noise, len(self._first), own)
        )
        if not moved:
            return None
        if fast > thresholds.BLOWUP_RATIO * start > 0:
            return f"smoothed loss {fast:.4g} is above {thresholds.BLOWUP_RATIO:g} times its start"
        if self._steps <= self._early:
            return None
        now = min(self.slow.value, self.fast.value)
        # A start or a best of zero or below has no multiples: there is nothing to compare with.
        rules = (
            now > thresholds.TIMES_BEST * margin * self.best > 0,
            now > thresholds.TIMES_START * margin * start > 0,
            hot and now > (1.0 + margin) / 2.0 * start,
        )
        if not any(rules):
            self._lasted = [0, 0, 0]
            return None
        self._lasted = [
            steps + 1 if holds else 0 for steps, holds in zip(self._lasted, rules, strict=True)
        ]
        words = next(
            (
                words
                for words, steps in zip(_WORDS, self._lasted, strict=True)
                if steps >= thresholds.PATIENCE
            ),
            None,
        )
        return f"smoothed loss {now:.4g} is {words}" if words else None

    def _spread(self, mean: float) -> float:
        """Standard deviation over the mean of the last losses; `mean` is their average over the
        first one."""
        square = mean * mean
        return math.sqrt(max(self._squares.value / square - 1.0, 0.0)) if square else 0.0


_WORDS = (
    f"above {thresholds.TIMES_BEST:g} times its best",
    f"above {thresholds.TIMES_START:g} times its start",
    "not below its start, and the rate is too hot",
)


class Spikes(Stateful):
    """Whether a loss stands far out of those just before it. A mark on the curve; many of them
    recover by themselves."""

    STATE = stored("_window", "_sum", "_squares", "_origin", "_until_anew")

    def __init__(self) -> None:
        self._window: deque[float] = deque(maxlen=thresholds.SPIKE_WINDOW)
        self._sum = self._squares = self._origin = 0.0
        self._until_anew = 0

    def update(self, loss: float) -> bool:
        """Takes the loss of one step; whether it is more than SPIKE_SIGMAS above the mean of the
        last SPIKE_WINDOW."""
        if not math.isfinite(loss):
            return False
        count = len(self._window)
        out = False
        if count >= thresholds.SPIKE_LEAST:
            mean = self._sum / count
            spread = math.sqrt(max(self._squares / count - mean * mean, 0.0))
            out = loss - self._origin - mean > thresholds.SPIKE_SIGMAS * spread > 0
        self._take(loss)
        return out

    def _take(self, loss: float) -> None:
        """Sums about an origin near the losses, made anew once a window: differences of large sums
        would lose all digits."""
        if self._until_anew == 0:
            self._until_anew = thresholds.SPIKE_WINDOW
            self._window.append(loss)
            self._origin = loss
            self._sum = sum(value - loss for value in self._window)
            self._squares = sum((value - loss) * (value - loss) for value in self._window)
            return
        self._until_anew -= 1
        if len(self._window) == thresholds.SPIKE_WINDOW:
            oldest = self._window[0] - self._origin
            self._sum -= oldest
            self._squares -= oldest * oldest
        self._window.append(loss)
        self._sum += loss - self._origin
        self._squares += (loss - self._origin) * (loss - self._origin)


class Plateau(Stateful):
    """Since when the best smoothed loss has hardly improved."""

    STATE = stored("_patience", "_early", "_mark", "_since", "_steps")

    def __init__(self, total: int) -> None:
        self._patience = max(thresholds.FLAT_STEPS, thresholds.FLAT_PART * total)
        self._early = early_steps(total)
        self._mark = math.inf
        self._since = 0
        self._steps = 0

    def update(self, smooth: float) -> None:
        """Takes the smoothed loss of one step."""
        self._steps += 1
        if smooth < self._mark - thresholds.FLAT * abs(self._mark) or self._mark == math.inf:
            self._mark, self._since = smooth, self._steps

    @property
    def since(self) -> int | None:
        """The number of steps after which nothing was gained any more; None while there is
        progress, and in the early window."""
        flat = self._steps - self._since >= self._patience and self._steps > self._early
        return self._since if flat else None


class Oscillation(Stateful):
    """How the loss jumps from step to step."""

    STATE = stored("_last")

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=thresholds.NOISY_STEPS + 1)

    def update(self, loss: float) -> None:
        """Takes the loss of one step."""
        self._last.append(loss)

    def measure(self, smooth: float) -> tuple[float, float]:
        """(share of changes that turn back, median size of a change over the smoothed loss); NaN
        before there are enough."""
        if len(self._last) <= thresholds.NOISY_STEPS or not smooth > 0:
            return math.nan, math.nan
        # losses near the largest number: what comes out is infinite, and no warning is printed
        with np.errstate(all="ignore"):
            changes = np.diff(np.array(self._last, dtype=float))
            if not np.isfinite(changes).all():
                return math.nan, math.nan
            reversal_share = float(np.mean(np.sign(changes[1:]) * np.sign(changes[:-1]) < 0))
            return reversal_share, float(np.median(np.abs(changes))) / smooth


class LossMonitor(Stateful):
    """All rules over one lane of `total` steps. Each step costs the same; what they know is the
    same whatever the blocks."""

    STATE = stored(
        "unmeasured",
        "_divergence",
        "_spikes",
        "_plateau",
        "_shaking",
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
    )

    def __init__(self, total: int) -> None:
        self._divergence, self._spikes, self._plateau, self._shaking = (
            Divergence(total),
            Spikes(),
            Plateau(total),
            Oscillation(),
        )
        self._early = early_steps(total)
        self.unmeasured = ""
        """Why the step gain is not measured."""
        self._pending: list[list[float]] = []
        """What was measured and does not count yet."""
        self._baseline, self._reach, self._promise = Baseline(), Reach(), Promise()
        self._gains: list[float] = []
        self._late: deque[float] = deque(maxlen=15)
        self._window = Findings()
        """What the early window knows; no longer touched when it has closed."""
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

    def update(self, loss: float, norm: float | None = None) -> tuple[str | None, bool]:
        """Takes one step: its loss and, where it was measured, its gradient norm.

        Returns what the rules say of divergence (None while it goes well), and whether the loss is
        a spike.
        """
        self._take_measured()
        self._steps += 1
        said = self._divergence.update(
            loss, self._hot, self._baseline, self._reach.moved(self._steps)
        )
        if said and self._best_before == -math.inf:
            self._best_before = self._divergence.best
        self._plateau.update(self._divergence.slow.value)
        self._shaking.update(loss)
        if norm is not None and math.isfinite(norm):
            self._take_norm(norm)
        if self._steps <= self._early:
            self._peak = max(self._peak, loss)
            if self._steps == self._early:
                self._window = self._early_findings()
                self._hot = self._window.word == "hot"
        spike = self._spikes.update(loss)
        self._count += spike
        return said, spike

    def measured(
        self,
        step: int,
        gain: float,
        change: float = math.inf,
        predicted: float = math.nan,
        pair: tuple[float, float] = (math.nan, math.nan),
    ) -> None:
        """Takes what was measured at `step`, counted from 0: its gain, by how much of itself it
        changed the loss, the drop that its gradient predicted, and the loss with that of the same
        batch at the initial weights. It counts from the next step's update on, whenever it is told
        before that."""
        self._pending.append([step, gain, change, predicted, *pair])

    def _take_measured(self) -> None:
        """Counts what was measured at steps that are updated already."""
        while self._pending and self._pending[0][0] < self._steps:
            step, gain, change, predicted, loss, initial = self._pending.pop(0)
            if math.isfinite(gain):
                (self._gains if step < self._early else self._late).append(gain)
            self._reach.measured(int(step), change)
            self._baseline.update(loss, initial)
            if step < self._early:
                self._promise.measured(int(step), predicted)

    def findings(self) -> Findings:
        """What is known after the steps so far."""
        self._take_measured()
        window = self._window if self._steps >= self._early else self._early_findings()
        gains = self._late if len(self._late) > 2 else self._gains
        reversal_share, median_change = self._shaking.measure(self._divergence.slow.value)
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
            settled=self._settled,
            dead=self._dead,
            unmeasured=self.unmeasured,
        )

    def _early_findings(self) -> Findings:
        base, first = self._baseline, self._divergence
        start = base.start if base.known else first.start
        progress, error = base.progress()
        # the average is the more exact one
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
    def _settled(self) -> bool:
        reach = self._reach.total(self._steps)
        if math.isfinite(reach):
            return reach >= thresholds.SETTLED
        return self._divergence.best <= (1.0 - thresholds.SETTLED) * self._divergence.start

    @property
    def _dead(self) -> bool:
        return bool(self._norms) and not any(self._norms) and not self._gradient > 0

    def _take_norm(self, norm: float) -> None:
        if len(self._norms) < thresholds.START_STEPS:
            self._norms.append(norm)
        first = median(self._norms)
        self._gradient = norm / first if first > 0 else math.nan
