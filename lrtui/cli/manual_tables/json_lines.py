"""Table of the `--json` lines, made by encoding one event of each kind."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec

from lrtui.cli import schedule
from lrtui.cli.manual_tables.markdown import code, described, table
from lrtui.cli.manual_tables.sentences import EVENTS, FIELDS, OTHER
from lrtui.core.protocol.events import (
    Alerted,
    AnyEvent,
    Column,
    Ended,
    Evaluated,
    FindingsUpdated,
    LaneAdded,
    Logged,
    LogMessage,
    Measured,
    RateChanged,
    Rewound,
    Snapshotted,
    Started,
    StatusChanged,
    Steps,
)
from lrtui.core.protocol.findings import Findings
from lrtui.core.protocol.launch_protocol import Preview
from lrtui.core.results import finder_result
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.spec import Race
from lrtui.core.state.race_state import RaceState, apply
from lrtui.plain.json_lines import JsonLines
from lrtui.store.run_dir import script_log


def _race() -> Race:
    raw = {"task": "straight-line", "steps": 100, "lane": [{"name": "low", "lr": 0.001}], "seed": 7}
    return scenario_file.parse(raw, source="manual", folder=Path(), scenario="manual")


def _story(race: Race) -> list[AnyEvent]:
    """One event of each kind of `--json`, as a race would record them."""
    values = [1.5, 1.25]
    steps = {
        name: Column.pack(values)
        for name in ("loss", "applied_lr", "next_lr", "grad_norm", "clipped", "skipped")
    }
    gauge = {
        name: Column.pack([0.5])
        for name in (
            "gain",
            "step_size",
            "rate_p10",
            "rate_p50",
            "rate_p90",
            "realised",
            "update_ratio",
        )
    }

    def begin(lane: int, first: int) -> Started:
        return Started(
            lane=lane,
            device="cpu",
            steps_per_epoch=10,
            total_steps=100,
            parameters=2,
            init_checksum="8d5d7cd0",
            batch_checksum="ef91d2a1",
            intra_op_threads=1,
            validated=True,
            first=first,
            batch_size=32,
            groups=["all"],
        )

    fork = msgspec.structs.replace(race.lanes[0], letter="B", name="low fork")
    return [
        begin(0, 0),
        Steps(lane=0, first=0, count=2, columns=steps),
        Measured(lane=0, steps=[1], columns=gauge, spent=0.01),
        FindingsUpdated(lane=0, step=2, findings=Findings()),
        Evaluated(lane=0, epoch=1, step=2, loss=1.375, metrics={"val_loss": 1.4}),
        RateChanged(lane=0, step=2, factor=0.5, rate=0.0005),
        StatusChanged(lane=0, step=2, status="paused"),
        Snapshotted(lane=0, step=2, tag="pause", size=2048, kept=[2], total=2048),
        LaneAdded(lane=1, child=fork, parent=0, step=2),
        begin(1, 2),
        Alerted(lane=0, step=2, kind="nan", text="loss is NaN at step 2"),
        LogMessage(lane=0, text="the last good snapshot is step 2"),
        Rewound(lane=0, step=2, why="rewound"),
        Ended(lane=1, step=2, reason="stopped"),
        Ended(lane=0, step=2, reason="error", error="ValueError: ..."),
    ]


def _script_race() -> Race:
    raw = {
        "script": {"command": ["train", "{size}"], "vary": {"size": [16]}},
        "sweep": {"lr": [0.001]},
        "steps": 100,
    }
    return scenario_file.parse(raw, source="manual", folder=Path(), scenario="manual")


def _script_story() -> list[AnyEvent]:
    """What a script's race records beside that."""
    begin = Started(
        lane=0,
        device="cpu",
        steps_per_epoch=1,
        total_steps=100,
        parameters=2,
        init_checksum="8d5d7cd0",
        batch_checksum="",
        intra_op_threads=1,
        validated=False,
        length_known=False,
        batch_size=0,
        groups=["all"],
        optimizer="SGD",
        initial_lr=0.1,
    )
    logged = Logged(lane=0, steps=[2], columns={"val_loss": Column.pack([1.5])})
    return [begin, logged, Ended(lane=0, step=2, reason="error", error="...", exit_code=1)]


def _lines_of(race: Race, story: list[AnyEvent], run: Path) -> dict[str, dict[str, Any]]:
    """A line of each kind, by event."""
    out = io.StringIO()
    reader = SimpleNamespace(race=race)
    follower = SimpleNamespace(run=run, reader=reader, state=RaceState(race))
    lines = JsonLines(cast(Any, follower), out)
    for event in story:
        apply(follower.state, event)
        lines.write(follower.state, event)
    lines.finish(cast(Any, follower))
    return {line["event"]: line for line in map(json.loads, out.getvalue().splitlines())}


def race_lines() -> dict[str, dict[str, Any]]:
    """A line of each kind that a race prints with `--json`, by event, made by the encoders; with
    the fields of a task's race and of a script's."""
    race = _race()
    found = _lines_of(race, _story(race), Path("runs/lr-dial-1"))
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, script_log(0)).write_text("epoch 1")
        scripts = _lines_of(_script_race(), _script_story(), Path(folder))
    for event, line in scripts.items():
        found[event] = found.get(event, {}) | line | _merged_lanes(found.get(event, {}), line)
    return found


def _merged_lanes(line: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The first lane of both lines with the fields of either, if they have lanes."""
    if "lanes" not in line:
        return {}
    return {"lanes": [line["lanes"][0] | other["lanes"][0]]}


def other_lines() -> dict[str, dict[str, Any]]:
    """The lines of `lrtui find --json` and `lrtui schedule --json`."""
    found = finder_result.result_line(
        None, finder_result.conclude(None, None, None), None, ["runs/lr-dial-find-1"]
    )
    preview = Preview([0, 10], [0.1, 0.01], 20)
    lines = [
        finder_result.point_line(0, 1e-7, 1.5, 1.5),
        found,
        schedule._line(_race().lanes[0], preview),
    ]
    return {line["event"]: line for line in lines}


def json_events() -> str:
    """Every kind of line with its fields."""
    race = "\n\n".join(
        _event(name, words, line) for name, words, line in _lines(EVENTS, race_lines())
    )
    other = "\n\n".join(
        _event(name, words, line, "find" if name == "result" else "")
        for name, words, line in _lines(OTHER, other_lines())
    )
    return f"## Races\n\n{race}\n\n## Finder and schedules\n\n{other}"


def _lines(
    words: dict[str, str], lines: dict[str, dict[str, Any]]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    return ((name, sentence, lines[name]) for name, sentence in described(words, lines))


def _event(name: str, words: str, line: dict[str, Any], family: str = "") -> str:
    rows = [(code(key), _field(key, family or name)) for key in line if key != "event"]
    for each in ("standings", "lanes"):
        where = each if each == "standings" else f"lanes of {name}" if name == "race" else name
        inner = line[each][0] if line.get(each) else {}
        rows += [(code(f"{each}[].{key}"), _field(key, where)) for key in inner]
    return f"### {name}\n\n{words}.\n\n" + table(("field", "meaning"), rows)


def _field(key: str, event: str) -> str:
    return FIELDS.get(f"{event}.{key}") or FIELDS[key]
