"""A second path to another agent of the same site: the figures that it publishes at the broker.

A standby listens here for its primary. What the broker retained is old and says nothing. What this agent published
itself carries its mark, also what an earlier process of it left in an outbox and this one sends.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec
import structlog

from agent.errors import BrokerError
from agent.exporters.mqtt.backoff import Backoff
from agent.exporters.mqtt.connection import Received, connect
from agent.exporters.mqtt.links import Link, run_mark
from agent.exporters.mqtt.task_groups import clear_cancel_count
from agent.exporters.mqtt.topics import Topics

log = structlog.get_logger(__name__)

MAX_FIGURES_BYTES = 96 << 10


class _Run(msgspec.Struct, frozen=True):
    """The part of a message that says which run of an agent published it."""

    boot_id: str


class Witness:
    """Listens at every broker for the figures of another agent.

    Args:
        links: The brokers.
        site: The site's name.
        on_heard: Called when another agent's figures arrive.
    """

    def __init__(self, links: Sequence[Link], site: str, *, on_heard: Callable[[], None]) -> None:
        self._own_mark = run_mark(links)
        # At most 64 characters may stand in a client id; the end tells it from the agent's own connections.
        self._links = [replace(link, client_id=f"{link.client_id[:56]}-witness") for link in links]
        self._topic = Topics(site).figures
        self._on_heard = on_heard

    def hear(self, received: Received) -> bool:
        """Take in a message; always True, because nothing is kept."""
        if received.topic != self._topic or received.is_retained:
            return True
        try:
            run = msgspec.json.decode(received.payload, type=_Run)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return True
        if not run.boot_id.startswith(self._own_mark):
            self._on_heard()
        return True

    async def run(self) -> None:
        """Listen until cancelled; a broker that cannot be reached is tried again."""
        async with asyncio.TaskGroup() as tasks:
            for link in self._links:
                tasks.create_task(self._listen(link), name=f"mqtt {link.name} witness")

    async def _listen(self, link: Link) -> None:
        backoff, failures = Backoff(random=random.random), 0
        while True:
            try:
                async with connect(link, on_arrival=self.hear, max_packet_bytes=MAX_FIGURES_BYTES) as connection:
                    await connection.subscribe(self._topic)
                    failures = 0
                    await connection.lost()
            except BrokerError as error:
                failures += 1
                if failures == 1:
                    log.warning("mqtt witness not connected", broker=link.name, reason=error.reason, error=str(error))
            clear_cancel_count()
            await asyncio.sleep(backoff.wait_s(max(failures, 1)))
