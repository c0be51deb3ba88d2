"""Which code of a person's own a race runs once it is started: files and modules, by name. Reads nothing."""

from __future__ import annotations

from collections.abc import Iterator

from lrtui.core.spec import CodeRef, Race, ScheduleSpec


def own_code(race: Race) -> list[str]:
    """The files (absolute paths) and modules of which the race's task and schedules are made; none where it is bundled."""
    places = [] if race.task.kind == "bundled" else [_place(race.task.kind, race.task.target)]
    places += [_place(code.kind, code.target) for lane in race.lanes for code in _codes(lane.schedule)]
    return list(dict.fromkeys(places))


def _codes(schedule: ScheduleSpec | None) -> Iterator[CodeRef]:
    if schedule is None:
        return
    if schedule.code:
        yield schedule.code
    for child in schedule.children:
        yield from _codes(child)


def _place(kind: str, target: str) -> str:
    return target if kind == "file" else f"the module {target}"
