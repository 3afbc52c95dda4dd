"""A priority queue of addresses, by urgency and then by due time, with each address in it once.

Pure: the clock is an argument.
"""

import heapq
from enum import IntEnum

from agent.address import Endpoint

_SLACK = 64


class Urgency(IntEnum):
    """The order among addresses that are due; the lowest goes first."""

    EXCHANGED = 0
    RESTARTED = 1
    NEW = 2
    SEARCHED = 3
    ROUTINE = 4


class Agenda:
    """Addresses whose page is wanted, each with the earliest time to ask."""

    def __init__(self) -> None:
        self._heaps: dict[Urgency, list[tuple[float, Endpoint]]] = {urgency: [] for urgency in Urgency}
        self._wanted: dict[Endpoint, tuple[Urgency, float]] = {}

    def __len__(self) -> int:
        return len(self._wanted)

    def __contains__(self, endpoint: object) -> bool:
        return endpoint in self._wanted

    def want(self, endpoint: Endpoint, urgency: Urgency, due: float) -> None:
        """Add an address; one already there takes the higher urgency and the earlier time of both."""
        known = self._wanted.get(endpoint)
        wanted = (urgency, due) if known is None else (min(urgency, known[0]), min(due, known[1]))
        if wanted == known:
            return
        self._wanted[endpoint] = wanted
        heap = self._heaps[wanted[0]]
        heapq.heappush(heap, (wanted[1], endpoint))
        if len(heap) > 2 * len(self._wanted) + _SLACK:
            # A moved or removed address leaves its old item in the heap until that comes to the top: up to a day.
            heap[:] = [(due, name) for name, (rank, due) in self._wanted.items() if rank is wanted[0]]
            heapq.heapify(heap)

    def drop(self, endpoint: Endpoint) -> None:
        """Remove an address, if it is there."""
        self._wanted.pop(endpoint, None)

    def take(self, now: float) -> Endpoint | None:
        """Remove and return the most urgent address that is due, the longest overdue first; None if none is due."""
        for urgency, heap in self._heaps.items():
            first = self._first(urgency, heap)
            if first is not None and first[0] <= now:
                del self._wanted[first[1]]
                return first[1]
        return None

    def _first(self, urgency: Urgency, heap: list[tuple[float, Endpoint]]) -> tuple[float, Endpoint] | None:
        """Return the first item of a heap that is still valid, and drop the outdated ones before it."""
        while heap:
            due, endpoint = heap[0]
            if self._wanted.get(endpoint) == (urgency, due):
                return heap[0]
            heapq.heappop(heap)
        return None
