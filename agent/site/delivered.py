"""Delivered hashrate: the work that pools credited, which is accepted difficulty x 2^32, beside what units report.

A unit's counter begins at zero with each start of its miner process. Between two readings one of three things happened.
The counter and the uptime show which:

    the same process    the difference is credited, over the time between the readings, however long the unit was silent
    a new process       the new counter is credited, since that process started. Nothing was delivered from when the old
                        process was last seen until then. The old one's work between its last counter and its end is
                        unknown, and neither that time nor that work is counted
    another machine     the process can be neither of the two: nothing is known, and counting starts over

Unknown time is left out of both sides, so that a gap makes a figure neither larger nor smaller. A figure over one hour
therefore covers one hour of known time, and at most one kept point more.
"""

from array import array
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from agent.site.ledger.entries import NO_OWNER
from agent.site.status import UnitStatus
from agent.slices import Slices

HASHES_PER_DIFFICULTY = 2.0**32
HOUR_S, DAY_S = 3600.0, 86400.0

# Time between two kept points; a figure may cover this much more than its window. So a unit takes less than 1 kB.
_HOUR_GRAIN_S, _DAY_GRAIN_S = 600.0, 5400.0

# Uptimes are whole seconds, and a reply is a little older than the end of its poll.
_SLACK_S = 30.0

_LEAST_MAX_AGE_S = 900.0

# 10,000 units take about 2 ms.
UNITS_PER_SLICE = 10_000

MOST_OF_NAMEPLATE = 3.0
"""A unit whose counter says more than this over a whole window has no figure: its word is false, and would be the
site's. Twelve shares an hour, fewer than any pool lets a unit send, exceed it by luck once in 10^8 hours."""


class Delivered(NamedTuple):
    """The hashrate that pools credited lately, over the units for which it is known.

    Attributes:
        hour_hs, day_hs: H/s over one hour and 24; None while it is known for no unit.
        hour_deployed_hs, day_deployed_hs: Nameplate of the units in them.
    """

    hour_hs: float | None
    hour_deployed_hs: float
    day_hs: float | None
    day_deployed_hs: float


NOTHING_DELIVERED = Delivered(None, 0.0, None, 0.0)


class _Unit:
    """One unit's memory.

    Attributes:
        counter, counter_s: The running process's difficulty as last read, and when on the monotonic clock.
        is_lost: True without an earlier counter to take the difference to.
        left_out_s: Unknown time; counted time is the clock minus this.
        earlier: Difficulty credited to earlier processes, in addition to `counter`.
        hour, day: Pairs of counted time and difficulty credited, oldest first: as many as it takes to look back so far.
        read_s, shares_at: When a counter was last read, and the time stamp of its reading.
        seen_s, uptime_s: When the process last reported its uptime, and that uptime.
        nameplate_hs: The unit's.
    """

    __slots__ = (
        "counter",
        "counter_s",
        "day",
        "earlier",
        "hour",
        "is_lost",
        "left_out_s",
        "nameplate_hs",
        "read_s",
        "seen_s",
        "shares_at",
        "uptime_s",
    )

    def __init__(self) -> None:
        self.counter = self.counter_s = self.left_out_s = self.earlier = 0.0
        self.is_lost = True
        self.hour = self.day = array("d")
        self.read_s = float("-inf")
        self.shares_at: float | None = None
        self.seen_s = 0.0
        self.uptime_s: float | None = None
        self.nameplate_hs = 0.0

    def follow_process(self, uptime_s: float, clock_s: float) -> None:
        """Note an uptime, and from it whether the process is still the one whose counter was read."""
        elapsed_s, before_s = clock_s - self.seen_s, self.uptime_s
        if before_s is not None:
            if uptime_s < before_s or uptime_s + _SLACK_S < elapsed_s:
                self._start_process(clock_s - uptime_s)
            elif uptime_s > before_s + elapsed_s + _SLACK_S:
                self.is_lost = True
        self.seen_s, self.uptime_s = clock_s, uptime_s

    def _start_process(self, started_s: float) -> None:
        if started_s < self.seen_s - _SLACK_S:
            # Two processes ran at the same time: another machine has the address now.
            self.is_lost = True
        elif not self.is_lost:
            self.left_out_s += self.seen_s - self.counter_s
            self.earlier += self.counter
            self.counter, self.counter_s = 0.0, max(started_s, self.seen_s)

    def credit(self, counter: float, clock_s: float) -> None:
        """Credit a counter, and keep a point if the last one is old enough."""
        if self.hour and (self.is_lost or counter < self.counter):
            self.left_out_s += clock_s - self.counter_s
            self.earlier += self.counter - counter
        self.counter, self.counter_s, self.is_lost = counter, clock_s, False
        self.hour = self._with_point(self.hour, HOUR_S, _HOUR_GRAIN_S)
        self.day = self._with_point(self.day, DAY_S, _DAY_GRAIN_S)

    def _with_point(self, points: "array[float]", window_s: float, grain_s: float) -> "array[float]":
        counted_s = self.counter_s - self.left_out_s
        first = 0
        while first + 2 < len(points) and points[first + 2] <= counted_s - window_s:
            first += 2
        if not points or counted_s - points[-2] >= grain_s:
            # A new array, because appending to one reserves seven more numbers: 56 bytes for each window.
            return points[first:] + array("d", (counted_s, self.earlier + self.counter))
        return points[first:] if first else points

    def rate_hs(self, points: "array[float]", window_s: float) -> float | None:
        """Return the hashrate since the first of `points`, H/s; None if they span less than the window."""
        span_s = self.counter_s - self.left_out_s - points[0]
        credited = self.earlier + self.counter - points[1]
        return credited * HASHES_PER_DIFFICULTY / span_s if span_s >= window_s else None


class DeliveredBook:
    """The work each unit delivered, as far back as the longest window.

    Args:
        cadence_s: Time between two reads of a share counter; a unit whose counter is three times older has no figure.
    """

    def __init__(self, *, cadence_s: float) -> None:
        self.cadence_s = cadence_s
        self._units: dict[str, _Unit] = {}
        # By window: unit id to H/s, the unit whose counter was read longest ago first.
        self._rates_hs: dict[float, dict[str, float]] = {HOUR_S: {}, DAY_S: {}}

    @property
    def max_age_s(self) -> float:
        """The greatest age of a unit's latest counter, s."""
        return max(_LEAST_MAX_AGE_S, 3 * self.cadence_s)

    def record(self, status: UnitStatus, *, clock_s: float) -> None:
        """Record a unit's status after a poll; nearly free unless the poll read a new counter.

        Args:
            status: Ignored if the poll failed.
            clock_s: The monotonic clock at its end, s.
        """
        reading = status.reading
        if reading is None or status.error is not None:
            return
        unit_id = status.entry.unit_id
        unit = self._units.get(unit_id)
        if unit is None:
            unit = self._units[unit_id] = _Unit()
        if reading.uptime_s is not None:
            unit.follow_process(reading.uptime_s, clock_s)
        shares = reading.shares
        if shares is None or shares.difficulty_accepted is None or shares.at == unit.shares_at:
            return
        unit.shares_at, unit.read_s = shares.at, clock_s
        unit.credit(shares.difficulty_accepted, clock_s)
        unit.nameplate_hs = status.entry.nameplate.hashrate_hs
        for points, window_s in ((unit.hour, HOUR_S), (unit.day, DAY_S)):
            rates_hs, rate_hs = self._rates_hs[window_s], unit.rate_hs(points, window_s)
            rates_hs.pop(unit_id, None)
            if rate_hs is not None and rate_hs <= MOST_OF_NAMEPLATE * unit.nameplate_hs:
                rates_hs[unit_id] = rate_hs

    def forget(self, unit_ids: Iterable[str]) -> None:
        """Forget these units; unknown ones are ignored."""
        for unit_id in unit_ids:
            if self._units.pop(unit_id, None) is not None:
                for rates_hs in self._rates_hs.values():
                    rates_hs.pop(unit_id, None)

    def delivered_hs(self, unit_id: str, window_s: float, clock_s: float) -> float | None:
        """Return the hashrate that pools credited a unit over the latest `window_s`, H/s.

        None while less than the window is known, if the counter was not read for `max_age_s`, if it says more than
        `MOST_OF_NAMEPLATE`, and for firmware that reports no difficulty.

        Raises:
            ValueError: `window_s` is neither `HOUR_S` nor `DAY_S`.
        """
        if window_s not in self._rates_hs:
            raise ValueError(f"{window_s:g} s is neither an hour nor a day")
        rate_hs = self._rates_hs[window_s].get(unit_id)
        return rate_hs if rate_hs is not None and self._is_read(unit_id, clock_s) else None

    def delivered(self, clock_s: float) -> Delivered:
        """Return the sums over all units that have a figure."""
        return Delivered(*self._sum(self._rates_hs[HOUR_S], clock_s), *self._sum(self._rates_hs[DAY_S], clock_s))

    def delivered_by_owner(self, owners: Mapping[str, str]) -> Slices[dict[str, Delivered]]:
        """Return the sums by owner, of owners that have a figure, as of the latest call of `delivered`.

        They add up to those of all units, whatever is recorded between two slices.

        Args:
            owners: The name of each unit's owner, by unit.
        """
        hour, day = (list(self._rates_hs[window_s].items()) for window_s in (HOUR_S, DAY_S))
        return self._by_owner(hour, day, owners)

    def _by_owner(
        self, hour: list[tuple[str, float]], day: list[tuple[str, float]], owners: Mapping[str, str]
    ) -> Slices[dict[str, Delivered]]:
        sums: dict[str, list[float]] = {owner: [0.0] * 4 for owner in {NO_OWNER, *owners.values()}}
        units = self._units
        for place, rates_hs in ((0, hour), (2, day)):
            for start in range(0, len(rates_hs), UNITS_PER_SLICE):
                for unit_id, rate_hs in rates_hs[start : start + UNITS_PER_SLICE]:
                    unit, its = units.get(unit_id), sums[owners.get(unit_id, NO_OWNER)]
                    its[place] += rate_hs
                    if unit is not None:
                        its[place + 1] += unit.nameplate_hs
                yield
        return {
            owner: Delivered(hour_hs if hour_own_hs else None, hour_own_hs, day_hs if day_own_hs else None, day_own_hs)
            for owner, (hour_hs, hour_own_hs, day_hs, day_own_hs) in sums.items()
            if hour_own_hs or day_own_hs
        }

    def _sum(self, rates_hs: dict[str, float], clock_s: float) -> tuple[float | None, float]:
        while rates_hs and not self._is_read(oldest := next(iter(rates_hs)), clock_s):
            del rates_hs[oldest]
        return sum(rates_hs.values()) if rates_hs else None, sum(
            [self._units[unit_id].nameplate_hs for unit_id in rates_hs]
        )

    def _is_read(self, unit_id: str, clock_s: float) -> bool:
        return clock_s - self._units[unit_id].read_s <= self.max_age_s
