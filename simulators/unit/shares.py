"""Shares found by a unit: a Poisson process in its hashes, credited to the pool in use."""

import math

from simulators.unit import chance
from simulators.unit.snapshot import CONFIGURED_POOLS, STRANGERS_POOL, Shares

DIFF1_HASHES = 2.0**32

_REJECTED_RATIO = 0.0008  # Observed (O22): 9 of 11,196 shares, s21-stock-aml-202407, tcp4028-summary.
_STALE_RATIO = 0.00002
_ACCEPTED_RATIO = 1.0 - _REJECTED_RATIO - _STALE_RATIO

_KEY_ACCEPTED, _KEY_REJECTED, _KEY_STALE, _KEY_AGE = range(4)

Credit = tuple[int, int, int]  # Accepted, rejected, stale.
_NOTHING: Credit = (0, 0, 0)
# The last two are for work that no configured pool is credited with, and for another one's pool.
_NO_CREDITS = (_NOTHING,) * (STRANGERS_POOL + 1)


class ShareCounter:
    """The share counters of one unit since its miner process started.

    Args:
        key: Key of their randomness.
        difficulty: Difficulty of every share.
        hashes_before: Hashes of the process before the farm's books opened.
    """

    __slots__ = ("_before", "_block", "_block_start", "_credits", "_difficulty", "_key", "_offset", "_process_start")

    def __init__(self, key: int, difficulty: int, hashes_before: float) -> None:
        self._key = key
        self._difficulty = difficulty
        self._block = self._block_start = 0
        self._offset = 0
        self._process_start = -hashes_before
        # Shares found before the books opened were never observed; the mean stands for them.
        self._before = round(hashes_before / self._hashes_per_share * _ACCEPTED_RATIO)
        self._credits = _NO_CREDITS

    @property
    def process_start(self) -> float:
        """Hashes in the books when the miner process started; negative if it started before the books opened."""
        return self._process_start

    def start_process(self, hashes: float) -> None:
        """Reset all counters to zero, with the books at `hashes`."""
        self._process_start = hashes
        self._before = 0
        self._offset = self._found(hashes)
        self._credits = _NO_CREDITS

    def switch_pool(self, hashes: float, old: int, new: int) -> None:
        """Freeze the counters of pool `old` and credit pool `new` from now on; `CONFIGURED_POOLS` is none of them."""
        if old != new and old < len(self._credits):
            kept = list(self._credits)
            kept[old] = self._of_pool(self._total(hashes), old)
            self._credits = tuple(kept)

    def count(self, hashes: float, rate_hs: float, pool: int) -> Shares:
        """Return the counters with the books at `hashes`, the unit at `rate_hs` and pool `pool` in use."""
        total = accepted, rejected, stale = self._total(hashes)
        rate = rate_hs / self._hashes_per_share
        age_s = -math.log(1.0 - chance.uniform(self._key + _KEY_AGE, accepted)) / rate if rate > 0.0 else 0.0
        return Shares(
            accepted,
            rejected,
            stale,
            self._difficulty,
            (hashes - self._process_start) / DIFF1_HASHES,
            int(age_s),
            tuple(self._of_pool(total, p) if p == pool else self._credits[p] for p in range(CONFIGURED_POOLS)),
            self._of_pool(total, pool) if pool == STRANGERS_POOL else self._credits[STRANGERS_POOL],
        )

    def accepted_difficulty(self, hashes: float) -> float:
        """Return the difficulty of all shares accepted since the books opened, with the books at `hashes`."""
        return self._found(hashes) * float(self._difficulty)

    @property
    def _hashes_per_share(self) -> float:
        return self._difficulty * DIFF1_HASHES

    def _of_pool(self, total: Credit, pool: int) -> Credit:
        """Return the credit of pool `pool`, now in use: the total less the credits of the others."""
        if self._credits is _NO_CREDITS:
            return total
        others = [credit for p, credit in enumerate(self._credits) if p != pool]
        accepted, rejected, stale = total
        return (
            accepted - sum(credit[0] for credit in others),
            rejected - sum(credit[1] for credit in others),
            stale - sum(credit[2] for credit in others),
        )

    def _total(self, hashes: float) -> Credit:
        expected = (hashes - self._process_start) / self._hashes_per_share
        return (
            self._before + self._found(hashes) - self._offset,
            chance.stratified_count(self._key + _KEY_REJECTED, expected * _REJECTED_RATIO),
            chance.stratified_count(self._key + _KEY_STALE, expected * _STALE_RATIO),
        )

    def _found(self, hashes: float) -> int:
        """Return the number of accepted shares since the books opened."""
        expected = hashes * _ACCEPTED_RATIO / self._hashes_per_share
        key = self._key + _KEY_ACCEPTED
        wanted = int(expected / chance.SHARES_PER_BLOCK)
        while self._block < wanted:
            self._block_start += chance.block_count(key, self._block)
            self._block += 1
        return self._block_start + chance.count_within(
            key, self._block, expected / chance.SHARES_PER_BLOCK - self._block
        )
