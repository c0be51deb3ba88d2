"""Writing run.db: a flush is one transaction. Whoever calls waits for SQLite; who must not wait has
a Recorder."""

from __future__ import annotations

import os
import socket
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from lrtui._version import __version__
from lrtui.core.errors import StoreUnavailable, Superseded
from lrtui.core.protocol import commands, events
from lrtui.core.protocol.command_result import CommandResult, encode_result
from lrtui.core.protocol.commands import AnyCommand
from lrtui.core.protocol.events import Alerted, AnyEvent, LogMessage
from lrtui.core.scenario.spec import Race
from lrtui.store import database, identity, run_dir
from lrtui.store.identity import Process, processes
from lrtui.store.lane_summary import answers

Row = tuple[int, str, bytes]
"""lane, kind and body of an event, as it is stored."""
_NOT_UNDERSTOOD = CommandResult("not_understood", "not understood by this version of lrtui")


def create_run(runs: Path, race: Race) -> Path:
    """A new run directory with its database, holding what was asked for."""
    run = run_dir.create(runs, race.scenario or race.task.name)
    asked = (time.time(), __version__, msgspec.json.encode(race))
    connection = database.create(
        run, lambda db: db.execute("INSERT INTO run VALUES (1, ?, ?, ?)", asked)
    )
    wal = database.is_wal(connection)
    connection.close()
    if not wal:
        writer = Writer(run, run_dir.SUPERVISOR_ROLE)
        writer.append(
            [
                row(
                    LogMessage(
                        lane=-1,
                        at=time.time(),
                        text=(
                            "no write-ahead log on this file system: the record is kept with a"
                            " rollback journal, and a flush may take longer"
                        ),
                    )
                )
            ]
        )
        writer.close()
    return run


def row(event: AnyEvent) -> Row:
    """An event as a row."""
    return event.lane, events.kind(event), events.encode(event)


class Writer:
    """One process's way into a run's database. Every method may raise StoreUnavailable; then
    nothing was written.

    Once it has claimed its role, every write may also raise Superseded: another process has the
    role now, or it was dismissed, and nothing was written or ever will be.
    """

    def __init__(self, run: Path, role: str) -> None:
        self.run = run
        self.role = role
        self._me = (os.getpid(), identity.started(os.getpid()), socket.gethostname())
        self._claimed = False
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    def claim(self) -> None:
        """Takes the role over from any other process."""
        self._sign()
        self._claimed = True

    def flush(self, rows: Sequence[Row], results: Sequence[tuple[int, CommandResult]] = ()) -> None:
        """Adds events and the results of commands, each with its command's number, in one
        transaction."""
        with self._transaction() as db:
            self._check_claim(db)
            db.executemany("INSERT INTO events (lane, kind, body) VALUES (?, ?, ?)", rows)
            db.executemany(
                "UPDATE commands SET result = ? WHERE id = ? AND result IS NULL",
                [(encode_result(result), number) for number, result in results],
            )

    def append(self, rows: Sequence[Row]) -> None:
        """Adds events in one transaction."""
        self.flush(rows)

    def acknowledge(self, results: Sequence[tuple[int, CommandResult]]) -> None:
        """Writes results of commands; the first result of a command stays."""
        self.flush((), results)

    def beat(self) -> None:
        """Says that this process is alive. All that was written so far outlasts a power loss from
        then on."""
        with self._durably():
            self._sign()

    def _sign(self) -> None:
        with self._transaction() as db:
            self._check_claim(db)
            db.execute(
                "INSERT OR REPLACE INTO processes VALUES (?, ?, ?, ?, ?)",
                (self.role, *self._me, time.time()),
            )

    def trainers_alive(self) -> bool:
        """True if any trainer of the run still exists."""
        with self._guard() as db:
            return any(
                process.alive() for process in processes(db) if process.role.startswith("trainer")
            )

    def process(self, role: str) -> Process | None:
        """The process that has a role, or had it last; None before the first."""
        with self._guard() as db:
            return next((one for one in processes(db) if one.role == role), None)

    def revoke_trainers(self) -> None:
        """Takes their roles from all trainers: those that are still there cannot write any more."""
        with self._transaction() as db:
            db.execute("DELETE FROM processes WHERE role LIKE 'trainer%'")

    def send(self, command: AnyCommand) -> int:
        """Files a command, returns its number."""
        with self._transaction() as db:
            body = commands.encode(command)
            cursor = db.execute(
                "INSERT INTO commands (lane, at, body) VALUES (?, ?, ?)",
                (command.lane, time.time(), body),
            )
            return int(cursor.lastrowid or 0)

    def pending(self, after: int) -> list[tuple[int, AnyCommand]]:
        """Commands without a result and with a number above `after`, oldest first."""
        with self._guard() as db:
            query = "SELECT id, body FROM commands WHERE id > ? AND result IS NULL ORDER BY id"
            rows = db.execute(query, (after,)).fetchall()
        understood, strange = [], []
        for number, body in rows:
            try:
                understood.append((number, commands.decode(body)))
            except msgspec.DecodeError:  # a viewer of another version may know more commands
                strange.append((number, _NOT_UNDERSTOOD))
        if strange:
            self.acknowledge(strange)
        return understood

    def sent(self, after: int) -> list[tuple[int, AnyCommand]]:
        """Commands with a number above `after`, with or without a result, oldest first; those that
        are not understood are left out."""
        with self._guard() as db:
            query = "SELECT id, body FROM commands WHERE id > ? ORDER BY id"
            rows = db.execute(query, (after,)).fetchall()
        found = []
        for number, body in rows:
            with suppress(msgspec.DecodeError):
                found.append((number, commands.decode(body)))
        return found

    def results(self, numbers: Sequence[int]) -> dict[int, CommandResult]:
        """The results of those commands that have one, by number."""
        with self._guard() as db:
            return answers(db, numbers)

    def alerts(self, after: int) -> tuple[int, list[Alerted]]:
        """The alerts recorded after row `after`, and the number of the last row there is."""
        with self._guard() as db:
            (last,) = db.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()
            query = (
                "SELECT body FROM events WHERE id > ? AND id <= ? AND kind = 'Alerted' ORDER BY id"
            )
            found = [events.decode(body) for (body,) in db.execute(query, (after, last))]
        return max(last, after), [event for event in found if isinstance(event, Alerted)]

    def close(self) -> None:
        """Closes the connection; the next call opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _check_claim(self, db: sqlite3.Connection) -> None:
        """Within a transaction: whether the role is still this process's own."""
        if not self._claimed:
            return
        mine = "SELECT 1 FROM processes WHERE role = ? AND pid = ? AND started = ? AND host = ?"
        if db.execute(mine, (self.role, *self._me)).fetchone() is None:
            what = "the supervisor" if self.role == run_dir.SUPERVISOR_ROLE else self.role
            raise Superseded(f"{self.run.name}: another process is {what} now, or it was dismissed")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._guard() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                if db.in_transaction:  # an error of the disk has ended it already
                    db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    @contextmanager
    def _durably(self) -> Iterator[None]:
        """Within, a commit returns when the disk has it, and with it all that was committed
        before."""
        with self._guard() as db:
            db.execute("PRAGMA synchronous = FULL")
        try:
            yield
        finally:
            if self._connection is not None:
                with self._guard() as db:
                    db.execute("PRAGMA synchronous = NORMAL")

    @contextmanager
    def _guard(self) -> Iterator[sqlite3.Connection]:
        """The open connection; any error of SQLite closes it (after an I/O error it may be
        unusable) and is passed on."""
        try:
            if self._connection is None:
                self._connection = database.connect(self.run)
                self._inode = os.stat(self.run / run_dir.DATABASE).st_ino
            self._check_place()
            yield self._connection
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise StoreUnavailable(f"{self.run / run_dir.DATABASE}: {error}") from error

    def _check_place(self) -> None:
        """A deleted database can be written for ever without an error: its name must still lead to
        the same file."""
        try:
            same = os.stat(self.run / run_dir.DATABASE).st_ino == self._inode
        except OSError:
            same = False
        if not same:
            self.close()
            raise StoreUnavailable(f"{self.run / run_dir.DATABASE}: gone")
