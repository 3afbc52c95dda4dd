"""What each declared curtailment comes to now: whom it covers, who sleeps, who goes on hashing, who did not return."""

from collections.abc import Iterable
from dataclasses import dataclass

from agent.site.curtailment.events import Curtailments, Event, Phase
from agent.site.status import UnitState, UnitStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFigures:
    """One event and its units at one moment; a unit under several events is counted under the one that governs it.

    Attributes:
        event: What was declared.
        phase: Where it stands.
        units, nameplate_hs: Whom it governs; 0 unless it is active.
        operating_hs: What those of them hash that were measured, as of the site; who was not read adds nothing.
        asleep: How many units are curtailed by it, those included that have not woken since its end.
        stragglers: Ids of the units that go on hashing although it leaves them nothing.
        unrestored: Ids of the units that it curtailed and that do not hash again, 15 minutes or longer after its end.
    """

    event: Event
    phase: Phase
    units: int
    nameplate_hs: float
    operating_hs: float
    asleep: int
    stragglers: tuple[str, ...]
    unrestored: tuple[str, ...]


class _Tally:
    """Running sums of one event."""

    __slots__ = ("asleep", "nameplate_hs", "operating_hs", "stragglers", "units", "unrestored")

    def __init__(self) -> None:
        self.units = self.asleep = 0
        self.nameplate_hs = self.operating_hs = 0.0
        self.stragglers: list[str] = []
        self.unrestored: list[str] = []


def event_figures(curtailments: Curtailments, statuses: Iterable[UnitStatus], at: float) -> tuple[EventFigures, ...]:
    """Give the listed events at Unix time `at` with what they come to, by their start."""
    events = curtailments.listed(at)
    if not events:
        return ()
    tallies = {event.id: _Tally() for event in events}
    around = curtailments.around(at)
    for status in statuses:
        event = status.event
        if event is not None:
            tally = tallies.get(event.id)
            if tally is None:
                continue
            tally.units += 1
            tally.nameplate_hs += status.entry.nameplate.hashrate_hs
            if status.hashrate_hs is not None:
                tally.operating_hs += status.hashrate_hs
            tally.asleep += status.state is UnitState.CURTAILED
            if status.is_straggler:
                tally.stragglers.append(status.entry.unit_id)
        elif status.state is UnitState.CURTAILED:
            event = around.restoring_event(status.entry)
            if event is not None:
                tallies[event.id].asleep += 1
        elif status.unrestored is not None and status.unrestored.id in tallies:
            tallies[status.unrestored.id].unrestored.append(status.entry.unit_id)
    return tuple(_figures(event, tallies[event.id], at) for event in events)


def _figures(event: Event, tally: _Tally, at: float) -> EventFigures:
    return EventFigures(
        event=event,
        phase=event.phase_at(at),
        units=tally.units,
        nameplate_hs=tally.nameplate_hs,
        operating_hs=tally.operating_hs,
        asleep=tally.asleep,
        stragglers=tuple(tally.stragglers),
        unrestored=tuple(tally.unrestored),
    )
