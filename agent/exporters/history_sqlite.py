"""What the history file needs of SQLite: connections, the lock of its one writer, and its errors as reasons."""

import errno
import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import quote

from agent.errors import HistoryError
from agent.exporters.history_schema import APPLICATION_ID

BUSY_S = 5.0

_REASONS = {
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_CORRUPT: "damaged",
    sqlite3.SQLITE_NOTADB: "damaged",
    sqlite3.SQLITE_BUSY: "in_use",
    sqlite3.SQLITE_LOCKED: "in_use",
    sqlite3.SQLITE_IOERR: "unwritable",
    sqlite3.SQLITE_READONLY: "unwritable",
    sqlite3.SQLITE_CANTOPEN: "unwritable",
    sqlite3.SQLITE_PERM: "unwritable",
    sqlite3.SQLITE_NOMEM: "unwritable",
    sqlite3.SQLITE_INTERRUPT: "slow",
}


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system raise into a `HistoryError` with its reason."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is None:
            # Not the file's doing, but a misuse of the module.
            raise
        raise HistoryError(_REASONS.get(code & 0xFF, "foreign"), f"{path}: {error}") from error
    except OSError as error:
        reason = "full" if error.errno in {errno.ENOSPC, errno.EDQUOT} else "unwritable"
        raise HistoryError(reason, f"{path}: {error.strerror}") from error


def connect(path: Path, *, mode: str = "rwc", is_immutable: bool = False) -> sqlite3.Connection:
    """Connect to a database; nothing is read yet.

    Args:
        path: Where it is.
        mode: SQLite's: ``ro`` or ``rwc``.
        is_immutable: Take the file as it is, without a log or locks.
    """
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}{'&immutable=1' if is_immutable else ''}"
    # Each connection is used by one thread at a time, though not always by the same.
    return sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)


def take_lock(path: Path) -> IO[str]:
    """Take the right to write the history at `path`; it ends when the file given is closed, or with the process.

    Raises:
        HistoryError: ``in_use`` when somebody else has it.
    """
    lock = path.with_name(f"{path.name}.lock").open("w", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise HistoryError("in_use", f"{path}: another agent is writing it") from error
    except BaseException:
        lock.close()
        raise
    return lock


def check_identity(connection: sqlite3.Connection, path: Path, *, newest: int) -> int:
    """Give the file's version; 0 when nothing is in it yet.

    Raises:
        HistoryError: ``foreign`` for another program's database, ``newer`` for a version after `newest`.
    """
    (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if tables and application != APPLICATION_ID:
        raise HistoryError("foreign", f"{path}: a database of another program")
    if version > newest:
        raise HistoryError(
            "newer", f"{path}: written by a newer version of hashsight (schema {version}, here up to {newest})"
        )
    return int(version)
