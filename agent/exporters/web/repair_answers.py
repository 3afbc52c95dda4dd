"""The walk list as JSON and as CSV."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from agent.exporters.web.times import time_of
from agent.history.export import csv_cell
from agent.site.repairs.entries import RepairEntry, Said
from agent.site.repairs.symptoms import SYMPTOM_WORDS, Symptom
from agent.site.status import UnitState, UnitStatus
from agent.unit.limits import HS_PER_THS

HASHES_PER_THS_HOUR = HS_PER_THS * 3600


class SaidAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An operator's remark.

    Attributes:
        by: The operator's name.
        at: When.
        text: The note; empty for "seen".
    """

    by: str
    at: datetime
    text: str


class RepairAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One fault that lasts.

    Attributes:
        id: Its number, for ``POST /api/v1/repairs/{id}``.
        unit: The unit; null for a container.
        container, rack, slot: Where it is; empty if the ledger does not say.
        words: The symptom with its numbers, as last seen.
        since: When the symptom began, as far as the agent saw.
        opened_at: When it had lasted long enough to be listed.
        age_s: Time since it began.
        lost_hashes: Hashes lost since then, over the time in which the agent looked; 3.6e15 are one TH/s for an hour.
        before: Earlier entries of the same unit and symptom within `repairs.count_days`.
        state, why: The unit now; null for a container, and for a unit that is not deployed any more.
        note, seen: What an operator said; null if nothing.
    """

    id: int
    symptom: Symptom
    unit: str | None
    container: str
    rack: str
    slot: str
    words: str
    since: datetime
    opened_at: datetime
    age_s: float
    lost_hashes: float
    before: int
    state: UnitState | None
    why: str | None
    note: SaidAnswer | None
    seen: SaidAnswer | None


class RepairsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The walk list.

    Attributes:
        total: Entries that match the query.
        offset: Entries before the first of `repairs`.
        unlisted: Faults that have lasted long enough and found the list full.
    """

    site: str
    now: datetime
    total: int
    offset: int
    unlisted: int
    repairs: list[RepairAnswer]


def repair_answer(entry: RepairEntry, status: UnitStatus | None, now: float) -> RepairAnswer:
    """Return the answer about one entry, with its unit's status."""
    return RepairAnswer(
        id=entry.id,
        symptom=entry.symptom,
        unit=entry.unit_id or None,
        container=entry.place.container,
        rack=entry.place.rack,
        slot=entry.place.slot,
        words=entry.words,
        since=time_of(entry.since),
        opened_at=time_of(entry.opened_at),
        age_s=round(max(0.0, now - entry.since), 3),
        lost_hashes=entry.lost_hashes,
        before=entry.before,
        state=None if status is None else status.state,
        why=None if status is None else status.why,
        note=_said(entry.note),
        seen=_said(entry.seen),
    )


def _said(said: Said | None) -> SaidAnswer | None:
    return None if said is None else SaidAnswer(by=said.by, at=time_of(said.at), text=said.text)


CSV_HEADER = (
    "container,rack,slot,unit,symptom,words,since,hours,lost_ths_hours,before,state,seen_by,seen_at,note,noted_by,"
    "noted_at,id\n"
)


def repair_lines(
    entries: Iterable[RepairEntry], unit: Callable[[str], UnitStatus | None], *, now: float, zone: ZoneInfo
) -> str:
    """Return entries as CSV; times are in the site's zone, with its offset. No cell is a formula for a spreadsheet."""
    return CSV_HEADER + "".join(_line(entry, unit(entry.unit_id), now, zone) for entry in entries)


def _line(entry: RepairEntry, status: UnitStatus | None, now: float, zone: ZoneInfo) -> str:
    place, seen, note = entry.place, entry.seen, entry.note
    cells: tuple[Any, ...] = (
        place.container,
        place.rack,
        place.slot,
        entry.unit_id,
        SYMPTOM_WORDS[entry.symptom],
        entry.words,
        _moment(entry.since, zone),
        f"{max(0.0, now - entry.since) / 3600:.2f}",
        f"{entry.lost_hashes / HASHES_PER_THS_HOUR:.1f}",
        entry.before,
        "" if status is None else status.state,
        *(("", "") if seen is None else (seen.by, _moment(seen.at, zone))),
        *(("", "", "") if note is None else (note.text, note.by, _moment(note.at, zone))),
        entry.id,
    )
    return ",".join(csv_cell(str(cell)) for cell in cells) + "\n"


def _moment(at: float, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone(zone).isoformat(timespec="seconds")
