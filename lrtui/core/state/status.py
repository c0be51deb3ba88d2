"""The states of a lane, and the groups of them that the program asks for. Pure."""

from __future__ import annotations

from typing import Literal, get_args

from lrtui.core.protocol.events import EndReason, Status

LaneStatus = Literal[Status, EndReason]
STATUSES: tuple[LaneStatus, ...] = get_args(LaneStatus)

ACTIVE: tuple[LaneStatus, ...] = ("waiting", "running")
"""The lane makes steps, or is about to."""
FAILED: tuple[LaneStatus, ...] = ("error", "died")
"""Ends that say nothing about the learning rate."""
UNRANKED: tuple[LaneStatus, ...] = ("nan", *FAILED)
"""Ends that leave no loss to rank the lane by."""
RESUMABLE: tuple[LaneStatus, ...] = ("interrupted", "died")
"""Ends from which `lrtui resume` continues a lane without an explicit rewind."""
