"""Which reports a poll of VNish asks for, and what is remembered between polls.

    stats ..... every poll: rate, boards, state, fans and power
    pools ..... every `slow_every` polls, at once after a restart, and of a unit that hashes nothing: pools and shares;
                every `pools_every` polls where the site judges where work goes

`summary` and `devs` are not asked: their `GHS 30m` and longer windows are the average of the run, and their share
counters include those of the firmware's own pool. The owner's shares are the sums over the owner's pools.
"""

from collections.abc import Callable, Sequence
from typing import Final
from zlib import crc32

import msgspec

from agent.errors import PollError
from agent.unit.cgminer import wire
from agent.unit.cgminer.pools import read_pools
from agent.unit.cgminer.pools_turn import PoolsTurn
from agent.unit.consistency.rules import hashes_nothing, hold_together
from agent.unit.nameplate import Nameplate
from agent.unit.reader import Conversation
from agent.unit.reading import BoardReading, Identity, PoolReading, ShareReading
from agent.unit.vnish.schema import NO_HEADER, Header
from agent.unit.vnish.stats import Known, read_stats
from agent.unit.vnish.words import is_fee_pool

STATS: Final = wire.encode_request("stats")
POOLS: Final = wire.encode_request("pools")
REQUESTS: Final = (STATS, POOLS)
"""Every request this reader sends. Documented (D235): none of them changes a unit."""


class Memory(msgspec.Struct, gc=False):
    """Memory of one unit's conversation between polls.

    Attributes:
        header: The header that `identity` was made of.
        identity: As last reported.
        is_known: The unit was read at least once.
        pools: As last read; empty after a restart.
        pools_turn: When they are asked for besides slow polls.
        shares: The owner's, as last read; None after a restart.
        sleep_doubted_at: See `consistency.words`.
        until_slow: Polls until pools are asked for again.
        uptime_s: As last reported, s.
        young_uptime: See `consistency.youth`.
    """

    header: Header = NO_HEADER
    identity: Identity = Identity()
    is_known: bool = False
    pools: tuple[PoolReading, ...] = ()
    pools_turn: PoolsTurn = msgspec.field(default_factory=PoolsTurn)
    shares: ShareReading | None = None
    sleep_doubted_at: float | None = None
    until_slow: int = 0
    uptime_s: float | None = None
    young_uptime: tuple[float, float] | None = None


def converse(
    unit_id: str,
    memory: Memory,
    *,
    nameplate: Nameplate | None = None,
    slow_every: int,
    pools_every: int | None = None,
    wall: Callable[[], float],
) -> Conversation:
    """Poll one unit; arguments as of `agent.unit.reader.Converse`.

    Raises:
        PollError: `stats` could not be read, or refutes its own rate. `pools` that fails only leaves its figures out.
    """
    data = yield STATS
    known = Known(unit_id, wall(), memory.header, memory.identity, memory.pools, memory.shares, nameplate)
    reading, header = read_stats(data, known)
    reading = hold_together(reading, nameplate, memory)
    is_first, memory.is_known = not memory.is_known, True
    memory.header, memory.identity = header, reading.identity
    uptime_s = reading.uptime_s
    is_restarted = memory.uptime_s is not None and uptime_s is not None and uptime_s < memory.uptime_s
    if uptime_s is not None:
        memory.uptime_s = uptime_s
    if is_restarted:
        # These counters belong to the previous run; carrying them over would show a jump.
        memory.pools, memory.shares = (), None
        reading = msgspec.structs.replace(reading, pools=(), shares=None)
    is_new = is_first or is_restarted
    is_slow = is_new or memory.until_slow <= 0
    if is_slow:
        # The first wait depends on the unit's id, so that a fleet that starts together spreads its slow requests.
        memory.until_slow = 1 + crc32(unit_id.encode()) % slow_every if is_new else slow_every
    memory.until_slow -= 1
    is_asked = is_slow or hashes_nothing(reading, nameplate)
    if pools_every is not None:
        is_asked |= memory.pools_turn.is_due(pools_every, unit_id, is_new=is_new, is_asked=is_asked)
    if not is_asked:
        return reading
    try:
        pools, repairs = read_pools((yield POOLS), is_fee=is_fee_pool)
    except PollError:
        return reading
    memory.pools, memory.shares = pools, owner_shares(pools, reading.boards, at=wall())
    return msgspec.structs.replace(
        reading, pools=pools, shares=memory.shares, repairs=(*reading.repairs, *repairs) if repairs else reading.repairs
    )


def owner_shares(pools: Sequence[PoolReading], boards: Sequence[BoardReading], *, at: float) -> ShareReading | None:
    """Return the sums over the owner's pools, and over the boards' hardware errors; None without a pool of the owner.

    A sum is None if one of the pools leaves the counter out. `summary` counts the firmware's own pool as well.

    Args:
        pools: All pools.
        boards: As read in the same poll.
        at: Unix time, s.
    """
    owners = [pool for pool in pools if not pool.is_fee]
    if not owners:
        return None
    errors = [board.hw_errors for board in boards if board.hw_errors is not None]
    return ShareReading(
        at=at,
        accepted=_sum([pool.accepted for pool in owners]),
        rejected=_sum([pool.rejected for pool in owners]),
        stale=_sum([pool.stale for pool in owners]),
        difficulty_accepted=_sum_of_difficulty([pool.difficulty_accepted for pool in owners]),
        difficulty_rejected=_sum_of_difficulty([pool.difficulty_rejected for pool in owners]),
        difficulty_stale=_sum_of_difficulty([pool.difficulty_stale for pool in owners]),
        hw_errors=sum(errors) if errors else None,
    )


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _sum_of_difficulty(counts: Sequence[float | None]) -> float | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
