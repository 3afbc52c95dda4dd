"""One broker, and what the exporter publishes to it."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from agent.exporters.broker_numbers import BrokerNumbers
from agent.exporters.mqtt.broker import Broker
from agent.exporters.mqtt.gateway import Heartbeat
from agent.exporters.mqtt.sparkplug_node import SparkplugNode

Units = Literal["off", "latest", "batches"]


@dataclass(slots=True, kw_only=True)
class Outlet:
    """A broker and the optional forms of data that are published to it.

    Attributes:
        broker: The connection.
        units: How single units are published, if at all.
        heartbeat: Of the demand-response gateway, if one is expected to send through this broker.
        node: The site as a Sparkplug edge node; None if not wanted.
        discovery: Returns retained messages for home automation by topic, for the given containers and the interval of
            figures, s; None if not wanted.
        discovered: Topics of the discovery messages published now.
        reported_dropped: Numbers of dropped messages that were reported already, by kind.
    """

    broker: Broker
    units: Units
    heartbeat: Heartbeat
    node: SparkplugNode | None = None
    discovery: Callable[[Iterable[str], float], dict[str, bytes]] | None = None
    discovered: set[str] = field(default_factory=set)
    reported_dropped: Counter[str] = field(default_factory=Counter)

    @property
    def name(self) -> str:
        """The broker's name in the configuration."""
        return self.broker.link.name

    def dropped(self) -> Counter[str]:
        """Return the numbers of messages dropped for lack of room, by kind; every kind is present."""
        counts = Counter(self.broker.outbox.health.dropped)
        counts.update(self.broker.health.dropped)
        return counts

    def newly_dropped(self) -> Counter[str]:
        """Return the numbers of messages dropped since the last call, by kind; kinds without any are left out."""
        dropped = self.dropped()
        since, self.reported_dropped = dropped - self.reported_dropped, dropped
        return since

    def offer_discovery(self, containers: Iterable[str], *, interval_s: float) -> None:
        """Publish discovery messages for these containers, and delete those of containers that are gone."""
        if self.discovery is None:
            return
        wanted = self.discovery(containers, interval_s)
        for topic in self.discovered - wanted.keys():
            self.broker.offer(topic, b"")
        for topic, payload in wanted.items():
            self.broker.offer(topic, payload)
        self.discovered = set(wanted)

    def numbers(self) -> BrokerNumbers:
        """Return the numbers for the agent's own metrics."""
        health, outbox = self.broker.health, self.broker.outbox.health
        return BrokerNumbers(
            name=self.name,
            is_connected=health.is_connected,
            is_outbox_kept=outbox.trouble is None,
            connections=health.connections,
            delivered=health.delivered,
            taken_in=health.taken_in,
            refused=health.refused,
            errors=health.errors,
            outbox_errors=outbox.errors,
            dropped=self.dropped(),
            waiting=self.broker.waiting,
            outbox_bytes=outbox.file_bytes,
            outbox_max_bytes=self.broker.outbox.max_bytes,
            gateway_silent=self.heartbeat.is_silent if self.heartbeat.is_expected else None,
        )
