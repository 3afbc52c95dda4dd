"""Delivery over one open connection: outbox messages in order, and the latest payload of each retained topic."""

import asyncio
from collections.abc import Callable, Sequence

from agent.exporters.mqtt.broker_health import BrokerHealth
from agent.exporters.mqtt.connection import WINDOW, Connection
from agent.exporters.mqtt.outbox_memory import Taken
from agent.exporters.mqtt.outbox_writer import OutboxWriter
from agent.exporters.mqtt.retained import RetainedTopics

FLUSH_S = 1.0
# Polls change a few units many times a second. Publishing each at once would cost ten times as much as the message.
GATHER_S = 1.0


class Delivery:
    """Publishes over one connection until it is stopped or the connection is lost.

    Args:
        connection: Proven by a canary.
        writer: The outbox.
        retained: Topics of which the broker retains the latest message.
        health: Counts what the broker acknowledged.
        has_work: Set whenever there may be something to publish.
        stop: Set to publish what is left and return.
        clock: Monotonic clock, s.
    """

    def __init__(
        self,
        connection: Connection,
        writer: OutboxWriter,
        retained: RetainedTopics,
        health: BrokerHealth,
        *,
        has_work: asyncio.Event,
        stop: asyncio.Event,
        clock: Callable[[], float],
    ) -> None:
        self._connection, self._writer, self._retained, self._health = connection, writer, retained, health
        self._has_work, self._stop, self._clock = has_work, stop, clock

    async def run(self) -> None:
        """Publish until `stop` is set, then until nothing is left, at most `FLUSH_S` longer.

        Raises:
            ExceptionGroup: With the `BrokerError` of a publish that failed.
        """
        flush_until: float | None = None
        self._writer.expect_messages()
        while True:
            self._has_work.clear()
            batch = await self._writer.take(WINDOW)
            changed = self._retained.next_topics(WINDOW)
            if batch or changed:
                await self._publish(batch, changed)
            if self._stop.is_set():
                flush_until = flush_until or self._clock() + FLUSH_S
                is_done = not (batch or changed) and self._writer.is_idle
                if is_done or self._clock() > flush_until:
                    return
                await asyncio.sleep(0.01)
            elif not (batch or changed):
                await self._has_work.wait()
                await self._writer.wait_written(GATHER_S)

    async def _publish(self, batch: Sequence[Taken], changed: Sequence[str]) -> None:
        """Publish everything concurrently, in order; settle what was acknowledged even if the rest fails."""
        acknowledged: list[Taken] = []

        async def deliver(taken: Taken) -> None:
            message = taken.message
            await self._connection.publish(message.topic, message.payload, is_retained=message.is_retained)
            acknowledged.append(taken)

        async def show(topic: str, payload: bytes) -> None:
            await self._connection.publish(topic, payload, is_retained=True)
            self._retained.acknowledge(topic, payload)

        try:
            async with asyncio.TaskGroup() as tasks:
                # Tasks start in the order of their creation, and each publishes before its first wait.
                for taken in batch:
                    tasks.create_task(deliver(taken))
                for topic in changed:
                    tasks.create_task(show(topic, self._retained.take(topic)))
        finally:
            self._health.delivered += len(acknowledged)
            if acknowledged:
                await self._writer.settle(acknowledged)
