"""The judgement of one unit: which of its pools its work goes to, and what that destination is. Pure.

The firmware's own word comes first (`Stratum Active`). Where it calls several pools active, or none of them either way,
those whose counters grew since the last look count. Before a second look, the first living pool in the unit's order
does. A pool of the firmware's own counts only if none of the owner's gets the work.

    the firmware calls pools active ........ these; of several, those that grew
    it calls none active ................... idle
    it does not say which is active ........ those that grew; else the first that is alive; idle if none is
    only the firmware's own pool works ..... a fee, tolerated for `fee_window_s`
    a pool that is not listed grew ......... diverted, whatever is active now

Of several destinations at once, such as groups of pools with a share each, one that is not listed makes the unit
diverted. So does one that got work between two looks, and is called idle at both. A request that failed says nothing;
what is older than `stale_after_s` is unknown.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from agent.site.pools.allow import AllowList
from agent.site.pools.destinations import Destination, account_of, destination_of, is_hidden
from agent.site.pools.work import PoolClass
from agent.unit.reading import PoolReading

ALIVE: Final = "Alive"

Pools = Sequence[PoolReading]


class Found(NamedTuple):
    """Result of one look at a unit's pools.

    Attributes:
        pool_class, entry, destination, account: As of `UnitWork`.
    """

    pool_class: PoolClass
    entry: str | None = None
    destination: Destination | None = None
    account: str | None = None


NOTHING: Final = Found(PoolClass.UNKNOWN)
_NONE_GREW: Final[frozenset[int]] = frozenset()
_IDLE: Final = Found(PoolClass.IDLE)
_FIRMWARE_FEE: Final = Found(PoolClass.TOLERATED)


def look_at(pools: Pools, before: Pools, allow: AllowList, owner: str) -> Found:
    """Return what a unit's pools say of where its work goes.

    Args:
        pools: As the unit told them.
        before: As it told them at the look before, in the same run of its program; empty without one.
        allow: The site's allow-list.
        owner: The unit's owner; empty without one.
    """
    grown = _grown(pools, before) if before else _NONE_GREW
    # An empty slot has no address; a pool that is in use without one hides it.
    pools = [pool for pool in pools if pool.is_fee or pool.url or pool.is_active or id(pool) in grown]
    if not any(pool.is_fee or pool.url for pool in pools):
        return NOTHING
    owners = _working([pool for pool in pools if not pool.is_fee], grown)
    found = [_judged(pool, allow, owner) for pool in owners]
    if grown:
        found += [
            _judged(pool, allow, owner) for pool in pools if id(pool) in grown and _is_strange(pool, allow, owner)
        ]
    for pool_class in (PoolClass.DIVERTED, PoolClass.UNKNOWN):
        worst = next((each for each in found if each.pool_class is pool_class), None)
        if worst is not None:
            return worst
    fees = [pool for pool in pools if pool.is_fee and pool.is_active is not False]
    is_fee_turn = any(id(pool) in grown for pool in fees) and not any(id(pool) in grown for pool in owners)
    working = [_fee(pool, allow, owner) for pool in fees if pool.is_active or id(pool) in grown]
    if working and (is_fee_turn or not owners):
        # One that hides its address is no cover for one beside it.
        return next((each for each in working if each.pool_class is PoolClass.DIVERTED), working[0])
    if found:
        return found[0]
    # Without a word of any pool's state, no work is no more likely than work.
    return _IDLE if any(pool.status is not None or pool.is_active is not None for pool in pools) else NOTHING


def in_use(pools: Pools) -> Pools:
    """Return those of a unit's pools to which work goes at a first look, the firmware's own included."""
    owners = [pool for pool in pools if pool.url and not pool.is_fee]
    return (*_working(owners, frozenset()), *(pool for pool in pools if pool.is_fee and pool.is_active))


def _working(pools: Pools, grown: frozenset[int]) -> Pools:
    """Return those of the owner's pools to which work goes."""
    active = [pool for pool in pools if pool.is_active]
    if not active:
        if any(pool.is_active is False for pool in pools):
            return ()
        growing = [pool for pool in pools if id(pool) in grown]
        return growing or _first(pool for pool in pools if pool.status == ALIVE)
    if len(active) == 1:
        return active
    return [pool for pool in active if id(pool) in grown] or _first(active)


def _first(pools: Iterable[PoolReading]) -> Pools:
    first = min(pools, key=lambda pool: pool.index, default=None)
    return () if first is None else (first,)


def _grown(pools: Pools, before: Pools) -> frozenset[int]:
    """Return the identities of the pools that accepted shares since the look before; two may claim one place."""
    earlier = {(pool.index, pool.url, pool.user): pool.accepted for pool in before}
    grown = []
    for pool in pools:
        old, new = earlier.get((pool.index, pool.url, pool.user)), pool.accepted
        if old is not None and new is not None and new > old:
            grown.append(id(pool))
    return frozenset(grown)


def _judged(pool: PoolReading, allow: AllowList, owner: str) -> Found:
    """Return what one of the owner's pools is."""
    url, user = pool.url or "", pool.user
    if not url or is_hidden(url):
        # Hidden: it says nothing, neither good nor bad.
        return NOTHING
    if user is not None and is_hidden(user):
        user = None
    destination = destination_of(url)
    if destination is None:
        return Found(PoolClass.DIVERTED, account=None if user is None else account_of(user))
    match = allow.match(destination, user or "", owner)
    account = None if user is None else account_of(user)
    if user is None and match.pool_class is PoolClass.DIVERTED and allow.knows(destination, owner):
        return Found(PoolClass.UNKNOWN, None, destination)
    return Found(match.pool_class, match.entry, destination, account)


def _is_strange(pool: PoolReading, allow: AllowList, owner: str) -> bool:
    """Return True if a pool is not listed; a mark of the firmware without an address is no stranger's."""
    if pool.is_fee and destination_of(pool.url or "") is None:
        return False
    return _judged(pool, allow, owner).pool_class is PoolClass.DIVERTED


def _fee(pool: PoolReading, allow: AllowList, owner: str) -> Found:
    """Return what a pool is that its firmware marks as its own: tolerated while it hides where that is.

    A mark alone is no proof: a user name can imitate it. So a pool that shows an address is held against the list.
    """
    url, user = pool.url or "", pool.user or ""
    destination = destination_of(url)
    if destination is None:
        return _FIRMWARE_FEE if allow.tolerates_firmware_fees else Found(PoolClass.DIVERTED)
    match = allow.match(destination, user, owner)
    return Found(match.pool_class, match.entry, destination, account_of(user))
