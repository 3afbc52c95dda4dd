"""One unit's last 24 hours in slots of ten minutes: mean rate, hottest chip, worst state. Pure.

A slot takes four bytes, a unit 0.8 kB in all. What was not seen is absent: a unit that was not read has no rate in that
slot, and a slot in which the agent did not run has nothing at all.
"""

import struct
from typing import NamedTuple

from agent.site.status import UnitState
from agent.unit.limits import HS_PER_THS

SLOT_S = 600
SLOTS = 144
"""Slots of one day."""

WORST: tuple[UnitState, ...] = (
    UnitState.HASHING,
    UnitState.STARTING,
    UnitState.CURTAILED,
    UnitState.MAINTENANCE,
    UnitState.STOPPED,
    UnitState.UNREADABLE,
    UnitState.UNREACHABLE,
)
"""States from best to worst; a slot shows the worst that the unit was in."""

RING_BYTES = 4 * SLOTS
_CELSIUS_AT, _STATES_AT = 2 * SLOTS, 3 * SLOTS
# One byte holds 0 for absent and otherwise -59 to 195 C.
_CELSIUS_OFFSET, _MOST = 60, 255
# Half floats of TH/s: three digits, from 0.06 GH/s to 65 PH/s.
_RATE = struct.Struct("<e")
_MOST_THS = 65_000.0
_NOTHING = _RATE.pack(float("nan"))
_EMPTY = _NOTHING * SLOTS + bytes(2 * SLOTS)


class Slot(NamedTuple):
    """Ten minutes of one unit.

    Attributes:
        at: Unix time at which they begin, s.
        hashrate_hs: Mean of the rates measured in that time; None if none was.
        celsius: Hottest chip of that time; None if no sensor was read.
        state: The worst state of that time; None if the agent did not look.
    """

    at: int
    hashrate_hs: float | None
    celsius: float | None
    state: UnitState | None


class Kept(NamedTuple):
    """One unit's day as it is kept on disk.

    Attributes:
        unit_id: The unit.
        slot: Number of its latest slot: Unix time over `SLOT_S`.
        ring: Its slots, `RING_BYTES` long.
    """

    unit_id: str
    slot: int
    ring: bytes


class UnitDay:
    """One unit's slots.

    Args:
        slot: Number of the slot to begin with.
        ring: Slots from before; None for none.
    """

    __slots__ = ("_hottest", "_minute", "_rates", "_ring", "_sum_hs", "_worst", "slot")

    def __init__(self, slot: int, ring: bytes | None = None) -> None:
        self.slot = slot
        self._ring = bytearray(_EMPTY if ring is None else ring)
        self._rates = 0
        self._sum_hs = 0.0
        self._hottest = self._worst = 0
        self._minute = -1

    def add(self, slot: int, rank: int, rate_hs: float | None) -> None:
        """Add a look at the unit.

        Args:
            slot: Number of the slot.
            rank: Place of the unit's state in `WORST`, from 1.
            rate_hs: The rate measured by that look; None if it measured none.
        """
        if slot != self.slot:
            self.turn(slot)
        if rank > self._worst:  # noqa: PLR1730 - a call of `max` costs twice as much, at every poll.
            self._worst = rank
        if rate_hs is not None:
            self._sum_hs += rate_hs
            self._rates += 1

    def wants_celsius(self, minute: int) -> bool:
        """Return True once in a minute: the temperature costs more than all else."""
        if minute == self._minute:
            return False
        self._minute = minute
        return True

    def add_celsius(self, celsius: float) -> None:
        """Add the temperature of the hottest chip."""
        byte = min(max(round(celsius) + _CELSIUS_OFFSET, 1), _MOST)
        self._hottest = max(byte, self._hottest)

    def turn(self, slot: int) -> None:
        """Begin another slot. Slots between are absent, and so are those that a clock set back left in the future."""
        self._close()
        first, last = (self.slot + 1, slot) if slot > self.slot else (slot, self.slot)
        for number in range(max(first, last - SLOTS + 1), last + 1):
            self._clear(number % SLOTS)
        self.slot = slot
        self._rates, self._sum_hs, self._hottest, self._worst = 0, 0.0, 0, 0

    def _clear(self, place: int) -> None:
        self._ring[2 * place : 2 * place + 2] = _NOTHING
        self._ring[_CELSIUS_AT + place] = self._ring[_STATES_AT + place] = 0

    def _close(self) -> None:
        """Write what is known of the current slot; it may go on."""
        place, ring = self.slot % SLOTS, self._ring
        if self._rates:
            _RATE.pack_into(ring, 2 * place, min(self._sum_hs / self._rates / HS_PER_THS, _MOST_THS))
        if self._hottest:
            ring[_CELSIUS_AT + place] = max(ring[_CELSIUS_AT + place], self._hottest)
        if self._worst:
            ring[_STATES_AT + place] = max(ring[_STATES_AT + place], self._worst)

    def ring(self) -> bytes:
        """Return a copy of all slots, the current one included."""
        self._close()
        return bytes(self._ring)

    def slots(self, latest: int) -> list[Slot]:
        """Return the 24 hours that end with slot `latest`, oldest first."""
        self._close()
        rates = struct.unpack_from(f"<{SLOTS}e", self._ring)
        found = []
        for number in range(latest - SLOTS + 1, latest + 1):
            place = number % SLOTS
            if not self.slot - SLOTS < number <= self.slot:
                found.append(Slot(number * SLOT_S, None, None, None))
                continue
            rate, celsius, rank = rates[place], self._ring[_CELSIUS_AT + place], self._ring[_STATES_AT + place]
            found.append(
                Slot(
                    number * SLOT_S,
                    # NaN alone differs from itself.
                    rate * HS_PER_THS if rate == rate else None,  # noqa: PLR0124
                    float(celsius - _CELSIUS_OFFSET) if celsius else None,
                    WORST[rank - 1] if 0 < rank <= len(WORST) else None,
                )
            )
        return found
