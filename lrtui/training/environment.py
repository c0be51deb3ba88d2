"""Restores the race's environment in a process that runs a task's code: working directory and
environment variables."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from lrtui.core.errors import TaskError
from lrtui.core.scenario.spec import Race
from lrtui.core.scenario.user_code_files import code_refs
from lrtui.training.exits import exits_reported
from lrtui.training.imports import keep_on_path


@contextmanager
def entered(race: Race) -> Iterator[None]:
    """Enters the race's environment to build a lane, and reports a sys.exit() of its code. Entered
    anew for each lane: another lane's code may have changed the directory."""
    enter(race)
    with exits_reported(race.task.short):
        yield


def enter(race: Race) -> None:
    """Enters the race's working directory and sets its variables; raises TaskError if the directory
    is gone."""
    os.environ.update(race.environment)
    for entry in race.environment.get("PYTHONPATH", "").split(os.pathsep):
        if entry:
            keep_on_path(entry)
    if not race.folder or not code_refs(race):
        return
    try:
        os.chdir(race.folder)
    except OSError as error:
        raise TaskError(
            f"{race.folder}, the folder in which the race was started: {error.strerror or error}",
            "expected the folder as it was: relative paths of the task start from it",
        ) from error
