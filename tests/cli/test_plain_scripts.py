"""Lines of a script's race, of hand-made events: what is logged, what is not known, what joins."""

from __future__ import annotations

import io
import json
import math
from types import SimpleNamespace

import msgspec
import pytest

from lrtui.core.protocol.events import (
    AnyEvent,
    Column,
    Ended,
    LaneAdded,
    Logged,
    Started,
    StatusChanged,
    Steps,
)
from lrtui.core.scenario.spec import Race
from lrtui.core.state.race_state import RaceState, apply
from lrtui.plain.json_lines import JsonLines
from lrtui.plain.text_lines import PlainLines
from lrtui.store.run_dir import script_log
from support.script_races import recording


def started(lane: int = 0, **keys: object) -> Started:
    usual = Started(
        lane=lane,
        device="cuda:1",
        steps_per_epoch=1,
        total_steps=0,
        parameters=3,
        init_checksum="",
        batch_checksum="",
        intra_op_threads=0,
        validated=False,
        length_known=False,
        batch_size=0,
    )
    return msgspec.structs.replace(usual, **keys)


def steps(lane: int, first: int, count: int) -> Steps:
    columns = {"loss": [0.5] * count, "applied_lr": [0.1] * count, "next_lr": [0.1] * count}
    return Steps(
        lane=lane,
        first=first,
        count=count,
        columns={name: Column.pack(values) for name, values in columns.items()},
    )


def logged(lane: int, at: list[int], **columns: list[float]) -> Logged:
    return Logged(
        lane=lane, steps=at, columns={name: Column.pack(each) for name, each in columns.items()}
    )


def written(race: Race, *told: AnyEvent, run: object = None) -> list[str]:
    """The plain lines of events; a second has passed after the last one."""
    out, state = io.StringIO(), RaceState(race)
    lines = PlainLines(out, run)
    for event in told:
        apply(state, event)
        lines.write(state, event)
    lines.look(state)
    lines.tick(state)
    return out.getvalue().splitlines()


def objects(race: Race, run: object, *told: AnyEvent) -> list[dict]:
    """The JSON lines of events."""
    out, state = io.StringIO(), RaceState(race)
    lines = JsonLines(SimpleNamespace(run=run, reader=SimpleNamespace(race=race)), out)
    for event in told:
        apply(state, event)
        lines.write(state, event)
        lines.look(state)
    return [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"intra_op_threads": 2}, "2 thread(s)"),
        ({"optimizer": "AdamW", "initial_lr": 1e-3}, "AdamW, rate 0.001"),
        ({"total_steps": 50, "init_checksum": "8d5d"}, "50 steps, weights 8d5d"),
    ],
)
def test_start_line_has_what_is_known(keys, said):
    (line,) = written(recording(), started(**keys))
    assert line == f"A x 0: starts on cuda:1: {said}"


def test_logged_numbers_are_told_once_a_second_with_their_last_values():
    lines = written(
        recording(),
        started(optimizer="SGD"),
        steps(0, 0, 5),
        logged(0, [2, 5], reward=[0.9, 0.8], acc=[0.5, math.nan]),
        logged(0, [5], reward=[0.7]),
    )
    assert lines[1:] == [
        "A x 0: step 5  reward 0.7000  acc 0.5000",
        "A x 0: step 5  loss 0.5000  best 0.5000  lr 0.1",
    ]


def test_logged_numbers_and_output_stand_before_the_end(tmp_path):
    (tmp_path / script_log(0)).write_text("out\nValueError: no")
    end = Ended(lane=0, step=5, reason="error", error="out\nValueError: no", exit_code=1)
    lines = written(recording(), steps(0, 0, 5), logged(0, [5], acc=[1.0]), end, run=tmp_path)
    assert lines == [
        "A| out",
        "A| ValueError: no",
        "A x 0: step 5  acc 1.000",
        "A x 0: error after 5 steps, exit code 1, last loss 0.5000",
        "    ValueError: no",
    ]


def test_lane_that_joins_has_no_optimizer_before_it_starts(tmp_path):
    race = recording()
    child = msgspec.structs.replace(race.lanes[0], letter="B", name="again")
    (line,) = written(race, LaneAdded(lane=1, child=child))
    assert line == "B again: joins the race"
    *_, joined = objects(race, tmp_path, started(), LaneAdded(lane=1, child=child))
    assert joined == {"event": "joined", "lane": "B", "name": "again", "step": 0}


def test_json_begins_with_the_race_before_any_lane_has_started(tmp_path):
    (tmp_path / script_log(1)).write_text("waits\n")
    lines = objects(
        recording(lanes=2), tmp_path, StatusChanged(lane=1, step=0, status="running"), started(1)
    )
    assert [line["event"] for line in lines] == ["race", "status", "output", "start"]
    assert lines[3] == {"event": "start", "lane": "B", "step": 0, "device": "cuda:1"}


def test_json_has_every_number_that_is_logged(tmp_path):
    told = logged(0, [2, 5], val_loss=[0.5, math.inf], acc=[1.0, math.nan])
    assert objects(recording(), tmp_path, told)[-1] == {
        "event": "logged",
        "lane": "A",
        "steps": [2, 5],
        "val_loss": [0.5, "Infinity"],
        "acc": [1.0, None],
    }


def test_letters_of_a_foreign_record_are_plain_text(tmp_path):
    race = recording()
    lane = msgspec.structs.replace(race.lanes[0], letter="\x1b[31mA\n")
    (tmp_path / script_log(0)).write_text("out\n")
    lines = written(msgspec.structs.replace(race, lanes=(lane,)), steps(0, 0, 1), run=tmp_path)
    assert lines[0] == "A| out"
