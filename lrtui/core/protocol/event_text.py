"""Log lines of events, made from the event alone: when it is news, and when it is read again.
Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lrtui.core.numbers import rate, size
from lrtui.core.protocol.events import (
    Alerted,
    AnyEvent,
    Ended,
    LaneAdded,
    LogMessage,
    RateChanged,
    RewindReason,
    Rewound,
    Snapshotted,
    Started,
    StatusChanged,
)
from lrtui.core.scenario.spec import Lane, letter, number

_REWINDS: dict[RewindReason, str] = {
    "rewound": "rewound to",
    "restarted": "restarted from",
    "resumed": "resumed at",
    "lengthened": "trains on from",
    "recovered": "its process was lost: back at",
}


def describe(event: AnyEvent, lanes: Sequence[Lane] = ()) -> str:
    """Return the log line of an event; '' if its type has none. `LaneState` says more of an end.

    `lanes`: those of the race, for the letter of a fork's parent.
    """
    match event:
        case Started(first=first) if first:
            return f"goes on at step {first} on {event.device}"
        case Started():
            length = f", {event.total_steps} steps" if event.total_steps else ""
            return f"started on {event.device}{length}"
        case StatusChanged():
            return f"{event.status} at step {event.step}"
        case RateChanged():
            what = (
                "the schedule's own"
                if event.factor == 1
                else f"{number(event.factor)} times the schedule's"
            )
            return f"rate {rate(event.rate)} from step {event.step} on, {what}"
        case Alerted():
            return f"{event.kind}: {event.text}"
        case Snapshotted():
            return f"snapshot ({event.tag}) at step {event.step}, {size(event.size)}"
        case LaneAdded(parent=parent):
            if parent < 0:
                return "joins the race"
            sign = lanes[parent].letter if parent < len(lanes) else letter(parent)
            return f"forked from {sign} at step {event.step}"
        case Rewound():
            return f"{_REWINDS[event.why]} step {event.step}"
        case Ended():
            return f"{event.reason} after {event.step} steps"
        case LogMessage():
            return event.text
    return ""
