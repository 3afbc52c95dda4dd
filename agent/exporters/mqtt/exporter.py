"""Statuses, figures and events to every broker: what is told, how often, and what comes back.

A unit's own topic is written when something changed that somebody would act on (its state and why, or its hashrate by
more than 5 % of its nameplate), and every `unit_heartbeat_s`. With ``units = "batches"`` the same units travel 100 in a
message, which are kept until delivered.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import structlog
from msgspec import structs

from agent.exporters.broker_numbers import BrokerNumbers
from agent.exporters.mqtt.broker import Broker
from agent.exporters.mqtt.composer import Composer
from agent.exporters.mqtt.connection import Received
from agent.exporters.mqtt.gateway import Heartbeat, read_percent
from agent.exporters.mqtt.messages import UNITS_A_MESSAGE, AgentHealth, CurtailmentChanged, Subject, UnitChanged
from agent.exporters.mqtt.meters import MqttMeters
from agent.exporters.mqtt.news import curtailment_changed, happened, is_news
from agent.exporters.mqtt.outbox_file import Kind, Message
from agent.exporters.mqtt.sparkplug_node import SparkplugNode
from agent.site.curtailment.events import Event, Phase
from agent.site.metered import MeterWatts
from agent.site.status import UnitState, UnitStatus
from agent.site.totals import SiteFigures

log = structlog.get_logger(__name__)

WATCH_EVERY_S = 1.0

Units = Literal["off", "latest", "batches"]


class _Told(NamedTuple):
    """What was last told of a unit."""

    status: UnitStatus
    clock_s: float


@dataclass(slots=True, kw_only=True)
class Outlet:
    """A broker and what it is told.

    Attributes:
        broker: Where to.
        units: How single units are told, if at all.
        heartbeat: Of a gateway that is expected to speak there.
        node: The site as a Sparkplug edge node there.
        discovery: Gives retained messages that let others find ours, by topic, for the containers there are.
        discovered: The topics of those that are there now.
        told_dropped: How many messages were told of as given up, by kind.
    """

    broker: Broker
    units: Units
    heartbeat: Heartbeat
    node: SparkplugNode | None = None
    discovery: Callable[[Iterable[str]], dict[str, bytes]] | None = None
    discovered: set[str] = field(default_factory=set)
    told_dropped: Counter[str] = field(default_factory=Counter)

    def dropped(self) -> Counter[str]:
        """Give how many messages were given up for want of room, by kind; every kind is there."""
        counts = Counter(self.broker.outbox.health.dropped)
        counts.update(self.broker.health.dropped)
        return counts


class MqttExporter:
    """The site, over MQTT.

    Args:
        composer: Makes the messages.
        outlets: The brokers.
        meters: Where their meters' readings are kept.
        unit_heartbeat_s: A unit that does not change is told again after so long.
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
        self._told: dict[str, _Told] = {}
        self._containers: set[str] = set()
        self._batch: dict[str, UnitStatus] = {}
        self._is_singly = any(outlet.units == "latest" for outlet in outlets)
        self._is_batched = any(outlet.units == "batches" for outlet in outlets)
        self._phases: dict[str, tuple[Event, Phase]] | None = None
        self._ill: set[tuple[str, str]] = set()
        self._lapsed: set[str] = set()
        for outlet in self.outlets:
            name = outlet.broker.link.name
            outlet.broker.on_state = lambda is_well, detail, name=name: self._on_health(  # type: ignore[misc]
                "broker", name, is_well=is_well, detail=detail
            )
            outlet.broker.on_heard = lambda received, outlet=outlet: self._on_heard(outlet, received)  # type: ignore[misc]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver while the block runs, and at its end say that the agent stops."""
        async with asyncio.TaskGroup() as tasks:
            for outlet in self.outlets:
                tasks.create_task(outlet.broker.run(), name=f"mqtt {outlet.broker.link.name}")
                if outlet.node is not None:
                    tasks.create_task(outlet.node.run(), name=f"sparkplug {outlet.broker.link.name}")
            watching = tasks.create_task(self._watch_forever(), name="mqtt watch")
            try:
                yield
            finally:
                watching.cancel()
                for outlet in self.outlets:
                    outlet.broker.stop.set()
                    if outlet.node is not None:
                        outlet.node.stop.set()

    def on_unit(self, status: UnitStatus) -> None:
        """Take in a unit's new status; cheap when nothing is to be told, and silent until it was looked at once."""
        if not self.outlets or not status.is_looked_at:
            return
        unit_id = status.entry.unit_id
        before = self._states.get(unit_id)
        if before is not status.state:
            self._states[unit_id] = status.state
            if before is not None:
                container = status.entry.place.container
                self._queue_event(
                    UnitChanged(unit_id=unit_id, container=container, before=before, state=status.state, why=status.why)
                )
        if not (self._is_singly or self._is_batched):
            return
        now = self._clock()
        told = self._told.get(unit_id)
        if told is not None and now - told.clock_s < self._unit_heartbeat_s and not is_news(told.status, status):
            return
        # Without its reading, which would stay in memory, 2 kB a unit, for as long as nothing else is told.
        self._told[unit_id] = _Told(structs.replace(status, reading=None), now)
        if self._is_singly:
            payload = self._composer.unit(status, at=self._wall())
            self._offer(self._composer.topics.unit(unit_id), payload, to="latest")
        if self._is_batched:
            self._batch[unit_id] = status

    def remove_unit(self, unit_id: str) -> None:
        """Forget a unit that left the ledger; the brokers forget it too."""
        self._states.pop(unit_id, None)
        self._batch.pop(unit_id, None)
        if self._told.pop(unit_id, None) is not None and self._is_singly:
            self._offer(self._composer.topics.unit(unit_id), b"", to="latest")

    def on_figures(self, figures: SiteFigures, *, interval_s: float, simulated_units: Callable[[], int]) -> None:
        """Tell the figures of an interval, and the units that are due."""
        if not self.outlets:
            return
        payload = self._composer.figures(figures, interval_s=interval_s, simulated_units=simulated_units())
        self._queue(Message(Kind.FIGURES, self._composer.topics.figures, payload, is_retained=True))
        for outlet in self.outlets:
            if outlet.node is not None:
                outlet.node.on_figures(figures)
        for name, sums in figures.by_container.items():
            self._offer(self._composer.topics.container(name), self._composer.container(name, sums))
        for name in self._containers - figures.by_container.keys():
            self._offer(self._composer.topics.container(name), b"")
        if self._containers != figures.by_container.keys():
            self._containers = set(figures.by_container)
            self._offer_discovery()
        for outlet in self.outlets:
            # Figures come when every unit was looked at: by now each that there is was told.
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
        """Tell what was declared, began, ended or was stopped since the last call; call it each interval.

        Args:
            events: All there are around Unix time `at`.
            at: Now, s.
        """
        phases = {event.id: (event, event.phase_at(at)) for event in events}
        before, self._phases = self._phases, phases
        for event, phase in phases.values():
            known = (before or {}).get(event.id)
            if known is None and (before is None or phase not in {Phase.PENDING, Phase.ACTIVE}):
                # What was going on when this run began was told by an earlier one, or is told by its figures.
                continue
            for what in happened(None if known is None else known[1], phase, event):
                self._queue_event(curtailment_changed(what, event))

    def on_health(
        self, subject: Literal["history", "curtailments", "configuration"], *, is_well: bool, detail: str
    ) -> None:
        """Tell when something of the agent, outside this room, is no longer as it should be, or is again.

        Call it each interval.
        """
        if self.outlets:
            self._tell_health(subject, "agent", is_well=is_well, detail=detail)

    def meter_readings(self) -> Iterator[MeterWatts]:
        """Give what each meter over MQTT says now."""
        return self._meters.readings(self._wall())

    def numbers(self) -> Iterator[BrokerNumbers]:
        """Give how each broker does."""
        for outlet in self.outlets:
            health, outbox = outlet.broker.health, outlet.broker.outbox.health
            yield BrokerNumbers(
                name=outlet.broker.link.name,
                is_connected=health.is_connected,
                is_outbox_kept=outbox.trouble is None,
                connections=health.connections,
                delivered=health.delivered,
                taken_in=health.taken_in,
                refused=health.refused,
                errors=health.errors,
                outbox_errors=outbox.errors,
                dropped=outlet.dropped(),
                waiting=outlet.broker.waiting,
                outbox_bytes=outbox.file_bytes,
                outbox_max_bytes=outlet.broker.outbox.max_bytes,
                gateway_silent=outlet.heartbeat.is_silent if outlet.heartbeat.is_expected else None,
            )

    def _on_heard(self, outlet: Outlet, received: Received) -> None:
        is_sign = received.topic == self._composer.topics.curtailment and not received.is_retained
        if is_sign and read_percent(received.payload) is not None and outlet.heartbeat.hear(self._clock()):
            self._on_health("gateway", outlet.broker.link.name, is_well=True, detail="the gateway speaks again")

    async def _watch_forever(self) -> None:
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            self.watch()

    def watch(self) -> None:
        """Tell what of the agent's own is not as it should be, or is again."""
        now = self._clock()
        for outlet in self.outlets:
            name, outbox = outlet.broker.link.name, outlet.broker.outbox.health
            if outlet.heartbeat.lapses(now):
                silence_s = outlet.heartbeat.silence_s(now)
                detail = f"nothing from the gateway for {silence_s:.0f} s; what it said last stays in force"
                self._on_health("gateway", name, is_well=False, detail=detail)
            self._on_health(
                "outbox", name, is_well=outbox.trouble is None, detail=outbox.trouble or "the outbox is written"
            )
            dropped = outlet.dropped()
            news, outlet.told_dropped = dropped - outlet.told_dropped, dropped
            if news:
                counts = ", ".join(f"{count} {kind}" for kind, count in news.items())
                log.error("mqtt messages dropped", broker=name, messages=counts)
                detail = f"{name}: messages that found no room: {counts}"
                self._queue_event(AgentHealth(subject="outbox_full", is_well=False, detail=detail))
        lapsed = set(self._meters.lapsed(self._wall()))
        for meter in lapsed ^ self._lapsed:
            is_well = meter not in lapsed
            detail = "counts again" if is_well else "its reading is too old to count"
            self._on_health("meter", meter, is_well=is_well, detail=detail)
        self._lapsed = lapsed

    def _on_health(
        self, subject: Literal["outbox", "gateway", "meter", "broker"], name: str, *, is_well: bool, detail: str
    ) -> None:
        """Tell and log a change of health."""
        if self._tell_health(subject, name, is_well=is_well, detail=detail):
            tell = log.info if is_well else log.warning
            tell("mqtt well again" if is_well else "mqtt not well", subject=subject, name=name, detail=detail)

    def _tell_health(self, subject: Subject, name: str, *, is_well: bool, detail: str) -> bool:
        """Tell a change of health, and say whether it was one; what is well from the start is no news."""
        key = (subject, name)
        if is_well == (key not in self._ill):
            return False
        self._ill ^= {key}
        self._queue_event(AgentHealth(subject=subject, is_well=is_well, detail=f"{name}: {detail}"))
        return True

    def _queue_event(self, event: UnitChanged | CurtailmentChanged | AgentHealth) -> None:
        payload = self._composer.event(event, at=self._wall())
        self._queue(Message(Kind.EVENT, self._composer.topics.events, payload))

    def _queue(self, message: Message) -> None:
        for outlet in self.outlets:
            outlet.broker.queue(message)

    def _offer(self, topic: str, payload: bytes, *, to: Units | None = None) -> None:
        for outlet in self.outlets:
            if to is None or outlet.units == to:
                outlet.broker.offer(topic, payload)

    def _offer_discovery(self) -> None:
        for outlet in self.outlets:
            if outlet.discovery is not None:
                wanted = outlet.discovery(sorted(self._containers))
                for topic in outlet.discovered - wanted.keys():
                    outlet.broker.offer(topic, b"")
                for topic, payload in wanted.items():
                    outlet.broker.offer(topic, payload)
                outlet.discovered = set(wanted)
