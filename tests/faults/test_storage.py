"""A disk that is full, a database that is locked or deleted, a machine without power: training goes
on, what can be kept is."""

import contextlib
import os
import resource
import shutil
import signal
import sqlite3
import sys
import time

import pytest

from lrtui.store.run_dir import DATABASE
from support.waiting import deleted

from .harness import LANES, Contest, Record, chance, kill, on_a_small_disk

pytestmark = pytest.mark.xdist_group("faults")

DISK_KB = 6000


def test_training_outlasts_a_failing_disk_and_writes_the_backlog(tmp_path, monkeypatch):
    monkeypatch.setattr("lrtui.store.reader.LATE_S", 2.0)
    on_a_small_disk(tmp_path / "disk", DISK_KB, lambda disk: _without_its_disk(tmp_path, disk))


def _without_its_disk(folder, disk):
    luck = chance("disk")
    with Contest.start(folder, trainers=3, runs=disk, epochs=4000) as contest:
        troubles = [
            locked(contest),
            *([limited(contest)] if sys.platform == "linux" else []),
            *([full(contest, disk)] if disk else []),
        ]
        gaps = [endured(contest, trouble, luck) for trouble in luck.sample(troubles, len(troubles))]
        record = Record(contest.run)
        record.assert_undisturbed()
        for lane in record.lanes:
            assert not lane.returns
            for began, over in gaps:  # it went on training all the time
                assert any(began + 0.2 < block.at < over for block in lane.blocks)
        assert sum(
            note.startswith("the run store could not be written for") for note in record.notes
        ) >= len(gaps)
        assert not any("missing from the record" in note for note in record.notes)

        everybody = contest.at_work()
        deleted(contest.run)
        contest.sees(
            lambda: "folder is gone" in contest.follower.reader.trouble(), "that the folder is gone"
        )
        assert {process.pid for process in contest.at_work()} == {
            process.pid for process in everybody
        }
        kill(contest.supervisor(), signal.SIGTERM)
        contest.sees_nobody()


def endured(contest, trouble, luck):
    """Lets a trouble come, last for a while, and go; when that was."""
    contest.goes_on(by=luck.randrange(5, 30))
    began = time.time()
    with trouble as words:
        contest.sees(lambda: contest.follower.reader.trouble() == words, words)
        assert contest.ends == ["running"] * LANES
        over = time.time()
    contest.sees(lambda: not contest.follower.reader.trouble(), "the record to go on")
    contest.goes_on()
    return began, over


def test_record_after_a_power_cut_is_sound_up_to_the_last_moments(tmp_path):
    luck = chance("power")
    with Contest.start(tmp_path, epochs=6000) as contest:
        contest.goes_on(by=luck.randrange(50, 120))
        contest.freeze()
        whole = Record(contest.run)
        images = [cut(contest.run, tmp_path / f"image {number}", luck) for number in range(20)]
        contest.thaw()
        kill(contest.supervisor(), signal.SIGTERM)
        contest.sees_nobody()
    for image in images:
        record = Record(image)
        for index, lane in enumerate(record.lanes):
            there = lane.columns["loss"]
            assert there == whole.lanes[index].columns["loss"][: len(there)]


def cut(run, image, luck):
    """What a disk may hold after a power cut: the database, and its log up to some moment."""
    image.mkdir()
    for name in (DATABASE, DATABASE + "-wal"):
        shutil.copy(run / name, image)
    log = image / (DATABASE + "-wal")
    os.truncate(log, luck.randrange(log.stat().st_size + 1))
    with log.open("ab") as file:  # blocks that were claimed but never written
        file.write(bytes(luck.choice([0, 4096, 50_000])))
    return image


@contextlib.contextmanager
def locked(contest):
    """Another program holds the database."""
    with contextlib.closing(sqlite3.connect(contest.run / DATABASE, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        yield "the record is late: training goes on"
        db.execute("ROLLBACK")


@contextlib.contextmanager
def limited(contest):
    """No process of the run may make any file longer than it is: every write fails as on a full
    disk."""
    workers = contest.at_work()
    for process in workers:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    yield "the record is late: training goes on"
    for process in workers:
        resource.prlimit(
            process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        )


@contextlib.contextmanager
def full(contest, disk):
    """The disk has no byte left."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file, contextlib.suppress(OSError):
        while True:
            os.write(file.fileno(), bytes(4096))
    yield "the disk is full: training goes on, the record waits"
    ballast.unlink()
