"""How a broker and its outbox do, as numbers that the agent's own metrics show."""

from collections.abc import Mapping
from typing import NamedTuple


class BrokerNumbers(NamedTuple):
    """One broker, now.

    Attributes:
        name: From the configuration.
        is_connected: Whether messages come through.
        is_outbox_kept: Whether the outbox is on the disk, and not in memory because the disk fails.
        connections, delivered, taken_in, refused: Since the start.
        errors: Failures to connect and lost connections, by reason.
        outbox_errors: Failures of the outbox file, by reason.
        dropped: Messages given up for want of room, by kind.
        waiting: Messages not delivered yet.
        outbox_bytes: Of the file, pages in use.
        outbox_max_bytes: Above this what is least needed is given up.
        gateway_silent: Whether a gateway that ought to speak does not; None where none is expected.
    """

    name: str
    is_connected: bool
    is_outbox_kept: bool
    connections: int
    delivered: int
    taken_in: int
    refused: int
    errors: Mapping[str, int]
    outbox_errors: Mapping[str, int]
    dropped: Mapping[str, int]
    waiting: int
    outbox_bytes: int
    outbox_max_bytes: int
    gateway_silent: bool | None
