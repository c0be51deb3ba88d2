"""lrtui races learning rates and shows the race live in a terminal."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lrtui._version import __version__

if TYPE_CHECKING:
    from lrtui.core.scenario.spec import Lane, OptimizerSpec, Race, ScheduleSpec
    from lrtui.integrations.script.stopped import Stopped
    from lrtui.integrations.watch import watch
    from lrtui.training.order import batch_order
    from lrtui.training.task import Task

__all__ = [
    "Lane",
    "OptimizerSpec",
    "Race",
    "ScheduleSpec",
    "Stopped",
    "Task",
    "__version__",
    "batch_order",
    "watch",
]

_HOMES = {
    "Lane": "lrtui.core.scenario.spec",
    "OptimizerSpec": "lrtui.core.scenario.spec",
    "Race": "lrtui.core.scenario.spec",
    "ScheduleSpec": "lrtui.core.scenario.spec",
    "Stopped": "lrtui.integrations.script.stopped",
    "Task": "lrtui.training.task",
    "batch_order": "lrtui.training.order",
    "watch": "lrtui.integrations.watch",
}


def __getattr__(name: str) -> Any:
    """Public names come when they are first used: what shows a race never pays for torch."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'lrtui' has no attribute {name!r}")
