"""Runs of other versions: those of an older one can be watched and listed for ever; those of a
newer one are refused in words."""

import shutil
import socket
import sqlite3
from pathlib import Path

import psutil
import pytest

from lrtui.client.follower import Follower
from lrtui.core.errors import RunError
from lrtui.core.protocol.commands import Pause
from lrtui.core.protocol.events import Ended
from lrtui.core.state.race_state import RaceState, apply
from lrtui.store import database
from lrtui.store.lane_summary import lane_summaries
from lrtui.store.reader import Reader, summary
from lrtui.store.run_dir import DATABASE
from lrtui.store.writer import Writer, create_run
from support.records import make_race, read_all

FIRST = Path(__file__).with_name("version-1.db")
"""A race that was really run by the first version that kept runs: four lanes, two of them to
NaN."""


@pytest.fixture
def old(tmp_path):
    run = tmp_path / "old-run"
    run.mkdir(mode=0o700)
    shutil.copy(FIRST, run / DATABASE)
    return run


def sql(run, *statements):
    with sqlite3.connect(run / DATABASE) as db:
        for statement in statements:
            db.execute(*statement if isinstance(statement, tuple) else (statement,))
    db.close()


def test_a_run_of_version_1_is_read_to_its_end(old):
    reader = Reader(old)
    assert reader.version == 1
    state = RaceState(reader.race)
    for event in read_all(reader):
        apply(state, event)
    assert state.over
    assert [lane.status for lane in state.lanes] == ["nan", "nan", "finished", "finished"]
    assert all(lane.steps == len(lane.columns["loss"]) for lane in state.lanes)
    assert (summary(old).state, summary(old).lanes) == ("ended", 4)


def test_where_its_lanes_stand_is_known_without_the_index_that_it_lacks(old):
    known = lane_summaries(old)
    assert [lane.end for lane in known] == ["nan", "nan", "finished", "finished"]
    assert all(lane.threads and lane.device == "cpu" and lane.steps for lane in known)


def test_its_processes_are_known_by_the_time_of_day(old):
    me = psutil.Process()
    sql(
        old,
        (
            "INSERT INTO processes VALUES ('crew', ?, ?, ?, 0.0)",
            (me.pid, me.create_time(), socket.gethostname()),
        ),
        "DELETE FROM events WHERE kind = 'Ended' AND lane = 0",
    )
    assert Reader(old).supervisor().alive()
    assert summary(old).state == "running"
    sql(old, "UPDATE processes SET started = started - 100")
    assert not Reader(old).supervisor().alive()
    assert summary(old).state == "cut off"


def test_nobody_is_told_to_resume_what_has_no_snapshots(old):
    sql(
        old,
        ("INSERT INTO processes VALUES ('crew', 1, 1.5e9, ?, 0.0)", (socket.gethostname(),)),
        "DELETE FROM events WHERE kind = 'Ended' AND lane = 0",
    )
    follower = Follower(old)
    follower.poll(10.0)
    follower._looked -= 10
    ends = [event for event in follower.poll(10.0) if isinstance(event, Ended)]
    assert [(end.lane, end.reason) for end in ends] == [(0, "interrupted")]
    assert "resume" not in ends[0].error + follower.trouble
    assert "supervisor died" in follower.trouble


def test_commands_can_still_be_sent_to_it(old):
    """Its own supervisor, if it still runs, understands them: their table is the same."""
    assert Writer(old, "viewer").send(Pause(lane=2)) == 1
    assert Writer(old, "viewer").pending(0) == [(1, Pause(lane=2))]


def test_a_new_run_has_this_version(tmp_path):
    run = create_run(tmp_path, make_race())
    assert Reader(run).version == database.SCHEMA_VERSION == 2


@pytest.mark.parametrize("open_it", [Reader, lane_summaries])
def test_a_run_of_a_newer_version_is_refused_by_whoever_opens_it(tmp_path, open_it):
    run = create_run(tmp_path, make_race())
    sql(run, "PRAGMA user_version = 3")
    with pytest.raises(
        RunError, match=r"written by a newer lrtui \(schema 3; this one reads up to 2\)"
    ):
        open_it(run)
