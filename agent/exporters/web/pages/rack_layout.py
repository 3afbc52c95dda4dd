"""Units by container, rack and slot, in the order in which people count, with the slots that are empty."""

from collections.abc import Iterable
from typing import NamedTuple

from agent.site.status import UnitStatus
from agent.text.natural import NaturalKey, natural_key

SPARE_SLOTS = 8
"""Empty slots are drawn up to the rack's highest number, unless so many numbers and more are left out beside units."""


class Slot(NamedTuple):
    """One place in a rack.

    Attributes:
        name: The slot's name; empty where the ledger gives none.
        status: The unit; None in an empty slot.
    """

    name: str
    status: UnitStatus | None


class Rack(NamedTuple):
    """One rack of a container; its name may be empty."""

    name: str
    slots: list[Slot]

    @property
    def units(self) -> int:
        """The number of units in it."""
        return sum(slot.status is not None for slot in self.slots)


class Container(NamedTuple):
    """One container; its name may be empty."""

    name: str
    racks: list[Rack]

    @property
    def units(self) -> int:
        """The number of units in it."""
        return sum(rack.units for rack in self.racks)


def containers_of(statuses: Iterable[UnitStatus]) -> tuple[list[Container], list[UnitStatus]]:
    """Return the containers, and the units that have neither container nor rack nor slot."""
    placed: dict[str, dict[str, list[UnitStatus]]] = {}
    homeless = []
    for status in statuses:
        place = status.entry.place
        if place.container or place.rack or place.slot:
            placed.setdefault(place.container, {}).setdefault(place.rack, []).append(status)
        else:
            homeless.append(status)
    containers = [
        Container(name, [Rack(rack, _slots(racks[rack])) for rack in sorted(racks, key=_key)])
        for name, racks in ((name, placed[name]) for name in sorted(placed, key=_key))
    ]
    return containers, sorted(homeless, key=lambda status: natural_key(status.entry.unit_id))


def _key(name: str) -> tuple[bool, NaturalKey]:
    # What has no name comes last.
    return not name, natural_key(name)


def _slots(statuses: list[UnitStatus]) -> list[Slot]:
    ordered = sorted(
        statuses,
        key=lambda status: (_key(status.entry.place.slot), natural_key(status.entry.unit_id), status.entry.unit_id),
    )
    slots = [Slot(status.entry.place.slot, status) for status in ordered]
    named = [slot for slot in slots if slot.name]
    if not all(slot.name.isascii() and slot.name.isdigit() and len(slot.name) <= 6 for slot in named):
        return slots
    by_number = {int(slot.name): slot for slot in named}
    highest = max(by_number, default=0)
    if len(by_number) < len(named) or highest > 2 * len(named) + SPARE_SLOTS:
        return slots
    first = min(1, *by_number) if by_number else 1
    numbered = [by_number.get(number) or Slot(str(number), None) for number in range(first, highest + 1)]
    return [*numbered, *(slot for slot in slots if not slot.name)]
