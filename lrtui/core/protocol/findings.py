"""What the rules know of one lane after some step, as a lane's `FindingsUpdated` events carry it.
Pure."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from lrtui.core.protocol import thresholds

GaugeWord = Literal["hot", "ok", "cold", "none"]


class Findings(msgspec.Struct, frozen=True):
    """What the rules know of a lane by itself after some step. A verdict (diagnostics/verdicts.py)
    also looks at other lanes."""

    early: bool = True
    """Whether the early window is open, in which the gauge has the word. When it closes, the next
    five stay as they are."""
    early_gain: float = math.nan
    """Median of the step gains of the early window; NaN before the first."""
    samples: int = 0
    """Step gains that it is the median of."""
    first_gain: float = math.nan
    """The first of them."""
    peak: float = math.nan
    """The highest loss over the start, or over the first loss where that is higher; NaN where the
    start is zero or below."""
    rise: float = math.nan
    """The most by which a loss was above that of the initial weights on the same batch, over the
    start; NaN if unknown."""
    progress: float = math.nan
    """The loss over that of the initial weights on the same batches, or if unknown the smoothed
    loss over the start."""
    kept: float = math.nan
    """How much of the drop that the gradients of the early window promised together has come about,
    at most; NaN if unknown."""
    progress_error: float = 0.0
    """Its standard error."""
    moved: bool = True
    """False where the steps so far were too short to have changed the loss: then it is noise of the
    batches."""
    settled: bool = True
    """False where the steps so far were too short, or the loss has fallen too little, for it to
    have come to its floor."""
    dead: bool = False
    """True where every gradient so far was exactly zero."""
    unmeasured: str = ""
    """Why the step gain is not measured; '' where it is."""
    long: bool = False
    """Whether the window has closed after so many steps that the noise of the batches does not look
    like a lack of progress."""
    gain: float = math.nan
    """Median of the last step gains, those of the early window while there are no later ones."""
    flat_since: int | None = None
    """Since which step the smoothed loss has hardly improved; None while it does."""
    gradient: float = math.nan
    """Gradient norm over what it was at the beginning."""
    reversal_share: float = msgspec.field(default=math.nan, name="turns")
    median_change: float = msgspec.field(default=math.nan, name="jumps")
    """See Shaking.measure."""
    spikes: int = 0
    """Steps that stood out so far."""
    recovered: bool = False
    """Whether the smoothed loss has been lower again than ever before the first alarm of
    divergence."""

    @property
    def word(self) -> GaugeWord:
        """What the early window says of the rate; "none" with fewer than LEAST_SAMPLES."""
        if self.samples < thresholds.LEAST_SAMPLES or not math.isfinite(self.early_gain):
            return "none"
        if not self.moved:
            return "cold" if self.early_gain > thresholds.COLD else "none"
        thrown = (
            self.peak > thresholds.PEAK_RATIO and not self.rise < thresholds.ROSE
        ) or self.first_gain < thresholds.FIRST_GAIN
        overshot = (
            self.early_gain < thresholds.HOT_SO_FAR
            if self.early
            else self.early_gain < thresholds.HOT and not self.progress <= thresholds.HALF
        )
        futile = not self.early and self.kept < thresholds.KEPT
        if (
            overshot
            or futile
            or (thrown and self.progress - self.progress_error > thresholds.UNRECOVERED)
        ):
            return "hot"
        if self.early_gain > thresholds.COLD:
            return "cold"
        return (
            "hot"
            if self.progress - self.progress_error > thresholds.NO_PROGRESS and self.long
            else "ok"
        )
