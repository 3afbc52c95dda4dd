"""A bounded log of the requests to all units, so that a test can prove what a client did and did not do."""

from collections import Counter, deque
from typing import NamedTuple

MAX_COMMAND_LENGTH = 64
MAX_COMMANDS = 256
OTHER = "other"


class Entry(NamedTuple):
    """One request.

    Attributes:
        at: Simulated time, Unix seconds.
        unit_id: The unit that received it.
        request: ``stats``, ``stats new_api``, or method and path for a web page.
        is_write: It would change the unit's state.
    """

    at: float
    unit_id: str
    request: str
    is_write: bool


class Journal:
    """The latest requests, and the number of requests of each kind since the start.

    Args:
        size: How many requests to keep.
    """

    def __init__(self, size: int = 100_000) -> None:
        self.entries: deque[Entry] = deque(maxlen=size)
        self.counts: Counter[str] = Counter()
        self.writes = 0

    @property
    def total(self) -> int:
        """Number of requests since the start, kept or not."""
        return self.counts.total()

    def note(self, at: float, unit_id: str, request: str, *, is_write: bool = False) -> None:
        """Record a request. Kinds beyond 256 are counted as ``other``."""
        request = request[:MAX_COMMAND_LENGTH]
        self.entries.append(Entry(at, unit_id, request, is_write))
        is_counted_by_name = request in self.counts or len(self.counts) < MAX_COMMANDS
        self.counts[request if is_counted_by_name else OTHER] += 1
        if is_write:
            self.writes += 1
