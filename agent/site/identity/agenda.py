"""What is to be asked next, by urgency and then by time; each thing stands in it once.

Pure: the clock is an argument.
"""

import heapq
from enum import IntEnum

from agent.address import Endpoint

_SLACK = 64


class Urgency(IntEnum):
    """What goes first when several are due."""

    EXCHANGED = 0
    RESTARTED = 1
    NEW = 2
    SEARCHED = 3
    ROUTINE = 4


class Agenda:
    """Addresses at which somebody is to be asked who they are, each with a time before which not."""

    def __init__(self) -> None:
        self._heaps: dict[Urgency, list[tuple[float, Endpoint]]] = {urgency: [] for urgency in Urgency}
        self._wanted: dict[Endpoint, tuple[Urgency, float]] = {}

    def __len__(self) -> int:
        return len(self._wanted)

    def __contains__(self, endpoint: object) -> bool:
        return endpoint in self._wanted

    def want(self, endpoint: Endpoint, urgency: Urgency, due: float) -> None:
        """Put an address in, or move one that is there to the more urgent and the earlier of both."""
        known = self._wanted.get(endpoint)
        wanted = (urgency, due) if known is None else (min(urgency, known[0]), min(due, known[1]))
        if wanted == known:
            return
        self._wanted[endpoint] = wanted
        heap = self._heaps[wanted[0]]
        heapq.heappush(heap, (wanted[1], endpoint))
        if len(heap) > 2 * len(self._wanted) + _SLACK:
            # What was moved or taken out stays in the heap until it comes to the top, which may take a day.
            heap[:] = [(due, name) for name, (rank, due) in self._wanted.items() if rank is wanted[0]]
            heapq.heapify(heap)

    def drop(self, endpoint: Endpoint) -> None:
        """Take an address out, if it is there."""
        self._wanted.pop(endpoint, None)

    def take(self, now: float) -> Endpoint | None:
        """Take out the most urgent address that is due, the one due longest first; None when none is."""
        for urgency, heap in self._heaps.items():
            first = self._first(urgency, heap)
            if first is not None and first[0] <= now:
                del self._wanted[first[1]]
                return first[1]
        return None

    def _first(self, urgency: Urgency, heap: list[tuple[float, Endpoint]]) -> tuple[float, Endpoint] | None:
        """Give the first of a heap that still stands as it was put in, and forget those before it."""
        while heap:
            due, endpoint = heap[0]
            if self._wanted.get(endpoint) == (urgency, due):
                return heap[0]
            heapq.heappop(heap)
        return None
