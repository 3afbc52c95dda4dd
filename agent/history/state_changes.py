"""Units' states over time: which state, why, from when to when. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from agent.site.status import UnitStatus
from agent.slices import Turns

UNITS_A_TURN = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One unit in one state.

    Attributes:
        unit_id, state, why: As in `UnitStatus`.
        since, until: Unix times, s; `until` is None while it lasts.
    """

    unit_id: str
    state: str
    why: str
    since: float
    until: float | None = None


class ChangeBook:
    """Tells what each change of state ends and begins."""

    def __init__(self) -> None:
        self._open: dict[str, Change] = {}

    def observe(self, status: UnitStatus) -> list[Change]:
        """Give what a unit's status ends and begins; nothing while its state is the same, or not looked at yet."""
        before = self._open.get(status.entry.unit_id)
        if before is not None and before.state == status.state:
            return []
        if not status.is_looked_at:
            return []
        # A clock that was set back ends nothing before it began.
        since = status.since if before is None else max(status.since, before.since)
        change = Change(unit_id=status.entry.unit_id, state=status.state, why=status.why, since=since)
        self._open[change.unit_id] = change
        return [change] if before is None else [replace(before, until=since), change]

    def end_missing(self, is_there: Callable[[str], bool], *, at: float) -> Turns[list[Change]]:
        """Give what ends because its unit is gone.

        Args:
            is_there: Says whether a unit is deployed now.
            at: Unix time now, s.
        """
        gone = []
        for number, unit_id in enumerate(tuple(self._open), start=1):
            if not is_there(unit_id):
                gone.append(unit_id)
            if not number % UNITS_A_TURN:
                yield
        return [replace(change, until=max(at, change.since)) for change in map(self._open.pop, sorted(gone))]
