"""Numbers of an MQTT broker and its outbox, for the agent's own metrics."""

from collections.abc import Mapping
from typing import NamedTuple


class BrokerNumbers(NamedTuple):
    """The current state of one broker.

    Attributes:
        name: From the configuration.
        is_connected: True while messages get through.
        is_outbox_kept: True while the outbox is on disk; false while it is in memory because the disk fails.
        connections, delivered, taken_in, refused: Counts since the start.
        errors: Failures to connect and lost connections, by reason.
        outbox_errors: Failures of the outbox file, by reason.
        dropped: Messages dropped for lack of room, by kind.
        waiting: Messages not delivered yet.
        outbox_bytes: Size of the outbox file's pages in use.
        outbox_max_bytes: Size above which the least important messages are dropped.
        gateway_silent: True if an expected gateway is silent; None if none is expected.
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
