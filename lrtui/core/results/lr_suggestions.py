"""Learning-rate suggestions from a range test: rates that rose from step to step, and the losses
seen. Pure, no torch.

The rules are those of fastai as the field knows them, on one smoothing: valley is the headline,
because of the four it alone was never above the best rate in our trials; the others are shown
beside it, for where they disagree.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrtui.core.diagnostics.baseline import deviation_of, mean_of
from lrtui.core.numbers import loss as in_words, rate as rate_in_words
from lrtui.core.protocol.thresholds import NOISE_SIGMAS, SMOOTHING, TIMES_BEST
from lrtui.core.series.ema import Ema

Floats = NDArray[np.floating[Any]]

LEAST_USABLE = 30
"""With fewer points than this the rules read noise: nothing is suggested."""
HEAD, TAIL = 10, 5
"""Left out of what the rules look at: a tenth of the points at the beginning, where the average
settles, and the last five."""
FEWEST_POINTS = next(n for n in range(LEAST_USABLE, 1000) if n - n // HEAD - TAIL >= LEAST_USABLE)
"""A sweep that ends by itself leaves enough to look at from so many points on."""
LEAST_FALL = 1e-4
"""An average that falls by a smaller share than this did not fall: that much is rounding."""
NO_GRADIENT = "the loss does not change, whatever the rate: no gradient reaches the weights"
FAR = 1e38
"""No chart goes further: it is about what float32 can hold."""
SLIDE_LAG, SLIDE_CLOSE = 15, 0.005


class Found(NamedTuple):
    """What a sweep of so many steps showed; the arrays are (steps,), as recorded."""

    rates: Floats
    losses: Floats
    smooth: Floats
    """The debiased average of the losses up to each step; NaN before the first finite one."""
    end: int
    """The first step that no longer counts: where a loss or gradient was not finite, or the average
    above four times its best."""
    ending: str
    """Why the sweep ended there, in words."""
    first: int
    last: int
    """The rules look at the points from `first` to `last`, which is not included."""
    suggestions: dict[str, float]
    """By rule, valley first; empty where there is a `reason`."""
    reason: str
    """Why nothing is suggested; '' where something is."""

    @property
    def usable(self) -> int:
        """How many points the rules look at."""
        return max(0, self.last - self.first)

    @property
    def disagreement(self) -> float:
        """The highest suggestion over the lowest; NaN without any."""
        values = self.suggestions.values()
        return max(values) / min(values) if values else math.nan


class Rise:
    """Whether a sweep has risen far above its best, told point by point, so that its end does not
    depend on when it was stopped.

    The first points are at rates too low to matter: their spread is the noise of the batches. The
    best counts for as much more as the noise of an average of so few losses may have made it too
    low, by NOISE_SIGMAS of its standard errors.
    """

    def __init__(self, asked: int) -> None:
        self._head = max(asked // HEAD, 2)
        self._first: list[float] = []
        self._averages: list[float] = []
        self.best = math.inf

    def over(self, loss: float, smooth: float) -> bool:
        """Takes one point, its loss and the average up to it; True where the average is above
        TIMES_BEST times the best."""
        self._averages.append(smooth)
        if len(self._first) < self._head:
            self._first.append(loss)
            if len(self._first) < self._head:
                return False
            for count, average in enumerate(self._averages, 1):
                self._lower(average, count)
            return False
        self._lower(smooth, len(self._averages))
        return smooth > TIMES_BEST * self.best > 0

    def _lower(self, average: float, count: int) -> None:
        if math.isfinite(average):
            self.best = min(
                self.best, average + NOISE_SIGMAS * self._noise * _error(count) * abs(average)
            )

    @property
    def _noise(self) -> float:
        """Standard deviation over mean of the first losses."""
        finite = [loss for loss in self._first if abs(loss) < FAR]
        mean = mean_of(finite) if finite else 0.0
        return deviation_of(finite) / abs(mean) if len(finite) > 1 and mean else 0.0


def _error(count: int) -> float:
    """The standard error of a debiased average of so many values, over the standard deviation of
    one."""
    kept = SMOOTHING**count
    return math.sqrt((1 - kept * kept) / (1 - SMOOTHING**2)) * (1 - SMOOTHING) / (1 - kept)


def find(
    rates: Sequence[float],
    losses: Sequence[float],
    bad: int | None = None,
    asked: int | None = None,
    *,
    dead: bool = False,
) -> Found:
    """Suggestions from `rates`, which rise and are above 0 up to the first bad step, and `losses`
    of the same length.

    `bad` is the step whose loss or gradient norm was not finite, where that is known; `asked` how
    many points the whole sweep was to have, `dead` True where every gradient was exactly zero. Any
    floats will do: what is not finite is where the sweep ends.
    """
    lr, raw = np.asarray(rates, float), np.asarray(losses, float)
    smooth = smoothed(raw)
    end, ending = _end(lr, raw, smooth, bad, asked or len(lr))
    first, last = (asked or len(lr)) // HEAD, max(end - TAIL, 0)
    nothing = Found(lr, raw, smooth, end, ending, first, last, {}, "")
    if not len(raw):
        return nothing._replace(reason="the sweep made no step")
    if not math.isfinite(raw[0]):
        word = "NaN" if math.isnan(raw[0]) else "infinite"
        return nothing._replace(
            reason=(
                f"the loss is {word} from the first step: it is the task's loss or data, not the"
                " rate"
            )
        )
    if last - first < LEAST_USABLE:
        few = (
            f"only {nothing.usable} of {len(raw)} points can be used, and the rules need"
            f" {LEAST_USABLE}"
        )
        return nothing._replace(reason=f"{few}: {ending}; {_remedy(end, asked or len(raw))}")
    seen, x = smooth[first:last], lr[first:last]
    if dead or raw[first:last].min() == raw[first:last].max():
        return nothing._replace(reason=NO_GRADIENT)
    if not seen.min() < seen[0] - LEAST_FALL * abs(seen[0]):
        return nothing._replace(
            reason=(
                f"the loss never falls below where it begins, at {rate_in_words(x[0])}: "
                "begin with a lower rate (--from)"
            )
        )
    with np.errstate(all="ignore"):  # losses near the largest number have differences that are none
        return nothing._replace(suggestions={name: rule(x, seen) for name, rule in RULES.items()})


def smoothed(losses: Floats) -> Floats:
    """The debiased exponential average with factor 0.98, which skips what is not finite."""
    return Ema(SMOOTHING).extend(losses)


def bounds(losses: ArrayLike, smooth: ArrayLike) -> tuple[float, float]:
    """Lowest and highest loss worth showing: the average, all but the wildest single losses, and of
    a lane that flies away no more than four times its best; NaN where nothing is finite. Both are
    (steps,)."""
    single, average = (np.clip(np.asarray(values, float), -FAR, FAR) for values in (losses, smooth))
    average = average[np.abs(average) < FAR]
    if not len(average):
        return math.nan, math.nan
    best = float(average.min())
    ceiling = max(TIMES_BEST * best, float(average[0])) if best > 0 else math.inf
    calm = single[(np.abs(single) < FAR) & (single <= ceiling)]
    low, high = np.quantile(calm, (0.02, 0.98)) if len(calm) else (best, best)
    return min(best, float(low)), max(min(float(average.max()), ceiling), float(high))


def valley(rates: Floats, smooth: Floats) -> float:
    """Half-way down the longest valley: the longest strictly falling subsequence ends at `e` and
    has `n` points; with b = e - n the rate at b + int((e - b) / 3) + int((e - b) / 3 / 2)."""
    tails: list[float] = []
    lengths = []
    # the longest rising subsequence of the negatives, by patience sorting
    for value in (-smooth).tolist():
        place = bisect.bisect_left(tails, value)
        tails[place : place + 1] = [value]
        lengths.append(place + 1)
    end = int(np.argmax(lengths))
    begin = end - lengths[end]
    third = (end - begin) / 3
    return float(rates[max(0, begin + int(third) + int(third / 2))])


def steep(rates: Floats, smooth: Floats) -> float:
    """Where the average falls fastest over the logarithm of the rate."""
    return float(rates[np.argmin(np.diff(smooth) / np.diff(np.log(rates)))])


def minimum(rates: Floats, smooth: Floats) -> float:
    """A tenth of the rate at the lowest average."""
    return float(rates[np.argmin(smooth)]) / 10


def slide(rates: Floats, smooth: Floats) -> float:
    """From the right, the first rate whose slope is within 0.005 of that fifteen points further up;
    else the lowest rate.

    The threshold is absolute: what it says depends on the scale of the loss.
    """
    slopes = np.gradient(smooth)
    left = len(slopes) - 1 - SLIDE_LAG
    while left > 0 and abs(slopes[left + SLIDE_LAG] - slopes[left]) > SLIDE_CLOSE:
        left -= 1
    return float(rates[max(left, 0)])


RULES = {"valley": valley, "steep": steep, "minimum": minimum, "slide": slide}
"""Each takes rising rates and finite averages, both of LEAST_USABLE points and more."""


def _end(
    rates: Floats, losses: Floats, smooth: Floats, bad: int | None, asked: int
) -> tuple[int, str]:
    """The first step that does not count, and why."""
    finite = np.isfinite(losses) & np.isfinite(smooth) & np.isfinite(rates)
    broken = min(
        [
            len(losses) if bad is None else min(bad, len(losses)),
            *np.flatnonzero(~finite)[:1].tolist(),
        ]
    )
    rise = Rise(asked)
    end = next(
        (step for step in range(broken) if rise.over(float(losses[step]), float(smooth[step]))),
        None,
    )
    if end is not None:
        best = float(np.min(smooth[:end]))
        return (
            end,
            (
                f"the average rose above {TIMES_BEST:g} times its best, {in_words(best)}, "
                f"at rate {rate_in_words(rates[end], 3)} (step {end})"
            ),
        )
    if broken < len(losses):
        known = (
            f" at rate {rate_in_words(rates[broken], 3)}" if math.isfinite(rates[broken]) else ""
        )
        return broken, f"the loss or its gradient was not finite{known} (step {broken})"
    return len(losses), (
        "it ran to its end" if len(losses) >= asked else f"it was ended before all of its {asked}"
    )


def _remedy(end: int, asked: int) -> str:
    """What would give more points where a sweep of so many ended at `end`."""
    if end >= asked:
        return "ask for more (--points)"
    return "begin lower (--from), end lower (--to), or ask for more (--points)"
