"""The ledger's file on disk: replaced as a whole or not at all, with a backup and a journal of changes beside it.

    ledger.csv                the ledger
    ledger.csv.bak            the ledger before the last change
    ledger.csv.journal.jsonl  one line per change: when, by which command, which rows before and after; append-only,
                              each with the hash of those before it

The journal line is on disk before the ledger changes. If the machine fails between the two, the next change finds that
the ledger does not match the journal and records that. It does the same for changes made by hand.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from agent.errors import AgentError
from agent.files.atomic import sync_folder, temporary_file
from agent.files.modes import private_opener
from agent.files.regular import resolved
from agent.files.text import read_text
from agent.site.ledger.edit import Edited
from agent.site.ledger.journal import JournalEnd, JournalEntry, end_of, entry_of, next_hash

MAX_LEDGER_BYTES = 64 << 20

MAX_JOURNAL_LINE_BYTES = 64 << 20
NEW_LEDGER_MODE = 0o644
"""A ledger has no secrets, and a service under a user of its own must read it."""


class LedgerFileError(AgentError):
    """The ledger could not be changed; it is as it was."""


class LedgerFile:
    """A ledger's file, held for one change. Use `held`.

    Attributes:
        path: Its path, symbolic links followed.
        text: Its contents; empty if there is no file yet.
    """

    def __init__(self, path: Path, journal: BinaryIO) -> None:
        self.path = path
        self._journal = journal
        self._hash = ""
        self._is_new = not path.exists()
        self.text = ledger_text(path)

    def commit(self, edited: Edited, *, command: Sequence[str], at: float) -> None:
        """Replace this ledger by a changed one.

        Args:
            edited: The changed ledger.
            command: The command that made the change, for the journal.
            at: Unix time, s.

        Raises:
            LedgerFileError: The file changed meanwhile, or could not be written; it is as it was.
        """
        now = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
        before = _digest(self.text)
        entries = [
            JournalEntry(
                at=now,
                change="made",
                command=tuple(command),
                rows=edited.changes,
                digest_before=before,
                digest_after=_digest(edited.text),
            )
        ]
        self._journal.seek(0)
        end = end_of(_lines(self._journal))
        self._hash = end.hash
        if end.digest not in {None, before}:
            entries.insert(0, JournalEntry(at=now, change="found", digest=before))
        size = self._journal.seek(0, os.SEEK_END)
        try:
            like = None if self._is_new else self.path
            with (
                temporary_file(self.path, edited.text.encode(), like=like) as fresh,
                temporary_file(self.path, self.text.encode(), like=like) as backup,
            ):
                if ledger_text(self.path) != self.text:
                    raise LedgerFileError(f"{self.path} was changed by another program; look at it and try again")
                for entry in entries:
                    self._append(entry)
                if self._is_new:
                    fresh.chmod(NEW_LEDGER_MODE)
                else:
                    backup.replace(backup_path(self.path))
                fresh.replace(self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._journal.truncate(size)
            raise LedgerFileError(f"{self.path} was not changed: {error.strerror or error}") from error
        sync_folder(self.path.parent)
        self.text, self._is_new = edited.text, False

    def _append(self, entry: JournalEntry) -> None:
        size = self._journal.seek(0, os.SEEK_END)
        line = msgspec.json.encode(msgspec.structs.replace(entry, previous=self._hash))
        self._hash = next_hash(self._hash, line)
        data = line + b"\n"
        if size:
            self._journal.seek(size - 1)
            if self._journal.read(1) != b"\n":  # A line that a crash cut short keeps its own line.
                data = b"\n" + data
        self._journal.write(data)
        self._journal.flush()
        os.fsync(self._journal.fileno())


@contextlib.contextmanager
def held(path: Path) -> Iterator[LedgerFile]:
    """Lock a ledger's file for one change; a file that does not exist is created by the first.

    Raises:
        ConfigError: The file exists and cannot be read.
        LedgerFileError: Another change is under way, or the folder cannot be written.
    """
    path = resolved(path)
    ledger_text(path)
    try:
        journal = open(journal_path(path), "a+b", opener=private_opener)  # noqa: SIM115  closed below
    except OSError as error:
        raise LedgerFileError(f"{journal_path(path)} cannot be written: {error.strerror}") from error
    with journal:
        try:
            fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in {errno.EACCES, errno.EAGAIN}:
                raise LedgerFileError(f"{journal_path(path)} cannot be locked: {error.strerror}") from error
            raise LedgerFileError(f"another change of {path} is under way; try again") from error
        if not os.fstat(journal.fileno()).st_nlink:
            # A change that failed removed it in between; the lock of a file that is gone keeps nobody out.
            raise LedgerFileError(f"another change of {path} was under way; try again")
        try:
            yield LedgerFile(path, journal)
        finally:
            # A change that failed was no change: it leaves no empty journal behind.
            if not journal.seek(0, os.SEEK_END):
                journal_path(path).unlink(missing_ok=True)


def ledger_text(path: Path) -> str:
    """Return the text of a ledger; empty if there is no file yet.

    Raises:
        ConfigError: The file exists and cannot be read.
    """
    return read_text(path, max_bytes=MAX_LEDGER_BYTES) if path.exists() else ""


def journal_path(path: Path) -> Path:
    """Return the path of a ledger's journal."""
    return path.with_name(f"{path.name}.journal.jsonl")


def backup_path(path: Path) -> Path:
    """Return the path of a ledger's backup, its state before the last change."""
    return path.with_name(f"{path.name}.bak")


def read_journal(path: Path) -> Iterator[JournalEntry]:
    """Yield the changes of a ledger, oldest first; none before the first change.

    A line that cannot be parsed, such as one that a crash cut short, is skipped.
    """
    yield from filter(None, map(entry_of, journal_lines(path)))


def journal_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a ledger's journal as they are, without their ends; none before the first change."""
    try:
        file = journal_path(resolved(path)).open("rb")
    except FileNotFoundError:
        return
    with file:
        yield from _lines(file)


def journal_end(path: Path) -> JournalEnd:
    """Return the end of a ledger's journal.

    Raises:
        OSError: It exists and cannot be read.
    """
    return end_of(journal_lines(path))


def _lines(journal: BinaryIO) -> Iterator[bytes]:
    for line in iter(lambda: journal.readline(MAX_JOURNAL_LINE_BYTES), b""):
        yield line.removesuffix(b"\n")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
