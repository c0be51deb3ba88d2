"""What a lane would do if it stood still: the noise of its batches, and how far its steps can have moved it. Pure."""

from __future__ import annotations

import math
from statistics import fmean, stdev

from lrtui.core import thresholds as limits


class Baseline:
    """The lane beside its own initial weights, on the same batches: what the batches' noise alone does to the loss.

    `update` takes, at some steps of the early window, the loss of the step and that of the same batch at the initial weights.
    """

    def __init__(self) -> None:
        self._losses: list[float] = []
        self._initial: list[float] = []

    @property
    def known(self) -> bool:
        """True once there are enough pairs to say anything."""
        return len(self._initial) >= limits.LEAST_SAMPLES

    def update(self, loss: float, initial: float) -> None:
        """Takes one pair; one that is not finite says nothing."""
        if math.isfinite(loss) and math.isfinite(initial):
            self._losses.append(loss)
            self._initial.append(initial)

    @property
    def start(self) -> float:
        """The mean loss at the initial weights; NaN before it is known."""
        return fmean(self._initial) if self.known else math.nan

    @property
    def highest(self) -> float:
        """The highest loss of a batch at the initial weights; NaN before it is known."""
        return max(self._initial) if self.known else math.nan

    @property
    def noise(self) -> float:
        """Standard deviation of the batches' losses at the initial weights, over their mean; 0 before it is known."""
        return stdev(self._initial) / abs(self.start) if self.known and self.start else 0.0

    def margin(self, spread: float) -> float:
        """What a threshold on an average of losses, compared with `start`, is to be multiplied by: NOISE_SIGMAS standard errors.

        `spread` is the standard deviation over the mean of the lane's own last losses: it knows of rare batches that the few
        pairs have missed.
        """
        spread = min(max(spread, self.noise), limits.RARE * self.noise)
        error = self.noise**2 / max(len(self._initial), 1) + spread**2 * limits.AVERAGE_SHARE
        return 1.0 + limits.NOISE_SIGMAS * math.sqrt(error)

    @property
    def rise(self) -> float:
        """The most by which a batch's loss was above that at the initial weights, over `start`; NaN before it is known."""
        if not (self.known and self.start > 0):
            return math.nan
        return max(loss - initial for loss, initial in zip(self._losses, self._initial, strict=True)) / self.start

    def progress(self) -> tuple[float, float]:
        """(loss over the loss at the initial weights, its standard error), both over the later half of the pairs; NaN before."""
        if not self.known:
            return math.nan, math.nan
        half = len(self._initial) // 2
        losses, initial = self._losses[half:], self._initial[half:]
        mean = fmean(initial)
        if not mean > 0:
            return math.nan, math.nan
        ratio = fmean(losses) / mean
        left = [loss - ratio * one for loss, one in zip(losses, initial, strict=True)]
        return ratio, stdev(left) / mean / math.sqrt(len(left)) if len(left) > 1 else math.inf


class Reach:
    """How far a lane's steps can have moved its loss, as a part of it: what they changed it by, summed over all steps.

    Of the steps between two measured ones the larger of both changes is taken, so that the sum is rather too large.
    """

    def __init__(self) -> None:
        self.total = math.inf
        """Infinite while nothing was measured: then nothing is known of it."""
        self._each = 0.0
        self._since = 0

    def step(self) -> None:
        """One step more."""
        self.total += self._each
        self._since += 1

    def measured(self, change: float) -> None:
        """Takes the change of the loss by one step, relative to the loss; what is not finite moved it without bound."""
        change = abs(change) if math.isfinite(change) else math.inf
        begins = self.total == math.inf and not self._since
        self.total = 0.0 if begins else self.total + max(0.0, change - self._each) * self._since
        self._each, self._since = change, 0

    @property
    def moved(self) -> bool:
        """False where the lane's losses are those of its initial weights but for less than REACH of them."""
        return self.total >= limits.REACH
