"""Races in real processes: a supervisor, its trainers, the store between them and whoever
watches."""

import os
import signal
import subprocess
import sys

import numpy as np
import psutil
import pytest
import torch

from lrtui.client.follower import Follower
from lrtui.client.launcher import Launcher
from lrtui.core.errors import LrtuiError, ScenarioError
from lrtui.core.protocol.command_result import done
from lrtui.core.protocol.commands import Pause, Resume
from lrtui.core.protocol.events import Alerted, Ended, LogMessage
from lrtui.core.results.race_result import result
from lrtui.store.run_dir import DATABASE, SUPERVISOR_LOG, Absence
from lrtui.store.writer import Writer
from support.supervised import Watcher, beginning, gone, pids, start
from support.training import column, make_race
from support.waiting import deleted, until

from . import tasks_for_tests
from .bare import bare_loop

pytestmark = [pytest.mark.xdist_group("processes"), pytest.mark.usefixtures("_nobody_stays")]

FOUR = [
    {"optimizer": "Adam", "lr": 0.01},
    {
        "optimizer": "SGD",
        "lr": 0.05,
        "momentum": 0.9,
        "schedule": {"name": "StepLR", "step_size": 2, "gamma": 0.5},
    },
    {"optimizer": "AdamW", "lr": 0.003, "schedule": {"name": "ExponentialLR", "gamma": 0.9}},
    {"optimizer": "RMSprop", "lr": 0.002, "schedule": {"name": "CosineAnnealingLR", "T_max": 3}},
]
CALM, TOO_HIGH = {"optimizer": "SGD", "lr": 0.01}, {"optimizer": "SGD", "lr": 3.0}


def assert_equal_to_the_bare_loop(watcher):
    race = watcher.reader.race
    for lane, events in zip(race.lanes, watcher.lanes, strict=True):
        torch.set_num_threads(beginning(events).intra_op_threads)
        schedule = lane.schedule
        made = (
            (lambda opt, s=schedule: getattr(torch.optim.lr_scheduler, s.name)(opt, **s.options))
            if schedule
            else None
        )
        losses, rates = bare_loop(
            getattr(tasks_for_tests, race.task.name)(),
            lambda params, lane=lane: getattr(torch.optim, lane.optimizer.name)(
                params, lr=lane.lr, **lane.optimizer.options
            ),
            made,
            seed=race.seed,
            epochs=race.epochs,
            batch_size=race.batch_size,
        )
        assert column(events) == losses
        assert column(events, "applied_lr") == rates


@pytest.mark.parametrize("trainers", [16, 1, 3])
def test_a_race_of_four_equals_the_bare_loop_exactly(trainers, tmp_path):
    watcher = Watcher(start(make_race(FOUR, epochs=5), tmp_path, trainers)).see_the_end()
    assert watcher.ends() == ["finished"] * 4
    assert len({beginning(events).init_checksum for events in watcher.lanes}) == 1
    assert len({beginning(events).batch_checksum for events in watcher.lanes}) == 1
    assert_equal_to_the_bare_loop(watcher)


def test_race_with_viewers_and_a_pause_equals_the_bare_loop(tmp_path):
    run = start(make_race(FOUR, task="Slow", epochs=8), tmp_path)
    one, other = Watcher(run), Watcher(run)
    one.see(lambda watcher: watcher.state.lanes[1].steps > 3, "the first steps of lane B")
    writer = Writer(run, "viewer")
    number = writer.send(Pause(lane=1))
    one.see(lambda watcher: watcher.state.lanes[1].status == "paused", "lane B to pause")
    steps = one.state.lanes[1].steps
    one.see(
        lambda watcher: all(lane.over for lane in watcher.state.lanes if lane.index != 1),
        "the other lanes to end",
    )
    assert one.reader.results([number]) == {number: done("paused")}
    assert one.state.lanes[1].steps == steps < one.state.lanes[1].total_steps
    writer.send(Resume(lane=1))
    writer.close()
    for watcher in (one.see_the_end(), other.see_the_end()):
        assert watcher.ends() == ["finished"] * 4
        assert_equal_to_the_bare_loop(watcher)


def test_killed_trainer_is_recorded_with_its_output_and_others_finish(tmp_path):
    watcher = Watcher(
        start(make_race([CALM, TOO_HIGH, CALM], task="Dies", epochs=10), tmp_path)
    ).see_the_end()
    assert watcher.ends() == ["finished", "died", "finished"]
    alert, end = watcher.lanes[1][-2:]
    assert isinstance(alert, Alerted)
    assert isinstance(end, Ended)
    assert "SIGKILL" in alert.text
    assert "SIGKILL" in end.error
    assert end.error.endswith("last words")
    assert end.step == watcher.state.lanes[1].steps


def test_when_every_lane_fails_the_race_ends_all_the_same(tmp_path):
    watcher = Watcher(
        start(make_race([TOO_HIGH, TOO_HIGH], task="Raises", epochs=10), tmp_path)
    ).see_the_end()
    assert watcher.ends() == ["error", "error"]
    assert [entry["status"] for entry in result(watcher.state)] == ["error", "error"]
    assert "the task broke" in watcher.lanes[0][-1].error
    until(lambda: not watcher.reader.supervisor().alive(), "the supervisor to end with its race")


def test_what_torch_refuses_is_refused_before_anything_is_written(tmp_path):
    runs = tmp_path / "runs"
    launcher = Launcher()
    for race, words in [
        (make_race([CALM], device="cuda:77"), ["cuda:77", "auto", "cpu"]),
        (make_race([CALM, {"optimizer": "Adam", "betas": [2.0, 3.0]}]), ["lane B", "beta"]),
        (
            make_race([{"schedule": "CyclicLR(base_lr=[0.1, 0.2, 0.3])"}], "bundled:linear-toy"),
            ["lane A", "CyclicLR"],
        ),
        (
            make_race([{"schedule": "CyclicLR(base_lr=[0.1, 0.2], max_lr=[1, 2, 3])"}]),
            ["lane A", "CyclicLR"],
        ),
    ]:
        with pytest.raises(ScenarioError) as refused:
            launcher.start(race, runs)
        said = str(refused.value)
        assert all(word in said for word in words), said
        assert "expected" in refused.value.hint
        assert said.count("\n") <= 2
        assert "Traceback" not in said
        assert not runs.exists()
    with pytest.raises(LrtuiError, match="beta"):
        launcher.preview(make_race([{"optimizer": "Adam", "betas": [2.0, 3.0]}]))
    # a refusal leaves the supervisor ready for the next race
    run = launcher.start(make_race([CALM]), runs)
    assert Watcher(run).see_the_end().ends() == ["finished"]
    assert [path.name for path in runs.iterdir()] == [run.name]


def test_option_depending_on_the_task_length_is_not_refused_early(tmp_path):
    """Twelve steps are what the task has; the supervisor may not run its code to find that out."""
    lane = {"lr": 0.1, "schedule": {"name": "OneCycleLR", "total_steps": 12}}
    launcher = Launcher()
    race = make_race([lane], epochs=3)
    assert launcher.preview(race)[0].rates[0] == pytest.approx(0.1 / 25)
    assert Watcher(launcher.start(race, tmp_path)).see_the_end().ends() == ["finished"]


def test_schedule_warning_is_logged_before_its_lane_ends(tmp_path):
    lane = {"optimizer": "SGD", "lr": 0.01, "schedule": "CosineAnnealingLR(T_max=2)"}
    watcher = Watcher(start(make_race([CALM, lane], epochs=4), tmp_path)).see_the_end()
    notes = [event for event in watcher.lanes[1] if isinstance(event, LogMessage)]
    assert [note.text for note in notes] == [
        "CosineAnnealingLR is at its lowest, 0, after 2 of 4 epochs and climbs again: the last"
        ' epoch has 0.005; T_max = "auto" ends at the lowest.'
    ]
    assert not any(isinstance(event, LogMessage) for event in watcher.lanes[0])
    assert watcher.state.lanes[1].rates.forecast.rates == pytest.approx([0.01, 0.005, 0.0, 0.005])
    assert any("climbs again" in text for _, lane, text in watcher.state.log if lane == 1)


def test_a_supervisor_that_is_not_needed_goes_away_and_leaves_nothing(tmp_path):
    launcher = Launcher()
    assert launcher.preview(make_race([CALM]))[0].rates == [0.01]
    family = [
        psutil.Process(launcher._process.pid),
        *psutil.Process(launcher._process.pid).children(recursive=True),
    ]
    assert len(family) > 1
    launcher.close()
    until(lambda: all(map(gone, family)), "the supervisor and its helpers to end")


def test_a_supervisor_that_is_asked_to_stop_interrupts_its_lanes(tmp_path):
    watcher = Watcher(
        start(make_race([CALM, CALM], task="Slow", epochs=10_000), tmp_path, trainers=1)
    )
    watcher.see(all_have_steps, "the first steps")
    os.kill(watcher.reader.supervisor().pid, signal.SIGTERM)
    watcher.see_the_end()
    assert watcher.ends() == ["interrupted", "interrupted"]


def test_trainers_end_when_their_supervisor_is_killed(tmp_path):
    run = start(make_race([CALM, CALM, CALM], task="Slow", epochs=10_000), tmp_path, trainers=2)
    watcher = Watcher(run).see(all_have_steps, "the first steps")
    trainers = [psutil.Process(pid) for pid in pids(run, "trainer%")]
    assert len(trainers) == 2
    assert watcher.reader.trouble() == ""
    os.kill(watcher.reader.supervisor().pid, signal.SIGKILL)
    until(lambda: all(map(gone, trainers)), "the trainers to notice")
    watcher.see_the_end()
    assert watcher.ends() == ["interrupted"] * 3
    assert "supervisor died" in watcher.reader.trouble()


def test_a_supervisor_whose_folder_is_deleted_ends_when_its_trainers_have(tmp_path):
    run = start(make_race([CALM], task="Slow", epochs=10_000), tmp_path)
    watcher = Watcher(run).see(all_have_steps, "the first steps")
    supervisor = psutil.Process(watcher.reader.supervisor().pid)
    trainer = psutil.Process(pids(run, "trainer%")[0])
    deleted(run)
    assert "gone" in watcher.reader.trouble()
    trainer.kill()
    until(lambda: gone(supervisor), "the supervisor to end")


IMPATIENT = """
from lrtui.training import supervisor
supervisor.GONE_S = {seconds}
from lrtui.training.supervisor_main import main
main()
"""
"""A supervisor that waits for its folder for a few seconds instead of a minute."""


@pytest.fixture
def impatient(monkeypatch, request):
    """Supervisors that wait for their folder for 2 seconds, or for the fixture's parameter."""
    popen, code = subprocess.Popen, IMPATIENT.format(seconds=getattr(request, "param", 2.0))
    monkeypatch.setattr(
        subprocess, "Popen", lambda args, **how: popen([sys.executable, "-c", code], **how)
    )


def removed(run, aside):
    """The whole folder is deleted."""
    deleted(run)


def moved(run, aside):
    """It has another name now, whoever still writes to its files."""
    run.rename(aside)


def emptied(run, aside):
    """Its database is deleted, with what belongs to it."""
    for path in run.glob(f"{DATABASE}*"):
        path.unlink()


@pytest.mark.parametrize("lose", [removed, moved, emptied])
def test_a_race_whose_folder_stays_away_ends(tmp_path, impatient, lose):
    run = start(make_race([CALM, CALM], task="Slow", epochs=10_000), tmp_path / "runs", trainers=1)
    watcher = Watcher(run).see(all_have_steps, "the first steps")
    everybody = [psutil.Process(pid) for pid in pids(run, "%")]
    follower = Follower(run)
    follower.catch_up()
    lose(run, tmp_path / "aside")
    assert (
        watcher.reader.trouble()
        == "the run's folder is gone: unless it is back within 60 s, the race ends"
    )
    until(lambda: all(map(gone, everybody)), "the end of all processes")
    until(
        lambda: follower.poll() is not None and follower.state.over, "the end that everybody sees"
    )
    assert {lane.status for lane in follower.state.lanes} == {"interrupted"}
    assert (
        follower.state.lanes[0].ended.error
        == follower.trouble
        == "the run's folder is gone: the race has ended"
    )
    assert follower.resumable() == []
    logs = [
        path.read_text()
        for path in (run / SUPERVISOR_LOG, tmp_path / "aside" / SUPERVISOR_LOG)
        if path.exists()
    ]
    assert all(f"{run} has been gone for 2 s: all lanes are interrupted" in log for log in logs)
    assert len(logs) == (lose is not removed)


@pytest.mark.parametrize("impatient", [6.0], indirect=True)  # room for a machine that is busy
def test_a_folder_that_is_back_in_time_goes_on(tmp_path, impatient):
    run = start(make_race([CALM], task="Slow", epochs=10_000), tmp_path / "runs")
    watcher = Watcher(run).see(all_have_steps, "the first steps")
    for _ in range(3):  # longer together than it is waited for: what counts is each time
        run.rename(tmp_path / "aside")
        absence = Absence(run)
        until(lambda absence=absence: absence.seconds() > 2.1, "a while without it")
        (tmp_path / "aside").rename(run)
        before = watcher.look().state.lanes[0].steps
        watcher.see(
            lambda watcher, before=before: watcher.state.lanes[0].steps > before, "more steps"
        )
    os.kill(watcher.reader.supervisor().pid, signal.SIGTERM)
    assert watcher.see_the_end().ends() == ["interrupted"]
    assert [note for note in watcher.notes() if "steps are missing" in note] == []


def test_lanes_of_a_real_race_train_apart_from_each_other(tmp_path):
    watcher = Watcher(start(make_race([CALM, CALM], epochs=4), tmp_path)).see_the_end()
    assert np.array_equal(column(watcher.lanes[0]), column(watcher.lanes[1]))
    assert len(pids(watcher.reader.run, "trainer%")) == 2


def all_have_steps(watcher):
    return all(lane.steps for lane in watcher.state.lanes)
