"""Entries of the walk list that one cause in a rack explains, as one line: a breaker, a switch, a cable."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from agent.site.accounted import LEAST_UNITS
from agent.site.repairs.entries import RepairEntry
from agent.site.repairs.symptoms import Symptom
from agent.site.status import UnitStatus

GROUPED = frozenset({Symptom.NO_ANSWER, Symptom.NOT_HASHING, Symptom.NO_POOL_ALIVE})
"""Symptoms that what a rack shares can cause; a stopped fan or a missing board is of its unit."""
LEAST_RATIO = 0.5
"""Share of a rack's units with one symptom from which they are one line."""

Rack = tuple[str, str]
"""A container and a rack in it."""
_Key = tuple[Rack, Symptom]


class RackGroup(NamedTuple):
    """Units of one rack with the same symptom.

    Attributes:
        rack, symptom: What they share.
        units: Units deployed in the rack.
        entries: Their entries, in the order of the list.
    """

    rack: Rack
    symptom: Symptom
    units: int
    entries: tuple[RepairEntry, ...]

    @property
    def since(self) -> float:
        """Beginning of the first of them, Unix time, s."""
        return min(entry.since for entry in self.entries)

    @property
    def lost_hashes(self) -> float:
        """Their loss together."""
        return sum(entry.lost_hashes for entry in self.entries)


def units_by_rack(statuses: Iterable[UnitStatus]) -> Counter[Rack]:
    """Return the number of units deployed in each rack."""
    return Counter((status.entry.place.container, status.entry.place.rack) for status in statuses)


def grouped(
    chosen: Iterable[RepairEntry], everything: Iterable[RepairEntry], units: Mapping[Rack, int]
) -> Iterator[RepairEntry | RackGroup]:
    """Yield entries in their order; a group stands where its first entry stood.

    Args:
        chosen: The entries of a page.
        everything: All open entries: a page may end within a rack.
        units: Units deployed in each rack.
    """
    counts = Counter(_key(entry) for entry in everything)
    of_groups: dict[_Key, list[RepairEntry]] = {}
    order: list[RepairEntry | _Key] = []
    for entry in chosen:
        key = _key(entry)
        if not _is_group(key, counts[key], units):
            order.append(entry)
        elif key in of_groups:
            of_groups[key].append(entry)
        else:
            of_groups[key] = [entry]
            order.append(key)
    for item in order:
        if isinstance(item, RepairEntry):
            yield item
        else:
            rack, symptom = item
            yield RackGroup(rack, symptom, units[rack], tuple(of_groups[item]))


def _key(entry: RepairEntry) -> _Key:
    return (entry.place.container, entry.place.rack), entry.symptom


def _is_group(key: _Key, count: int, units: Mapping[Rack, int]) -> bool:
    rack, symptom = key
    # Units without a rack in the ledger do not stand together.
    return symptom in GROUPED and bool(rack[1]) and count >= max(LEAST_UNITS, LEAST_RATIO * units.get(rack, 0))
