"""What the units were asked: a bounded log of requests, so that a test can prove what a client did and did not do."""

from collections import Counter, deque
from typing import NamedTuple

MAX_COMMAND_LENGTH = 64
MAX_COMMANDS = 256
OTHER = "other"


class Entry(NamedTuple):
    """One request.

    Attributes:
        at: Simulated time, Unix seconds.
        unit_id: Who was asked.
        request: ``stats``, ``stats new_api``, or for the web the method and path.
        is_write: It would change the unit's state.
    """

    at: float
    unit_id: str
    request: str
    is_write: bool


class Journal:
    """The last requests, and how many there were of each kind since the start.

    Args:
        size: How many requests are kept.
    """

    def __init__(self, size: int = 100_000) -> None:
        self.entries: deque[Entry] = deque(maxlen=size)
        self.counts: Counter[str] = Counter()
        self.writes = 0

    @property
    def total(self) -> int:
        """How many requests there were, kept or not."""
        return self.counts.total()

    def note(self, at: float, unit_id: str, request: str, *, is_write: bool = False) -> None:
        """Put a request down. Kinds beyond 256 are counted as ``other``."""
        request = request[:MAX_COMMAND_LENGTH]
        self.entries.append(Entry(at, unit_id, request, is_write))
        self.counts[request if request in self.counts or len(self.counts) < MAX_COMMANDS else OTHER] += 1
        self.writes += is_write
