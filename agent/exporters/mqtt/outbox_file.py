"""The file of an outbox: SQLite in WAL mode, one writer, one transaction for every change.

It is separate from the history's file: it is written and emptied all the time, while history is kept for a year. If one
of them is full, damaged or deleted, the other is not affected. Each broker has a file of its own.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from agent.errors import OutboxError
from agent.files.lock import FileLock
from agent.files.sqlite import FileKind, connect, set_aside, transaction, used_bytes

APPLICATION_ID = 0x6873_6D71  # "hsmq"
VERSION = 1
PAGE_BYTES = 4096
# Size of a row beside its topic and payload.
ROW_BYTES = 48
BUSY_S = 2.0
DROPPED_AT_ONCE = 50
ASIDE_KEPT = 2
_SCHEMA = (
    """CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, topic TEXT NOT NULL,
    retain INTEGER NOT NULL, payload BLOB NOT NULL)""",
    "CREATE INDEX messages_by_kind ON messages (kind, id)",
)
# The topics on which the broker retains a message of the agent. Created with the first one, not at opening, so that the
# messages of an older file can be drained on a full disk too.
_KEPT_SCHEMA = "CREATE TABLE IF NOT EXISTS kept (topic TEXT PRIMARY KEY) WITHOUT ROWID"
OUTBOX = FileKind(error=OutboxError, application_id=APPLICATION_ID, newest=VERSION)


class Kind(IntEnum):
    """The kind of a message; lower kinds are dropped first when there is no room."""

    UNITS = 0
    FIGURES = 1
    EVENT = 2

    @property
    def label(self) -> str:
        """Its name in metrics and the log."""
        return self.name.lower()


def none_of_any_kind() -> Counter[str]:
    """Return a count by kind in which every kind is present."""
    return Counter({kind.label: 0 for kind in Kind})


class Message(NamedTuple):
    """One message to be published.

    Attributes:
        kind: Decides when it is dropped.
        topic, payload: As published.
        is_retained: True if the broker should retain it for later subscribers.
    """

    kind: Kind
    topic: str
    payload: bytes
    is_retained: bool = False

    @property
    def size_bytes(self) -> int:
        """Its approximate size in the file."""
        return len(self.topic) + len(self.payload) + ROW_BYTES


class OutboxFile:
    """An open outbox file that this process alone uses; made by `open_outbox`."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: FileLock, *, max_bytes: int) -> None:
        self.path = path
        self._connection = connection
        self._lock = lock
        self._max_bytes = max_bytes
        self._inode = path.stat().st_ino
        self.messages = int(connection.execute("SELECT COUNT(*) FROM messages").fetchone()[0])

    def close(self) -> None:
        """Close the file and release its lock."""
        with suppress(sqlite3.Error):
            self._connection.close()
        self._lock.close()

    @property
    def is_in_place(self) -> bool:
        """True if this is still the file at its path; it may have been deleted or replaced since it was opened."""
        try:
            return self.path.stat().st_ino == self._inode
        except OSError:
            return False

    @property
    def used_bytes(self) -> int:
        """The size of the pages in use; emptied pages are filled again before the file grows.

        Raises:
            OutboxError: The file cannot be read.
        """
        with OUTBOX.translated(self.path):
            return used_bytes(self._connection)

    def insert(self, messages: Sequence[Message]) -> tuple[list[int | None], list[tuple[Kind, int]]]:
        """Append messages in one transaction; if there is no room, drop the least important.

        Returns:
            The id of each message, None for one that found no room; and how many older ones were dropped, by kind.

        Raises:
            OutboxError: Nothing was written.
        """
        ids: list[int | None] = []
        dropped: list[tuple[Kind, int]] = []
        with OUTBOX.translated(self.path), transaction(self._connection):
            used = self.used_bytes
            for message in messages:
                # Half as much again, because payloads rarely fill their pages.
                wanted = message.size_bytes * 3 // 2
                while used + wanted > self._max_bytes:
                    found = self._drop_oldest(message.kind)
                    if found is None:
                        break
                    dropped.append(found)
                    used = self.used_bytes
                if used + wanted > self._max_bytes:
                    ids.append(None)
                    continue
                used += wanted
                ids.append(
                    self._connection.execute(
                        "INSERT INTO messages (kind, topic, retain, payload) VALUES (?, ?, ?, ?)",
                        (int(message.kind), message.topic, int(message.is_retained), message.payload),
                    ).lastrowid
                )
        inserted = sum(1 for number in ids if number is not None)
        self.messages += inserted - sum(count for _, count in dropped)
        return ids, dropped

    def _drop_oldest(self, up_to: Kind) -> tuple[Kind, int] | None:
        """Drop some of the oldest messages of the least important kind; None if all are more important than `up_to`."""
        for kind in Kind:
            if kind > up_to:
                return None
            count = self._connection.execute(
                "DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE kind = ? ORDER BY id LIMIT ?)",
                (int(kind), DROPPED_AT_ONCE),
            ).rowcount
            if count:
                return kind, count
        return None

    def after(self, last_id: int, limit: int) -> list[tuple[int, Message]]:
        """Return at most `limit` messages that come after `last_id`, oldest first.

        Raises:
            OutboxError: The file cannot be read.
        """
        with OUTBOX.translated(self.path):
            rows = self._connection.execute(
                "SELECT id, kind, topic, payload, retain FROM messages WHERE id > ? ORDER BY id LIMIT ?",
                (last_id, limit),
            ).fetchall()
        return [
            (number, Message(Kind(kind), topic, payload, bool(kept))) for number, kind, topic, payload, kept in rows
        ]

    def delete(self, ids: Iterable[int]) -> None:
        """Delete messages in one transaction.

        Raises:
            OutboxError: Nothing was deleted; on a full disk even deleting needs room.
        """
        with OUTBOX.translated(self.path), transaction(self._connection):
            gone = self._connection.executemany(
                "DELETE FROM messages WHERE id = ?", [(number,) for number in ids]
            ).rowcount
        self.messages -= max(0, gone)

    def kept(self) -> frozenset[str]:
        """Return the topics on which the broker retains a message, as recorded by `note_kept`.

        Raises:
            OutboxError: The file cannot be read.
        """
        with OUTBOX.translated(self.path):
            if not self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'kept'").fetchone():
                return frozenset()
            return frozenset(topic for (topic,) in self._connection.execute("SELECT topic FROM kept"))

    def note_kept(self, topics: Mapping[str, bool]) -> None:
        """Record topics on which the broker now retains a message (true) or no longer does (false).

        Raises:
            OutboxError: Nothing was written.
        """
        with OUTBOX.translated(self.path), transaction(self._connection):
            self._connection.execute(_KEPT_SCHEMA)
            for sql, is_kept in (
                ("INSERT OR IGNORE INTO kept VALUES (?)", True),
                ("DELETE FROM kept WHERE topic = ?", False),
            ):
                self._connection.executemany(
                    sql, [(topic,) for topic, is_now_kept in topics.items() if is_now_kept is is_kept]
                )


def open_outbox(path: Path, *, max_bytes: int) -> OutboxFile:
    """Open an outbox file; creates it if it does not exist.

    Args:
        path: The file; its folder must exist.
        max_bytes: Size that the file should not exceed.

    Raises:
        OutboxError: With the reason; the file is unchanged.
    """
    with OUTBOX.opened_to_write(path, busy_s=BUSY_S) as (connection, lock):
        _prepare(connection, path, max_bytes)
        return OutboxFile(path, connection, lock, max_bytes=max_bytes)


def _prepare(connection: sqlite3.Connection, path: Path, max_bytes: int) -> None:
    version = OUTBOX.check_identity(connection, path)
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode = WAL")
    # Committed messages are on the disk: a power cut loses no more than a kill. Measured cost: 0.14 ms a commit.
    connection.execute("PRAGMA synchronous = FULL")
    # Bound the write-ahead log to 1 MiB instead of 4, for small disks.
    connection.execute("PRAGMA wal_autocheckpoint = 256")
    connection.execute(f"PRAGMA journal_size_limit = {1 << 20}")
    # Drops keep the file near max_bytes. This is the hard limit behind them, because pages are not filled evenly.
    connection.execute(f"PRAGMA max_page_count = {(max_bytes + max_bytes // 2) // PAGE_BYTES + 64}")
    OUTBOX.refuse_damage(connection, path)
    if version == 0:
        with transaction(connection):
            for statement in _SCHEMA:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")


def move_aside(path: Path, *, at: float) -> Path:
    """Rename a damaged file and its log to make room for a new one; deletes the oldest of several such files.

    Returns:
        The new name.

    Raises:
        OutboxError: The file cannot be renamed.
    """
    with OUTBOX.translated(path):
        earlier = sorted(other for other in path.parent.glob(f"{path.name}.damaged-*") if other.name[-1].isdigit())
        for other in earlier[: max(0, len(earlier) - ASIDE_KEPT + 1)]:
            other.unlink(missing_ok=True)
            other.with_name(f"{other.name}-wal").unlink(missing_ok=True)
        aside = path.with_name(f"{path.name}.damaged-{int(at)}")
        set_aside(path, aside)
        return aside


def salvage(damaged: Path) -> Iterator[Message]:
    """Yield the messages of a damaged file up to the damage."""
    with suppress(sqlite3.Error, ValueError, TypeError), closing(connect(damaged, busy_s=BUSY_S, mode="rw")) as source:
        for kind, topic, payload, kept in source.execute(
            "SELECT kind, topic, payload, retain FROM messages ORDER BY id"
        ):
            if isinstance(topic, str) and isinstance(payload, bytes):
                yield Message(Kind(kind), topic, payload, bool(kept))
