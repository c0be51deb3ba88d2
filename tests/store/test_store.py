"""What is written is what is read: every event, in order, whole flushes only, by any number of
readers, whoever dies."""

import math
import random
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from hypothesis import given, strategies as st

from lrtui.core.errors import StoreUnavailable
from lrtui.core.protocol import commands, events
from lrtui.core.protocol.command_result import CommandResult, done
from lrtui.core.protocol.commands import Pause, Resume, Stop
from lrtui.core.protocol.events import (
    Alerted,
    Column,
    Ended,
    Evaluated,
    FindingsUpdated,
    LaneAdded,
    Logged,
    LogMessage,
    LossSpiked,
    Measured,
    RateChanged,
    Rewound,
    Sampled,
    ScheduleForecast,
    Snapshotted,
    Started,
    StatusChanged,
    Steps,
)
from lrtui.core.protocol.findings import Findings
from lrtui.core.scenario.spec import ScheduleSpec
from lrtui.store.lane_summary import lane_summaries
from lrtui.store.reader import Reader, merge, summary
from lrtui.store.run_dir import SUPERVISOR_ROLE
from lrtui.store.writer import Writer, create_run, row
from support.builders import make_race
from support.records import block, losses, read_all

ONE_OF_EACH = [
    Started(
        lane=0,
        at=1.0,
        device="cpu",
        steps_per_epoch=4,
        total_steps=12,
        parameters=65,
        init_checksum="abc",
        batch_checksum="def",
        intra_op_threads=1,
        validated=True,
    ),
    ScheduleForecast(lane=0, at=1.5, steps=[0, 6], rates=[0.1, 0.0], total=12),
    block(0, 3, loss=[0.5, math.nan, math.inf]),
    Measured(
        lane=0,
        at=1.6,
        steps=[0, 2],
        spent=0.01,
        columns={
            "gain": Column.pack([0.5, -math.inf]),
            "step_size": Column.pack([0.1, math.nan]),
            "step_size/1": Column.pack([0.1, 0.1]),
        },
    ),
    FindingsUpdated(
        lane=0,
        at=1.7,
        step=3,
        findings=Findings(
            early=False, early_gain=-math.inf, samples=3, flat_since=1, recovered=True
        ),
    ),
    LossSpiked(lane=0, at=1.8, steps=[2]),
    Evaluated(
        lane=0,
        at=2.0,
        epoch=1,
        step=3,
        loss=math.nan,
        metrics={"val_loss": 0.25, "größe": math.inf},
    ),
    Logged(
        lane=0,
        at=2.9,
        steps=[3, 7],
        columns={"val_loss": Column.pack([0.25, math.nan]), "größe": Column.pack([1.0, 1.0])},
    ),
    Sampled(lane=0, at=3.0, epoch=1, step=3, shape=(1, 2, 2, 3), pixels=bytes(range(12))),
    Alerted(lane=1, at=4.0, step=7, kind="diverged", text="[bold]too hot[/bold]"),
    StatusChanged(lane=1, at=5.0, step=7, status="paused"),
    RateChanged(lane=1, at=5.1, step=7, factor=0.5, rate=0.05),
    Snapshotted(
        lane=1,
        at=5.2,
        step=7,
        tag="pause",
        size=1000,
        kept=[0, 7],
        total=2000,
        smooth=math.inf,
        spent=0.25,
    ),
    LaneAdded(lane=2, at=5.3, child=make_race(3).lanes[2], parent=1, step=7),
    Rewound(lane=1, at=5.4, step=0, why="restarted"),
    Ended(lane=1, at=6.0, step=7, reason="error", error="Traceback\n  line\n"),
    LogMessage(lane=-1, at=7.0, text="a word about the run"),
]


@pytest.fixture
def run(tmp_path):
    return create_run(tmp_path, make_race())


def in_their_own_words(found):
    return [events.encode(event) for event in found]


def test_there_is_one_of_each_kind_of_event():
    assert {type(event) for event in ONE_OF_EACH} == set(events.AnyEvent.__args__)


def test_every_event_comes_back_as_it_was_written(run):
    Writer(run, "trainer 0").append([row(event) for event in ONE_OF_EACH])
    assert in_their_own_words(read_all(Reader(run))) == in_their_own_words(ONE_OF_EACH)


def test_the_race_comes_back_as_it_was_asked_for(tmp_path):
    schedule = ScheduleSpec(
        "SequentialLR",
        "epoch",
        {"milestones": [2]},
        (ScheduleSpec("ConstantLR", "epoch", {"factor": 0.1}),),
    )
    race = make_race(3, story="once\nupon a time", seed=2**63 - 1, epochs=5, steps=None)
    race = type(race)(
        **{
            **{name: getattr(race, name) for name in race.__struct_fields__},
            "lanes": tuple(
                type(lane)(lane.letter, lane.name, lane.optimizer, lane.lr, schedule)
                for lane in race.lanes
            ),
        }
    )
    assert Reader(create_run(tmp_path, race)).race == race


@given(st.lists(st.floats(width=32), min_size=1, max_size=40), st.sampled_from(["f4", "f8"]))
def test_numbers_are_kept_to_the_bit(numbers, dtype):
    column = Column.pack(numbers, dtype)
    assert np.array_equal(column.unpack(len(numbers)), np.array(numbers, dtype), equal_nan=True)


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(1, 100_000))
def test_a_constant_column_takes_the_room_of_one_number(value, count):
    column = Column.pack([value] * count)
    assert len(column.data) == 8
    assert (column.unpack(count) == value).all()


def test_what_lies_between_two_polls_comes_with_the_second(run):
    writer, reader = Writer(run, "trainer 0"), Reader(run)
    writer.append([row(block(0))])
    assert losses(read_all(reader)) == list(range(10))
    assert reader.caught_up
    assert reader.poll() == []
    writer.append([row(block(10)), row(block(20))])
    assert losses(read_all(reader)) == list(range(10, 30))


def test_poll_respects_the_row_limit_and_reports_remaining_rows(run):
    Writer(run, "trainer 0").append([row(block(first)) for first in range(0, 100, 10)])
    reader = Reader(run)
    assert losses(reader.poll(60.0, rows=4)) == list(range(40))
    assert not reader.caught_up
    assert losses(reader.poll(60.0, rows=4)) == list(range(40, 80))
    assert losses(reader.poll(60.0, rows=4)) == list(range(80, 100))
    assert reader.caught_up


def test_a_poll_without_time_left_still_gets_on_by_one_row(run):
    Writer(run, "trainer 0").append([row(block(first)) for first in range(0, 50, 10)])
    reader = Reader(run)
    for first in range(0, 50, 10):
        assert losses(reader.poll(budget_s=-1.0)) == list(range(first, first + 10))


def test_what_was_read_before_the_record_could_not_be_read_counts(run, monkeypatch):
    Writer(run, "trainer 0").append([row(block(first)) for first in range(0, 50, 10)])
    reader = Reader(run)
    rows = reader._db.execute("SELECT id, body FROM events ORDER BY id").fetchall()

    def torn():
        yield from rows[:2]
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(reader, "_db", SimpleNamespace(execute=lambda *_: torn()))
    assert losses(reader.poll(60.0)) == list(range(20))
    assert not reader.caught_up
    monkeypatch.undo()
    assert losses(read_all(reader)) == list(range(20, 50))


def test_a_flush_that_is_not_committed_is_not_seen(run):
    writer, reader = Writer(run, "trainer 0"), Reader(run)
    with writer._transaction() as db:
        db.execute(
            "INSERT INTO events (lane, kind, body) VALUES (0, 'Steps', ?)",
            (events.encode(block(0)),),
        )
        assert reader.poll() == []
    assert losses(read_all(reader)) == list(range(10))


def test_neighbouring_blocks_come_as_one():
    merged = list(merge([block(0), block(10), block(0, lane=1), block(20), block(10, lane=1)]))
    assert [(event.lane, event.first, event.count) for event in merged] == [(0, 0, 30), (1, 0, 20)]


def test_blocks_with_something_between_them_stay_apart():
    said = Alerted(lane=0, step=9, kind="diverged", text="")
    merged = list(merge([block(0), said, block(10), LogMessage(lane=-1, text=""), block(20)]))
    assert [type(event) for event in merged] == [Steps, Alerted, LogMessage, Steps]
    assert [event.count for event in merged if isinstance(event, Steps)] == [10, 20]


def test_blocks_with_steps_missing_between_them_stay_apart():
    assert [(event.first, event.count) for event in merge([block(0), block(20), block(30)])] == [
        (0, 10),
        (20, 20),
    ]


def test_commands_are_pending_until_they_are_acknowledged(run):
    viewer, trainer, reader = Writer(run, "viewer"), Writer(run, "trainer 0"), Reader(run)
    said = [Pause(lane=0), Resume(lane=0), Stop(lane=1)]
    numbers = [viewer.send(command) for command in said]
    assert trainer.pending(0) == list(zip(numbers, said, strict=True))
    assert trainer.pending(numbers[1]) == [(numbers[2], Stop(lane=1))]
    assert reader.results(numbers) == {}
    trainer.acknowledge([(numbers[0], done("paused")), (numbers[2], done("stopped"))])
    assert trainer.pending(0) == [(numbers[1], Resume(lane=0))]
    assert reader.results(numbers) == {numbers[0]: done("paused"), numbers[2]: done("stopped")}


def test_a_command_that_this_version_does_not_know_hides_no_other(run):
    viewer, trainer, reader = Writer(run, "viewer"), Writer(run, "trainer 0"), Reader(run)
    with viewer._transaction() as db:
        strange = [commands.encode({"type": "Fork", "lane": 0}), b"\xff\xff"]
        db.executemany(
            "INSERT INTO commands (lane, at, body) VALUES (0, 0.0, ?)",
            [(body,) for body in strange],
        )
    number = viewer.send(Stop(lane=0))
    assert trainer.pending(0) == [(number, Stop(lane=0))]
    assert reader.results([1, 2, 3]) == {
        1: CommandResult("not_understood", "not understood by this version of lrtui"),
        2: CommandResult("not_understood", "not understood by this version of lrtui"),
    }


def test_a_lane_has_ended_once_its_end_is_recorded(run):
    writer = Writer(run, "trainer 0")
    assert [lane.end for lane in lane_summaries(run)] == [None, None]
    writer.append([row(Ended(lane=1, step=3, reason="finished"))])
    assert [lane.end for lane in lane_summaries(run)] == [None, "finished"]


def test_a_lane_has_reached_the_end_of_its_last_block(run):
    writer = Writer(run, "trainer 0")
    starts = [msgspec.structs.replace(ONE_OF_EACH[0], lane=lane) for lane in (0, 1)]
    writer.append([row(event) for event in starts])
    assert [lane.steps for lane in lane_summaries(run)] == [0, 0]
    writer.append(
        [row(block(0)), row(block(10)), row(block(0, 3, lane=1)), row(LogMessage(lane=0, text=""))]
    )
    assert [lane.steps for lane in lane_summaries(run)] == [20, 3]


def test_a_summary_says_whether_a_run_goes_on(run):
    assert summary(run).state == "cut off"
    writer = Writer(run, SUPERVISOR_ROLE)
    writer.beat()
    assert summary(run).state == "running"
    writer.append([row(Ended(lane=lane, step=3, reason="finished")) for lane in (0, 1)])
    assert (summary(run).state, summary(run).title, summary(run).lanes) == ("ended", "a race", 2)


def test_process_reusing_the_supervisors_pid_is_not_the_supervisor(run):
    writer = Writer(run, SUPERVISOR_ROLE)
    writer._me = (writer._me[0], writer._me[1] - 1000.0, writer._me[2])
    writer.beat()
    assert not Reader(run).supervisor().alive()


def test_two_readers_see_the_same_while_it_is_being_written(run):
    writer, readers, seen = Writer(run, "trainer 0"), [Reader(run), Reader(run)], ([], [])
    chance = random.Random(5)
    for first in range(0, 2000, 10):
        writer.append(
            [row(block(first)), row(Evaluated(lane=0, epoch=first, step=first, loss=1.0))]
        )
        for reader, found in zip(readers, seen, strict=True):
            if chance.random() < 0.5:
                found += reader.poll(rows=chance.randrange(1, 9))
    for reader, found in zip(readers, seen, strict=True):
        found += read_all(reader)
        assert losses(found) == list(range(2000))
        assert [event.epoch for event in found if isinstance(event, Evaluated)] == list(
            range(0, 2000, 10)
        )


def test_a_reader_writes_nothing(run):
    Writer(run, "trainer 0").append([row(block(0))])
    before = (run / "run.db").read_bytes(), (run / "run.db-wal").read_bytes()
    read_all(Reader(run))
    assert ((run / "run.db").read_bytes(), (run / "run.db-wal").read_bytes()) == before


def test_a_run_whose_folder_has_vanished_cannot_be_written(run):
    writer = Writer(run, "trainer 0")
    writer.append([row(block(0))])
    run.rename(run.with_name("elsewhere"))
    with pytest.raises(StoreUnavailable):
        writer.append([row(block(10))])
    run.with_name("elsewhere").rename(run)
    writer.append([row(block(10))])
    assert losses(read_all(Reader(run))) == list(range(20))


WRITING = """
import sys
from pathlib import Path
from types import SimpleNamespace
sys.path.insert(0, {tests!r})
from support.records import block
from lrtui.store.writer import Writer, row
writer = Writer(Path({run!r}), "trainer 0")
first = int(sys.argv[1])
while True:
    writer.append([row(block(start, 7)) for start in range(first, first + 35, 7)])
    first += 35
    print(first, flush=True)
"""


def test_kill_9_of_the_writer_at_twenty_random_moments_tears_nothing(run):
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    code = WRITING.format(tests=str(Path(__file__).parents[1]), run=str(run))
    done = 0
    for _ in range(20):
        process = subprocess.Popen([sys.executable, "-c", code, str(done)], stdout=subprocess.PIPE)
        for _ in range(chance.randrange(1, 60)):
            flushed = int(process.stdout.readline())
        for _ in range(chance.randrange(20_000)):
            pass  # so that it does not always die between two flushes
        process.kill()
        process.communicate()
        reader = Reader(run)
        seen = losses(read_all(reader))
        assert seen == list(range(len(seen)))
        assert len(seen) % 35 == 0  # whole flushes only
        assert len(seen) >= flushed  # all that was acknowledged
        assert reader._db.execute("PRAGMA quick_check").fetchone() == ("ok",)
        reader.close()
        done = len(seen)
