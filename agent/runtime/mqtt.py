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


def new_mqtt(setup: Setup, book: CurtailmentBook, ledger: Callable[[], Ledger]) -> MqttExporter:
    """Return the exporter for all brokers of a configuration; it connects when it runs.

    Args:
        setup: Configuration and links.
        book: Declared curtailments, which orders may change.
        ledger: Returns the ledger in force; meters must be of its containers and units.
    """
    return assemble(
        setup.config.mqtt,
        setup.mqtt_links,
        site=setup.config.site.name,
        version=__version__,
        config_file=setup.path,
        door=lambda meters: _door(book, ledger, meters),
        clock=time.monotonic,
        wall=time.time,
    )


def _door(book: CurtailmentBook, ledger: Callable[[], Ledger], meters: MqttMeters) -> Door:
    def has(scope: MeterScope) -> bool:
        if scope.container is not None:
            return any(entry.place.container == scope.container for entry in ledger().entries)
        return scope.unit is None or scope.unit in ledger().unit_ids

    return Door(
        book=book,
        in_force=lambda: book.curtailments.around(time.time()).in_force,
        meters=meters,
        has=has,
    )
