"""What lies before the units of a farm, soonest first, and who of them does not answer at all.

So that a farm to which little happens costs little, however many units it has: only those to whom something happens are
looked at.
"""

import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush

from simulators.unit.endpoints import Endpoint
from simulators.unit.unit import Unit


class Diary:
    """Plays what falls due in some units, and keeps who of them is silent.

    Args:
        units: The units, in the order of their indices.
        found_at: Gives the unit that is found at the address of a unit.
    """

    def __init__(self, units: Sequence[Unit], found_at: Callable[[Unit], Unit]) -> None:
        self._units = units
        self._found_at = found_at
        # A unit's entry in the heap that counts is the one noted here, never later than its next event; others are old.
        self._due: list[tuple[float, int]] = []
        self._noted = array("d", [math.inf]) * len(units)
        self._silent_units = {unit.identity.index for unit in units if unit.is_silent}
        self._swapped = {unit.identity.index for unit in units if unit.conditions.answers_as}
        self._silent: frozenset[Endpoint] | None = None
        note = self.note
        for unit in units:
            unit.on_schedule = note
            note(unit)

    def note(self, unit: Unit) -> None:
        """Put down when something happens to a unit next."""
        at, index = unit.next_event, unit.identity.index
        if at < self._noted[index]:
            self._noted[index] = at
            heappush(self._due, (at, index))

    def play(self, t: float) -> Iterator[Unit]:
        """Play what is due up to `t`, Unix seconds, unit by unit, and give each to whom something may have happened."""
        due = self._due
        while due and due[0][0] <= t:
            at, index = heappop(due)
            if at != self._noted[index]:
                continue
            unit = self._units[index]
            unit.advance(t)
            self._noted[index] = math.inf
            self.note(unit)
            self._see(unit)
            yield unit

    @property
    def silent(self) -> frozenset[Endpoint]:
        """Where nothing answers, as of what was played; the same object while that stays the same."""
        if self._silent is None:
            swapped = [self._units[index] for index in self._swapped]
            found = [unit for unit in swapped if self._found_at(unit).identity.index in self._silent_units]
            found += [self._units[index] for index in self._silent_units - self._swapped]
            self._silent = frozenset(unit.identity.endpoint for unit in found)
        return self._silent

    def _see(self, unit: Unit) -> None:
        """Take down whether a unit is silent, and whether another one is found at its address."""
        index = unit.identity.index
        is_swapped = bool(unit.conditions.answers_as)
        if is_swapped or unit.is_silent != (index in self._silent_units) or index in self._swapped:
            self._silent = None
        _keep(self._silent_units, index, is_in=unit.is_silent)
        _keep(self._swapped, index, is_in=is_swapped)


def _keep(members: set[int], index: int, *, is_in: bool) -> None:
    if is_in:
        members.add(index)
    else:
        members.discard(index)
