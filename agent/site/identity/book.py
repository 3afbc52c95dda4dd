"""Who answers where: what is read at an address is credited to the unit that stands there, whoever was expected.

The ledger says who a unit is (MAC or serial) and where it is expected; a unit's own page says who answers. An address
is asked when it first answers or answers again, when an uptime went backwards, when other boards answer than before,
and once a day.
Pure but for its memory: answers and times are arguments, and nothing here writes the ledger.

    no answer, or nothing to compare ..... unverified: what is read there is credited as the ledger says
    the unit itself ....................... verified
    another unit of the ledger ............ that one has moved here; what is read here is its
    somebody the ledger does not know ..... an unknown unit; what is read here is nobody's
    and the unit that was expected ........ is where it was seen, or displaced: unreadable, and looked for
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from agent.address import Endpoint
from agent.errors import PollError, UnreachableError
from agent.site.identity.agenda import Agenda, Urgency
from agent.site.identity.routes import Routes
from agent.site.identity.whereabouts import Difference, Finding, Move, Sighting, Standing, Whereabouts
from agent.site.ledger.delta import LedgerDelta
from agent.site.ledger.entries import LedgerEntry
from agent.unit.reading import Poll, SystemInfo, UnitReading

RECHECK_S = 86_400.0
SPACING_S = 10.0
RETRY_S = 60.0
RETRY_MAX_S = 3600.0
SEARCH_EVERY_S = 600.0
_ASTRAY = frozenset({Standing.MOVED, Standing.DISPLACED})


class _Look:
    """What is remembered of one address."""

    __slots__ = ("asked_at", "boards", "boards_then", "failures", "is_answering", "is_doubtful", "sighting", "uptime_s")

    def __init__(self) -> None:
        self.is_answering = False
        self.uptime_s: float | None = None
        self.boards: tuple[str | None, ...] = ()
        self.boards_then: frozenset[str] = frozenset()
        self.sighting: Sighting | None = None
        self.is_doubtful = False
        self.asked_at = float("-inf")
        self.failures = 0


class Addresses(NamedTuple):
    """Where units are, were or will be by a ledger.

    Attributes:
        web_ports: The port of the pages at each address; None where the ledger does not say.
        gone: Addresses of the ledger before that are none of this one's.
    """

    web_ports: dict[Endpoint, int | None]
    gone: tuple[Endpoint, ...]


class IdentityBook:
    """Who is where, by the latest sighting of every address.

    Attributes:
        routes: Where each unit is to be polled.
        moves: How many times a unit was found at another address.

    Args:
        entries: The ledger's entries in force.
        known: All entries of the ledger, of any time: their addresses are where a lost unit is looked for.
        spacing_s: One address is asked no more often than this.
    """

    def __init__(
        self, entries: Iterable[LedgerEntry], known: Iterable[LedgerEntry] = (), *, spacing_s: float = SPACING_S
    ) -> None:
        self._spacing_s = spacing_s
        self._agenda = Agenda()
        self._looks: defaultdict[Endpoint, _Look] = defaultdict(_Look)
        self._entries: dict[str, LedgerEntry] = {}
        self._web_ports: dict[Endpoint, int | None] = {}
        self._macs: dict[str, str] = {}
        self._serials: dict[str, str] = {}
        self.routes = Routes()
        self._seen_at: defaultdict[str, set[Endpoint]] = defaultdict(set)
        self._owners: dict[str, str | None] = {}
        self._whereabouts: dict[str, Whereabouts] = {}
        # What the next two tell at every scrape would take milliseconds to gather from all units.
        self._astray: set[str] = set()
        self._counts: Counter[Standing] = Counter()
        self._unknown: dict[Endpoint, Sighting] = {}
        self._boards_of: dict[str, frozenset[str]] = {}
        self._told: set[tuple[str, SystemInfo]] = set()
        self._lost: set[str] = set()
        self._displaced: set[str] = set()
        self._next_search = float("-inf")
        self.moves = 0
        self.replace_entries(entries, known, clock_s=float("-inf"))
        self.routes.take_changed()

    # --- the ledger ---

    def replace_entries(
        self, entries: Iterable[LedgerEntry], known: Iterable[LedgerEntry] = (), *, clock_s: float
    ) -> list[Finding]:
        """Take over all entries of a changed ledger; `known` are those of any time."""
        now = {entry.unit_id: entry for entry in entries}
        changed = tuple(entry for unit_id, entry in now.items() if self._entries.get(unit_id) != entry)
        gone = tuple(unit_id for unit_id in self._entries if unit_id not in now)
        return self.take_over(LedgerDelta(changed, gone), self.addresses(now.values(), known), clock_s=clock_s)

    def addresses(self, entries: Iterable[LedgerEntry], known: Iterable[LedgerEntry]) -> Addresses:
        """Give the addresses of a ledger's entries in force and of all others; may be asked in a thread."""
        web_ports = {Endpoint(entry.host, entry.port): entry.web_port for entry in known}
        web_ports |= {Endpoint(entry.host, entry.port): entry.web_port for entry in entries}
        return Addresses(web_ports, tuple(endpoint for endpoint in self._web_ports if endpoint not in web_ports))

    def take_over(self, takeover: LedgerDelta, addresses: Addresses, *, clock_s: float) -> list[Finding]:
        """Take over what changed in the ledger; who was seen where is judged by it anew."""
        # Of a large site little changes at a time: only those are judged anew whom the change may concern.
        concerned = set(self._astray)
        former = [self._entries.pop(unit_id) for unit_id in takeover.gone]
        former += [self._entries[entry.unit_id] for entry in takeover.changed if entry.unit_id in self._entries]
        self._entries.update((entry.unit_id, entry) for entry in takeover.changed)
        told = self._rename(former, takeover.changed)
        self._web_ports = addresses.web_ports
        for endpoint in addresses.gone:
            if endpoint in self._looks:
                self._forget(endpoint)
                del self._looks[endpoint]
            self._agenda.drop(endpoint)
        concerned |= self._identify_anew(self.routes.take_over(takeover), told)
        for unit_id in takeover.gone:
            self._note(unit_id, None)
            self._owners.pop(unit_id, None)
            self._lost.discard(unit_id)
            self._displaced.discard(unit_id)
        for entry in takeover.changed:
            concerned.add(entry.unit_id)
            if entry.unit_id not in self._whereabouts:
                self._expect(entry.unit_id)
                if self.routes.home(entry.unit_id) not in self._looks and not self._seen_at.get(entry.unit_id):
                    # Nobody has looked yet: there is nothing to judge by.
                    concerned.discard(entry.unit_id)
        findings = self._settle(sorted(concerned), clock_s)
        # All began at home; who was settled late may have left the place to which another one should have been sent.
        return [*findings, *self._settle(sorted(self._astray), clock_s)]

    def _rename(self, former: Iterable[LedgerEntry], changed: Iterable[LedgerEntry]) -> set[str]:
        """Take over whose which MAC address and serial number are; gives those that were or are now somebody's."""
        told: set[str] = set()
        for entry in former:
            for names, name in _identities(self._macs, self._serials, entry):
                told.add(name)
                if names.get(name) == entry.unit_id:
                    del names[name]
        for entry in changed:
            for names, name in _identities(self._macs, self._serials, entry):
                told.add(name)
                names[name] = entry.unit_id
        return told

    def _expect(self, unit_id: str) -> None:
        home = self.routes.home(unit_id)
        where = Whereabouts(
            unit_id=unit_id, standing=Standing.UNVERIFIED, home=home, place=None, seen=None, occupant=None
        )
        self._note(unit_id, where)

    def _note(self, unit_id: str, where: Whereabouts | None) -> None:
        """Put down where a unit is; None for one that is deployed no longer."""
        before = self._whereabouts.pop(unit_id, None) if where is None else self._whereabouts.get(unit_id)
        if before is not None:
            self._counts[before.standing] -= 1
        self._astray.discard(unit_id)
        if where is not None:
            self._whereabouts[unit_id] = where
            self._counts[where.standing] += 1
            if where.standing in _ASTRAY:
                self._astray.add(unit_id)

    def _identify_anew(self, endpoints: Iterable[Endpoint], told: Collection[str]) -> set[str]:
        """Judge by the ledger in force who was seen where; gives whom another answer to that concerns.

        Args:
            endpoints: Where another unit is expected than before.
            told: MAC addresses and serial numbers that are another unit's than before, or somebody's or nobody's now.
        """
        concerned: set[str] = set()
        again = {endpoint for endpoint in endpoints if endpoint in self._looks}
        if told:
            again.update(
                endpoint
                for endpoint, look in self._looks.items()
                if look.sighting is not None
                and (look.sighting.info.mac in told or (look.sighting.info.serial or "").casefold() in told)
            )
        for endpoint in sorted(again):
            seen = self._looks[endpoint].sighting
            if seen is None:
                continue
            now = self._sighting(endpoint, seen.info, seen.at)
            if now != seen:
                expected = self.routes.unit_at(endpoint)
                concerned |= {name for name in (seen.unit_id, now.unit_id, expected) if name is not None}
                self._sight(endpoint, now)
        return concerned

    def _sight(self, endpoint: Endpoint, sighting: Sighting | None) -> None:
        """Put down who was seen at an address."""
        look = self._looks[endpoint]
        if look.sighting is not None and look.sighting.unit_id is not None:
            self._seen_at[look.sighting.unit_id].discard(endpoint)
        self._unknown.pop(endpoint, None)
        look.sighting = sighting
        if sighting is not None and sighting.unit_id is not None:
            self._seen_at[sighting.unit_id].add(endpoint)
        if sighting is not None and sighting.is_unknown:
            self._unknown[endpoint] = sighting

    # --- polls ---

    def credit(self, poll: Poll, *, clock_s: float) -> Poll | None:
        """Give a poll to the unit that was really polled; None when that is none of the ledger's.

        Args:
            poll: As it was made, under the name of the unit that was expected.
            clock_s: The monotonic clock, s.
        """
        expected = poll.unit_id
        endpoint = self.routes.endpoint(expected)
        if endpoint is None:
            return poll
        if poll.reading is not None:
            self._watch(endpoint, expected, poll.reading, clock_s)
        elif isinstance(poll.error, UnreachableError):
            self._lost.add(expected)
            self._go_dark(endpoint, clock_s)
        owner = self._owners.get(expected, expected)
        if owner == expected:
            return poll
        if owner is None:
            return None
        reading = None if poll.reading is None else msgspec.structs.replace(poll.reading, unit_id=owner)
        return msgspec.structs.replace(poll, unit_id=owner, reading=reading)

    def _watch(self, endpoint: Endpoint, expected: str, reading: UnitReading, clock_s: float) -> None:
        """Notice what may mean that another unit answers."""
        look = self._looks[endpoint]
        self._lost.discard(expected)
        if not look.is_answering:
            look.is_answering = True
            self._want(endpoint, Urgency.NEW, clock_s)
        if reading.uptime_s is not None:
            if look.uptime_s is not None and reading.uptime_s < look.uptime_s:
                self._want(endpoint, Urgency.RESTARTED, clock_s)
            look.uptime_s = reading.uptime_s
        boards = tuple([board.serial for board in reading.boards])
        if boards != look.boards:
            now, before = _told(boards), _told(look.boards)
            if now and before and now.isdisjoint(before):
                self._want(endpoint, Urgency.EXCHANGED, clock_s)
            if now:
                look.boards = boards

    def _go_dark(self, endpoint: Endpoint, clock_s: float) -> None:
        """Take in that nobody answers any more: whoever comes next is asked who it is.

        If the one who was here was also seen elsewhere, it is there, and is asked at once.
        """
        look = self._looks[endpoint]
        if not look.is_answering:
            return
        look.is_answering = False
        if look.sighting is not None and look.sighting.unit_id is not None:
            look.is_doubtful = True
            for other in self._seen_at[look.sighting.unit_id] - {endpoint}:
                self._want(other, Urgency.EXCHANGED, clock_s)

    def note_detour(self, poll: Poll, *, clock_s: float) -> list[Finding]:
        """Take in a poll of a unit at an address that is nobody's home; where it no longer answers, it is given up."""
        if not self.routes.is_lost(poll.unit_id, is_unreachable=isinstance(poll.error, UnreachableError)):
            return []
        endpoint = self.routes.endpoint(poll.unit_id)
        if endpoint is not None:
            self._forget(endpoint)
        self._want(self.routes.home(poll.unit_id), Urgency.EXCHANGED, clock_s)
        return self._settle([poll.unit_id], clock_s)

    # --- asking ---

    def take(self, clock_s: float) -> Endpoint | None:
        """Give the next address to be asked now, or None; it is not given again until it was answered for."""
        if clock_s >= self._next_search and (self._lost or self._displaced):
            self._next_search = clock_s + SEARCH_EVERY_S
            for known in self._web_ports:
                if self.routes.unit_at(known) is None:
                    self._want(known, Urgency.SEARCHED, clock_s)
        endpoint = self._agenda.take(clock_s)
        if endpoint is not None:
            self._looks[endpoint].asked_at = clock_s
        return endpoint

    def web_endpoint(self, endpoint: Endpoint, web_port: int) -> Endpoint:
        """Give where the web pages of an address are; `web_port` where the ledger does not say."""
        return Endpoint(endpoint.host, self._web_ports.get(endpoint) or web_port)

    def _want(self, endpoint: Endpoint, urgency: Urgency, clock_s: float) -> None:
        self._agenda.want(endpoint, urgency, max(clock_s, self._looks[endpoint].asked_at + self._spacing_s))

    def on_seen(self, endpoint: Endpoint, info: SystemInfo, *, at: float, clock_s: float) -> list[Finding]:
        """Take in who answered at an address.

        Args:
            endpoint: Which.
            info: What was answered.
            at: Unix time, s.
            clock_s: The monotonic clock, s.
        """
        look = self._looks[endpoint]
        before = look.sighting
        sighting = self._sighting(endpoint, info, at)
        look.is_doubtful, look.failures = False, 0
        look.boards_then = _told(look.boards)
        touched = [self.routes.unit_at(endpoint)]
        if before is not None and before.unit_id is not None and before.unit_id != sighting.unit_id:
            touched.append(before.unit_id)
        unit_id = sighting.unit_id
        if unit_id is not None:
            touched.append(unit_id)
            if before is None or before.unit_id != unit_id:
                touched += self._doubt(self._seen_at[unit_id], clock_s)
        self._sight(endpoint, sighting)
        self._agenda.want(endpoint, Urgency.ROUTINE, clock_s + RECHECK_S)
        findings = self._settle([name for name in touched if name is not None], clock_s)
        return [*findings, *self._difference(sighting)]

    def _doubt(self, endpoints: Iterable[Endpoint], clock_s: float) -> list[str | None]:
        """Have addresses asked again at which a unit was seen that is now seen elsewhere; gives who is polled there."""
        names = []
        for endpoint in endpoints:
            self._looks[endpoint].is_doubtful = True
            self._want(endpoint, Urgency.EXCHANGED, clock_s)
            names.append(self.routes.unit_at(endpoint))
        return names

    def on_failed(self, endpoint: Endpoint, error: PollError | None, *, clock_s: float) -> list[Finding]:
        """Take in that an address did not say who answers; None when it could not be asked for want of a socket."""
        look = self._looks[endpoint]
        if error is None:
            self._agenda.want(endpoint, Urgency.NEW, clock_s + self._spacing_s)
            return []
        look.failures += 1
        expected = self.routes.unit_at(endpoint)
        if expected is None:
            return []
        urgency = Urgency.EXCHANGED if look.is_doubtful else Urgency.ROUTINE
        wait_s = min(RETRY_MAX_S, RETRY_S * 2.0 ** min(look.failures - 1, 16))
        self._agenda.want(endpoint, urgency, clock_s + wait_s)
        now = _told(look.boards)
        if look.sighting is None or not (now and look.boards_then and now.isdisjoint(look.boards_then)):
            return []
        # Every board is another than when somebody last said who it was: what they said is no longer true.
        touched = {expected, look.sighting.unit_id or expected}
        self._forget(endpoint)
        return self._settle(touched, clock_s)

    def _forget(self, endpoint: Endpoint) -> None:
        self._sight(endpoint, None)
        self._looks[endpoint].is_doubtful = False

    # --- judging ---

    def _sighting(self, endpoint: Endpoint, info: SystemInfo, at: float) -> Sighting:
        unit_id = self._macs.get(info.mac or "") or self._serials.get((info.serial or "").casefold())
        is_unknown = False
        if unit_id is None:
            expected = self._entries.get(self.routes.unit_at(endpoint) or "")
            if expected is None:
                is_unknown = bool(info.mac or info.serial)
            elif (expected.mac and info.mac) or (expected.serial and info.serial):
                if self._has_boards_of(expected.unit_id, endpoint):
                    unit_id = expected.unit_id
                else:
                    is_unknown = True
        return Sighting(endpoint=endpoint, info=info, unit_id=unit_id, is_unknown=is_unknown, at=at)

    def _has_boards_of(self, unit_id: str, endpoint: Endpoint) -> bool:
        """Say whether half of the boards at an address are those of a unit when it was last verified.

        Then it is that unit with another control board, whose MAC address it has: its boards do not move by themselves.
        """
        boards = _told(self._looks[endpoint].boards)
        return bool(boards) and 2 * len(boards & self._boards_of.get(unit_id, frozenset())) >= len(boards)

    def _difference(self, sighting: Sighting) -> Iterator[Difference]:
        """Tell once of a unit whose page says something else than its ledger row."""
        if sighting.unit_id is None:
            return
        entry, info = self._entries[sighting.unit_id], sighting.info
        is_other_mac = entry.mac and info.mac and entry.mac != info.mac
        is_other_serial = entry.serial and info.serial and entry.serial.casefold() != info.serial.casefold()
        if (is_other_mac or is_other_serial) and (entry.unit_id, info) not in self._told:
            self._told.add((entry.unit_id, info))
            yield Difference(entry=entry, sighting=sighting)

    def _place(self, unit_id: str) -> Endpoint | None:
        """Give where a unit was seen: where nothing contradicts, else at home, else where it was seen last."""
        home = self.routes.home(unit_id)

        def rank(endpoint: Endpoint) -> tuple[bool, bool, float]:
            look = self._looks[endpoint]
            return not look.is_doubtful, endpoint == home, look.sighting.at if look.sighting else 0.0

        return max(self._seen_at[unit_id], key=rank, default=None) if unit_id in self._seen_at else None

    def _judge(self, unit_id: str) -> Whereabouts:
        home = self.routes.home(unit_id)
        place = self._place(unit_id)
        occupant = self._looks[home].sighting if home in self._looks else None
        if place is not None:
            standing = Standing.VERIFIED if place == home else Standing.MOVED
        elif occupant is not None and (occupant.is_unknown or occupant.unit_id not in {None, unit_id}):
            standing = Standing.DISPLACED
        else:
            standing = Standing.UNVERIFIED
        seen = self._looks[place].sighting if place is not None else None
        return Whereabouts(unit_id=unit_id, standing=standing, home=home, place=place, seen=seen, occupant=occupant)

    def _settle(self, unit_ids: Iterable[str], clock_s: float) -> list[Finding]:
        """Judge units anew, and who owns what is read where they were, are, and are expected."""
        changes: list[Finding] = []
        polled: set[str] = set()
        for unit_id in dict.fromkeys(unit_ids):
            if unit_id not in self._entries:
                continue
            before, now = self._whereabouts[unit_id], self._judge(unit_id)
            self._note(unit_id, now)
            polled.update(self.routes.send(unit_id, now.place))
            places = (before.place, now.place, before.home, now.home)
            polled.update(self.routes.unit_at(place) or unit_id for place in places if place is not None)
            if now.standing is Standing.VERIFIED and self._looks[now.home].boards_then:
                self._boards_of[unit_id] = self._looks[now.home].boards_then
            if now.standing is Standing.DISPLACED:
                self._displaced.add(unit_id)
                self._search(now, clock_s)
            else:
                self._displaced.discard(unit_id)
            if now.standing is not before.standing or (now.standing is Standing.MOVED and now.place != before.place):
                changes.append(Move(before=before, now=now))
                self.moves += now.standing is Standing.MOVED
        for unit_id in polled:
            owner = self._owner(unit_id)
            if owner == unit_id:
                self._owners.pop(unit_id, None)
            else:
                self._owners[unit_id] = owner
        return changes

    def _search(self, where: Whereabouts, clock_s: float) -> None:
        """Look for a displaced unit first at the home of whoever is at its own."""
        occupant = where.occupant
        if occupant is not None and occupant.unit_id is not None:
            self._want(self.routes.home(occupant.unit_id), Urgency.EXCHANGED, clock_s)

    def _owner(self, expected: str) -> str | None:
        """Give whose it is what is read where `expected` is polled."""
        endpoint = self.routes.endpoint(expected) or self.routes.home(expected)
        sighting = self._looks[endpoint].sighting if endpoint in self._looks else None
        # The page tells who answers; only where it tells nothing does the ledger.
        if sighting is not None and sighting.unit_id is not None:
            return sighting.unit_id if self._whereabouts[sighting.unit_id].place == endpoint else None
        if sighting is not None and sighting.is_unknown:
            return None
        return expected if self._whereabouts[expected].place in {None, endpoint} else None

    # --- telling ---

    def whereabouts(self, unit_id: str) -> Whereabouts | None:
        """Give where a unit is; None for one that is not deployed now."""
        return self._whereabouts.get(unit_id)

    def astray(self) -> list[Whereabouts]:
        """Give where the units are that are not where the ledger says, by id."""
        return [self._whereabouts[unit_id] for unit_id in sorted(self._astray)]

    def counts(self) -> Mapping[Standing, int]:
        """Give how many units have each standing."""
        return {standing: self._counts[standing] for standing in Standing}

    def unknown_units(self) -> list[Sighting]:
        """Give who answers at a known address and is not deployed by the ledger."""
        return list(self._unknown.values())


def _identities(
    macs: dict[str, str], serials: dict[str, str], entry: LedgerEntry
) -> Iterator[tuple[dict[str, str], str]]:
    """Give what an entry is known by, each with where it stands."""
    if entry.mac:
        yield macs, entry.mac
    if entry.serial:
        yield serials, entry.serial.casefold()


def _told(boards: tuple[str | None, ...]) -> frozenset[str]:
    return frozenset([serial for serial in boards if serial])
