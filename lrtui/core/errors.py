"""Errors that the user can act on: one root, a leaf per cause. Knows nothing of how they are
shown."""

from __future__ import annotations

from lrtui.core.text import one_line


class LrtuiError(Exception):
    """An error with `message` (the problem and its location) and `hint` (the remedy).

    Both are made one line, safe for a terminal, whatever file name or library text they quote.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = one_line(message)
        self.hint = one_line(hint)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class ScenarioError(LrtuiError):
    """A scenario file, or a flag that overrides it, that does not describe a race."""


class TaskError(LrtuiError):
    """A task reference that leads to no task."""


class DeviceError(LrtuiError):
    """A device that this machine does not have."""


class RunError(LrtuiError):
    """A run that is not there, or that this version cannot read."""


class StoreUnavailable(LrtuiError):
    """The run store cannot be written or read just now (full disk, vanished folder, lock): worth
    another try."""


class Superseded(LrtuiError):
    """Another process has taken this one's place in the run: it must never write again."""


class LaunchError(LrtuiError):
    """The supervisor could not be started, or ended before it answered."""


class SnapshotDamaged(LrtuiError):
    """A snapshot whose bytes are not those that were written, or not those of a snapshot."""


class SnapshotUnfit(LrtuiError):
    """A sound snapshot of which the task, as it is now, can make nothing."""
