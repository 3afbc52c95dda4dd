"""One broker's life: connect, prove that messages get through, deliver, and start over when the connection is lost.

    queue  -> writer -> outbox (disk) -> in order, at least once       figures, units, events
    offer  -> latest payload by topic -> the latest only, retained     containers, single units, gathered for a second

Each broker has an outbox, a thread and tasks of its own, so that none waits for another. Nothing is delivered before a
canary message came back: a broker whose access list hides our messages from every consumer acknowledges them anyway.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import NamedTuple

import structlog

from agent.errors import BrokerError
from agent.exporters.mqtt.backoff import Backoff
from agent.exporters.mqtt.broker_health import BrokerHealth
from agent.exporters.mqtt.composer import Composer
from agent.exporters.mqtt.connection import Connection, Received, Will, connect
from agent.exporters.mqtt.delivery import FLUSH_S, Delivery
from agent.exporters.mqtt.intake import Intake
from agent.exporters.mqtt.links import Link
from agent.exporters.mqtt.outbox import Outbox
from agent.exporters.mqtt.outbox_file import Message
from agent.exporters.mqtt.outbox_writer import OutboxWriter
from agent.exporters.mqtt.reception import Reception
from agent.exporters.mqtt.retained import RetainedTopics
from agent.exporters.mqtt.task_groups import clear_cancel_count, leaves

log = structlog.get_logger(__name__)

CANARY_S = 4.0
STOP_S = 2.0
# After a connection that lasted this long, the back-off starts from its shortest wait.
STEADY_S = 10.0
MAX_CANARY_BYTES = 4096


class _StoppedError(Exception):
    """Everything was published; the connection may end."""


class _Proof(NamedTuple):
    """The canary of one connection.

    Attributes:
        nonce: Its content.
        is_back: Set when it came back.
    """

    nonce: str
    is_back: asyncio.Event

    def hear(self, received: Received) -> None:
        """Handle a message on the canary's topic; `hashsight mqtt check` sends there too."""
        if self.nonce.encode() in received.payload[:MAX_CANARY_BYTES]:
            self.is_back.set()


class Broker:
    """Publishes to one broker and receives from it.

    Args:
        link: Address and credentials.
        outbox: Messages that wait for delivery.
        composer: Makes the messages about the agent itself.
        intake: Handles received messages; None ignores them.
        orders, meters: Topics of orders and of readings; None if they are not taken in here.
        backoff: Wait before each reconnect.
        clock: Monotonic clock, s.
        wall: Unix time, s.

    Attributes:
        health: Connection and message counts.
        on_state: Called with (True if messages get through, detail in words) after each connect and each failure.
        reception: Receives orders and readings.
        on_head: Called with each message about a head of the site's chain; None reads none.
        on_connected: Called once messages get through, before anything is delivered.
        stop: Set it to publish what is left and close the connection.
        is_replaced: Another agent publishes the site from now on: end without a word about this one.
    """

    def __init__(
        self,
        link: Link,
        outbox: Outbox,
        composer: Composer,
        *,
        intake: Intake | None,
        orders: str | None,
        meters: str | None,
        backoff: Backoff,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self.link = link
        self.outbox = outbox
        self.health = BrokerHealth()
        self.on_state: Callable[[bool, str], None] = lambda _is_connected, _detail: None
        self.on_head: Callable[[Received], None] | None = None
        self.on_connected: Callable[[], None] = lambda: None
        self.stop = asyncio.Event()
        self.is_replaced = False
        self.reception = Reception(link.name, intake, composer, self.health, queue=self.queue, clock=clock, wall=wall)
        self._composer, self._orders, self._meters = composer, orders, meters
        self._backoff, self._clock, self._wall = backoff, clock, wall
        self._has_work = asyncio.Event()
        self._retained = RetainedTopics(self._has_work)
        self._writer = OutboxWriter(
            outbox, self._retained, self.health, has_work=self._has_work, name=f"mqtt {link.name}"
        )
        self._is_proving = False
        self._is_head_refused = False

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
        proof = _Proof(f"{self._backoff.random():.12f}".removeprefix("0."), asyncio.Event())

        def on_arrival(received: Received) -> bool:
            if received.topic == self._composer.topics.canary:
                proof.hear(received)
            elif self._composer.topics.is_head(received.topic):
                if self.on_head is not None:
                    self.on_head(received)
            else:
                self.reception.take_reading(received)
            return True

        async with connect(self.link, will=will, on_arrival=on_arrival) as connection, self._order_session() as orders:
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(connection.lost(), name=f"mqtt {self.link.name} in")
                    if orders is not None:
                        tasks.create_task(self.reception.follow(orders), name=f"mqtt {self.link.name} orders")
                    tasks.create_task(self._serve(connection, orders, proof), name=f"mqtt {self.link.name} out")
            finally:
                await self._writer.put_back()

    @asynccontextmanager
    async def _order_session(self) -> AsyncIterator[Connection | None]:
        """Hold the connection for orders; None if no orders are taken in here."""
        if self._orders is None:
            yield None
            return
        own = replace(self.link, client_id=f"{self.link.client_id}-orders")
        async with connect(own, on_arrival=self.reception.hear_order, is_session_kept=True) as session:
            yield session

    async def _serve(self, connection: Connection, orders: Connection | None, proof: _Proof) -> None:
        """Prove that messages get through, announce the agent, and deliver.

        Raises:
            _StoppedError: Everything was published.
            BrokerError: The connection cannot be used.
        """
        topics = self._composer.topics
        await connection.subscribe(topics.canary)
        self._is_proving = True
        await connection.publish(topics.canary, self._composer.canary(proof.nonce, at=self._wall()))
        try:
            async with asyncio.timeout(CANARY_S):
                await proof.is_back.wait()
        except TimeoutError:
            raise self._not_allowed("was acknowledged but did not come back") from None
        self._is_proving = False
        await connection.publish(topics.agent, self._composer.agent("online", at=self._wall()), is_retained=True)
        await self._read_heads(connection)
        if self._meters is not None:
            await connection.subscribe(self._meters)
        if orders is not None and self._orders is not None:
            await orders.subscribe(self._orders)
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
        if not self.is_replaced:
            stopped = self._composer.agent("stopped", at=self._wall())
            await connection.publish(topics.agent, stopped, is_retained=True)
        await self._writer.confirm()
        raise _StoppedError

    async def _read_heads(self, connection: Connection) -> None:
        """Ask for the retained heads of the site's chain, before new ones take their place.

        A broker whose access list hides them is no reason to deliver nothing.
        """
        if self.on_head is None:
            return
        try:
            await connection.subscribe(self._composer.topics.heads)
        except BrokerError as error:
            if error.reason != "acl":
                raise
            if not self._is_head_refused:
                log.warning("mqtt heads not read back", broker=self.link.name, error=str(error))
            self._is_head_refused = True

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
