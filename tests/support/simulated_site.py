"""A small site of simulated units in simulated time, and the source that the web server would have over it."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from page_apis import SITE, Walk, curtailments_over, repairs_over
from polled_farm import Polled
from site_past import SitePast

from agent.exporters.prometheus.store import Metrics
from agent.exporters.web import server as web
from agent.site.curtailment.events import Curtailments, Event
from agent.site.totals import SiteFigures, site_figures
from agent.unit import registry
from simulators.farm.clock import SimClock
from simulators.farm.farm import Farm
from simulators.farm.plan import HEALTHY_FARM, FarmPlan, Troubles, read_mix
from simulators.farm.selection import read_selector
from simulators.faults.vocabulary import Fault

START = 1_763_665_200.0  # 2025-11-20 19:00:00 UTC, 13:00:00 in Chicago.
FAULT_AFTER_S = 3720.0
"""From the start to the faults, s: they begin at 14:02 in Chicago."""
ZONE = ZoneInfo("America/Chicago")
HOUR_S = 3600.0
MIX = "S21:200=60%,T21:190=40%"


class SimulatedSite:
    """A farm, polled in simulated time by the agent's own readers and judged by its tracker.

    Args:
        units: Number of units; 20 fill a rack.
        containers: Number of containers.
        mix: Kinds of unit, as the farm reads them.
        troubles: What is wrong from the start.
        faults: Further faults with the units they hit; they begin after `FAULT_AFTER_S`.
        looks_at: Simulated times of the polls, s from the start.
        events: Declared curtailments.

    Attributes:
        farm: The farm.
        polled: Its units under the agent's tracker.
        walk: The walk list.
        now: Simulated Unix time, s.
    """

    def __init__(
        self,
        *,
        units: int = 60,
        containers: int = 3,
        mix: str = MIX,
        troubles: Troubles = HEALTHY_FARM,
        faults: Iterable[tuple[Fault, str]] = (),
        looks_at: Iterable[float] = (0.0, FAULT_AFTER_S + 5.0, 2 * HOUR_S),
        events: Iterable[Event] = (),
    ) -> None:
        plan = FarmPlan(
            units=units, seed=7, base="127.77.0.1", mix=read_mix(mix), containers=containers, troubles=troubles
        )
        self.farm = Farm(plan, SimClock(start=START, speed=0.0))
        for fault, selected in faults:
            self.farm.inject(fault, read_selector(selected), at=START + FAULT_AFTER_S)
        self.polled = Polled(self.farm.units, at=START, slow_every=1, farm=self.farm, reader=registry.CHOOSING)
        self.events = tuple(events)
        self.polled.tracker.curtailments = Curtailments(events=self.events)
        self.walk = Walk()
        self.now = START
        for after_s in looks_at:
            self.look(START + after_s)

    def look(self, at: float) -> None:
        """Poll every unit at simulated Unix time `at`."""
        self.farm.clock.set(at)
        self.polled.sweep(at)
        self.walk.look(self.polled.tracker.statuses(), at)
        self.now = at

    @property
    def figures(self) -> SiteFigures:
        """The site's figures now."""
        return site_figures(self.polled.tracker.statuses(), self.now)

    def source(self, folder: Path, **changes: Any) -> web.Source:
        """Return a source over the site as it is at each request, ready unless `changes` says otherwise."""
        tracker = self.polled.tracker
        past = SitePast(
            folder / "history.sqlite", site=SITE, zone=ZONE, now=self.now, statuses=list(tracker.statuses())
        )
        metrics = Metrics(SITE, version="1.2.3", clock=lambda: 0.0)
        made = web.Source(
            name=SITE,
            version="1.2.3",
            scrape=metrics.scrape,
            site=lambda: self.figures,
            units=tracker.statuses,
            unit=tracker.status,
            unreadiness=lambda: None,
            illness=lambda: None,
            wall=lambda: self.now + 4.0,
            seen_from=lambda: START,
            zone=lambda: ZONE,
            curtailments=curtailments_over(folder, self.events, tracker.statuses, lambda: self.now),
            repairs=repairs_over(self.walk.book.entries, tracker.status, lambda: self.now, ZONE),
        )
        return replace(made, **past.fields(lambda: self.now) | changes)
