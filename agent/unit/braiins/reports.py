"""The shapes of the Braiins OS reports; the keys are those of the recorded replies (O180 to O184).

Keys that are the same on every unit are left out on purpose (O181), and so are windows that no rate is taken from.
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from agent.unit.cgminer.bounded import Chips, Count, Hz, Mhs, PowerWatts, Rpm, ShareRow
from agent.unit.cgminer.shapes import Report, Shape
from agent.unit.limits import MAX_BOARDS, MAX_CELSIUS, MAX_FANS

MAX_ID: Final = 63
"""The highest number of a board."""

_BoardId = Annotated[float, Meta(ge=0, le=MAX_ID)] | None
_Celsius = Annotated[float, Meta(ge=0, le=MAX_CELSIUS)] | None


class SummaryRow(
    ShareRow, frozen=True, gc=False, rename={"minute_mhs": "MHS 1m", "now_mhs": "MHS 5s", "average_mhs": "MHS av"}
):
    """The unit, MH/s."""

    minute_mhs: Mhs = None
    now_mhs: Mhs = None
    average_mhs: Mhs = None


class DevRow(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={
        "number": "ID",
        "hw_errors": "Hardware Errors",
        "minute_mhs": "MHS 1m",
        "now_mhs": "MHS 5s",
        "nominal_mhs": "Nominal MHS",
    },
):
    """A board, MH/s."""

    number: _BoardId = None
    hw_errors: Count = None
    minute_mhs: Mhs = None
    now_mhs: Mhs = None
    nominal_mhs: Mhs = None


class DetailRow(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={"number": "ID", "chips": "Chips", "clock": "Frequency", "model": "Model"},
):
    """A board's chips and clock, in Hz or MHz, and the unit's model."""

    number: _BoardId = None
    chips: Chips = None
    clock: Hz = None
    model: str | None = None


class TempRow(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={"number": "ID", "board_celsius": "Board", "chip_celsius": "Chip"},
):
    """A board's two temperatures, C."""

    number: _BoardId = None
    board_celsius: _Celsius = None
    chip_celsius: _Celsius = None


class FanRow(msgspec.Struct, frozen=True, gc=False, rename={"rpm": "RPM"}):
    """A connector for a fan."""

    rpm: Rpm = None


class ChainRow(msgspec.Struct, frozen=True, gc=False, rename={"status": "Status"}):
    """The tuner's words on a board."""

    status: str | None = None


class TunerRow(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={"watts": "ApproximateMinerPowerConsumption", "chains": "TunerChainStatus"},
):
    """The tuner's estimate of the unit's power, and its words on each board."""

    watts: PowerWatts = None
    chains: Annotated[tuple[ChainRow, ...], Meta(max_length=MAX_BOARDS)] = ()


# A list that is None is missing, which is not the same as an empty one.
class SummaryReport(Report, frozen=True, gc=False):
    """Reply to `summary`."""

    SUMMARY: Annotated[tuple[SummaryRow, ...], Meta(max_length=1)] | None = None


class DevsReport(Report, frozen=True, gc=False):
    """Reply to `devs`."""

    DEVS: Annotated[tuple[DevRow, ...], Meta(max_length=MAX_BOARDS)] | None = None


class DetailsReport(Report, frozen=True, gc=False):
    """Reply to `devdetails`."""

    DEVDETAILS: Annotated[tuple[DetailRow, ...], Meta(max_length=MAX_BOARDS)] | None = None


class TempsReport(Report, frozen=True, gc=False):
    """Reply to `temps`."""

    TEMPS: Annotated[tuple[TempRow, ...], Meta(max_length=MAX_BOARDS)] | None = None


class FansReport(Report, frozen=True, gc=False):
    """Reply to `fans`."""

    FANS: Annotated[tuple[FanRow, ...], Meta(max_length=MAX_FANS)] | None = None


class TunerReport(Report, frozen=True, gc=False):
    """Reply to `tunerstatus`."""

    TUNERSTATUS: Annotated[tuple[TunerRow, ...], Meta(max_length=4)] | None = None


SUMMARY_SHAPE: Final = Shape(SummaryReport)
DEVS_SHAPE: Final = Shape(DevsReport)
DETAILS_SHAPE: Final = Shape(DetailsReport)
TEMPS_SHAPE: Final = Shape(TempsReport)
FANS_SHAPE: Final = Shape(FansReport)
TUNER_SHAPE: Final = Shape(TunerReport)
