"""Deployed hashrate by the dated ledger, at every moment of a period. Pure."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Self

from agent.site.ledger.entries import LedgerEntry


class DeployedCourse:
    """The sum of nameplates over time, in steps. Sums are of whole H/s, so they are exact.

    Args:
        entries: The ledger's.
        digest: SHA-256 of the ledger's file.
    """

    def __init__(self, entries: Iterable[LedgerEntry], *, digest: str) -> None:
        self.digest = digest
        changes: dict[float, int] = defaultdict(int)
        level = 0
        for entry in entries:
            nameplate_hs = round(entry.nameplate.hashrate_hs)
            if entry.deployed_from is None:
                level += nameplate_hs
            else:
                changes[entry.deployed_from] += nameplate_hs
            if entry.deployed_to is not None:
                changes[entry.deployed_to] -= nameplate_hs
        self._moments = sorted(changes)
        self._levels = [level]
        for moment in self._moments:
            level += changes[moment]
            self._levels.append(level)

    @classmethod
    def of_steps(cls, steps: Sequence[tuple[float, int]], *, digest: str) -> Self:
        """Return the course of `steps`; before the first of them its level holds as well."""
        course = cls((), digest=digest)
        course._moments = [moment for moment, _ in steps[1:]]
        course._levels = [level for _, level in steps] or [0]
        return course

    def steps(self, start: int, end: int) -> tuple[tuple[float, int], ...]:
        """Return what is deployed at `start`, and each moment within (start, end) from which it is another figure.

        Returns:
            Pairs of a Unix time, s, and H/s from then on.
        """
        place = bisect_right(self._moments, start)
        until = bisect_left(self._moments, end, place)
        later = zip(self._moments[place:until], self._levels[place + 1 :], strict=False)
        return ((float(start), self._levels[place]), *later)

    def hashes(self, start: float, end: float) -> float:
        """Return deployed times time over [start, end), hashes."""
        total, at, place = 0.0, start, bisect_right(self._moments, start)
        while at < end:
            until = min(end, self._moments[place]) if place < len(self._moments) else end
            total += self._levels[place] * (until - at)
            at, place = until, place + 1
        return total

    def first_deployed_at(self, start: int, end: int) -> int | None:
        """Return the first whole Unix time of [start, end) from which something is deployed, s; None without any."""
        place = bisect_right(self._moments, start)
        if self._levels[place]:
            return start
        for moment, level in zip(self._moments[place:], self._levels[place + 1 :], strict=True):
            if moment >= end:
                break
            if level:
                return int(moment)
        return None
