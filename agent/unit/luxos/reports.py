"""The shapes of the LuxOS reports, alone and joined; the keys are those of the recorded replies (O175, O176).

Almost all numbers are floats on LuxOS, so no field is an integer.
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from agent.unit.cgminer.shapes import Report, Shape
from agent.unit.limits import (
    HS_PER_GHS,
    HS_PER_MHS,
    HZ_PER_MHZ,
    MAX_BOARDS,
    MAX_CELSIUS,
    MAX_CHIPS,
    MAX_COUNT,
    MAX_DIFFICULTY,
    MAX_FANS,
    MAX_FREQUENCY_HZ,
    MAX_HASHRATE_HS,
    MAX_RPM,
    MAX_UPTIME_S,
    MAX_WATTS,
    MIN_CELSIUS,
)

_Seconds = Annotated[float, Meta(ge=0, le=MAX_UPTIME_S)] | None
_Ghs = Annotated[float, Meta(ge=0, le=MAX_HASHRATE_HS / HS_PER_GHS)] | None
_Mhs = Annotated[float, Meta(ge=0, le=MAX_HASHRATE_HS / HS_PER_MHS)] | None
_Count = Annotated[float, Meta(ge=0, le=MAX_COUNT)] | None
_Difficulty = Annotated[float, Meta(ge=0, le=MAX_DIFFICULTY)] | None
_Slot = Annotated[float, Meta(ge=0, le=MAX_BOARDS - 1)] | None
_Celsius = Annotated[float, Meta(ge=MIN_CELSIUS, le=MAX_CELSIUS)] | None
_Text = str | None
_Flag = bool | None


class SummaryRow(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={
        "accepted": "Accepted",
        "best_share": "Best Share",
        "difficulty_accepted": "Difficulty Accepted",
        "difficulty_rejected": "Difficulty Rejected",
        "difficulty_stale": "Difficulty Stale",
        "elapsed_s": "Elapsed",
        "ghs_30m": "GHS 30m",
        "ghs_5s": "GHS 5s",
        "ghs_av": "GHS av",
        "hw_errors": "Hardware Errors",
        "rejected": "Rejected",
        "stale": "Stale",
    },
):
    """The unit, GH/s. `GHS 24h` and `Total MH` are left out on purpose: both mean something else (O177)."""

    accepted: _Count = None
    best_share: _Difficulty = None
    difficulty_accepted: _Difficulty = None
    difficulty_rejected: _Difficulty = None
    difficulty_stale: _Difficulty = None
    elapsed_s: _Seconds = None
    ghs_30m: _Ghs = None
    ghs_5s: _Ghs = None
    ghs_av: _Ghs = None
    hw_errors: _Count = None
    rejected: _Count = None
    stale: _Count = None


class DevRow(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={
        "run_s": "Device Elapsed",
        "hw_errors": "Hardware Errors",
        "slot": "ID",
        "is_ramping": "IsRamping",
        "mhs_5s": "MHS 5s",
        "nominal_mhs": "Nominal MHS",
        "serial": "SerialNumber",
    },
):
    """A board, MH/s."""

    run_s: _Seconds = None
    hw_errors: _Count = None
    slot: _Slot = None
    is_ramping: _Flag = None
    mhs_5s: _Mhs = None
    nominal_mhs: _Mhs = None
    serial: _Text = None


class DetailRow(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={"chips": "Chips", "mhz": "Frequency", "slot": "ID", "serial": "SerialNumber"},
):
    """A board's chips and clock."""

    chips: Annotated[float, Meta(ge=0, le=MAX_CHIPS)] | None = None
    mhz: Annotated[float, Meta(ge=0, le=MAX_FREQUENCY_HZ / HZ_PER_MHZ)] | None = None
    slot: _Slot = None
    serial: _Text = None


class TempRow(msgspec.Struct, frozen=True, gc=False):
    """A board's four sensors, by corner."""

    BottomLeft: _Celsius = None
    BottomRight: _Celsius = None
    ID: _Slot = None
    TopLeft: _Celsius = None
    TopRight: _Celsius = None


class Corner(msgspec.Struct, frozen=True, gc=False):
    """What the sensor at a corner measures."""

    Label: _Text = None


class LabelRow(msgspec.Struct, frozen=True, gc=False):
    """The labels of the corners, of all boards alike."""

    BottomLeft: Corner | None = None
    BottomRight: Corner | None = None
    TopLeft: Corner | None = None
    TopRight: Corner | None = None


class FanRow(msgspec.Struct, frozen=True, gc=False):
    """A fan; the list is not in the order of the names."""

    FAN: _Text = None
    RPM: Annotated[float, Meta(ge=0, le=MAX_RPM)] | None = None


class PowerRow(msgspec.Struct, frozen=True, gc=False):
    """The unit's power, and whether the supply told it."""

    PSU: _Flag = None
    Watts: Annotated[float, Meta(ge=0, le=MAX_WATTS)] | None = None


class ConfigRow(msgspec.Struct, frozen=True, gc=False):
    """What the unit says of its state and of itself."""

    CurtailMode: _Text = None
    IsPowerSupplyOn: _Flag = None
    MACAddr: _Text = None
    Model: _Text = None
    SerialNumber: _Text = None
    SystemStatus: _Text = None


class EventRow(msgspec.Struct, frozen=True, gc=False):
    """Something that is wrong now; an event that is cured is no longer listed (Documented (D244))."""

    Code: _Text = None
    Target: _Text = None


MAX_EVENTS: Final = 64


class SummaryReport(Report, frozen=True, gc=False):
    """Reply to `summary`."""

    SUMMARY: Annotated[tuple[SummaryRow, ...], Meta(max_length=1)] = ()


class DevsReport(Report, frozen=True, gc=False):
    """Reply to `devs`; None without the list, which is not the same as an empty one."""

    DEVS: Annotated[tuple[DevRow, ...], Meta(max_length=MAX_BOARDS)] | None = None


class PowerReport(Report, frozen=True, gc=False):
    """Reply to `power`."""

    POWER: Annotated[tuple[PowerRow, ...], Meta(max_length=4)] = ()


class TempsReport(Report, frozen=True, gc=False):
    """Reply to `temps`."""

    METADATA: Annotated[tuple[LabelRow, ...], Meta(max_length=MAX_BOARDS)] = ()
    TEMPS: Annotated[tuple[TempRow, ...], Meta(max_length=MAX_BOARDS)] = ()


class FansReport(Report, frozen=True, gc=False):
    """Reply to `fans`."""

    FANS: Annotated[tuple[FanRow, ...], Meta(max_length=MAX_FANS)] = ()


class ConfigReport(Report, frozen=True, gc=False):
    """Reply to `config`."""

    CONFIG: Annotated[tuple[ConfigRow, ...], Meta(max_length=4)] = ()


class DetailsReport(Report, frozen=True, gc=False):
    """Reply to `devdetails`."""

    DEVDETAILS: Annotated[tuple[DetailRow, ...], Meta(max_length=MAX_BOARDS)] = ()


class EventsReport(Report, frozen=True, gc=False):
    """Reply to `events`."""

    EVENTS: Annotated[tuple[EventRow, ...], Meta(max_length=MAX_EVENTS)] = ()


class StateReply(Report, frozen=True, gc=False):
    """The joined reply about the unit's state: each command's reply in a list of one (Observed (O175))."""

    power: Annotated[tuple[PowerReport, ...], Meta(max_length=1)] = ()
    temps: Annotated[tuple[TempsReport, ...], Meta(max_length=1)] = ()
    fans: Annotated[tuple[FansReport, ...], Meta(max_length=1)] = ()
    config: Annotated[tuple[ConfigReport, ...], Meta(max_length=1)] = ()


SUMMARY_SHAPE: Final = Shape(SummaryReport)
DEVS_SHAPE: Final = Shape(DevsReport)
STATE_SHAPE: Final = Shape(StateReply)
POWER_SHAPE: Final = Shape(PowerReport)
TEMPS_SHAPE: Final = Shape(TempsReport)
FANS_SHAPE: Final = Shape(FansReport)
CONFIG_SHAPE: Final = Shape(ConfigReport)
DETAILS_SHAPE: Final = Shape(DetailsReport)
EVENTS_SHAPE: Final = Shape(EventsReport)
