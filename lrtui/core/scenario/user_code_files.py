"""The user's code that a race runs: files and modules, by name. Reads nothing."""

from __future__ import annotations

from collections.abc import Iterator

from lrtui.core.scenario.spec import CodeRef, Race, ScheduleSpec, TaskRef


def user_code_files(race: Race) -> list[str]:
    """Files (absolute paths) and modules of the race's task, optimizers and schedules, none if they
    are bundled; of a script what it runs."""
    script = [race.task.target] if race.script else []
    return script + list(dict.fromkeys(_place(ref.kind, ref.target) for ref in code_refs(race)))


def code_refs(race: Race) -> list[TaskRef | CodeRef]:
    """References to the user's code in a race: its task's first, then those of its lanes'
    optimizers and schedules. A script is not imported, and has none."""
    task = [] if race.task.kind in ("bundled", "script") else [race.task]
    own = [
        code
        for lane in race.lanes
        for code in (lane.optimizer.code, *_codes(lane.schedule))
        if code is not None
    ]
    return [*task, *own]


def _codes(schedule: ScheduleSpec | None) -> Iterator[CodeRef]:
    if schedule is None:
        return
    if schedule.code:
        yield schedule.code
    for child in schedule.children:
        yield from _codes(child)


def _place(kind: str, target: str) -> str:
    return target if kind == "file" else f"the module {target}"
