"""Events as one line of JSON, for the commands of a user and for `--json`. Pure."""

from __future__ import annotations

from typing import Any

from lrtui.core.protocol.events import Alerted


def alert_line(event: Alerted, letter: str) -> dict[str, Any]:
    """An alert of the lane `letter` as `--json` prints it, and as a command of `--on-alert` reads
    it."""
    return {
        "event": "alert",
        "lane": letter,
        "step": event.step,
        "kind": event.kind,
        "text": event.text,
    }
