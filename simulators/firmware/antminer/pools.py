"""The pool table of a unit: two configured pools, an empty slot, and which pool is in use."""

import math
from typing import NamedTuple

from simulators.unit import chance
from simulators.unit.settings import POOL_SLOTS, PoolSetting
from simulators.unit.snapshot import Phase
from simulators.unit.unit import Unit

POOL_HOSTS = ("stratum.pool.example", "backup.pool.example")
ACCOUNT = "site"
_KEY_BEST = 64


class Pool(NamedTuple):
    """One entry of the pool table.

    Attributes:
        position: From 0; also its priority.
        url: As configured; empty in an unused slot.
        host: The host in it.
        user: Pool user and worker.
        status: ``Alive``, ``Dead``, or ``Deed`` for an unused slot (the firmware's spelling).
        is_active: Work comes from this pool.
        accepted: Accepted shares since the miner process started.
        rejected: Rejected shares since then.
        stale: Stale shares since then.
        difficulty: Difficulty of each share; 0 if none was found.
        shown_difficulty: Difficulty as printed: ``262K``.
        best_share: Highest difficulty found.
        age_s: Seconds since the last share.
    """

    position: int
    url: str = ""
    host: str = ""
    user: str = ""
    status: str = "Deed"  # Observed (O36): s21-stock-aml-202407, tcp4028-pools.
    is_active: bool = False
    accepted: int = 0
    rejected: int = 0
    stale: int = 0
    difficulty: int = 0
    shown_difficulty: str = ""
    best_share: int = 0
    age_s: int = 0


def configured_pools(unit: Unit) -> tuple[PoolSetting, ...]:
    """Return the three pool slots as an operator configured them, or else as the farm was built.

    A hijacker's pool stands in the first one.
    """
    slots = unit.settings.pools
    if slots is None:
        user = f"{ACCOUNT}.{unit.identity.unit_id}"
        built = [PoolSetting(f"stratum+tcp://{host}:3333", user, "x") for host in POOL_HOSTS]
        slots = (*built, *[PoolSetting()] * (POOL_SLOTS - len(built)))
    hijack = unit.conditions.hijack
    return slots if hijack is None else (PoolSetting(hijack.url, hijack.user, "x"), *slots[1:])


def pools_of(unit: Unit, t: float, *, is_asleep: bool) -> tuple[Pool, ...]:
    """Return the pool table of `unit` at `t`; a sleeping unit has no active pool and no counts."""
    shares = unit.shares(t)
    dead = unit.conditions.dead_pools
    table = []
    is_enumerating = unit.phase is Phase.ENUMERATING
    for position, configured in enumerate(configured_pools(unit)):
        if not configured.url:
            table.append(Pool(position=position))
            continue
        is_active = position == dead and not is_asleep and not is_enumerating
        pool = Pool(
            position=position,
            url=configured.url,
            host=configured.url.rpartition("//")[2].partition(":")[0],
            user=configured.user,
            status="Dead" if position < dead else "Alive",
            is_active=is_active,
        )
        # Assumed (A19): work goes to the first two slots only; a third pool is a spare that is never used.
        is_counted = not is_asleep and position < len(shares.by_pool)
        is_strangers = position == 0 and unit.conditions.hijack is not None
        credit = shares.by_stranger if is_strangers else shares.by_pool[position] if is_counted else (0, 0, 0)
        accepted, rejected, stale = credit if is_counted else (0, 0, 0)
        if accepted or rejected or stale:
            pool = pool._replace(
                accepted=accepted,
                rejected=rejected,
                stale=stale,
                difficulty=shares.difficulty,
                shown_difficulty=_short(shares.difficulty),
                best_share=best_share(unit.identity.key, shares.work) if is_active else 0,
                age_s=shares.age_s,
            )
        table.append(pool)
    return tuple(table)


def best_share(key: int, work: float) -> int:
    """Return the best share after `work` shares of difficulty 1: of the order of the work, rising in steps."""
    if work < 1.0:
        return 0
    doublings = int(math.log2(work))
    return int(2.0**doublings * (0.5 + 2.5 * chance.uniform(key + _KEY_BEST, doublings // 3)))


def _short(difficulty: int) -> str:
    # Observed (O38): "262K" for 262144 (s21-stock-aml-202407), "65.5K" for 65535, "524K" for 524288.
    thousands = difficulty / 1000.0
    return f"{thousands:.1f}K" if thousands < 100.0 else f"{int(thousands)}K"
