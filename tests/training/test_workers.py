"""Workers of DataLoaders in real trainers: forked as from a plain script, the same bit for bit,
gone with what they work for."""

import os
import signal

import psutil
import pytest
import torch

from lrtui.core.protocol.commands import Rewind, Stop
from lrtui.core.protocol.events import Alerted, Evaluated
from lrtui.store.writer import Writer
from support.supervised import Watcher, beginning, gone, pids, start
from support.training import column, other_race
from support.waiting import until

from . import tasks_of_other_data as tasks
from .breaks import breaks, unequal
from .plain import plain_loop

pytestmark = [pytest.mark.xdist_group("processes"), pytest.mark.usefixtures("_nobody_stays")]

TWO = [{"name": "faster", "lr": 0.01}, {"name": "slower", "lr": 0.001}]


def workers_of(run):
    """The processes that the run's only trainer has started."""
    trainer = psutil.Process(pids(run, "trainer%")[-1])
    return trainer.children(recursive=True)


def at_work(run, count):
    return until(lambda: len(found := workers_of(run)) == count and found, f"{count} workers")


@pytest.mark.parametrize(
    ("task", "budget"),
    [
        ("Workers", {"epochs": 2}),
        ("Persistent", {"epochs": 3}),
        ("StreamOfWorkers", {"steps": 20}),
        ("RoundedUp", {"epochs": 2}),
        ("Spawned", {"epochs": 2}),
    ],
)
def test_lanes_equal_the_plain_loop_bit_for_bit_in_turns_too(task, budget, tmp_path):
    watcher = Watcher(start(other_race(task, *TWO, **budget), tmp_path, trainers=1)).see_the_end()
    assert watcher.ends() == ["finished"] * 2, watcher.lanes
    for lane, events in zip(TWO, watcher.lanes, strict=True):
        torch.set_num_threads(beginning(events).intra_op_threads)
        losses, rates = plain_loop(getattr(tasks, task)(), seed=11, lr=lane["lr"], **budget)
        assert column(events) == losses
        assert column(events, "applied_lr") == rates
    if task == "StreamOfWorkers":  # 26 samples each: 8 batches a pass
        evaluated = [
            (event.epoch, event.step) for event in watcher.lanes[0] if isinstance(event, Evaluated)
        ]
        assert evaluated == [(1, 8), (2, 16), (2, 20)]


@pytest.mark.parametrize(
    ("task", "told"),
    [
        ("Failing", "ValueError: row 47 has no label (tasks_of_other_data.py:"),
        ("Failing", "in DataLoader worker process "),
        ("Killed", "was killed by SIGKILL"),
        ("Left", "ended with exit code 7"),
        ("RaggedInWorkers", "the samples of a batch cannot be put together"),
    ],
)
def test_alert_names_the_cause_of_a_dead_worker_in_one_line(task, told, tmp_path):
    watcher = Watcher(start(other_race(task, TWO[0], epochs=2), tmp_path, trainers=1)).see_the_end()
    assert watcher.ends() == ["error"]
    (alert,) = [event for event in watcher.lanes[0] if isinstance(event, Alerted)]
    assert alert.kind == "error"
    assert told in alert.text
    assert "\n" not in alert.text
    assert "more to say" not in alert.text


def test_workers_die_with_a_trainer_that_is_killed_and_the_lane_goes_on(tmp_path):
    run = start(other_race("Patient", TWO[0], epochs=100_000), tmp_path)
    watcher = Watcher(run).see(lambda watcher: watcher.state.lanes[0].steps > 20, "steps")
    trainer, found = psutil.Process(pids(run, "trainer%")[0]), at_work(run, 3)
    found[0].suspend()  # one that could not look for its parent
    trainer.kill()
    for worker in found:
        until(lambda worker=worker: gone(worker), "the worker of a dead trainer to end")
    watcher.see(
        lambda watcher: (
            "lost" in [event.kind for event in watcher.lanes[0] if isinstance(event, Alerted)]
        ),
        "the alert",
    )
    watcher.see(
        lambda watcher: (
            watcher.state.lanes[0].status == "running" and len(pids(run, "trainer%")) == 2
        ),
        "a new trainer",
    )
    again = at_work(run, 3)
    os.kill(watcher.reader.supervisor().pid, signal.SIGTERM)
    watcher.see_the_end()
    for worker in again:
        until(
            lambda worker=worker: gone(worker), "the workers of a race that is interrupted to end"
        )


def test_workers_end_with_their_lane_while_others_train(tmp_path):
    run = start(other_race("Patient", *TWO, epochs=100_000), tmp_path, trainers=1)
    watcher = Watcher(run).see(
        lambda watcher: all(lane.steps > 20 for lane in watcher.state.lanes), "steps"
    )
    found, writer = at_work(run, 6), Writer(run, "viewer")
    writer.send(Stop(lane=0))
    watcher.see(lambda watcher: watcher.state.lanes[0].over, "the end of lane A")
    left = at_work(run, 3)
    assert set(left) < set(found)
    steps = watcher.state.lanes[1].steps
    writer.send(Rewind(lane=1, to=0))
    watcher.see(lambda watcher: watcher.state.lanes[1].steps < steps, "lane B to begin anew")
    for worker in left:
        until(lambda worker=worker: gone(worker), "the workers from before the rewind to end")
    at_work(run, 3)
    writer.send(Stop(lane=1))
    writer.close()
    watcher.see_the_end()


@pytest.mark.parametrize("task", ["Workers", "StreamOfWorkers"])
def test_a_lane_goes_on_from_within_an_epoch_bit_for_bit(task):
    race = other_race(task, {"lr": 0.01}, steps=11, gauge=False)
    found = breaks(race)
    moments = [next(moment for moment in found if moment.step == step) for step in (3, 6, 8, 10)]
    assert unequal(race, moments) == []
