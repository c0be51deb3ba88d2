"""Reference for a lane that stands still: the noise of its batches, and the distance its steps can
have moved it. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from lrtui.core.protocol import thresholds
from lrtui.core.stateful import Stateful, stored


def mean_of(values: Sequence[float]) -> float:
    """The mean of finite numbers of any size, without an overflow of their sum."""
    mean = sum(value / len(values) for value in values)
    # of the largest numbers that there are, rounding may lead beyond them
    return mean if math.isfinite(mean) else min(max(mean, min(values)), max(values))


def deviation_of(values: Sequence[float]) -> float:
    """The standard deviation of two or more finite numbers of any size."""
    scale = max(map(abs, values))
    if not scale:
        return 0.0
    scaled = [value / scale for value in values]
    mean = mean_of(scaled)
    return scale * math.sqrt(
        sum((value - mean) * (value - mean) for value in scaled) / (len(scaled) - 1)
    )


def widened(noise: float, count: int, spread: float) -> float:
    """Factor for a threshold on an average of losses: 1 plus NOISE_SIGMAS standard errors.

    `noise` is the standard deviation of the batches' losses over their mean, measured on `count` of
    them, with which the average is compared. `spread` is that of the lane's own last losses, which
    include rare batches that the few have missed.
    """
    spread = min(max(spread, noise), thresholds.RARE * noise)
    return 1.0 + thresholds.NOISE_SIGMAS * math.sqrt(
        noise**2 / max(count, 1) + spread**2 * thresholds.AVERAGE_SHARE
    )


def spread_of(losses: Sequence[float]) -> float:
    """Spread over mean of losses that follow each other, by their median difference: a single jump
    does not count."""
    steps = [abs(b - a) for a, b in pairwise(losses)]
    mean = abs(mean_of(losses))
    return (
        min(thresholds.SPREAD_OF_STEPS * median(steps) / mean, thresholds.MOST_NOISE)
        if steps and mean
        else 0.0
    )


class Baseline(Stateful):
    """The lane beside its own initial weights, on the same batches: what the batches' noise alone
    does to the loss.

    `update` takes, at some steps of the early window, the loss of the step and that of the same
    batch at the initial weights.
    """

    STATE = stored("_losses", "_initial")

    def __init__(self) -> None:
        self._losses: list[float] = []
        self._initial: list[float] = []

    @property
    def known(self) -> bool:
        """True once there are enough pairs to say anything."""
        return len(self._initial) >= thresholds.LEAST_SAMPLES

    def update(self, loss: float, initial: float) -> None:
        """Takes one pair; one that is not finite says nothing."""
        if math.isfinite(loss) and math.isfinite(initial):
            self._losses.append(loss)
            self._initial.append(initial)

    @property
    def start(self) -> float:
        """The mean loss at the initial weights; NaN before it is known."""
        return mean_of(self._initial) if self.known else math.nan

    @property
    def highest(self) -> float:
        """The highest loss of a batch at the initial weights; NaN before it is known."""
        return max(self._initial) if self.known else math.nan

    @property
    def noise(self) -> float:
        """Standard deviation of the batches' losses at the initial weights, over their mean; 0
        before it is known."""
        return deviation_of(self._initial) / abs(self.start) if self.known and self.start else 0.0

    def margin(self, spread: float) -> float:
        """Factor for a threshold on an average of losses that is compared with `start`; see
        `widened`."""
        return widened(self.noise, len(self._initial), spread)

    @property
    def rise(self) -> float:
        """The most by which a batch's loss was above that at the initial weights, over `start`; NaN
        before it is known."""
        if not (self.known and self.start > 0):
            return math.nan
        return (
            max(loss - initial for loss, initial in zip(self._losses, self._initial, strict=True))
            / self.start
        )

    def progress(self) -> tuple[float, float]:
        """(loss over the loss at the initial weights, its standard error), both over the later half
        of the pairs; NaN before."""
        if not self.known:
            return math.nan, math.nan
        half = len(self._initial) // 2
        losses, initial = self._losses[half:], self._initial[half:]
        mean = mean_of(initial)
        if not mean > 0:
            return math.nan, math.nan
        ratio = mean_of(losses) / mean
        left = [loss - ratio * one for loss, one in zip(losses, initial, strict=True)]
        return ratio, (
            deviation_of(left) / mean / math.sqrt(len(left)) if len(left) > 1 else math.inf
        )


class Reach(Stateful):
    """Upper estimate of the relative change of the loss by all steps of a lane so far.

    Steps between two measured ones count with the larger of both changes.
    """

    STATE = stored("_sum", "_change", "_step")

    def __init__(self) -> None:
        self._sum = 0.0
        self._change = math.inf
        """By the last measured step; infinite while nothing was measured, for then nothing is
        known."""
        self._step = 0

    def measured(self, step: int, change: float) -> None:
        """Takes the change of the loss by `step`, relative to the loss; what is not finite moved it
        without bound."""
        change = abs(change) if math.isfinite(change) else math.inf
        if step > self._step:
            self._sum += max(change, self._change) * (step - self._step)
        self._step, self._change = step, change

    def total(self, steps: int) -> float:
        """The sum over `steps` steps; infinite while nothing was measured."""
        return (
            math.inf
            if self._change == math.inf
            else self._sum + self._change * (steps - self._step)
        )

    def moved(self, steps: int) -> bool:
        """False where the losses of `steps` steps are those of the initial weights but for less
        than REACH of them."""
        return self.total(steps) >= thresholds.REACH


class Promise(Stateful):
    """The drop of the loss that the gradients of a lane's steps predict, each on its own batch,
    summed over all steps."""

    STATE = stored("_sum", "_each", "_step")

    def __init__(self) -> None:
        self._sum = 0.0
        self._each = math.nan
        self._step = 0

    def measured(self, step: int, predicted: float) -> None:
        """Takes the drop that was predicted for `step`; the steps up to the next measured one count
        for as much."""
        if step > self._step:
            self._sum += self._each * (step - self._step)
        self._step, self._each = step, predicted

    def kept(self, steps: int, dropped: float, start: float) -> float:
        """Fraction of the promised drop that came about, if the loss has dropped by `dropped` from
        `start` after `steps` steps; NaN if less than PROMISED times the start was promised."""
        total = self._sum + self._each * (steps - self._step)
        return dropped / total if total >= thresholds.PROMISED * start > 0 else math.nan
