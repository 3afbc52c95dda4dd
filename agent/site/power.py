"""What a unit draws, and by whose word: metered before reported before modelled, and no watt where there is none.

Stock S21 and T21 firmware tells no watts, so most are modelled from the nameplate (antminer-api.md, section 5):

    watts = standby + (rated - standby) x measured / nameplate hashrate x clock factor x air factor

at nameplate rate, clock and 25 C exactly what the nameplate says; asleep or not hashing, the control board alone.

*Error.* Bitmain states +-5 % for power and J/TH; that is one unit's error and, for one batch, may be a site's. What the
two factors do not know comes on top: without board temperatures a day of 15 degrees swings power by 7 %, and where no
clock of the nameplate is known, a throttled unit is modelled up to 4 % high. `PowerModel.calibration_ratio` takes out
what a site's own meter shows to be systematic. A unit without a reading has no modelled watt at all: whether something
that does not answer draws power is not known.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from agent.unit.nameplate import Nameplate
from agent.unit.reading import BoardReading, Mode, UnitReading

STANDBY_WATTS = 18.0
"""A control board alone. Assumed: within the 0 to 30 W that estimates give for sleep; no measurement is known."""

ENERGY_PER_CLOCK = 0.4
"""By which share of a change of the clock the energy of a hash changes: a slower chip runs at a lower voltage.

From the manuals of machines that Bitmain rates twice: S21 XP Imm. 13.5 J/TH at 300 TH/s and 15 at 380 gives 0.42,
S21 Imm. 16 at 239 and 18.5 at 301 gives 0.60; the lower one, because 4 % less for 490 -> 440 MHz is well inside both.
"""

POWER_PER_CELSIUS = 0.0045
"""From 7 % of wall power over a day of some 15 degrees, reported of a T21."""

RATED_AT_CELSIUS = 25.0

BOARD_OVER_AIR_CELSIUS = 29.0
"""By how much the coolest sensor of a board is above the air at full load.

Observed: 54 on s21-stock-aml-202407, http-stats. Assumed: the warm room it stood in was at 25.
"""

# A sensor that tells nonsense cannot move power further than the air of -1 to 52 C does.
_AIR_FACTORS = (0.88, 1.12)
_CLOCK_RATIOS = (0.0, 1.5)


class PowerSource(StrEnum):
    """Whose word a watt is, most trusted first."""

    METERED = "metered"
    REPORTED = "reported"
    MODELLED = "modelled"


class Power(msgspec.Struct, frozen=True, gc=False):
    """What a unit draws, watts at the wall, and whose word that is."""

    watts: float
    source: PowerSource


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerModel:
    """What turns a reading into watts where nobody measures.

    Attributes:
        standby_watts: What a unit draws that does not hash.
        calibration_ratio: Factor on every modelled watt.
    """

    standby_watts: float = STANDBY_WATTS
    calibration_ratio: float = 1.0

    def watts(self, nameplate: Nameplate, reading: UnitReading, *, is_starting: bool = False) -> float | None:
        """Give what a unit with this fresh reading draws; None without a rated power or a measured rate.

        Args:
            nameplate: What it is rated for.
            reading: What it says of itself.
            is_starting: It is on its way up, so that a low rate is a low clock where no clock is told.
        """
        rated_watts, rate_hs = nameplate.power_watts, reading.hashrate_5s_hs
        if rated_watts is None:
            return None
        if not rate_hs:
            return None if rate_hs is None and reading.mode is not Mode.SLEEP else self._calibrated(self.standby_watts)
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
    """Give what a unit draws by the most trusted word there is; None when there is none.

    Args:
        nameplate: What it is rated for.
        reading: Its fresh reading, or None.
        model: For where nobody measures.
        is_starting: Whether it is on its way up.
        metered_watts: What a meter of this unit alone says, if there is one. A meter of its container is not smeared
            over its units.
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
    """Give by what the energy of a hash differs from the nameplate's, by clocks and, of air units, by the air.

    Args:
        nameplate: What the unit is rated for.
        boards: Those that are not up tell nothing.
        assumed_ratio: Of the clock to the nameplate's, where clocks are not told.
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
        if is_in_air and board.pcb_celsius:
            # A board heats itself in proportion to what it does; one that tells no rate is taken at full load.
            load = 1.0 if board_hs is None or board.hashrate_hs is None else min(1.5, board.hashrate_hs / board_hs)
            airs += 1
            # The coolest, because the inlet does not come first everywhere: 73-45-64-65 was recorded.
            airs_celsius += min(board.pcb_celsius) - BOARD_OVER_AIR_CELSIUS * load
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
