"""Readings: immutable values that say what one unit reported at one moment, in base units.

An absent figure is None and has no series; zero is a measured zero. Nothing here knows a protocol, a clock or a site.

The types are msgspec structs rather than dataclasses, because every poll makes several of them. They hold no reference
cycles, so `gc=False` keeps the garbage collector from walking them.
"""

from enum import StrEnum
from typing import TypeAlias

import msgspec

from agent.errors import PollError
from agent.unit.coolant import CoolantLayout
from agent.unit.sensors import hottest, hottest_by_board


class Dialect(StrEnum):
    """The firmware's way of answering `stats`."""

    LEGACY = "legacy"
    NEW_API = "new_api"


class Mode(StrEnum):
    """The work mode a unit reports: the closed list of those that stock firmware offers.

    The dialects number their modes differently; see `new_api.py` and `legacy.py` in `antminer/`.
    """

    NORMAL = "normal"
    SLEEP = "sleep"
    HIGH = "high"
    LOW = "low"


class PowerKind(StrEnum):
    """Source of the watts that a unit reports: its power supply measures them, or its firmware works them out."""

    MEASURED = "measured"
    ESTIMATED = "estimated"


class Fault(StrEnum):
    """A fault that a unit itself names, by code or by word: a closed list, the most telling first."""

    SUPPLY = "supply"
    FAN = "fan"
    TOO_HOT = "too_hot"
    TOO_COLD = "too_cold"
    BOARD = "board"
    POOLS = "pools"
    LOW_RATE = "low_rate"
    UNNAMED = "unnamed"


Places: TypeAlias = tuple[float | None, ...]
"""Values by position, such as fans or sensors. None keeps the place of one without a value."""


class BoardReading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One hashboard.

    Attributes:
        slot: Position, from 0.
        hashrate_hs: The board's own 5 s rate, H/s; see `is_average`.
        is_average: `hashrate_hs` is the board's mean since its start, as on LuxOS. It says nothing about now.
        chips: Chips that answered at enumeration; 0 while the board is not up.
        chip_celsius: Chip temperatures, inlet side first; empty if none is reported. None keeps the place of a sensor
            without a value.
        pcb_celsius: Board temperatures in the same order, with None likewise.
        coolant_celsius: Coolant at the board's inlet and outlet, with None likewise; hydro units only.
        bad_chips: Those of `chips` that the firmware's own map marks as bad; None if it sends no map.
        frequency_hz: Mean chip clock, Hz.
        hw_errors: Hardware errors since the miner process started.
        serial: Serial number from the board's EEPROM.
        chip_map: The firmware's map of the chips without padding, ``o`` for a good one and ``x`` for a bad one; only
            where it marks a bad one.
    """

    slot: int
    hashrate_hs: float | None
    chips: int | None
    chip_celsius: Places = ()
    pcb_celsius: Places = ()
    coolant_celsius: Places = ()
    bad_chips: int | None = None
    frequency_hz: float | None = None
    hw_errors: int | None = None
    serial: str | None = None
    is_average: bool = False
    chip_map: str | msgspec.UnsetType = msgspec.UNSET


class PoolReading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One configured pool; its URL and user are never exported.

    Attributes:
        index: Position in the unit's list, from 0.
        status: The firmware's word, e.g. ``Alive``, ``Dead``, ``Deed`` (an empty slot).
        is_active: True when shares go to this pool.
        url, user: As configured; for `hashsight read`, never a label.
        accepted, rejected, stale: Shares since the miner process started.
        difficulty_accepted: Sum of the difficulty of accepted shares; 2^32 times it is the credited work, in hashes.
        difficulty_rejected, difficulty_stale: The same sum for rejected and stale shares.
        is_fee: The firmware's own pool: work that goes there earns its maker, not the owner.
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
    is_fee: bool = False


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
    """The identity a unit reports (`version`, or the header of `stats`); it changes by a new firmware or a swap.

    Attributes:
        model: Commercial model as the firmware spells it, e.g. ``Antminer S21``.
        firmware: Compile time or ``FR-`` name, verbatim.
        api: API version, e.g. ``3.1``; distinguishes firmware lines A and C.
        miner: Version of the hash-side component.
    """

    model: str | None = None
    firmware: str | None = None
    api: str | None = None
    miner: str | None = None


class IdentitySource(StrEnum):
    """Where a unit told its MAC address and serial number: its web page, or a report on TCP 4028."""

    PAGE = "page"
    CONFIG = "config"
    NETWORK = "network"


class SystemInfo(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The identity that a unit itself tells; a field that it leaves out is None.

    Attributes:
        source: `get_system_info.cgi`, LuxOS's `config`, or ePIC's `/network`.
        model: Commercial model as the firmware spells it.
        firmware: Compile time or ``FR-`` name.
        mac: MAC address of its network port, as ``aa:bb:cc:dd:ee:ff``.
        serial: Serial number of the unit; some S19 builds report none.
    """

    model: str | None = None
    firmware: str | None = None
    mac: str | None = None
    serial: str | None = None
    source: IdentitySource = IdentitySource.PAGE


class UnitReading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One unit's state as of one poll.

    Attributes:
        unit_id: The ledger's name for it.
        at: Unix time at which the reply was complete, s.
        dialect: Dialect of the `stats` reply.
        mode: Work mode; None if the reply does not contain it.
        identity: Reported identity, as far as known.
        uptime_s: Time since the miner process started, not since boot; restarts with every change of mode.
        hashrate_5s_hs, hashrate_30m_hs, hashrate_avg_hs: Self-reported rates, H/s; the last is since start.
        stand_in_hs: A longer rate that stands in for a 5 s rate that the rest of the reply refutes, H/s.
        stand_in_window_s: The window of `stand_in_hs`, s.
        short_window_s: The window of `hashrate_5s_hs`, s: the shortest over which the firmware's word is honest.
        hashrate_ideal_hs: The firmware's ideal rate, H/s. Not the nameplate: never used as a denominator.
        is_profile_ideal: That rate is what the running profile should give, and says nothing about the bin.
        is_chip_computed: Chip temperatures are worked out by the firmware, not measured; nothing alarms on them.
        is_starting: The unit's own word is that it starts.
        reader: Name of the reader that read it.
        hashrate_sale_hs: The bin that the unit says it was sold as, H/s; None on firmware before 2026.
        coolant_layout: How the boards' sensors were told apart. UNKNOWN for a hydro unit whose layout no source tells:
            it shows no coolant, and only the sensors that cannot be coolant.
        power_watts: Reported power; None if the unit reports none, as stock S21 and T21 before 2026, and if the figure
            contradicts the rest of its reply.
        power_kind: How the unit knows that power. None counts as estimated, which is the weaker claim.
        boards: One entry per listed board, by slot.
        fan_rpm: One entry per fan, in the firmware's order; empty if none is reported. None keeps the place of a fan
            without a value.
        pools: Pools as last read (every `slow_every` polls).
        shares: Share counters as last read (every `slow_every` polls); None until `summary` was read.
        faults: Faults that the unit names: stock firmware while it hashes nothing, VNish by its state words.
        repairs: Names of the repairs the replies needed, one entry per use; see `agent.unit.repairs`.
        system_info: The MAC address and serial number that the unit told in this very poll; None if it did not.
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
    power_kind: PowerKind | None = None
    boards: tuple[BoardReading, ...] = ()
    fan_rpm: Places = ()
    pools: tuple[PoolReading, ...] = ()
    shares: ShareReading | None = None
    repairs: tuple[str, ...] = ()
    stand_in_hs: float | None = None
    stand_in_window_s: float | None = None
    hashrate_sale_hs: float | None = None
    coolant_layout: CoolantLayout = CoolantLayout.NONE
    faults: tuple[Fault, ...] = ()
    is_profile_ideal: bool = False
    short_window_s: float = 5.0
    is_chip_computed: bool = False
    is_starting: bool = False
    reader: str = "antminer"
    system_info: SystemInfo | None = None

    @property
    def rate_hs(self) -> float | None:
        """The rate to credit, H/s: the 5 s rate or, where that is refuted, its stand-in."""
        return self.hashrate_5s_hs if self.hashrate_5s_hs is not None else self.stand_in_hs

    @property
    def rate_window_s(self) -> float | None:
        """The window over which `rate_hs` was averaged, s; None if it is not known, or if there is no rate."""
        if self.hashrate_5s_hs is not None:
            return self.short_window_s
        return self.stand_in_window_s if self.stand_in_hs is not None else None

    @property
    def hottest_chips_celsius(self) -> Places:
        """The hottest chip sensor of each board, in the order of `boards`, without those far from all others."""
        return hottest_by_board([board.chip_celsius for board in self.boards])

    @property
    def hottest_chip_celsius(self) -> float | None:
        """The hottest chip sensor of all boards, without those far from all others; None if there is none."""
        return hottest([board.chip_celsius for board in self.boards])

    @property
    def hottest_pcb_celsius(self) -> float | None:
        """The hottest board sensor of all boards, without those far from all others; None if there is none."""
        return hottest([board.pcb_celsius for board in self.boards])


class Poll(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One attempt to read one unit: exactly one of `reading` and `error` is set.

    Attributes:
        unit_id: The ledger's name for the unit.
        at: Unix time at which the poll ended, s.
        took_s: Time from connecting to the last byte.
        reading: The reading; None if the poll failed.
        error: Why the poll failed; None if it succeeded.
        requests: Connections attempted.
    """

    unit_id: str
    at: float
    took_s: float
    reading: UnitReading | None = None
    error: PollError | None = None
    requests: int = 1


def without_window(reading: UnitReading) -> UnitReading:
    """Return a reading whose rate has no window, for firmware that does not tell over which time it is averaged."""
    if reading.hashrate_5s_hs is None:
        return reading
    return msgspec.structs.replace(
        reading, hashrate_5s_hs=None, stand_in_hs=reading.hashrate_5s_hs, stand_in_window_s=None
    )
