"""Machines that answered a look, held against the ledger. Pure.

A machine at the address of a deployed unit is left to polling and to the identity checks, which look at it all day.
"""

import ipaddress
from collections.abc import Iterable

from agent.address import Endpoint
from agent.hil.discovery.figures import Machine, MachineKind, Seen
from agent.hil.scan.found import Found, Kind, clean
from agent.site.ledger.entries import Ledger, LedgerEntry


def seen_of(found: Found) -> Seen:
    """Return what is kept of a find of a scan."""
    info, reading = found.info, found.reading
    return Seen(
        endpoint=found.endpoint,
        at=found.at,
        is_identified=found.kind is Kind.IDENTIFIED,
        model=found.model,
        firmware=found.firmware,
        mac=None if info is None else clean(info.mac) or None,
        serial=None if info is None else clean(info.serial) or None,
        hashrate_hs=None if reading is None else reading.rate_hs,
        looks_like=found.looks_like,
    )


def review(seen: Iterable[Seen], ledger: Ledger, at: float) -> tuple[Machine, ...]:
    """Return the machines that are no deployed unit at its own address, by address.

    Args:
        seen: What answered.
        ledger: In force: the whole site's, not a shard of it.
        at: Unix time, s.
    """
    known = _Known(ledger.entries, at)
    machines = (known.machine(each) for each in seen)
    return tuple(sorted((each for each in machines if each is not None), key=_by_address))


def _by_address(machine: Machine) -> tuple[int, int, int]:
    endpoint = machine.seen.endpoint
    address = ipaddress.ip_address(endpoint.host)
    return address.version, int(address), endpoint.port


class _Known:
    """Addresses and identities of a ledger: of the rows in force first, then of all others."""

    def __init__(self, entries: Iterable[LedgerEntry], at: float) -> None:
        self._at_address: dict[Endpoint, LedgerEntry] = {}
        self._by_name: dict[str, LedgerEntry] = {}
        self._at = at
        # The latter of two rows wins, so those in force come last.
        for entry in sorted(entries, key=lambda entry: entry.is_deployed_at(at)):
            self._at_address[Endpoint(entry.host, entry.port)] = entry
            if entry.mac:
                self._by_name[entry.mac.casefold()] = entry
            if entry.serial:
                self._by_name[entry.serial.casefold()] = entry

    def machine(self, seen: Seen) -> Machine | None:
        """Return how a machine stands to the ledger; None for a deployed unit's own address."""
        here = self._at_address.get(seen.endpoint)
        if here is not None and here.is_deployed_at(self._at):
            return None
        if not seen.is_identified:
            return Machine(seen=seen, kind=MachineKind.UNIDENTIFIED)
        named = self._by_name.get((seen.mac or "").casefold()) or self._by_name.get((seen.serial or "").casefold())
        if named is not None and named.is_deployed_at(self._at):
            return Machine(seen=seen, kind=MachineKind.MOVED, unit_id=named.unit_id)
        former = named or here
        if former is not None:
            return Machine(seen=seen, kind=MachineKind.NOT_DEPLOYED, unit_id=former.unit_id)
        return Machine(seen=seen, kind=MachineKind.UNLISTED)
