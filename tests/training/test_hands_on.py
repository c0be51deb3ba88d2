"""A lane that is handled while it trains: the dial, snapshots, ways back, forks. Without a
supervisor, with real files."""

import math

import pytest

from lrtui.core.protocol.command_result import LANE_ENDED, done, snapshot_taken
from lrtui.core.protocol.commands import (
    Add,
    Pause,
    Resume,
    Rewind,
    ScaleRate,
    SetFactor,
    SetRate,
    Stop,
    TakeSnapshot,
)
from lrtui.core.protocol.events import (
    Alerted,
    Ended,
    LogMessage,
    RateChanged,
    Rewound,
    Started,
    Steps,
)
from lrtui.core.scenario.spec import Snapshots
from lrtui.store import snapshots
from lrtui.training.lane_assignment import LaneAssignment
from support.lane_runners import LANE, finish, kept, latest, numbers, of_kind, run_to, runner_of
from support.training import column, make_race, train

HOT = {"optimizer": "SGD", "lr": 1e12}


@pytest.fixture(autouse=True)
def _no_snapshot_by_the_clock(monkeypatch):
    """On a busy machine the first periodic snapshot would come after any of these few steps."""
    monkeypatch.setattr("lrtui.training.snapshot_writer.FIRST_S", math.inf)


def test_dial_applies_from_the_next_step_and_multiplies_the_schedule(tmp_path):
    race = make_race([LANE])
    runner, tape = runner_of(race, tmp_path)
    run_to(runner, 6)
    assert runner.execute(ScaleRate(lane=0, by=10.0)) == done("rate 0.05 from step 6")
    run_to(runner, 9)
    assert runner.execute(SetRate(lane=0, rate=0.001)) == done("rate 0.001 from step 9")
    run_to(runner, 10)
    assert runner.execute(SetFactor(lane=0, factor=1.0)) == done("rate 0.0025 from step 10")
    finish(runner)
    scheduled = column(train(race), "applied_lr")
    applied = column(tape.events, "applied_lr")
    factors = [1.0] * 6 + [10.0] * 3 + [0.4] + [1.0] * 2
    assert applied == pytest.approx(
        [rate * factor for rate, factor in zip(scheduled, factors, strict=True)], rel=1e-12
    )
    assert column(tape.events, "next_lr")[:-1] == applied[1:]
    assert applied[10:] == scheduled[10:]
    assert [(event.step, event.factor) for event in of_kind(tape, RateChanged)] == [
        (6, 10.0),
        (9, pytest.approx(0.4)),
        (10, 1.0),
    ]


@pytest.mark.parametrize(
    "command",
    [
        SetRate(lane=0, rate=0.0),
        SetRate(lane=0, rate=-1.0),
        SetRate(lane=0, rate=math.nan),
        ScaleRate(lane=0, by=math.inf),
        SetFactor(lane=0, factor=-2.0),
        Rewind(lane=0, by=0.0),
        Add(lane=-1, child=None),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(command, tmp_path):
    race = make_race([LANE])
    runner, tape = runner_of(race, tmp_path)
    run_to(runner, 5)
    assert not runner.execute(command).ok
    finish(runner)
    assert numbers(tape.events) == numbers(train(race))


def test_a_schedule_that_is_at_zero_can_be_scaled_but_not_be_set(tmp_path):
    schedule = {"name": "LambdaLR", "lr_lambda": "0 * step", "interval": "batch"}
    race = make_race([{"optimizer": "SGD", "lr": 0.1, "schedule": schedule}])
    runner, _ = runner_of(race, tmp_path)
    run_to(runner, 2)
    assert "the schedule is at 0 now" in runner.execute(SetRate(lane=0, rate=0.1)).text


@pytest.mark.parametrize(
    ("optimizer", "lr", "words"),
    [("Rprop", 0.01, "Rprop sizes its own steps"), ("Adafactor", 5.0, "1 / sqrt(t)")],
)
def test_where_the_dial_has_no_effect_the_lane_says_so(optimizer, lr, words, tmp_path):
    race = make_race([{"optimizer": optimizer, "lr": lr}])
    runner, tape = runner_of(race, tmp_path)
    run_to(runner, 3)
    assert words in runner.execute(ScaleRate(lane=0, by=2.0)).text
    assert not of_kind(tape, RateChanged)


def test_what_comes_too_late_is_refused(tmp_path):
    runner, _ = runner_of(make_race([LANE]), tmp_path)
    finish(runner)
    for command in (
        SetRate(lane=0, rate=1.0),
        Pause(lane=0),
        Resume(lane=0),
        Stop(lane=0),
        TakeSnapshot(lane=0),
    ):
        assert runner.execute(command) == LANE_ENDED


@pytest.mark.parametrize("step", [1, 4, 5, 8, 11])
def test_a_lane_that_is_sent_back_does_the_same_again(step, tmp_path):
    race = make_race([LANE])
    runner, tape = runner_of(race, tmp_path)
    run_to(runner, step).execute(TakeSnapshot(lane=0), 7)
    run_to(runner, 12)
    assert runner.execute(Rewind(lane=0, to=step)) == done(
        f"back at step {step}, rate {runner._lane.training.next_rate:g}"
    )
    finish(runner)
    assert latest(tape.events) == column(train(race))
    assert tape.results == {7: snapshot_taken(f"{step:09d}-fork.snap", step)}
    assert [event.reason for event in of_kind(tape, Ended)] == ["finished"]


def test_ended_lane_is_rewound_to_its_last_good_snapshot_at_a_lower_rate(tmp_path):
    race = make_race([LANE], on_nan="stop")
    runner, tape = runner_of(race, tmp_path)
    run_to(runner, 3).execute(TakeSnapshot(lane=0))
    runner.execute(SetFactor(lane=0, factor=1e14))
    finish(runner)
    assert tape.events[-1].reason == "nan"
    assert runner.execute(Rewind(lane=0, by=0.5)) == done("back at step 3, rate 0.005")
    assert not runner.over
    finish(runner)
    assert tape.events[-1].reason == "finished"
    assert latest(tape.events)[:3] == column(train(race))[:3]
    assert [(event.why, event.step) for event in of_kind(tape, Rewound)] == [("rewound", 3)]
    assert all(map(math.isfinite, latest(tape.events)))


def test_what_came_after_the_way_back_leaves_no_snapshot_behind(tmp_path):
    runner, _ = runner_of(make_race([LANE]), tmp_path)
    for step in (2, 5, 7):
        run_to(runner, step).execute(TakeSnapshot(lane=0))
    runner.execute(Rewind(lane=0, to=6))
    assert kept(runner, tmp_path) == [(2, "fork"), (5, "fork")]


def test_restart_uses_the_initial_weights_and_the_scheduled_rate(tmp_path):
    race = make_race([LANE])
    runner, tape = runner_of(race, tmp_path)
    run_to(runner, 5).execute(TakeSnapshot(lane=0))
    runner.execute(ScaleRate(lane=0, by=0.1))
    run_to(runner, 7)
    assert runner.execute(Rewind(lane=0, to=0)) == done("back at step 0, rate 0.01")
    finish(runner)
    assert latest(tape.events) == column(train(race))
    assert latest(tape.events, "applied_lr") == column(train(race), "applied_lr")
    assert [event.why for event in of_kind(tape, Rewound)] == ["restarted"]
    assert kept(runner, tmp_path) == [(12, "stop")]


@pytest.mark.parametrize("step", [3, 4])
def test_a_new_process_goes_on_as_if_nothing_had_happened(step, tmp_path):
    race = make_race([LANE])
    runner, tape = runner_of(race, tmp_path)
    run_to(runner, step).execute(TakeSnapshot(lane=0))
    run_to(runner, step + 1).execute(ScaleRate(lane=0, by=3.0))
    run_to(runner, step + 3)
    told = list(tape.events)
    expected, whole = runner_of(race, tmp_path / "whole")
    (tmp_path / "whole").mkdir()
    run_to(expected, step + 1).execute(ScaleRate(lane=0, by=3.0))
    finish(expected)

    changes = tuple((event.step, event.factor) for event in of_kind(tape, RateChanged))
    again, more = runner_of(
        race, tmp_path, LaneAssignment(0, "cpu", "last", "recovered", changes=changes)
    )
    finish(again)
    assert latest(told + more.events) == column(whole.events)
    assert latest(told + more.events, "applied_lr") == column(whole.events, "applied_lr")
    # at an epoch's end the last step is told when its next rate is known
    assert of_kind(more, Rewound)[0].step == 3


def test_a_damaged_snapshot_is_passed_over_with_a_line_in_the_log(tmp_path):
    race = make_race([LANE])
    runner, tape = runner_of(race, tmp_path)
    for step in (2, 5):
        run_to(runner, step).execute(TakeSnapshot(lane=0))
    kept(runner, tmp_path)
    newest = snapshots.listing(tmp_path, "A")[-1].path
    newest.write_bytes(newest.read_bytes()[:-10])
    again, more = runner_of(race, tmp_path, LaneAssignment(0, "cpu", "last", "resumed"))
    finish(again)
    assert latest(tape.events + more.events) == column(train(race))
    assert "the snapshot after step 5 is damaged" in of_kind(more, LogMessage)[0].text
    assert of_kind(more, Rewound)[0].step == 2


def test_without_any_snapshot_a_lost_lane_begins_anew_but_a_fork_cannot(tmp_path):
    race = make_race([LANE])
    runner, tape = runner_of(race, tmp_path, LaneAssignment(0, "cpu", "last", "recovered"))
    finish(runner)
    assert latest(tape.events) == column(train(race))
    fork, tape = runner_of(race, tmp_path / "none", LaneAssignment(0, "cpu", "last", forked_at=5))
    finish(fork)
    assert tape.events[-1].reason == "error"
    assert "no sound snapshot" in tape.events[-1].error


@pytest.mark.parametrize("rate", [None, 0.002])
def test_a_fork_goes_on_from_its_parents_snapshot(rate, tmp_path):
    race = make_race([LANE, LANE])
    runner, _ = runner_of(race, tmp_path)
    run_to(runner, 5).execute(TakeSnapshot(lane=0))
    kept(runner, tmp_path)
    snapshots.link_into(snapshots.listing(tmp_path, "A")[-1], tmp_path, "B", "fork")
    child, said = runner_of(
        race, tmp_path, LaneAssignment(1, "cpu", "last", rate=rate, forked_at=5)
    )
    finish(child)
    assert of_kind(said, Started)[0].first == 5
    own = [value for event in of_kind(said, Steps) for value in event.values("applied_lr").tolist()]
    if rate is None:
        assert column(said.events) == column(train(race))[5:]
        assert own == column(train(race), "applied_lr")[5:]
    else:
        assert own[0] == pytest.approx(rate)
    assert not child.execute(Rewind(lane=1, to=3)).ok


@pytest.mark.parametrize(("policy", "rewinds"), [("stop", 0), ("rewind", 3)])
def test_on_nan_may_send_a_lane_back_three_times(policy, rewinds, tmp_path):
    race = make_race([HOT], on_nan=policy, epochs=20)
    runner, tape = runner_of(race, tmp_path)
    finish(runner)
    assert len(of_kind(tape, Rewound)) == rewinds
    assert [event.reason for event in of_kind(tape, Ended)] == ["nan"]
    assert [round(event.factor * 8) for event in of_kind(tape, RateChanged)] == [4, 2, 1][:rewinds]


def test_on_divergence_rewind_lowers_the_rate_until_it_holds(tmp_path):
    race = make_race(
        [{"optimizer": "SGD", "lr": 0.01}],
        task="Plain",
        on_divergence="rewind",
        on_nan="rewind",
        epochs=20,
    )
    runner, tape = runner_of(race, tmp_path)
    run_to(runner, 20).execute(TakeSnapshot(lane=0))
    runner.execute(ScaleRate(lane=0, by=1e6))
    finish(runner)
    assert {event.kind for event in of_kind(tape, Alerted)} <= {"nan", "diverged"}
    assert of_kind(tape, Rewound)[0].step == 20
    assert tape.events[-1].reason == "finished"


def test_a_pause_a_stop_and_every_so_many_steps_leave_a_snapshot(tmp_path):
    race = make_race([LANE], snapshots={"steps": 4, "last": 2})
    assert race.snapshots == Snapshots(steps=4, last=2)
    runner, tape = runner_of(race, tmp_path)
    run_to(runner, 3).execute(Pause(lane=0))
    runner.execute(Resume(lane=0))
    run_to(runner, 7).execute(Stop(lane=0))
    assert [(step, tag) for step, tag in kept(runner, tmp_path) if tag in ("pause", "stop")] == [
        (3, "pause"),
        (7, "stop"),
    ]
    assert tape.snapshotted[0].tag == "pause"


def test_a_lane_has_no_more_on_disk_than_its_share(tmp_path):
    race = make_race([LANE], epochs=40, snapshots={"last": 50, "megabytes": 1})
    runner, tape = runner_of(race, tmp_path)
    for step in range(1, 100):
        run_to(runner, step).execute(TakeSnapshot(lane=0))
    runner._snapshots.wait_until_idle()
    assert all(event.total <= 1_000_000 for event in tape.snapshotted)
    assert len(kept(runner, tmp_path)) == 3  # of each tag with a reason of its own, the last three


def test_a_paused_lane_that_is_taken_up_says_where_it_stands_and_waits(tmp_path):
    race = make_race([LANE])
    runner, tape = runner_of(race, tmp_path)
    run_to(runner, 5).execute(Pause(lane=0))
    kept(runner, tmp_path)
    again, more = runner_of(
        race, tmp_path, LaneAssignment(0, "cpu", "last", "resumed", paused=True)
    )
    again.announce_paused()
    assert (again.paused, again.steps) == (True, 5)
    assert [event.step for event in of_kind(more, Rewound)] == [5]
    assert more.events[-1].status == "paused"
    assert again.execute(Resume(lane=0)) == done("running")
    finish(again)
    assert latest(tape.events + more.events) == column(train(race))


def test_lane_stays_interrupted_while_its_task_is_another_one(tmp_path):
    """It can be resumed once the task is again the one that it was trained on."""
    race = make_race([LANE])
    runner, tape = runner_of(race, tmp_path)
    run_to(runner, 5).interrupt("SIGTERM")
    kept(runner, tmp_path)
    assert tape.events[-1].error == "SIGTERM"
    other = make_race([LANE], task="Plain")
    wrong, said = runner_of(other, tmp_path, LaneAssignment(0, "cpu", "last", "resumed"))
    finish(wrong)
    assert [type(event) for event in said.events] == [LogMessage, Ended]
    assert said.events[0].text.startswith(
        "the lane cannot be resumed: lane A: the snapshot after step 5 does not fit"
    )
    assert said.events[1].reason == "interrupted"
    again, more = runner_of(race, tmp_path, LaneAssignment(0, "cpu", "last", "resumed"))
    finish(again)
    assert latest(tape.events + more.events) == column(train(race))


def test_a_lane_rewound_by_an_idle_trainer_fails_by_its_task(tmp_path, monkeypatch):
    """Its error is the task's and not one of resuming, once the lane is built."""
    race = make_race([LANE])
    runner, _ = runner_of(race, tmp_path)
    run_to(runner, 5).execute(TakeSnapshot(lane=0))
    kept(runner, tmp_path)
    idle, tape = runner_of(race, tmp_path, LaneAssignment(0, "cpu", "idle", "rewound"))
    assert idle.execute(Rewind(lane=0, to=5)).ok

    def broken(model, batch):
        raise ValueError("a broken batch")

    monkeypatch.setattr(idle._lane.training.task, "loss", broken)
    finish(idle)
    assert (tape.events[-1].reason, "broken batch" in tape.events[-1].error) == ("error", True)
