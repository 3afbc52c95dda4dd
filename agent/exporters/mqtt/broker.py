"""One broker's life: connect, prove that messages come through, deliver, and begin again when it is gone.

    queue  -> incoming -> outbox (disk) -> in order, at least once      figures, units, events
    offer  -> latest by topic           -> the latest only, kept        containers, single units, gathered for a second

Each broker has its own outbox, thread and tasks, so that none waits for another. Nothing is delivered before a canary
came back: an access list that lets nobody see our messages acknowledges them like any other.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice

import structlog

from agent.errors import BrokerError
from agent.exporters.mqtt.backoff import Backoff, clear_cancel_count
from agent.exporters.mqtt.broker_health import Health
from agent.exporters.mqtt.composer import Composer
from agent.exporters.mqtt.connection import WINDOW, Connection, Received, Will, connect
from agent.exporters.mqtt.intake import Intake, Refused
from agent.exporters.mqtt.links import Link
from agent.exporters.mqtt.outbox import Outbox, Taken
from agent.exporters.mqtt.outbox_file import Kind, Message
from agent.exporters.mqtt.worker import Worker

log = structlog.get_logger(__name__)

CANARY_S = 4.0
STOP_S = 2.0
FLUSH_S = 1.0
# A connection that lasted this long was a good one: the next try comes soon.
STEADY_S = 10.0
MAX_INCOMING = 20_000
GIVEN_UP_AT_ONCE = 100
ANSWERS_A_MINUTE = 30
IDLE_S = 5.0
# Polls change a few units many times a second: each delivery by itself would cost ten times its message.
GATHER_S = 1.0


class _StoppedError(Exception):
    """Everything was said; the connection may end."""


class Broker:
    """Delivers to, and takes in from, one broker.

    Args:
        link: Where it is.
        outbox: What is to be delivered.
        composer: Makes the messages about ourselves.
        intake: What is done with what arrives; None takes nothing in.
        topics: What is subscribed to, apart from the canary.
        backoff: When to try again.
        clock: Monotonic clock, s.
        wall: Unix time, s.

    Attributes:
        health: How it does.
        on_state: Called with whether messages come through, and why not, whenever that changes.
        on_heard: Called with what arrives, before it is taken in.
        on_connected: Called when messages come through, before anything is delivered.
        stop: Set it to have everything said and the connection closed.
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
        self.health = Health()
        self.on_state: Callable[[bool, str], None] = lambda _is_connected, _detail: None
        self.on_heard: Callable[[Received], None] = lambda _: None
        self.on_connected: Callable[[], None] = lambda: None
        self.stop = asyncio.Event()
        self._composer, self._intake, self._topics = composer, intake, tuple(topics)
        self._backoff, self._clock, self._wall = backoff, clock, wall
        self._worker = Worker(f"mqtt {link.name}")
        self._incoming: deque[Message] = deque()
        self._has_incoming = asyncio.Event()
        self._has_work = asyncio.Event()
        # There may be something in the outbox.
        self._has_written = asyncio.Event()
        self._is_writing = False
        self._is_proving = False
        self._latest: dict[str, bytes] = {}
        self._dirty: dict[str, None] = {}
        # The topics of which the broker keeps something; and of which of them the outbox does not know yet.
        self._kept: set[str] = set()
        self._kept_news: dict[str, bool] = {}
        self._is_kept_read = self._is_all_offered = False
        self._answered: deque[float] = deque(maxlen=ANSWERS_A_MINUTE)

    @property
    def waiting(self) -> int:
        """How many messages are not delivered yet."""
        return len(self._incoming) + self.outbox.health.in_file + self.outbox.health.in_memory

    def queue(self, message: Message) -> None:
        """Have a message delivered for certain, after all that were queued before."""
        self._incoming.append(message)
        if len(self._incoming) > MAX_INCOMING:
            self._give_up()
        self._has_incoming.set()

    def _give_up(self) -> None:
        """Drop some of the oldest messages of the kind least needed: the disk hangs, and memory is not endless.

        What is lost shows as a hole in `previous_seq`, and in `health`.
        """
        least = min(message.kind for message in self._incoming)
        gone = [place for place, message in enumerate(self._incoming) if message.kind is least][:GIVEN_UP_AT_ONCE]
        for place in reversed(gone):
            del self._incoming[place]
        self.health.dropped[least.label] += len(gone)

    def offer(self, topic: str, payload: bytes) -> None:
        """Have the latest message of a topic delivered and kept by the broker; nothing as the payload deletes it."""
        self._latest[topic] = payload
        self._dirty[topic] = None
        self._has_work.set()

    def keep_only_offered(self) -> None:
        """Have the broker forget what an earlier run offered and this one did not; to be called once all was offered.

        A unit may leave the ledger while nobody is here to say so.
        """
        if not self._is_all_offered:
            self._is_all_offered = True
            self._forget_leftovers()

    def _forget_leftovers(self) -> None:
        if not (self._is_kept_read and self._is_all_offered):
            return
        for topic in sorted(self._kept - self._latest.keys()):
            self.offer(topic, b"")
        # The same text is in memory once.
        self._kept = {topic for topic in self._latest if topic in self._kept}

    async def run(self) -> None:
        """Deliver until `stop` is set, and then what can be delivered in `STOP_S`."""
        self._worker.start()
        try:
            async with asyncio.TaskGroup() as tasks:
                writing = tasks.create_task(self._write_forever(), name=f"mqtt {self.link.name} outbox")
                connecting = tasks.create_task(self._connect_forever(), name=f"mqtt {self.link.name} connection")
                await self.stop.wait()
                self._has_written.set()
                self._has_work.set()
                await asyncio.wait({connecting}, timeout=STOP_S if self.health.is_connected else 0)
                connecting.cancel()
                writing.cancel()
        finally:
            closing = asyncio.create_task(self._close(), name=f"mqtt {self.link.name} closing")
            await asyncio.wait({closing}, timeout=FLUSH_S)
            closing.cancel()
            if not self._worker.stop(0.1):
                log.error("mqtt outbox not closed in time", broker=self.link.name)

    async def _close(self) -> None:
        if self._incoming or self._kept_news:
            await self._write()
        await self._worker.call(self.outbox.close)

    async def _write_forever(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(IDLE_S):
                    await self._has_incoming.wait()
            self._has_incoming.clear()
            # With nothing to write too: what waits in memory may be written by now.
            await self._write()

    async def _write(self) -> None:
        messages, self._is_writing = list(self._incoming), True
        news, self._kept_news = self._kept_news, {}
        self._incoming.clear()
        try:
            await self._worker.call(self.outbox.put, messages, news)
        finally:
            self._is_writing = False
        self._has_written.set()
        self._has_work.set()

    async def _connect_forever(self) -> None:
        failures = 0
        while not self.stop.is_set():
            started = self._clock()
            try:
                await self._connect_once()
            except Exception as error:  # noqa: BLE001  an exporter's delivery loop: messages wait for the next connection
                if not self._is_survivable(error):
                    return
            clear_cancel_count()
            failures = 1 if self._clock() - started > STEADY_S else failures + 1
            with suppress(TimeoutError):
                async with asyncio.timeout(self._backoff.wait_s(failures)):
                    await self.stop.wait()

    def _is_survivable(self, error: Exception) -> bool:
        """Take in how a connection ended; says whether there is to be another."""
        ends = leaves(error)
        if any(isinstance(leaf, _StoppedError) for leaf in ends):
            return False
        surprise = next((leaf for leaf in ends if not isinstance(leaf, BrokerError)), None)
        if surprise is not None:
            log.error("mqtt failed", broker=self.link.name, exc_info=surprise)
            self._on_failure(BrokerError("other", f"{self.link}: not understood; the log has the details"))
            return True
        # The others are consequences of the first, and that the connection is lost tells less than why.
        told = [leaf for leaf in ends if isinstance(leaf, BrokerError)]
        cause = next((leaf for leaf in told if leaf.reason != "lost"), told[0])
        if self._is_proving and cause.reason == "lost":
            # Some brokers end the connection of whoever publishes what they may not.
            cause = self._not_allowed("made the broker end the connection")
        self._on_failure(cause)
        return True

    def _not_allowed(self, what: str) -> BrokerError:
        who, topic = self.link.username or "a client without a name", self._composer.topics.canary
        needed = f"its access list must let {who} read and write it"
        return BrokerError("acl", f"{self.link}: a message to {topic} {what}: {needed}")

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
                # A message that is not forgotten yet is taken again, by the next connection.
                await self._worker.call(self.outbox.put_back)

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
        """Prove the way, say that we are there, and deliver.

        Raises:
            _StoppedError: Everything was said.
            BrokerError: The connection is of no use.
        """
        topics = self._composer.topics
        await connection.subscribe(topics.canary)
        self._is_proving = True
        await connection.publish(topics.canary, self._composer.canary(nonce, at=self._wall()))
        try:
            async with asyncio.timeout(CANARY_S):
                await is_back.wait()
        except TimeoutError:
            raise self._not_allowed("was acknowledged and did not come back") from None
        self._is_proving = False
        await connection.publish(topics.agent, self._composer.agent("online", at=self._wall()), is_retained=True)
        for topic in self._topics:
            await connection.subscribe(topic)
        # The broker may have forgotten what it kept.
        self._dirty = dict.fromkeys(self._latest)
        self._on_connected()
        if not self._is_kept_read:
            await self._read_kept()
        await self._deliver(connection)

    async def _read_kept(self) -> None:
        earlier = await self._worker.call(self.outbox.kept)
        if earlier is not None:
            self._is_kept_read = True
            self._kept |= earlier
            self._forget_leftovers()

    async def _deliver(self, connection: Connection) -> None:
        flush_until: float | None = None
        self._has_written.set()
        while True:
            self._has_work.clear()
            batch = await self._take()
            changed = list(islice(self._dirty, WINDOW))
            if batch or changed:
                await self._publish(connection, batch, changed)
            if self.stop.is_set():
                flush_until = flush_until or self._clock() + FLUSH_S
                is_done = not (batch or changed or self._incoming or self._is_writing)
                if is_done or self._clock() > flush_until:
                    stopped = self._composer.agent("stopped", at=self._wall())
                    await connection.publish(self._composer.topics.agent, stopped, is_retained=True)
                    await self._worker.call(self.outbox.confirm)
                    raise _StoppedError
                await asyncio.sleep(0.01)
            elif not (batch or changed):
                await self._has_work.wait()
                with suppress(TimeoutError):
                    async with asyncio.timeout(GATHER_S):
                        await self._has_written.wait()

    async def _take(self) -> list[Taken]:
        """Take messages from the outbox, if any were put there since it had none left."""
        if not self._has_written.is_set():
            return []
        self._has_written.clear()
        batch = await self._worker.call(self.outbox.take, WINDOW)
        if batch:
            self._has_written.set()
        return batch

    async def _publish(self, connection: Connection, batch: Sequence[Taken], changed: Sequence[str]) -> None:
        """Publish, all at once and in order; what was acknowledged is settled, whatever becomes of the rest."""
        acknowledged: list[Taken] = []

        async def deliver(taken: Taken) -> None:
            message = taken.message
            await connection.publish(message.topic, message.payload, is_retained=message.is_retained)
            acknowledged.append(taken)

        async def show(topic: str, payload: bytes) -> None:
            await connection.publish(topic, payload, is_retained=True)
            self._note_kept(topic, is_kept=bool(payload))
            if self._latest.get(topic) is payload and not payload:
                del self._latest[topic]

        try:
            async with asyncio.TaskGroup() as tasks:
                # Tasks begin in the order in which they are made, and each publishes before it first waits.
                for taken in batch:
                    tasks.create_task(deliver(taken))
                for topic in changed:
                    del self._dirty[topic]
                    tasks.create_task(show(topic, self._latest[topic]))
        finally:
            self.health.delivered += len(acknowledged)
            if acknowledged:
                await self._worker.call(self.outbox.settle, acknowledged)

    def _note_kept(self, topic: str, *, is_kept: bool) -> None:
        if (topic in self._kept) is not is_kept:
            (self._kept.add if is_kept else self._kept.discard)(topic)
            self._kept_news[topic] = is_kept

    def _on_connected(self) -> None:
        self.health.connections += 1
        self.health.is_connected, self.health.trouble = True, None
        log.info("mqtt connected", broker=self.link.name, address=str(self.link), waiting=self.outbox.health.in_file)
        self.on_connected()
        self.on_state(True, "connected")  # noqa: FBT003  the state itself

    def _on_failure(self, error: BrokerError) -> None:
        """Count a failure; log it when it is news."""
        self.health.errors[error.reason] += 1
        self.health.is_connected = False
        if self.health.trouble != str(error):
            log.warning("mqtt not connected", broker=self.link.name, reason=error.reason, error=str(error))
        self.health.trouble = str(error)
        self.on_state(False, str(error))  # noqa: FBT003  the state itself


def leaves(error: BaseException) -> list[BaseException]:
    """Give the errors in a group of groups; an error alone is its own."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in leaves(inner)]
    return [error]
