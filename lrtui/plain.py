"""A race as lines on stdout: for people without a terminal (`--plain`) and for programs (`--json`).
Knows no screen."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Container, Iterable
from typing import Any, Protocol, TextIO

from rich.console import Console

from lrtui.client.follower import Follower
from lrtui.core.diagnostics import param_groups
from lrtui.core.numbers import count, loss, rate
from lrtui.core.protocol import event_text
from lrtui.core.protocol.events import (
    Alerted,
    AnyEvent,
    Ended,
    Evaluated,
    LaneAdded,
    LogMessage,
    Measured,
    RateChanged,
    Rewound,
    Snapshotted,
    Started,
    StatusChanged,
    Steps,
    alert_line,
    plain,
)
from lrtui.core.results.batch_size import batch_size
from lrtui.core.results.race_result import result
from lrtui.core.results.race_sentences import race_sentences
from lrtui.core.scenario.spec import Race
from lrtui.core.state.lane_state import UNLOGGED
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.text import literal, one_line
from lrtui.report.text import print_report

POLL_S = 0.1


class LineWriter(Protocol):
    """A writer of a race's events, line by line."""

    def write(self, state: RaceState, event: AnyEvent) -> None:
        """One event, already applied to `state`."""

    def tick(self, state: RaceState) -> None:
        """A second has passed."""

    def finish(self, follower: Follower) -> None:
        """The race is over."""


def play(follower: Follower, lines: LineWriter, leave: Callable[[], bool] = lambda: False) -> bool:
    """Write a run's events, following it while it is live; True at its end, False once `leave()` is
    true between two rounds."""
    ticked = time.monotonic()
    while True:
        for event in follower.poll(1.0):
            lines.write(follower.state, event)
        if time.monotonic() - ticked >= 1.0 and not follower.state.over:
            ticked = time.monotonic()
            lines.tick(follower.state)
        if follower.caught_up and follower.state.over:
            lines.finish(follower)
            return True
        if leave():
            return False
        if follower.caught_up:
            time.sleep(POLL_S)


class PlainLines:
    """Text for people: a line per lane and second, alerts as they come, standings and chart at the
    end."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._printed: dict[int, int] = {}
        """Steps of each lane at its last line."""
        self._factors: dict[int, float] = {}
        """Last dial factor written of each lane; a lane that resumes from a snapshot reports it
        again."""

    def write(self, state: RaceState, event: AnyEvent) -> None:
        """Alerts, ends and notes have a line each; steps wait for the next second."""
        match event:
            case Started(first=0):
                order = f"batches {event.batch_checksum}, " if event.batch_checksum else ""
                self._say(
                    state,
                    event,
                    f"starts on {event.device}: {event.total_steps} steps, weights"
                    f" {event.init_checksum}, {order}{event.intra_op_threads} thread(s)",
                )
            case Alerted():
                self._say(state, event, f"! {event.kind}: {event.text}")
            case StatusChanged():
                self._say(state, event, event.status)
            case LaneAdded():
                self._factors[event.lane] = self._factors.get(event.parent, 1.0)
                self._say(
                    state,
                    event,
                    f"{event_text.describe(event)}: {event.child.optimizer}, rate"
                    f" {rate(event.child.lr)}",
                )
            case RateChanged() if event.factor != self._factors.get(event.lane, 1.0):
                self._factors[event.lane] = event.factor
                self._say(state, event, event_text.describe(event))
            case Ended():
                lane = state.lanes[event.lane]
                self._say(
                    state,
                    event,
                    f"{event.reason} after {lane.steps} steps, last loss {lane.losses.last_text}",
                )
                for line in literal(event.error).splitlines():
                    print(f"    {line}", file=self._out)
            case Snapshotted() if event.tag in UNLOGGED:
                return
            case Started() | Snapshotted() | Rewound() | LogMessage():
                self._say(state, event, event_text.describe(event))
            case _:
                return
        self._out.flush()

    def tick(self, state: RaceState) -> None:
        """A line for each lane that has done steps since the last one."""
        for lane in state.lanes:
            if lane.steps != self._printed.get(lane.index, 0) and not lane.over:
                self._printed[lane.index] = lane.steps
                print(_progress(lane), file=self._out)
        self._out.flush()

    def finish(self, follower: Follower) -> None:
        """Standings, chart and where the run is."""
        print_report(Console(file=self._out, highlight=False), follower.state, follower.run)

    def _say(self, state: RaceState, event: AnyEvent, text: str) -> None:
        print(
            (f"{state.lanes[event.lane].lane.called}: " if event.lane >= 0 else "")
            + one_line(text),
            file=self._out,
        )


def _progress(lane: LaneState) -> str:
    metrics = lane.evaluations.last.metrics if lane.evaluations.last else {}
    validated = f"val_loss {loss(metrics['val_loss'])}  " if "val_loss" in metrics else ""
    return (
        f"{lane.lane.called}: step {lane.steps}/{lane.total_steps}  epoch {lane.epoch}  "
        f"loss {lane.losses.last_text}  best {lane.losses.best_text}  "
        f"{validated}lr {_rates(lane)}{_speed(lane.throughput.speed)}"
    )


def _speed(steps_per_second: float) -> str:
    """A lane's pace with its unit, after two spaces; '' if it is unknown or 0."""
    if not steps_per_second > 0:
        return ""
    if steps_per_second < 1:
        return f"  {1 / steps_per_second:.1f} s a step"
    return f"  {count(steps_per_second)} steps/s"


def _rates(lane: LaneState) -> str:
    """The applied rate; of several param groups each one's, with its name."""
    names = param_groups.groups(lane)
    rates = [rate(lane.rates.applied_by(group)) for group in range(len(names))]
    named = (f"{name} {value}" for name, value in zip(names, rates, strict=True))
    return ", ".join(named) if len(names) > 1 else rates[0]


class JsonLines:
    """JSON Lines for programs: one object a line, each with "event"; nothing else goes to
    stdout."""

    def __init__(self, follower: Follower, out: TextIO | None = None) -> None:
        self._run = str(follower.run)
        self._out = out or sys.stdout
        self._race = follower.reader.race
        self._begun: set[int] = set()
        """Lanes whose first start has come by: it is in the first line."""
        self._held: list[AnyEvent] | None = []
        """Events before every lane had started: the line `race`, with all checksums, comes
        first."""

    def write(self, state: RaceState, event: AnyEvent) -> None:
        """Write the line of an event, if `--json` has one for it."""
        if self._held is not None:
            self._held.append(event)
            if not all(lane.started or lane.over for lane in state.lanes[: len(self._race.lanes)]):
                return
            held, self._held = self._held, None
            self._write(_race(state, self._race, self._run))
            for event in held:
                self._write_event(state, event)
            return
        self._write_event(state, event)

    def _write_event(self, state: RaceState, event: AnyEvent) -> None:
        if (
            isinstance(event, Started)
            and event.lane < len(self._race.lanes)
            and event.lane not in self._begun
        ):
            self._begun.add(event.lane)
        else:
            self._write(_line(state, event))

    def tick(self, state: RaceState) -> None:
        """Programs need no clock."""

    def finish(self, follower: Follower) -> None:
        """The result, best lane first."""
        self._write(
            {
                "event": "result",
                "lanes": result(follower.state),
                "sentences": race_sentences(follower.state),
                "run": self._run,
            }
        )

    def _write(self, line: dict[str, Any] | None) -> None:
        if line is not None:
            self._out.write(json.dumps(line, allow_nan=False) + "\n")
            self._out.flush()


def _race(state: RaceState, race: Race, run: str) -> dict[str, Any]:
    """The race as it was asked for, and its start; lanes added later have lines of their own."""
    started = [lane.started for lane in state.lanes[: len(race.lanes)]]
    return {
        "event": "race",
        "run": run,
        "title": race.title,
        "task": str(race.task),
        "seed": race.seed,
        "device": race.device,
        "epochs": race.epochs,
        "steps": race.steps,
        "batch_size": batch_size(state.lanes, race),
        "intra_op_threads": next((start.intra_op_threads for start in started if start), None),
        "lanes": [
            {
                "letter": lane.letter,
                "name": lane.name,
                "optimizer": str(lane.optimizer),
                "lr": lane.lr,
                "schedule": str(lane.schedule) if lane.schedule else None,
                "recipe": lane.recipe.changes(),
                "groups": _groups(start),
                "device": start.device if start else None,
                "steps": start.total_steps if start else None,
                "init_checksum": start.init_checksum if start else None,
                # null: not known before the batches come
                "batch_checksum": (start.batch_checksum or None) if start else None,
            }
            for lane, start in zip(race.lanes, started, strict=True)
        ],
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
        case Started():
            return line(
                "start",
                step=event.first,
                device=event.device,
                steps=event.total_steps,
                groups=_groups(event),
                init_checksum=event.init_checksum,
                batch_checksum=event.batch_checksum or None,
            )
        case LaneAdded(child=child):
            return line(
                "joined",
                name=child.name,
                optimizer=str(child.optimizer),
                lr=child.lr,
                schedule=str(child.schedule) if child.schedule else None,
                recipe=child.recipe.changes(),
                step=event.step,
                parent=state.lanes[event.parent].lane.letter if event.parent >= 0 else None,
            )
        case RateChanged(step=step):
            return line("rate", step=step, factor=plain(event.factor), lr=plain(event.rate))
        case Snapshotted(step=step, tag=tag) if tag not in UNLOGGED:
            return line("snapshot", step=step, tag=tag, bytes=event.size)
        case Rewound():
            return line("rewound", step=event.step, why=event.why)
        case Alerted():
            return alert_line(event, lane or "")
        case Ended(step=step, reason=reason):
            error = {"error": event.error} if event.error else {}
            return line("end", step=step, reason=reason, **error)
        case StatusChanged():
            return line("status", step=event.step, status=event.status)
        case LogMessage():
            return line("note", text=event.text)
    return None


def _columns(
    event: Steps | Measured, names: Iterable[str], sparse: Container[str]
) -> dict[str, list[float | str | None]]:
    """Columns as JSON values by name; NaN in a `sparse` column is null: not measured there."""
    return {
        name: [
            None if name in sparse and math.isnan(value) else plain(value)
            for value in event.values(name).tolist()
        ]
        for name in sorted(names)
    }
