"""What changed between two versions of a ledger, unit by unit: units added, removed, and changed. Pure.

A unit counts as changed by its nameplate, owner, place, dates or maintenance: what figures and statements rest on. An
address or a serial number is no change.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from agent.site.ledger.entries import LedgerEntry

MOST_NAMED = 200
"""Units that a change names in each of its lists."""
DIGEST_BYTES = 8


class RowChanges(NamedTuple):
    """Ids of the units that differ, in the order of the ledgers."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


def row_digests(entries: Iterable[LedgerEntry]) -> dict[str, bytes]:
    """Return a digest of each unit's rows: of its nameplate, owner, place, dates and maintenance."""
    rows: dict[str, list[str]] = {}
    for entry in entries:
        nameplate, place = entry.nameplate, entry.place
        cells = (
            *(nameplate.make, nameplate.model, nameplate.hashrate_hs, nameplate.power_watts),
            *(entry.owner, place.container, place.rack, place.slot),
            *(entry.deployed_from, entry.deployed_to, entry.is_in_maintenance),
        )
        rows.setdefault(entry.unit_id, []).append(repr(cells))
    return {
        unit_id: hashlib.sha256("\n".join(sorted(lines)).encode()).digest()[:DIGEST_BYTES]
        for unit_id, lines in rows.items()
    }


def row_changes(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> RowChanges:
    """Return what differs between two results of `row_digests`."""
    return RowChanges(
        added=tuple(unit_id for unit_id in after if unit_id not in before),
        removed=tuple(unit_id for unit_id in before if unit_id not in after),
        changed=tuple(unit_id for unit_id, digest in after.items() if unit_id in before and before[unit_id] != digest),
    )
