"""A race as JSON Lines for programs: one object for each event."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Container, Iterable
from typing import Any, TextIO

from lrtui.client.follower import Follower
from lrtui.client.script_output import RaceOutput
from lrtui.core.protocol.event_lines import alert_line
from lrtui.core.protocol.events import (
    Alerted,
    AnyEvent,
    Ended,
    Evaluated,
    LaneAdded,
    Logged,
    LogMessage,
    Measured,
    RateChanged,
    Rewound,
    Snapshotted,
    Started,
    StatusChanged,
    Steps,
    plain,
)
from lrtui.core.results.batch_size import batch_size
from lrtui.core.results.race_result import ranking_line, result
from lrtui.core.results.race_sentences import race_sentences
from lrtui.core.scenario.spec import Race
from lrtui.core.state.lane_state import UNLOGGED
from lrtui.core.state.race_state import LaneState, RaceState


class JsonLines:
    """JSON Lines for programs: one object a line, each with "event"; nothing else goes to
    stdout."""

    def __init__(self, follower: Follower, out: TextIO | None = None) -> None:
        self._run = str(follower.run)
        self._out = out or sys.stdout
        self._race = follower.reader.race
        self._outputs = RaceOutput(follower.run)
        self._begun: set[int] = set()
        """Lanes whose first start has come by: it is in the first line, but for scripts, which may
        start much later."""
        self._held: list[AnyEvent] | None = []
        """Events before every lane had started: the line `race`, with all checksums, comes
        first."""

    def write(self, state: RaceState, event: AnyEvent) -> None:
        """Write the line of an event, if `--json` has one for it."""
        if self._held is not None:
            self._held.append(event)
            lanes = state.lanes[: len(self._race.lanes)]
            if self._race.script is None and not all(lane.started or lane.over for lane in lanes):
                return
            held, self._held = self._held, None
            self._write(_race(state, self._race, self._run))
            for event in held:
                self._write_event(state, event)
            return
        self._write_event(state, event)

    def _write_event(self, state: RaceState, event: AnyEvent) -> None:
        if isinstance(event, Ended):
            lane = state.lanes[event.lane]
            self._write_output(lane, self._outputs.of(lane).rest())
        if (
            isinstance(event, Started)
            and self._race.script is None
            and event.lane < len(self._race.lanes)
            and event.lane not in self._begun
        ):
            self._begun.add(event.lane)
        else:
            self._write(_line(state, event))

    def look(self, state: RaceState) -> None:
        """The lines that scripts have written."""
        for lane in state.lanes if state.race.script and self._held is None else ():
            self._write_output(lane, self._outputs.of(lane).poll())

    def _write_output(self, lane: LaneState, lines: Iterable[str]) -> None:
        for text in lines:
            self._write({"event": "output", "lane": lane.lane.letter, "text": text})

    def tick(self, state: RaceState) -> None:
        """Programs need no clock."""

    def finish(self, follower: Follower) -> None:
        """The result, best lane first."""
        self._write(result_line(follower.state, self._run))

    def _write(self, line: dict[str, Any] | None) -> None:
        if line is not None:
            self._out.write(json.dumps(line, allow_nan=False) + "\n")
            self._out.flush()


def result_line(state: RaceState, run: str) -> dict[str, Any]:
    """The result of a race, or how it stands."""
    return {
        "event": "result",
        **ranking_line(state),
        "lanes": result(state),
        "sentences": race_sentences(state),
        "run": run,
    }


def _race(state: RaceState, race: Race, run: str) -> dict[str, Any]:
    """The race as it was asked for, and its start; lanes added later have lines of their own."""
    started = [lane.started for lane in state.lanes[: len(race.lanes)]]
    seeded = race.script is None or race.script.seeded
    line: dict[str, Any] = {
        "event": "race",
        "run": run,
        "title": race.title,
        "task": str(race.task),
        "seed": race.seed if seeded else None,
        "seeds": race.seeds,
        "device": race.device,
        "epochs": race.epochs,
        "steps": race.steps,
        "batch_size": batch_size(state.lanes, race),
        "intra_op_threads": next((start.intra_op_threads for start in started if start), None),
        "lanes": [
            {
                "letter": lane.letter,
                "name": lane.name,
                "seed": race.of_lane(index).seed if seeded else None,
                "optimizer": str(lane.optimizer),
                "lr": lane.lr or None,
                "schedule": str(lane.schedule) if lane.schedule else None,
                "recipe": lane.recipe.changes(),
                "groups": _groups(start),
                "device": start.device if start else None,
                "steps": start.total_steps if start else None,
                "init_checksum": start.init_checksum if start else None,
                # null: not known before the batches come
                "batch_checksum": (start.batch_checksum or None) if start else None,
            }
            for index, (lane, start) in enumerate(zip(race.lanes, started, strict=True))
        ],
    }
    if race.script is None:
        return line
    lanes = [
        _known(told | {"command": race.script.command_of(lane), "values": lane.values})
        for lane, told in zip(race.lanes, line["lanes"], strict=True)
    ]
    return _known(line | {"device": None, "batch_size": None, "lanes": lanes})


def _known(line: dict[str, Any]) -> dict[str, Any]:
    """The line of a script without the fields that are not known."""
    return {
        key: value
        for key, value in line.items()
        if value is not None and value != "" and value != {} and value != []
    }


def _groups(start: Started | None) -> list[str] | None:
    """The names of param groups; None where they are unknown."""
    return list(start.groups) or None if start else None


def _line(state: RaceState, event: AnyEvent) -> dict[str, Any] | None:
    """The JSON object of an event; None for events that `--json` leaves out."""
    lane = state.lanes[event.lane].lane.letter if event.lane >= 0 else None

    def line(kind: str, **fields: Any) -> dict[str, Any]:
        return {"event": kind, "lane": lane, **fields}

    match event:
        case Steps():
            columns = _columns(event, event.columns.keys() - {"seconds"}, sparse={"grad_norm"})
            return line("steps", first=event.first, **columns)
        case Measured():
            columns = _columns(event, event.columns, sparse=event.columns)
            return line("measured", steps=event.steps, **columns)
        case Evaluated(epoch=epoch, step=step, loss=loss):
            metrics = {name: plain(value) for name, value in event.metrics.items()}
            return line("epoch", epoch=epoch, step=step, loss=plain(loss), metrics=metrics)
        case Logged():
            columns = _columns(event, event.columns, sparse=event.columns)
            return line("logged", steps=event.steps, **columns)
        case Started():
            start = line(
                "start",
                step=event.first,
                device=event.device,
                steps=event.total_steps,
                groups=_groups(event),
                init_checksum=event.init_checksum,
                batch_checksum=event.batch_checksum or None,
            )
            if state.race.script is None:
                return start
            own = event.initial_lr if math.isfinite(event.initial_lr) else None
            told = {"optimizer": event.optimizer, "lr": own, "steps": event.total_steps or None}
            return _known(start | told)
        case LaneAdded(child=child):
            joined = line(
                "joined",
                name=child.name,
                optimizer=str(child.optimizer),
                lr=child.lr or None,
                schedule=str(child.schedule) if child.schedule else None,
                recipe=child.recipe.changes(),
                step=event.step,
                parent=state.lanes[event.parent].lane.letter if event.parent >= 0 else None,
            )
            return joined if state.race.script is None else _known(joined)
        case RateChanged(step=step):
            return line("rate", step=step, factor=plain(event.factor), lr=plain(event.rate))
        case Snapshotted(step=step, tag=tag) if tag not in UNLOGGED:
            return line("snapshot", step=step, tag=tag, bytes=event.size)
        case Rewound():
            return line("rewound", step=event.step, why=event.why)
        case Alerted():
            return alert_line(event.kind, lane, event.step, event.text)
        case Ended(step=step, reason=reason):
            error = {"error": event.error} if event.error else {}
            code = {"exit_code": event.exit_code} if event.exit_code is not None else {}
            return line("end", step=step, reason=reason, **code, **error)
        case StatusChanged():
            return line("status", step=event.step, status=event.status)
        case LogMessage():
            return line("note", text=event.text)
    return None


def _columns(
    event: Steps | Measured | Logged, names: Iterable[str], sparse: Container[str]
) -> dict[str, list[float | str | None]]:
    """Columns as JSON values by name; NaN in a `sparse` column is null: not measured there."""
    return {
        name: [
            None if name in sparse and math.isnan(value) else plain(value)
            for value in event.values(name).tolist()
        ]
        for name in sorted(names)
    }
