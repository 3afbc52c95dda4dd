"""What arrives over MQTT: checked to the last field, then an order to the book of curtailments or a meter's reading.

Nothing here can reach a unit: the agent has no way to write to one. A message that is not understood changes nothing,
and is answered on the errors topic.
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

log = structlog.get_logger(__name__)

MAX_READING_BYTES = 1024
# A stop order has one key; an order to start may have the word among its values.
_STOP = re.compile(rb'\s*\{\s*"stop"\s*:')


class Book(Protocol):
    """Where curtailments are declared; `curtailment_book.CurtailmentBook` is one."""

    async def start(self, order: StartOrder, *, source: str) -> tuple[Event, bool]:
        """Follow an order to start a curtailment; raises OrderError when nothing was changed."""

    async def stop(self, event_id: str, *, source: str) -> Event:
        """Follow an order to stop one; raises OrderError when nothing was changed."""


class Door(NamedTuple):
    """What the site lets in.

    Attributes:
        book: Where curtailments are declared.
        in_force: Gives the events in force now.
        meters: Where readings go.
        has: Says whether the ledger knows what a meter claims to measure.
    """

    book: Book
    in_force: Callable[[], tuple[Event, ...]]
    meters: MqttMeters
    has: Callable[[MeterScope], bool]


class Refused(NamedTuple):
    """Why a message changed nothing."""

    reason: str
    detail: str


class Intake:
    """One broker's messages.

    Args:
        name: The broker's, which names what it declares.
        topics: The site's.
        door: What they may change.
        wall: Unix time, s.
    """

    def __init__(self, name: str, topics: Topics, door: Door, *, wall: Callable[[], float]) -> None:
        self._source = f"mqtt {name}"
        self._gateway = f"mqtt gateway {name}"
        self._gateway_id = f"mqtt-{name[:40]}"
        self._topics = topics
        self._door = door
        self._wall = wall

    async def take(self, received: Received) -> Refused | None:
        """Take a message in; gives why it changed nothing, or None.

        An order that the broker kept from before is followed once; that it is over by now is no news.
        """
        try:
            if received.topic == self._topics.curtailment:
                await self._curtail(received.payload)
            else:
                self._meter(received)
        except OrderError as error:
            return (
                None
                if received.is_retained and error.refusal is Refusal.CONFLICT
                else Refused(error.refusal, str(error))
            )
        except ReadingError as error:
            return None if received.is_retained and error.reason == "stale" else Refused(error.reason, str(error))
        return None

    async def _curtail(self, payload: bytes) -> None:
        if not payload:
            # Somebody deletes what the broker kept.
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
        """Have exactly what the gateway says in force: one event below 100 percent, none at it.

        The new one first: where it cannot be had, the old one stays.
        """
        before = [event for event in self._door.in_force() if event.source == self._gateway]
        same = next((event for event in before if abs(event.target_ratio - percent / 100) < 1e-9), None)
        if percent < 100 and same is None:
            name = f"{self._gateway_id}-{self._wall():.3f}"
            order = StartOrder(target_percent=percent, source=self._gateway, id=name)
            await self._door.book.start(order, source=self._gateway)
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
            reading = msgspec.json.decode(received.payload, type=MeterReading)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ReadingError("malformed", str(error)) from error
        self._door.meters.take(scope, reading, now=self._wall())


def _decode(payload: bytes, kind: type[StopOrder]) -> StopOrder:
    try:
        return msgspec.json.decode(payload, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OrderError(Refusal.MALFORMED, str(error)) from error
