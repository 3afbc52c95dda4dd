"""Delivered hashrate: the work that pools credited, which is accepted difficulty x 2^32, beside what units say.

A unit's counter begins at zero with each start of its miner process. Between two readings of it one of three things is
true, told apart by the counter and the uptime:

    the same process    credited is the difference, over the time between the readings, however long it was out of reach
    a new process       credited is what the new counter says, since that process started. From when the old one was
                        last seen until then nothing was delivered. What the old one delivered between its last counter
                        and its end is not known, and neither that time nor that work is counted
    another machine     a process that cannot be either of the two: nothing is known, and counting starts anew

Time of which nothing is known is left out of both sides, so that a gap makes a figure neither larger nor smaller. A
figure over one hour therefore covers one hour of which something is known, and one kept point more at most.
"""

from array import array
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from agent.site.status import UnitStatus

HASHES_PER_DIFFICULTY = 2.0**32
HOUR_S, DAY_S = 3600.0, 86400.0
WINDOWS_S = (HOUR_S, DAY_S)

# How far apart points are kept: what a figure may cover beyond its window. With these a unit costs under 1 kB.
_GRAINS_S = (600.0, 3600.0)

# Uptimes are whole seconds, and a reply is a little older than the poll that brought it.
_SLACK_S = 30.0

_LEAST_MAX_AGE_S = 900.0


class Delivered(NamedTuple):
    """What pools credited lately, over the units of which that is known.

    Attributes:
        hour_hs, day_hs: H/s over one hour and 24; None while it is known of no unit.
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
        counter, counter_s: The difficulty last read of the process that runs, and when on the monotonic clock; None
            while there is nothing to take a difference to.
        shares_at: Which reading of the counter that was.
        seen_s, uptime_s: When the process last told its uptime, and what it said.
        counted_s: A clock that stands still while nothing is known.
        credited: Difficulty credited while it ran.
        points: For each window pairs of these two, oldest first.
    """

    __slots__ = ("counted_s", "counter", "counter_s", "credited", "points", "read_s", "seen_s", "shares_at", "uptime_s")

    def __init__(self) -> None:
        self.counter: float | None = None
        self.counter_s = self.counted_s = self.credited = 0.0
        self.shares_at: float | None = None
        self.read_s = float("-inf")
        self.seen_s = 0.0
        self.uptime_s: float | None = None
        self.points = tuple(array("d") for _ in WINDOWS_S)

    def follow_process(self, uptime_s: float, clock_s: float) -> None:
        """Take in an uptime, and with it whether the process is still the one whose counter was read."""
        elapsed_s, before_s = clock_s - self.seen_s, self.uptime_s
        if before_s is not None:
            if uptime_s < before_s or uptime_s + _SLACK_S < elapsed_s:
                self._start_process(clock_s - uptime_s)
            elif uptime_s > before_s + elapsed_s + _SLACK_S:
                self.counter = None
        self.seen_s, self.uptime_s = clock_s, uptime_s

    def _start_process(self, started_s: float) -> None:
        if started_s < self.seen_s - _SLACK_S:  # It ran while another one did: the address is another machine's now.
            self.counter = None
            return
        started_s = max(started_s, self.seen_s)
        self.counted_s += started_s - self.seen_s
        self.counter, self.counter_s = 0.0, started_s

    def credit(self, counter: float, clock_s: float) -> None:
        """Take in a counter, and keep a point where the last one is old enough."""
        if self.counter is not None and counter >= self.counter:
            self.counted_s += clock_s - self.counter_s
            self.credited += counter - self.counter
        self.counter, self.counter_s = counter, clock_s
        for points, window_s, grain_s in zip(self.points, WINDOWS_S, _GRAINS_S, strict=True):
            if not points or self.counted_s - points[-2] >= grain_s:
                points.extend((self.counted_s, self.credited))
            while len(points) > 2 and points[2] <= self.counted_s - window_s:
                del points[:2]

    def rates_hs(self) -> Iterator[float | None]:
        """Give the hashrate over each window, H/s; None where less is known."""
        for points, window_s in zip(self.points, WINDOWS_S, strict=True):
            span_s = self.counted_s - points[0]
            yield (self.credited - points[1]) * HASHES_PER_DIFFICULTY / span_s if span_s >= window_s else None


class DeliveredBook:
    """What each unit delivered, as far back as the longest window.

    Args:
        cadence_s: How often share counters are asked; a unit whose counter is three times older has no figure.
    """

    def __init__(self, *, cadence_s: float) -> None:
        self.cadence_s = cadence_s
        self._units: dict[str, _Unit] = {}
        self._nameplates_hs: dict[str, float] = {}
        # By window: unit id to H/s, the unit whose counter was read longest ago first.
        self._rates_hs: tuple[dict[str, float], ...] = tuple({} for _ in WINDOWS_S)

    @property
    def max_age_s(self) -> float:
        """How old a unit's latest counter may be, s."""
        return max(_LEAST_MAX_AGE_S, 3 * self.cadence_s)

    def record(self, status: UnitStatus, *, clock_s: float) -> None:
        """Take in what a poll has just made of a unit; costs next to nothing unless a counter was read anew.

        Args:
            status: Of a poll that failed there is nothing to take.
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
        self._nameplates_hs[unit_id] = status.entry.nameplate.hashrate_hs
        for rates_hs, rate_hs in zip(self._rates_hs, unit.rates_hs(), strict=True):
            rates_hs.pop(unit_id, None)
            if rate_hs is not None:
                rates_hs[unit_id] = rate_hs

    def retain(self, unit_ids: Iterable[str]) -> None:
        """Forget all other units."""
        for unit_id in self._units.keys() - set(unit_ids):
            del self._units[unit_id]
            for by_unit in (self._nameplates_hs, *self._rates_hs):
                by_unit.pop(unit_id, None)

    def delivered_hs(self, unit_id: str, window_s: float, clock_s: float) -> float | None:
        """Give what pools credited a unit over the latest `window_s`, H/s.

        None while less than the window is known, when the counter was not read for `max_age_s`, and for firmware that
        tells no difficulty.

        Raises:
            ValueError: `window_s` is none of `WINDOWS_S`.
        """
        rate_hs = self._rates_hs[WINDOWS_S.index(window_s)].get(unit_id)
        return rate_hs if rate_hs is not None and self._is_read(unit_id, clock_s) else None

    def delivered(self, clock_s: float) -> Delivered:
        """Give the sums over all units that have a figure."""
        hour, day = (self._sum(rates_hs, clock_s) for rates_hs in self._rates_hs)
        return Delivered(*hour, *day)

    def _sum(self, rates_hs: dict[str, float], clock_s: float) -> tuple[float | None, float]:
        while rates_hs and not self._is_read(oldest := next(iter(rates_hs)), clock_s):
            del rates_hs[oldest]
        return sum(rates_hs.values()) if rates_hs else None, sum(map(self._nameplates_hs.__getitem__, rates_hs))

    def _is_read(self, unit_id: str, clock_s: float) -> bool:
        return clock_s - self._units[unit_id].read_s <= self.max_age_s
