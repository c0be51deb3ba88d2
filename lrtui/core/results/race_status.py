"""How a race stands now: its leader, and each lane's steps, value and remaining time, as JSON can
hold them. Pure."""

from __future__ import annotations

import math
from typing import Any

from lrtui.core.protocol.events import plain
from lrtui.core.results.race_result import result
from lrtui.core.results.race_sentences import race_sentences
from lrtui.core.results.standings import Standing, race_standings
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.text import one_line


def race_status(state: RaceState) -> dict[str, Any]:
    """The race, its ranking, and one entry for each lane in standings order."""
    found = race_standings(state)
    lanes = {entry["letter"]: entry for entry in result(state)}
    first = found.rows[0] if found.rows else None
    leader = first.group.letter if first and math.isfinite(first.value) else None
    return {
        "name": state.label.name,
        "note": state.label.note,
        "title": state.race.title,
        "task": str(state.race.task),
        "over": state.over,
        "seconds": elapsed(state),
        "eta_s": _known(remaining(state.lanes)),
        "ranking": {
            "metric": found.ranking.metric,
            "best": "max" if found.ranking.maximize else "min",
            "at": found.ranking.at,
            "step": found.step,
            "missing": found.ranking.missing or None,
        },
        "leader": leader,
        "lanes": [
            lanes[lane.lane.letter] | _now(lane, value, row)
            for row in found.rows
            for lane, value in zip(row.group.lanes, row.values, strict=True)
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


def remaining(lanes: list[LaneState]) -> float:
    """Seconds until the last of the training lanes has ended; NaN if that is not known."""
    left = [time_left(lane) for lane in lanes if not lane.over and lane.status != "paused"]
    return max(left) if left and all(map(math.isfinite, left)) else math.nan


def _now(lane: LaneState, value: float, row: Standing) -> dict[str, Any]:
    """What `result` does not say of a lane."""
    return {
        "place": row.place,
        "group": row.group.letter,
        "seed": lane.lane.seed,
        "value": plain(value),
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
