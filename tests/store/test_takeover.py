"""A process whose place in a run another one has taken must never write again: nothing may be
recorded twice."""

import threading

import pytest

from lrtui.core.errors import Superseded
from lrtui.core.protocol.command_result import done
from lrtui.core.protocol.commands import Pause, Stop
from lrtui.store import recorder as recorders
from lrtui.store.reader import Reader
from lrtui.store.recorder import Recorder
from lrtui.store.run_dir import SUPERVISOR_ROLE
from lrtui.store.writer import Writer, create_run, row
from support.builders import make_race
from support.records import block, losses, read_all
from support.waiting import until


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(recorders, "FLUSH_S", 0.01)
    return create_run(tmp_path, make_race())


def told(run):
    return read_all(Reader(run))


def another(run, role):
    """A writer of another process: it started a moment later."""
    writer = Writer(run, role)
    writer._me = (writer._me[0], writer._me[1] + 1.0, writer._me[2])
    return writer


def test_every_way_to_write_is_closed_to_who_has_lost_its_role(run):
    old = Writer(run, SUPERVISOR_ROLE)
    old.claim()
    old.append([row(block(0))])
    number = Writer(run, "viewer").send(Pause(lane=0))
    new = another(run, SUPERVISOR_ROLE)
    new.claim()
    for write in (
        lambda: old.append([row(block(10))]),
        lambda: old.acknowledge([(number, done("paused"))]),
        old.beat,
    ):
        with pytest.raises(Superseded, match="another process is the supervisor now"):
            write()
    assert losses(told(run)) == list(range(10))
    assert Reader(run).results([number]) == {}
    assert Reader(run).supervisor().started == new._me[1]
    new.append([row(block(10))])
    new.beat()
    assert losses(told(run)) == list(range(20))


def test_who_has_no_role_may_write_beside_all_others(run):
    """Viewers file commands, whoever they are."""
    Writer(run, "viewer").send(Pause(lane=0))
    another(run, "viewer").send(Pause(lane=0))
    assert len(Writer(run, SUPERVISOR_ROLE).pending(0)) == 2


def test_a_trainer_whose_place_is_taken_never_writes_again(run):
    old = Recorder(run, "trainer 0", {0})
    old.put(block(0))
    assert old.wait_flushed(60.0)
    waiting = threading.Thread(target=old.wait, args=(3600.0,), daemon=True)
    waiting.start()
    another(run, "trainer 0").claim()
    old.put(block(10))
    until(lambda: old.superseded, "the old one to notice")
    waiting.join()
    old.put(block(20))
    old.acknowledge(1, done("paused"))
    assert not old.wait_flushed(0.0)
    assert old.commands() == []
    old.close()
    assert not old._thread.is_alive()
    assert losses(told(run)) == list(range(10))


def test_dismissed_trainer_never_writes_again_without_a_successor(run):
    recorder = Recorder(run, "trainer 3", {0})
    assert recorder.wait_flushed(60.0)
    Writer(run, SUPERVISOR_ROLE).revoke_trainers()
    recorder.put(block(0))
    until(lambda: recorder.superseded, "it to notice")
    recorder.close()
    assert told(run) == []


def test_an_idle_trainer_notices_by_its_beat(run, monkeypatch):
    monkeypatch.setattr(recorders, "BEAT_S", 0.01)
    recorder = Recorder(run, "trainer 0", {0})
    assert recorder.wait_flushed(60.0)
    another(run, "trainer 0").claim()
    until(lambda: recorder.superseded, "it to notice")
    recorder.close()


def test_what_the_old_one_had_taken_and_not_answered_is_the_new_ones(run):
    viewer = Writer(run, "viewer")
    answered, waiting = viewer.send(Pause(lane=0)), viewer.send(Stop(lane=0))
    old, got = Recorder(run, "trainer 0", {0}), []
    until(lambda: got.extend(old.commands()) or len(got) == 2, "the commands")
    old.acknowledge(answered, done("paused"))
    assert old.wait_flushed(60.0)
    old.close()
    new, again = Recorder(run, "trainer 0", {0}), []
    until(lambda: again.extend(new.commands()) or again, "the command that waits")
    new.close()
    assert again == [(waiting, Stop(lane=0))]
