"""Two ledgers, or one at two moments, side by side: units added, removed and changed.

Pure.
"""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from agent.address import Endpoint
from agent.site.ledger.cells import host_cell, moment_cell
from agent.site.ledger.entries import LedgerEntry
from agent.unit.limits import HS_PER_THS


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """One unit, or one of its rows, in two ledgers; None if one ledger does not have it."""

    unit_id: str
    before: LedgerEntry | None
    after: LedgerEntry | None


def same_unit(entry: LedgerEntry) -> Hashable:
    """Return the key of a unit, to compare ledgers at a moment."""
    return entry.unit_id


def same_row(entry: LedgerEntry) -> Hashable:
    """Return the key of a row, to compare whole ledgers: its unit and its start."""
    return entry.unit_id, entry.deployed_from


def compare(
    before: Iterable[LedgerEntry],
    after: Iterable[LedgerEntry],
    *,
    same: Callable[[LedgerEntry], Hashable],
    zone: ZoneInfo,
) -> list[Contrast]:
    """Return the differences, in the order of `before`, then what is new.

    Args:
        before: Entries of one ledger.
        after: Entries of the other.
        same: Returns the key that two entries of the same thing share; dates are compared with `same_row` only.
        zone: For dates.
    """
    left, right = {same(entry): entry for entry in before}, {same(entry): entry for entry in after}
    has_dates = same is same_row
    contrasts = []
    for key in dict.fromkeys((*left, *right)):
        one, other = left.get(key), right.get(key)
        entry = one or other
        is_same = one is not None and other is not None and not differing(one, other, zone=zone, has_dates=has_dates)
        if entry is None or is_same:
            continue
        contrasts.append(Contrast(unit_id=entry.unit_id, before=one, after=other))
    return contrasts


def differing(
    before: LedgerEntry, after: LedgerEntry, *, zone: ZoneInfo, has_dates: bool
) -> dict[str, tuple[str, str]]:
    """Return the columns that differ, with both cells; dates only if `has_dates`."""
    left, right = cells_of(before, zone), cells_of(after, zone)
    return {
        column: (left[column], right[column])
        for column in left
        if left[column] != right[column] and (has_dates or not column.startswith("deployed_"))
    }


def cells_of(entry: LedgerEntry, zone: ZoneInfo) -> dict[str, str]:
    """Return an entry as cells of the ledger."""
    plate = entry.nameplate
    return {
        "unit_id": entry.unit_id,
        "model": plate.model,
        "hashrate_th": f"{plate.hashrate_hs / HS_PER_THS:g}",
        "host": host_cell(Endpoint(entry.host, entry.port)),
        "container": entry.place.container,
        "rack": entry.place.rack,
        "slot": entry.place.slot,
        "deployed_from": moment_cell(entry.deployed_from, zone),
        "deployed_to": moment_cell(entry.deployed_to, zone),
        "status": "maintenance" if entry.is_in_maintenance else "deployed",
        "serial": entry.serial or "",
        "mac": entry.mac or "",
        "simulated": "yes" if entry.is_simulated else "",
        "web_port": "" if entry.web_port is None else str(entry.web_port),
        "reader": entry.reader,
        "make": plate.make if plate.is_declared else "",
        "power_w": f"{plate.power_watts:g}" if plate.is_declared and plate.power_watts else "",
        "boards": str(plate.boards) if plate.is_declared and plate.boards else "",
        "chips_per_board": str(plate.chips_per_board) if plate.is_declared and plate.chips_per_board else "",
        "owner": entry.owner,
    }
