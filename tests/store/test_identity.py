"""A process is known by its number and its start: no clock that is set, and no beat that is late,
makes it another one."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from lrtui.store import identity, reader as readers
from lrtui.store.reader import Reader, summary
from lrtui.store.run_dir import SUPERVISOR_ROLE
from lrtui.store.writer import Writer, create_run
from support.builders import make_race
from support.waiting import until


@pytest.fixture
def run(tmp_path):
    return create_run(tmp_path, make_race())


def test_a_start_is_read_twice_alike_and_differs_from_the_next_processes():
    assert identity.started(os.getpid()) == identity.started(os.getpid())
    assert identity.exists(os.getpid(), identity.started(os.getpid()))
    assert not identity.exists(os.getpid(), identity.started(os.getpid()) - 1.0)


@pytest.mark.parametrize("hours", [-24 * 365, -1, 1, 24 * 365])
def test_a_clock_that_is_set_kills_nobody(run, hours, monkeypatch):
    Writer(run, SUPERVISOR_ROLE).beat()
    reader = Reader(run)
    now, begun, made = time.time, psutil.boot_time(), psutil.Process.create_time
    monkeypatch.setattr(time, "time", lambda: now() + 3600 * hours)
    monkeypatch.setattr(psutil, "boot_time", lambda: begun + 3600 * hours)
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: made(process) + 3600 * hours)
    assert reader.supervisor().alive()
    assert reader.trouble() == ""
    assert summary(run).state == "running"
    Writer(run, SUPERVISOR_ROLE).beat()
    assert reader.supervisor().alive()


def test_a_machine_that_slept_has_a_late_beat_and_a_living_supervisor(run, monkeypatch):
    Writer(run, SUPERVISOR_ROLE).beat()
    reader = Reader(run)
    assert reader.trouble() == ""
    now = time.monotonic
    monkeypatch.setattr(readers.time, "monotonic", lambda: now() + 3600)
    assert "training goes on" in reader.trouble()
    assert reader.supervisor().alive()
    Writer(run, SUPERVISOR_ROLE).beat()
    assert reader.trouble() == ""


def test_a_process_that_is_gone_is_gone_and_its_zombie_too():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    at = identity.started(process.pid)
    assert identity.exists(process.pid, at)
    process.kill()
    until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE, "its end")
    assert not identity.exists(process.pid, at)
    process.communicate()
    assert not identity.exists(process.pid, at)
    with pytest.raises(psutil.NoSuchProcess):
        identity.started(process.pid)


def test_a_name_with_brackets_and_spaces_hides_no_start():
    name = "x) S 1 (y"
    code = f"import sys; open('/proc/self/comm', 'w').write({name!r}); print(flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    process.stdout.readline()
    try:
        assert abs(identity.started(process.pid) - identity.started(os.getpid())) < 24 * 3600 * 365
        assert identity.exists(process.pid, identity.started(process.pid))
    finally:
        process.communicate(b"\n")


def test_a_start_by_the_time_of_day_is_understood_as_such():
    """As runs of schema version 1 have it, and every system but Linux."""
    mine = psutil.Process().create_time()
    assert identity.exists(os.getpid(), mine)
    assert identity.exists(os.getpid(), mine + 1.5)
    assert not identity.exists(os.getpid(), mine + 10)


def test_on_another_host_the_beat_counts(run):
    writer = Writer(run, SUPERVISOR_ROLE)
    writer._me = (*writer._me[:2], "elsewhere")
    writer.beat()
    supervisor = Reader(run).supervisor()
    assert supervisor.alive()
    late = identity.Process(
        supervisor.role, supervisor.pid, supervisor.started, supervisor.host, supervisor.beat - 60
    )
    assert not late.alive()


def test_trainers_are_seen_apart_from_their_supervisor(run):
    Writer(run, SUPERVISOR_ROLE).beat()
    reader, writer = Reader(run), Writer(run, "trainer 0")
    assert not reader.trainers_alive()
    writer.claim()
    assert reader.trainers_alive()
    assert writer.trainers_alive()
    Writer(run, SUPERVISOR_ROLE).revoke_trainers()
    assert not reader.trainers_alive()
    assert reader.supervisor() is not None
