"""The shapes of the LuxOS reports, alone and joined; the keys are those of the recorded replies (O175, O176).

Almost all numbers are floats on LuxOS, so no field is an integer.
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from agent.unit.cgminer.bounded import (
    Celsius,
    Chips,
    FloatCount,
    Ghs,
    Mhs,
    Mhz,
    PowerWatts,
    Rpm,
    Seconds,
    ShareRow,
    Slot,
)
from agent.unit.cgminer.shapes import Report, Shape
from agent.unit.limits import MAX_BOARDS, MAX_FANS

_Text = str | None
_Flag = bool | None


class SummaryRow(
    ShareRow, frozen=True, gc=False, rename={"ghs_30m": "GHS 30m", "ghs_5s": "GHS 5s", "ghs_av": "GHS av"}
):
    """The unit, GH/s. `GHS 24h` and `Total MH` are left out on purpose: both mean something else (O177)."""

    ghs_30m: Ghs = None
    ghs_5s: Ghs = None
    ghs_av: Ghs = None


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

    run_s: Seconds = None
    hw_errors: FloatCount = None
    slot: Slot = None
    is_ramping: _Flag = None
    mhs_5s: Mhs = None
    nominal_mhs: Mhs = None
    serial: _Text = None


class DetailRow(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={"chips": "Chips", "mhz": "Frequency", "slot": "ID", "serial": "SerialNumber"},
):
    """A board's chips and clock."""

    chips: Chips = None
    mhz: Mhz = None
    slot: Slot = None
    serial: _Text = None


class TempRow(msgspec.Struct, frozen=True, gc=False):
    """A board's four sensors, by corner."""

    BottomLeft: Celsius = None
    BottomRight: Celsius = None
    ID: Slot = None
    TopLeft: Celsius = None
    TopRight: Celsius = None


class Corner(msgspec.Struct, frozen=True, gc=False):
    """Measurements of the sensor at a corner."""

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
    RPM: Rpm = None


class PowerRow(msgspec.Struct, frozen=True, gc=False):
    """The unit's power, and whether the supply told it."""

    PSU: _Flag = None
    Watts: PowerWatts = None


class ConfigRow(msgspec.Struct, frozen=True, gc=False):
    """The unit's words about its state and itself."""

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
