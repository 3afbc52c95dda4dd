"""Changes of state as log lines: one a unit, and one a container when many units change at once."""

from collections import Counter

import structlog

from agent.runtime.naming import LINES_AN_INTERVAL, Naming
from agent.site.reasons import REASONS, Reason
from agent.site.status import UnitState, UnitStatus
from agent.site.totals import Figures, SiteFigures

log = structlog.get_logger("agent.units")
summary = structlog.get_logger("agent")

MOST_A_UNIT = 8
"""Lines about one unit in ten minutes: two restarts, each with a stop before."""
NOT_POLLED = REASONS[Reason.NOT_POLLED].words
"""What stands in place of a state before the first look: a state that rests on nothing is no news."""
_EVENTS = {state: f"unit {state}" for state in UnitState}


class ChangeLog:
    """Logs changes of state, naming as many units in each interval, and each as often, as `naming` allows.

    Everything is `info`: a unit that is off is not an error of ours.
    """

    def __init__(self) -> None:
        self._naming = Naming(most_a_unit=MOST_A_UNIT)
        self._unnamed: Counter[tuple[str, UnitState, str]] = Counter()

    def add(self, status: UnitStatus, before: UnitState | None) -> None:
        """Add one unit's new status, with the state before it; None if it was never looked at."""
        if status.state is before:
            return
        entry = status.entry
        if not self._naming.has_room(entry.unit_id, status.since):
            self._unnamed[before or NOT_POLLED, status.state, entry.place.container] += 1
            return
        log.info(
            _EVENTS[status.state],
            unit=entry.unit_id,
            before=before or NOT_POLLED,
            reason=status.reason,
            why=status.why,
            check_first=status.check_first or None,
            host=entry.host,
            container=entry.place.container,
            rack=entry.place.rack,
            error=None if status.error is None else str(status.error),
        )

    def forget(self, unit_id: str) -> None:
        """Drop a unit that left the ledger."""
        self._naming.forget(unit_id)

    def close_interval(self) -> None:
        """Log how many more changes there were, by container, and start the next interval."""
        for (before, state, container), units in self._unnamed.most_common(LINES_AN_INTERVAL):
            log.info("units changed", before=before, state=state, container=container, units=units)
        self._unnamed.clear()
        self._naming.close_interval()


def log_summary(figures: SiteFigures) -> None:
    """Write the interval's one `site summary` line."""
    site = figures.site
    summary.info(
        "site summary",
        units=site.units,
        deployed_hs=site.deployed_hs,
        operating_hs=round(site.operating_hs),
        operational_efficiency_ratio=_rounded(site.operational_efficiency_ratio),
        coverage_ratio=_rounded(site.coverage_ratio),
        **_facts(site),
        energy_efficiency_j_per_th=_rounded(site.energy_efficiency_j_per_th),
        delivered_24h_hs=figures.delivered_24h_hs,
        **{f"watts_{source}": round(watts) for source, watts in site.watts_by_source.items() if watts},
        **{f"units_{state}": units for state, units in site.units_by_state.items() if units},
        **{f"loss_{cause}_hs": round(loss_hs) for cause, loss_hs in site.losses_hs.items() if loss_hs > 0},
    )


def _facts(site: Figures) -> dict[str, float]:
    """Return the summary's keys about lateness and curtailment; none while there is none."""
    facts = {
        "units_overdue": site.overdue_units,
        "curtailment_nameplate_hs": site.curtailment_nameplate_hs,
        "curtailment_stragglers": site.stragglers,
        "units_not_restored": site.unrestored,
    }
    return {name: value for name, value in facts.items() if value}


def _rounded(ratio: float | None) -> float | None:
    return None if ratio is None else round(ratio, 6)
