"""The state of a race so far: a fold over its events. `apply` is the only function that changes it.

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
    Logged,
    LogMessage,
    Rewound,
    Started,
    Steps,
)
from lrtui.core.scenario.spec import Race
from lrtui.core.state.label import Label
from lrtui.core.state.lane_state import LaneState
from lrtui.core.state.memory_budget import DEFAULT_BYTES, MemoryBudget
from lrtui.core.state.status import ACTIVE

__all__ = ["LaneState", "RaceState", "apply", "presume_ended"]

LOG_LINES = 1000


class RaceState:
    """A race so far: its lanes and its log."""

    def __init__(self, race: Race, memory: int = DEFAULT_BYTES) -> None:
        """`memory`: the budget of all curves, in bytes; see `memory_budget`."""
        self.race = race
        """The race as it was started, with the lanes that joined since."""
        self.label = Label()
        """Name and note of the run, which no event carries: whoever follows it sets them."""
        self.read_only = ""
        """Why the lanes take no commands from here; '' if they do. Set likewise."""
        self.lanes = [LaneState(index, lane) for index, lane in enumerate(race.lanes)]
        self.log: deque[tuple[float, int, str]] = deque(maxlen=LOG_LINES)
        """Entries (seconds since 1970, lane or -1 for the race, text)."""
        self.log_count = 0
        """Entries so far, those included that `log` has dropped."""
        self._budget = MemoryBudget(memory)
        self.began = math.nan
        """Start of the first lane in seconds since 1970: the zero of the wall time axis."""
        self._damage_logged = False

    @property
    def title(self) -> str:
        """The race's title, behind the name that the user gave the run."""
        return self.label.titled(self.race.title)

    @property
    def over(self) -> bool:
        return all(lane.over for lane in self.lanes)

    @property
    def training(self) -> bool:
        """True if any lane is neither over nor paused."""
        return any(lane.status in ACTIVE for lane in self.lanes)

    def _fits(self, event: AnyEvent) -> bool:
        """False for an event of a damaged record: of a lane that never joined, or of steps far
        beyond the last one, for which no memory should be allocated."""
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

    def _log_damage(self, event: AnyEvent) -> None:
        """Log the first event that is left out; a damaged record may have thousands."""
        if not self._damage_logged:
            self._damage_logged = True
            self._log(
                event.at,
                -1,
                "the record is damaged: what does not go with the rest of it is left out, "
                f"such as {type(event).__name__} of lane {event.lane}",
            )

    def _log(self, at: float, lane: int, text: str) -> None:
        self.log.append((at, lane, text))
        self.log_count += 1


def apply(state: RaceState, event: AnyEvent) -> bool:
    """Fold one event into the state; False if the event does not fit and is left out. Events of one
    lane come in the order in which they happened."""
    if not state._fits(event):
        state._log_damage(event)
        return False
    if isinstance(event, LogMessage) and event.lane < 0:
        state._log(event.at, -1, event.text)
    elif isinstance(event, LaneAdded):
        _add_lane(state, event)
    else:
        _apply_to_lane(state, event)
    return True


def _apply_to_lane(state: RaceState, event: AnyEvent) -> None:
    lane = state.lanes[event.lane]
    text = lane.apply(event)
    if text is None:
        return
    if isinstance(event, Rewound) and event.length:
        lanes = [each.lane for each in state.lanes]
        state.race = msgspec.structs.replace(state.race, lanes=tuple(lanes))
    if isinstance(event, Rewound) and not event.replays:
        for child in state.lanes:
            if child.parent == lane.index:
                child.shared = min(child.shared, event.step)
    if isinstance(event, Started) and math.isnan(state.began):
        state.began = event.at
        for each in state.lanes:
            each.clock.origin = event.at
    if isinstance(event, Steps):
        state._budget.add(state.lanes, event.count * len(event.columns))
    elif isinstance(event, Logged):
        state._budget.add(state.lanes, len(event.steps) * len(event.columns))
    if text:
        state._log(event.at, lane.index, text)


def presume_ended(state: RaceState, end: Ended) -> None:
    """End a lane whose processes are all gone; any later event of the record undoes it."""
    if not state.lanes[end.lane].over:
        apply(state, end)
        state.lanes[end.lane].lifecycle.end_presumed = True


def _add_lane(state: RaceState, event: LaneAdded) -> None:
    """Append a new lane; an event of a known lane is ignored."""
    if event.lane != len(state.lanes):
        return
    parent = state.lanes[event.parent] if event.parent >= 0 else None
    state.race = msgspec.structs.replace(state.race, lanes=(*state.race.lanes, event.child))
    state.lanes.append(LaneState(event.lane, event.child, parent, event.step))
    state.lanes[-1].clock.origin = state.began
    state._log(event.at, event.lane, event_text.describe(event, state.race.lanes))
