"""The life of a lane from its start to its end, as a fold over its events: the one place that
defines what Started, StatusChanged, Rewound and Ended mean for its status."""

from __future__ import annotations

from lrtui.core.protocol.events import (
    AnyEvent,
    Ended,
    LogMessage,
    Rewound,
    Snapshotted,
    Started,
    StatusChanged,
)
from lrtui.core.state.status import LaneStatus


class Lifecycle:
    """Status, start and end of one lane."""

    __slots__ = ("end_presumed", "ended", "paused", "process_roles", "started", "status")

    def __init__(self) -> None:
        self.status: LaneStatus = "waiting"
        self.started: Started | None = None
        self.ended: Ended | None = None
        self.end_presumed = False
        """True if the end is a guess, because every process that could record one is gone. Any
        later event of the lane undoes a presumed end."""
        self.paused = False
        """The last pause or resume command that took effect. Unlike `status`, a lost process does
        not change it."""
        self.process_roles: list[str] = []
        """Roles of the trainer processes, the present one last; empty in runs of older versions."""

    @property
    def over(self) -> bool:
        return self.ended is not None

    def apply(self, event: AnyEvent) -> bool:
        """Fold in an event of this lane. False if the event comes after the lane's end and does not
        count: a process found dead may have flushed events after its end was recorded."""
        if self.end_presumed and not isinstance(event, LogMessage):
            self._revive()
        if self.ended is not None and not isinstance(event, Rewound | Snapshotted | LogMessage):
            return False
        match event:
            case Started():
                self.started, self.status = event, "running"
                if event.role and event.role not in self.process_roles[-1:]:
                    self.process_roles.append(event.role)
            case StatusChanged():
                self.status, self.paused = event.status, event.status == "paused"
            case Rewound():
                self.ended, self.end_presumed, self.status = None, False, "running"
                self.paused = self.paused and (event.replays or event.why == "lengthened")
            case Ended():
                self.ended, self.status = event, event.reason
        return True

    def _revive(self) -> None:
        self.ended, self.end_presumed = None, False
        self.status = "running" if self.started else "waiting"
