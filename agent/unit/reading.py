"""What one unit said, in our units, at a moment: the immutable values the rest of the house works on.

Absent is None and gives no series; zero means measured zero. Nothing here knows a protocol, a clock or a site.

They are msgspec structs rather than dataclasses: made four at a time on every poll, they cost a quarter of the time and
half the memory, and the collector need not walk them (`gc=False`: they hold no cycles).
"""

from enum import StrEnum

import msgspec

from agent.errors import PollError


class Dialect(StrEnum):
    """The firmware's way of answering `stats`."""

    LEGACY = "legacy"
    NEW_API = "new_api"


class Mode(StrEnum):
    """The work mode a unit says it is in; the closed list of what stock firmware offers.

    The two dialects number their modes differently, see `antminer.py`.
    """

    NORMAL = "normal"
    SLEEP = "sleep"
    HIGH = "high"
    LOW = "low"


class BoardReading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One hashboard.

    Attributes:
        slot: Position, from 0.
        hashrate_hs: The board's own 5 s rate, H/s.
        chips: Chips that answered at enumeration; 0 while the board is not up.
        chip_celsius: Chip temperatures, inlet side first; empty when none was given.
        pcb_celsius: Board temperatures in the same order.
        coolant_celsius: Coolant at the board's inlet and outlet, hydro units only.
        frequency_hz: Mean chip clock.
        hw_errors: Hardware errors since the miner process started.
        serial: As printed in the board's EEPROM.
    """

    slot: int
    hashrate_hs: float | None
    chips: int | None
    chip_celsius: tuple[float, ...] = ()
    pcb_celsius: tuple[float, ...] = ()
    coolant_celsius: tuple[float, ...] = ()
    frequency_hz: float | None = None
    hw_errors: int | None = None
    serial: str | None = None


class PoolReading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One configured pool; its URL and user never leave the unit's own page.

    Attributes:
        index: Position in the unit's list, from 0.
        status: The firmware's word, e.g. ``Alive``, ``Dead``, ``Deed`` (an empty slot).
        is_active: True when shares go to this pool.
        url, user: As configured; for `hashsight read`, never a label.
        accepted, rejected, stale: Shares since the miner process started.
        difficulty_accepted: Sum of the difficulty of accepted shares; times 2^32 is the work credited, in hashes.
    """

    index: int
    status: str | None
    is_active: bool | None
    url: str | None = None
    user: str | None = None
    accepted: int | None = None
    rejected: int | None = None
    stale: int | None = None
    difficulty_accepted: float | None = None
    difficulty_rejected: float | None = None
    difficulty_stale: float | None = None


class ShareReading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The whole unit's share counters since its miner process started (`summary`).

    Attributes:
        at: Unix time of the reply, s.
        accepted, rejected, stale: Shares.
        difficulty_accepted, difficulty_rejected, difficulty_stale: Sums of share difficulty.
        hw_errors: Hardware errors.
        best_share: Highest difficulty found.
    """

    at: float
    accepted: int | None = None
    rejected: int | None = None
    stale: int | None = None
    difficulty_accepted: float | None = None
    difficulty_rejected: float | None = None
    difficulty_stale: float | None = None
    hw_errors: int | None = None
    best_share: float | None = None


class Identity(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a unit says it is (`version`, or the header of `stats`); changes only when it is re-flashed or exchanged.

    Attributes:
        model: Commercial model as the firmware spells it, e.g. ``Antminer S21``.
        firmware: Compile time or ``FR-`` name, verbatim.
        api: API version, e.g. ``3.1``; tells firmware line A from C.
        miner: Version of the hash-side component.
    """

    model: str | None = None
    firmware: str | None = None
    api: str | None = None
    miner: str | None = None


class SystemInfo(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Who a unit says it is on its own web page (`get_system_info.cgi`); what it does not say is None.

    Attributes:
        model: Commercial model as the firmware spells it.
        firmware: Compile time or ``FR-`` name.
        mac: Of its network port, as ``aa:bb:cc:dd:ee:ff``.
        serial: Of the unit; some S19 builds tell none.
    """

    model: str | None = None
    firmware: str | None = None
    mac: str | None = None
    serial: str | None = None


class UnitReading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One unit's state as of one poll.

    Attributes:
        unit_id: The ledger's name for it.
        at: Unix time at which the reply was whole, s.
        dialect: How it answered.
        mode: Work mode; None when the reply does not say.
        identity: What it says it is, as far as it is known by now.
        uptime_s: Since the miner process started, not since boot; restarts with every change of mode.
        hashrate_5s_hs, hashrate_30m_hs, hashrate_avg_hs: Self-reported rates, H/s; the last is since start.
        hashrate_ideal_hs: What the firmware calls ideal. Not the nameplate: never used as a denominator.
        power_watts: Only where the firmware reports it; stock S21/T21 do not.
        boards: One entry a listed board, by slot.
        fan_rpm: One entry a fan, in the firmware's order; empty for hydro units or when not told.
        pools: As last asked (slow cadence).
        shares: Counters as last asked (slow cadence); None until `summary` was read.
        repairs: Names of the repairs the replies needed, one entry each time.
    """

    unit_id: str
    at: float
    dialect: Dialect
    mode: Mode | None
    identity: Identity = Identity()
    uptime_s: float | None = None
    hashrate_5s_hs: float | None = None
    hashrate_30m_hs: float | None = None
    hashrate_avg_hs: float | None = None
    hashrate_ideal_hs: float | None = None
    power_watts: float | None = None
    boards: tuple[BoardReading, ...] = ()
    fan_rpm: tuple[float, ...] = ()
    pools: tuple[PoolReading, ...] = ()
    shares: ShareReading | None = None
    repairs: tuple[str, ...] = ()


class Poll(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One attempt to read one unit: exactly one of `reading` and `error` is there.

    Attributes:
        unit_id: The ledger's name for the unit.
        at: Unix time at which the poll ended, s.
        took_s: From connecting to the last byte.
        requests: How many connections it took.
    """

    unit_id: str
    at: float
    took_s: float
    reading: UnitReading | None = None
    error: PollError | None = None
    requests: int = 1
