"""The agent's own lateness: units that it did not ask in time, and what still counts for them.

A unit is *overdue* if what is known of it grew too old and no poll of it failed since: this agent did not ask in time.
Nothing is known to have changed, so the unit keeps its state, its rate and its losses. Its state is no longer known, so
coverage falls. It never turns unreachable or unreadable for this reason.

Pure: times are arguments.
"""

from statistics import median
from typing import NamedTuple

import msgspec

from agent.site.status import UnitStatus

HELD_FOR_RATIO = 4.0
"""An overdue unit's figures count for this multiple of the site's `stale_after_s` after its last poll, and no longer.

Two minutes at the default interval. A ramp lasts that long, and an operator does not take older figures for current."""

LATE_RATIO = 0.05
"""More than this share of the deployed nameplate not looked at, and the figures cannot be trusted.

The share at which the page stops to colour a figure as good: the site may be off by as much."""


def held(status: UnitStatus, *, is_restored: bool = False) -> UnitStatus:
    """Return the status of a unit that is overdue: as it was, but neither fresh nor known, and accused of nothing.

    Args:
        status: As of its latest poll.
        is_restored: True if an earlier process of this agent made that poll.
    """
    # The ledger's own word does not age.
    is_known = status.entry.is_in_maintenance
    return msgspec.structs.replace(
        status, is_fresh=False, is_known=is_known, is_straggler=False, is_overdue=True, is_restored=is_restored
    )


class Lateness(NamedTuple):
    """How much of a site this agent did not look at in time.

    Attributes:
        units: Units that are overdue.
        of_units: Units deployed.
        hashrate_hs: Nameplate of the overdue units, H/s.
        deployed_hs: Nameplate of all units, H/s.
        longest_s: Time since the poll of the unit that waits longest, s; 0 without one.
        restored: Those of `units` that were last asked before this process started.
    """

    units: int
    of_units: int
    hashrate_hs: float
    deployed_hs: float
    longest_s: float
    restored: int = 0

    @property
    def ratio(self) -> float:
        """Share of the deployed nameplate that is overdue; 0 while nothing is deployed."""
        return self.hashrate_hs / self.deployed_hs if self.deployed_hs else 0.0

    @property
    def is_too_much(self) -> bool:
        """True if so much is overdue that the figures cannot be trusted."""
        return self.ratio > LATE_RATIO


ON_TIME = Lateness(units=0, of_units=0, hashrate_hs=0.0, deployed_hs=0.0, longest_s=0.0)


class Pace:
    """The time that really passes between two polls of a unit, over the configured interval.

    The ratio is the median over the polls of the last interval, so that single units with slow firmware do not move it.

    Args:
        interval_s: The configured interval, s.
        now: The monotonic clock, s.
    """

    __slots__ = ("_gaps", "_interval_s", "_ratio", "_until")

    def __init__(self, *, interval_s: float, now: float) -> None:
        self._interval_s = interval_s
        self._gaps: list[float] = []
        self._ratio = 1.0
        self._until = now + interval_s

    def add(self, gap_s: float, now: float) -> None:
        """Add a poll that begins now, `gap_s` after the previous poll of the same unit began."""
        if now >= self._until:
            self._close(now)
        self._gaps.append(gap_s)

    def stretch_ratio(self, now: float, *, waits_s: float) -> float:
        """Return achieved over configured interval; 1.0 on time, and while there is nothing to go by.

        Args:
            now: The monotonic clock, s.
            waits_s: How long ago the poll was due that waits longest, s; 0 if none waits.
        """
        if now >= self._until:
            self._close(now)
        # A poll that waits for less than an interval is on its way.
        return max(self._ratio, 1.0 + waits_s / self._interval_s if waits_s >= self._interval_s else 0.0)

    def _close(self, now: float) -> None:
        self._ratio = median(self._gaps) / self._interval_s if self._gaps else 1.0
        self._gaps.clear()
        self._until = now + self._interval_s
