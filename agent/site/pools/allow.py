"""The site's allow-list: which destinations are its own, and which fees of firmware are tolerated."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from agent.config.pool_patterns import UrlPattern, is_match
from agent.site.pools.destinations import Destination, account_of, worker_of
from agent.site.pools.work import PoolClass


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowEntry:
    """Destinations under one name.

    Attributes:
        name: Its name; a label value.
        urls: Patterns of addresses.
        accounts: Patterns of accounts.
        workers: Patterns of workers.
        owner: The owner whose units alone may work there; None for every unit.
        is_fee: It is the fee of a firmware.
    """

    name: str
    urls: tuple[UrlPattern, ...]
    accounts: tuple[str, ...]
    workers: tuple[str, ...] = ("*",)
    owner: str | None = None
    is_fee: bool = False

    def fits(self, destination: Destination, user: str, owner: str) -> bool:
        """Return True if work of a unit of `owner` may go to `user` at that destination."""
        return (
            self.is_at(destination, owner)
            and any(is_match(pattern, account_of(user)) for pattern in self.accounts)
            and any(is_match(pattern, worker_of(user)) for pattern in self.workers)
        )

    def is_at(self, destination: Destination, owner: str) -> bool:
        """Return True if some account of a unit of `owner` may work at that destination."""
        return (self.owner is None or self.owner == owner) and any(_fits(pattern, destination) for pattern in self.urls)


class Match(NamedTuple):
    """Class of a destination, and the name of the entry that it matches; None without one."""

    pool_class: PoolClass
    entry: str | None


_NOT_LISTED = Match(PoolClass.DIVERTED, None)
_REMEMBERED = 65_536
_LONGEST_REMEMBERED = 128


class AllowList:
    """The destinations that are the site's, and the fees that are tolerated.

    Args:
        entries: The entries, in the order of the configuration; the first that fits counts, fees last.
        tolerates_firmware_fees: True to tolerate a pool that its firmware marks as its own and whose address it hides.
        fee_window_s: How long a tolerated fee may take at a stretch, s.
        stale_after_s: Age at which what a unit told of its pools says nothing any more, s.
    """

    def __init__(
        self,
        entries: Iterable[AllowEntry],
        *,
        tolerates_firmware_fees: bool = True,
        fee_window_s: float = 900.0,
        stale_after_s: float = 360.0,
    ) -> None:
        self.entries = tuple(sorted(entries, key=lambda entry: entry.is_fee))
        self.tolerates_firmware_fees = tolerates_firmware_fees
        self.fee_window_s = fee_window_s
        self.stale_after_s = stale_after_s
        # A fleet works for a few accounts, with a worker of each unit's own.
        self._remembered: dict[tuple[Destination, str, str], Match] = {}

    def match(self, destination: Destination, user: str, owner: str) -> Match:
        """Return what `user` at that destination is for a unit of `owner`; an empty owner is no owner."""
        key = (destination, user, owner)
        match = self._remembered.get(key)
        if match is None:
            match = self._match(destination, user, owner)
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            if len(user) <= _LONGEST_REMEMBERED:
                self._remembered[key] = match
        return match

    def knows(self, destination: Destination, owner: str) -> bool:
        """Return True if some account of a unit of `owner` may work at that destination."""
        return any(entry.is_at(destination, owner) for entry in self.entries)

    def _match(self, destination: Destination, user: str, owner: str) -> Match:
        for entry in self.entries:
            if entry.fits(destination, user, owner):
                return Match(PoolClass.TOLERATED if entry.is_fee else PoolClass.LISTED, entry.name)
        return _NOT_LISTED


def _fits(pattern: UrlPattern, destination: Destination) -> bool:
    return (
        (pattern.scheme is None or pattern.scheme == destination.scheme)
        and (pattern.port is None or pattern.port == destination.port)
        and is_match(pattern.host, destination.host)
    )
