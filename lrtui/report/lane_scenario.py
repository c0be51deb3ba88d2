"""The scenario that reproduces one lane of a race, and the lines of Python that load its weights.
Pure."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from lrtui.core.scenario.scenario_text import scenario_text
from lrtui.core.scenario.spec import Race, TaskRef
from lrtui.core.scenario.task_ref import bundled_file
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.text import one_line
from lrtui.report.repeat import by_hand


def lane_scenario(state: RaceState, lane: LaneState, asked: int, about: Sequence[str]) -> str:
    """The scenario of one lane as text. What a scenario cannot say stands in comments at its head.

    `asked`: number of lanes at the start of the race; `about`: lines about the lane, the first
    ones.
    """
    notes = [*about, *(f"NOT REPRODUCED: {text}" for text in unsaid(state, lane, asked))]
    comments = "".join(f"# {one_line(text)}\n" for text in notes)
    return comments + scenario_text(_alone(state.race, lane))


def unsaid(state: RaceState, lane: LaneState, asked: int) -> Iterator[str]:
    """What made the lane what it is, and what its scenario alone does not repeat."""
    yield from by_hand(lane, state, asked)
    spec = lane.lane
    if spec.schedule and spec.length and spec.schedule_length:
        made_for, steps = spec.schedule_length.steps, spec.length.steps
        how = f"made for {made_for}" if made_for < steps else "made anew for them on the way"
        yield (
            f"lengthened to {steps} steps, with its schedule {how}; here it is made for all"
            f" {steps} from the start"
        )


def _alone(race: Race, lane: LaneState) -> Race:
    """The race of this lane alone, with its seed and its budget."""
    own = race.of_lane(lane.index)
    spec = msgspec.structs.replace(
        lane.lane, letter="A", seed=0, expect="", length=None, schedule_length=None
    )
    name = f": {lane.lane.name}"
    title = race.title.removesuffix(name) + name  # of a lane that was taken home before, too
    return msgspec.structs.replace(own, title=title, story="", lanes=(spec,), seeds=1, pruning=None)


def loading(task: TaskRef, file: Path, folder: str) -> list[str]:
    """Three lines of Python that load a state_dict into a new model of a task. `folder`: the
    working directory of the race."""
    place, name = _module(task, folder)
    module = place.stem if place.suffix == ".py" else task.target
    path = str(place.parent) if place.suffix == ".py" else str(place)
    return [
        f"import sys, torch; sys.path.insert(0, {path!r})",
        f"from {module} import {name}; model = {name}().model()",
        f"model.load_state_dict(torch.load({str(file)!r}, weights_only=True))",
    ]


def _module(task: TaskRef, folder: str) -> tuple[Path, str]:
    """The file of a task, or the folder that its module is found from, and its class."""
    if task.kind == "bundled":
        return bundled_file(task.name)
    if task.kind == "file":
        return Path(task.target), task.name
    return Path(task.found_in or folder or sys.path[0]), task.name
