"""Polling addresses: each unit is polled at home, or where it was found if no other unit is polled there.

Two units are never polled at one address. When a unit comes home, a unit that was polled there goes home too.
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

    def take_over(self, delta: LedgerDelta) -> set[Endpoint]:
        """Take over the changes of a ledger; every unit is polled at home again.

        Returns:
            The addresses whose expected unit, or whose ledger entry, changed.
        """
        homeward = {unit_id: self._endpoints[unit_id] for unit_id in self._away}
        left: set[Endpoint] = set()
        for unit_id, endpoint in homeward.items():
            left |= {endpoint, self._homes[unit_id]}
            self._vacate(endpoint, unit_id)
        for unit_id in delta.gone:
            home = self._homes.pop(unit_id)
            left.add(home)
            self._vacate(home, unit_id)
            del self._entries[unit_id], self._endpoints[unit_id]
            homeward.pop(unit_id, None)
        for entry in delta.changed:
            former = self._homes.get(entry.unit_id)
            if former is not None:
                left.add(former)
                self._vacate(former, entry.unit_id)
            self._entries[entry.unit_id] = entry
            self._homes[entry.unit_id] = Endpoint(entry.host, entry.port)
        coming = {entry.unit_id for entry in delta.changed} | homeward.keys()
        for unit_id in coming:
            home = self._endpoints[unit_id] = self._homes[unit_id]
            self._unit_ids[home] = unit_id
            left.add(home)
        self._away.clear()
        self._failures.clear()
        self._moved = (self._moved | coming) - set(delta.gone)
        return left

    def _vacate(self, endpoint: Endpoint, unit_id: str) -> None:
        if self._unit_ids.get(endpoint) == unit_id:
            del self._unit_ids[endpoint]

    def home(self, unit_id: str) -> Endpoint:
        """Return the address at which the ledger expects a unit in force."""
        return self._homes[unit_id]

    @property
    def are_some_away(self) -> bool:
        """True if a unit is polled away from home: its home is then asked now and then whether it came back."""
        return bool(self._away)

    def endpoint(self, unit_id: str) -> Endpoint | None:
        """Return the address at which a unit is polled; None for one that is not in force."""
        return self._endpoints.get(unit_id)

    def unit_at(self, endpoint: Endpoint) -> str | None:
        """Return the unit polled at an address; None if there is none."""
        return self._unit_ids.get(endpoint)

    def send(self, unit_id: str, place: Endpoint | None) -> set[str]:
        """Poll a unit where it was found, if no other unit is polled there, and at home otherwise.

        Returns:
            The units whose polls may have moved.
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
            if endpoint == self.home(comer):
                self._away.discard(comer)
            else:
                self._away.add(comer)
            comer = evicted
            if evicted is not None:
                endpoint = self.home(evicted)
        self._moved |= moved
        return moved

    def is_lost(self, unit_id: str, *, is_unreachable: bool) -> bool:
        """Count a poll; return True if its unit, polled away from home, was unreachable too many times in a row."""
        if unit_id not in self._away:
            return False
        if not is_unreachable:
            self._failures.pop(unit_id, None)
            return False
        self._failures[unit_id] += 1
        return self._failures[unit_id] >= DETOUR_FAILURES

    def entries(self) -> tuple[LedgerEntry, ...]:
        """Return the entries in force, each with the address at which its unit is polled."""
        return tuple(map(self._polled, self._entries))

    def _polled(self, unit_id: str) -> LedgerEntry:
        entry, endpoint = self._entries[unit_id], self._endpoints[unit_id]
        if unit_id not in self._away:
            return entry
        return msgspec.structs.replace(entry, host=endpoint.host, port=endpoint.port)

    def take_changed(self) -> tuple[LedgerEntry, ...]:
        """Return, like `entries`, the units that changed or were rerouted since the last call."""
        moved, self._moved = self._moved, set()
        return tuple(map(self._polled, sorted(moved)))
