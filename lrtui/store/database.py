"""Opening run.db: journal, permissions, schema version, and the row that says which race it
holds."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import msgspec
import psutil

from lrtui.core import files
from lrtui.core.errors import RunError, StoreUnavailable
from lrtui.core.scenario.spec import Race
from lrtui.store.run_dir import DATABASE

SCHEMA_VERSION = 2
"""1: no snapshots, no added lanes, processes known by the time of day at which they started; such
a run can be watched, not resumed."""
NETWORK_FILE_SYSTEMS = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "lustre",
    "gpfs",
    "beegfs",
    "ceph",
    "glusterfs",
    "9p",
    "afs",
    "fuse.sshfs",
    "fuse.glusterfs",
    "fuse.ceph",
    "fuse.s3fs",
    "fuse.gcsfuse",
}
"""Shared between machines, which cannot share the memory that WAL keeps its index in."""


class Header(NamedTuple):
    """The row of a run: what was started, when, and by which version."""

    created: float
    """Seconds since 1970."""
    lrtui: str
    """Version of the program that wrote it."""
    race: Race
    """The race as it was started, without the lanes added since."""
    schema: int


def create(run: Path, fill: Callable[[sqlite3.Connection], object]) -> sqlite3.Connection:
    """Create run.db (mode 0600) with the schema and the rows that `fill` inserts, in WAL mode if
    the file system supports it.

    The file appears under its name when it is complete.
    """
    with files.atomic(run / DATABASE) as part:
        schema = Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")
        with closing(sqlite3.connect(part, isolation_level=None)) as connection:
            connection.executescript(schema)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            fill(connection)
    connection = connect(run)
    if file_system(run) not in NETWORK_FILE_SYSTEMS:
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
    files.sync_folder(run.parent)
    files.sync_folder(run)
    return connection


def connect(run: Path, *, readonly: bool = False, wait_s: float = 1.0) -> sqlite3.Connection:
    """Connect to an existing run.db; StoreUnavailable if it cannot be opened now."""
    name = quote(os.fsencode(run / DATABASE))
    try:
        connection = sqlite3.connect(
            f"file:{name}?mode={'ro' if readonly else 'rw'}",
            uri=True,
            timeout=wait_s,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        except sqlite3.OperationalError:
            connection.close()
            if not readonly or not _readable_only(run):
                raise
            # A finished WAL database in a read-only folder: no process changes it, so it is safe to
            # read without the index that WAL would write.
            connection = sqlite3.connect(
                f"file:{name}?mode=ro&immutable=1",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
            )
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        if not readonly:
            # kB: appending needs no more, and many processes have one each
            connection.execute("PRAGMA cache_size = -256")
            # kill -9 loses nothing; power loss at most the last moments
            connection.execute("PRAGMA synchronous = NORMAL")
        return connection
    except sqlite3.Error as error:
        raise StoreUnavailable(
            f"{run / DATABASE}: {error}", "is the run's folder there, and may you read it?"
        ) from error


def version(connection: sqlite3.Connection) -> int:
    """Schema version of the database; 0 if lrtui did not write it."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@contextmanager
def read_errors(run: Path) -> Iterator[None]:
    """Raise errors of SQLite and of decoding as StoreUnavailable (worth another try) or
    RunError."""
    try:
        yield
    except (sqlite3.DatabaseError, msgspec.DecodeError, TypeError) as error:
        code = getattr(error, "sqlite_errorcode", None)
        # SQLITE_ERROR is a missing table or column; the others are locks, full disks and the like
        if isinstance(error, sqlite3.OperationalError) and code != sqlite3.SQLITE_ERROR:
            raise StoreUnavailable(f"{run / DATABASE}: {error}") from error
        raise RunError(
            f"{run / DATABASE}: {error}", "expected a run store made by lrtui"
        ) from error


def read_header(connection: sqlite3.Connection, run: Path) -> Header:
    """Read the row of a run; RunError if this version of lrtui cannot read the database."""
    with read_errors(run):
        schema = version(connection)
        _check_version(schema, run)
        created, lrtui, race = connection.execute(
            "SELECT created, version, race FROM run"
        ).fetchone()
        return Header(created, lrtui, msgspec.json.decode(race, type=Race), schema)


def _check_version(found: int, run: Path) -> None:
    if found > SCHEMA_VERSION:
        raise RunError(
            f"{run}: written by a newer lrtui (schema {found}; this one reads up to"
            f" {SCHEMA_VERSION})",
            "update lrtui",
        )
    if found < 1:
        raise RunError(
            f"{run / DATABASE}: not a run store", "expected a run directory made by lrtui"
        )


def is_wal(connection: sqlite3.Connection) -> bool:
    """True if readers and writers of this database do not block each other."""
    return str(connection.execute("PRAGMA journal_mode").fetchone()[0]).lower() == "wal"


def file_system(path: Path) -> str:
    """Type of the file system that holds `path`; '' if unknown."""
    real = os.path.realpath(path)
    mounts = [
        part
        for part in psutil.disk_partitions(all=True)
        if os.path.commonpath([part.mountpoint, real]) == part.mountpoint
    ]
    return max(mounts, key=lambda part: len(part.mountpoint)).fstype if mounts else ""


def _readable_only(run: Path) -> bool:
    return os.access(run / DATABASE, os.R_OK) and not os.access(run, os.W_OK)
