"""SQLite for history and outboxes: connections, transactions, the single writer's lock, and errors as reasons."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from agent.errors import HistoryError, OutboxError
from agent.files.lock import FileLock
from agent.files.modes import create_private
from agent.files.regular import refuse_irregular

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


@dataclass(frozen=True, slots=True, kw_only=True)
class FileKind:
    """One kind of SQLite file.

    Attributes:
        error: The exception raised for such a file, with a reason.
        application_id: Distinguishes our files from other programs' databases.
        newest: The latest schema version this program reads.
    """

    error: type[HistoryError | OutboxError]
    application_id: int
    newest: int

    @contextmanager
    def translated(self, path: Path) -> Iterator[None]:
        """Turn errors of SQLite and of the operating system into `error` with its reason."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", None)
            if code is None and isinstance(error, sqlite3.OperationalError):
                # Text that is not UTF-8.
                raise self.error("damaged", f"{path}: {error}") from error
            if code is None:
                # Not a fault of the file but a misuse of the sqlite3 module.
                raise
            raise self.error(_REASONS.get(code & 0xFF, "foreign"), f"{path}: {error}") from error
        except OSError as error:
            reason = "full" if error.errno in {errno.ENOSPC, errno.EDQUOT} else "unwritable"
            raise self.error(reason, f"{path}: {error.strerror}") from error

    @contextmanager
    def opened_to_write(self, path: Path, *, busy_s: float) -> Iterator[tuple[sqlite3.Connection, FileLock]]:
        """Yield a connection and the writer's lock; both stay open after the block, unless it fails.

        Args:
            path: The file; it is created if it does not exist.
            busy_s: How long SQLite waits for other connections, s.

        Raises:
            HistoryError, OutboxError: ``in_use`` if another process writes the file; other errors as `translated`.
        """
        with self.translated(path), ExitStack() as on_failure:
            lock = self.take_lock(path)
            on_failure.callback(lock.close)
            # SQLite gives its log the mode of the file.
            create_private(path)
            connection = connect(path, busy_s=busy_s)
            on_failure.callback(connection.close)
            yield connection, lock
            on_failure.pop_all()

    def take_lock(self, path: Path) -> FileLock:
        """Take the writer's lock.

        Raises:
            HistoryError, OutboxError: ``in_use`` when another process holds it.
        """
        try:
            return FileLock(path)
        except BlockingIOError as error:
            raise self.error("in_use", f"{path}: another agent is writing it") from error

    def check_identity(self, connection: sqlite3.Connection, path: Path) -> int:
        """Return the file's schema version; 0 if the file is empty.

        Raises:
            HistoryError, OutboxError: ``foreign`` for another program's database, ``newer`` for a later schema.
        """
        (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if tables and application != self.application_id:
            raise self.error("foreign", f"{path}: a database of another program")
        if version > self.newest:
            written = f"written by a newer version of hashsight (schema {version}, here up to {self.newest})"
            raise self.error("newer", f"{path}: {written}")
        return int(version)

    def refuse_damage(self, connection: sqlite3.Connection, path: Path) -> None:
        """Check the whole file with ``PRAGMA quick_check``.

        Raises:
            HistoryError, OutboxError: ``damaged`` when it is.
        """
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise self.error("damaged", f"{path}: {verdict}")


def connect(path: Path, *, busy_s: float, mode: str = "rwc", is_immutable: bool = False) -> sqlite3.Connection:
    """Connect to a database. Nothing is read yet.

    Args:
        path: The database file.
        busy_s: How long to wait for other writers, s.
        mode: SQLite's: ``ro``, ``rw`` or ``rwc``.
        is_immutable: Read the file without its write-ahead log and without locks.

    Raises:
        OSError: It is there and no regular file: SQLite would wait for the writer of a pipe.
    """
    with suppress(FileNotFoundError):
        refuse_irregular(path)
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}{'&immutable=1' if is_immutable else ''}"
    # Each connection is used by one thread at a time, though not always the same one.
    return sqlite3.connect(uri, uri=True, timeout=busy_s, isolation_level=None, check_same_thread=False)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what the block writes, or roll all of it back if the block or the commit fails."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # After some errors, such as a full disk, SQLite has already rolled back.
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def used_bytes(connection: sqlite3.Connection) -> int:
    """Return the size of the pages in use; SQLite refills free pages before the file grows."""
    pages, free, page_bytes = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * page_bytes


def set_aside(path: Path, aside: Path) -> None:
    """Rename a database file and its write-ahead log, and delete its shared memory."""
    path.rename(aside)
    with suppress(FileNotFoundError):
        path.with_name(f"{path.name}-wal").rename(aside.with_name(f"{aside.name}-wal"))
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
