"""The next event of every unit, soonest first, and the addresses that do not answer at all.

Only units with a due event are visited, so a farm in which little happens costs little, however many units it has.
"""

import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush

from simulators.unit.endpoints import Endpoint
from simulators.unit.unit import Unit


class Diary:
    """A queue of the units' next events, and the set of silent addresses.

    Args:
        units: The units, in the order of their indices.
        found_at: Returns the unit that answers at the address of a given unit.
    """

    def __init__(self, units: Sequence[Unit], found_at: Callable[[Unit], Unit]) -> None:
        self._units = units
        self._found_at = found_at
        # A heap entry counts only if its time is the one noted for its unit; that is never later than the next event.
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
        """Queue the next event of a unit."""
        at, index = unit.next_event, unit.identity.index
        if at < self._noted[index]:
            self._noted[index] = at
            heappush(self._due, (at, index))

    def play(self, t: float) -> Iterator[Unit]:
        """Play the events due up to `t`, Unix seconds, and yield each unit that may have changed."""
        due = self._due
        while due and due[0][0] <= t:
            at, index = heappop(due)
            if at != self._noted[index]:
                continue
            unit = self._units[index]
            unit.advance(t)
            self._noted[index] = math.inf
            self.note(unit)
            self._record(unit)
            yield unit

    @property
    def silent(self) -> frozenset[Endpoint]:
        """Endpoints that do not answer, as of the last `play`; the same object while nothing changes."""
        if self._silent is None:
            swapped = [self._units[index] for index in self._swapped]
            found = [unit for unit in swapped if self._found_at(unit).identity.index in self._silent_units]
            found += [self._units[index] for index in self._silent_units - self._swapped]
            self._silent = frozenset(unit.identity.endpoint for unit in found)
        return self._silent

    def _record(self, unit: Unit) -> None:
        """Record if a unit is silent, and if another unit answers at its address."""
        index = unit.identity.index
        is_swapped = bool(unit.conditions.answers_as)
        if is_swapped or unit.is_silent != (index in self._silent_units) or index in self._swapped:
            self._silent = None
        _set_member(self._silent_units, index, is_in=unit.is_silent)
        _set_member(self._swapped, index, is_in=is_swapped)


def _set_member(members: set[int], index: int, *, is_in: bool) -> None:
    if is_in:
        members.add(index)
    else:
        members.discard(index)
