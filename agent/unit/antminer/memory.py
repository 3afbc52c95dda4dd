"""Memory of one unit between polls."""

import msgspec

from agent.unit.cgminer.pools_turn import PoolsTurn
from agent.unit.coolant import SensorLayouts
from agent.unit.nameplate import shipped_layouts
from agent.unit.reading import Fault, Identity, PoolReading, ShareReading
from agent.unit.unread import OnUnread

LOOK_AGAIN_S = 600.0
"""A unit's replies are looked at for unread fields once in this time at most, s: one may restart at every poll."""


class Memory(msgspec.Struct, gc=False):
    """The state of one unit that a conversation keeps between polls.

    Attributes:
        faults: Named by the unit since it stopped hashing; None while it hashes.
        identity: As last reported.
        is_known: The unit was read at least once.
        is_rate_in_summary: `stats` has noughts for rates while `summary` has one.
        is_legacy: new_api is not asked: the unit does not know it, or has no rate in `stats` of either dialect.
        is_look_due: Its replies are to be looked at for unread fields.
        layouts: The sensor layouts of all models.
        look_again_at: Unix time until which they are not looked at again, s.
        on_unread: Called with what a look at its replies found; None for no looks.
        pools: As last read; empty after a restart.
        pools_turn: When they are asked for besides slow polls.
        shares: As last read; None after a restart.
        sleep_doubted_at: Unix time at which it first said *sleep* with a rate, s; see `consistency.words`.
        until_slow: Polls until share counters and pools are asked for again.
        uptime_s: As last reported, s.
        version: An answer to `version` that has not been read yet.
        young_uptime: See `consistency.youth`.
    """

    faults: tuple[Fault, ...] | None = None
    identity: Identity = Identity()
    is_known: bool = False
    is_legacy: bool = False
    is_look_due: bool = True
    is_rate_in_summary: bool = False
    look_again_at: float = 0.0
    layouts: SensorLayouts = msgspec.field(default_factory=shipped_layouts)
    on_unread: OnUnread | None = None
    pools: tuple[PoolReading, ...] = ()
    pools_turn: PoolsTurn = msgspec.field(default_factory=PoolsTurn)
    shares: ShareReading | None = None
    sleep_doubted_at: float | None = None
    until_slow: int = 0
    uptime_s: float | None = None
    version: bytes | None = None
    young_uptime: tuple[float, float] | None = None
