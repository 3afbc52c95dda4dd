"""The power a unit draws and its source: metered before reported before modelled, and None without any of them.

Observed (O63), documented (D58): stock S21 and T21 report no watts, so most are modelled from the nameplate:

    watts = standby + (rated - standby) x measured / nameplate hashrate x clock factor x air factor

At the nameplate's rate and clock, in air of 25 C, that is the nameplate's power. A unit that sleeps or does not hash
draws what its control board alone does.

*Error.* Documented (D60): +-5 % for power and J/TH; that is one unit's error and, for one batch, may be a site's. The
limits of the two factors come on top. Without board temperatures, a day of 15 degrees swings power by 7 %. Without the
nameplate's clock, a throttled unit is modelled up to 4 % high. `PowerModel.calibration_ratio` removes the systematic
error that a site's own meter shows. A unit without a reading has no modelled power: one that does not answer may draw
power or not.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from agent.unit.nameplate import Nameplate
from agent.unit.reading import BoardReading, Mode, UnitReading

STANDBY_WATTS = 18.0
"""A control board alone. Assumed (A50): within the 0 to 30 W that estimates give for sleep; never measured."""

ENERGY_PER_CLOCK = 0.4
"""Relative change of the energy per hash for a relative change of the clock: a slower chip runs at a lower voltage.

Documented (D61): S21 XP Imm. 13.5 J/TH at 300 TH/s and 15 at 380 gives 0.42, S21 Imm. 16 at 239 and 18.5 at
301 gives 0.60. Assumed (A47): the lower one, because 4 % less for 490 -> 440 MHz is well inside both.
"""

POWER_PER_CELSIUS = 0.0045
"""Documented (D62): 7 % of wall power over a day, on a T21. Assumed (A48): of some 15 degrees."""

RATED_AT_CELSIUS = 25.0

BOARD_OVER_AIR_CELSIUS = 29.0
"""Temperature of a board's coolest sensor above the air, at full load.

Observed (O55): 54 on s21-stock-aml-202407, http-stats. Assumed (A49): that room was at 25.
"""

# Air of -1 to 52 C; a sensor with an absurd value cannot move power further than that.
_AIR_FACTORS = (0.88, 1.12)
_CLOCK_RATIOS = (0.0, 1.5)


class PowerSource(StrEnum):
    """The source of a power figure, most trusted first."""

    METERED = "metered"
    REPORTED = "reported"
    MODELLED = "modelled"


class Power(msgspec.Struct, frozen=True, gc=False):
    """A unit's power at the wall, W, and its source."""

    watts: float
    source: PowerSource


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerModel:
    """The power of a unit, worked out from its reading; for units without a meter.

    Attributes:
        standby_watts: The power of a unit that does not hash.
        calibration_ratio: Factor on every modelled watt.
    """

    standby_watts: float = STANDBY_WATTS
    calibration_ratio: float = 1.0

    def watts(self, nameplate: Nameplate, reading: UnitReading, *, is_starting: bool = False) -> float | None:
        """Return the power of a unit with this fresh reading, W; None without a rated power or a measured rate.

        Args:
            nameplate: The unit's.
            reading: The unit's.
            is_starting: The unit is ramping up: a low rate means a low clock if the reading has no clock.
        """
        rated_watts, rate_hs = nameplate.power_watts, reading.rate_hs
        if rated_watts is None:
            return None
        if rate_hs is None and reading.mode is not Mode.SLEEP:
            return None
        if not rate_hs:
            return self._calibrated(self.standby_watts)
        load = rate_hs / nameplate.hashrate_hs
        assumed_ratio = 1.0
        if is_starting or reading.mode is Mode.LOW:
            assumed_ratio = min(1.0, load)
        elif reading.mode is Mode.HIGH:
            assumed_ratio = max(1.0, load)
        load *= _factor(nameplate, reading.boards, assumed_ratio)
        return self._calibrated(self.standby_watts + max(0.0, rated_watts - self.standby_watts) * load)

    def _calibrated(self, watts: float) -> float:
        return watts * self.calibration_ratio


def unit_power(
    nameplate: Nameplate,
    reading: UnitReading | None,
    *,
    model: PowerModel,
    is_starting: bool = False,
    metered_watts: float | None = None,
) -> Power | None:
    """Return a unit's power from the most trusted source it has; None if it has none.

    Args:
        nameplate: The unit's.
        reading: Its fresh reading, or None.
        model: For a unit without a meter that reports no power.
        is_starting: True while it ramps up.
        metered_watts: A meter of this unit alone; None without one. A container's meter is not divided among its units.
    """
    if metered_watts is not None:
        return Power(metered_watts, PowerSource.METERED)
    if reading is None:
        return None
    if reading.power_watts is not None:
        return Power(reading.power_watts, PowerSource.REPORTED)
    watts = model.watts(nameplate, reading, is_starting=is_starting)
    return None if watts is None else Power(watts, PowerSource.MODELLED)


def _factor(nameplate: Nameplate, boards: Iterable[BoardReading], assumed_ratio: float) -> float:
    """Return the ratio of the energy per hash to the nameplate's, from the clocks and, if air-cooled, the air.

    Args:
        nameplate: The unit's.
        boards: Boards that are not up are ignored.
        assumed_ratio: Clock relative to the nameplate's, for a unit that reports no clocks.
    """
    board_hs = nameplate.hashrate_hs / nameplate.boards if nameplate.boards else None
    is_in_air = nameplate.cooling == "air"
    clocks = airs = 0
    clocks_hz = airs_celsius = 0.0
    for board in boards:
        if board.chips == 0:
            continue
        if board.frequency_hz is not None:
            clocks += 1
            clocks_hz += board.frequency_hz
        coolest_celsius = min((value for value in board.pcb_celsius if value is not None), default=None)
        if is_in_air and coolest_celsius is not None:
            # A board heats itself in proportion to its rate; one that reports no rate counts as fully loaded.
            load = 1.0 if board_hs is None or board.hashrate_hs is None else min(1.5, board.hashrate_hs / board_hs)
            airs += 1
            # Observed (O56): the inlet does not come first everywhere (73-45-64-65), so the coolest.
            airs_celsius += coolest_celsius - BOARD_OVER_AIR_CELSIUS * load
    ratio = assumed_ratio
    if clocks and nameplate.frequency_hz is not None:
        ratio = clocks_hz / clocks / nameplate.frequency_hz
    factor = 1.0 + ENERGY_PER_CLOCK * (_within(_CLOCK_RATIOS, ratio) - 1.0)
    if airs:
        factor *= _within(_AIR_FACTORS, 1.0 + POWER_PER_CELSIUS * (airs_celsius / airs - RATED_AT_CELSIUS))
    return factor


def _within(bounds: tuple[float, float], value: float) -> float:
    lowest, highest = bounds
    return lowest if value < lowest else min(value, highest)
