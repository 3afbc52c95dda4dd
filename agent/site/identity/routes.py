"""Where each unit is polled: at home, or where it was found if nobody else is polled there.

Two units are never polled at one address: whoever had found a place at somebody's home makes room when that one comes
back, and goes home itself.
"""

from collections import Counter

import msgspec

from agent.address import Endpoint
from agent.site.ledger.delta import LedgerDelta
from agent.site.ledger.entries import LedgerEntry

DETOUR_FAILURES = 3


class Routes:
    """The addresses at which the units in force are polled."""

    def __init__(self) -> None:
        self._entries: dict[str, LedgerEntry] = {}
        self._homes: dict[str, Endpoint] = {}
        self._away: set[str] = set()
        self._endpoints: dict[str, Endpoint] = {}
        self._unit_ids: dict[Endpoint, str] = {}
        self._failures: Counter[str] = Counter()
        self._moved: set[str] = set()

    def take_over(self, takeover: LedgerDelta) -> set[Endpoint]:
        """Take over what changed in the ledger; every unit is polled at home again.

        Returns:
            The addresses at which somebody else is expected than before, or something else is said of him.
        """
        homeward = {unit_id: self._endpoints[unit_id] for unit_id in self._away}
        left: set[Endpoint] = set()
        for unit_id, endpoint in homeward.items():
            left |= {endpoint, self._homes[unit_id]}
            self._vacate(endpoint, unit_id)
        for unit_id in takeover.gone:
            home = self._homes.pop(unit_id)
            left.add(home)
            self._vacate(home, unit_id)
            del self._entries[unit_id], self._endpoints[unit_id]
            homeward.pop(unit_id, None)
        for entry in takeover.changed:
            former = self._homes.get(entry.unit_id)
            if former is not None:
                left.add(former)
                self._vacate(former, entry.unit_id)
            self._entries[entry.unit_id] = entry
            self._homes[entry.unit_id] = Endpoint(entry.host, entry.port)
        coming = {entry.unit_id for entry in takeover.changed} | homeward.keys()
        for unit_id in coming:
            home = self._endpoints[unit_id] = self._homes[unit_id]
            self._unit_ids[home] = unit_id
            left.add(home)
        self._away.clear()
        self._failures.clear()
        self._moved = (self._moved | coming) - set(takeover.gone)
        return left

    def _vacate(self, endpoint: Endpoint, unit_id: str) -> None:
        if self._unit_ids.get(endpoint) == unit_id:
            del self._unit_ids[endpoint]

    def home(self, unit_id: str) -> Endpoint:
        """Give where the ledger expects a unit that is in force."""
        return self._homes[unit_id]

    def endpoint(self, unit_id: str) -> Endpoint | None:
        """Give where a unit is polled; None for one that is not in force."""
        return self._endpoints.get(unit_id)

    def unit_at(self, endpoint: Endpoint) -> str | None:
        """Give who is polled at an address; None when nobody is."""
        return self._unit_ids.get(endpoint)

    def send(self, unit_id: str, place: Endpoint | None) -> set[str]:
        """Have a unit polled at the place where it was found, if nobody else is polled there, and at home otherwise.

        Returns:
            Whose polls that may have moved.
        """
        moved = {unit_id}
        endpoint = self.home(unit_id)
        if place is not None and self._unit_ids.get(place, unit_id) == unit_id:
            endpoint = place
        if self._endpoints[unit_id] == endpoint:
            return moved
        comer: str | None = unit_id
        while comer is not None:
            moved.add(comer)
            self._failures.pop(comer, None)
            self._vacate(self._endpoints[comer], comer)
            evicted = self._unit_ids.get(endpoint)
            self._endpoints[comer], self._unit_ids[endpoint] = endpoint, comer
            (self._away.discard if endpoint == self.home(comer) else self._away.add)(comer)
            comer, endpoint = evicted, endpoint if evicted is None else self.home(evicted)
        self._moved |= moved
        return moved

    def is_lost(self, unit_id: str, *, is_unreachable: bool) -> bool:
        """Take in a poll, and say whether its unit, polled away from home, was unreachable too many times in a row."""
        if unit_id not in self._away:
            return False
        if not is_unreachable:
            self._failures.pop(unit_id, None)
            return False
        self._failures[unit_id] += 1
        return self._failures[unit_id] >= DETOUR_FAILURES

    def entries(self) -> tuple[LedgerEntry, ...]:
        """Give the entries in force with the addresses at which they are to be polled."""
        return tuple(map(self._polled, self._entries))

    def _polled(self, unit_id: str) -> LedgerEntry:
        entry, endpoint = self._entries[unit_id], self._endpoints[unit_id]
        if unit_id not in self._away:
            return entry
        return msgspec.structs.replace(entry, host=endpoint.host, port=endpoint.port)

    def take_changed(self) -> tuple[LedgerEntry, ...]:
        """Give, as `entries` does, the units that changed or were sent elsewhere since this was last asked."""
        moved, self._moved = self._moved, set()
        return tuple(map(self._polled, sorted(moved)))
