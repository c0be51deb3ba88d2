"""The result of a race, one JSON entry per lane. Pure."""

from __future__ import annotations

from typing import Any

from lrtui.core.diagnostics import verdicts
from lrtui.core.protocol.events import plain
from lrtui.core.results.lane_sentence import lane_sentence
from lrtui.core.results.standings import standings
from lrtui.core.state.race_state import LaneState, RaceState


def result(state: RaceState) -> list[dict[str, Any]]:
    """One entry for each lane in standings order, as JSON can hold it."""
    return [
        {
            "letter": lane.lane.letter,
            "name": lane.lane.name,
            "status": lane.status,
            **_verdict(lane, state),
            "factor": plain(lane.factor),
            "parent": None if lane.parent is None else state.lanes[lane.parent].lane.letter,
            "first_step": lane.forked_at,
            "steps": lane.steps,
            "smooth_loss": plain(lane.losses.smooth.value),
            "first_loss": plain(lane.losses.first),
            "last_loss": plain(lane.losses.last),
            "best_loss": plain(lane.losses.best),
            "best_step": lane.losses.best_step,
            "steps_per_second": plain(lane.steps_per_second),
            "step_gain": plain(lane.findings.early_gain) if lane.findings.samples else None,
            "measuring_s": plain(lane.measured.seconds),
            "sentence": lane_sentence(lane, state),
        }
        for lane in standings(state)
    ]


def _verdict(lane: LaneState, state: RaceState) -> dict[str, str | None]:
    verdict = verdicts.verdict(lane, state)
    return {"verdict": verdict.word, "reason": verdict.reason or None}
