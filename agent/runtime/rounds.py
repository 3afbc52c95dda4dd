"""A site's figures, round by round, and when they may first be trusted."""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from agent.runtime.credited import Credited
from agent.runtime.fan_out import FanOut
from agent.runtime.repairs import Repairs
from agent.runtime.standstill import Standstill
from agent.site.curtailment.events import Curtailments
from agent.site.delivered import DAY_S, HOUR_S, Delivered, DeliveredBook
from agent.site.energy import EnergyBook
from agent.site.lateness import HELD_FOR_RATIO, LATE_RATIO, ON_TIME, Lateness
from agent.site.metered import Metered
from agent.site.status import UnitStatus
from agent.site.totals import Figures, SiteFigures, Sums
from agent.site.tracker import Tracker
from agent.slices import Slices
from agent.text.lateness import lateness_text
from agent.text.numbers import duration_text

# Judging and summing 10,000 units at once would hold the event loop for 60 ms.
UNITS_PER_SLICE = 500
# A unit that does not answer costs the walk list ten times as much as one that hashes: in an outage all of them do.
LOOKS_PER_SLICE = 100


class _Wait(NamedTuple):
    """Why there are no figures, in the words around ``12 of 300 units not looked at``; without `since`, alone."""

    why: str
    since: str | None


_FIRST_ROUND = _Wait("first round under way", "yet")
_UNITS_ADDED = _Wait("units were added", "yet")


class Rounds:
    """Makes figures of all units and passes them to every exporter.

    There are no figures until every unit was asked. That holds again after a standstill of this process, and if more
    than `LATE_RATIO` of the deployed nameplate was not asked for too long, or never. Statuses that were kept over a
    restart count as asked when they were (`resume`), so figures are there at once, and are not ready until all but
    `LATE_RATIO` was asked by this process.

    Args:
        tracker: Every unit's status.
        fan_out: Every exporter.
        metered: Returns what meters say now.
        curtailments: Returns what is declared now.
        counted: Returns those of some units whose hashrate is the site's.
        simulated_units: Returns how many of these are simulated.
        interval_s: Time from one round to the next.
        standstill: Notices that this process stood still.
        repairs: The walk list.
        credited: What pools credit; None where nothing is read of them.

    Attributes:
        figures: The latest round's; None before the first.
        is_whole: True while there are figures: every unit was polled.
        whole_at: When every unit had been polled, Unix time, s; None until then. A state entered before may be older
            than its `since`.
        lateness: How much of the site was not looked at in time, as of the latest round.
        on_standstill: Called with how long this process stood still, s, once that is noticed.
        energy: Energy drawn, added up round by round.
        delivered: Work that pools credited; each poll is recorded in it.
        standing_by: Why this agent makes no figures although it could; None while it is the one to make them.
        is_resuming: True from `resume` until the first figures, which may rest on statuses of before this start.
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
        standstill: Standstill,
        repairs: Repairs,
        credited: Credited | None = None,
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
        self.lateness = ON_TIME
        self.on_standstill: Callable[[float], None] = lambda _: None
        self._standstill = standstill
        self._repairs = repairs
        self._credited = credited
        self._standstills = 0
        self._wait = _FIRST_ROUND
        self._unseen = len(tracker)
        self._made_at = time.monotonic()
        self.is_resuming = False
        self.standing_by: str | None = None

    def stand_by(self, why: str) -> None:
        """Make no figures until `take_over`: another agent makes the site's."""
        self.standing_by, self.is_resuming = why, False
        self._withdraw(_Wait(why, None))

    def take_over(self) -> None:
        """Make the site's figures from the next round on, at first of what is known already."""
        self.standing_by, self._wait = None, _Wait("this agent took over", "yet")
        self.is_resuming = True

    def resume(self, *, gap_s: float, whole_at: float | None) -> None:
        """Go on from statuses that an earlier process kept.

        Args:
            gap_s: How long nothing was asked, s.
            whole_at: As the attribute, of that process; None if it had not polled every unit.
        """
        if gap_s > self._tracker.stale_after_s:
            self._wait = _Wait(f"this agent was away for {duration_text(gap_s)}", "since")
            return
        self.is_resuming, self.whole_at = True, whole_at

    def set_interval(self, interval_s: float, *, slow_every: int) -> None:
        """Go by another interval, s; share counters come with every `slow_every` polls."""
        self._interval_s = self.energy.interval_s = interval_s
        self.delivered.cadence_s = interval_s * slow_every
        if self._credited is not None:
            self._credited.set_interval(interval_s)

    @property
    def unreadiness(self) -> str | None:
        """Why the figures cannot be trusted; None when they can."""
        self.look_for_standstill()
        if self.standing_by is not None:
            return self.standing_by
        if not self.is_whole:
            if self._wait.since is None:
                return self._wait.why
            units = f"{self._unseen:,} of {len(self._tracker):,} units"
            return f"{self._wait.why}: {units} not looked at {self._wait.since}"
        reasons = []
        late_s = time.monotonic() - self._made_at - self._interval_s
        if late_s > 2 * self._interval_s + 5:
            reasons.append(f"figures are {late_s:.0f} s late")
        if self.lateness.is_too_much:
            cause = "this agent was restarted" if self.lateness.restored else "this agent is late"
            reasons.append(f"{cause}: {lateness_text(self.lateness)}")
        return "; ".join(reasons) or None

    @property
    def _longest_hold_s(self) -> float:
        return HELD_FOR_RATIO * self._tracker.stale_after_s

    def look_for_standstill(self) -> None:
        """Withdraw the figures if this process stood still: what is known of every unit is older than it seems.

        The same goes for figures that no round replaced for too long. Called several times a second, and before
        anything is shown: the first to notice must be no exporter.
        """
        stood_s = self._standstill.look()
        if not stood_s:
            if self.is_whole and time.monotonic() - self._made_at > self._interval_s + self._longest_hold_s:
                self._withdraw(_Wait(f"no figures were made for {duration_text(self._longest_hold_s)}", None))
            return
        self._standstills += 1
        self.is_resuming = False
        self._unseen = len(self._tracker)
        self._withdraw(_Wait(f"this agent stood still for {duration_text(stood_s)}", "since"))
        self._tracker.distrust(clock_s=time.monotonic())
        self.on_standstill(stood_s)

    def _withdraw(self, wait: _Wait) -> None:
        self.is_whole, self._wait = False, wait
        self.energy.pause()
        self._repairs.pause()
        if self._credited is not None:
            self._credited.pause()
        self._fan_out.withdraw()

    def slices(self) -> Slices[SiteFigures]:
        """Judge which units went stale, make the figures of this moment and pass them on.

        Each unit is judged and summed once, in the same slice. So every figure is a sum over all units, none of them
        counted twice or left out. What exporters show changes at one moment.

        Returns:
            Slices that each hold the event loop for a few milliseconds, and the figures.
        """
        self.look_for_standstill()
        standstills = self._standstills
        at, clock_s, sums, longest_s = time.time(), time.monotonic(), Sums(), 0.0
        restored = 0
        unseen: list[UnitStatus] = []
        # A standby's list is its primary's.
        is_look = self.standing_by is None and self._repairs.begin_round(at=at, clock_s=clock_s)
        for part in self._tracker.look_over(at=at, clock_s=clock_s, at_once=UNITS_PER_SLICE):
            for status, before in part.changes:
                self._fan_out.on_status(status, before)
            sums.add(self._counted(part.statuses))
            if is_look:
                yield from self._looked(part.statuses)
            unseen += part.unseen
            longest_s = max(longest_s, part.longest_s)
            restored += part.restored
            yield
        if is_look:
            self._repairs.close_round()
            yield
        self._fan_out.close_interval(at)
        metered = self._metered()
        for status in self._tracker.take_meters(metered.unit_watts):
            self._fan_out.metrics.on_unit(status)
        delivered = self.delivered.delivered(clock_s)
        by_owner = self._delivered_by_owner()
        yield
        figures = yield from sums.figures_in_slices(
            at, metered=metered, delivered=delivered, names_owners=self._tracker.names_owners
        )
        figures = replace(figures, delivered_by_owner=(yield from by_owner))
        self.look_for_standstill()
        is_whole = self._standstills == standstills and self._judge(unseen, figures)
        if self._credited is not None:
            credited = yield from self._credited.round(figures, is_whole=is_whole)
            figures = replace(figures, credited=credited)
        yield from self._fan_out.on_figures(
            figures,
            energy=partial(self.energy.advance, figures, clock_s) if is_whole else None,
            events=self._curtailments().near(at),
            tracker=self._tracker,
            simulated_units=self._simulated_units,
            interval_s=self._interval_s,
            clock_s=clock_s,
        )
        if is_whole:
            yield from self._fan_out.on_whole_round(at, clock_s=clock_s, tracker=self._tracker, counted=self._counted)
        self.figures, self.lateness = figures, _lateness(figures.site, longest_s, restored)
        self._made_at = clock_s
        if is_whole and not self.is_whole and self._standstills == standstills:
            # After the figures: a client that sees `/readyz` succeed asks for them at once.
            self.is_whole = True
            if not self.is_resuming or self.whole_at is None:
                self.whole_at = at
        self.is_resuming = False
        return figures

    def _delivered_by_owner(self) -> Slices[dict[str, Delivered]]:
        """Return what was delivered by owner as of now; nothing where the ledger names none."""
        return self.delivered.delivered_by_owner(self._tracker.owners()) if self._tracker.names_owners else _of_none()

    def _looked(self, statuses: list[UnitStatus]) -> Slices[None]:
        """Show the walk list these units, a few at a time."""
        for start in range(0, len(statuses), LOOKS_PER_SLICE):
            yield
            self._repairs.see(self._counted(statuses[start : start + LOOKS_PER_SLICE]))

    def _judge(self, unseen: list[UnitStatus], figures: SiteFigures) -> bool:
        """Return True if the figures of this round may be shown."""
        self._unseen = len(unseen)
        if self.standing_by is not None:
            return False
        if not unseen or not (self.is_whole or self.is_resuming):
            return not unseen
        unseen_hs = sum(status.entry.nameplate.hashrate_hs for status in self._counted(unseen))
        if unseen_hs <= LATE_RATIO * figures.site.deployed_hs:
            return True
        if self.is_resuming:
            return False
        is_new = any(not status.is_polled for status in unseen)
        too_old = _Wait("this agent is late", f"for {duration_text(self._longest_hold_s)} or longer")
        self._withdraw(_UNITS_ADDED if is_new else too_old)
        return False

    def delivered_hs(self, unit_id: str) -> tuple[float | None, float | None]:
        """Return what pools credited one unit over 1 h and 24 h, H/s; None while unknown."""
        clock_s = time.monotonic()
        hour, day = (self.delivered.delivered_hs(unit_id, window_s, clock_s) for window_s in (HOUR_S, DAY_S))
        return hour, day


def _lateness(site: Figures, longest_s: float, restored: int) -> Lateness:
    return Lateness(
        units=site.overdue_units,
        of_units=site.units,
        hashrate_hs=site.overdue_hs,
        deployed_hs=site.deployed_hs,
        longest_s=longest_s,
        restored=restored,
    )


def _of_none() -> Slices[dict[str, Delivered]]:
    """Return what was delivered by owner at a site that names none: no slice, no figure."""
    yield from ()
    return {}
