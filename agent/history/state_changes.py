"""Units' states over time: the state, its reason, its start and its end. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from agent.site.reasons import REASONS, Reason, Severity
from agent.site.status import UnitState, UnitStatus
from agent.slices import Slices

UNITS_PER_SLICE = 10_000
AHEAD_S = 3600.0
"""A state that began so much later than now was dated by a wrong clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One unit in one state.

    Attributes:
        unit_id, state, why: As in `UnitStatus`.
        since, until: Unix times, s; `until` is None while the state lasts.
    """

    unit_id: str
    state: str
    why: str
    since: float
    until: float | None = None


class ChangeBook:
    """Derives changes of state from statuses."""

    def __init__(self) -> None:
        self._open: dict[str, Change] = {}
        self._reasons: dict[str, Reason] = {}

    def observe(self, status: UnitStatus) -> list[Change]:
        """Return the state that a status ends and the one it begins.

        The list is empty before the unit is first polled, and while the state is the same. A unit that does not hash
        may show its reason only at a later poll. Then its state is returned once more, with the better reason.
        """
        before = self._open.get(status.entry.unit_id)
        if before is not None and before.state == status.state:
            return self._explained(before, status)
        if not status.is_looked_at:
            return []
        since = status.since
        if before is not None and before.since <= since + AHEAD_S:
            # After a clock was set back a little, no state may end before it began.
            since = max(since, before.since)
        change = Change(unit_id=status.entry.unit_id, state=status.state, why=status.why, since=since)
        self._open[change.unit_id] = change
        self._reasons[change.unit_id] = status.reason
        return [change] if before is None else [replace(before, until=max(since, before.since)), change]

    def set_back(self, at: float) -> list[Change]:
        """Begin anew, at Unix time `at`, s, the states that a wrong clock dated into the future; returns them."""
        wrong = [change for change in self._open.values() if change.since > at + AHEAD_S]
        begun = [replace(change, since=at) for change in wrong]
        self._open.update((change.unit_id, change) for change in begun)
        return begun

    def _explained(self, before: Change, status: UnitStatus) -> list[Change]:
        if status.state is UnitState.HASHING or not _is_better(self._reasons[before.unit_id], status.reason):
            return []
        change = replace(before, why=status.why)
        self._open[change.unit_id], self._reasons[change.unit_id] = change, status.reason
        return [change]

    def end_missing(self, is_there: Callable[[str], bool], *, at: float) -> Slices[list[Change]]:
        """Return the states that end because their unit is no longer deployed.

        Args:
            is_there: Returns True if a unit is deployed now.
            at: Current Unix time, s.
        """
        gone = []
        for number, unit_id in enumerate(tuple(self._open), start=1):
            if not is_there(unit_id):
                gone.append(unit_id)
            if not number % UNITS_PER_SLICE:
                yield
        for unit_id in gone:
            del self._reasons[unit_id]
        return [replace(change, until=max(at, change.since)) for change in map(self._open.pop, sorted(gone))]


_RANK = {severity: rank for rank, severity in enumerate(Severity)}


def _is_better(before: Reason, now: Reason) -> bool:
    """Return True if a reason says more than the one before: at most three times in a row."""
    if before is Reason.STOPPED_UNKNOWN:
        return now is not before
    return now is not Reason.STOPPED_UNKNOWN and _RANK[REASONS[now].severity] > _RANK[REASONS[before].severity]
