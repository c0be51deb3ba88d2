"""Steps of a loop that has no torch optimizer, as those of a lane."""

from __future__ import annotations

from typing import Any

from lrtui.integrations.script.lane import ScriptLane
from lrtui.integrations.script.loss_capture import capture


def turn(lane: ScriptLane, rate: float) -> float:
    """Begin a step of a loop whose own rate is `rate`; return the rate to apply."""
    if lane.over:
        return rate
    lane.own_rate = rate
    lane.begin(None)
    return rate if lane.over or lane.factor == 1.0 else rate * lane.factor


def done(lane: ScriptLane, loss: Any, rate: float) -> None:
    """Record a step that applied `rate`; without `loss` that of the backward() calls since the last
    step."""
    if lane.over:
        return
    lane.own_rate = rate / lane.factor
    if lane.record.recording is None:
        lane.begin(None)
    seen = capture.take()
    lane.apply(rate)
    lane.end(seen if loss is None else float(loss))
    lane.hold()


def cancel() -> None:
    """Forget the losses of a step that is not made."""
    capture.take()
