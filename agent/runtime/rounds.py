"""A site's figures, round by round, and when they may first be trusted."""

import time
from collections.abc import Callable, Iterable
from functools import partial

from agent.runtime.fan_out import FanOut
from agent.site.curtailment.events import Curtailments
from agent.site.delivered import DAY_S, HOUR_S, DeliveredBook
from agent.site.energy import EnergyBook
from agent.site.metered import Metered
from agent.site.status import UnitStatus
from agent.site.totals import SiteFigures, Sums
from agent.site.tracker import Tracker
from agent.slices import Slices

# Judging and summing 10,000 units at once would hold the event loop for 60 ms.
UNITS_PER_SLICE = 500


class Rounds:
    """Makes figures of all units and passes them to every exporter.

    Args:
        tracker: Every unit's status.
        fan_out: Every exporter.
        metered: Returns what meters say now.
        curtailments: Returns what is declared now.
        counted: Returns those of some units whose hashrate is the site's.
        simulated_units: Returns how many of these are simulated.
        interval_s: Time from one round to the next.

    Attributes:
        figures: The latest round's; None before the first.
        is_whole: True once every unit was polled.
        whole_at: When every unit had been polled once, Unix time, s; None until then. A state entered before may be
            older than its `since`.
        energy: Energy drawn, added up round by round.
        delivered: Work that pools credited; each poll is recorded in it.
    """

    def __init__(
        self,
        tracker: Tracker,
        fan_out: FanOut,
        *,
        metered: Callable[[], Metered],
        curtailments: Callable[[], Curtailments],
        counted: Callable[[Iterable[UnitStatus]], Iterable[UnitStatus]],
        simulated_units: Callable[[], int],
        interval_s: float,
    ) -> None:
        self._tracker = tracker
        self._fan_out = fan_out
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
        """Go by another interval, s; share counters come with every `slow_every` polls."""
        self._interval_s = self.energy.interval_s = interval_s
        self.delivered.cadence_s = interval_s * slow_every

    @property
    def unreadiness(self) -> str | None:
        """Why the figures cannot be trusted yet; None when they can."""
        if not self.is_whole:
            return f"first round under way: {self._unlooked} of {len(self._tracker)} units not looked at yet"
        late_s = time.monotonic() - self._made_at - self._interval_s
        return f"figures are {late_s:.0f} s late" if late_s > 2 * self._interval_s + 5 else None

    def slices(self) -> Slices[SiteFigures]:
        """Judge which units went stale, make the figures of this moment and pass them on.

        Each unit is judged and summed once, in the same slice. So every figure is a sum over all units, none of them
        counted twice or left out. What exporters show changes at one moment.

        Returns:
            Slices that each hold the event loop for a few milliseconds, and the figures.
        """
        at, clock_s, sums, unlooked = time.time(), time.monotonic(), Sums(), 0
        for part in self._tracker.look_over(at=at, clock_s=clock_s, at_once=UNITS_PER_SLICE):
            for status, before in part.changes:
                self._fan_out.on_status(status, before)
            sums.add(self._counted(part.statuses))
            if not self.is_whole:
                unlooked += sum(1 for status in part.statuses if not status.is_polled)
            yield
        self._fan_out.close_interval()
        self._unlooked = unlooked
        is_whole = self.is_whole or not unlooked
        metered = self._metered()
        for status in self._tracker.take_meters(metered.unit_watts):
            self._fan_out.metrics.on_unit(status)
        delivered = self.delivered.delivered(clock_s)
        yield
        figures = yield from sums.figures_in_slices(at, metered=metered, delivered=delivered)
        yield from self._fan_out.on_figures(
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
            # After the figures: a client that sees `/readyz` succeed asks for them at once.
            self.is_whole, self.whole_at = True, at
        return figures

    def delivered_hs(self, unit_id: str) -> tuple[float | None, float | None]:
        """Return what pools credited one unit over 1 h and 24 h, H/s; None while unknown."""
        clock_s = time.monotonic()
        hour, day = (self.delivered.delivered_hs(unit_id, window_s, clock_s) for window_s in (HOUR_S, DAY_S))
        return hour, day
