"""The findings of the diagnostic rules about one lane, as `FindingsUpdated` events carry them.
Pure."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from lrtui.core.protocol import thresholds

GaugeWord = Literal["hot", "ok", "cold", "none"]


class Findings(msgspec.Struct, frozen=True):
    """Findings about a lane by itself after some step. A verdict (diagnostics/verdicts.py) also
    compares lanes."""

    early: bool = True
    """True while the early window, in which the gauge decides, is open. When it closes, the next
    five fields are final."""
    early_gain: float = math.nan
    """Median of the step gains of the early window; NaN before the first."""
    samples: int = 0
    """Step gains that it is the median of."""
    first_gain: float = math.nan
    """The first of them."""
    peak: float = math.nan
    """The highest loss over the start, or over the first loss if that is higher; NaN if the start
    is zero or below."""
    rise: float = math.nan
    """The most by which a loss was above that of the initial weights on the same batch, over the
    start; NaN if unknown."""
    progress: float = math.nan
    """The loss over that of the initial weights on the same batches, or if unknown the smoothed
    loss over the start."""
    kept: float = math.nan
    """Fraction of the drop promised by the gradients of the early window that came about, at most;
    NaN if unknown."""
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
    """Reason why the step gain is not measured; '' if it is."""
    long: bool = False
    """True if the window closed after enough steps to tell a lack of progress from the noise of the
    batches."""
    gain: float = math.nan
    """Median of the last step gains; of the early window until there are later ones."""
    flat_since: int | None = None
    """Since which step the smoothed loss has hardly improved; None while it does."""
    gradient: float = math.nan
    """Gradient norm over what it was at the beginning."""
    reversal_share: float = msgspec.field(default=math.nan, name="turns")
    median_change: float = msgspec.field(default=math.nan, name="jumps")
    """See Oscillation.measure."""
    spikes: int = 0
    """Steps that stood out so far."""
    recovered: bool = False
    """True if the smoothed loss has since been lower than ever before the first alarm of
    divergence."""

    @property
    def word(self) -> GaugeWord:
        """The early window's word on the rate; "none" with fewer than LEAST_SAMPLES."""
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
