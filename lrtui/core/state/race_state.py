"""What is known of a race so far: a fold over its events. `apply` is the only place where this
state changes.

It lives on one thread; the screen, the plain lines and the report read it. Knows no store and no
torch.
"""

from __future__ import annotations

import math
from collections import deque

import msgspec

from lrtui.core.protocol import event_text
from lrtui.core.protocol.events import (
    HOLE,
    AnyEvent,
    Ended,
    LaneAdded,
    LogMessage,
    Rewound,
    Snapshotted,
    Started,
    Steps,
)
from lrtui.core.scenario.spec import Race
from lrtui.core.state.lane_state import RANKING_FACTOR, Abandoned, LaneState
from lrtui.core.state.memory_budget import MEMORY, Limit

__all__ = ["RANKING_FACTOR", "Abandoned", "LaneState", "RaceState", "apply", "presume"]

LOG_LINES = 1000


class RaceState:
    """A race so far: its lanes, its log, and what its supervisor says of itself."""

    def __init__(self, race: Race, memory: int = MEMORY) -> None:
        """`memory`: bytes that the curves of all lanes may take up; beyond them, old single values
        become extremes of buckets."""
        self.race = race
        """What was asked for, and the lanes that joined since."""
        self.lanes = [LaneState(index, lane) for index, lane in enumerate(race.lanes)]
        self.log: deque[tuple[float, int, str]] = deque(maxlen=LOG_LINES)
        """(seconds since 1970, lane or -1, text): one entry for each thing that happened."""
        self.log_count = 0
        self._limit = Limit(memory)
        self.began = math.nan
        """When its first lane began, in seconds since 1970: the beginning of the axis of wall
        time."""
        self._doubted = False
        """Whether the log says that something was left out."""

    @property
    def over(self) -> bool:
        return all(lane.over for lane in self.lanes)

    @property
    def training(self) -> bool:
        """Whether any lane is making steps: neither over nor paused."""
        return any(lane.status in ("waiting", "running") for lane in self.lanes)

    def _fits(self, event: AnyEvent) -> bool:
        """Whether an event goes with what is known: a damaged record may name lanes that never
        joined, or steps far beyond the last one, for which there is no room."""
        if isinstance(event, LogMessage) and event.lane == -1:
            return True
        if isinstance(event, LaneAdded):
            done = self.lanes[event.parent].steps if 0 <= event.parent < len(self.lanes) else 0
            return (
                0 <= event.lane <= len(self.lanes)
                and -1 <= event.parent < event.lane
                and event.step <= done + HOLE
            )
        if not 0 <= event.lane < len(self.lanes):
            return False
        reach = (
            event.first
            if isinstance(event, Steps)
            else event.step
            if isinstance(event, Rewound)
            else 0
        )
        return reach <= self.lanes[event.lane].steps + HOLE

    def _leave_out(self, event: AnyEvent) -> None:
        """Says so in the log, once: what is damaged may be so a thousand times."""
        if not self._doubted:
            self._doubted = True
            self._note(
                event.at,
                -1,
                "the record is damaged: what does not go with the rest of it is left out, "
                f"such as {type(event).__name__} of lane {event.lane}",
            )

    def _note(self, at: float, lane: int, text: str) -> None:
        self.log.append((at, lane, text))
        self.log_count += 1


def apply(state: RaceState, event: AnyEvent) -> bool:
    """Folds one event into the state; False where it does not fit and is left out. Events of one
    lane come in the order in which they happened."""
    if not state._fits(event):
        state._leave_out(event)
        return False
    if isinstance(event, LogMessage) and event.lane < 0:
        state._note(event.at, -1, event.text)
    elif isinstance(event, LaneAdded):
        _join(state, event)
    else:
        _tell_lane(state, event)
    return True


def _tell_lane(state: RaceState, event: AnyEvent) -> None:
    lane = state.lanes[event.lane]
    if lane.end_presumed and not isinstance(event, LogMessage):
        lane.revive()
    if lane.over and not isinstance(event, Rewound | Snapshotted | LogMessage):
        return  # what a process said before it was found dead may arrive after its end was written
    if isinstance(event, Started) and math.isnan(state.began):
        state.began = event.at
        for each in state.lanes:
            each.clock.origin = event.at
    lane.version += 1
    text = lane.apply(event)
    if isinstance(event, Steps):
        state._limit.watch(state.lanes, event.count * len(event.columns))
    if text:
        state._note(event.at, lane.index, text)


def presume(state: RaceState, end: Ended) -> None:
    """Ends a lane that nobody is left to speak for; whatever the record says of it later counts
    more."""
    if not state.lanes[end.lane].over:
        apply(state, end)
        state.lanes[end.lane].end_presumed = True


def _join(state: RaceState, event: LaneAdded) -> None:
    """A new lane, behind the others; one that is known is not made twice."""
    if event.lane != len(state.lanes):
        return
    parent = state.lanes[event.parent] if event.parent >= 0 else None
    state.race = msgspec.structs.replace(state.race, lanes=(*state.race.lanes, event.child))
    state.lanes.append(LaneState(event.lane, event.child, parent, event.step))
    state.lanes[-1].clock.origin = state.began
    state._note(event.at, event.lane, event_text.line(event))
