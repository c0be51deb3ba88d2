"""run.db: who may read it, where it does without a write-ahead log, and what is refused in
words."""

import os
import sqlite3
import stat
import time
from pathlib import Path

import msgspec
import pytest

from lrtui.core.errors import RunError, StoreUnavailable
from lrtui.core.protocol.events import LogMessage
from lrtui.store import database
from lrtui.store.reader import Reader, summary
from lrtui.store.run_dir import DATABASE, SUPERVISOR_ROLE
from lrtui.store.writer import Writer, create_run, row
from support.builders import make_race
from support.records import block, losses, read_all


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_nobody_else_may_look_into_a_run(tmp_path):
    old = os.umask(0)
    try:
        run = create_run(tmp_path / "runs", make_race())
        writer = Writer(run, SUPERVISOR_ROLE)
        writer.append([row(block(0))])
    finally:
        os.umask(old)
    assert mode(run) == 0o700
    assert {path.name: mode(path) for path in run.iterdir()} == {
        DATABASE: 0o600,
        DATABASE + "-wal": 0o600,
        DATABASE + "-shm": 0o600,
    }
    assert mode(tmp_path / "runs") == 0o700
    writer.close()


def test_a_run_is_kept_with_a_write_ahead_log(tmp_path):
    run = create_run(tmp_path, make_race())
    assert database.is_wal(database.connect(run))


@pytest.mark.parametrize("kind", ["nfs", "cifs", "lustre", "fuse.sshfs"])
def test_network_file_system_gets_a_rollback_journal_and_a_log_message(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(database, "file_system", lambda path: kind)
    run = create_run(tmp_path, make_race())
    assert not database.is_wal(database.connect(run))
    writer = Writer(run, "trainer 0")
    for first in range(0, 50, 10):
        writer.append([row(block(first))])
    writer.close()
    events = read_all(Reader(run))
    assert [event.text for event in events if isinstance(event, LogMessage)] == [
        "no write-ahead log on this file system: the record is kept with a rollback journal, and a"
        " flush may take longer"
    ]
    assert losses(events) == list(range(50))
    assert {path.name for path in run.iterdir()} == {DATABASE}


def test_a_file_system_that_refuses_the_log_gets_the_rollback_journal_too(tmp_path, monkeypatch):
    """SQLite answers with the journal mode that it could set; here: it was in another one all
    along."""
    monkeypatch.setattr(database, "NETWORK_FILE_SYSTEMS", {database.file_system(tmp_path)})
    run = create_run(tmp_path, make_race())
    assert not database.is_wal(database.connect(run))
    assert any(isinstance(event, LogMessage) for event in read_all(Reader(run)))


def test_the_file_system_of_a_folder_is_the_one_mounted_nearest():
    assert database.file_system("/proc/self") == "proc"


def test_a_run_of_a_newer_version_is_refused_with_a_word_of_what_to_do(tmp_path):
    run = create_run(tmp_path, make_race())
    with sqlite3.connect(run / DATABASE) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(RunError, match="written by a newer lrtui") as refused:
        Reader(run)
    assert "schema 99" in refused.value.message
    assert refused.value.hint == "update lrtui"
    assert summary(run).state == "unreadable"


NOT_RUNS = {
    "text": b"Dear diary, this is no database.\n" * 100,
    "empty": b"",
    "cut off": b"SQLite format 3\x00" + b"\x00" * 20,
    "garbage after a header": b"SQLite format 3\x00" + bytes(range(256)) * 64,
}


@pytest.mark.parametrize("content", NOT_RUNS.values(), ids=NOT_RUNS)
def test_a_file_that_is_no_run_store_is_refused(content, tmp_path):
    (tmp_path / DATABASE).write_bytes(content)
    with pytest.raises((RunError, StoreUnavailable)) as refused:
        Reader(tmp_path)
    assert str(tmp_path) in refused.value.message
    assert summary(tmp_path).state == "unreadable"


def test_another_programs_database_is_refused(tmp_path):
    with sqlite3.connect(tmp_path / DATABASE) as db:
        db.execute("CREATE TABLE bookmarks (url TEXT)")
    with pytest.raises(RunError, match="not a run store"):
        Reader(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        "DROP TABLE run",
        "DELETE FROM run",
        "UPDATE run SET race = '{}'",
        "UPDATE run SET race = x'ff'",
    ],
)
def test_a_run_without_its_race_is_refused(damage, tmp_path):
    run = create_run(tmp_path, make_race())
    with sqlite3.connect(run / DATABASE) as db:
        db.execute(damage)
    with pytest.raises(RunError, match="expected a run store made by lrtui"):
        Reader(run)


def test_a_run_that_is_not_there_cannot_be_read(tmp_path):
    with pytest.raises(StoreUnavailable, match="unable to open"):
        Reader(tmp_path / "nowhere")


def test_a_folder_with_a_strange_name_is_a_folder_like_any_other(tmp_path):
    run = create_run(tmp_path / "what? 100% #1 & ünï=1", make_race())
    Writer(run, SUPERVISOR_ROLE).append([row(block(0))])
    assert losses(read_all(Reader(run))) == list(range(10))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_finished_run_can_be_read_where_nothing_may_be_written(tmp_path):
    run = create_run(tmp_path, make_race())
    writer = Writer(run, SUPERVISOR_ROLE)
    writer.append([row(block(0))])
    writer.close()
    run.chmod(0o500)
    try:
        assert losses(read_all(Reader(run))) == list(range(10))
    finally:
        run.chmod(0o700)


def test_the_header_says_which_race_a_database_holds(tmp_path):
    run = create_run(tmp_path, make_race())
    header = database.read_header(database.connect(run, readonly=True), run)
    assert (header.race, header.schema) == (make_race(), database.SCHEMA_VERSION)
    assert abs(header.created - time.time()) < 60


def test_errors_of_reading_are_told_apart():
    for error, raised in (
        (sqlite3.OperationalError("locked"), StoreUnavailable),
        (sqlite3.DatabaseError("malformed"), RunError),
        (msgspec.DecodeError("bytes"), RunError),
        (TypeError("no row"), RunError),
    ):
        with pytest.raises(raised), database.read_errors(Path("run")):
            raise error
