"""Replays the changes of the dial that a lane made before its process was lost, each at its
step."""

from __future__ import annotations

from collections.abc import Sequence


class DialReplay:
    """The changes still to replay, as pairs of step and factor in order of steps."""

    def __init__(self, changes: Sequence[tuple[int, float]] = ()) -> None:
        self._changes = list(changes)

    def __bool__(self) -> bool:
        return bool(self._changes)

    def begin_at(self, step: int) -> None:
        """Drops the changes before `step`: the snapshot that the lane begins from includes them."""
        self._changes = [change for change in self._changes if change[0] >= step]

    def due(self, step: int) -> float | None:
        """Removes the changes up to `step` and returns the last one's factor; None if there are
        none."""
        due = [factor for at, factor in self._changes if at <= step]
        del self._changes[: len(due)]
        return due[-1] if due else None

    def clear(self) -> None:
        """Drops all changes: the dial was turned anew."""
        self._changes.clear()
