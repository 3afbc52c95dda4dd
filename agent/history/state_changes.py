"""Units' states over time: the state, its reason, its start and its end. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from agent.site.status import UnitStatus
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

    def observe(self, status: UnitStatus) -> list[Change]:
        """Return the state that a status ends and the one it begins.

        The list is empty while the state is the same, and before the unit is first polled.
        """
        before = self._open.get(status.entry.unit_id)
        if before is not None and before.state == status.state:
            return []
        if not status.is_looked_at:
            return []
        since = status.since
        if before is not None and before.since <= since + AHEAD_S:
            # After a clock was set back a little, no state may end before it began.
            since = max(since, before.since)
        change = Change(unit_id=status.entry.unit_id, state=status.state, why=status.why, since=since)
        self._open[change.unit_id] = change
        return [change] if before is None else [replace(before, until=max(since, before.since)), change]

    def set_back(self, at: float) -> list[Change]:
        """Begin anew, at Unix time `at`, s, the states that a wrong clock dated into the future; returns them."""
        wrong = [change for change in self._open.values() if change.since > at + AHEAD_S]
        begun = [replace(change, since=at) for change in wrong]
        self._open.update((change.unit_id, change) for change in begun)
        return begun

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
        return [replace(change, until=max(at, change.since)) for change in map(self._open.pop, sorted(gone))]
