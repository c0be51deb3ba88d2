"""Turns of the dial that a lane made before its process was lost: each is made again at its own
step."""

from __future__ import annotations

from collections.abc import Sequence


class DialReplay:
    """Changes of the dial that are still to be made again, as pairs of step and factor, rising by
    step."""

    def __init__(self, changes: Sequence[tuple[int, float]] = ()) -> None:
        self._changes = list(changes)

    def __bool__(self) -> bool:
        return bool(self._changes)

    def begin_at(self, step: int) -> None:
        """Forget the changes before `step`: the snapshot that the lane begins from knows them."""
        self._changes = [change for change in self._changes if change[0] >= step]

    def due(self, step: int) -> float | None:
        """The factor that the dial is to have after `step` steps; None where nothing changes."""
        due = [factor for at, factor in self._changes if at <= step]
        del self._changes[: len(due)]
        return due[-1] if due else None

    def clear(self) -> None:
        """Forget all: the dial was turned anew."""
        self._changes.clear()
