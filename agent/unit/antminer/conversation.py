r"""One poll as a conversation without I/O: which requests to send, in which order, and the reading from the replies.

A conversation is a generator, driven as `agent.unit.reader` describes: by the poller, by `hashsight read`, or in a test
from a table of replies.

    stats (new_api) ............. every poll. A unit that does not know new_api answers legacy, which is read as well.
      \- stats (legacy) ......... if the unit refused the first as an unknown command (remembered from then on), or if
                                  the first came without figures
      \- summary ................ if the unit is asleep: then only this report has rates and uptime
    version ..................... when first seen, when the uptime went backwards, when the firmware changed
    summary, pools .............. every `slow_every` polls, and whenever a unit is new or restarted; each unit has its
                                  own turn, so that the requests of a fleet are spread out
"""

from collections.abc import Callable
from zlib import crc32

import msgspec

from agent.errors import PollError, RefusedError, UnsupportedReplyError
from agent.unit.antminer.stats import is_invalid_command, read_stats
from agent.unit.cgminer import wire
from agent.unit.cgminer.pools import read_pools
from agent.unit.cgminer.summary import read_summary
from agent.unit.cgminer.version import read_version
from agent.unit.coolant import SensorLayouts
from agent.unit.nameplate import Nameplate, shipped_layouts
from agent.unit.reader import Conversation
from agent.unit.reading import Identity, Mode, PoolReading, ShareReading, UnitReading

STATS_NEW_API = wire.encode_request("stats", new_api=True)
STATS = wire.encode_request("stats")
SUMMARY = wire.encode_request("summary")
POOLS = wire.encode_request("pools")
VERSION = wire.encode_request("version")
REQUESTS = (STATS_NEW_API, STATS, SUMMARY, POOLS, VERSION)
"""Every request the agent sends to TCP 4028: five reports; none of them changes a unit."""


class Memory(msgspec.Struct, gc=False):
    """The state of one unit that a conversation keeps between polls.

    Attributes:
        identity: As last reported.
        is_known: The unit was read at least once.
        is_legacy: The unit refused new_api as an unknown command.
        layouts: The sensor layouts of all models.
        pools: As last read; empty after a restart.
        shares: As last read; None after a restart.
        until_slow: Polls until share counters and pools are asked for again.
        uptime_s: As last reported, s.
    """

    identity: Identity = Identity()
    is_known: bool = False
    is_legacy: bool = False
    layouts: SensorLayouts = msgspec.field(default_factory=shipped_layouts)
    pools: tuple[PoolReading, ...] = ()
    shares: ShareReading | None = None
    until_slow: int = 0
    uptime_s: float | None = None


def converse(
    unit_id: str,
    memory: Memory,
    *,
    nameplate: Nameplate | None = None,
    slow_every: int,
    wall: Callable[[], float],
) -> Conversation:
    """Poll one unit.

    Args:
        unit_id: The ledger's name for the unit.
        nameplate: The unit's rating in the ledger; None if it is not known.
        memory: Kept between the polls of one unit; changed only by replies that were read.
        slow_every: Ask for share counters and pools every this many polls; 1 is every poll.
        wall: Returns Unix time, s.

    Raises:
        PollError: `stats` could not be read. A later request that fails only leaves its own figures out.
    """
    reading = yield from _ask_stats(unit_id, memory, nameplate, wall)
    has_summary = reading.mode is Mode.SLEEP and reading.hashrate_5s_hs is None
    if has_summary:
        reading = yield from _with_summary(reading, memory, wall)
    is_new = not memory.is_known
    memory.is_known = True
    is_restarted = memory.uptime_s is not None and reading.uptime_s is not None and reading.uptime_s < memory.uptime_s
    is_changed = reading.identity is not memory.identity
    memory.identity = reading.identity
    if reading.uptime_s is not None:
        memory.uptime_s = reading.uptime_s
    if is_restarted:
        # These counters belong to the previous process; carrying them over would show a jump.
        memory.pools = ()
        if not has_summary:
            memory.shares = None
        reading = msgspec.structs.replace(reading, pools=memory.pools, shares=memory.shares)
    if is_new or is_restarted or is_changed:
        reading = yield from _with_version(reading, memory)
    if is_new or is_restarted or memory.until_slow <= 0:
        if is_new or is_restarted:
            # The first wait depends on the unit's id, so that a fleet that starts together spreads its slow requests.
            memory.until_slow = 1 + crc32(unit_id.encode()) % slow_every
        else:
            memory.until_slow = slow_every
        if not has_summary:
            reading = yield from _with_summary(reading, memory, wall)
        reading = yield from _with_pools(reading, memory)
    memory.until_slow -= 1
    return reading


def _ask_stats(unit_id: str, memory: Memory, nameplate: Nameplate | None, wall: Callable[[], float]) -> Conversation:
    is_legacy = memory.is_legacy
    if not is_legacy:
        data = yield STATS_NEW_API
        try:
            return _read_stats(data, unit_id, memory, nameplate, wall)
        except RefusedError as error:
            if not is_invalid_command(error):
                raise
            is_legacy = True
        except UnsupportedReplyError:
            # Assumed (A34): new_api has a shape of sleep without figures, as legacy has. Only legacy's was recorded.
            pass
    data = yield STATS
    reading = _read_stats(data, unit_id, memory, nameplate, wall)
    memory.is_legacy = is_legacy
    return reading


def _read_stats(
    data: bytes, unit_id: str, memory: Memory, nameplate: Nameplate | None, wall: Callable[[], float]
) -> UnitReading:
    return read_stats(
        data,
        unit_id=unit_id,
        at=wall(),
        identity=memory.identity,
        pools=memory.pools,
        shares=memory.shares,
        nameplate=nameplate,
        layouts=memory.layouts,
    )


def _with_summary(reading: UnitReading, memory: Memory, wall: Callable[[], float]) -> Conversation:
    try:
        summary = read_summary((yield SUMMARY), at=wall())
    except PollError:
        return reading
    memory.shares = summary.shares
    reading = msgspec.structs.replace(reading, shares=summary.shares, repairs=reading.repairs + summary.repairs)
    if reading.hashrate_5s_hs is not None:
        return reading
    return msgspec.structs.replace(
        reading,
        uptime_s=summary.uptime_s,
        hashrate_5s_hs=summary.hashrate_5s_hs,
        hashrate_30m_hs=summary.hashrate_30m_hs,
        hashrate_avg_hs=summary.hashrate_avg_hs,
    )


def _with_pools(reading: UnitReading, memory: Memory) -> Conversation:
    try:
        pools, repairs = read_pools((yield POOLS))
    except PollError:
        return reading
    memory.pools = pools
    return msgspec.structs.replace(reading, pools=pools, repairs=reading.repairs + repairs)


def _with_version(reading: UnitReading, memory: Memory) -> Conversation:
    try:
        identity, repairs = read_version((yield VERSION))
    except PollError:
        return reading
    from_stats = reading.identity
    memory.identity = Identity(
        model=from_stats.model or identity.model,
        firmware=from_stats.firmware or identity.firmware,
        api=identity.api,
        miner=from_stats.miner or identity.miner,
    )
    return msgspec.structs.replace(reading, identity=memory.identity, repairs=reading.repairs + repairs)
