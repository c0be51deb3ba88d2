"""Opening run.db: journal, permissions, schema version. Knows SQLite and nothing of what the rows
mean."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import psutil

from lrtui.core.errors import RunError, StoreUnavailable
from lrtui.store.run_dir import DATABASE

SCHEMA_VERSION = 2
"""1: no snapshots, no lanes that join, processes by the time of day at which they started. Such a
run can be watched."""
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
"""Where processes on one machine may share memory but another machine cannot: WAL's index would not
be seen there."""


def create(run: Path, fill: Callable[[sqlite3.Connection], object]) -> sqlite3.Connection:
    """A new run.db (mode 0600) with the schema and what `fill` puts into it, in WAL mode where the
    file system bears it.

    It gets its name when it is whole: whoever looks at runs meanwhile sees none.
    """
    making = run / f"{DATABASE}.new"
    os.close(os.open(making, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    connection = sqlite3.connect(making, isolation_level=None)
    connection.executescript(Path(__file__).with_name("schema.sql").read_text(encoding="utf-8"))
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    fill(connection)
    connection.close()
    os.rename(making, run / DATABASE)
    connection = connect(run)
    if file_system(run) not in NETWORK_FILE_SYSTEMS:
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
    sync_folder(run.parent)
    sync_folder(run)
    return connection


def connect(run: Path, *, readonly: bool = False, wait_s: float = 1.0) -> sqlite3.Connection:
    """A connection to an existing run.db; StoreUnavailable where it cannot be opened just now."""
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
            # A finished WAL database in a folder that we may not write in: nobody changes it, so it
            # may be read as it is.
            connection = sqlite3.connect(
                f"file:{name}?mode=ro&immutable=1",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
            )
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        if not readonly:
            # kB: who only appends needs no more, in each of many processes
            connection.execute("PRAGMA cache_size = -256")
            # kill -9 loses nothing; power loss at most the last moments
            connection.execute("PRAGMA synchronous = NORMAL")
        return connection
    except sqlite3.Error as error:
        raise StoreUnavailable(
            f"{run / DATABASE}: {error}", "is the run's folder there, and may you read it?"
        ) from error


def version(connection: sqlite3.Connection) -> int:
    """The schema version that the database was written with; 0 where it is none of ours."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check_version(connection: sqlite3.Connection, run: Path) -> None:
    """Refuses a database that this version does not know how to read."""
    try:
        found = version(connection)
    except sqlite3.OperationalError as error:
        raise StoreUnavailable(f"{run / DATABASE}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise RunError(
            f"{run / DATABASE}: {error}", "expected a run store made by lrtui"
        ) from error
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
    """Whether readers and writers of this database leave each other alone."""
    return str(connection.execute("PRAGMA journal_mode").fetchone()[0]).lower() == "wal"


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder outlast a power loss, where the system can do that."""
    try:
        number = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(number)
    except OSError:
        pass
    finally:
        os.close(number)


def file_system(path: Path) -> str:
    """The type of the file system that holds `path`, '' where it cannot be told."""
    real = os.path.realpath(path)
    mounts = [
        part
        for part in psutil.disk_partitions(all=True)
        if os.path.commonpath([part.mountpoint, real]) == part.mountpoint
    ]
    return max(mounts, key=lambda part: len(part.mountpoint)).fstype if mounts else ""


def _readable_only(run: Path) -> bool:
    return os.access(run / DATABASE, os.R_OK) and not os.access(run, os.W_OK)
