"""The effect of each declared curtailment now: units covered, asleep, still hashing, and not restored."""

from collections.abc import Iterable
from dataclasses import dataclass

from agent.site.curtailment.events import Curtailments, Event, Phase
from agent.site.status import UnitState, UnitStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFigures:
    """One event and its units at one moment; a unit under several events is counted under the one that governs it.

    Attributes:
        event: The event as declared.
        phase: Its phase now.
        units, nameplate_hs: The units it governs, and their nameplate; 0 unless it is active.
        operating_hs: Hashrate measured of those units; a unit that was not read adds nothing.
        asleep: Number of units it curtails, including those that have not woken since its end and hash nothing yet.
        stragglers: Ids of the units that hash more than its target leaves them.
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

    def add(self, status: UnitStatus) -> None:
        """Add a unit that the event governs."""
        self.units += 1
        self.nameplate_hs += status.entry.nameplate.hashrate_hs
        if status.hashrate_hs is not None:
            self.operating_hs += status.hashrate_hs
        if status.state is UnitState.CURTAILED:
            self.asleep += 1
        if status.is_straggler:
            self.stragglers.append(status.entry.unit_id)


def event_figures(curtailments: Curtailments, statuses: Iterable[UnitStatus], at: float) -> tuple[EventFigures, ...]:
    """Return the listed events at Unix time `at` with their figures, by their start."""
    events = curtailments.listed(at)
    if not events:
        return ()
    tallies = {event.id: _Tally() for event in events}
    around = curtailments.around(at)
    for status in statuses:
        event = status.event
        if event is not None:
            tally = tallies.get(event.id)
            if tally is not None:
                tally.add(status)
        elif status.state is UnitState.CURTAILED and not status.hashrate_hs:
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
