"""State of one outbox, as plain numbers and words."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from agent.errors import OUTBOX_REASONS
from agent.exporters.mqtt.outbox_file import Kind, none_of_any_kind


@dataclass(slots=True, kw_only=True)
class OutboxHealth:
    """Message counts and trouble of one outbox; may be read from any thread.

    Attributes:
        trouble: Why the file cannot be written, in words; None while it can.
        in_file, in_memory: Messages waiting.
        file_bytes: Size of the file's pages in use.
        dropped: Messages dropped for lack of room, by kind; every kind is present.
        errors: Failures by reason; every reason is present.
    """

    trouble: str | None = None
    in_file: int = 0
    in_memory: int = 0
    file_bytes: int = 0
    dropped: Counter[str] = field(default_factory=none_of_any_kind)
    errors: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(OUTBOX_REASONS, 0)))

    def count_dropped(self, dropped: Iterable[tuple[Kind, int]]) -> None:
        """Add numbers of dropped messages, by kind."""
        for kind, count in dropped:
            self.dropped[kind.label] += count
