"""The connection of a site as a Sparkplug edge node: separate, because a connection has only one will."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog

from agent.errors import BrokerError
from agent.exporters.mqtt.backoff import Backoff
from agent.exporters.mqtt.connection import Connection, Will, connect
from agent.exporters.mqtt.links import Link
from agent.exporters.mqtt.sparkplug import EdgeNode, Value, asks_for_rebirth
from agent.exporters.mqtt.task_groups import clear_cancel_count, leaves
from agent.exporters.mqtt.topics import level
from agent.site.totals import Figures, SiteFigures

log = structlog.get_logger(__name__)


def metrics_of(figures: SiteFigures) -> dict[str, Value]:
    """Return the published values by metric name, with a folder for each container, named as in topics."""
    values = _group("Site", figures.site)
    for name, sums in figures.by_container.items():
        values |= _group(f"Containers/{level(name)}", sums)
    return values


def _group(folder: str, sums: Figures) -> dict[str, Value]:
    has_power = bool(sums.watts_units) or sums.metered_watts is not None
    return {
        f"{folder}/deployed_hs": sums.deployed_hs,
        f"{folder}/operating_hs": sums.operating_hs,
        f"{folder}/operational_efficiency_ratio": sums.operational_efficiency_ratio,
        f"{folder}/coverage_ratio": sums.coverage_ratio,
        f"{folder}/power_watts": sum(sums.watts_by_source.values()) if has_power else None,
        f"{folder}/units": sums.units,
        **{
            f"{folder}/Power/{source}_watts": watts if has_power else None
            for source, watts in sums.watts_by_source.items()
        },
        **{f"{folder}/Losses/{cause}_hs": loss_hs for cause, loss_hs in sums.losses_hs.items()},
        **{f"{folder}/Units/{state}": units for state, units in sums.units_by_state.items()},
    }


class SparkplugNode:
    """Publishes the latest figures to one broker, and a new birth when a host asks for it.

    Args:
        link: The broker, under a client id that no other connection uses.
        node: The edge node.
        backoff: Wait before each reconnect.
        wall: Unix time, s.

    Attributes:
        stop: Set it to publish the death certificate and disconnect.
    """

    def __init__(self, link: Link, node: EdgeNode, *, backoff: Backoff, wall: Callable[[], float]) -> None:
        self.link = link
        self.stop = asyncio.Event()
        self._node, self._backoff, self._wall = node, backoff, wall
        self._figures: SiteFigures | None = None
        self._changed = asyncio.Event()
        self._is_birth_due = True
        self._failures = 0

    def on_figures(self, figures: SiteFigures) -> None:
        """Store the figures of an interval and wake the publishing task."""
        self._figures = figures
        self._changed.set()

    async def run(self) -> None:
        """Publish until `stop` is set."""
        trouble = ""
        while not self.stop.is_set():
            try:
                await self._connect_once()
            except Exception as error:
                cause = leaves(error)[0]
                if not isinstance(cause, BrokerError):
                    log.exception("sparkplug failed", broker=self.link.name)
                elif str(cause) != trouble:
                    trouble = str(cause)
                    log.warning("sparkplug not connected", broker=self.link.name, error=trouble)
            clear_cancel_count()
            self._failures += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(self._backoff.wait_s(self._failures)):
                    await self.stop.wait()

    async def _connect_once(self) -> None:
        will = Will(self._node.death_topic, self._node.death(at=self._wall()), is_retained=False)
        async with connect(self.link, will=will) as connection:
            await connection.subscribe(self._node.command_topic)
            self._is_birth_due = True
            async with asyncio.TaskGroup() as tasks:
                listening = tasks.create_task(self._listen(connection), name=f"sparkplug {self.link.name} in")
                publishing = tasks.create_task(
                    self._publish_forever(connection), name=f"sparkplug {self.link.name} out"
                )
                stopping = tasks.create_task(self.stop.wait(), name=f"sparkplug {self.link.name} stop")
                await asyncio.wait({listening, publishing, stopping}, return_when=asyncio.FIRST_COMPLETED)
                for task in (listening, publishing, stopping):
                    task.cancel()
            if self.stop.is_set():
                # Sparkplug 3.0, 5.5: publish the death before an intended disconnect; the broker then drops the will.
                goodbye = self._node.goodbye(at=self._wall())
                await connection.publish(self._node.death_topic, goodbye, qos=0)

    async def _listen(self, connection: Connection) -> None:
        async for received in connection.messages():
            if received.topic == self._node.command_topic and asks_for_rebirth(received.payload):
                self._is_birth_due = True
                self._changed.set()

    async def _publish_forever(self, connection: Connection) -> None:
        while True:
            figures = self._figures
            self._changed.clear()
            if figures is not None:
                await self._publish(connection, figures)
            await self._changed.wait()

    async def _publish(self, connection: Connection, figures: SiteFigures) -> None:
        values = metrics_of(figures)
        payload = None
        if not self._is_birth_due:
            try:
                payload = self._node.data(values, at=figures.at)
            except KeyError:
                self._is_birth_due = True
        if self._is_birth_due:
            self._is_birth_due = False
            self._failures = 0
            await connection.publish(self._node.birth_topic, self._node.birth(values, at=figures.at), qos=0)
        elif payload is not None:
            await connection.publish(self._node.data_topic, payload, qos=0)
