"""The past of a site for its pages: a month in a history file, changes of state, and a day of some units in memory."""

import math
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from history_cases import DAY_S, HOUR_S, row, write

from agent.exporters.web.history_api import HistoryAnswer, HistoryQuery, answer_history
from agent.history.minutes import Row
from agent.history.reader import read_history
from agent.history.state_changes import Change
from agent.history.writer import write_history
from agent.runtime.trends import TrendReader
from agent.site.recent.day import SLOT_S, SLOTS, Slot
from agent.site.recent.days import RecentDays
from agent.site.status import Cause, UnitState, UnitStatus

DAYS = 31
GAP_HOURS = range(5, 7)
"""Hours before now in which the agent did not run: a gap in the trend of 24 hours."""
GAP_DAYS = range(12, 14)
"""Days before now likewise, in the trend of 30 days."""


class SitePast:
    """A history file, and the readers over it that a web server has.

    Args:
        path: The file; it is written at once.
        site: Name of the site.
        zone: The site's time zone.
        now: Unix time at which the past ends, s.
        statuses: Every unit now.
        days_of: How many of the units that lack something have a day in memory; None for every unit.
        step_s: Time that one row of the history covers, s.
    """

    def __init__(
        self,
        path: Path,
        *,
        site: str,
        zone: ZoneInfo,
        now: float,
        statuses: Iterable[UnitStatus],
        days_of: int | None = 40,
        step_s: int = SLOT_S,
    ) -> None:
        statuses = list(statuses)
        self._path, self._site = path, site
        self._trends = TrendReader(lambda: path, lambda: zone)
        deployed_hs = sum(one.entry.nameplate.hashrate_hs for one in statuses)
        write(path, rows_before(now, deployed_hs, len(statuses), step_s), site=site, zone=zone.key)
        with closing(write_history(path)) as file:
            file.write(changes=[change for one in statuses for change in changes_of(one, now)])
        self.recent = RecentDays()
        troubled = [one for one in statuses if one.losses and one.reading is not None][:days_of]
        others = [] if days_of is not None else [one for one in statuses if not one.losses or one.reading is None]
        for slot in range(SLOTS):
            self.recent.set_time(now - (SLOTS - 1 - slot) * SLOT_S)
            for one in troubled:
                self.recent.on_status(one if slot > SLOTS - 8 else _as_before(one, slot))
            for one in others:
                self.recent.on_status(one)

    def fields(self, now: Callable[[], float]) -> dict[str, Any]:
        """Return the fields of a web server's source that show the past, as of `now()`."""

        def slots(unit_id: str) -> list[Slot]:
            return self.recent.slots(unit_id, now())

        return {
            "history": self._answer,
            "trends": self._trends.read,
            "unit_changes": self._changes,
            "recent": slots,
        }

    def _answer(self, query: HistoryQuery, is_wanted: Callable[[], bool]) -> HistoryAnswer:
        return answer_history(self._path, self._site, query, is_wanted)

    def _changes(self, unit_id: str, start: float) -> list[Change]:
        with closing(read_history(self._path)) as reader:
            return reader.latest_changes(unit_id, start, 50)


def rows_before(now: float, deployed_hs: float, units: int, step_s: int = SLOT_S) -> list[Row]:
    """Return a month of a site near 93 % with a curtailed evening, and two gaps; a row covers `step_s`, s."""
    end = int(now // HOUR_S) * HOUR_S
    ages = range(DAYS * 24, 0, -1)
    return [
        _row(end - hours * HOUR_S + part, deployed_hs, units, step_s)
        for hours in ages
        if hours not in GAP_HOURS and hours // 24 not in GAP_DAYS
        for part in range(0, HOUR_S, step_s)
    ]


def _row(at: int, deployed_hs: float, units: int, step_s: int) -> Row:
    wave = math.sin(at / DAY_S * math.tau)
    is_curtailed = at % (3 * DAY_S) < 4 * HOUR_S
    lost_hs = {
        Cause.UNREACHABLE: (0.03 + 0.01 * wave) * deployed_hs,
        Cause.UNDERPERFORMING: 0.035 * deployed_hs,
        Cause.CURTAILED: (0.2 if is_curtailed else 0.0) * deployed_hs,
    }
    return row(
        at,
        span_s=step_s,
        watched_s=float(step_s),
        units=float(units),
        deployed_hs=deployed_hs,
        operating_hs=deployed_hs - sum(lost_hs.values()),
        losses_hs=lost_hs,
        known_hs=deployed_hs,
        units_by_state={UnitState.HASHING: float(units)},
    )


def changes_of(status: UnitStatus, now: float) -> list[Change]:
    """Return the states of a unit that does not hash now: it hashed for five days before."""
    if status.state is UnitState.HASHING or not status.is_looked_at:
        return []
    unit_id = status.entry.unit_id
    return [
        Change(unit_id=unit_id, state="hashing", why="hashing", since=now - 5 * DAY_S, until=status.since),
        Change(unit_id=unit_id, state=status.state, why=status.why, since=status.since),
    ]


def _as_before(status: UnitStatus, slot: int) -> UnitStatus:
    """Return how a unit was while it hashed."""
    hashrate_hs = status.entry.nameplate.hashrate_hs * (1.0 + 0.02 * math.sin(slot / 5))
    return msgspec.structs.replace(
        status, state=UnitState.HASHING, hashrate_hs=hashrate_hs, error=None, is_fresh=True, is_known=True
    )
