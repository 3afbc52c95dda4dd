"""The work that a pool was sent, and what it credits of it."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from simulators.unit.shares import DIFF1_HASHES
from simulators.unit.snapshot import CONFIGURED_POOLS
from simulators.unit.unit import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Shares of the work that a pool does not credit.

    Attributes:
        stale_ratio: Share of the work that comes too late for it; units' counters say so too, as the fault
            `late_shares` does.
        skim_ratio: Share of the accepted work that it, or a proxy in front of it, keeps for itself; nothing says so.
    """

    stale_ratio: float = 0.0
    skim_ratio: float = 0.0


HONEST = Terms()


class PoolBooks:
    """Credit of one account. Work is taken in as simulated time goes on; `take` it often.

    Args:
        units: The units that work for the account.
        start: Unix time at which the account was opened, s.
        terms: What is kept from crediting.
    """

    def __init__(self, units: Iterable[Unit], *, start: float, terms: Terms = HONEST) -> None:
        self._units = tuple(units)
        self._terms = terms
        self._sent = [unit.accepted_difficulty(start) for unit in self._units]
        self._times = [start]
        self._credited = [0.0]

    def take(self, t: float) -> None:
        """Credit what was sent until Unix time `t`; a unit whose work goes elsewhere at that moment sent nothing."""
        gained = 0.0
        for number, unit in enumerate(self._units):
            before, sent = self._sent[number], unit.accepted_difficulty(t)
            self._sent[number] = sent
            if unit.conditions.credited_pool < CONFIGURED_POOLS:
                gained += sent - before
        kept = (1.0 - self._terms.stale_ratio) * (1.0 - self._terms.skim_ratio)
        self._times.append(t)
        self._credited.append(self._credited[-1] + gained * kept)

    @property
    def now(self) -> float:
        """Unix time until which work was taken in, s."""
        return self._times[-1]

    def rate_hs(self, end: float, window_s: float) -> float:
        """Return the credited hashrate over a window that ends at Unix time `end`, H/s.

        Before the account was opened nothing was sent, and a pool averages over the whole window all the same.
        """
        return (self._until(end) - self._until(end - window_s)) * DIFF1_HASHES / window_s

    def _until(self, t: float) -> float:
        """Return the difficulty credited until `t`; between two times that were taken in it grows evenly."""
        after = bisect_left(self._times, t)
        if after == len(self._times):
            return self._credited[-1]
        if after == 0:
            return 0.0
        before = bisect_right(self._times, t, hi=after) - 1
        first, last = self._times[before], self._times[after]
        share = (t - first) / (last - first) if last > first else 0.0
        return self._credited[before] + share * (self._credited[after] - self._credited[before])
