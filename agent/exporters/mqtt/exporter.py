"""Publishes statuses, figures and events to every broker, and handles what the brokers send back.

A unit's own topic is published every `unit_heartbeat_s`, and when something changed that an operator would act on: its
state, the reason for it, or its hashrate by more than 5 % of its nameplate. With ``units = "batches"`` one message
carries up to 100 units, and these messages are kept until delivered.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Literal, NamedTuple

import structlog
from msgspec import structs

from agent.exporters.broker_numbers import BrokerNumbers
from agent.exporters.mqtt.changes import AgentHealth, Change, Subject, UnitChanged
from agent.exporters.mqtt.composer import Composer
from agent.exporters.mqtt.connection import Received
from agent.exporters.mqtt.gateway import read_percent
from agent.exporters.mqtt.messages import UNITS_A_MESSAGE
from agent.exporters.mqtt.meters import MqttMeters
from agent.exporters.mqtt.news import CurtailmentNews, HealthNews, WorkNews, is_news
from agent.exporters.mqtt.outbox_file import Kind, Message
from agent.exporters.mqtt.outlet import Outlet, Units
from agent.history.chain.heads import SignedHead
from agent.site.curtailment.events import Event
from agent.site.energy import Energy
from agent.site.metered import MeterWatts
from agent.site.status import UnitState, UnitStatus
from agent.site.totals import SiteFigures

log = structlog.get_logger(__name__)

WATCH_EVERY_S = 1.0


class _Published(NamedTuple):
    """A unit's status as last published, and when on the monotonic clock, s."""

    status: UnitStatus
    clock_s: float


class MqttExporter:
    """The site over MQTT.

    Args:
        composer: Makes the messages.
        outlets: The brokers.
        meters: Readings that arrive from the brokers.
        unit_heartbeat_s: Time after which a unit without changes is published again.
        clock: Monotonic clock, s.
        wall: Unix time, s.
    """

    def __init__(
        self,
        composer: Composer,
        outlets: Sequence[Outlet],
        *,
        meters: MqttMeters,
        unit_heartbeat_s: float,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self.outlets = tuple(outlets)
        self._composer = composer
        self._meters = meters
        self._unit_heartbeat_s = unit_heartbeat_s
        self._clock, self._wall = clock, wall
        self._states: dict[str, UnitState] = {}
        self._published: dict[str, _Published] = {}
        self._containers: set[str] = set()
        self._discovered_interval_s = 0.0
        self._batch: dict[str, UnitStatus] = {}
        self._is_singly = any(outlet.units == "latest" for outlet in outlets)
        self._is_batched = any(outlet.units == "batches" for outlet in outlets)
        self._curtailment_news = CurtailmentNews()
        self._health_news = HealthNews()
        self._work_news = WorkNews()
        self._lapsed: set[str] = set()
        self._heads: dict[str, SignedHead] = {}
        for outlet in self.outlets:
            self._listen_to(outlet)

    def _listen_to(self, outlet: Outlet) -> None:
        def on_state(is_connected: bool, detail: str) -> None:  # noqa: FBT001  the broker's signature
            self._on_own_health("broker", outlet.name, is_well=is_connected, detail=detail)

        def on_heard(received: Received) -> None:
            self._on_heard(outlet, received)

        outlet.broker.on_state = on_state
        outlet.broker.reception.on_heard = on_heard

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver while the block runs; at its end, announce that the agent stops."""
        async with asyncio.TaskGroup() as tasks:
            for outlet in self.outlets:
                tasks.create_task(outlet.broker.run(), name=f"mqtt {outlet.name}")
                if outlet.node is not None:
                    tasks.create_task(outlet.node.run(), name=f"sparkplug {outlet.name}")
            watching = tasks.create_task(self._watch_forever(), name="mqtt watch")
            try:
                yield
            finally:
                watching.cancel()
                for outlet in self.outlets:
                    outlet.broker.stop.set()
                    if outlet.node is not None:
                        outlet.node.stop.set()

    def hear_heads(self, on_head: Callable[[SignedHead, str, bool], None]) -> None:
        """Read the heads of the site's chain that brokers retain, and those that other agents publish meanwhile.

        Args:
            on_head: Called with each head, the broker's name, and True if the broker had retained it.
        """

        def listener(outlet: Outlet) -> Callable[[Received], None]:
            def hear(received: Received) -> None:
                # Anything may be published there; what is no head says nothing, as the empty message of a deleted one.
                with suppress(ValueError):
                    on_head(SignedHead.parse(received.payload), outlet.name, received.is_retained)

            return hear

        for outlet in self.outlets:
            outlet.broker.on_head = listener(outlet)

    def on_heads(self, heads: Iterable[SignedHead | None]) -> None:
        """Publish and retain the latest head of each occasion; call it before `on_figures`.

        Args:
            heads: The latest day's, then the latest of all; None where there is none.
        """
        if not self.outlets:
            return
        for occasion, signed in zip(("day", "hour"), heads, strict=True):
            if signed is not None and self._heads.get(occasion) is not signed:
                before = self._heads.get(occasion)
                self._heads[occasion] = signed
                if before is not None and before.head.key != signed.head.key:
                    self._offer(self._composer.topics.head(before.head.key, occasion), b"")
                self._offer(self._composer.topics.head(signed.head.key, occasion), self._composer.head(signed))

    def leave_to_another(self) -> None:
        """End without announcing that the agent stopped: another one publishes the site already."""
        for outlet in self.outlets:
            outlet.broker.is_replaced = True

    def on_unit(self, status: UnitStatus) -> None:
        """Handle a unit's new status; cheap if nothing has to be published, silent until the unit was polled once."""
        if not self.outlets or not status.is_looked_at:
            return
        unit_id = status.entry.unit_id
        before = self._states.get(unit_id)
        if before is not status.state:
            self._states[unit_id] = status.state
            if before is not None:
                container = status.entry.place.container
                self._queue_event(
                    UnitChanged(
                        unit_id=unit_id,
                        container=container,
                        before=before,
                        state=status.state,
                        reason=status.reason,
                        why=status.why,
                    )
                )
        if status.work is not None:
            change = self._work_news.change(status)
            if change is not None:
                self._queue_event(change)
        if not (self._is_singly or self._is_batched):
            return
        now = self._clock()
        last = self._published.get(unit_id)
        if last is not None and now - last.clock_s < self._unit_heartbeat_s and not is_news(last.status, status):
            return
        # The reading is left out: kept until the next publication, it would cost 2 kB of memory a unit.
        self._published[unit_id] = _Published(structs.replace(status, reading=None), now)
        if self._is_singly:
            payload = self._composer.unit(status, at=self._wall())
            self._offer(self._composer.topics.unit(unit_id), payload, to="latest")
        if self._is_batched:
            self._batch[unit_id] = status

    def remove_unit(self, unit_id: str) -> None:
        """Forget a unit that left the ledger, and delete its retained message."""
        self._states.pop(unit_id, None)
        self._work_news.forget(unit_id)
        self._batch.pop(unit_id, None)
        if self._published.pop(unit_id, None) is not None and self._is_singly:
            self._offer(self._composer.topics.unit(unit_id), b"", to="latest")

    def on_figures(
        self, figures: SiteFigures, energy: Energy, *, interval_s: float, simulated_units: Callable[[], int]
    ) -> None:
        """Publish the figures of an interval, the energy since the agent started, and the units that are due."""
        if not self.outlets:
            return
        payload = self._composer.figures(figures, energy, interval_s=interval_s, simulated_units=simulated_units())
        self._queue(Message(Kind.FIGURES, self._composer.topics.figures, payload, is_retained=True))
        for outlet in self.outlets:
            if outlet.node is not None:
                outlet.node.on_figures(figures)
        for name, sums in figures.by_container.items():
            payload = self._composer.container(name, sums, energy, interval_s=interval_s)
            self._offer(self._composer.topics.container(name), payload)
        for name in self._containers - figures.by_container.keys():
            self._offer(self._composer.topics.container(name), b"")
        if self._containers != figures.by_container.keys() or interval_s != self._discovered_interval_s:
            self._containers, self._discovered_interval_s = set(figures.by_container), interval_s
            for outlet in self.outlets:
                outlet.offer_discovery(sorted(self._containers), interval_s=interval_s)
        for outlet in self.outlets:
            # Figures come only once every unit was polled, so by now every unit of the ledger was offered.
            outlet.broker.keep_only_offered()
        self._send_batches()

    def _send_batches(self) -> None:
        statuses = list(self._batch.values())
        self._batch.clear()
        for start in range(0, len(statuses), UNITS_A_MESSAGE):
            payload = self._composer.units(statuses[start : start + UNITS_A_MESSAGE], at=self._wall())
            message = Message(Kind.UNITS, self._composer.topics.units, payload)
            for outlet in self.outlets:
                if outlet.units == "batches":
                    outlet.broker.queue(message)

    def on_curtailments(self, events: Iterable[Event], at: float) -> None:
        """Publish what was declared, began, ended or was stopped since the last call; call it each interval.

        Args:
            events: All events around Unix time `at`.
            at: Now, s.
        """
        for change in self._curtailment_news.changes(events, at):
            self._queue_event(change)

    def on_health(
        self,
        subject: Literal["history", "chain", "curtailments", "configuration", "polling"],
        *,
        is_well: bool,
        detail: str,
    ) -> None:
        """Publish a change in the health of a part of the agent outside this package; call it each interval."""
        if self.outlets:
            self._publish_health(subject, "agent", is_well=is_well, detail=detail)

    def meter_readings(self) -> Iterator[MeterWatts]:
        """Yield the latest power of each meter that sends over MQTT."""
        return self._meters.readings(self._wall())

    def numbers(self) -> Iterator[BrokerNumbers]:
        """Yield each broker's numbers for the agent's own metrics."""
        for outlet in self.outlets:
            yield outlet.numbers()

    def _on_heard(self, outlet: Outlet, received: Received) -> None:
        is_sign = received.topic == self._composer.topics.curtailment and not received.is_retained
        if is_sign and read_percent(received.payload) is not None and outlet.heartbeat.hear(self._clock()):
            self._on_own_health("gateway", outlet.name, is_well=True, detail="the gateway sends again")

    async def _watch_forever(self) -> None:
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            self.watch()

    def watch(self) -> None:
        """Publish changes in the health of gateways, outboxes and meters."""
        now = self._clock()
        for outlet in self.outlets:
            self._watch_outlet(outlet, now)
        lapsed = set(self._meters.lapsed(self._wall()))
        for meter in lapsed ^ self._lapsed:
            is_well = meter not in lapsed
            detail = "counts again" if is_well else "its reading is too old to count"
            self._on_own_health("meter", meter, is_well=is_well, detail=detail)
        self._lapsed = lapsed

    def _watch_outlet(self, outlet: Outlet, now: float) -> None:
        if outlet.heartbeat.lapses(now):
            silence_s = outlet.heartbeat.silence_s(now)
            detail = f"nothing from the gateway for {silence_s:.0f} s; its last value stays in force"
            self._on_own_health("gateway", outlet.name, is_well=False, detail=detail)
        trouble = outlet.broker.outbox.health.trouble
        detail = trouble or "the outbox can be written"
        self._on_own_health("outbox", outlet.name, is_well=trouble is None, detail=detail)
        dropped = outlet.newly_dropped()
        if dropped:
            counts = ", ".join(f"{count} {kind}" for kind, count in dropped.items())
            log.error("mqtt messages dropped", broker=outlet.name, messages=counts)
            detail = f"{outlet.name}: messages dropped for lack of room: {counts}"
            self._queue_event(AgentHealth(subject="outbox_full", is_well=False, detail=detail))

    def _on_own_health(
        self, subject: Literal["outbox", "gateway", "meter", "broker"], name: str, *, is_well: bool, detail: str
    ) -> None:
        """Publish and log a change of health."""
        if not self._publish_health(subject, name, is_well=is_well, detail=detail):
            return
        if is_well:
            log.info("mqtt well again", subject=subject, name=name, detail=detail)
        else:
            log.warning("mqtt not well", subject=subject, name=name, detail=detail)

    def _publish_health(self, subject: Subject, name: str, *, is_well: bool, detail: str) -> bool:
        """Publish a change of health; returns True if it was one."""
        event = self._health_news.change(subject, name, is_well=is_well, detail=detail)
        if event is None:
            return False
        self._queue_event(event)
        return True

    def _queue_event(self, event: Change) -> None:
        payload = self._composer.event(event, at=self._wall())
        self._queue(Message(Kind.EVENT, self._composer.topics.events, payload))

    def _queue(self, message: Message) -> None:
        for outlet in self.outlets:
            outlet.broker.queue(message)

    def _offer(self, topic: str, payload: bytes, *, to: Units | None = None) -> None:
        for outlet in self.outlets:
            if to is None or outlet.units == to:
                outlet.broker.offer(topic, payload)
