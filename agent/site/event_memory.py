"""One unit's memory of curtailment: which event it has to wake from, and whether it came back. Pure."""

from agent.site.curtailment.events import Event, Phase, Slice
from agent.site.ledger.entries import LedgerEntry
from agent.site.status import Cause, Loss, UnitState, is_full
from agent.unit.nameplate import Nameplate
from agent.unit.reading import Mode, UnitReading


class EventMemory:
    """The events behind a unit's sleep.

    Attributes:
        curtailed_by: The event that last curtailed the unit, until it hashes again.
        cut_by: The event that last took hashrate from it, until it hashes at its full rate again.
        has_hashed: True once this process saw it hash.
    """

    __slots__ = ("curtailed_by", "cut_by", "has_hashed")

    def __init__(self) -> None:
        self.curtailed_by: Event | None = None
        self.cut_by: Event | None = None
        self.has_hashed = False

    @property
    def is_settled(self) -> bool:
        """True if `unrestored` would learn nothing from a unit that hashes."""
        return self.has_hashed and self.curtailed_by is None

    def waking_from(self, around: Slice, entry: LedgerEntry, reading: UnitReading | None) -> Event | None:
        """Return the event that ended lately and from which the unit is still on its way back, or None.

        An agent that was not running during the event knows it from a process that began after the event's end.
        """
        restoring = around.restoring_event(entry)
        if restoring is None:
            return None
        if self.cut_by is not None and self.cut_by.id == restoring.id:
            return restoring
        if self.has_hashed or reading is None or reading.uptime_s is None or restoring.end is None:
            return None
        return restoring if reading.at - reading.uptime_s >= restoring.end else None

    def note_cut(self, event: Event, losses: tuple[Loss, ...]) -> None:
        """Remember the event in force if it takes hashrate from the unit."""
        if any(loss.cause is Cause.CURTAILED for loss in losses):
            self.cut_by = event

    def note_return(self, reading: UnitReading, nameplate: Nameplate, *, is_settled: bool) -> None:
        """Forget the event once the unit that hashes again does so at its full rate, or no longer rises."""
        if is_settled or is_full(reading, nameplate):
            self.cut_by = None

    def unrestored(
        self,
        state: UnitState,
        around: Slice,
        *,
        event: Event | None,
        entry: LedgerEntry,
        reading: UnitReading | None,
        at: float,
    ) -> Event | None:
        """Remember which event curtailed the unit; return it if the unit had its time to wake and does not hash.

        Args:
            state: The unit's state now.
            around: The events that matter at Unix time `at`.
            event: The one in force that covers the unit, or None.
            entry: The unit's.
            reading: Its latest; None before the first.
            at: Unix time now, s.
        """
        if state is UnitState.HASHING:
            self.curtailed_by, self.has_hashed = None, True
            return None
        if state is UnitState.CURTAILED:
            self.curtailed_by = event or around.restoring_event(entry)
        elif self.curtailed_by is not None:
            # An event that is stopped by an order gets an end it did not have before.
            self.curtailed_by = around.ended(self.curtailed_by.id) or self.curtailed_by
        elif not self.has_hashed and reading is not None and reading.mode is Mode.SLEEP:
            # An agent that was not running during the event knows it from what ended since.
            self.curtailed_by = around.remembered_event(entry)
        by = self.curtailed_by
        if by is None or event is not None or state in {UnitState.CURTAILED, UnitState.MAINTENANCE}:
            return None
        return by if by.phase_at(at) is Phase.ENDED else None
