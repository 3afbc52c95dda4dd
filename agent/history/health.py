"""Health of the history writer: plain numbers that one thread writes and any thread may read."""

from collections import Counter
from dataclasses import dataclass, field

WRITE_REASONS = ("full", "unwritable", "in_use", "damaged", "foreign", "newer")
"""Reasons for a failed write: a subset of `agent.errors.HISTORY_REASONS`."""


@dataclass(slots=True, kw_only=True)
class Health:
    """Counters and state of the history writer.

    Attributes:
        is_writing: True if the latest write succeeded; None before the first.
        trouble: Why the latest write failed, in words; None if it succeeded.
        written: Rows and changes written since the start.
        dropped: Rows and changes dropped because too many were pending.
        set_aside: Rows and changes from the future that were set aside since the start.
        pending: Rows and changes waiting to be written.
        errors: Failures by reason; every reason has a count.
        written_at: Unix time of the latest successful write, s.
        size_bytes: Size of the file and its write-ahead log.
    """

    is_writing: bool | None = None
    trouble: str | None = None
    written: int = 0
    dropped: int = 0
    set_aside: int = 0
    pending: int = 0
    errors: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(WRITE_REASONS, 0)))
    written_at: float | None = None
    size_bytes: int | None = None
