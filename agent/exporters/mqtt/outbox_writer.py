"""The way into and out of an outbox from the event loop: a bounded queue in memory, and a thread for the disk."""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from agent.exporters.mqtt.broker_health import BrokerHealth
from agent.exporters.mqtt.outbox import Outbox
from agent.exporters.mqtt.outbox_file import Message
from agent.exporters.mqtt.outbox_memory import Taken
from agent.exporters.mqtt.retained import RetainedTopics
from agent.exporters.mqtt.worker import Worker

MAX_INCOMING = 20_000
DROPPED_AT_ONCE = 100
IDLE_S = 5.0


class OutboxWriter:
    """Queues messages, writes them to the outbox, and takes them out again for delivery.

    Args:
        outbox: Called in this writer's thread alone.
        retained: Changes of the topics the broker retains are recorded in the outbox.
        health: Messages dropped here are counted in it.
        has_work: Set whenever messages were written.
        name: The thread's.
    """

    def __init__(
        self, outbox: Outbox, retained: RetainedTopics, health: BrokerHealth, *, has_work: asyncio.Event, name: str
    ) -> None:
        self._outbox, self._retained, self._health = outbox, retained, health
        self._worker = Worker(name)
        self._incoming: deque[Message] = deque()
        self._has_incoming = asyncio.Event()
        self._has_work = has_work
        # Set while the outbox may have messages that were not taken.
        self._has_written = asyncio.Event()
        self._is_writing = False

    @property
    def unwritten(self) -> Sequence[Message]:
        """Messages queued and not written yet, oldest first."""
        return self._incoming

    @property
    def is_idle(self) -> bool:
        """True if every queued message is in the outbox."""
        return not (self._incoming or self._is_writing)

    def queue(self, message: Message) -> None:
        """Queue a message behind all others; it is written to the outbox soon."""
        self._incoming.append(message)
        if len(self._incoming) > MAX_INCOMING:
            self._drop_oldest()
        self._has_incoming.set()

    def _drop_oldest(self) -> None:
        """Drop some of the oldest messages of the least important kind: the disk hangs and memory is bounded.

        The loss shows as a gap in `previous_seq`, and in the broker's health.
        """
        least = min(message.kind for message in self._incoming)
        dropped = [place for place, message in enumerate(self._incoming) if message.kind is least][:DROPPED_AT_ONCE]
        for place in reversed(dropped):
            del self._incoming[place]
        self._health.dropped[least.label] += len(dropped)

    def start(self) -> None:
        """Start the thread."""
        self._worker.start()

    async def write_forever(self) -> None:
        """Write queued messages as they come."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(IDLE_S):
                    await self._has_incoming.wait()
            self._has_incoming.clear()
            # Also with nothing queued: messages held in memory may be writable by now.
            await self._write()

    async def _write(self) -> None:
        messages, self._is_writing = list(self._incoming), True
        kept_changes = self._retained.take_kept_changes()
        self._incoming.clear()
        try:
            await self._worker.call(self._outbox.put, messages, kept_changes)
        finally:
            self._is_writing = False
        self.wake_delivery()

    def wake_delivery(self) -> None:
        """Wake the delivery, which may wait for written messages or for any work."""
        self._has_written.set()
        self._has_work.set()

    def expect_messages(self) -> None:
        """Assume that the outbox has messages, as after a reconnect."""
        self._has_written.set()

    async def wait_written(self, timeout_s: float) -> None:
        """Wait until the outbox may have messages to take, at most `timeout_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._has_written.wait()

    async def take(self, limit: int) -> list[Taken]:
        """Take at most `limit` messages, oldest first; none if nothing was written since the outbox had none left."""
        if not self._has_written.is_set():
            return []
        self._has_written.clear()
        batch = await self._worker.call(self._outbox.take, limit)
        if batch:
            self._has_written.set()
        return batch

    async def settle(self, acknowledged: Sequence[Taken]) -> None:
        """Record that the broker acknowledged these messages."""
        await self._worker.call(self._outbox.settle, acknowledged)

    async def confirm(self) -> None:
        """Delete every acknowledged message: the broker is well."""
        await self._worker.call(self._outbox.confirm)

    async def put_back(self) -> None:
        """Return taken messages that are not deleted yet to the outbox; the next connection takes them again."""
        await self._worker.call(self._outbox.put_back)

    async def kept(self) -> frozenset[str] | None:
        """Return the topics on which the broker retains a message; None if the file cannot be read."""
        return await self._worker.call(self._outbox.kept)

    async def close(self) -> None:
        """Write the rest and close the outbox."""
        if self._incoming or self._retained.has_kept_changes:
            await self._write()
        await self._worker.call(self._outbox.close)

    def stop(self, timeout_s: float) -> bool:
        """Stop the thread; returns True if it ended within `timeout_s`."""
        return self._worker.stop(timeout_s)
