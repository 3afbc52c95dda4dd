"""An agent with MQTT brokers, and its MQTT exporter alone, for tests."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

from brokers import ROOT, SITE, Consumer, payloads
from exporter_cases import AT, ENERGY, reading, status
from patience import PATIENT_S
from programs import Program, agent

from agent.config.sections import MqttSection
from agent.exporters.mqtt.assembly import assemble
from agent.exporters.mqtt.exporter import MqttExporter
from agent.exporters.mqtt.intake import Door
from agent.exporters.mqtt.links import read_links
from agent.exporters.mqtt.meters import MqttMeters
from agent.site.curtailment.events import Event
from agent.site.curtailment.orders import OrderError, Refusal, StartOrder, order_event
from agent.site.totals import site_figures


def section(port: int, **options: Any) -> MqttSection:
    """Return the configuration of a broker on loopback."""
    return MqttSection(**({"name": "site", "host": "127.0.0.1", "port": port} | options))


def toml(*sections: MqttSection) -> str:
    """Return sections as the text of a configuration file."""
    lines = []
    for each in sections:
        lines.append("[[mqtt]]")
        for key, value in each.model_dump(exclude_unset=True, mode="json").items():
            text = str(value).lower() if isinstance(value, bool | int | float) else repr(value)
            lines.append(f"{key} = {text}")
    return "\n".join((*lines, ""))


def mqtt_agent(
    folder: Path, *sections: MqttSection, interval_s: float = 1, is_awaited: bool = True
) -> contextlib.AbstractAsyncContextManager[tuple[Program, str]]:
    """Run the agent on `ledger.csv` in `folder` with these brokers; yields it and its address once it is ready."""
    return agent(folder, interval_s=interval_s, site=SITE, more=toml(*sections), is_awaited=is_awaited)


class SmallBook:
    """A book of curtailments in memory."""

    def __init__(self) -> None:
        self.events: dict[str, Event] = {}

    async def start(
        self,
        order: StartOrder,
        *,
        source: str,
        is_state: bool = False,  # noqa: ARG002 - as the real one is called
    ) -> tuple[Event, bool]:
        """Follow an order; the same order is followed once."""
        event = order_event(order, at=time.time(), source=source, is_taken=self.events.__contains__)
        is_new = event.id not in self.events
        return self.events.setdefault(event.id, event), is_new

    async def stop(self, event_id: str, *, source: str) -> Event:  # noqa: ARG002 - as the real one is called
        """Remove an event."""
        if event_id not in self.events:
            raise OrderError(Refusal.UNKNOWN, "there is no such event")
        return self.events.pop(event_id)


def exporter(folder: Path, *sections: MqttSection, book: SmallBook | None = None, seed: int = 1) -> MqttExporter:
    """Return the MQTT exporter alone, with its outboxes in `folder`."""
    known = book or SmallBook()
    config_file = folder / "site.toml"

    def door(meters: MqttMeters) -> Door:
        return Door(book=known, in_force=lambda: tuple(known.events.values()), meters=meters, has=lambda _: True)

    return assemble(
        sections,
        read_links(sections, site=SITE, file=config_file),
        site=SITE,
        version="1.2.3",
        config_file=config_file,
        door=door,
        clock=time.monotonic,
        wall=time.time,
        rng=random.Random(seed),
    )


@contextlib.asynccontextmanager
async def delivering(side: MqttExporter) -> AsyncIterator[MqttExporter]:
    """Run the MQTT exporter; the block starts once its first broker is connected."""
    connected = asyncio.Event()
    broker = side.outlets[0].broker
    broker.on_connected = connected.set
    async with side.running():
        async with asyncio.timeout(PATIENT_S):
            await connected.wait()
        yield side


def publish_figures(side: MqttExporter, count: int, start: int = 0) -> None:
    """Publish figures of one unit `count` times."""
    unit = status(latest=reading())
    for number in range(start, start + count):
        side.on_figures(site_figures([unit], AT + number), ENERGY, interval_s=1, simulated_units=lambda: 0)


def password(folder: Path, text: str) -> Path:
    """Write a password file; returns its path."""
    folder.mkdir(exist_ok=True)
    path = folder / "password"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def figure_times(reader: Consumer) -> list[float]:
    """Return the times of all received figures, in order of arrival."""
    bodies = payloads(reader.messages, f"{ROOT}/figures")
    return [datetime.fromisoformat(body["time"]).timestamp() for body in bodies]
