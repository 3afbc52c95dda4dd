"""The identity book: credits a reading to the unit that answered, whichever unit was expected at the address.

The ledger has each unit's identity (MAC or serial) and its expected address. A unit's own page says which unit answers.
Answers and times are arguments, and nothing here writes the ledger.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from agent.address import Endpoint
from agent.errors import PollError, UnreachableError
from agent.site.identity.address_memory import AddressMemory, named_boards
from agent.site.identity.agenda import Urgency
from agent.site.identity.inquiries import Inquiries
from agent.site.identity.judgement import judge, owner_of
from agent.site.identity.routes import Routes
from agent.site.identity.whereabouts import Difference, Finding, Move, Sighting, Standing, Whereabouts
from agent.site.identity.whereabouts_table import WhereaboutsTable
from agent.site.ledger.delta import LedgerDelta
from agent.site.ledger.entries import LedgerEntry
from agent.unit.reading import Poll, SystemInfo

SPACING_S = 10.0
# Differences of one unit from its ledger row that are remembered as reported.
REPORTS_KEPT = 8


class Addresses(NamedTuple):
    """The addresses of a ledger, past, present and future.

    Attributes:
        web_ports: The port of the pages at each address; None where the ledger has none.
        gone: Addresses of the previous ledger that are not in this one.
    """

    web_ports: dict[Endpoint, int | None]
    gone: tuple[Endpoint, ...]


class IdentityBook:
    """The place of every unit, by the latest sighting at every address.

    Attributes:
        routes: Where each unit is polled.
        inquiries: Which pages are asked for, and when.
        moves: How many times a unit was found at another address.

    Args:
        entries: The ledger's entries in force.
        known: All entries of the ledger, of any time: a lost unit is searched for at their addresses.
        spacing_s: One address is asked at most this often.
    """

    def __init__(
        self, entries: Iterable[LedgerEntry], known: Iterable[LedgerEntry] = (), *, spacing_s: float = SPACING_S
    ) -> None:
        self._memory = AddressMemory()
        self._table = WhereaboutsTable()
        self._entries: dict[str, LedgerEntry] = {}
        self.routes = Routes()
        self.inquiries = Inquiries(self._memory, self.routes, spacing_s=spacing_s)
        # By the unit polled at an address, the unit that answers there. Pairs of one unit with itself are left out.
        self._owners: dict[str, str | None] = {}
        self._reported: dict[str, tuple[SystemInfo, ...]] = {}
        self._heard: list[Finding] = []
        self.moves = 0
        self.replace_entries(entries, known, clock_s=float("-inf"))
        self.routes.take_changed()

    def __contains__(self, unit_id: object) -> bool:
        return unit_id in self._entries

    def replace_entries(
        self, entries: Iterable[LedgerEntry], known: Iterable[LedgerEntry] = (), *, clock_s: float
    ) -> list[Finding]:
        """Take over all entries of a changed ledger; `known` are those of any time."""
        now = {entry.unit_id: entry for entry in entries}
        changed = tuple(entry for unit_id, entry in now.items() if self._entries.get(unit_id) != entry)
        gone = tuple(unit_id for unit_id in self._entries if unit_id not in now)
        return self.take_over(LedgerDelta(changed, gone), self.addresses(now.values(), known), clock_s=clock_s)

    def addresses(self, entries: Iterable[LedgerEntry], known: Iterable[LedgerEntry]) -> Addresses:
        """Return the addresses of a ledger, of entries in force and of any time; safe to call in a thread."""
        web_ports = {Endpoint(entry.host, entry.port): entry.web_port for entry in known}
        web_ports |= {Endpoint(entry.host, entry.port): entry.web_port for entry in entries}
        return Addresses(
            web_ports, tuple(endpoint for endpoint in self.inquiries.web_ports if endpoint not in web_ports)
        )

    def take_over(self, delta: LedgerDelta, addresses: Addresses, *, clock_s: float) -> list[Finding]:
        """Take over the changes of a ledger, and judge the units that they may concern."""
        concerned = set(self._table.astray)
        former = [self._entries.pop(unit_id) for unit_id in delta.gone]
        former += [self._entries[entry.unit_id] for entry in delta.changed if entry.unit_id in self._entries]
        self._entries.update((entry.unit_id, entry) for entry in delta.changed)
        names = self._memory.rename(former, delta.changed)
        self.inquiries.web_ports = addresses.web_ports
        for endpoint in addresses.gone:
            self._memory.drop(endpoint)
            self.inquiries.drop(endpoint)
        concerned |= self._identify_again(self.routes.take_over(delta), names)
        for unit_id in delta.gone:
            self._table.drop(unit_id)
            self._owners.pop(unit_id, None)
            self._reported.pop(unit_id, None)
            self.inquiries.forget_unit(unit_id)
        for entry in delta.changed:
            concerned.add(entry.unit_id)
            if entry.unit_id not in self._table:
                self._expect(entry.unit_id)
                home = self.routes.home(entry.unit_id)
                if home not in self._memory and not self._memory.places(entry.unit_id):
                    # Nothing was seen yet, so there is nothing to judge by.
                    concerned.discard(entry.unit_id)
        findings = self._settle(sorted(concerned), clock_s)
        # Every unit began at home. One that was settled late may have freed the place of another.
        return [*findings, *self._settle(sorted(self._table.astray), clock_s)]

    def _expect(self, unit_id: str) -> None:
        home = self.routes.home(unit_id)
        where = Whereabouts(
            unit_id=unit_id, standing=Standing.UNVERIFIED, home=home, place=None, seen=None, occupant=None
        )
        self._table.put(where)

    def _identify_again(self, endpoints: Iterable[Endpoint], names: Collection[str]) -> set[str]:
        """Identify earlier sightings by the ledger in force; return the units that a different answer concerns.

        Args:
            endpoints: Addresses at which another unit is expected than before.
            names: MAC addresses and serial numbers whose unit changed.
        """
        concerned: set[str] = set()
        again = {endpoint for endpoint in endpoints if endpoint in self._memory} | self._memory.named(names)
        for endpoint in sorted(again):
            seen = self._memory.at(endpoint)
            if seen is None:
                continue
            now = self._identify(endpoint, seen.info, seen.at)
            if now != seen:
                expected = self.routes.unit_at(endpoint)
                concerned |= {name for name in (seen.unit_id, now.unit_id, expected) if name is not None}
                self._memory.put(endpoint, now)
        return concerned

    def _identify(self, endpoint: Endpoint, info: SystemInfo, at: float) -> Sighting:
        expected = self._entries.get(self.routes.unit_at(endpoint) or "")
        return self._memory.identify(endpoint, info, expected=expected, at=at)

    def credit(self, poll: Poll, *, clock_s: float) -> Poll | None:
        """Return the poll under the name of the unit that was really polled; None if that is no unit of the ledger.

        Args:
            poll: The poll under the name of the unit that was expected.
            clock_s: The monotonic clock, s.
        """
        expected = poll.unit_id
        endpoint = self.routes.endpoint(expected)
        if endpoint is None:
            return poll
        if poll.reading is not None:
            self.inquiries.on_reading(endpoint, expected, poll.reading, clock_s)
            if poll.reading.system_info is not None:
                self._hear(endpoint, poll.reading.system_info, at=poll.reading.at, clock_s=clock_s)
        elif isinstance(poll.error, UnreachableError):
            self.inquiries.on_unreachable(endpoint, expected, clock_s)
        else:
            self.inquiries.on_failing(endpoint)
        owner = self._owners.get(expected, expected)
        if owner == expected:
            return poll
        if owner is None:
            return None
        reading = None if poll.reading is None else msgspec.structs.replace(poll.reading, unit_id=owner)
        return msgspec.structs.replace(poll, unit_id=owner, reading=reading)

    def _hear(self, endpoint: Endpoint, info: SystemInfo, *, at: float, clock_s: float) -> None:
        """Take in what a unit's own report tells, as its page; no page is asked for then."""
        look = self._memory.look(endpoint)
        if look.sighting is None or look.sighting.info != info or look.is_doubtful or look.is_suspect:
            self._heard += self.on_seen(endpoint, info, at=at, clock_s=clock_s)
        self.inquiries.on_told(endpoint)

    def take_heard(self) -> list[Finding]:
        """Return, once, what follows from units' own reports since the last call."""
        heard, self._heard = self._heard, []
        return heard

    def note_detour(self, poll: Poll, *, clock_s: float) -> list[Finding]:
        """Take in a poll of a unit that is polled away from home; one that stays unreachable there goes home."""
        if not self.routes.is_lost(poll.unit_id, is_unreachable=isinstance(poll.error, UnreachableError)):
            return []
        endpoint = self.routes.endpoint(poll.unit_id)
        if endpoint is not None:
            self._memory.forget(endpoint)
        self.inquiries.want(self.routes.home(poll.unit_id), Urgency.EXCHANGED, clock_s)
        return self._settle([poll.unit_id], clock_s)

    def on_seen(self, endpoint: Endpoint, info: SystemInfo, *, at: float, clock_s: float) -> list[Finding]:
        """Take in a unit's page.

        Args:
            endpoint: Address and port of the unit's API.
            info: The identity on the page.
            at: Unix time, s.
            clock_s: The monotonic clock, s.
        """
        look = self._memory.look(endpoint)
        before = look.sighting
        sighting = self._identify(endpoint, info, at)
        look.is_doubtful, look.is_suspect, look.failures = False, False, 0
        look.boards_then = named_boards(look.boards)
        touched = [self.routes.unit_at(endpoint)]
        if before is not None and before.unit_id is not None and before.unit_id != sighting.unit_id:
            touched.append(before.unit_id)
        unit_id = sighting.unit_id
        if unit_id is not None:
            touched.append(unit_id)
            if before is None or before.unit_id != unit_id:
                earlier = {*self._memory.places(unit_id), self.routes.home(unit_id)} - {endpoint}
                touched += self.inquiries.doubt(sorted(earlier), clock_s)
        self._memory.put(endpoint, sighting)
        self.inquiries.on_answered(endpoint, clock_s)
        findings = self._settle([name for name in touched if name is not None], clock_s)
        return [*findings, *self._difference(sighting)]

    def on_failed(self, endpoint: Endpoint, error: PollError | None, *, clock_s: float) -> list[Finding]:
        """Take in a failed request for a page; `error` is None if this process had no socket to ask with."""
        look = self._memory.look(endpoint)
        if error is None:
            self.inquiries.on_no_socket(endpoint, clock_s)
            return []
        look.failures += 1
        expected = self.routes.unit_at(endpoint)
        if expected is None:
            return []
        self.inquiries.on_failed(endpoint, clock_s)
        now = named_boards(look.boards)
        if look.sighting is None:
            look.boards_then = look.boards_then or now
            return self._settle([expected], clock_s)
        touched = sorted({expected, look.sighting.unit_id or expected})
        if now and look.boards_then and now.isdisjoint(look.boards_then):
            # Every board changed since a page last said who answers here, so that answer no longer holds.
            self._memory.forget(endpoint)
        return self._settle(touched, clock_s)

    def _difference(self, sighting: Sighting) -> Iterator[Difference]:
        """Yield, once, a unit whose page contradicts its ledger row; a page where it is not says nothing about it."""
        if sighting.unit_id is None or self._table[sighting.unit_id].place != sighting.endpoint:
            return
        entry, info = self._entries[sighting.unit_id], sighting.info
        is_other_mac = entry.mac and info.mac and entry.mac != info.mac
        is_other_serial = entry.serial and info.serial and entry.serial.casefold() != info.serial.casefold()
        reported = self._reported.get(entry.unit_id, ())
        if (is_other_mac or is_other_serial) and info not in reported:
            # A page that says something else each time must not fill the memory.
            self._reported[entry.unit_id] = (*reported[1 - REPORTS_KEPT :], info)
            yield Difference(entry=entry, sighting=sighting)

    def _settle(self, unit_ids: Iterable[str], clock_s: float) -> list[Finding]:
        """Judge units, then decide whose readings come from the addresses where they were, are and are expected."""
        changes: list[Finding] = []
        polled: set[str] = set()
        for unit_id in dict.fromkeys(unit_ids):
            if unit_id not in self._entries:
                continue
            before, now = self._table[unit_id], judge(unit_id, self._memory, self.routes)
            self._table.put(now)
            polled.update(self.routes.send(unit_id, now.place))
            places = (before.place, now.place, before.home, now.home)
            polled.update(self.routes.unit_at(place) or unit_id for place in places if place is not None)
            if now.standing is Standing.VERIFIED:
                self._memory.remember_boards(unit_id, now.home)
            if now.standing is Standing.DISPLACED:
                self.inquiries.displaced.add(unit_id)
                self.inquiries.search(now, clock_s)
            else:
                self.inquiries.displaced.discard(unit_id)
            is_moved = now.standing is Standing.MOVED
            if now.standing is not before.standing or (is_moved and now.place != before.place):
                changes.append(Move(before=before, now=now))
                if is_moved:
                    self.moves += 1
        for unit_id in polled:
            owner = owner_of(unit_id, self._memory, self.routes, self._table)
            if owner == unit_id:
                self._owners.pop(unit_id, None)
            else:
                self._owners[unit_id] = owner
        return changes

    def whereabouts(self, unit_id: str) -> Whereabouts | None:
        """Return where a unit is; None for one that is not deployed now."""
        return self._table.get(unit_id)

    def astray(self) -> list[Whereabouts]:
        """Return the units that are not where the ledger expects them, by id."""
        return [self._table[unit_id] for unit_id in sorted(self._table.astray)]

    def counts(self) -> Mapping[Standing, int]:
        """Return how many units have each standing."""
        return self._table.counts()

    def unknown_units(self) -> list[Sighting]:
        """Return the units that answer at a known address and are not in the ledger."""
        return self._memory.unknown()
