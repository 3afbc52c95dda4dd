"""Health of the history writer: plain numbers that one thread writes and any thread may read."""

from collections import Counter
from dataclasses import dataclass, field

from agent.history.chain.heads import SignedHead

WRITE_REASONS = ("full", "unwritable", "in_use", "damaged", "foreign", "newer")
"""Reasons for a failed write: a subset of `agent.errors.HISTORY_REASONS`."""

HEAD_PARTS = ("key", "head", "log", "latest", "anchor")
"""Parts of the signed heads that can fail: the key, the history's own, the log, the latest head's file, an anchor."""

DOUBTS = ("restored", "rolled_back", "forked", "other_key", "new_key", "altered")
"""What speaks against the chain.

``restored``: the history is older than, or another than, the heads beside it say. ``rolled_back``: the same, said by
the head that a broker retained. ``forked``: another history has the same link with another hash under the same key.
``other_key``: another key signs for this site. ``new_key``: the key in the chain is gone. ``altered``: rows were not
those that had been written when they were compacted, or came back.
"""


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
        is_signing: True if heads are signed; None before the first.
        head: The latest head; None before the first, and without a history.
        day_head: The latest day's head of this run.
        head_errors: Failures of heads by part; every part has a count.
        head_troubles: What fails now, in words, by part.
        doubts: What spoke against the chain since the start, by reason; every reason has a count.
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
    is_signing: bool | None = None
    head: SignedHead | None = None
    day_head: SignedHead | None = None
    head_errors: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(HEAD_PARTS, 0)))
    head_troubles: dict[str, str] = field(default_factory=dict)
    doubts: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(DOUBTS, 0)))

    @property
    def chain_trouble(self) -> str | None:
        """What speaks against the chain or keeps its heads from being kept, in words; None while nothing does."""
        doubts = [reason.replace("_", " ") for reason, times in self.doubts.items() if times]
        parts = [f"the history is in doubt: {', '.join(doubts)}"] if doubts else []
        parts += (f"{part}: {trouble}" for part, trouble in self.head_troubles.copy().items())
        return "; ".join(parts) or None
