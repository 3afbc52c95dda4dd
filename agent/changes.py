"""What changed, as log lines: one a unit while that helps, and one for all of them when a whole container goes."""

from collections import Counter

import structlog

from agent.site.status import UnitState, UnitStatus

log = structlog.get_logger("agent.units")

LINES_AN_INTERVAL = 20
_EVENTS = {state: f"unit {state}" for state in UnitState}


class ChangeLog:
    """Tells of changed states, at most `LINES_AN_INTERVAL` units by name in each interval.

    A unit that hashes again or stops is news at `info`; nothing here is an error, because a unit being off is not ours.
    """

    def __init__(self) -> None:
        self._told = 0
        self._untold: Counter[tuple[UnitState, UnitState, str]] = Counter()

    def add(self, status: UnitStatus, before: UnitState) -> None:
        """Take in one unit's new status and the state it was in before."""
        if status.state is before:
            return
        entry = status.entry
        if self._told >= LINES_AN_INTERVAL:
            self._untold[before, status.state, entry.place.container] += 1
            return
        self._told += 1
        log.info(
            _EVENTS[status.state],
            unit=entry.unit_id,
            before=before,
            why=status.why,
            host=entry.host,
            container=entry.place.container,
            rack=entry.place.rack,
            error=None if status.error is None else str(status.error),
        )

    def close_interval(self) -> None:
        """Tell of the rest by number, and start anew."""
        for (before, state, container), units in self._untold.most_common(LINES_AN_INTERVAL):
            log.info("units changed", before=before, state=state, container=container, units=units)
        self._untold.clear()
        self._told = 0
