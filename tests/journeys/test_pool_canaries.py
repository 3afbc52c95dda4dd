"""Where work goes stays inside: no address, account or worker in logs at info, MQTT figures or events of states."""

import msgspec
from exporter_cases import entry, gone_silent, reading, status
from structlog.testing import capture_logs

from agent.exporters.mqtt.composer import facts, group
from agent.runtime.change_log import ChangeLog
from agent.site.pools.destinations import Destination
from agent.site.pools.work import PoolClass, UnitWork
from agent.site.remembered import kept_reading
from agent.site.status import UnitState
from agent.site.totals import site_figures
from agent.unit.reading import PoolReading

AT = 1_763_674_560.0
CANARIES = ("canaryhost", "31337", "canaryaccount", "canaryworker")
POOLS = (
    PoolReading(
        index=0,
        status="Alive",
        is_active=True,
        url="stratum+tcp://canaryhost.example:31337",
        user="canaryaccount.canaryworker",
    ),
)
WORK = UnitWork(
    pool_class=PoolClass.DIVERTED,
    destination=Destination("stratum+tcp", "canaryhost.example", 31_337),
    account="canaryaccount",
    since=AT,
    known_at=AT,
)
DIVERTED = msgspec.structs.replace(status(entry(), reading(pools=POOLS)), work=WORK)


def told(text: object) -> list[str]:
    """Return the canaries in a text."""
    return [canary for canary in CANARIES if canary in str(text)]


def test_the_canaries_would_be_found() -> None:
    """They are in the status itself."""
    assert told(DIVERTED) == list(CANARIES)


def test_changes_of_state_are_logged_without_them() -> None:
    """A diverted unit that falls silent and comes back is logged by its state and reason."""
    with capture_logs() as logs:
        log = ChangeLog()
        log.add(msgspec.structs.replace(gone_silent(), work=WORK), UnitState.HASHING)
        log.add(DIVERTED, UnitState.UNREACHABLE)
        log.close_interval()
    assert len(logs) >= 2
    assert told(logs) == []


def test_mqtt_says_none_of_them() -> None:
    """Figures of the site and the facts of the unit."""
    figures = site_figures([DIVERTED], AT)
    assert figures.site.diverted_units == 1
    assert told(msgspec.json.encode([group(figures.site), facts(DIVERTED)])) == []


def test_none_of_them_is_kept_on_disk() -> None:
    """What outlasts a restart of the agent has the state of pools alone."""
    assert told(kept_reading(reading(pools=POOLS))) == []
