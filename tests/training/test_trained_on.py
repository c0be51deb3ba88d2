"""A race that has ended trains on in new processes, and through the loss of them."""

import os
import signal

import pytest

from lrtui.client.launcher import Launcher
from lrtui.core.protocol.commands import Lengthen
from lrtui.core.protocol.events import Rewound
from lrtui.core.scenario.spec import Length
from support.fake_trainers import result_of, send
from support.supervised import Watcher, pids, start
from support.training import column, make_race, train
from support.waiting import until

pytestmark = [pytest.mark.xdist_group("processes"), pytest.mark.usefixtures("_nobody_stays")]

LANE = {"optimizer": "SGD", "lr": 0.01, "momentum": 0.9}


def kill(run, role):
    for pid in pids(run, role):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def supervisor_ends(watcher):
    until(lambda: not watcher.reader.alive(), "the supervisor to end")


def test_race_that_has_ended_trains_on_through_kills_of_its_processes(tmp_path):
    race = make_race([LANE, LANE], steps=6, pace=60)
    run = start(race, tmp_path)
    watcher = Watcher(run).see_the_end()
    supervisor_ends(watcher)

    number = send(run, Lengthen(0, steps=60))
    Launcher().resume(run)
    watcher.see(lambda one: one.state.lanes[0].steps > 30, "steps beyond the old end")
    assert result_of(run, number).text == "trains on from step 6 to step 66"
    kill(run, "trainer%")
    watcher.see_the_end()
    supervisor_ends(watcher)

    send(run, Lengthen(0, epochs=15))
    Launcher().resume(run)
    watcher.see(lambda one: one.state.lanes[0].steps > 80, "steps beyond the second end")
    kill(run, "crew")
    kill(run, "trainer%")
    supervisor_ends(watcher)
    Launcher().resume(run)
    watcher.see_the_end()

    lane, other = watcher.state.lanes
    assert (lane.status, lane.steps, other.steps) == ("finished", 126, 6)
    assert lane.lane.length == Length(126, 32)
    alone = train(make_race([LANE], steps=126))
    assert lane.columns["loss"].values.tolist() == column(alone)
    whys = [event.why for event in watcher.lanes[0] if isinstance(event, Rewound)]
    assert whys == ["lengthened", "recovered", "lengthened", "resumed"]
