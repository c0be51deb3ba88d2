"""How a race stands now: its ranking, and each lane's steps, value and remaining time, as JSON can
hold them. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from lrtui.core.protocol.events import plain
from lrtui.core.results.race_result import ranking_line, result
from lrtui.core.results.race_sentences import race_sentences
from lrtui.core.results.standings import race_standings
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.text import one_line


def race_status(state: RaceState) -> dict[str, Any]:
    """The race, its ranking, and one entry for each lane in standings order."""
    rows = race_standings(state).rows
    lanes = {entry["letter"]: entry for entry in result(state)}
    return {
        "name": state.label.name,
        "note": state.label.note,
        "title": state.race.title,
        "task": str(state.race.task),
        "over": state.over,
        "seconds": elapsed(state),
        "eta_s": _known(remaining(state.lanes)),
        "leader": rows[0].group.letter if math.isfinite(rows[0].value) else None,
        "ranking": ranking_line(state),
        "lanes": [
            lanes[lane.lane.letter] | {"group": row.group.letter} | _now(lane)
            for row in rows
            for lane in row.group.lanes
        ],
        "sentences": race_sentences(state) if state.over else [],
    }


def elapsed(state: RaceState) -> float:
    """Seconds from the start of the first lane to the last event of any."""
    ends = (lane.clock.end(wall=True) for lane in state.lanes if lane.started)
    return max(ends, default=0.0)


def time_left(lane: LaneState) -> float:
    """Seconds that a training lane still needs at its present pace; NaN if that is not known."""
    speed = lane.throughput.speed
    if lane.status != "running" or not lane.total_steps or not speed > 0:
        return math.nan
    return max(lane.total_steps - lane.steps, 0) / speed


def remaining(lanes: Iterable[LaneState]) -> float:
    """Seconds until the last of the training lanes has ended; NaN if that is not known."""
    left = [time_left(lane) for lane in lanes if not lane.over and lane.status != "paused"]
    return max(left) if left and all(map(math.isfinite, left)) else math.nan


def _now(lane: LaneState) -> dict[str, Any]:
    """What `result` does not say of a lane."""
    return {
        "total_steps": lane.total_steps or None,
        "epoch": lane.epoch,
        "rate": plain(lane.rates.applied),
        "metrics": {name: plain(value) for name, value in lane.metrics.items()},
        "eta_s": _known(time_left(lane)),
        "error": _last_line(lane.ended.error) if lane.ended else None,
    }


def _last_line(error: str) -> str | None:
    lines = error.strip().splitlines()
    return one_line(lines[-1]) if lines else None


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
