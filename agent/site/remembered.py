"""What is kept of each unit over a restart of this agent, in a compact and typed form. Pure.

Kept is what figures and reasons are made of, and one share counter: what it counts until the next start is work that
nobody saw (`recovered`). Left out is what the next poll brings and no figure needs meanwhile: other counters, and the
addresses and users of pools.
"""

from typing import Annotated, TypeAlias

import msgspec

from agent.errors import (
    ContradictoryReplyError,
    DeadlineError,
    DisconnectedError,
    ForeignProtocolError,
    LaneError,
    MalformedReplyError,
    MisreadReplyError,
    OtherUnitError,
    PollError,
    QuarantineError,
    RefusedError,
    UnreachableError,
    UnsupportedReplyError,
)
from agent.site.kept_counters import KeptCounter
from agent.unit.coolant import CoolantLayout
from agent.unit.reading import BoardReading, Dialect, Fault, Identity, Mode, Places, PoolReading, PowerKind, UnitReading

Detail: TypeAlias = bool | int | str | None
Moment: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1e11)]
Seconds: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
# Wider than what a reply may say, so that a file is refused for what no agent writes alone: NaN would be summed.
Rate: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1e17)]
Watts: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1e6)]
Uptime: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1e11)]
Frequency: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1e12)]

_ERRORS: dict[str, type[PollError]] = {
    error.__name__: error
    for error in (
        UnreachableError,
        DeadlineError,
        DisconnectedError,
        MalformedReplyError,
        ForeignProtocolError,
        LaneError,
        QuarantineError,
        RefusedError,
        ContradictoryReplyError,
        UnsupportedReplyError,
        MisreadReplyError,
        OtherUnitError,
    )
}
# The one attribute that some errors have besides their message.
_DETAILS = {
    UnreachableError: "is_refusal",
    DisconnectedError: "is_reset",
    ForeignProtocolError: "speaker",
    RefusedError: "code",
    ContradictoryReplyError: "rule",
}


class KeptBoard(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One board; fields as in `BoardReading`."""

    slot: int
    hashrate_hs: Rate | None
    chips: int | None
    chip_celsius: Places
    pcb_celsius: Places
    coolant_celsius: Places
    bad_chips: int | None
    frequency_hz: Frequency | None
    is_average: bool


class KeptPool(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One pool, without its address and its counters; fields as in `PoolReading`."""

    index: int
    status: str | None
    is_active: bool | None
    is_fee: bool = False


class KeptReading(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One reading; fields as in `UnitReading`, the identity in four. The last four came with version 2 of the form."""

    at: Moment
    dialect: Dialect
    mode: Mode | None
    model: str | None
    firmware: str | None
    api: str | None
    miner: str | None
    uptime_s: Uptime | None
    hashrate_5s_hs: Rate | None
    hashrate_30m_hs: Rate | None
    hashrate_avg_hs: Rate | None
    hashrate_ideal_hs: Rate | None
    hashrate_sale_hs: Rate | None
    stand_in_hs: Rate | None
    stand_in_window_s: Uptime | None
    is_profile_ideal: bool
    power_watts: Watts | None
    power_kind: PowerKind | None
    coolant_layout: CoolantLayout
    fan_rpm: Places
    faults: tuple[Fault, ...]
    boards: tuple[KeptBoard, ...]
    pools: tuple[KeptPool, ...]
    reader: str = "antminer"
    short_window_s: Uptime = 5.0
    is_chip_computed: bool = False
    is_starting: bool = False


class KeptError(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Why the latest poll failed.

    Attributes:
        name: The class of the error.
        message: Its words.
        detail: Its one further attribute, such as `is_refusal`; None without one.
    """

    name: str
    message: str
    detail: Detail


class Remembered(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One unit.

    Attributes:
        unit_id: The ledger's name for it.
        asked_ago_s: Time from its latest poll to the snapshot, s. For a unit whose reading counts in spite of a later
            failure, the age of that reading.
        state, reason: Its state, and the reason for it; `reason` is for people who read the file.
        since: When it entered that state, Unix time, s.
        is_counted: True if its reading counted.
        failures: Polls failed in a row.
        error: Why the latest poll failed; None if it did not, or if the reading counts all the same.
        reading: The latest reading; None before the first.
        counter: Its share counter; None where none is known. It came later, so earlier files lack it.
    """

    unit_id: str
    asked_ago_s: Seconds
    state: str
    reason: str
    since: Moment
    is_counted: bool
    failures: int
    error: KeptError | None
    reading: KeptReading | None
    counter: KeptCounter | None = None


def kept_reading(reading: UnitReading) -> KeptReading:
    """Return what is kept of a reading."""
    identity = reading.identity
    return KeptReading(
        reading.at,
        reading.dialect,
        reading.mode,
        identity.model,
        identity.firmware,
        identity.api,
        identity.miner,
        reading.uptime_s,
        reading.hashrate_5s_hs,
        reading.hashrate_30m_hs,
        reading.hashrate_avg_hs,
        reading.hashrate_ideal_hs,
        reading.hashrate_sale_hs,
        reading.stand_in_hs,
        reading.stand_in_window_s,
        reading.is_profile_ideal,
        reading.power_watts,
        reading.power_kind,
        reading.coolant_layout,
        reading.fan_rpm,
        reading.faults,
        tuple(
            [
                KeptBoard(
                    board.slot,
                    board.hashrate_hs,
                    board.chips,
                    board.chip_celsius,
                    board.pcb_celsius,
                    board.coolant_celsius,
                    board.bad_chips,
                    board.frequency_hz,
                    board.is_average,
                )
                for board in reading.boards
            ]
        ),
        tuple([KeptPool(pool.index, pool.status, pool.is_active, pool.is_fee) for pool in reading.pools]),
        reading.reader,
        reading.short_window_s,
        reading.is_chip_computed,
        reading.is_starting,
    )


def restored_reading(unit_id: str, kept: KeptReading) -> UnitReading:
    """Return the reading that `kept_reading` kept."""
    return UnitReading(
        unit_id=unit_id,
        at=kept.at,
        dialect=kept.dialect,
        mode=kept.mode,
        identity=Identity(model=kept.model, firmware=kept.firmware, api=kept.api, miner=kept.miner),
        uptime_s=kept.uptime_s,
        hashrate_5s_hs=kept.hashrate_5s_hs,
        hashrate_30m_hs=kept.hashrate_30m_hs,
        hashrate_avg_hs=kept.hashrate_avg_hs,
        hashrate_ideal_hs=kept.hashrate_ideal_hs,
        hashrate_sale_hs=kept.hashrate_sale_hs,
        stand_in_hs=kept.stand_in_hs,
        stand_in_window_s=kept.stand_in_window_s,
        is_profile_ideal=kept.is_profile_ideal,
        power_watts=kept.power_watts,
        power_kind=kept.power_kind,
        coolant_layout=kept.coolant_layout,
        fan_rpm=kept.fan_rpm,
        faults=kept.faults,
        boards=tuple([BoardReading(**msgspec.structs.asdict(board)) for board in kept.boards]),
        pools=tuple(
            [
                PoolReading(index=pool.index, status=pool.status, is_active=pool.is_active, is_fee=pool.is_fee)
                for pool in kept.pools
            ]
        ),
        reader=kept.reader,
        short_window_s=kept.short_window_s,
        is_chip_computed=kept.is_chip_computed,
        is_starting=kept.is_starting,
    )


def kept_error(error: PollError) -> KeptError:
    """Return what is kept of an error."""
    name = _DETAILS.get(type(error))
    detail: Detail = None if name is None else getattr(error, name)
    return KeptError(type(error).__name__, str(error), detail)


def restored_error(kept: KeptError) -> PollError:
    """Return the error that `kept_error` kept; one of an unknown class comes back as a plain `PollError`."""
    error = _ERRORS.get(kept.name)
    if error is None:
        return PollError(kept.message)
    name = _DETAILS.get(error)
    details: dict[str, Detail] = {} if name is None else {name: kept.detail}
    return error(kept.message, **details)
