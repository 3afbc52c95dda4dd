"""Where each unit is polled: at home, or where it was found if nobody else is polled there.

Two units are never polled at one address: whoever had found a place at somebody's home makes room when that one comes
back, and goes home itself.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from agent.address import Endpoint
from agent.site.ledger import LedgerEntry

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
        self._is_changed = False

    def replace_entries(self, entries: Iterable[LedgerEntry]) -> None:
        """Take over a changed ledger; every unit is polled at home again."""
        self._entries = {entry.unit_id: entry for entry in entries}
        self._homes = {unit_id: Endpoint(entry.host, entry.port) for unit_id, entry in self._entries.items()}
        self._endpoints = dict(self._homes)
        self._away.clear()
        self._unit_ids = {endpoint: unit_id for unit_id, endpoint in self._endpoints.items()}
        self._failures.clear()

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
        self._is_changed = True
        comer: str | None = unit_id
        while comer is not None:
            moved.add(comer)
            self._failures.pop(comer, None)
            if self._unit_ids.get(self._endpoints[comer]) == comer:
                del self._unit_ids[self._endpoints[comer]]
            evicted = self._unit_ids.get(endpoint)
            self._endpoints[comer], self._unit_ids[endpoint] = endpoint, comer
            (self._away.discard if endpoint == self.home(comer) else self._away.add)(comer)
            comer, endpoint = evicted, endpoint if evicted is None else self.home(evicted)
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
        return tuple(
            replace(entry, host=self._endpoints[unit_id].host, port=self._endpoints[unit_id].port)
            if unit_id in self._away
            else entry
            for unit_id, entry in self._entries.items()
        )

    def take_changed(self) -> tuple[LedgerEntry, ...] | None:
        """Give `entries` when any unit was sent elsewhere since this was last asked; None otherwise."""
        if not self._is_changed:
            return None
        self._is_changed = False
        return self.entries()
