"""Connection health of one broker, as plain numbers and words."""

from collections import Counter
from dataclasses import dataclass, field

from agent.errors import BROKER_REASONS
from agent.exporters.mqtt.outbox_file import none_of_any_kind


@dataclass(slots=True, kw_only=True)
class BrokerHealth:
    """One broker's connection and message counts; may be read from any thread.

    Attributes:
        is_connected: True while messages get through.
        trouble: Why they do not, in words; None while they do.
        connections: Connections made.
        delivered: Messages that the broker acknowledged.
        dropped: Messages dropped before they reached the outbox, by kind; every kind is present.
        errors: Failures by reason; every reason is present.
        taken_in, refused: Messages received, and those of them that were refused.
    """

    is_connected: bool = False
    trouble: str | None = None
    connections: int = 0
    delivered: int = 0
    dropped: Counter[str] = field(default_factory=none_of_any_kind)
    errors: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(BROKER_REASONS, 0)))
    taken_in: int = 0
    refused: int = 0
