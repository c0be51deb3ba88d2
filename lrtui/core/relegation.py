"""Who is paused at a rung of the race: lanes are compared by their smoothed loss after equally many steps. Pure."""

from __future__ import annotations

import math

from lrtui.core.detectors import Smooth
from lrtui.core.events import AnyEvent, Ended, Joined, Rewound, Started, StatusChanged, Steps
from lrtui.core.lane import RANKING_FACTOR
from lrtui.core.spec import Relegation


class Rungs:
    """Follows the lanes of a race; `take` says at each completed rung which lanes fall behind."""

    def __init__(self, spec: Relegation, lanes: int) -> None:
        self._spec = spec
        self._total: dict[int, int] = {}
        self._average = {index: Smooth(RANKING_FACTOR) for index in range(lanes)}
        self._steps = dict.fromkeys(range(lanes), 0)
        """Steps taken in."""
        self._values: dict[int, dict[int, float]] = {}
        """By rung: the smoothed loss of each lane that has reached it."""
        self._out: set[int] = set()
        """Lanes that have ended or are paused: nobody waits for them."""
        self._done = 0
        """Rungs that are settled."""

    def take(self, event: AnyEvent) -> list[int]:
        """Takes one event; the lanes to pause now, if it completes a rung."""
        match event:
            case Started():
                self._total[event.lane] = event.total_steps
            case Steps():
                self._step(event)
            case StatusChanged(status="paused") | Ended():
                self._out.add(event.lane)
            case StatusChanged():
                self._out.discard(event.lane)
            case Rewound(why="recovered" | "resumed"):  # the same steps come again: those that are known are passed over
                self._out.discard(event.lane)
            case Joined() | Rewound():  # it has another past than the others: it is not compared
                self._average.pop(event.lane, None)
                for values in self._values.values():
                    values.pop(event.lane, None)
            case _:
                return []
        return self._settle()

    def _step(self, event: Steps) -> None:
        average, total = self._average.get(event.lane), self._total.get(event.lane)
        if average is None or not total:
            return
        known = self._steps[event.lane]
        self._steps[event.lane] = max(known, event.first + event.count)
        for offset, loss in enumerate(event.values("loss").tolist()):
            if event.first + offset < known:
                continue
            average.update(loss)
            if not math.isfinite(loss):
                average.value = math.nan
            step = event.first + offset + 1
            for rung, part in enumerate(self._spec.rungs):
                if step == max(1, round(part * total)):
                    self._values.setdefault(rung, {})[event.lane] = average.value

    def _settle(self) -> list[int]:
        """The lanes that are behind at the next rung, when all that race have reached it."""
        if self._done >= len(self._spec.rungs) or len(self._total) < len(self._average):
            return []
        reached = self._values.get(self._done, {})
        racing = [lane for lane in self._average if lane not in self._out]
        if not reached or any(lane not in reached for lane in racing):
            return []
        self._done += 1
        ranked = sorted(self._average, key=lambda lane: _rank(reached.get(lane, math.nan)))
        kept = ranked[:math.ceil(len(ranked) * self._spec.keep ** self._done)]
        behind = [lane for lane in racing if lane not in kept]
        self._out.update(behind)
        return behind


def _rank(value: float) -> float:
    return value if math.isfinite(value) else math.inf
