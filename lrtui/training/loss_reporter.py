"""Reports what the streaming rules find in a lane's losses, as events."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import msgspec

from lrtui.core.diagnostics.loss_monitor import LossMonitor
from lrtui.core.protocol.events import Alerted, FindingsUpdated, LossSpiked, Measured
from lrtui.core.protocol.findings import Findings
from lrtui.training.gauge import Sample

FINDINGS_S = 1.0
"""Seconds between two reports of the findings, unless they change in kind."""


class LossReporter:
    """Feeds a lane's losses to a LossMonitor and turns its findings into events.

    `sweeps`: the schedule raises the rate until the loss diverges, which is then no alert.
    """

    def __init__(self, lane: int, total: int, *, sweeps: bool) -> None:
        self._lane, self._sweeps = lane, sweeps
        self._monitor = LossMonitor(total)
        self._reported = Findings()
        self._reported_at = 0.0
        self._alarm: tuple[int, str] | None = None
        """Step and sentence of a "diverged" that is not reported yet."""
        self._spikes: list[int] = []
        """Steps whose loss spiked, not reported yet."""
        self._alerted = False
        """True once the lane had its alert: one a lane, which trains on."""

    @property
    def findings(self) -> Findings:
        """The findings up to the last checked step."""
        return self._monitor.findings()

    @property
    def smooth(self) -> float:
        """The smoothed loss up to the last checked step; NaN before the first."""
        return self._monitor.smooth

    @property
    def alarmed(self) -> bool:
        """True while an alert is not reported: flush at once, so that what follows does not depend
        on the clock."""
        return self._alarm is not None

    def update(self, step: int, loss: float, norm: float | None) -> None:
        """Takes the loss and the gradient norm (None: not measured) of a step."""
        diverged, spike = self._monitor.update(loss, norm)
        if spike:
            self._spikes.append(step)
        if diverged and not self._alerted and not self._sweeps:
            self._alerted = True
            self._alarm = step, diverged

    def measured(self, step: int, sample: Sample, unmeasured: str) -> None:
        """Takes a sample of the gauge; `unmeasured`: the reason for a missing step gain, or ''."""
        losses = sample.loss, sample.initial
        self._monitor.measured(step, sample.gain, sample.change, sample.predicted, losses)
        self._monitor.unmeasured = unmeasured

    def events(
        self, until: int, measured: Measured | None, *, force: bool
    ) -> Iterator[Alerted | LossSpiked | Measured | FindingsUpdated]:
        """Events about the steps below `until`; `measured`, the gauge's own, comes before the
        findings. `force`: report these even if unchanged."""
        if self._alarm and self._alarm[0] < until:
            step, text = self._alarm
            self._alarm = None
            yield Alerted(lane=self._lane, step=step, kind="diverged", text=text)
        if spikes := [step for step in self._spikes if step < until]:
            del self._spikes[: len(spikes)]
            yield LossSpiked(lane=self._lane, steps=spikes)
        if measured:
            yield measured
        now, reported = time.perf_counter(), self._reported
        if (
            force
            or measured
            or self._monitor.stage != (reported.early, reported.flat_since)
            or now - self._reported_at > FINDINGS_S
        ):
            self._reported, self._reported_at = self.findings, now
            yield FindingsUpdated(lane=self._lane, step=until, findings=self._reported)

    def state_dict(self) -> dict[str, Any]:
        """The monitor's state, and what is not reported yet, as plain values."""
        return {
            "alerted": self._alerted,
            "judge": self._monitor.state_dict(),
            "told": msgspec.to_builtins(self._reported),
            "alarm": list(self._alarm) if self._alarm else None,
            "spikes": list(self._spikes),
        }

    def load_state_dict(self, kept: dict[str, Any]) -> None:
        """Restores what `state_dict` returned."""
        self._alerted = kept["alerted"]
        self._monitor.load_state_dict(kept["judge"])
        self._reported = msgspec.convert(kept["told"], Findings)
        self._alarm = tuple(kept["alarm"]) if kept.get("alarm") else None
        self._spikes = list(kept.get("spikes", ()))
