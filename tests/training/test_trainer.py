"""Lanes that share one trainer are what they would be alone: to the bit, paused or not,
whatever befalls the others."""

import re
from functools import partial

import pytest
import torch

from lrtui.core.protocol.command_result import LANE_ENDED, done
from lrtui.core.protocol.commands import Pause, Resume, Stop
from lrtui.core.protocol.events import Alerted, Ended, Snapshotted, Started, StatusChanged, Steps
from lrtui.core.state.race_state import RaceState, apply
from lrtui.store import snapshots
from lrtui.store.reader import Reader
from lrtui.store.recorder import Recorder
from lrtui.store.writer import Writer, create_run
from lrtui.training import lane_runner as runner_module
from lrtui.training.session import Training
from lrtui.training.trainer import run_round_robin
from support.lane_runners import Tape, numbers, run_shortest_slices, runners_of
from support.training import column, make_race, train

LANES = [
    {"lr": 0.01},
    {"optimizer": "SGD", "lr": 0.05, "momentum": 0.9},
    {"optimizer": "AdamW", "lr": 0.002, "schedule": "linear"},
]
TOO_HIGH = {"optimizer": "SGD", "lr": 3.0}


def seen_whole(events):
    """The steps of a lane, held to be there once each and in order."""
    done = 0
    for event in events:
        if isinstance(event, Steps):
            assert event.first == done
            done += event.count
    return done


class Staying:
    """Nobody wants the trainer to leave."""

    reason = ""


def record(race, path, commands=()):
    """Trains all lanes in one trainer, through a real store; the events of each lane, and the
    run."""
    run = create_run(path, race)
    writer = Writer(run, "viewer")
    for command in commands:
        writer.send(command)
    writer.close()
    recorder = Recorder(run, "trainer 0", set(range(len(race.lanes))))
    runners = runners_of(race, recorder, run)
    run_round_robin({runner.index: runner for runner in runners}, recorder, Staying())
    runners[0]._snapshots._writer.close(10.0)
    recorder.close()
    reader = Reader(run)
    events = reader.poll(budget_s=60.0)
    assert reader.caught_up
    reader.close()
    events = [event for event in events if not isinstance(event, Snapshotted)]
    return [
        [event for event in events if event.lane == index] for index in range(len(race.lanes))
    ], run


def test_lanes_that_take_turns_are_bit_identical_to_lanes_alone(tmp_path):
    race, tape = make_race(LANES), Tape()
    run_shortest_slices(runners_of(race, tape, tmp_path))
    for index in range(3):
        assert numbers(tape.of(index)) == numbers(train(race, index))


def test_lanes_recorded_in_a_store_are_bit_identical_to_lanes_alone(tmp_path):
    race = make_race(LANES, epochs=8)
    lanes, _ = record(race, tmp_path)
    for index, events in enumerate(lanes):
        assert numbers(events) == numbers(train(race, index))
        assert seen_whole(events) == 32
        assert events[-1].reason == "finished"


def test_a_pace_changes_no_number(tmp_path):
    race, tape = make_race(LANES, pace=100_000), Tape()
    run_shortest_slices(runners_of(race, tape, tmp_path))
    for index in range(3):
        assert numbers(tape.of(index)) == numbers(train(race, index))


@pytest.fixture(params=["read at once", "read by the block"])
def reading(request, monkeypatch):
    """How a lane reads its numbers: as on the CPU, or as on an accelerator."""
    deferred = request.param == "read by the block"
    monkeypatch.setattr(runner_module, "Training", partial(Training, deferred=deferred))
    return deferred


# A lane of three epochs of four steps with validation and samples yields some thirty items: a pause
# after each of them.
@pytest.mark.parametrize("after", range(0, 36, 3))
def test_a_pause_anywhere_changes_no_number_and_loses_no_step(after, reading, tmp_path):
    race, tape = make_race(LANES[:2]), Tape()
    runners = runners_of(race, tape, tmp_path)
    for offset in range(3):
        for _ in range(after + offset if not offset else 1):
            runners[0].run(seconds=0.0)
        if not runners[0].over:
            assert runners[0].execute(Pause(lane=0)) == done("paused")
            runners[1].run(seconds=0.0)
            assert runners[0].execute(Resume(lane=0)) == done("running")
    run_shortest_slices(runners)
    assert numbers(tape.of(0)) == numbers(train(race, 0, deferred=reading))
    assert numbers(tape.of(1)) == numbers(train(race, 1, deferred=reading))
    assert seen_whole(tape.of(0)) == 12


def test_a_paused_lane_does_not_train_while_the_others_do(tmp_path):
    race, tape = make_race(LANES[:2]), Tape()
    runners = runners_of(race, tape, tmp_path)
    for _ in range(5):
        runners[0].run(seconds=0.0)
    runners[0].execute(Pause(lane=0))
    steps = runners[0].steps
    run_shortest_slices(runners)
    assert runners[1].over
    assert not runners[0].over
    assert runners[0].steps == steps
    assert [event.status for event in tape.of(0) if isinstance(event, StatusChanged)] == ["paused"]
    runners[0].execute(Resume(lane=0))
    run_shortest_slices(runners)
    assert numbers(tape.of(0)) == numbers(train(race, 0))


def test_a_pause_tells_all_steps_done_by_then(tmp_path):
    race, tape = make_race(LANES[:1]), Tape()
    runner = runners_of(race, tape, tmp_path)[0]
    while runner.steps < 2:
        runner.run(seconds=0.0)
    runner.execute(Pause(lane=0))
    said = tape.events[-1]
    assert isinstance(said, StatusChanged)
    assert said.step == seen_whole(tape.events) == runner.steps == 2


def test_commands_that_come_too_late_or_twice_say_so(tmp_path):
    race, tape = make_race(LANES[:1]), Tape()
    runner = runners_of(race, tape, tmp_path)[0]
    assert runner.execute(Resume(lane=0)) == done("not paused")
    assert runner.execute(Pause(lane=0)) == done("paused")
    assert runner.execute(Pause(lane=0)) == done("already paused")
    assert runner.execute(Stop(lane=0)) == done("stopped")
    assert runner.execute(Stop(lane=0)) == LANE_ENDED
    assert [event.reason for event in tape.events if isinstance(event, Ended)] == ["stopped"]


@pytest.mark.parametrize("after", range(1, 18))
@pytest.mark.usefixtures("reading")
def test_stop_keeps_every_step_that_was_done(after, tmp_path):
    race, tape = make_race(LANES[:1]), Tape()
    runner = runners_of(race, tape, tmp_path)[0]
    for _ in range(after):
        runner.run(seconds=0.0)
    assert runner.execute(Stop(lane=0)) == done("stopped")
    assert isinstance(tape.events[-1], Ended)
    assert tape.events[-1].reason == "stopped"
    assert tape.events[-1].step == seen_whole(tape.events)
    assert column(tape.events) == column(train(race))[: tape.events[-1].step]


@pytest.mark.usefixtures("reading")
@pytest.mark.parametrize("command", [Pause, Stop])
def test_a_lane_that_exploded_unseen_ends_as_nan_whatever_is_said_to_it(command, tmp_path):
    """On an accelerator a bad step is found when a block is read: a pause or a stop reads it."""
    race, tape = make_race([{"optimizer": "SGD", "lr": 1e12}], task="Plain", epochs=20), Tape()
    runner = runners_of(race, tape, tmp_path)[0]
    while runner.steps < 8 and not runner.over:
        runner.run(seconds=0.0)
    runner.execute(command(lane=0))
    if not runner.over:
        runner.execute(Resume(lane=0))
        run_shortest_slices([runner])
    expected = train(race)
    assert numbers(tape.events)[0][0][:-1] == numbers(expected)[0][0][:-1]
    assert seen_whole(tape.events) == len(column(expected))
    assert [event.kind for event in tape.events if isinstance(event, Alerted)][-1] == "nan"
    assert [event.reason for event in tape.events if isinstance(event, Ended)] == ["nan"]


def test_commands_reach_their_lane_through_the_store_and_are_acknowledged(tmp_path):
    race = make_race(LANES, task="Slow", epochs=200)
    lanes, run = record(
        race, tmp_path, [Stop(lane=1), Stop(lane=0), Pause(lane=2), Resume(lane=2), Stop(lane=2)]
    )
    assert [events[-1].reason for events in lanes] == ["stopped"] * 3
    assert [event.status for event in lanes[2] if isinstance(event, StatusChanged)] == [
        "paused",
        "running",
    ]
    reader = Reader(run)
    assert reader.results([1, 2, 3, 4, 5]) == {
        1: done("stopped"),
        2: done("stopped"),
        3: done("paused"),
        4: done("running"),
        5: done("stopped"),
    }
    reader.close()


@pytest.mark.parametrize(
    ("task", "line"),
    [
        ("Raises", "RuntimeError: [bold]the task broke[/bold]"),
        ("Quits", "SystemExit: enough"),
        ("Interrupts", "KeyboardInterrupt: enough"),
    ],
)
def test_an_error_in_a_task_ends_its_lane_with_a_traceback_and_no_other(task, line, tmp_path):
    race = make_race(
        [{"optimizer": "SGD", "lr": 0.01}, TOO_HIGH, {"lr": 0.02}], task=task, epochs=20
    )
    lanes, _ = record(race, tmp_path)
    plain = make_race(
        [{"optimizer": "SGD", "lr": 0.01}, TOO_HIGH, {"lr": 0.02}], task="Plain", epochs=20
    )
    assert [events[-1].reason for events in lanes] == ["finished", "error", "finished"]
    for index in (0, 2):
        assert numbers(lanes[index]) == numbers(train(plain, index))
    end, alert = lanes[1][-1], lanes[1][-2]
    assert end.error.rstrip().endswith(line)
    assert "tasks_for_tests.py" in end.error
    assert "\x1b" not in end.error
    assert isinstance(alert, Alerted)
    assert alert.kind == "error"
    assert re.fullmatch(re.escape(line) + r" \(tasks_for_tests\.py:\d+\)", alert.text)
    assert end.step == seen_whole(lanes[1]) > 0
    assert column(lanes[1]) == column(train(plain, 1))[: end.step]


def test_an_error_in_validation_still_tells_the_step_before_it(tmp_path):
    race, tape = make_race(LANES[:1], task="RaisesInMetrics"), Tape()
    run_shortest_slices(runners_of(race, tape, tmp_path))
    assert tape.events[-1].reason == "error"
    assert "no metrics today" in tape.events[-1].error
    assert tape.events[-1].step == seen_whole(tape.events) == 4


def test_a_task_that_cannot_be_built_fails_like_any_other(tmp_path):
    race, tape = make_race(LANES[:1], task="Unbuildable"), Tape()
    run_shortest_slices(runners_of(race, tape, tmp_path))
    assert [type(event) for event in tape.events] == [Alerted, Ended]
    assert "no weights" in tape.events[-1].error


def test_a_lane_that_has_ended_holds_nothing_any_more(tmp_path):
    race, tape = make_race(LANES[:1]), Tape()
    runner = runners_of(race, tape, tmp_path)[0]
    run_shortest_slices([runner])
    assert runner._lane is None


def test_leaving_tells_the_steps_done_and_that_somebody_may_go_on(tmp_path):
    race, tape = make_race(LANES[:1]), Tape()
    runner = runners_of(race, tape, tmp_path)[0]
    for _ in range(6):
        runner.run(seconds=0.0)
    steps = runner.steps
    runner.interrupt("SIGTERM")
    assert seen_whole(tape.events) == steps > 0
    assert [event.reason for event in tape.events if isinstance(event, Ended)] == ["interrupted"]
    runner._snapshots.wait_until_idle()
    assert [(kept.step, kept.tag) for kept in snapshots.listing(tmp_path, "A")] == [(steps, "stop")]


def test_the_global_generators_are_each_lanes_own(tmp_path):
    """A lane that draws from Python's and numpy's generators gets the same numbers alone and among
    others."""
    race = make_race([{"lr": 0.01}, {"lr": 0.02}], task="DrawsEverywhere")
    tape = Tape()
    run_shortest_slices(runners_of(race, tape, tmp_path))
    for index in range(2):
        assert numbers(tape.of(index)) == numbers(train(race, index))


def test_the_state_that_a_viewer_folds_agrees_with_the_loop(tmp_path):
    race = make_race(LANES)
    lanes, _ = record(race, tmp_path)
    state = RaceState(race)
    for events in lanes:
        for event in events:
            apply(state, event)
    for lane, events in zip(state.lanes, lanes, strict=True):
        assert isinstance(events[0], Started)
        assert lane.steps == lane.total_steps == 12
        assert lane.losses.last == column(events)[-1]
        assert lane.losses.best == min(column(events))
        assert lane.status == "finished"
    assert torch.get_num_threads() == lanes[0][0].intra_op_threads
