"""The agent's memory of each address, and the names by which it identifies units."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

from agent.address import Endpoint
from agent.site.identity.whereabouts import Sighting
from agent.site.ledger.entries import LedgerEntry
from agent.unit.reading import IdentitySource, SystemInfo

_NOWHERE: frozenset[Endpoint] = frozenset()


class Look:
    """The memory of one address.

    Attributes:
        is_answering: True from a reading until the address is unreachable.
        is_failing: True if the latest poll there was answered without a reading.
        is_suspect: True after a sign that another unit may answer there than the page last said.
        uptime_s: Uptime in the latest reading that had one.
        uptime_at: When that was, on the monotonic clock, s.
        boards: Board serials in the latest reading that had any.
        are_boards_current: True if the latest reading had the serials in `boards`.
        boards_then: Board serials when the page last said who answers, or when it first did not.
        sighting: Who was seen there last.
        is_doubtful: True if the sighting may be out of date and will be checked soon.
        asked_at: When the page was last asked for, on the monotonic clock, s.
        failures: Failed requests for the page in a row.
    """

    __slots__ = (
        "are_boards_current",
        "asked_at",
        "boards",
        "boards_then",
        "failures",
        "is_answering",
        "is_doubtful",
        "is_failing",
        "is_suspect",
        "sighting",
        "uptime_at",
        "uptime_s",
    )

    def __init__(self) -> None:
        self.is_answering = False
        self.is_failing = False
        self.is_suspect = False
        self.uptime_s: float | None = None
        self.uptime_at = float("-inf")
        self.boards: tuple[str | None, ...] = ()
        self.are_boards_current = True
        self.boards_then: frozenset[str] = frozenset()
        self.sighting: Sighting | None = None
        self.is_doubtful = False
        self.asked_at = float("-inf")
        self.failures = 0

    def answers_as(self, unit_id: str) -> bool:
        """Return True if the unit that is expected here answers, and nothing since its page was read speaks against it.

        If the page was never read, nothing speaks against it until a sign of an exchange.
        """
        if not self.is_answering or self.is_failing:
            return False
        seen = self.sighting
        if seen is not None and (seen.is_unknown or seen.unit_id not in {None, unit_id}):
            return False
        now = named_boards(self.boards) if self.are_boards_current else None
        if now and self.boards_then:
            return 2 * len(now & self.boards_then) >= len(now)
        return not self.is_suspect


class AddressMemory:
    """The latest sighting at every address, by the names in the ledger in force."""

    def __init__(self) -> None:
        self._looks: dict[Endpoint, Look] = {}
        self._macs: dict[str, str] = {}
        self._serials: dict[str, str] = {}
        self._seen_at: defaultdict[str, set[Endpoint]] = defaultdict(set)
        self._unknown: dict[Endpoint, Sighting] = {}
        self._boards_of: dict[str, frozenset[str]] = {}

    def __contains__(self, endpoint: object) -> bool:
        return endpoint in self._looks

    def look(self, endpoint: Endpoint) -> Look:
        """Return what is remembered of an address; a new address begins empty."""
        look = self._looks.get(endpoint)
        if look is None:
            look = self._looks[endpoint] = Look()
        return look

    def at(self, endpoint: Endpoint) -> Sighting | None:
        """Return the latest sighting at an address; None if there is none."""
        look = self._looks.get(endpoint)
        return None if look is None else look.sighting

    def answers_as(self, unit_id: str, endpoint: Endpoint) -> bool:
        """Return True if an address still answers as the unit that is expected there."""
        look = self._looks.get(endpoint)
        return look is not None and look.answers_as(unit_id)

    def places(self, unit_id: str) -> Collection[Endpoint]:
        """Return the addresses at which a unit was last seen by its identity."""
        return self._seen_at.get(unit_id, _NOWHERE)

    def unknown(self) -> list[Sighting]:
        """Return the sightings of units that are certainly not in the ledger."""
        return list(self._unknown.values())

    def rename(self, former: Iterable[LedgerEntry], changed: Iterable[LedgerEntry]) -> set[str]:
        """Take over MAC addresses and serial numbers of a changed ledger.

        Returns:
            The MAC addresses and casefolded serial numbers that were or are now some unit's.
        """
        names: set[str] = set()
        for entry in former:
            for owners, name in self._names_of(entry):
                names.add(name)
                if owners.get(name) == entry.unit_id:
                    del owners[name]
        for entry in changed:
            for owners, name in self._names_of(entry):
                names.add(name)
                owners[name] = entry.unit_id
        return names

    def _names_of(self, entry: LedgerEntry) -> Iterator[tuple[dict[str, str], str]]:
        if entry.mac:
            yield self._macs, entry.mac
        if entry.serial:
            yield self._serials, entry.serial.casefold()

    def named(self, names: Collection[str]) -> set[Endpoint]:
        """Return the addresses whose sighting carries one of these MAC addresses or casefolded serial numbers."""
        if not names:
            return set()
        return {
            endpoint
            for endpoint, look in self._looks.items()
            if look.sighting is not None
            and (look.sighting.info.mac in names or (look.sighting.info.serial or "").casefold() in names)
        }

    def identify(self, endpoint: Endpoint, info: SystemInfo, *, expected: LedgerEntry | None, at: float) -> Sighting:
        """Return which unit a page describes.

        Args:
            endpoint: Address and port of the unit's API.
            info: What the page says.
            expected: The entry of the unit polled there; None if no unit is.
            at: Unix time of the page, s.
        """
        unit_id = self._macs.get(info.mac or "") or self._serials.get((info.serial or "").casefold())
        is_unknown = False
        if unit_id is None:
            if expected is None:
                is_unknown = bool(info.mac or info.serial)
            elif (expected.mac and info.mac) or (expected.serial and info.serial and _may_refute(info)):
                if self._has_boards_of(expected.unit_id, endpoint):
                    unit_id = expected.unit_id
                else:
                    is_unknown = True
        return Sighting(endpoint=endpoint, info=info, unit_id=unit_id, is_unknown=is_unknown, at=at)

    def _has_boards_of(self, unit_id: str, endpoint: Endpoint) -> bool:
        """Return True if at least half of the boards at an address are those of the unit when it was last verified.

        Then the unit has another control board, with another MAC address: boards do not move by themselves.
        """
        boards = named_boards(self.look(endpoint).boards)
        return bool(boards) and 2 * len(boards & self._boards_of.get(unit_id, frozenset())) >= len(boards)

    def put(self, endpoint: Endpoint, sighting: Sighting | None) -> None:
        """Record the unit seen at an address; None forgets it."""
        look = self.look(endpoint)
        if look.sighting is not None and look.sighting.unit_id is not None:
            self._seen_at[look.sighting.unit_id].discard(endpoint)
        self._unknown.pop(endpoint, None)
        look.sighting = sighting
        if sighting is not None and sighting.unit_id is not None:
            self._seen_at[sighting.unit_id].add(endpoint)
        if sighting is not None and sighting.is_unknown:
            self._unknown[endpoint] = sighting

    def forget(self, endpoint: Endpoint) -> None:
        """Forget the unit seen at an address, and any doubt about it."""
        self.put(endpoint, None)
        self.look(endpoint).is_doubtful = False

    def drop(self, endpoint: Endpoint) -> None:
        """Forget an address that left the ledger."""
        if endpoint in self._looks:
            self.forget(endpoint)
            del self._looks[endpoint]

    def remember_boards(self, unit_id: str, home: Endpoint) -> None:
        """Remember the boards of a unit that was verified at its home."""
        boards = self.look(home).boards_then
        if boards:
            self._boards_of[unit_id] = boards


def _may_refute(info: SystemInfo) -> bool:
    """Return True if another serial number than the ledger's means another unit.

    Assumed (A200): a report's may be that of a part, or be made up; it can confirm, and its MAC address refutes.
    """
    return info.source is IdentitySource.PAGE


def named_boards(boards: tuple[str | None, ...]) -> frozenset[str]:
    """Return the serials of the boards that have one."""
    return frozenset([serial for serial in boards if serial])
