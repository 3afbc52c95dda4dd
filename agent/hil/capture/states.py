"""The state of a unit in one look, from its own replies. Pure."""

from enum import StrEnum
from typing import Final

from agent.errors import DisconnectedError, PollError
from agent.hil.capture.exchanged import Exchange
from agent.hil.capture.form import Port
from agent.site.evidence import alone_findings
from agent.site.reasons import Reason
from agent.site.restarts import YOUNG_S
from agent.site.status import BOOT_S, FULL_RATIO
from agent.unit.reading import Mode, UnitReading


class State(StrEnum):
    """The closed list of states that a recorder tells apart."""

    OFF = "off"
    """No route, or silence: without power or network."""
    BOOT = "boot"
    """The host answers and its API does not, or its miner process is young and has no rate."""
    RAMP = "ramp"
    """Young, with a rate below what its boards should give."""
    HASHING = "hashing"
    ASLEEP = "asleep"
    FAULT = "fault"
    """Awake without hashrate, and its replies show why."""
    STOPPED = "stopped"
    """Awake without hashrate, cause unknown."""
    UNREADABLE = "unreadable"
    """It answers, and no reader reads it."""


THROUGH: Final = {
    "boot": State.BOOT,
    "ramp": State.RAMP,
    "hashing": State.HASHING,
    "sleep": State.ASLEEP,
    "fault": State.FAULT,
    "off": State.OFF,
}
"""The states that a recording may go through, by the word of the command line."""


def state_of(look: list[Exchange], read: UnitReading | PollError) -> State:
    """Return the state of a unit.

    Args:
        look: The exchanges of one look, at least one.
        read: What the agent reads from them.
    """
    ports = {exchange.port for exchange in look if exchange.is_on_api_port}
    if ports and Port.OPEN not in ports:
        return State.BOOT if Port.REFUSED in ports else State.OFF
    if isinstance(read, PollError):
        # Nothing reads at the other end: the miner process is being restarted.
        return State.BOOT if isinstance(read, DisconnectedError) and read.is_reset else State.UNREADABLE
    return _state_read(read)


def _state_read(reading: UnitReading) -> State:
    if reading.mode is Mode.SLEEP:
        return State.ASLEEP
    if reading.rate_hs is None:
        return State.UNREADABLE
    is_young = reading.uptime_s is not None and reading.uptime_s < YOUNG_S
    if reading.rate_hs:
        full_hs = reading.hashrate_ideal_hs or reading.hashrate_sale_hs
        return State.RAMP if is_young and full_hs and reading.rate_hs < FULL_RATIO * full_hs else State.HASHING
    if reading.uptime_s is not None and reading.uptime_s < BOOT_S:
        return State.BOOT
    return State.STOPPED if alone_findings(reading)[0].reason is Reason.STOPPED_UNKNOWN else State.FAULT
