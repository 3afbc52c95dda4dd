"""MQTT for one site: the brokers of its configuration, and what messages that arrive may change."""

import time
from collections.abc import Callable

from agent import __version__
from agent.exporters.mqtt.assembly import assemble
from agent.exporters.mqtt.exporter import MqttExporter
from agent.exporters.mqtt.intake import Door
from agent.exporters.mqtt.meters import MqttMeters
from agent.exporters.mqtt.topics import MeterScope
from agent.runtime.setup import Setup
from agent.site.curtailment.book import CurtailmentBook
from agent.site.ledger.entries import Ledger


def new_mqtt(
    setup: Setup, book: CurtailmentBook, ledger: Callable[[], Ledger], *, is_silent: bool = False
) -> MqttExporter:
    """Return the exporter for all brokers of a configuration; it connects when it runs.

    Args:
        setup: Configuration and links.
        book: Declared curtailments, which orders may change.
        ledger: Returns the ledger in force; meters must be of its containers and units.
        is_silent: True for no broker at all, as a standby has while it stands by.
    """
    return assemble(
        () if is_silent else setup.config.mqtt,
        () if is_silent else setup.mqtt_links,
        site=setup.config.site.name,
        version=__version__,
        config_file=setup.path,
        door=lambda meters: _door(book, ledger, meters),
        clock=time.monotonic,
        wall=time.time,
        page_url=setup.config.web.external_url,
    )


class _Names:
    """The containers and units of the ledger in force, gathered once for each ledger: meters send often.

    Args:
        ledger: Returns the ledger in force.
    """

    def __init__(self, ledger: Callable[[], Ledger]) -> None:
        self._ledger = ledger
        self._gathered: Ledger | None = None
        self._containers: frozenset[str] = frozenset()
        self._units: frozenset[str] = frozenset()

    def has(self, scope: MeterScope) -> bool:
        """Return True if the ledger has what a meter claims to measure."""
        ledger = self._ledger()
        if ledger is not self._gathered:
            self._gathered = ledger
            self._containers = frozenset(entry.place.container for entry in ledger.entries)
            self._units = frozenset(ledger.unit_ids)
        if scope.container is not None:
            return scope.container in self._containers
        return scope.unit is None or scope.unit in self._units


def _door(book: CurtailmentBook, ledger: Callable[[], Ledger], meters: MqttMeters) -> Door:
    return Door(
        book=book,
        in_force=lambda: book.curtailments.around(time.time()).in_force,
        meters=meters,
        has=_Names(ledger).has,
    )
