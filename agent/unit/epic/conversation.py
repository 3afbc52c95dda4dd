"""One poll of a unit under ePIC firmware, as a conversation without I/O; see `agent.unit.reader`.

    /summary ................ every poll: all figures
    /capabilities, /network . when a unit is new or restarted: the model, the MAC address

Every request is a GET. Documented (D273): what changes a unit is a POST, with a password.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from agent.address import mac_or_none
from agent.errors import PollError, RefusedError, UnsupportedReplyError, drop_frames
from agent.unit.cgminer import wire
from agent.unit.cgminer.fields import interned
from agent.unit.cgminer.page_reply import body_of
from agent.unit.consistency.rules import hold_together
from agent.unit.epic.reports import CAPABILITIES_SHAPE, NETWORK_SHAPE
from agent.unit.epic.summary import NO_POOLS, Pools, not_epic, read_summary
from agent.unit.nameplate import Nameplate
from agent.unit.reader import Conversation
from agent.unit.reading import Identity, IdentitySource, SystemInfo, UnitReading, without_window

SUMMARY_PATH: Final = "/summary"
CAPABILITIES_PATH: Final = "/capabilities"
NETWORK_PATH: Final = "/network"
PATHS: Final = (SUMMARY_PATH, CAPABILITIES_PATH, NETWORK_PATH)
"""The whitelist: pages that tell, none of which changes a unit."""

SUMMARY: Final = wire.encode_get(SUMMARY_PATH)
CAPABILITIES: Final = wire.encode_get(CAPABILITIES_PATH)
NETWORK: Final = wire.encode_get(NETWORK_PATH)
REQUESTS: Final = (SUMMARY, CAPABILITIES, NETWORK)


class Memory(msgspec.Struct, gc=False):
    """Memory of one unit's conversation between polls.

    Attributes:
        identity: As last reported.
        is_model_due: `/capabilities` is asked for at the next poll.
        pools: As last read.
        sleep_doubted_at, young_uptime: See `consistency`.
        uptime_s: As last reported, s.
    """

    identity: Identity = Identity()
    is_model_due: bool = True
    pools: Pools = NO_POOLS
    sleep_doubted_at: float | None = None
    uptime_s: float | None = None
    young_uptime: tuple[float, float] | None = None


def converse(
    unit_id: str,
    memory: Memory,
    *,
    nameplate: Nameplate | None = None,
    slow_every: int,  # noqa: ARG001 - Of the seam; nothing here is asked for now and then.
    pools_every: int | None = None,  # noqa: ARG001 - Nor that: pools are on the page of every poll.
    wall: Callable[[], float],
) -> Conversation:
    """Poll one unit; arguments as `agent.unit.reader.Converse`.

    Raises:
        PollError: `/summary` could not be read, or refutes its own rate.
    """
    data = yield SUMMARY
    at = wall()
    body = _summary_body(data, memory)
    reading, memory.pools = read_summary(body, unit_id, memory.identity, memory.pools, at=at)
    reading = hold_together(reading, nameplate, memory)
    uptime_s = reading.uptime_s
    if uptime_s is not None:
        memory.is_model_due |= memory.uptime_s is not None and uptime_s < memory.uptime_s
        memory.uptime_s = uptime_s
    memory.identity = reading.identity
    if memory.is_model_due:
        reading = yield from _identified(reading, memory)
    return without_window(reading)


def _identified(reading: UnitReading, memory: Memory) -> Conversation:
    """Ask a unit that is new or restarted what it is; what fails is asked again at the next poll."""
    try:
        identity = memory.identity = _with_model((yield CAPABILITIES), memory.identity)
        mac = _mac((yield NETWORK))
    except PollError:
        return msgspec.structs.replace(reading, identity=memory.identity)
    memory.is_model_due = False
    info = None
    if mac is not None:
        info = SystemInfo(model=identity.model, firmware=identity.firmware, mac=mac, source=IdentitySource.NETWORK)
    return msgspec.structs.replace(reading, identity=identity, system_info=info)


def _mac(data: bytes) -> str | None:
    page, _ = NETWORK_SHAPE.read(body_of(data, NETWORK_PATH))
    macs = [mac_or_none(way.mac) for way in (page.dhcp, page.static) if way is not None]
    return next((mac for mac in macs if mac is not None), None)


def _summary_body(data: bytes, memory: Memory) -> bytes:
    """Return the page without its head.

    Raises:
        PollError: There is none; of a unit that was never read as ePIC's, it is another web server.
    """
    try:
        return body_of(data, SUMMARY_PATH)
    except (RefusedError, UnsupportedReplyError) as error:
        if memory.uptime_s is not None:
            raise
        drop_frames(error)
    raise not_epic(SUMMARY_PATH)


def _with_model(data: bytes, known: Identity) -> Identity:
    page, _ = CAPABILITIES_SHAPE.read(body_of(data, CAPABILITIES_PATH))
    return msgspec.structs.replace(known, model=interned(page.model) or known.model)
