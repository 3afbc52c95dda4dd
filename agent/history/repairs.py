"""Entries of the walk list in the history file: written once a minute while they change, and read again at a start."""

import math
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any

from agent.site.ledger.entries import Place
from agent.site.repairs.entries import MAX_NAME, MAX_NOTE, RepairEntry, Said
from agent.site.repairs.symptoms import Closing, Symptom

_COLUMNS = (
    "unit, symptom, container, rack, slot, words, since, opened_at, until, closing, lost_hashes, before,"
    " note, noted_by, noted_at, seen_by, seen_at"
)
_NAMES = _COLUMNS.split(", ")
WRITE_REPAIR = (
    f"INSERT INTO repairs (id, {_COLUMNS}) VALUES (?{', ?' * len(_NAMES)}) ON CONFLICT DO UPDATE SET "  # noqa: S608
    + ", ".join(f"{name} = excluded.{name}" for name in _NAMES)
)
_READ = f"SELECT id, {_COLUMNS} FROM unit_repairs"  # noqa: S608 - this package's own constants.
_SYMPTOMS, _CLOSINGS = frozenset(Symptom), frozenset(Closing)


def repair_values(entry: RepairEntry, number: Callable[[str], int]) -> tuple[Any, ...]:
    """Return an entry in the order of `WRITE_REPAIR`; `number` returns the id of a name."""
    place, note, seen = entry.place, entry.note, entry.seen
    return (
        entry.id,
        number(entry.unit_id),
        number(entry.symptom),
        place.container,
        place.rack,
        place.slot,
        entry.words,
        entry.since,
        entry.opened_at,
        entry.until,
        None if entry.closing is None else number(entry.closing),
        entry.lost_hashes,
        entry.before,
        *((None, None, None) if note is None else (note.text, note.by, note.at)),
        *((None, None) if seen is None else (seen.by, seen.at)),
    )


def read_repairs(connection: sqlite3.Connection, *, closed_from: float) -> Iterator[RepairEntry]:
    """Yield the entries that are open or were closed from Unix time `closed_from` on, s, in the order of their ends.

    A row that no agent of this version writes is left out: a newer version may know more symptoms.
    """
    query = f"{_READ} WHERE until IS NULL OR until >= ? ORDER BY until"
    with closing(connection.execute(query, (closed_from,))) as rows:
        for row in rows:
            entry = _entry(row)
            if entry is not None:
                yield entry


def all_repairs(connection: sqlite3.Connection) -> Iterator[RepairEntry]:
    """Yield every entry, up to the first damage.

    Raises:
        sqlite3.Error: At the first damage.
    """
    return read_repairs(connection, closed_from=-math.inf)


def _entry(row: tuple[Any, ...]) -> RepairEntry | None:
    number, unit_id, symptom, container, rack, slot, words, since, opened_at = row[:9]
    until, ended_as, lost_hashes, before, note, noted_by, noted_at, seen_by, seen_at = row[9:]
    texts = (unit_id, container, rack, slot, words)
    times = [since, opened_at, lost_hashes, *(each for each in (until, noted_at, seen_at) if each is not None)]
    if (
        symptom not in _SYMPTOMS
        or (until is None) != (ended_as is None)
        or (ended_as is not None and ended_as not in _CLOSINGS)
        or not all(isinstance(each, str) for each in texts)
        or not all(isinstance(each, float | int) and math.isfinite(each) for each in times)
    ):
        return None
    return RepairEntry(
        id=number,
        symptom=Symptom(symptom),
        unit_id=unit_id,
        place=Place(container=container, rack=rack, slot=slot),
        words=words,
        since=since,
        opened_at=opened_at,
        until=until,
        closing=None if ended_as is None else Closing(ended_as),
        lost_hashes=lost_hashes,
        before=before,
        note=None if noted_at is None else Said(str(noted_by)[:MAX_NAME], noted_at, str(note)[:MAX_NOTE]),
        seen=None if seen_at is None else Said(str(seen_by)[:MAX_NAME], seen_at),
    )


def write_repairs(connection: sqlite3.Connection, entries: Iterable[RepairEntry], number: Callable[[str], int]) -> None:
    """Add or replace entries, in a transaction."""
    connection.executemany(WRITE_REPAIR, (repair_values(entry, number) for entry in entries))


def drop_repairs(connection: sqlite3.Connection, before: float, *, at_most: int) -> None:
    """Delete the oldest entries that were closed before a Unix time, s, in a transaction."""
    connection.execute(
        "DELETE FROM repairs WHERE id IN (SELECT id FROM repairs WHERE until < ? ORDER BY until LIMIT ?)",
        (before, at_most),
    )
