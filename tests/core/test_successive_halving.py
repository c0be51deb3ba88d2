"""Pruning: who falls behind at a rung, on events alone."""

import json
import math
from pathlib import Path

import msgspec
import pytest

from lrtui.core.errors import ScenarioError
from lrtui.core.protocol.events import (
    Column,
    Ended,
    Evaluated,
    LogMessage,
    Rewound,
    Started,
    StatusChanged,
    Steps,
)
from lrtui.core.results.successive_halving import WAITS, SuccessiveHalving
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.scenario_file import read_pruning, read_snapshots
from lrtui.core.scenario.spec import (
    Lane,
    OptimizerSpec,
    Pruning,
    Race,
    Snapshots,
    TaskRef,
    letter,
    with_seeds,
)
from lrtui.core.scenario.toml_table import Table


def started(lane, total=90):
    return Started(
        lane=lane,
        device="cpu",
        steps_per_epoch=10,
        total_steps=total,
        parameters=1,
        init_checksum="",
        batch_checksum="",
        intra_op_threads=1,
        validated=False,
    )


def steps(lane, first, losses):
    return Steps(
        lane=lane, first=first, count=len(losses), columns={"loss": Column.pack(losses, "f4")}
    )


def fed(rungs, *events):
    """The lanes that are found behind over these events."""
    before = {one.lane for one in rungs.decisions() if not one.stays}
    behind = []
    for event in events:
        rungs.apply(event)
        if isinstance(event, Steps):  # as at a rung
            rungs.apply(LogMessage(lane=event.lane, text=WAITS))
        behind += [
            one.lane
            for one in rungs.decisions()
            if not one.stays and one.lane not in (*before, *behind)
        ]
    return behind


def going_on(rungs):
    """The lanes that are told to go on now, with the rung that they wait at."""
    return sorted((one.lane, one.rung) for one in rungs.decisions() if one.stays)


def of(lanes, race=None, **options):
    task = TaskRef("bundled", "/nowhere.py", "nothing")
    made = [Lane(letter(i), f"lane {i}", OptimizerSpec("SGD"), 0.1) for i in range(lanes)]
    race = race or Race("a race", task, tuple(made))
    rungs = SuccessiveHalving(Pruning(**options), race)
    assert fed(rungs, *(started(lane) for lane in range(lanes))) == []
    return rungs


def test_the_lanes_behind_are_named_when_all_have_reached_the_rung():
    rungs = of(3, rungs=(1 / 9,), keep=0.34)
    assert fed(rungs, steps(0, 0, [3.0] * 10), steps(1, 0, [1.0] * 50)) == []
    assert fed(rungs, steps(2, 0, [2.0] * 9)) == []
    assert sorted(fed(rungs, steps(2, 9, [2.0]))) == [0]  # two of three: rounded up
    assert fed(rungs, steps(0, 10, [9.0] * 80)) == []


def test_waiting_lanes_go_on_at_a_settled_rung_and_on_returning_to_it():
    rungs = of(2, rungs=(1 / 9,), keep=0.5)
    fed(rungs, steps(0, 0, [1.0] * 10))
    assert going_on(rungs) == []
    assert fed(rungs, steps(1, 0, [2.0] * 10)) == [1]
    assert going_on(rungs) == [(0, 0)]
    fed(rungs, StatusChanged(lane=1, step=10, status="paused"), steps(0, 10, [1.0]))
    assert rungs.decisions() == []
    fed(rungs, Rewound(lane=0, step=5, why="recovered"), steps(0, 5, [1.0] * 5))
    assert going_on(rungs) == [(0, 0)]


def test_a_lane_that_is_not_compared_is_not_held_up():
    rungs = of(2, rungs=(1 / 9,), keep=0.5)
    fed(
        rungs,
        steps(0, 0, [1.0] * 4),
        Rewound(lane=0, step=2, why="rewound"),
        steps(0, 2, [1.0] * 8),
    )
    assert going_on(rungs) == [(0, 0)]


def test_each_further_rung_keeps_the_fraction_of_what_was_left():
    rungs = of(9, rungs=(1 / 9, 1 / 3), keep=1 / 3)
    out = fed(rungs, *(steps(lane, 0, [float(lane)] * 10) for lane in range(9)))
    assert sorted(out) == [3, 4, 5, 6, 7, 8]
    assert fed(rungs, *(StatusChanged(lane=lane, step=10, status="paused") for lane in out)) == []
    assert sorted(fed(rungs, *(steps(lane, 10, [float(lane)] * 20) for lane in range(3)))) == [1, 2]


def test_nan_ranks_last_and_ended_or_paused_lanes_are_not_awaited():
    rungs = of(4, rungs=(1 / 9,), keep=0.5)
    fed(
        rungs,
        steps(0, 0, [1.0] * 9 + [math.nan]),
        steps(1, 0, [5.0] * 5),
        Ended(lane=1, step=5, reason="nan"),
    )
    fed(rungs, StatusChanged(lane=3, step=0, status="paused"))
    # lanes 2 and then 0 or 1 or 3 lead; of those that race, all are kept
    assert fed(rungs, steps(2, 0, [7.0] * 10)) == []
    rungs = of(2, rungs=(1 / 9,), keep=0.5)
    assert fed(rungs, steps(0, 0, [1.0] * 9 + [math.nan]), steps(1, 0, [5.0] * 10)) == [0]


def test_a_lane_with_another_past_is_not_compared():
    rungs = of(3, rungs=(1 / 9,), keep=0.5)
    fed(rungs, Rewound(lane=0, step=3, why="rewound"))
    assert fed(rungs, steps(1, 0, [1.0] * 10), steps(2, 0, [2.0] * 10)) == [2]


def evaluated(lane, step, **metrics):
    return Evaluated(lane=lane, epoch=1, step=step, loss=1.0, metrics=metrics)


def ranked_by(lanes=2, seeds=1, **keys):
    """A race of lanes that are ranked as `keys` say."""
    task = TaskRef("bundled", "/nowhere.py", "nothing")
    made = [Lane(letter(i), f"lane {i}", OptimizerSpec("SGD"), 0.1) for i in range(lanes)]
    return Race("a race", task, with_seeds(made, seeds), seeds=seeds, **keys)


@pytest.mark.parametrize(
    ("keys", "values", "behind"),
    [
        ({}, [{"val_loss": 2.0}, {"val_loss": 1.0}], [0]),
        ({"rank_by": "loss"}, [{"val_loss": 2.0}, {"val_loss": 1.0}], [1]),
        ({"rank_by": "accuracy"}, [{"accuracy": 0.1}, {"accuracy": 0.9}], [0]),
        ({"rank_by": "accuracy", "best": "min"}, [{"accuracy": 0.1}, {"accuracy": 0.9}], [1]),
        ({"rank_by": "f1"}, [{"accuracy": 0.1}, {"accuracy": 0.9}], [1]),  # the loss stands in
        ({}, [{"val_loss": math.nan}, {"val_loss": 9.0}], [0]),
    ],
)
def test_lanes_are_compared_by_the_metric_of_their_race(keys, values, behind):
    race = ranked_by(**keys)
    for order in ([0, 1], [1, 0]):
        rungs = of(2, race, rungs=(1 / 9,), keep=0.5)
        found = []
        for lane in order:
            rungs.apply(steps(lane, 0, [1.0 + lane] * 10))
            rungs.apply(evaluated(lane, 10, **values[lane]))
            found += fed(rungs, LogMessage(lane=lane, text=WAITS))
        assert found == behind


def test_a_lane_whose_epoch_ends_at_the_rung_waits_a_step_later():
    rungs = of(2, ranked_by(), rungs=(1 / 9,), keep=0.5)
    for lane, loss in ((0, 2.0), (1, 1.0)):  # as a block that ends with the epoch is recorded
        rungs.apply(steps(lane, 0, [1.0] * 10))
        rungs.apply(evaluated(lane, 10, val_loss=loss))
        rungs.apply(LogMessage(lane=lane, text="of the epoch's end"))
        rungs.apply(steps(lane, 10, [1.0]))
        assert rungs.decisions() == []
        rungs.apply(LogMessage(lane=lane, text=WAITS))
    assert going_on(rungs) == [(1, 0)]
    assert [one.lane for one in rungs.decisions() if not one.stays] == [0]


def test_an_evaluation_after_the_rung_does_not_count():
    rungs = of(2, ranked_by(), rungs=(1 / 9,), keep=0.5)
    for lane, early, late in ((0, 1.0, 9.0), (1, 2.0, 0.1)):
        rungs.apply(steps(lane, 0, [1.0] * 5))
        rungs.apply(evaluated(lane, 5, val_loss=early))
        rungs.apply(steps(lane, 5, [1.0] * 6))
        rungs.apply(evaluated(lane, 11, val_loss=late))
    assert fed(rungs, LogMessage(lane=0, text=WAITS), LogMessage(lane=1, text=WAITS)) == [1]


def test_the_seeds_of_a_lane_stay_or_go_together_by_their_mean():
    rungs = of(4, ranked_by(2, seeds=2), rungs=(1 / 9,), keep=0.5)
    losses = [1.0, 5.0, 2.0, 2.5]  # of A1, A2, B1, B2
    assert sorted(fed(rungs, *(steps(i, 0, [one] * 10) for i, one in enumerate(losses)))) == [0, 1]


def test_a_lane_that_is_nan_with_one_seed_goes_first():
    rungs = of(4, ranked_by(2, seeds=2), rungs=(1 / 9,), keep=0.5)
    losses = [0.1, math.nan, 2.0, 2.5]
    assert sorted(fed(rungs, *(steps(i, 0, [one] * 10) for i, one in enumerate(losses)))) == [0, 1]


def test_a_seed_that_ended_in_an_error_says_nothing_about_its_lane():
    rungs = of(4, ranked_by(2, seeds=2), rungs=(1 / 9,), keep=0.5)
    fed(rungs, steps(0, 0, [0.1] * 5), Ended(lane=0, step=5, reason="error", error="no memory"))
    losses = {1: 0.1, 2: 2.0, 3: 2.5}
    assert sorted(fed(rungs, *(steps(i, 0, [one] * 10) for i, one in losses.items()))) == [2, 3]


def test_the_tables_of_a_scenario():
    def table(**raw):
        return Table(raw, "mine.toml", "x")

    assert read_pruning(table()) == Pruning()
    assert read_pruning(table(rungs=[0.25, 0.5], keep=0.5)) == Pruning((0.25, 0.5), 0.5)
    assert read_snapshots(table(seconds=2, last=5, megabytes=10, steps=100)) == Snapshots(
        2.0, 100, 5, 10
    )


@pytest.mark.parametrize(
    ("read", "raw", "key"),
    [
        (read_pruning, {"rungs": []}, "rungs"),
        (read_pruning, {"rungs": [0.5, 0.2]}, "rungs"),
        (read_pruning, {"rungs": [0.5, 1.0]}, "rungs"),
        (read_pruning, {"rungs": ["a"]}, "rungs"),
        (read_pruning, {"keep": 0}, "keep"),
        (read_pruning, {"keep": math.nan}, "keep"),
        (read_pruning, {"x": 1}, "x"),
        (read_snapshots, {"seconds": 0}, "seconds"),
        (read_snapshots, {"seconds": math.inf}, "seconds"),
        (read_snapshots, {"last": 0}, "last"),
        (read_snapshots, {"megabytes": 0.5}, "megabytes"),
        (read_snapshots, {"y": 1}, "y"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_key(read, raw, key):
    with pytest.raises(ScenarioError, match=rf"mine.toml: x\.{key}: "):
        read(Table(raw, "mine.toml", "x"))


def test_the_old_name_of_the_table_is_refused_with_the_new_one():
    raw = {"task": "linear-toy", "steps": 5, "lane": [{"lr": 0.1}], "relegation": {"rungs": [0.5]}}
    with pytest.raises(
        ScenarioError, match=r"mine.toml: relegation: the table is called \[pruning\] now"
    ):
        scenario_file.parse(raw, source="mine.toml", folder=Path("/nowhere"))


def test_runs_keep_the_name_that_they_were_written_with():
    raw = {"task": "linear-toy", "steps": 5, "lane": [{"lr": 0.1}], "pruning": {"rungs": [0.5]}}
    race = scenario_file.parse(raw, source="mine.toml", folder=Path("/nowhere"))
    assert json.loads(msgspec.json.encode(race))["relegation"] == {"rungs": [0.5], "keep": 1 / 3}
