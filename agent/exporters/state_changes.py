"""Units' states over time: which state, why, from when to when. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from agent.site.status import UnitState, UnitStatus


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
        if status.reading is None and status.error is None and status.state is not UnitState.MAINTENANCE:
            return []
        # A clock that was set back ends nothing before it began.
        since = status.since if before is None else max(status.since, before.since)
        change = Change(unit_id=status.entry.unit_id, state=status.state, why=status.why, since=since)
        self._open[change.unit_id] = change
        return [change] if before is None else [replace(before, until=since), change]

    def observe_all(self, statuses: Iterable[UnitStatus], *, at: float) -> list[Change]:
        """Give the same for all units there are, and end the states of those that are gone.

        Args:
            statuses: Every unit's that is deployed now.
            at: Unix time now, s.
        """
        seen: set[str] = set()
        changes: list[Change] = []
        for status in statuses:
            seen.add(status.entry.unit_id)
            changes += self.observe(status)
        for unit_id in sorted(self._open.keys() - seen):
            gone = self._open.pop(unit_id)
            changes.append(replace(gone, until=max(at, gone.since)))
        return changes
