"""Memory of one LuxOS unit between polls."""

import msgspec

from agent.unit.cgminer.pools_turn import PoolsTurn
from agent.unit.luxos.boards import NO_DETAILS, Details
from agent.unit.luxos.requests import BY_TURN
from agent.unit.luxos.state import UNKNOWN, State
from agent.unit.reading import Fault, Identity, PoolReading, ShareReading, SystemInfo


class Memory(msgspec.Struct, gc=False):
    """The state of one unit that a conversation keeps between polls.

    Attributes:
        details: Chips and clocks of the boards, as last read; empty after a restart.
        due: Slow reports still to be asked of a unit that does not join.
        faults: As the unit last named them.
        identity: As last reported.
        is_joining: Joined requests are answered, or were not tried yet.
        is_known: The unit was read at least once.
        off_at: Unix time at which it first said that it sleeps with its supply off, s; None while it does not.
        pools: As last read; empty after a restart.
        pools_turn: When they are asked for besides slow polls.
        shares: As last read; None after a restart.
        sleep_doubted_at, young_uptime: See `consistency`.
        state: As last read.
        system_info: As last told.
        silences: Joined requests in a row that nothing answered.
        turn: Which of `BY_TURN` is next.
        until_slow: Polls until the slow reports are asked for again.
        uptime_s: Of the miner process, as last reported, s.
        version: An answer to `version` that has not been read yet.
    """

    details: Details = NO_DETAILS
    due: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    identity: Identity = Identity()
    is_joining: bool = True
    is_known: bool = False
    off_at: float | None = None
    pools: tuple[PoolReading, ...] = ()
    pools_turn: PoolsTurn = msgspec.field(default_factory=PoolsTurn)
    shares: ShareReading | None = None
    silences: int = 0
    sleep_doubted_at: float | None = None
    state: State = UNKNOWN
    system_info: SystemInfo | None = None
    turn: int = 0
    until_slow: int = 0
    uptime_s: float | None = None
    version: bytes | None = None
    young_uptime: tuple[float, float] | None = None

    def is_whole(self) -> bool:
        """Return True if every report has been asked for, of a unit that does not join too."""
        return self.is_joining or (self.turn >= len(BY_TURN) and not self.due)

    def forget_process(self) -> None:
        """Drop what belongs to the process before a restart, and try joined requests again."""
        self.details, self.due, self.faults, self.pools, self.shares = NO_DETAILS, (), (), (), None
        self.state, self.is_joining, self.silences = UNKNOWN, True, 0
