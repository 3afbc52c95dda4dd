"""JSON answers about where units' work goes. A caller who is no operator gets the host and the account's head alone."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime

import msgspec

from agent.exporters.web.times import time_of
from agent.site.pools.work import POOL_CLASSES, PoolClass, UnitWork
from agent.site.status import UnitStatus

MAX_DESTINATIONS = 1000
"""Most rows of the answer about pools, largest first; the rest is counted."""


class WorkAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Where one unit's work goes.

    Attributes:
        pool_class: What that destination is to the site.
        entry: Name of the entry of ``[pools]`` that it matches; null for none.
        host: Its host; null while it is not known, or if no work goes anywhere.
        destination: Its scheme, host and port; null likewise, and for callers who may not see it.
        account: The account there without the worker; for callers who may not see it, its first characters.
        is_redacted: True if destination and account are not whole.
        since: Since when, as far as the agent saw.
        known_at: When the unit last told its pools.
    """

    pool_class: PoolClass
    entry: str | None
    host: str | None
    destination: str | None
    account: str | None
    is_redacted: bool
    since: datetime
    known_at: datetime | None


class DestinationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The units whose work goes to one account at one destination, or of one class without one.

    Attributes:
        pool_class, entry, host, destination, account: As of a unit's `work`.
        units: Number of units.
        hashrate_hs: Their measured hashrate.
        delivered_1h_hs: Hashrate that pools credited to them over the last hour; null while that is known for none.
        first_since: Since when the first of them works there, as far as the agent saw.
    """

    pool_class: PoolClass
    entry: str | None
    host: str | None
    destination: str | None
    account: str | None
    units: int
    hashrate_hs: float
    delivered_1h_hs: float | None
    first_since: datetime


class PoolsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Where the work of the site's units goes.

    Attributes:
        is_judged: True if ``[pools]`` names the site's destinations; without it no unit is judged, and there are none.
        is_redacted: True if destinations and accounts are not whole.
        units_by_class, hashrate_hs_by_class: Sums over units by what their destination is.
        destinations: Diverted ones first, then by hashrate, largest first.
        left_out: Further destinations, beyond the first thousand.
    """

    site: str
    now: datetime
    is_judged: bool
    is_redacted: bool
    units_by_class: dict[PoolClass, int]
    hashrate_hs_by_class: dict[PoolClass, float]
    destinations: list[DestinationAnswer]
    left_out: int


def work_answer(work: UnitWork | None, *, is_whole: bool) -> WorkAnswer | None:
    """Return the answer about one unit's work; None where no unit is judged.

    Args:
        work: Where it goes.
        is_whole: True for a caller who may see all of it.
    """
    if work is None:
        return None
    place = work.destination
    return WorkAnswer(
        pool_class=work.pool_class,
        entry=work.entry,
        host=None if place is None else place.host,
        destination=None if place is None or not is_whole else str(place),
        account=work.account if is_whole else work.account_head,
        is_redacted=not is_whole,
        since=time_of(work.since),
        known_at=None if work.known_at is None else time_of(work.known_at),
    )


_Key = tuple[PoolClass, str | None, str | None, str | None, str | None]
_SHOWN = (PoolClass.DIVERTED, PoolClass.LISTED, PoolClass.TOLERATED, PoolClass.IDLE, PoolClass.UNKNOWN)
_RANKS = {pool_class: rank for rank, pool_class in enumerate(_SHOWN)}


class _Sum:
    """Running sums of one destination."""

    __slots__ = ("delivered_hs", "hashrate_hs", "since", "units")

    def __init__(self) -> None:
        self.units, self.hashrate_hs, self.since = 0, 0.0, float("inf")
        self.delivered_hs: float | None = None

    def add(self, status: UnitStatus, work: UnitWork, delivered_hs: float | None) -> None:
        """Add one unit."""
        self.units += 1
        self.hashrate_hs += status.hashrate_hs or 0.0
        self.since = min(self.since, work.since)
        if delivered_hs is not None:
            self.delivered_hs = (self.delivered_hs or 0.0) + delivered_hs


def pools_answer(
    site: str,
    statuses: Iterable[UnitStatus],
    now: float,
    *,
    is_whole: bool,
    delivered_1h_hs: Callable[[str], float | None] = lambda _: None,
) -> PoolsAnswer:
    """Return the answer about all destinations.

    Args:
        site: Name of the site.
        statuses: Statuses of the units in the figures.
        now: Unix time, s.
        is_whole: True for a caller who may see destinations and accounts in full; else accounts with the same host
            and head are one row.
        delivered_1h_hs: Returns the hashrate that pools credited to a unit over the last hour, H/s.
    """
    by_class, sums = {each: _Sum() for each in POOL_CLASSES}, defaultdict[_Key, _Sum](_Sum)
    is_judged = False
    for status in statuses:
        work = status.work
        if work is None:
            continue
        is_judged = True
        delivered_hs = delivered_1h_hs(status.entry.unit_id)
        by_class[work.pool_class].add(status, work, delivered_hs)
        sums[_key(work, is_whole=is_whole)].add(status, work, delivered_hs)
    ordered = sorted(sums.items(), key=lambda item: (_RANKS[item[0][0]], -item[1].hashrate_hs, -item[1].units))
    return PoolsAnswer(
        site=site,
        now=time_of(now),
        is_judged=is_judged,
        is_redacted=not is_whole,
        units_by_class={each: total.units for each, total in by_class.items()},
        hashrate_hs_by_class={each: total.hashrate_hs for each, total in by_class.items()},
        destinations=[_destination(key, total) for key, total in ordered[:MAX_DESTINATIONS]],
        left_out=max(0, len(ordered) - MAX_DESTINATIONS),
    )


def _key(work: UnitWork, *, is_whole: bool) -> _Key:
    place = work.destination
    if work.pool_class in {PoolClass.IDLE, PoolClass.UNKNOWN}:
        # Where the work went before says nothing of now.
        return work.pool_class, work.entry, None, None, None
    return (
        work.pool_class,
        work.entry,
        None if place is None else place.host,
        str(place) if is_whole and place is not None else None,
        work.account if is_whole else work.account_head,
    )


def _destination(key: _Key, total: _Sum) -> DestinationAnswer:
    pool_class, entry, host, destination, account = key
    return DestinationAnswer(
        pool_class=pool_class,
        entry=entry,
        host=host,
        destination=destination,
        account=account,
        units=total.units,
        hashrate_hs=total.hashrate_hs,
        delivered_1h_hs=total.delivered_hs,
        first_since=time_of(total.since),
    )
