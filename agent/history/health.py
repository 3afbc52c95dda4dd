"""How keeping history goes: plain numbers that one thread writes and any may read."""

from collections import Counter
from dataclasses import dataclass, field

WRITE_REASONS = ("full", "unwritable", "in_use", "damaged", "foreign", "newer")
"""Why history could not be written; of `agent.errors.HISTORY_REASONS`."""


@dataclass(slots=True, kw_only=True)
class Health:
    """How it goes.

    Attributes:
        is_writing: Whether the latest write succeeded; None before the first.
        trouble: Why it did not, in words.
        written: Rows and changes since the start.
        dropped: Those that could not be kept until they could be written.
        pending: Those that are to be written.
        errors: Failures by reason; every reason is there.
        written_at: Unix time of the latest success, s.
        size_bytes: The file's, its log with it.
    """

    is_writing: bool | None = None
    trouble: str | None = None
    written: int = 0
    dropped: int = 0
    pending: int = 0
    errors: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(WRITE_REASONS, 0)))
    written_at: float | None = None
    size_bytes: int | None = None
