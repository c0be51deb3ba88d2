"""Successive halving: at each rung lanes wait, are compared after equally many steps by what their
race ranks them by, and those behind are paused. Pure."""

from __future__ import annotations

import math
from typing import NamedTuple

from lrtui.core.protocol.column_names import is_reserved
from lrtui.core.protocol.events import (
    AnyEvent,
    Ended,
    Evaluated,
    LaneAdded,
    LogMessage,
    Rewound,
    Started,
    StatusChanged,
    Steps,
)
from lrtui.core.results.ranking import LOSS, VALIDATION, highest_is_best
from lrtui.core.scenario.spec import Pruning, Race
from lrtui.core.series.ema import Ema
from lrtui.core.state.losses import RANKING_FACTOR
from lrtui.core.state.status import FAILED

WAITS = "waits at a pruning rung for the other lanes"
"""The line of the log by which a lane says that it waits."""


class Decision(NamedTuple):
    """The decision about one lane at one rung."""

    lane: int
    rung: int
    stays: bool
    """False if the lane is behind and is to be paused."""


def rung_steps(spec: Pruning | None, total: int) -> tuple[int, ...]:
    """Steps after which a lane of `total` steps waits for the others, one per rung."""
    return tuple(max(1, round(part * total)) for part in spec.rungs) if spec else ()


class SuccessiveHalving:
    """Follows the lanes of a race; `decisions` has one for each lane that waits at a decided rung.

    Lanes wait, so that decisions depend on their values and not on the clock. A lane has reached a
    rung when it says that it waits there, with its steps and its evaluation before it on record: so
    it is compared by the same value in whatever order the events of several lanes come, and however
    their steps were cut into blocks.
    """

    def __init__(self, spec: Pruning, race: Race) -> None:
        self._spec = spec
        self._race = race
        self._asked = (race.rank_by,) if race.rank_by else VALIDATION
        """Metrics that lanes may be ranked by; without a value of any, the training loss."""
        self._total: dict[int, int] = {}
        self._values = {index: _LaneValues(self._asked) for index in range(len(race.lanes))}
        """Of each lane that is compared."""
        self._groups = [
            [index for index, lane in enumerate(race.lanes) if lane.name == name]
            for name in dict.fromkeys(lane.name for lane in race.lanes)
        ]
        """The lanes that differ in their seed alone."""
        self._out: set[int] = set()
        """Lanes not to wait for: ended, paused, or about to be paused by a decision. The last is
        why this is not `Lifecycle.status`."""
        self._failed: set[int] = set()
        """Those that ended in an error, which says nothing about their rate: a group is compared by
        its other lanes."""
        self._kept: list[set[int]] = []
        """Of each decided rung, the lanes that stay."""
        self._reached: dict[int, int] = {}
        """By lane: the rung whose step it has made, until it says that it waits there. It may make
        one step more, since one that ends an epoch is recorded after the validation."""
        self._waiting: dict[int, int] = {}
        """By lane: the rung at which it waits."""
        self._behind: dict[int, int] = {}
        """By lane: the rung at which it was found behind; removed once it is paused."""

    def apply(self, event: AnyEvent) -> None:
        """Fold in one event of the record."""
        if event.lane in self._reached and _stands(event):
            self._wait(event.lane)
        match event:
            case Started():
                self._total[event.lane] = event.total_steps
            case Steps():
                self._step(event)
            case Evaluated() if event.lane in self._values:
                self._values[event.lane].evaluated(event)
            case StatusChanged(status="paused") | Ended():
                self._leave(event.lane)
                if isinstance(event, Ended) and event.reason in FAILED:
                    self._failed.add(event.lane)
            case StatusChanged():
                self._return(event.lane)
            case Rewound() if event.replays:  # known steps come again and are skipped
                self._return(event.lane)
                self._waiting.pop(event.lane, None)
            case LaneAdded() | Rewound():  # a lane with another past is not compared
                self._values.pop(event.lane, None)
                self._waiting.pop(event.lane, None)
                self._behind.pop(event.lane, None)
        self._decide()

    def decisions(self) -> list[Decision]:
        """Decisions to send to lanes now; each stays until its lane goes on or is paused."""
        behind = [Decision(lane, rung, False) for lane, rung in self._behind.items()]
        return behind + [
            Decision(lane, rung, True)
            for lane, rung in self._waiting.items()
            if lane not in self._behind and (lane not in self._values or rung < len(self._kept))
        ]

    def _leave(self, lane: int) -> None:
        self._out.add(lane)
        self._waiting.pop(lane, None)
        self._behind.pop(lane, None)

    def _return(self, lane: int) -> None:
        self._out.discard(lane)
        self._failed.discard(lane)

    def _step(self, event: Steps) -> None:
        total, end = self._total.get(event.lane), event.first + event.count
        if not total:
            return
        steps = rung_steps(self._spec, total)
        self._waiting.pop(event.lane, None)
        for rung, step in enumerate(steps):
            if event.first < step <= end:
                self._reached[event.lane] = rung
        if known := self._values.get(event.lane):
            known.stepped(event, steps)

    def _wait(self, lane: int) -> None:
        self._waiting[lane] = rung = self._reached.pop(lane)
        if known := self._values.get(lane):
            known.settle()
            if rung < len(self._kept) and lane not in self._kept[rung]:
                self._behind[lane] = rung

    def _decide(self) -> None:
        """Compare the lanes at the next rung once all that race have reached it."""
        if len(self._kept) >= len(self._spec.rungs) or len(self._total) < len(self._values):
            return
        rung = len(self._kept)
        reached = {lane for lane, values in self._values.items() if rung in values.settled}
        racing = [lane for lane in self._values if lane not in self._out]
        if not reached or any(lane not in reached for lane in racing):
            return
        lost = self._failed - reached
        groups = [
            [lane for lane in group if lane not in lost] or group
            for whole in self._groups
            if (group := [lane for lane in whole if lane in self._values])
        ]
        metric = next(
            (name for name in self._asked if any(self._has(lane, rung, name) for lane in reached)),
            LOSS,
        )
        ranked = sorted(groups, key=lambda group: self._rank(group, rung, metric))
        count = math.ceil(len(ranked) * self._spec.keep ** (rung + 1))
        self._kept.append({lane for group in ranked[:count] for lane in group})
        behind = [lane for lane in racing if lane not in self._kept[rung]]
        self._out.update(behind)
        self._behind.update(dict.fromkeys(behind, rung))

    def _has(self, lane: int, rung: int, metric: str) -> bool:
        return metric == LOSS or metric in self._values[lane].settled[rung]

    def _rank(self, group: list[int], rung: int, metric: str) -> tuple[float, float]:
        """Sort key of a group: the share of its lanes that are NaN or have no value, then the mean
        of the others; lower is better."""
        asked = metric in self._asked  # else the training loss stands in
        sign = -1.0 if asked and highest_is_best(self._race, metric) else 1.0
        values = [self._values[lane].settled.get(rung, {}).get(metric, math.nan) for lane in group]
        finite = [sign * value for value in values if math.isfinite(value)]
        mean = math.fsum(finite) / len(finite) if finite else math.inf
        return 1 - len(finite) / len(group), mean


def _stands(event: AnyEvent) -> bool:
    """True for what says that a lane makes no step for now."""
    match event:
        case LogMessage(text=text):
            return text == WAITS
        case StatusChanged() | Ended() | Rewound():
            return True
    return False


class _LaneValues:
    """What one lane may be ranked by, at each rung that it has reached."""

    def __init__(self, metrics: tuple[str, ...]) -> None:
        self.settled: dict[int, dict[str, float]] = {}
        """By rung: the smoothed loss there, and the newest value of each metric until then."""
        self._reached: dict[int, int] = {}
        """By rung that is not settled: its step."""
        own = (name for name in metrics if not is_reserved(name))
        self._average = {name: Ema(RANKING_FACTOR) for name in (LOSS, *own)}
        """Of the loss, and of a metric that the task's loss gives at each step."""
        self._smooth: dict[int, dict[str, float]] = {}
        """By step of a rung that is not settled: those averages there."""
        self._evaluations: dict[str, list[tuple[int, float]]] = {}
        self._metrics = metrics
        self._steps = 0

    def stepped(self, event: Steps, rungs: tuple[int, ...]) -> None:
        """Fold in a block; steps that are known are skipped."""
        known, self._steps = self._steps, max(self._steps, event.first + event.count)
        columns = {
            name: event.values(name).tolist() for name in self._average if name in event.columns
        }
        for offset in range(max(known - event.first, 0), event.count):
            for name, values in columns.items():
                self._average[name].update(values[offset])
            if not math.isfinite(columns[LOSS][offset]):
                self._average[LOSS].value = math.nan
            done = event.first + offset + 1
            for rung, step in enumerate(rungs):
                if step == done:
                    self._reached[rung] = step
                    self._smooth[rung] = {
                        name: average.value
                        for name, average in self._average.items()
                        if name == LOSS or math.isfinite(average.value)
                    }

    def evaluated(self, event: Evaluated) -> None:
        """Fold in an evaluation."""
        for name in self._metrics:
            if name in event.metrics:
                self._evaluations.setdefault(name, []).append((event.step, event.metrics[name]))

    def settle(self) -> None:
        """The steps so far, and what follows them, are all here."""
        for rung, step in self._reached.items():
            newest = {
                name: value
                for name, values in self._evaluations.items()
                for at, value in values
                if at <= step
            }
            loss = self._smooth[rung][LOSS]
            # a lane that is NaN is so by whatever it is ranked
            bad = dict.fromkeys(newest, math.nan) if not math.isfinite(loss) else {}
            self.settled[rung] = self._smooth.pop(rung) | newest | bad
        self._reached.clear()
