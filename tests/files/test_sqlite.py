"""SQLite files: transactions, the one writer, and what a failed opening leaves."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.errors import OutboxError
from agent.files.sqlite import FileKind, connect, transaction, used_bytes

NUMBERS = FileKind(error=OutboxError, application_id=7, newest=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a file can be made."""
    return tmp_path / "numbers.sqlite"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection to a file with a table that holds 1."""
    with closing(connect(path, busy_s=0.0)) as connection:
        connection.execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY)")
        connection.execute("INSERT INTO numbers VALUES (1)")
        yield connection


def numbers(path: Path) -> list[int]:
    """Return what another connection sees."""
    with closing(connect(path, busy_s=0.0, mode="ro")) as other:
        return [number for (number,) in other.execute("SELECT number FROM numbers ORDER BY number")]


def add(connection: sqlite3.Connection, *added: int, error: type[BaseException] | None = None) -> None:
    """Insert numbers in one transaction, and raise `error` before its end."""
    with transaction(connection):
        for number in added:
            connection.execute("INSERT INTO numbers VALUES (?)", (number,))
        if error is not None:
            raise error


@pytest.mark.parametrize("mode", ["ro", "rw", "rwc"])
def test_a_pipe_is_refused_at_once(tmp_path: Path, mode: str) -> None:
    """SQLite would open it, and wait for its writer for ever."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="a regular file is expected"):
        connect(tmp_path / "pipe", busy_s=0.0, mode=mode)


def test_a_transaction_is_committed_at_its_end(path: Path, connection: sqlite3.Connection) -> None:
    """Others see nothing of it before, and all of it after."""
    with transaction(connection):
        connection.execute("INSERT INTO numbers VALUES (2)")
        connection.execute("INSERT INTO numbers VALUES (3)")
        assert numbers(path) == [1]
    assert numbers(path) == [1, 2, 3]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failure_in_the_middle_is_rolled_back(
    path: Path, connection: sqlite3.Connection, error: type[BaseException]
) -> None:
    """Rows written before the failure are gone, and the next transaction works."""
    with pytest.raises(error):
        add(connection, 2, error=error)
    assert numbers(path) == [1]
    add(connection, 4)
    assert numbers(path) == [1, 4]


def test_a_statement_that_fails_rolls_back_those_before_it(path: Path, connection: sqlite3.Connection) -> None:
    """All statements of a transaction count, or none."""
    with pytest.raises(sqlite3.IntegrityError):
        add(connection, 2, 1)
    assert numbers(path) == [1]


def test_a_full_file_is_rolled_back(path: Path, connection: sqlite3.Connection) -> None:
    """SQLite ends the transaction by itself when there is no room; its own error is raised, and nothing is left."""
    connection.execute("PRAGMA max_page_count = 3")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        add(connection, *range(2, 100_000))
    assert not connection.in_transaction
    assert numbers(path) == [1]


def test_a_second_transaction_waits_no_longer_than_it_may(path: Path, connection: sqlite3.Connection) -> None:
    """The lock is taken at the beginning, so that a writer that comes too late has written nothing."""
    with (
        transaction(connection),
        closing(connect(path, busy_s=0.0)) as other,
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        add(other, 2)
    assert numbers(path) == [1]


def test_used_bytes_leave_out_free_pages(connection: sqlite3.Connection) -> None:
    """Pages that a deletion freed do not count, though the file stays as long as it was."""
    before = used_bytes(connection)
    add(connection, *range(2, 10_000))
    assert used_bytes(connection) > before
    connection.execute("DELETE FROM numbers WHERE number > 1")
    assert used_bytes(connection) == before


def test_one_writer_at_a_time(path: Path) -> None:
    """A second opening is refused as ``in_use`` until the first one's connection and lock are closed."""
    with NUMBERS.opened_to_write(path, busy_s=0.0) as (connection, lock):
        pass
    connection.execute("CREATE TABLE numbers (number)")
    with pytest.raises(OutboxError) as caught, NUMBERS.opened_to_write(path, busy_s=0.0):
        pytest.fail("two writers hold the file")
    assert caught.value.reason == "in_use"
    connection.close()
    lock.close()
    with NUMBERS.opened_to_write(path, busy_s=0.0) as (connection, lock):
        connection.execute("INSERT INTO numbers VALUES (1)")
    connection.close()
    lock.close()


def test_an_opening_that_fails_gives_the_lock_back(path: Path) -> None:
    """After a failure in the block both connection and lock are closed, and the error carries a reason."""
    path.write_bytes(b"this is not a database" * 100)
    with pytest.raises(OutboxError) as caught, NUMBERS.opened_to_write(path, busy_s=0.0) as (connection, lock):
        NUMBERS.check_identity(connection, path)
    assert caught.value.reason == "damaged"
    assert lock.closed
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")
    path.unlink()
    with NUMBERS.opened_to_write(path, busy_s=0.0) as (connection, lock):
        assert NUMBERS.check_identity(connection, path) == 0
    connection.close()
    lock.close()
