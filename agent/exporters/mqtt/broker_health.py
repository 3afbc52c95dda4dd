"""How one broker does: plain numbers and words."""

from collections import Counter
from dataclasses import dataclass, field

from agent.errors import BROKER_REASONS
from agent.exporters.mqtt.outbox_file import none_of_any_kind


@dataclass(slots=True, kw_only=True)
class Health:
    """How one broker does; read it anywhere.

    Attributes:
        is_connected: Whether messages come through now.
        trouble: Why not, in words.
        connections: How often it was connected to.
        delivered: Messages that it acknowledged.
        dropped: Messages given up before they reached the outbox, by kind; every kind is there.
        errors: Failures by reason; every reason is there.
        taken_in, refused: Messages taken in, and those of them that changed nothing.
    """

    is_connected: bool = False
    trouble: str | None = None
    connections: int = 0
    delivered: int = 0
    dropped: Counter[str] = field(default_factory=none_of_any_kind)
    errors: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(BROKER_REASONS, 0)))
    taken_in: int = 0
    refused: int = 0
