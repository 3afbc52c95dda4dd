"""Messages received over MQTT: validated field by field, then passed on as a curtailment order or a meter reading.

Nothing here can reach a unit: the agent has no way to write to one. An invalid message changes nothing and is answered
on the errors topic.
"""

import re
from collections.abc import Callable
from typing import NamedTuple, Protocol

import msgspec
import structlog

from agent.exporters.mqtt.connection import Received
from agent.exporters.mqtt.gateway import read_percent
from agent.exporters.mqtt.messages import MeterReading, StopOrder
from agent.exporters.mqtt.meters import MqttMeters, ReadingError
from agent.exporters.mqtt.topics import MeterScope, Topics
from agent.site.curtailment.events import Event
from agent.site.curtailment.orders import MAX_ORDER_BYTES, OrderError, Refusal, StartOrder, read_order
from agent.strict_json import decode_strictly

log = structlog.get_logger(__name__)

MAX_READING_BYTES = 1024
# A stop order has one key; a start order may have the word among its values.
_STOP = re.compile(rb'\s*\{\s*"stop"\s*:')


class Book(Protocol):
    """The book in which curtailments are declared; `agent.site.curtailment.book.CurtailmentBook` implements it."""

    async def start(self, order: StartOrder, *, source: str, is_state: bool = False) -> tuple[Event, bool]:
        """Follow an order to start a curtailment; raises OrderError if nothing was changed."""

    async def stop(self, event_id: str, *, source: str) -> Event:
        """Follow an order to stop a curtailment; raises OrderError if nothing was changed."""


class Door(NamedTuple):
    """The parts of a site that received messages may change.

    Attributes:
        book: Declared curtailments.
        in_force: Returns the events in force now.
        meters: Meter readings.
        has: Returns True if the ledger has the container or unit that a meter claims to measure.
    """

    book: Book
    in_force: Callable[[], tuple[Event, ...]]
    meters: MqttMeters
    has: Callable[[MeterScope], bool]


class Refused(NamedTuple):
    """Reason and detail of a refused message."""

    reason: str
    detail: str


class Intake:
    """Handles the messages of one broker.

    Args:
        name: The broker's name, part of the source of every curtailment declared through it.
        topics: The site's topics.
        door: The parts of the site that messages may change.
        wall: Unix time, s.
    """

    def __init__(self, name: str, topics: Topics, door: Door, *, wall: Callable[[], float]) -> None:
        self._source = f"mqtt {name}"
        self._gateway = f"mqtt gateway {name}"
        self._gateway_id = f"mqtt-{name[:40]}"
        self._topics = topics
        self._door = door
        self._wall = wall

    async def follow(self, received: Received) -> Refused | None:
        """Follow an order; returns the reason if it was refused, else None.

        An order that the broker retained, or sends again, is followed once. If it is over by now, it is not refused.
        """
        try:
            await self._curtail(received.payload)
        except OrderError as error:
            if error.refusal is Refusal.CONFLICT and (received.is_retained or received.is_repeated):
                return None
            return Refused(error.refusal, str(error))
        except Exception:
            # Without an answer, the order would not be acknowledged and would come again for ever.
            log.exception("order failed")
            return Refused("failed", "unexpected error; the agent's log has the details")
        return None

    def measure(self, received: Received) -> Refused | None:
        """Store a meter's reading; returns the reason if it was refused, else None."""
        try:
            self._meter(received)
        except ReadingError as error:
            if received.is_retained and error.reason == "stale":
                return None
            return Refused(error.reason, str(error))
        return None

    async def _curtail(self, payload: bytes) -> None:
        if not payload:
            # An empty payload deletes the retained message.
            return
        percent = read_percent(payload)
        if percent is not None:
            await self._follow_gateway(percent)
            return
        if len(payload) <= MAX_ORDER_BYTES and _STOP.match(payload):
            await self._door.book.stop(_decode(payload, StopOrder).stop, source=self._source)
            return
        order = read_order(payload)
        if order.id is None or order.start is None:
            reason = "id and start are needed here: a broker may deliver an order again"
            raise OrderError(Refusal.MALFORMED, reason)
        await self._door.book.start(order, source=self._source)

    async def _follow_gateway(self, percent: float) -> None:
        """Put exactly the gateway's value in force: one event below 100 percent, none at 100.

        The new event is started first: if it cannot be saved, the old one stays.
        """
        before = [event for event in self._door.in_force() if event.source == self._gateway]
        same = next((event for event in before if abs(event.target_ratio - percent / 100) < 1e-9), None)
        if percent < 100 and same is None:
            event_id = f"{self._gateway_id}-{self._wall():.3f}"
            order = StartOrder(target_percent=percent, source=self._gateway, id=event_id)
            await self._door.book.start(order, source=self._gateway, is_state=True)
        for event in before:
            if event is not same or percent == 100:
                await self._door.book.stop(event.id, source=self._gateway)

    def _meter(self, received: Received) -> None:
        scope = self._topics.meter_scope(received.topic)
        if scope is None:
            raise ReadingError("unknown", "meter/site, meter/container/<name> or meter/unit/<unit_id> is expected")
        if not received.payload:
            return
        if len(received.payload) > MAX_READING_BYTES:
            raise ReadingError("malformed", f"longer than {MAX_READING_BYTES} bytes")
        if not self._door.has(scope):
            raise ReadingError("unknown", f"there is no {scope} in the ledger")
        try:
            reading = decode_strictly(received.payload, MeterReading)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ReadingError("malformed", str(error)) from error
        self._door.meters.take(scope, reading, now=self._wall())


def _decode(payload: bytes, kind: type[StopOrder]) -> StopOrder:
    try:
        return decode_strictly(payload, kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OrderError(Refusal.MALFORMED, str(error)) from error
