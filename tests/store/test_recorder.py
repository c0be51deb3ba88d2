"""Training never waits for the disk: what cannot be written is kept, up to a bound, and the record
says what is missing."""

import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lrtui.core.errors import StoreUnavailable
from lrtui.core.protocol import events
from lrtui.core.protocol.command_result import done
from lrtui.core.protocol.commands import Add, Fork, Pause, Stop, TakeSnapshot
from lrtui.core.protocol.events import Ended, LogMessage, Started
from lrtui.store import recorder as recorders
from lrtui.store.reader import Reader
from lrtui.store.recorder import Recorder
from lrtui.store.run_dir import DATABASE
from lrtui.store.writer import Writer, create_run, row
from support.builders import make_race
from support.records import block, losses, read_all
from support.waiting import PATIENCE_S, until


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(recorders, "RETRY_S", 0.01)
    monkeypatch.setattr(recorders, "FLUSH_S", 0.01)
    return create_run(tmp_path, make_race())


@pytest.fixture
def disk(monkeypatch):
    """A disk that is full while `disk.full`, and waits while it is held."""

    class Disk:
        full = False
        attempts = 0
        held = threading.Event()

        def flush(self, writer, rows, results):
            Disk.attempts += 1
            Disk.held.wait()
            if Disk.full:
                raise StoreUnavailable("database or disk is full")
            return real(writer, rows, results)

    real = Writer.flush
    Disk.held.set()
    monkeypatch.setattr(
        Writer, "flush", lambda writer, rows, results=(): Disk.flush(Disk, writer, rows, results)
    )
    return Disk


def told(run):
    return read_all(Reader(run))


def notes(run):
    return [event.text for event in told(run) if isinstance(event, LogMessage)]


def test_what_is_put_is_written(run):
    recorder = Recorder(run, "trainer 0", {0})
    for first in range(0, 100, 10):
        recorder.put(block(first))
    until(lambda: len(losses(told(run))) == 100, "the blocks to be written")
    recorder.put(Ended(lane=0, step=100, reason="finished"))
    recorder.close()
    assert losses(told(run)) == list(range(100))
    assert told(run)[-1].reason == "finished"


def test_a_lanes_start_is_signed_with_the_process_that_trains_it(run):
    recorder = Recorder(run, "trainer 7", {0})
    recorder.put(
        Started(
            lane=0,
            device="cpu",
            steps_per_epoch=10,
            total_steps=100,
            parameters=1,
            init_checksum="a",
            batch_checksum="b",
            intra_op_threads=1,
            validated=False,
        )
    )
    recorder.close()
    assert told(run)[0].role == "trainer 7"


def test_put_never_waits_for_the_disk(run, disk):
    disk.held.clear()
    recorder = Recorder(run, "trainer 0", {0})
    recorder.put(block(0))
    until(lambda: disk.attempts, "the recorder to hang on the disk")
    for first in range(10, 5000, 10):
        recorder.put(block(first))  # the disk hangs: were this to wait, the test would not end
    assert told(run) == []
    disk.held.set()
    recorder.close()
    assert losses(told(run)) == list(range(5000))


def test_events_wait_for_a_full_disk_and_nothing_is_missing(run, disk):
    disk.full = True
    recorder = Recorder(run, "trainer 0", {0})
    for first in range(0, 500, 10):
        recorder.put(block(first))
    until(lambda: disk.attempts > 3, "a few attempts")
    assert told(run) == []
    disk.full = False
    until(lambda: notes(run), "the recovery")
    recorder.close()
    assert losses(told(run)) == list(range(500))
    (note,) = notes(run)
    assert "could not be written" in note
    assert note.endswith("nothing is missing")


def test_beyond_the_bound_the_oldest_steps_go_and_the_record_says_how_many(run, disk):
    disk.full = True
    recorder = Recorder(run, "trainer 0", {0}, keep_bytes=20_000)
    for first in range(0, 5000, 10):
        recorder.put(block(first))
        if first % 1000 == 0:
            recorder.put(Ended(lane=1, step=first, reason="finished"))
    until(
        lambda: not recorder._outbox and 0 < recorder._kept_bytes <= 20_000,
        "all of it to be taken in, and the oldest to go",
    )
    disk.full = False
    until(lambda: notes(run), "the recovery")
    recorder.close()
    kept = losses(told(run))
    assert kept == list(range(5000 - len(kept), 5000))
    assert 0 < len(kept) < 5000
    assert notes(run)[0].endswith(f"{5000 - len(kept)} steps are missing from the record")
    # what is not steps is kept
    assert len([event for event in told(run) if isinstance(event, Ended)]) == 5


def test_a_disk_that_takes_a_beat_but_no_events_is_still_full(run, disk):
    """Small writes may go on for long: the record must not claim each time that all is well
    again."""
    disk.full = True
    recorder = Recorder(run, "trainer 0", {0})
    recorder.put(block(0))
    until(lambda: disk.attempts > 20, "many attempts")
    disk.full = False
    until(lambda: notes(run), "the recovery")
    recorder.close()
    assert len(notes(run)) == 1


def test_a_record_that_fails_again_says_so_again(run, disk):
    recorder = Recorder(run, "trainer 0", {0})
    for failure in (1, 2):
        attempts = disk.attempts
        disk.full = True
        recorder.put(block(0))
        until(lambda attempts=attempts: disk.attempts > attempts, "an attempt")
        disk.full = False
        until(lambda failure=failure: len(notes(run)) == failure, "the recovery")
    recorder.close()


def test_a_folder_that_vanishes_and_comes_back_lost_nothing(run):
    recorder = Recorder(run, "trainer 0", {0})
    recorder.put(block(0))
    until(lambda: losses(told(run)), "the first block")
    away = run.rename(run.with_name("away"))
    recorder.put(block(10))
    until(lambda: recorder._failed_at, "the recorder to notice")
    recorder.put(block(20))
    away.rename(run)
    until(lambda: notes(run), "the recovery")
    recorder.close()
    assert losses(told(run)) == list(range(30))
    assert notes(run)[0].endswith("nothing is missing")


def test_closing_does_not_wait_for_ever(run, disk):
    disk.full = True
    recorder = Recorder(run, "trainer 0", {0})
    recorder.put(block(0))
    recorder.close(patience_s=0.05)
    assert recorder._thread.is_alive()
    disk.full = False
    until(lambda: not recorder._thread.is_alive(), "the recorder to write what it kept")
    assert losses(told(run)) == list(range(10))


def test_an_event_without_a_time_gets_the_present_one(run):
    recorder, before = Recorder(run, "trainer 0", {0}), time.time()
    recorder.put(LogMessage(lane=0, text="now"))
    recorder.put(LogMessage(lane=0, at=3.0, text="then"))
    recorder.close()
    now, then = read_all(Reader(run))
    assert before <= now.at <= time.time()
    assert then.at == 3.0


def test_a_recorder_takes_the_commands_for_its_lanes_only(run):
    writer, recorder = Writer(run, "viewer"), Recorder(run, "trainer 0", {1})
    mine, other = writer.send(Pause(lane=1)), writer.send(Pause(lane=0))
    late = writer.send(Stop(lane=1))
    got = []
    until(lambda: got.extend(recorder.commands()) or len(got) == 2, "the commands")
    assert got == [(mine, Pause(lane=1)), (late, Stop(lane=1))]
    recorder.acknowledge(mine, done("paused"))
    recorder.acknowledge(late, done("stopped"))
    recorder.close()
    assert Reader(run).results([mine, other, late]) == {mine: done("paused"), late: done("stopped")}


def test_each_command_is_handed_over_once(run):
    writer, recorder = Writer(run, "viewer"), Recorder(run, "trainer 0", {0})
    got = []
    for number in range(1, 30):
        assert writer.send(Pause(lane=0)) == number
        until(
            lambda number=number: got.extend(recorder.commands()) or len(got) >= number,
            "the command",
        )
    recorder.close()
    assert [number for number, _ in got] == list(range(1, 30))


def test_an_answer_that_comes_while_another_is_written_is_not_lost(run, monkeypatch):
    recorder = Recorder(run, "trainer 0", {0})
    real = Writer.flush

    def flush(writer, rows, results=()):
        if len(results) == 1 and results[0][0] == 1:
            recorder.acknowledge(2, done("the second"))
        real(writer, rows, results)

    monkeypatch.setattr(Writer, "flush", flush)
    viewer = Writer(run, "viewer")
    viewer.send(Pause(lane=1))
    viewer.send(Pause(lane=1))
    recorder.acknowledge(1, done("the first"))
    until(
        lambda: Reader(run).results([1, 2]) == {1: done("the first"), 2: done("the second")},
        "both answers",
    )
    recorder.close()


def test_whoever_waits_wakes_up_for_a_command(run):
    recorder = Recorder(run, "trainer 0", {0})
    woken = threading.Event()
    got = []

    def waiting():
        while not got:
            recorder.wait(1.0)
            got.extend(recorder.commands())
        woken.set()

    thread = threading.Thread(target=waiting, daemon=True)
    thread.start()
    Writer(run, "viewer").send(Stop(lane=0))
    until(woken.is_set, "the waiting thread")
    thread.join()
    recorder.close()
    assert got == [(1, Stop(lane=0))]


def test_what_the_supervisor_carries_out_is_not_taken_by_a_trainer(run):
    child = make_race().lanes[0]
    viewer, recorder, got = Writer(run, "viewer"), Recorder(run, "trainer 0", {0}), []
    viewer.send(Fork(lane=0, child=child))
    viewer.send(Add(lane=0, child=child))
    number = viewer.send(TakeSnapshot(lane=0))
    until(lambda: got.extend(recorder.commands()) or got, "the command")
    recorder.close()
    assert got == [(number, TakeSnapshot(lane=0))]
    assert [command for _, command in viewer.pending(0)] == [
        Fork(lane=0, child=child),
        Add(lane=0, child=child),
        TakeSnapshot(lane=0),
    ]


def test_an_answer_is_written_with_what_it_led_to_or_not_at_all(run):
    """The transaction breaks between the two: neither is there, and the command still waits."""

    class Broken:
        def __init__(self, real):
            self.real = real

        def __getattr__(self, name):
            return getattr(self.real, name)

        def executemany(self, sql, rows):
            if sql.startswith("UPDATE"):
                raise sqlite3.OperationalError("disk I/O error")
            return self.real.executemany(sql, rows)

    viewer, writer = Writer(run, "viewer"), Writer(run, "trainer 0")
    number = viewer.send(Pause(lane=0))
    writer.append([row(block(0))])
    writer._connection = Broken(writer._connection)
    with pytest.raises(StoreUnavailable):
        writer.flush([row(block(10))], [(number, "paused")])
    assert losses(told(run)) == list(range(10))
    assert viewer.pending(0) == [(number, Pause(lane=0))]
    writer.flush([row(block(10))], [(number, "paused")])
    assert losses(told(run)) == list(range(20))
    assert viewer.pending(0) == []


def test_nothing_that_an_answer_rests_on_comes_after_it(run, monkeypatch):
    """Whenever the recorder looks: in the flush of an answer, or before, is all that was put before
    it."""
    recorder = Recorder(run, "trainer 0", {0})
    real, flushes = Writer.flush, []

    def flush(writer, rows, results=()):
        flushes.append(([events.decode(body) for _, _, body in rows], list(results)))
        real(writer, rows, results)

    monkeypatch.setattr(Writer, "flush", flush)
    for number in range(300):
        recorder.put(LogMessage(lane=0, text=str(number)))
        recorder.acknowledge(number, done(str(number)))
    recorder.close()
    written = set()
    for noted, results in flushes:
        written |= {event.text for event in noted}
        assert {result.text for _, result in results} <= written
    assert len(written) == 300


def test_an_answer_does_not_wait_for_the_next_round(run, monkeypatch):
    monkeypatch.setattr(recorders, "FLUSH_S", 3600.0)
    viewer, recorder = Writer(run, "viewer"), Recorder(run, "trainer 0", {0})
    number = viewer.send(Pause(lane=0))
    recorder.put(block(0))
    recorder.acknowledge(number, done("paused"))
    until(lambda: Reader(run).results([number]), "the answer")
    assert losses(told(run)) == list(range(10))
    recorder.put(block(10))
    assert recorder.wait_flushed(60.0)
    assert losses(told(run)) == list(range(20))
    recorder.close()


def test_waiting_for_what_was_put_ends_without_it_where_the_disk_is_full(run, disk):
    disk.full = True
    recorder = Recorder(run, "trainer 0", {0})
    recorder.put(block(0))
    assert not recorder.wait_flushed(0.05)
    disk.full = False
    assert recorder.wait_flushed(60.0)
    recorder.close()
    assert losses(told(run)) == list(range(10))


def test_a_locked_database_loses_nothing(run):
    """Another program holds it for itself alone; what is put meanwhile is written when it lets
    go."""
    recorder = Recorder(run, "trainer 0", {0})
    recorder.put(block(0))
    assert recorder.wait_flushed(60.0)
    other = sqlite3.connect(run / DATABASE, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    recorder.put(block(10))
    until(lambda: recorder._failed_at, "the recorder to meet the lock")
    for first in range(20, 100, 10):
        recorder.put(block(first))
    assert losses(told(run)) == list(range(10))
    other.execute("COMMIT")
    other.close()
    assert recorder.wait_flushed(60.0)
    recorder.close()
    assert losses(told(run)) == list(range(100))
    assert notes(run)[0].endswith("nothing is missing")


FULL = """
import resource, signal, sys, threading
from pathlib import Path
sys.path.insert(0, {tests!r})
from support.records import block
from lrtui.store import recorder as recorders
recorders.RETRY_S = recorders.FLUSH_S = 0.01
recorder = recorders.Recorder(Path({run!r}), "trainer 0", {{0}})
nobody = threading.Event()
for first in range(0, 1000, 10):
    recorder.put(block(first))
while recorder._outbox or recorder._kept:
    nobody.wait(0.01)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
for first in range(1000, 9000, 10):
    recorder.put(block(first))
while not recorder._failed_at:
    nobody.wait(0.01)
print("failed", flush=True)
sys.stdin.readline()
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
while recorder._outbox or recorder._kept or recorder._failed_at:
    nobody.wait(0.01)
recorder.close()
print("done", flush=True)
"""


def test_a_disk_that_is_really_full_is_survived(run):
    """No file may grow beyond four kilobytes for a while: SQLite meets the error that a full disk
    gives."""
    code = FULL.format(tests=str(Path(__file__).parents[1]), run=str(run))
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "failed\n"
    assert losses(told(run)) == list(range(1000))
    out, _ = process.communicate("\n", timeout=PATIENCE_S)
    assert out == "done\n"
    assert losses(told(run)) == list(range(9000))
    assert notes(run)[-1].endswith("nothing is missing")
