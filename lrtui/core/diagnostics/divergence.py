"""The rule for DIVERGED: a lane whose loss has left its best or its start for good. Pure."""

from __future__ import annotations

import math
from statistics import median

from lrtui.core.diagnostics.baseline import Baseline, mean_of, spread_of, widened
from lrtui.core.protocol import thresholds
from lrtui.core.protocol.thresholds import early_steps
from lrtui.core.series.ema import Ema
from lrtui.core.stateful import Stateful, stored

_DIVERGED = (
    f"above {thresholds.TIMES_BEST:g} times its best",
    f"above {thresholds.TIMES_START:g} times its start",
    "not below its start, and the rate is too hot",
)


class Divergence(Stateful):
    """True divergence of a lane: for a while far above its best, above its start, or too hot and
    not below its start."""

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
        self.slow, self.fast = Ema(thresholds.SMOOTHING), Ema(thresholds.FAST)
        self._squares = Ema(thresholds.SMOOTHING)
        """Average of the squared ratio of each loss to the first one."""
        self.best = math.inf
        self.start = math.nan
        """Initial loss of the lane; see START_STEPS."""
        self._early = early_steps(total)
        self._first: list[float] = []
        self._noise = 0.0
        """Spread of the first losses over their mean: the batches' noise without a baseline."""
        self._lasted = [0, 0, 0]
        """Steps in a row for which each rule has held."""
        self._steps = 0

    @property
    def first(self) -> float:
        """The very first loss."""
        return self._first[0] if self._first else math.nan

    def update(
        self, loss: float, hot: bool = False, baseline: Baseline | None = None, moved: bool = True
    ) -> str | None:
        """Fold in the loss of one step; `hot`: the gauge calls the rate too high. Return a sentence
        if the lane has diverged, else None.

        With a `baseline` the start is the mean loss at the initial weights. Thresholds are widened
        by the batches' noise. A lane that has not `moved` cannot have diverged.
        """
        if not math.isfinite(loss):
            return None  # ends the lane: see training/step_recorder.py
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
        text = next(
            (
                text
                for text, steps in zip(_DIVERGED, self._lasted, strict=True)
                if steps >= thresholds.PATIENCE
            ),
            None,
        )
        return f"smoothed loss {now:.4g} is {text}" if text else None

    def _spread(self, mean: float) -> float:
        """Standard deviation over mean of the last losses; `mean` is their average over the
        first."""
        square = mean * mean
        return math.sqrt(max(self._squares.value / square - 1.0, 0.0)) if square else 0.0
