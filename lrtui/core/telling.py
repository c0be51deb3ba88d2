"""What an event is in the log, told from the event alone: for lines that are read again from the record. Pure."""

from __future__ import annotations

from lrtui.core.events import Alerted, AnyEvent, Ended, Joined, Noted, RateChanged, Rewound, Snapshotted, Started, StatusChanged
from lrtui.core.lane import rate_words, rewound_words, snapshot_words, started_words
from lrtui.core.state import RaceState, joined_words


def line(state: RaceState, event: AnyEvent) -> str:
    """The line of an event that has one; '' for any other. An end says less than it did when it was news."""
    match event:
        case Started():
            return started_words(event)
        case StatusChanged():
            return f"{event.status} at step {event.step}"
        case RateChanged():
            return rate_words(event)
        case Alerted():
            return f"{event.kind}: {event.text}"
        case Snapshotted():
            return snapshot_words(event)
        case Joined():
            return joined_words(state, event)
        case Rewound():
            return rewound_words(event)
        case Ended():
            return f"{event.reason} after {event.step} steps"
        case Noted():
            return event.text
    return ""
