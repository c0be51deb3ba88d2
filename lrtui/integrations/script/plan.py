"""The state of a script lane's controls, as all of its ranks follow them."""

from __future__ import annotations

import msgspec


class Plan(msgspec.Struct, frozen=True):
    """Settings of the controls from some step on."""

    factor: float = 1.0
    """The dial: the lane's own rates times this factor are applied."""
    paused: bool = False
    stop: str = ""
    """Reason to end the script, in words; "" while it may train on."""
