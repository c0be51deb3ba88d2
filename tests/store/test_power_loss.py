"""A machine that loses power: the log of the database may be cut anywhere behind what the disk has
confirmed."""

import random
import shutil
import sqlite3
import threading

import pytest

from lrtui.store.reader import Reader
from lrtui.store.run_dir import DATABASE
from lrtui.store.writer import Writer, create_run, row
from support.builders import make_race
from support.records import block, losses, read_all

LOG = DATABASE + "-wal"


def cut(run, to, log):
    """The run as a disk would have it that knows `log` bytes of the log."""
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir()
    shutil.copy(run / DATABASE, to)
    (to / LOG).write_bytes((run / LOG).read_bytes()[:log])
    return to


def found(run):
    """The steps that a cut run holds; that it is sound is held here."""
    events = read_all(Reader(run))
    with sqlite3.connect(run / DATABASE) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    steps = losses(events)
    assert steps == list(range(len(steps)))
    return len(steps)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_left_is_a_prefix_with_all_that_a_beat_has_confirmed(tmp_path, seed):
    chance = random.Random(seed)
    run = create_run(tmp_path / "runs", make_race())
    writer, done, commits = Writer(run, "trainer 0"), 0, {0}
    writer.claim()
    safe_steps, safe_bytes = 0, 0
    for _ in range(80):
        for _ in range(chance.randrange(1, 4)):
            size = chance.choice([1, 10, 10, 200])
            writer.append([row(block(done, size))])
            done += size
            commits.add(done)
        if chance.random() < 0.2:
            writer.beat()
            safe_steps, safe_bytes = done, (run / LOG).stat().st_size
        size = (run / LOG).stat().st_size
        left = found(cut(run, tmp_path / "after", chance.randrange(safe_bytes, size + 1)))
        assert safe_steps <= left <= done
        assert left in commits  # whole flushes only
    assert found(cut(run, tmp_path / "after", size)) == done


def test_cut_while_it_is_being_written_it_is_a_prefix_too(tmp_path):
    run = create_run(tmp_path / "runs", make_race())
    writer, chance = Writer(run, "trainer 0"), random.Random(7)
    writer.append([row(block(0))])

    def write():
        for first in range(10, 2000, 10):
            writer.append([row(block(first))])

    thread = threading.Thread(target=write)
    thread.start()
    seen = []
    while thread.is_alive():
        log = (run / LOG).stat().st_size
        seen.append(found(cut(run, tmp_path / "after", chance.randrange(log + 1))))
    thread.join()
    assert seen
    assert found(cut(run, tmp_path / "after", 1 << 30)) == 2000


def test_a_beat_and_nothing_else_waits_for_the_disk(tmp_path):
    run = create_run(tmp_path, make_race())
    writer, said = Writer(run, "trainer 0"), []
    writer.append([row(block(0))])
    writer._connection.set_trace_callback(said.append)
    writer.append([row(block(10))])
    assert not any("synchronous" in statement for statement in said)
    writer.beat()
    order = [statement for statement in said if statement.startswith(("PRAGMA", "COMMIT"))]
    assert order == ["COMMIT", "PRAGMA synchronous = FULL", "COMMIT", "PRAGMA synchronous = NORMAL"]
    assert writer._connection.execute("PRAGMA synchronous").fetchone() == (1,)
