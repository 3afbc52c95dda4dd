"""The shapes of the Braiins OS reports; the keys are those of the recorded replies (O180 to O184).

Keys that are the same on every unit are left out on purpose (O181), and so are windows that no rate is taken from.
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from agent.unit.cgminer.shapes import Report, Shape
from agent.unit.limits import (
    HS_PER_MHS,
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
)

MAX_ID: Final = 63
"""The highest number of a board."""

_Mhs = Annotated[float, Meta(ge=0, le=MAX_HASHRATE_HS / HS_PER_MHS)] | None
_Count = Annotated[int, Meta(ge=0, le=int(MAX_COUNT))] | None
_Difficulty = Annotated[float, Meta(ge=0, le=MAX_DIFFICULTY)] | None
_BoardId = Annotated[float, Meta(ge=0, le=MAX_ID)] | None
_Celsius = Annotated[float, Meta(ge=0, le=MAX_CELSIUS)] | None


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
        "hw_errors": "Hardware Errors",
        "minute_mhs": "MHS 1m",
        "now_mhs": "MHS 5s",
        "average_mhs": "MHS av",
        "rejected": "Rejected",
        "stale": "Stale",
    },
):
    """The unit, MH/s."""

    accepted: _Count = None
    best_share: _Difficulty = None
    difficulty_accepted: _Difficulty = None
    difficulty_rejected: _Difficulty = None
    difficulty_stale: _Difficulty = None
    elapsed_s: Annotated[float, Meta(ge=0, le=MAX_UPTIME_S)] | None = None
    hw_errors: _Count = None
    minute_mhs: _Mhs = None
    now_mhs: _Mhs = None
    average_mhs: _Mhs = None
    rejected: _Count = None
    stale: _Count = None


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
    hw_errors: _Count = None
    minute_mhs: _Mhs = None
    now_mhs: _Mhs = None
    nominal_mhs: _Mhs = None


class DetailRow(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={"number": "ID", "chips": "Chips", "clock": "Frequency", "model": "Model"},
):
    """A board's chips and clock, in Hz or MHz, and the unit's model."""

    number: _BoardId = None
    chips: Annotated[float, Meta(ge=0, le=MAX_CHIPS)] | None = None
    clock: Annotated[float, Meta(ge=0, le=MAX_FREQUENCY_HZ)] | None = None
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

    rpm: Annotated[float, Meta(ge=0, le=MAX_RPM)] | None = None


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

    watts: Annotated[float, Meta(ge=0, le=MAX_WATTS)] | None = None
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
