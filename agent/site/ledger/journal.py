"""The lines of a ledger's journal: each names the hash of all lines before it, so none can be edited unnoticed. Pure.

    hash after a line = SHA-256(hash after the line before it, in hexadecimal + newline + the line)

The hash before the first line is empty. Lines of earlier versions name none; the first line that does covers them all.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Literal, NamedTuple

import msgspec

from agent.site.ledger.edit import RowChange

_SHOWN_CHARACTERS = 40


class JournalEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a journal.

    Attributes:
        at: When, ISO 8601 in UTC.
        change: ``made`` by a command, or ``found``: the ledger does not match the line before.
        command: The command that made the change.
        rows: The rows before and after.
        digest: SHA-256 of the ledger that was found.
        digest_before, digest_after: SHA-256 of the ledger that was changed.
        previous: Hash after the line before; None in lines of earlier versions.
    """

    at: str
    change: Literal["made", "found"]
    command: tuple[str, ...] = ()
    rows: tuple[RowChange, ...] = ()
    digest: str | None = None
    digest_before: str | None = None
    digest_after: str | None = None
    previous: str | None = None

    @property
    def ends_at(self) -> str | None:
        """SHA-256 of the ledger after this line."""
        return self.digest_after or self.digest


class JournalFault(NamedTuple):
    """A place where a journal is not as it was written.

    Attributes:
        line: Number of the line, from 1; 0 for the journal as a whole.
        at: The line's own time; empty if it has none.
        reason: In words.
    """

    line: int
    at: str
    reason: str


class JournalEnd(NamedTuple):
    """The end of a journal.

    Attributes:
        lines: Number of lines.
        chained: Number of lines that name the hash before them.
        hash: Hash after the last line; empty without lines.
        digest: SHA-256 of the ledger after the last change; None if no line names one.
    """

    lines: int
    chained: int
    hash: str
    digest: str | None


def next_hash(before: str, line: bytes) -> str:
    """Return the hash after a line, from the hash before it."""
    return hashlib.sha256(before.encode() + b"\n" + line.rstrip(b"\n")).hexdigest()


def entry_of(line: bytes) -> JournalEntry | None:
    """Return a line's entry; None for one that cannot be parsed, such as one that a crash cut short."""
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return msgspec.json.decode(line, type=JournalEntry)
    return None


def end_of(lines: Iterable[bytes]) -> JournalEnd:
    """Return the end of a journal, without checking it."""
    return _walk(lines, [])


def check(lines: Iterable[bytes], *, ledger_digest: str | None, known_hashes: Iterable[str] = ()) -> list[JournalFault]:
    """Return the places where a journal is not as it was written; an empty list for a sound one.

    Args:
        lines: Its lines, in order.
        ledger_digest: SHA-256 of the ledger as it is; None if there is none.
        known_hashes: Hashes that were kept elsewhere: each must be that after one of its lines.
    """
    faults: list[JournalFault] = []
    missing = dict.fromkeys(known_hashes)
    end = _walk(lines, faults, missing)
    if end.digest not in {None, ledger_digest}:
        faults.append(JournalFault(0, "", "the ledger was changed since the last line, and not by a command"))
    faults += [
        JournalFault(0, "", f"the history knows the hash {known[:16]}, which is after none of these lines")
        for known in missing
    ]
    return faults


def _walk(lines: Iterable[bytes], faults: list[JournalFault], missing: dict[str, None] | None = None) -> JournalEnd:
    running, chained, number, digest = "", 0, 0, None
    # Lines that are no entries; a line behind them that names them shows that a crash cut them short.
    unread: list[JournalFault] = []
    for number, line in enumerate(lines, start=1):
        entry = entry_of(line)
        if entry is None:
            unread.append(JournalFault(number, "", f"not a line of a journal: {_shown(line)}"))
        else:
            if entry.previous == running:
                unread.clear()
            faults += unread
            unread.clear()
            faults += (JournalFault(number, entry.at, reason) for reason in _reasons(entry, running, chained, digest))
            # Later lines are held against what this one says, so that a second place is found too.
            running = running if entry.previous is None else entry.previous
            chained += entry.previous is not None
            digest = entry.ends_at or digest
        running = next_hash(running, line)
        if missing is not None:
            missing.pop(running, None)
    faults += unread
    return JournalEnd(number, chained, running, digest)


def _reasons(entry: JournalEntry, running: str, chained: int, digest: str | None) -> Iterator[str]:
    if entry.previous is None and chained:
        yield "it does not name the line before it"
    if entry.previous is not None and entry.previous != running:
        yield "a line before it was changed, added or removed"
    if None not in {digest, entry.digest_before} and entry.digest_before != digest:
        yield "it does not begin with the ledger of the line before it"


def _shown(line: bytes) -> str:
    text = line[:_SHOWN_CHARACTERS].decode(errors="replace")
    return "".join(letter if letter.isprintable() else "?" for letter in text)
