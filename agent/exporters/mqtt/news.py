"""News worth publishing: changes of a unit, of curtailments and of the agent's own health. No I/O."""

from collections.abc import Iterable, Iterator
from typing import Literal

from agent.exporters.mqtt.changes import AgentHealth, CurtailmentChanged, Subject, WorkChanged
from agent.exporters.mqtt.composer import moment
from agent.site.curtailment.events import Event, Phase
from agent.site.curtailment.orders import ScopeOrder
from agent.site.curtailment.windows import SCHEDULE
from agent.site.pools.work import PoolClass
from agent.site.status import UnitStatus

DEADBAND_RATIO = 0.05
"""Share of the nameplate. Two 5 s rates of a sound unit differ by a quarter of this, and by more than 2 % in every
eighth poll. A dead board is a third."""


def is_news(published: UnitStatus, status: UnitStatus) -> bool:
    """Return True if `status` differs enough from the one published last.

    That the agent is late with a unit is no news of the unit: the figures carry it, and an agent that lacks time must
    not publish every unit twice an interval.
    """
    # The numbers in `why` change with every poll; the reason changes with the unit.
    is_judged_alike = (
        published.state is status.state
        and published.reason is status.reason
        and published.is_diverted is status.is_diverted
    )
    is_counted, was_counted = (one.is_fresh or one.is_overdue for one in (status, published))
    if not is_judged_alike or was_counted != is_counted:
        return True
    if published.entry is not status.entry and published.entry != status.entry:
        return True
    if published.hashrate_hs is None or status.hashrate_hs is None:
        return published.hashrate_hs is not status.hashrate_hs
    return abs(published.hashrate_hs - status.hashrate_hs) > DEADBAND_RATIO * status.entry.nameplate.hashrate_hs


def happened(
    before: Phase | None, now: Phase, event: Event
) -> list[Literal["declared", "started", "ended", "stopped"]]:
    """Return what happened to a curtailment event between two calls; `before` is None for a new one."""
    found: list[Literal["declared", "started", "ended", "stopped"]] = []
    if before is None and event.source != SCHEDULE:
        found.append("declared")
    if now is Phase.ACTIVE and before is not Phase.ACTIVE:
        found.append("started")
    is_over = now in {Phase.RESTORING, Phase.ENDED}
    if is_over and before in {Phase.ACTIVE, Phase.PENDING}:
        found.append("stopped" if event.is_stopped else "ended")
    return found


class CurtailmentNews:
    """Curtailment events and their phases as last seen."""

    def __init__(self) -> None:
        self._phases: dict[str, Phase] | None = None

    def changes(self, events: Iterable[Event], at: float) -> Iterator[CurtailmentChanged]:
        """Yield what was declared, began, ended or was stopped since the last call.

        Args:
            events: All events around Unix time `at`.
            at: Now, s.
        """
        now = {event.id: (event, event.phase_at(at)) for event in events}
        before, self._phases = self._phases, {name: phase for name, (_, phase) in now.items()}
        for event, phase in now.values():
            known = None if before is None else before.get(event.id)
            if known is None and (before is None or phase not in {Phase.PENDING, Phase.ACTIVE}):
                # Events from before this run were published by an earlier run, or show in the figures.
                continue
            for what in happened(known, phase, event):
                yield _curtailment_changed(what, event)


def _curtailment_changed(what: Literal["declared", "started", "ended", "stopped"], event: Event) -> CurtailmentChanged:
    return CurtailmentChanged(
        what=what,
        id=event.id,
        target_ratio=event.target_ratio,
        scope=ScopeOrder(**event.scope.names()),
        source=event.source,
        start=moment(event.start),
        end=None if event.end is None else moment(event.end),
    )


class WorkNews:
    """Units whose work is diverted now. A unit that is so when it is first seen is news as well."""

    def __init__(self) -> None:
        self._diverted: set[str] = set()

    def change(self, status: UnitStatus) -> WorkChanged | None:
        """Return the event if a unit's work became diverted or is no longer; what is not known changes nothing."""
        unit_id, work = status.entry.unit_id, status.work
        was_diverted = unit_id in self._diverted
        if work is None or work.pool_class is PoolClass.UNKNOWN or work.is_diverted is was_diverted:
            return None
        if work.is_diverted:
            self._diverted.add(unit_id)
        else:
            self._diverted.remove(unit_id)
        return WorkChanged(
            unit_id=unit_id,
            container=status.entry.place.container,
            is_diverted=work.is_diverted,
            pool_class=work.pool_class,
            pool=work.entry,
            hashrate_hs=status.hashrate_hs,
        )

    def forget(self, unit_id: str) -> None:
        """Forget a unit that left the ledger."""
        self._diverted.discard(unit_id)


class HealthNews:
    """Parts of the agent that are not well now, by subject and name."""

    def __init__(self) -> None:
        self._unwell: set[tuple[str, str]] = set()

    def change(self, subject: Subject, name: str, *, is_well: bool, detail: str) -> AgentHealth | None:
        """Return the event if this is a change; None if not. Being well from the start is no change."""
        key = (subject, name)
        if is_well == (key not in self._unwell):
            return None
        if is_well:
            self._unwell.remove(key)
        else:
            self._unwell.add(key)
        return AgentHealth(subject=subject, is_well=is_well, detail=f"{name}: {detail}")
