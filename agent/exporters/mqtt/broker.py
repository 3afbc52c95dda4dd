"""One broker's life: connect, prove that messages get through, deliver, and start over when the connection is lost.

    queue  -> writer -> outbox (disk) -> in order, at least once       figures, units, events
    offer  -> latest payload by topic -> the latest only, retained     containers, single units, gathered for a second

Each broker has an outbox, a thread and tasks of its own, so that none waits for another. Nothing is delivered before a
canary message came back: a broker whose access list hides our messages from every consumer acknowledges them anyway.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from agent.errors import BrokerError
from agent.exporters.mqtt.backoff import Backoff
from agent.exporters.mqtt.broker_health import BrokerHealth
from agent.exporters.mqtt.composer import Composer
from agent.exporters.mqtt.connection import Connection, Received, Will, connect
from agent.exporters.mqtt.delivery import FLUSH_S, Delivery
from agent.exporters.mqtt.intake import Intake, Refused
from agent.exporters.mqtt.links import Link
from agent.exporters.mqtt.outbox import Outbox
from agent.exporters.mqtt.outbox_file import Kind, Message
from agent.exporters.mqtt.outbox_writer import OutboxWriter
from agent.exporters.mqtt.retained import RetainedTopics
from agent.exporters.mqtt.task_groups import clear_cancel_count, leaves

log = structlog.get_logger(__name__)

CANARY_S = 4.0
STOP_S = 2.0
# After a connection that lasted this long, the back-off starts from its shortest wait.
STEADY_S = 10.0
ANSWERS_A_MINUTE = 30


class _StoppedError(Exception):
    """Everything was published; the connection may end."""


class Broker:
    """Publishes to one broker and receives from it.

    Args:
        link: Address and credentials.
        outbox: Messages that wait for delivery.
        composer: Makes the messages about the agent itself.
        intake: Handles received messages; None ignores them.
        topics: Subscriptions apart from the canary's.
        backoff: Wait before each reconnect.
        clock: Monotonic clock, s.
        wall: Unix time, s.

    Attributes:
        health: Connection and message counts.
        on_state: Called with (True if messages get through, detail in words) after each connect and each failure.
        on_heard: Called with each received message, before the intake handles it.
        on_connected: Called once messages get through, before anything is delivered.
        stop: Set it to publish what is left and close the connection.
    """

    def __init__(
        self,
        link: Link,
        outbox: Outbox,
        composer: Composer,
        *,
        intake: Intake | None,
        topics: Sequence[str],
        backoff: Backoff,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self.link = link
        self.outbox = outbox
        self.health = BrokerHealth()
        self.on_state: Callable[[bool, str], None] = lambda _is_connected, _detail: None
        self.on_heard: Callable[[Received], None] = lambda _: None
        self.on_connected: Callable[[], None] = lambda: None
        self.stop = asyncio.Event()
        self._composer, self._intake, self._topics = composer, intake, tuple(topics)
        self._backoff, self._clock, self._wall = backoff, clock, wall
        self._has_work = asyncio.Event()
        self._retained = RetainedTopics(self._has_work)
        self._writer = OutboxWriter(
            outbox, self._retained, self.health, has_work=self._has_work, name=f"mqtt {link.name}"
        )
        self._is_proving = False
        self._answered: deque[float] = deque(maxlen=ANSWERS_A_MINUTE)

    @property
    def unwritten(self) -> Sequence[Message]:
        """Messages queued and not in the outbox yet, oldest first."""
        return self._writer.unwritten

    @property
    def waiting(self) -> int:
        """Number of messages that are not delivered yet."""
        return len(self.unwritten) + self.outbox.health.in_file + self.outbox.health.in_memory

    def queue(self, message: Message) -> None:
        """Queue a message for delivery at least once, after all that were queued before."""
        self._writer.queue(message)

    def offer(self, topic: str, payload: bytes) -> None:
        """Publish and retain the latest payload of a topic; an empty payload deletes the retained message."""
        self._retained.offer(topic, payload)

    def keep_only_offered(self) -> None:
        """Delete retained messages of an earlier run that this run did not offer; call it once all was offered."""
        self._retained.keep_only_offered()

    async def run(self) -> None:
        """Deliver until `stop` is set, then whatever can be delivered within `STOP_S`."""
        self._writer.start()
        try:
            async with asyncio.TaskGroup() as tasks:
                writing = tasks.create_task(self._writer.write_forever(), name=f"mqtt {self.link.name} outbox")
                connecting = tasks.create_task(self._connect_forever(), name=f"mqtt {self.link.name} connection")
                await self.stop.wait()
                self._writer.wake_delivery()
                await asyncio.wait({connecting}, timeout=STOP_S if self.health.is_connected else 0)
                connecting.cancel()
                writing.cancel()
        finally:
            closing = asyncio.create_task(self._writer.close(), name=f"mqtt {self.link.name} closing")
            await asyncio.wait({closing}, timeout=FLUSH_S)
            closing.cancel()
            if not self._writer.stop(0.1):
                log.error("mqtt outbox not closed in time", broker=self.link.name)

    async def _connect_forever(self) -> None:
        failures = 0
        while not self.stop.is_set():
            started = self._clock()
            try:
                await self._connect_once()
            except Exception as error:  # noqa: BLE001  an exporter's delivery loop: messages wait for the next connection
                if not self._is_retried(error):
                    return
            clear_cancel_count()
            failures = 1 if self._clock() - started > STEADY_S else failures + 1
            with suppress(TimeoutError):
                async with asyncio.timeout(self._backoff.wait_s(failures)):
                    await self.stop.wait()

    def _is_retried(self, error: Exception) -> bool:
        """Record how a connection ended; returns True if another one should follow."""
        ends = leaves(error)
        if any(isinstance(leaf, _StoppedError) for leaf in ends):
            return False
        surprise = next((leaf for leaf in ends if not isinstance(leaf, BrokerError)), None)
        if surprise is not None:
            log.error("mqtt failed", broker=self.link.name, exc_info=surprise)
            self._on_failure(BrokerError("other", f"{self.link}: unexpected error; the log has the details"))
            return True
        # The first error caused the others, and "lost" says less than any other reason.
        failures = [leaf for leaf in ends if isinstance(leaf, BrokerError)]
        cause = next((leaf for leaf in failures if leaf.reason != "lost"), failures[0])
        if self._is_proving and cause.reason == "lost":
            # Some brokers end the connection of a client that publishes without permission.
            cause = self._not_allowed("made the broker close the connection")
        self._on_failure(cause)
        return True

    def _not_allowed(self, outcome: str) -> BrokerError:
        client, topic = self.link.username or "an anonymous client", self._composer.topics.canary
        needed = f"its access list must let {client} read and write it"
        return BrokerError("acl", f"{self.link}: a message to {topic} {outcome}: {needed}")

    async def _connect_once(self) -> None:
        self._is_proving = False
        offline = self._composer.agent("offline", at=self._wall())
        will = Will(self._composer.topics.agent, offline, is_retained=True)
        async with connect(self.link, will=will) as connection:
            try:
                nonce, is_back = f"{self._backoff.random():.12f}".removeprefix("0."), asyncio.Event()
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._receive(connection, nonce, is_back), name=f"mqtt {self.link.name} in")
                    tasks.create_task(self._serve(connection, nonce, is_back), name=f"mqtt {self.link.name} out")
            finally:
                await self._writer.put_back()

    async def _receive(self, connection: Connection, nonce: str, is_back: asyncio.Event) -> None:
        async for received in connection.messages():
            if received.topic == self._composer.topics.canary:
                if nonce.encode() in received.payload:
                    is_back.set()
                continue
            self.health.taken_in += 1
            self.on_heard(received)
            if self._intake is None:
                continue
            refused = await self._intake.take(received)
            if refused is not None:
                self._answer(received, refused)

    def _answer(self, received: Received, refused: Refused) -> None:
        self.health.refused += 1
        log.warning(
            "mqtt message refused", broker=self.link.name, topic=received.topic[:200], reason=refused.detail[:200]
        )
        now = self._clock()
        if len(self._answered) == ANSWERS_A_MINUTE and now - self._answered[0] < 60:
            return
        self._answered.append(now)
        answer = self._composer.error(received.topic, *refused, received.payload, at=self._wall())
        self.queue(Message(Kind.EVENT, self._composer.topics.errors, answer))

    async def _serve(self, connection: Connection, nonce: str, is_back: asyncio.Event) -> None:
        """Prove that messages get through, announce the agent, and deliver.

        Raises:
            _StoppedError: Everything was published.
            BrokerError: The connection cannot be used.
        """
        topics = self._composer.topics
        await connection.subscribe(topics.canary)
        self._is_proving = True
        await connection.publish(topics.canary, self._composer.canary(nonce, at=self._wall()))
        try:
            async with asyncio.timeout(CANARY_S):
                await is_back.wait()
        except TimeoutError:
            raise self._not_allowed("was acknowledged but did not come back") from None
        self._is_proving = False
        await connection.publish(topics.agent, self._composer.agent("online", at=self._wall()), is_retained=True)
        for topic in self._topics:
            await connection.subscribe(topic)
        self._retained.publish_all_again()
        self._on_connected()
        if not self._retained.is_earlier_known:
            earlier = await self._writer.kept()
            if earlier is not None:
                self._retained.add_earlier(earlier)
        delivery = Delivery(
            connection,
            self._writer,
            self._retained,
            self.health,
            has_work=self._has_work,
            stop=self.stop,
            clock=self._clock,
        )
        await delivery.run()
        stopped = self._composer.agent("stopped", at=self._wall())
        await connection.publish(topics.agent, stopped, is_retained=True)
        await self._writer.confirm()
        raise _StoppedError

    def _on_connected(self) -> None:
        self.health.connections += 1
        self.health.is_connected, self.health.trouble = True, None
        log.info("mqtt connected", broker=self.link.name, address=str(self.link), waiting=self.outbox.health.in_file)
        self.on_connected()
        self.on_state(True, "connected")  # noqa: FBT003  the state itself

    def _on_failure(self, error: BrokerError) -> None:
        """Count a failure, and log it if it differs from the last one."""
        self.health.errors[error.reason] += 1
        self.health.is_connected = False
        if self.health.trouble != str(error):
            log.warning("mqtt not connected", broker=self.link.name, reason=error.reason, error=str(error))
        self.health.trouble = str(error)
        self.on_state(False, str(error))  # noqa: FBT003  the state itself
