"""The result of a race: how it was ranked, and one JSON entry per lane and per group of seeds.
Pure."""

from __future__ import annotations

from typing import Any

from lrtui.core.diagnostics import verdicts
from lrtui.core.protocol.events import plain
from lrtui.core.results.lane_sentence import group_sentence, lane_sentence
from lrtui.core.results.standings import Ranked, Standing, race_standings
from lrtui.core.state.race_state import LaneState, RaceState


def ranking_line(state: RaceState) -> dict[str, Any]:
    """What lanes are ranked by, and the standings: an entry for each lane, or for each group of
    lanes that differ in their seed alone, best first."""
    table = race_standings(state)
    return {
        "metric": table.ranking.metric,
        "best": "max" if table.ranking.maximize else "min",
        "rank_at": table.ranking.at,
        "rank_step": table.step,
        "missing": table.ranking.missing or None,
        "standings": [_row(row, table, state) for row in table.rows],
    }


def _row(row: Standing, table: Ranked, state: RaceState) -> dict[str, Any]:
    return {
        "letter": row.group.letter,
        "name": row.first.lane.name,
        "place": row.place,
        "lanes": [lane.lane.letter for lane in row.group.lanes],
        "value": plain(row.value),
        "low": plain(row.spread.low),
        "high": plain(row.spread.high),
        "nan": row.nan,
        "failed": row.failed,
        "sentence": group_sentence(row, table, state),
    }


def result(state: RaceState) -> list[dict[str, Any]]:
    """One entry for each lane in standings order, as JSON can hold it."""
    table = race_standings(state)
    return [
        {
            "letter": lane.lane.letter,
            "name": lane.lane.name,
            "place": row.place,
            "value": plain(value),
            "seed": state.race.of_lane(lane.index).seed,
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
            "sentence": lane_sentence(lane, state, table),
        }
        for row in table.rows
        for lane, value in zip(row.group.lanes, row.values, strict=True)
    ]


def _verdict(lane: LaneState, state: RaceState) -> dict[str, str | None]:
    verdict = verdicts.verdict(lane, state)
    return {"verdict": verdict.word, "reason": verdict.reason or None}
