"""Messages that one broker sends: readings are stored as they arrive, orders are followed one after another.

Orders come from a session that the broker keeps. Each is acknowledged once it is followed or refused; one that was not
acknowledged comes again after a lost connection or a new start. They have a connection of their own, so that readings
cannot delay them. No I/O; clocks are arguments.
"""

from collections import deque
from collections.abc import Callable

import structlog

from agent.exporters.mqtt.broker_health import BrokerHealth
from agent.exporters.mqtt.composer import Composer
from agent.exporters.mqtt.connection import Connection, Received
from agent.exporters.mqtt.gateway import read_percent
from agent.exporters.mqtt.intake import Intake, Refused
from agent.exporters.mqtt.outbox_file import Kind, Message

log = structlog.get_logger(__name__)

ANSWERS_A_MINUTE = 30


class Reception:
    """Receives orders and readings from one broker.

    Args:
        name: The broker's name.
        intake: Handles the messages; None ignores them.
        composer: Makes the answers to refused messages.
        health: Counts messages.
        queue: Publishes an answer.
        clock: Monotonic clock, s.
        wall: Unix time, s.

    Attributes:
        on_heard: Called with each message as it arrives.
    """

    def __init__(
        self,
        name: str,
        intake: Intake | None,
        composer: Composer,
        health: BrokerHealth,
        *,
        queue: Callable[[Message], None],
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self.on_heard: Callable[[Received], None] = lambda _: None
        self._name, self._intake, self._composer, self._health = name, intake, composer, health
        self._queue, self._clock, self._wall = queue, clock, wall
        self._answered: deque[float] = deque(maxlen=ANSWERS_A_MINUTE)
        self._unanswered = 0
        self._latest_number: Received | None = None

    def take_reading(self, received: Received) -> None:
        """Store a meter's reading."""
        self._hear(received)
        if self._intake is not None:
            self._answer(received, self._intake.measure(received))

    def hear_order(self, received: Received) -> bool:
        """Note that an order arrived; returns False, because `follow` handles it."""
        self._hear(received)
        if read_percent(received.payload) is not None:
            self._latest_number = received
        return False

    async def follow(self, connection: Connection) -> None:
        """Follow the orders of a connection, which calls `hear_order` with each, until it is lost.

        A gateway's number stands for a state, so only the latest of those that wait is followed.

        Raises:
            BrokerError: The connection is lost.
        """
        async for received in connection.messages():
            is_outdated = received is not self._latest_number and read_percent(received.payload) is not None
            if self._intake is not None and not is_outdated:
                self._answer(received, await self._intake.follow(received))
            connection.acknowledge(received)

    def _hear(self, received: Received) -> None:
        self._health.taken_in += 1
        self.on_heard(received)

    def _answer(self, received: Received, refused: Refused | None) -> None:
        """Count, log and answer a refusal; a sender in a loop is answered 30 times a minute."""
        if refused is None:
            return
        self._health.refused += 1
        now = self._clock()
        if len(self._answered) == ANSWERS_A_MINUTE and now - self._answered[0] < 60:
            self._unanswered += 1
            return
        self._answered.append(now)
        log.warning(
            "mqtt message refused",
            broker=self._name,
            topic=received.topic[:200],
            reason=refused.detail[:200],
            unanswered=self._unanswered,
        )
        self._unanswered = 0
        answer = self._composer.error(received.topic, *refused, received.payload, at=self._wall())
        self._queue(Message(Kind.EVENT, self._composer.topics.errors, answer))
