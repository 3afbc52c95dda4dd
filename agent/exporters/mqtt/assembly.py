"""Builds the MQTT exporter from a configuration."""

import random
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from agent.config.sections import MqttSection
from agent.exporters.mqtt.backoff import Backoff
from agent.exporters.mqtt.broker import Broker
from agent.exporters.mqtt.composer import Composer
from agent.exporters.mqtt.exporter import MqttExporter
from agent.exporters.mqtt.gateway import Heartbeat
from agent.exporters.mqtt.home_assistant import discovery
from agent.exporters.mqtt.intake import Door, Intake
from agent.exporters.mqtt.links import Link, outbox_path, run_mark
from agent.exporters.mqtt.meters import MqttMeters
from agent.exporters.mqtt.outbox import Outbox
from agent.exporters.mqtt.outlet import Outlet
from agent.exporters.mqtt.sparkplug import EdgeNode
from agent.exporters.mqtt.sparkplug_node import SparkplugNode

# A broker that saves at every change reads on only after saving: when it acknowledges another message a second later,
# the earlier ones are on its disk.
GRACE_S = 1.0


def assemble(
    sections: Sequence[MqttSection],
    links: Sequence[Link],
    *,
    site: str,
    version: str,
    config_file: Path,
    door: Callable[[MqttMeters], Door],
    clock: Callable[[], float],
    wall: Callable[[], float],
    page_url: str | None = None,
    rng: random.Random | None = None,
) -> MqttExporter:
    """Return the exporter for the brokers of a configuration; it opens nothing before it runs.

    Args:
        sections: Each broker's section of the configuration.
        links: The link to each broker, in the same order.
        site: The site's name.
        version: The agent's version.
        config_file: The outboxes are beside it.
        door: Returns the parts of the site that received messages may change, with the given meters among them.
        clock: Monotonic clock, s.
        wall: Unix time, s.
        page_url: Address at which people open the agent's pages; None if none is configured.
        rng: Source of jitter and canary nonces.
    """
    rng = rng or random.Random()
    mark = run_mark(links)
    composer = Composer(site, boot_id=mark + uuid.uuid4().hex[len(mark) :], version=version, started_at=wall())
    # The configuration makes sure that all brokers with meters have the same value.
    ages_s = [section.meter_max_age_s for section in sections if section.meters]
    meters = MqttMeters(max_age_s=ages_s[0] if ages_s else 0.0)
    site_door = door(meters)
    outlets = []
    for section, link in zip(sections, links, strict=True):
        is_receiving = section.curtailment or section.meters
        broker = Broker(
            link,
            Outbox(
                outbox_path(section, config_file),
                max_bytes=section.outbox_max_mb << 20,
                clock=clock,
                wall=wall,
                grace_s=GRACE_S,
            ),
            composer,
            intake=Intake(link.name, composer.topics, site_door, wall=wall) if is_receiving else None,
            orders=composer.topics.curtailment if section.curtailment else None,
            meters=composer.topics.meters if section.meters else None,
            backoff=Backoff(random=rng.random),
            clock=clock,
            wall=wall,
        )
        heartbeat = Heartbeat(section.gateway_heartbeat_s, clock_s=clock())
        outlets.append(
            Outlet(
                broker=broker,
                units=section.units,
                heartbeat=heartbeat,
                node=_node(section, link, site, Backoff(random=rng.random), wall),
                discovery=_discovery(section, composer, page_url),
            )
        )
    unit_heartbeat_s = min((section.unit_heartbeat_s for section in sections), default=300.0)
    return MqttExporter(composer, outlets, meters=meters, unit_heartbeat_s=unit_heartbeat_s, clock=clock, wall=wall)


def _discovery(
    section: MqttSection, composer: Composer, page_url: str | None
) -> Callable[[Iterable[str], float], dict[str, bytes]] | None:
    if not section.home_assistant:
        return None

    def messages(containers: Iterable[str], interval_s: float) -> dict[str, bytes]:
        return discovery(
            composer.topics,
            containers,
            prefix=section.home_assistant_prefix,
            site=composer.site,
            version=composer.version,
            interval_s=interval_s,
            page_url=page_url,
        )

    return messages


def _node(
    section: MqttSection, link: Link, site: str, backoff: Backoff, wall: Callable[[], float]
) -> SparkplugNode | None:
    if section.sparkplug_group is None:
        return None
    own = replace(link, client_id=f"{link.client_id}-sparkplug")
    return SparkplugNode(own, EdgeNode(section.sparkplug_group, site), backoff=backoff, wall=wall)
