"""Streaming verdicts about a lane's losses: pure, O(1) a step, the same whatever the blocks they come in.

A non-finite loss or gradient norm is not found here but before the update (training/probe.py), because it ends the
lane. The rules here raise an alert and let the lane go on.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import median
from typing import Literal

import msgspec
import numpy as np

from lrtui.core import thresholds as limits
from lrtui.core.baseline import Baseline, Promise, Reach, mean_of, spread_of, widened
from lrtui.core.stateful import Stateful, stored

GaugeWord = Literal["hot", "ok", "cold", "none"]


def early_steps(total: int) -> int:
    """The length of the early window of a lane of `total` steps."""
    return max(limits.EARLY_LEAST, min(limits.EARLY_STEPS, round(limits.EARLY_PART * total)))


class Smooth(Stateful):
    """A debiased exponential moving average that skips non-finite values. `value` is NaN before the first."""

    STATE = stored("factor", "value", "_sum", "_weight")

    __slots__ = ("_sum", "_weight", "factor", "value")

    def __init__(self, factor: float = limits.SMOOTHING) -> None:
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
    """A lane has diverged: for a while far above its best, above its start, or too hot and not below its start."""

    STATE = stored("slow", "fast", "best", "start", "_squares", "_early", "_first", "_noise", "_lasted", "_steps")

    def __init__(self, total: int) -> None:
        self.slow, self.fast = Smooth(), Smooth(limits.FAST)
        self._squares = Smooth()
        """Of the losses over the first one, squared."""
        self.best = math.inf
        self.start = math.nan
        """The loss that the lane began with; see START_STEPS."""
        self._early = early_steps(total)
        self._first: list[float] = []
        self._noise = 0.0
        """Spread of the first losses over their mean, where nothing better is known of the batches' noise."""
        self._lasted = [0, 0, 0]
        """For how many steps in a row each rule has held."""
        self._steps = 0

    @property
    def first(self) -> float:
        """The very first loss."""
        return self._first[0] if self._first else math.nan

    def update(self, loss: float, hot: bool = False, baseline: Baseline | None = None, moved: bool = True) -> str | None:
        """Takes the loss of one step, and whether the gauge found the lane hot; a sentence where a rule says "diverged".

        With a `baseline` the start is the mean loss at the initial weights. Thresholds are widened by the batches' noise.
        A lane that has not `moved` cannot have diverged.
        """
        if not math.isfinite(loss):
            return None  # the lane's end, and none of our business
        self._steps += 1
        average = self.slow.update(loss)
        scale = self.first or loss or 1.0
        self._squares.update(min(abs(loss / scale), 1e100) ** 2)
        if self._steps >= limits.BEST_FROM:
            self.best = min(self.best, average)
        fast = self.fast.update(loss)
        if len(self._first) < limits.BEST_FROM:
            self._first.append(loss)
            middle = median(self._first[:limits.START_STEPS])
            self.start = self._first[0] if middle > limits.START_TIMES * self._first[0] > 0 else middle
            self._noise = spread_of(self._first)
            if self._noise > limits.NOISY:
                self.start = max(self.start, mean_of(self._first))
        known = baseline is not None and baseline.known and self._steps > self._early
        start = baseline.start if baseline is not None and known else self.start
        own = self._spread(average / scale)
        margin = baseline.margin(own) if baseline is not None and known else widened(self._noise, len(self._first), own)
        if not moved:
            return None
        if fast > limits.FAR * start > 0:
            return f"smoothed loss {fast:.4g} is above {limits.FAR:g} times its start"
        if self._steps <= self._early:
            return None
        now = min(self.slow.value, self.fast.value)
        # A start or a best of zero or below has no multiples: there is nothing to compare with.
        rules = (now > limits.TIMES_BEST * margin * self.best > 0, now > limits.TIMES_START * margin * start > 0,
                 hot and now > (1.0 + margin) / 2.0 * start)
        if not any(rules):
            self._lasted = [0, 0, 0]
            return None
        self._lasted = [steps + 1 if holds else 0 for steps, holds in zip(self._lasted, rules, strict=True)]
        words = next((words for words, steps in zip(_WORDS, self._lasted, strict=True) if steps >= limits.PATIENCE), None)
        return f"smoothed loss {now:.4g} is {words}" if words else None


    def _spread(self, mean: float) -> float:
        """Standard deviation over the mean of the last losses; `mean` is their average over the first one."""
        square = mean * mean
        return math.sqrt(max(self._squares.value / square - 1.0, 0.0)) if square else 0.0


_WORDS = (f"above {limits.TIMES_BEST:g} times its best", f"above {limits.TIMES_START:g} times its start",
          "not below its start, and the rate is too hot")


class Spikes(Stateful):
    """Whether a loss stands far out of those just before it. A mark on the curve; many of them recover by themselves."""

    STATE = stored("_window", "_sum", "_squares", "_origin", "_until_anew")

    def __init__(self) -> None:
        self._window: deque[float] = deque(maxlen=limits.SPIKE_WINDOW)
        self._sum = self._squares = self._origin = 0.0
        self._until_anew = 0

    def update(self, loss: float) -> bool:
        """Takes the loss of one step; whether it is more than SPIKE_SIGMAS above the mean of the last SPIKE_WINDOW."""
        if not math.isfinite(loss):
            return False
        count = len(self._window)
        out = False
        if count >= limits.SPIKE_LEAST:
            mean = self._sum / count
            spread = math.sqrt(max(self._squares / count - mean * mean, 0.0))
            out = loss - self._origin - mean > limits.SPIKE_SIGMAS * spread > 0
        self._take(loss)
        return out

    def _take(self, loss: float) -> None:
        """Sums about an origin near the losses, made anew once a window: differences of large sums would lose all digits."""
        if self._until_anew == 0:
            self._until_anew = limits.SPIKE_WINDOW
            self._window.append(loss)
            self._origin = loss
            self._sum = sum(value - loss for value in self._window)
            self._squares = sum((value - loss) * (value - loss) for value in self._window)
            return
        self._until_anew -= 1
        if len(self._window) == limits.SPIKE_WINDOW:
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
        self._patience = max(limits.FLAT_STEPS, limits.FLAT_PART * total)
        self._early = early_steps(total)
        self._mark = math.inf
        self._since = 0
        self._steps = 0

    def update(self, smooth: float) -> None:
        """Takes the smoothed loss of one step."""
        self._steps += 1
        if smooth < self._mark - limits.FLAT * abs(self._mark) or self._mark == math.inf:
            self._mark, self._since = smooth, self._steps

    @property
    def since(self) -> int | None:
        """The number of steps after which nothing was gained any more; None while there is progress, and in the early window."""
        flat = self._steps - self._since >= self._patience and self._steps > self._early
        return self._since if flat else None


class Shaking(Stateful):
    """How the loss jumps from step to step."""

    STATE = stored("_last")

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=limits.SEISMIC_STEPS + 1)

    def update(self, loss: float) -> None:
        """Takes the loss of one step."""
        self._last.append(loss)

    def measure(self, smooth: float) -> tuple[float, float]:
        """(share of changes that turn back, median size of a change over the smoothed loss); NaN before there are enough."""
        if len(self._last) <= limits.SEISMIC_STEPS or not smooth > 0:
            return math.nan, math.nan
        with np.errstate(all="ignore"):  # losses near the largest number: what comes out is infinite, and no warning is printed
            changes = np.diff(np.array(self._last, dtype=float))
            if not np.isfinite(changes).all():
                return math.nan, math.nan
            turns = float(np.mean(np.sign(changes[1:]) * np.sign(changes[:-1]) < 0))
            return turns, float(np.median(np.abs(changes))) / smooth


class Findings(msgspec.Struct, frozen=True):
    """What the rules know of a lane by itself after some step. A verdict also looks at the other lanes (core/verdicts.py)."""

    early: bool = True
    """Whether the early window is open, in which the gauge has the word. When it closes, the next five stay as they are."""
    early_gain: float = math.nan
    """Median of the step gains of the early window; NaN before the first."""
    samples: int = 0
    """Step gains that it is the median of."""
    first_gain: float = math.nan
    """The first of them."""
    peak: float = math.nan
    """The highest loss over the start, or over the first loss where that is higher; NaN where the start is zero or below."""
    rise: float = math.nan
    """The most by which a loss was above that of the initial weights on the same batch, over the start; NaN if unknown."""
    progress: float = math.nan
    """The loss over that of the initial weights on the same batches, or if unknown the smoothed loss over the start."""
    kept: float = math.nan
    """How much of the drop that the gradients of the early window promised together has come about, at most; NaN if unknown."""
    progress_error: float = 0.0
    """Its standard error."""
    moved: bool = True
    """False where the steps so far were too short to have changed the loss: then it is noise of the batches."""
    settled: bool = True
    """False where the steps so far were too short, or the loss has fallen too little, for it to have come to its floor."""
    dead: bool = False
    """True where every gradient so far was exactly zero."""
    unmeasured: str = ""
    """Why the step gain is not measured; '' where it is."""
    long: bool = False
    """Whether the window has closed after so many steps that the noise of the batches does not look like a lack of progress."""
    gain: float = math.nan
    """Median of the last step gains, those of the early window while there are no later ones."""
    flat_since: int | None = None
    """Since which step the smoothed loss has hardly improved; None while it does."""
    gradient: float = math.nan
    """Gradient norm over what it was at the beginning."""
    turns: float = math.nan
    jumps: float = math.nan
    """See Shaking.measure."""
    spikes: int = 0
    """Steps that stood out so far."""
    recovered: bool = False
    """Whether the smoothed loss has been lower again than ever before the first alarm of divergence."""

    @property
    def word(self) -> GaugeWord:
        """What the early window says of the rate; "none" with fewer than LEAST_SAMPLES."""
        if self.samples < limits.LEAST_SAMPLES or not math.isfinite(self.early_gain):
            return "none"
        if not self.moved:
            return "cold" if self.early_gain > limits.COLD else "none"
        thrown = (self.peak > limits.THROWN_UP and not self.rise < limits.ROSE) or self.first_gain < limits.FIRST_GAIN
        overshot = (self.early_gain < limits.HOT_SO_FAR if self.early else
                    self.early_gain < limits.HOT and not self.progress <= limits.HALF)
        futile = not self.early and self.kept < limits.KEPT
        if overshot or futile or (thrown and self.progress - self.progress_error > limits.NOT_BACK):
            return "hot"
        if self.early_gain > limits.COLD:
            return "cold"
        return "hot" if self.progress - self.progress_error > limits.NO_PROGRESS and self.long else "ok"


class Judge(Stateful):
    """All rules over one lane of `total` steps. Each step costs the same; what they know is the same whatever the blocks."""

    STATE = stored("unmeasured", "_divergence", "_spikes", "_plateau", "_shaking", "_early", "_pending",
                   "_baseline", "_reach", "_promise", "_gains", "_late", "_window", "_hot", "_peak", "_norms",
                   "_gradient", "_count", "_best_before", "_steps")

    def __init__(self, total: int) -> None:
        self._divergence, self._spikes, self._plateau, self._shaking = Divergence(total), Spikes(), Plateau(total), Shaking()
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

        Returns what the rules say of divergence (None while it goes well), and whether the loss is a spike.
        """
        self._take_measured()
        self._steps += 1
        said = self._divergence.update(loss, self._hot, self._baseline, self._reach.moved(self._steps))
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

    def measured(self, step: int, gain: float, change: float = math.inf, predicted: float = math.nan,
                 pair: tuple[float, float] = (math.nan, math.nan)) -> None:
        """Takes what was measured at `step`, counted from 0: its gain, by how much of itself it changed the loss, the drop that
        its gradient predicted, and the loss with that of the same batch at the initial weights. It counts from the next step's
        update on, whenever it is told before that."""
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
        turns, jumps = self._shaking.measure(self._divergence.slow.value)
        return msgspec.structs.replace(
            window, gain=median(gains) if gains else math.nan, flat_since=self._plateau.since, gradient=self._gradient,
            turns=turns, jumps=jumps, spikes=self._count, recovered=self._divergence.best < self._best_before,
            moved=self._reach.moved(self._steps), settled=self._settled, dead=self._dead, unmeasured=self.unmeasured)

    def _early_findings(self) -> Findings:
        base, first = self._baseline, self._divergence
        start = base.start if base.known else first.start
        progress, error = base.progress()
        if math.isnan(progress) or base.noise * limits.FAST_ERROR < error:  # the average is the more exact one
            progress, error = first.fast.value / start if start > 0 else math.nan, base.noise * limits.FAST_ERROR
        dropped = start * (1.0 - progress + limits.KEPT_ERRORS * error)
        return Findings(
            early=self._steps < self._early, long=self._steps >= self._early >= limits.NO_PROGRESS_STEPS,
            early_gain=median(self._gains) if self._gains else math.nan,
            samples=len(self._gains), first_gain=self._gains[0] if self._gains else math.nan,
            peak=self._peak / max(start, first.first, base.highest) if start > 0 else math.nan, rise=base.rise,
            progress=progress, progress_error=error, kept=self._promise.kept(self._steps, dropped, start),
            moved=self._reach.moved(self._steps))

    @property
    def _settled(self) -> bool:
        reach = self._reach.total(self._steps)
        if math.isfinite(reach):
            return reach >= limits.SETTLED
        return self._divergence.best <= (1.0 - limits.SETTLED) * self._divergence.start

    @property
    def _dead(self) -> bool:
        return bool(self._norms) and not any(self._norms) and not self._gradient > 0

    def _take_norm(self, norm: float) -> None:
        if len(self._norms) < limits.START_STEPS:
            self._norms.append(norm)
        first = median(self._norms)
        self._gradient = norm / first if first > 0 else math.nan
