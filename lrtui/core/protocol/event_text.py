"""Log lines of events, made from the event alone: when it is news, and when it is read again.
Pure."""

from __future__ import annotations

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
from lrtui.core.scenario.spec import letter, number

_REWINDS: dict[RewindReason, str] = {
    "rewound": "rewound to",
    "restarted": "restarted from",
    "resumed": "resumed at",
    "lengthened": "trains on from",
    "recovered": "its process was lost: back at",
}


def describe(event: AnyEvent) -> str:
    """Return the log line of an event; '' if its type has none. `LaneState` says more of an end."""
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
        case LaneAdded():
            return (
                f"forked from {letter(event.parent)} at step {event.step}"
                if event.parent >= 0
                else "joins the race"
            )
        case Rewound():
            return f"{_REWINDS[event.why]} step {event.step}"
        case Ended():
            return f"{event.reason} after {event.step} steps"
        case LogMessage():
            return event.text
    return ""
