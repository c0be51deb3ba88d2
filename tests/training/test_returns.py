"""What comes back: lanes and commands after a supervisor or a trainer was lost at an awkward
moment."""

import os
import signal
import types
from functools import partial

import msgspec
import pytest

from lrtui.client.launcher import Launcher
from lrtui.client.lr_finder import LrFinder, plan
from lrtui.core.errors import StoreUnavailable
from lrtui.core.protocol.command_result import done, refused, snapshot_taken
from lrtui.core.protocol.commands import (
    Fork,
    Pause,
    Resume,
    Rewind,
    ScaleRate,
    SetFactor,
    TakeSnapshot,
)
from lrtui.core.protocol.events import (
    Alerted,
    Column,
    Ended,
    LaneAdded,
    LogMessage,
    RateChanged,
    Rewound,
    Started,
    Steps,
)
from lrtui.core.protocol.launch_protocol import HookCommands
from lrtui.core.results.successive_halving import WAITS, SuccessiveHalving
from lrtui.core.scenario.scenario_file import load
from lrtui.core.scenario.spec import Pruning
from lrtui.store import recorder as recorder_module, snapshots
from lrtui.store.lane_summary import lane_summaries
from lrtui.store.reader import Reader
from lrtui.store.recorder import Recorder
from lrtui.store.run_dir import SUPERVISOR_ROLE
from lrtui.store.writer import Writer, create_run, row
from lrtui.training import (
    lane_runner as runner_module,
    snapshot_writer as writer_module,
    supervisor as supervisor_module,
    trainer as trainer_module,
)
from lrtui.training.event_hook import EventHook
from lrtui.training.lane_assignment import LaneAssignment
from lrtui.training.lane_recovery import RESTARTS
from lrtui.training.pending_lane import PendingLane
from lrtui.training.session import Training
from lrtui.training.trainer_supervisor import TrainerSupervisor
from support.fake_run import say
from support.fake_trainers import FakeTrainers, result_of, send
from support.lane_runners import LANE, finish, kept, latest, of_kind, run_to, runner_of
from support.supervised import Watcher, pids, start
from support.training import column, make_race, train
from support.waiting import until

pytestmark = pytest.mark.xdist_group("processes")

HOT = {"optimizer": "SGD", "lr": 1e12}


@pytest.fixture
def deferred(monkeypatch):
    monkeypatch.setattr(runner_module, "Training", partial(Training, deferred=True))


def fork_of(race, folder, step=5, **assignment):
    """Lane B, which begins with a snapshot that A has left."""
    parent, _ = runner_of(race, folder)
    run_to(parent, step).execute(TakeSnapshot(lane=0))
    kept(parent, folder)
    snapshots.link_into(snapshots.listing(folder, "A")[0], folder, "B", "fork")
    return runner_of(race, folder, LaneAssignment(1, "cpu", "last", forked_at=step, **assignment))


class TestTheDialOfALaneThatWasLost:
    @pytest.mark.parametrize("why", [None, "recovered", "resumed"])
    def test_a_fork_that_had_not_begun_keeps_the_rate_that_it_was_asked_for(self, why, tmp_path):
        runner, tape = fork_of(make_race([LANE, LANE]), tmp_path, resume_reason=why, rate=0.002)
        finish(runner)
        applied = [
            value for event in of_kind(tape, Steps) for value in event.values("applied_lr").tolist()
        ]
        assert applied[0] == pytest.approx(0.002)

    def test_record_has_the_rate_of_a_fork_until_the_lane_reports_its_own(self, tmp_path):
        race = make_race([LANE, LANE])
        run = create_run(tmp_path, make_race([LANE]))
        writer = Writer(run, SUPERVISOR_ROLE)
        writer.append([row(LaneAdded(lane=1, child=race.lanes[1], parent=0, step=5, rate=0.002))])
        assert lane_summaries(run)[1].rate == 0.002
        writer.append([row(RateChanged(lane=1, step=5, factor=1.0, rate=0.002))])
        lane = lane_summaries(run)[1]
        assert lane.rate is None
        # the snapshot may say another one
        assert [(change.step, change.factor) for change in lane.changes] == [(5, 1.0)]
        writer.close()

    def test_a_rate_that_a_fork_cannot_have_is_not_dropped_in_silence(self, tmp_path):
        lane = {"optimizer": "Rprop", "lr": 0.01}
        runner, tape = fork_of(make_race([lane, lane]), tmp_path, rate=0.5)
        finish(runner)
        assert any("Rprop sizes its own steps" in event.text for event in of_kind(tape, LogMessage))

    def test_recovered_lane_reports_the_last_turn_of_each_step(self, tmp_path):
        race = make_race([LANE])
        runner, _ = runner_of(race, tmp_path)
        run_to(runner, 5).execute(TakeSnapshot(lane=0))
        kept(runner, tmp_path)
        changes = ((5, 2.0), (5, 3.0), (7, 4.0), (7, 5.0))
        again, tape = runner_of(
            race, tmp_path, LaneAssignment(0, "cpu", "last", "recovered", changes=changes)
        )
        run_to(again, 8)
        assert [(event.step, event.factor) for event in of_kind(tape, RateChanged)] == [
            (5, 3.0),
            (7, 5.0),
        ]

    def test_new_turn_discards_the_turns_made_before_the_loss(self, tmp_path):
        race = make_race([LANE])
        runner, _ = runner_of(race, tmp_path)
        run_to(runner, 5).execute(TakeSnapshot(lane=0))
        kept(runner, tmp_path)
        again, tape = runner_of(
            race, tmp_path, LaneAssignment(0, "cpu", "last", "recovered", changes=((8, 2.0),))
        )
        run_to(again, 6).execute(SetFactor(lane=0, factor=0.25))
        finish(again)
        assert [(event.step, event.factor) for event in of_kind(tape, RateChanged)] == [
            (5, 1.0),
            (6, 0.25),
        ]

    def test_the_lower_rate_of_a_rewind_outlasts_the_process(self, tmp_path):
        race = make_race([LANE])
        runner, tape = runner_of(race, tmp_path)
        run_to(runner, 5).execute(TakeSnapshot(lane=0))
        run_to(runner, 7).execute(Rewind(lane=0, by=0.5))
        run_to(runner, 6)
        run = create_run(tmp_path / "runs", race)
        writer = Writer(run, SUPERVISOR_ROLE)
        writer.append([row(event) for event in tape.events])
        writer.close()
        changes = tuple((change.step, change.factor) for change in lane_summaries(run)[0].changes)
        again, more = runner_of(
            race, tmp_path, LaneAssignment(0, "cpu", "last", "recovered", changes=changes)
        )
        finish(again)
        assert {event.factor for event in of_kind(more, RateChanged)} == {0.5}
        assert latest(tape.events + more.events, "applied_lr")[5:7] == [0.0025, 0.0025]


class TestForks:
    def test_one_that_was_restarted_begins_at_step_0_for_whoever_takes_it_up(self, tmp_path):
        race = make_race([LANE, LANE])
        runner, tape = fork_of(race, tmp_path, rate=0.002)
        run_to(runner, 7)
        assert runner.execute(Rewind(lane=1, to=0)).text.startswith("back at step 0")
        run = create_run(tmp_path / "runs", make_race([LANE]))
        writer = Writer(run, SUPERVISOR_ROLE)
        writer.append(
            [
                row(LaneAdded(lane=1, child=race.lanes[1], parent=0, step=5)),
                *(row(event) for event in tape.events),
            ]
        )
        writer.close()
        lane = lane_summaries(run)[1]
        assert (lane.forked_at, lane.steps, lane.changes) == (0, 0, ())
        again, more = runner_of(
            race, tmp_path, LaneAssignment(1, "cpu", "last", "recovered", forked_at=lane.forked_at)
        )
        finish(again)
        assert column(more.events) == column(train(race, 1))

    def test_fork_without_a_sound_snapshot_fails_without_training(self, tmp_path):
        runner, tape = fork_of(make_race([LANE, LANE]), tmp_path, resume_reason="recovered")
        for one in snapshots.listing(tmp_path, "B"):
            one.path.unlink()
        finish(runner)
        assert "no sound snapshot" in tape.events[-1].error
        assert not of_kind(tape, Steps)

    def test_fork_ignores_a_snapshot_linked_by_a_killed_supervisor(self, tmp_path):
        """The supervisor was killed between the link and its event: the fork begins with the snapshot
        that is asked for now."""
        race = make_race([LANE])
        run = create_run(tmp_path, race)
        runner, _ = runner_of(race, run)
        for step in (3, 6):
            run_to(runner, step).execute(TakeSnapshot(lane=0))
        kept(runner, run)
        early, late = snapshots.listing(run, "A")
        snapshots.link_into(late, run, "B", "fork")  # and there it was killed
        writer = Writer(run, SUPERVISOR_ROLE)
        pending = PendingLane(
            writer.send(Fork(lane=0, child=race.lanes[0])), Fork(lane=0, child=race.lanes[0])
        )
        assert pending.advance(writer, run, race, lambda lane: True) is None
        asked = next(
            number for number, command in writer.pending(0) if isinstance(command, TakeSnapshot)
        )
        writer.acknowledge([(asked, snapshot_taken(early.path.name, early.step))])
        assert pending.advance(writer, run, race, lambda lane: True).added.step == 3
        assert [one.step for one in snapshots.listing(run, "B")] == [3]
        writer.close()

    def test_fork_and_its_rate_survive_a_kill_right_after_it_joined(self, tmp_path):
        """Both the supervisor and its trainers are killed."""
        run = start(
            make_race([{"optimizer": "SGD", "lr": 0.01}], task="Slow", epochs=300), tmp_path
        )
        watcher = Watcher(run).see(lambda watcher: watcher.state.lanes[0].steps > 20, "some steps")
        writer = Writer(run, "viewer")
        number = writer.send(
            Fork(
                lane=0,
                child=msgspec.structs.replace(watcher.state.race.lanes[0], name="child"),
                rate=0.004,
            )
        )
        supervisor = watcher.reader.supervisor()
        until(lambda: watcher.reader.results([number]), "the fork")
        os.kill(supervisor.pid, signal.SIGKILL)
        for pid in pids(run, "trainer%"):
            os.kill(pid, signal.SIGKILL)
        until(lambda: not watcher.reader.supervisor().alive(), "the supervisor to be gone")
        Launcher().resume(run)
        watcher.lanes.append([])
        watcher.see(
            lambda watcher: any(
                lane.steps > lane.forked_at + 5 for lane in watcher.state.lanes[1:]
            ),
            "the fork to go on",
        )
        child = watcher.state.lanes[1]
        assert (child.rates.applied, child.status) == (pytest.approx(0.004), "running")
        os.kill(watcher.reader.supervisor().pid, signal.SIGTERM)
        watcher.see_the_end()
        assert watcher.ends() == ["interrupted"] * 2
        writer.close()


class TestWaysBack:
    @pytest.mark.parametrize("command", [Pause(lane=0), TakeSnapshot(lane=0)])
    def test_bad_update_found_by_a_command_is_handled_by_the_nan_policy(
        self, command, deferred, tmp_path
    ):
        race = make_race([HOT], on_nan="rewind")
        runner, tape = runner_of(race, tmp_path)
        while not runner.over and runner.steps < 3:
            runner.run(seconds=0.0)
        runner.execute(command, 1)
        assert of_kind(tape, Rewound) or not runner.over
        assert runner.over == bool(of_kind(tape, Ended))

    def test_a_lane_that_is_to_leave_says_so_though_it_would_have_gone_back(
        self, deferred, tmp_path
    ):
        race = make_race([HOT], on_nan="rewind")
        runner, tape = runner_of(race, tmp_path)
        while not runner.over and runner.steps < 3:
            runner.run(seconds=0.0)
        runner.interrupt("SIGTERM")
        assert [event.reason for event in of_kind(tape, Ended)] == ["interrupted"]

    def test_policy_rewind_halves_the_rate_whatever_the_snapshot(self, tmp_path):
        race = make_race([LANE], on_nan="rewind", epochs=20)
        runner, tape = runner_of(race, tmp_path)
        for step in (3, 6, 9):
            run_to(runner, step).execute(TakeSnapshot(lane=0))
            kept(runner, tmp_path)
            factor = runner._lane.training.dial.factor
            runner._lane.training.set_factor(1e18)
            while len(of_kind(tape, Rewound)) < step // 3:
                runner.run(seconds=0.0)
            assert runner._lane.training.dial.factor == factor / 2
        assert [event.factor for event in of_kind(tape, RateChanged)] == [0.5, 0.25, 0.125]

    def test_rewind_finds_the_last_good_snapshot_of_any_kind_before_an_alert(self, tmp_path):
        race = make_race([LANE], epochs=20)
        runner, _ = runner_of(race, tmp_path)
        run_to(runner, 2).execute(TakeSnapshot(lane=0))
        runner._snapshots._writer.pin("A", 2)  # an alert of old
        run_to(runner, 6).execute(TakeSnapshot(lane=0))
        run_to(runner, 9)
        runner._snapshots._writer.pin("A", 8)
        assert runner.execute(Rewind(lane=0)).text.startswith("back at step 6")

    def test_a_lane_that_would_not_come_back_is_not_waited_for_for_ever(
        self, tmp_path, monkeypatch
    ):
        runner, _ = runner_of(make_race([LANE]), tmp_path)
        run_to(runner, 3)
        monkeypatch.setattr(runner._snapshots, "wait_until_idle", lambda: False)
        assert not runner.execute(Rewind(lane=0, to=0)).ok
        assert runner.steps == 3


class TestWhatCannotBeKept:
    def test_failed_encoding_refuses_its_command_and_blocks_no_later_one(
        self, tmp_path, monkeypatch
    ):
        runner, tape = runner_of(make_race([LANE]), tmp_path)

        def broken(state):
            raise RuntimeError("no memory for this")

        monkeypatch.setattr(writer_module.snapshot, "encode", broken)
        run_to(runner, 3).execute(TakeSnapshot(lane=0), 7)
        assert runner._snapshots._writer.wait_until_idle(60.0)
        assert not tape.results[7].ok
        monkeypatch.undo()
        runner.execute(TakeSnapshot(lane=0), 8)
        assert kept(runner, tmp_path) == [(3, "fork")]

    def test_a_lane_of_which_no_copy_can_be_made_goes_on_without(self, tmp_path, monkeypatch):
        race = make_race([LANE])
        runner, tape = runner_of(race, tmp_path)

        def broken(training):
            raise RuntimeError("no memory for this")

        monkeypatch.setattr(Training, "state_dict", broken)
        run_to(runner, 3).execute(Pause(lane=0))
        runner.execute(Resume(lane=0))
        finish(runner)
        assert column(tape.events) == column(train(race))
        assert any("no memory for this" in event.text for event in of_kind(tape, LogMessage))


def test_events_and_result_of_a_command_are_written_atomically(tmp_path, monkeypatch):
    monkeypatch.setattr(recorder_module, "FLUSH_S", 0.001)
    run = create_run(tmp_path, make_race([LANE]))
    writer = Writer(run, "viewer")
    number = writer.send(ScaleRate(lane=0, by=2.0))
    recorder = Recorder(run, "trainer 0", {0})
    until(recorder.commands, "the command")
    reader = Reader(run)
    with recorder.atomic():
        recorder.put(RateChanged(lane=0, step=5, factor=2.0, rate=1.0))
        assert not recorder.wait_flushed(0.2)
        assert reader.poll() == []
        recorder.acknowledge(number, done("rate 1"))
    until(lambda: reader.results([number]), "the answer")
    assert [type(event) for event in reader.poll()] == [RateChanged]
    assert recorder.close()
    writer.close()


def test_hanging_trainer_exits_after_its_supervisor_is_gone(monkeypatch):
    exits, slept = [], []
    monkeypatch.setattr(
        trainer_module,
        "signal",
        types.SimpleNamespace(
            signal=lambda number, act: None, SIGTERM=15, SIGINT=2, SIGHUP=1, SIG_IGN=None
        ),
    )
    monkeypatch.setattr(
        trainer_module.multiprocessing,
        "parent_process",
        lambda: types.SimpleNamespace(join=lambda: None),
    )
    monkeypatch.setattr(trainer_module.time, "sleep", slept.append)
    monkeypatch.setattr(trainer_module.os, "_exit", exits.append)
    shutdown = trainer_module.ShutdownRequest(types.SimpleNamespace(wake=lambda: None))
    until(lambda: exits, "the end")
    assert (shutdown.reason, exits, slept) == (
        "the supervisor is gone",
        [1],
        [trainer_module.ORPHAN_S],
    )


class TestTheSupervisor:
    @pytest.fixture
    def supervisor(self, tmp_path, monkeypatch):
        """One whose trainers are only noted."""
        monkeypatch.setattr(
            supervisor_module,
            "signal",
            types.SimpleNamespace(
                signal=lambda number, act: None,
                SIGTERM=15,
                SIGINT=2,
                SIGHUP=1,
                SIG_IGN=None,
                Signals=signal.Signals,
            ),
        )
        race = make_race([LANE, LANE, LANE])
        self.trainers = FakeTrainers()
        return TrainerSupervisor(create_run(tmp_path, race), race, spawn=self.trainers)

    def test_it_ends_when_it_is_told_to_though_a_fork_is_on_its_way(self, supervisor):
        number = send(supervisor.run, Fork(lane=0, child=supervisor.race.lanes[0]))
        supervisor.start(["cpu"] * 3, trainers=1)
        supervisor.on_signal(signal.SIGTERM, None)
        supervisor.run_to_end()
        assert result_of(supervisor.run, number) is None  # for whoever takes the run up again

    def test_it_does_not_end_before_it_has_read_what_is_asked_of_it(self, supervisor, monkeypatch):
        number = send(supervisor.run, Pause(lane=7))
        real, tries = Writer.pending, []

        def locked(writer, after):
            tries.append(after)
            if len(tries) < 3:
                raise StoreUnavailable("locked")
            return real(writer, after)

        monkeypatch.setattr(Writer, "pending", locked)
        supervisor.run_to_end()
        assert result_of(supervisor.run, number) == refused("there is no such lane")

    def test_lanes_that_were_lost_together_twice_go_on_apart(self, supervisor):
        started = [
            Started(
                lane=index,
                device="cpu",
                steps_per_epoch=4,
                total_steps=12,
                parameters=1,
                init_checksum="",
                batch_checksum="",
                intra_op_threads=1,
                validated=False,
            )
            for index in range(3)
        ]
        say(supervisor.run, *started)
        supervisor.start(["cpu"] * 3, trainers=1)
        supervisor.run_to_end()
        together, apart = [[0, 1, 2]], [[0], [1], [2]]
        assert self.trainers.lanes == together * 2 + apart * (RESTARTS - 1)
        assert [one.end for one in lane_summaries(supervisor.run)] == ["died"] * 3

    def test_the_alerts_of_the_supervisor_before_it_are_not_announced_again(self, supervisor):
        say(supervisor.run, Alerted(lane=0, step=1, kind="nan", text="old"))
        for commands in (HookCommands(on_alert="exit 0"), HookCommands(on_event="exit 0")):
            hook = EventHook(commands, Writer(supervisor.run, "test"))
            hook.skip_existing()
            hook.look(supervisor.race)
            assert not hook.busy


def test_pruning_goes_on_after_a_race_was_taken_up_again():
    rungs = SuccessiveHalving(Pruning(rungs=(0.1, 0.5), keep=0.5), make_race([LANE, LANE]))

    def started(lane, first=0):
        return Started(
            lane=lane,
            device="cpu",
            steps_per_epoch=10,
            total_steps=20,
            parameters=1,
            init_checksum="",
            batch_checksum="",
            intra_op_threads=1,
            validated=False,
            first=first,
        )

    def steps(lane, first, count, loss):
        return Steps(
            lane=lane, first=first, count=count, columns={"loss": Column.pack([loss] * count, "f4")}
        )

    def fed(*events):
        for event in events:
            rungs.apply(event)
            rungs.apply(LogMessage(lane=event.lane, text=WAITS))
        return [one.lane for one in rungs.decisions() if not one.stays]

    assert fed(started(0), started(1), steps(0, 0, 8, 1.0), steps(1, 0, 1, 2.0)) == []
    assert fed(Ended(lane=0, step=8, reason="interrupted")) == []
    again = [
        event
        for lane in range(2)
        for event in (Rewound(lane=lane, step=0, why="resumed"), started(lane))
    ]
    assert fed(*again, steps(0, 0, 1, 1.0)) == []
    assert fed(steps(1, 0, 2, 2.0)) == [1]


class TestASweepWhoseProcessWasLost:
    def swept(self, first, losses):
        columns = {
            name: Column.pack(losses) for name in ("loss", "applied_lr", "next_lr", "seconds")
        }
        return Steps(lane=0, first=first, count=len(losses), columns=columns)

    def test_has_each_point_once(self, tmp_path):
        one, other = (LrFinder(plan(load("linear")), tmp_path) for _ in range(2))
        one._take(
            [
                self.swept(0, [3.0, 2.0, 1.0, 9.0]),
                Rewound(lane=0, step=2, why="recovered"),
                self.swept(2, [1.0, 0.5]),
            ]
        )
        other._take([self.swept(0, [3.0, 2.0, 1.0, 0.5])])
        assert (one.rates, one.losses, one.smooth) == (other.rates, other.losses, other.smooth)
