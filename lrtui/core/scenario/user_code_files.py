"""Which code of a person's own a race runs once it is started: files and modules, by name. Reads
nothing."""

from __future__ import annotations

from collections.abc import Iterator

from lrtui.core.scenario.spec import CodeRef, Race, ScheduleSpec, TaskRef


def user_code_files(race: Race) -> list[str]:
    """The files (absolute paths) and modules of which the race's task and schedules are made; none
    where it is bundled."""
    return list(dict.fromkeys(_place(ref.kind, ref.target) for ref in code_refs(race)))


def code_refs(race: Race) -> list[TaskRef | CodeRef]:
    """The references to a person's own code that a race holds: its task's first, then those of its
    schedules."""
    task = [] if race.task.kind == "bundled" else [race.task]
    return [*task, *(code for lane in race.lanes for code in _codes(lane.schedule))]


def _codes(schedule: ScheduleSpec | None) -> Iterator[CodeRef]:
    if schedule is None:
        return
    if schedule.code:
        yield schedule.code
    for child in schedule.children:
        yield from _codes(child)


def _place(kind: str, target: str) -> str:
    return target if kind == "file" else f"the module {target}"
