"""The power a unit draws and its source: metered, measured, estimated or modelled, and None without any of them.

Observed (O63), documented (D58): stock S21 and T21 report no watts, so most are modelled from the nameplate:

    watts = standby + (rated - standby) x measured / nameplate hashrate x clock factor x air factor

At the nameplate's rate and clock, in air of 25 C, that is the nameplate's power. A unit that sleeps, or none of whose
boards is up, draws what its control board alone does.

*Error.* The room's README states it by origin. Documented (D60): +-5 % for power and J/TH; that is one unit's error
and, for one batch, may be a site's. `PowerModel.calibration_ratio` removes the systematic error that a meter shows.

*No figure.* A unit without a reading may draw power or not. Boards that have power and a clock and hash next to nothing
draw something between standby and full power. The model speaks for neither, and `power_gap` says why.
"""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from agent.site.hash_energy import energy_ratio
from agent.unit.nameplate import Nameplate
from agent.unit.reading import BoardReading, Mode, PowerKind, UnitReading

STANDBY_WATTS = 18.0
"""A control board alone. Assumed (A50): within the 0 to 30 W that estimates give for sleep; never measured."""

IDLE_BELOW_RATIO = 0.01
"""Of the nameplate. A unit with powered boards that hashes less hashes nothing; their power is not modelled."""

MODELLED_FROM_RATIO = 0.1
"""Of what the powered boards would hash at their clock. Below it the nameplate's J/TH says nothing about their power.

Assumed (A76): boards with a clock draw most of their power even if little of their work counts.
"""


class PowerSource(StrEnum):
    """The source of a power figure, most trusted first.

    ``metered``: a meter of the site. ``measured``: the unit's own power supply. ``estimated``: the unit's firmware.
    ``modelled``: the agent, from the nameplate.
    """

    METERED = "metered"
    MEASURED = "measured"
    ESTIMATED = "estimated"
    MODELLED = "modelled"


def source_of(kind: PowerKind | None) -> PowerSource:
    """Return the source of watts that a unit reports; without a kind, the weaker claim."""
    return PowerSource.MEASURED if kind is PowerKind.MEASURED else PowerSource.ESTIMATED


class PowerGap(StrEnum):
    """The closed list of reasons for which a unit has no power figure."""

    NO_READING = "no fresh reading"
    NO_RATING = "not modelled: the model has no rated power"
    NO_RATE = "not modelled: the unit reports no hashrate"
    IDLE_BOARDS = "not modelled: boards are powered and hash next to nothing"


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
        """Return the power of a unit with this fresh reading, W; None where `power_gap` has a reason.

        Args:
            nameplate: The unit's.
            reading: The unit's.
            is_starting: The unit is ramping up: a low rate means a low clock if the reading has no clock.
        """
        rated_watts, rate_hs = nameplate.power_watts, reading.rate_hs
        if rated_watts is None:
            return None
        if rate_hs is None or rate_hs < nameplate.hashrate_hs * MODELLED_FROM_RATIO:
            if power_gap(nameplate, reading, is_starting=is_starting) is not None:
                return None
            if not rate_hs:
                return self._calibrated(self.standby_watts)
        load = rate_hs / nameplate.hashrate_hs
        energy = energy_ratio(
            nameplate,
            reading,
            load=load,
            is_starting=is_starting,
            standby_watts=self.standby_watts,
        )
        load *= energy
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
        return Power(reading.power_watts, source_of(reading.power_kind))
    watts = model.watts(nameplate, reading, is_starting=is_starting)
    return None if watts is None else Power(watts, PowerSource.MODELLED)


def power_gap(nameplate: Nameplate, reading: UnitReading | None, *, is_starting: bool = False) -> PowerGap | None:
    """Return why a unit without a meter that reports no power has no figure; None if it is modelled.

    Args:
        nameplate: The unit's.
        reading: Its fresh reading, or None.
        is_starting: True while it ramps up.
    """
    if reading is None:
        return PowerGap.NO_READING
    if nameplate.power_watts is None:
        return PowerGap.NO_RATING
    rate_hs = reading.rate_hs
    if rate_hs is None:
        return None if reading.mode is Mode.SLEEP else PowerGap.NO_RATE
    if rate_hs < nameplate.hashrate_hs * MODELLED_FROM_RATIO and _is_idling(
        nameplate, reading, rate_hs, is_starting=is_starting
    ):
        return PowerGap.IDLE_BOARDS
    return None


def _is_idling(nameplate: Nameplate, reading: UnitReading, rate_hs: float, *, is_starting: bool) -> bool:
    """Return True if boards have power and a clock, and the unit is awake but hashes next to nothing."""
    if reading.mode is Mode.SLEEP:
        return False
    powered = [board for board in reading.boards if board.chips and board.frequency_hz != 0]
    boards = nameplate.boards or len(reading.boards)
    if not powered:
        return False
    if rate_hs < nameplate.hashrate_hs * IDLE_BELOW_RATIO:
        return True
    # The rate of a unit that starts is low because its clock is.
    able_hs = nameplate.hashrate_hs / boards * sum(_able_share(nameplate, board) for board in powered)
    return not is_starting and rate_hs < MODELLED_FROM_RATIO * able_hs


def _able_share(nameplate: Nameplate, board: BoardReading) -> float:
    """Return the share of its rated hashrate that a board can reach with its chips and clock, as far as known."""
    share = 1.0
    if nameplate.chips_per_board and board.chips:
        share *= min(1.0, board.chips / nameplate.chips_per_board)
    if nameplate.frequency_hz is not None and board.frequency_hz is not None:
        share *= min(1.0, board.frequency_hz / nameplate.frequency_hz)
    return share
