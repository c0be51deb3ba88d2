"""Successive halving: at each rung lanes wait, are compared by their smoothed loss after equally
many steps, and those behind are paused. Pure."""

from __future__ import annotations

import math
from typing import NamedTuple

from lrtui.core.protocol.events import (
    AnyEvent,
    Ended,
    LaneAdded,
    Rewound,
    Started,
    StatusChanged,
    Steps,
)
from lrtui.core.scenario.spec import Pruning
from lrtui.core.series.ema import Ema
from lrtui.core.state.losses import RANKING_FACTOR


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

    Lanes wait, so that decisions depend on their losses and not on the clock.
    """

    def __init__(self, spec: Pruning, lanes: int) -> None:
        self._spec = spec
        self._total: dict[int, int] = {}
        self._average = {index: Ema(RANKING_FACTOR) for index in range(lanes)}
        self._steps = dict.fromkeys(range(lanes), 0)
        """Steps folded into the average of each lane."""
        self._values: dict[int, dict[int, float]] = {}
        """By rung: the smoothed loss of each lane that reached it."""
        self._out: set[int] = set()
        """Lanes not to wait for: ended, paused, or about to be paused by a decision. The last is
        why this is not `Lifecycle.status`."""
        self._kept: list[set[int]] = []
        """Of each decided rung, the lanes that stay."""
        self._waiting: dict[int, int] = {}
        """By lane: the rung at which it waits."""
        self._behind: dict[int, int] = {}
        """By lane: the rung at which it was found behind; removed once it is paused."""

    def apply(self, event: AnyEvent) -> None:
        """Fold in one event of the record."""
        match event:
            case Started():
                self._total[event.lane] = event.total_steps
            case Steps():
                self._step(event)
            case StatusChanged(status="paused") | Ended():
                self._leave(event.lane)
            case StatusChanged():
                self._out.discard(event.lane)
            case Rewound() if event.replays:  # known steps come again and are skipped
                self._out.discard(event.lane)
                self._waiting.pop(event.lane, None)
            case LaneAdded() | Rewound():  # a lane with another past is not compared
                self._average.pop(event.lane, None)
                self._waiting.pop(event.lane, None)
                self._behind.pop(event.lane, None)
                for values in self._values.values():
                    values.pop(event.lane, None)
            case _:
                return
        self._decide()

    def decisions(self) -> list[Decision]:
        """Decisions to send to lanes now; each stays until its lane goes on or is paused."""
        behind = [Decision(lane, rung, False) for lane, rung in self._behind.items()]
        return behind + [
            Decision(lane, rung, True)
            for lane, rung in self._waiting.items()
            if lane not in self._behind and (lane not in self._average or rung < len(self._kept))
        ]

    def _leave(self, lane: int) -> None:
        self._out.add(lane)
        self._waiting.pop(lane, None)
        self._behind.pop(lane, None)

    def _step(self, event: Steps) -> None:
        total, end = self._total.get(event.lane), event.first + event.count
        if not total:
            return
        steps = rung_steps(self._spec, total)
        reached = [rung for rung, step in enumerate(steps) if event.first < step <= end]
        if reached:
            self._waiting[event.lane] = rung = reached[-1]
            if (
                event.lane in self._average
                and rung < len(self._kept)
                and event.lane not in self._kept[rung]
            ):
                self._behind[event.lane] = rung
        else:
            self._waiting.pop(event.lane, None)
        average = self._average.get(event.lane)
        if average is None:
            return
        known = self._steps[event.lane]
        self._steps[event.lane] = max(known, end)
        for offset, loss in enumerate(event.values("loss").tolist()):
            if event.first + offset < known:
                continue
            average.update(loss)
            if not math.isfinite(loss):
                average.value = math.nan
            for rung, step in enumerate(steps):
                if step == event.first + offset + 1:
                    self._values.setdefault(rung, {})[event.lane] = average.value

    def _decide(self) -> None:
        """Compare the lanes at the next rung once all that race have reached it."""
        if len(self._kept) >= len(self._spec.rungs) or len(self._total) < len(self._average):
            return
        rung = len(self._kept)
        reached = self._values.get(rung, {})
        racing = [lane for lane in self._average if lane not in self._out]
        if not reached or any(lane not in reached for lane in racing):
            return
        ranked = sorted(self._average, key=lambda lane: _rank(reached.get(lane, math.nan)))
        self._kept.append(set(ranked[: math.ceil(len(ranked) * self._spec.keep ** (rung + 1))]))
        behind = [lane for lane in racing if lane not in self._kept[rung]]
        self._out.update(behind)
        self._behind.update(dict.fromkeys(behind, rung))


def _rank(value: float) -> float:
    return value if math.isfinite(value) else math.inf
