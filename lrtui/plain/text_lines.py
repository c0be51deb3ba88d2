"""A race as text for people: a line for each lane and second, alerts as they come, standings and
chart at the end."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

import numpy as np
from rich.console import Console

from lrtui.client.follower import Follower
from lrtui.client.script_output import RaceOutput
from lrtui.core.diagnostics import param_groups
from lrtui.core.numbers import count, loss, rate
from lrtui.core.protocol import event_text
from lrtui.core.protocol.events import (
    Alerted,
    AnyEvent,
    Ended,
    LaneAdded,
    Logged,
    LogMessage,
    RateChanged,
    Rewound,
    Snapshotted,
    Started,
    StatusChanged,
)
from lrtui.core.results.ranking import ranking_of
from lrtui.core.scenario.spec import Lane
from lrtui.core.state.lane_state import UNLOGGED
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.text import literal, one_line
from lrtui.report.text import print_report

UNSEEN = ": no optimizer step was seen"


class PlainLines:
    """Text for people: a line per lane and second, alerts as they come, standings and chart at the
    end."""

    def __init__(self, out: TextIO | None = None, run: Path | None = None) -> None:
        """`run`: the folder in which scripts leave their output; None leaves that out."""
        self._out = out or sys.stdout
        self._outputs = RaceOutput(run)
        self._logged: dict[int, dict[str, float]] = {}
        """Last numbers that each script logged since its last line."""
        self._printed: dict[int, int] = {}
        """Steps of each lane at its last line."""
        self._factors: dict[int, float] = {}
        """Last dial factor written of each lane; a lane that resumes from a snapshot reports it
        again."""

    def write(self, state: RaceState, event: AnyEvent) -> None:
        """Alerts, ends and notes have a line each; steps wait for the next second."""
        match event:
            case Started(first=0):
                self._say(state, event, f"starts on {event.device}: {_start(event)}")
            case Alerted():
                self._say(state, event, f"! {event.kind}: {event.text}")
            case StatusChanged():
                self._say(state, event, event.status)
            case LaneAdded():
                self._factors[event.lane] = self._factors.get(event.parent, 1.0)
                joined = event_text.describe(event, state.race.lanes)
                self._say(state, event, f"{joined}{_own(event.child)}")
            case RateChanged() if event.factor != self._factors.get(event.lane, 1.0):
                self._factors[event.lane] = event.factor
                self._say(state, event, event_text.describe(event))
            case Logged():
                for name, column in event.columns.items():
                    known = column.unpack(len(event.steps))
                    for value in known[~np.isnan(known)][-1:].tolist():
                        self._logged.setdefault(event.lane, {})[name] = value
            case Ended():
                self._end(state.lanes[event.lane], event, script=state.race.script is not None)
            case Snapshotted() if event.tag in UNLOGGED:
                return
            case Started() | Snapshotted() | Rewound() | LogMessage():
                self._say(state, event, event_text.describe(event))
            case _:
                return
        self._out.flush()

    def _end(self, lane: LaneState, event: Ended, *, script: bool) -> None:
        """A lane's end with its error; of a script behind all of its output, which says the
        rest."""
        self._output(lane, self._outputs.of(lane).rest())
        self._log(lane)
        code = f", exit code {event.exit_code}" if event.exit_code is not None else ""
        steps = f", last loss {lane.last_loss}" if lane.steps or not script else UNSEEN
        self._line(lane, f"{event.reason} after {lane.steps} steps{code}{steps}")
        error = literal(event.error).splitlines()
        for line in error[-1:] if script else error:
            print(f"    {line}", file=self._out)

    def look(self, state: RaceState) -> None:
        """The lines that scripts have written."""
        for lane in state.lanes if state.race.script else ():
            self._output(lane, self._outputs.of(lane).poll())

    def tick(self, state: RaceState) -> None:
        """A line for each lane that has done steps since the last one, and for what it logged."""
        metric = ranking_of(state.race, state.lanes).metric
        for lane in state.lanes:
            self._log(lane)
            if lane.steps != self._printed.get(lane.index, 0) and not lane.over:
                self._printed[lane.index] = lane.steps
                print(_progress(lane, metric), file=self._out)
        self._out.flush()

    def finish(self, follower: Follower) -> None:
        """Standings, chart and where the run is."""
        print_report(Console(file=self._out, highlight=False), follower.state, follower.run)

    def _say(self, state: RaceState, event: AnyEvent, text: str) -> None:
        self._line(state.lanes[event.lane] if event.lane >= 0 else None, text)

    def _line(self, lane: LaneState | None, text: str) -> None:
        print((f"{lane.lane.called}: " if lane else "") + one_line(text), file=self._out)

    def _output(self, lane: LaneState, lines: Iterable[str]) -> None:
        for line in lines:
            print(f"{one_line(lane.lane.letter)}| {line}", file=self._out, flush=True)

    def _log(self, lane: LaneState) -> None:
        if numbers := self._logged.pop(lane.index, None):
            words = "  ".join(f"{one_line(name)} {loss(value)}" for name, value in numbers.items())
            print(f"{lane.lane.called}: step {lane.steps}  {words}", file=self._out)


def _start(event: Started) -> str:
    """Known facts about a lane's start."""
    known = (
        event.optimizer,
        f"rate {rate(event.initial_lr)}" if math.isfinite(event.initial_lr) else "",
        f"{event.total_steps} steps" if event.total_steps else "",
        f"weights {event.init_checksum}" if event.init_checksum else "",
        f"batches {event.batch_checksum}" if event.batch_checksum else "",
        f"{event.intra_op_threads} thread(s)" if event.intra_op_threads else "",
    )
    return ", ".join(filter(None, known))


def _own(lane: Lane) -> str:
    """Optimizer and rate of a lane, after a colon; "" where only its script knows them."""
    known = (str(lane.optimizer), f"rate {rate(lane.lr)}" if lane.lr else "")
    words = ", ".join(filter(None, known))
    return f": {words}" if words else ""


def _progress(lane: LaneState, metric: str) -> str:
    """A lane's line of a second; `metric`: what lanes are ranked by."""
    held = {name: lane.metrics.get(name, math.nan) for name in ("val_loss", metric)}
    validated = "".join(
        f"{one_line(name)} {loss(value)}  " for name, value in held.items() if math.isfinite(value)
    )
    of = f"/{lane.total_steps}" if lane.total_steps else ""
    # a script's epochs are its own
    epoch = f"epoch {lane.epoch}  " if lane.lane.optimizer.name else ""
    return (
        f"{lane.lane.called}: step {lane.steps}{of}  {epoch}"
        f"loss {lane.last_loss}  best {lane.losses.best_text}  "
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
