"""A unit that works for the firmware's own pool alone: its owner's pools accept nothing. Pure.

A pool that is alive and in use proves nothing; accepted difficulty does. The firmware's pool takes turns of some
minutes, so the owner's counters may stand for a while. They are held against the time in which a share was due.
"""

from typing import Final

from agent.site.reasons import Finding, Reason
from agent.unit.reading import PoolReading, UnitReading

HASHES_PER_DIFFICULTY: Final = 2.0**32

UNPAID_AFTER_S: Final = 1800.0
"""Time for which the owner's counters stand, while the firmware's grow, before it is said.

Observed (O172): the last share of the firmware's pool was seven minutes old, so its turns are minutes apart."""

MISSED_SHARES: Final = 20.0
"""Shares of the owner's usual difficulty that were due in that time. By luck that happens once in 10^8 shares."""


class Unpaid:
    """One unit's memory of what its pools accepted.

    Attributes:
        finding: That the owner's pools get nothing; None while they do, or while it is not known.
    """

    __slots__ = ("_fee", "_owner", "_pools", "_since_s", "_uptime_s", "finding")

    def __init__(self) -> None:
        self.finding: Finding | None = None
        self._pools: tuple[PoolReading, ...] = ()
        self._owner: float | None = None
        self._fee = 0.0
        self._since_s = 0.0
        self._uptime_s: float | None = None

    def see(self, reading: UnitReading, clock_s: float) -> None:
        """Compare the counters of a reading with earlier ones; nothing is done unless it has new ones.

        Args:
            reading: As read.
            clock_s: The monotonic clock at the end of its poll, s.
        """
        before_s, self._uptime_s = self._uptime_s, reading.uptime_s
        is_new_run = before_s is not None and reading.uptime_s is not None and reading.uptime_s < before_s
        if is_new_run or not reading.rate_hs:
            self.finding = self._owner = None
        if reading.pools is self._pools:
            return
        self._pools = reading.pools
        owner, fee = _accepted(reading.pools, is_fee=False), _accepted(reading.pools, is_fee=True)
        if owner is None or fee is None or not reading.rate_hs:
            self.finding = self._owner = None
            return
        if owner != self._owner or fee < self._fee:
            self.finding = None
            self._owner, self._fee, self._since_s = owner, fee, clock_s
            return
        stood_s = clock_s - self._since_s
        if fee > self._fee and stood_s >= max(UNPAID_AFTER_S, MISSED_SHARES * _usual_wait_s(reading)):
            self.finding = Finding(
                Reason.OWNER_UNPAID, f"owner's pools get nothing for {_lasting(stood_s)}, the firmware's own does"
            )


def has_fee_pool(reading: UnitReading) -> bool:
    """Return True if one of the pools is the firmware's own."""
    return any(pool.is_fee for pool in reading.pools)


def _accepted(pools: tuple[PoolReading, ...], *, is_fee: bool) -> float | None:
    """Return the accepted difficulty of the firmware's or the owner's pools; None without one, or if one tells none."""
    counts = [pool.difficulty_accepted for pool in pools if pool.is_fee is is_fee]
    known = [count for count in counts if count is not None]
    return sum(known) if counts and len(known) == len(counts) else None


def _usual_wait_s(reading: UnitReading) -> float:
    """Return the mean time between two shares at the difficulty of those that the owner's pools accepted; 0 of none."""
    owners = [pool for pool in reading.pools if not pool.is_fee]
    accepted = sum(pool.accepted or 0 for pool in owners)
    if not accepted or not reading.rate_hs:
        return 0.0
    difficulty = sum(pool.difficulty_accepted or 0.0 for pool in owners) / accepted
    return difficulty * HASHES_PER_DIFFICULTY / float(reading.rate_hs)


def _lasting(seconds: float) -> str:
    return f"{seconds / 60.0:.0f} min" if seconds < 7200.0 else f"{seconds / 3600.0:.0f} h"
