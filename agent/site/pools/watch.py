"""One unit's memory of where its work goes, from one look at its pools to the next. Pure: times are arguments."""

from agent.site.pools.allow import AllowList
from agent.site.pools.judgement import NOTHING, look_at
from agent.site.pools.work import PoolClass, UnitWork
from agent.unit.reading import PoolReading

NEVER = float("-inf")

FEE_SHARE = 0.2
"""Share of a unit's time that a tolerated fee may take, beside one window. Firmware takes 2 to 3 %."""


class WorkWatch:
    """One unit's memory.

    Args:
        at: Unix time from which it is watched, s.

    Attributes:
        work: Where its work goes, as last judged.
    """

    __slots__ = (
        *("_allow", "_before", "_found", "_known_at", "_owner", "_pools", "_read_s", "_until_s"),
        *("_fee_at_s", "_fee_spent_s"),
        "work",
    )

    def __init__(self, at: float) -> None:
        self.work = UnitWork(pool_class=PoolClass.UNKNOWN, since=at)
        self._allow: AllowList | None = None
        self._owner = ""
        self._before: tuple[PoolReading, ...] = ()
        self._pools: tuple[PoolReading, ...] = ()
        self._found = NOTHING
        # Until then nothing changes by age alone: most polls end there.
        self._read_s = self._fee_at_s = self._until_s = NEVER
        self._fee_spent_s = 0.0
        self._known_at: float | None = None

    def see(
        self,
        pools: tuple[PoolReading, ...],
        allow: AllowList,
        owner: str,
        *,
        clock_s: float,
        at: float,
        stale_after_s: float,
    ) -> None:
        """Look at the pools of a reading; they are judged anew only if they were read anew, or the list changed.

        Args:
            pools: Of the reading; the same object while they were not asked for again.
            allow: The site's allow-list.
            owner: The unit's owner; empty without one.
            clock_s: The monotonic clock at the end of the poll, s.
            at: Unix time then, s.
            stale_after_s: Age at which they say nothing any more, s.
        """
        is_read = pools is not self._pools
        if not is_read and clock_s <= self._until_s and allow is self._allow and owner == self._owner:
            return
        if is_read or allow is not self._allow or owner != self._owner:
            known_until_s = self._read_s + stale_after_s
            if is_read:
                self._before, self._pools = self._pools, pools
                if pools:
                    self._read_s, self._known_at = clock_s, at
            self._allow, self._owner = allow, owner
            found = look_at(pools, self._before, allow, owner)
            self._count_fee(clock_s, known_until_s, allow)
            self._found = found
        self.age(clock_s=clock_s, at=at, stale_after_s=stale_after_s)

    def _count_fee(self, clock_s: float, known_until_s: float, allow: AllowList) -> None:
        """Count the time since the look before as the fee's or the owner's: short pauses give a fee no new window.

        Time in which nothing was known of the unit proves nothing against a fee that was seen before it.
        """
        passed_s = clock_s - self._fee_at_s
        if self._found.pool_class is PoolClass.TOLERATED:
            known_s = max(0.0, min(clock_s, known_until_s) - self._fee_at_s)
            self._fee_spent_s += known_s
            passed_s -= known_s
        if passed_s:
            # What a fee took beyond its window is no debt of the turns after it.
            spent_s = min(self._fee_spent_s, allow.fee_window_s)
            self._fee_spent_s = max(0.0, spent_s - passed_s * FEE_SHARE / (1 - FEE_SHARE))
        self._fee_at_s = clock_s

    def age(self, *, clock_s: float, at: float, stale_after_s: float) -> None:
        """Judge what is known at a later moment: what is too old is unknown, and a fee that lasts is none.

        Args:
            clock_s: The monotonic clock, s.
            at: Unix time, s.
            stale_after_s: As of `see`.
        """
        found, pool_class, entry = self._found, self._found.pool_class, self._found.entry
        allow, self._until_s = self._allow, self._read_s + stale_after_s
        if clock_s > self._until_s:
            pool_class, entry = PoolClass.UNKNOWN, None
        elif pool_class is PoolClass.TOLERATED and allow is not None:
            fee_until_s = self._fee_at_s + allow.fee_window_s - self._fee_spent_s
            if clock_s > fee_until_s:
                pool_class, entry = PoolClass.DIVERTED, None
            else:
                self._until_s = min(self._until_s, fee_until_s)
        before = self.work
        is_same = (
            before.pool_class is pool_class
            and before.entry == entry
            and before.destination == found.destination
            and before.account == found.account
        )
        if not is_same or before.known_at != self._known_at:
            self.work = UnitWork(
                pool_class=pool_class,
                entry=entry,
                destination=found.destination,
                account=found.account,
                since=before.since if is_same else at,
                known_at=self._known_at,
            )
