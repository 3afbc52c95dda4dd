"""The last 24 hours of all units: fed by every status, kept over a restart. Pure; times are arguments."""

from collections.abc import Container, Iterable, Iterator
from itertools import islice

from agent.site.recent.day import RING_BYTES, SLOT_S, WORST, Kept, Slot, UnitDay
from agent.site.status import UnitState, UnitStatus
from agent.unit.sensors import hottest_of_unit

_RANKS = {state: rank for rank, state in enumerate(WORST, start=1)}
_HASHING = _RANKS[UnitState.HASHING]


class RecentDays:
    """What happened to each unit in the last 24 hours; units that leave the ledger leave it."""

    def __init__(self) -> None:
        self._days: dict[str, UnitDay] = {}
        self._slot: int | None = None
        self._minute = 0

    def __len__(self) -> int:
        return len(self._days)

    def set_time(self, at: float) -> None:
        """Say what time it is: Unix time, s. Once an interval is enough; before the first time nothing is kept."""
        self._slot = int(at // SLOT_S)
        self._minute = int(at // 60)

    def on_status(self, status: UnitStatus) -> None:
        """Add a unit's new status. It is called after every poll and costs about a microsecond."""
        slot = self._slot
        if slot is None or not status.is_looked_at:
            return
        unit_id = status.entry.unit_id
        day = self._days.get(unit_id)
        if day is None:
            day = self._days[unit_id] = UnitDay(slot)
        state, reading = status.state, status.reading
        if status.is_overdue:
            # The unit was not asked: its earlier state says nothing of this slot.
            return
        # After a failed poll the rate is that of an earlier one, which was added then.
        is_read = status.error is None and status.is_fresh
        day.add(
            slot,
            _HASHING if state is UnitState.HASHING else _RANKS[state],
            status.hashrate_hs if is_read else None,
        )
        if is_read and reading is not None and day.wants_celsius(self._minute):
            by_board, _ = hottest_of_unit(reading.boards)
            known = [celsius for celsius in by_board if celsius is not None]
            if known:
                day.add_celsius(max(known))

    def remove(self, unit_id: str) -> None:
        """Forget a unit that left the ledger."""
        self._days.pop(unit_id, None)

    def slots(self, unit_id: str, at: float) -> list[Slot]:
        """Return a unit's 24 hours up to Unix time `at`, oldest first; empty if nothing is known of it."""
        day = self._days.get(unit_id)
        return [] if day is None else day.slots(int(at // SLOT_S))

    def kept(self, at_once: int) -> Iterator[list[Kept]]:
        """Yield copies of all days, `at_once` at a time; units may come and go between."""
        unit_ids = iter(list(self._days))
        while some := list(islice(unit_ids, at_once)):
            yield [
                Kept(unit_id, day.slot, day.ring()) for unit_id in some if (day := self._days.get(unit_id)) is not None
            ]

    def restore(self, kept: Iterable[Kept], *, deployed: Container[str], at: float) -> int:
        """Take over days that were kept; units that are not deployed, and slots of the future, are left out.

        Args:
            kept: The days.
            deployed: Ids of the deployed units.
            at: Unix time, s.

        Returns:
            The number of units.

        Raises:
            ValueError: A day has the wrong length.
        """
        now = int(at // SLOT_S)
        days = {}
        for unit_id, slot, ring in kept:
            if len(ring) != RING_BYTES:
                raise ValueError(f"damaged: the day of {unit_id[:64]!r} has {len(ring):,} bytes, not {RING_BYTES:,}")
            if unit_id not in deployed or slot < 0:
                continue
            day = days[unit_id] = UnitDay(slot, ring)
            if slot > now:
                day.turn(now)
        self._days |= days
        return len(days)
