"""A site's figures, round by round, and from when on they may be believed."""

import time
from collections.abc import Callable, Iterable
from functools import partial

from agent.runtime.fan_out import Outlets
from agent.site.curtailment.events import Curtailments
from agent.site.delivered import DAY_S, HOUR_S, DeliveredBook
from agent.site.energy import EnergyBook
from agent.site.metered import Metered
from agent.site.status import UnitStatus
from agent.site.totals import SiteFigures, Sums
from agent.site.tracker import Tracker
from agent.slices import Turns

# Judging and summing 10,000 units in one go would hold the event loop for 60 ms.
UNITS_A_TURN = 500


class Rounds:
    """Makes figures of all units and hands them to whoever is told.

    Args:
        tracker: Knows every unit.
        outlets: Whoever is told.
        metered: Gives what meters say now.
        curtailments: Gives what is declared by now.
        counted: Gives those of some units whose hashrate is the site's.
        simulated_units: Gives how many of these are simulated.
        interval_s: From one round to the next.

    Attributes:
        figures: Of the latest round; None before the first.
        is_whole: Whether every unit was looked at once.
        whole_at: From when on the moment at which a unit enters a state is seen, Unix time, s; what was so before may
            be older. None until then.
        energy: What was drawn, from round to round.
        delivered: What pools credited; whoever polls records it.
    """

    def __init__(
        self,
        tracker: Tracker,
        outlets: Outlets,
        *,
        metered: Callable[[], Metered],
        curtailments: Callable[[], Curtailments],
        counted: Callable[[Iterable[UnitStatus]], Iterable[UnitStatus]],
        simulated_units: Callable[[], int],
        interval_s: float,
    ) -> None:
        self._tracker = tracker
        self._outlets = outlets
        self._metered = metered
        self._curtailments = curtailments
        self._counted = counted
        self._simulated_units = simulated_units
        self._interval_s = interval_s
        self.figures: SiteFigures | None = None
        self.is_whole = False
        self.whole_at: float | None = None
        self.energy = EnergyBook(interval_s=interval_s)
        self.delivered = DeliveredBook(cadence_s=0.0)
        self._unlooked = len(tracker)
        self._made_at = time.monotonic()

    def set_interval(self, interval_s: float, *, slow_every: int) -> None:
        """Have rounds and polls come in another interval, s, and share counters with every so many polls."""
        self._interval_s = self.energy.interval_s = interval_s
        self.delivered.cadence_s = interval_s * slow_every

    @property
    def unreadiness(self) -> str | None:
        """Why the figures are not to be believed yet; None when they are."""
        if not self.is_whole:
            return f"first round under way: {self._unlooked} of {len(self._tracker)} units not looked at yet"
        late_s = time.monotonic() - self._made_at - self._interval_s
        return f"figures are {late_s:.0f} s late" if late_s > 2 * self._interval_s + 5 else None

    def turns(self) -> Turns[SiteFigures]:
        """Judge what went stale, make the figures of this moment and tell them.

        Each unit is judged and summed in the same turn, once, so that every figure is a sum over the statuses of all
        units, none of them counted twice or left out. What is exported changes in one go.

        Returns:
            Turns that each hold the event loop for a few milliseconds, and the figures.
        """
        at, clock_s, sums, unlooked = time.time(), time.monotonic(), Sums(), 0
        for part in self._tracker.look_over(at=at, clock_s=clock_s, at_once=UNITS_A_TURN):
            for status, before in part.changes:
                self._outlets.on_status(status, before)
            sums.add(self._counted(part.statuses))
            if not self.is_whole:
                unlooked += sum(1 for status in part.statuses if not status.is_polled)
            yield
        self._outlets.close_interval()
        self._unlooked = unlooked
        is_whole = self.is_whole or not unlooked
        metered = self._metered()
        for status in self._tracker.take_meters(metered.unit_watts):
            self._outlets.metrics.on_unit(status)
        delivered = self.delivered.delivered(clock_s)
        yield
        figures = yield from sums.figures_in_turns(at, metered=metered, delivered=delivered)
        yield from self._outlets.on_figures(
            figures,
            energy=partial(self.energy.advance, figures, clock_s) if is_whole else None,
            events=self._curtailments().near(at),
            tracker=self._tracker,
            simulated_units=self._simulated_units,
            interval_s=self._interval_s,
            clock_s=clock_s,
        )
        self.figures = figures
        self._made_at = clock_s
        if is_whole and not self.is_whole:
            # Not before the figures are there: whoever hears that they may be believed asks for them at once.
            self.is_whole, self.whole_at = True, at
        return figures

    def delivered_hs(self, unit_id: str) -> tuple[float | None, float | None]:
        """Give what pools credited one unit over an hour and over 24, H/s; None while it is not known."""
        clock_s = time.monotonic()
        hour, day = (self.delivered.delivered_hs(unit_id, window_s, clock_s) for window_s in (HOUR_S, DAY_S))
        return hour, day
