"""A lane that was lengthened is the lane that had been that long from the start, bit for bit, where
its schedule does not depend on the length."""

import math

import pytest

from lrtui.core.protocol.command_result import refused
from lrtui.core.protocol.commands import Lengthen, Pause, Resume, Stop, TakeSnapshot
from lrtui.core.protocol.events import (
    Ended,
    Evaluated,
    Rewound,
    ScheduleForecast,
    Started,
    StatusChanged,
)
from lrtui.core.scenario.spec import Length, with_lane
from lrtui.core.state.race_state import RaceState, apply
from lrtui.store import snapshots
from lrtui.training import best_weights
from lrtui.training.lane_assignment import LaneAssignment
from support.lane_runners import finish, kept, latest, of_kind, run_to, runner_of
from support.training import column, make_race, other_race, train

PLAIN = {"optimizer": "SGD", "lr": 0.01, "momentum": 0.9}
STEP_LR = {**PLAIN, "schedule": {"name": "StepLR", "step_size": 1, "gamma": 0.5}}
COSINE = {**PLAIN, "schedule": "cosine"}
LOOKS = {**PLAIN, "schedule": {"name": "ReduceLROnPlateau", "patience": 0}}


def lengthened(race, folder, command, at=None):
    """The lane after it was lengthened at step `at` (None: at its end), and trained to its new
    end."""
    runner, tape = runner_of(race, folder)
    result = (run_to(runner, at) if at is not None else finish(runner)).execute(command)
    assert result.ok, result
    return finish(runner), tape, result


def seen(race, tape):
    """The record as a viewer folds it."""
    state = RaceState(race)
    for event in tape.events:
        assert apply(state, event)
    return state.lanes[0]


@pytest.mark.parametrize("at", [0, 1, 3, 4, 7, None])
@pytest.mark.parametrize(
    ("short", "command", "long"),
    [
        ({"epochs": 2}, Lengthen(0, epochs=2), {"epochs": 4}),
        ({"steps": 6}, Lengthen(0, steps=5), {"steps": 11}),
        ({"epochs": 2}, Lengthen(0, steps=3), {"steps": 11}),
        ({"steps": 6}, Lengthen(0, epochs=1), {"steps": 10}),
        (
            {"steps": 8, "validate_every": 3},
            Lengthen(0, steps=3),
            {"steps": 11, "validate_every": 3},
        ),
    ],
)
def test_lengthened_lane_equals_one_that_was_so_long_from_the_start(
    short, command, long, at, tmp_path
):
    if at is not None and at > short.get("steps", 8):
        pytest.skip("it has ended by then")
    task, lane = "Dropped", STEP_LR
    _, tape, _ = lengthened(make_race([lane], task=task, **short), tmp_path, command, at)
    told, alone = (
        seen(make_race([lane], task=task, **short), tape),
        train(make_race([lane], task=task, **long)),
    )
    assert latest(tape.events) == column(alone)
    assert latest(tape.events, "applied_lr") == column(alone, "applied_lr")
    # with validate_every, the old end was validated, too
    steps, values = (column.tolist() for column in told.evaluations.metric("val_loss"))
    assert {
        (event.step, event.metrics["val_loss"])
        for event in alone
        if isinstance(event, Evaluated) and event.metrics
    } <= set(zip(steps, values, strict=True))
    assert told.status == "finished"
    assert told.total_steps == told.steps == len(column(alone))
    assert told.abandoned == []


class TestTheSchedule:
    def test_goes_on_as_its_formula_says(self, tmp_path):
        race = make_race([COSINE], epochs=2)
        _, tape, result = lengthened(race, tmp_path, Lengthen(0, epochs=2))
        rates = latest(tape.events, "applied_lr")
        assert rates[:8] == column(train(race), "applied_lr")
        assert rates[8] == pytest.approx(0.0)
        assert rates[9:] == pytest.approx(rates[7:0:-1])  # a wave: it rises again
        assert result.text == (
            "trains on from step 8 to step 16; cosine, made for 8 steps, goes on as its formula"
            " says: rate 0 now, 0.009619 at the end"
        )

    @pytest.mark.parametrize("at", [3, None])
    def test_made_anew_is_that_of_a_lane_so_long_from_there_on(self, at, tmp_path):
        short, long = make_race([COSINE], epochs=2), make_race([COSINE], epochs=4)
        _, tape, result = lengthened(short, tmp_path, Lengthen(0, epochs=2, reschedule=True), at)
        rates, first = latest(tape.events, "applied_lr"), at or 8
        assert rates[:first] == column(train(short), "applied_lr")[:first]
        assert rates[first:] == column(train(long), "applied_lr")[first:]
        assert "cosine is made for all 16 steps" in result.text

    def test_that_has_ended_holds_its_last_rate(self, tmp_path):
        race = make_race([{**PLAIN, "schedule": "OneCycleLR"}], epochs=2)
        runner, tape, result = lengthened(race, tmp_path, Lengthen(0, epochs=1))
        rates = latest(tape.events, "applied_lr")
        assert rates[8:] == [rates[8]] * 4
        assert "OneCycleLR, made for 8 steps, has ended: its last rate is held" in result.text
        assert of_kind(tape, Ended)[-1].reason == "finished"
        # and once more, from the state of a schedule that has ended
        assert runner.execute(Lengthen(0, steps=1)).ok
        finish(runner)
        assert latest(tape.events, "applied_lr")[8:] == [rates[8]] * 5

    def test_of_a_metric_keeps_what_it_has_seen(self, tmp_path):
        race = make_race([LOOKS], task="Dropped", epochs=4)
        _, tape, result = lengthened(
            make_race([LOOKS], epochs=2), tmp_path, Lengthen(0, epochs=2, reschedule=True)
        )
        assert latest(tape.events, "applied_lr") == column(train(race), "applied_lr")
        assert "it follows the validation loss, whatever the length" in result.text

    def test_forecast_is_told_anew_for_the_whole_length(self, tmp_path):
        _, tape, _ = lengthened(
            make_race([STEP_LR], epochs=2), tmp_path, Lengthen(0, epochs=2), at=3
        )
        assert [event.total for event in of_kind(tape, ScheduleForecast)] == [8, 16]
        assert [event.total_steps for event in of_kind(tape, Started)] == [8, 16]


class TestTheLength:
    def test_of_a_stopped_lane_counts_from_its_last_step(self, tmp_path):
        race = make_race([PLAIN], epochs=4)
        runner, tape = runner_of(race, tmp_path)
        run_to(runner, 5).execute(Stop(0))
        assert runner.execute(Lengthen(0, steps=4)).ok
        finish(runner)
        assert seen(race, tape).steps == 9
        assert latest(tape.events) == column(train(race))[:9]

    def test_may_end_with_a_pause_that_a_resume_ends(self, tmp_path):
        race = make_race([STEP_LR], epochs=1)
        runner, tape, result = lengthened(race, tmp_path, Lengthen(0, epochs=1, pause=True))
        assert result.text.startswith("trains on from step 4 to step 8, where it pauses")
        assert (runner.paused, runner.over, runner.steps) == (True, False, 8)
        assert seen(race, tape).evaluations.metric("val_loss")[0].tolist() == [4, 8]
        assert (8, "pause") in kept(runner, tmp_path)
        runner.execute(Resume(0))
        assert finish(runner).over
        assert of_kind(tape, Ended)[-1].reason == "finished"

    @pytest.mark.parametrize("length", [{"epochs": 1}, {"steps": 3}])
    def test_paused_at_its_end_a_lane_is_lengthened_like_any_other(self, length, tmp_path):
        race = make_race([STEP_LR], **length)
        runner, tape, _ = lengthened(race, tmp_path, Lengthen(0, steps=2, pause=True))
        assert runner.execute(Lengthen(0, steps=2, pause=True)).ok
        finish(runner)
        end = length.get("steps", 4) + 4
        assert (runner.paused, runner.steps) == (True, end)
        runner.execute(Resume(0))
        finish(runner)
        assert latest(tape.events) == column(train(make_race([STEP_LR], steps=end)))

    def test_paused_lane_stays_paused(self, tmp_path):
        race = make_race([PLAIN], epochs=2)
        runner, tape = runner_of(race, tmp_path)
        run_to(runner, 3).execute(Pause(0))
        assert runner.execute(Lengthen(0, steps=1)).ok
        assert runner.paused
        assert seen(race, tape).status == "paused"
        runner.execute(Resume(0))
        finish(runner)
        assert of_kind(tape, StatusChanged)[-1].status == "running"
        assert latest(tape.events) == column(train(make_race([PLAIN], steps=9)))

    def test_recovered_lane_keeps_the_length_and_the_new_schedule(self, tmp_path):
        race = make_race([COSINE], epochs=2)
        runner, tape = runner_of(race, tmp_path)
        run_to(runner, 3).execute(Lengthen(0, epochs=2, reschedule=True))
        kept(runner, tmp_path)
        run_to(runner, 5)
        longer = seen(race, tape).lane
        assert (longer.length, longer.schedule_length) == (Length(16, 4, True), Length(16, 4))
        again, later = runner_of(
            with_lane(race, 0, longer), tmp_path, LaneAssignment(0, "cpu", "last", "recovered")
        )
        finish(again)
        finish(runner)
        assert of_kind(later, Rewound)[0].step == 3
        assert column(later.events) == latest(tape.events)[3:]
        assert column(later.events, "applied_lr") == latest(tape.events, "applied_lr")[3:]


def test_what_was_kept_after_the_state_to_go_on_from_is_forgotten(tmp_path, monkeypatch):
    monkeypatch.setattr(best_weights, "FREE_S", math.inf)
    race = make_race([{"optimizer": "SGD", "lr": 0.01}], epochs=3)
    runner, tape = runner_of(race, tmp_path)
    run_to(runner, 5).execute(TakeSnapshot(0))
    finish(runner)
    assert kept(runner, tmp_path)[-1] == (12, "stop")
    for one in snapshots.listing(tmp_path, "A"):  # as of a lane that went NaN
        if one.step > 5:
            snapshots.remove(one)
    assert snapshots.best_weights(tmp_path, "A").step == 12
    assert runner.execute(Lengthen(0, steps=5, reschedule=True)).ok
    assert of_kind(tape, Rewound)[-1].step == 5
    best = snapshots.best_weights(tmp_path, "A")
    assert best is None or best.step <= 5


class TestRefused:
    def test_epochs_of_unknown_length(self, tmp_path):
        race = other_race("EndlessLoader", PLAIN, steps=4)
        runner, tape = runner_of(race, tmp_path)
        for at in (2, 4):
            result = run_to(runner, at).execute(Lengthen(0, epochs=1))
            assert result == refused(
                "the training data has no length, so that epochs have no number of steps"
            )
        finish(runner)
        assert not runner.execute(Lengthen(0, epochs=1)).ok
        assert of_kind(tape, Rewound) == []
        assert of_kind(tape, Ended)[-1].reason == "finished"

    def test_lane_without_a_snapshot(self, tmp_path):
        runner, tape = runner_of(make_race([PLAIN], epochs=1), tmp_path)
        finish(runner)
        kept(runner, tmp_path)
        for one in snapshots.listing(tmp_path, "A"):
            snapshots.remove(one)
        assert runner.execute(Lengthen(0, steps=1)) == refused(
            "it has left no snapshot to go on from: restart it"
        )
        assert of_kind(tape, Rewound) == []

    @pytest.mark.parametrize("command", [Lengthen(0), Lengthen(0, 1, 1), Lengthen(0, -1)])
    def test_no_number_above_zero(self, command, tmp_path):
        runner, _ = runner_of(make_race([PLAIN], epochs=1), tmp_path)
        assert not run_to(runner, 1).execute(command).ok
