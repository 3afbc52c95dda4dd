"""Shares that pools rejected or called stale over the last day, of the whole site: what explains work not credited."""

from collections import deque
from typing import NamedTuple

from agent.site.status import UnitStatus

_STEP_S = 3600


class _Counters(NamedTuple):
    """A unit's counters as last read."""

    at: float
    accepted: int
    lost: int


class RejectsBook:
    """Accepted and lost shares by the hour. A unit whose counters went back has begun anew: they count as they are."""

    def __init__(self) -> None:
        self._units: dict[str, _Counters] = {}
        self._hours: deque[list[int]] = deque()

    def record(self, status: UnitStatus) -> None:
        """Record a unit's status after a poll; nearly free unless the poll read new counters."""
        reading = status.reading
        shares = None if reading is None or status.error is not None else reading.shares
        if shares is None or shares.accepted is None or (shares.rejected is None and shares.stale is None):
            return
        unit_id, lost = status.entry.unit_id, (shares.rejected or 0) + (shares.stale or 0)
        before = self._units.get(unit_id)
        if before is not None and shares.at == before.at:
            return
        self._units[unit_id] = _Counters(shares.at, shares.accepted, lost)
        # Counters from before the clock was set back are of no known time.
        if before is None or shares.at < before.at:
            return
        is_new = shares.accepted < before.accepted or lost < before.lost
        hour = self._hour(int(shares.at) // _STEP_S)
        if hour is not None:
            hour[1] += shares.accepted if is_new else shares.accepted - before.accepted
            hour[2] += lost if is_new else lost - before.lost

    def ratio(self, end: float, window_s: float) -> float | None:
        """Return the share of lost among all shares over about this window; None if no share is known."""
        first, last = (end - window_s) // _STEP_S, end // _STEP_S
        inside = [hour for hour in self._hours if first <= hour[0] <= last]
        accepted, lost = sum(hour[1] for hour in inside), sum(hour[2] for hour in inside)
        return lost / (accepted + lost) if accepted + lost else None

    def forget(self, unit_ids: "frozenset[str] | set[str] | tuple[str, ...]") -> None:
        """Forget these units; unknown ones are ignored."""
        for unit_id in unit_ids:
            self._units.pop(unit_id, None)

    def _hour(self, number: int) -> list[int] | None:
        for hour in reversed(self._hours):
            if hour[0] == number:
                return hour
        # A clock that was more than an hour ahead was set right.
        while self._hours and number < self._hours[-1][0] - 1:
            self._hours.pop()
        if self._hours and number < self._hours[-1][0]:
            return None
        self._hours.append([number, 0, 0])
        while self._hours[0][0] < number - 26:
            self._hours.popleft()
        return self._hours[-1]
