"""The work that units did while no agent looked, as their own counters prove it. Pure.

A counter read before the gap and one read after it, of one miner process, enclose the gap. Their difference is the
work of the gap and of the watched time beside it; the watched time counts with the rate that the unit reported, as it
does in history. What is left is the gap's.

    the same process before and after    it hashed through; its work counts
    a process that began in the gap      its counter began at zero then, so its work counts from its start on; the old
                                         process' work in the gap is unknown and counts as nothing
    anything else                        unknown: no counter was kept, it is less than before (a reset), it is of other
                                         firmware, the process began after the gap, or the unit does not answer

Work below `LEAST_RATIO` of the nameplate over that time is luck of the shares beside the gap, and counts as nothing.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from agent.site.delivered import HASHES_PER_DIFFICULTY, MOST_OF_NAMEPLATE
from agent.site.kept_counters import SLACK_S, KeptCounter

SHORTEST_GAP_S = 300
"""Shorter gaps are left alone: shares are luck over them."""
LEAST_RATIO = 0.05
METHOD = "accepted difficulty x 2^32 between two counters of one process, less reported rate x time beside the gap"

# Assumed (A227): a unit's clock and this machine's drift apart by less.
_DRIFT_RATIO = 2e-4


class Outcome(StrEnum):
    """What a unit's counters say about a gap."""

    THROUGH = "hashed through"
    RESTARTED = "restarted"
    STILL = "did no work"
    UNKNOWN = "unknown"


class UnitWork(NamedTuple):
    """One unit's work in a gap.

    Attributes:
        outcome: What its counters say.
        hashes: Its work; 0 unless `outcome` is THROUGH or RESTARTED.
        most: Its nameplate over the part of the gap that its counters enclose, hashes.
    """

    outcome: Outcome
    hashes: float = 0.0
    most: float = 0.0


_UNKNOWN = UnitWork(Outcome.UNKNOWN)


def unit_work(
    before: KeptCounter | None, now: KeptCounter | None, *, nameplate_hs: float, start: float, end: float
) -> UnitWork:
    """Return one unit's work in a gap.

    Args:
        before: Its counter as last kept before the gap; None if none was kept.
        now: Its counter after the gap; None if none was read.
        nameplate_hs: Its nameplate, H/s.
        start: When the gap began, Unix time, s.
        end: When it ended, Unix time, s.
    """
    if now is None or now.started_at >= end:
        return _UNKNOWN
    if before is not None and _is_same_process(before, now):
        begin, difficulty, rate_before_hs = before.at, now.difficulty - before.difficulty, before.rate_hs
    elif now.started_at > (start if before is None else before.at):
        # A process of its own: it counted from zero.
        begin, difficulty, rate_before_hs = now.started_at, now.difficulty, now.rate_hs
    else:
        return _UNKNOWN
    enclosed_s = min(now.at, end) - max(begin, start)
    if difficulty < 0 or enclosed_s <= 0:
        return _UNKNOWN
    hashes = difficulty * HASHES_PER_DIFFICULTY
    if hashes > MOST_OF_NAMEPLATE * nameplate_hs * (now.at - begin):
        return _UNKNOWN
    hashes -= max(0.0, start - begin) * (nameplate_hs if rate_before_hs is None else rate_before_hs)
    hashes -= max(0.0, now.at - end) * (nameplate_hs if now.rate_hs is None else now.rate_hs)
    most = nameplate_hs * enclosed_s
    is_work = hashes >= LEAST_RATIO * most
    if now.started_at > start:
        return UnitWork(Outcome.RESTARTED, hashes if is_work else 0.0, most)
    return UnitWork(Outcome.THROUGH, hashes, most) if is_work else UnitWork(Outcome.STILL, 0.0, most)


def _is_same_process(before: KeptCounter, now: KeptCounter) -> bool:
    slack_s = SLACK_S + _DRIFT_RATIO * max(0.0, now.at - before.at)
    return abs(before.started_at - now.started_at) <= slack_s


class Recovered(NamedTuple):
    """All units' work in a gap.

    Attributes:
        units: Those that hashed through.
        restarted_units: Those whose process began in the gap.
        still_units: Those whose process went on and did no work.
        unknown_units: Those that nothing is known of.
        hashes: The work that counts: never more than the nameplates of the units it is of, over their time.
        excess_hashes: Work above nameplate, summed unit by unit: luck of the shares, uplift, or a false counter.
    """

    units: int
    restarted_units: int
    still_units: int
    unknown_units: int
    hashes: float
    excess_hashes: float

    @property
    def of_units(self) -> int:
        """All units."""
        return self.units + self.restarted_units + self.still_units + self.unknown_units


def recovered_of(works: Iterable[UnitWork]) -> Recovered:
    """Return the sums over all units.

    The limit is on the sum: one on each unit would cut the luck of the shares on one side only.
    """
    counts = dict.fromkeys(Outcome, 0)
    hashes = most = excess = 0.0
    for work in works:
        counts[work.outcome] += 1
        if work.hashes:
            hashes += work.hashes
            most += work.most
            excess += max(0.0, work.hashes - work.most)
    return Recovered(
        units=counts[Outcome.THROUGH],
        restarted_units=counts[Outcome.RESTARTED],
        still_units=counts[Outcome.STILL],
        unknown_units=counts[Outcome.UNKNOWN],
        hashes=min(hashes, most),
        excess_hashes=excess,
    )
