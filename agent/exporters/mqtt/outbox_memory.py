"""Messages that wait in memory for the outbox file, or for the broker while the file cannot be written."""

from collections import deque
from dataclasses import dataclass
from itertools import islice

from agent.exporters.mqtt.outbox_file import Kind, Message


@dataclass(slots=True, eq=False)
class Taken:
    """A message that waits or is being published.

    Attributes:
        message: Topic and payload.
        key: Its id in the file; None while it is in memory alone.
    """

    message: Message
    key: int | None


class OutboxMemory:
    """A queue of messages, oldest first, in which a first part has been taken for publishing.

    Attributes:
        used_bytes: Approximate size of all messages.
    """

    def __init__(self) -> None:
        self.used_bytes = 0
        self._messages: deque[Taken] = deque()
        self._taken = 0

    def __len__(self) -> int:
        return len(self._messages)

    def append(self, message: Message) -> None:
        """Add a message at the end."""
        self._messages.append(Taken(message, None))
        self.used_bytes += message.size_bytes

    def first(self, count: int) -> list[Taken]:
        """Return at most `count` of the oldest messages, taken or not."""
        return list(islice(self._messages, count))

    def remove_first(self, count: int) -> int:
        """Remove the oldest `count` messages; returns how many of them had been taken."""
        for _ in range(count):
            self.used_bytes -= self._messages.popleft().message.size_bytes
        were_taken = min(self._taken, count)
        self._taken -= were_taken
        return were_taken

    def take(self, limit: int) -> list[Taken]:
        """Take at most `limit` messages that are not taken yet, oldest first."""
        found: list[Taken] = []
        while len(found) < limit and self._taken < len(self._messages):
            found.append(self._messages[self._taken])
            self._taken += 1
        return found

    def put_back(self) -> None:
        """Return every taken message to the queue."""
        self._taken = 0

    def remove(self, taken: Taken) -> None:
        """Remove a message, if it is here."""
        if taken in self._messages:
            self._remove_at(self._messages.index(taken))

    def drop_least(self) -> Kind:
        """Remove the oldest message of the least important kind; returns that kind."""
        place = min(range(len(self._messages)), key=lambda place: self._messages[place].message.kind)
        return self._remove_at(place).message.kind

    def _remove_at(self, place: int) -> Taken:
        removed = self._messages[place]
        del self._messages[place]
        self.used_bytes -= removed.message.size_bytes
        if place < self._taken:
            self._taken -= 1
        return removed
