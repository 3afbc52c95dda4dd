"""The difference between two ledgers in force, or between two days of one."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from agent.site.ledger.entries import LedgerEntry


class LedgerDelta(NamedTuple):
    """The units that differ from before; all others need no attention.

    Attributes:
        changed: Entries of units that are new, or whose entry is another than before.
        gone: Ids of units that are no longer deployed.
    """

    changed: tuple[LedgerEntry, ...]
    gone: tuple[str, ...]


def delta_between(before: Mapping[str, LedgerEntry], entries: Iterable[LedgerEntry]) -> LedgerDelta:
    """Return what changes when `entries` replace those of `before`, by unit id."""
    changed, there = [], set()
    for entry in entries:
        there.add(entry.unit_id)
        old = before.get(entry.unit_id)
        if old is None or (old is not entry and old != entry):
            changed.append(entry)
    return LedgerDelta(tuple(changed), tuple(unit_id for unit_id in before if unit_id not in there))
