"""Units that the dated ledger has as entered, left, in maintenance or simulated in a period. Pure."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from agent.history.export import csv_cell
from agent.site.ledger.entries import LedgerEntry
from agent.site.ledger.simulated import has_simulated_serial, is_loopback
from agent.statement.period import utc_text

HEADER = "unit,event,at,until,model,hashrate_hs\n"
LISTED = 200


class UnitChanges(msgspec.Struct, frozen=True, kw_only=True):
    """The list of changes, by its digest.

    Attributes:
        entered, left, in_maintenance: How many units.
        appendix_digest: SHA-256 of the list as CSV.
        appendix_rows: Its rows, without the header.
    """

    entered: int
    left: int
    in_maintenance: int
    appendix_digest: str
    appendix_rows: int


class Simulated(msgspec.Struct, frozen=True, kw_only=True):
    """Simulated units among those of the period.

    Attributes:
        units: How many.
        of_units: Of so many that were deployed at some time of the period.
        ids: The first of them by name.
    """

    units: int
    of_units: int
    ids: tuple[str, ...]


class _Span(NamedTuple):
    """A time in which a unit was deployed or in maintenance; None means always or until further notice."""

    start: float | None
    end: float | None


class UnitEvent(NamedTuple):
    """One row of the list.

    Attributes:
        unit_id: The unit.
        event: ``entered``, ``left`` or ``maintenance``.
        at, until: Unix times, s; `until` is None but for a maintenance that ends.
        entry: The ledger's row at that moment.
    """

    unit_id: str
    event: str
    at: float | None
    until: float | None
    entry: LedgerEntry


def events_of(entries: Iterable[LedgerEntry], start: int, end: int) -> list[UnitEvent]:
    """Return what changed in [start, end), by unit and time. Rows of a unit that follow on each other are one span."""
    by_unit: dict[str, list[LedgerEntry]] = {}
    for entry in entries:
        by_unit.setdefault(entry.unit_id, []).append(entry)
    found = [event for unit_id, rows in by_unit.items() for event in _events(unit_id, rows, start, end)]
    return sorted(found, key=lambda event: (event.unit_id, -1.0 if event.at is None else event.at, event.event))


def _events(unit_id: str, rows: list[LedgerEntry], start: int, end: int) -> Iterator[UnitEvent]:
    rows.sort(key=lambda row: float("-inf") if row.deployed_from is None else row.deployed_from)
    for span, (first, last) in _spans(rows):
        if span.start is not None and start <= span.start < end:
            yield UnitEvent(unit_id, "entered", span.start, None, first)
        if span.end is not None and start <= span.end < end:
            yield UnitEvent(unit_id, "left", span.end, None, last)
    for span, (first, _) in _spans([row for row in rows if row.is_in_maintenance]):
        if (span.start is None or span.start < end) and (span.end is None or span.end > start):
            yield UnitEvent(unit_id, "maintenance", span.start, span.end, first)


def _spans(rows: Sequence[LedgerEntry]) -> Iterator[tuple[_Span, tuple[LedgerEntry, LedgerEntry]]]:
    """Yield spans of rows that follow on each other, with the first and the last row of each."""
    group: list[LedgerEntry] = []
    for row in [*rows, None]:
        if row is not None and group and group[-1].deployed_to == row.deployed_from is not None:
            group.append(row)
            continue
        if group:
            yield _Span(group[0].deployed_from, group[-1].deployed_to), (group[0], group[-1])
        group = [] if row is None else [row]


def appendix_csv(events: Iterable[UnitEvent]) -> str:
    """Return the list as CSV: the same events give the same bytes."""
    lines = (
        f"{csv_cell(event.unit_id)},{event.event},{_time(event.at)},{_time(event.until)},"
        f"{csv_cell(event.entry.nameplate.model)},{event.entry.nameplate.hashrate_hs!r}\n"
        for event in events
    )
    return HEADER + "".join(lines)


def _time(at: float | None) -> str:
    return "" if at is None else utc_text(at)


def changes_of(events: Sequence[UnitEvent]) -> UnitChanges:
    """Return the counts of a list, and its digest."""

    def count(name: str) -> int:
        return len({event.unit_id for event in events if event.event == name})

    return UnitChanges(
        entered=count("entered"),
        left=count("left"),
        in_maintenance=count("maintenance"),
        appendix_digest=hashlib.sha256(appendix_csv(events).encode()).hexdigest(),
        appendix_rows=len(events),
    )


def simulated_of(entries: Iterable[LedgerEntry], start: int, end: int) -> Simulated:
    """Return the simulated units among those deployed at some time of [start, end)."""
    there = [
        entry
        for entry in entries
        if (entry.deployed_from is None or entry.deployed_from < end)
        and (entry.deployed_to is None or entry.deployed_to > start)
    ]
    ids = sorted({entry.unit_id for entry in there if _is_simulated(entry)})
    return Simulated(units=len(ids), of_units=len({entry.unit_id for entry in there}), ids=tuple(ids[:LISTED]))


def _is_simulated(entry: LedgerEntry) -> bool:
    """Return True by mark, address or serial number, whatever the site's configuration counts."""
    return entry.is_simulated or is_loopback(entry.host) or has_simulated_serial(entry)
